"""The people of the open conversation, at the right: roles, who is here, whom we have compared."""

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import Any

from chatsecure.cli.human import doubt
from chatsecure.client.lines import MemberLine

from . import shown
from .marks import avatar, icon_button
from .mirror import turn
from .row import Look
from .rows import Rows
from .theme import Theme
from .wording import _, logical, seen, several

Told = Callable[[str, Any], None]


def role_word(role: str) -> str:
    """A role, for people; nothing for a plain member."""
    return {"owner": _("owner"), "manager": _("manager")}.get(role, "")


class People(ttk.Frame):
    """The panel.

    Args:
        on: `on(what, value)`: ("user", name), ("user-menu", (member, x, y)), ("add", None).
    """

    def __init__(self, master: tk.Misc, theme: Theme, *, on: Told) -> None:
        super().__init__(master, style="Side.TFrame")
        self._theme = theme
        self._names: list[str] = []
        px = theme.px
        top = ttk.Frame(self, style="Side.TFrame", padding=(px(12), px(10), px(8), px(6)))
        self._title = ttk.Label(top, style="Side.Title.TLabel")
        self._add = icon_button(
            top, theme, "plus", _("Add people"), lambda: on("add", None),
            style="SideIcon.TButton",
        )  # fmt: skip
        self._title.pack(side="left", fill="x", expand=True)
        self._add.pack(side="right")
        self.rows: Rows[MemberLine] = Rows(
            self,
            theme,
            self._look,
            lambda member: on("user", member.name),
            menu=lambda member, x, y: on("user-menu", (member, x, y)),
        )
        top.pack(fill="x")
        self.rows.pack(fill="both", expand=True)

    def show(self, members: list[MemberLine], *, may_add: bool) -> None:
        """Show these people: in their roles' order, those who are here first."""
        here = sum(member.online for member in members)
        words = [several("{n} person", "{n} people", len(members))]
        if here:
            # Nobody is: we are offline and do not know.
            words.append(_("{n} here").format(n=here))
        self._title.configure(text=seen(", ".join(map(logical, words))))
        if may_add:
            self._add.pack(side="right")
            turn(self._add)
        else:
            self._add.pack_forget()
        self._names = [member.name for member in members]
        order = {"owner": 0, "manager": 1, "member": 2}
        self.rows.show(sorted(members, key=lambda one: (order.get(one.role, 3), not one.online)))

    def _look(self, member: MemberLine) -> Look:
        state = _("here") if member.online else _("not here")
        if member.away:
            state = _("away: {text}").format(text=shown.words(member.away, 80))
        why = "" if member.me or member.verified else doubt(member.name, self._names)
        if member.changed:
            trust = _("identity CHANGED")
        elif member.verified:
            trust = _("compared")
        else:
            trust = why
        words = [state, trust] if trust else [state]
        dot = "away" if member.away else "online" if member.online else "offline"
        return Look(
            title=shown.who(member.name) + (" " + logical(_("(you)")) if member.me else ""),
            subtitle=", ".join(map(logical, words)),
            corner=role_word(member.role),
            image=avatar(self._theme, member.name, 32, dot),
            strip="danger" if member.changed else "away" if why else "",
        )
