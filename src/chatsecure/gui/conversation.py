"""The open conversation: its head, the banners, the history and the composer, and what feeds them.

Lines come from the profile in pages, always by place, so that a conversation of any length opens
at once. Events only say that something has changed; what is shown is read from the profile.
"""

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import Any

from chatsecure.client.history import HistoryLine
from chatsecure.client.lines import MemberLine, RoomLine
from chatsecure.wire.errors import ChatSecureError

from . import shown
from .banners import Banner, Banners
from .composer import Composer
from .head import Head
from .history import History
from .session import PAGE, Opened, Session
from .theme import Theme
from .wording import _, logical, several

TYPING_SHOWN_MS = 6000
REFRESH_MS = 60
"""How long changes are gathered before they are read: a flood is read in pages."""

Told = Callable[[str, Any], None]


class ConversationView(ttk.Frame):
    """One conversation at a time.

    Args:
        on: `on(what, value)`: ("opened", Opened), ("failed", error) and what the history, the
            composer and the head want.
    """

    def __init__(
        self,
        master: tk.Misc,
        theme: Theme,
        session: Session,
        *,
        on: Told,
        names: Callable[[], tuple[list[str], list[str]]],
    ) -> None:
        super().__init__(master)
        self._theme, self._session, self._on = theme, session, on
        self.target = ""
        self.room: RoomLine | None = None
        self.members: list[MemberLine] = []
        self._newest = 0
        self._at_end = True
        self._known: dict[str, int] = {}
        self._wanted = 0
        """The number of the newest wish to open one; older answers are dropped."""
        self._reading = self._again = False
        self._changed: dict[str, None] = {}
        self._refresh_later: str | None = None
        self._typing: dict[str, str] = {}
        self.answering: HistoryLine | None = None
        self.changing: HistoryLine | None = None
        self.seen_to_end = False

        self._head = Head(self, theme, on)
        self.banners = Banners(self, theme)
        self.history = History(self, theme, on=self._history_wants)
        self._typing_label = ttk.Label(self, style="Small.TLabel", padding=(theme.px(12), 0))
        self.composer = Composer(self, theme, on=self._composer_wants, names=names)
        self.bind("<Destroy>", self._destroyed)
        self._head.pack(fill="x")
        self.banners.pack(fill="x")
        self.composer.pack(side="bottom", fill="x")
        self._typing_label.pack(side="bottom", fill="x")
        self.history.pack(fill="both", expand=True)

    def _destroyed(self, event: "tk.Event[tk.Misc]") -> None:
        if event.widget is self:
            for later in (self._refresh_later, *self._typing.values()):
                if later is not None:
                    self.after_cancel(later)

    # --- opening ------------------------------------------------------------------------------

    def open(self, target: str, at: int | None = None) -> None:
        """Show another conversation.

        Args:
            at: the place of a line to bring into view.
        """
        self.composer.flush()
        self._wanted += 1
        wish = self._wanted
        session = self._session

        def opened(found: Opened) -> None:
            if wish == self._wanted:
                self._show(found)
                if at is not None:
                    self.jump(at)

        session.bridge.ask(lambda: session.open(target), opened, self._failed)

    def _show(self, found: Opened) -> None:
        another = found.room.name != self.target
        self.target, self.room, self.members = found.room.name, found.room, found.members
        self._known = {line.id: line.n for line in found.lines}
        self._newest = max((line.n for line in found.lines), default=0)
        self._at_end = found.at_end
        self.seen_to_end = False
        self._typing.clear()
        self._show_typing()
        self._head.show(found.room, found.members)
        self.history.open(
            found.room.name, self._session.name, found.lines,
            first_unread=found.first_unread, at_end=found.at_end, topic=found.room.topic,
        )  # fmt: skip
        if another:
            self.cancel()
            self.composer.put(found.room.draft)
        self._address(found.room)
        self._identity(found.changed)
        self._on("opened", found)

    def _address(self, room: RoomLine) -> None:
        who = shown.target(room.name)
        if room.state not in ("active", "joining"):
            words = _("You cannot write here any more.")
        elif room.kind == "private":
            words = _("Private: Enter sends to {name} only").format(name=who)
        elif len(room.people) < 2:
            words = _("Enter sends to {room}; nobody else is in it yet").format(room=who)
        else:
            words = logical(several("{n} person", "{n} people", len(room.people) - 1))
            words = _("Enter sends to {room}: {people} can read it").format(room=who, people=words)
        self.composer.address(words, writable=room.state in ("active", "joining"))
        self._alone(room)

    def _alone(self, room: RoomLine) -> None:
        """Where nobody else is yet, say what comes next."""
        if room.kind == "private" or room.state != "active" or len(room.people) > 1:
            self.banners.close("alone")
            return
        self.banners.show(
            "alone",
            Banner(
                _("Nobody else is here yet: send somebody an invitation."),
                "soft",
                ((_("Invite somebody…"), lambda: self._on("invite", None)),),
                closable=True,
            ),
        )

    def _identity(self, changed: str) -> None:
        if not changed:
            self.banners.close("identity")
            return
        who = shown.name(changed)
        self.banners.show(
            "identity",
            Banner(
                _(
                    "The identity of {name} has changed. Until you decide, nothing you write here "
                    "is sent. Perhaps {name} has a new device; perhaps somebody is in between."
                ).format(name=who),
                "danger",
                (
                    (_("Compare"), lambda: self._on("compare", changed)),
                    (_("Accept"), lambda: self._on("accept-identity", changed)),
                ),
                closable=True,
            ),
        )

    def room_changed(self, room: RoomLine, members: list[MemberLine]) -> None:
        """The conversation's people, topic or state have changed."""
        self.room, self.members = room, members
        self._head.show(room, members)
        self._address(room)
        self._identity(next((one.name for one in members if one.changed), ""))

    # --- what changes -------------------------------------------------------------------------

    def news(self, ids: list[str]) -> None:
        """Something has come, or these messages have changed."""
        self._changed.update(dict.fromkeys(id_ for id_ in ids if id_ in self._known))
        if self._refresh_later is None:
            self._refresh_later = self.after(REFRESH_MS, self._refresh)

    def _refresh(self) -> None:
        self._refresh_later = None
        if self._reading:
            self._again = True
            return
        self._reading = True
        target, newest, session, wish = self.target, self._newest, self._session, self._wanted
        ids = list(self._changed)[-PAGE:]
        self._changed.clear()
        follow = self._at_end

        def read() -> tuple[list[HistoryLine], list[HistoryLine]]:
            new = session.newer(target, newest) if follow and target else []
            return session.lines(ids), new

        def done(found: tuple[list[HistoryLine], list[HistoryLine]]) -> None:
            self._reading = False
            if wish == self._wanted:
                self._take(*found)
            if self._again:
                self._again = False
                self._refresh()

        def failed(error: ChatSecureError) -> None:
            self._reading = False
            self._failed(error)

        session.bridge.ask(read, done, failed)

    def _take(self, changed: list[HistoryLine], new: list[HistoryLine]) -> None:
        # What was queued before has its place now.
        self.history.update_lines([line for line in (*changed, *new) if line.id in self._known])
        fresh = []
        for line in new:
            if line.id not in self._known:
                fresh.append(line)
            self._known[line.id] = line.n
            self._newest = max(self._newest, line.n)
        if fresh:
            for line in fresh:
                self._typing.pop(line.sender, None)
            self._show_typing()
            self.seen_to_end = False
            self.history.append(fresh)
        if len(self._known) > 20 * PAGE:
            self._known = dict(list(self._known.items())[-5 * PAGE :])
        if len(new) >= PAGE:
            self._again = True
        if changed or new:
            self._on("read-on", None)

    def jump(self, n: int) -> None:
        """Bring the line at a place into view, wherever it is."""
        if self.history.jump(n):
            return
        session, target, wish = self._session, self.target, self._wanted

        def done(found: tuple[list[HistoryLine], bool]) -> None:
            if wish != self._wanted:
                return
            lines, at_end = found
            self._known.update((line.id, line.n) for line in lines)
            self._at_end = at_end
            self._newest = max((line.n for line in lines), default=self._newest)
            room = self.room
            self.history.open(
                target, session.name, lines, first_unread=None, at_end=at_end,
                topic=room.topic if room else "",
            )  # fmt: skip
            self.history.jump(n)

        session.bridge.ask(lambda: session.around(target, n), done, self._failed)

    def typing(self, user: str) -> None:
        """Somebody writes."""
        if user in self._typing:
            self.after_cancel(self._typing[user])
        self._typing[user] = self.after(TYPING_SHOWN_MS, lambda: self._typed(user))
        self._show_typing()

    def _typed(self, user: str) -> None:
        self._typing.pop(user, None)
        self._show_typing()

    def _show_typing(self) -> None:
        names = [shown.name(user) for user in self._typing]
        if not names:
            text = ""
        elif len(names) == 1:
            text = _("{name} is writing…").format(name=names[0])
        else:
            text = _("{names} are writing…").format(names=", ".join(names[:3]))
        self._typing_label.configure(text=text)

    # --- what the history and the composer want -----------------------------------------------

    def _history_wants(self, what: str, value: Any) -> None:
        session, target, wish = self._session, self.target, self._wanted
        if what in ("older", "newer"):

            def done(lines: list[HistoryLine]) -> None:
                if wish != self._wanted:
                    return
                self._known.update((line.id, line.n) for line in lines)
                if what == "older":
                    self.history.add_older(lines)
                else:
                    self._at_end = len(lines) < PAGE
                    self._newest = max([self._newest, *(line.n for line in lines)])
                    self.history.add_newer(lines, at_end=self._at_end)

            read = session.older if what == "older" else session.newer
            session.bridge.ask(lambda: read(target, value), done, self._failed)
        elif what == "bottom":
            if not self._at_end:
                self.open(target)
        elif what == "seen":
            self.seen_to_end = self._at_end and int(value) >= self._newest
            self._on("read-on", None)
        elif what == "jump-to":
            self._jump_to(str(value))
        elif what == "reply":
            self.answer(value)
        elif what == "edit":
            self.change(value)
        else:
            self._on(what, value)

    def _jump_to(self, id_: str) -> None:
        session = self._session

        def done(lines: list[HistoryLine]) -> None:
            if lines and lines[0].conversation == self.target:
                self.jump(lines[0].n)

        session.bridge.ask(lambda: session.lines([id_]), done, self._failed)

    def answer(self, line: HistoryLine) -> None:
        """Begin to answer a message."""
        self.changing, self.answering = None, line
        words = _("Answering {name}: {text}").format(
            name=shown.name(line.sender), text=shown.line(line.text, 80)
        )
        self.composer.strip(words)
        self.composer.text.focus_set()

    def change(self, line: HistoryLine) -> None:
        """Begin to change a message of ours."""
        if not line.mine or line.file or line.state == "deleted":
            return
        self.answering, self.changing = None, line
        self.composer.strip(_("Changing your message; Enter saves, Esc leaves it as it was"))
        self.composer.put(line.text)
        self.composer.text.focus_set()

    def cancel(self) -> None:
        """Leave answering and changing."""
        if self.changing is not None:
            self.composer.put("")
        self.answering = self.changing = None
        self.composer.strip("")

    def _composer_wants(self, what: str, value: Any) -> None:
        if what == "cancel":
            if self.answering is None and self.changing is None:
                self._on("escape", None)
            self.cancel()
        elif what == "draft" and self.changing is not None:
            return
        else:
            self._on(what, value)

    def _failed(self, error: ChatSecureError) -> None:
        self._on("failed", error)
