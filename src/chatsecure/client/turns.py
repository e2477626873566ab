"""Turns of the core: what one input brings is one commit.

Everything that an input causes (entries, answers, steps of flows) comes to disk together, by one
sync however many transactions it took. Only then is anything of it sent, told to the faces or
begun beside. Where it cannot be kept, it is as if it had not been: flows that went on in the turn
fail, and so do the requests they made.

Outside a turn, a transaction comes to disk by itself, and its events are told at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from chatsecure.wire.errors import ChatSecureError

from .profile.database import Batch

if TYPE_CHECKING:
    from .core import Core


class Turns:
    """The turns of one core, and the work that waits for their ends."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._under_way = False
        self._pump = False
        """It is to be seen what can go on."""
        self._jobs: deque[tuple[Callable[[], None], Callable[[], None]]] = deque()
        self._beginning = False

    @contextmanager
    def turn(self) -> Iterator[None]:
        """One turn, or a part of the one under way.

        Raises:
            ProfileError: what it did cannot be written; nothing of it was done.
        """
        if self._under_way:
            yield
            return
        self._begin()
        batch = None
        try:
            with self._core.db.batch() as batch:
                yield
                while self._pump:
                    self._pump = False
                    self._core.pump_now()
        except Exception:
            self._end(batch)
            raise
        except BaseException:
            self._under_way = self._core.announcer.in_turn = False
            raise
        self._end(batch)

    def _begin(self) -> None:
        self._under_way = self._core.announcer.in_turn = True
        self._pump = False
        self._core.scheduler.stepped.clear()
        self._core.requests.begin_turn()

    def _end(self, batch: Batch | None) -> None:
        self._under_way = self._core.announcer.in_turn = False
        if batch is not None and batch.failed is not None:
            self._unwind(batch.failed)
        self._core.announcer.tell()
        self._begin_work()

    def _unwind(self, error: ChatSecureError) -> None:
        """Nothing of a turn is on disk: as if it had not been."""
        core = self._core
        core.announcer.forget()
        self._jobs.clear()
        stepped = list(core.scheduler.stepped)
        core.requests.take_back(error)
        for operation in stepped:
            with suppress(ChatSecureError):
                operation.fail(error)

    def pump(self) -> None:
        """See what can go on before this turn ends; outside one, in a turn of its own."""
        with self.turn():
            self._pump = True

    def work(self, job: Callable[[], None], end: Callable[[], None]) -> None:
        """Begin something beside once the turn is on disk."""
        self._jobs.append((job, end))
        if not self._under_way:
            self._begin_work()

    def _begin_work(self) -> None:
        # What ends at once may bring more work: that waits for its place in this loop.
        if self._beginning:
            return
        self._beginning = True
        try:
            while self._jobs:
                self._core.background(*self._jobs.popleft())
        finally:
            self._beginning = False
