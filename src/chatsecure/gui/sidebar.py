"""The conversations at the left: who, the last line, when, how many are unread, who is here."""

import tkinter as tk
from collections.abc import Callable
from datetime import datetime
from tkinter import ttk
from typing import Any

from chatsecure.client.lines import RoomLine

from . import shown
from .entries import MONTHS, WEEKDAYS
from .fields import guard_entry
from .marks import avatar, icon_button
from .mirror import anchored
from .row import Look
from .rows import Rows
from .theme import Theme
from .wording import _, logical

Told = Callable[[str, Any], None]


class Sidebar(ttk.Frame):
    """The list of conversations.

    Args:
        on: `on(what, value)`: ("open", name), ("menu", (room, x, y)), ("search", words),
            ("new", widget), ("me", widget).
    """

    def __init__(self, master: tk.Misc, theme: Theme, *, on: Told) -> None:
        super().__init__(master, style="Side.TFrame")
        self._theme, self._on = theme, on
        self._rooms: list[RoomLine] = []
        self._open = ""
        self._told = ("", "", False)
        px = theme.px
        top = ttk.Frame(self, style="Side.TFrame", padding=(px(8), px(8), px(8), px(6)))
        self.words = tk.StringVar(self)
        self.entry = ttk.Entry(top, textvariable=self.words, width=12, style="Side.TEntry")
        guard_entry(self.entry)
        self._new = icon_button(
            top, theme, "plus", _("A new chat or room"), lambda: on("new", self._new),
            style="SideIcon.TButton",
        )  # fmt: skip
        self._placeholder = ttk.Label(top, text=_("Search"), style="Field.Dim.TLabel")
        self.entry.pack(side="left", fill="x", expand=True, padx=(0, px(6)))
        self._new.pack(side="right")
        self._place_placeholder()
        self._placeholder.bind("<Button-1>", lambda _event: self.entry.focus_set())
        self.rows: Rows[RoomLine] = Rows(
            self,
            theme,
            self._look,
            lambda room: on("open", room.name),
            menu=lambda room, x, y: on("menu", (room, x, y)),
        )
        bottom = ttk.Frame(self, style="Side.TFrame", padding=(px(10), px(6)))
        self._me = ttk.Label(bottom, style="Side.TLabel", compound="left")
        self._more = icon_button(
            bottom, theme, "menu", _("Settings and more"), lambda: on("me", self._more),
            style="SideIcon.TButton",
        )  # fmt: skip
        self._me.pack(side="left", fill="x", expand=True)
        self._more.pack(side="right")
        top.pack(fill="x")
        bottom.pack(side="bottom", fill="x")
        self.rows.pack(fill="both", expand=True)
        forget = theme.on_change(self._restyle)
        self._me.bind("<Destroy>", lambda _event: forget())
        self._corners()
        self.words.trace_add("write", lambda *_args: self._filter())
        self.entry.bind("<Return>", self._search)
        self.entry.bind("<Down>", lambda _event: self.rows.focus_set())
        self.entry.bind("<Escape>", lambda _event: self.words.set(""))

    def _place_placeholder(self) -> None:
        anchor, inset = anchored("w"), self._theme.px(10)
        left = anchor == "w"
        self._placeholder.place(
            in_=self.entry, relx=float(not left), x=inset if left else -inset, rely=0.5,
            anchor=anchor,
        )  # fmt: skip

    def show(self, rooms: list[RoomLine], opened: str) -> None:
        """Show these conversations: those with news first, then by when somebody wrote last."""
        self._rooms = sorted(rooms, key=lambda room: room.last_at or "", reverse=True)
        self._open = opened
        self._filter()

    def me(self, name: str, state: str, *, online: bool) -> None:
        """Say who we are and whether there is a connection."""
        self._told = (name, state, online)
        image = self._theme.dot("online" if online else "offline", ring="side")
        self._me.image = image  # type: ignore[attr-defined] # Tk keeps no reference
        self._me.configure(text=f" {shown.name(name)}, {state}", image=image)

    def _corners(self) -> None:
        """The field's round corners show what is behind it."""
        self._theme.ttk().configure("Side.TEntry", background=self._theme.color("side"))

    def _restyle(self) -> None:
        self._corners()
        name, state, online = self._told
        self.me(name, state, online=online)
        self._filter()

    def rooms(self) -> list[RoomLine]:
        """The conversations in their order."""
        return self._rooms

    def _filter(self) -> None:
        words = self.words.get().strip().casefold()
        if words:
            self._placeholder.place_forget()
        else:
            self._place_placeholder()
        matching = [room for room in self._rooms if words in room.name.casefold()]
        self.rows.show(matching, lambda room: room.name == self._open)
        self.rows.point(lambda room: room.name == self._open)

    def _search(self, _event: "tk.Event[tk.Misc]") -> str:
        words = self.words.get().strip()
        if words:
            if self.rows.items:
                self.rows.open_current()
                self.words.set("")
            else:
                self._on("search", words)
        return "break"

    def _look(self, room: RoomLine) -> Look:
        private = room.kind == "private"
        last = shown.words(room.last, 120)
        if room.draft:
            last = _("Draft: {text}").format(text=shown.words(room.draft, 100))
        elif room.state == "joining":
            last = _("joining…")
        elif room.state != "active":
            last = _("not in it any more")
        elif not last:
            last = _("private, nothing said yet") if private else _("nothing said yet")
        presence = "away" if room.away else "online" if room.online else "offline"
        image = avatar(
            self._theme,
            room.name,
            36,
            presence if private else "",
        )
        muted = room.notify == "nothing"
        return Look(
            title=shown.who(room.name),
            subtitle=last,
            corner=when(room.last_at) if room.last_at else "",
            badge=str(min(room.unread, 999)) if room.unread else ("–" if muted else ""),
            image=image,
            bold=bool(room.unread) and not muted,
            strip="danger" if room.changed else "private" if private else "",
            # Quiet where the person wants to hear of mentions only, and there is none.
            loud=bool(room.mentions) or (bool(room.unread) and room.notify == "all"),
        )


def when(at: str, now: datetime | None = None) -> str:
    """A moment, short: the time today, the day of the week in this week, the date before."""
    try:
        local = datetime.fromisoformat(at).astimezone()
    except (ValueError, OverflowError, OSError):
        return ""
    today = now or datetime.now().astimezone()
    days = (today.date() - local.date()).days
    if days <= 0:
        return f"{local:%H:%M}"
    if days < 7:
        return _(WEEKDAYS[local.weekday()])
    return _("{day} {month}").format(day=local.day, month=logical(_(MONTHS[local.month - 1])))
