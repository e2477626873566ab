"""Sessions without a network: greeting, keep-alive, requests and the end."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatsecure.server.limits import ServerLimits
from chatsecure.wire import messages as m
from chatsecure.wire.connection import encode_message
from chatsecure.wire.errors import ErrorCode

from .door import Door, is_error, room
from .people import append, new_id
from .world import World, log

ROOM = log("r")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


# --- hellos --------------------------------------------------------------------------------------


def test_the_highest_common_version_is_chosen(world: World) -> None:
    hello = Door(world).greets(1, 7, 9)
    assert isinstance(hello, m.ServerHello)
    assert hello.version == 1
    assert hello.limits.keepalive_s == 10


def test_without_a_common_version_the_connection_ends_with_the_reason(world: World) -> None:
    door = Door(world)
    assert is_error(door.greets(7, 9), ErrorCode.VERSION, "version 1")
    assert door.port.closed


def test_who_is_silent_at_the_door_is_sent_away(world: World) -> None:
    door = Door(world)
    door.greets()
    world.passes(21)
    [goodbye] = door.gets()
    assert isinstance(goodbye, m.Goodbye)
    assert goodbye.code == ErrorCode.TIMEOUT
    assert door.port.closed


@pytest.mark.parametrize(
    "message",
    [
        m.GetUser("ann"),
        m.Login(b"x" * 16, b"s"),
        m.Ack(b"x" * 16, 1),
        m.LoggedIn("a", m.Role.OWNER, 0, None),
    ],
)
def test_nothing_comes_before_the_hello(world: World, message: m.Message) -> None:
    door = Door(world)
    [goodbye] = door.says(message)
    assert isinstance(goodbye, m.Goodbye)
    assert "may not come now" in goodbye.message
    assert door.port.closed


@given(st.binary(min_size=1, max_size=200))
def test_garbage_ends_the_connection_or_waits_for_more_and_harms_nobody(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    world = _shared(tmp_path_factory)
    door = Door(world)
    door.session.received(data)
    for message in door.gets():
        assert isinstance(message, m.Goodbye)
        assert door.port.closed
    world.clients.remove(door)  # type: ignore[arg-type]
    door.session.closed()
    world.core.depart("door")
    assert world.core.stats.errors == 0
    assert isinstance(Door(world).greets(), m.ServerHello)


_worlds: list[World] = []


def _shared(factory: pytest.TempPathFactory) -> World:
    if not _worlds:
        _worlds.append(
            World(factory.mktemp("shared"), ServerLimits(connections_per_address=20_000))
        )
    return _worlds[0]


def test_a_frame_too_large_for_the_door_is_refused_before_it_is_held(world: World) -> None:
    door = Door(world)
    door.session.received((10**6).to_bytes(4, "big") + b"\x01" + bytes(4))
    [goodbye] = door.gets()
    assert isinstance(goodbye, m.Goodbye)
    assert goodbye.code == ErrorCode.TOO_LARGE


# --- keep-alive ----------------------------------------------------------------------------------


def test_a_silent_client_is_pinged_and_then_let_go(world: World) -> None:
    ann = world.client("ann")
    world.passes(11)
    assert ann.take_all() == [m.Ping()]
    ann.send(m.Pong())
    world.passes(25)
    assert not ann.port.closed
    world.passes(1)
    ping, goodbye = ann.take_all()
    assert ping == m.Ping()
    assert isinstance(goodbye, m.Goodbye)
    assert goodbye.code == ErrorCode.TIMEOUT
    assert ann.port.closed


def test_a_slow_reader_that_goes_on_reading_is_alive(world: World) -> None:
    ann, ben = world.client("ann"), world.client("ben")
    room(ann, ben)
    ben.follow(r=0)
    for _ in range(20):
        ann.send(append(ROOM, bytes(40_000)))
    ann.take_all()
    for _ in range(40):
        ann.send(m.Ping())
        world.passes(1)
        ben.take(8_000)
    assert not ben.port.closed
    for _ in range(30):
        ann.send(m.Ping())
        world.passes(1)
    assert ben.port.closed
    assert not ann.port.closed


def test_a_ping_is_answered_with_its_request(world: World) -> None:
    assert world.client("ann").ask(m.Ping()) == m.Pong()


# --- requests ------------------------------------------------------------------------------------


def test_a_request_id_may_not_be_used_twice_at_once(world: World) -> None:
    ann = world.client("ann")
    data = encode_message(m.GetUser("ann"), 9)
    ann.session.received(data + data)
    assert any(isinstance(message, m.Goodbye) for message in ann.take_all())


def test_an_unknown_user_is_refused_with_the_nearest_name(world: World) -> None:
    ann = world.client("ann")
    world.user("benjamin")
    reply = ann.ask(m.GetUser("benjamn"))
    assert is_error(reply, ErrorCode.NOT_FOUND, "benjamn; did you mean benjamin?")


def test_the_list_of_users_is_paged_in_folded_order(world: World) -> None:
    ann = world.client("ann")
    for number in range(600):
        world.user(f"u{number:03}")
    first = ann.ask(m.ListUsers())
    assert (len(first.users), first.more) == (500, True)
    assert (first.users[0].name, first.users[0].online) == ("ann", True)
    second = ann.ask(m.ListUsers(first.users[-1].name))
    assert (len(second.users), second.more) == (101, False)


def test_too_many_requests_are_refused_until_time_has_passed(tmp_path: Path) -> None:
    world = World(tmp_path, ServerLimits(append_rate=2, append_burst=3))
    ann = world.client("ann")
    room(ann)
    messages = [append(ROOM) for _ in range(4)]
    replies = [ann.ask(message) for message in messages]
    assert [type(reply) for reply in replies[:3]] == [m.Appended] * 3
    assert is_error(replies[3], ErrorCode.RATE)
    world.time_ms += 1000
    # What is newer does not overtake what was refused.
    assert is_error(ann.ask(append(ROOM)), ErrorCode.UNAVAILABLE)
    assert isinstance(ann.ask(messages[3]), m.Appended)


def test_who_asks_faster_than_it_is_answered_is_not_read_any_more(tmp_path: Path) -> None:
    world = World(tmp_path, ServerLimits(requests_in_flight=10))
    ann = world.client("ann")
    room(ann)
    for _ in range(11):
        ann.send(append(ROOM))
    assert ann.port.held
    ann.take_all()
    assert not ann.port.held


def test_key_packages_are_claimed_once_and_the_last_resort_for_ever(world: World) -> None:
    ann, ben = world.client("ann"), world.client("ben")
    assert is_error(ann.ask(m.ClaimKeyPackages(["ben"])), ErrorCode.NO_KEY_PACKAGE, "ben")
    packages = [m.KeyPackageUpload(b"%d" % n * 16, b"one-time %d" % n) for n in range(2)]
    last = m.KeyPackageUpload(b"l" * 16, b"last resort", last_resort=True)
    assert ben.ask(m.PutKeyPackages([*packages, last])) == m.Ok()
    claimed = [ann.ask(m.ClaimKeyPackages(["BEN"])).packages[0].data for _ in range(4)]
    assert claimed == [b"one-time 0", b"one-time 1", b"last resort", b"last resort"]
    # A repeated upload does not bring back what was claimed.
    assert ben.ask(m.PutKeyPackages(packages)) == m.Ok()
    assert ann.ask(m.ClaimKeyPackages(["ben"])).packages[0].data == b"last resort"
    newer = m.KeyPackageUpload(b"m" * 16, b"newer", last_resort=True)
    assert ben.ask(m.PutKeyPackages([newer])) == m.Ok()
    assert ann.ask(m.ClaimKeyPackages(["ben"])).packages[0].data == b"newer"


def test_a_claim_that_fails_takes_nothing(world: World) -> None:
    ann, ben = world.client("ann"), world.client("ben")
    ben.ask(m.PutKeyPackages([m.KeyPackageUpload(b"a" * 16, b"only one")]))
    assert is_error(ann.ask(m.ClaimKeyPackages(["ben", "eve"])), ErrorCode.NOT_FOUND, "eve")
    assert ann.ask(m.ClaimKeyPackages(["ben"])).packages[0].data == b"only one"


def test_invitations_are_bounded_in_uses_and_time(world: World) -> None:
    ann = world.client("ann")
    far = world.time_ms + 366 * 86_400_000
    for uses, expires_at, code in (
        (0, far, ErrorCode.TOO_MANY),
        (10_001, far, ErrorCode.TOO_MANY),
        (1, far + 2 * 86_400_000, ErrorCode.TOO_MANY),
        (1, world.time_ms, ErrorCode.NOT_ALLOWED),
    ):
        assert is_error(ann.ask(m.PutToken(new_id() * 2, uses, expires_at)), code)
    good = m.PutToken(new_id() * 2, 1, 0)
    assert ann.ask(good) == m.Ok()
    assert ann.ask(good) == m.Ok()


# --- the end -------------------------------------------------------------------------------------


def test_stopping_answers_what_was_accepted_and_refuses_what_comes(world: World) -> None:
    ann = world.client("ann")
    room(ann)
    first = ann.send(append(ROOM))
    world.core.stop()
    second = ann.send(append(ROOM))
    ann.take_all()
    answers = dict(pair for pair in ann.got if pair[0] in (first, second))
    assert isinstance(answers[first], m.Appended)
    assert is_error(answers[second], ErrorCode.UNAVAILABLE)
    assert isinstance(ann.got[-1][1], m.Goodbye)
    assert not world.core.arrive("test")
