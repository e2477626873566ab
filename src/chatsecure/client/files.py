"""Files: cut into sealed segments, uploaded once for all readers, fetched, checked, saved.

A transfer is a flow like any other (see `flow.py`), so messages pass between its parts. What has
been done is in the table `files`: a transfer that broke off goes on at the last whole segment.
The manifest, with the key and the SHA-256, travels inside MLS when the upload is complete.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chatsecure.crypto import filecipher
from chatsecure.crypto.filecipher import SEGMENT_BYTES, Layout
from chatsecure.wire import messages as m
from chatsecure.wire.errors import (
    ChatSecureError,
    ErrorCode,
    NotFound,
    ProtocolError,
    Refused,
    Usage,
)

from . import conversations
from .content import FileManifest, decode_content, encode_content
from .conversations import Conversation
from .display import safe_filename
from .events import FileEvent, message_id, stamp
from .flow import Flow, Operation, Ticket
from .flows import pause
from .inbound import FILE

if TYPE_CHECKING:
    from .core import Core

CHUNKS_UNDER_WAY = 8
"""Chunks asked for ahead: enough to fill the line, few enough to let a message pass."""
DOWNLOADS_AT_ONCE = 3
NOT_YET_MS = 500
MAX_ROUNDS = 20
"""How often an upload begins again where the server says it is."""
PART_SUFFIX = ".part"

Progress = Callable[[int, int], None]


class FileProblem(ChatSecureError):
    """A file cannot be read or written here."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file to send, as it is now."""

    path: Path
    size: int
    mark: str
    """Changes when the file does."""


def look_at(path: Path) -> Source:
    """Look at a file to send.

    Raises:
        NotFound: there is none.
        Usage: it is a folder, a device, or may not be read.
    """
    try:
        status = path.stat()
        if path.is_dir():
            raise Usage(f"{path} is a folder", hint="send its files, or pack it first")
        if not path.is_file():
            raise Usage(f"{path} is not a plain file")
        with path.open("rb"):
            pass
    except FileNotFoundError:
        raise NotFound(f"there is no file {path}") from None
    except PermissionError:
        raise Usage(f"{path} may not be read by you") from None
    except OSError as error:
        raise Usage(f"{path} cannot be read: {error.strerror}") from None
    mark = f"{status.st_size}:{status.st_mtime_ns}:{status.st_ino}"
    return Source(path.resolve(), status.st_size, mark)


def _hash(core: Core, path: Path) -> Flow[bytes]:
    """The SHA-256 of a file, with room for other things in between."""
    digest = sha256()
    try:
        with path.open("rb") as file:
            while data := file.read(SEGMENT_BYTES):
                digest.update(data)
                yield from pause(core, 1)
    except OSError as error:
        raise FileProblem(f"{path} cannot be read: {error.strerror}") from None
    return digest.digest()


class Files:
    """Transfers of one core."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._db = core.db
        self._running: set[tuple[bytes, bytes]] = set()
        self.downloads: Path | None = None
        """Where received files go; nothing is fetched while it is None."""
        self.may_receive: Callable[[], bool] = lambda: True
        """Whether this process is the one that fetches for the profile."""

    # --- sending ------------------------------------------------------------------------------

    def send(self, log_id: bytes, path: Path, progress: Progress | None = None) -> Flow[bytes]:
        """Upload a file and post it. Gives the message's id.

        Raises:
            NotFound, Usage: there is no such plain file.
            FileProblem: it changed meanwhile or cannot be read.
            Refused: the server does not take it.
        """
        source = look_at(path)
        id_, manifest = self._unfinished(log_id, source) or (yield from self._begin(log_id, source))
        yield from self._upload(log_id, source, manifest, progress)
        with self._db.transaction():
            row = conversations.get(self._db, log_id)
            if row is None or row.state != conversations.ACTIVE:
                raise conversations.not_there(row)
            self._core.outbox.queue_message(
                row, FILE, manifest, safe_filename(manifest.name), id_=id_
            )
            self._db.run("UPDATE files SET state = 'sent' WHERE log_id = ? AND id = ?", log_id, id_)
        return id_

    def _unfinished(self, log_id: bytes, source: Source) -> tuple[bytes, FileManifest] | None:
        """An upload of the same file to the same conversation that broke off."""
        found = self._db.row(
            "SELECT id, manifest FROM files WHERE log_id = ? AND incoming = 0"
            " AND state = 'sending' AND source = ? AND source_mark = ?",
            log_id, str(source.path), source.mark,
        )  # fmt: skip
        if found is None:
            return None
        manifest = decode_content(bytes(found[1]))
        return (bytes(found[0]), manifest) if isinstance(manifest, FileManifest) else None

    def _begin(self, log_id: bytes, source: Source) -> Flow[tuple[bytes, FileManifest]]:
        digest = yield from _hash(self._core, source.path)
        id_ = self._core.random(16)
        manifest = FileManifest(
            blob_id=self._core.random(16),
            name=source.path.name.encode("utf-8", "replace").decode()[-255:],
            size=source.size,
            sha256=digest,
            key=filecipher.new_key(),
        )
        with self._db.transaction():
            self._db.run(
                "INSERT INTO files(log_id, id, incoming, manifest, source, source_mark, state, at)"
                " VALUES(?, ?, 0, ?, ?, ?, 'sending', ?)",
                log_id, id_, encode_content(manifest), str(source.path), source.mark,
                self._core.now(),
            )  # fmt: skip
        return id_, manifest

    def _upload(
        self, log_id: bytes, source: Source, manifest: FileManifest, progress: Progress | None
    ) -> Flow[None]:
        layout = Layout.of(manifest.size)
        announce = m.BlobCreate(
            manifest.blob_id, log_id, layout.blob_bytes, layout.segment_cipher_bytes
        )
        for _ in range(MAX_ROUNDS):
            state = yield self._core.ask(announce)
            if not isinstance(state, m.BlobState):
                raise ProtocolError("the server answered an upload with something else")
            if state.complete:
                if progress is not None:
                    progress(manifest.size, manifest.size)
                return
            yield from self._upload_from(state.segments, source, manifest, layout, progress)
        raise FileProblem("the server does not keep what is uploaded; try again later")

    def _upload_from(
        self,
        first: int,
        source: Source,
        manifest: FileManifest,
        layout: Layout,
        progress: Progress | None,
    ) -> Flow[None]:
        under_way: deque[Ticket] = deque()
        try:
            file = source.path.open("rb")
        except OSError as error:
            raise FileProblem(f"{source.path} cannot be read: {error.strerror}") from None
        with file:
            if progress is not None:
                progress(min(first * SEGMENT_BYTES, layout.size), layout.size)
            file.seek(first * SEGMENT_BYTES)
            for segment in range(first, layout.segments):
                plain = file.read(SEGMENT_BYTES)
                if look_at(source.path).mark != source.mark:
                    raise FileProblem(f"{source.path} was changed while it was being sent")
                cipher = filecipher.encrypt_segment(
                    manifest.key, manifest.blob_id, segment, layout, plain
                )
                start = segment * layout.segment_cipher_bytes
                for offset in range(0, len(cipher), m.MAX_BLOB_CHUNK_BYTES):
                    if len(under_way) >= CHUNKS_UNDER_WAY:
                        yield under_way.popleft()
                    data = cipher[offset : offset + m.MAX_BLOB_CHUNK_BYTES]
                    put = m.BlobPut(manifest.blob_id, start + offset, data)
                    under_way.append(self._core.ask(put))
                if progress is not None:
                    progress(min(segment * SEGMENT_BYTES + len(plain), layout.size), layout.size)
            while under_way:
                yield under_way.popleft()

    # --- receiving ----------------------------------------------------------------------------

    def pump(self) -> None:
        """Begin fetching what was offered, a few files at a time."""
        core = self._core
        if not core.options.receive_files or self.downloads is None or not core.online:
            return
        free = DOWNLOADS_AT_ONCE - len(self._running)
        if free <= 0:
            return
        waiting = [
            (bytes(log_id), bytes(id_))
            for log_id, id_ in self._db.rows(
                "SELECT log_id, id FROM files WHERE incoming = 1"
                " AND state IN ('offered', 'receiving') ORDER BY at LIMIT ?",
                DOWNLOADS_AT_ONCE + len(self._running),
            )
        ]
        waiting = [key for key in waiting if key not in self._running][:free]
        if not waiting or not self.may_receive():
            return
        for key in waiting:
            self._running.add(key)
            core.scheduler.start(self._receive(*key), partial(self._ended, key))

    def _ended(self, key: tuple[bytes, bytes], operation: Operation[None]) -> None:
        self._running.discard(key)
        error = operation.error
        if error is None:
            return
        if not isinstance(error, (ChatSecureError, OSError)):
            raise error
        with self._db.transaction():
            self._db.run("UPDATE files SET state = 'failed' WHERE log_id = ? AND id = ?", *key)
            self._tell(*key, state="failed", reason=_reason(error))

    def _receive(self, log_id: bytes, id_: bytes) -> Flow[None]:
        found = self._db.row(
            "SELECT manifest, state, path, segments FROM files WHERE log_id = ? AND id = ?",
            log_id, id_,
        )  # fmt: skip
        manifest = decode_content(bytes(found[0]))
        assert isinstance(manifest, FileManifest)
        assert self.downloads is not None
        layout = Layout.of(manifest.size)
        self.downloads.mkdir(parents=True, exist_ok=True)
        part = self.downloads / f".{id_.hex()}{PART_SUFFIX}"
        saved = Path(found[2]) if found[2] else None
        if saved is not None and saved.exists() and part.exists() and saved.samefile(part):
            part.unlink()
        if saved is not None and not part.exists() and (yield from self._is(saved, manifest)):
            # We died while renaming, or before writing that down.
            self._finish(log_id, id_, manifest, saved)
            return
        first = int(found[3]) if part.exists() else 0
        if found[1] == "offered":
            with self._db.transaction():
                self._set(log_id, id_, "receiving", segments=0)
                self._tell(log_id, id_, state="receiving")
        _check_room(self.downloads, manifest.size - first * SEGMENT_BYTES)
        yield from self._fetch(log_id, id_, manifest, layout, part, first)
        if not (yield from self._is(part, manifest)):
            part.unlink(missing_ok=True)
            raise FileProblem("what arrived is not the file that was announced (SHA-256 differs)")
        path = self._save(log_id, id_, manifest, part)
        self._finish(log_id, id_, manifest, path)

    def _is(self, path: Path, manifest: FileManifest) -> Flow[bool]:
        if not path.is_file() or path.stat().st_size != manifest.size:
            return False
        return (yield from _hash(self._core, path)) == manifest.sha256

    def _fetch(
        self,
        log_id: bytes,
        id_: bytes,
        manifest: FileManifest,
        layout: Layout,
        part: Path,
        first: int,
    ) -> Flow[None]:
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            for segment in range(first, layout.segments):
                cipher = yield from self._fetch_segment(manifest, layout, segment)
                plain = filecipher.decrypt_segment(
                    manifest.key, manifest.blob_id, segment, layout, cipher
                )
                file.seek(segment * SEGMENT_BYTES)
                file.write(plain)
                file.flush()
                os.fsync(file.fileno())
                with self._db.transaction():
                    self._set(log_id, id_, "receiving", segments=segment + 1)
            file.truncate(manifest.size)
            file.flush()
            os.fsync(file.fileno())

    def _fetch_segment(self, manifest: FileManifest, layout: Layout, segment: int) -> Flow[bytes]:
        start = segment * layout.segment_cipher_bytes
        length = filecipher.cipher_bytes(layout.plain_bytes(segment))
        asked: deque[Ticket] = deque()
        data = bytearray()
        offset = 0
        while len(data) < length:
            while offset < length and len(asked) < CHUNKS_UNDER_WAY:
                size = min(m.MAX_BLOB_CHUNK_BYTES, length - offset)
                asked.append(self._core.ask(m.BlobGet(manifest.blob_id, start + offset, size)))
                offset += size
            ticket = asked.popleft()
            while True:
                try:
                    reply = yield ticket
                    break
                except Refused as error:
                    if error.code is not ErrorCode.NOT_YET:
                        raise
                    yield from pause(self._core, NOT_YET_MS)
                    ticket = self._core.ask(ticket.message)
            if (
                not isinstance(reply, m.BlobData)
                or not isinstance(ticket.message, m.BlobGet)
                or len(reply.data) != ticket.message.length
            ):
                raise ProtocolError("the server answered with another part of a file")
            data += reply.data
        return bytes(data)

    def _save(self, log_id: bytes, id_: bytes, manifest: FileManifest, part: Path) -> Path:
        """Give the part its name: a safe one, never one that is there already."""
        name = safe_filename(manifest.name)
        stem, suffix = Path(name).stem, Path(name).suffix
        for number in range(1, 10_000):
            path = part.with_name(name if number == 1 else f"{stem} ({number}){suffix}")
            with self._db.transaction():
                self._db.run(
                    "UPDATE files SET path = ? WHERE log_id = ? AND id = ?", str(path), log_id, id_
                )
            if _rename_new(part, path):
                return path
        raise FileProblem(f"there are too many files called {name}")

    def _finish(self, log_id: bytes, id_: bytes, manifest: FileManifest, path: Path) -> None:
        with self._db.transaction():
            self._db.run(
                "UPDATE files SET state = 'received', path = ? WHERE log_id = ? AND id = ?",
                str(path), log_id, id_,
            )  # fmt: skip
            self._tell(log_id, id_, state="received", path=str(path))
            row = conversations.get(self._db, log_id)
            if row is not None and row.state == conversations.ACTIVE:
                self._core.outbox.queue_file_receipt(row, id_, manifest.sha256)
        self._core.outbox.pump()

    def _set(self, log_id: bytes, id_: bytes, state: str, *, segments: int) -> None:
        self._db.run(
            "UPDATE files SET state = ?, segments = ? WHERE log_id = ? AND id = ?",
            state, segments, log_id, id_,
        )  # fmt: skip

    def _tell(self, log_id: bytes, id_: bytes, **more: Any) -> None:
        """Emit a file event; in a transaction."""
        found = self._db.row(
            "SELECT f.manifest, m.sender, m.seq FROM files f"
            " JOIN messages m ON m.log_id = f.log_id AND m.id = f.id"
            " WHERE f.log_id = ? AND f.id = ?",
            log_id, id_,
        )  # fmt: skip
        row: Conversation | None = conversations.get(self._db, log_id)
        manifest = decode_content(bytes(found[0])) if found else None
        if row is None or not isinstance(manifest, FileManifest):
            return
        self._core.emit(
            FileEvent(
                at=stamp(self._core.now()),
                id=message_id(id_),
                conversation=row.name,
                sender=found[1],
                seq=found[2],
                name=safe_filename(manifest.name),
                size=manifest.size,
                sha256=manifest.sha256.hex(),
                **more,
            )
        )


def _rename_new(part: Path, path: Path) -> bool:
    """Rename without ever replacing anything; False where the name is taken."""
    try:
        os.link(part, path)
    except FileExistsError:
        return False
    except OSError:
        # No hard links here (FAT, some network disks): reserve the name, then replace our own.
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            return False
        part.replace(path)
    else:
        part.unlink()
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    return True


def _check_room(folder: Path, needed: int) -> None:
    import shutil

    free = shutil.disk_usage(folder).free
    if free < needed:
        raise FileProblem(
            f"there is not enough room in {folder}: {needed} bytes are needed, {free} are free"
        )


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        if error.errno == errno.ENOSPC:
            return "the disk is full"
        return f"the file cannot be written: {error.strerror}"
    return str(error)
