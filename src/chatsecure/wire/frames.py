"""Frames: the outermost layer of the protocol, bytes <-> (type, request id, body).

A frame is a 9-byte header and a body:

    length      u32, big-endian   bytes of the body
    type        u8                which message the body is, see `messages.py`
    request     u32, big-endian   0 for a push; otherwise the request this is or answers

The decoder keeps one buffer with the bytes from `start` to `end` in it. They are moved to its front
only when what comes does not fit behind them, so every byte is moved at most about once more; the
buffer's memory is used again from frame to frame, and given back when large frames are over. A
length is checked before a single byte of its body is waited for.
"""

from collections.abc import Callable
from struct import Struct
from typing import NamedTuple, TypeVar

from .errors import FrameTooLarge

T = TypeVar("T")
HEADER = Struct(">IBI")
KEPT_BYTES = 64 * 1024
"""The buffer is kept from one frame this large to the next, and otherwise let go when empty."""
MAX_FRAME_BYTES = 8 * 1024 * 1024
"""Largest body after log-in: a Welcome or GroupInfo with the tree of a thousand members fits."""
MAX_FRAME_BYTES_BEFORE_LOGIN = 64 * 1024
"""Largest body before log-in, so that a stranger cannot make us hold megabytes."""


class Frame(NamedTuple):
    """One frame, still undecoded."""

    type: int
    request: int
    body: bytes


def encode_frame(type_: int, request: int, body: bytes) -> bytes:
    """The bytes of one frame."""
    return HEADER.pack(len(body), type_, request) + body


class FrameDecoder:
    """Takes bytes as they come and gives whole frames.

    Args:
        max_frame_bytes: the largest body allowed; may be raised later (after log-in).
    """

    def __init__(self, max_frame_bytes: int = MAX_FRAME_BYTES_BEFORE_LOGIN) -> None:
        self.max_frame_bytes = max_frame_bytes
        self._buffer = bytearray()
        self._start = self._end = 0

    @property
    def pending_bytes(self) -> int:
        """How many bytes of an unfinished frame are held."""
        return self._end - self._start

    def feed(self, data: bytes | memoryview) -> None:
        """Add received bytes."""
        end = self._end + len(data)
        if end > len(self._buffer):
            self._make_room(len(data))
            end = self._end + len(data)
        self._buffer[self._end : end] = data
        self._end = end

    def _make_room(self, count: int) -> None:
        """Move what is held to the front, and grow if that is not enough."""
        held = self._end - self._start
        if self._start:
            self._buffer[:held] = self._buffer[self._start : self._end]
            self._start, self._end = 0, held
        if held + count > len(self._buffer):
            self._buffer.extend(bytes(max(held + count, 2 * held) - len(self._buffer)))

    def next_frame(self) -> Frame | None:
        """The next whole frame, or None until more bytes come.

        Raises:
            FrameTooLarge: the announced length is over the limit.
        """
        return self.next_read(lambda type_, request, body: Frame(type_, request, bytes(body)))

    def next_read(self, read: Callable[[int, int, memoryview], T]) -> T | None:
        """What `read` makes of the next whole frame's type, request and body, or None until more
        bytes come. The body is good only until `read` returns.

        Raises:
            FrameTooLarge: the announced length is over the limit.
        """
        held = self._end - self._start
        if held < HEADER.size:
            return None
        length, type_, request = HEADER.unpack_from(self._buffer, self._start)
        if length > self.max_frame_bytes:
            raise FrameTooLarge(
                f"a frame of {length} bytes is more than the {self.max_frame_bytes} allowed here"
            )
        if HEADER.size + length > held:
            return None
        begin = self._start + HEADER.size
        self._start = begin + length
        with memoryview(self._buffer) as whole, whole[begin : begin + length] as body:
            result = read(type_, request, body)
        if self._start == self._end:
            self._start = self._end = 0
            if length < KEPT_BYTES:
                self._buffer = bytearray()
        return result
