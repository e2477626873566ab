"""The window in a language that is written from right to left: everything begins at the right."""

import tkinter as tk
from collections.abc import Callable, Iterator
from pathlib import Path
from tkinter import ttk

import pytest
import talk
from desk import desk

from chatsecure import words
from chatsecure.gui import mirror
from chatsecure.gui.history import History
from chatsecure.gui.theme import Theme


@pytest.fixture
def arabic(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CHATSECURE_LANG", "ar")
    words.choose("")
    yield
    monkeypatch.delenv("CHATSECURE_LANG")
    words.choose("")


def row(root: tk.Tk) -> tuple[ttk.Frame, list[ttk.Label]]:
    frame = ttk.Frame(root, width=600, height=100)
    frame.pack_propagate(False)
    frame.pack()
    labels = [ttk.Label(frame, text=text) for text in "ab"]
    labels[0].pack(side="left", padx=(20, 0))
    labels[1].pack(side="left", fill="x", expand=True)
    return frame, labels


def test_what_was_packed_at_the_left_stands_at_the_right(root: tk.Tk, arabic: None) -> None:
    frame, (first, second) = row(root)
    mirror.mirror(frame)
    root.update()
    assert first.winfo_x() > second.winfo_x()
    assert first.winfo_x() + first.winfo_width() == 600 - 20
    assert str(second.cget("anchor")) == "e"


def test_it_may_be_turned_again_for_what_has_been_added(root: tk.Tk, arabic: None) -> None:
    frame, (first, _second) = row(root)
    mirror.mirror(frame)
    late = ttk.Label(frame, text="late")
    late.pack(side="right")
    mirror.mirror(frame)
    assert str(first.pack_info()["side"]) == "right"
    assert str(late.pack_info()["side"]) == "left"
    late.pack_forget()
    late.pack(side="right")
    mirror.turn(late)
    assert str(late.pack_info()["side"]) == "left"


def test_columns_change_places_and_their_weights_too(root: tk.Tk, arabic: None) -> None:
    frame = ttk.Frame(root)
    frame.pack(fill="both", expand=True)
    frame.grid_columnconfigure(1, weight=1)
    cells = [ttk.Label(frame, text=str(n)) for n in range(3)]
    for column, cell in enumerate(cells):
        cell.grid(row=0, column=column, sticky="w")
    whole = ttk.Label(frame, text="whole")
    whole.grid(row=1, column=1, columnspan=2, sticky="e")
    mirror.mirror(frame)
    mirror.mirror(frame)
    assert [cell.grid_info()["column"] for cell in cells] == [2, 1, 0]
    assert whole.grid_info()["column"] == 0
    assert str(whole.grid_info()["sticky"]) == "w"
    assert frame.grid_columnconfigure(1)["weight"] == 1


def test_a_language_from_left_to_right_changes_nothing(root: tk.Tk) -> None:
    frame, (first, _second) = row(root)
    mirror.mirror(frame)
    assert str(first.pack_info()["side"]) == "left"
    assert mirror.anchored("ne") == "ne"


def test_the_parts_of_the_window_change_places(
    display: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arabic: None,
    picture: Callable[[str], Path],
) -> None:  # fmt: skip
    monkeypatch.setenv("CHATSECURE_KEYRING", "off")
    with desk(tmp_path) as table:
        table.meet("mara")
        mara = table.open("mara")
        window = mara.window
        mara.say("مرحبا بالجميع، هذه رسالة")
        table.until(lambda: mara.shows("مرحبا") or mara.lines(), "it is there")
        table.settle(40)
        people, view, sidebar = window.people, window.view, window.sidebar
        assert people.winfo_rootx() < view.winfo_rootx() < sidebar.winfo_rootx()
        composer = view.composer
        assert composer.send_button.winfo_rootx() < composer.text.winfo_rootx()
        assert composer.text.winfo_rootx() < composer.file_button.winfo_rootx()
        text = view.history._text
        entry = view.history._pages.entries[-1]
        # The picture of a whole line ends where a message's text begins: beside the avatar.
        drawn = next(name for name, mark in entry.images.items() if "مرحبا" in mark.text)
        x, _y, wide, _high = text.bbox(text.index(drawn))
        assert x + wide > text.winfo_width() * 0.8
        picture("mirrored")


def test_a_messages_end_stands_left_of_a_line_from_right_to_left(root: tk.Tk) -> None:
    """What follows the words, as the tick, follows in the direction in which they are read."""
    history = History(root, Theme(root), on=lambda *_: None)
    history.pack(fill="both", expand=True)
    lines = [
        talk.line(1, "alice", "שלום", people=1, read=1, edited=True),
        talk.line(2, "alice", "> שלום\n- עולם\n- שלום עולם", people=1, read=1),
    ]
    history.open("#design", "alice", lines, first_unread=None, at_end=True)
    root.update()
    text = history._text
    entry = history._pages.by_place(1)
    assert entry is not None
    places = {mark.text: text.bbox(text.index(name)) for name, mark in entry.images.items()}
    tick = text.bbox(text.search("(edited)", "1.0"))
    assert tick
    assert places["שלום"]
    assert tick[0] < places["שלום"][0]
    assert abs(tick[1] - places["שלום"][1]) < 12, "on the same line"
