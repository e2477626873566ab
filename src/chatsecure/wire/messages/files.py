"""Messages of files: blobs are announced and asked after on the line, and moved, a whole segment
at a time, on file connections. What follows a `BlobPut` or `BlobData` is raw bytes, in no frame.
"""

from typing import Annotated

from msgspec import Meta

from .fields import MAX_SEGMENT_BYTES, Count, Id, Message, Nonce

FILE_PREAMBLE = b"F"
"""What a file connection begins with, before TLS, whose own first byte is another."""

Length = Annotated[int, Meta(ge=1, le=MAX_SEGMENT_BYTES)]


class BlobCreate(Message, frozen=True):
    """Announce a blob; answered by `BlobState`, also when it exists (then: go on there)."""

    blob_id: Id
    log_id: Id
    size: Count
    segment_bytes: Annotated[int, Meta(ge=1024, le=MAX_SEGMENT_BYTES)]


class BlobState(Message, frozen=True):
    """Which segments of a blob are on the server's disk."""

    blob_id: Id
    size: Count
    segment_bytes: Count
    segments: Count
    """How many leading segments are whole."""
    complete: bool


class BlobStat(Message, frozen=True):
    """Ask for a blob's state; answered by `BlobState`."""

    blob_id: Id
    beyond: Count | None = None
    """Answer as soon as more leading segments than this are whole, or after a while."""


class BlobDelete(Message, frozen=True):
    """The uploader withdraws a blob."""

    blob_id: Id


class GetFileTicket(Message, frozen=True):
    """Ask for a ticket to open a file connection; answered by `FileTicket`."""


class FileTicket(Message, frozen=True):
    """Good once, for a short while, and as long as this connection stands."""

    ticket: Nonce


# --- on a file connection --------------------------------------------------------------------


class FileHello(Message, frozen=True):
    """First message of a file connection; answered by `Ok` or `Error`."""

    ticket: Nonce


class BlobPut(Message, frozen=True):
    """One whole segment: so many raw bytes follow. Answered by `Ok` when they are on disk."""

    blob_id: Id
    segment: Count
    length: Length
    last: bool
    """Nothing more is sent until all is answered."""


class BlobGet(Message, frozen=True):
    """Read a run of segments: answered by a `BlobData` for each, or `Error` for the rest."""

    blob_id: Id
    segment: Count
    count: Annotated[int, Meta(ge=1, le=2**32 - 1)]


class BlobData(Message, frozen=True):
    """One whole segment: so many raw bytes follow."""

    segment: Count
    length: Length
