"""One connection's protocol without its socket: bytes in, messages out, and the other way.

Both sides use it. It knows frames, message types, request ids, what may come before log-in and
the keep-alive clock; it knows nothing of accounts or conversations. Time is a parameter.

    side     before log-in it accepts                    afterwards
    server   ClientHello, then Register or Login         every request
    client   ServerHello, then LoggedIn, Error, Goodbye  every answer and push

The server's session decides when log-in is complete and calls `open()`; the client opens when
`LoggedIn` arrives.
"""

from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from .errors import MalformedMessage, ProtocolError
from .frames import MAX_FRAME_BYTES, FrameDecoder, encode_frame
from .messages import (
    NUMBERS,
    Ack,
    Append,
    BlobCreate,
    BlobData,
    BlobDelete,
    BlobGet,
    BlobPut,
    BlobStat,
    ClaimKeyPackages,
    ClientHello,
    CreateLog,
    Entries,
    Error,
    FileHello,
    GetFileTicket,
    GetUser,
    Goodbye,
    ListUsers,
    LoggedIn,
    Login,
    LookupLinks,
    Message,
    Ping,
    Pong,
    Presence,
    PutKeyPackages,
    PutToken,
    Register,
    ServerHello,
    Subscribe,
    TakeOver,
    Whisper,
    Whispered,
    decode_body,
    encode_body,
)


class Received(NamedTuple):
    """A message and the request it is or answers (0: none)."""

    request: int
    message: Message


class State(Enum):
    """Where a connection is."""

    HELLO = "hello"
    """Nothing but the other side's hello may come."""
    LOGIN = "login"
    """Hellos are exchanged; log-in or registration is under way."""
    OPEN = "open"
    CLOSED = "closed"


REQUESTS: frozenset[type[Message]] = frozenset(
    {
        GetUser,
        ListUsers,
        PutKeyPackages,
        ClaimKeyPackages,
        CreateLog,
        Append,
        Subscribe,
        TakeOver,
        PutToken,
        LookupLinks,
        BlobCreate,
        BlobStat,
        BlobDelete,
        GetFileTicket,
    }
)
"""What a logged-in client may ask; each is answered."""
FILE_MESSAGES: frozenset[type[Message]] = frozenset({FileHello, BlobPut, BlobGet, BlobData})
"""What is said on file connections only, which have no such state (see docs/protocol.md, 15)."""
NOTICES: frozenset[type[Message]] = frozenset({Ack, Whisper, Ping, Pong})
"""What a client may send without an answer to wait for (a Ping's Pong carries no request)."""
PUSHES: frozenset[type[Message]] = frozenset({Entries, Whispered, Presence, Ping, Pong, Goodbye})
"""What a server sends on its own."""

SERVER_ACCEPTS: dict[State, frozenset[type[Message]]] = {
    State.HELLO: frozenset({ClientHello}),
    State.LOGIN: frozenset({Register, Login, Ping, Pong}),
    State.OPEN: REQUESTS | NOTICES,
    State.CLOSED: frozenset(),
}
CLIENT_ACCEPTS: dict[State, frozenset[type[Message]]] = {
    State.HELLO: frozenset({ServerHello, Error, Goodbye}),
    State.LOGIN: frozenset({LoggedIn, Error, Goodbye, Ping, Pong}),
    State.OPEN: frozenset(NUMBERS)
    - REQUESTS
    - FILE_MESSAGES
    - frozenset({ClientHello, ServerHello, Register, Login, LoggedIn, Ack, Whisper}),
    State.CLOSED: frozenset(),
}


class Connection:
    """The protocol of one side of one connection.

    Args:
        accepts: `SERVER_ACCEPTS` or `CLIENT_ACCEPTS`.
    """

    def __init__(self, accepts: dict[State, frozenset[type[Message]]]) -> None:
        self._accepts = accepts
        self._decoder = FrameDecoder()
        self._last_request = 0
        self.state = State.HELLO
        """What may come next; see `SERVER_ACCEPTS` and `CLIENT_ACCEPTS`."""

    @property
    def pending_bytes(self) -> int:
        """Bytes of an unfinished frame."""
        return self._decoder.pending_bytes

    def greeted(self) -> None:
        """The hellos are exchanged."""
        self.state = State.LOGIN

    def open(self) -> None:
        """Log-in is complete: larger frames and all messages are allowed."""
        self.state = State.OPEN
        self._decoder.max_frame_bytes = MAX_FRAME_BYTES

    def close(self) -> None:
        """Nothing more is accepted or sent."""
        self.state = State.CLOSED

    def next_request(self) -> int:
        """A fresh request id (1 to 2**32 - 1, then round again)."""
        self._last_request = self._last_request % 0xFFFF_FFFF + 1
        return self._last_request

    def receive(self, data: bytes | memoryview) -> Iterator[Received]:
        """The whole messages that `data` completes. Take them one by one: handling a message
        may change what is accepted next.

        Raises:
            ProtocolError: the other side broke the protocol; close the connection.
        """
        self._decoder.feed(data)
        while self.state is not State.CLOSED:
            received = self._decoder.next_read(_decode)
            if received is None:
                return
            kind = type(received.message)
            if kind not in self._accepts[self.state]:
                raise ProtocolError(f"a {kind.__name__} may not come now ({self.state.value})")
            if kind in REQUESTS and received.request == 0:
                raise MalformedMessage(f"a {kind.__name__} needs a request id")
            yield received

    def send(self, message: Message, request: int = 0) -> bytes:
        """The bytes that carry `message`."""
        return encode_message(message, request)


def _decode(type_: int, request: int, body: memoryview) -> Received:
    return Received(request, decode_body(type_, body))


def encode_message(message: Message, request: int = 0) -> bytes:
    """The frame of one message; for an entry with many readers it is made once for all."""
    return encode_frame(NUMBERS[type(message)], request, encode_body(message))
