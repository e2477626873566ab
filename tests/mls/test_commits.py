"""Commits: who comes, who goes, what the room is; one after the other, each judged before."""

import pytest

from chatsecure import mls
from chatsecure.mls import Group, Suite

from .world import GROUP_ID, STATE, Device, agree, room


@pytest.mark.parametrize("suite", mls.SUITES)
def test_a_group_begins_with_its_creator_alone(suite: Suite) -> None:
    ada = Device("ada", suite)
    ada.create()
    group = ada.group
    assert (group.group_id, group.epoch, group.own_leaf, group.suite) == (GROUP_ID, 0, 0, suite)
    assert group.room_state == STATE
    assert group.is_active
    (member,) = group.members()
    assert (member.index, member.credential) == (0, tuple(ada.chain))
    assert group.leaf_of(ada.signer.public_key) == 0
    assert group.leaf_of(bytes(32)) is None


def test_one_commit_adds_removes_and_changes_the_state() -> None:
    ada, bob, eve = room(3)
    dora, carl = Device("dora"), Device("carl")
    packages = [dora.key_package(), carl.key_package()]
    made = ada.propose(
        add=[package.key_package for package in packages],
        remove=[bob.leaf],
        room_state=b"new state",
        aad=b"header",
    )
    told = eve.hear(made.commit)
    assert told.kind == "commit"
    assert told.aad == b"header"
    assert told.sender == eve.group.members()[0]
    assert told.updated == told.sender
    assert told.room_state == b"new state"
    assert [member.signature_key for member in told.removed] == [bob.signer.public_key]
    assert not told.self_removed
    eve.group.merge_staged()
    ada.win()
    assert made.welcome is not None
    for device, package in zip((dora, carl), packages, strict=True):
        device.join(made.welcome, package)
    assert agree(ada, eve, dora, carl)
    assert ada.group.room_state == b"new state"
    # What was told of the added ones, leaves included, is what came to be.
    assert set(told.added) <= set(ada.group.members())
    assert {member.signature_key for member in told.added} == {
        dora.signer.public_key,
        carl.signer.public_key,
    }
    removed = bob.accept(made.commit)
    assert removed.self_removed
    assert not bob.group.is_active


def test_added_leaves_are_foretold_with_holes_in_the_tree() -> None:
    devices = room(8)
    ada = devices[0]
    for round_, holes in enumerate(([2, 5], [1, 3, 6], [4])):
        news = [Device(f"new{round_}{n}") for n in range(4)]
        packages = [device.key_package() for device in news]
        made = ada.propose(add=[p.key_package for p in packages], remove=holes)
        watcher = devices[7]
        told = watcher.accept(made.commit)
        ada.win()
        assert set(told.added) <= set(watcher.group.members())
        assert {m.index for m in told.removed} == set(holes)
        assert agree(ada, watcher)


def test_a_removed_member_cannot_read_what_follows() -> None:
    ada, bob, eve = room(3)
    commit = ada.propose(remove=[bob.leaf]).commit
    ada.win()
    eve.accept(commit)
    message = eve.say(b"without bob")
    assert ada.hear(message).plaintext == b"without bob"
    with pytest.raises(mls.WrongEpoch):
        bob.hear(message)
    bob.accept(commit)
    for call in (lambda: bob.hear(message), lambda: bob.say(b"x"), bob.propose):
        with pytest.raises(mls.NotAMember):
            call()
    bob.reload()
    assert not bob.group.is_active


def test_what_a_removed_member_says_afterwards_is_not_heard() -> None:
    ada, bob, eve = room(3)
    commit = ada.propose(remove=[bob.leaf]).commit
    ada.win()
    eve.accept(commit)
    for _ in range(5):
        eve.accept(ada.propose().commit)
        ada.win()
    with pytest.raises(mls.WrongEpoch):
        eve.hear(bob.say(b"still here?"))
    stale = bob.propose(remove=[0]).commit
    with pytest.raises(mls.WrongEpoch):
        eve.hear(stale)


def test_an_empty_commit_renews_the_keys() -> None:
    ada, bob = room(2)
    before = ada.group.epoch_authenticator
    told = bob.accept(ada.propose().commit)
    assert (told.added, told.removed, told.room_state) == ((), (), None)
    ada.win()
    assert agree(ada, bob)
    assert ada.group.epoch_authenticator != before


def test_a_commit_can_renew_the_certificates() -> None:
    ada, bob = room(2)
    commit = ada.propose(chain=[b"renewed", b"identity certificate"]).commit
    told = bob.hear(commit)
    assert told.sender is not None
    assert told.updated is not None
    assert told.sender.credential == tuple(ada.chain)
    assert told.updated.credential == (b"renewed", b"identity certificate")
    assert told.updated.signature_key == ada.signer.public_key
    bob.group.merge_staged()
    ada.win()
    assert agree(ada, bob)


def test_the_state_can_be_as_large_as_a_room_needs() -> None:
    ada, bob = room(2)
    state = bytes(range(256)) * 256
    bob.accept(ada.propose(room_state=state).commit)
    ada.win()
    assert ada.group.room_state == bob.group.room_state == state
    told = bob.accept(ada.propose(room_state=state).commit)
    assert told.room_state is None  # the same as before is no change


def test_everyone_can_commit_in_turn_and_be_loaded_anew_each_time() -> None:
    devices = room(5, forgetful=True)
    for turn in range(10):
        speaker = devices[turn % 5]
        commit = speaker.propose(room_state=b"%d" % turn).commit
        speaker.win()
        for device in devices:
            if device is not speaker:
                device.accept(commit)
        message = speaker.say(b"hello")
        for device in devices:
            if device is not speaker:
                assert device.hear(message).plaintext == b"hello"
    assert agree(*devices)


def test_a_discarded_commit_leaves_the_group_where_it_was() -> None:
    ada, bob, eve = room(3)
    forbidden = bob.propose(remove=[0]).commit
    for device in (ada, eve):
        before = device.group.epoch_authenticator
        told = device.ignore(forbidden)
        assert told.kind == "commit"
        assert device.group.epoch_authenticator == before
        assert not device.group.has_staged_commit
        device.reload()
    bob.lose()
    assert agree(ada, bob, eve)
    assert bob.hear(ada.say(b"we go on")).plaintext == b"we go on"
    commit = bob.propose(room_state=b"allowed").commit
    bob.win()
    for device in (ada, eve):
        device.accept(commit)
    assert agree(ada, bob, eve)


def test_a_staged_commit_is_not_stored() -> None:
    ada, bob = room(2)
    bob.hear(ada.propose().commit)
    assert bob.group.has_staged_commit
    bob.reload()
    assert not bob.group.has_staged_commit
    assert bob.group.epoch == 1
    with pytest.raises(mls.WrongState):
        bob.group.merge_staged()


def test_a_commit_staged_without_being_saved_can_be_processed_again() -> None:
    """A transaction that was rolled back: the rows know nothing, the group is loaded again."""
    ada, bob = room(2)
    commit = ada.propose().commit
    bob.group.process(commit)
    bob.reload()
    bob.accept(commit)
    ada.win()
    assert agree(ada, bob)


def test_a_pending_commit_survives_a_restart() -> None:
    ada, bob = room(2)
    made = ada.propose(room_state=b"after")
    ada.reload()
    assert ada.group.has_pending_commit
    assert ada.group.room_state == STATE
    assert bob.hear(ada.say(b"meanwhile")).plaintext == b"meanwhile"
    bob.accept(made.commit)
    ada.reload()
    ada.win()
    assert agree(ada, bob)
    ada.reload()
    assert not ada.group.has_pending_commit
    assert agree(ada, bob)


def test_a_second_commit_waits_for_the_first() -> None:
    ada, bob = room(2)
    ada.propose()
    with pytest.raises(mls.WrongState):
        ada.propose()
    ada.lose()
    bob.accept(ada.propose().commit)
    ada.win()
    assert agree(ada, bob)


def test_of_two_concurrent_commits_one_wins_everywhere() -> None:
    ada, bob, eve = room(3)
    first, second = ada.propose(room_state=b"ada's"), bob.propose(room_state=b"bob's")
    ada.win()
    eve.accept(first.commit)
    bob.lose()
    bob.accept(first.commit)
    for device in (ada, eve):
        with pytest.raises(mls.WrongEpoch):
            device.hear(second.commit)
    assert agree(ada, bob, eve)
    again = bob.propose(room_state=b"bob's")
    bob.win()
    for device in (ada, eve):
        device.accept(again.commit)
    assert agree(ada, bob, eve)
    assert ada.group.room_state == b"bob's"


def test_merging_anothers_commit_discards_our_own() -> None:
    ada, bob = room(2)
    ours, theirs = ada.propose(), bob.propose()
    ada.accept(theirs.commit)
    bob.win()
    assert not ada.group.has_pending_commit
    assert agree(ada, bob)
    with pytest.raises(mls.WrongEpoch):
        bob.hear(ours.commit)
    ada.reload()
    assert agree(ada, bob)


def test_nothing_pending_and_nothing_staged_cannot_be_merged() -> None:
    (ada,) = room(1)
    with pytest.raises(mls.WrongState):
        ada.win()
    with pytest.raises(mls.WrongState):
        ada.group.merge_staged()
    ada.lose()
    ada.group.discard_staged()


def test_somebody_who_is_not_in_cannot_be_removed_and_nobody_removes_themselves() -> None:
    ada, bob = room(2)
    with pytest.raises(mls.NotAMember):
        ada.propose(remove=[7])
    with pytest.raises(mls.NotAMember):
        ada.propose(remove=[2**32 - 1])
    with pytest.raises(mls.WrongState):
        ada.propose(remove=[ada.leaf])
    bob.accept(ada.propose().commit)
    ada.win()
    assert agree(ada, bob)


def test_a_removed_leaf_named_twice_is_removed_once() -> None:
    ada, bob, eve = room(3)
    eve.accept(ada.propose(remove=[bob.leaf, bob.leaf]).commit)
    ada.win()
    assert agree(ada, eve)


def test_a_changed_commit_is_refused_and_the_real_one_still_works() -> None:
    ada, bob = room(2)
    commit = ada.propose().commit
    for at in range(0, len(commit), 97):
        changed = bytearray(commit)
        changed[at] ^= 1
        with pytest.raises(mls.MlsError):
            bob.hear(bytes(changed))
    bob.accept(commit)
    ada.win()
    assert agree(ada, bob)


def test_a_commit_is_processed_only_once() -> None:
    ada, bob = room(2)
    commit = ada.propose().commit
    bob.accept(commit)
    with pytest.raises(mls.WrongEpoch):
        bob.hear(commit)


def test_ones_own_commit_is_told_apart() -> None:
    ada, _ = room(2)
    commit = ada.propose().commit
    with pytest.raises(mls.OwnMessage):
        ada.hear(commit)
    assert ada.group.has_pending_commit
    ada.win()


def test_a_commit_can_demand_a_pre_shared_key() -> None:
    ada, bob, eve = room(3)
    for device in (ada, bob):
        group = device.group
        group.add_psk(b"id", b"k" * 32)
        device.keep(group)
    eve.group.add_psk(b"id", b"wrong" * 8)
    commit = ada.propose(psk_ids=[b"id"]).commit
    assert bob.accept(commit).psk_ids == (b"id",)
    with pytest.raises(mls.InvalidCommit):
        eve.hear(commit)
    eve.group.remove_psk(b"id")
    with pytest.raises(mls.MissingPsk):
        eve.hear(commit)
    ada.win()
    assert agree(ada, bob)
    with pytest.raises(mls.MissingPsk):
        ada.propose(psk_ids=[b"unknown"])


def test_who_was_removed_can_be_added_again() -> None:
    ada, bob = room(2)
    bob.accept(ada.propose(remove=[bob.leaf]).commit)
    ada.win()
    package = bob.key_package()
    made = ada.propose(add=[package.key_package])
    ada.win()
    assert made.welcome is not None
    bob.join(made.welcome, package)
    assert agree(ada, bob)


def test_rows_of_another_group_or_too_few_do_not_load() -> None:
    ada, _ = room(2)
    rows = list(ada.rows.items())
    with pytest.raises(mls.DamagedState):
        Group.load(b"another id", rows)
    with pytest.raises(mls.DamagedState):
        Group.load(GROUP_ID, [])
    needed = [row for row in rows if len(row[0]) == 1]
    for row in needed:
        with pytest.raises(mls.DamagedState):
            Group.load(GROUP_ID, [other for other in rows if other != row])


def test_a_group_of_a_hundred_goes_on_through_changes() -> None:
    devices = room(100)
    ada, last = devices[0], devices[99]
    for committer, leaf in ((ada, 10), (last, 20), (devices[50], 30)):
        commit = committer.propose(remove=[leaf]).commit
        committer.win()
        for device in devices:
            if device is not committer and device.group.is_active:
                device.accept(commit)
    stay = [device for device in devices if device.group.is_active]
    assert len(stay) == 97
    assert agree(*stay)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_thousand_members_come_in_by_one_commit() -> None:
    ada = Device("ada")
    ada.create()
    others = [Device(f"d{number}") for number in range(999)]
    packages = [device.key_package() for device in others]
    made = ada.propose(add=[package.key_package for package in packages])
    ada.win()
    assert made.welcome is not None
    first, middle, last = (others[at] for at in (0, 500, 998))
    for at, device in ((0, first), (500, middle), (998, last)):
        device.join(made.welcome, packages[at])
    assert agree(ada, first, middle, last)
    assert len(ada.group.members()) == 1000
    for device in (ada, first, last):
        assert middle.hear(device.say(b"hello")).plaintext == b"hello"
    commit = middle.propose(remove=[400], room_state=b"state").commit
    middle.win()
    for device in (ada, first, last):
        device.accept(commit)
        device.reload()
    assert agree(ada, first, middle, last)
    assert last.hear(ada.say(b"again")).plaintext == b"again"


def test_a_leaf_has_another_key_after_each_commit_of_its_own_and_the_same_for_all() -> None:
    ada, bob, eve = room(3)
    before = [ada.group.leaf_key(leaf) for leaf in range(3)]
    made = ada.propose(room_state=b"new state")
    for one in (bob, eve):
        one.hear(made.commit)
        one.group.merge_staged()
    ada.group.merge_pending()
    assert [bob.group.leaf_key(leaf) for leaf in (1, 2)] == before[1:]
    keys = {one.group.leaf_key(0) for one in (ada, bob, eve)}
    assert len(keys) == 1
    assert before[0] not in keys
    with pytest.raises(mls.NotAMember):
        ada.group.leaf_key(7)
