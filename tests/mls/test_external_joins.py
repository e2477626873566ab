"""Coming in by oneself, by an external commit that proves a pre-shared key (RFC 9420 §8.4)."""

import pytest

from chatsecure import mls
from chatsecure.mls import Suite

from .world import Device, agree, room

LINK = (b"link id 16 bytes", b"s" * 32)


def let_in(device: Device, commit: bytes, psk: tuple[bytes, bytes] | None = LINK) -> mls.Processed:
    """Accept an external commit, with the link's key at hand for this one call."""
    group = device.group
    if psk is not None:
        group.add_psk(*psk)
    try:
        told = group.process(commit)
        group.merge_staged()
    finally:
        if psk is not None:
            group.remove_psk(psk[0])
        device.keep(group)
    return told


@pytest.mark.parametrize("suite", mls.SUITES)
def test_the_holder_of_a_link_comes_in(suite: Suite) -> None:
    ada, bob = room(2, suite)
    eve = Device("eve", suite)
    commit = eve.join_external(ada.group.export_group_info(ada.signer), LINK)
    for device in (ada, bob):
        told = let_in(device, commit)
        assert told.kind == "external_commit"
        assert told.aad == b"joining"
        assert told.psk_ids == (LINK[0],)
        assert told.sender is not None
        assert told.sender.credential == tuple(eve.chain)
        assert told.sender.signature_key == eve.signer.public_key
        assert told.added == (told.sender,)
        assert told.removed == ()
        assert told.room_state is None
        assert told.sender == device.group.members()[2]
    assert agree(ada, bob, eve)
    eve.reload()
    assert agree(ada, bob, eve)
    assert ada.hear(eve.say(b"hello")).plaintext == b"hello"
    assert eve.hear(bob.say(b"welcome")).plaintext == b"welcome"


def test_the_group_info_of_a_pending_commit_lets_into_the_epoch_it_leads_to() -> None:
    ada, bob = room(2)
    made = ada.propose(room_state=b"next", want_group_info=True)
    assert made.group_info is not None
    ada.win()
    bob.accept(made.commit)
    eve = Device("eve")
    commit = eve.join_external(made.group_info, LINK)
    assert eve.group.room_state == b"next"
    for device in (ada, bob):
        let_in(device, commit)
    assert agree(ada, bob, eve)


def test_without_being_asked_a_commit_gives_no_group_info() -> None:
    ada, _ = room(2)
    assert ada.propose().group_info is None


def test_a_wrong_key_lets_nobody_in() -> None:
    ada, bob = room(2)
    eve = Device("eve")
    commit = eve.join_external(ada.group.export_group_info(ada.signer), (LINK[0], b"guess" * 8))
    for device in (ada, bob):
        with pytest.raises(mls.InvalidCommit):
            let_in(device, commit)
        assert device.group.epoch == 1
    assert bob.hear(ada.say(b"we go on")).plaintext == b"we go on"


def test_a_missing_key_lets_nobody_in() -> None:
    ada, _ = room(2)
    commit = Device("eve").join_external(ada.group.export_group_info(ada.signer), LINK)
    with pytest.raises(mls.MissingPsk):
        let_in(ada, commit, None)
    assert ada.group.epoch == 1


def test_a_joining_without_a_key_is_told_as_such() -> None:
    """Whether that is allowed is for the rules of the room; they see that no key was proven."""
    ada, _ = room(2)
    commit = Device("eve").join_external(ada.group.export_group_info(ada.signer))
    assert let_in(ada, commit, None).psk_ids == ()


def test_a_stored_key_survives_a_restart_and_a_removed_one_is_gone() -> None:
    ada, _ = room(2)
    commit = Device("eve").join_external(ada.group.export_group_info(ada.signer), LINK)
    group = ada.group
    group.add_psk(*LINK)
    ada.keep(group)
    ada.reload()
    assert ada.hear(commit).psk_ids == (LINK[0],)
    ada.group.discard_staged()
    ada.group.remove_psk(LINK[0])
    ada.keep(ada.group)
    ada.reload()
    with pytest.raises(mls.MissingPsk):
        ada.hear(commit)


def test_who_comes_in_keeps_no_key_of_the_link() -> None:
    ada, _ = room(2)
    eve = Device("eve")
    eve.join_external(ada.group.export_group_info(ada.signer), LINK)
    assert all(LINK[1] not in value for value in eve.rows.values())


def test_a_device_that_comes_again_replaces_its_former_leaf() -> None:
    ada, bob, eve = room(3)
    place = bob.leaf
    commit = bob.join_external(eve.group.export_group_info(eve.signer), LINK)
    for device in (ada, eve):
        told = let_in(device, commit)
        assert [member.index for member in told.removed] == [place]
        assert told.removed[0].signature_key == bob.signer.public_key
    assert bob.leaf == place
    assert agree(ada, bob, eve)
    assert len(ada.group.members()) == 3


def test_a_discarded_joining_changes_nothing() -> None:
    ada, bob = room(2)
    commit = Device("eve").join_external(ada.group.export_group_info(ada.signer))
    before = ada.group.epoch_authenticator
    assert ada.ignore(commit).kind == "external_commit"
    assert ada.group.epoch_authenticator == before
    assert bob.hear(ada.say(b"x")).plaintext == b"x"


def test_a_joining_for_an_old_epoch_is_refused() -> None:
    ada, bob = room(2)
    commit = Device("eve").join_external(ada.group.export_group_info(ada.signer), LINK)
    bob.accept(ada.propose().commit)
    ada.win()
    for device in (ada, bob):
        with pytest.raises(mls.WrongEpoch):
            let_in(device, commit)


def test_of_a_commit_and_a_joining_the_first_one_wins() -> None:
    ada, bob = room(2)
    eve = Device("eve")
    info = ada.group.export_group_info(ada.signer)
    bobs = bob.propose()
    commit = eve.join_external(info, LINK)
    for device in (ada, bob):
        let_in(device, commit)
    assert not bob.group.has_pending_commit
    assert agree(ada, bob, eve)
    with pytest.raises(mls.WrongEpoch):
        ada.hear(bobs.commit)


def test_a_changed_joining_is_refused() -> None:
    ada, _ = room(2)
    commit = Device("eve").join_external(ada.group.export_group_info(ada.signer), LINK)
    for at in range(0, len(commit), 61):
        changed = bytearray(commit)
        changed[at] ^= 1
        with pytest.raises(mls.MlsError):
            let_in(ada, bytes(changed))
    let_in(ada, commit)


def test_a_changed_group_info_lets_nobody_in() -> None:
    ada, _ = room(2)
    info = ada.group.export_group_info(ada.signer)
    eve = Device("eve")
    for at in range(0, len(info), 61):
        changed = bytearray(info)
        changed[at] ^= 1
        with pytest.raises(mls.MlsError):
            eve.join_external(bytes(changed), LINK)


def test_a_key_and_its_id_go_together() -> None:
    ada, _ = room(2)
    info = ada.group.export_group_info(ada.signer)
    with pytest.raises(mls.WrongState):
        mls.Group.join_external(ada.signer, ada.chain, info, psk_id=b"id")
    with pytest.raises(mls.WrongState):
        mls.Group.join_external(ada.signer, ada.chain, info, psk=b"k" * 32)


def test_a_removed_member_gives_no_group_info() -> None:
    ada, bob = room(2)
    bob.accept(ada.propose(remove=[bob.leaf]).commit)
    with pytest.raises(mls.NotAMember):
        bob.group.export_group_info(bob.signer)
