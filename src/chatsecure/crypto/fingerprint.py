"""Fingerprints and safety numbers: what people compare."""

from hashlib import sha512

ITERATIONS = 5200
"""As Signal's: a collision search costs this much more."""


def format_fingerprint(fingerprint: bytes) -> str:
    """A fingerprint as people read it: hexadecimal in groups of four."""
    text = fingerprint.hex().upper()
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def safety_number(first: bytes, second: bytes) -> str:
    """The 60 digits that two users compare, the same on both sides.

    Args:
        first, second: the two identity fingerprints, in any order.
    """
    return "".join(sorted((_digits(first), _digits(second))))


def format_safety_number(digits: str) -> str:
    """In groups of five."""
    return " ".join(digits[start : start + 5] for start in range(0, len(digits), 5))


def _digits(fingerprint: bytes) -> str:
    value = b"chatsecure safety number v1\0" + fingerprint
    for _ in range(ITERATIONS):
        value = sha512(value + fingerprint).digest()
    groups = (
        int.from_bytes(value[start : start + 5], "big") % 100_000 for start in range(0, 30, 5)
    )
    return "".join(f"{group:05d}" for group in groups)
