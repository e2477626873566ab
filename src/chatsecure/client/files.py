"""The files of one profile: which are on their way, what the person wants, what the faces hear.

Sending is in `files_send.py`, fetching in `files_receive.py`; both are flows (see `flow.py`), so
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
from typing import TYPE_CHECKING, Any

from chatsecure.crypto.credentials import MemberIdentity
from chatsecure.names import fold_name
from chatsecure.wire import messages as m
from chatsecure.wire.errors import ChatSecureError, ErrorCode, NotFound, Refused, Usage

from . import contacts, conversations, files_receive, files_send, settings
from .content import FileFate, FileManifest, FileNote, decode_content
from .conversations import Conversation
from .display import safe_filename
from .events import FileEvent, message_id, stamp
from .files_disk import NoRoom, check_room, free_names, reason_of, rename_new
from .files_receive import is_whole
from .files_send import Progress, look_at
from .flow import Flow, Operation
from .flows import pause
from .folders import rename_folder, unpack
from .outbox import LATER

if TYPE_CHECKING:
    from .core import Core

LARGE_AT_ONCE = 3
SMALL_AT_ONCE = 16
SMALL_BYTES = 1024 * 1024
PART_SUFFIX = ".part"
PROGRESS_MS = 100
FIRST_PART, LEAST_PART = 256 * 1024, 64 * 1024
PART_MS, RATE_MS = 10, 250
NEIGHBOUR_MS = 250
RETRY_MS, RETRY_MOST_MS = 30_000, 3_600_000

Key = tuple[bytes, bytes]
"""Log and message: what a file is known by."""


class Files:
    """Transfers of one core."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self._db = core.db
        self._running: dict[Key, Operation[None]] = {}
        self._small: set[Key] = set()
        self._stalled: set[Key] = set()
        """Those whose sender does not go on: they hold up no others."""
        self._dropping: set[Key] = set()
        self._told: dict[Key, int] = {}
        self._moved, self._moved_since = 0, core.now()
        self.part_bytes = FIRST_PART
        """How much of a file one message carries: about `PART_MS` of the line."""
        self.downloads: Path | None = None
        """Where received files go; nothing is fetched while it is None."""
        self.may_receive: Callable[[], bool] = lambda: True
        """Whether this process is the one that fetches for the profile."""
        self.claim: Callable[[bytes], bool] = lambda _: True
        """Take a file of ours to send it, unless another process of the profile has it."""
        self.unclaim: Callable[[bytes], None] = lambda _: None
        """Give it back."""
        self._sending: set[bytes] = set()

    # --- sending ------------------------------------------------------------------------------

    def send(self, log_id: bytes, path: Path, progress: Progress | None = None) -> Flow[bytes]:
        """Post a file and upload it, or go on with that. Gives the message's id.

        Raises:
            NotFound, Usage: there is no such plain file.
            FileProblem: it changed meanwhile or cannot be read.
            Refused: the server does not take it.
        """
        source = look_at(path)
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
                yield from files_send.begin(self.core, *key, source)
            except BaseException:
                self._release(key)
                raise
        yield from self._send(key, progress)
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

    def _send(self, key: Key, progress: Progress | None) -> Flow[None]:
        """Bring one of ours through; it is ours to do."""

        def report(done: int, total: int) -> None:
            if progress is not None:
                progress(done, total)
            self.progress(key, "sending", done)

        try:
            if self._state(key) != "sending":
                return
            yield from files_send.bring(self, key, report)
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
            self._release(key)

    def _give_up(self, key: Key, error: ChatSecureError) -> None:
        """Our file does not get through: forget it, or tell those who know of it."""
        with self._db.transaction():
            if not self._set(key, "failed", "sending", reason=reason_of(error)):
                return
            self._db.run("UPDATE files SET drop_blob = 1 WHERE log_id = ? AND id = ?", *key)
            if not self._db.row("SELECT 1 FROM messages WHERE log_id = ? AND id = ?", *key):
                return
            self.tell(key, state="failed", reason=reason_of(error))
            self._note(key, FileFate.FAILED, reason_of(error))
        self.core.defer(self.core.pump)

    # --- receiving ----------------------------------------------------------------------------

    def offered(self, sender: MemberIdentity, manifest: FileManifest) -> bool:
        """A file is offered: whether it waits for the person's word before it is fetched."""
        if manifest.size > settings.amount(self._db, "auto_save_limit"):
            return True
        return settings.is_on(self._db, "ask_first") and not self._known(sender)

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
        error = operation.error
        if error is not None and not isinstance(error, (ChatSecureError, OSError)):
            raise error
        if error is not None:
            self._failed(key, error)

    def _failed(self, key: Key, error: ChatSecureError | OSError) -> None:
        found = self._db.row(
            "SELECT incoming, state, tries FROM files WHERE log_id = ? AND id = ?", *key
        )
        if found is None or found[1] not in ("offered", "receiving", "failed", "sending"):
            return
        incoming, _, tries = found
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
            self._set(key, "failed", reason=reason_of(error))
            if not tries:
                self.tell(key, state="failed", reason=reason_of(error))
                self._note(key, FileFate.FAILED, reason_of(error))
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
            part.unlink(missing_ok=True)
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
        yield from files_receive.fetch(self, key, manifest, part, int(segments))
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
                    part.unlink(missing_ok=True)
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
        self.core.outbox.pump()

    def _part(self, key: Key) -> Path:
        assert self.downloads is not None
        return self.downloads / f".{key[1].hex()}{PART_SUFFIX}"

    def stalled(self, key: Key) -> None:
        """Nothing more of a file is there for now."""
        if key not in self._stalled:
            self._stalled.add(key)
            self.pump()

    def goes_on(self, key: Key) -> None:
        """More of a file has come."""
        self._stalled.discard(key)

    def segments(self, key: Key, count: int) -> None:
        """So many segments of a file are on disk."""
        with self._db.transaction():
            self._db.run("UPDATE files SET segments = ? WHERE log_id = ? AND id = ?", count, *key)

    # --- what the person wants ----------------------------------------------------------------

    def accept(self, id_: bytes) -> None:
        """See `Client.accept_file`."""
        key, incoming, state = self._find(id_)
        if not incoming:
            raise Usage("this is a file of your own")
        if state in ("received", "receiving"):
            return
        if state == "cancelled" and self._withdrawn(key):
            raise Usage("its sender has taken this file back", hint="ask for it again")
        with self._db.transaction():
            self._db.run(
                "UPDATE files SET state = 'offered', held = 0, tries = 0, retry_at = NULL"
                " WHERE log_id = ? AND id = ?", *key,
            )  # fmt: skip
        self.core.pump()

    def decline(self, id_: bytes) -> None:
        """See `Client.decline_file`."""
        key, incoming, state = self._find(id_)
        if not incoming:
            raise Usage("this is a file of your own", hint="cancel it instead")
        self._turn_down(key, state, "declined", FileFate.DECLINED)

    def cancel(self, id_: bytes) -> None:
        """See `Client.cancel_file`."""
        key, incoming, state = self._find(id_)
        if incoming:
            self._turn_down(key, state, "cancelled", FileFate.CANCELLED)
        elif state in ("sending", "sent"):
            with self._db.transaction():
                self._set(key, "cancelled")
                self._db.run("UPDATE files SET drop_blob = 1 WHERE log_id = ? AND id = ?", *key)
                self.tell(key, state="cancelled")
                if self._db.row("SELECT 1 FROM messages WHERE log_id = ? AND id = ?", *key):
                    self._note(key, FileFate.CANCELLED)
            self.core.pump()

    def _turn_down(self, key: Key, state: str, to: str, fate: FileFate) -> None:
        if state == "received":
            raise Usage("this file is here already", hint="delete it if you do not want it")
        if state in ("declined", "cancelled"):
            return
        with self._db.transaction():
            self._set(key, to)
            self.tell(key, state=to)
            self._note(key, fate)
        self.core.pump()
        self._forget_part(key)

    def find(self, beginning: str) -> bytes | None:
        """The id of the newest file whose id begins so, in hexadecimal."""
        wanted = beginning.casefold()
        if not wanted or not set(wanted) <= set("0123456789abcdef"):
            return None
        found = self._db.value(
            "SELECT id FROM files WHERE hex(id) LIKE ? ORDER BY at DESC LIMIT 1", wanted + "%"
        )
        return None if found is None else bytes(found)

    def _find(self, id_: bytes) -> tuple[Key, bool, str]:
        found = self._db.row("SELECT log_id, incoming, state FROM files WHERE id = ?", id_)
        if found is None:
            raise NotFound(f"there is no file {message_id(id_)} here")
        return (bytes(found[0]), id_), bool(found[1]), found[2]

    def _withdrawn(self, key: Key) -> bool:
        return bool(self._db.value("SELECT reason FROM files WHERE log_id = ? AND id = ?", *key))

    def _forget_part(self, key: Key) -> None:
        if self.downloads is not None:
            self._part(key).unlink(missing_ok=True)
            shutil.rmtree(self._part(key).with_suffix(".folder"), ignore_errors=True)

    # --- what others say ----------------------------------------------------------------------

    def noted(self, row: Conversation, sender: MemberIdentity, note: FileNote) -> str | None:
        """Somebody says what becomes of a file; in the entry's transaction.

        Returns:
            What to tell of a file of ours: `declined`, `cancelled` or `failed`.
        """
        key = (row.log_id, note.of)
        found = self._db.row(
            "SELECT m.mine, m.sender, f.state, f.incoming FROM messages m"
            " JOIN files f ON f.log_id = m.log_id AND f.id = m.id WHERE m.log_id = ? AND m.id = ?",
            *key,
        )
        if found is None:
            return None
        mine, owner, state, incoming = found
        if fold_name(owner) == fold_name(sender.name):
            if incoming and state in ("offered", "receiving", "failed", "declined", "cancelled"):
                gone = "cancelled" if note.fate is FileFate.CANCELLED else "failed"
                reason = note.reason or "its sender took it back"
                self._set(key, gone, reason=reason)
                self._db.run("UPDATE files SET retry_at = NULL WHERE log_id = ? AND id = ?", *key)
                if state not in ("declined", "cancelled"):
                    self.tell(key, state=gone, reason=reason)
                self.core.defer(self._stop_unwanted)
                self.core.defer(lambda: self._forget_part(key))
            return None
        if not mine or incoming:
            return None
        fate = note.fate.name.lower()
        self.device_done(key, sender.device_id, fate)
        return fate

    def device_done(self, key: Key, device_id: bytes, state: str) -> None:
        """A device has a file of ours, or does not take it: once all have said so, the server
        need not keep it. In a transaction."""
        self._db.run(
            "INSERT INTO file_devices(log_id, id, device_id, state) VALUES(?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET state = excluded.state",
            *key, device_id, state,
        )  # fmt: skip
        if state == "failed":
            return
        open_ = self._db.row(
            "SELECT 1 FROM members m WHERE m.log_id = ?1 AND m.device_id <> ?3 AND NOT EXISTS("
            "SELECT 1 FROM file_devices d WHERE d.log_id = ?1 AND d.id = ?2"
            " AND d.device_id = m.device_id AND d.state <> 'failed') LIMIT 1",
            *key, self.core.me.device_id,
        )  # fmt: skip
        if open_ is None:
            self._db.run(
                "UPDATE files SET drop_blob = 1 WHERE log_id = ? AND id = ? AND state = 'sent'",
                *key,
            )
            self.core.defer(self.core.pump)

    def received_by(self, id_: bytes) -> int:
        """How many people have confirmed a whole file of ours."""
        return int(self._db.value("SELECT count(*) FROM file_receipts WHERE id = ?", id_))

    def deleted(self, log_id: bytes, id_: bytes) -> None:
        """The message of a file was deleted; in a transaction."""
        key = (log_id, id_)
        if self._set(key, "cancelled", "offered", "receiving", "failed", reason="deleted"):
            self.core.defer(self._stop_unwanted)
            self.core.defer(lambda: self._forget_part(key))
        if self._db.run(
            "UPDATE files SET drop_blob = 1 WHERE log_id = ? AND id = ? AND incoming = 0"
            " AND state IN ('sending', 'sent')", *key,
        ):  # fmt: skip
            self._set(key, "cancelled", "sending")
            self.core.defer(self.core.pump)

    def _stop_unwanted(self) -> None:
        """Give up what the person, or the other side, does not want any more."""
        for key, operation in list(self._running.items()):
            if self._state(key) in ("declined", "cancelled"):
                operation.cancel()
                self._forget_part(key)

    def _drop_blob(self, key: Key, manifest: bytes) -> None:
        content = decode_content(manifest)
        if key in self._dropping or not isinstance(content, FileManifest):
            return
        self._dropping.add(key)

        def done(ticket: Any) -> None:
            self._dropping.discard(key)
            error = ticket.error
            if error is None or (isinstance(error, Refused) and error.code is ErrorCode.NOT_FOUND):
                with self._db.transaction():
                    self._db.run("UPDATE files SET drop_blob = 0 WHERE log_id = ? AND id = ?", *key)

        self.core.ask(m.BlobDelete(content.blob_id), done)

    # --- rows and events ----------------------------------------------------------------------

    def manifest(self, key: Key) -> FileManifest:
        """A file's manifest."""
        row = self._db.row("SELECT manifest FROM files WHERE log_id = ? AND id = ?", *key)
        manifest = decode_content(bytes(row[0]))
        assert isinstance(manifest, FileManifest)
        return manifest

    def _state(self, key: Key) -> str:
        found = self._db.value("SELECT state FROM files WHERE log_id = ? AND id = ?", *key)
        return str(found or "")

    def _set(self, key: Key, state: str, *before: str, reason: str = "") -> bool:
        """Set a state, if it was one of these (or any); in a transaction."""
        allowed = f" AND state IN ({', '.join('?' * len(before))})" if before else ""
        return bool(
            self._db.run(
                f"UPDATE files SET state = ?, reason = ? WHERE log_id = ? AND id = ?{allowed}",
                state, reason, *key, *before,
            )
        )  # fmt: skip

    def _note(self, key: Key, fate: FileFate, reason: str = "") -> None:
        """Tell the others what becomes of a file; in a transaction."""
        row = conversations.get(self._db, key[0])
        if row is not None and row.state == conversations.ACTIVE:
            self.core.outbox.queue(row.log_id, FileNote(key[1], fate, reason[:200]))

    def moved(self, count: int) -> None:
        """So many bytes of files have been sent or have come: how fast is the line?"""
        now = self.core.now()
        self._moved += count
        passed = now - self._moved_since
        if passed >= RATE_MS:
            part = self._moved * PART_MS // passed
            self.part_bytes = max(LEAST_PART, min(part, m.MAX_BLOB_CHUNK_BYTES))
            self._moved, self._moved_since = 0, now

    def progress(self, key: Key, state: str, done: int) -> None:
        """Tell how far a file is, not too often."""
        now = self.core.now()
        if now - self._told.setdefault(key, now) >= PROGRESS_MS:
            self._told[key] = now
            self.tell(key, state=state, done=done)

    def tell(self, key: Key, **more: Any) -> None:
        """Emit a file's event."""
        found = self._db.row(
            "SELECT f.manifest, coalesce(m.sender, ''), m.seq, f.incoming, f.held FROM files f"
            " LEFT JOIN messages m ON m.log_id = f.log_id AND m.id = f.id"
            " WHERE f.log_id = ? AND f.id = ?",
            *key,
        )
        row: Conversation | None = conversations.get(self._db, key[0])
        manifest = decode_content(bytes(found[0])) if found else None
        if row is None or not isinstance(manifest, FileManifest):
            return
        self.core.emit(
            FileEvent(
                at=stamp(self.core.now()),
                id=message_id(key[1]),
                conversation=row.name,
                sender=found[1] or self.core.me.name,
                seq=found[2],
                name=safe_filename(manifest.name),
                size=manifest.size,
                sha256=manifest.sha256.hex(),
                held=bool(found[4]),
                mine=not found[3],
                folder=manifest.folder,
                **more,
            )
        )


def _unpack(archive: Path, into: Path) -> None:
    """Unpack a folder; what an earlier try left of it goes first."""
    check_room(archive.parent, archive.stat().st_size)
    shutil.rmtree(into, ignore_errors=True)
    unpack(archive, into)


def _helps_later(error: Exception) -> bool:
    """Whether trying again, later, may help."""
    if isinstance(error, Refused):
        return error.code in LATER or error.code is ErrorCode.STORAGE_FULL
    return isinstance(error, NoRoom | OSError)
