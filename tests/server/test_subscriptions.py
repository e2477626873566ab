"""Who gets which entries and when, and who sees whom come and go; without a network."""

from pathlib import Path

import pytest

from chatsecure.server.limits import ServerLimits
from chatsecure.wire import messages as m

from .door import room
from .people import append
from .world import Client, World, log

ROOM = log("r")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_subscription_to_what_one_is_not_in_gives_nothing(world: World) -> None:
    ann, eve = world.client("ann"), world.client("eve")
    room(ann)
    ann.ask(append(ROOM))
    request = [m.Cursor(ROOM, 0), m.Cursor(ann.who.device_id, 0), m.Cursor(log("none"), 0)]
    assert eve.ask(m.Subscribe(request)) == m.Subscribed([])
    ann.ask(append(ROOM))
    eve.take_all()
    assert not [message for _, message in eve.got if isinstance(message, m.Entries)]
    assert set(world.core.hub.channels) == set()


def test_the_answer_comes_before_the_first_entries(world: World) -> None:
    ann = world.client("ann")
    room(ann)
    ann.ask(append(ROOM))
    ann.follow(r=0)
    kinds = [type(message) for _, message in ann.got[2:]]
    assert kinds == [m.Subscribed, m.Entries]


def test_two_connections_of_a_device_each_have_their_own_flow(world: World) -> None:
    one, other = world.client("ann"), world.client("ann")
    room(one)
    one.ask(append(ROOM))
    one.follow(r=1)
    other.follow(r=0)
    one.ask(append(ROOM))
    other.take_all()
    assert [entry.seq for entry in one.entries(ROOM)] == [2]
    assert [entry.seq for entry in other.entries(ROOM)] == [1, 2]


def test_who_is_removed_gets_the_entry_that_does_it_and_nothing_after(world: World) -> None:
    ann, ben = world.client("ann"), world.client("ben")
    room(ann, ben)
    ben.follow(r=0)
    commit = append(ROOM, kind=m.EntryKind.COMMIT, remove=[ben.who.device_id])
    # All in one batch.
    for message in (append(ROOM), commit, append(ROOM, epoch=1)):
        ann.send(message)
    ann.take_all()
    ann.ask(append(ROOM, epoch=1))
    ben.take_all()
    assert [entry.seq for entry in ben.entries(ROOM)] == [1, 2]
    # It is told of the log until it has confirmed the end of its reading.
    assert [state.head for state in ben.follow(r=1).logs] == [2]
    ben.send(m.Ack(ROOM, 2))
    world.passes(3)
    assert ben.follow().logs == [] or ben.session.subs.get(ROOM) is None


def test_a_confirmed_end_is_not_told_any_more(world: World) -> None:
    ann, ben = world.client("ann"), world.client("ben")
    room(ann, ben)
    ben.follow(r=0)
    ann.ask(append(ROOM, kind=m.EntryKind.COMMIT, remove=[ben.who.device_id]))
    ben.take_all()
    ben.follow(r=1)
    world.passes(3)
    assert ben.follow().logs == []


def test_entries_of_one_batch_come_in_one_frame(world: World) -> None:
    ann, ben = world.client("ann"), world.client("ben")
    room(ann, ben)
    ben.follow(r=0)
    ben.got.clear()
    for _ in range(50):
        ann.send(append(ROOM))
    ann.take_all()
    ben.take_all()
    [(_, message)] = ben.got
    assert isinstance(message, m.Entries)
    assert len(message.entries) == 50


def test_a_slow_reader_costs_bounded_memory_and_misses_nothing(tmp_path: Path) -> None:
    world = World(tmp_path, ServerLimits(queue_bytes=300_000))
    ann, ben = world.client("ann"), world.client("ben")
    room(ann, ben)
    ben.follow(r=0)
    ann.follow(r=0)
    for _ in range(300):
        ann.send(append(ROOM, bytes(10_000)))
        ann.take_all()
        assert ben.port.queued() <= 300_000
    assert [entry.seq for entry in ann.entries(ROOM)] == list(range(1, 301))
    ben.take_all()
    assert [entry.seq for entry in ben.entries(ROOM)] == list(range(1, 301))
    ann.ask(append(ROOM))
    ben.take_all()
    assert ben.entries(ROOM)[-1].seq == 301


def test_whispers_reach_who_is_there_and_in_it(world: World) -> None:
    ann, ben, eve = (world.client(name) for name in ("ann", "ben", "eve"))
    room(ann, ben)
    for client in (ann, ben, eve):
        client.follow(r=0)
    ann.send(m.Whisper(ROOM, b"typing"))
    eve.send(m.Whisper(ROOM, b"spoof"))
    for client in (ann, ben, eve):
        client.take_all()
    whispers = [message for _, message in ben.got if isinstance(message, m.Whispered)]
    assert whispers == [m.Whispered(ROOM, ann.who.device_id, b"typing")]
    assert not [1 for _, message in ann.got + eve.got if isinstance(message, m.Whispered)]


# --- presence ------------------------------------------------------------------------------------


def presence(client: Client) -> list[tuple[str, bool]]:
    client.take_all()
    found = [
        (message.name, message.online)
        for _, message in client.got
        if isinstance(message, m.Presence)
    ]
    client.got = [pair for pair in client.got if not isinstance(pair[1], m.Presence)]
    return found


def test_those_who_share_a_conversation_see_each_other_come_and_go(world: World) -> None:
    ann, ben = world.client("ann"), world.client("ben")
    eve = world.client("eve")
    room(ann, ben)
    eve.follow()
    ann.follow(r=0)
    assert presence(ann) == []
    ben.follow(r=0)
    assert presence(ann) == [("ben", True)]
    assert presence(ben) == [("ann", True)]
    ben.leave()
    assert presence(ann) == [("ben", False)]
    assert presence(eve) == []


def test_a_second_connection_or_conversation_is_not_a_second_coming(world: World) -> None:
    ann, ben = world.client("ann"), world.client("ben")
    room(ann, ben)
    room(ann, ben, name="s")
    ann.follow(r=0, s=0)
    ben.follow(r=0)
    assert presence(ann) == [("ben", True)]
    ben.follow(r=0, s=0)
    more = world.client("ben")
    more.follow(r=0)
    assert presence(ann) == []
    assert presence(more) == [("ann", True)]
    ben.leave()
    assert presence(ann) == []
    more.leave()
    assert presence(ann) == [("ben", False)]


def test_a_short_errand_is_not_seen(world: World) -> None:
    ann = world.client("ann")
    ben = world.client("ben", present=False)
    room(ann, ben)
    ann.follow(r=0)
    ben.follow(r=0)
    ben.leave()
    assert presence(ann) == []
    assert not ann.ask(m.GetUser("ben")).online


def test_who_is_added_and_those_there_see_each_other(world: World) -> None:
    ann, ben = world.client("ann"), world.client("ben")
    room(ann)
    ann.follow(r=0)
    ben.follow()
    ann.ask(append(ROOM, kind=m.EntryKind.COMMIT, add=[ben.who.device_id]))
    ben.follow(r=0)
    assert presence(ann) == [("ben", True)]
    assert presence(ben) == [("ann", True)]


def test_when_somebody_was_here_is_kept(world: World) -> None:
    ann, ben = world.client("ann"), world.client("ben")
    assert ann.ask(m.GetUser("ben")).devices[0].last_seen == 0
    ben.leave()
    world.settle()
    assert ann.ask(m.GetUser("ben")).devices[0].last_seen == world.time_ms
