"""The window, with real servers and clients: what people do in it and see in it."""

import tkinter as tk
from collections.abc import Iterator
from pathlib import Path

import pytest
from desk import Desk, all_text, desk

from chatsecure.gui import card


@pytest.fixture
def table(display: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A desk with a server nobody has joined."""
    monkeypatch.setenv("CHATSECURE_KEYRING", "off")
    monkeypatch.setenv("GTK_THEME", "Adwaita")
    with desk(tmp_path) as made:
        yield made


@pytest.fixture
def three(table: Desk) -> Desk:
    """mara, who owns the server, alice and bob have joined."""
    table.meet("mara", "alice", "bob")
    return table


def test_the_scene_of_the_readme_in_three_windows(three: Desk) -> None:
    alice = three.open("alice", "640x480+0+0")
    bob = three.open("bob", "640x480+640+0")
    mara = three.open("mara", "640x400+0+480")
    alice.say("Hello! Is anybody here?")
    for face in (alice, bob, mara):
        three.until(lambda face=face: face.shows("Hello! Is anybody here?"), "all see it")
    bob.say("Yes. Is the lab open today?")
    for face in (alice, mara):
        three.until(lambda face=face: face.shows("Is the lab open today?"), "all see it")

    alice.say("@mara I cannot come on Friday.")
    three.until(lambda: "@alice" in mara.window.rooms, "mara has a private chat")
    mara.go("@alice")
    three.until(lambda: mara.shows("I cannot come on Friday."), "mara sees it")
    mara.say("Noted. Get well soon!")
    alice.go("@mara")
    three.until(lambda: alice.shows("Noted. Get well soon!"), "alice sees it")
    three.settle(30)
    assert not bob.shows("Friday")
    assert "@alice" not in bob.window.rooms

    bob.window.close()
    three.until(
        lambda: not next(one for one in mara.ask(
            lambda: mara.app.session.client.members("#lobby")) if one.name == "bob").online,
        "mara sees that bob has left",
    )  # fmt: skip


def test_what_is_private_looks_unlike_what_is_public(three: Desk) -> None:
    alice = three.open("alice")
    public = " ".join(all_text(alice.view))
    assert "room" in public
    assert "2 people can read it" in public
    alice.go("@bob")
    private = " ".join(all_text(alice.view))
    assert "private" in private
    assert "Private: Enter sends to bob only" in private


def test_who_is_alone_is_told_how_to_invite_somebody(table: Desk) -> None:
    table.meet("mara")
    mara = table.open("mara")
    assert "invitation" in mara.view.banners.text("alone")
    banner = mara.view.banners._frames["alone"]
    invite = next(child for child in banner.winfo_children() if "nvite" in _label(child))
    invite.invoke()

    def link() -> str:
        return next((text for text in all_text(mara.app.root) if "chatsecure://" in text), "")

    table.until(link, "there is an invitation to send")
    import asyncio

    from chatsecure.client.joining import join

    asyncio.run(join(table.profile("bob"), link().strip(), "bob", timeout=30)).close()
    table.until(lambda: not mara.view.banners.text("alone"), "nobody is alone any more")


def _label(widget: tk.Misc) -> str:
    return str(widget.cget("text")) if "text" in widget.keys() else ""  # noqa: SIM118


def test_a_mistyped_command_is_not_sent_and_the_nearest_is_named(three: Desk) -> None:
    alice = three.open("alice")
    alice.say("/mgs bob the secret")
    three.until(lambda: "/msg" in alice.window.notes.text, "the nearest is named")
    three.settle()
    assert alice.lines() == []


def test_tab_completes_names_and_commands_and_else_moves_on(three: Desk) -> None:
    alice = three.open("alice")
    alice.focus()
    three.until(lambda: "bob" in alice.window.names()[0], "the people are known")
    alice.type("/verif")
    alice.press("<Tab>")
    assert alice.view.composer.get() == "/verify "
    alice.type("bo")
    alice.press("<Tab>")
    assert alice.view.composer.get() == "/verify bob "
    alice.view.composer.put("")
    alice.press("<Tab>")
    assert alice.app.root.focus_get() is not alice.view.composer.text


def test_tab_completes_the_path_of_a_file(three: Desk, tmp_path: Path) -> None:
    folder = tmp_path / "my files"
    folder.mkdir()
    for name in ("note one.txt", "note two.txt", "other.pdf"):
        (folder / name).write_text(name)
    alice = three.open("alice")
    alice.focus()
    composer = alice.view.composer
    alice.type(f"/file bob {tmp_path}/my")
    alice.press("<Tab>")
    assert composer.get() == f"/file bob {folder}/"
    alice.type("o")
    alice.press("<Tab>")
    assert composer.get() == f"/file bob {folder}/other.pdf"
    composer.put(f"/file bob {folder}/n")
    # In the same moment: what is suggested while writing comes after it.
    composer.text.event_generate("<Tab>")
    three.settle()
    assert composer._popup.open, "there are two"
    alice.press("<Down>")
    alice.press("<Tab>")
    assert composer.get() == f"/file bob {folder}/note two.txt"


def test_what_was_typed_before_comes_back_in_each_conversation(three: Desk) -> None:
    alice = three.open("alice")
    for text in ("first", "second"):
        alice.say(text)
        three.until(lambda text=text: text in alice.lines(), "it is sent")
    alice.type("half")
    composer = alice.view.composer

    def press(keys: str, shown: str) -> None:
        alice.press(keys)
        three.until(lambda: composer.get() == shown, f"{shown!r} stands there")

    press("<Control-Up>", "second")
    press("<Control-Up>", "first")
    press("<Control-Up>", "first")
    press("<Control-Down>", "second")
    press("<Control-Down>", "half")
    composer.put("")
    alice.go("@bob")
    alice.press("<Control-Up>")
    three.settle()
    assert composer.get() == "", "nothing was typed here"
    alice.window.close()
    three.apps.clear()
    again = three.open("alice")
    again.go("#lobby")
    again.press("<Control-Up>")
    three.until(lambda: again.view.composer.get() == "second", "it was kept")


def test_a_command_behind_a_blank_does_not_go_to_the_room(three: Desk) -> None:
    alice = three.open("alice")
    alice.say(" /msg bob the secret")
    three.until(lambda: alice.window.notes.text, "it is told")
    three.settle()
    assert alice.lines() == []


def test_drafts_stay_with_their_conversation_and_survive_a_restart(three: Desk) -> None:
    alice = three.open("alice")
    alice.type("half a thought")
    alice.go("@bob")
    assert alice.view.composer.get() == ""
    alice.go("#lobby")
    assert alice.view.composer.get() == "half a thought"
    alice.window.close()
    three.apps.clear()
    again = three.open("alice")
    assert again.view.composer.get() == "half a thought"
    assert again.lines() == []


def test_unread_messages_are_counted_in_the_list_and_the_title(three: Desk) -> None:
    bob, alice = three.open("bob"), three.open("alice")
    bob.go("@alice")
    bob.say("one")
    bob.say("two")
    three.until(
        lambda: "@bob" in alice.window.rooms and alice.window.rooms["@bob"].unread == 2,
        "two are unread",
    )
    assert alice.app.root.title().startswith("(2) ")
    alice.focus()
    alice.go("@bob")
    three.until(lambda: alice.window.rooms["@bob"].unread == 0, "they were read")
    assert not alice.app.root.title().startswith("(")


def test_an_empty_composer_and_up_changes_the_last_message(three: Desk) -> None:
    alice, bob = three.open("alice"), three.open("bob")
    alice.say("a wierd word")
    three.until(lambda: bob.shows("a wierd word"), "bob sees it")
    alice.press("<Up>")
    three.until(lambda: alice.view.composer.get() == "a wierd word", "it can be changed")
    alice.view.composer.put("a weird word")
    alice.press("<Return>")
    three.until(lambda: bob.shows("a weird word"), "bob sees the change")
    assert not bob.shows("wierd")


def test_an_answer_names_what_it_answers(three: Desk) -> None:
    alice, bob = three.open("alice"), three.open("bob")
    alice.say("who brings cake?")
    three.until(lambda: bob.shows("who brings cake?"), "bob sees it")
    line = bob.ask(lambda: bob.app.session.client.history("#lobby", 1))[0]
    bob.window.acts.wish("reply", line)
    bob.say("I do")
    three.until(lambda: alice.shows("I do"), "alice sees it")
    answer = alice.ask(lambda: alice.app.session.client.history("#lobby", 1))[0]
    assert answer.reply_to == line.id


def test_a_file_goes_by_the_button_and_arrives_whole(
    three: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytes(range(256)) * 900
    path = tmp_path / "note.pdf"
    path.write_bytes(content)
    monkeypatch.setattr(
        "chatsecure.gui.files.filedialog.askopenfilenames", lambda **_options: (str(path),)
    )
    alice, mara = three.open("alice"), three.open("mara")
    alice.go("@mara")
    alice.view.composer.file_button.invoke()

    def arrived() -> bool:
        found = mara.ask(lambda: mara.app.session.client.history("@alice", 1))
        return bool(found and found[0].path and Path(found[0].path).read_bytes() == content)

    three.until(lambda: "@alice" in mara.window.rooms, "mara has a private chat")
    three.until(arrived, "the file is here, whole")

    def confirmed() -> bool:
        (line,) = alice.ask(lambda: alice.app.session.client.history("@mara", 1))
        return card.state_words(line, None) == "230 kB · received whole"

    three.until(confirmed, "alice is told so")


def test_a_window_offline_says_so_and_sends_later(three: Desk) -> None:
    import signal
    import subprocess
    import sys

    alice, bob = three.open("alice"), three.open("bob")
    import os

    os.kill(three.server.pid, signal.SIGTERM)
    three.until(lambda: alice.view.banners.text("connection"), "the banner is shown")
    alice.say("written offline")
    three.until(lambda: alice.shows("written offline"), "it stands there all the same")
    again = subprocess.Popen(
        [sys.executable, "-m", "chatsecure", "serve", "--data", str(three.server.data),
         "--listen", three.server.address],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        three.until(lambda: alice.window.online and bob.window.online, "both are back")
        three.until(lambda: not alice.view.banners.text("connection"), "the banner is gone")
        three.until(lambda: bob.shows("written offline"), "bob gets it")
    finally:
        three.close()
        again.terminate()
        again.wait(15)


def test_the_people_are_hidden_on_a_small_screen_and_come_when_asked(three: Desk) -> None:
    alice = three.open("alice", "800x600+0+0")
    three.settle()
    assert not alice.window.people.winfo_viewable()
    assert alice.view.composer.send_button.winfo_viewable()
    right = alice.view.composer.send_button
    assert right.winfo_rootx() + right.winfo_width() <= 800
    alice.press("<F9>")
    three.settle()
    assert alice.window.people.winfo_viewable()


def test_letters_grow_and_shrink_by_keys_and_stay_so(three: Desk) -> None:
    alice = three.open("alice")
    before = alice.app.theme.font_size
    alice.press("<Control-plus>")
    assert alice.app.theme.font_size > before
    alice.press("<Control-0>")
    assert alice.app.theme.font_size == before
    alice.press("<Control-minus>")
    assert alice.app.theme.font_size < before
    percent = alice.ask(lambda: alice.app.session.client.setting("font_size"))
    assert percent == "90"


def test_a_setting_typed_as_a_command_holds_in_the_window(three: Desk) -> None:
    alice = three.open("alice")
    alice.say("/settings theme dark")
    three.until(lambda: alice.app.theme.palette_name == "dark", "the window is dark")


def test_a_notification_tells_no_more_than_is_wanted(three: Desk) -> None:
    alice, bob = three.open("alice"), three.open("bob")
    alice.window.focused = False
    bob.go("@alice")
    bob.say("the secret word")
    told = alice.window.notifier.told
    three.until(lambda: alice.window.notifier.told, "there is a note")
    assert alice.window.notifier.told[-1] == ("bob", "wrote")
    alice.ask(lambda: alice.app.session.client.setting("notification_text", "nothing"))
    alice.ask(alice.app.session.read_settings)
    told = len(alice.window.notifier.told)
    bob.say("another")
    three.until(lambda: len(alice.window.notifier.told) > told, "there is another")
    assert "bob" not in " ".join(alice.window.notifier.told[-1])


def test_safety_numbers_are_the_same_on_both_sides(three: Desk) -> None:
    alice, bob = three.open("alice"), three.open("bob")
    numbers = []
    for face, other in ((alice, "bob"), (bob, "alice")):
        face.window.acts.compare(other)
        windows: list[tk.Toplevel] = []

        def shown(face=face, windows=windows) -> bool:
            windows[:] = [
                child for child in face.app.root.winfo_children()
                if isinstance(child, tk.Toplevel) and "same on both" in " ".join(all_text(child))
            ]  # fmt: skip
            return bool(windows)

        three.until(shown, "the number is shown")
        text = " ".join(all_text(windows[0]))
        numbers.append([word for word in text.split() if word.isdigit() and len(word) == 5])
        windows[0].destroy()
    assert len(numbers[0]) == 12
    assert numbers[0] == numbers[1]


def test_a_flood_of_messages_does_not_freeze_the_window(three: Desk) -> None:
    """It is shown in many slices, and between any two of them Tk's loop goes on."""
    alice, bob = three.open("alice"), three.open("bob")

    async def flood() -> None:
        for number in range(300):
            await bob.app.session.client.send("#lobby", f"message {number} of a flood")

    slices: set[int] = set()
    bob.app.session.bridge.call(flood)

    def over() -> bool:
        slices.add(alice.shown().count("of a flood"))
        return alice.shows("message 299 of a flood")

    three.until(over, "the flood is shown")
    assert len(slices) > 5


def test_an_offered_file_waits_for_a_word_and_can_be_cancelled(three: Desk, tmp_path: Path) -> None:
    from chatsecure.gui import files

    path = tmp_path / "large.bin"
    path.write_bytes(bytes(range(256)) * 4000)
    alice, bob = three.open("alice"), three.open("bob")
    bob.say("/settings ask_first yes")
    three.until(
        lambda: bob.ask(lambda: bob.app.session.client.setting("ask_first")) == "yes", "set"
    )
    bob.window.notes.close()
    files.send(alice.window, [path])

    def line(face):
        found = face.ask(lambda: face.app.session.client.history("#lobby", 1))
        return found[0] if found else None

    three.until(lambda: line(bob) and line(bob).file_state == "offered", "it is offered")
    bob.window.acts.wish("accept", line(bob))
    three.until(lambda: line(bob).file_state == "received", "it is here")
    assert Path(line(bob).path).read_bytes() == path.read_bytes()
    other = tmp_path / "other.bin"
    other.write_bytes(bytes(range(256)) * 400)
    files.send(alice.window, [other])
    three.until(lambda: line(bob).text == "other.bin", "another is offered")
    bob.window.acts.wish("decline", line(bob))
    three.until(lambda: line(bob).file_state == "declined", "it is turned down")
