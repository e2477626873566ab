"""Ctrl+K: go to a conversation or begin one, by a few letters of its name."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk
from typing import TYPE_CHECKING

from chatsecure.names import fold_name

from . import shown
from .dialogs import Dialog
from .fields import guard_entry
from .marks import avatar
from .row import Look
from .rows import Rows
from .wording import _

if TYPE_CHECKING:
    from .window import Window


def rank(words: str, name: str) -> int | None:
    """How well a name fits: 0 begins so, 1 holds it, 2 has the letters in order; None: not."""
    words, name = words.casefold(), name.casefold().lstrip("@#")
    words = words.lstrip("@#")
    if name.startswith(words):
        return 0
    if words in name:
        return 1
    rest = iter(name)
    return 2 if all(sign in rest for sign in words) else None


def show_switcher(window: Window) -> None:
    """Show it, with all conversations and all people of the server."""
    theme, session = window.theme, window.session
    dialog = Dialog(window.root, theme, _("Go to"))
    words = tk.StringVar(dialog)
    entry = ttk.Entry(dialog.body, textvariable=words, width=44)
    guard_entry(entry)
    entry.pack(fill="x", pady=(0, theme.px(8)))
    dialog.first = entry
    people: list[str] = []

    def look(target: str) -> Look:
        room = window.rooms.get(target)
        return Look(
            shown.who(target),
            corner=(_("private") if target.startswith("@") else _("room")),
            badge=str(room.unread) if room is not None and room.unread else "",
            image=avatar(theme, target, 24),
            strip="private" if target.startswith("@") else "",
        )

    def go(target: str) -> None:
        dialog.destroy()
        window.acts.open(target)

    rows: Rows[str] = Rows(dialog.body, theme, look, go, lines=1, ground="raised")
    rows.always_cursor = True
    rows.configure(height=rows.row_height * 9, width=theme.px(420), takefocus=0)
    rows.pack(fill="both", expand=True)

    def fill(*_args: object) -> None:
        mine = [room.name for room in window.sidebar.rooms()]
        known = {fold_name(name[1:]) for name in mine if name.startswith("@")}
        others = ["@" + name for name in people if fold_name(name) not in known]
        ranked = [(rank(words.get(), name), name) for name in (*mine, *others)]
        fitting = sorted((place, n) for n, (place, _name) in enumerate(ranked) if place is not None)
        rows.show([ranked[n][1] for _place, n in fitting], top=True)

    def everybody(found: list[str]) -> None:
        people[:] = found
        if dialog.winfo_exists():
            fill()

    async def users() -> list[str]:
        return [user.name for user in await session.client.users() if not user.me]

    words.trace_add("write", fill)
    entry.bind("<Down>", lambda _event: rows.step(1))
    entry.bind("<Up>", lambda _event: rows.step(-1))
    entry.bind("<Return>", lambda _event: rows.open_current())
    fill()
    dialog.open()
    if window.online:
        session.bridge.call(users, everybody, lambda _error: None)
