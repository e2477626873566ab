"""File connections: who may open one, how many there are, when they end. All in the core's turn.

A ticket is given on a logged-in connection (the line) and opens one file connection. That lives no
longer than its line: whoever is banned, moved or gone moves no files either. The bytes are
moved in threads by the engines (`engines/fileline.py`).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from chatsecure.wire import messages as m
from chatsecure.wire.errors import ErrorCode, Refused

from .rules.who import Who

if TYPE_CHECKING:
    from .core import Core
    from .session import Session

TICKET_S = 30.0
MAX_TICKETS = 16
"""Tickets of one line that are not used yet."""


class Line(Protocol):
    """A file connection as its engine carries it."""

    @property
    def moved(self) -> int:
        """Grows with whatever is sent or received."""

    def cut(self) -> None:
        """End it, from any thread."""


@dataclass(slots=True)
class _Open:
    """What is known of one."""

    address: str
    since: float
    session: "Session | None" = None
    moved: int = -1
    moved_at: float = 0.0


class FileLines:
    """All file connections of a server."""

    def __init__(self, core: "Core") -> None:
        self._core = core
        self._tickets: dict[bytes, tuple[Session, float]] = {}
        self._open: dict[Line, _Open] = {}

    def __len__(self) -> int:
        return len(self._open)

    def grant(self, session: "Session") -> m.FileTicket:
        """A ticket for whoever is at the other end of this line.

        Raises:
            Refused: TOO_MANY are unused.
        """
        now = self._core.clock()
        self._expire(now)
        if sum(of is session for of, _ in self._tickets.values()) >= MAX_TICKETS:
            raise Refused(ErrorCode.TOO_MANY, "too many unused tickets for file connections")
        ticket = self._core.random(32)
        self._tickets[ticket] = session, now + TICKET_S
        return m.FileTicket(ticket)

    def arrive(self, line: Line, address: str) -> bool:
        """One was accepted. False: there is no room, close it."""
        limits = self._core.limits
        if self._core.stopping or len(self._open) >= limits.file_connections:
            return False
        there = sum(one.address == address for one in self._open.values())
        if there >= limits.file_connections_per_address:
            return False
        now = self._core.clock()
        self._open[line] = _Open(address, now, moved_at=now)
        return True

    def enter(self, line: Line, ticket: bytes) -> Who:
        """It has shown a ticket, which is used up by that.

        Raises:
            Refused: BAD_TOKEN, or TOO_MANY of one user.
        """
        session, until = self._tickets.pop(ticket, (None, 0.0))
        here = self._open.get(line)
        if session is None or session.who is None or until < self._core.clock() or here is None:
            raise Refused(ErrorCode.BAD_TOKEN, "this ticket is unknown, used or too old")
        user = session.who.user
        theirs = sum(
            one.session is not None and one.session.who is not None and one.session.who.user == user
            for one in self._open.values()
        )
        if theirs >= self._core.limits.file_connections_per_user:
            raise Refused(ErrorCode.TOO_MANY, "you have too many file connections")
        here.session = session
        return session.who

    def leave(self, line: Line) -> None:
        """It is closed."""
        self._open.pop(line, None)

    def gone(self, session: "Session") -> None:
        """A line is closed: its tickets are void and its file connections end."""
        if self._tickets:
            self._tickets = {
                ticket: entry for ticket, entry in self._tickets.items() if entry[0] is not session
            }
        for line, one in self._open.items():
            if one.session is session:
                line.cut()

    def tick(self) -> None:
        """Time has passed: end those that never came in and those that stand still."""
        now, limits = self._core.clock(), self._core.limits
        self._expire(now)
        for line, one in self._open.items():
            if line.moved != one.moved:
                one.moved, one.moved_at = line.moved, now
            late = one.session is None and now - one.since > limits.handshake_s + limits.login_s
            if late or now - one.moved_at > limits.file_idle_s:
                line.cut()

    def stop(self) -> None:
        """End them all."""
        for line in self._open:
            line.cut()

    def _expire(self, now: float) -> None:
        for ticket in [key for key, (_, until) in self._tickets.items() if until < now]:
            del self._tickets[ticket]
