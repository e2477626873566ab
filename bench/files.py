"""How fast a file gets from one person to another, and what it costs, beside magic-wormhole.

    python bench/files.py [--quick] [--only ours|wormhole]

Both run as their users run them: three processes on loopback (sender, server or mailbox, receiver),
everything from the first command to the last byte checked. Ours goes through a server that syncs
to disk, and is written down encrypted; magic-wormhole goes straight from one to the other.

They take turns, and in who goes first: what memory the system has at hand depends on what ran
before, and on some machines that is worth a fifth of the whole. The table at the end has the middle
one of each, by seconds.
"""

import argparse
import asyncio
import contextlib
import hashlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from chatsecure.client.client import Client
from chatsecure.client.profile.folder import open_profile

ROOT = Path(__file__).parents[1]
VENV = Path(os.environ.get("BENCH_VENV", tempfile.gettempdir() + "/chatsecure-bench-venv"))
TICKS = os.sysconf("SC_CLK_TCK")
MB = 1_000_000
ENVIRONMENT = os.environ | {"CHATSECURE_KEYRING": "off", "PYTHONUNBUFFERED": "1"}
CODE = "7-loopback-bench"
TIMEOUT_S = 900


@dataclass
class Result:
    """What one transfer took."""

    who: str
    what: str
    size: int
    seconds: float
    cpu: dict[str, float]
    peak: dict[str, int]


class Watch:
    """CPU seconds and peak memory of processes, read while they live."""

    def __init__(self, **processes: subprocess.Popen[str]) -> None:
        self._processes = processes
        self._start = {name: self._cpu(process.pid) for name, process in processes.items()}
        self._last = dict(self._start)
        self.peak: dict[str, int] = dict.fromkeys(processes, 0)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    @staticmethod
    def _cpu(pid: int) -> float:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    @staticmethod
    def _peak(pid: int) -> int:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
        return 0

    def look(self) -> None:
        """Read them all."""
        for name, process in self._processes.items():
            with contextlib.suppress(OSError, IndexError):
                self._last[name] = max(self._last[name], self._cpu(process.pid))
                self.peak[name] = max(self.peak[name], self._peak(process.pid))

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            self.look()

    def end(self) -> dict[str, float]:
        """CPU seconds of each since the beginning."""
        self.look()
        self._over.set()
        self._thread.join()
        return {name: self._last[name] - start for name, start in self._start.items()}


def start(command: list[str | Path], **more: object) -> subprocess.Popen[str]:
    """Start a process whose output is read."""
    return subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
        env=ENVIRONMENT, **more,
    )  # type: ignore[call-overload,no-any-return]  # fmt: skip


def end(process: subprocess.Popen[str]) -> None:
    """Let a process go."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout:
        process.stdout.close()


def digest(path: Path) -> str:
    """What a file or folder holds."""
    whole = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            with file.open("rb") as stream:
                whole.update(hashlib.file_digest(stream, "sha256").digest())
    return whole.hexdigest()


# --- ours ----------------------------------------------------------------------------------------


class Ours:
    """A server and two people."""

    name = "chatsecure"

    def __init__(self, folder: Path, engine: str = "events") -> None:
        self._me = [sys.executable, "-m", "chatsecure"]
        self._folder = folder
        self._server = start(
            [
                *self._me,
                "serve",
                "--data",
                folder / "server",
                "--listen",
                "127.0.0.1:0",
                "--engine",
                engine,
            ],
            stderr=subprocess.DEVNULL,
        )
        assert self._server.stdout is not None
        self._server.stdout.readline()
        link = self._server.stdout.readline().split()[1]
        self._join("alice", link)
        invited = self._run("alice", "invite")
        self._join("bob", invited.strip())
        # Larger than what is taken without asking.
        self._run("bob", "cli", given="/settings auto save limit 100 GiB")
        self._reader = start(
            [*self._me, "--profile", folder / "bob", "listen", "--json"],
            stderr=subprocess.DEVNULL,
        )
        assert self._reader.stdout is not None
        self._reader.stdout.readline()

    def _join(self, name: str, link: str) -> None:
        self._run(name, "join", "-", "--name", name, given=link)

    def _run(self, who: str, *words: str, given: str = "") -> str:
        return subprocess.run(
            [*self._me, "--profile", self._folder / who, *words], input=given, text=True,
            env=ENVIRONMENT, check=True, capture_output=True,
        ).stdout  # fmt: skip

    def _received(self, count: int) -> Path:
        assert self._reader.stdout is not None
        for line in self._reader.stdout:
            event = json.loads(line)
            if event["type"] == "file" and event["state"] == "failed":
                raise SystemExit(f"a file failed: {event}")
            if event["type"] == "file" and event["state"] == "received":
                count -= 1
                if not count:
                    return Path(event["path"])
        raise SystemExit("the receiver has ended")

    def send(self, *paths: Path) -> tuple[float, dict[str, float], dict[str, int], Path]:
        """Send, and wait until all is there."""
        watch = Watch(server=self._server, receiver=self._reader)
        begin = time.monotonic()
        sender = start(
            [*self._me, "--profile", self._folder / "alice", "file", "@bob", *paths,
             "--wait", "received"],
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        sending = Watch(sender=sender)
        path = self._received(len(paths))
        took = time.monotonic() - begin
        if sender.wait(TIMEOUT_S):
            raise SystemExit("the sender failed")
        cpu = watch.end() | sending.end()
        end(sender)
        return took, cpu, watch.peak | sending.peak, path

    def talk(self, path: Path) -> tuple[list[float], list[float]]:
        """How long a message takes to the server's disk, with nothing else and while the same
        client sends a file."""
        return asyncio.run(self._talk(path))

    async def _talk(self, path: Path) -> tuple[list[float], list[float]]:
        os.environ["CHATSECURE_KEYRING"] = "off"
        profile = open_profile(self._folder / "alice")

        async def one(client: Client) -> float:
            await asyncio.sleep(0.02)
            begin = time.monotonic()
            await client.wait(await client.send("@bob", "meanwhile"), "stored", 60)
            return (time.monotonic() - begin) * 1000

        try:
            async with Client(profile) as client:
                await client.ready(60)
                alone = [await one(client) for _ in range(50)]
                arrived = asyncio.create_task(asyncio.to_thread(self._received, 1))
                sending = asyncio.create_task(client.send_file("@bob", path))
                beside = []
                while not arrived.done():
                    beside.append(await one(client))
                await sending
                (await arrived).unlink()
        finally:
            profile.close()
        return alone, beside

    def close(self) -> None:
        """End everything."""
        end(self._reader)
        end(self._server)


# --- magic-wormhole ------------------------------------------------------------------------------


class Wormhole:
    """A mailbox server of its own, and two people."""

    name = "magic-wormhole"

    def __init__(self, folder: Path) -> None:
        port = 20_000 + os.getpid() % 20_000
        self._folder = folder / "wormhole"
        self._folder.mkdir()
        self._server = start(
            [VENV / "bin/twist", "wormhole-mailbox", f"--port=tcp:{port}:interface=127.0.0.1",
             "--channel-db=:memory:", "--usage-db=:memory:"],
            stderr=subprocess.STDOUT, cwd=self._folder,
        )  # fmt: skip
        assert self._server.stdout is not None
        for line in self._server.stdout:
            if "Starting reactor" in line:
                break
        self._reading = threading.Thread(target=self._server.stdout.read, daemon=True)
        self._reading.start()
        # A transit helper that is not there: they reach each other directly.
        self._me = [
            str(VENV / "bin/wormhole"), "--relay-url", f"ws://127.0.0.1:{port}/v1",
            "--transit-helper", "tcp:127.0.0.1:1",
        ]  # fmt: skip

    def send(self, *paths: Path) -> tuple[float, dict[str, float], dict[str, int], Path]:
        """Send one file or folder, and wait until it is there."""
        (path,) = paths
        arrived = self._folder / f"{time.monotonic_ns()}"
        watch = Watch(server=self._server)
        begin = time.monotonic()
        common = {"stderr": subprocess.DEVNULL, "cwd": self._folder}
        sender = start([*self._me, "send", "--hide-progress", "--code", CODE, path], **common)
        receiver = start(
            [*self._me, "receive", "--hide-progress", "--accept-file", "-o", arrived, CODE],
            **common,
        )
        both = Watch(sender=sender, receiver=receiver)
        if receiver.wait(TIMEOUT_S):
            raise SystemExit("the receiver of magic-wormhole failed")
        took = time.monotonic() - begin
        sender.wait(TIMEOUT_S)
        cpu = watch.end() | both.end()
        return took, cpu, watch.peak | both.peak, arrived

    def close(self) -> None:
        """End everything."""
        end(self._server)


def wormhole_is_there() -> bool:
    """Install magic-wormhole in an environment of its own, if it is not there."""
    if not (VENV / "bin/wormhole").exists():
        subprocess.run(
            ["uv", "sync", "--only-group", "bench", "--project", ROOT],
            env=os.environ | {"UV_PROJECT_ENVIRONMENT": str(VENV)}, check=False,
        )  # fmt: skip
    return (VENV / "bin/wormhole").exists()


# --- the runs ------------------------------------------------------------------------------------


def make_file(path: Path, size: int) -> Path:
    """A file of random bytes."""
    block = os.urandom(4 * 1024 * 1024)
    with path.open("wb") as file:
        left = size
        while left > 0:
            file.write(block[: min(left, len(block))])
            left -= len(block)
            block = hashlib.sha256(block).digest() + block[32:]
        os.fsync(file.fileno())
    return path


def make_folder(path: Path, count: int, size: int) -> Path:
    """A folder of small random files."""
    path.mkdir()
    for number in range(count):
        (path / f"{number:04}.bin").write_bytes(os.urandom(size))
    return path


@contextlib.contextmanager
def temporary() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="chatsecure-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure(
    makers: list[Callable[[Path], Ours | Wormhole]], sizes: list[int], count: int, rounds: int
) -> None:
    """All runs, one table."""
    results: list[Result] = []
    with temporary() as folder:
        parties = [make(folder) for make in makers]
        try:
            for size in sizes:
                path = make_file(folder / f"file-{size}", size)
                what = f"{size // MB} MB"
                for round_ in range(rounds):
                    turn = parties[:: -1 if round_ % 2 else 1]
                    results += [one(party, what, size, path) for party in turn]
                show_delays(parties, path)
                path.unlink()
            small = make_folder(folder / "small", count, 10_000) if count else folder
            for party in parties if count else ():
                results.append(one(party, f"{count:,} x 10 KB, a folder", count * 10_000, small))
                if isinstance(party, Ours):
                    each = sorted(small.iterdir())
                    what = f"{count:,} x 10 KB, one by one"
                    results.append(one(party, what, count * 10_000, *each))
        finally:
            for party in parties:
                party.close()
    show(middle(results))


def middle(results: list[Result]) -> list[Result]:
    """Of what ran several times the one in the middle, by seconds."""
    same: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        same.setdefault((result.what, result.who), []).append(result)
    return [sorted(runs, key=lambda run: run.seconds)[len(runs) // 2] for runs in same.values()]


def show_delays(parties: list[Ours | Wormhole], path: Path) -> None:
    """What messages wait while a file goes."""
    for party in parties:
        if isinstance(party, Ours):
            for what, times in zip(("alone", "beside a file"), party.talk(path), strict=True):
                times.sort()
                print(
                    f"{'':16}a message {what:18}{len(times):5} x   p50 {times[len(times) // 2]:.1f}"
                    f"   p95 {times[len(times) * 95 // 100]:.1f}   max {times[-1]:.1f} ms",
                    flush=True,
                )


def one(party: Ours | Wormhole, what: str, size: int, *paths: Path) -> Result:
    """One transfer, checked."""
    seconds, cpu, peak, arrived = party.send(*paths)
    if len(paths) == 1 and digest(arrived) != digest(paths[0]):
        raise SystemExit(f"{party.name} delivered something else")
    result = Result(party.name, what, size, seconds, cpu, peak)
    show([result], head=False)
    if arrived.is_dir():
        shutil.rmtree(arrived)
    else:
        arrived.unlink()
    return result


def show(results: list[Result], *, head: bool = True) -> None:
    """The table."""
    if head:
        print(
            f"\n{'':16}{'what':28}{'s':>7}{'MB/s':>8}{'CPU s/GB':>10}"
            f"{'sender':>8}{'server':>8}{'recv.':>8}   peak MiB"
        )
    for result in results:
        giga = result.size / 1e9
        cpu = [result.cpu[name] / giga for name in ("sender", "server", "receiver")]
        peak = [result.peak[name] >> 20 for name in ("sender", "server", "receiver")]
        print(
            f"{result.who:16}{result.what:28}{result.seconds:7.2f}"
            f"{result.size / MB / result.seconds:8.0f}{sum(cpu):10.2f}"
            + "".join(f"{part:8.2f}" for part in cpu)
            + f"   {' / '.join(map(str, peak))}",
            flush=True,
        )


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="30 MB and 300 MB, 100 small files")
    parser.add_argument("--only", choices=["ours", "wormhole"])
    parser.add_argument("--mb", type=int, action="append", help="these sizes instead")
    parser.add_argument("--engine", choices=["events", "threads"], default="events")
    parser.add_argument("--small", type=int, metavar="COUNT", help="so many small files; 0: none")
    parser.add_argument("--rounds", type=int, metavar="COUNT", help="so many turns for each size")
    args = parser.parse_args()
    makers: list[Callable[[Path], Ours | Wormhole]] = []
    if args.only != "wormhole":
        makers.append(partial(Ours, engine=args.engine))
    if args.only != "ours" and wormhole_is_there():
        makers.append(Wormhole)
    sizes = args.mb or ([30, 300] if args.quick else [300, 3000])
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    count = (100 if args.quick else 1000) if args.small is None else args.small
    rounds = args.rounds or (1 if args.quick else 3)
    measure(makers, [size * MB for size in sizes], count, rounds)


if __name__ == "__main__":
    # Whoever reads no further ends it.
    with contextlib.suppress(BrokenPipeError):
        main()
