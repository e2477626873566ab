"""One conversation's history: a windowed text that holds at most 600 lines at a time.

Shows lines and tells what the person asks for; fetches nothing itself.
"""

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import Any

from chatsecure.client.display import harmless, harmless_name
from chatsecure.client.history import HistoryLine

from .theme import Theme

Told = Callable[[str, Any], None]


class History(ttk.Frame):
    """One conversation's history: a windowed `tk.Text` of at most 600 lines."""

    def __init__(self, master: tk.Misc, theme: Theme, *, on: Told) -> None:
        super().__init__(master)
        self._theme, self._on = theme, on
        self._lines: list[HistoryLine] = []
        self._text = tk.Text(self, wrap="word", font=theme.font("body"), state="disabled")
        self._text.pack(fill="both", expand=True)

    def open(
        self,
        conversation: str,
        me: str,
        lines: list[HistoryLine],
        *,
        first_unread: int | None,
        at_end: bool,
        topic: str = "",
    ) -> None:
        """Show another conversation.

        Args:
            first_unread: the place of the first message not shown yet.
            at_end: these lines reach the newest one.
        """
        self._heading = (conversation, me, topic, first_unread, at_end)
        self._lines = []
        self.append(lines)

    def add_older(self, lines: list[HistoryLine]) -> None:
        """The answer to `older`; none: the beginning is reached."""
        self._lines[:0] = lines
        self._draw()

    def add_newer(self, lines: list[HistoryLine], *, at_end: bool) -> None:
        """The answer to `newer`."""
        self._at_end = at_end
        self.append(lines)

    def append(self, lines: list[HistoryLine]) -> None:
        """New ones; scrolls only if the bottom is in view."""
        self._lines.extend(lines)
        self._draw()

    def update_line(self, line: HistoryLine) -> None:
        """A line has changed: its state, text, reactions or file."""
        self._lines = [line if old.id == line.id else old for old in self._lines]
        self._draw()

    def progress(self, id_: str, done: int, size: int) -> None:
        """So many bytes of a file are here."""

    def jump(self, n: int) -> bool:
        """Bring a line into view; False where it is not loaded."""
        return any(line.n == n for line in self._lines)

    def jump_to_unread(self) -> None:
        """Bring the mark of the new ones into view."""

    def find(self, words: str) -> None:
        """Mark these words wherever they stand; empty takes the marks away."""

    def selected(self) -> HistoryLine | None:
        """The message chosen with the keys."""
        return None

    def _draw(self) -> None:
        self._text.configure(state="normal")
        self._text.delete("1.0", "end")
        for line in self._lines:
            self._text.insert("end", f"{harmless_name(line.sender)}: {harmless(line.text)}\n")
        self._text.configure(state="disabled")
