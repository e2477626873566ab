"""Whole segments of files, by what enciphers and opens them piece by piece."""

from chatsecure.crypto.filecipher import (
    Buffers,
    Layout,
    decrypt_into,
    encrypt_parts,
    opened_bytes,
)


def encrypt_segment(
    key: bytes, blob_id: bytes, segment: int, layout: Layout, plaintext: bytes
) -> bytes:
    """One segment's ciphertext."""
    left = memoryview(plaintext)

    def fill(view: memoryview) -> int:
        nonlocal left
        count = min(len(view), len(left))
        view[:count], left = left[:count], left[count:]
        return count

    parts = encrypt_parts(key, blob_id, segment, layout, fill, Buffers())
    return b"".join(bytes(part) for part in parts)


def decrypt_segment(
    key: bytes, blob_id: bytes, segment: int, layout: Layout, ciphertext: bytes
) -> bytes:
    """One segment's plaintext; raises as `decrypt_into`."""
    room = memoryview(bytearray(opened_bytes(len(ciphertext))))
    return bytes(decrypt_into(room, key, blob_id, segment, layout, [memoryview(ciphertext)]))
