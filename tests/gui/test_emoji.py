"""Choosing an emoji."""

import tkinter as tk
from collections.abc import Callable
from pathlib import Path
from tkinter import ttk

import pytest

from chatsecure.client import emoji as table
from chatsecure.gui import emoji
from chatsecure.gui.emoji import EmojiPicker
from chatsecure.gui.theme import Theme


@pytest.fixture
def picked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(emoji, "_recent", list(table.COMMON))
    return []


def opened(root: tk.Tk, picked: list[str], palette: str = "light") -> EmojiPicker:
    theme = Theme(root, palette)
    button = ttk.Button(root, text="emoji")
    button.place(relx=1, rely=1, anchor="se")
    root.update()
    picker = EmojiPicker(root, theme, picked.append)
    picker.open(button)
    picker._entry.focus_force()
    root.update()
    return picker


def key(picker: EmojiPicker, *keys: str) -> None:
    for one in keys:
        picker._entry.event_generate(one)
        picker._entry.update()


@pytest.mark.parametrize("palette", ["light", "dark"])
def test_it_stands_inside_the_window(
    root: tk.Tk, picked: list[str], palette: str, picture: Callable[[str], Path]
) -> None:
    picker = opened(root, picked, palette)
    picker.show_tab("smileys")
    root.update()
    assert picker.winfo_x() >= 0
    assert picker.winfo_x() + picker.winfo_width() <= root.winfo_width()
    assert picker.winfo_y() >= 0
    picture(f"emoji-{palette}")


def test_a_name_is_looked_for_and_return_takes_the_first(root: tk.Tk, picked: list[str]) -> None:
    picker = opened(root, picked)
    picker._words.set("thumbsup")
    root.update()
    key(picker, "<Return>")
    assert picked == ["👍"]
    assert not picker.winfo_exists()
    assert emoji._recent[0] == "👍"


def test_keys_alone_choose_among_all(root: tk.Tk, picked: list[str]) -> None:
    picker = opened(root, picked)
    key(picker, "<Tab>", "<Right>", "<Down>", "<Return>")
    assert picked == [table.groups()["smileys"][1 + emoji.COLUMNS].sign]


def test_the_end_of_a_long_group_is_reached(root: tk.Tk, picked: list[str]) -> None:
    picker = opened(root, picked)
    picker.show_tab("people")
    key(picker, *["<Down>"] * 60, "<Return>")
    assert picked == [table.groups()["people"][-1].sign]


def test_a_click_takes_one(root: tk.Tk, picked: list[str]) -> None:
    picker = opened(root, picked)
    picker._canvas.event_generate("<Button-1>", x=5, y=5)
    root.update()
    assert picked == [table.COMMON[0]]


def test_escape_closes_and_gives_the_keys_back(root: tk.Tk, picked: list[str]) -> None:
    entry = tk.Entry(root)
    entry.pack()
    entry.focus_force()
    root.update()
    picker = opened(root, picked)
    key(picker, "<Escape>")
    assert not picker.winfo_exists()
    assert picked == []
    assert root.focus_get() is entry


def test_what_is_out_of_view_is_not_drawn(root: tk.Tk, picked: list[str]) -> None:
    picker = opened(root, picked)
    picker.show_tab("flags")
    root.update()
    assert len(picker._drawn) <= emoji.COLUMNS * (emoji.ROWS + 1)


def test_words_that_name_nothing_say_so(root: tk.Tk, picked: list[str]) -> None:
    picker = opened(root, picked)
    picker._words.set("qqqqq")
    key(picker, "<Return>", "<Right>")
    assert picked == []
    assert picker.winfo_exists()
