"""Files as the server sees them: segments, each a Cobblestone-256 message (C2SP
chunked-encryption, from the `cryptography` package).

The context of a segment binds the blob, the segment's number and their count, so segments can be
sent, fetched and checked one by one, and a cut, swapped or foreign one does not open. The last
segment is padded: its length says little about the file's.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag

from .errors import CannotOpen

SEGMENT_BYTES = 4 * 1024 * 1024
"""Plaintext bytes of a segment."""


_HEADER_BYTES = 24 + 32
_CHUNK_BYTES = 16 * 1024
_TAG_BYTES = 16
PIECE_BYTES = 256 * 1024
"""What is ciphered at once: it stays in the processor's cache."""


def cipher_bytes(plain_bytes: int) -> int:
    """Ciphertext bytes of a segment: header, and a tag for each chunk; the last chunk is never
    full (C2SP chunked-encryption)."""
    return plain_bytes + _HEADER_BYTES + _TAG_BYTES * (plain_bytes // _CHUNK_BYTES + 1)


def padded_length(size: int) -> int:
    """The length a file is padded to: Padme (at most 12 % more, about log log n bits leak)."""
    if size < 1024:
        return 1024
    exponent = size.bit_length() - 1
    mask = (1 << (exponent - exponent.bit_length())) - 1
    return (size + mask) & ~mask


def new_key() -> bytes:
    """A file's key, 32 bytes."""
    return Cobblestone256Encryptor.generate_key()


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file of `size` bytes lies in its blob."""

    size: int
    padded: int
    segments: int

    @classmethod
    def of(cls, size: int) -> "Layout":
        """The layout of a file of this many bytes."""
        padded = padded_length(size)
        return cls(size, padded, -(-padded // SEGMENT_BYTES))

    def plain_bytes(self, segment: int) -> int:
        """Plaintext bytes of a segment, padding included."""
        return min(SEGMENT_BYTES, self.padded - segment * SEGMENT_BYTES)

    @property
    def segment_cipher_bytes(self) -> int:
        """Ciphertext bytes of every segment but the last."""
        return cipher_bytes(SEGMENT_BYTES)

    @property
    def blob_bytes(self) -> int:
        """Ciphertext bytes of the whole file."""
        full = (self.segments - 1) * self.segment_cipher_bytes
        return full + cipher_bytes(self.plain_bytes(self.segments - 1))


def _context(blob_id: bytes, segment: int, layout: Layout) -> bytes:
    numbers = segment.to_bytes(8, "big") + layout.segments.to_bytes(8, "big")
    return b"chatsecure file v1\0" + blob_id + numbers + layout.size.to_bytes(8, "big")


class Buffers:
    """Memory for the pieces of one segment after the other: fresh memory for each would cost more
    than the cipher."""

    def __init__(self) -> None:
        self.plain = memoryview(bytearray(PIECE_BYTES))
        self.other = memoryview(bytearray(PIECE_BYTES + 2 * _CHUNK_BYTES))


def encrypt_parts(
    key: bytes,
    blob_id: bytes,
    segment: int,
    layout: Layout,
    fill: Callable[[memoryview], int],
    buffers: Buffers,
) -> Iterator[memoryview]:
    """One segment's ciphertext, piece by piece. A piece is good until the next one is asked for.

    Args:
        fill: puts the next bytes of the file into a buffer and says how many; fewer than it holds
            only at the file's end.
    """
    encryptor = Cobblestone256Encryptor(key, _context(blob_id, segment, layout))
    left = layout.plain_bytes(segment)
    while left:
        plain = buffers.plain[: min(left, PIECE_BYTES)]
        filled = fill(plain)
        if filled < len(plain):
            plain[filled:] = bytes(len(plain) - filled)
        length = encryptor.update_into(plain, buffers.other)
        yield buffers.other[:length]
        left -= len(plain)
    yield memoryview(encryptor.finalize())


def opened_bytes(plain_bytes: int) -> int:
    """How much room `decrypt_into` needs: the cipher wants some more than it fills."""
    return plain_bytes + 2 * _CHUNK_BYTES


def decrypt_into(
    room: memoryview,
    key: bytes,
    blob_id: bytes,
    segment: int,
    layout: Layout,
    pieces: Iterable[memoryview],
) -> memoryview:
    """One segment's plaintext, without the padding, in `room`.

    Args:
        room: at least `opened_bytes` of the segment's plaintext.
        pieces: the ciphertext, as it comes.

    Raises:
        CannotOpen: it was changed, cut, or belongs elsewhere; what is in `room` does not count.
    """
    decryptor = Cobblestone256Decryptor(key, _context(blob_id, segment, layout))
    at = 0
    try:
        for piece in pieces:
            at += decryptor.update_into(piece, room[at:])
        rest = decryptor.finalize()
    except (InvalidTag, ValueError):
        raise CannotOpen("a part of the file was changed on its way") from None
    room[at : at + len(rest)] = rest
    return room[: max(0, min(at + len(rest), layout.size - segment * SEGMENT_BYTES))]
