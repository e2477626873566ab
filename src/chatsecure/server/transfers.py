"""Files on their way in and out: which parts have come, when a segment is whole.

A segment counts when all its parts are written and synced; how many leading segments are whole is
kept in the store. Parts of unfinished segments are known here only: after a restart, or when the
uploader announces the blob again, an unfinished segment begins anew.
"""

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
                idle = [id_ for id_, live in self._live.items() if not live.parts]
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
                live.parts, live.synced = {}, set()
                return live.row.state()
            return state

        core.write(
            session, request,
            lambda tx: rules.create_blob(tx, who, message, now, limits, total), then,
        )  # fmt: skip

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
            if live.parts is not parts:
                raise Refused(ErrorCode.NOT_YET, "the upload was begun anew")
            end = message.offset + len(message.data)
            if not _add_part(parts.setdefault(segment, []), message.offset, end, row, segment):
                session.reply(request, m.Ok())
                return
            self._work(
                session, request, lambda: self._blobs.sync(row.blob_id),
                lambda _: self._whole(session, request, live, segment), bulk=True,
            )  # fmt: skip

        self._work(
            session, request,
            lambda: self._blobs.write(row.blob_id, message.offset, message.data), written,
            bulk=True,
        )  # fmt: skip

    def _whole(self, session: "Session", request: int, live: _Live, segment: int) -> None:
        live.parts.pop(segment, None)
        live.synced.add(segment)
        whole = live.row.whole
        while whole in live.synced:
            whole += 1
        if whole == live.row.whole:
            session.reply(request, m.Ok())
            return
        blob_id, now = live.row.blob_id, self._core.now()

        def then(_: None) -> m.Ok:
            row = live.row
            if whole > row.whole:
                live.row = BlobRow(
                    row.blob_id, row.log, row.user, row.size, row.segment_bytes, whole,
                    row.made_seq, now,
                )  # fmt: skip
                live.synced = {number for number in live.synced if number >= whole}
            return m.Ok()

        self._core.write(session, request, lambda tx: tx.set_blob_whole(blob_id, whole, now), then)

    def _get(self, session: "Session", request: int, message: m.BlobGet, live: _Live) -> None:
        length = rules.check_get(live.row, message)

        def done(data: bytes) -> None:
            self._core.stats.blob_bytes_out += len(data)
            session.reply(request, m.BlobData(message.blob_id, message.offset, data))

        self._work(
            session, request,
            lambda: self._blobs.read(message.blob_id, message.offset, length), done,
            bulk=True,
        )  # fmt: skip

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
            self._live.pop(blob_id, None)
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
