"""A person at a client: where they type, what they have sent, which message a number means.

The ground that the /commands stand on (`doing_*.py`); `actions.Chat` puts them together.
"""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from chatsecure.client.client import Client
from chatsecure.client.display import harmless, harmless_name
from chatsecure.client.events import Event, FileEvent, MessageEvent
from chatsecure.client.history import HistoryLine
from chatsecure.names import fold_name
from chatsecure.wire.errors import ChatSecureError, NotFound, Usage
from chatsecure.wire.messages import MAX_TEXT_BYTES
from chatsecure.words import _, told

from .human import history_line
from .slash import LAST

LOBBY = "#lobby"
LOOK_BACK = 500
"""How many messages back a number or the last fitting one is looked for."""
QUOTED = 60
"""Signs of a message that are quoted to say which one is meant."""

Show = Callable[[str], None]


class Chatting:
    """The conversation a person types in, and what they say.

    Args:
        show: shows a text to the person.
    """

    def __init__(self, client: Client, show: Show) -> None:
        self.client = client
        self.current = LOBBY
        self.sent: list[str] = []
        """Ids of what was sent, in order."""
        self.under_way: set[asyncio.Task[None]] = set()
        """Files being sent; typing goes on meanwhile."""
        self._show = show
        self._last_from: str | None = None
        self._last_to: str | None = None
        self._people: list[str] = []
        self._numbered: list[str] = []

    # --- what the face asks

    @property
    def prompt(self) -> str:
        """Where Enter goes, in words."""
        here = harmless_name(self.current)
        said = _("{here}, private> ") if here.startswith("@") else _("{here}, everyone there> ")
        return said.format(here=here)

    def people(self) -> list[str]:
        """Names for completion: who spoke last comes first."""
        mine = fold_name(self.client.name)
        known = [name for room in self.client.rooms() for name in room.people]
        return [name for name in dict.fromkeys([*self._people, *known]) if fold_name(name) != mine]

    def room_names(self) -> list[str]:
        """Rooms for completion."""
        return [room.name for room in self.client.rooms() if room.name.startswith("#")]

    def saw(self, event: Event) -> None:
        """An event was shown: remember who wrote."""
        if isinstance(event, MessageEvent | FileEvent) and event.sender:
            if event.sender in self._people:
                self._people.remove(event.sender)
            self._people.insert(0, event.sender)
            if (event.conversation or "").startswith("@") and event.sender != self.client.name:
                self._last_from = event.conversation

    def tell(self, error: ChatSecureError) -> None:
        """Say what is wrong and what to do."""
        self._show(told(error))

    def send_pasted(self, text: str) -> None:
        """Send many lines as a text file, where the person types; typing goes on meanwhile."""
        self._begin(self._send_pasted(self.current, text))

    async def _send_pasted(self, target: str, text: str) -> None:
        with TemporaryDirectory(prefix="chatsecure-") as folder:
            pasted = Path(folder) / "pasted.txt"
            pasted.write_text(text + "\n", encoding="utf-8")
            self.sent.append(await self.client.send_file(target, pasted))
        said = _("{n} lines sent to {where} as the file {name}")
        self._show(
            said.format(n=text.count("\n") + 1, where=harmless_name(target), name=pasted.name)
        )

    # --- what commands share

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something that takes long beside the typing; its error is told."""

        async def told() -> None:
            try:
                await work
            except ChatSecureError as error:
                self.tell(error)

        task = asyncio.ensure_future(told())
        self.under_way.add(task)
        task.add_done_callback(self.under_way.discard)

    async def _say(
        self, target: str, text: str, *, action: bool = False, reply_to: str | None = None
    ) -> None:
        if len(text.encode("utf-8", "replace")) > MAX_TEXT_BYTES:
            raise Usage(_("not sent: the text is longer than 64 KiB"), hint=_("send it as a file"))
        target = self._meant(target)
        self.sent.append(await self.client.send(target, text, action=action, reply_to=reply_to))
        if target.startswith("@"):
            self._last_to = target
        if fold_name(target) != fold_name(self.current):
            self._show(_("sent to {where}").format(where=harmless_name(target)))

    def _meant(self, target: str) -> str:
        """The conversation meant by `*`, `,` or `.`, or a name."""
        if target == "*":
            return self.current
        if target in (",", "."):
            found = self._last_from if target == "," else self._last_to
            if found is None:
                raise NotFound(
                    _("nobody has written to you in private yet")
                    if target == ","
                    else _("you have written to nobody in private yet")
                )
            return found
        return target

    def _room(self, given: str | None) -> str:
        room = given or self.current
        if not room.startswith("#"):
            raise Usage(_("which room?"), hint=_("this is a private conversation; name a room"))
        return room

    def _go(self, target: str) -> None:
        self.current = target
        self._numbered = []

    # --- which message

    def _list(self, lines: list[HistoryLine]) -> None:
        """Show messages with the numbers that commands take: 1 is the last."""
        self._numbered = [line.id for line in reversed(lines)]
        for number, line in zip(range(len(lines), 0, -1), lines, strict=True):
            self._show(f"[{number}] {history_line(line, self.client.name)}")

    def _message(self, word: str, fits: Callable[[HistoryLine], bool], what: str) -> HistoryLine:
        """The message that a number, an id or nothing means.

        Args:
            fits: which may be meant where nothing is said.
            what: that in words, for the error.
        """
        if word != LAST and len(word) > 4:
            return self.client.message(word)
        if word == LAST:
            lines = self.client.history(self.current, LOOK_BACK)
            found = next((line for line in reversed(lines) if fits(line)), None)
        elif self._numbered:
            # Numbers stay those that were shown, whatever has come since.
            place = int(word)
            known = 1 <= place <= len(self._numbered)
            found = self.client.delivery(self._numbered[place - 1]) if known else None
        else:
            lines = self.client.history(self.current, min(max(int(word), 1), LOOK_BACK))
            found = lines[-int(word)] if 1 <= int(word) <= len(lines) else None
        if found is None:
            what = what if word == LAST else _("message number {number}").format(number=word)
            raise NotFound(
                _("there is no {what} here").format(what=what),
                hint=_("/last 20 shows the last messages with their numbers"),
            )
        return found


def quoted(line: HistoryLine) -> str:
    """A message in a few words, to say which one is meant."""
    return f"{harmless_name(line.sender)}: {shortened(line)}"


def shortened(line: HistoryLine) -> str:
    """A message's first words."""
    text = harmless(line.text, lines=False)
    return text if len(text) <= QUOTED else text[: QUOTED - 1] + "…"


def path(text: str) -> Path:
    """A path as people type it."""
    return Path(text).expanduser()


def digits(word: str) -> str:
    """A number that was typed where a name may stand (`/history 20`)."""
    text = word.removeprefix("@")
    return text if text.isascii() and text.isdigit() and len(text) < 7 else ""
