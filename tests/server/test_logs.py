"""The rules of conversations, over a real store."""

from pathlib import Path

import pytest

from chatsecure.server.limits import ServerLimits
from chatsecure.server.rules.who import Who
from chatsecure.wire import messages as m
from chatsecure.wire.chain import chain_next, chain_start
from chatsecure.wire.errors import ErrorCode, Refused

from .people import append, new_id
from .world import World, log

ROOM = log("room")
COMMIT, JOIN, LEAVE = m.EntryKind.COMMIT, m.EntryKind.JOIN, m.EntryKind.LEAVE


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def ann(world: World) -> Who:
    return world.user("ann", m.Role.OWNER)


@pytest.fixture
def ben(world: World) -> Who:
    return world.user("ben")


@pytest.fixture
def cem(world: World) -> Who:
    return world.user("cem")


def room(*members: Who, kind: m.LogKind = m.LogKind.ROOM, log_id: bytes = ROOM) -> m.CreateLog:
    items = [m.InboxItem(one.device_id, new_id(), b"welcome") for one in members[1:]]
    peer = members[1].name if kind is m.LogKind.PRIVATE else None
    return m.CreateLog(log_id, kind, [one.device_id for one in members], items, peer)


def refused(code: ErrorCode) -> "pytest.RaisesExc[Refused]":
    return pytest.raises(Refused, check=lambda error: error.code is code)


def seqs(entries: list[m.Entry]) -> list[int]:
    return [entry.seq for entry in entries]


def sealed(
    *, links: list[bytes] | None = None, new: list[m.LinkUpload] | None = None
) -> m.GroupInfoUpload:
    keys = [m.LinkKey(id_, b"key") for id_ in links or []]
    return m.GroupInfoUpload(b"group info", keys, new or [])


def lookup(world: World, link_id: bytes) -> list[m.LinkInfo]:
    from chatsecure.server.rules.links import lookup_links

    return world.store.read(lambda tx: lookup_links(tx, [link_id], world.time_ms)).links


# --- making --------------------------------------------------------------------------------------


def test_making_the_same_log_again_is_no_error_for_its_maker_only(
    world: World, ann: Who, ben: Who
) -> None:
    first = world.create(ann, room(ann, ben))
    assert world.create(ann, room(ann, ben)) == first
    assert len(world.readable(ben, ben.device_id)) == 1
    with refused(ErrorCode.EXISTS):
        world.create(ben, room(ben, ann))


def test_there_is_one_lobby_and_the_owner_makes_it(world: World, ann: Who, ben: Who) -> None:
    with refused(ErrorCode.NOT_ALLOWED):
        world.create(ben, room(ben, kind=m.LogKind.LOBBY))
    world.create(ann, room(ann, kind=m.LogKind.LOBBY))
    with pytest.raises(Refused) as caught:
        world.create(ann, room(ann, kind=m.LogKind.LOBBY, log_id=log("other")))
    assert (caught.value.code, caught.value.detail) == (ErrorCode.EXISTS, ROOM)


def test_there_is_one_private_chat_a_pair_whoever_makes_it(
    world: World, ann: Who, ben: Who, cem: Who
) -> None:
    world.create(ann, room(ann, ben, kind=m.LogKind.PRIVATE))
    with pytest.raises(Refused) as caught:
        world.create(ben, room(ben, ann, kind=m.LogKind.PRIVATE, log_id=log("other")))
    assert (caught.value.code, caught.value.detail) == (ErrorCode.EXISTS, ROOM)
    world.create(cem, room(cem, ann, kind=m.LogKind.PRIVATE, log_id=log("third")))


def test_nobody_third_comes_into_a_private_chat(world: World, ann: Who, ben: Who, cem: Who) -> None:
    world.create(ann, room(ann, ben, kind=m.LogKind.PRIVATE))
    with refused(ErrorCode.NOT_ALLOWED):
        world.append(ann, append(ROOM, kind=COMMIT, add=[cem.device_id]))
    assert world.append(ann, append(ROOM)).seq == 1


def test_who_makes_a_log_is_in_it(world: World, ann: Who, ben: Who) -> None:
    with refused(ErrorCode.NOT_ALLOWED):
        world.create(ann, room(ben))


def test_an_unknown_device_or_user_is_not_found(world: World, ann: Who) -> None:
    with refused(ErrorCode.NOT_FOUND):
        world.create(ann, m.CreateLog(ROOM, m.LogKind.ROOM, [ann.device_id, b"x" * 16], []))
    with refused(ErrorCode.NOT_FOUND):
        world.create(ann, m.CreateLog(ROOM, m.LogKind.PRIVATE, [ann.device_id], [], "nobody"))


def test_a_refused_log_leaves_nothing_behind(world: World, ann: Who, ben: Who) -> None:
    stray = m.InboxItem(ben.device_id, new_id(), b"welcome")
    with refused(ErrorCode.NOT_ALLOWED):
        world.create(ann, m.CreateLog(ROOM, m.LogKind.ROOM, [ann.device_id], [stray]))
    assert world.create(ann, room(ann, ben)).head == 0
    assert seqs(world.readable(ben, ben.device_id)) == [1]


# --- appending -----------------------------------------------------------------------------------


def test_the_chain_is_that_of_the_entries(world: World, ann: Who, ben: Who) -> None:
    world.create(ann, room(ann))
    for number in range(5):
        world.append(ann, append(ROOM, b"%d" % number))
    world.append(ann, append(ROOM, kind=COMMIT, add=[ben.device_id]))
    chain = chain_start(ROOM)
    for entry in world.readable(ann, ROOM):
        chain = chain_next(chain, entry)
    state = world.create(ann, room(ann))
    assert (state.since, state.chain) == (0, chain_start(ROOM))
    from chatsecure.server.rules.logs import log_states

    [state] = world.store.read(lambda tx: log_states(tx, ben))
    assert (state.since, state.head, state.chain) == (6, 6, chain)


def test_an_append_again_gives_the_same_answer_and_no_second_entry(world: World, ann: Who) -> None:
    world.create(ann, room(ann))
    message = append(ROOM, b"once")
    first = world.append(ann, message)
    world.append(ann, append(ROOM, kind=COMMIT))
    world.time_ms += 5000
    assert world.append(ann, message) == first
    commit = append(ROOM, epoch=1, kind=COMMIT)
    assert world.append(ann, commit) == world.append(ann, commit)
    assert seqs(world.readable(ann, ROOM)) == [1, 2, 3]


def test_two_devices_may_use_the_same_append_id(world: World, ann: Who, ben: Who) -> None:
    world.create(ann, room(ann, ben))
    message = append(ROOM)
    assert world.append(ann, message).seq == 1
    assert world.append(ben, message).seq == 2


def test_only_one_commit_wins_an_epoch(world: World, ann: Who, ben: Who) -> None:
    world.create(ann, room(ann, ben))
    assert world.append(ann, append(ROOM, kind=COMMIT)).seq == 1
    with pytest.raises(Refused) as caught:
        world.append(ben, append(ROOM, kind=COMMIT))
    assert caught.value.code is ErrorCode.STALE_EPOCH
    assert int.from_bytes(caught.value.detail, "big") == 1


@pytest.mark.parametrize("kind", [m.EntryKind.MESSAGE, COMMIT, LEAVE])
@pytest.mark.parametrize("epoch", [0, 2, 99])
def test_every_kind_is_refused_at_another_epoch(
    world: World, ann: Who, kind: m.EntryKind, epoch: int
) -> None:
    world.create(ann, room(ann))
    world.append(ann, append(ROOM, kind=COMMIT))
    with refused(ErrorCode.STALE_EPOCH):
        world.append(ann, append(ROOM, epoch=epoch, kind=kind))


def test_who_is_not_in_a_conversation_appends_nothing(world: World, ann: Who, ben: Who) -> None:
    world.create(ann, room(ann))
    for kind in (m.EntryKind.MESSAGE, COMMIT, LEAVE):
        with refused(ErrorCode.NOT_ALLOWED):
            world.append(ben, append(ROOM, kind=kind))
    with refused(ErrorCode.NOT_FOUND):
        world.append(ben, append(log("none")))


def test_nobody_writes_to_an_inbox_directly(world: World, ann: Who, ben: Who) -> None:
    with refused(ErrorCode.NOT_FOUND):
        world.append(ann, append(ben.device_id))
    with refused(ErrorCode.NOT_FOUND):
        world.append(ben, append(ben.device_id))
    world.create(ann, room(ann))
    with refused(ErrorCode.NOT_ALLOWED):
        world.append(ann, append(ROOM, kind=m.EntryKind.INBOX))


def test_payloads_are_bounded_by_their_kind(world: World, ann: Who) -> None:
    world.create(ann, room(ann))
    large = bytes(m.MAX_PAYLOAD_BYTES + 1)
    with refused(ErrorCode.TOO_LARGE):
        world.append(ann, append(ROOM, large))
    with refused(ErrorCode.TOO_LARGE):
        world.append(ann, append(ROOM, large, kind=LEAVE))
    assert world.append(ann, append(ROOM, large[1:])).seq == 1
    assert world.append(ann, append(ROOM, bytes(m.MAX_COMMIT_BYTES), kind=COMMIT)).seq == 2


def test_the_roster_is_bounded(tmp_path: Path) -> None:
    world = World(tmp_path, ServerLimits(roster=2))
    ann, ben, cem = (world.user(name) for name in ("ann", "ben", "cem"))
    with refused(ErrorCode.TOO_MANY):
        world.create(ann, room(ann, ben, cem))
    world.create(ann, room(ann, ben))
    with refused(ErrorCode.TOO_MANY):
        world.append(ann, append(ROOM, kind=COMMIT, add=[cem.device_id]))
    commit = append(ROOM, kind=COMMIT, add=[cem.device_id], remove=[ben.device_id])
    assert world.append(ann, commit).seq == 1


# --- who reads what ------------------------------------------------------------------------------


def test_who_is_added_reads_what_follows_and_who_is_removed_reads_up_to_it(
    world: World, ann: Who, ben: Who
) -> None:
    world.create(ann, room(ann))
    world.append(ann, append(ROOM))
    item = m.InboxItem(ben.device_id, new_id(), b"welcome")
    world.append(ann, append(ROOM, kind=COMMIT, add=[ben.device_id], inbox=[item]))
    world.append(ann, append(ROOM, epoch=1))
    world.append(ann, append(ROOM, epoch=1, kind=COMMIT, remove=[ben.device_id]))
    world.append(ann, append(ROOM, epoch=2))
    assert seqs(world.readable(ben, ROOM)) == [3, 4]
    with refused(ErrorCode.NOT_ALLOWED):
        world.append(ben, append(ROOM, epoch=2))
    world.append(ann, append(ROOM, epoch=2, kind=COMMIT, add=[ben.device_id]))
    world.append(ann, append(ROOM, epoch=3))
    assert seqs(world.readable(ben, ROOM)) == [3, 4, 7]
    assert seqs(world.readable(ben, ROOM, after=4)) == [7]


def test_a_commit_may_take_a_device_out_and_in_again(world: World, ann: Who, ben: Who) -> None:
    world.create(ann, room(ann, ben))
    again = append(ROOM, kind=COMMIT, add=[ben.device_id], remove=[ben.device_id])
    world.append(ann, again)
    world.append(ben, append(ROOM, epoch=1))
    assert seqs(world.readable(ben, ROOM)) == [1, 2]
    from chatsecure.server.rules.logs import log_states

    [state] = world.store.read(lambda tx: log_states(tx, ben))
    assert state.since == 1


def test_by_leaving_one_takes_out_only_oneself(world: World, ann: Who, ben: Who) -> None:
    world.create(ann, room(ann, ben))
    with refused(ErrorCode.NOT_ALLOWED):
        world.append(ben, append(ROOM, kind=LEAVE, remove=[ann.device_id]))
    with refused(ErrorCode.NOT_ALLOWED):
        world.append(ben, append(ROOM, kind=LEAVE, add=[ben.device_id]))
    world.append(ben, append(ROOM, kind=LEAVE, remove=[ben.device_id]))
    world.append(ann, append(ROOM))
    assert seqs(world.readable(ben, ROOM)) == [1]
    # Somebody takes the leaver out of the group; the server has done so already.
    commit = append(ROOM, kind=COMMIT, remove=[ben.device_id])
    world.append(ann, commit)
    assert world.readable(ann, ROOM)[-1].roster == m.RosterChange([], [ben.device_id])


def test_invitations_go_only_to_who_is_brought_in(
    world: World, ann: Who, ben: Who, cem: Who
) -> None:
    world.create(ann, room(ann, ben))
    stray = m.InboxItem(cem.device_id, new_id(), b"spam")
    with refused(ErrorCode.NOT_ALLOWED):
        world.append(ann, append(ROOM, kind=COMMIT, inbox=[stray]))
    assert world.readable(cem, cem.device_id) == []
    assert world.append(ann, append(ROOM, kind=COMMIT)).seq == 1


# --- links ---------------------------------------------------------------------------------------


def open_link(world: World, ann: Who, *, uses: int = 0, expires_at: int = 0) -> bytes:
    link = m.LinkUpload(new_id(), uses, expires_at, b"key")
    world.create(ann, room(ann))
    world.append(ann, append(ROOM, kind=COMMIT, group_info=sealed(new=[link])))
    return link.link_id


def test_by_a_link_one_comes_in_and_reads_from_ones_joining_on(
    world: World, ann: Who, ben: Who
) -> None:
    link = open_link(world, ann)
    [info] = lookup(world, link)
    assert (info.log_id, info.epoch, info.head) == (ROOM, 1, 1)
    assert info.sealed_group_info == b"group info"
    join = append(ROOM, epoch=1, kind=JOIN, link_id=link, group_info=sealed(links=[link]))
    first = world.append(ben, join)
    assert world.append(ben, join) == first
    world.append(ann, append(ROOM, epoch=2))
    entries = world.readable(ben, ROOM)
    assert seqs(entries) == [2, 3]
    assert entries[0].roster == m.RosterChange([ben.device_id], [])
    assert lookup(world, link)[0].epoch == 2


def test_a_link_of_one_use_is_used_up_by_it(world: World, ann: Who, ben: Who, cem: Who) -> None:
    link = open_link(world, ann, uses=1)
    join = append(ROOM, epoch=1, kind=JOIN, link_id=link, group_info=sealed(links=[link]))
    world.append(ben, join)
    assert lookup(world, link) == []
    with refused(ErrorCode.NOT_ALLOWED):
        world.append(cem, append(ROOM, epoch=2, kind=JOIN, link_id=link))


def test_a_refused_joining_costs_no_use(world: World, ann: Who, ben: Who) -> None:
    link = open_link(world, ann, uses=1)
    with refused(ErrorCode.STALE_EPOCH):
        world.append(ben, append(ROOM, epoch=0, kind=JOIN, link_id=link))
    world.append(ben, append(ROOM, epoch=1, kind=JOIN, link_id=link))


def test_an_expired_link_lets_nobody_in(world: World, ann: Who, ben: Who) -> None:
    link = open_link(world, ann, expires_at=world.time_ms + 1000)
    world.time_ms += 1000
    assert lookup(world, link) == []
    with refused(ErrorCode.NOT_ALLOWED):
        world.append(ben, append(ROOM, epoch=1, kind=JOIN, link_id=link))


def test_a_link_leads_to_its_own_log_only(world: World, ann: Who, ben: Who) -> None:
    link = open_link(world, ann)
    world.create(ann, room(ann, log_id=log("other")))
    for wrong in (link, new_id(), None):
        with refused(ErrorCode.NOT_ALLOWED):
            world.append(ben, append(log("other"), kind=JOIN, link_id=wrong))


def test_by_a_link_nobody_brings_in_others(world: World, ann: Who, ben: Who, cem: Who) -> None:
    link = open_link(world, ann)
    for change in ({"add": [cem.device_id]}, {"remove": [ann.device_id]}):
        with refused(ErrorCode.NOT_ALLOWED):
            world.append(ben, append(ROOM, epoch=1, kind=JOIN, link_id=link, **change))


def test_links_not_named_by_a_refresh_are_withdrawn(world: World, ann: Who) -> None:
    link = open_link(world, ann)
    world.append(ann, append(ROOM, epoch=1, kind=COMMIT, group_info=sealed()))
    assert lookup(world, link) == []


def test_a_commit_without_group_info_closes_links_until_the_next_refresh(
    world: World, ann: Who
) -> None:
    link = open_link(world, ann)
    world.append(ann, append(ROOM, epoch=1, kind=COMMIT))
    assert lookup(world, link) == []
    world.append(ann, append(ROOM, epoch=2, kind=COMMIT, group_info=sealed(links=[link])))
    assert lookup(world, link)[0].epoch == 3


def test_who_comes_in_again_by_a_link_begins_anew(world: World, ann: Who, ben: Who) -> None:
    link = open_link(world, ann)
    world.append(
        ben, append(ROOM, epoch=1, kind=JOIN, link_id=link, group_info=sealed(links=[link]))
    )
    world.append(ann, append(ROOM, epoch=2))
    again = append(ROOM, epoch=2, kind=JOIN, link_id=link, remove=[ben.device_id])
    world.append(ben, again)
    from chatsecure.server.rules.logs import log_states

    [state] = world.store.read(lambda tx: log_states(tx, ben))
    assert (state.since, state.head) == (3, 4)
    assert seqs(world.readable(ben, ROOM)) == [2, 3, 4]


# --- what is kept --------------------------------------------------------------------------------


def ack(world: World, who: Who, seq: int) -> None:
    from chatsecure.server.store.base import Ack

    world.run(lambda tx: tx.ack([Ack(ROOM, who.device, seq)]))


def test_entries_go_when_everyone_has_them(world: World, ann: Who, ben: Who) -> None:
    world.create(ann, room(ann, ben))
    for _ in range(5):
        world.append(ann, append(ROOM))
    ack(world, ann, 5)
    ack(world, ben, 3)
    assert world.run(lambda tx: tx.sweep_acked([ROOM])) == 3
    assert seqs(world.readable(ben, ROOM)) == [4, 5]


def test_who_was_removed_still_gets_to_read_it(world: World, ann: Who, ben: Who) -> None:
    world.create(ann, room(ann, ben))
    world.append(ann, append(ROOM, kind=COMMIT, remove=[ben.device_id]))
    world.append(ann, append(ROOM, epoch=1))
    ack(world, ann, 2)
    world.run(lambda tx: tx.sweep_acked([ROOM]))
    assert seqs(world.readable(ben, ROOM)) == [1]
    ack(world, ben, 1)
    world.run(lambda tx: tx.sweep_acked([ROOM]))
    assert world.readable(ann, ROOM) == []


def test_after_the_retention_time_all_goes_but_the_last_entry_and_a_retry_stays_one(
    world: World, ann: Who, ben: Who
) -> None:
    world.create(ann, room(ann, ben))
    messages = [append(ROOM) for _ in range(5)]
    replies = [world.append(ann, message) for message in messages]
    ack(world, ann, 2)
    world.time_ms += 1000
    from chatsecure.server.store.base import LogKey

    after, gone = world.run(lambda tx: tx.sweep_old(world.time_ms, LogKey(0), 500))
    assert (after, gone) == (None, 4)
    assert seqs(world.readable(ben, ROOM)) == [5]
    assert world.append(ann, messages[3]) == replies[3]
    assert world.append(ann, append(ROOM)).seq == 6
