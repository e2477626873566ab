"""Sending a file: look at it, hash it, announce it, tell the others, upload it segment by segment.

The manifest is posted as soon as the server has agreed to take the blob, so that readers fetch
while we still upload. What has been done is in the table `files`: an upload that broke off, in
whatever process of the profile, goes on at the last segment that the server has on disk.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, cast

from chatsecure.client import conversations
from chatsecure.client.content import FileManifest, decode_content, encode_content
from chatsecure.client.display import safe_filename
from chatsecure.client.flow import Flow, Ticket, Until, Work
from chatsecure.client.inbound import FILE
from chatsecure.client.thumbnails import make_thumbnail
from chatsecure.crypto import filecipher
from chatsecure.crypto.filecipher import SEGMENT_BYTES, Layout
from chatsecure.wire import messages as m
from chatsecure.wire.errors import (
    ChatSecureError,
    NotFound,
    ProtocolError,
    Unreachable,
    Usage,
)

from .disk import FileProblem
from .folders import Tree, scan

if TYPE_CHECKING:
    from chatsecure.client.core import Core

    from .transfers import Files

UNDER_WAY_BYTES = 6 * 1024 * 1024
"""What has no answer yet: enough to go on while a segment is brought to the server's disk."""
HASH_BYTES = 1024 * 1024
MAX_ROUNDS = 20
"""How often an upload begins again where the server says it is, without a broken connection."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Source:
    """A file or folder to send, as it is now."""

    path: Path
    size: int
    mark: str
    """Changes when the file does."""
    tree: Tree | None = None
    """What is in it, where it is a folder."""

    def check(self) -> None:
        """See that it is what it was.

        Raises:
            FileProblem: it is not. (In a folder each file is looked at when it is read.)
        """
        if self.tree is None:
            _check_unchanged(self)

    def read(self, offset: int, length: int) -> bytes:
        """A part of it.

        Raises:
            FileProblem: it was changed or cannot be read.
        """
        if self.tree is not None:
            return self.tree.read(offset, length)
        try:
            with self.path.open("rb", buffering=0) as file:
                file.seek(offset)
                data = file.read(length)
                while len(data) < length and (more := file.read(length - len(data))):
                    data += more
        except OSError as error:
            raise FileProblem(f"{self.path} cannot be read: {error.strerror}") from None
        return data


def look_at(path: Path) -> Source:
    """Look at a file or folder to send.

    Raises:
        NotFound: there is none.
        Usage: it is a device or a whole disk, or may not be read.
    """
    try:
        status = path.stat()
        if path.is_dir():
            whole = path.resolve()
            if whole == whole.parent:
                raise Usage(f"{path} is a whole disk", hint="choose a folder on it")
            tree = scan(whole)
            return Source(whole, tree.size, tree.mark, tree)
        if not path.is_file():
            raise Usage(f"{path} is no plain file and no folder")
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


def begin(core: Core, log_id: bytes, id_: bytes, source: Source) -> Flow[None]:
    """Hash a file and write down that it is to be sent under this message id."""
    digest = yield core.work(lambda: _hash(source))
    thumbnail = b""
    if source.tree is None:
        thumbnail = yield core.work(lambda: make_thumbnail(source.path))
    manifest = FileManifest(
        blob_id=core.random(16),
        name=(source.path.name or "folder").encode("utf-8", "replace").decode()[-255:],
        size=source.size,
        sha256=digest,
        key=filecipher.new_key(),
        mime=mimetypes.guess_type(source.path.name)[0] or "" if source.tree is None else "",
        thumbnail=thumbnail,
        folder=source.tree is not None,
    )
    with core.db.transaction():
        core.db.run(
            "INSERT INTO files"
            "(log_id, id, incoming, manifest, source, source_mark, state, at, size)"
            " VALUES(?, ?, 0, ?, ?, ?, 'sending', ?, ?)",
            log_id, id_, encode_content(manifest), str(source.path), source.mark, core.now(),
            source.size,
        )  # fmt: skip


def _hash(source: Source) -> bytes:
    digest = sha256()
    for offset in range(0, source.size, HASH_BYTES):
        digest.update(source.read(offset, min(HASH_BYTES, source.size - offset)))
    return digest.digest()


def bring(files: Files, key: tuple[bytes, bytes], progress: Progress) -> Flow[None]:
    """Announce, post and upload a file that was begun.

    Raises:
        Refused: the server does not take it.
        FileProblem: the file was changed or cannot be read.
    """
    core, (log_id, id_) = files.core, key
    found = core.db.row(
        "SELECT manifest, source, source_mark FROM files WHERE log_id = ? AND id = ?", log_id, id_
    )
    manifest = decode_content(bytes(found[0]))
    assert isinstance(manifest, FileManifest)
    source = yield core.work(lambda: _again(Path(found[1]), found[2]))
    layout = Layout.of(manifest.size)
    announce = m.BlobCreate(
        manifest.blob_id, log_id, layout.blob_bytes, layout.segment_cipher_bytes
    )
    rounds = 0
    while rounds < MAX_ROUNDS:
        state = yield core.ask(announce)
        if not isinstance(state, m.BlobState):
            raise ProtocolError("the server answered an upload with something else")
        _post(core, log_id, id_, manifest)
        if state.complete:
            progress(manifest.size, manifest.size)
            return
        try:
            yield from _upload(files, source, manifest, layout, state.segments, progress)
            rounds += 1
        except Unreachable:
            # What the server had not completed is gone; it says where to go on.
            yield Until(lambda: core.online)
    raise FileProblem("the server does not keep what is uploaded; try again later")


def _post(core: Core, log_id: bytes, id_: bytes, manifest: FileManifest) -> None:
    """Post the manifest, once."""
    with core.db.transaction():
        if core.db.row("SELECT 1 FROM messages WHERE log_id = ? AND id = ?", log_id, id_):
            return
        row = conversations.get(core.db, log_id)
        if row is None or row.state != conversations.ACTIVE:
            raise conversations.not_there(row)
        core.outbox.queue_message(row, FILE, manifest, safe_filename(manifest.name), id_=id_)
    core.pump()


class _Window:
    """Parts that are under way."""

    def __init__(self, files: Files, done: int, layout: Layout, progress: Progress) -> None:
        self._files = files
        self._done, self._layout, self._progress = done, layout, progress
        self.waiting = 0
        self.error: ChatSecureError | None = None
        progress(min(done, layout.size), layout.size)

    def add(self, ticket: Ticket, size: int) -> None:
        """One more; `size` bytes of the file are done when it is answered."""
        self.waiting += size

        def answered(ticket: Ticket) -> None:
            self.waiting -= size
            self.error = self.error or ticket.error
            if ticket.error is None:
                self._done += size
                self._files.moved(size)
                self._progress(min(self._done, self._layout.size), self._layout.size)

        ticket.on_done = answered

    def below(self, limit: int) -> Flow[None]:
        """Wait until fewer bytes than this are under way.

        Raises:
            ChatSecureError: one was refused.
        """
        if self.waiting >= limit and self.error is None:
            yield Until(lambda: self.waiting < limit or self.error is not None)
        if self.error is not None:
            raise self.error


def _upload(
    files: Files,
    source: Source,
    manifest: FileManifest,
    layout: Layout,
    first: int,
    progress: Progress,
) -> Flow[None]:
    def prepare(segment: int) -> Work:
        return core.work(lambda: _segment(source, manifest, layout, segment))

    core = files.core
    window = _Window(files, first * SEGMENT_BYTES, layout, progress)
    ahead = prepare(first)
    for segment in range(first, layout.segments):
        cipher = memoryview((yield ahead))
        if segment + 1 < layout.segments:
            ahead = prepare(segment + 1)
        start = segment * layout.segment_cipher_bytes
        offset = 0
        while offset < len(cipher):
            yield from window.below(UNDER_WAY_BYTES)
            data = cipher[offset : offset + files.part_bytes]
            # The encoder takes a view as it takes bytes, and copies it once less.
            put = m.BlobPut(manifest.blob_id, start + offset, cast("bytes", data))
            window.add(core.ask(put, once=True, bulk=True), len(data))
            offset += len(data)
    yield from window.below(1)


def _segment(source: Source, manifest: FileManifest, layout: Layout, segment: int) -> bytes:
    """Read and encrypt one segment."""
    source.check()
    start = segment * SEGMENT_BYTES
    plain = source.read(start, min(SEGMENT_BYTES, max(0, layout.size - start)))
    source.check()
    return filecipher.encrypt_segment(manifest.key, manifest.blob_id, segment, layout, plain)


def _again(path: Path, mark: str) -> Source:
    """What was to be sent, if it still is what it was."""
    try:
        source = look_at(path)
    except (NotFound, Usage) as error:
        raise FileProblem(str(error)) from None
    if source.mark != mark:
        raise FileProblem(f"{path} was changed while it was being sent")
    return source


def _check_unchanged(source: Source) -> None:
    _again(source.path, source.mark)
