"""Blobs as plain files: `blobs/ab/<id in hex>`, where `ab` are the id's first two digits.

A few file handles stay open, since a transfer is thousands of small reads or writes of one file.
"""

import os
import shutil
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from chatsecure.bulk import BINARY, delete, give_back, sync_data
from chatsecure.server.store.base import StoreFull
from chatsecure.wire.errors import ErrorCode, Refused
from chatsecure.wire.messages import ID_BYTES

MAX_HANDLES = 64


@contextmanager
def _keeping() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreFull(f"the server cannot keep the file: {error.strerror}") from error


class DiskBlob:
    """Implements `base.Blob`: one file handle, for all who use it."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.users = 0
        self.dropped = False
        """It was deleted: the last user gives the bytes back."""

    def write(self, offset: int, data: bytes | memoryview) -> None:
        """See `base.Blob`.

        Raises:
            StoreFull: the disk is full or cannot be written to.
        """
        view = memoryview(data)
        with _keeping():
            while view:
                done = _pwrite(self.fd, view, offset)
                offset, view = offset + done, view[done:]

    def read_into(self, offset: int, view: memoryview) -> None:
        """See `base.Blob`.

        Raises:
            Refused: it is shorter than it should be.
        """
        while view:
            count = _pread(self.fd, view, offset)
            if not count:
                raise Refused(ErrorCode.NOT_FOUND, "a part of this file is missing here")
            offset, view = offset + count, view[count:]

    def let_go(self, offset: int, length: int) -> None:
        """See `base.Blob`. Elsewhere than on Linux the system does without this."""
        if hasattr(os, "posix_fadvise"):
            with suppress(OSError):
                os.posix_fadvise(self.fd, offset, length, os.POSIX_FADV_DONTNEED)


if hasattr(os, "preadv"):

    def _pwrite(fd: int, data: memoryview, offset: int) -> int:
        return os.pwrite(fd, data, offset)

    def _pread(fd: int, view: memoryview, offset: int) -> int:
        return os.preadv(fd, [view], offset)

else:
    _seek = threading.Lock()

    def _pwrite(fd: int, data: memoryview, offset: int) -> int:
        with _seek:
            os.lseek(fd, offset, os.SEEK_SET)
            return os.write(fd, data)

    def _pread(fd: int, view: memoryview, offset: int) -> int:
        with _seek:
            os.lseek(fd, offset, os.SEEK_SET)
            data = os.read(fd, len(view))
        view[: len(data)] = data
        return len(data)


class DiskBlobs:
    """Implements `base.BlobStore`.

    Args:
        folder: made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._handles: OrderedDict[bytes, DiskBlob] = OrderedDict()
        self._nameless: set[bytes] = set()
        """Those whose names are not surely on disk."""
        folder.mkdir(mode=0o700, exist_ok=True)

    def _path(self, blob_id: bytes) -> Path:
        name = blob_id.hex()
        return self._folder / name[:2] / name

    # --- handles ------------------------------------------------------------------------------

    @contextmanager
    def open(self, blob_id: bytes, *, create: bool = False) -> Iterator[DiskBlob]:
        """See `base.BlobStore`.

        Raises:
            Refused: there is no such blob.
            StoreFull: a new one cannot be made.
        """
        with self._lock:
            handle = self._handles.get(blob_id)
            if handle is None:
                handle = self._handles[blob_id] = self._new(blob_id, create=create)
            self._handles.move_to_end(blob_id)
            handle.users += 1
            self._trim()
        try:
            yield handle
        finally:
            with self._lock:
                handle.users -= 1
                last = handle.dropped and not handle.users
            if last:
                give_back(handle.fd)
                if os.name == "nt":
                    # What is open keeps its name there.
                    with suppress(OSError):
                        self._path(blob_id).unlink()

    def _new(self, blob_id: bytes, *, create: bool) -> DiskBlob:
        path = self._path(blob_id)
        with _keeping():
            try:
                return DiskBlob(os.open(path, os.O_RDWR | BINARY))
            except FileNotFoundError:
                if not create:
                    missing = "there is no such file on this server"
                    raise Refused(ErrorCode.NOT_FOUND, missing) from None
            path.parent.mkdir(mode=0o700, exist_ok=True)
            fd = os.open(path, os.O_RDWR | os.O_CREAT | BINARY, 0o600)
            self._nameless.add(blob_id)
            return DiskBlob(fd)

    def _trim(self) -> None:
        idle = (id_ for id_, handle in list(self._handles.items()) if not handle.users)
        while len(self._handles) > MAX_HANDLES:
            id_ = next(idle, None)
            if id_ is None:
                return
            os.close(self._handles.pop(id_).fd)

    def sync(self, blob_id: bytes) -> None:
        """See `base.BlobStore`.

        Raises:
            Refused: there is no such blob.
            StoreFull: the disk is full or cannot be written to.
        """
        with self.open(blob_id) as blob, _keeping():
            sync_data(blob.fd)
            if blob_id in self._nameless:
                _sync_folder(self._path(blob_id).parent)
                _sync_folder(self._folder)
                self._nameless.discard(blob_id)

    # --- the rest -----------------------------------------------------------------------------

    @contextmanager
    def kept(self, blob_id: bytes) -> Iterator[Path]:
        """The file of a blob, for a reader of its own; opened in here it stays whole, whoever
        deletes it meanwhile.

        Raises:
            Refused: there is no such blob.
        """
        with self.open(blob_id):
            yield self._path(blob_id)

    def delete(self, blob_id: bytes) -> None:
        """See `base.BlobStore`. The name goes at once, the bytes when nobody reads them."""
        path = self._path(blob_id)
        with suppress(OSError):
            with self._lock:
                self._nameless.discard(blob_id)
                handle = self._handles.pop(blob_id, None)
                if handle is not None and handle.users:
                    handle.dropped = True
                    path.unlink()
                    return
                if handle is not None:
                    os.close(handle.fd)
                rest = delete(path)
            rest()

    def ids(self) -> Iterator[bytes]:
        """See `base.BlobStore`."""
        for path in self._folder.glob("??/*"):
            if len(path.name) == ID_BYTES * 2:
                with suppress(ValueError):
                    yield bytes.fromhex(path.name)

    def free(self) -> int:
        """See `base.BlobStore`."""
        return shutil.disk_usage(self._folder).free

    def close(self) -> None:
        """Close all handles."""
        with self._lock:
            for handle in self._handles.values():
                os.close(handle.fd)
            self._handles.clear()


def _sync_folder(path: Path) -> None:
    """Make a new name in a folder durable, where the system lets one."""
    with suppress(OSError):
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
