"""The errors of ChatSecure, in one tree, with their codes.

    ChatSecureError             everything we raise on purpose; its text is for people
    ├── ProtocolError           the other side broke the protocol; the connection ends
    │   ├── FrameTooLarge       a frame is longer than what is allowed now
    │   └── MalformedMessage    a frame's body is not what its type says
    ├── Refused                 the server said no (an `Error` message), with its `ErrorCode`
    ├── Unreachable             the server cannot be reached, or the connection broke
    ├── WrongIdentity           a key is not the one pinned
    ├── NotFound                no such user, room, file or message
    ├── NotInTime               a time limit ran out; what was queued stays queued
    └── Usage                   the command or call itself is wrong

Each class carries `exit_code` (the command line's, see the contract), so that no face
translates by hand.
"""

from enum import IntEnum


class ErrorCode(IntEnum):
    """What a server's `Error` or `Goodbye` says, as a number on the wire."""

    MALFORMED = 1
    TOO_LARGE = 2
    VERSION = 3
    STATE = 4
    INTERNAL = 5
    UNAVAILABLE = 6
    STORAGE_FULL = 7
    TIMEOUT = 8
    BAD_LOGIN = 10
    BANNED = 11
    BAD_TOKEN = 12
    NAME_TAKEN = 13
    BAD_NAME = 14
    BAD_CERTIFICATE = 15
    MOVED = 16
    NOT_FOUND = 20
    NOT_ALLOWED = 21
    STALE_EPOCH = 22
    EXISTS = 23
    RATE = 24
    QUOTA = 25
    TOO_MANY = 26
    NO_KEY_PACKAGE = 27
    NOT_YET = 28


EXIT_CODES: dict[ErrorCode, int] = {
    ErrorCode.UNAVAILABLE: 3,
    ErrorCode.TIMEOUT: 3,
    ErrorCode.BAD_LOGIN: 4,
    ErrorCode.BANNED: 4,
    ErrorCode.BAD_TOKEN: 4,
    ErrorCode.NAME_TAKEN: 4,
    ErrorCode.BAD_NAME: 2,
    ErrorCode.MOVED: 4,
    ErrorCode.NOT_FOUND: 5,
    ErrorCode.NOT_ALLOWED: 4,
    ErrorCode.RATE: 4,
    ErrorCode.QUOTA: 4,
    ErrorCode.TOO_MANY: 4,
}
"""The exit code of each refusal; 1 where nothing is said."""

_CODES = frozenset(int(code) for code in ErrorCode)


class ChatSecureError(Exception):
    """Base of all errors raised on purpose. `str()` is one clear sentence."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint
        """What the person can do about it, or an empty string."""


class ProtocolError(ChatSecureError):
    """The other side broke the protocol."""

    code = ErrorCode.MALFORMED


class FrameTooLarge(ProtocolError):
    """A frame announces more bytes than are allowed in this state."""

    code = ErrorCode.TOO_LARGE


class MalformedMessage(ProtocolError):
    """A frame's type is unknown or its body does not decode to it."""


class Refused(ChatSecureError):
    """The server refused a request."""

    def __init__(self, code: int, message: str, detail: bytes = b"", *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = ErrorCode(code) if code in _CODES else ErrorCode.INTERNAL
        self.detail = detail
        """Machine-readable addition, e.g. the log's id with `EXISTS`."""
        self.exit_code = EXIT_CODES.get(self.code, 1)


class Unreachable(ChatSecureError):
    """The server cannot be reached, or the connection broke in between."""

    exit_code = 3


class WrongIdentity(ChatSecureError):
    """The key of a server or a user is not the one pinned."""

    exit_code = 6


class NotFound(ChatSecureError):
    """There is no such user, room, file or message."""

    exit_code = 5


class NotInTime(ChatSecureError):
    """A time limit of the caller ran out. What was queued stays queued."""

    exit_code = 7


class Usage(ChatSecureError):
    """The call or command itself is wrong."""

    exit_code = 2
