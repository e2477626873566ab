"""Simulated connections: bytes that are delayed, split and merged, stalled, cut, or half lost.

Within one direction of one connection bytes keep their order, as TCP has it; between connections
nothing does. A connection knows no protocol.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .nodes import ClientNode, ServerNode
    from .world import World

DRAINED_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class Mood:
    """How a network behaves while nothing breaks."""

    delay_ms: tuple[int, int]
    split: float
    """How often bytes that left together come apart."""


MOODS = {
    "calm": Mood((0, 2), 0.0),
    "near": Mood((0, 8), 0.15),
    "far": Mood((20, 250), 0.25),
    "awful": Mood((1, 2500), 0.5),
}


class Pipe:
    """One direction of a connection."""

    def __init__(
        self, world: World, name: str, rng: Random, deliver: Callable[[bytes], None]
    ) -> None:
        self._world, self._name, self._rng, self._deliver = world, name, rng, deliver
        self.buffer = bytearray()
        self.taken = 0
        self.held = False
        self.stalled_until = 0
        self.dead = False
        """Nothing comes out any more, and nobody is told."""
        self.at_end: Callable[[], None] | None = None
        """Called when all that was written has come out."""
        self._armed = False

    def push(self, data: bytes) -> None:
        """Bytes go in."""
        if not self.dead:
            self.buffer += data
            self.arm()

    def arm(self) -> None:
        """See to it that what is inside comes out."""
        if self._armed or self.dead or self.held or not (self.buffer or self.at_end):
            return
        self._armed = True
        low, high = self._world.mood.delay_ms
        delay = self._rng.randint(low, high)
        self._world.after(max(delay, self.stalled_until - self._world.time), self._fire, self._name)

    def _fire(self) -> None:
        self._armed = False
        if self.dead or self.held:
            return
        if self._world.time < self.stalled_until:
            self.arm()
            return
        if self.buffer:
            size = len(self.buffer)
            if size > 1 and self._rng.random() < self._world.mood.split:
                size = max(1, int(size * self._rng.random()))
            chunk = bytes(self.buffer[:size])
            del self.buffer[:size]
            self.taken += size
            self._deliver(chunk)
        if not self.buffer and self.at_end is not None and not self.dead:
            self.dead, end = True, self.at_end
            end()
        self.arm()


class Link:
    """One connection of a client with a server, and the server's port for it."""

    def __init__(self, world: World, client: ClientNode, server: ServerNode, number: int) -> None:
        self.world, self.client, self.server = world, client, server
        self.name = f"{client.name}/{number}"
        rng = world.rng("link", self.name)
        self._rng = rng
        self.up = Pipe(world, f"{self.name} up", Random(rng.random()), self._to_server)
        self.down = Pipe(world, f"{self.name} down", Random(rng.random()), self._to_client)
        self.server_life = server.life
        self.client_open = self.server_open = True
        self.session = server.accept(self)

    # --- the server's port --------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        self.down.push(data)

    def queued(self) -> int:
        return len(self.down.buffer)

    def taken(self) -> int:
        return self.down.taken

    def hold(self, held: bool) -> None:
        self.up.held = held
        self.up.arm()

    def close(self) -> None:
        """The server closes: what it wrote still comes, then the end."""
        if self.server_open:
            self.server_open = False
            self.up.dead = True
            self.down.at_end = self._tell_client
            self.down.arm()

    def work(self, job: Callable, done: Callable) -> None:
        self.server.work(job, done)

    # --- bytes --------------------------------------------------------------------------------

    def _to_server(self, data: bytes) -> None:
        if self.server_open and self.server.life == self.server_life:
            self.server.enter(lambda: self.session.received(data))

    def _to_client(self, data: bytes) -> None:
        if self.client_open:
            self.client.received(self, data)
            if self.server_open and len(self.down.buffer) <= DRAINED_BYTES:
                self.server.enter(self.session.drained)

    # --- ends ---------------------------------------------------------------------------------

    def _tell_client(self) -> None:
        if self.client_open:
            self.client_open = False
            self.client.lost(self, "the connection was closed")

    def _tell_server(self) -> None:
        if self.server_open and self.server.life == self.server_life:
            self.server_open = False
            self.server.enter(self.session.closed)

    def cut(self, *, half: bool = False) -> None:
        """The line breaks; what was under way is lost. Each side learns of it some time later.

        Args:
            half: nobody learns of it: only silence tells.
        """
        self.up.dead = self.down.dead = True
        if not half:
            self.world.after(self._rng.randint(0, 3000), self._tell_client)
            self.world.after(self._rng.randint(0, 3000), self._tell_server)

    def client_closes(self, *, abruptly: bool) -> None:
        """The client's end is closed, or its process has died."""
        if not self.client_open:
            return
        self.client_open = False
        self.down.dead = True
        if abruptly:
            # The system resets the connection; a part of what was written may still have left.
            self.world.after(self._rng.randint(0, 500), self._reset)
        elif not self.up.dead:
            self.up.at_end = self._tell_server
            self.up.arm()

    def _reset(self) -> None:
        self.up.dead = True
        self._tell_server()

    def server_dies(self) -> None:
        """The server's process is gone."""
        self.server_open = False
        self.up.dead = self.down.dead = True
        self.world.after(self._rng.randint(0, 500), self._tell_client)
