"""The same behaviour on both engines, over real TLS."""

import random
import socket
import struct

import pytest

from chatsecure.wire import messages as m
from chatsecure.wire.connection import encode_message
from chatsecure.wire.errors import ErrorCode
from chatsecure.wire.frames import MAX_FRAME_BYTES, MAX_FRAME_BYTES_BEFORE_LOGIN

from .conftest import Running, Start
from .people import append, create, new_id, person


def test_the_first_to_come_with_the_owner_link_is_the_owner(server: Running) -> None:
    ann = server.comes("ann")
    user = ann.ok(m.GetUser("ann"))
    assert user.role is m.Role.OWNER
    assert user.online
    assert [device.device_id for device in user.devices] == [person("ann").id]


def test_a_message_reaches_who_is_there_in_order_and_once(server: Running) -> None:
    ann, ben = server.comes("ann"), server.comes("ben")
    room = new_id()
    ben.follow()
    state = ann.ok(create(room, person("ann"), person("ben")))
    assert (state.epoch, state.head, state.since) == (0, 0, 0)
    assert ben.entries(person("ben").id, 1)[0].payload == b"sealed welcome"
    ben.follow(room)
    ann.follow(room)
    for number in range(100):
        request = ann.connection.next_request()
        ann.send(append(room, b"%d" % number), request)
    for peer in (ann, ben):
        entries = peer.entries(room, 100)
        assert [entry.seq for entry in entries] == list(range(1, 101))
        assert [entry.payload for entry in entries] == [b"%d" % n for n in range(100)]


def test_who_was_away_gets_everything_later(server: Running) -> None:
    ann, ben = server.comes("ann"), server.comes("ben")
    room = new_id()
    ann.ok(create(room, person("ann"), person("ben")))
    ben.close()
    for number in range(2000):
        ann.send(append(room, b"%d" % number * 200), ann.connection.next_request())
    ann.follow(room)
    ann.entries(room, 2000)
    ben = server.comes("ben")
    subscribed = ben.follow(room)
    assert [(log.log_id, log.head) for log in subscribed.logs] == [(room, 2000)]
    entries = ben.entries(room, 2000)
    assert [entry.seq for entry in entries] == list(range(1, 2001))
    ann.ok(append(room, b"live"))
    assert ben.entries(room, 1)[0].seq == 2001


def test_a_stale_epoch_is_refused_and_the_log_goes_on(server: Running) -> None:
    ann = server.comes("ann")
    room = new_id()
    ann.ok(create(room, person("ann")))
    ann.ok(append(room, kind=m.EntryKind.COMMIT))
    refused = ann.ask(append(room, epoch=0))
    assert (refused.code, refused.detail) == (ErrorCode.STALE_EPOCH, (1).to_bytes(8, "big"))
    assert ann.ok(append(room, epoch=1)).seq == 2


def test_garbage_instead_of_tls_costs_only_its_sender(server: Running) -> None:
    ann = server.comes("ann")
    for garbage in (
        b"GET / HTTP/1.1\r\n\r\n",
        b"\0" * 5000,
        b"\x16\x03\x01\xff\xff" + bytes(70000),
    ):
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as sock:
            try:
                sock.sendall(garbage)
                while sock.recv(4096):
                    pass
            except ConnectionError:
                pass
    assert ann.ok(m.GetUser("ann")).name == "ann"


@pytest.mark.parametrize("seed", range(5))
def test_garbage_inside_tls_gets_a_reason_and_a_close(server: Running, seed: int) -> None:
    ann = server.comes("ann")
    peer = server.peer()
    # A frame that is whole and no message.
    body = random.Random(seed).randbytes(50)
    peer.send_bytes(struct.pack(">IBI", len(body), 200 + seed, 0) + body)
    goodbye = peer.expect(m.Goodbye)
    assert goodbye.code == ErrorCode.MALFORMED
    assert peer.is_closed_by_server()
    assert ann.ok(m.GetUser("ann")).name == "ann"


def test_who_never_finishes_the_handshake_is_cut_off(start: Start) -> None:
    server = start(handshake_s=1)
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as sock:
        sock.sendall(b"\x16\x03\x01")
        assert sock.recv(100) == b""
    ann = server.comes("ann")
    assert ann.ok(m.GetUser("ann")).name == "ann"


def test_half_a_frame_and_a_cut_harm_nobody(server: Running) -> None:
    ann = server.comes("ann")
    whole = encode_message(m.ClientHello([1], bytes(32), "test"))
    for count in (1, 8, 9, len(whole) - 1):
        peer = server.peer()
        peer.send_bytes(whole[:count])
        peer.close()
    assert ann.ok(m.GetUser("ann")).name == "ann"


def test_a_frame_too_large_is_refused_with_the_reason_even_while_its_sender_sends(
    server: Running,
) -> None:
    stranger = server.peer()
    stranger.send_bytes(struct.pack(">IBI", MAX_FRAME_BYTES_BEFORE_LOGIN + 1, 1, 0) + bytes(30_000))
    assert stranger.expect(m.Goodbye).code == ErrorCode.TOO_LARGE
    assert stranger.is_closed_by_server()
    ann = server.comes("ann")
    ann.send_bytes(struct.pack(">IBI", MAX_FRAME_BYTES + 1, 22, 1) + bytes(30_000))
    assert ann.expect(m.Goodbye).code == ErrorCode.TOO_LARGE
    assert ann.is_closed_by_server()
    assert server.comes("ann").is_open


def test_frames_cut_into_single_bytes_arrive(server: Running) -> None:
    ann = server.comes("ann")
    for byte in encode_message(m.GetUser("ann"), 77):
        ann.send_bytes(bytes((byte,)))
    assert isinstance(ann.answer(77), m.User)


def test_a_wrong_token_is_refused_and_the_connection_ends(server: Running) -> None:
    peer = server.peer(person("ben"))
    reply = peer.register(b"x" * 16)
    assert reply.code == ErrorCode.BAD_TOKEN
    assert peer.is_closed_by_server()


def test_a_reader_that_stalls_delays_nobody_and_loses_nothing(start: Start) -> None:
    server = start(queue_bytes=256 * 1024)
    ann = server.comes("ann")
    ben, cem = server.comes("ben", buffer=4096), server.comes("cem")
    room = new_id()
    ann.ok(create(room, person("ann"), person("ben"), person("cem")))
    ben.follow(room)
    cem.follow(room)
    count, size = 400, 50_000
    for number in range(count):
        ann.ok(append(room, bytes([number % 256]) * size))
    # Ben has read nothing so far; Cem gets all of it.
    assert [entry.seq for entry in cem.entries(room, count)] == list(range(1, count + 1))
    entries = ben.entries(room, count)
    assert [entry.seq for entry in entries] == list(range(1, count + 1))
    assert all(entry.payload == bytes([n % 256]) * size for n, entry in enumerate(entries))
    ann.ok(append(room, b"live again"))
    assert ben.entries(room, 1)[0].payload == b"live again"


def test_a_client_that_vanishes_is_noticed_and_others_see_it_go(start: Start) -> None:
    server = start(keepalive_s=2, dead_s=5)
    ann, ben = server.comes("ann"), server.comes("ben")
    room = new_id()
    ann.ok(create(room, person("ann"), person("ben")))
    ann.follow(room)
    ben.follow(room)
    assert ann.expect(m.Presence).online
    # Ben's computer says nothing any more, not even that it is gone.
    gone = ann.expect(m.Presence, lambda message: not message.online)
    assert gone.name == "ben"


def test_a_large_commit_and_many_invitations_go_through(server: Running) -> None:
    ann, ben = server.comes("ann"), server.comes("ben")
    ben.follow()
    room = new_id()
    ann.ok(create(room, person("ann")))
    welcome = m.InboxItem(person("ben").id, new_id(), bytes(m.MAX_COMMIT_BYTES - 1000))
    ann.ok(
        append(
            room, bytes(m.MAX_COMMIT_BYTES - 1000), kind=m.EntryKind.COMMIT,
            add=[person("ben").id], inbox=[welcome],
        )
    )  # fmt: skip
    assert len(ben.entries(person("ben").id, 1)[0].payload) == m.MAX_COMMIT_BYTES - 1000
    assert ben.follow(room).logs[0].since == 1


def test_many_connections_come_and_go(server: Running) -> None:
    ann = server.comes("ann")
    peers = [server.peer(person("ann")) for _ in range(60)]
    for peer in peers:
        assert isinstance(peer.login(), m.LoggedIn)
    for peer in peers:
        assert peer.ok(m.GetUser("ann")).online
    for peer in peers:
        peer.close()
    assert ann.ok(m.GetUser("ann")).online


def test_stopping_says_goodbye(server: Running) -> None:
    ann = server.comes("ann")
    server.server.stop()
    goodbye = ann.expect(m.Goodbye)
    assert (goodbye.code, goodbye.message) == (ErrorCode.UNAVAILABLE, "the server is stopping")
    assert ann.is_closed_by_server()


def test_all_is_there_after_a_restart(start: Start) -> None:
    first = start()
    ann = first.comes("ann")
    room = new_id()
    ann.ok(create(room, person("ann")))
    for number in range(10):
        ann.ok(append(room, b"%d" % number))
    first.stop()
    second = start(first.data)
    assert second.server.link is None
    assert second.server.certificate == first.server.certificate
    ann = second.comes("ann")
    assert ann.follow(room).logs[0].head == 10
    assert [entry.payload for entry in ann.entries(room, 10)] == [b"%d" % n for n in range(10)]
