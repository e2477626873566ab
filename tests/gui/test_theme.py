"""The window's look."""

import tkinter as tk
from collections.abc import Callable
from pathlib import Path

from chatsecure.gui.history import History
from chatsecure.gui.theme import Theme


def test_a_history_can_be_looked_at(root: tk.Tk, picture: Callable[[str], Path]) -> None:
    theme = Theme(root)
    history = History(root, theme, on=lambda *_: None)
    history.pack(fill="both", expand=True)
    history.open("#lobby", "alice", [], first_unread=None, at_end=True)
    root.update()
    assert picture("history").stat().st_size > 0
