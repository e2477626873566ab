"""Bytes and frames."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatsecure.wire.errors import ErrorCode, FrameTooLarge
from chatsecure.wire.frames import (
    HEADER,
    MAX_FRAME_BYTES,
    MAX_FRAME_BYTES_BEFORE_LOGIN,
    Frame,
    FrameDecoder,
    encode_frame,
)
from unit.strategies import bounded

frames = st.builds(Frame, st.integers(0, 255), st.integers(0, 2**32 - 1), st.binary(max_size=300))


def all_frames(decoder: FrameDecoder) -> list[Frame]:
    found = []
    while (frame := decoder.next_frame()) is not None:
        found.append(frame)
    return found


@bounded
@given(st.lists(frames, max_size=8), st.data())
def test_any_split_of_the_stream_gives_the_same_frames(sent: list[Frame], data: Any) -> None:
    stream = b"".join(encode_frame(*frame) for frame in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    decoder, got = FrameDecoder(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        decoder.feed(stream[start:end])
        got += all_frames(decoder)
    assert got == sent
    assert decoder.pending_bytes == 0


def test_a_stream_may_come_byte_by_byte() -> None:
    sent = [Frame(3, 0, b""), Frame(4, 2**32 - 1, b"x" * 500), Frame(255, 7, b"yz")]
    decoder, got = FrameDecoder(), []
    for byte in b"".join(encode_frame(*frame) for frame in sent):
        decoder.feed(bytes((byte,)))
        got += all_frames(decoder)
    assert got == sent


def test_a_frame_is_a_header_of_nine_bytes_and_a_body() -> None:
    assert encode_frame(60, 1, b"\x90").hex() == "00000001" + "3c" + "00000001" + "90"


def test_an_unfinished_frame_is_held_and_counted() -> None:
    decoder = FrameDecoder()
    decoder.feed(encode_frame(1, 1, b"abcdef")[:-1])
    assert decoder.next_frame() is None
    assert decoder.pending_bytes == HEADER.size + 5


@pytest.mark.parametrize("limit", [0, 10, MAX_FRAME_BYTES_BEFORE_LOGIN, MAX_FRAME_BYTES])
def test_a_frame_over_the_limit_is_refused_before_its_body_comes(limit: int) -> None:
    decoder = FrameDecoder(limit)
    decoder.feed(HEADER.pack(limit + 1, 1, 1))
    with pytest.raises(FrameTooLarge) as refused:
        decoder.next_frame()
    assert refused.value.code is ErrorCode.TOO_LARGE


def test_a_frame_of_exactly_the_limit_is_taken() -> None:
    decoder = FrameDecoder(10)
    decoder.feed(encode_frame(1, 1, b"x" * 10))
    assert decoder.next_frame() == Frame(1, 1, b"x" * 10)


def test_before_log_in_a_stranger_may_send_64_kib_and_no_more() -> None:
    assert FrameDecoder().max_frame_bytes == MAX_FRAME_BYTES_BEFORE_LOGIN == 64 * 1024


def test_the_limit_may_grow_between_two_frames() -> None:
    decoder = FrameDecoder(4)
    decoder.feed(encode_frame(1, 0, b"abcd") + encode_frame(2, 0, b"abcde"))
    assert decoder.next_frame() == Frame(1, 0, b"abcd")
    decoder.max_frame_bytes = 5
    assert decoder.next_frame() == Frame(2, 0, b"abcde")


class CountingBuffer(bytearray):
    """Counts the bytes that are moved when its front is dropped."""

    moved = 0

    def __delitem__(self, key: Any) -> None:
        super().__delitem__(key)
        self.moved += len(self)


@pytest.mark.parametrize("piece", [1, 10, 4096, 10**9])
@pytest.mark.parametrize("body", [0, 1, 1000])
def test_no_byte_is_moved_more_than_once_however_it_comes(piece: int, body: int) -> None:
    decoder = FrameDecoder()
    buffer = decoder._buffer = CountingBuffer()
    stream = encode_frame(1, 1, b"x" * body) * 400
    taken = 0
    for start in range(0, len(stream), piece):
        decoder.feed(stream[start : start + piece])
        taken += len(all_frames(decoder))
    assert taken == 400
    assert buffer.moved <= len(stream)


def test_what_was_taken_is_let_go() -> None:
    decoder = FrameDecoder()
    for _ in range(100):
        decoder.feed(encode_frame(1, 1, b"x" * 10_000))
        all_frames(decoder)
    assert len(decoder._buffer) == 0
