"""The application: the screen's parts, which conversation is open, and what keys ask for.

What happens is heard in `hearing.py`, what is done with a message in `acts.py`, what is entered
in `entering.py`. All of them run in the client's own event loop.
"""

import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, ClassVar

from textual import events
from textual.app import App, ComposeResult
from textual.containers import Vertical
from textual.widgets import TextArea

from chatsecure.cli.actions import LOBBY, Chat
from chatsecure.cli.typed import Typed
from chatsecure.client.client import Client
from chatsecure.client.display import harmless, harmless_name
from chatsecure.client.history import HistoryLine
from chatsecure.client.lines import MemberLine, RoomLine
from chatsecure.names import fold_name
from chatsecure.wire.errors import ChatSecureError, NotFound, Usage
from chatsecure.words import _, several, told

from . import acts, entering, hearing, lists
from .composer import Composer
from .history import History
from .keys import EVERYWHERE, NUMBERS, Bound, bindings, teach_meta_keys
from .palette import chosen, variables
from .plain import Plain, entitle
from .rows import Entry, Rows
from .style import CSS, MIDDLE, WIDE
from .text import cut
from .title import begin_title, end_title, set_title

DRAFT_PAUSE_S = 1.0
"""So long after the last key a draft is kept."""
TYPING_EVERY_S = 3.0
"""So often others are told that we write."""


OWN_ACTIONS = frozenset(key.action.partition("(")[0] for key in EVERYWHERE + NUMBERS)


class ChatApp(App[int]):
    """The terminal client of one profile."""

    CSS = CSS
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[Bound]] = [
        *bindings(EVERYWHERE, priority=True),
        *bindings(NUMBERS, priority=True),
    ]

    def __init__(self, client: Client, *, following: bool = False) -> None:
        self.client = client
        self.palette = chosen(client.setting("theme") or "auto")
        teach_meta_keys()
        super().__init__()
        self.chat = Chat(client, self.tell)
        self.typed = Typed(client)
        self.mode = entering.Mode()
        self.ears = hearing.Ears(self)
        self.history = History(client, lambda: self.palette, self._wanted, id="history")
        self.composer = Composer(self._names, self._typed, id="composer")
        self._parts: dict[str, Any] = {
            "side": Rows(lambda: self.palette, self._draw_side, id="side"),
            "people": Rows(lambda: self.palette, self._draw_people, id="people"),
            **{name: Plain(id=name) for name in ("head", "banner", "about")},
        }
        self.broken: BaseException | None = None
        """What ended the application, where that was a mistake of ours."""
        self._entitled = ""
        self.rooms: list[RoomLine] = []
        """The conversations of the list, as they were last asked for."""
        self.following = following
        """Go where something is said, until the person does something."""
        self.members: list[MemberLine] = []
        self.offers = ""
        """What Tab may complete to, for the line under the conversation."""
        self._want_side: bool | None = None
        self._want_people: bool | None = None
        self._draft_timer: Any = None
        self._told_typing = 0.0
        self._loading = False

    # --- parts --------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        """The screen's parts."""
        yield self._parts["side"]
        with Vertical(id="middle"):
            yield self._parts["head"]
            yield self._parts["banner"]
            yield self.history
            yield self._parts["about"]
            yield self.composer
        yield self._parts["people"]

    @property
    def over(self) -> bool:
        """The screen is gone: there is nothing to show on any more."""
        return not self.screen_stack

    @property
    def target(self) -> str:
        """The open conversation."""
        return self.history.target

    def part(self, name: str) -> Any:
        """A part of the screen by its id."""
        return self._parts[name]

    def get_css_variables(self) -> dict[str, str]:
        """The palette's colours, for the style sheet."""
        return super().get_css_variables() | variables(self.palette)

    def restyle(self) -> None:
        """Show everything in the colours that are set."""
        palette = chosen(self.client.setting("theme") or "auto")
        if palette is self.palette:
            return
        self.palette = palette
        self.theme = "textual-dark" if palette.dark else "textual-light"
        self.refresh_css(animate=False)
        self.history.restyle()
        self.ears.soon(side=True, people=True)

    async def on_event(self, event: events.Event) -> None:
        """Keys and clicks end the following."""
        if isinstance(event, events.Key | events.MouseDown):
            self.following = False
        await super().on_event(event)

    def on_mount(self) -> None:
        """Open where the person left, and listen."""
        begin_title(self)
        self.app_suspend_signal.subscribe(self, end_title, immediate=True)
        self.app_resume_signal.subscribe(self, self._back)
        self.theme = "textual-dark" if self.palette.dark else "textual-light"
        self.look_at_rooms()
        names = [room.name for room in self.rooms]
        last = self.client.setting("open") or LOBBY
        if names:
            self.open(last if last in names else LOBBY if LOBBY in names else names[0])
        self.composer.focus()
        self.run_worker(self.ears.listen(), name="events")

    def _back(self, _app: App[Any]) -> None:
        """Back from the shell, which has written over the screen."""
        begin_title(self)
        self.show_title(sum(room.unread for room in self.rooms))
        self.refresh(layout=True)

    def on_unmount(self) -> None:
        """What was begun is kept."""
        self.keep_draft()
        end_title(self)

    def _names(self) -> tuple[list[str], list[str]]:
        return self.chat.people(), self.chat.room_names()

    def _draw_side(self, width: int) -> list[Entry]:
        return lists.conversations(self.rooms, width, self.palette)

    def _draw_people(self, width: int) -> list[Entry]:
        return lists.people(self.members, width, self.palette)

    # --- saying -------------------------------------------------------------------------------

    def tell(self, text: str) -> None:
        """Show what a command has said, below the conversation."""
        self.history.note(text)

    def do(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run something beside everything else; what goes wrong is told."""

        async def careful() -> None:
            try:
                await work
            except ChatSecureError as error:
                self.tell(told(error))

        self.run_worker(careful(), group="doing")

    def safely(self, work: Callable[[], Any]) -> Any:
        """Call something; what goes wrong is told."""
        try:
            return work()
        except ChatSecureError as error:
            self.tell(told(error))
            return None

    # --- conversations ------------------------------------------------------------------------

    def look_at_rooms(self) -> None:
        """Ask for the conversations: once for all that is shown of them."""
        here = self.target
        found = self.client.rooms()
        self.rooms = [room for room in found if not room.closed or room.name == here]

    def room(self) -> RoomLine | None:
        """The open conversation, where we are still in it."""
        return next((room for room in self.rooms if room.name == self.target), None)

    def open(self, target: str, *, at: int | None = None, select: str | None = None) -> None:
        """Show a conversation: at a place, at what is new, or at its end."""
        try:
            new_at = self.client.first_unread(target)
        except NotFound as error:
            self.tell(told(error))
            return
        self.keep_draft()
        self.mode = entering.Mode()
        history = self.history
        history.open(target, at=at if at is not None else new_at, new_at=new_at)
        if select is not None and at is not None:
            history.to(at, select=select)
        self.chat.current = target
        self.client.setting("open", target)
        self._loading = True
        self.composer.replace_all(self.client.draft(target))
        self.part("side").current = target
        self.ears.opened()
        self._unfold()

    def keep_draft(self) -> None:
        """Keep what is typed and not sent."""
        if self.target and self.mode.kind != "edit":
            with suppress(NotFound, Usage):
                self.client.draft(self.target, self.composer.text)

    def _in_list(self) -> list[str]:
        self.look_at_rooms()
        return [room.name for room in lists.in_order(self.rooms)]

    def action_neighbour(self, by: int) -> None:
        """The conversation above or below."""
        names = self._in_list()
        if names:
            at = names.index(self.target) if self.target in names else 0
            self.open(names[(at + by) % len(names)])

    def action_numbered(self, number: int) -> None:
        """The conversation with this place in the list."""
        names = self._in_list()
        if number <= len(names):
            self.open(names[number - 1])

    def action_next_unread(self) -> None:
        """The next conversation with something new."""
        names = self._in_list()
        at = names.index(self.target) if self.target in names else 0
        unread = {room.name for room in self.rooms if room.unread}
        for name in names[at + 1 :] + names[:at]:
            if name in unread:
                self.open(name)
                return
        self.action_first_unread()

    def action_first_unread(self) -> None:
        """The first message that was new."""
        if self.history.new_at is not None:
            self.history.to(self.history.new_at)
        else:
            self.notify(_("nothing new here"), timeout=2)

    def action_next_mention(self) -> None:
        """The next message that mentions us."""
        for name in self._in_list():
            if places := self.client.mentions(name):
                self.open(name, at=places[0])
                self.history.to(places[0], select_it=True)
                return
        if not self.history.to_mention():
            self.notify(_("nobody mentions you here"), timeout=2)

    def action_end(self) -> None:
        """The newest message."""
        self.history.to_end()

    def action_tidy(self) -> None:
        """Take away what commands have said, and banners that were read."""
        self.history.tidy()
        self.ears.tidy()

    # --- the lists ----------------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        """On a narrow screen the lists give way."""
        self._fold(event.size.width)

    def _fold(self, width: int) -> None:
        side = width >= MIDDLE if self._want_side is None else self._want_side
        people = width >= WIDE if self._want_people is None else self._want_people
        narrow = width < MIDDLE
        over = narrow and (bool(self._want_side) or bool(self._want_people))
        self.screen_stack[0].set_class(over, "over")
        self.part("side").set_class(not side or (narrow and bool(self._want_people)), "folded")
        self.part("people").set_class(not people, "folded")
        self.call_after_refresh(self.show_head)

    def _toggle(self, name: str) -> None:
        rows = self.part(name)
        folded = rows.has_class("folded")
        narrow = self.size.width < MIDDLE
        side, people = self._want_side, self._want_people
        if name == "side":
            side, people = folded, (False if narrow else people)
        else:
            people, side = folded, (False if narrow else side)
        self._want_side, self._want_people = side, people
        self._fold(self.size.width)
        if folded:
            rows.redraw()
            rows.focus()
        else:
            self.composer.focus()

    def _unfold(self) -> None:
        """A conversation was chosen: on a narrow screen the list goes."""
        if self.size.width < MIDDLE and (self._want_side or self._want_people):
            self._want_side = self._want_people = None
            self._fold(self.size.width)
            self.composer.focus()

    def action_side(self) -> None:
        """Show or hide the conversations."""
        self._toggle("side")

    def action_people(self) -> None:
        """Show or hide the people."""
        self._toggle("people")

    def on_rows_chosen(self, event: Rows.Chosen) -> None:
        """A conversation or a person."""
        if event.rows.id == "side":
            self.open(event.value)
            self.composer.focus()
        elif event.rows.id == "people":
            acts.person(self, event.value)

    # --- what is shown around the conversation ------------------------------------------------

    def show_head(self) -> None:
        """The head and the words around the composer."""
        if self.over:
            return
        room = self.room()
        private = self.target.startswith("@")
        head = self.part("head")
        head.set_class(private, "private")
        self.composer.set_class(private, "private")
        width = max(10, head.size.width - 2)
        head.say(cut(self._head(room), width))
        title = cut(entering.destination(self), max(4, width - 4))
        if title != self._entitled:
            self._entitled = title
            entitle(self.composer, title)
        self.show_about()

    def _head(self, room: RoomLine | None) -> str:
        name = harmless_name(self.target)
        if self.target.startswith("@"):
            other = next((member for member in self.members if not member.me), None)
            parts = [name, _("private: only you and {name}").format(name=name[1:])]
            if other is not None:
                here = _("away") if other.online and other.away else _("here")
                parts.append(_("compared ✓") if other.verified else _("compare: F6"))
                parts.append(here if other.online else _("not here"))
            return " · ".join(parts)
        if room is None:
            return f"{name} · {_('you are not in it any more')}"
        parts = [name, _("everyone on this server") if room.kind == "lobby" else _("room")]
        parts.append(several("{n} person", "{n} people", len(room.people)))
        if room.invite_only:
            parts.append(_("by invitation"))
        if room.topic:
            parts.append(harmless(room.topic, lines=False))
        return " · ".join(parts)

    def show_about(self) -> None:
        """The line under the conversation: who writes, completions, a hint."""
        if self.over:
            return
        line = self.part("about")
        width = max(10, line.size.width - 2)
        chosen = self.screen.get_selected_text()
        text = self.offers or (_("Ctrl+C copies what is selected") if chosen else "")
        text = text or self.ears.writing() or entering.hint(self)
        line.say(cut(text, width))

    def show_title(self, unread: int) -> None:
        """How much is new, in the terminal's title."""
        set_title(self, unread)

    # --- typing -------------------------------------------------------------------------------

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        """Something is typed: a draft to keep, and others see that we write."""
        if event.text_area is not self.composer:
            return
        if self._loading:
            self._loading = False
            return
        if self._draft_timer is not None:
            self._draft_timer.stop()
        self._draft_timer = self.set_timer(DRAFT_PAUSE_S, self.keep_draft)
        text = self.composer.text
        now = self.ears.now()
        if (
            text.strip()
            and text.lstrip()[0] not in "/@#"
            and now - self._told_typing > TYPING_EVERY_S
        ):
            self._told_typing = now
            self.do(self.client.typing(self.target))

    def _typed(self, what: str, value: Any) -> None:
        """What the composer wants."""
        match what:
            case "entered":
                entering.entered(self, value)
            case "earlier":
                entering.earlier(self, value)
            case "pasted":
                entering.pasted(self, *value)
            case "offered":
                self._offer(*value)
            case "help":
                self.action_help()
            case "recall":
                self.recall()
            case "select":
                self.screen.set_focus(self.history)
            case "scroll":
                self.history.action_page_rows(value)
            case "next":
                self.screen.focus_next()
            case "previous":
                self.screen.focus_previous()
            case "leave":
                self.notify(_("Ctrl+Q leaves the program"), timeout=2)
            case _:
                entering.give_up(self)

    def _offer(self, offers: list[str], chosen: int) -> None:
        """What Tab may complete to."""
        shown = [
            f"[{one.strip()}]" if number == chosen else one.strip()
            for number, one in enumerate(offers)
        ]
        self.offers = "  ".join(shown[max(0, chosen - 2) :])
        self.show_about()

    # --- the conversation ---------------------------------------------------------------------

    def _wanted(self, what: str, value: Any) -> None:
        """Something is to be done with a message."""
        if what == "done":
            self.screen.set_focus(self.composer)
        else:
            acts.act(self, what, value)

    def on_history_moved(self) -> None:
        """Another part is seen: what is new may be read now."""
        self.ears.soon()

    def on_text_selected(self) -> None:
        """The mouse has selected something, or nothing any more."""
        self.show_about()

    def on_app_focus(self) -> None:
        """The terminal is looked at again."""
        self.ears.soon()

    # --- screens ------------------------------------------------------------------------------

    def _covered(self) -> bool:
        return len(self.screen_stack) > 1

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Under another screen the keys of this one do nothing, but for leaving."""
        if action in OWN_ACTIONS and action != "leave" and self._covered():
            return False
        return super().check_action(action, parameters)

    def _fatal_error(self) -> None:
        # A traceback with what is in memory would show messages on the terminal that is left.
        self.broken = sys.exception()
        self._close_messages_no_wait()

    def action_help(self) -> None:
        """The keys and commands."""
        from .screens import Help

        self.push_screen(Help())

    def recall(self) -> None:
        """Choose from what was typed here before."""
        from .finding import Switcher

        lines = list(dict.fromkeys(reversed(self.typed.lines(self.target))))

        def found(text: str | None) -> None:
            if text is not None:
                self.composer.replace_all(text)

        title = _("What you typed here")
        self.push_screen(Switcher(lines, lambda: self.palette, title), found)

    def action_switch(self) -> None:
        """Go somewhere by a few letters."""
        from .finding import Switcher

        rooms = self._in_list()
        known = {fold_name(room) for room in rooms}
        others = ["@" + name for name in self.chat.people()]
        names = [*rooms, *(name for name in others if fold_name(name) not in known)]

        def found(name: str | None) -> None:
            if name is not None:
                self.do(self.go(name))

        self.push_screen(Switcher(names, lambda: self.palette), found)

    async def go(self, name: str) -> None:
        """Open a conversation; a private one is made if there is none yet."""
        if name.startswith("@"):
            name = await self.client.query(name[1:])
        self.open(name)
        self.composer.focus()

    def action_search(self, here: bool, begun: str = "") -> None:
        """Search this conversation or all."""
        from .finding import SEARCH_FOUND, Search

        where = self.target if here else None

        def find(words: str) -> list[HistoryLine]:
            return self.client.search(words, SEARCH_FOUND, where)

        def found(line: HistoryLine | None) -> None:
            if line is not None:
                self.open(line.conversation, at=line.n, select=line.id)
                self.history.seek(screen.words)
                self.history.focus()

        name = harmless_name(self.target)
        title = _("Search {name}").format(name=name) if here else _("Search everywhere")
        screen = Search(find, title, lambda: self.palette, begun)
        self.push_screen(screen, found)

    def action_file(self) -> None:
        """Begin the command that sends a file."""
        self.composer.replace_all(f"/file {self.target} ")
        self.composer.focus()

    def action_safety(self) -> None:
        """The safety number of whom we write with."""
        if self.ears.changed:
            acts.safety(self, self.ears.changed[0])
        elif self.target.startswith("@"):
            acts.safety(self, self.target[1:])
        else:
            self.tell(_("of whom? /verify bob, or choose somebody in the list of people"))

    def action_settings(self) -> None:
        """Settings."""
        acts.settings(self)

    async def action_leave(self) -> None:
        """Leave the program."""
        self.exit(0)
