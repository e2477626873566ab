"""What must never happen to the window: text that ends the process, lists that end, slow pictures,
an identity that changes unseen."""

import shutil
import subprocess
import tkinter as tk
from collections.abc import Iterator
from pathlib import Path

import pytest
from desk import Desk, all_text, desk

from chatsecure.client import contacts, emoji
from chatsecure.gui.drop import dropped_paths
from chatsecure.gui.fields import guard, guard_entry, plain_text
from chatsecure.gui.files import from_uris
from chatsecure.gui.row import Look
from chatsecure.gui.rows import Rows
from chatsecure.gui.switcher import rank
from chatsecure.gui.theme import Theme


@pytest.fixture
def three(display: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("CHATSECURE_KEYRING", "off")
    monkeypatch.setenv("GTK_THEME", "Adwaita")
    with desk(tmp_path) as made:
        made.meet("mara", "alice", "bob")
        yield made


def test_no_sign_that_comes_in_colour_reaches_any_widget(three: Desk) -> None:
    """Old versions of Xft end the process when they draw one, wherever it stands."""
    alice, bob = three.open("alice"), three.open("bob")
    bob.say("wow 👩‍🔬🎉🇩🇪 👍🏽 ☺️")
    three.until(lambda: "wow" in " ".join(alice.lines()), "it is here")
    bob.say("/create #🎉")
    bob.say("/away 🌴 gone")
    alice.type("typed 🎉 👩‍🔬 too")
    alice.window.sidebar.words.set("")
    alice.window.sidebar.entry.insert(0, "🎉")
    alice.window.acts.wish("search", "wow")
    alice.window.acts.wish("switcher")
    three.settle(60)
    texts = [*all_text(alice.app.root), alice.app.root.title()]
    for text in texts:
        found = emoji.never_plain().search(text)
        assert found is None, (text, found)
    assert alice.view.composer.get() == "typed 🎉 👩‍🔬 too"


def test_what_is_written_comes_back_as_it_was_whatever_is_between(root: tk.Tk) -> None:
    theme = Theme(root)
    text = tk.Text(root)
    text.pack()
    guard(text, theme)
    for words in ("a 🎉 b", "👩‍🔬👩‍🔬", "שלום 🎉", "two\nlines 🇩🇪\n", "", "plain", "ü👍🏽é"):
        text.delete("1.0", "end")
        text.insert("1.0", words)
        assert plain_text(text) == words
    text.delete("1.0", "end")
    text.insert("insert", "ab")
    text.mark_set("insert", "1.1")
    text.insert("insert", "🎉x")
    assert plain_text(text) == "a🎉xb"
    assert text.index("insert") == "1.3"


def test_an_entry_spells_what_it_cannot_show(root: tk.Tk) -> None:
    entry = tk.Entry(root)
    entry.pack()
    guard_entry(entry)
    entry.insert(0, "party 🎉")
    assert emoji.never_plain().search(entry.get()) is None
    assert entry.get().startswith("party :")


def test_a_list_of_ten_thousand_reaches_its_end_with_few_widgets(root: tk.Tk) -> None:
    opened = []
    rows: Rows[int] = Rows(root, Theme(root), lambda n: Look(f"item {n}"), opened.append)
    rows.pack(fill="both", expand=True)
    root.update()
    rows.show(list(range(10_000)))
    root.update()
    rows.step(9_999)
    root.update()
    assert len(rows.winfo_children()) < 60
    rows.open_current()
    assert opened == [9_999]
    assert "item 9999" in " ".join(all_text(rows))


def test_a_changed_identity_blocks_and_asks(three: Desk) -> None:
    alice = three.open("alice")
    alice.go("@bob")
    alice.say("hello")
    client = alice.app.session.client

    def change() -> None:
        other = contacts.get(client.core.db, "mara")
        assert other is not None
        with client.core.db.transaction():
            event = contacts.pin(
                client.core.db, "bob", other.fingerprint, other.identity_certificate, 1
            )
            assert event is not None
            client.core.emit(event)

    alice.ask(change)
    three.until(lambda: alice.view.banners.text("identity"), "the banner is shown")
    assert "bob" in alice.view.banners.text("identity")
    alice.say("a secret")
    three.until(lambda: "identity" in alice.window.notes.text, "it is told")
    assert alice.view.composer.get() == "a secret", "nothing typed is lost"
    alice.window.acts.accept_identity("bob")
    three.settle()
    question = next(
        child for child in alice.app.root.winfo_children() if isinstance(child, tk.Toplevel)
        and "without comparing" in " ".join(all_text(child))
    )  # fmt: skip
    question.event_generate("<Escape>")
    three.settle()
    assert alice.view.banners.text("identity"), "asking is not agreeing"


def test_an_emoji_is_picked_and_a_reaction_joined_and_taken_back(three: Desk) -> None:
    alice, bob = three.open("alice"), three.open("bob")
    bob.say("cake?")
    three.until(lambda: alice.shows("cake?"), "alice sees it")

    def line():
        return alice.ask(lambda: alice.app.session.client.history("#lobby", 1))[0]

    bob.window.acts.reaction((line(), "👍"))
    three.until(lambda: (line().reactions or {}).get("👍") == ["bob"], "bob's reaction")
    alice.window.acts.reaction((line(), "👍"))
    three.until(lambda: len((line().reactions or {}).get("👍", ())) == 2, "alice joins")
    alice.window.acts.reaction((line(), "👍"))
    three.until(lambda: (line().reactions or {}).get("👍") == ["bob"], "and takes it back")
    alice.window.acts.emoji(alice.view.composer.emoji_button)
    three.settle(30)
    from chatsecure.gui.emoji import EmojiPicker

    picker = next(
        child for child in alice.app.root.winfo_children() if isinstance(child, EmojiPicker)
    )
    picker.event_generate("<Escape>")
    three.settle()


@pytest.mark.skipif(shutil.which("xclip") is None, reason="xclip is not installed")
def test_a_picture_on_the_clipboard_is_offered_as_a_file(
    three: Desk, tmp_path: Path, display: str
) -> None:
    from PIL import Image

    picture = tmp_path / "clip.png"
    Image.new("RGB", (40, 30), "#ff0000").save(picture)
    alice = three.open("alice")
    clip = subprocess.Popen(
        ["xclip", "-selection", "clipboard", "-t", "image/png", "-i", str(picture), "-quiet"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        three.settle(30)
        alice.view.composer.text.event_generate("<<Paste>>")

        def asked() -> bool:
            return "picture.png" in " ".join(all_text(alice.app.root))

        three.until(asked, "it is asked whether to send it")
        assert alice.view.composer.get() == ""
        from chatsecure.gui import files

        left = list(files._temporaries)
        assert left
        three.close()
        assert not any(folder.exists() for folder in left)
    finally:
        clip.terminate()
        clip.wait(10)


def test_a_long_paste_may_go_as_a_file(three: Desk) -> None:
    alice, bob = three.open("alice"), three.open("bob")
    alice.app.root.clipboard_clear()
    text = "\n".join(f"line {n}" for n in range(40))
    alice.app.root.clipboard_append(text)
    alice.view.composer.text.event_generate("<<Paste>>")
    three.settle()
    assert alice.view.composer.get() == text
    button = next(
        widget for widget in _buttons(alice.view.composer) if "as a file" in str(widget["text"])
    )
    button.invoke()

    def here() -> bool:
        found = bob.ask(lambda: bob.app.session.client.history("#lobby", 1))
        return bool(found and found[0].path and Path(found[0].path).read_text() == text)

    three.until(here, "bob has the file")
    from chatsecure.gui import files

    assert not files._temporaries, "what was pasted lies nowhere in the clear"


def _buttons(widget: tk.Misc) -> Iterator[tk.Misc]:
    from tkinter import ttk

    for child in widget.winfo_children():
        if isinstance(child, ttk.Button):
            yield child
        yield from _buttons(child)


def test_dropped_files_are_read_as_paths_and_as_addresses(root: tk.Tk) -> None:
    assert dropped_paths(root, "{/tmp/a b.txt} /tmp/c.txt") == [
        Path("/tmp/a b.txt"), Path("/tmp/c.txt")
    ]  # fmt: skip
    assert dropped_paths(root, "file:///tmp/d%20e.txt") == [Path("/tmp/d e.txt")]
    assert from_uris("file:///tmp/x\r\nhttp://127.0.0.1/y\nfile://elsewhere/z") == [Path("/tmp/x")]


def test_the_switcher_finds_by_beginning_part_and_letters_in_order() -> None:
    assert rank("cla", "#class-3b") == 0
    assert rank("3b", "#class-3b") == 1
    assert rank("c3", "#class-3b") == 2
    assert rank("xyz", "#class-3b") is None


def test_a_window_too_high_for_the_screen_keeps_its_buttons_in_view(root: tk.Tk) -> None:
    from chatsecure.gui.dialogs import Dialog
    from chatsecure.gui.theme import Theme

    dialog = Dialog(root, Theme(root), "Much to read")
    tk.Text(dialog.body, height=200).pack(fill="both", expand=True)
    button = dialog.button("Close", dialog.destroy, agree=True)
    dialog.open()
    root.update()
    assert dialog.winfo_height() <= root.winfo_screenheight()
    assert button.winfo_rooty() + button.winfo_height() <= root.winfo_screenheight()
    assert button.winfo_viewable()
    dialog.destroy()


def test_control_a_chooses_all_of_a_field(root: tk.Tk) -> None:
    from tkinter import ttk

    from chatsecure.gui.fields import guard_entry

    entry = ttk.Entry(root)
    guard_entry(entry)
    entry.pack()
    entry.insert(0, "some words")
    entry.focus_force()
    root.update()
    entry.event_generate("<Control-a>")
    assert entry.selection_get() == "some words"


def test_a_banner_that_was_put_away_stays_away_until_it_is_over(root: tk.Tk) -> None:
    from tkinter import ttk

    from chatsecure.gui.banners import Banner, Banners
    from chatsecure.gui.theme import Theme

    banners = Banners(root, Theme(root))
    banners.pack(fill="x")
    told = Banner("Nobody is here", "soft", closable=True)
    banners.show("alone", told)
    button = next(
        child for child in banners._frames["alone"].winfo_children()
        if isinstance(child, ttk.Button)
    )  # fmt: skip
    button.invoke()
    banners.show("alone", told)
    assert banners.names() == []
    banners.close("alone")
    banners.show("alone", told)
    assert banners.names() == ["alone"]
