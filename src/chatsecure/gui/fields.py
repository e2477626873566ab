"""Fields the person writes in, guarded: what Tk on X11 cannot show never reaches it as text.

An emoji or a run in a script that Tk cannot lay out becomes a picture inside a `Text` (read back
by `plain_text`); an `Entry` can hold no pictures, so there it is spelt. Old versions of Xft end
the process when they draw a colour glyph, whatever widget it stands in.
"""

import tkinter as tk

from .theme import Theme


def guard(text: tk.Text, theme: Theme) -> None:
    """Guard a `Text`."""


def plain_text(text: tk.Text, start: str = "1.0", end: str = "end-1c") -> str:
    """What stands in a guarded `Text`, pictures as what they stand for."""
    return text.get(start, end)


def guard_entry(entry: "tk.Entry") -> None:
    """Guard an `Entry` or a `ttk.Entry`."""


def fit_lines(text: str) -> str:
    """A text of several lines for a plain `Text`."""
    return text
