"""Files on their way in and out: which segments are whole, who writes, who waits for more.

The bytes are moved by file connections in threads of their own (`engines/fileline.py`); here is
what they ask in a turn. A segment counts when all of it is written and synced; how many leading
segments are whole is kept in the store.

    nothing -> being written (by one connection) -> written -> synced -> whole

A segment that is written, or further, is never written again: what comes for it once more is
dropped. One that was only begun when its connection ended, or the server did, begins anew.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from chatsecure.wire import messages as m
from chatsecure.wire.errors import ChatSecureError, ErrorCode, Refused

from .blobs.base import BlobStore
from .rules import blobs as rules
from .rules.who import Who
from .store.base import BlobRow, Tx

if TYPE_CHECKING:
    from .core import Core
    from .session import Session

MAX_KNOWN = 4096
WAIT_S = 20.0
"""How long a state is waited for that has not come yet."""
BLOBS_A_SWEEP = 1000

Answer = Callable[[Exception | None], None]
"""Told once that a segment is on disk, or why it is not."""


class Writer(Protocol):
    """A connection that writes a segment."""

    def cut(self) -> None:
        """End it: its client has come back on another one."""


@dataclass(slots=True)
class _Live:
    """A blob in use."""

    row: BlobRow
    writer: Writer | None = None
    """Who is in the middle of a segment."""
    written: dict[int, list[Answer]] = field(default_factory=dict)
    """Segments that are written and not yet noted, and who is to be told of it."""
    unsynced: list[int] = field(default_factory=list)
    syncing: bool = False
    synced: set[int] = field(default_factory=set)
    """Whole segments behind a gap."""
    waiting: "list[_Wait]" = field(default_factory=list)
    watching: dict[object, Callable[[], None]] = field(default_factory=dict)
    """File connections that wait for more, and how to tell them."""

    @property
    def busy(self) -> bool:
        """Whether something of it is known here only."""
        return bool(self.writer or self.written or self.synced or self.waiting or self.watching)


@dataclass(slots=True, eq=False)
class _Wait:
    """A request for a state that has not come."""

    session: "Session"
    request: int
    beyond: int
    until: float


class Transfers:
    """All blobs in use.

    Args:
        core: the server.
        blobs: where the bytes lie.
        total_bytes: room for all blobs.
    """

    def __init__(self, core: "Core", blobs: BlobStore, total_bytes: int) -> None:
        self._core = core
        self.blobs = blobs
        self.total_bytes = total_bytes
        self._live: dict[bytes, _Live] = {}

    def ask(self, session: "Session", request: int, message: m.Message) -> None:
        """A request about a blob."""
        assert session.who is not None
        match message:
            case m.BlobCreate():
                self._create(session, request, message, session.who)
            case m.BlobStat():
                self._stat(session, request, message, session.who)
            case m.BlobDelete():
                self._delete(session, request, message, session.who)

    def _keep(self, row: BlobRow) -> _Live:
        """The blob as it is used here; what is known already is newer than what was read."""
        live = self._live.get(row.blob_id)
        if live is None:
            if len(self._live) >= MAX_KNOWN:
                idle = [id_ for id_, live in self._live.items() if not live.busy]
                for id_ in idle[: MAX_KNOWN // 2]:
                    del self._live[id_]
            live = self._live[row.blob_id] = _Live(row)
        return live

    # --- requests -----------------------------------------------------------------------------

    def _create(self, session: "Session", request: int, message: m.BlobCreate, who: Who) -> None:
        core, total = self._core, self.total_bytes
        now, limits = core.now(), core.limits

        def then(state: m.BlobState) -> m.BlobState:
            live = self._live.get(message.blob_id)
            return state if live is None else live.row.state()

        core.write(
            session, request,
            lambda tx: rules.create_blob(tx, who, message, now, limits, total), then,
        )  # fmt: skip

    def _stat(self, session: "Session", request: int, message: m.BlobStat, who: Who) -> None:
        core = self._core

        def done(outcome: Any) -> None:
            if isinstance(outcome, Exception):
                session.refuse(request, outcome)
                return
            live = self._keep(outcome)
            state, beyond = live.row.state(), message.beyond
            if beyond is None or state.complete or state.segments > beyond:
                session.reply(request, state)
            else:
                until = core.clock() + WAIT_S
                live.waiting.append(_Wait(session, request, beyond, until))

        session.port.work(
            lambda: core.store.read(lambda tx: rules.may_read(tx, who, message.blob_id)), done
        )

    def _delete(self, session: "Session", request: int, message: m.BlobDelete, who: Who) -> None:
        def then(ok: m.Ok) -> m.Ok:
            self._forget([message.blob_id])
            return ok

        self._core.write(
            session, request, lambda tx: rules.delete_blob(tx, who, message.blob_id), then
        )

    # --- writing ------------------------------------------------------------------------------

    def begin(self, row: BlobRow | None, who: Who, message: m.BlobPut, writer: Writer) -> bool:
        """A segment is going to be sent. False: it is here already, drop it and say `again`.

        Args:
            row: the blob as the store has it.

        Raises:
            Refused: and why.
        """
        live = self._keep(rules.check_put(row, who, message))
        segment = message.segment
        if segment < live.row.whole or segment in live.synced or segment in live.written:
            return False
        if live.writer not in (None, writer):
            live.writer.cut()
            raise Refused(ErrorCode.NOT_YET, "another connection is still sending this file")
        live.writer = writer
        return True

    def wrote(self, blob_id: bytes, segment: int, answer: Answer) -> None:
        """All of a segment is written: bring it to disk, then answer."""
        live = self._live.get(blob_id)
        if live is None:
            self._came_too_late(blob_id)
            answer(rules.unknown())
            return
        live.writer = None
        live.written[segment] = [answer]
        live.unsynced.append(segment)
        self._sync(live)

    def again(self, blob_id: bytes, segment: int, answer: Answer) -> None:
        """A segment has come that was here already: answer when it is on disk."""
        live = self._live.get(blob_id)
        if live is not None and segment in live.written:
            live.written[segment].append(answer)
        else:
            answer(None)

    def broke_off(self, blob_id: bytes, writer: Writer) -> None:
        """A segment that was begun is not written to its end."""
        live = self._live.get(blob_id)
        if live is None:
            self._came_too_late(blob_id)
        elif live.writer is writer:
            live.writer = None

    def _came_too_late(self, blob_id: bytes) -> None:
        """Bytes of a blob that was deleted while they came may have been written after that."""
        self._background(lambda: self.blobs.delete(blob_id))

    def _sync(self, live: _Live) -> None:
        """Bring segments to disk; those that are written meanwhile go together next time."""
        if live.syncing or not live.unsynced:
            return
        live.syncing = True
        batch, live.unsynced = live.unsynced, []
        blob_id = live.row.blob_id

        def synced(outcome: Any) -> None:
            live.syncing = False
            if isinstance(outcome, Exception):
                self._answer(live, batch, outcome)
            else:
                self._note(live, batch)
            self._sync(live)

        if self._core.runner is not None:
            self._core.runner.work(lambda: self.blobs.sync(blob_id), synced, bulk=True)

    def _note(self, live: _Live, batch: list[int]) -> None:
        """These segments are on disk: note how many leading ones are, then answer."""
        live.synced.update(batch)
        blob_id, now, whole = live.row.blob_id, self._core.now(), live.row.whole
        while whole in live.synced:
            whole += 1

        def done(outcome: object) -> None:
            failure = outcome if isinstance(outcome, Exception) else None
            if failure is None and whole > live.row.whole:
                row = live.row
                live.row = BlobRow(
                    row.blob_id, row.log, row.user, row.size, row.segment_bytes, whole,
                    row.made_seq, now,
                )  # fmt: skip
                live.synced = {number for number in live.synced if number >= whole}
                self._wake(live)
            elif failure is not None:
                live.synced.difference_update(batch)
            self._answer(live, batch, failure)

        if whole == live.row.whole:
            done(None)
        else:
            try:
                self._core.store.write(lambda tx: tx.set_blob_whole(blob_id, whole, now), done)
            except ChatSecureError as error:
                done(error)

    def _answer(self, live: _Live, batch: list[int], failure: Exception | None) -> None:
        for segment in batch:
            for answer in live.written.pop(segment, ()):
                answer(failure)

    # --- reading ------------------------------------------------------------------------------

    def whole(self, row: BlobRow, segment: int, reader: object, more: Callable[[], None]) -> int:
        """How many leading segments of a blob are whole. Where that does not go beyond this one,
        `more` is called, once, when it may.
        """
        live = self._keep(row)
        if live.row.whole <= segment:
            live.watching[reader] = more
        return live.row.whole

    def _wake(self, live: _Live) -> None:
        """More of a blob is there: whoever waited for that is told."""
        state = live.row.state()
        waiting, live.waiting = live.waiting, []
        for wait in waiting:
            if state.complete or state.segments > wait.beyond:
                wait.session.reply(wait.request, state)
            else:
                live.waiting.append(wait)
        watching, live.watching = live.watching, {}
        for more in watching.values():
            more()

    def tick(self) -> None:
        """Time has passed: tell those who have waited long enough."""
        now = self._core.clock()
        for live in list(self._live.values()):
            # They look again; those that are closed are forgotten so.
            watching, live.watching = live.watching, {}
            for more in watching.values():
                more()
            if live.waiting:
                late = [wait for wait in live.waiting if wait.until <= now]
                live.waiting = [wait for wait in live.waiting if wait.until > now]
                for wait in late:
                    wait.session.reply(wait.request, live.row.state())

    # --- the end of blobs ---------------------------------------------------------------------

    def _forget(self, ids: list[bytes]) -> None:
        """The store has no such blobs any more: delete their bytes."""
        for blob_id in ids:
            live = self._live.pop(blob_id, None)
            if live is None:
                continue
            for wait in live.waiting:
                wait.session.refuse(wait.request, rules.unknown())
            for more in live.watching.values():
                more()

        def job() -> None:
            for blob_id in ids:
                self.blobs.delete(blob_id)

        self._background(job)

    def _background(self, job: Callable[[], object]) -> None:
        def done(outcome: object) -> None:
            if isinstance(outcome, Exception):
                self._core.failed("files could not be deleted", outcome)

        if self._core.runner is not None:
            self._core.runner.work(job, done, bulk=True)

    def sweep(self) -> None:
        """Delete blobs whose time is over."""
        now, limits = self._core.now(), self._core.limits
        kept_since, idle_since = now - limits.retention_s * 1000, now - limits.upload_idle_s * 1000

        def sweep(tx: Tx) -> list[bytes]:
            ids = tx.expired_blobs(kept_since, idle_since, BLOBS_A_SWEEP)
            for blob_id in ids:
                tx.drop_blob(blob_id)
            return ids

        def done(outcome: list[bytes] | Exception) -> None:
            if isinstance(outcome, Exception):
                self._core.failed("old files could not be deleted", outcome)
            elif outcome:
                self._forget(outcome)

        self._core.store.write(sweep, done)

    def drop_orphans(self) -> None:
        """Delete bytes that no blob of the store belongs to (a crash came in between)."""
        store, blobs = self._core.store, self.blobs

        def job() -> None:
            for blob_id in list(blobs.ids()):
                if store.read(lambda tx, blob_id=blob_id: tx.blob(blob_id)) is None:  # type: ignore[misc]
                    blobs.delete(blob_id)

        self._background(job)
