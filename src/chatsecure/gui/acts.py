"""What the window's wishes do: one table from the name of a wish to the function that fulfils it.

Each either shows something or asks the client for it; whatever a line typed means is decided by
the commands all faces share (`chatsecure.cli.actions`).
"""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chatsecure.cli.slash import Say, parse
from chatsecure.client.history import HistoryLine
from chatsecure.client.lines import RoomLine
from chatsecure.names import fold_name

from . import files, menus, shown
from .dialogs import ask
from .keys import show_keys
from .recall import Recall
from .safety import show_safety
from .search import show_search
from .settings import show_settings
from .switcher import show_switcher
from .wording import _

if TYPE_CHECKING:
    from .window import Window


class Acts:
    """Fulfils wishes for one window."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._recall = Recall(window)
        self._table: dict[str, Callable[[Any], object]] = {
            "open": self.open,
            "opened": window.opened,
            "failed": window.failed,
            "read-on": lambda _value: window.read_on(),
            "send": self.send,
            "draft": self.draft,
            "typing": self.typing,
            "edit-last": self.edit_last,
            "recall": self._recall.step,
            "escape": lambda _value: window.notes.close(),
            "file": lambda _value: files.choose(window),
            "paste": lambda _value: files.paste(window),
            "pasted-lines": self.pasted_lines,
            "emoji": self.emoji,
            "react": self.react,
            "reaction": self.reaction,
            "delete": self.delete,
            "copy": self.copy,
            "info": partial(menus.show_info, window),
            "menu": partial(menus.message, window),
            "user": self.user,
            "user-menu": partial(menus.member, window),
            "invite": lambda _value: menus.invite(window, window.view.room),
            "add": lambda _value: menus.add_people(window),
            "new": partial(menus.new, window),
            "me": partial(menus.me, window),
            "search": self.search,
            "find": lambda _value: show_search(window, here=True),
            "people": lambda _value: window.toggle_people(),
            "compare": self.compare,
            "accept-identity": self.accept_identity,
            "accept": self.accept_file,
            "decline": self.decline_file,
            "cancel": self.cancel_file,
            "resume": self.resume_file,
            "open-folder": partial(files.show_in_folder, window),
            "show-picture": partial(files.show_picture, window),
            "reply": self.answer,
            "new-room": lambda _value: menus.new_room(window),
            "keys": lambda _value: show_keys(window),
            "settings": lambda _value: show_settings(window),
            "switcher": lambda _value: show_switcher(window),
        }

    def wish(self, what: str, value: Any = None) -> None:
        """Fulfil a wish."""
        if what == "menu" and isinstance(value, tuple):
            menus.conversation(self._window, value)
            return
        self._table[what](value)

    def answer(self, line: HistoryLine) -> None:
        """Begin to answer a message."""
        self._window.view.answer(line)

    # --- conversations ------------------------------------------------------------------------

    def open(self, target: str) -> None:
        """Show a conversation; a private one that there is not yet is begun."""
        window, session = self._window, self._window.session
        if target in window.rooms or target.startswith("#"):
            window.open(target)
            window.view.composer.text.focus_set()
            return

        def done(name: str) -> None:
            window.refresh_rooms()
            window.open(name)
            window.view.composer.text.focus_set()

        session.bridge.call(lambda: session.client.query(target), done)

    def user(self, name: str) -> None:
        """Go to the private chat with a user."""
        if fold_name(name) != fold_name(self._window.session.name):
            self.open("@" + name)

    def mark_read(self, room: RoomLine) -> None:
        """Take everything in a conversation as read."""
        session = self._window.session
        session.bridge.call(
            lambda: session.client.mark_read(room.name), lambda _done: self._window.refresh_rooms()
        )

    def notify(self, room: RoomLine, level: str) -> None:
        """Say what is worth a notification there."""
        session = self._window.session
        session.bridge.ask(
            lambda: session.client.notify(room.name, level),
            lambda _done: self._window.refresh_rooms(),
        )

    def close(self, room: RoomLine) -> None:
        """Take a private chat out of the list until something is said in it; nothing is deleted."""
        window, session = self._window, self._window.session

        def closed(_done: None) -> None:
            if window.view.target == room.name:
                window.open("#lobby")
            window.refresh_rooms()

        session.bridge.ask(lambda: session.client.close_chat(room.name), closed)

    def leave(self, room: RoomLine) -> None:
        """Leave a room, after asking."""
        window, session = self._window, self._window.session
        name = shown.target(room.name)

        def left(_done: None) -> None:
            window.refresh_rooms()
            if window.view.target == room.name:
                window.open("#lobby")

        ask(
            window.root, window.theme, _("Leave {room}?").format(room=name),
            _("What was said stays on this computer; what follows you will not get."),
            agree=_("Leave"), cancel=_("Stay"), danger=True,
            done=lambda: session.bridge.call(
                lambda: session.client.leave_room(room.name), left
            ),
        )  # fmt: skip

    # --- writing ------------------------------------------------------------------------------

    def send(self, text: str) -> None:
        """Do what was typed: a message, or a command."""
        window, view, session = self._window, self._window.view, self._window.session
        target, answering, changing = view.target, view.answering, view.changing
        read = parse(text)
        self._recall.add(text.rstrip())
        if changing is not None:
            view.cancel()
            session.bridge.ask(
                lambda: session.client.edit(changing.id, text),
                lambda _done: view.news([changing.id]),
            )
            return
        if read == Say(text.rstrip()) and target:
            self._clear()
            session.bridge.call(
                lambda: session.client.send(
                    target, text.rstrip(), reply_to=answering.id if answering else None
                ),
                lambda _id: view.news([]),
                lambda error: self._not_sent(target, text, error),
            )
            return
        self._clear()

        async def enter() -> tuple[bool, str]:
            session.chat.current = target
            go_on = await session.chat.enter(text)
            session.read_settings()
            return go_on, session.chat.current

        def done(result: tuple[bool, str]) -> None:
            go_on, current = result
            window.settings_changed()
            if not go_on:
                window.close()
                return
            window.refresh_rooms()
            view.news([])
            if current != target:
                window.open(current)

        session.bridge.call(enter, done)

    def _clear(self) -> None:
        view = self._window.view
        view.composer.put("")
        view.cancel()
        self.draft("")

    def _not_sent(self, target: str, text: str, error: Any) -> None:
        """Nothing typed is lost: it stands in the composer again."""
        view = self._window.view
        if view.target == target and not view.composer.get():
            view.composer.put(text)
        self._window.failed(error)
        self._window.refresh_rooms()

    def draft(self, text: str) -> None:
        """Keep the unfinished text."""
        session, target = self._window.session, self._window.view.target
        if target:
            session.bridge.ask(
                lambda: session.client.draft(target, text), failed=lambda _error: None
            )

    def typing(self, _value: object) -> None:
        """Tell the others that we write."""
        session, target = self._window.session, self._window.view.target
        if target and session.settings["typing"] == "yes":
            session.bridge.call(lambda: session.client.typing(target), failed=lambda _error: None)

    def edit_last(self, _value: object) -> None:
        """Change the last message of ours."""
        view, session = self._window.view, self._window.session
        target = view.target

        def read() -> HistoryLine | None:
            lines = session.client.history(target, 50)
            mine = (line for line in reversed(lines) if line.mine and not line.file)
            return next((line for line in mine if line.state != "deleted"), None)

        def done(line: HistoryLine | None) -> None:
            if line is not None and view.target == target:
                view.change(line)

        session.bridge.ask(read, done)

    def pasted_lines(self, text: str) -> None:
        """A long paste may better go as a file."""
        view = self._window.view

        def as_file() -> None:
            rest = view.composer.get().replace(text, "", 1)
            view.composer.put(rest)
            view.composer.strip("")
            files.send_text(self._window, text)

        view.composer.strip(
            _("Pasted {n} lines").format(n=text.count("\n") + 1),
            ((_("Send as a file"), as_file),),
        )

    def emoji(self, widget: tk.Misc) -> None:
        """Choose an emoji to write."""
        files.pick_emoji(self._window, widget, self._window.view.composer.insert)

    # --- messages -----------------------------------------------------------------------------

    def react(self, line: HistoryLine) -> None:
        """Choose a reaction."""
        files.pick_emoji(
            self._window, self._window.view.history, lambda emoji: self._react(line, emoji)
        )

    def reaction(self, value: tuple[HistoryLine, str]) -> None:
        """A reaction was clicked: join it, or take ours back."""
        line, emoji = value
        mine = self._window.session.name in (line.reactions or {}).get(emoji, ())
        self._react(line, "" if mine else emoji)

    def _react(self, line: HistoryLine, emoji: str) -> None:
        session, view = self._window.session, self._window.view
        session.bridge.ask(
            lambda: session.client.react(line.id, emoji), lambda _done: view.news([line.id])
        )

    def delete(self, line: HistoryLine) -> None:
        """Take a message of ours back, after asking."""
        window, session = self._window, self._window.session
        if not line.mine:
            return
        ask(
            window.root, window.theme, _("Take this message back?"),
            _("It disappears for everybody whose program follows the rules. Who has read it has "
              "read it."),
            agree=_("Take back"), cancel=_("Keep"), danger=True,
            done=lambda: session.bridge.ask(
                lambda: session.client.delete(line.id),
                lambda _done: window.view.news([line.id]),
            ),
        )  # fmt: skip

    def copy(self, value: HistoryLine | str) -> None:
        """Put a message's text on the clipboard."""
        text = value if isinstance(value, str) else value.text
        self._window.root.clipboard_clear()
        self._window.root.clipboard_append(text)

    def search(self, words: str) -> None:
        """Search everywhere."""
        show_search(self._window, here=False, words=words)

    # --- trust --------------------------------------------------------------------------------

    def compare(self, user: str | None) -> None:
        """Show the number to compare."""
        who = user or self._window.view.target.removeprefix("@")
        show_safety(self._window, who)

    def accept_identity(self, user: str) -> None:
        """Accept a changed identity without comparing, after asking."""
        window, session = self._window, self._window.session
        name = shown.name(user)
        ask(
            window.root, window.theme, _("Accept without comparing?"),
            _("If somebody is in between, they can read what you and {name} write from now on. "
              "Comparing takes a minute, on the phone or face to face.").format(name=name),
            agree=_("Accept"), cancel=_("Cancel"), danger=True,
            done=lambda: session.bridge.call(
                lambda: session.client.accept_identity(user),
                lambda _done: window.refresh_rooms(),
            ),
        )  # fmt: skip

    # --- files --------------------------------------------------------------------------------

    def _file(self, what: str, line: HistoryLine) -> None:
        session, view = self._window.session, self._window.view
        act: Callable[[str], None] = getattr(session.client, what)
        session.bridge.ask(lambda: act(line.id), lambda _done: view.news([line.id]))

    def accept_file(self, line: HistoryLine) -> None:
        """Fetch a file that was offered."""
        self._file("accept_file", line)

    def decline_file(self, line: HistoryLine) -> None:
        """Refuse a file that was offered."""
        self._file("decline_file", line)

    def cancel_file(self, line: HistoryLine) -> None:
        """Break a transfer off."""
        self._file("cancel_file", line)

    def resume_file(self, line: HistoryLine) -> None:
        """Go on where a transfer broke off."""
        if line.mine and line.path:
            files.send(self._window, [Path(line.path)])
        else:
            self._file("accept_file", line)
