"""The files of one profile: which are on their way, what the person wants, what the faces hear.

Sending is in `sending.py`, fetching in `receiving.py`; both are flows (see `flow.py`), so
messages pass between their parts. Everything durable is in the table `files`:

    ours      sending -> sent, failed, cancelled
    others'   offered -> receiving -> received, failed (tried again or not), declined, cancelled

A file that is `held` is offered and waits for the person's word. `retry_at` says when a failed
one is tried again by itself. `drop_blob` says that the server is still to be told to delete.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from chatsecure.bulk import delete
from chatsecure.client import contacts, conversations, settings
from chatsecure.client.content import FileFate, FileManifest
from chatsecure.client.display import safe_filename
from chatsecure.client.events import HeldBecause
from chatsecure.client.flow import Flow, Operation, Until
from chatsecure.client.flows import pause
from chatsecure.client.outbox import LATER
from chatsecure.crypto.credentials import MemberIdentity
from chatsecure.names import fold_name
from chatsecure.wire.errors import ChatSecureError, ErrorCode, NotInTime, Refused, Unreachable

from . import receiving, sending
from .disk import NoRoom, check_room, free_names, reason_of, rename_new, told_of
from .folders import rename_folder, unpack
from .lines import Lines
from .receiving import is_whole
from .rows import Key
from .sending import Progress, Source, look_at
from .wishes import Wishes

if TYPE_CHECKING:
    from chatsecure.client.core import Core

LARGE_AT_ONCE = 3
UPLOADS_AT_ONCE = 4
"""Large files of ours that are under way at once, whoever asked for them: each holds some MiB."""
SMALL_AT_ONCE = 32
SMALL_BYTES = 1024 * 1024
NEIGHBOUR_MS = 250
GONE = "the server does not have this file any more; its sender may send it again"
RETRY_MS, RETRY_MOST_MS = 30_000, 3_600_000


class Files(Wishes):
    """Transfers of one core."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self._small: set[Key] = set()
        self._stalled: set[Key] = set()
        """Those whose sender does not go on: they hold up no others."""
        self.lines = Lines(core)
        self.may_receive: Callable[[], bool] = lambda: True
        """Whether this process is the one that fetches for the profile."""
        self.claim: Callable[[bytes], bool] = lambda _: True
        """Take a file of ours to send it, unless another process of the profile has it."""
        self.unclaim: Callable[[bytes], None] = lambda _: None
        """Give it back."""
        self._sending: set[bytes] = set()
        self._uploading: set[Key] = set()
        """Large ones of ours that are under way."""

    # --- sending ---------------------------------------------------------------------------------

    def send(self, log_id: bytes, path: Path, progress: Progress | None = None) -> Flow[bytes]:
        """Post a file and upload it, or go on with that. Gives the message's id.

        Raises:
            NotFound, Usage: there is no such plain file.
            FileProblem: it changed meanwhile or cannot be read.
            Refused: the server does not take it.
        """
        source: Source = yield self.core.work(lambda: look_at(path))
        found = self._db.value(
            "SELECT id FROM files WHERE log_id = ? AND incoming = 0"
            " AND state = 'sending' AND source = ? AND source_mark = ?",
            log_id, str(source.path), source.mark,
        )  # fmt: skip
        key = (log_id, self.core.random(16) if found is None else bytes(found))
        while not self._take(key):
            # Another process of the profile is at it; it may die.
            yield from pause(self.core, NEIGHBOUR_MS)
            if self._state(key) != "sending":
                return self._sent(key)
        if found is None:
            try:
                yield from sending.begin(self.core, *key, source)
            except BaseException:
                self._release(key)
                raise
        yield from self._send(key, progress, source)
        return self._sent(key)

    def _take(self, key: Key) -> bool:
        """Make one of ours this run's own to send."""
        if key[1] in self._sending or not self.claim(key[1]):
            return False
        self._sending.add(key[1])
        return True

    def _release(self, key: Key) -> None:
        self._sending.discard(key[1])
        self.unclaim(key[1])

    def _sent(self, key: Key) -> bytes:
        state, reason = self._db.row(
            "SELECT state, reason FROM files WHERE log_id = ? AND id = ?", *key
        )
        if state != "sent":
            raise ChatSecureError(f"the file was not sent: {reason or state}")
        return key[1]

    def _send(
        self, key: Key, progress: Progress | None, source: Source | None = None
    ) -> Flow[None]:
        """Bring one of ours through; it is ours to do."""

        def report(done: int, total: int) -> None:
            if progress is not None:
                progress(done, total)
            self.progress(key, "sending", done)

        try:
            yield from self._await_place(key)
            if self._state(key) != "sending":
                return
            yield from sending.bring(self, key, report, source)
            with self._db.transaction():
                if self._set(key, "sent", "sending"):
                    self.tell(key, state="sent")
        except ChatSecureError as error:
            if self._state(key) == "cancelled":
                # The server has deleted it under our hands, as we had asked.
                raise ChatSecureError("the file was not sent: cancelled") from error
            if not _helps_later(error):
                self._give_up(key, error)
            raise
        finally:
            self._far.pop(key, None)
            self._uploading.discard(key)
            self._unwanted.discard(key)
            self._release(key)

    def _await_place(self, key: Key) -> Flow[None]:
        """Large files wait until few enough are under way, in the order they came."""
        size = self._db.value("SELECT size FROM files WHERE log_id = ? AND id = ?", *key)
        if size >= SMALL_BYTES:
            yield Until(lambda: len(self._uploading) < UPLOADS_AT_ONCE or key in self._unwanted)
            self._uploading.add(key)

    def _give_up(self, key: Key, error: ChatSecureError) -> None:
        """Our file does not get through: forget it, or tell those who know of it."""
        with self._db.transaction():
            if not self._set(key, "failed", "sending", reason=reason_of(error)):
                return
            self._db.run("UPDATE files SET drop_blob = 1 WHERE log_id = ? AND id = ?", *key)
            if not self._db.row("SELECT 1 FROM messages WHERE log_id = ? AND id = ?", *key):
                return
            self.tell(key, state="failed", reason=reason_of(error))
            source = self._db.value("SELECT source FROM files WHERE log_id = ? AND id = ?", *key)
            self._note(key, FileFate.FAILED, told_of(error, Path(source).parent))
        self.core.defer(self.core.pump)

    # --- receiving -------------------------------------------------------------------------------

    def offered(self, sender: MemberIdentity, manifest: FileManifest) -> HeldBecause | None:
        """A file is offered: why it waits for the person's word, if it does."""
        if manifest.size > settings.amount(self._db, "auto_save_limit"):
            return "size"
        stranger = settings.is_on(self._db, "ask_first") and not self._known(sender)
        return "stranger" if stranger else None

    def _known(self, sender: MemberIdentity) -> bool:
        """Somebody we verified or have written to in private is no stranger."""
        contact = contacts.get(self._db, sender.name)
        if sender.identity_fingerprint == self.core.me.fingerprint:
            return True
        if contact is not None and contact.verified:
            return True
        chat = conversations.find(self._db, "@" + fold_name(sender.name))
        return chat is not None and bool(
            self._db.row("SELECT 1 FROM messages WHERE log_id = ? AND mine = 1", chat.log_id)
        )

    def pump(self) -> None:
        """Start what can go on now: files to fetch, uploads that broke off, blobs to delete."""
        core = self.core
        if not core.online:
            return
        self._stop_unwanted()
        for log_id, id_, manifest in self._db.rows(
            "SELECT log_id, id, manifest FROM files WHERE drop_blob = 1 LIMIT 64"
        ):
            self._drop_blob((bytes(log_id), bytes(id_)), bytes(manifest))
        if not core.options.receive_files or self.downloads is None:
            return
        self._pump_receiving()
        self._pump_sending()

    def _pump_receiving(self) -> None:
        for small in (True, False):
            running = sum(
                (key in self._small) is small and key not in self._stalled for key in self._running
            )
            free = (SMALL_AT_ONCE if small else LARGE_AT_ONCE) - running
            for key in self._waiting(small, len(self._running) + free) if free > 0 else ():
                if key in self._running or free <= 0:
                    continue
                if not self.may_receive():
                    return
                if small:
                    self._small.add(key)
                free -= 1
                self._start(key, self._receive(key))

    def _waiting(self, small: bool, count: int) -> list[Key]:
        rows = self._db.rows(
            "SELECT log_id, id FROM files WHERE incoming = 1 AND held = 0 AND (size < ?) = ?"
            " AND (state IN ('offered', 'receiving') OR (state = 'failed' AND retry_at <= ?))"
            " ORDER BY at LIMIT ?",
            SMALL_BYTES, int(small), self.core.now(), count,
        )  # fmt: skip
        return [(bytes(log_id), bytes(id_)) for log_id, id_ in rows]

    def _pump_sending(self) -> None:
        """Go on with uploads that another run, or another process that died, had begun."""
        for log_id, id_ in self._db.rows(
            "SELECT log_id, id FROM files WHERE incoming = 0 AND state = 'sending'"
            " AND coalesce(retry_at, 0) <= ? ORDER BY at LIMIT ?",
            self.core.now(), LARGE_AT_ONCE,
        ):  # fmt: skip
            key = (bytes(log_id), bytes(id_))
            if key not in self._running and self._take(key):
                self._start(key, self._send(key, None))

    def _start(self, key: Key, flow: Flow[None]) -> None:
        operation = self.core.scheduler.start(flow, partial(self._ended, key))
        if not operation.done:
            self._running[key] = operation

    def _ended(self, key: Key, operation: Operation[None]) -> None:
        self._running.pop(key, None)
        self._small.discard(key)
        self._stalled.discard(key)
        self._told.pop(key, None)
        self._far.pop(key, None)
        error = operation.error
        if error is not None and not isinstance(error, (ChatSecureError, OSError)):
            raise error
        if error is not None:
            self._failed(key, error)

    def _failed(self, key: Key, error: ChatSecureError | OSError) -> None:
        found = self._db.row(
            "SELECT incoming, state, tries, retry_at FROM files WHERE log_id = ? AND id = ?", *key
        )
        if found is None or found[1] not in ("offered", "receiving", "failed", "sending"):
            return
        incoming, state, tries, retry_at = found
        if state == "failed" and retry_at is None:
            return  # Its sender has just said so, and why.
        if isinstance(error, NotInTime):
            return  # It was stopped by somebody's word, which says what becomes of it.
        retry = None
        if _helps_later(error):
            retry = self.core.now() + min(RETRY_MS << min(tries, 10), RETRY_MOST_MS)
        with self._db.transaction():
            self._db.run(
                "UPDATE files SET retry_at = ?, tries = tries + 1 WHERE log_id = ? AND id = ?",
                retry, *key,
            )  # fmt: skip
            if not incoming:
                return
            reason = GONE if _is_gone(error) else reason_of(error)
            self._set(key, "failed", reason=reason)
            if not tries:
                self.tell(key, state="failed", reason=reason)
                self._note(key, FileFate.FAILED, told_of(error) if reason != GONE else GONE)
        if reason == GONE:
            self._forget_part(key)
        self.core.defer(self.core.pump)

    def next_retry(self) -> int | None:
        """When something that failed is to be tried again."""
        if not self.core.online or self.downloads is None or not self.core.options.receive_files:
            return None
        at = self._db.value(
            "SELECT min(retry_at) FROM files WHERE retry_at > ?"
            " AND ((state = 'failed' AND incoming = 1) OR state = 'sending')",
            self.core.now(),
        )
        return None if at is None else int(at)

    def _receive(self, key: Key) -> Flow[None]:
        state, path, segments = self._db.row(
            "SELECT state, path, segments FROM files WHERE log_id = ? AND id = ?", *key
        )
        manifest = self.manifest(key)
        assert self.downloads is not None
        self.downloads.mkdir(parents=True, exist_ok=True)
        part = self._part(key)
        saved = Path(path) if path else None
        unpacked = part.with_suffix(".folder")
        if manifest.folder and saved is not None and saved.is_dir() and not unpacked.exists():
            # We died after the last step, before writing that down.
            self.core.work(delete(part))
            self._finish(key, manifest, saved)
            return
        if saved is not None and saved.exists() and part.exists() and saved.samefile(part):
            part.unlink()
        if saved is not None and not part.exists() and (
            yield from is_whole(self.core, saved, manifest)
        ):  # fmt: skip
            # We died while renaming, or before writing that down.
            self._finish(key, manifest, saved)
            return
        if state != "receiving":
            with self._db.transaction():
                self._set(key, "receiving")
                self.tell(key, state="receiving")
        yield from receiving.fetch(self, key, manifest, part, int(segments))
        if manifest.folder:
            yield self.core.work(partial(_unpack, part, unpacked))
        for free in free_names(self.downloads, manifest.name):
            with self._db.transaction():
                self._db.run(
                    "UPDATE files SET path = ? WHERE log_id = ? AND id = ?", str(free), *key
                )
            rename = partial(rename_folder, unpacked) if manifest.folder else partial(
                rename_new, part
            )  # fmt: skip
            if (yield self.core.work(partial(rename, free))):
                if manifest.folder:
                    self.core.work(delete(part))
                self._finish(key, manifest, free)
                return
        raise NoRoom(f"there are too many files called {safe_filename(manifest.name)}")

    def _finish(self, key: Key, manifest: FileManifest, path: Path) -> None:
        with self._db.transaction():
            if not self._set(key, "received", "offered", "receiving", "failed"):
                return
            self._db.run(
                "UPDATE files SET path = ?, retry_at = NULL WHERE log_id = ? AND id = ?",
                str(path), *key,
            )  # fmt: skip
            self.tell(key, state="received", path=str(path))
            row = conversations.get(self._db, key[0])
            if row is not None and row.state == conversations.ACTIVE:
                self.core.outbox.queue_file_receipt(row, key[1], manifest.sha256)
        self.core.pump()

    def stalled(self, key: Key) -> None:
        """Nothing more of a file is there for now."""
        if key not in self._stalled:
            self._stalled.add(key)
            self.pump()

    def goes_on(self, key: Key) -> None:
        """More of a file has come."""
        self._stalled.discard(key)


def _unpack(archive: Path, into: Path) -> None:
    """Unpack a folder; what an earlier try left of it goes first."""
    check_room(archive.parent, archive.stat().st_size)
    shutil.rmtree(into, ignore_errors=True)
    unpack(archive, into)


def _is_gone(error: Exception) -> bool:
    """Whether the server has no such file (any more)."""
    return isinstance(error, Refused) and error.code is ErrorCode.NOT_FOUND


def _helps_later(error: Exception) -> bool:
    """Whether trying again, later, may help."""
    if isinstance(error, Refused):
        return error.code in LATER or error.code is ErrorCode.STORAGE_FULL
    return isinstance(error, NoRoom | OSError | Unreachable)
