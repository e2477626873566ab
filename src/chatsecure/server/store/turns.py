"""Whose write waits for its turn: what was put off is not overtaken by what its author sent later.

A client sends several entries of a conversation without waiting for the answers. Could one not be
kept (a full disk, too many at once), those behind it are refused as well until it comes again, so
that readers get them in the order they were written.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

MOST_TOLD = 64
"""As many as a client has under way; one that never asks again is not kept from writing."""


class Turn(NamedTuple):
    """One write in a row of them."""

    row: tuple[bytes, bytes]
    """Whose, and where."""
    id: bytes
    """Which; the same when it is tried again."""


@dataclass(slots=True)
class _First:
    """The write that a row waits for."""

    id: bytes
    told: set[bytes] = field(default_factory=set)
    """Which were told to wait since it was tried. Does one of them come again before it, its
    author has begun anew without it: it is waited for no longer."""


class Turns:
    """The rows in which a write waits. Used by the store's writer and by the core."""

    def __init__(self) -> None:
        self._first: dict[tuple[bytes, bytes], _First] = {}

    def put_off(self, turn: Turn) -> None:
        """This write was not kept; those behind it wait for it."""
        if not self.must_wait(turn):
            self._first[turn.row] = _First(turn.id)

    def must_wait(self, turn: Turn) -> bool:
        """Whether another write stands before this one."""
        first = self._first.get(turn.row)
        return first is not None and first.id != turn.id and turn.id not in first.told

    def waits(self, turn: Turn) -> None:
        """This write was told to wait. Has the one before it been kept by now, the next is it."""
        first = self._first.setdefault(turn.row, _First(turn.id))
        if first.id != turn.id:
            first.told.add(turn.id)
            if len(first.told) > MOST_TOLD:
                self._first.pop(turn.row, None)

    def answered(self, turn: Turn) -> None:
        """This write was kept, or refused for good."""
        if not self.must_wait(turn):
            self._first.pop(turn.row, None)
