"""The main window: the panes, what the client tells, what is unread, the keys.

What a wish does (a button, a menu, a key) is in `acts.py`; here is what is always shown.
"""

import contextlib
import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import Any

from chatsecure.client.events import (
    ConnectionEvent,
    DeletedEvent,
    EditedEvent,
    Event,
    FileEvent,
    GapEvent,
    IdentityEvent,
    MessageEvent,
    ReactionEvent,
    ReceiptEvent,
    StateEvent,
    TypingEvent,
)
from chatsecure.client.lines import RoomLine
from chatsecure.wire.errors import ChatSecureError
from chatsecure.words import right_to_left, told

from . import shown
from .acts import Acts
from .banners import Banner
from .conversation import ConversationView
from .drop import accept_drops
from .keys import bind_keys
from .looks import letters, resolve
from .mirror import mirror
from .notes import Notes
from .notify import Notifier
from .people import People
from .session import Opened, Session
from .sidebar import Sidebar
from .theme import Theme
from .wording import _

NARROWEST = 700
"""Below this width the conversations get less room too."""
SIDEBAR = (200, 264)
NARROW = 900
"""Below this width, in pixels at scale 1, the people are shown only when asked for."""
ROOMS_MS = 150
OFFLINE_MS = 1500
"""A connection that is back so soon was never worth a banner."""


class Window:
    """The main window of one profile.

    Args:
        closed: called when the person leaves.
        following: begin by showing whichever conversation something is said in.
    """

    def __init__(
        self,
        root: tk.Tk,
        theme: Theme,
        session: Session,
        closed: Callable[[], None],
        *,
        following: bool = False,
    ) -> None:
        self.root, self.theme, self.session = root, theme, session
        self._closed = closed
        self.focused = True
        self.following = following
        """Show whichever conversation something is said in, until the person does something."""
        self.online = False
        self._offline_later: str | None = None
        self._rooms_later: str | None = None
        self._focus_later: str | None = None
        self._asking_rooms = self._rooms_again = False
        self._speakers: list[str] = []
        self.rooms: dict[str, RoomLine] = {}
        self.people_wanted = session.settings["window people"] == "yes"
        self.acts: Acts = Acts(self)
        self.notifier = Notifier(self)

        self.frame = ttk.Frame(root)
        self.panes = ttk.Panedwindow(self.frame, orient="horizontal")
        self.sidebar = Sidebar(self.panes, theme, on=self.acts.wish)
        self.view: ConversationView = ConversationView(
            self.panes, theme, session, on=self.acts.wish, names=self.names
        )
        self.people = People(self.panes, theme, on=self.acts.wish)
        self.notes = Notes(self.view, theme)
        # Its width is known only when it is on the screen.
        root.update_idletasks()
        self.sidebar.configure(width=theme.px(SIDEBAR[root.winfo_width() >= theme.px(NARROWEST)]))
        self.people.configure(width=theme.px(230))
        # What is in it wants more room than there is; it takes what is left.
        self.view.configure(width=theme.px(300), height=theme.px(200))
        for pane in (self.sidebar, self.view, self.people):
            pane.pack_propagate(False)
        first, second = (self.view, self.sidebar) if right_to_left() else (self.sidebar, self.view)
        for pane in (first, second):
            self.panes.add(pane, weight=int(pane is self.view))
        self.panes.pack(fill="both", expand=True)
        self.frame.pack(fill="both", expand=True)
        mirror(self.frame)
        self._with_people = False
        self.frame.bind("<Configure>", lambda _event: self._fit_people())
        root.bind("<FocusIn>", self._focus)
        root.bind("<FocusOut>", self._focus)
        root.protocol("WM_DELETE_WINDOW", self.close)
        bind_keys(self)
        for event in ("<Key>", "<Button>"):
            root.bind(event, self._person_acts, add=True)
        accept_drops(self)
        self.sidebar.me(session.name, _("connecting…"), online=False)
        self.say_offline_later()
        self.refresh_rooms()
        self.title()

    # --- opening ------------------------------------------------------------------------------

    def open(self, target: str, at: int | None = None) -> None:
        """Show a conversation."""
        self.view.open(target, at)

    def opened(self, found: Opened) -> None:
        """A conversation is shown now."""
        self.session.save("window last", found.room.name)
        self._show_people()
        self._show_rooms()
        if self.root.focus_get() in (None, self.root):
            self.view.composer.text.focus_set()

    def names(self) -> tuple[list[str], list[str]]:
        """Users and rooms for completion: who wrote last comes first."""
        here = list(self.view.room.people) if self.view.room else []
        everybody = [name for room in self.rooms.values() for name in room.people]
        names = dict.fromkeys([*self._speakers, *here, *everybody])
        names.pop(self.session.name, None)
        return list(names), [name for name in self.rooms if name.startswith("#")]

    # --- what the client tells ----------------------------------------------------------------

    def happened(self, events: list[tuple[Event, bool]]) -> None:
        """Things have happened, oldest first."""
        ids: list[str] = []
        here = False
        for event, notable in events:
            here = here or event.conversation == self.view.target
            match event:
                case MessageEvent() | FileEvent():
                    self._arrived(event, notable=notable)
                    if event.id:
                        ids.append(event.id)
                case ReceiptEvent() | StateEvent() | EditedEvent() | DeletedEvent():
                    ids.append(event.of)
                case ReactionEvent():
                    ids.append(event.of)
                case ConnectionEvent():
                    self._connection(event)
                case TypingEvent():
                    if here and event.active and event.user != self.session.name:
                        self.view.typing(event.user)
                    continue
                case GapEvent():
                    self._gap(event)
                case IdentityEvent():
                    self._identity(event)
                case _:
                    pass
            self.session.chat.saw(event)
        if ids or here:
            self.view.news(ids)
        if self.following:
            self._follow(events)
        self.refresh_rooms()

    def _follow(self, events: list[tuple[Event, bool]]) -> None:
        said = (MessageEvent, FileEvent, ReceiptEvent)
        places = [one.conversation for one, _notable in events if isinstance(one, said)]
        if places and places[-1] and places[-1] != self.view.target:
            self.open(places[-1])

    def _person_acts(self, _event: "tk.Event[tk.Misc]") -> None:
        self.following = False

    def _arrived(self, event: MessageEvent | FileEvent, *, notable: bool) -> None:
        if isinstance(event, FileEvent):
            if event.done is not None and event.id:
                self.view.history.progress(event.id, event.done, event.size)
            if event.state not in ("offered", "received"):
                return
        sender = event.sender or ""
        if sender in self._speakers:
            self._speakers.remove(sender)
        if sender != self.session.name:
            self._speakers.insert(0, sender)
        if notable:
            self.notifier.arrived(event)

    def _connection(self, event: ConnectionEvent) -> None:
        self.online = event.state == "online"
        if self._offline_later is not None:
            self.root.after_cancel(self._offline_later)
            self._offline_later = None
        if self.online:
            self.view.banners.close("connection")
            self.sidebar.me(self.session.name, _("online"), online=True)
            return
        self.sidebar.me(self.session.name, _("offline"), online=False)
        if event.state == "refused":
            self.view.banners.show(
                "connection",
                Banner(shown.sentence(event.reason, 300) or _("The server refuses us."), "danger"),
            )
        else:
            self.say_offline_later(event.reason or "")

    def say_offline_later(self, reason: str = "") -> None:
        """Show the banner unless there is a connection soon."""

        def say() -> None:
            self._offline_later = None
            if not self.online:
                text = _(
                    "No connection to the server: trying again. "
                    "What you write is kept and goes out by itself."
                )
                if reason:
                    text += f" ({shown.sentence(reason, 160)})"
                self.view.banners.show("connection", Banner(text, "warn"))

        if self._offline_later is None:
            self._offline_later = self.root.after(OFFLINE_MS, say)

    def _gap(self, event: GapEvent) -> None:
        where = shown.target(event.conversation) if event.conversation else self.session.name
        self.view.banners.show(
            "gap",
            Banner(
                _("Something is missing in {where}: {reason}").format(
                    where=where, reason=shown.sentence(event.reason, 200)
                ),
                "warn",
                closable=True,
            ),
        )

    def _identity(self, event: IdentityEvent) -> None:
        if event.state in ("changed", "verified") and self.view.target:
            # Where it blocks, the conversation shows it; look anew.
            self.refresh_rooms()

    # --- the conversations --------------------------------------------------------------------

    def refresh_rooms(self) -> None:
        """Read the conversations anew, soon; many wishes, one reading."""
        if self._asking_rooms:
            self._rooms_again = True
        elif self._rooms_later is None:
            self._rooms_later = self.root.after(1 if not self.rooms else ROOMS_MS, self._ask_rooms)

    def _ask_rooms(self) -> None:
        self._rooms_later = None
        self._asking_rooms = True
        session, target = self.session, self.view.target

        def read() -> tuple[list[RoomLine], list[Any]]:
            rooms = session.client.rooms()
            known = any(room.name == target for room in rooms)
            return rooms, session.client.members(target) if known else []

        def done(found: tuple[list[RoomLine], list[Any]]) -> None:
            rooms, members = found
            self._asking_rooms = False
            first = not self.rooms
            self.rooms = {room.name: room for room in rooms}
            current = self.rooms.get(self.view.target)
            if current is not None and self.view.target == target:
                self.view.room_changed(current, members)
                self._show_people()
            self._show_rooms()
            if first and rooms and not self.view.target:
                last = session.settings["window last"]
                self.open(last if last in self.rooms else rooms[0].name)
            if self._rooms_again:
                self._rooms_again = False
                self.refresh_rooms()

        def failed(error: ChatSecureError) -> None:
            self._asking_rooms = False
            self.failed(error)

        session.bridge.ask(read, done, failed)

    def _show_rooms(self) -> None:
        listed = [
            room for room in self.rooms.values() if not room.closed or room.name == self.view.target
        ]
        self.sidebar.show(listed, self.view.target)
        self.title()

    def title(self) -> None:
        """How much is unread, for the task bar."""
        unread = sum(room.unread for room in self.rooms.values() if room.notify != "nothing")
        where = shown.target(self.view.target) + " – " if self.view.target else ""
        count = f"({unread}) " if unread else ""
        self.root.title(f"{count}{where}{shown.name(self.session.name)} – ChatSecure")

    # --- the people ---------------------------------------------------------------------------

    def _show_people(self) -> None:
        room = self.view.room
        may_add = room is not None and room.kind == "room"
        self.people.show(self.view.members, may_add=may_add)
        self._fit_people()

    def _fit_people(self) -> None:
        wide = self.frame.winfo_width()
        narrow = wide < self.theme.px(NARROW)
        wanted = self.people_wanted and not narrow
        if wanted != self._with_people:
            self._with_people = wanted
            if wanted:
                self._add_people()
            else:
                self.panes.forget(self.people)

    def _add_people(self) -> None:
        if right_to_left():
            self.panes.insert(0, self.people, weight=0)
        else:
            self.panes.add(self.people, weight=0)

    def toggle_people(self) -> None:
        """Show or hide the people at the right; in a narrow window, in place of nothing else."""
        if self.frame.winfo_width() < self.theme.px(NARROW):
            self._with_people = not self._with_people
            if self._with_people:
                self._add_people()
                self.people.rows.focus_set()
            else:
                self.panes.forget(self.people)
            return
        self.people_wanted = not self.people_wanted
        self.session.save("window people", "yes" if self.people_wanted else "no")
        self._fit_people()
        if self._with_people:
            self.people.rows.focus_set()

    # --- reading ------------------------------------------------------------------------------

    def _focus(self, _event: "tk.Event[tk.Misc]") -> None:
        # On its way from one part to another the focus leaves the window too, for a moment.
        if self._focus_later is None:
            self._focus_later = self.root.after_idle(self._look_for_focus)

    def _look_for_focus(self) -> None:
        self._focus_later = None
        call = self.root.tk.call
        path = str(call("focus"))
        self.focused = bool(path) and str(call("winfo", "toplevel", path)) == str(self.root)
        if self.focused:
            self.read_on()

    def read_on(self) -> None:
        """What is seen to its end, in a window that has the keys, was read."""
        view, room = self.view, self.rooms.get(self.view.target)
        if self.focused and view.seen_to_end and room is not None:
            session, target = self.session, view.target
            session.bridge.call(lambda: session.client.mark_read(target))
            if room.unread:
                self.refresh_rooms()

    # --- settings ------------------------------------------------------------------------------

    def settings_changed(self) -> None:
        """The look is as the settings say."""
        palette = resolve(self.session.settings["theme"])
        size = letters(self.session.settings["font_size"])
        if palette != self.theme.palette_name or size != self.theme.font_size:
            self.theme.apply(palette, size)

    # --- the rest -----------------------------------------------------------------------------

    def failed(self, error: ChatSecureError) -> None:
        """Tell what went wrong, beside what the person does."""
        self.notes.say(shown.words(told(error), 400), wrong=True)

    def said(self, text: str) -> None:
        """What a command answers."""
        self.notes.say(text)

    def close(self) -> None:
        """Leave."""
        self.view.composer.flush()
        for later in (self._offline_later, self._rooms_later, self._focus_later):
            if later is not None:
                self.root.after_cancel(later)
        self.notes.close()
        self.notifier.close()
        with contextlib.suppress(tk.TclError):
            if self.root.state() == "normal":
                self.session.save("window geometry", self.root.geometry())
        self._closed()
