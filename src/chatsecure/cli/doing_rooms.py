"""The /commands about conversations: the ways in and out, who may what, what is told of them."""

from chatsecure.client.display import harmless, harmless_name
from chatsecure.links import SCHEME
from chatsecure.names import fold_name, nearest
from chatsecure.wire.errors import NotFound, Usage
from chatsecure.words import _

from .chatting import LOBBY
from .doing_messages import Messages
from .rooms import room_cells
from .slash import BY_NAME, MUTE


class Rooms(Messages):
    """Rooms and private chats."""

    async def do_rooms(self, _arguments: tuple[str, ...]) -> None:
        for room in self.client.rooms():
            if not room.closed:
                self._show(", ".join(filter(None, room_cells(room))))

    async def do_join(self, arguments: tuple[str, ...]) -> None:
        what = arguments[0]
        if what.startswith(SCHEME):
            names = await self.client.join_link(what)
            if names:
                self._show(_("joined {names}").format(names=", ".join(map(harmless_name, names))))
                self._go(names[-1])
            return
        room = what if what.startswith("#") else "#" + what
        mine = self.room_names()
        if fold_name(room) in map(fold_name, mine):
            await self.do_query((room,))
            return
        close = nearest(room, mine)
        near = _("did you mean {name}?").format(name=close) + " " if close else ""
        raise NotFound(
            _("you are not in {room}").format(room=harmless_name(room)),
            hint=near + _("ask a member to add you or for a link: /join chatsecure://..."),
        )

    async def do_leave(self, arguments: tuple[str, ...]) -> None:
        room = self._room(arguments[0] if arguments else None)
        await self.client.leave_room(room)
        self._show(_("you left {room}").format(room=harmless_name(room)))
        if fold_name(room) == fold_name(self.current):
            self._go(LOBBY)

    async def do_close(self, arguments: tuple[str, ...]) -> None:
        target = self._meant(arguments[0] if arguments else "*")
        self.client.close_chat(target)
        if fold_name(target) == fold_name(self.current):
            self._go(LOBBY)
        self._show(
            _("{where} is closed until something is said there; you type in {here} now").format(
                where=harmless_name(target), here=harmless_name(self.current)
            )
        )

    async def do_create(self, arguments: tuple[str, ...]) -> None:
        room = arguments[0]
        if len(arguments) > 1 and arguments[1].lstrip("-") != "invite-only":
            raise _what(arguments[1], "create")
        await self.client.create_room(room, invite_only=len(arguments) > 1)
        said = _("{room} created; /invite bob takes somebody in")
        self._show(said.format(room=harmless_name(room)))
        self._go(self.client.room(room).name)

    async def do_invite(self, arguments: tuple[str, ...]) -> None:
        if arguments and not arguments[0].startswith("#"):
            user = arguments[0].removeprefix("@")
            room = self._room(arguments[1] if len(arguments) > 1 else None)
            await self.client.add_to_room(room, [user])
            self._tell_of(_("{user} is in {room} now"), user, room)
            return
        room = self._room(arguments[0] if arguments else None)
        link = await self.client.invite(None if fold_name(room) == LOBBY else room)
        said = _("for one person, for 7 days; whoever has it can join {room}:")
        self._show(said.format(room=harmless_name(room)))
        self._show(link)

    async def do_kick(self, arguments: tuple[str, ...]) -> None:
        room = self._room(arguments[1] if len(arguments) > 1 else None)
        await self.client.remove_from_room(room, arguments[0])
        self._tell_of(_("{user} is out of {room}"), arguments[0], room)

    async def do_role(self, arguments: tuple[str, ...]) -> None:
        room = self._room(arguments[2] if len(arguments) > 2 else None)
        await self.client.set_role(room, arguments[0], arguments[1])
        self._tell_of(_("{user} is {role} of {room} now"), arguments[0], room, arguments[1])

    def _tell_of(self, said: str, user: str, room: str, role: str = "") -> None:
        user, room = harmless_name(user), harmless_name(room)
        self._show(said.format(user=user, room=room, role=role))

    async def do_topic(self, arguments: tuple[str, ...]) -> None:
        room = self._room(None)
        if arguments:
            await self.client.set_topic(room, arguments[0])
            self._show(_("topic of {room} set").format(room=harmless_name(room)))
            return
        topic = harmless(self.client.room(room).topic, lines=False)
        said = _("topic of {room}: {topic}") if topic else _("{room} has no topic")
        self._show(said.format(room=harmless_name(room), topic=topic))

    async def do_mute(self, arguments: tuple[str, ...]) -> None:
        level = next((word for word in arguments if word in MUTE), "all")
        names = [word for word in arguments if word not in MUTE]
        if len(names) > 1 or (len(arguments) > 1 and not names):
            raise _what(arguments[-1], "mute")
        target = self._meant(names[0] if names else "*")
        if target[0] not in "@#":
            target = "@" + target
        self.client.notify(target, MUTE[level])
        said = {
            "all": _("no notifications from {where} any more; /mute off brings them back"),
            "mentions": _("notifications from {where} only when you are meant"),
            "off": _("notifications from {where} again"),
        }
        self._show(said[level].format(where=harmless_name(target)))


def _what(word: str, command: str) -> Usage:
    """A word that the command does not know."""
    return Usage(_("what is {word}?").format(word=word), hint=BY_NAME[command].usage)
