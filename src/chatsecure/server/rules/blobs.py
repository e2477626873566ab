"""Blobs: who may put, read and delete the ciphertext of files, and how much of it."""

from chatsecure.server.limits import ServerLimits
from chatsecure.server.store.base import BlobRow, Tx
from chatsecure.wire import messages as m
from chatsecure.wire.errors import ErrorCode, Refused

from .who import Who, no_log

MAX_SEGMENTS = 1_000_000


def create_blob(
    tx: Tx, who: Who, message: m.BlobCreate, now: int, limits: ServerLimits, total: int
) -> m.BlobState:
    """Announce a blob, or find out where to go on with it.

    Args:
        total: bytes of all blobs this server keeps at most.
    """
    known = tx.blob(message.blob_id)
    if known is not None:
        if known.user != who.user:
            raise unknown()
        if (known.size, known.segment_bytes) != (message.size, message.segment_bytes):
            raise Refused(ErrorCode.EXISTS, "this file was announced with another size")
        return known.state()
    log = tx.log(message.log_id)
    if log is None:
        raise no_log()
    if not tx.is_member(log.key, who.device):
        raise Refused(ErrorCode.NOT_ALLOWED, "this device is not in that conversation")
    row = BlobRow(
        message.blob_id, log.key, who.user, message.size, message.segment_bytes, 0, log.head, now
    )
    if message.size > limits.blob_bytes:
        raise Refused(ErrorCode.QUOTA, f"a file is at most {limits.blob_bytes} bytes here")
    if row.segments > MAX_SEGMENTS:
        raise Refused(ErrorCode.TOO_MANY, f"a file has at most {MAX_SEGMENTS} segments")
    mine, count, every = tx.blob_usage(who.user)
    if mine + message.size > limits.user_blob_bytes or count >= limits.blobs_per_user:
        raise Refused(ErrorCode.QUOTA, "your files on this server are as many as it allows")
    if every + message.size > total:
        raise Refused(ErrorCode.QUOTA, "the server has no room for this file")
    tx.add_blob(row, now)
    return row.state()


def segment_length(row: BlobRow, segment: int) -> int:
    """How many bytes a segment has."""
    return min(row.segment_bytes, row.size - segment * row.segment_bytes)


def check_put(row: BlobRow | None, who: Who, message: m.BlobPut) -> BlobRow:
    """Whether this segment may be written.

    Raises:
        Refused: and why.
    """
    if row is None or row.user != who.user:
        raise unknown()
    if message.segment >= row.segments:
        raise Refused(ErrorCode.NOT_ALLOWED, "this segment lies behind the file's end")
    if message.length != segment_length(row, message.segment):
        raise Refused(ErrorCode.NOT_ALLOWED, "a segment is sent whole")
    return row


def may_read(tx: Tx, who: Who, blob_id: bytes) -> BlobRow:
    """A blob that this device may read: it is its user's, or the device is in the conversation,
    or was when the blob was made.

    Raises:
        Refused: there is none.
    """
    row = tx.blob(blob_id)
    if row is None:
        raise unknown()
    if row.user != who.user:
        intervals = tx.intervals(row.log, who.device)
        if not any(item.until is None or item.until > row.made_seq for item in intervals):
            raise unknown()
    return row


def to_read(tx: Tx, who: Who, blob_id: bytes) -> tuple[BlobRow, bool]:
    """A blob that this device may read, and whether it is for one other device only.

    Raises:
        Refused: there is none.
    """
    row = may_read(tx, who, blob_id)
    return row, tx.roster_size(row.log) <= 2


def check_get(row: BlobRow, message: m.BlobGet) -> None:
    """Whether there are such segments.

    Raises:
        Refused: NOT_ALLOWED past the file's end.
    """
    if message.segment + message.count > row.segments:
        raise Refused(ErrorCode.NOT_ALLOWED, "these segments lie behind the file's end")


def not_yet() -> Refused:
    """What was asked for has not come."""
    return Refused(ErrorCode.NOT_YET, "this part of the file has not come yet")


def delete_blob(tx: Tx, who: Who, blob_id: bytes) -> m.Ok:
    """The uploader withdraws a blob; one that is gone already is no error."""
    row = tx.blob(blob_id)
    if row is not None:
        if row.user != who.user:
            raise unknown()
        tx.drop_blob(blob_id)
    return m.Ok()


def unknown() -> Refused:
    """There is no such blob, or not for this device."""
    return Refused(ErrorCode.NOT_FOUND, "there is no such file on this server")
