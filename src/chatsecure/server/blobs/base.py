"""The blob store's interface: bytes at an offset, by id. May be called from many threads."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol


class Blob(Protocol):
    """A blob that is open."""

    def write(self, offset: int, data: bytes | memoryview) -> None:
        """Write a part."""

    def read_into(self, offset: int, view: memoryview) -> None:
        """Fill a buffer with a part that was written."""

    def let_go(self, offset: int, length: int) -> None:
        """A part that is on disk will hardly be read again soon: no memory is to be kept for it."""


class BlobStore(Protocol):
    """Keeps the bytes of blobs; who may do what is decided elsewhere."""

    def open(self, blob_id: bytes, *, create: bool = False) -> AbstractContextManager[Blob]:
        """Open a blob for a while; what is deleted meanwhile keeps its bytes as long."""

    def sync(self, blob_id: bytes) -> None:
        """What was written is on disk when this returns."""

    def delete(self, blob_id: bytes) -> None:
        """Delete a blob; none is no error."""

    def ids(self) -> Iterator[bytes]:
        """The blobs there are."""

    def free(self) -> int:
        """Bytes of room left on the disk."""
