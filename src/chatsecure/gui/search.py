"""Search: in the open conversation or everywhere, on the profile's index, newest first."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk
from typing import TYPE_CHECKING

from chatsecure.client import markup
from chatsecure.client.history import HistoryLine

from . import shown
from .dialogs import Dialog
from .fields import guard_entry
from .marks import avatar
from .row import Look
from .rows import Rows
from .sidebar import when
from .wording import _, several

if TYPE_CHECKING:
    from .window import Window

WAIT_MS = 200
MOST = 200


def show_search(window: Window, *, here: bool, words: str = "") -> Dialog:
    """Show the search.

    Args:
        here: look in the open conversation only, at first.
        words: look for these at once.
    """
    theme, session = window.theme, window.session
    target = window.view.target
    dialog = Dialog(window.root, theme, _("Search"))
    held, only = tk.StringVar(dialog, words), tk.BooleanVar(dialog, here)
    top = ttk.Frame(dialog.body)
    entry = ttk.Entry(top, textvariable=held, width=40)
    guard_entry(entry)
    entry.pack(side="left", fill="x", expand=True)
    dialog.first = entry
    box = ttk.Checkbutton(
        top, text=_("only in {where}").format(where=shown.target(target)), variable=only
    )
    box.pack(side="left", padx=(theme.px(10), 0))
    top.pack(fill="x", pady=(0, theme.px(8)))
    asked = _("Type a word or the beginning of one.")
    count = ttk.Label(dialog.body, style="Dim.TLabel", text=asked, wraplength=theme.px(500))
    later: list[str] = []

    def look(line: HistoryLine) -> Look:
        who = shown.who(line.sender)
        where = shown.who(line.conversation)
        return Look(
            who if only.get() else f"{who}, {where}",
            subtitle=shown.words(markup.plain(line.text[:2000]), 160),
            corner=when(line.at),
            image=avatar(theme, line.sender, 28),
            strip="private" if line.conversation.startswith("@") else "",
        )

    def go(line: HistoryLine) -> None:
        dialog.destroy()
        if line.conversation == window.view.target:
            window.view.jump(line.n)
        else:
            window.open(line.conversation, line.n)
        window.view.history.find(held.get())

    rows: Rows[HistoryLine] = Rows(dialog.body, theme, look, go, ground="raised")
    rows.always_cursor = True
    rows.configure(height=rows.row_height * 7, width=theme.px(520))
    rows.pack(fill="both", expand=True)
    count.pack(anchor="w", pady=(theme.px(4), 0))

    def done(found: list[HistoryLine]) -> None:
        if dialog.winfo_exists():
            rows.show(found[::-1], top=True)
            told = several("{n} message", "{n} messages", len(found))
            if not found:
                told = _("Nothing found: all words must stand in a message, or begin words in it.")
            count.configure(text=told if held.get().strip() else asked)

    def look_up() -> None:
        later.clear()
        text = held.get()
        where = target if only.get() and target else None
        session.bridge.ask(lambda: session.client.search(text, MOST, where), done)

    def soon(*_args: object) -> None:
        if later:
            dialog.after_cancel(later[0])
        later[:] = [dialog.after(WAIT_MS, look_up)]

    held.trace_add("write", soon)
    only.trace_add("write", soon)
    entry.bind("<Down>", lambda _event: rows.step(1))
    entry.bind("<Up>", lambda _event: rows.step(-1))
    entry.bind("<Return>", lambda _event: rows.open_current())
    dialog.button(_("Close"), dialog.destroy)
    dialog.open()
    if words:
        look_up()
    return dialog
