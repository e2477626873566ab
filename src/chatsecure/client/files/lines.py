"""The file connections of one core: a few, used by one transfer after the other.

Opening and moving happen in threads (`core.work`); who gets a connection, and what happens to it
afterwards, is decided here, in the core.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from chatsecure.client.flow import Flow, Until
from chatsecure.client.flows import pause
from chatsecure.wire import messages as m
from chatsecure.wire.errors import ErrorCode, ProtocolError, Refused, Unreachable

from .line import FileLine

if TYPE_CHECKING:
    from chatsecure.client.core import Core

T = TypeVar("T")
MAX_LINES = 4
IDLE_MS = 10_000
"""Unused for longer, one is not used again: the server may be closing it."""
AGAIN_MS, AGAIN_MOST_MS = 100, 5_000
MAX_FRUITLESS = 12
"""How often a transfer begins anew in a row without getting on."""
PASSING = frozenset(
    {
        ErrorCode.NOT_YET,
        ErrorCode.BAD_TOKEN,
        ErrorCode.TOO_MANY,
        ErrorCode.UNAVAILABLE,
        ErrorCode.RATE,
    }
)
"""Refusals after which the same works a little later."""

Connect = Callable[[bytes, bytes], FileLine]
"""Opens a connection with the server's certificate hash and a ticket; called in a thread."""


def _nowhere(_hash: bytes, _ticket: bytes) -> FileLine:
    raise Unreachable("there is no way to move files here")


class Lines:
    """All file connections of a core."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.connect: Connect = _nowhere
        """Set by whoever drives the core."""
        self._free: list[FileLine] = []
        self._used: set[FileLine] = set()
        self._opening = 0

    def move(self, job: Callable[[FileLine], T]) -> Flow[T]:
        """Do a job in a thread, on a connection.

        Raises:
            Unreachable: there is none, or it broke.
            ChatSecureError: what the job raised, or the server's refusal of a connection.
        """
        line = yield from self._take()
        try:
            result: T = yield self._core.work(lambda: job(line))
        except BaseException:
            self._used.discard(line)
            line.cut()
            raise
        self._used.discard(line)
        line.used_at = self._core.clock()
        self._free.append(line)
        return result

    def _take(self) -> Flow[FileLine]:
        core = self._core
        if not self._room():
            yield Until(self._room)
        while self._free:
            free = self._free.pop()
            if core.clock() - free.used_at < IDLE_MS:
                self._used.add(free)
                return free
            free.cut()
        self._opening += 1
        try:
            answer = yield core.ask(m.GetFileTicket(), once=True)
            if not isinstance(answer, m.FileTicket):
                raise ProtocolError("the server answered with something else than a ticket")
            connect, pinned = self.connect, core.login.certificate_hash
            line: FileLine = yield core.work(lambda: connect(pinned, answer.ticket))
        finally:
            self._opening -= 1
        self._used.add(line)
        return line

    def _room(self) -> bool:
        return bool(self._free) or len(self._used) + self._opening < MAX_LINES

    def cut(self) -> None:
        """The line is gone, or the core ends: these go with it."""
        for line in (*self._free, *self._used):
            line.cut()
        self._free.clear()

    def again(self, error: Unreachable | Refused, fruitless: int) -> Flow[None]:
        """Something broke that may work again: wait for that.

        Args:
            fruitless: how often in a row it has broken without getting on.

        Raises:
            Unreachable, Refused: it has too often, or never will.
        """
        if isinstance(error, Refused) and error.code not in PASSING:
            raise error
        if fruitless > MAX_FRUITLESS:
            raise error
        if self._core.online:
            yield from pause(self._core, min(AGAIN_MS << fruitless, AGAIN_MOST_MS))
        yield Until(lambda: self._core.online)
