"""The simulated world: one clock, one queue of what is going to happen, one seed.

Everything that happens is an event in the queue, and everything that is decided is decided by
random numbers that come from the seed alone, a stream of its own for each purpose, so that a step
taken out of a schedule changes little else. Not under the seed are the keys that the libraries
make (RSA, TLS, MLS inside Rust): bytes of ciphertext differ from run to run, their lengths and
everything that happens do not.
"""

from __future__ import annotations

import heapq
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from random import Random

from chatsecure import mls
from chatsecure.client.core import Options

from .disks import ServerDisk
from .invariants import Observer, Violation
from .network import MOODS, Mood
from .nodes import CERTIFICATE, ClientNode, ServerNode

START_MS = int(datetime.now(UTC).replace(hour=0, minute=0, second=0).timestamp()) * 1000
"""The wall's clock at the beginning. MLS looks at the computer's own for KeyPackages."""
MAX_EVENTS = 400_000


class World:
    """A server, its people, and what lies between them.

    Args:
        folder: an empty folder, best in memory.
        seed: decides everything.
        template: a world that was saved, to go on from.
        suite: the cipher suite of new groups.
        tracing: keep what happens, in words.
        in_memory: the databases lie in memory and not in the folder.
    """

    def __init__(
        self,
        folder: Path,
        seed: int,
        *,
        template: Path | None = None,
        suite: mls.Suite = mls.Suite.CLASSICAL,
        tracing: bool = False,
        in_memory: bool = False,
    ) -> None:
        self.folder, self.seed, self.suite = folder, seed, suite
        self.time = 0
        """Milliseconds since the beginning; only grows."""
        self.events = 0
        self.mood: Mood = MOODS["calm"]
        self.trace: list[str] | None = [] if tracing else None
        self.certificate_hash = sha256(CERTIFICATE).digest()
        self.links: list[tuple[str, bytes]] = []
        """Invitations that people gave each other: the room and the secret."""
        self.fingerprint = sha256()
        """Of everything that happened; equal for equal schedules."""
        self._queue: list[tuple[int, str, int, Callable[[], None]]] = []
        self._number = 0
        disk = None
        self._profiles: Path | None = None
        if template is not None and in_memory:
            self._profiles, disk = template, ServerDisk(template / "server" / "server.sqlite3")
        elif template is not None:
            shutil.copytree(template, folder, dirs_exist_ok=True)
        (folder / "server").mkdir(exist_ok=True)
        self.observer = Observer(self)
        self.server = ServerNode(self, folder / "server", disk)
        self.clients: dict[str, ClientNode] = {}
        self.links_out: list[object] = []

    @property
    def wall(self) -> int:
        """The right time, milliseconds since 1970."""
        return START_MS + self.time

    def rng(self, *purpose: object) -> Random:
        """A stream of random numbers for one purpose."""
        return Random(f"{self.seed}/{purpose}")

    def note(self, text: str) -> None:
        """Something happens."""
        self.fingerprint.update(f"{self.time} {text}\n".encode())
        if self.trace is not None:
            self.trace.append(f"{self.time / 1000:9.3f}  {text}")

    def after(self, delay: int, call: Callable[[], None], place: str = "") -> None:
        """Plan something.

        Args:
            place: where it happens; of what happens at one instant, this decides the order, and
                not in which order a set of connections was gone through.
        """
        self._number += 1
        heapq.heappush(self._queue, (self.time + max(0, delay), place, self._number, call))

    def client(self, name: str) -> ClientNode:
        """Somebody's client; its profile is in the world's folder."""
        if name not in self.clients:
            options = Options(receive_files=False, suite=self.suite)
            self.clients[name] = ClientNode(
                self, name, (self._profiles or self.folder) / name, options,
                in_memory=self._profiles is not None,
            )  # fmt: skip
        return self.clients[name]

    def run(self, upto: int) -> None:
        """Let everything happen until a point in time.

        Raises:
            Violation: an invariant does not hold.
        """
        while self._queue and self._queue[0][0] <= upto:
            self.time, _, _, call = heapq.heappop(self._queue)
            self.events += 1
            if self.events > MAX_EVENTS:
                raise Violation("the world does not come to rest", f"{MAX_EVENTS} events")
            call()
        self.time = max(self.time, upto)

    def run_until(self, condition: Callable[[], bool], within_ms: int) -> bool:
        """Let everything happen until a condition holds. False: it does not in time."""
        deadline = self.time + within_ms
        while not condition():
            if self.time >= deadline:
                return False
            self.run(self.time + 250)
        return True

    def close(self) -> None:
        """Let go of all files."""
        for client in self.clients.values():
            client.crash()
        self.server.crash()
        if self.server.disk is not None:
            self.server.disk.close()
