"""What floats over a history: the bar of actions of the message under the pointer, and the words of
what is told there by a sign alone."""

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import Any

from chatsecure.client.display import harmless_name
from chatsecure.client.history import HistoryLine

from .entries import clock, reach
from .glyphs import fit_for_tk
from .mirror import anchored, mirror
from .theme import Theme
from .wheel import on_wheel

ACTIONS = (("react", "emoji"), ("reply", "reply"), ("copy", "copy"), ("menu", "more"))


class Actions(tk.Frame):
    """Time and buttons, in front of a history's text."""

    def __init__(self, text: tk.Text, theme: Theme, act: Callable[[str, Any], None]) -> None:
        super().__init__(text, borderwidth=0, cursor="arrow")
        self._text, self._theme, self._act = text, theme, act
        self._line: HistoryLine | None = None
        self._time = ttk.Label(self, style="Raised.Tiny.TLabel")
        self._time.pack(side="left", padx=theme.px(6))
        self._buttons: list[tuple[str, tk.Label]] = []
        for what, icon in ACTIONS:
            button = tk.Label(self, cursor="hand2", borderwidth=0)
            button.pack(side="left", ipadx=theme.px(5), ipady=theme.px(4))
            button.bind("<Button-1>", lambda _event, what=what: self._clicked(what))  # type: ignore[misc]
            button.bind("<Enter>", lambda _event, label=button: self._lit(label, lit=True))  # type: ignore[misc]
            button.bind("<Leave>", lambda _event, label=button: self._lit(label, lit=False))  # type: ignore[misc]
            on_wheel(
                button.bind, lambda way: text.yview_scroll(50 * way, "pixels"),
                system=theme.windowing,
            )  # fmt: skip
            self._buttons.append((icon, button))
        mirror(self)
        self.restyle()

    def restyle(self) -> None:
        """Take the theme's colours."""
        color = self._theme.color
        self.configure(
            background=color("raised"),
            highlightthickness=1,
            highlightbackground=color("line"),
            highlightcolor=color("line"),
        )
        for icon, label in self._buttons:
            label.configure(background=color("raised"), image=self._theme.icon(icon, 16, "dim"))

    def show(self, line: HistoryLine, y: int) -> None:
        """Float over a message whose top is at `y`."""
        self._line = line
        self._time.configure(text=clock(line.at))
        top = max(y - self._theme.px(8), self._theme.px(2))
        anchor, inset = anchored("ne"), self._theme.px(14)
        if anchor == "ne":
            self.place(relx=1.0, x=-inset, y=top, anchor=anchor)
        else:
            self.place(relx=0.0, x=inset, y=top, anchor=anchor)

    def hide(self) -> None:
        """Go away."""
        self._line = None
        self.place_forget()

    def _lit(self, label: tk.Label, *, lit: bool) -> None:
        label.configure(background=self._theme.color("side_hover" if lit else "raised"))

    def _clicked(self, what: str) -> None:
        if self._line is not None:
            self._act(what, self._line)


MAX_NAMES = 12


def hint(what: str, value: Any) -> str:
    """What a reaction or a tick under the pointer says in words; empty where there is nothing."""
    if what == "info":
        return reach(value)[1]
    if what == "reaction":
        line, sign = value
        names = (line.reactions or {}).get(sign, [])
        more = ["…"] if len(names) > MAX_NAMES else []
        return ", ".join([harmless_name(name) for name in names[:MAX_NAMES]] + more)
    return ""


class Hint(tk.Label):
    """A few words beside the pointer."""

    def __init__(self, text: tk.Text, theme: Theme) -> None:
        super().__init__(text, borderwidth=0, padx=theme.px(8), pady=theme.px(4))
        self._theme = theme
        self._words = ""

    def show(self, words: str, x: int, y: int) -> None:
        """Show the words above a point; none: go away."""
        if words == self._words:
            return
        self._words = words
        if not words:
            self.place_forget()
            return
        color, px = self._theme.color, self._theme.px
        self.configure(
            text=fit_for_tk(words), font=self._theme.font("small"), background=color("text"),
            foreground=color("window"),
        )  # fmt: skip
        below = y < px(40)
        top = y + px(20) if below else y - px(12)
        if x > self.master.winfo_width() // 2:
            self.place(x=x, y=top, anchor="ne" if below else "se")
        else:
            self.place(x=x, y=top, anchor="nw" if below else "sw")
        self.lift()
