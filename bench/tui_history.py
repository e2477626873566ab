"""How quick the terminal client is in a conversation of 100,000 messages, in a real terminal.

    python bench/tui_history.py [MESSAGES]

Starts a server and a profile in a temporary folder, fills `#lobby`, then runs `chatsecure tui` on
a pseudo-terminal and measures, in milliseconds: the start until one can type, the echo of a key,
a page up and the jump to the beginning and back; then memory and the processor's share when idle.
"""

import asyncio
import fcntl
import os
import pty
import secrets
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

from chatsecure.client.content import Text1, encode_content
from chatsecure.client.joining import join
from chatsecure.client.profile.folder import open_profile

WORDS = ("the", "lab", "is", "open", "today", "and", "everybody", "brings", "what", "was", "said")
COLUMNS, ROWS = 120, 40
QUIET_S = 0.08


def fill(folder: Path, link: str, count: int) -> None:
    """A profile whose `#lobby` holds so many messages."""

    async def enter() -> None:
        (await join(folder, link, "mara", timeout=30)).close()

    asyncio.run(enter())
    profile = open_profile(folder, lambda: None)
    db = profile.db
    (log_id,) = db.row("SELECT log_id FROM conversations WHERE folded = '#lobby'") or (b"",)
    began = (int(time.time()) - count * 60) * 1000
    with db.transaction():
        for number in range(count):
            words = (WORDS[(number * 7 + k) % len(WORDS)] for k in range(3 + number % 23))
            text = f"{number}: {' '.join(words)}"
            db.run(
                "INSERT INTO messages(id, log_id, seq, at, sender, mine, kind, body, text, state)"
                " VALUES(?, ?, ?, ?, ?, ?, 1, ?, ?, ?)",
                secrets.token_bytes(16), log_id, -count + number, began + number * 60_000,
                ("alice", "bob", "carol", "mara")[number // 3 % 4], number // 3 % 4 == 3,
                encode_content(Text1(text=text)), text, "stored",
            )  # fmt: skip
    profile.close()


class Terminal:
    """The client on a pseudo-terminal."""

    def __init__(self, *command: str) -> None:
        self.began = time.perf_counter()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
            os.execv(command[0], command)
        size = struct.pack("HHHH", ROWS, COLUMNS, 0, 0)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, size)

    def until(self, wanted: bytes, patience: float = 30) -> float:
        """Wait for a text; gives the seconds since the start."""
        seen = b""
        end = time.monotonic() + patience
        while wanted not in seen:
            assert time.monotonic() < end, seen[-2000:]
            seen = (seen + self.read(0.5))[-200_000:]
        return time.perf_counter() - self.began

    def read(self, patience: float) -> bytes:
        ready, _, _ = select.select([self.fd], [], [], patience)
        return os.read(self.fd, 65536) if ready else b""

    def quiet(self) -> None:
        """Wait until nothing comes any more."""
        while self.read(QUIET_S):
            pass

    def answer(self, keys: bytes) -> tuple[float, int]:
        """Press keys: milliseconds until the screen's last change, and the bytes of it."""
        began = time.perf_counter()
        os.write(self.fd, keys)
        count, last = 0, began
        while data := self.read(0.5 if not count else QUIET_S):
            count += len(data)
            last = time.perf_counter()
        return (last - began) * 1000, count

    def processor_s(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self) -> float:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))

    def end(self) -> None:
        os.write(self.fd, b"\x11")
        while True:
            try:
                if not self.read(5):
                    break
            except OSError:
                break
        os.waitpid(self.pid, 0)


def shown(name: str, values: list[float], unit: str = "ms") -> None:
    """A line of the result."""
    ordered = sorted(values)
    p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    print(
        f"{name:<28} p50 {statistics.median(ordered):7.1f}  p95 {p95:7.1f}"
        f"  most {ordered[-1]:7.1f} {unit}"
    )


def main() -> None:
    count = int(sys.argv[1]) if sys.argv[1:] else 100_000
    os.environ["CHATSECURE_KEYRING"] = "off"
    program = str(Path(sys.executable).parent / "chatsecure")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = subprocess.Popen(
            [program, "serve", "--data", str(folder / "server"), "--listen", "127.0.0.1:0"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        try:
            assert server.stdout is not None
            server.stdout.readline()
            link = server.stdout.readline().split()[1]
            fill(folder / "mara", link, count)
            print(f"{count} messages, {COLUMNS}x{ROWS}")
            starts = []
            for _ in range(5):
                terminal = Terminal(program, "--profile", str(folder / "mara"), "tui")
                starts.append(terminal.until(b"everyone there") * 1000)
                terminal.quiet()
                terminal.end()
            shown("start until one can type", starts)
            terminal = Terminal(program, "--profile", str(folder / "mara"), "tui")
            terminal.until(b"everyone there")
            time.sleep(1)
            terminal.quiet()
            shown("key echo", [terminal.answer(b"x")[0] for _ in range(100)])
            pages = [terminal.answer(b"\x1b[5~") for _ in range(40)]
            shown("page up", [ms for ms, _bytes in pages])
            shown("page up", [size / 1000 for _ms, size in pages], "kB")
            wheel = b"\x1b[<64;60;20M"
            shown("wheel", [terminal.answer(wheel)[0] for _ in range(40)])
            terminal.answer(b"\x1b[1;5A")
            shown("to the beginning", [terminal.answer(b"\x1b[H")[0]])
            shown("to the end", [terminal.answer(b"\x1b[F")[0]])
            terminal.answer(b"\x1b[1;5F")
            print(f"{'memory':<28} {terminal.memory_mb():.0f} MB")
            terminal.quiet()
            before = terminal.processor_s()
            time.sleep(10)
            idle = (terminal.processor_s() - before) * 10
            print(f"{'processor when idle':<28} {idle:.1f} %")
            terminal.end()
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
