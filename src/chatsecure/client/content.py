"""What is inside a message: the content that only members see.

A content is a tagged MessagePack array, padded to a size bucket before it is encrypted, so that
the length of a ciphertext tells little. Kinds this version does not know are kept and shown as
unknown; a newer sender loses nothing.

`EntryHeader` travels as MLS authenticated data beside the ciphertext: it ties the ciphertext to
its place (append id, kind, epoch) and says which part of the log its sender had seen.
"""

from enum import IntEnum
from hashlib import sha256
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from chatsecure.wire.errors import ChatSecureError
from chatsecure.wire.messages import MAX_TEXT_BYTES, Count, EntryKind, Hash, Id, Name

T = TypeVar("T")
CONTENT_VERSION = 1
MAX_FILE_NAME_BYTES = 1024
MAX_THUMBNAIL_BYTES = 32 * 1024
PADDING_BUCKETS = (64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536)
"""Plaintext lengths; above the last one, multiples of it."""

Text = Annotated[str, Meta(max_length=MAX_TEXT_BYTES)]


class BadContent(ChatSecureError):
    """What a member sent does not decode."""


class Content(msgspec.Struct, array_like=True, frozen=True, tag_field="kind"):
    """Base of all contents."""


class Text1(Content, frozen=True, tag=1):
    """A message."""

    text: Text
    reply_to: Id | None = None
    mentions: Annotated[list[Name], Meta(max_length=64)] = []
    action: bool = False
    """`/me`: the sender does something."""


class Edit(Content, frozen=True, tag=2):
    """A new text for one of the sender's own messages."""

    of: Id
    text: Text


class Delete(Content, frozen=True, tag=3):
    """The sender takes one of their own messages back."""

    of: Id


class Reaction(Content, frozen=True, tag=4):
    """An emoji on a message; empty takes the sender's reaction back."""

    of: Id
    emoji: Annotated[str, Meta(max_length=32)]


class FileManifest(Content, frozen=True, tag=5):
    """A file: where its ciphertext lies and how to open and check it (issue: files)."""

    blob_id: Id
    name: Annotated[str, Meta(min_length=1, max_length=MAX_FILE_NAME_BYTES)]
    size: Count
    sha256: Hash
    key: Hash
    mime: Annotated[str, Meta(max_length=100)] = ""
    thumbnail: Annotated[bytes, Meta(max_length=MAX_THUMBNAIL_BYTES)] = b""
    folder: bool = False
    """The file is a tar archive of a folder of this name."""


class FileReceipt(msgspec.Struct, array_like=True, frozen=True):
    """A file arrived whole: the hash of what was written to disk."""

    message_id: Id
    sha256: Hash


class Receipt(Content, frozen=True, tag=6):
    """What the sender's device has of this conversation."""

    delivered: Count
    """Every entry up to this sequence number is safely on the device."""
    read: Count
    """Every entry up to this one was shown."""
    files: Annotated[list[FileReceipt], Meta(max_length=256)] = []


class Typing(Content, frozen=True, tag=7):
    """The sender is writing (sent unstored)."""

    active: bool = True


class Leave(Content, frozen=True, tag=8):
    """The sender's device leaves; any member may now remove it with this statement."""

    signature: Annotated[bytes, Meta(min_length=64, max_length=64)]
    """By the device key over `leave_statement`."""


class Status(Content, frozen=True, tag=9):
    """The sender is away, or back."""

    away: bool
    text: Annotated[str, Meta(max_length=200)] = ""


class FileFate(IntEnum):
    """What becomes of a file for whoever says so."""

    DECLINED = 1
    CANCELLED = 2
    FAILED = 3


class FileNote(Content, frozen=True, tag=10):
    """The sender does not get a file, or, where it is the sender's own, takes it back."""

    of: Id
    fate: FileFate
    reason: Annotated[str, Meta(max_length=200)] = ""


LAST_TAG = 10


class Unknown(msgspec.Struct, frozen=True):
    """A content of a kind that this version does not know, as it came."""

    tag: int
    body: bytes


AnyContent = (
    Text1 | Edit | Delete | Reaction | FileManifest | Receipt | Typing | Leave | Status | FileNote
)

_DECODER = msgspec.msgpack.Decoder(AnyContent)
_ENCODER = msgspec.msgpack.Encoder()


def _bucket(length: int) -> int:
    for bucket in PADDING_BUCKETS:
        if length <= bucket:
            return bucket
    last = PADDING_BUCKETS[-1]
    return -(-length // last) * last


def encode_content(content: AnyContent) -> bytes:
    """Version byte, 4-byte length, MessagePack body, zero padding up to a bucket."""
    body = _ENCODER.encode(content)
    head = bytes((CONTENT_VERSION,)) + len(body).to_bytes(4, "big")
    return (head + body).ljust(_bucket(len(body) + 5), b"\0")


def decode_content(data: bytes) -> AnyContent | Unknown:
    """The content in a decrypted message.

    Raises:
        BadContent: it is not one.
    """
    if len(data) < 5:
        raise BadContent("a message is too short to hold anything")
    length = int.from_bytes(data[1:5], "big")
    body = data[5 : 5 + length]
    if len(body) != length:
        raise BadContent("a message is cut short")
    if data[0] != CONTENT_VERSION:
        return Unknown(tag=-data[0], body=body)
    try:
        content: AnyContent = _DECODER.decode(body)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        tag = _unknown_tag(body)
        if tag is None:
            raise BadContent(f"a message does not decode: {error}") from None
        return Unknown(tag=tag, body=body)
    return content


def _unknown_tag(body: bytes) -> int | None:
    """The tag of a well-formed content of a kind unknown to us."""
    try:
        parts: Any = msgspec.msgpack.decode(body)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return None
    if isinstance(parts, list) and parts and isinstance(parts[0], int) and parts[0] > LAST_TAG:
        return parts[0]
    return None


class LeaverProof(msgspec.Struct, array_like=True, frozen=True):
    """The statement by which a device left, carried by the commit that removes it."""

    device_id: Id
    signature: bytes


class EntryHeader(msgspec.Struct, array_like=True, frozen=True):
    """Authenticated beside the ciphertext; holds nothing the server does not know."""

    append_id: Id
    kind: EntryKind
    epoch: Count
    seen_seq: Count = 0
    """The sender had processed the log up to here; 0: nothing to say."""
    seen_chain: bytes = b""
    leavers: Annotated[list[LeaverProof], Meta(max_length=64)] = []


def _decode(decoder: msgspec.msgpack.Decoder[T], data: bytes, what: str) -> T:
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise BadContent(f"{what} does not decode: {error}") from None


_HEADER_DECODER = msgspec.msgpack.Decoder(EntryHeader)


def encode_header(header: EntryHeader) -> bytes:
    """The bytes for MLS authenticated data."""
    return _ENCODER.encode(header)


def decode_header(data: bytes) -> EntryHeader:
    """The header in MLS authenticated data.

    Raises:
        BadContent: it is not one.
    """
    return _decode(_HEADER_DECODER, data, "a message's header")


def leave_statement(log_id: bytes, device_id: bytes, leaf_key: bytes) -> bytes:
    """What a device signs when it leaves a conversation.

    Args:
        leaf_key: of its leaf. Who comes back has another, so that no old statement puts them out.
    """
    return b"chatsecure leave v2\0" + log_id + device_id + sha256(leaf_key).digest()


def rejoin_statement(log_id: bytes, device_id: bytes, append_id: bytes) -> bytes:
    """What a device signs that asks to be added to a conversation anew."""
    return b"chatsecure rejoin v1\0" + log_id + device_id + append_id


class Invitation(msgspec.Struct, array_like=True, frozen=True):
    """What lies sealed in a device's inbox: the way into a conversation (design D7)."""

    log_id: Id
    epoch: Count
    """The log's epoch after the commit that adds the device."""
    welcome: bytes
    version: int = 1


_INVITATION_DECODER = msgspec.msgpack.Decoder(Invitation)


def encode_invitation(invitation: Invitation) -> bytes:
    """The plaintext of an inbox item."""
    return _ENCODER.encode(invitation)


def decode_invitation(data: bytes) -> Invitation:
    """The invitation in an opened inbox item.

    Raises:
        BadContent: it is not one.
    """
    return _decode(_INVITATION_DECODER, data, "an invitation")
