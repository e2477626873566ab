"""A file gets through whatever is killed, and little of it goes twice.

With CHATSECURE_FAULTS=long it is 1 GiB and 20 kills on each engine; `CHATSECURE_KILL_MIB` and
`CHATSECURE_KILLS` make it as long as one likes.
"""

import contextlib
import hashlib
import os
import random
import re
import signal
import subprocess
import threading
import time
import urllib.request
from pathlib import Path

import pytest

from chatsecure.crypto.filecipher import SEGMENT_BYTES, Layout

from .conftest import Person, Server, World, command, environment, free_port, start_server

LONG = os.environ.get("CHATSECURE_FAULTS") == "long"
MIB = int(os.environ.get("CHATSECURE_KILL_MIB", "1024" if LONG else "192"))
KILLS = int(os.environ.get("CHATSECURE_KILLS", "20" if LONG else "6"))
PATIENCE_S = 60 + MIB + 10 * KILLS


class Meter(threading.Thread):
    """Counts the bytes of files that came to a server, whatever becomes of it."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.total = self._last = 0
        self._url = f"http://127.0.0.1:{port}/metrics"
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.02):
            with contextlib.suppress(OSError, ValueError):
                text = urllib.request.urlopen(self._url, timeout=1).read().decode()
                found = re.search(r"blob_bytes_in\S* (\d+)", text)
                count = int(found[1]) if found else 0
                self.total += count - self._last if count >= self._last else count
                self._last = count


class Killed:
    """A command that is started again whenever it was killed."""

    def __init__(self, person: Person, *words: str | Path) -> None:
        self._line = command("--profile", person.folder, *words)
        self._person = person
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            self._line, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, env=environment(),
        )  # fmt: skip
        self._person.running.append(self.process)  # type: ignore[arg-type]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@pytest.mark.slow
@pytest.mark.timeout(PATIENCE_S + 60)
def test_killed_at_any_moment_it_arrives_whole_and_little_goes_twice(
    met: Server, three: tuple[Person, Person, Person], world: World, tmp_path: Path
) -> None:
    _, alice, bob = three
    server, port = world.server, free_port()

    def serve() -> None:
        more = ("--metrics", f"127.0.0.1:{port}")
        there = start_server(server.data, server.engine, server.address, *more, owner=False)
        server.process = there.process

    server.stop()
    serve()
    meter = Meter(port)
    meter.start()
    path = tmp_path / "big.bin"
    rng = random.Random(MIB)
    with path.open("wb") as file:
        for _ in range(MIB):
            file.write(rng.randbytes(2**20))
    sender = Killed(alice, "file", "@bob", path)
    reader = Killed(bob, "listen")
    arrived = bob.folder / "downloads" / path.name
    end, left = time.monotonic() + PATIENCE_S, KILLS
    while not arrived.exists():
        assert time.monotonic() < end, "it did not arrive"
        time.sleep(rng.uniform(0.3, 1.5))
        if left:
            left -= 1
            victim = rng.choice(["sender", "server", "reader"])
            if victim == "server":
                server.process.kill()
                server.process.wait()
                serve()
            else:
                {"sender": sender, "reader": reader}[victim].kill()
        for one in (sender, reader):
            if one.process.poll() not in (None, 0):
                one.start()
    sender.process.wait(PATIENCE_S)
    meter.over.set()
    assert digest(arrived) == digest(path)
    twice = (meter.total - Layout.of(MIB * 2**20).blob_bytes) / SEGMENT_BYTES
    print(f"{KILLS - left} kills, {max(0.0, twice):.1f} segments sent twice")
    assert twice <= max(2, KILLS - left)
    reader.process.send_signal(signal.SIGTERM)
    reader.process.wait(30)
