"""What is inside a message."""

import typing
from hashlib import sha256
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatsecure.client import content as c
from chatsecure.client.content import (
    PADDING_BUCKETS,
    AnyContent,
    BadContent,
    EntryHeader,
    Invitation,
    Text1,
    Unknown,
    decode_content,
    decode_header,
    decode_invitation,
    encode_content,
    encode_header,
    encode_invitation,
    leave_statement,
)
from unit.strategies import (
    bounded,
    breaches_of,
    example_of,
    plain,
    plain_example,
    replaced,
    values_of,
)

KINDS = list(typing.get_args(AnyContent))
every_content = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
encode = msgspec.msgpack.encode


def wrapped(body: bytes, version: int = 1) -> bytes:
    return bytes((version,)) + len(body).to_bytes(4, "big") + body


@every_content
@bounded
@given(st.data())
def test_a_content_comes_back_as_it_was_written(kind: type[Any], data: Any) -> None:
    content = data.draw(values_of(kind))
    assert decode_content(encode_content(content)) == content


@every_content
def test_every_bound_of_a_content_is_held(kind: type[Any]) -> None:
    good = plain_example(kind)
    assert decode_content(wrapped(encode(good))) == example_of(kind)
    for path, value in breaches_of(kind):
        assert is_bad(wrapped(encode(replaced(good, path, value)))), (
            f"{kind.__name__}{list(path)} may be {str(value)[:40]}"
        )


def is_bad(data: bytes) -> bool:
    try:
        decode_content(data)
    except BadContent:
        return True
    return False


@every_content
def test_further_elements_of_a_content_are_ignored(kind: type[Any]) -> None:
    longer = [*plain_example(kind), "new", [1]]
    assert decode_content(wrapped(encode(longer))) == example_of(kind)


def test_tags_are_never_used_twice_and_the_last_one_is_known() -> None:
    tags = [msgspec.inspect.type_info(kind).tag for kind in KINDS]
    assert sorted(tags) == list(range(1, len(KINDS) + 1))
    assert max(tags) == c.LAST_TAG


# --- padding ---------------------------------------------------------------------------------


@bounded
@given(st.text(max_size=3000))
def test_a_message_is_as_long_as_its_bucket(text: str) -> None:
    assert len(encode_content(Text1(text))) in PADDING_BUCKETS


def test_short_messages_are_all_of_one_length() -> None:
    texts = ["", "y", "yes", "no", "I will be there at eight", "x" * 40]
    assert {len(encode_content(Text1(text))) for text in texts} == {64}


@pytest.mark.parametrize("bucket", PADDING_BUCKETS)
def test_a_message_that_fills_its_bucket_stays_in_it(bucket: int) -> None:
    text = ""
    while len(encode_content(Text1(text + "x" * 8))) <= bucket:
        text += "x" * max(8, bucket - len(text) - 40)
        if len(encode_content(Text1(text))) > bucket:
            text = text[: -max(8, bucket // 50)]
            break
    assert len(encode_content(Text1(text))) <= bucket
    longer = Text1(text + "x" * bucket)
    assert len(encode_content(longer)) > bucket


def test_above_the_last_bucket_lengths_are_its_multiples() -> None:
    data = encode_content(Text1("é" * 60_000))
    assert len(data) == 2 * PADDING_BUCKETS[-1]
    assert decode_content(data) == Text1("é" * 60_000)


def test_padding_is_not_looked_at() -> None:
    data = encode_content(Text1("hello"))
    assert decode_content(data + b"\xff" * 100) == Text1("hello")


# --- what a newer version sends --------------------------------------------------------------


@bounded
@given(st.integers(c.LAST_TAG + 1, 2**31), st.lists(st.integers() | st.binary(), max_size=3))
def test_a_kind_we_do_not_know_is_kept_as_it_came(tag: int, rest: list[Any]) -> None:
    rest = [value for value in rest if not isinstance(value, int) or abs(value) < 2**63]
    body = encode([tag, *rest])
    assert decode_content(wrapped(body)) == Unknown(tag, body)


@bounded
@given(st.integers(0, 255).filter(lambda version: version != 1), st.binary(max_size=60))
def test_a_newer_version_is_kept_as_it_came(version: int, body: bytes) -> None:
    assert decode_content(wrapped(body, version)) == Unknown(-version, body)


@pytest.mark.parametrize(
    "value",
    [[], {}, "text", 7, None, ["message"], [None], [True], [-1], [0], [1], [1, b"bytes"], [2.5]],
    ids=repr,
)
def test_what_is_of_no_kind_is_bad(value: Any) -> None:
    assert is_bad(wrapped(encode(value)))


# --- garbage ---------------------------------------------------------------------------------


@bounded
@given(st.binary(max_size=200))
def test_garbage_is_bad_content_and_nothing_else(data: bytes) -> None:
    for made in (data, wrapped(data), wrapped(b"\x99" + data)):
        try:
            decode_content(made)
        except BadContent:
            continue


@pytest.mark.parametrize("nest", [b"\x91", b"\x81\x01"])
def test_deep_nesting_is_bad_content(nest: bytes) -> None:
    for head in (b"", b"\x92\x01", b"\x92\x63"):
        assert is_bad(wrapped(head + nest * 50_000 + b"\xc0"))


def test_a_content_that_is_cut_short_is_bad() -> None:
    data = encode_content(Text1("hello", reply_to=b"r" * 16))
    length = 5 + int.from_bytes(data[1:5], "big")
    for end in range(length):
        assert is_bad(data[:end])
    assert not is_bad(data[:length])


def test_bytes_after_the_body_inside_its_length_are_bad() -> None:
    assert is_bad(wrapped(encode([1, "hello"]) + b"\0"))


# --- header and invitation -------------------------------------------------------------------


@bounded
@given(values_of(EntryHeader))
def test_a_header_comes_back_as_it_was_written(header: EntryHeader) -> None:
    assert decode_header(encode_header(header)) == header


@bounded
@given(values_of(Invitation))
def test_an_invitation_comes_back_as_it_was_written(invitation: Invitation) -> None:
    assert decode_invitation(encode_invitation(invitation)) == invitation


OTHERS = [(EntryHeader, decode_header), (Invitation, decode_invitation)]
both = pytest.mark.parametrize(("kind", "decode"), OTHERS, ids=["header", "invitation"])


@both
def test_every_bound_beside_a_message_is_held(kind: type[Any], decode: Any) -> None:
    good = plain(example_of(kind))
    assert decode(encode(good)) == example_of(kind)
    for path, value in breaches_of(kind):
        with pytest.raises(BadContent):
            decode(encode(replaced(good, path, value)))


@both
@bounded
@given(st.binary(max_size=120))
def test_garbage_beside_a_message_is_bad_content(kind: type[Any], decode: Any, data: bytes) -> None:
    for made in (data, b"\x96" + data, b"\x91" * 50_000):
        try:
            decode(made)
        except BadContent:
            continue


@both
def test_further_elements_beside_a_message_are_ignored(kind: type[Any], decode: Any) -> None:
    assert decode(encode([*plain(example_of(kind)), "new"])) == example_of(kind)


def test_a_leave_statement_is_for_one_device_one_conversation_and_one_time_in_it() -> None:
    log, device, leaf = b"l" * 16, b"d" * 16, b"k" * 32
    made = leave_statement(log, device, leaf)
    assert made == b"chatsecure leave v2\0" + log + device + sha256(leaf).digest()
    assert made != leave_statement(device, log, leaf)
    assert made != leave_statement(log, device, b"K" * 32)
