"""One open profile in the window: the client on its thread, what it tells, in batches.

A face holds no chat logic: this only carries questions over to the client and events back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from chatsecure import words
from chatsecure.wire.errors import ChatSecureError, NotFound

from .bridge import Bridge

if TYPE_CHECKING:
    import asyncio

    from chatsecure.cli.actions import Chat
    from chatsecure.cli.typed import Typed
    from chatsecure.client.client import Client
    from chatsecure.client.events import Event
    from chatsecure.client.history import HistoryLine
    from chatsecure.client.lines import MemberLine, RoomLine
    from chatsecure.client.profile.folder import Profile

PAGE = 200
"""Lines that are fetched at a time."""
FIRST_PAGE = 80
"""Lines of a conversation that was just opened: what a screen shows and a little more."""
BEFORE_UNREAD = 30
GATHER_S = 0.02
"""How long events are gathered into one batch."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A conversation as it is shown first."""

    room: RoomLine
    lines: list[HistoryLine]
    first_unread: int | None
    at_end: bool
    members: list[MemberLine]
    changed: str
    """A member whose identity changed and was not accepted yet; or empty."""


class Session:
    """The client of the window.

    Args:
        events: gets what happened, in batches, on Tk's thread, each with whether it is worth a
            notification.
        said: gets what a command answers, line by line, on Tk's thread.
    """

    def __init__(
        self,
        bridge: Bridge,
        events: Callable[[list[tuple[Event, bool]]], None],
        said: Callable[[str], None],
    ) -> None:
        self.bridge = bridge
        self._events, self._said = events, said
        self._profile: Profile | None = None
        self._pump: asyncio.Task[None] | None = None
        self._batch: list[tuple[Event, bool]] = []
        self.client: Client
        self.chat: Chat
        self.typed: Typed
        self.name = ""
        self.settings: dict[str, str] = {}

    # --- all of these run on the client's thread ----------------------------------------------

    async def start(self, folder: Path, passphrase: str | None) -> None:
        """Open the profile and begin to connect.

        Raises:
            ProfileError, NoProfile: it cannot be opened.
        """
        from chatsecure.client.profile.folder import open_profile

        await self.adopt(open_profile(folder, lambda: passphrase))

    async def adopt(self, profile: Profile) -> None:
        """Begin with an open profile."""
        import asyncio

        from chatsecure.cli.actions import Chat
        from chatsecure.cli.typed import Typed
        from chatsecure.client.client import Client

        self._profile = profile
        self.client = Client(profile)
        words.choose(self.client.setting("language") or "")
        self.chat = Chat(self.client, self._say)
        self.typed = Typed(self.client)
        self.name = self.client.name
        self.read_settings()
        await self.client.__aenter__()
        self._pump = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """Close everything."""
        import asyncio

        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)
            await self.client.__aexit__(None, None, None)
        if self._profile is not None:
            self._profile.close()
            self._profile = None

    def _say(self, text: str) -> None:
        self.bridge.post(lambda: self._said(text))

    async def _follow(self) -> None:
        import asyncio

        loop = asyncio.get_running_loop()
        try:
            async for event in self.client.events(shown=False):
                if not self._batch:
                    loop.call_later(GATHER_S, self._hand_over)
                self._batch.append((event, self.client.notable(event)))
        except ChatSecureError as error:
            # There will be no connection any more; what is here can still be read.
            said = words.told(error)
            self.bridge.post(lambda: self._said(said))

    def _hand_over(self) -> None:
        batch, self._batch = self._batch, []
        self.bridge.post(lambda: self._events(batch))

    def read_settings(self) -> None:
        """Read the settings anew: another face, or a command, may have changed them."""
        from chatsecure.client.settings import SETTINGS

        from .prefs import OWN

        read = {one.name: self.client.setting(one.name) or one.default for one in SETTINGS}
        read |= {name: self.client.setting(name) or default for name, default in OWN.items()}
        self.settings = read

    async def set(self, name: str, value: str) -> None:
        """Keep a setting, in the profile.

        Raises:
            Usage: the value is none for it.
        """
        self.client.setting(name, value)
        self.read_settings()

    # --- these may be called anywhere ---------------------------------------------------------

    def save(self, name: str, value: str) -> None:
        """Keep a setting, in the profile, in a while."""
        self.settings[name] = value
        self.bridge.call(lambda: self.set(name, value))

    # --- and these on the client's thread again -----------------------------------------------

    def open(self, target: str) -> Opened:
        """What is shown of a conversation at first.

        Raises:
            NotFound: there is none.
        """
        client = self.client
        room = next((room for room in client.rooms() if room.name == target), None)
        if room is None:
            room = client.room(target)
        unread = client.first_unread(room.name)
        lines = client.history(room.name, FIRST_PAGE, notices=True)
        at_end = True
        if unread is not None and lines and unread < lines[0].n:
            before = client.history(room.name, BEFORE_UNREAD, before=unread, notices=True)
            after = client.history(room.name, PAGE, after=unread - 1, notices=True)
            lines, at_end = before + after, len(after) < PAGE
        self.chat.current = room.name
        members = client.members(room.name)
        changed = next((one.name for one in members if one.changed), "")
        return Opened(room, lines, unread, at_end, members, changed)

    def newer(self, target: str, n: int) -> list[HistoryLine]:
        """The lines after a place."""
        return self.client.history(target, PAGE, after=n, notices=True)

    def older(self, target: str, n: int) -> list[HistoryLine]:
        """The lines before a place."""
        return self.client.history(target, PAGE, before=n, notices=True)

    def around(self, target: str, n: int) -> tuple[list[HistoryLine], bool]:
        """The lines around a place, and whether they reach the newest."""
        before = self.client.history(target, PAGE // 2, before=n, notices=True)
        after = self.client.history(target, PAGE // 2, after=n - 1, notices=True)
        return before + after, len(after) < PAGE // 2

    def lines(self, ids: list[str]) -> list[HistoryLine]:
        """These messages as they are now; those that are gone are left out."""
        found = []
        for id_ in ids:
            try:
                found.append(self.client.delivery(id_))
            except NotFound:
                continue
        return found
