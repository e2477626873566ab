"""What stands above the composer: what is answered or changed, and what a word may become."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from chatsecure.cli.slash import BY_NAME

from . import shown
from .mirror import turn
from .row import Look
from .rows import Rows, has_focus
from .theme import Theme
from .wording import _


class Strip(ttk.Frame):
    """A line above the text: what is answered or changed."""

    def __init__(self, master: tk.Misc, theme: Theme, cancel: Callable[[], None]) -> None:
        super().__init__(master, style="Soft.TFrame", padding=theme.px(6))
        self._label = ttk.Label(self, style="Soft.TLabel")
        self._label.pack(side="left", fill="x", expand=True)
        self._cancel = ttk.Button(self, text=_("Cancel"), style="Tool.TButton", command=cancel)
        self._cancel.pack(side="right")
        self._actions: list[ttk.Button] = []

    def show(self, text: str, actions: tuple[tuple[str, Callable[[], None]], ...]) -> None:
        """Say another thing."""
        for button in self._actions:
            button.destroy()
        self._label.configure(text=text)
        self._actions = [
            ttk.Button(self, text=label, style="Tool.TButton", command=command)
            for label, command in actions
        ]
        for button in self._actions:
            button.pack(side="right", padx=4, before=self._cancel)
            turn(button)


class Popup:
    """What a word may become, above the text."""

    def __init__(
        self, composer: tk.Misc, text: tk.Text, theme: Theme, take: Callable[[str], None]
    ) -> None:
        self._composer, self._text, self._theme, self._take = composer, text, theme, take
        self._rows: Rows[str] | None = None

    @property
    def open(self) -> bool:
        """Whether it is seen."""
        return self._rows is not None

    def show(self, _word: str, offered: list[str]) -> None:
        """Offer these."""
        if self._rows is None:
            top = self._composer.winfo_toplevel()
            self._rows = Rows(top, self._theme, _offer, self._take, lines=1, ground="raised")
            self._rows.configure(
                takefocus=0, highlightthickness=1, highlightbackground=self._theme.color("line")
            )
            self._rows.always_cursor = True
        self._rows.show(offered, top=True)
        px, text = self._theme.px, self._text
        top = self._composer.winfo_toplevel()
        high = min(len(offered), 7) * self._rows.row_height + 2
        x = text.winfo_rootx() - top.winfo_rootx()
        y = text.winfo_rooty() - top.winfo_rooty() - high - px(6)
        wide = min(px(460), text.winfo_width())
        self._rows.place(x=x, y=max(0, y), width=wide, height=min(high, high + min(0, y)))
        self._rows.lift()

    def unlike(self, word: str) -> bool:
        """Whether taking the offer would change the word."""
        current = self._rows.current() if self._rows is not None else None
        return current is not None and current.strip() != word

    def step(self, by: int) -> None:
        """Move on in the offers."""
        if self._rows is not None:
            self._rows.step(by)

    def take(self) -> None:
        """Take the offer under the cursor."""
        current = self._rows.current() if self._rows is not None else None
        if current is not None:
            self._take(current)

    def close(self) -> None:
        """Take it away."""
        if self._rows is not None:
            self._rows.destroy()
            self._rows = None

    def close_if_left(self) -> None:
        """Take it away where the keys go elsewhere; they may have been away for a moment only."""
        if self._rows is not None and not (has_focus(self._rows) or has_focus(self._text)):
            self.close()


def _offer(text: str) -> Look:
    command = BY_NAME.get(text.strip().removeprefix("/")) if text.startswith("/") else None
    return Look(shown.words(text), corner=_(command.help) if command else "")
