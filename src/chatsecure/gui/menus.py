"""The menus: of a message, a conversation, a person, what can be new, and the person's own.

Each is built when it is asked for, out of what may be done then.
"""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk
from typing import TYPE_CHECKING

from chatsecure.client.history import HistoryLine, Reach
from chatsecure.client.lines import MemberLine, RoomLine

from . import shown
from .dialogs import Dialog, ask, ask_text
from .wording import _

if TYPE_CHECKING:
    from .window import Window

Entry = tuple[str, Callable[[], object]] | None
"""A label and what it does; None: a line between."""

QUICK = ("👍", "❤️", "😂", "😮", "😢", "🙏")


def popup(window: Window, entries: Sequence[Entry], x: int, y: int) -> tk.Menu:
    """Show a menu at a place of the screen."""
    color = window.theme.color
    menu = tk.Menu(
        window.root, tearoff=False, bd=1, activeborderwidth=window.theme.px(4), relief="flat",
        font=window.theme.font("body"), background=color("raised"), foreground=color("text"),
        activebackground=color("accent"), activeforeground=color("on_accent"),
    )  # fmt: skip
    for entry in entries:
        if entry is None:
            menu.add_separator()
        else:
            menu.add_command(label=entry[0], command=entry[1])
    menu.tk_popup(x, y)
    return menu


def _below(widget: tk.Misc) -> tuple[int, int]:
    return widget.winfo_rootx(), widget.winfo_rooty() + widget.winfo_height()


# --- messages --------------------------------------------------------------------------------


def message(window: Window, line: HistoryLine) -> None:
    """The menu of a message, at the pointer."""
    wish = window.acts.wish
    entries: list[Entry] = []
    if line.notice is None and line.state != "deleted":
        entries += [
            (_("Answer"), lambda: wish("reply", line)),
            (_("React…"), lambda: wish("react", line)),
            (_("Copy"), lambda: wish("copy", line)),
        ]
        if line.mine and not line.file:
            entries.append((_("Change"), lambda: window.view.change(line)))
        if line.file and line.path:
            entries.append((_("Show in folder"), lambda: wish("open-folder", line)))
        if line.mine:
            entries += [None, (_("Who has it"), lambda: wish("info", line))]
            entries.append((_("Take back…"), lambda: wish("delete", line)))
    if entries:
        popup(window, entries, window.root.winfo_pointerx(), window.root.winfo_pointery())


def show_info(window: Window, line: HistoryLine) -> None:
    """Who has a message, person by person."""
    session = window.session

    def show(found: list[Reach]) -> None:
        dialog = Dialog(window.root, window.theme, _("Who has it"))
        dialog.heading(_("Who has it"))
        dialog.say(shown.line(line.text, 200), dim=True)
        if not found:
            dialog.say(_("The server has not stored it yet."))
        for one in found:
            state = (
                _("has the whole file") if one.received
                else _("has read it") if one.read
                else _("has it") if one.delivered
                else _("has not got it yet")
            )  # fmt: skip
            row = ttk.Frame(dialog.body)
            ttk.Label(row, text=shown.name(one.name), style="Bold.TLabel").pack(side="left")
            ttk.Label(row, text="  " + state).pack(side="left")
            row.pack(anchor="w", pady=2)
        dialog.button(_("Close"), dialog.destroy, agree=True)
        dialog.open()

    session.bridge.ask(lambda: session.client.reach(line.id), show)


# --- conversations ---------------------------------------------------------------------------


def conversation(window: Window, value: tuple[RoomLine, int, int]) -> None:
    """The menu of a conversation."""
    room, x, y = value
    acts = window.acts
    levels = {
        "all": _("Tell me of everything"),
        "mentions": _("Tell me of mentions only"),
        "nothing": _("Tell me of nothing"),
    }
    entries: list[Entry] = [
        (_("Open"), lambda: acts.open(room.name)),
        (_("Mark as read"), lambda: acts.mark_read(room)),
        None,
    ]
    for level, label in levels.items():
        mark = "● " if room.notify == level else "    "
        entries.append((mark + label, lambda level=level: acts.notify(room, level)))  # type: ignore[misc]
    if room.kind != "private":
        entries += [
            None,
            (_("Make an invitation…"), lambda: invite(window, room)),
            (_("Topic…"), lambda: topic(window, room)),
        ]
    else:
        entries += [
            None,
            (_("Compare numbers…"), lambda: acts.compare(room.name[1:])),
            (_("Close this chat"), lambda: acts.close(room)),
        ]
    if room.kind == "room":
        entries.append((_("Leave…"), lambda: acts.leave(room)))
    popup(window, entries, x, y)


def topic(window: Window, room: RoomLine) -> None:
    """Set a room's topic."""
    session = window.session
    ask_text(
        window.root, window.theme, _("Topic of {room}").format(room=shown.target(room.name)),
        _("Topic"), agree=_("Set"), cancel=_("Cancel"), value=shown.line(room.topic),
        done=lambda text: session.bridge.call(
            lambda: session.client.set_topic(room.name, text),
            lambda _done: window.refresh_rooms(),
        ),
    )  # fmt: skip


def invite(window: Window, room: RoomLine | None) -> None:
    """Make a link that lets others join, and show it with its QR code."""
    from .safety import qr_image

    session = window.session
    name = room.name if room is not None and room.kind == "room" else None

    def show(link: str) -> None:
        dialog = Dialog(window.root, window.theme, _("Invitation"))

        def copy() -> None:
            window.acts.copy(link)
            dialog.destroy()

        dialog.heading(_("Invitation"))
        dialog.say(
            _("One person can join with it, for 7 days. Whoever has it gets in: send it as you "
              "would send a key.")
        )  # fmt: skip
        image = qr_image(dialog, window.theme, link)
        label = tk.Label(dialog.body, image=image, bd=0)
        label.image = image  # type: ignore[attr-defined] # Tk keeps no reference
        label.pack(pady=window.theme.px(8))
        entry = ttk.Entry(dialog.body, width=52)
        entry.insert(0, link)
        entry.configure(state="readonly")
        entry.pack(fill="x")
        dialog.button(_("Copy"), copy, agree=True)
        dialog.button(_("Close"), dialog.destroy)
        dialog.open()

    session.bridge.call(lambda: session.client.invite(name), show)


# --- people ----------------------------------------------------------------------------------


def member(window: Window, value: tuple[MemberLine, int, int]) -> None:
    """The menu of a person."""
    person, x, y = value
    room, acts, session = window.view.room, window.acts, window.session
    if person.me or room is None:
        return
    entries: list[Entry] = [
        (_("Write in private"), lambda: acts.user(person.name)),
        (_("Compare numbers…"), lambda: acts.compare(person.name)),
    ]
    if person.changed:
        entries.append((_("Accept the new identity…"), lambda: acts.accept_identity(person.name)))

    def give(role: str) -> None:
        session.bridge.call(
            lambda: session.client.set_role(room.name, person.name, role),
            lambda _done: window.refresh_rooms(),
        )

    if room.kind != "private" and room.role == "owner":
        words = {
            "member": _("Make a plain member"),
            "manager": _("Make manager"),
            "owner": _("Make owner"),
        }
        entries.append(None)
        entries += [
            (label, lambda role=role: give(role))  # type: ignore[misc]
            for role, label in words.items()
            if role != person.role
        ]
    if room.kind == "room" and room.role in ("owner", "manager"):
        entries.append((_("Remove…"), lambda: _remove(window, room, person)))
    popup(window, entries, x, y)


def _remove(window: Window, room: RoomLine, person: MemberLine) -> None:
    session, name = window.session, shown.name(person.name)
    ask(
        window.root, window.theme,
        _("Remove {name} from {room}?").format(name=name, room=shown.target(room.name)),
        _("{name} keeps what was said before and can read nothing that follows.").format(name=name),
        agree=_("Remove"), cancel=_("Cancel"), danger=True,
        done=lambda: session.bridge.call(
            lambda: session.client.remove_from_room(room.name, person.name),
            lambda _done: window.refresh_rooms(),
        ),
    )  # fmt: skip


def add_people(window: Window) -> None:
    """Take somebody into the open room."""
    room, session = window.view.room, window.session
    if room is None or room.kind != "room":
        return

    def add(text: str) -> None:
        names = text.replace(",", " ").split()
        session.bridge.call(
            lambda: session.client.add_to_room(room.name, names),
            lambda _done: window.refresh_rooms(),
        )

    ask_text(
        window.root, window.theme, _("Add people to {room}").format(room=shown.target(room.name)),
        _("Names"), text=_("Several names stand with blanks between them."),
        agree=_("Add"), cancel=_("Cancel"), done=add,
    )  # fmt: skip


# --- what can be new -------------------------------------------------------------------------


def new(window: Window, widget: tk.Misc) -> None:
    """The menu of the button "New"."""
    popup(
        window,
        (
            (_("Private chat…"), lambda: window.acts.wish("switcher")),
            (_("Room…"), lambda: new_room(window)),
            (_("Join with an invitation…"), lambda: join(window)),
            None,
            (_("Invite somebody…"), lambda: invite(window, window.view.room)),
        ),
        *_below(widget),
    )


def new_room(window: Window) -> None:
    """Make a room."""
    session = window.session

    def make(text: str) -> None:
        name = text if text.startswith("#") else "#" + text

        def made(_done: None) -> None:
            window.refresh_rooms()
            window.open(name)

        session.bridge.call(lambda: session.client.create_room(name), made)

    ask_text(
        window.root, window.theme, _("A new room"), _("Name"), value="#",
        text=_("You are its owner; add people or invite them afterwards."),
        agree=_("Make"), cancel=_("Cancel"), done=make,
    )  # fmt: skip


def join(window: Window) -> None:
    """Join a room of this server with an invitation."""
    session = window.session

    def enter(link: str) -> None:
        def entered(names: list[str]) -> None:
            window.refresh_rooms()
            if names:
                window.open(names[-1])

        session.bridge.call(lambda: session.client.join_link(link), entered)

    ask_text(
        window.root, window.theme, _("Join a room"), _("Invitation"),
        text=_("It begins with chatsecure://"), agree=_("Join"), cancel=_("Cancel"), done=enter,
    )  # fmt: skip


def me(window: Window, widget: tk.Misc) -> None:
    """The person's own menu."""

    def typed(text: str) -> Callable[[], None]:
        return lambda: window.acts.send(text)

    session = window.session

    def away(text: str) -> None:
        session.bridge.ask(lambda: session.client.set_away(text))

    x, y = _below(widget)
    entries: tuple[Entry, ...] = (
        (_("Settings…"), lambda: window.acts.wish("settings")),
        (_("Keys and commands"), lambda: window.acts.wish("keys")),
        None,
        (
            _("Away…"),
            lambda: ask_text(
                window.root, window.theme, _("Away"), _("Why, for the others"),
                agree=_("Away"), cancel=_("Cancel"), done=away,
            ),
        ),
        (_("Back again"), lambda: session.bridge.ask(lambda: session.client.set_away(None))),
        (_("Your devices"), typed("/devices")),
        (_("Can the server read this?"), typed("/why")),
        None,
        (_("Leave the program"), window.close),
    )  # fmt: skip
    high = window.theme.px(30) * len(entries)
    popup(window, entries, x, max(0, y - high - widget.winfo_height()))
