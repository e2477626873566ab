"""Messages of blobs: the ciphertext of a file, written and read in parts of whole segments."""

from typing import Annotated

from msgspec import Meta

from .fields import MAX_BLOB_CHUNK_BYTES, Count, Id, Message


class BlobCreate(Message, frozen=True):
    """Announce a blob; answered by `BlobState`, also when it exists (then: go on there)."""

    blob_id: Id
    log_id: Id
    size: Count
    segment_bytes: Annotated[int, Meta(ge=1024, le=64 * 1024 * 1024)]


class BlobState(Message, frozen=True):
    """Which segments of a blob are on the server's disk."""

    blob_id: Id
    size: Count
    segment_bytes: Count
    segments: Count
    """How many leading segments are whole."""
    complete: bool


class BlobPut(Message, frozen=True):
    """Write a part. Answered by `Ok`; where it ends a segment, after that is on disk."""

    blob_id: Id
    offset: Count
    data: Annotated[bytes, Meta(min_length=1, max_length=MAX_BLOB_CHUNK_BYTES)]


class BlobStat(Message, frozen=True):
    """Ask for a blob's state; answered by `BlobState`."""

    blob_id: Id


class BlobGet(Message, frozen=True):
    """Read a part of whole segments; answered by `BlobData`, or NOT_YET past their end."""

    blob_id: Id
    offset: Count
    length: Annotated[int, Meta(ge=1, le=MAX_BLOB_CHUNK_BYTES)]


class BlobData(Message, frozen=True):
    """Answer to `BlobGet`."""

    blob_id: Id
    offset: Count
    data: bytes


class BlobDelete(Message, frozen=True):
    """The uploader withdraws a blob."""

    blob_id: Id
