"""The same behaviour on both engines, over real TLS."""

from chatsecure.wire import messages as m
from chatsecure.wire.errors import ErrorCode

from .conftest import Running
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
