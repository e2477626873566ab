"""Whose write waits for its turn: what was put off is not overtaken by what its author sent later.

A client sends several entries of a conversation without waiting for the answers. Could one not be
kept (a full disk, too many at once), those behind it are refused as well until it comes again, so
that readers get them in the order they were written.
"""

from dataclasses import dataclass
from typing import NamedTuple

MOST_REFUSED = 64
"""As many as a client has under way; one that never asks again is not kept from writing. Counted
anew each time the first is tried."""


class Turn(NamedTuple):
    """One write in a row of them."""

    row: tuple[bytes, bytes]
    """Whose, and where."""
    id: bytes
    """Which; the same when it is tried again."""


@dataclass(slots=True)
class _Waiting:
    id: bytes
    refused: int = 0


class Turns:
    """The rows in which a write waits. Used by the store's writer and by the core."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[bytes, bytes], _Waiting] = {}

    def put_off(self, turn: Turn) -> None:
        """This write was not kept; those behind it wait for it."""
        first = self._waiting.setdefault(turn.row, _Waiting(turn.id))
        if first.id == turn.id:
            first.refused = 0

    def must_wait(self, turn: Turn) -> bool:
        """Whether another write stands before this one."""
        first = self._waiting.get(turn.row)
        return first is not None and first.id != turn.id

    def waits(self, turn: Turn) -> None:
        """This write was told to wait."""
        first = self._waiting.get(turn.row)
        if first is not None and first.id != turn.id:
            first.refused += 1
            if first.refused > MOST_REFUSED:
                self._waiting.pop(turn.row, None)

    def answered(self, turn: Turn) -> None:
        """This write was kept, or refused for good."""
        first = self._waiting.get(turn.row)
        if first is not None and first.id == turn.id:
            self._waiting.pop(turn.row, None)
