"""The typed bodies of frames: every message of the protocol, its number and its bounds.

Bodies are MessagePack arrays (`msgspec` structs with `array_like`): short, strict on types and
lengths, and open for growth, since further elements of an array are ignored by older readers.
What is signed or hashed travels as bytes and is never encoded again.

Identifiers are 16 bytes. Times are milliseconds since 1970 UTC. Names are as registered.
"""

from enum import IntEnum
from hashlib import sha256
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from .errors import MalformedMessage

PROTOCOL_VERSION = 1
ID_BYTES = 16
MAX_TEXT_BYTES = 64 * 1024
"""Longest text of one message a client may send."""
MAX_PAYLOAD_BYTES = 256 * 1024
"""Longest payload of an entry that is not a commit."""
MAX_COMMIT_BYTES = 4 * 1024 * 1024
"""Longest payload of a commit, a Welcome in an inbox, or a sealed GroupInfo (each)."""
MAX_BLOB_CHUNK_BYTES = 1024 * 1024
"""Most bytes of a file in one frame: a transfer cannot hold up a message for long."""
MAX_ROSTER_CHANGE = 1024
"""Most devices one commit adds or removes."""

Id = Annotated[bytes, Meta(min_length=ID_BYTES, max_length=ID_BYTES)]
Hash = Annotated[bytes, Meta(min_length=32, max_length=32)]
Nonce = Annotated[bytes, Meta(min_length=32, max_length=32)]
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Time = Annotated[int, Meta(ge=0, le=253_402_300_799_999)]
"""Milliseconds since 1970 UTC, up to the end of the year 9999: every one can be shown."""
Name = Annotated[str, Meta(min_length=1, max_length=64)]
Short = Annotated[str, Meta(max_length=200)]
Certificate = Annotated[bytes, Meta(min_length=1, max_length=8192)]
Signature = Annotated[bytes, Meta(min_length=1, max_length=1024)]
Payload = Annotated[bytes, Meta(max_length=MAX_COMMIT_BYTES)]
Mark = Annotated[bytes, Meta(max_length=32)]
Ids = Annotated[list[Id], Meta(max_length=MAX_ROSTER_CHANGE)]


class Message(msgspec.Struct, array_like=True, frozen=True):
    """Base of every message and of the structs inside them."""


class LogKind(IntEnum):
    """What a conversation is, as far as the server has to know."""

    LOBBY = 0
    ROOM = 1
    PRIVATE = 2


class EntryKind(IntEnum):
    """What an entry of a conversation's log is, as far as the server has to know."""

    MESSAGE = 0
    """An MLS application message."""
    COMMIT = 1
    """An MLS Commit by a member; moves the log to its next epoch."""
    JOIN = 2
    """An external Commit by a device that holds a link; moves the log to its next epoch."""
    LEAVE = 3
    """An application message by which a user's devices leave the roster."""
    INBOX = 4
    """A sealed item in a device's inbox."""
    REJOIN = 5
    """A device that cannot follow any more asks to be added anew."""


class Role(IntEnum):
    """A user's role on the server (not in a room: those are the members' own affair)."""

    MEMBER = 0
    OWNER = 1


# --- session ---------------------------------------------------------------------------------


class Limits(Message, frozen=True):
    """What this server allows; told at the start so that a client need not find out by refusal."""

    frame_bytes: Count
    blob_bytes: Count
    """Largest blob (ciphertext)."""
    retention_s: Count
    keepalive_s: Count
    """A connection that was silent for this long is pinged; after twice as long it is closed."""


class ClientHello(Message, frozen=True):
    """First message of a client."""

    versions: Annotated[list[Annotated[int, Meta(ge=1, le=65535)]], Meta(max_length=16)]
    nonce: Nonce
    agent: Short


class ServerHello(Message, frozen=True):
    """The server's answer: the highest version both know."""

    version: int
    nonce: Nonce
    agent: Short
    at: Time
    limits: Limits


class SignedDeviceList(Message, frozen=True):
    """A user's device list as encoded bytes and the identity key's signature over them."""

    body: Annotated[bytes, Meta(max_length=16384)]
    signature: Signature


class Register(Message, frozen=True):
    """A new user with a join token, certificates and a first device; logs it in as well."""

    token: Id
    name: Name
    identity_certificate: Certificate
    sealing_certificate: Certificate
    device_certificate: Certificate
    device_list: SignedDeviceList
    signature: Signature
    """By the device key over `login_context(..., REGISTER)`."""
    present: bool = True


class Login(Message, frozen=True):
    """A device proves its key."""

    device_id: Id
    signature: Signature
    """By the device key over `login_context(..., LOGIN)`."""
    present: bool = True
    """False for a short errand that others need not see as coming and going."""
    generation: Count = 0
    """Which copy of the device's profile this is: one smaller than another's before is refused."""
    mark: Mark = b""
    """Chosen for this log-in; the next one is told it."""


class LoggedIn(Message, frozen=True):
    """Answer to `Register` and `Login`."""

    name: Name
    role: Role
    key_packages_left: Count
    """One-time KeyPackages of this device that are still unclaimed on the server."""
    lobby: Id | None
    """The lobby's log, once there is one."""
    mark: Mark = b""
    """The mark of this device's log-in before this one: a profile that does not know it is old."""


class TakeOver(Message, frozen=True):
    """This copy of the device's profile goes on alone; copies of a smaller generation are shut out.
    Answered by `Ok`."""

    generation: Count


# --- users and their keys --------------------------------------------------------------------


class GetUser(Message, frozen=True):
    """Ask for one user; answered by `User` or NOT_FOUND."""

    name: Name


class DeviceInfo(Message, frozen=True):
    """One device of a user."""

    device_id: Id
    certificate: Certificate
    last_seen: Time
    """0 while it is online or when it never was."""


class User(Message, frozen=True):
    """A user's public part."""

    name: Name
    identity_certificate: Certificate
    sealing_certificate: Certificate
    device_list: SignedDeviceList
    devices: list[DeviceInfo]
    online: bool
    role: Role


class ListUsers(Message, frozen=True):
    """Ask who is on this server; answered by `Users`."""

    after: Annotated[str, Meta(max_length=64)] = ""
    """Names after this one (folded order), for long lists."""


class UserBrief(Message, frozen=True):
    """A line of the list of users."""

    name: Name
    fingerprint: Hash
    online: bool
    role: Role


class Users(Message, frozen=True):
    """Answer to `ListUsers`; `more` says that the list goes on after the last name."""

    users: list[UserBrief]
    more: bool = False


class KeyPackageUpload(Message, frozen=True):
    """One MLS KeyPackage (RFC 9420 section 10) for others to claim."""

    ref: Annotated[bytes, Meta(min_length=16, max_length=64)]
    data: Annotated[bytes, Meta(max_length=32768)]
    last_resort: bool = False


class PutKeyPackages(Message, frozen=True):
    """Publish KeyPackages of the logged-in device; a last-resort one replaces the former."""

    packages: Annotated[list[KeyPackageUpload], Meta(max_length=128)]
    replace: bool = False
    """All others of the device are dropped."""


class ClaimKeyPackages(Message, frozen=True):
    """Take one KeyPackage of every device of each named user."""

    names: Annotated[list[Name], Meta(min_length=1, max_length=256)]


class ClaimedKeyPackage(Message, frozen=True):
    """A KeyPackage as claimed."""

    name: Name
    device_id: Id
    data: bytes


class KeyPackages(Message, frozen=True):
    """Answer to `ClaimKeyPackages`."""

    packages: list[ClaimedKeyPackage]


# --- conversations ---------------------------------------------------------------------------


class InboxItem(Message, frozen=True):
    """Something sealed for one device: goes to that device's inbox."""

    device_id: Id
    append_id: Id
    payload: Payload


class LinkUpload(Message, frozen=True):
    """A link that lets its holder fetch the sealed GroupInfo and append one JOIN entry."""

    link_id: Id
    uses: Count
    """0: any number."""
    expires_at: Time
    """0: never."""
    sealed_key: Annotated[bytes, Meta(max_length=256)]
    """The key of the sealed GroupInfo, sealed under the link's secret."""


class LinkKey(Message, frozen=True):
    """The refreshed GroupInfo's key, sealed for one existing link."""

    link_id: Id
    sealed_key: Annotated[bytes, Meta(max_length=256)]


class GroupInfoUpload(Message, frozen=True):
    """The GroupInfo of the epoch a commit leads to, sealed once under a fresh key."""

    sealed: Payload
    keys: Annotated[list[LinkKey], Meta(max_length=64)]
    """That key, sealed for each link that stays open. Links not named here are dropped."""
    new_links: Annotated[list[LinkUpload], Meta(max_length=8)] = []


class CreateLog(Message, frozen=True):
    """Make a conversation with its first roster, in one step with the invitations to it."""

    log_id: Id
    kind: LogKind
    roster: Ids
    inbox: Annotated[list[InboxItem], Meta(max_length=MAX_ROSTER_CHANGE)]
    peer: Name | None = None
    """The other user of a private chat: there is one log for each pair."""
    group_info: GroupInfoUpload | None = None


class RosterChange(Message, frozen=True):
    """Devices a commit brings in and takes out, in the open for the delivery."""

    add: Ids = []
    remove: Ids = []


class CommitPart(Message, frozen=True):
    """What goes with a commit (COMMIT, JOIN or LEAVE), accepted or refused as one with it."""

    roster: RosterChange
    inbox: Annotated[list[InboxItem], Meta(max_length=MAX_ROSTER_CHANGE)] = []
    group_info: GroupInfoUpload | None = None
    link_id: Id | None = None
    """The link a JOIN comes by."""


class Append(Message, frozen=True):
    """Append one entry. Refused with STALE_EPOCH unless `epoch` is the log's."""

    log_id: Id
    append_id: Id
    """Chosen by the client: the same id again gives the same answer and no second entry."""
    epoch: Count
    """How many commits of this log the sender has seen."""
    kind: EntryKind
    payload: Payload
    commit: CommitPart | None = None


class Appended(Message, frozen=True):
    """The entry is on disk."""

    log_id: Id
    append_id: Id
    seq: Count
    at: Time


class Entry(Message, frozen=True):
    """One entry of a log as its readers get it."""

    seq: Count
    at: Time
    device_id: Id
    """The sender, as authenticated by the server; members check it against MLS."""
    append_id: Id
    epoch: Count
    kind: EntryKind
    payload: bytes
    roster: RosterChange | None = None


class Cursor(Message, frozen=True):
    """How far a device has got in a log."""

    log_id: Id
    seq: Count
    chain: Annotated[bytes, Meta(max_length=32)] = b""
    """The hash chain there, where the device knows it."""


class Subscribe(Message, frozen=True):
    """Start (or restart) the flow of entries after these cursors; answered by `Subscribed`.

    The device's inbox is the log whose id is the device's id.
    """

    cursors: Annotated[list[Cursor], Meta(max_length=10_000)]


class LogState(Message, frozen=True):
    """A conversation as the server has it for this device."""

    log_id: Id
    kind: LogKind
    epoch: Count
    head: Count
    """Sequence number of the last entry."""
    since: Count
    """The entry by which this device came in; it reads what follows. 0: from the start."""
    chain: Annotated[bytes, Meta(max_length=32)] = b""
    """The log's hash chain at `since` (see `chain.py`)."""
    acked: Count = 0
    """How far this device has confirmed to have the log."""
    first: Count = 0
    """The oldest entry that is kept; 0: none is."""
    differs: bool = False
    """The log is not the one in which the device had come to the cursor it asked with."""


class Subscribed(Message, frozen=True):
    """All conversations whose roster names this device, subscribed or not."""

    logs: list[LogState]


class Entries(Message, frozen=True):
    """Push: entries of one log, in order, without a gap after those sent before."""

    log_id: Id
    entries: list[Entry]


class Ack(Message, frozen=True):
    """The device has everything up to `seq` safely; no answer."""

    log_id: Id
    seq: Count


# --- joining ---------------------------------------------------------------------------------


class PutToken(Message, frozen=True):
    """Let others register with a token; the server learns its hash only when it is made."""

    token_hash: Hash
    uses: Count
    expires_at: Time


class LookupLinks(Message, frozen=True):
    """Ask which of these links are open; answered by `Links`."""

    link_ids: Annotated[list[Id], Meta(min_length=1, max_length=8)]


class LinkInfo(Message, frozen=True):
    """An open link and what its holder needs to come in."""

    link_id: Id
    log_id: Id
    kind: LogKind
    epoch: Count
    head: Count
    sealed_key: bytes
    sealed_group_info: bytes


class Links(Message, frozen=True):
    """Answer to `LookupLinks`: only those that are open."""

    links: list[LinkInfo]


# --- what passes unstored --------------------------------------------------------------------


class Whisper(Message, frozen=True):
    """An ephemeral message (typing) to who is online in a conversation; no answer, not stored."""

    log_id: Id
    payload: Annotated[bytes, Meta(max_length=4096)]


class Whispered(Message, frozen=True):
    """Push: an ephemeral message."""

    log_id: Id
    device_id: Id
    payload: bytes


class Presence(Message, frozen=True):
    """Push: a user one shares a conversation with came or went."""

    name: Name
    online: bool
    at: Time


# --- blobs (files) ---------------------------------------------------------------------------


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


# --- housekeeping ----------------------------------------------------------------------------


class Ping(Message, frozen=True):
    """Are you there? Answered by `Pong`; either side may ask."""


class Pong(Message, frozen=True):
    """Yes."""


class Ok(Message, frozen=True):
    """Done, nothing more to say."""


class Error(Message, frozen=True):
    """A request is refused; the connection goes on."""

    code: int
    message: Annotated[str, Meta(max_length=1000)]
    detail: Annotated[bytes, Meta(max_length=256)] = b""


class Goodbye(Message, frozen=True):
    """The server ends the connection, and why."""

    code: int
    message: Annotated[str, Meta(max_length=1000)]


MESSAGES: dict[int, type[Message]] = {
    1: ClientHello,
    2: ServerHello,
    3: Register,
    4: Login,
    5: LoggedIn,
    6: TakeOver,
    10: GetUser,
    11: User,
    12: ListUsers,
    13: Users,
    14: PutKeyPackages,
    15: ClaimKeyPackages,
    16: KeyPackages,
    20: CreateLog,
    21: LogState,
    22: Append,
    23: Appended,
    24: Subscribe,
    25: Subscribed,
    26: Entries,
    27: Ack,
    30: PutToken,
    31: LookupLinks,
    32: Links,
    40: Whisper,
    41: Whispered,
    42: Presence,
    50: BlobCreate,
    51: BlobState,
    52: BlobPut,
    53: BlobStat,
    54: BlobGet,
    55: BlobData,
    56: BlobDelete,
    60: Ping,
    61: Pong,
    62: Ok,
    63: Error,
    64: Goodbye,
}
"""Every message by its number on the wire."""

NUMBERS: dict[type[Message], int] = {kind: number for number, kind in MESSAGES.items()}
_DECODERS: dict[int, msgspec.msgpack.Decoder[Any]] = {
    number: msgspec.msgpack.Decoder(kind) for number, kind in MESSAGES.items()
}
_ENCODER = msgspec.msgpack.Encoder()


def encode_body(message: Message) -> bytes:
    """A message's body."""
    return _ENCODER.encode(message)


def decode_body(type_: int, body: bytes | memoryview) -> Message:
    """The message of this type in `body`.

    Raises:
        MalformedMessage: unknown type, or the body is not such a message within its bounds.
    """
    decoder = _DECODERS.get(type_)
    if decoder is None:
        raise MalformedMessage(f"there is no message of type {type_}")
    try:
        message: Message = decoder.decode(body)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise MalformedMessage(
            f"the body of a {MESSAGES[type_].__name__} is malformed: {error}"
        ) from None
    return message


class LoginPurpose(IntEnum):
    """What a log-in signature is for."""

    LOGIN = 1
    REGISTER = 2


def login_context(
    purpose: LoginPurpose,
    version: int,
    server_certificate_hash: bytes,
    server_nonce: bytes,
    client_nonce: bytes,
    subject: bytes,
) -> bytes:
    """The bytes a device key signs to log in (design section 4).

    Args:
        server_certificate_hash: SHA-256 of the server's TLS certificate in DER, as the client
            saw it: a server in between cannot pass the signature on.
        subject: the device's id for a log-in; for a registration `registration_subject`.
    """
    return b"".join(
        (
            b"chatsecure login v1\0",
            bytes((purpose,)),
            version.to_bytes(2, "big"),
            server_certificate_hash,
            server_nonce,
            client_nonce,
            sha256(subject).digest(),
        )
    )


def registration_subject(message: Register) -> bytes:
    """What a registration's signature covers: all fields but the signature itself."""
    return _ENCODER.encode(
        (
            message.token,
            message.name,
            message.identity_certificate,
            message.sealing_certificate,
            message.device_certificate,
            message.device_list.body,
            message.device_list.signature,
        )
    )
