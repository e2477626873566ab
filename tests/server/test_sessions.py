"""Sessions, subscriptions and presence, without a network."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatsecure.crypto.identity import create_device, sign_device_list, sign_with_device
from chatsecure.links import token_hash
from chatsecure.server.limits import ServerLimits
from chatsecure.server.rules.accounts import put_owner_token, put_server_token
from chatsecure.server.session import Session
from chatsecure.wire import messages as m
from chatsecure.wire.connection import encode_message
from chatsecure.wire.errors import ErrorCode
from chatsecure.wire.frames import FrameDecoder

from .people import Person, append, new_id, person, registration
from .world import Client, FakePort, World, log

ROOM = log("r")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


class Door:
    """A connection that has not logged in."""

    def __init__(self, world: World, who: Person | None = None) -> None:
        self.world, self.who = world, who
        self.port = FakePort()
        assert world.core.arrive("door")
        self.session: Session = world.core.connect(self.port, "door")
        world.clients.append(self)  # type: ignore[arg-type]
        self.nonce = b"n" * 32
        self.decoder = FrameDecoder()

    def gets(self) -> list[m.Message]:
        self.world.settle()
        self.decoder.feed(bytes(self.port.waiting))
        self.port.waiting.clear()
        found = []
        while (frame := self.decoder.next_frame()) is not None:
            found.append(m.decode_body(frame.type, frame.body))
        return found

    def says(self, *messages: m.Message) -> list[m.Message]:
        for number, message in enumerate(messages, 1):
            self.session.received(encode_message(message, number))
        return self.gets()

    def greets(self, *versions: int) -> m.Message:
        [reply] = self.says(m.ClientHello(list(versions or (1,)), self.nonce, "test"))
        if isinstance(reply, m.ServerHello):
            self.server_nonce = reply.nonce
        return reply

    def signs(self, purpose: m.LoginPurpose, subject: bytes, *, server: bytes = b"c" * 32) -> bytes:
        assert self.who is not None
        context = m.login_context(purpose, 1, server, self.server_nonce, self.nonce, subject)
        return sign_with_device(self.who.device.seed, context)

    def registers(self, token: bytes, **changes: object) -> m.Message:
        assert self.who is not None
        self.greets()
        unsigned = msgspec.structs.replace(registration(self.who, token), **changes)
        signature = self.signs(m.LoginPurpose.REGISTER, m.registration_subject(unsigned))
        [reply] = self.says(msgspec.structs.replace(unsigned, signature=signature))
        return reply

    def logs_in(self, **where: bytes) -> m.Message:
        assert self.who is not None
        self.greets()
        [reply] = self.says(
            m.Login(self.who.id, self.signs(m.LoginPurpose.LOGIN, self.who.id, **where))
        )
        return reply


def token(world: World, uses: int = 1, lives_ms: int = 60_000, *, owner: bool = False) -> bytes:
    secret, now = new_id(), world.time_ms
    if owner:
        world.run(lambda tx: put_owner_token(tx, token_hash(secret), now))
    else:
        hash_ = token_hash(secret)
        world.run(lambda tx: put_server_token(tx, hash_, uses, now + lives_ms, now))
    return secret


def is_error(message: m.Message, code: ErrorCode, text: str = "") -> bool:
    return isinstance(message, m.Error) and message.code == code and text in message.message


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


# --- registration --------------------------------------------------------------------------------


def test_the_owner_token_makes_an_owner_once(world: World) -> None:
    secret = token(world, owner=True)
    reply = Door(world, person("ann")).registers(secret)
    assert reply == m.LoggedIn("ann", m.Role.OWNER, 0, None)
    assert is_error(Door(world, person("ben")).registers(secret), ErrorCode.BAD_TOKEN, "used up")
    assert not world.run(lambda tx: put_owner_token(tx, b"h" * 32, world.time_ms))


def test_an_older_owner_token_is_void_after_a_new_one(world: World) -> None:
    old, new = token(world, owner=True), token(world, owner=True)
    assert is_error(Door(world, person("ann")).registers(old), ErrorCode.BAD_TOKEN, "not known")
    assert isinstance(Door(world, person("ann")).registers(new), m.LoggedIn)


def test_the_same_registration_again_is_a_log_in(world: World) -> None:
    secret = token(world)
    first = Door(world, person("ann")).registers(secret)
    assert Door(world, person("ann")).registers(secret) == first
    assert Door(world, person("ann")).logs_in() == first


def test_tokens_that_are_unknown_used_up_or_expired_are_told_apart(world: World) -> None:
    ann, ben = person("ann"), person("ben")
    used, late = token(world), token(world, lives_ms=1)
    assert isinstance(Door(world, ann).registers(used), m.LoggedIn)
    world.time_ms += 10
    for secret, text in ((used, "used up"), (late, "expired"), (new_id(), "not known")):
        door = Door(world, ben)
        assert is_error(door.registers(secret), ErrorCode.BAD_TOKEN, text)
        assert door.port.closed


def test_a_taken_name_costs_no_use_and_others_are_suggested(world: World) -> None:
    assert isinstance(Door(world, person("ann")).registers(token(world)), m.LoggedIn)
    secret = token(world)
    reply = Door(world, person("ANN")).registers(secret)
    assert is_error(reply, ErrorCode.NAME_TAKEN, "ANN2 or ANN3")
    assert isinstance(Door(world, person("ben")).registers(secret), m.LoggedIn)


def test_a_name_with_other_certificates_is_refused(world: World) -> None:
    reply = Door(world, person("ann")).registers(token(world), name="cem")
    assert is_error(reply, ErrorCode.BAD_CERTIFICATE, "another name")


@pytest.mark.parametrize("name", ["a b", "@ann", "everyone", " ", "x" * 40])
def test_an_ugly_name_is_refused(world: World, name: str) -> None:
    assert is_error(
        Door(world, person("ann")).registers(token(world), name=name), ErrorCode.BAD_NAME
    )


def test_certificates_of_others_are_refused(world: World) -> None:
    ben = person("ben")
    for changes in (
        {"sealing_certificate": ben.user.sealing_certificate},
        {"device_certificate": ben.device.certificate},
        {"identity_certificate": ben.user.identity_certificate},
        {"device_list": m.SignedDeviceList(ben.body, ben.signature)},
        {"identity_certificate": b"garbage"},
    ):
        reply = Door(world, person("ann")).registers(token(world), **changes)
        assert is_error(reply, ErrorCode.BAD_CERTIFICATE), changes


def test_a_device_list_of_other_devices_is_refused(world: World) -> None:
    ann = person("ann")
    other = create_device(ann.user, datetime.now(UTC))
    listed = m.SignedDeviceList(
        *sign_device_list(ann.user.identity_key, 1, [ann.id, other.device_id])
    )
    reply = Door(world, ann).registers(token(world), device_list=listed)
    assert is_error(reply, ErrorCode.BAD_CERTIFICATE, "device list")


# --- log-in --------------------------------------------------------------------------------------


def test_a_signature_for_another_server_or_of_another_device_is_refused(world: World) -> None:
    assert isinstance(Door(world, person("ann")).registers(token(world)), m.LoggedIn)
    door = Door(world, person("ann"))
    assert is_error(door.logs_in(server=b"x" * 32), ErrorCode.BAD_LOGIN)
    assert door.port.closed
    assert is_error(Door(world, person("ben")).logs_in(), ErrorCode.BAD_LOGIN, "not registered")


def test_a_second_log_in_on_one_connection_breaks_the_protocol(world: World) -> None:
    door = Door(world, person("ann"))
    door.greets()
    login = m.Login(person("ann").id, b"s")
    replies = door.says(login, login)
    assert any(isinstance(reply, m.Goodbye) for reply in replies)


def test_who_is_banned_is_put_out_and_kept_out(world: World) -> None:
    ann = Door(world, person("ann"))
    assert isinstance(ann.registers(token(world)), m.LoggedIn)
    world.core.ban("ANN", lambda _: None)
    [goodbye] = ann.gets()
    assert goodbye == m.Goodbye(ErrorCode.BANNED, "you are banned from this server")
    assert is_error(Door(world, person("ann")).logs_in(), ErrorCode.BANNED)
    assert is_error(Door(world, person("ann")).registers(token(world)), ErrorCode.BANNED)
    world.core.unban("ann", lambda _: None)
    world.settle()
    assert isinstance(Door(world, person("ann")).logs_in(), m.LoggedIn)


def test_many_failed_log_ins_from_an_address_are_slowed_down(tmp_path: Path) -> None:
    world = World(tmp_path, ServerLimits(login_failures=3))
    for _ in range(3):
        assert is_error(Door(world, person("ann")).logs_in(), ErrorCode.BAD_LOGIN)
    assert is_error(Door(world, person("ann")).logs_in(), ErrorCode.RATE)
    world.time_ms += 60_000
    assert is_error(Door(world, person("ann")).logs_in(), ErrorCode.BAD_LOGIN)


def test_past_the_limit_of_an_address_connections_are_told_and_then_only_closed(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, ServerLimits(connections_per_address=2))
    Door(world), Door(world)
    [goodbye] = Door(world).gets()
    assert isinstance(goodbye, m.Goodbye)
    assert goodbye.code == ErrorCode.TOO_MANY
    while world.core.arrive("door"):
        pass
    assert world.core.arrive("elsewhere")


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


# --- subscriptions -------------------------------------------------------------------------------


def room(*clients: Client, name: str = "r") -> None:
    ids = [client.who.device_id for client in clients]
    reply = clients[0].ask(m.CreateLog(log(name), m.LogKind.ROOM, ids, []))
    assert isinstance(reply, m.LogState)


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
