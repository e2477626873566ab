"""What faces can do with the client and its /commands: people of one process on a real server."""

import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from chatsecure.cli.actions import Chat
from chatsecure.client.client import Client
from chatsecure.client.events import (
    MessageEvent,
)
from chatsecure.wire.errors import NotFound, Usage

from .conftest import Server, start_server
from .in_process import opened, until


class Somebody:
    """A person with a client and the /commands."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.shown: list[str] = []
        self.chat = Chat(client, self.shown.append)

    async def types(self, *lines: str) -> list[str]:
        """Type lines; gives what is shown for them."""
        before = len(self.shown)
        for line in lines:
            assert await self.chat.enter(line)
        return self.shown[before:]

    async def sees(self, target: str, text: str) -> str:
        """Wait for a message; gives its id."""

        def there() -> str:
            found = self.client.rooms()
            if target not in [room.name for room in found]:
                return ""
            lines = self.client.history(target)
            return next((line.id for line in lines if line.text == text), "")

        await until(there, f"{text} did not come")
        return there()


Three = tuple[Somebody, Somebody, Somebody]


@pytest_asyncio.fixture
async def met_again(
    met: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Three]:
    """mara, who owns the server, alice and bob."""
    monkeypatch.setenv("CHATSECURE_KEYRING", "off")
    shutil.copytree(met.data.parent, tmp_path, dirs_exist_ok=True)
    server = start_server(tmp_path / "server", "events", met.address, owner=False)
    async with AsyncExitStack() as stack:
        mara, alice, bob = [
            Somebody(await opened(stack, tmp_path / f"person-{name}"))
            for name in ("mara", "alice", "bob")
        ]
        yield mara, alice, bob
    assert server.stop() == 0


async def test_a_message_is_answered_changed_reacted_to_and_taken_back(met_again: Three) -> None:
    _, alice, bob = met_again
    await alice.types("one", "two", "three")
    two, three = await bob.sees("#lobby", "two"), await bob.sees("#lobby", "three")
    # The last that fits, a number counted back, an id.
    assert "three" in (await bob.types("/reply indeed"))[-1]
    await alice.sees("#lobby", "indeed")
    assert alice.client.history("#lobby")[-1].reply_to == three
    assert "two" in (await bob.types("/react 3 :+1:"))[-1]
    assert "one" in (await bob.types(f"/react {bob.client.history('#lobby')[0].id[:8]} ❤"))[-1]
    await until(lambda: alice.client.delivery(two).reactions == {"👍": ["bob"]})
    assert await bob.types("/react 3 -")
    await until(lambda: alice.client.delivery(two).reactions is None)
    assert "three" in (await alice.types("/edit drei"))[-1]
    await bob.sees("#lobby", "drei")
    assert "drei" in (await alice.types("/delete"))[-1]
    await until(lambda: bob.client.delivery(three).state == "deleted")
    # Others' messages are nobody's to change, and what is not there is said.
    assert "not yours" in (await alice.types("/edit 1 never"))[-1]
    assert "/last" in (await bob.types("/reply 99 hm"))[-1]
    assert "no emoji" in (await bob.types("/react :nonsense:"))[-1]


async def test_numbers_stay_those_that_were_shown(met_again: Three) -> None:
    _, alice, bob = met_again
    await alice.types("first", "second")
    await bob.sees("#lobby", "second")
    shown = await bob.types("/last 2")
    assert [line[:3] for line in shown] == ["[2]", "[1]"]
    await alice.types("third")
    await bob.sees("#lobby", "third")
    assert "second" in (await bob.types("/react 1 :eyes:"))[-1]
    # Elsewhere they are counted anew.
    await bob.types("/query alice")
    assert "no message number 1" in (await bob.types("/react 1 :eyes:"))[-1]


async def test_who_has_a_message_is_told_person_by_person(met_again: Three) -> None:
    _, alice, bob = met_again
    await alice.types("hello")
    id_ = await bob.sees("#lobby", "hello")
    await bob.client.mark_read("#lobby")
    await until(lambda: [p.name for p in alice.client.reach(id_) if p.read] == ["bob"])
    await until(lambda: all(p.delivered for p in alice.client.reach(id_)))
    shown = await alice.types("/info")
    assert "bob: has read it" in shown
    assert "mara: has it" in shown


async def test_reading_is_not_told_by_who_does_not_want_it_told(met_again: Three) -> None:
    mara, alice, bob = met_again
    await bob.types("/settings read receipts no")
    await alice.types("hello")
    id_ = await bob.sees("#lobby", "hello")
    await bob.client.mark_read("#lobby")
    await mara.sees("#lobby", "hello")
    await mara.client.mark_read("#lobby")
    await until(lambda: [p.name for p in alice.client.reach(id_) if p.read] == ["mara"])
    await until(lambda: all(p.delivered for p in alice.client.reach(id_)))
    entries = bob.client.core.heads[bob.client.core.lobby or b""]
    await bob.client.mark_read("#lobby")
    await bob.types("done")
    await alice.sees("#lobby", "done")
    assert [p.read for p in alice.client.reach(id_)] == [False, True]
    # Reading alone wrote nothing into the log: one message, and what others confirm of it.
    assert bob.client.core.heads[bob.client.core.lobby or b""] <= entries + 3
    await bob.types("/settings read receipts yes")
    await alice.types("again")
    id_ = await bob.sees("#lobby", "again")
    await bob.client.mark_read("#lobby")
    await until(lambda: [p.name for p in alice.client.reach(id_) if p.read] == ["bob"])


async def test_several_get_one_private_message_each(met_again: Three) -> None:
    mara, alice, bob = met_again
    assert "one message each" in (await alice.types("/msg mara,bob psst"))[-1]
    await mara.sees("@alice", "psst")
    await bob.sees("@alice", "psst")
    assert mara.client.room("@alice").people == ("alice", "mara")
    # One wrong name: nobody gets anything.
    assert "no user" in (await alice.types("/msg bob,nobody secret"))[-1]
    await alice.types("/msg bob after")
    await bob.sees("@alice", "after")
    assert [line.text for line in bob.client.history("@alice")] == ["psst", "after"]


async def test_a_closed_chat_comes_back_when_something_is_said(met_again: Three) -> None:
    _, alice, bob = met_again
    await alice.types("/msg bob psst", "/query bob")
    await bob.sees("@alice", "psst")
    assert "#lobby" in (await alice.types("/close"))[-1]
    assert alice.client.room("@bob").closed
    assert not [line for line in await alice.types("/rooms") if line.startswith("@bob")]
    await bob.types("@alice pssst")
    await alice.sees("@bob", "pssst")
    assert not alice.client.room("@bob").closed
    assert "room" in (await alice.types("/close #lobby"))[-1]


async def test_unread_messages_and_mentions_are_counted(met_again: Three) -> None:
    _, alice, bob = met_again
    await bob.client.mark_read("#lobby")
    await alice.types("hello", "/say @everybody is nobody", "/say @bob: look", "and @Bob, again")
    await bob.sees("#lobby", "and @Bob, again")
    room = bob.client.room("#lobby")
    assert (room.unread, room.mentions) == (4, 2)
    assert await bob.types("/unread") == ["#lobby: 4 new, 2 to you"]
    lines = {line.n: line.text for line in bob.client.history("#lobby")}
    assert [lines[n] for n in bob.client.mentions("#lobby")] == ["@bob: look", "and @Bob, again"]
    await bob.client.mark_read("#lobby")
    assert await bob.types("/unread") == ["you have seen everything"]


async def test_what_is_worth_a_notification_is_the_persons_to_say(met_again: Three) -> None:
    bob = met_again[2]

    def notable(conversation: str, *mentions: str, sender: str = "alice") -> bool:
        return bob.client.notable(
            MessageEvent(
                at="", conversation=conversation, sender=sender, text="x", mentions=list(mentions)
            )
        )

    await bob.types("/query alice")
    assert [notable("#lobby"), notable("#lobby", "bob"), notable("@alice")] == [False, True, True]
    await bob.types("/settings notifications all")
    assert notable("#lobby")
    assert not notable("#lobby", sender="bob")
    await bob.types("/mute #lobby mentions")
    assert [notable("#lobby"), notable("#lobby", "BOB")] == [False, True]
    await bob.types("/mute")
    assert not notable("@alice")
    await bob.types("/mute off")
    assert notable("@alice")
    assert "what is" in (await bob.types("/mute #lobby loudly"))[-1]


async def test_being_away_is_seen_by_others(met_again: Three) -> None:
    _, alice, bob = met_again
    await alice.types("/away at lunch")
    assert alice.client.away == "at lunch"
    await until(
        lambda: [m.away for m in bob.client.members("#lobby") if m.name == "alice"] == ["at lunch"]
    )
    assert "alice, away: at lunch" in await bob.types("/users")
    await alice.types("/back")
    assert alice.client.away is None
    await until(lambda: not any(member.away for member in bob.client.members("#lobby")))


async def test_the_members_of_a_room_are_told_with_their_roles(met_again: Three) -> None:
    mara, alice, _ = met_again
    await mara.types("/create #club", "/invite alice", "/role alice manager", "/topic Chess")
    await until(
        lambda: (
            "#club" in alice.chat.room_names()
            and [(m.name, m.role, m.me) for m in alice.client.members("#club")]
            == [("mara", "owner", False), ("alice", "manager", True)]
        )
    )
    await until(lambda: alice.client.room("#club").topic == "Chess")
    await alice.types("/query #club")
    assert await alice.types("/topic") == ["topic of #club: Chess"]


async def test_settings_are_listed_shown_and_set(met_again: Three, tmp_path: Path) -> None:
    _, alice, _ = met_again
    listed = "\n".join(await alice.types("/settings"))
    assert "ask first: no" in listed
    assert "auto save limit: 2.1 GB" in listed
    assert "20.0 MB" in (await alice.types("/settings auto-save limit 20 MB"))[0]
    assert alice.client.setting("auto_save_limit") == "20000000"
    assert alice.client.setting("Auto-save limit") == "20000000"
    assert "1.6 GB" in (await alice.types("/settings auto-save limit 1.5 GiB"))[0]
    assert alice.client.setting("auto_save_limit") == str(3 * 2**29)
    assert "yes" in (await alice.types("/set ask-first on"))[0]
    assert alice.client.is_on("ask_first")
    assert "did you mean theme" in (await alice.types("/settings them dark"))[0]
    assert "it takes: auto, light, dark" in (await alice.types("/settings theme pink"))[0]
    assert "it takes" in (await alice.types("/settings downloads /nowhere/at/all"))[0]
    await alice.types(f"/settings downloads {tmp_path}")
    assert alice.client.core.files.downloads == tmp_path
    await alice.types("/settings downloads -")
    assert alice.client.core.files.downloads != tmp_path
    with pytest.raises(Usage):
        alice.client.setting("font_size", "1000")
    # What a face keeps for itself needs no row in the table.
    assert alice.client.setting("window") is None
    assert alice.client.setting("window", "800x600") == "800x600"


async def test_the_program_speaks_the_language_that_was_chosen(met_again: Three) -> None:
    _, alice, _ = met_again
    try:
        assert "Sprache" in (await alice.types("/settings language de"))[0]
        assert await alice.types("/unread") == ["du hast alles gesehen"]
        assert alice.chat.prompt == "#lobby, alle dort> "
    finally:
        shown = await alice.types("/settings language -")
    assert "not set" in shown[0]


async def test_a_page_around_a_message_and_the_lines_an_event_changes(met_again: Three) -> None:
    _, alice, bob = met_again
    for number in range(12):
        await alice.types(f"line {number}")
    id_ = await bob.sees("#lobby", "line 6")
    await bob.sees("#lobby", "line 11")
    page = bob.client.around(id_, 6, notices=False)
    assert [line.text for line in page] == [f"line {n}" for n in range(3, 9)]
    assert bob.client.message(id_[:8]).text == "line 6"
    for wrong in ("%", "", "zz", "ffffffffffff"):
        with pytest.raises(NotFound):
            bob.client.message(wrong)


async def test_a_file_being_sent_does_not_hold_the_line(met_again: Three, tmp_path: Path) -> None:
    _, alice, bob = met_again
    path = tmp_path / "large.bin"
    path.write_bytes(bytes(3_000_000))
    shown = await alice.types(f"/file #lobby {path}", "meanwhile")
    assert "large.bin" not in "".join(shown)
    await bob.sees("#lobby", "meanwhile")
    await until(lambda: not alice.chat.under_way)
    assert "large.bin" in alice.shown[-1]
    await bob.sees("#lobby", "large.bin")
    await alice.types("/file #lobby /nowhere/at/all")
    await until(lambda: "no file" in alice.shown[-1])


async def test_files_are_accepted_and_turned_down(met_again: Three, tmp_path: Path) -> None:
    _, alice, bob = met_again
    await bob.types("/settings ask first yes")
    assert "no file for that" in (await bob.types("/accept"))[-1]
    for name in ("one.txt", "two.txt"):
        (tmp_path / name).write_text(name)
        await alice.types(f"/file #lobby {tmp_path / name}")
        await until(lambda: not alice.chat.under_way)
    two = await bob.sees("#lobby", "two.txt")
    # The last one offered, wherever that is, or one by its number.
    await bob.types("/query alice")
    assert "two.txt" in (await bob.types("/decline"))[-1]
    await bob.types("/query #lobby", "/last 5")
    assert "one.txt" in (await bob.types("/accept 2"))[-1]
    await until(lambda: bob.client.last_file("received", incoming=True))
    assert (bob.client.core.files.downloads / "one.txt").read_text() == "one.txt"
    assert bob.client.delivery(two).file_state == "declined"
    assert "two.txt" in (await bob.types(f"/accept {two[:8]}"))[-1]
    assert bob.client.delivery(two).file_state != "declined"


async def test_who_spoke_last_is_completed_first(met_again: Three) -> None:
    _, _, bob = met_again
    for sender in ("alice", "mara", "alice", "mara", "bob"):
        bob.chat.saw(MessageEvent(at="", conversation="#lobby", sender=sender, text="x"))
    assert bob.chat.people() == ["mara", "alice"]


async def test_names_do_not_change(met_again: Three) -> None:
    assert "alice" in (await met_again[1].types("/nick bob"))[0]
