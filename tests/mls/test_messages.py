"""Messages: read once by every member, by nobody else, changed by nobody."""

import itertools

import pytest

from chatsecure import mls
from chatsecure.mls import Suite

from .world import Device, room


@pytest.mark.parametrize("suite", mls.SUITES)
@pytest.mark.parametrize("count", [2, 10])
def test_every_member_reads_what_a_member_says(count: int, suite: Suite) -> None:
    devices = room(count, suite)
    for speaker in devices:
        message = speaker.say(b"hello from " + speaker.name.encode(), aad=b"header")
        for listener in devices:
            if listener is speaker:
                continue
            heard = listener.hear(message)
            assert heard.kind == "application"
            assert heard.plaintext == b"hello from " + speaker.name.encode()
            assert heard.aad == b"header"
            assert heard.epoch == 1
            assert heard.sender is not None
            assert heard.sender.index == speaker.leaf
            assert heard.sender.credential == tuple(speaker.chain)
            assert heard.sender.signature_key == speaker.signer.public_key


def test_a_hundred_members_hear_one_another() -> None:
    devices = room(100)
    for speaker in (devices[0], devices[50], devices[99]):
        message = speaker.say(b"hello")
        assert all(
            listener.hear(message).plaintext == b"hello"
            for listener in devices
            if listener is not speaker
        )


def test_members_that_are_loaded_anew_for_every_step_miss_nothing() -> None:
    devices = room(3, forgetful=True)
    for turn in range(30):
        speaker = devices[turn % 3]
        message = speaker.say(b"%d" % turn)
        for listener in devices:
            if listener is not speaker:
                assert listener.hear(message).plaintext == b"%d" % turn


def test_a_message_shows_its_header_and_hides_its_text() -> None:
    ada, _ = room(2)
    message = ada.say(b"secret text", aad=b"open header")
    assert b"open header" in message
    assert b"secret text" not in message


def test_an_empty_message_is_a_message() -> None:
    ada, bob = room(2)
    assert bob.hear(ada.say(b"")).plaintext == b""


def test_a_message_is_read_only_once() -> None:
    ada, bob = room(2)
    message = ada.say(b"once")
    bob.hear(message)
    with pytest.raises(mls.Undecryptable):
        bob.hear(message)
    bob.reload()
    with pytest.raises(mls.Undecryptable):
        bob.hear(message)


def test_no_byte_of_a_message_can_be_changed() -> None:
    ada, bob = room(2)
    message = ada.say(b"untouched", aad=b"header")
    for at in range(len(message)):
        changed = bytearray(message)
        changed[at] ^= 0x01
        with pytest.raises(mls.MlsError):
            bob.hear(bytes(changed))
    assert bob.hear(message).plaintext == b"untouched"


def test_messages_out_of_order_are_read_within_the_window() -> None:
    ada, bob = room(2)
    messages = [ada.say(b"%d" % number) for number in range(60)]
    for number in reversed(range(60)):
        assert bob.hear(messages[number]).plaintext == b"%d" % number


def test_a_message_older_than_the_window_cannot_be_read_any_more() -> None:
    ada, bob = room(2)
    messages = [ada.say(b"%d" % number) for number in range(80)]
    bob.hear(messages[79])
    assert bob.hear(messages[20]).plaintext == b"20"
    with pytest.raises(mls.Undecryptable):
        bob.hear(messages[0])


def test_lost_messages_do_not_stop_the_ones_after() -> None:
    ada, bob = room(2)
    for _ in range(2000):
        ada.say(b"lost")
    assert bob.hear(ada.say(b"found")).plaintext == b"found"


def test_a_device_cannot_read_its_own_message() -> None:
    ada, _ = room(2)
    message = ada.say(b"mine")
    with pytest.raises(mls.OwnMessage):
        ada.hear(message)
    ada.say(b"and it goes on")


def test_a_message_of_another_group_is_refused() -> None:
    ada, _ = room(2)
    eve = Device("eve")
    eve.keep(mls.Group.create(eve.signer, eve.chain, b"another id", b""))
    with pytest.raises(mls.WrongGroup):
        ada.hear(eve.say(b"hello"))


def test_an_outsider_with_the_groups_id_is_not_understood() -> None:
    ada, _ = room(2)
    eve = Device("eve")
    eve.create()
    eve.propose()
    eve.win()
    with pytest.raises(mls.Undecryptable):
        ada.hear(eve.say(b"let me in"))


def test_a_message_of_the_next_epoch_is_refused_until_the_commit_is_merged() -> None:
    ada, bob = room(2)
    commit = ada.propose().commit
    ada.win()
    message = ada.say(b"later")
    with pytest.raises(mls.WrongEpoch):
        bob.hear(message)
    bob.accept(commit)
    assert bob.hear(message).plaintext == b"later"


def test_a_message_that_lost_the_race_against_commits_is_read_for_five_epochs() -> None:
    ada, bob = room(2)
    messages = [ada.say(b"%d" % number) for number in range(7)]
    for number in range(5):
        bob.accept(ada.propose().commit)
        ada.win()
        heard = bob.hear(messages[number])
        assert (heard.plaintext, heard.epoch) == (b"%d" % number, 1)
    bob.accept(ada.propose().commit)
    with pytest.raises(mls.WrongEpoch):
        bob.hear(messages[6])


def test_a_late_message_of_a_removed_member_shows_the_key_it_had() -> None:
    ada, bob, eve = room(3)
    late = [bob.say(b"late"), bob.say(b"later")]
    place = bob.leaf
    dora = Device("dora")
    package = dora.key_package()
    made = ada.propose(remove=[place], add=[package.key_package])
    ada.win()
    eve.accept(made.commit)
    assert made.welcome is not None
    dora.join(made.welcome, package)
    assert dora.leaf == place
    for device, message in ((ada, late[0]), (eve, late[1])):
        device.reload()
        sender = device.hear(message).sender
        assert sender is not None
        assert sender.signature_key == bob.signer.public_key
        assert sender.credential == tuple(bob.chain)
    assert ada.hear(dora.say(b"new")).sender == ada.group.members()[place]


def test_a_failed_call_leaves_no_trace() -> None:
    ada, bob = room(2)
    before = dict(bob.rows)
    message = bytearray(ada.say(b"x"))
    message[-1] ^= 1
    for data in (bytes(message), b"", b"nonsense", ada.key_package().key_package):
        with pytest.raises(mls.MlsError):
            bob.hear(data)
    bob.keep(bob.group)
    assert bob.rows == before


def test_two_messages_never_use_one_key() -> None:
    ada, bob = room(2)
    messages = [ada.say(b"same") for _ in range(50)]
    assert len(set(messages)) == 50
    for one, other in itertools.pairwise(messages):
        assert one[-40:] != other[-40:]
    for message in messages:
        bob.hear(message)


def test_exported_secrets_are_shared_and_end_with_the_epoch() -> None:
    ada, bob = room(2)
    secret = ada.group.export_secret("label", b"context", 32)
    assert secret == bob.group.export_secret("label", b"context", 32)
    assert secret != ada.group.export_secret("label", b"other", 32)
    assert secret != ada.group.export_secret("other", b"context", 32)
    bob.accept(ada.propose().commit)
    ada.win()
    assert secret != ada.group.export_secret("label", b"context", 32)
    with pytest.raises(mls.MlsError):
        ada.group.export_secret("label", b"", 1 << 20)


def test_many_threads_may_use_one_group() -> None:
    from concurrent.futures import ThreadPoolExecutor

    ada, bob = room(2)
    group = ada.group
    with ThreadPoolExecutor(8) as pool:
        messages = list(pool.map(lambda n: group.encrypt(ada.signer, b"%d" % n), range(64)))
    texts = {bob.hear(message).plaintext for message in messages}
    assert texts == {b"%d" % number for number in range(64)}


def test_a_message_changes_few_bytes_of_a_large_groups_state() -> None:
    """The members of past epochs are not written again with every message."""
    ada, *_, bob = devices = room(60)
    for _ in range(5):
        commit = ada.propose().commit
        ada.win()
        for device in devices[1:]:
            device.accept(commit)
    assert sum(map(len, bob.rows.values())) > 200_000
    group = bob.group
    group.encrypt(bob.signer, b"hello")
    group.take_changes()
    group.encrypt(bob.signer, b"hello")
    written = sum(len(key) + len(value or b"") for key, value in group.take_changes())
    assert written < 20_000
