"""The /commands about messages: write, answer, change, take back, react, find, files."""

from chatsecure.client import emoji
from chatsecure.client.display import harmless_name
from chatsecure.client.history import HistoryLine
from chatsecure.wire.errors import NotFound, Usage
from chatsecure.words import _

from .chatting import Chatting, digits, path, quoted
from .human import SHORT_ID, standing
from .slash import LAST, REACTIONS


def _shown(line: HistoryLine) -> bool:
    return line.state != "deleted"


class Messages(Chatting):
    """What is said, and what is said about it."""

    async def do_msg(self, arguments: tuple[str, ...]) -> None:
        if len(arguments) == 1:
            await self.do_query(arguments)
        elif "," in arguments[0] and arguments[0] != ",":
            await self._msg_several(arguments[0].split(","), arguments[1])
        else:
            await self._say(arguments[0], arguments[1])

    async def _msg_several(self, targets: list[str], text: str) -> None:
        """One message each; nothing is sent where one name is wrong."""
        targets = list(dict.fromkeys(targets))
        for target in targets:
            if target.startswith("@"):
                await self.client.query(target)
            else:
                self.client.room(target)
        for target in targets:
            self.sent.append(await self.client.send(target, text))
        names = ", ".join(map(harmless_name, targets))
        self._show(_("sent to each of them, one message each: {names}").format(names=names))

    async def do_r(self, arguments: tuple[str, ...]) -> None:
        await self._say(",", arguments[0])

    async def do_me(self, arguments: tuple[str, ...]) -> None:
        await self._say(self.current, arguments[0], action=True)

    async def do_say(self, arguments: tuple[str, ...]) -> None:
        await self._say(self.current, arguments[0])

    async def do_query(self, arguments: tuple[str, ...]) -> None:
        target = self._meant(arguments[0])
        if target.startswith("@"):
            self._go(await self.client.query(target[1:]))
        else:
            self._go(self.client.room(target).name)
        self._show(_("you type in {where} now").format(where=harmless_name(self.current)))
        await self.client.mark_read(self.current)

    async def do_reply(self, arguments: tuple[str, ...]) -> None:
        line = self._message(
            arguments[0], lambda line: _shown(line) and not line.mine, _("message to answer")
        )
        await self._say(line.conversation, arguments[1], reply_to=line.id)
        self._show(_("in answer to {quoted}").format(quoted=quoted(line)))

    async def do_edit(self, arguments: tuple[str, ...]) -> None:
        line = self._message(
            arguments[0],
            lambda line: line.mine and not line.file and line.state in ("queued", "stored"),
            _("message of yours"),
        )
        self.client.edit(line.id, arguments[1])
        self._show(_("changed: {quoted}").format(quoted=quoted(line)))

    async def do_delete(self, arguments: tuple[str, ...]) -> None:
        line = self._message(
            arguments[0] if arguments else LAST,
            lambda line: line.mine and line.state in ("queued", "stored"),
            _("message of yours"),
        )
        self.client.delete(line.id)
        self._show(
            _("taken back; who has read it has read it: {quoted}").format(quoted=quoted(line))
        )

    async def do_react(self, arguments: tuple[str, ...]) -> None:
        line = self._message(
            arguments[0], lambda line: _shown(line) and not line.mine, _("message to react to")
        )
        sign = reaction(arguments[1])
        self.client.react(line.id, sign)
        said = _("{emoji} to {quoted}") if sign else _("reaction taken back: {quoted}")
        self._show(said.format(emoji=sign, quoted=quoted(line)))

    async def do_info(self, arguments: tuple[str, ...]) -> None:
        line = self._message(
            arguments[0] if arguments else LAST,
            lambda line: line.mine and _shown(line),
            _("message of yours"),
        )
        self._show(f"{quoted(line)}{standing(line)}")
        for sign, names in (line.reactions or {}).items():
            self._show(f"{sign} {', '.join(map(harmless_name, names))}")
        for person in self.client.reach(line.id) if line.mine else ():
            state = (
                _("has the whole file")
                if person.received
                else _("has read it")
                if person.read
                else _("has it")
                if person.delivered
                else _("does not have it yet")
            )
            self._show(f"{harmless_name(person.name)}: {state}")

    async def do_file(self, arguments: tuple[str, ...]) -> None:
        self._begin(self._send_file(self._meant(arguments[0]), arguments[1]))

    async def _send_file(self, target: str, typed: str) -> None:
        found = path(typed)
        id_ = await self.client.send_file(target, found)
        self.sent.append(id_)
        self._show(
            _("file {name} sent to {where} ({id})").format(
                name=harmless_name(found.name), where=harmless_name(target), id=id_[:SHORT_ID]
            )
        )

    async def do_accept(self, arguments: tuple[str, ...]) -> None:
        line = self._file(arguments, "offered", "failed", "declined", incoming=True)
        self.client.accept_file(line.id)
        self._show(_("fetching {quoted}").format(quoted=quoted(line)))

    async def do_decline(self, arguments: tuple[str, ...]) -> None:
        line = self._file(arguments, "offered", "receiving", "failed", incoming=True)
        self.client.decline_file(line.id)
        self._show(_("turned down: {quoted}").format(quoted=quoted(line)))

    async def do_cancel(self, arguments: tuple[str, ...]) -> None:
        line = self._file(arguments, "receiving", "sending", "offered", incoming=None)
        self.client.cancel_file(line.id)
        self._show(_("stopped: {quoted}").format(quoted=quoted(line)))

    def _file(self, arguments: tuple[str, ...], *states: str, incoming: bool | None) -> HistoryLine:
        """The file that a number or an id means; else the newest in one of these states, wherever
        it was sent."""
        what = _("file for that")
        if arguments and len(arguments[0]) > 4:
            return self.client.message(self.client.find_file(arguments[0]))
        found = (
            self._message(arguments[0], lambda line: line.file, what)
            if arguments
            else self.client.last_file(*states, incoming=incoming)
        )
        if found is None or not found.file:
            raise NotFound(_("there is no {what} here").format(what=what))
        return found

    async def do_history(self, arguments: tuple[str, ...]) -> None:
        number = next((int(word) for word in map(digits, arguments) if word), 20)
        target = next((word for word in arguments if not digits(word)), "*")
        self._list(self.client.history(self._meant(target), number))

    async def do_search(self, arguments: tuple[str, ...]) -> None:
        found = self.client.search(arguments[0], 20)
        self._list(found)
        if not found:
            self._show(_("nothing found"))

    async def do_unread(self, _arguments: tuple[str, ...]) -> None:
        rooms = [room for room in self.client.rooms() if room.unread]
        for room in sorted(rooms, key=lambda room: room.last_at or ""):
            said = _("{where}: {unread} new")
            if room.mentions:
                said = _("{where}: {unread} new, {mentions} to you")
            self._show(
                said.format(
                    where=harmless_name(room.name), unread=room.unread, mentions=room.mentions
                )
            )
        if not rooms:
            self._show(_("you have seen everything"))


def reaction(typed: str) -> str:
    """An emoji, also by its :name:; nothing for `-`.

    Raises:
        Usage: there is no emoji of this name.
    """
    text = typed.strip()
    if text == "-":
        return ""
    if text.startswith(":") and text.endswith(":") and len(text) > 2:
        found = emoji.sign_of(text)
        if found is None:
            close = [f":{one.names[0]}:" for one in emoji.search(text, 3)]
            raise Usage(
                _("there is no emoji {name}").format(name=text),
                hint=_("as {names}, or the emoji itself").format(
                    names=", ".join(close or REACTIONS[:3])
                ),
            )
        return found
    return text
