"""Fetching a file: parts in order, each segment opened, hashed and written beside the core.

Bytes go to a hidden temporary file. From time to time it is brought to disk, and how far that
was is written down. After a crash we go on at the end of what the file holds; should the hash of
the whole then differ (a machine that lost its power), once more from what was surely on disk.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chatsecure.client.content import FileManifest
from chatsecure.client.flow import Flow, Ticket, Work
from chatsecure.client.flows import pause
from chatsecure.crypto import filecipher
from chatsecure.crypto.filecipher import SEGMENT_BYTES, Layout
from chatsecure.wire import messages as m
from chatsecure.wire.errors import ErrorCode, ProtocolError, Refused

from .disk import FileProblem, check_room

if TYPE_CHECKING:
    from chatsecure.client.core import Core

    from .transfers import Files

UNDER_WAY_BYTES = 4 * 1024 * 1024
"""What is asked for ahead: enough to fill the line."""
SYNC_SEGMENTS = 16
"""Segments after which what was written is brought to disk and noted down."""
NOT_YET_MS = 300


class Part:
    """The temporary file; its methods but `close` run in a thread, one after the other."""

    def __init__(self, path: Path, manifest: FileManifest) -> None:
        self.path = path
        self._manifest = manifest
        self._layout = Layout.of(manifest.size)
        self._lock = threading.Lock()
        self._digest = sha256()
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        self._file = os.fdopen(descriptor, "r+b", buffering=0)

    def whole_segments(self) -> int:
        """How many segments the file holds, by its length."""
        there = os.fstat(self._file.fileno()).st_size
        if there >= self._layout.size:
            return self._layout.segments
        return there // SEGMENT_BYTES

    def keep(self, segments: int) -> None:
        """Begin after this many segments: drop what follows, hash what is there."""
        with self._lock:
            length = min(segments * SEGMENT_BYTES, self._layout.size)
            self._file.truncate(length)
            self._file.seek(0)
            self._digest, buffer = sha256(), bytearray(1024 * 1024)
            while count := self._file.readinto(buffer):
                self._digest.update(memoryview(buffer)[:count])

    def add(self, segment: int, chunks: list[bytes]) -> None:
        """Open, hash and write the next segment.

        Raises:
            CannotOpen: it was changed, cut, or belongs elsewhere.
        """
        manifest, layout = self._manifest, self._layout
        with self._lock:
            left = max(0, layout.size - segment * SEGMENT_BYTES)
            for plain in filecipher.decrypt_parts(
                manifest.key, manifest.blob_id, segment, layout, chunks
            ):
                data = plain[:left]
                left -= len(data)
                self._digest.update(data)
                while data:
                    data = data[self._file.write(data) :]

    def sync(self) -> None:
        """What was written is on disk when this returns."""
        with self._lock:
            os.fsync(self._file.fileno())

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
    core, layout = files.core, Layout.of(manifest.size)
    part: Part = yield core.work(lambda: Part(path, manifest))
    try:
        first = max(part.whole_segments(), 0)
        recorded = min(recorded, first)
        for start in dict.fromkeys((first, recorded)):
            check_room(path.parent, manifest.size - start * SEGMENT_BYTES)
            yield core.work(lambda start=start: part.keep(start))  # type: ignore[misc]
            yield from _Fetching(files, key, manifest, layout, part, start).run()
            if part.digest == manifest.sha256:
                return
    finally:
        part.close()
    path.unlink(missing_ok=True)
    raise FileProblem("what arrived is not the file that was announced (SHA-256 differs)")


class _Fetching:
    """One run from a segment to the end."""

    def __init__(
        self,
        files: Files,
        key: tuple[bytes, bytes],
        manifest: FileManifest,
        layout: Layout,
        part: Part,
        first: int,
    ) -> None:
        self._files, self._core, self._key = files, files.core, key
        self._manifest, self._layout, self._part = manifest, layout, part
        self._asked: deque[Ticket] = deque()
        self._under_way = 0
        self._segment, self._offset = first, 0
        """What is asked for next."""
        self._first = self._synced = first
        self._writing: Work | None = None

    def run(self) -> Flow[None]:
        """Fetch, write, note down."""
        layout = self._layout
        for segment in range(self._first, layout.segments):
            chunks = yield from self._collect(segment)
            yield from self._written()
            self._writing = self._core.work(
                lambda segment=segment, chunks=chunks: self._part.add(segment, chunks)  # type: ignore[misc]
            )
            if segment + 1 - self._synced >= SYNC_SEGMENTS:
                yield from self._note(segment + 1)
        yield from self._note(layout.segments)

    def _written(self) -> Flow[None]:
        if self._writing is not None:
            yield self._writing
            self._writing = None

    def _note(self, segments: int) -> Flow[None]:
        """Bring what was written to disk, then write down how far that is."""
        yield from self._written()
        yield self._core.work(self._part.sync)
        self._synced = segments
        if segments < self._layout.segments:
            self._files.segments(self._key, segments)

    def _ask_ahead(self) -> None:
        while self._segment < self._layout.segments and self._under_way < UNDER_WAY_BYTES:
            length = filecipher.cipher_bytes(self._layout.plain_bytes(self._segment))
            size = min(self._files.part_bytes, length - self._offset)
            start = self._segment * self._layout.segment_cipher_bytes + self._offset
            self._asked.append(self._core.ask(m.BlobGet(self._manifest.blob_id, start, size)))
            self._offset += size
            self._under_way += size
            if self._offset == length:
                self._segment, self._offset = self._segment + 1, 0

    def _collect(self, segment: int) -> Flow[list[bytes]]:
        """The chunks of one segment, as they come."""
        missing = filecipher.cipher_bytes(self._layout.plain_bytes(segment))
        done, size = segment * SEGMENT_BYTES, self._layout.size
        chunks: list[bytes] = []
        while missing:
            self._ask_ahead()
            data = yield from self._answer(self._asked.popleft())
            chunks.append(data)
            self._under_way -= len(data)
            self._files.moved(len(data))
            missing -= len(data)
            done += len(data)
            self._files.progress(self._key, "receiving", min(done, size))
        return chunks

    def _answer(self, ticket: Ticket) -> Flow[bytes]:
        while True:
            old = ticket.done
            try:
                reply: Any = yield ticket
                break
            except Refused as error:
                if error.code is not ErrorCode.NOT_YET:
                    raise
                self._files.stalled(self._key)
                if not old:
                    yield from pause(self._core, NOT_YET_MS)
                ticket = self._core.ask(ticket.message)
        self._files.goes_on(self._key)
        if (
            not isinstance(reply, m.BlobData)
            or not isinstance(ticket.message, m.BlobGet)
            or len(reply.data) != ticket.message.length
        ):
            raise ProtocolError("the server answered with another part of a file")
        return reply.data


def is_whole(core: Core, path: Path, manifest: FileManifest) -> Flow[bool]:
    """Whether a file on disk is the one of the manifest."""
    if not path.is_file() or path.stat().st_size != manifest.size:
        return False

    def compare() -> bool:
        with path.open("rb") as file:
            import hashlib

            return hashlib.file_digest(file, "sha256").digest() == manifest.sha256

    return bool((yield core.work(compare)))
