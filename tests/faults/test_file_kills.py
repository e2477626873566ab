"""A file gets through whatever is killed, and little of it goes twice.

With CHATSECURE_FAULTS=long it is 1 GiB and 20 kills on each engine; `CHATSECURE_KILL_MIB` and
`CHATSECURE_KILLS` make it as long as one likes.
"""

import contextlib
import hashlib
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from chatsecure.crypto.filecipher import SEGMENT_BYTES, Layout
from system.conftest import ENGINES, Person, World, command, environment, start_server

from .people import goes_to
from .proxy import Proxy

LONG = os.environ.get("CHATSECURE_FAULTS") == "long"
MIB = int(os.environ.get("CHATSECURE_KILL_MIB", "1024" if LONG else "192"))
KILLS = int(os.environ.get("CHATSECURE_KILLS", "20" if LONG else "6"))
PATIENCE_S = 60 + MIB + 10 * KILLS


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


@pytest.mark.timeout(PATIENCE_S + 60)
@pytest.mark.parametrize("server", ENGINES, indirect=True)
def test_killed_at_any_moment_it_arrives_whole_and_little_goes_twice(
    three: tuple[Person, Person, Person], world: World, tmp_path: Path
) -> None:
    _, alice, bob = three
    server = world.server
    path = tmp_path / "big.bin"
    arrived = bob.folder / "downloads" / path.name
    rng = random.Random(MIB)
    with path.open("wb") as file:
        for _ in range(MIB):
            file.write(rng.randbytes(2**20))

    def far() -> float:
        """How much is on the disks of the server and the reader, of all."""
        there = [*(server.data / "blobs").glob("??/*"), *arrived.parent.glob(".*.part")]
        with contextlib.suppress(FileNotFoundError):
            return sum(file.stat().st_size for file in there) / (2 * MIB * 2**20)
        return 0.0

    marks = sorted(rng.uniform(0.02, 0.9) for _ in range(KILLS))
    end = time.monotonic() + PATIENCE_S
    with Proxy(0, server.port) as line:
        # What she sends is counted where nobody is killed.
        goes_to(alice.folder, line.port)
        sender, reader = Killed(alice, "file", "@bob", path), Killed(bob, "listen")
        while not arrived.exists() or sender.process.poll() is None:
            assert time.monotonic() < end, "it did not arrive"
            time.sleep(0.01)
            if marks and far() >= marks[0]:
                del marks[0]
                victim = rng.choice(["sender", "server", "reader"])
                if victim == "server":
                    server.process.kill()
                    server.process.wait()
                    again = start_server(server.data, server.engine, server.address, owner=False)
                    server.process = again.process
                else:
                    {"sender": sender, "reader": reader}[victim].kill()
            for one in (sender, reader):
                if one.process.poll() not in (None, 0):
                    one.start()
        twice = (line.carried - Layout.of(MIB * 2**20).blob_bytes) / SEGMENT_BYTES
    assert digest(arrived) == digest(path)
    print(f"{KILLS - len(marks)} kills, {twice:.1f} segments sent twice")
    assert not marks, "it arrived before all were killed"
    assert twice <= KILLS
    reader.process.send_signal(signal.SIGTERM)
    reader.process.wait(30)
