"""What people compare."""

from hypothesis import given, settings
from hypothesis import strategies as st

from chatsecure.crypto.fingerprint import (
    format_fingerprint,
    format_safety_number,
    safety_number,
)

fingerprints = st.binary(min_size=32, max_size=32)
few = settings(max_examples=15, deadline=None)
"""A safety number is slow on purpose."""


@few
@given(fingerprints, fingerprints)
def test_both_sides_see_the_same_sixty_digits(one: bytes, other: bytes) -> None:
    number = safety_number(one, other)
    assert number == safety_number(other, one)
    assert len(number) == 60
    assert number.isdigit()
    assert number.isascii()


@few
@given(fingerprints, fingerprints, st.integers(0, 255))
def test_another_key_gives_another_number(one: bytes, other: bytes, bit: int) -> None:
    changed = bytearray(other)
    changed[bit // 8] ^= 1 << bit % 8
    assert safety_number(one, other) != safety_number(one, bytes(changed))


def test_a_safety_number_is_known() -> None:
    assert safety_number(bytes(32), b"\xff" * 32) == (
        "896590097786598909234137971556978628275174672825792179544060"
    )


def test_a_safety_number_is_read_in_groups_of_five() -> None:
    shown = format_safety_number("0123456789" * 6)
    assert shown.split(" ") == ["01234", "56789"] * 6


def test_a_fingerprint_is_read_in_groups_of_four() -> None:
    shown = format_fingerprint(bytes(range(32)))
    assert shown.startswith("0001 0203 0405")
    assert len(shown.split(" ")) == 16
    assert bytes.fromhex(shown) == bytes(range(32))
