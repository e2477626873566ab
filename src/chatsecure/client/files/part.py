"""The hidden temporary file that a file is fetched into."""

from __future__ import annotations

import mmap
import os
import threading
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from chatsecure.bulk import BINARY, sync_data
from chatsecure.client.content import FileManifest
from chatsecure.crypto import filecipher
from chatsecure.crypto.filecipher import SEGMENT_BYTES, Layout

HASH_BYTES = 256 * 1024
DIRECT_BYTES = 64 * 1024 * 1024
"""Files from this size on are written past the system's memory, where it can be: that costs a
quarter of the processor time, and other programs' pages stay where they are. (An archive is
unpacked at once, so it had better be in memory.)"""
SYNC_SEGMENTS, SYNC_DIRECT = 2, 16
_DIRECT = getattr(os, "O_DIRECT", 0)


class Part:
    """A file that grows by whole segments. One thread may be in `open` while another is in
    `add` or `sync`."""

    def __init__(self, path: Path, manifest: FileManifest) -> None:
        self.path = path
        self.manifest = manifest
        self.layout = Layout.of(manifest.size)
        self._lock = threading.Lock()
        self._digest = sha256()
        self._rooms: list[memoryview] = []
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | BINARY, 0o600)
        self._file = os.fdopen(descriptor, "r+b", buffering=0)
        self._direct = -1
        if _DIRECT and manifest.size >= DIRECT_BYTES and not manifest.folder:
            self._direct = _open_direct(path)

    def whole_segments(self) -> int:
        """How many segments the file holds, by its length."""
        there = os.fstat(self._file.fileno()).st_size
        if there >= self.layout.size:
            return self.layout.segments
        return there // SEGMENT_BYTES

    @property
    def step(self) -> int:
        """After how many segments it is to be brought to disk. Few where the system holds them in
        memory: while a disk takes much at once, it makes whoever writes a message wait."""
        return SYNC_DIRECT if self._direct >= 0 else SYNC_SEGMENTS

    def keep(self, segments: int) -> None:
        """Begin after this many segments: drop what follows, hash what is there."""
        with self._lock:
            length = min(segments * SEGMENT_BYTES, self.layout.size)
            self._file.truncate(length)
            self._file.seek(0)
            self._digest, buffer = sha256(), memoryview(bytearray(HASH_BYTES))
            while count := self._file.readinto(buffer):
                self._digest.update(buffer[:count])

    def open(self, segment: int, pieces: Iterable[memoryview]) -> memoryview:
        """A segment's plaintext, from its ciphertext as it comes. It is good until the second next
        call.

        Raises:
            CannotOpen: it was changed, cut, or belongs elsewhere.
        """
        manifest, layout = self.manifest, self.layout
        if len(self._rooms) < 2:
            # A map begins at a page, as writing past the memory wants it.
            largest = filecipher.opened_bytes(layout.plain_bytes(0))
            self._rooms.append(memoryview(mmap.mmap(-1, largest)))
        else:
            self._rooms.reverse()
        return filecipher.decrypt_into(
            self._rooms[-1], manifest.key, manifest.blob_id, segment, layout, pieces
        )

    def add(self, segment: int, data: memoryview) -> None:
        """Write and hash the plaintext of the next segment."""
        with self._lock:
            at = segment * SEGMENT_BYTES
            left = data[self._write_direct(at, data) :]
            self._file.seek(at + len(data) - len(left))
            while left:
                left = left[self._file.write(left) :]
            self._digest.update(data)

    def _write_direct(self, at: int, data: memoryview) -> int:
        """Write a whole segment past the memory, if that can be; how much of it was."""
        if self._direct < 0 or len(data) != SEGMENT_BYTES:
            return 0
        try:
            return os.pwrite(self._direct, data, at)
        except OSError:
            # Not this way: the other one works, or says what is wrong.
            self._close_direct()
            return 0

    def sync(self) -> None:
        """What was written is on disk when this returns."""
        with self._lock:
            sync_data(self._file.fileno())

    @property
    def digest(self) -> bytes:
        """The SHA-256 of what was written."""
        return self._digest.digest()

    def close(self) -> None:
        """Let go of the file; waits for a thread that writes just now."""
        with self._lock:
            self._file.close()
            self._close_direct()

    def _close_direct(self) -> None:
        if self._direct >= 0:
            os.close(self._direct)
            self._direct = -1


def _open_direct(path: Path) -> int:
    try:
        return os.open(path, os.O_WRONLY | _DIRECT)
    except OSError:
        return -1  # Some file systems cannot do this.
