"""The head of a conversation: its name, its topic, who is here; private and public unmistakably
different."""

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import Any

from chatsecure.client.lines import MemberLine, RoomLine

from . import shown
from .marks import icon_button
from .mirror import turn
from .theme import Theme
from .wording import _, logical, seen, several

Told = Callable[[str, Any], None]


class Head(ttk.Frame):
    """The name, the topic, who is here; private and public unmistakably different."""

    def __init__(self, master: tk.Misc, theme: Theme, on: Told) -> None:
        super().__init__(master, style="TFrame")
        self._theme = theme
        px = theme.px
        self._strip = tk.Frame(self, height=px(3))
        self._strip.pack(fill="x")
        inner = ttk.Frame(self, style="TFrame", padding=(px(12), px(7), px(8), px(7)))
        inner.pack(fill="x")
        words = ttk.Frame(inner, style="TFrame")
        self._called = ttk.Label(words, style="Title.TLabel")
        self._kind = tk.Label(words, bd=0, padx=px(7), pady=px(1))
        self._about = ttk.Label(words, style="Small.TLabel")
        self._called.grid(row=0, column=0, sticky="w")
        self._kind.grid(row=0, column=1, sticky="w", padx=px(8))
        self._about.grid(row=1, column=0, columnspan=3, sticky="w")
        words.grid_columnconfigure(2, weight=1)
        self._buttons = [
            icon_button(inner, theme, icon, label, command)
            for icon, label, command in (
                ("people", _("Show or hide the people"), lambda: on("people", None)),
                ("search", _("Find in this conversation"), lambda: on("find", None)),
            )
        ]
        self.compare = icon_button(
            inner, theme, "shield", _("Compare safety numbers"), lambda: on("compare", None)
        )
        for button in self._buttons:
            button.pack(side="right", padx=(px(4), 0))
        words.pack(side="left", fill="x", expand=True)
        self._shown: tuple[RoomLine, list[MemberLine]] | None = None
        self._forget = theme.on_change(self._restyle)
        self.bind("<Destroy>", self._destroyed)

    def show(self, room: RoomLine, members: list[MemberLine]) -> None:
        """Show another conversation's head."""
        self._shown = (room, members)
        color, private = self._theme.color, room.kind == "private"
        self._called.configure(text=shown.target(room.name))
        self._strip.configure(background=color("private" if private else "accent"))
        self._kind.configure(
            text=_("private") if private else _("room"),
            font=self._theme.font("small"),
            background=color("private" if private else "soft"),
            foreground=color("on_private" if private else "on_soft"),
        )
        self._about.configure(text=self._words(room, members))
        if private:
            self.compare.pack(side="right", padx=(self._theme.px(4), 0))
            turn(self.compare)
        else:
            self.compare.pack_forget()

    def _words(self, room: RoomLine, members: list[MemberLine]) -> str:
        if room.kind != "private":
            here = sum(member.online for member in members)
            people = several("{n} person", "{n} people", len(members))
            there = logical(_("{n} here").format(n=here))
            count = seen(f"{logical(people)}, {there}") if here else people
            return f"{shown.line(room.topic, 120)}  ({count})" if room.topic else count
        other = next((member for member in members if not member.me), None)
        if other is None:
            return _("only you")
        words = [_("here") if other.online else _("not here")]
        if other.away:
            words = [_("away: {text}").format(text=shown.line(other.away, 60))]
        words.append(_("compared") if other.verified else _("not compared yet"))
        return seen(", ".join(map(logical, words)))

    def _restyle(self) -> None:
        if self._shown is not None:
            self.show(*self._shown)

    def _destroyed(self, event: "tk.Event[tk.Misc]") -> None:
        if event.widget is self:
            self._forget()
