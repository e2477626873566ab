"""How soon a thousand clients are back at a server that was killed and started again.

    python -m bench.herd [--clients 1000] [--down 3] [--engine events]

Each client is one TLS connection with a log-in of its own, which tries again by the program's own
pauses (`client/backoff.py`). Told: how long after the server's return the first, half, and the last
of them were logged in, the most log-ins in one second, and how many tries failed after the return.
"""

import argparse
import json
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from tests.server.people import Peer, person, token_of_link

from chatsecure.client.backoff import pause
from chatsecure.wire import messages as m

PATIENCE_S = 120.0


class Herd:
    """Clients of one device, each in a thread."""

    def __init__(self, port: int, count: int) -> None:
        self.port = port
        self.back: list[float] = []
        """When each came back."""
        self.failed: list[float] = []
        """When a try failed."""
        self.may_go = threading.Event()
        self._here = threading.Semaphore(0)
        self._threads = [
            threading.Thread(target=self._client, args=(number,), daemon=True)
            for number in range(count)
        ]

    def gather(self) -> None:
        """Log all of them in, a few at a time."""
        for number, thread in enumerate(self._threads):
            thread.start()
            if number % 16 == 15:
                for _ in range(16):
                    assert self._here.acquire(timeout=PATIENCE_S)
        for _ in range(len(self._threads) % 16):
            assert self._here.acquire(timeout=PATIENCE_S)

    def return_(self) -> None:
        """Wait until all are back."""
        end = time.monotonic() + PATIENCE_S
        while len(self.back) < len(self._threads):
            assert time.monotonic() < end, f"only {len(self.back)} came back"
            time.sleep(0.05)

    def _client(self, number: int) -> None:
        chance = random.Random(number)
        peer = self._log_in()
        assert peer is not None
        self._here.release()
        while peer.pump():
            pass
        left = time.monotonic()
        peer.close()
        while True:
            away_s = time.monotonic() - left
            time.sleep(pause(away_s, near=False, chance=chance.random()))
            peer = self._log_in()
            if peer is not None:
                self.back.append(time.monotonic())
                self.may_go.wait()
                peer.close()
                return
            self.failed.append(time.monotonic())

    def _log_in(self) -> Peer | None:
        try:
            peer = Peer(person("owner"), self.port)
        except OSError:
            return None
        try:
            if isinstance(peer.login(present=False), m.LoggedIn):
                return peer
        except (OSError, AssertionError):
            pass
        peer.close()
        return None


def serve(data: Path, listen: str, engine: str) -> tuple[subprocess.Popen[str], int, str]:
    """Start a server; gives its port and its owner's link, if it told one."""
    process = subprocess.Popen(
        [
            sys.executable, "-m", "chatsecure", "serve", "--data", str(data), "--listen", listen,
            "--engine", engine, "--limit", "connections_per_address=5000",
        ],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    port = int(process.stdout.readline().rpartition(":")[2])
    link = "" if (data / "known").exists() else process.stdout.readline().split()[1]
    (data / "known").touch()
    return process, port, link


def main() -> None:
    """Kill, wait, start, count."""
    parser = argparse.ArgumentParser(prog="python -m bench.herd")
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--down", type=float, default=3.0)
    parser.add_argument("--engine", default="events")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="herd-") as scratch:
        data = Path(scratch) / "server"
        process, port, link = serve(data, "127.0.0.1:0", args.engine)
        owner = Peer(person("owner"), port)
        assert isinstance(owner.register(token_of_link(link), present=False), m.LoggedIn)
        owner.close()
        herd = Herd(port, args.clients)
        herd.gather()
        process.send_signal(signal.SIGKILL)
        process.wait()
        time.sleep(args.down)
        process, _, _ = serve(data, f"127.0.0.1:{port}", args.engine)
        ready = time.monotonic()
        try:
            herd.return_()
            herd.may_go.set()
        finally:
            process.terminate()
            process.wait(30)
    back = sorted(at - ready for at in herd.back)
    told = {
        "engine": args.engine,
        "clients": args.clients,
        "down_s": args.down,
        "first_s": round(back[0], 2),
        "half_s": round(statistics.median(back), 2),
        "last_s": round(back[-1], 2),
        "most_log_ins_a_second": max(Counter(int(at) for at in back).values()),
        "tries_failed_after": sum(at > ready for at in herd.failed),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
