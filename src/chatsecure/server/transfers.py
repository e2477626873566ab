"""Files on their way in and out: which parts have come, when a segment is whole.

A segment counts when all its parts are written and synced; how many leading segments are whole is
kept in the store. Parts of unfinished segments are known here only: after a restart, or when the
uploader announces the blob again, an unfinished segment begins anew.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chatsecure.wire import messages as m
from chatsecure.wire.errors import ErrorCode, Refused

from .blobs.base import BlobStore
from .rules import blobs as rules
from .rules.who import Who
from .store.base import BlobRow, DeviceKey, Tx

if TYPE_CHECKING:
    from .core import Core
    from .session import Session

MAX_KNOWN = 4096
WAIT_S = 20.0
"""How long a reader waits for a part that has not come yet."""
READ_AHEAD_BYTES = 256 * 1024
"""While so much that was read waits for a connection, no more is read for it."""
MAX_ALLOWED = 100_000
MAX_PARTS = 65_536
BLOBS_A_SWEEP = 1000


@dataclass(slots=True)
class _Live:
    """A blob in use."""

    row: BlobRow
    parts: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    """Byte ranges that are written, of each unfinished segment."""
    synced: set[int] = field(default_factory=set)
    """Whole segments behind a gap."""
    written: list["_Written"] = field(default_factory=list)
    """Segments that are complete and not yet synced."""
    syncing: bool = False
    waiting: "list[_Get]" = field(default_factory=list)
    """Who asked for what has not come yet."""

    @property
    def busy(self) -> bool:
        """Whether something of it is known here only."""
        return bool(self.parts or self.synced or self.written or self.syncing or self.waiting)


@dataclass(slots=True)
class _Written:
    """A segment that was completed, and the request that did it."""

    session: "Session"
    request: int
    segment: int


@dataclass(slots=True, eq=False)
class _Get:
    """A part that is asked for."""

    session: "Session"
    request: int
    message: m.BlobGet
    until: float
    """When it is answered NOT_YET."""


@dataclass(slots=True)
class _Reader:
    """What one connection has asked for: read as it takes what was read before."""

    asked: deque[_Get] = field(default_factory=deque)
    reading: bool = False


class Transfers:
    """All blobs in use.

    Args:
        core: the server.
        blobs: where the bytes lie.
        total_bytes: room for all blobs.
    """

    def __init__(self, core: "Core", blobs: BlobStore, total_bytes: int) -> None:
        self._core = core
        self._blobs = blobs
        self.total_bytes = total_bytes
        self._live: dict[bytes, _Live] = {}
        self._allowed: set[tuple[DeviceKey, bytes]] = set()
        self._readers: dict[Session, _Reader] = {}

    def ask(self, session: "Session", request: int, message: m.Message) -> None:
        """A request about a blob."""
        assert session.who is not None
        match message:
            case m.BlobCreate():
                self._create(session, request, message, session.who)
            case m.BlobPut():
                self._put(session, request, message, session.who)
            case m.BlobStat():
                self._readable(session, request, message.blob_id, session.who,
                               lambda live: session.reply(request, live.row.state()))  # fmt: skip
            case m.BlobGet():
                self._readable(session, request, message.blob_id, session.who,
                               lambda live: self._get(session, request, message, live))  # fmt: skip
            case m.BlobDelete():
                self._delete(session, request, message, session.who)

    # --- rows ---------------------------------------------------------------------------------

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

    def _readable(
        self,
        session: "Session",
        request: int,
        blob_id: bytes,
        who: Who,
        then: Callable[[_Live], None],
    ) -> None:
        """Go on with a blob that this device may read."""
        live = self._live.get(blob_id)
        if live is not None and (who.device, blob_id) in self._allowed:
            then(live)
            return

        def done(row: BlobRow) -> None:
            if len(self._allowed) >= MAX_ALLOWED:
                self._allowed.clear()
            self._allowed.add((who.device, blob_id))
            then(self._keep(row))

        self._work(
            session, request, lambda: self._core.store.read(
                lambda tx: rules.may_read(tx, who, blob_id)), done,
        )  # fmt: skip

    def _work(
        self,
        session: "Session",
        request: int,
        job: Callable[[], Any],
        then: Callable[[Any], None],
        *,
        bulk: bool = False,
    ) -> None:
        """Do something that waits for a disk, then go on or refuse."""

        def done(outcome: Any) -> None:
            if isinstance(outcome, Exception):
                session.refuse(request, outcome)
                return
            try:
                then(outcome)
            except Refused as error:
                session.refuse(request, error)

        session.port.work(job, done, bulk=bulk)

    # --- requests -----------------------------------------------------------------------------

    def _create(self, session: "Session", request: int, message: m.BlobCreate, who: Who) -> None:
        core, total = self._core, self.total_bytes
        now, limits = core.now(), core.limits

        def then(state: m.BlobState) -> m.BlobState:
            live = self._live.get(message.blob_id)
            if live is not None:
                live.parts, live.synced, live.written = {}, set(), self._void(live)
                return live.row.state()
            return state

        core.write(
            session, request,
            lambda tx: rules.create_blob(tx, who, message, now, limits, total), then,
        )  # fmt: skip

    def _void(self, live: _Live) -> list[_Written]:
        """The uploader begins anew: what was not noted down is written again."""
        for item in live.written:
            item.session.refuse(item.request, rules.not_yet())
        return []

    def _put(self, session: "Session", request: int, message: m.BlobPut, who: Who) -> None:
        live = self._live.get(message.blob_id)
        if live is not None:
            self._write(session, request, message, who, live)
            return
        self._work(
            session, request,
            lambda: self._core.store.read(lambda tx: tx.blob(message.blob_id)),
            lambda row: self._write(
                session, request, message, who,
                self._keep(rules.check_put(row, who, message)),
            ),
        )  # fmt: skip

    def _write(
        self, session: "Session", request: int, message: m.BlobPut, who: Who, live: _Live
    ) -> None:
        row = rules.check_put(live.row, who, message)
        segment = message.offset // row.segment_bytes
        if segment < live.row.whole or segment in live.synced:
            session.reply(request, m.Ok())
            return
        parts = live.parts
        if sum(map(len, parts.values())) > MAX_PARTS:
            raise Refused(ErrorCode.TOO_MANY, "too many scattered parts; finish a segment first")
        self._core.stats.blob_bytes_in += len(message.data)

        def written(_: None) -> None:
            session.released(request)
            if live.parts is not parts:
                raise Refused(ErrorCode.NOT_YET, "the upload was begun anew")
            end = message.offset + len(message.data)
            if not _add_part(parts.setdefault(segment, []), message.offset, end, row, segment):
                session.reply(request, m.Ok())
                return
            live.parts.pop(segment, None)
            live.written.append(_Written(session, request, segment))
            self._sync(live)

        self._work(
            session, request,
            lambda: self._blobs.write(row.blob_id, message.offset, message.data), written,
            bulk=True,
        )  # fmt: skip

    def _sync(self, live: _Live) -> None:
        """Bring complete segments to disk; those that come meanwhile go together next time."""
        if live.syncing or not live.written:
            return
        live.syncing = True
        batch, live.written = live.written, []
        blob_id = live.row.blob_id

        def synced(outcome: Any) -> None:
            live.syncing = False
            if isinstance(outcome, Exception):
                for item in batch:
                    item.session.refuse(item.request, outcome)
            else:
                self._whole(live, batch)
            self._sync(live)

        batch[0].session.port.work(lambda: self._blobs.sync(blob_id), synced, bulk=True)

    def _whole(self, live: _Live, batch: list[_Written]) -> None:
        """These segments are on disk: note how many leading ones are, then answer."""
        live.synced.update(item.segment for item in batch)
        blob_id, now, whole = live.row.blob_id, self._core.now(), live.row.whole
        while whole in live.synced:
            whole += 1

        def done(outcome: object) -> None:
            for item in batch:
                if isinstance(outcome, Exception):
                    item.session.refuse(item.request, outcome)
                else:
                    item.session.reply(item.request, m.Ok())
            row = live.row
            if not isinstance(outcome, Exception) and whole > row.whole:
                live.row = BlobRow(
                    row.blob_id, row.log, row.user, row.size, row.segment_bytes, whole,
                    row.made_seq, now,
                )  # fmt: skip
                live.synced = {number for number in live.synced if number >= whole}
                self._wake(live)

        if whole == live.row.whole:
            done(None)
        else:
            self._core.store.write(lambda tx: tx.set_blob_whole(blob_id, whole, now), done)

    # --- reading ------------------------------------------------------------------------------

    def _get(self, session: "Session", request: int, message: m.BlobGet, live: _Live) -> None:
        asked = _Get(session, request, message, self._core.clock() + WAIT_S)
        if rules.is_there(live.row, message):
            self._readers.setdefault(session, _Reader()).asked.append(asked)
            self.read_on(session)
        else:
            live.waiting.append(asked)

    def _wake(self, live: _Live) -> None:
        """More of a blob is there: whoever waited for that gets it."""
        waiting, live.waiting = live.waiting, []
        for asked in waiting:
            if not asked.session.is_closed:
                self._get(asked.session, asked.request, asked.message, live)

    def tick(self) -> None:
        """Time has passed: tell those who have waited long enough."""
        now = self._core.clock()
        for live in list(self._live.values()):
            if live.waiting:
                late = [asked for asked in live.waiting if asked.until <= now]
                live.waiting = [asked for asked in live.waiting if asked.until > now]
                for asked in late:
                    asked.session.refuse(asked.request, rules.not_yet())

    def gone(self, session: "Session") -> None:
        """A connection is closed: nothing is read for it any more."""
        self._readers.pop(session, None)

    def read_on(self, session: "Session") -> None:
        """Read the next part for a connection that has taken the ones before."""
        reader = self._readers.get(session)
        if reader is None or reader.reading or session.port.bulk_queued() > READ_AHEAD_BYTES:
            return
        if not reader.asked:
            del self._readers[session]
            return
        asked = reader.asked.popleft()
        message, live = asked.message, self._live.get(asked.message.blob_id)
        if live is None:
            session.refuse(asked.request, rules.unknown())
            self.read_on(session)
            return
        length = min(message.length, live.row.size - message.offset)
        reader.reading = True

        def done(outcome: Any) -> None:
            reader.reading = False
            if isinstance(outcome, Exception):
                session.refuse(asked.request, outcome)
            else:
                self._core.stats.blob_bytes_out += length
                data = m.BlobData(message.blob_id, message.offset, outcome)
                session.reply(asked.request, data, bulk=True)
            self.read_on(session)

        session.port.work(
            lambda: self._blobs.read(message.blob_id, message.offset, length), done, bulk=True
        )

    def _delete(self, session: "Session", request: int, message: m.BlobDelete, who: Who) -> None:
        def then(ok: m.Ok) -> m.Ok:
            self._forget([message.blob_id])
            return ok

        self._core.write(
            session, request, lambda tx: rules.delete_blob(tx, who, message.blob_id), then
        )

    # --- the end of blobs ---------------------------------------------------------------------

    def _forget(self, ids: list[bytes]) -> None:
        """The store has no such blobs any more: delete their bytes."""
        for blob_id in ids:
            live = self._live.pop(blob_id, None)
            for asked in live.waiting if live is not None else ():
                asked.session.refuse(asked.request, rules.unknown())
        gone = set(ids)
        self._allowed = {pair for pair in self._allowed if pair[1] not in gone}

        def job() -> None:
            for blob_id in ids:
                self._blobs.delete(blob_id)

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
        store, blobs = self._core.store, self._blobs

        def job() -> None:
            for blob_id in list(blobs.ids()):
                if store.read(lambda tx, blob_id=blob_id: tx.blob(blob_id)) is None:  # type: ignore[misc]
                    blobs.delete(blob_id)

        self._background(job)


def _add_part(
    parts: list[tuple[int, int]], start: int, end: int, row: BlobRow, segment: int
) -> bool:
    """Note a written range. True: the segment is whole now."""
    parts.append((start, end))
    parts.sort()
    merged: list[tuple[int, int]] = []
    for low, high in parts:
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    parts[:] = merged
    first = segment * row.segment_bytes
    return merged == [(first, min(first + row.segment_bytes, row.size))]
