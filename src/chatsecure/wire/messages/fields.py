"""What fields of messages are made of: bounded types, kinds and the limits of the protocol.

Identifiers are 16 bytes. Times are milliseconds since 1970 UTC. Names are as registered.
Knows no message; every other module of this package builds on it.
"""

from enum import IntEnum
from typing import Annotated

import msgspec
from msgspec import Meta

PROTOCOL_VERSION = 1
ID_BYTES = 16
MAX_TEXT_BYTES = 64 * 1024
"""Longest text of one message a client may send."""
MAX_PAYLOAD_BYTES = 256 * 1024
"""Longest payload of an entry that is not a commit."""
MAX_COMMIT_BYTES = 4 * 1024 * 1024
"""Longest payload of a commit, a Welcome in an inbox, or a sealed GroupInfo (each)."""
MAX_SEGMENT_BYTES = 64 * 1024 * 1024
"""Most ciphertext bytes of a file's segment."""
MAX_UNANSWERED_PUTS = 2
"""Segments a file connection may send ahead of their answers: what is sent twice when it breaks."""
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
