"""What the client tells: which parts of the screen it concerns, what is new, and when it counts
as read. Many events in a row are shown together.
"""

import asyncio
import time
from typing import TYPE_CHECKING

from chatsecure.client.display import harmless, harmless_name
from chatsecure.client.events import (
    ConnectionEvent,
    Event,
    FileEvent,
    GapEvent,
    IdentityEvent,
    MessageEvent,
    PresenceEvent,
    StateEvent,
    StatusEvent,
    TypingEvent,
)
from chatsecure.client.lines import MemberLine
from chatsecure.names import fold_name
from chatsecure.wire.errors import ChatSecureError, NotFound, Usage
from chatsecure.words import _, sentence

if TYPE_CHECKING:
    from .app import ChatApp

TOGETHER_S = 0.03
"""What happens within this time is shown at once."""
TYPING_S = 6.0
"""So long somebody who said so is shown as writing."""
BELL_EVERY_S = 2.0
PASSING_S = 5.0
"""So long it is told that somebody came or went."""


class Ears:
    """Listens for one application."""

    def __init__(self, app: "ChatApp") -> None:
        self.app = app
        self.changed: list[str] = []
        """Who has another identity than we know."""
        self.offline = ""
        """Why there is no connection, once that is known."""
        self._refused = False
        self._gaps: list[str] = []
        self._typing: dict[str, dict[str, float]] = {}
        self._dirty: set[str] = set()
        self._bannered: list[str] = []
        self._waiting = False
        self._ring = False
        self._rung = 0.0
        self._passing = ""
        self._passing_until = 0.0

    def now(self) -> float:
        """Seconds on a clock that only goes forward."""
        return time.monotonic()

    async def listen(self) -> None:
        """Hear everything, as long as the application runs."""
        try:
            async for event in self.app.client.events(shown=False):
                self.hear(event)
                # The events that came while we were away must not keep the keys waiting.
                await asyncio.sleep(0)
        except ChatSecureError as error:
            self.offline, self._refused = sentence(str(error)), True
            self.soon()

    # --- one event ----------------------------------------------------------------------------

    def hear(self, event: Event) -> None:
        """Take an event in."""
        app = self.app
        app.chat.saw(event)
        here = event.conversation == app.target
        match event:
            case ConnectionEvent():
                self._connection(event)
            case TypingEvent():
                self._hear_typing(event)
                return
            case PresenceEvent() | StatusEvent():
                self._came_or_went(event)
                self.soon(side=True, people=True)
                return
            case FileEvent(done=done) if done is not None and event.id is not None:
                if here:
                    app.history.progress(event.id, done if done < event.size else None)
                    self.soon(history=True)
                return
            case IdentityEvent():
                self._identity(event)
            case GapEvent() if event.conversation is None:
                self._gaps.append(event.reason)
            case MessageEvent() | FileEvent():
                self._arrived(event)
            case StateEvent(state="failed"):
                reason = harmless(sentence(event.reason or ""), lines=False)
                reason = reason or _("no reason given")
                app.tell(_("NOT SENT: {reason}").format(reason=reason))
        self.soon(side=True, people=True, history=here or event.conversation is None)

    def _connection(self, event: ConnectionEvent) -> None:
        if event.state == "online":
            self.offline = ""
        else:
            self.offline = harmless(sentence(event.reason or "") or _("no connection"), lines=False)
            self._refused = event.state == "refused"

    def _identity(self, event: IdentityEvent) -> None:
        if event.state == "changed" and event.user not in self.changed:
            self.changed.append(event.user)
        elif event.state in ("verified", "accepted"):
            self.decided(event.user)

    def decided(self, user: str) -> None:
        """An identity was compared or accepted."""
        self.changed = [one for one in self.changed if fold_name(one) != fold_name(user)]
        self.soon(people=True, side=True)

    def _judge(self, members: list[MemberLine]) -> None:
        """What is so counts, whoever decided it and when: also before we were started."""
        for member in members:
            known = next((one for one in self.changed if one == member.name), None)
            if member.changed and known is None:
                self.changed.append(member.name)
            elif not member.changed and known is not None:
                self.changed.remove(known)

    def _hear_typing(self, event: TypingEvent) -> None:
        writers = self._typing.setdefault(event.conversation or "", {})
        if event.active:
            writers[event.user] = self.now() + TYPING_S
            self.app.set_timer(TYPING_S + 0.1, self.app.show_about)
        else:
            writers.pop(event.user, None)
        self.app.show_about()

    def _came_or_went(self, event: PresenceEvent | StatusEvent) -> None:
        """Told for a moment under the conversation, where the person wants that."""
        user = harmless_name(event.user)
        if fold_name(event.user) == fold_name(self.app.client.name):
            return
        if isinstance(event, StatusEvent):
            why = harmless(event.text, lines=False)
            text = _("{user} is away: {why}") if event.away else _("{user} is back")
            self._passing = text.format(user=user, why=why or "-")
        elif self.app.client.is_on("presence"):
            here = event.state == "online"
            text = _("{user} is here") if here else _("{user} has gone")
            self._passing = text.format(user=user)
        else:
            return
        self._passing_until = self.now() + PASSING_S
        self.app.set_timer(PASSING_S + 0.1, self.app.show_about)

    def _arrived(self, event: MessageEvent | FileEvent) -> None:
        app, target = self.app, event.conversation or ""
        self._typing.get(target, {}).pop(event.sender or "", None)
        if app.following and target != app.target and not app.over:
            app.open(target)
        if app.app_focus and target == app.target and app.history.at_newest:
            return
        self._ring = self._ring or app.client.notable(event)

    # --- showing ------------------------------------------------------------------------------

    def soon(self, *, side: bool = False, people: bool = False, history: bool = False) -> None:
        """These parts are to be shown anew in a moment, with what else happens until then."""
        parts = {"side": side, "people": people, "history": history}
        self._dirty |= {name for name, wanted in parts.items() if wanted}
        if not self._waiting and self.app.is_running:
            self._waiting = True
            self.app.set_timer(TOGETHER_S, self.show)

    def opened(self) -> None:
        """Another conversation was opened."""
        self._dirty |= {"side", "people"}
        self.show()

    def show(self) -> None:
        """Show what has changed."""
        self._waiting = False
        app = self.app
        if app.over:
            return
        if not app.target:
            names = [room.name for room in app.client.rooms()]
            if names:
                app.open(names[0])
            return
        dirty, self._dirty = self._dirty, set()
        history = app.history
        if "history" in dirty:
            if not app.app_focus and history.at_newest:
                history.new_at = app.client.first_unread(app.target)
            history.refresh_lines()
        if self._reads():
            app.run_worker(self._read(app.target), group="read")
        if "people" in dirty:
            try:
                app.members = app.client.members(app.target)
            except (NotFound, Usage):
                app.members = []
            self._judge(app.members)
            app.part("people").redraw()
        if "side" in dirty:
            app.look_at_rooms()
            app.part("side").redraw()
            app.show_title(sum(room.unread for room in app.rooms))
        app.show_head()
        self._show_banner()
        self._sound()

    async def _read(self, target: str) -> None:
        await self.app.client.mark_read(target)
        self.soon(side=True)

    def _reads(self) -> bool:
        app = self.app
        if not app.app_focus or not app.history.at_newest or len(app.screen_stack) > 1:
            return False
        return app.client.first_unread(app.target) is not None

    def _sound(self) -> None:
        if self._ring and self.now() - self._rung > BELL_EVERY_S:
            self._rung = self.now()
            if self.app.client.is_on("bell"):
                self.app.bell()
        self._ring = False

    def tidy(self) -> None:
        """Banners that only tell something were read."""
        self._gaps.clear()
        self._show_banner()

    def _show_banner(self) -> None:
        lines, danger = [], False
        if self.changed:
            danger = True
            names = ", ".join(map(harmless_name, self.changed[:3]))
            lines.append(
                _(
                    "The identity of {names} has CHANGED: nothing is sent to them until you "
                    "compare numbers or accept it (F6)"
                ).format(names=names)
            )
        if self.offline:
            danger = danger or self._refused
            text = (
                _("No connection: {reason}")
                if self._refused
                else _("Not connected ({reason}); what you write is kept and goes out later")
            )
            lines.append(text.format(reason=self.offline))
        if self._gaps:
            reason = harmless(sentence(self._gaps[-1]), lines=False)
            lines.append(_("Something is missing: {reason} (Ctrl+L)").format(reason=reason))
        banner = self.app.part("banner")
        banner.set_class(bool(lines), "shown")
        banner.set_class(danger, "danger")
        if lines != self._bannered:
            self._bannered = lines
            banner.update("\n".join(lines))

    def writing(self) -> str:
        """Who writes in the open conversation."""
        now = self.now()
        writers = self._typing.get(self.app.target, {})
        names = [harmless_name(name) for name, until in writers.items() if until > now]
        if not names:
            return self._passing if now < self._passing_until else ""
        if len(names) == 1:
            return _("{name} is writing …").format(name=names[0])
        return _("{names} are writing …").format(names=", ".join(names[:3]))
