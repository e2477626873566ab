"""What faces are told, as JSON."""

import json
import typing
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatsecure.client.events import (
    MOMENTARY,
    AnyEvent,
    Event,
    MessageEvent,
    PresenceEvent,
    from_json,
    message_id,
    stamp,
    to_dict,
    to_json,
    to_record,
)
from chatsecure.client.reading import oldest_first
from unit.strategies import bounded

KINDS = list(typing.get_args(AnyEvent))
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)


def value(info: Any) -> st.SearchStrategy[Any]:
    match info:
        case msgspec.inspect.UnionType():
            return st.one_of([value(one) for one in info.types])
        case msgspec.inspect.StrType():
            return texts
        case msgspec.inspect.IntType():
            return st.integers(0, 2**63 - 1)
        case msgspec.inspect.BoolType():
            return st.booleans()
        case msgspec.inspect.LiteralType():
            return st.sampled_from(info.values)
        case msgspec.inspect.NoneType():
            return st.none()
        case msgspec.inspect.ListType():
            return st.lists(value(info.item_type), max_size=3)
    return st.just(msgspec.UNSET)


def events(kind: type[Event]) -> st.SearchStrategy[Event]:
    fields = msgspec.inspect.type_info(kind).fields  # type: ignore[attr-defined]
    return st.fixed_dictionaries({field.name: value(field.type) for field in fields}).map(
        lambda values: kind(**values)
    )


every_event = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


@every_event
@bounded
@given(st.data())
def test_an_event_is_one_line_of_json_and_comes_back(kind: type[Event], data: Any) -> None:
    event = data.draw(events(kind))
    line = to_json(event)
    assert "\n" not in line
    assert "\r" not in line
    assert from_json(line) == event
    assert json.loads(line) == to_dict(event)
    assert json.loads(line)["type"] == kind.__struct_config__.tag


def test_who_it_is_from_is_called_from() -> None:
    event = PresenceEvent(at="2026-11-24T12:00:00.000Z", sender="ada", user="ada", state="online")
    assert to_dict(event) == {
        "type": "presence",
        "at": "2026-11-24T12:00:00.000Z",
        "from": "ada",
        "user": "ada",
        "state": "online",
    }


def test_what_is_not_said_is_left_out() -> None:
    told = to_dict(MessageEvent(at="x", text="hello"))
    assert told == {"type": "message", "at": "x", "text": "hello"}
    assert to_dict(MessageEvent(at="x", text="hello", private=False))["private"] is False


def test_types_are_never_used_twice() -> None:
    tags = [kind.__struct_config__.tag for kind in KINDS]
    assert len(set(tags)) == len(tags)
    assert set(MOMENTARY) < set(KINDS)


@bounded
@given(st.integers(0, 253_402_300_799_999))
def test_a_time_is_told_to_the_millisecond_in_utc(at: int) -> None:
    text = stamp(at)
    assert len(text) == len("2026-11-24T12:00:00.000Z")
    assert text.endswith("Z")
    parsed = datetime.fromisoformat(text)
    assert parsed.tzinfo == UTC
    assert (parsed - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1) == at


def test_a_time_past_the_calendar_is_its_last_moment() -> None:
    assert stamp(2**63 - 1) == "9999-12-31T23:59:59.999Z"


def test_a_known_time_is_told_as_documented() -> None:
    assert stamp(1_795_521_600_000) == "2026-11-24T12:00:00.000Z"


def test_an_id_is_told_in_hexadecimal() -> None:
    assert message_id(bytes(range(16))) == "000102030405060708090a0b0c0d0e0f"


def test_scripts_find_the_keys_of_an_event_even_where_there_is_nothing_to_say() -> None:
    assert to_record(MessageEvent(at="x", text="hello", private=True)) == {
        "type": "message",
        "id": None,
        "at": "x",
        "conversation": None,
        "from": None,
        "seq": None,
        "text": "hello",
        "private": True,
        "reply_to": None,
        "mentions": [],
    }
    for kind in KINDS:
        fields = msgspec.inspect.type_info(kind).fields  # type: ignore[attr-defined]
        event = kind(**{field.name: "x" for field in fields if field.required})
        assert {"type", "id", "at", "conversation", "from", "seq"} <= to_record(event).keys()


def kept(*events: tuple[str, str | None]) -> list[tuple[int, str]]:
    return [
        (n, to_json(MessageEvent(at=at, text="", conversation=conversation)))
        for n, (at, conversation) in enumerate(events, 1)
    ]


def test_what_came_while_away_is_told_oldest_first_across_conversations() -> None:
    assert oldest_first(kept(("1", "#a"), ("4", "#a"), ("2", "@b"), ("3", "@b"))) == [1, 3, 4, 2]
    assert oldest_first([]) == []


def test_a_conversation_keeps_its_order_whatever_the_clocks_said() -> None:
    assert oldest_first(kept(("5", "#a"), ("3", "#a"), ("4", "@b"), ("6", "@b"))) == [3, 1, 2, 4]


def test_what_is_of_no_conversation_stays_before_what_follows_it() -> None:
    assert oldest_first(kept(("3", "#a"), ("9", None), ("1", "@b"), ("0", None))) == [2, 3, 1, 4]
