"""Messages of the connection itself: greeting, keep-alive, plain answers and the end.

Who is connected is the affair of `accounts.py`.
"""

from typing import Annotated

from msgspec import Meta

from .fields import Count, Message, Nonce, Short, Time


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
