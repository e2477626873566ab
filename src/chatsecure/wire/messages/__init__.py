"""The typed bodies of frames: every message of the protocol, its number and its bounds.

Bodies are MessagePack arrays (`msgspec` structs with `array_like`): short, strict on types and
lengths, and open for growth, since further elements of an array are ignored by older readers.
What is signed or hashed travels as bytes and is never encoded again.

One module a theme; this one has the table of them all. It is used as a namespace:
`from chatsecure.wire import messages as m`, then `m.Login`.
"""

from typing import Any

import msgspec

from chatsecure.wire.errors import MalformedMessage

from .accounts import *
from .fields import *
from .files import *
from .keypackages import *
from .links import *
from .logs import *
from .session import *

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
    57: GetFileTicket,
    58: FileTicket,
    59: FileHello,
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
