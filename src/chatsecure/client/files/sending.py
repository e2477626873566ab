"""Sending a file: look at it, announce it, hash it, tell the others, upload it segment by segment.

The manifest, which holds the hash, is posted as soon as that is known and the server has agreed to
take the blob, so that readers fetch while we still upload. What has been done is in the table
`files`: an upload that broke off, in whatever process of the profile, goes on at the last segment
that the server has on disk.
"""

from __future__ import annotations

import mimetypes
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from chatsecure.client import conversations
from chatsecure.client.content import FileManifest, decode_content, encode_content
from chatsecure.client.display import safe_filename
from chatsecure.client.flow import Flow, Until
from chatsecure.client.inbound import FILE
from chatsecure.client.thumbnails import make_thumbnail
from chatsecure.crypto import filecipher
from chatsecure.crypto.filecipher import SEGMENT_BYTES, Layout
from chatsecure.wire import messages as m
from chatsecure.wire.errors import (
    NotFound,
    ProtocolError,
    Refused,
    Unreachable,
    Usage,
)

from .disk import FileProblem
from .folders import Tree, file_mark, scan
from .line import FileLine
from .meter import Meter
from .rows import UNHASHED

if TYPE_CHECKING:
    from chatsecure.client.core import Core

    from .transfers import Files

HASH_BYTES = 256 * 1024
HASHED_FIRST_BYTES = 2 * SEGMENT_BYTES
"""Larger files are hashed while their first segments are on the way."""

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

    @contextmanager
    def reading(self, offset: int) -> Iterator[Callable[[memoryview], int]]:
        """Gives what fills a buffer with the next bytes from `offset` on, and says how many.

        Raises:
            FileProblem: it was changed or cannot be read.
        """
        if self.tree is not None:
            yield _Reader(self.tree, offset)
            return
        try:
            with self.path.open("rb", buffering=0) as file:
                file.seek(offset)
                yield lambda view: _fill(file, view)
        except OSError as error:
            raise FileProblem(f"{self.path} cannot be read: {error.strerror}") from None


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """What the system says of a path, in a sentence."""
    try:
        yield
    except FileNotFoundError:
        raise NotFound(f"there is no file {path}") from None
    except PermissionError:
        raise Usage(f"{path} may not be read by you") from None
    except OSError as error:
        raise Usage(f"{path} cannot be read: {error.strerror}") from None


def check(path: Path) -> None:
    """See at once whether this can be sent, without looking into a folder.

    Raises:
        NotFound: there is none.
        Usage: it is a device or a whole disk, or may not be read.
    """
    with _readable(path):
        if path.is_dir():
            whole = path.resolve()
            if whole == whole.parent:
                raise Usage(f"{path} is a whole disk", hint="choose a folder on it")
        elif not stat.S_ISREG(path.stat().st_mode):
            raise Usage(f"{path} is no plain file and no folder")
        else:
            path.open("rb").close()


def look_at(path: Path) -> Source:
    """Look at a file or folder to send; a folder may take seconds: call it in a thread.

    Raises:
        NotFound, Usage: see `check`; or a folder holds too much, or what may not be read.
    """
    check(path)
    with _readable(path):
        whole = path.resolve()
        if whole.is_dir():
            tree = scan(whole)
            return Source(whole, tree.size, tree.mark, tree)
        return Source(whole, (status := whole.stat()).st_size, file_mark(status))


def left_out(path: Path) -> tuple[str, ...]:
    """Links and other things of a folder that are not sent with it.

    Raises:
        NotFound, Usage: see `look_at`.
    """
    tree = look_at(path).tree
    return () if tree is None else tree.skipped


def begin(core: Core, log_id: bytes, id_: bytes, source: Source) -> Flow[None]:
    """Write down that a file is to be sent under this message id; a small one is hashed first."""
    digest = UNHASHED
    if source.size <= HASHED_FIRST_BYTES:
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


class _Reader:
    """Reads a folder's archive from some place on."""

    def __init__(self, tree: Tree, offset: int) -> None:
        self._tree, self._offset = tree, offset

    def __call__(self, view: memoryview) -> int:
        data = self._tree.read(self._offset, min(len(view), self._tree.size - self._offset))
        view[: len(data)] = data
        self._offset += len(data)
        return len(data)


def _fill(file: FileIO, view: memoryview) -> int:
    done = 0
    while done < len(view) and (count := file.readinto(view[done:])):
        done += count
    return done


def _hash(source: Source) -> bytes:
    digest, buffer = sha256(), memoryview(bytearray(HASH_BYTES))
    with source.reading(0) as fill:
        left = source.size
        while left > 0 and (count := fill(buffer[: min(left, HASH_BYTES)])):
            digest.update(buffer[:count])
            left -= count
    source.check()
    return digest.digest()


def bring(
    files: Files, key: tuple[bytes, bytes], progress: Progress, source: Source | None = None
) -> Flow[None]:
    """Announce, post and upload a file that was begun.

    Args:
        source: it, where it was just looked at.

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
    if source is None:
        source = yield core.work(lambda: _again(Path(found[1]), found[2]))
    uploading = _Uploading(files, source, manifest, progress)
    if manifest.sha256 != UNHASHED:
        yield from uploading.run(log_id, lambda: _post(core, log_id, id_, manifest))
        return
    operation = core.scheduler.start(uploading.run(log_id, uploading.agree))
    try:
        whole = yield from _hashed(core, key, source, manifest)
        yield Until(lambda: uploading.agreed or operation.done)
        if uploading.agreed:
            _post(core, log_id, id_, whole)
        yield Until(lambda: operation.done)
    finally:
        operation.cancel()
    if operation.error is not None:
        raise operation.error


def _hashed(
    core: Core, key: tuple[bytes, bytes], source: Source, manifest: FileManifest
) -> Flow[FileManifest]:
    """The manifest with the hash of the whole, written down."""
    digest = yield core.work(lambda: _hash(source))
    whole = msgspec.structs.replace(manifest, sha256=digest)
    with core.db.transaction():
        core.db.run(
            "UPDATE files SET manifest = ? WHERE log_id = ? AND id = ?",
            encode_content(whole), *key,
        )  # fmt: skip
    return whole


class _Uploading:
    """One upload, as often as it takes."""

    def __init__(
        self, files: Files, source: Source, manifest: FileManifest, progress: Progress
    ) -> None:
        self._files, self._source, self._manifest = files, source, manifest
        self._progress = progress
        self.agreed = False
        """The server takes it."""

    def agree(self) -> None:
        """The server has said so."""
        self.agreed = True

    def run(self, log_id: bytes, agreed: Callable[[], None]) -> Flow[None]:
        """Announce it and send what is missing, until the server has all.

        Args:
            agreed: called whenever the server has said that it takes it.
        """
        core, lines, manifest = self._files.core, self._files.lines, self._manifest
        layout = Layout.of(manifest.size)
        announce = m.BlobCreate(
            manifest.blob_id, log_id, layout.blob_bytes, layout.segment_cipher_bytes
        )
        fruitless, before = 0, -1
        while True:
            state = yield core.ask(announce)
            if not isinstance(state, m.BlobState):
                raise ProtocolError("the server answered an upload with something else")
            agreed()
            self._progress(min(state.segments * SEGMENT_BYTES, manifest.size), manifest.size)
            if state.complete:
                return
            fruitless, before = (0 if state.segments > before else fruitless + 1), state.segments
            upload = _Upload(self._source, manifest, layout, state.segments)
            try:
                yield from lines.move(partial(upload.run, Meter(core, self._progress).done))
            except (Unreachable, Refused) as error:
                # What the server had not completed is gone; it says where to go on.
                yield from lines.again(error, fruitless)


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


class _Upload:
    """What is to be sent of a file; runs in a thread."""

    def __init__(self, source: Source, manifest: FileManifest, layout: Layout, first: int) -> None:
        self._source, self._manifest = source, manifest
        self._layout, self._first = layout, first
        self._buffers = filecipher.Buffers()

    def run(self, done: Callable[[int, int], None], line: FileLine) -> None:
        """Send every segment that is missing; when this returns they are on the server's disk.

        Args:
            done: told how many bytes of how many are.
        """
        layout, unanswered = self._layout, 0
        with self._source.reading(self._first * SEGMENT_BYTES) as fill:
            for segment in range(self._first, layout.segments):
                last = segment + 1 == layout.segments
                self._send(line, segment, fill, last=last)
                unanswered += 1
                while unanswered > (0 if last else m.MAX_UNANSWERED_PUTS - 1):
                    line.answer()
                    unanswered -= 1
                    whole = (segment + 1 - unanswered) * SEGMENT_BYTES
                    done(min(whole, layout.size), layout.size)

    def _send(
        self, line: FileLine, segment: int, fill: Callable[[memoryview], int], *, last: bool
    ) -> None:
        manifest, layout = self._manifest, self._layout
        self._source.check()
        left = max(0, min(SEGMENT_BYTES, layout.size - segment * SEGMENT_BYTES))

        def next_bytes(view: memoryview) -> int:
            nonlocal left
            count = fill(view[: min(left, len(view))]) if left else 0
            left -= count
            if left and count < len(view):
                raise FileProblem(f"{self._source.path} was changed while it was being sent")
            return count

        length = filecipher.cipher_bytes(layout.plain_bytes(segment))
        line.put(manifest.blob_id, segment, length, last=last)
        for piece in filecipher.encrypt_parts(
            manifest.key, manifest.blob_id, segment, layout, next_bytes, self._buffers
        ):
            length -= len(piece)
            if not length:
                # It counts when it is all there: not what changed under our hands.
                self._source.check()
            line.send(piece)


def _again(path: Path, mark: str) -> Source:
    """What was to be sent, if it still is what it was."""
    with _as_problem():
        source = look_at(path)
        _compare(path, source.mark, mark)
    return source


def _check_unchanged(source: Source) -> None:
    """Twice a segment: not all that `look_at` looks at."""
    with _as_problem(), _readable(source.path):
        _compare(source.path, file_mark(source.path.stat()), source.mark)


def _compare(path: Path, now: str, mark: str) -> None:
    if now != mark:
        raise FileProblem(f"{path} was changed while it was being sent")


@contextmanager
def _as_problem() -> Iterator[None]:
    try:
        yield
    except (NotFound, Usage) as error:
        raise FileProblem(str(error)) from None
