"""People chat at terminal clients."""

import asyncio
from pathlib import Path

import pytest

from chatsecure.client.events import GapEvent, IdentityEvent
from chatsecure.tui import keys
from chatsecure.tui.app import ChatApp
from chatsecure.tui.composer import Composer
from chatsecure.tui.history import History
from faults.people import slow_line

from .conftest import Face, Place, client_of


async def test_the_scene(place: Place) -> None:
    """Two at terminal clients, a third who answers; a private word stays private."""
    alice, mara = await place.at("alice"), await place.at("mara")
    bob = await place.client("bob")
    await alice.type("Hello! Is anybody here?")
    await mara.sees("Hello! Is anybody here?")
    await bob.send("#lobby", "Yes. Is the lab open today?")
    await alice.sees("Yes. Is the lab open today?")
    await bob.mark_read("#lobby")
    await alice.sees("read 2/2")
    await alice.type("@mara I cannot come on Friday.")
    await mara.until(lambda: any(room.unread for room in mara.client.rooms()), "nothing new")
    await mara.press("alt+a")
    await mara.sees("I cannot come on Friday.")
    await mara.sees("private: only you and alice")
    await mara.sees("to alice alone, private")
    assert not bob.search("Friday")


async def test_what_was_typed_after_enter_is_not_lost(place: Place) -> None:
    alice = await place.at("alice")
    await alice.press("o", "n", "e", "enter", "t", "w", "o")
    await alice.sees("one")
    assert alice.app.composer.text == "two"


async def test_several_lines_are_one_message(place: Place) -> None:
    alice = await place.at("alice")
    await alice.type("first\nsecond")
    await alice.until(lambda: alice.client.history("#lobby", 1)[0].text == "first\nsecond")


async def test_a_mistyped_command_is_never_sent(place: Place) -> None:
    alice = await place.at("alice")
    before = len(alice.client.history("#lobby"))
    await alice.type("/mgs mara secret")
    await alice.sees("did you mean /msg?")
    await alice.type(" /msg mara secret")
    await alice.sees("a blank stands before the slash")
    assert len(alice.client.history("#lobby")) == before
    await alice.press("ctrl+l")
    await alice.misses("did you mean")


async def test_up_changes_the_last_message_and_escape_leaves_it(place: Place) -> None:
    alice, mara = await place.at("alice"), await place.at("mara")
    await alice.type("tomorow")
    await mara.sees("tomorow")
    await alice.press("up")
    assert alice.app.composer.text == "tomorow"
    await alice.sees("changes your message in #lobby")
    await alice.press("escape")
    assert alice.app.composer.text == ""
    await alice.press("up", "backspace", "backspace", "r", "o", "w", "enter")
    await mara.sees("tomorrow")
    await mara.sees("changed")


async def test_up_again_gives_what_was_typed_before_and_down_comes_back(place: Place) -> None:
    alice = await place.at("alice")
    for text in ("/rooms", "one", "two"):
        await alice.type(text)
    await alice.until(lambda: alice.client.history("#lobby", 1)[0].text == "two")
    composer = alice.app.composer
    await alice.press("up")
    assert (composer.text, alice.app.mode.kind) == ("two", "edit")
    await alice.press("up")
    assert (composer.text, alice.app.mode.kind) == ("one", "")
    await alice.press("up")
    assert composer.text == "/rooms"
    await alice.press("down", "down", "down")
    assert composer.text == ""


async def test_what_was_typed_is_found_by_its_letters(place: Place) -> None:
    alice = await place.at("alice")
    for text in ("/topic the exam", "/rooms", "/users"):
        await alice.type(text)
    await alice.press("ctrl+r")
    await alice.sees("What you typed here")
    await alice.press("e", "x", "a", "m", "enter")
    await alice.until(lambda: alice.app.composer.text == "/topic the exam")


async def test_what_was_typed_is_kept_but_no_link(place: Place) -> None:
    alice = await place.at("alice")
    alice.app.typed.add("#lobby", "kept")
    alice.app.typed.add("#lobby", "/join chatsecure://127.0.0.1:1/x#y")
    assert alice.app.typed.lines("#lobby")[-1] == "kept"
    assert "chatsecure:" not in (alice.client.setting("typed in #lobby") or "")


async def test_a_selected_message_is_answered_marked_and_taken_back(place: Place) -> None:
    alice, mara = await place.at("alice"), await place.at("mara")
    await alice.type("who comes?")
    await mara.sees("who comes?")
    await mara.press("ctrl+up", "r")
    await mara.sees("answers alice in #lobby")
    await mara.type("me")
    await alice.sees("you: who comes?")
    await mara.press("ctrl+up", "up", "plus")
    await mara.sees("React")
    await mara.press("1")
    await alice.sees("👍 mara")
    await alice.press("ctrl+up", "up", "d")
    await alice.sees("Take this back for everyone?")
    await alice.press("y")
    await mara.sees("(taken back)")
    await mara.misses("who comes?")


async def test_only_what_is_ours_is_changed(place: Place) -> None:
    alice, mara = await place.at("alice"), await place.at("mara")
    await alice.type("mine")
    await mara.sees("mine")
    await mara.press("ctrl+up", "e")
    assert mara.app.mode.kind == ""
    await mara.press("d")
    assert len(mara.app.screen_stack) == 1


async def test_drafts_stay_with_their_conversation_and_over_a_restart(place: Place) -> None:
    alice = await place.at("alice")
    await alice.client.query("mara")
    await alice.press("h", "a", "l", "f")
    await alice.press("alt+down")
    assert alice.app.target == "@mara"
    assert alice.app.composer.text == ""
    await alice.press("alt+up")
    assert alice.app.composer.text == "half"
    await alice.sees("half")
    await alice.press("ctrl+q")
    assert alice.client.draft("#lobby") == "half"


async def test_tab_completes_names_commands_and_rooms(place: Place) -> None:
    alice = await place.at("alice")
    composer = alice.app.composer
    await alice.press("slash", "v", "e", "tab")
    assert composer.text == "/verify "
    await alice.press("m", "tab")
    assert composer.text == "/verify mara "
    alice.do(lambda: composer.replace_all(""))
    await alice.press("slash", "r", "tab")
    first = composer.text
    await alice.press("tab")
    assert composer.text != first
    await alice.press("shift+tab")
    assert composer.text == first
    await alice.sees("[/r")


async def test_tab_completes_paths(place: Place, tmp_path: Path) -> None:
    (tmp_path / "notes-of-friday.txt").write_text("x")
    alice = await place.at("alice")
    composer = alice.app.composer
    alice.do(lambda: composer.replace_all(f"/file mara {tmp_path}/notes"))
    await alice.press("tab")
    assert composer.text == f"/file mara {tmp_path}/notes-of-friday.txt"


async def test_many_pasted_lines_ask_first(place: Place) -> None:
    alice, mara = await place.at("alice"), await place.at("mara")
    text = "\n".join(f"line {number}" for number in range(6))
    await alice.paste(text)
    await alice.sees("6 lines were pasted")
    await alice.press("n")
    assert alice.app.composer.text == ""
    await alice.paste(text)
    await alice.press("t")
    await alice.until(lambda: alice.app.composer.text == text)
    alice.do(lambda: alice.app.composer.replace_all(""))
    await alice.paste(text)
    await alice.press("f")
    await mara.sees("pasted.txt")
    await alice.paste("two\nlines")
    await alice.until(lambda: alice.app.composer.text == "two\nlines")


async def test_a_dropped_file_is_offered_as_a_file(place: Place, tmp_path: Path) -> None:
    alice, mara = await place.at("alice"), await place.at("mara")
    path = tmp_path / "a picture.png"
    path.write_bytes(b"x" * 1000)
    await alice.paste(f"'{path}'")
    await alice.sees("Send the file a picture.png to #lobby?")
    await alice.press("f")
    await mara.sees("received")
    await mara.sees("a picture.png")


async def test_signs_of_a_name_are_shown_as_they_are(place: Place, tmp_path: Path) -> None:
    alice, mara = await place.at("alice"), await place.at("mara")
    path = tmp_path / "[red]x[-] [@click=app.leave]y.txt"
    path.write_bytes(b"x")
    await alice.paste(str(path))
    await alice.sees("[red]x[-]")
    await alice.press("f")
    await mara.sees("[red]x[-] [@click=app.leave]y.txt")
    await mara.press("ctrl+up", "r")
    await mara.sees("[@click=app.leave]")


async def test_a_file_waits_until_it_is_accepted(place: Place, tmp_path: Path) -> None:
    alice, mara = await place.at("alice"), await place.at("mara")
    mara.client.setting("auto_save_limit", "100")
    (tmp_path / "report.pdf").write_bytes(b"%PDF" + b"x" * 5000)
    await alice.type(f"/file #lobby {tmp_path}/report.pdf")
    await mara.sees("fetch it")
    await mara.press("ctrl+up", "enter")
    await mara.sees("This message")
    await mara.press("a")
    await mara.sees("saved to")
    await alice.sees("1 of 2 have it")


async def test_a_file_on_its_way_shows_how_far_it_is_and_can_be_stopped(
    place: Place, tmp_path: Path
) -> None:
    place.stack.enter_context(slow_line(place.server.port, place.folder / "person-alice"))
    alice = await place.at("alice")
    with (tmp_path / "large.bin").open("wb") as file:
        file.truncate(100_000_000)
    await alice.type(f"/file #lobby {tmp_path}/large.bin")
    await alice.sees("█")
    await alice.sees("being sent")
    await alice.press("ctrl+up", "x")
    await alice.misses("being sent")
    await alice.misses("%")


async def test_going_somewhere_by_a_few_letters(place: Place) -> None:
    alice = await place.at("alice")
    await alice.client.create_room("#class-3b")
    await alice.press("ctrl+k")
    await alice.sees("Go to")
    await alice.press("c", "3", "enter")
    await alice.until(lambda: alice.app.target == "#class-3b")
    await alice.press("ctrl+k", "m", "a", "r", "a", "enter")
    await alice.until(lambda: alice.app.target == "@mara")
    await alice.press("alt+1")
    assert alice.app.target == "#lobby"


def marked(face: Face) -> list[str]:
    strips = face.app.screen._compositor.render_strips()
    return [one.text for strip in strips for one in strip if one.style and one.style.underline]


async def test_search_finds_and_goes_there(place: Place) -> None:
    alice = await place.at("alice")
    await alice.client.send("#lobby", "the exam is on friday")
    for number in range(60):
        await alice.client.send("#lobby", f"something else {number}")
    await alice.sees("something else 59")
    await alice.press("ctrl+f")
    await alice.sees("Search #lobby")
    await alice.press(*"exam")
    await alice.sees("1 found")
    await alice.press("enter")
    await alice.sees("the exam is on friday")
    await alice.misses("something else 59")
    await alice.sees("older messages")
    assert "exam" in marked(alice)
    await alice.press("escape")
    await alice.press("ctrl+l")
    await alice.until(lambda: "exam" not in marked(alice), "still marked")
    await alice.press("escape", "escape")
    await alice.sees("something else 59")


async def test_what_is_new_is_marked_and_read_only_when_seen(place: Place) -> None:
    alice, bob = await place.at("alice"), await place.client("bob")
    await alice.client.create_room("#class")
    await alice.client.add_to_room("#class", ["bob"])
    for number in range(3):
        await bob.send("#lobby", f"old {number}")
    await alice.sees("old 2")
    await alice.until(lambda: alice.client.room("#lobby").unread == 0)
    await alice.until(lambda: all(room.unread == 0 for room in alice.app.rooms), "still counted")
    await alice.press("alt+down")
    assert alice.app.target == "#class"
    for number in range(40):
        await bob.send("#lobby", f"new {number}" + " @alice" * (number == 20))
    await alice.until(lambda: alice.client.room("#lobby").unread == 40, "not all is there")
    await alice.sees("@40")
    await alice.press("alt+a")
    await alice.sees("new messages")
    await alice.sees("new 0")
    assert alice.client.room("#lobby").unread == 40
    await alice.press("alt+m")
    await alice.sees("new 20 @alice")
    await alice.press("escape", "ctrl+end")
    await alice.sees("new 39")
    await alice.until(lambda: alice.client.room("#lobby").unread == 0)
    await alice.press("alt+u")
    await alice.sees("new messages")


async def test_nothing_is_read_while_the_terminal_is_not_looked_at(place: Place) -> None:
    alice, bob = await place.at("alice"), await place.client("bob")
    alice.app.app_focus = False
    await bob.send("#lobby", "are you there?")
    await alice.sees("are you there?")
    await alice.sees("new messages")
    assert alice.client.room("#lobby").unread == 1
    alice.app.app_focus = True
    alice.do(alice.app.ears.soon)
    await alice.until(lambda: alice.client.room("#lobby").unread == 0)


async def test_a_private_text_goes_where_it_was_typed(place: Place) -> None:
    """Whatever is looked at by the time it is sent."""
    alice, mara = await place.at("alice"), await place.client("mara")
    await alice.app.go("@mara")
    await alice.press("s", "e", "c", "r", "e", "t", "enter", "alt+up")
    assert alice.app.target == "#lobby"
    await alice.until(lambda: mara.search("secret"))
    assert [line.conversation for line in mara.search("secret")] == ["@alice"]


@pytest.mark.parametrize("width", [50, 80, 130])
async def test_lists_give_way_on_a_narrow_screen(place: Place, width: int) -> None:
    alice = await place.at("alice", (width, 20))
    side, people = alice.app.part("side"), alice.app.part("people")
    assert side.has_class("folded") == (width < 60)
    assert people.has_class("folded") == (width < 90)
    await alice.press("f2")
    assert side.has_class("folded") == (width >= 60)
    await alice.press("f2", "f4")
    assert people.has_class("folded") == (width >= 90)
    if width < 60:
        await alice.press("f2")
        await alice.sees("#lobby")
        await alice.press("enter")
        await alice.until(lambda: side.has_class("folded"))
    lines = alice.text().split("\n")
    assert len(lines) == 20
    assert {len(line) for line in lines} <= set(range(width - 4, width + 1))


async def test_everything_by_the_mouse(place: Place) -> None:
    alice, bob = await place.at("alice"), await place.client("bob")
    await alice.client.query("bob")
    for number in range(60):
        await bob.send("#lobby", f"number {number}")
    await alice.sees("number 59")
    history = alice.app.history
    await alice.wheel_up(history)
    await alice.wheel_up(history)
    await alice.misses("number 59")
    await alice.click(history, offset=(5, 8))
    assert history.line() is not None
    await alice.click(history, offset=(5, 8))
    await alice.sees("This message")
    await alice.press("escape")
    await alice.click(history, offset=(history.size.width - 1, 0))
    await alice.sees("number 0")
    await alice.sees("@bob")
    await alice.click("#side", offset=(5, 3))
    await alice.until(lambda: alice.app.target == "@bob")


async def test_nobody_can_draw_on_the_screen(place: Place) -> None:
    alice, bob = await place.at("alice"), await place.client("bob")
    await bob.send("#lobby", "\x1b[31mred\x1b]0;title\x07 \u202eevil\u2066 [bold]x[/bold] a\u200bb")
    await alice.sees("␛[31mred")
    shown = alice.text()
    assert not {"\x1b", "\x07", "\u202e", "\u2066", "\u200b"} & set(shown)
    assert "[bold]x[/bold]" in shown


async def test_an_outage_is_told_and_what_is_written_goes_out_later(place: Place) -> None:
    alice, bob = await place.at("alice"), await place.client("bob")
    await asyncio.to_thread(place.server.stop)
    await alice.sees("Not connected")
    await alice.type("for later")
    await alice.sees("queued")
    await asyncio.to_thread(place.server.restart)
    await alice.misses("Not connected")
    await alice.until(lambda: bob.search("for later"))
    await alice.sees("delivered")


async def test_a_changed_identity_and_a_gap_are_told_until_they_are_dealt_with(
    place: Place,
) -> None:
    alice = await place.at("alice")
    at = "2026-01-01T00:00:00.000Z"
    db = alice.client.core.db
    with db.transaction():
        db.run("UPDATE users SET changed_certificate = identity_certificate WHERE name = 'mara'")
    changed = IdentityEvent(at=at, user="mara", state="changed", fingerprint="AAAA")
    for event in (changed, GapEvent(at=at, reason="an entry is missing")):
        alice.do(lambda event=event: alice.app.ears.hear(event))
    await alice.sees("The identity of mara has CHANGED")
    await alice.sees("Something is missing: an entry is missing")
    await alice.press("ctrl+l")
    await alice.misses("an entry is missing")
    await alice.press("f6")
    await alice.sees("Safety number with mara")
    await alice.press("escape")
    await alice.type("/verify mara accept")
    await alice.misses("has CHANGED")


async def test_an_identity_that_changed_before_the_start_is_told_too(place: Place) -> None:
    async with client_of(place.folder / "person-alice") as client:
        with client.core.db.transaction():
            client.core.db.run(
                "UPDATE users SET changed_certificate = identity_certificate WHERE name = 'mara'"
            )
    alice = await place.at("alice")
    await alice.sees("The identity of mara has CHANGED")
    await alice.press("f6")
    await alice.sees("Safety number with mara")
    await alice.press("m")
    await alice.misses("has CHANGED")


async def test_the_safety_number_is_compared_and_marked(place: Place) -> None:
    alice, mara = await place.at("alice"), await place.at("mara")
    await alice.type("/verify mara")
    await alice.sees("Safety number with mara")
    number = (await mara.client.verify("alice")).safety_number.split()
    assert all(group in alice.text() for group in number)
    assert "▀" in alice.text()
    await alice.press("m")
    await alice.until(
        lambda: next(
            member.verified for member in alice.client.members("#lobby") if member.name == "mara"
        )
    )
    await alice.sees("✓")


async def test_help_is_asked_with_a_question_mark_where_nothing_is_typed(place: Place) -> None:
    alice = await place.at("alice")
    await alice.press("question_mark")
    await alice.sees("Keys and commands")
    await alice.press("escape")
    await alice.press("w", "h", "y", "question_mark")
    assert alice.app.composer.text == "why?"
    assert len(alice.app.screen_stack) == 1


async def test_themes_and_settings_come_from_the_one_table(place: Place) -> None:
    alice = await place.at("alice")
    await alice.type("/settings theme light")
    await alice.until(lambda: alice.app.palette.name == "light")
    await alice.press("f9")
    await alice.sees("read receipts: yes")
    await alice.press("escape")
    assert alice.client.setting("theme") == "light"


async def test_somebody_who_writes_is_shown(place: Place) -> None:
    alice, bob = await place.at("alice"), await place.client("bob")
    await bob.typing("#lobby")
    await alice.sees("bob is writing")
    await bob.send("#lobby", "done")
    await alice.misses("bob is writing")


async def test_somebody_who_goes_is_told_for_a_moment(place: Place) -> None:
    alice = await place.at("alice")
    async with client_of(place.folder / "person-bob") as bob:
        await alice.sees("bob is here")
        assert bob.online
    await alice.sees("bob has gone")
    await alice.misses("bob has gone")


async def test_people_who_joined_are_told_in_one_line(place: Place) -> None:
    alice = await place.at("alice")
    await alice.sees("joined")
    assert alice.text().count("joined") == 1


def test_every_key_does_something() -> None:
    for owner, table in (
        (ChatApp, keys.EVERYWHERE + keys.NUMBERS),
        (Composer, keys.COMPOSER),
        (History, keys.MESSAGE),
    ):
        for key in table:
            action = key.action.partition("(")[0]
            assert hasattr(owner, f"action_{action}"), f"{owner.__name__}.{action}"


def test_no_key_means_two_things() -> None:
    for table in (keys.EVERYWHERE + keys.NUMBERS, keys.COMPOSER, keys.MESSAGE):
        used = [key for row in table for key in row.keys.split(",")]
        assert len(used) == len(set(used))
