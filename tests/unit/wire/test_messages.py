"""Every message: there and back, and never past its bounds."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatsecure.wire import messages as m
from chatsecure.wire.connection import SERVER_ACCEPTS
from chatsecure.wire.errors import MalformedMessage
from unit.strategies import bounded, breaches_of, example_of, plain, replaced, values_of

ALL = list(m.MESSAGES.values())
every_message = pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
encode = msgspec.msgpack.encode


def number(kind: type[m.Message]) -> int:
    return m.NUMBERS[kind]


def is_malformed(kind: type[m.Message], body: bytes) -> bool:
    try:
        m.decode_body(number(kind), body)
    except MalformedMessage:
        return True
    return False


@every_message
@bounded
@given(st.data())
def test_a_message_comes_back_as_it_was_sent(kind: type[m.Message], data: Any) -> None:
    message = data.draw(values_of(kind))
    assert m.decode_body(number(kind), m.encode_body(message)) == message


@every_message
def test_every_bound_of_a_message_is_held(kind: type[m.Message]) -> None:
    good = plain(example_of(kind))
    assert m.decode_body(number(kind), encode(good)) == example_of(kind)
    for path, value in breaches_of(kind):
        body = encode(replaced(good, path, value))
        assert is_malformed(kind, body), f"{kind.__name__}{list(path)} may be {str(value)[:40]}"


def _unbounded(info: msgspec.inspect.Type, name: str) -> list[str]:
    match info:
        case msgspec.inspect.StructType():
            return [
                found
                for field in info.fields
                for found in _unbounded(field.type, f"{name}.{field.name}")
            ]
        case msgspec.inspect.UnionType():
            return [found for option in info.types for found in _unbounded(option, name)]
        case msgspec.inspect.ListType():
            here = [name] if info.max_length is None else []
            return here + _unbounded(info.item_type, name)
        case msgspec.inspect.BytesType() | msgspec.inspect.StrType():
            return [name] if info.max_length is None else []
    return []


def test_whatever_a_client_sends_has_a_bound_for_each_part() -> None:
    accepted = frozenset().union(*SERVER_ACCEPTS.values())
    unbounded = [
        found
        for kind in accepted
        for found in _unbounded(msgspec.inspect.type_info(kind), kind.__name__)
    ]
    assert unbounded == []


@every_message
def test_further_elements_are_ignored(kind: type[m.Message]) -> None:
    message = example_of(kind)
    longer = [*plain(message), {"new": [1, b"2"]}, None]
    assert m.decode_body(number(kind), encode(longer)) == message


@every_message
def test_bytes_after_the_message_are_refused(kind: type[m.Message]) -> None:
    body = m.encode_body(example_of(kind))
    for more in (b"\0", b"\xc0", body):
        with pytest.raises(MalformedMessage):
            m.decode_body(number(kind), body + more)


@every_message
def test_a_message_that_is_cut_short_is_refused(kind: type[m.Message]) -> None:
    body = m.encode_body(example_of(kind))
    for end in range(len(body)):
        with pytest.raises(MalformedMessage):
            m.decode_body(number(kind), body[:end])


@every_message
@pytest.mark.parametrize("byte", [b"\x91", b"\x81", b"\xdc\x00\x01", b"\x81\xa1a"])
def test_deep_nesting_is_refused(kind: type[m.Message], byte: bytes) -> None:
    for body in (byte * 20_000, byte * 20_000 + b"\xc0", b"\x9f" + byte * 20_000):
        with pytest.raises(MalformedMessage):
            m.decode_body(number(kind), body)


@bounded
@given(st.integers(0, 255), st.binary(max_size=200))
def test_any_bytes_are_a_message_or_malformed(type_: int, body: bytes) -> None:
    try:
        message = m.decode_body(type_, body)
    except MalformedMessage:
        return
    assert m.NUMBERS[type(message)] == type_


@pytest.mark.parametrize("type_", sorted(set(range(256)) - m.MESSAGES.keys()))
def test_an_unknown_type_is_refused(type_: int) -> None:
    with pytest.raises(MalformedMessage, match=f"type {type_}"):
        m.decode_body(type_, b"\x90")


def test_a_name_that_is_no_utf_8_is_refused() -> None:
    body = b"\x91" + b"\xa3" + b"\xed\xa0\x80"
    with pytest.raises(MalformedMessage):
        m.decode_body(number(m.GetUser), body)


def test_a_huge_announced_length_costs_nothing() -> None:
    for head in (b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff"):
        with pytest.raises(MalformedMessage):
            m.decode_body(number(m.Subscribe), b"\x91" + head)


def test_numbers_are_never_used_twice() -> None:
    assert len(m.NUMBERS) == len(m.MESSAGES)
    assert all(0 < one < 256 for one in m.MESSAGES)


def _concrete(kind: type[m.Message]) -> set[type[m.Message]]:
    return {kind}.union(*map(_concrete, kind.__subclasses__()))


def test_every_struct_is_a_message_or_part_of_one() -> None:
    told = {kind.__name__ for kind in ALL}
    seen: set[str] = set()

    def walk(info: Any) -> None:
        match info:
            case msgspec.inspect.StructType():
                seen.add(info.cls.__name__)
                for field in info.fields:
                    walk(field.type)
            case msgspec.inspect.UnionType():
                for option in info.types:
                    walk(option)
            case msgspec.inspect.ListType():
                walk(info.item_type)

    for kind in ALL:
        walk(msgspec.inspect.type_info(kind))
    ours = {
        kind.__name__
        for kind in _concrete(m.Message)
        if kind.__module__.startswith(m.__name__) and kind is not m.Message
    }
    assert told <= seen == ours


# --- what a log-in signs ---------------------------------------------------------------------

CONTEXT: dict[str, Any] = {
    "purpose": m.LoginPurpose.LOGIN,
    "version": 1,
    "server_certificate_hash": b"s" * 32,
    "server_nonce": b"n" * 32,
    "client_nonce": b"c" * 32,
    "subject": b"d" * 16,
}


@pytest.mark.parametrize(
    ("field", "other"),
    [
        ("purpose", m.LoginPurpose.REGISTER),
        ("version", 2),
        ("server_certificate_hash", b"S" + b"s" * 31),
        ("server_nonce", b"N" + b"n" * 31),
        ("client_nonce", b"C" + b"c" * 31),
        ("subject", b"D" + b"d" * 15),
    ],
)
def test_a_log_in_signature_is_for_one_log_in_only(field: str, other: Any) -> None:
    assert m.login_context(**CONTEXT) != m.login_context(**{**CONTEXT, field: other})


def test_what_a_log_in_signs_is_as_documented() -> None:
    signed = m.login_context(**CONTEXT)
    assert signed.startswith(b"chatsecure login v1\0\x01\x00\x01" + b"s" * 32 + b"n" * 32)
    assert len(signed) == 20 + 1 + 2 + 4 * 32


REGISTER = m.Register(
    token=b"t" * 16,
    name="ada",
    identity_certificate=b"i",
    sealing_certificate=b"s",
    device_certificate=b"d",
    device_list=m.SignedDeviceList(b"b", b"l"),
    signature=b"x",
)


@pytest.mark.parametrize(
    "change",
    [
        {"token": b"T" * 16},
        {"name": "Ada"},
        {"identity_certificate": b"I"},
        {"sealing_certificate": b"S"},
        {"device_certificate": b"D"},
        {"device_list": m.SignedDeviceList(b"B", b"l")},
        {"device_list": m.SignedDeviceList(b"b", b"L")},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_registration_signature_covers_every_field(change: dict[str, Any]) -> None:
    other = msgspec.structs.replace(REGISTER, **change)
    assert m.registration_subject(other) != m.registration_subject(REGISTER)


def test_a_registration_signature_does_not_cover_itself_or_the_errand() -> None:
    other = msgspec.structs.replace(REGISTER, signature=b"y", present=False)
    assert m.registration_subject(other) == m.registration_subject(REGISTER)
