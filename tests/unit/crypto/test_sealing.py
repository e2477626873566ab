"""What is sealed opens for one holder, in one place, unchanged; or not at all."""

from hashlib import sha256
from hmac import digest

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatsecure.crypto.errors import CannotOpen
from chatsecure.crypto.identity import UserKeys
from chatsecure.crypto.sealing import (
    derive,
    open_sealed,
    open_with_secret,
    seal,
    seal_with_secret,
)
from unit.strategies import bounded

SECRET, CONTEXT, TEXT = b"k" * 32, b"a device", b"the way into a conversation"


# --- for a user's key ------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(st.binary(max_size=3000), st.binary(max_size=40))
def test_what_is_sealed_for_a_user_opens_for_them(
    ada: UserKeys, plaintext: bytes, context: bytes
) -> None:
    sealed = seal(ada.sealing_key.public_key(), plaintext, context)
    assert open_sealed(ada.sealing_key, sealed, context) == plaintext
    assert len(sealed) == 3 + 384 + 12 + len(plaintext) + 16


def test_it_opens_for_nobody_else(ada: UserKeys, bob: UserKeys) -> None:
    sealed = seal(ada.sealing_key.public_key(), TEXT, CONTEXT)
    for key in (bob.sealing_key, bob.identity_key, ada.identity_key):
        with pytest.raises(CannotOpen):
            open_sealed(key, sealed, CONTEXT)


def test_it_opens_in_no_other_place(ada: UserKeys) -> None:
    sealed = seal(ada.sealing_key.public_key(), TEXT, CONTEXT)
    for context in (b"", b"another device", CONTEXT + b"\0"):
        with pytest.raises(CannotOpen):
            open_sealed(ada.sealing_key, sealed, context)


def test_any_changed_byte_of_it_is_noticed(ada: UserKeys) -> None:
    sealed = seal(ada.sealing_key.public_key(), TEXT, CONTEXT)
    middle = range(3, 3 + 384, 16)  # of the wrapped key, a sample: each costs an RSA operation
    for index in (0, 1, 2, *middle, *range(3 + 384, len(sealed))):
        changed = bytearray(sealed)
        changed[index] ^= 1
        with pytest.raises(CannotOpen):
            open_sealed(ada.sealing_key, bytes(changed), CONTEXT)


def test_a_part_of_it_does_not_open(ada: UserKeys) -> None:
    sealed = seal(ada.sealing_key.public_key(), TEXT, CONTEXT)
    for end in (0, 1, 2, 3, 100, 387, 398, 399, 414, len(sealed) - 1):
        with pytest.raises(CannotOpen):
            open_sealed(ada.sealing_key, sealed[:end], CONTEXT)
    with pytest.raises(CannotOpen):
        open_sealed(ada.sealing_key, sealed + b"\0", CONTEXT)


def test_sealing_twice_gives_different_bytes(ada: UserKeys) -> None:
    key = ada.sealing_key.public_key()
    assert seal(key, TEXT, CONTEXT) != seal(key, TEXT, CONTEXT)


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=600))
def test_garbage_does_not_open_with_a_key(ada: UserKeys, garbage: bytes) -> None:
    for sealed in (garbage, b"\x01" + garbage, b"\x01\x01\x80" + garbage.ljust(500, b"\0")):
        with pytest.raises(CannotOpen):
            open_sealed(ada.sealing_key, sealed, CONTEXT)


# --- under a secret --------------------------------------------------------------------------


@bounded
@given(st.binary(max_size=3000), st.binary(max_size=40))
def test_what_is_sealed_under_a_secret_opens_with_it(plaintext: bytes, context: bytes) -> None:
    sealed = seal_with_secret(SECRET, "join", plaintext, context)
    assert open_with_secret(SECRET, "join", sealed, context) == plaintext
    assert len(sealed) == 1 + 12 + len(plaintext) + 16


@pytest.mark.parametrize(
    ("secret", "purpose", "context"),
    [
        (b"K" * 32, "join", CONTEXT),
        (SECRET, "group info", CONTEXT),
        (SECRET, "joi", CONTEXT),
        (SECRET, "join", b"elsewhere"),
        (SECRET, "join", b""),
    ],
)
def test_it_opens_with_no_other_secret_purpose_or_place(
    secret: bytes, purpose: str, context: bytes
) -> None:
    sealed = seal_with_secret(SECRET, "join", TEXT, CONTEXT)
    with pytest.raises(CannotOpen):
        open_with_secret(secret, purpose, sealed, context)


def test_any_flipped_bit_of_it_is_noticed() -> None:
    sealed = seal_with_secret(SECRET, "join", TEXT, CONTEXT)
    for index in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[index // 8] ^= 1 << index % 8
        with pytest.raises(CannotOpen):
            open_with_secret(SECRET, "join", bytes(changed), CONTEXT)


def test_no_part_of_it_opens() -> None:
    sealed = seal_with_secret(SECRET, "join", TEXT, CONTEXT)
    for end in range(len(sealed)):
        with pytest.raises(CannotOpen):
            open_with_secret(SECRET, "join", sealed[:end], CONTEXT)


@bounded
@given(st.binary(max_size=100))
def test_garbage_does_not_open_with_a_secret(garbage: bytes) -> None:
    for sealed in (garbage, b"\x01" + garbage):
        with pytest.raises(CannotOpen):
            open_with_secret(SECRET, "join", sealed, CONTEXT)


# --- derivation ------------------------------------------------------------------------------


def test_each_purpose_has_a_key_of_its_own() -> None:
    purposes = ["token", "lobby", "room", "id", "psk", "seal token", ""]
    assert len({derive(SECRET, purpose) for purpose in purposes}) == len(purposes)
    assert derive(SECRET, "id", 16) == derive(SECRET, "id")[:16]


def test_a_derived_key_is_known() -> None:
    """HKDF-SHA256 (RFC 5869) with no salt, computed by hand."""
    extracted = digest(bytes(32), SECRET, sha256)
    assert derive(SECRET, "id") == digest(extracted, b"chatsecure id\x01", sha256)
