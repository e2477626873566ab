"""Files in segments: each opens at its own place in its own file, whole."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatsecure.crypto import filecipher
from chatsecure.crypto.errors import CannotOpen
from chatsecure.crypto.filecipher import (
    SEGMENT_BYTES,
    Layout,
    cipher_bytes,
    new_key,
    padded_length,
)
from segments import decrypt_segment, encrypt_segment
from unit.strategies import bounded

KEY, BLOB = b"k" * 32, b"b" * 16
SMALL = 40_000
"""A segment for tests, so that a file of several is small."""


@pytest.fixture
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filecipher, "SEGMENT_BYTES", SMALL)


def sealed_parts(data: bytes) -> tuple[Layout, list[bytes]]:
    layout = Layout.of(len(data))
    size = filecipher.SEGMENT_BYTES
    return layout, [
        encrypt_segment(KEY, BLOB, number, layout, data[number * size : (number + 1) * size])
        for number in range(layout.segments)
    ]


CHUNK = 16 * 1024
BORDERS = [
    size
    for base in (0, CHUNK, 2 * CHUNK, 5 * CHUNK)
    for size in (base - 17, base - 1, base, base + 1, base + 17)
    if size > 0
]


@pytest.mark.parametrize("size", [*BORDERS, SEGMENT_BYTES - 1, SEGMENT_BYTES])
def test_the_length_of_a_ciphertext_is_what_the_formula_says(size: int) -> None:
    layout = Layout(size=size, padded=size, segments=1)
    cipher = encrypt_segment(KEY, BLOB, 0, layout, b"x" * size)
    assert len(cipher) == cipher_bytes(size)
    assert decrypt_segment(KEY, BLOB, 0, layout, cipher) == b"x" * size


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=3000))
def test_a_small_file_comes_back_without_its_padding(data: bytes) -> None:
    layout, parts = sealed_parts(data)
    assert layout.segments == len(parts) == 1
    assert decrypt_segment(KEY, BLOB, 0, layout, parts[0]) == data


@pytest.mark.usefixtures("small_segments")
@pytest.mark.parametrize("size", [SMALL - 1, SMALL, SMALL + 1, 3 * SMALL, 3 * SMALL + 777])
def test_a_file_of_several_segments_comes_back(size: int) -> None:
    data = bytes(number % 251 for number in range(size))
    layout, parts = sealed_parts(data)
    opened = [decrypt_segment(KEY, BLOB, n, layout, part) for n, part in enumerate(parts)]
    assert b"".join(opened) == data
    assert sum(map(len, parts)) == layout.blob_bytes
    assert {len(part) for part in parts[:-1]} <= {layout.segment_cipher_bytes}


@pytest.mark.usefixtures("small_segments")
class TestASegmentOpensAtItsPlaceOnly:
    """Four segments of one file."""

    data = bytes(range(256)) * (3 * SMALL // 256 + 40)

    def test_not_at_the_place_of_another(self) -> None:
        layout, parts = sealed_parts(self.data)
        assert layout.segments == 4
        for number, part in enumerate(parts):
            for place in range(layout.segments):
                if place != number:
                    with pytest.raises(CannotOpen):
                        decrypt_segment(KEY, BLOB, place, layout, part)

    def test_not_in_another_file(self) -> None:
        layout, parts = sealed_parts(self.data)
        for number, part in enumerate(parts):
            with pytest.raises(CannotOpen):
                decrypt_segment(KEY, b"B" * 16, number, layout, part)

    def test_not_in_a_file_of_another_length_or_count(self) -> None:
        layout, parts = sealed_parts(self.data)
        others = [
            Layout(layout.size, layout.padded, layout.segments + 1),
            Layout(layout.size, layout.padded, layout.segments - 1),
            Layout(layout.size - 1, layout.padded, layout.segments),
        ]
        for other in others:
            for number, part in enumerate(parts):
                with pytest.raises(CannotOpen):
                    decrypt_segment(KEY, BLOB, number, other, part)

    def test_not_with_another_key(self) -> None:
        layout, parts = sealed_parts(self.data)
        with pytest.raises(CannotOpen):
            decrypt_segment(b"K" * 32, BLOB, 0, layout, parts[0])

    def test_not_cut_or_lengthened(self) -> None:
        layout, parts = sealed_parts(self.data)
        whole = parts[0]
        for cut in (b"", whole[:1], whole[:55], whole[:56], whole[:-1], whole[:-16],
                    whole[: 56 + CHUNK + 16], whole + b"\0", whole + whole):  # fmt: skip
            with pytest.raises(CannotOpen):
                decrypt_segment(KEY, BLOB, 0, layout, cut)

    def test_not_with_two_of_its_chunks_exchanged(self) -> None:
        layout, parts = sealed_parts(self.data)
        head, size = 56, CHUNK + 16
        whole = parts[0]
        one, two = whole[head : head + size], whole[head + size : head + 2 * size]
        swapped = whole[:head] + two + one + whole[head + 2 * size :]
        with pytest.raises(CannotOpen):
            decrypt_segment(KEY, BLOB, 0, layout, swapped)

    def test_not_with_any_byte_changed(self) -> None:
        layout, parts = sealed_parts(self.data)
        for index in range(0, len(parts[0]), 997):
            changed = bytearray(parts[0])
            changed[index] ^= 0x80
            with pytest.raises(CannotOpen):
                decrypt_segment(KEY, BLOB, 0, layout, bytes(changed))


sizes = st.integers(0, 2**50)


@bounded
@given(sizes, sizes)
def test_a_longer_file_is_never_padded_to_less(one: int, other: int) -> None:
    small, large = sorted((one, other))
    assert padded_length(small) <= padded_length(large)


@bounded
@given(sizes)
def test_padding_costs_at_most_an_eighth(size: int) -> None:
    padded = padded_length(size)
    assert padded >= size
    assert padded == 1024 if size <= 1024 else padded <= size * 1.12
    assert padded_length(padded) == padded


def test_padding_leaves_few_lengths() -> None:
    """Of a million lengths a few hundred remain."""
    lengths = {padded_length(size) for size in range(2**20, 2**21, 97)}
    assert len(lengths) <= 33


@bounded
@given(st.integers(0, 200 * SEGMENT_BYTES))
def test_a_layout_counts_every_byte(size: int) -> None:
    layout = Layout.of(size)
    plain = [layout.plain_bytes(number) for number in range(layout.segments)]
    assert sum(plain) == layout.padded >= size
    assert all(0 < one <= SEGMENT_BYTES for one in plain)
    assert sum(map(cipher_bytes, plain)) == layout.blob_bytes


def test_an_empty_file_is_a_segment_of_padding() -> None:
    layout, parts = sealed_parts(b"")
    assert (layout.size, layout.padded, layout.segments) == (0, 1024, 1)
    assert decrypt_segment(KEY, BLOB, 0, layout, parts[0]) == b""


def test_every_file_has_a_key_of_its_own() -> None:
    assert len(new_key()) == 32
    assert new_key() != new_key()
