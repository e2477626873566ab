"""What a person's own command tells of a server that lies: a `gap` event with a clear sentence.

The client core's part is in `tests/simulation/test_tampering.py` and `test_lies.py`; here the real
server, a line that lies to bob, and `chatsecure listen --json`.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from chatsecure.wire import messages as m
from system.conftest import Person, Running, Server

from .liar import Liar, each_text, with_seq
from .people import goes_to

Three = tuple[Person, Person, Person]


@pytest.fixture
def liar(three: Three, server: Server) -> Iterator[Liar]:
    """Bob's line to the server. Everybody has read what there is."""
    with Liar(server) as liar:
        for person in three:
            person.listen("--for", "1")
        goes_to(three[2].folder, liar.port)
        yield liar


def dropped(entry: m.Entry, number: int) -> list[m.Entry]:
    return [] if number == 0 else [entry]


def hidden(entry: m.Entry, number: int) -> list[m.Entry]:
    """The first is kept from bob, and what follows numbered so that nothing seems to be missing."""
    return [] if number == 0 else [with_seq(entry, entry.seq - 1)]


def swapped() -> Callable[[m.Entry, int], list[m.Entry]]:
    held: list[m.Entry] = []

    def change(entry: m.Entry, number: int) -> list[m.Entry]:
        held.append(entry)
        if number == 0:
            return []
        if number == 1:
            return [with_seq(entry, held[0].seq), with_seq(held[0], entry.seq)]
        return [entry]

    return change


def repeated() -> Callable[[m.Entry, int], list[m.Entry]]:
    first: list[m.Entry] = []

    def change(entry: m.Entry, number: int) -> list[m.Entry]:
        first.append(entry)
        return [entry] if number == 0 else [with_seq(first[0], entry.seq)]

    return change


def changed(entry: m.Entry, number: int) -> list[m.Entry]:
    payload = bytearray(entry.payload)
    payload[len(payload) // 2] ^= 1
    return [msgspec.structs.replace(entry, payload=bytes(payload))] if number == 0 else [entry]


def later(entry: m.Entry, number: int) -> list[m.Entry]:
    return [msgspec.structs.replace(entry, at=entry.at + 3_600_000)]


def forged(entry: m.Entry, number: int) -> list[m.Entry]:
    return [msgspec.structs.replace(entry, device_id=b"\1" * 16)] if number == 0 else [entry]


LONG = pytest.mark.slow
ANOTHER_PAST = ("different pasts", "seen more of this conversation")


@pytest.mark.parametrize(
    ("make", "words", "shown"),
    [
        pytest.param(lambda: hidden, ANOTHER_PAST, ["two", "three"], id="withhold"),
        pytest.param(
            lambda: dropped, ("1 entries are gone",), ["two", "three"], id="drop", marks=LONG
        ),
        # "one" changes its place with a receipt.
        pytest.param(swapped, ANOTHER_PAST, ["one", "two", "three"], id="reorder", marks=LONG),
        pytest.param(repeated, ("",), ["one"], id="replay", marks=LONG),
        pytest.param(lambda: changed, ("",), ["two", "three"], id="change"),
        pytest.param(
            lambda: later, ("different pasts",), ["one", "two", "three"], id="time", marks=LONG
        ),
        pytest.param(
            lambda: forged, ("another sender",), ["two", "three"], id="sender", marks=LONG
        ),
    ],
)
def test_listen_tells_of_what_the_server_did_to_messages_by_the_next_one(
    three: Three,
    liar: Liar,
    make: Callable[[], Callable[[m.Entry, int], list[m.Entry]]],
    words: tuple[str, ...],
    shown: list[str],
) -> None:
    mara, alice, bob = three
    listening = bob.start("listen", "--json")
    assert listening.event("connection")["state"] == "online"
    liar.lie = each_text(make())
    # Each writes after having read what the other wrote.
    for person, text in ((alice, "one"), (mara, "two"), (alice, "three")):
        person.listen("--for", "0.5")
        person.send("#lobby", text)
    events = told(listening, mara)
    gaps = [event for event in events if event["type"] == "gap"]
    assert gaps, events
    assert all(event["conversation"] == "#lobby" and event["reason"] for event in gaps)
    assert any(word in event["reason"] for event in gaps for word in words), gaps
    texts = [event["text"] for event in events if event["type"] == "message"]
    assert [text for text in texts if text != "the end"] == shown


def told(listening: Running, mara: Person) -> list[dict[str, Any]]:
    """All that has come, up to a private message: of that chat the server tells the truth."""
    mara.send("@bob", "the end")
    events: list[dict[str, Any]] = []
    while not events or events[-1].get("text") != "the end":
        events.append(json.loads(listening.line()))
    listening.process.kill()
    listening.process.communicate()
    return events


def test_listen_tells_of_a_conversation_that_the_server_keeps_silent_about(
    three: Three, liar: Liar
) -> None:
    """And bob asks the members, whom the server has not told, to add him anew."""
    bob = three[2]
    listening = bob.start("listen", "--json")
    assert listening.event("connection")["state"] == "online"

    def forget(message: m.Message) -> list[m.Message]:
        if isinstance(message, m.Subscribed):
            kept = [log for log in message.logs if log.kind is not m.LogKind.LOBBY]
            return [m.Subscribed(kept)]
        return [message]

    liar.lie = forget
    liar.cut()
    gap = listening.event("gap")
    assert gap["conversation"] == "#lobby"
    assert "does not count this device as a member" in gap["reason"]
    listening.process.kill()
    listening.process.communicate()


@pytest.mark.slow
def test_room_add_refuses_a_key_package_of_somebody_else(three: Three, liar: Liar) -> None:
    mara, _, bob = three
    mara.send("@bob", "so that bob has seen mara")
    bob("room", "create", "#plans").ok()
    packages: dict[str, m.ClaimedKeyPackage] = {}

    def swap(message: m.Message) -> list[m.Message]:
        if isinstance(message, m.KeyPackages):
            packages.update((one.name, one) for one in message.packages)
            others = [
                msgspec.structs.replace(packages["alice"], name=one.name)
                for one in message.packages
                if "alice" in packages
            ]
            return [m.KeyPackages(others or message.packages)]
        return [message]

    liar.lie = swap
    bob("room", "add", "#plans", "alice").ok()
    done = bob("room", "add", "#plans", "mara")
    assert done.code == 6, done.err
    assert "a KeyPackage of mara is of another identity" in done.err
    rooms = {room["name"]: room["people"] for room in bob("rooms", "--json").ok().records}
    assert sorted(rooms["#plans"]) == ["alice", "bob"]
