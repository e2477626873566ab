"""More lies of a server, each told in clear words: false answers, people kept apart, false people.

See `test_tampering.py`, which has the stage and the lies about the order and time of entries.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from chatsecure.client import about, contacts, conversations
from chatsecure.client.events import ReceiptEvent, from_json
from chatsecure.names import fold_name
from chatsecure.wire import messages as m
from chatsecure.wire.connection import encode_message
from chatsecure.wire.frames import MAX_FRAME_BYTES, FrameDecoder

from .actions import add, leave, read
from .test_tampering import Stage, by, each, stage

__all__ = ["stage"]


def thrown_away(stage: Stage, name: str, answer: Callable[[m.Append], m.Appended]) -> list[bytes]:
    """The next message that somebody appends never reaches the log; its writer is told that it
    did. Gives the ids of such."""
    client = stage.world.clients[name]
    take, gone = client.core.take_output, list[bytes]()

    def taken() -> bytes:
        decoder, out = FrameDecoder(MAX_FRAME_BYTES), []
        decoder.feed(take())
        while (frame := decoder.next_frame()) is not None:
            message = m.decode_body(frame.type, frame.body)
            chosen = isinstance(message, m.Append) and message.kind is m.EntryKind.MESSAGE
            if chosen and not gone:
                gone.append(message.append_id)
                reply = encode_message(answer(message), frame.request)
                client.after(
                    5, lambda reply=reply: client.enter(lambda: client.core.received(reply))
                )
            else:
                out.append(encode_message(message, frame.request))
        return b"".join(out)

    client.core.take_output = taken  # type: ignore[method-assign]
    return gone


def confirms_and_throws_away(stage: Stage, place: int) -> None:
    """Ann's next message is confirmed, so many places after what she has read, and thrown away."""
    cursor = conversations.named(stage.world.clients["ann"].db, "#den").cursor or 0
    at = stage.world.wall + stage.world.time

    def answer(append: m.Append) -> m.Appended:
        return m.Appended(append.log_id, append.append_id, cursor + place, at)

    gone = thrown_away(stage, "ann", answer)
    stage.says("ann")
    assert gone
    assert stage.shown("cat") == []


def state(stage: Stage, name: str, text: str) -> str:
    """How far a message of somebody's own has come."""
    db = stage.world.clients[name].db
    return str(db.value("SELECT state FROM messages WHERE text LIKE ? || '%' AND mine = 1", text))


def test_a_message_that_is_confirmed_and_thrown_away_is_told_to_its_writer_and_sent_again(
    stage: Stage,
) -> None:
    confirms_and_throws_away(stage, 1)
    assert state(stage, "ann", "message 1") == "stored"
    stage.says("bob")
    (told,) = stage.gaps("ann")
    assert "confirmed a message of ours and shows another entry in its place" in told
    stage.rest()
    assert stage.shown("cat") == ["message 2 by bob", "message 1 by ann"]
    assert not stage.gaps("bob")
    assert not stage.gaps("cat")


def test_a_confirmed_message_that_the_log_does_not_reach_is_told_at_log_in_and_sent_again(
    stage: Stage,
) -> None:
    """Also where the server was set back between its answer and our reading of the entry."""
    confirms_and_throws_away(stage, 1)
    ann = stage.world.clients["ann"]
    assert ann.link is not None
    ann.link.cut()
    stage.world.run(stage.world.time + 5_000)
    stage.rest()
    (told,) = stage.gaps("ann")
    assert "confirmed a message of ours and its log ends before it" in told
    assert stage.shown("cat") == ["message 1 by ann"]


def test_a_reaction_that_is_confirmed_and_thrown_away_is_told_and_sent_again_too(
    stage: Stage,
) -> None:
    stage.says("bob")
    ann, cat = stage.world.clients["ann"], stage.world.clients["cat"]
    id_ = ann.db.value("SELECT id FROM messages WHERE text LIKE 'message 1%'").hex()
    cursor = conversations.named(ann.db, "#den").cursor or 0
    at = stage.world.wall
    thrown_away(
        stage, "ann", lambda append: m.Appended(append.log_id, append.append_id, cursor + 1, at)
    )
    ann.enter(lambda: about.react(ann.core, id_, "+1"), user=True)
    stage.rest()
    assert cat.db.value("SELECT count(*) FROM events WHERE body LIKE '%\"reaction\"%'") == 0
    stage.says("bob")
    stage.rest()
    assert any("confirmed a message of ours" in told for told in stage.gaps("ann"))
    assert cat.db.value("SELECT count(*) FROM events WHERE body LIKE '%\"reaction\"%'") == 1


@pytest.mark.parametrize("place", [0, -1])
def test_a_message_that_is_confirmed_where_something_else_was_read_has_failed(
    stage: Stage, place: int
) -> None:
    stage.says("bob", 2)
    cursor = conversations.named(stage.world.clients["ann"].db, "#den").cursor or 0
    assert cursor > 2
    at = stage.world.wall
    thrown_away(
        stage, "ann", lambda append: m.Appended(append.log_id, append.append_id, cursor + place, at)
    )
    stage.says("ann")
    assert state(stage, "ann", "message 3") == "failed"
    (told,) = stage.gaps("ann")
    assert "in a place where it showed us another entry" in told


def test_a_changed_payload_is_told_and_nothing_of_it_shown(stage: Stage) -> None:
    def turn(entry: m.Entry) -> list[m.Entry]:
        changed = bytearray(entry.payload)
        changed[len(changed) // 2] ^= 1
        return [msgspec.structs.replace(entry, payload=bytes(changed))]

    stage.lies_to("cat", each(stage, turn))
    stage.says("ann")
    assert stage.shown("cat") == []
    assert stage.gaps("cat")


def test_a_message_under_another_sender_is_told_and_not_shown(stage: Stage) -> None:
    bob = stage.world.clients["bob"].core.me.device_id

    def forge(entry: m.Entry) -> list[m.Entry]:
        return (
            [msgspec.structs.replace(entry, device_id=bob)] if by(stage, "ann", entry) else [entry]
        )

    stage.lies_to("cat", each(stage, forge))
    stage.says("ann")
    assert stage.shown("cat") == []
    assert "the server shows a message under another sender or place" in stage.gaps("cat")


def test_who_alone_is_shown_nothing_learns_of_it_by_their_own_next_message(stage: Stage) -> None:
    stage.lies_to("cat", each(stage, lambda entry: [entry] if by(stage, "cat", entry) else []))
    stage.says("ann", 3)
    assert stage.shown("cat") == []
    stage.says("cat")
    assert any("gone from the server" in reason for reason in stage.gaps("cat"))


def test_who_is_kept_apart_without_a_trace_is_told_of_by_others_who_read_their_next_message(
    stage: Stage,
) -> None:
    """The server hides ann's messages from cat, numbers what it shows, and what it answers, so
    that cat sees a whole log. What cat writes tells bob and ann which past it was written after."""
    hidden: list[int] = []

    def renumbered(seq: int) -> int:
        return seq - sum(1 for gone in hidden if gone < seq)

    def entry_of(entry: m.Entry) -> list[m.Entry]:
        if by(stage, "ann", entry):
            hidden.append(entry.seq)
            return []
        return [msgspec.structs.replace(entry, seq=renumbered(entry.seq))]

    change = each(stage, entry_of)

    def lie(message: m.Message) -> list[m.Message]:
        if isinstance(message, m.Appended) and message.log_id == stage.den:
            return [msgspec.structs.replace(message, seq=renumbered(message.seq))]
        return change(message)

    stage.lies_to("cat", lie)
    stage.says("ann")
    assert stage.shown("cat") == []
    stage.says("cat", 2)
    stage.says("cat")
    for name in ("ann", "bob"):
        assert any("cat and we were shown different pasts" in told for told in stage.gaps(name))


def test_an_old_receipt_that_is_shown_again_confirms_nothing(stage: Stage) -> None:
    receipts: list[m.Entry] = []
    saying = [False]

    def replay(entry: m.Entry) -> list[m.Entry]:
        if by(stage, "bob", entry) and not saying[0]:
            receipts.append(entry)
        elif by(stage, "bob", entry):
            return [msgspec.structs.replace(receipts[0], seq=entry.seq)]
        return [entry]

    def told() -> list[ReceiptEvent]:
        rows = stage.world.clients["ann"].db.rows("SELECT body FROM events ORDER BY n")
        events = [from_json(body) for (body,) in rows]
        return [e for e in events if isinstance(e, ReceiptEvent) and e.sender == "bob"]

    stage.lies_to("ann", each(stage, replay))
    stage.says("ann")
    assert receipts, "bob has confirmed"
    saying[0] = True
    before = len(told())
    bob = stage.world.clients["bob"]
    bob.enter(lambda: read(stage.world, bob, "#den"), user=True)
    stage.says("ann")
    assert stage.gaps("ann")
    assert len(told()) == before


def out_of_den(stage: Stage, name: str) -> None:
    """Somebody has left #den, and the members know."""
    client = stage.world.client(name)
    client.start()
    stage.rest()
    client.enter(lambda: leave(stage.world, client, "#den"), user=True)
    stage.rest()


def in_den(stage: Stage) -> set[str]:
    """Who is in #den, as its members' keys have it."""
    db = stage.world.clients["bob"].db
    return set(conversations.people(db, stage.den))


def adds(stage: Stage, name: str, lie: Callable[[m.Message], list[m.Message]]) -> list[str]:
    """Ann adds somebody and is lied to; gives how that ended."""
    stage.lies_to("ann", lie)
    ended: list[str] = []
    observer, ann = stage.world.observer, stage.world.clients["ann"]
    before = observer.operation_ended

    def watched(client, what, error):  # type: ignore[no-untyped-def]
        before(client, what, error)
        if what == "add":
            ended.append("done" if error is None else f"{type(error).__name__}: {error}")

    observer.operation_ended = watched  # type: ignore[method-assign]
    ann.enter(lambda: add(stage.world, ann, "#den", name), user=True)
    stage.rest()
    return ended


def test_a_key_package_of_somebody_else_lets_nobody_in(stage: Stage) -> None:
    out_of_den(stage, "dan")
    out_of_den(stage, "eve") if "eve" in in_den(stage) else stage.world.client("eve").start()
    stage.rest()
    others: list[m.ClaimedKeyPackage] = []
    eve = stage.world.clients["eve"].core
    data = stage.world.server.store._db.execute(
        "SELECT p.data FROM key_packages p JOIN devices d ON d.key = p.device"
        " WHERE d.device_id = ?",
        (eve.me.device_id,),
    ).fetchone()[0]

    def swap(message: m.Message) -> list[m.Message]:
        if isinstance(message, m.KeyPackages):
            others.extend(message.packages)
            packages = [
                msgspec.structs.replace(one, device_id=eve.me.device_id, data=data)
                for one in message.packages
            ]
            return [m.KeyPackages(packages)]
        return [message]

    assert adds(stage, "dan", swap) == ["WrongIdentity: a KeyPackage of dan is of another identity"]
    assert others
    assert in_den(stage) == {"ann", "bob", "cat"}


def test_another_user_under_a_known_name_is_refused(stage: Stage) -> None:
    out_of_den(stage, "dan")

    def impostor(message: m.Message) -> list[m.Message]:
        if isinstance(message, m.User):
            bob = stage.world.clients["bob"].core.me
            return [msgspec.structs.replace(message, identity_certificate=bob.chain[1])]
        return [message]

    assert adds(stage, "dan", impostor) == ["WrongIdentity: the certificate of dan is for bob"]
    assert in_den(stage) == {"ann", "bob", "cat"}


def test_a_device_that_its_user_did_not_sign_for_is_not_added(stage: Stage) -> None:
    out_of_den(stage, "dan")

    def more(message: m.Message) -> list[m.Message]:
        if isinstance(message, m.User):
            listed = message.device_list
            body = listed.body[:-1] + bytes([listed.body[-1] ^ 1])
            changed = msgspec.structs.replace(listed, body=body)
            return [msgspec.structs.replace(message, device_list=changed)]
        return [message]

    (ended,) = adds(stage, "dan", more)
    assert "the device list of dan is not signed by them" in ended
    assert in_den(stage) == {"ann", "bob", "cat"}


def test_an_old_list_of_somebody_s_devices_is_refused(stage: Stage) -> None:
    """One that was withdrawn since could still hold a stolen device."""
    out_of_den(stage, "dan")
    ann = stage.world.clients["ann"]
    dan = stage.world.clients["dan"].core.me
    with ann.db.transaction():
        # Ann has seen a newer one.
        contacts.check_counter(ann.db, "dan", dan.fingerprint, 7)
    (ended,) = adds(stage, "dan", lambda message: [message])
    assert ended == "WrongIdentity: the server shows an old list of the devices of dan"
    assert in_den(stage) == {"ann", "bob", "cat"}


def test_a_member_whom_only_the_server_knows_of_is_shown_to_nobody(stage: Stage) -> None:
    """Who is in a conversation is told by its keys, not by the server's lists."""

    def invent(message: m.Message) -> list[m.Message]:
        if isinstance(message, m.Users):
            ghost = m.UserBrief("ghost", b"\7" * 32, online=True, role=m.Role.MEMBER)
            return [msgspec.structs.replace(message, users=[*message.users, ghost])]
        if isinstance(message, m.Presence):
            return [message, msgspec.structs.replace(message, name="ghost")]
        return [message]

    stage.lies_to("bob", invent)
    dan = stage.world.client("dan")
    dan.start()
    stage.says("ann")
    db = stage.world.clients["bob"].db
    lobby = conversations.named(db, "#lobby").log_id
    assert "ghost" not in {fold_name(name) for name in conversations.people(db, lobby)}
    assert "ghost" not in in_den(stage)


def test_a_conversation_that_the_server_keeps_silent_about_is_told(stage: Stage) -> None:
    def forget(message: m.Message) -> list[m.Message]:
        if isinstance(message, m.Subscribed):
            return [m.Subscribed([log for log in message.logs if log.log_id != stage.den])]
        return [message]

    cat = stage.world.clients["cat"]
    stage.lies_to("cat", forget)
    assert cat.link is not None
    cat.link.cut()
    stage.world.run(stage.world.time + 20_000)
    assert "the server does not count this device as a member any more" in stage.gaps("cat")


def test_a_spoilt_invitation_is_told(stage: Stage) -> None:
    out_of_den(stage, "dan")
    dan = stage.world.clients["dan"]

    def spoil(message: m.Message) -> list[m.Message]:
        if isinstance(message, m.Entries) and message.log_id == dan.core.me.device_id:
            entries = [
                msgspec.structs.replace(entry, payload=entry.payload[:-1] + b"\0")
                for entry in message.entries
            ]
            return [m.Entries(message.log_id, entries)]
        return [message]

    stage.lies_to("dan", spoil)
    assert adds(stage, "dan", lambda message: [message]) == ["done"]
    assert any("an invitation could not be used" in reason for reason in stage.gaps("dan"))
