"""Fetching a file: parts in order, each segment opened, hashed and written beside the core.

Bytes go to a hidden temporary file. From time to time it is brought to disk, and how far that
was is written down. After a crash we go on at the end of what the file holds; should the hash of
the whole then differ (a machine that lost its power), once more from what was surely on disk.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from chatsecure.client.content import FileManifest
from chatsecure.client.flow import Flow
from chatsecure.crypto import filecipher
from chatsecure.crypto.filecipher import SEGMENT_BYTES, Layout
from chatsecure.wire import messages as m
from chatsecure.wire.errors import Refused, Unreachable

from .disk import FileProblem, check_room
from .line import FileLine
from .meter import Meter

if TYPE_CHECKING:
    from chatsecure.client.core import Core

    from .transfers import Files

SYNC_SEGMENTS = 2
"""Segments after which what was written is brought to disk and noted down. Few: while a disk takes
much at once, it makes whoever writes a message wait."""
_sync_data = getattr(os, "fdatasync", os.fsync)
"""The bytes and what it takes to find them, not the times."""


class Part:
    """The temporary file; its methods but `close` run in a thread, one after the other."""

    def __init__(self, path: Path, manifest: FileManifest) -> None:
        self.path = path
        self.manifest = manifest
        self.layout = Layout.of(manifest.size)
        self._lock = threading.Lock()
        self._digest = sha256()
        self._buffers = filecipher.Buffers()
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        self._file = os.fdopen(descriptor, "r+b", buffering=0)

    def whole_segments(self) -> int:
        """How many segments the file holds, by its length."""
        there = os.fstat(self._file.fileno()).st_size
        if there >= self.layout.size:
            return self.layout.segments
        return there // SEGMENT_BYTES

    def keep(self, segments: int) -> None:
        """Begin after this many segments: drop what follows, hash what is there."""
        with self._lock:
            length = min(segments * SEGMENT_BYTES, self.layout.size)
            self._file.truncate(length)
            self._file.seek(0)
            self._digest, buffer = sha256(), memoryview(bytearray(256 * 1024))
            while count := self._file.readinto(buffer):
                self._digest.update(buffer[:count])

    def add(self, segment: int, pieces: Iterator[memoryview]) -> None:
        """Open, hash and write the next segment, as its ciphertext comes.

        Raises:
            CannotOpen: it was changed, cut, or belongs elsewhere.
        """
        manifest, layout = self.manifest, self.layout
        with self._lock:
            before = self._digest.copy()
            try:
                left = max(0, layout.size - segment * SEGMENT_BYTES)
                for plain in filecipher.decrypt_parts(
                    manifest.key, manifest.blob_id, segment, layout, pieces, self._buffers
                ):
                    data = plain[:left]
                    left -= len(data)
                    self._digest.update(data)
                    while data:
                        data = data[self._file.write(data) :]
            except BaseException:
                # It begins anew, if it ever does.
                self._digest = before
                self._file.seek(min(segment * SEGMENT_BYTES, layout.size))
                self._file.truncate()
                raise

    def sync(self) -> None:
        """What was written is on disk when this returns."""
        with self._lock:
            _sync_data(self._file.fileno())

    @property
    def digest(self) -> bytes:
        """The SHA-256 of what was written."""
        return self._digest.digest()

    def close(self) -> None:
        """Let go of the file; waits for a thread that writes just now."""
        with self._lock:
            self._file.close()


def fetch(
    files: Files, key: tuple[bytes, bytes], manifest: FileManifest, path: Path, recorded: int
) -> Flow[None]:
    """Fetch what is missing of a file into `path`, and check the whole.

    Args:
        recorded: so many segments are surely on disk.

    Raises:
        FileProblem: no room, or it is not the file that was announced.
        CannotOpen: a part is not what the sender sent.
        Refused: the server does not have it.
        OSError: it cannot be written.
    """
    core = files.core
    part: Part = yield core.work(lambda: Part(path, manifest))
    try:
        first = max(part.whole_segments(), 0)
        recorded = min(recorded, first)
        for start in dict.fromkeys((first, recorded)):
            check_room(path.parent, manifest.size - start * SEGMENT_BYTES)
            yield core.work(lambda start=start: part.keep(start))  # type: ignore[misc]
            yield from _fetch(files, key, part, start)
            if part.digest == manifest.sha256:
                return
    finally:
        part.close()
    path.unlink(missing_ok=True)
    raise FileProblem("what arrived is not the file that was announced (SHA-256 differs)")


def _fetch(files: Files, key: tuple[bytes, bytes], part: Part, segment: int) -> Flow[None]:
    """Fetch from a segment to the end, as far and as often as there is more."""
    core, layout, blob_id = files.core, part.layout, part.manifest.blob_id
    meter = Meter(core, lambda done, _: files.progress(key, "receiving", done))

    def noted(count: int) -> None:
        core.post(lambda: files.segments(key, count))

    fruitless = 0
    while segment < layout.segments:
        download = Download(part, segment, meter.done, noted)
        begun = segment
        try:
            yield from files.lines.move(download.run)
        except (Unreachable, Refused) as error:
            segment = download.segment
            fruitless = 0 if segment > begun else fruitless + 1
            yield from files.lines.again(error, fruitless)
            continue
        segment = download.segment
        if segment == begun:
            files.stalled(key)
        else:
            files.goes_on(key)
        if segment < layout.segments:
            # A file connection is not held while its sender stands still.
            yield core.ask(m.BlobStat(blob_id, segment))
    files.goes_on(key)


class Download:
    """A run of segments that is fetched; runs in a thread."""

    def __init__(
        self,
        part: Part,
        segment: int,
        done: Callable[[int, int], None],
        noted: Callable[[int], None],
    ) -> None:
        self._part = part
        self.segment = segment
        """What comes next."""
        self._done, self._noted = done, noted

    def run(self, line: FileLine) -> None:
        """Fetch what there is, write it, bring it to disk now and then."""
        part, layout = self._part, self._part.layout
        synced = self.segment
        line.get(part.manifest.blob_id, self.segment, layout.segments - self.segment)
        while self.segment < layout.segments:
            length = filecipher.cipher_bytes(layout.plain_bytes(self.segment))
            if not line.receive(self.segment, length):
                break
            part.add(self.segment, line.pieces(length))
            self.segment += 1
            self._done(min(self.segment * SEGMENT_BYTES, layout.size), layout.size)
            if self.segment - synced >= SYNC_SEGMENTS and self.segment < layout.segments:
                part.sync()
                synced = self.segment
                self._noted(synced)
        if self.segment == layout.segments:
            part.sync()


def is_whole(core: Core, path: Path, manifest: FileManifest) -> Flow[bool]:
    """Whether a file on disk is the one of the manifest."""
    if not path.is_file() or path.stat().st_size != manifest.size:
        return False

    def compare() -> bool:
        with path.open("rb") as file:
            import hashlib

            return hashlib.file_digest(file, "sha256").digest() == manifest.sha256

    return bool((yield core.work(compare)))
