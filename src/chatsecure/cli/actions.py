"""What a typed line does: the /commands carried out on a client, for every face that has them.

A face gives it lines and gets texts to show; which conversation is typed in is kept here.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import ClassVar

from chatsecure.client.client import Client
from chatsecure.client.display import harmless_name
from chatsecure.client.events import Event, FileEvent, MessageEvent
from chatsecure.links import SCHEME
from chatsecure.names import fold_name, nearest
from chatsecure.wire.errors import ChatSecureError, NotFound, Usage
from chatsecure.wire.messages import MAX_TEXT_BYTES

from .human import SHORT_ID, clock, history_line
from .people import user_marks
from .rooms import room_cells
from .slash import Nothing, Run, Say, Wrong, help_lines, parse

LOBBY = "#lobby"

WHY = (
    "No. What you write and the files you send are encrypted on your device (MLS, RFC 9420) and",
    "decrypted on those of the people in the conversation. The server stores and forwards",
    "ciphertext; it sees who is connected, who shares a conversation, when and how much.",
    "`chatsecure demo` searches a server for what was said. To be sure of whom you talk to,",
    "compare numbers: /verify bob.",
)

Show = Callable[[str], None]


class Chat:
    """A person at a client: the conversation they type in, and what they say.

    Args:
        show: shows a text to the person.
    """

    def __init__(self, client: Client, show: Show) -> None:
        self.client = client
        self.current = LOBBY
        self.sent: list[str] = []
        """Ids of what was sent, in order."""
        self._show = show
        self._last_from: str | None = None
        self._last_to: str | None = None
        self._people: list[str] = []

    # --- what the face asks

    @property
    def prompt(self) -> str:
        """Where Enter goes, in words."""
        here = harmless_name(self.current)
        return f"{here}, private> " if here.startswith("@") else f"{here}, everyone there> "

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

    async def enter(self, line: str) -> bool:
        """Do what a line says; False when it says to leave the program."""
        try:
            match parse(line):
                case Nothing():
                    pass
                case Wrong(message, hint):
                    self._show(f"{message}; {hint}" if hint else message)
                case Say(text, target):
                    await self._say(target or self.current, text)
                case Run(command, arguments):
                    if command.name == "quit":
                        return False
                    await self._commands[command.name](self, arguments)
        except ChatSecureError as error:
            self._show(f"{error}; {error.hint}" if error.hint else str(error))
        return True

    # --- what commands do

    async def _say(self, target: str, text: str, *, action: bool = False) -> None:
        if len(text.encode("utf-8", "replace")) > MAX_TEXT_BYTES:
            raise Usage("not sent: the text is longer than 64 KiB", hint="send it as a file")
        target = self._known(target)
        self.sent.append(await self.client.send(target, text, action=action))
        if target.startswith("@"):
            self._last_to = target
        if target != self.current:
            self._show(f"sent to {harmless_name(target)}")

    def _known(self, target: str) -> str:
        """The conversation meant by `*`, `,` or `.`, or a name."""
        if target == "*":
            return self.current
        if target in (",", "."):
            found = self._last_from if target == "," else self._last_to
            if found is None:
                raise NotFound("nobody has written to you in private yet")
            return found
        return target

    def _room(self, given: str | None) -> str:
        room = given or self.current
        if not room.startswith("#"):
            raise Usage("which room?", hint="this is a private conversation; name a room")
        return room

    async def _msg(self, arguments: tuple[str, ...]) -> None:
        if len(arguments) == 1:
            await self._query(arguments)
        else:
            await self._say(arguments[0], arguments[1])

    async def _r(self, arguments: tuple[str, ...]) -> None:
        await self._say(",", arguments[0])

    async def _me(self, arguments: tuple[str, ...]) -> None:
        await self._say(self.current, arguments[0], action=True)

    async def _say_here(self, arguments: tuple[str, ...]) -> None:
        await self._say(self.current, arguments[0])

    async def _query(self, arguments: tuple[str, ...]) -> None:
        target = self._known(arguments[0])
        if target.startswith("@"):
            self.current = await self.client.query(target[1:])
        else:
            self.current = self.client.room(target).name
        self._show(f"you type in {harmless_name(self.current)} now")
        await self.client.mark_read(self.current)

    async def _file(self, arguments: tuple[str, ...]) -> None:
        target, path = self._known(arguments[0]), _path(arguments[1])
        id_ = await self.client.send_file(target, path)
        self.sent.append(id_)
        name = harmless_name(path.name)
        self._show(f"file {name} sent to {harmless_name(target)} ({id_[:SHORT_ID]})")

    async def _accept(self, arguments: tuple[str, ...]) -> None:
        self.client.accept_file(self.client.find_file(arguments[0]))

    async def _decline(self, arguments: tuple[str, ...]) -> None:
        self.client.decline_file(self.client.find_file(arguments[0]))

    async def _cancel(self, arguments: tuple[str, ...]) -> None:
        self.client.cancel_file(self.client.find_file(arguments[0]))

    async def _users(self, _arguments: tuple[str, ...]) -> None:
        for user in await self.client.users():
            marks = user_marks(
                me=user.me, owner=user.owner, verified=user.verified, changed=user.changed
            )
            state = "online" if user.online else "offline"
            self._show(", ".join([harmless_name(user.name), state, *marks]))

    async def _rooms(self, _arguments: tuple[str, ...]) -> None:
        for room in self.client.rooms():
            self._show(", ".join(filter(None, room_cells(room))))

    async def _join(self, arguments: tuple[str, ...]) -> None:
        what = arguments[0]
        if what.startswith(SCHEME):
            names = await self.client.join_link(what)
            if names:
                self._show("joined " + ", ".join(map(harmless_name, names)))
                self.current = names[-1]
            return
        room = what if what.startswith("#") else "#" + what
        mine = self.room_names()
        if fold_name(room) in map(fold_name, mine):
            await self._query((room,))
            return
        close = nearest(room, mine)
        near = f"did you mean {close}? " if close else ""
        raise NotFound(
            f"you are not in {harmless_name(room)}",
            hint=near + "ask a member to add you or for a link: /join chatsecure://...",
        )

    async def _leave(self, arguments: tuple[str, ...]) -> None:
        room = self._room(arguments[0] if arguments else None)
        await self.client.leave_room(room)
        self._show(f"you left {harmless_name(room)}")
        if fold_name(room) == fold_name(self.current):
            self.current = LOBBY

    async def _create(self, arguments: tuple[str, ...]) -> None:
        room = arguments[0]
        if len(arguments) > 1 and arguments[1].lstrip("-") != "invite-only":
            raise Usage(f"what is {arguments[1]}?", hint="/create #room [invite-only]")
        await self.client.create_room(room, invite_only=len(arguments) > 1)
        self._show(f"{harmless_name(room)} created; /invite bob takes somebody in")
        self.current = self.client.room(room).name

    async def _invite(self, arguments: tuple[str, ...]) -> None:
        if arguments and not arguments[0].startswith("#"):
            user = arguments[0].removeprefix("@")
            room = self._room(arguments[1] if len(arguments) > 1 else None)
            await self.client.add_to_room(room, [user])
            self._show(f"{harmless_name(user)} is in {harmless_name(room)} now")
            return
        room = self._room(arguments[0] if arguments else None)
        link = await self.client.invite(None if fold_name(room) == LOBBY else room)
        self._show(f"for one person, for 7 days; whoever has it can join {harmless_name(room)}:")
        self._show(link)

    async def _kick(self, arguments: tuple[str, ...]) -> None:
        room = self._room(arguments[1] if len(arguments) > 1 else None)
        await self.client.remove_from_room(room, arguments[0])
        self._show(f"{harmless_name(arguments[0])} is out of {harmless_name(room)}")

    async def _role(self, arguments: tuple[str, ...]) -> None:
        room = self._room(arguments[2] if len(arguments) > 2 else None)
        await self.client.set_role(room, arguments[0], arguments[1])
        self._show(f"{harmless_name(arguments[0])} is {arguments[1]} of {harmless_name(room)} now")

    async def _topic(self, arguments: tuple[str, ...]) -> None:
        room = self._room(None)
        await self.client.set_topic(room, arguments[0])
        self._show(f"topic of {harmless_name(room)} set")

    async def _verify(self, arguments: tuple[str, ...]) -> None:
        user, what = arguments[0], arguments[1] if len(arguments) > 1 else ""
        if what == "accept":
            await self.client.accept_identity(user)
        elif what == "mark":
            await self.client.mark_verified(user)
        elif what:
            raise Usage(f"what is {what}?", hint="/verify bob [mark|accept]")
        found = await self.client.verify(user)
        self._show(found.safety_number)
        state = "compared" if found.verified else "not compared yet"
        if found.changed:
            state = "CHANGED: compare before you go on, then /verify bob accept"
        self._show(f"with {harmless_name(found.user)}: {state}; fingerprint {found.fingerprint}")

    async def _devices(self, _arguments: tuple[str, ...]) -> None:
        for device in await self.client.devices():
            seen = f"last seen {clock(device.last_seen)}" if device.last_seen else "online"
            this = ", this device" if device.this else ""
            self._show(f"{device.device_id}, {seen}{this}")

    async def _history(self, arguments: tuple[str, ...]) -> None:
        number = next((int(word) for word in map(_digits, arguments) if word), 20)
        target = next((word for word in arguments if not _digits(word)), "*")
        for line in self.client.history(self._known(target), number):
            self._show(history_line(line, self.client.name))

    async def _search(self, arguments: tuple[str, ...]) -> None:
        found = self.client.search(arguments[0], 20)
        for line in found:
            self._show(history_line(line, self.client.name))
        if not found:
            self._show("nothing found")

    async def _why(self, _arguments: tuple[str, ...]) -> None:
        for line in WHY:
            self._show(line)

    async def _help(self, arguments: tuple[str, ...]) -> None:
        for line in help_lines(arguments[0] if arguments else None):
            self._show(line)

    _commands: ClassVar[dict[str, Callable[["Chat", tuple[str, ...]], Awaitable[None]]]] = {
        "msg": _msg,
        "r": _r,
        "me": _me,
        "say": _say_here,
        "query": _query,
        "file": _file,
        "accept": _accept,
        "decline": _decline,
        "cancel": _cancel,
        "users": _users,
        "rooms": _rooms,
        "join": _join,
        "leave": _leave,
        "create": _create,
        "invite": _invite,
        "kick": _kick,
        "role": _role,
        "topic": _topic,
        "verify": _verify,
        "devices": _devices,
        "history": _history,
        "search": _search,
        "why": _why,
        "help": _help,
    }


def _path(text: str) -> Path:
    return Path(text).expanduser()


def _digits(word: str) -> str:
    """A number that was typed where a name may stand (`/history 20`)."""
    text = word.removeprefix("@")
    return text if text.isascii() and text.isdigit() and len(text) < 7 else ""
