"""Frames: the outermost layer of the protocol, bytes <-> (type, request id, body).

A frame is a 9-byte header and a body:

    length      u32, big-endian   bytes of the body
    type        u8                which message the body is, see `messages.py`
    request     u32, big-endian   0 for a push; otherwise the request this is or answers

The decoder keeps one buffer and an offset into it: taking a frame costs one copy of its body,
and the consumed front is dropped only when it is the larger part, so that every byte is moved
at most once more. A length is checked before a single byte of its body is waited for.
"""

from struct import Struct
from typing import NamedTuple

from .errors import FrameTooLarge

HEADER = Struct(">IBI")
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
        self._start = 0

    @property
    def pending_bytes(self) -> int:
        """How many bytes of an unfinished frame are held."""
        return len(self._buffer) - self._start

    def feed(self, data: bytes | memoryview) -> None:
        """Add received bytes."""
        self._buffer += data

    def next_frame(self) -> Frame | None:
        """The next whole frame, or None until more bytes come.

        Raises:
            FrameTooLarge: the announced length is over the limit.
        """
        held = len(self._buffer) - self._start
        if held < HEADER.size:
            return None
        length, type_, request = HEADER.unpack_from(self._buffer, self._start)
        if length > self.max_frame_bytes:
            raise FrameTooLarge(
                f"a frame of {length} bytes is more than the {self.max_frame_bytes} allowed here"
            )
        end = self._start + HEADER.size + length
        if end > len(self._buffer):
            return None
        body = bytes(memoryview(self._buffer)[self._start + HEADER.size : end])
        self._start = end
        if self._start * 2 >= len(self._buffer):
            del self._buffer[: self._start]
            self._start = 0
        return Frame(type_, request, body)
