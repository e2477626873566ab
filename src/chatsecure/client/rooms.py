"""The facade's part for conversations: which there are, who is in them, the ways in and out."""

from collections.abc import Sequence

from chatsecure import links
from chatsecure.names import fold_name
from chatsecure.wire.errors import NotFound, Usage, WrongIdentity

from . import contacts, conversations, flows_enter, flows_rooms, history, markup
from .conversations import Conversation
from .driver import now_ms
from .facade import Facade
from .lines import MemberLine, RoomLine
from .room import MemberRole, decode_state

PREVIEW_CHARACTERS = 400


class Rooms(Facade):
    """Rooms and private chats."""

    def rooms(self) -> list[RoomLine]:
        """Our conversations, by name."""
        states = (*conversations.LIVE, conversations.BROKEN)
        return [self._line(row) for row in conversations.everything(self._db, *states)]

    def room(self, target: str) -> RoomLine:
        """One conversation.

        Raises:
            NotFound: there is none of that name.
        """
        row = self._known(target)
        if row is None:
            raise NotFound(f"there is no private chat with {target[1:]} yet")
        return self._line(row)

    def _line(self, row: Conversation) -> RoomLine:
        state = decode_state(self._core.groups.get(row.log_id).room_state)
        lines = history.last(self._db, row, 1, self._core.me.folded)
        last = lines[0] if lines else None
        return RoomLine(
            name=row.name,
            kind=row.kind.name.lower(),
            topic=state.topic,
            people=tuple(conversations.people(self._db, row.log_id)),
            role=state.role(self._core.me.fingerprint).name.lower(),
            invite_only=state.invite_only,
            unread=conversations.unread(self._db, row),
            state=row.state,
            last=_in_one_line(last) if last else "",
            last_at=last.at if last else None,
            notify=row.notify,
            draft=row.draft,
            online=row.private and self._core.presence.get(row.name[1:], False),
            mentions=len(self.mentions(row.name)),
            closed=self._closed(row),
            away=contacts.away(self._db, row.name[1:]) if row.private else "",
            changed=contacts.somebody_changed(self._db, row.log_id) is not None,
        )

    def members(self, target: str) -> list[MemberLine]:
        """Who is in a conversation: those with a role first, then by name.

        Raises:
            NotFound: there is none of that name.
        """
        row = self._row(target)
        if row.state not in (conversations.ACTIVE, conversations.JOINING):
            return []
        state = decode_state(self._core.groups.get(row.log_id).room_state)
        me, lines = self._core.me, {}
        for member in conversations.members(self._db, row.log_id):
            known = contacts.get(self._db, member.name)
            mine = member.fingerprint == me.fingerprint
            lines[member.folded] = MemberLine(
                name=member.name,
                role=state.role(member.fingerprint).name.lower(),
                online=self._core.online if mine else self._core.presence.get(member.name, False),
                away=(self.away or "") if mine else contacts.away(self._db, member.name),
                me=mine,
                verified=known is not None and known.verified,
                changed=known is not None and known.changed_certificate is not None,
            )
        order = [role.name.lower() for role in sorted(MemberRole, reverse=True)]
        return sorted(
            lines.values(), key=lambda line: (order.index(line.role), fold_name(line.name))
        )

    def mentions(self, target: str) -> list[int]:
        """The places (`n`) of messages not shown yet that mention us, oldest first; at most 100."""
        return history.unread_mentions(self._db, self._row(target), self._core.me.folded)

    def close_chat(self, target: str) -> None:
        """Take a private chat out of lists until something is said in it or it is opened again;
        nothing is deleted and nobody is told.

        Raises:
            Usage: it is a room; one leaves a room.
        """
        row = self._row(target)
        if not row.private:
            raise Usage(f"{row.name} is a room", hint="leave it with /leave, for good")
        with self._db.transaction():
            self._db.put("closed " + row.log_id.hex(), self._newest(row))

    def _newest(self, row: Conversation) -> int:
        newest = "SELECT max(n) FROM messages WHERE log_id = ? AND kind > 0"
        return int(self._db.value(newest, row.log_id) or 0)

    def _closed(self, row: Conversation) -> bool:
        at = self._db.get("closed " + row.log_id.hex())
        return at is not None and self._newest(row) <= int(at)

    async def create_room(self, name: str, *, invite_only: bool = False) -> None:
        """Make a room; we are its owner."""
        await self.run(flows_enter.create_room(self._core, name, invite_only=invite_only))

    async def add_to_room(self, room: str, users: Sequence[str]) -> list[str]:
        """Add users to a room; gives who was not in it before."""
        log_id = self._room(room).log_id
        names = [user.removeprefix("@") for user in users]
        return await self.run(flows_rooms.add(self._core, log_id, names))

    async def remove_from_room(self, room: str, user: str) -> None:
        """Remove a user from a room."""
        log_id = self._room(room).log_id
        await self.run(flows_rooms.remove(self._core, log_id, user))

    async def set_role(self, room: str, user: str, role: str) -> None:
        """Make a user owner, manager or member of a room."""
        if role.upper() not in MemberRole.__members__:
            raise Usage(f"{role!r} is no role; there are owner, manager and member")
        log_id = self._room(room).log_id
        await self.run(flows_rooms.set_role(self._core, log_id, user, MemberRole[role.upper()]))

    async def set_topic(self, room: str, topic: str) -> None:
        """Set a room's topic."""
        await self.run(flows_rooms.set_topic(self._core, self._room(room).log_id, topic))

    async def leave_room(self, room: str) -> None:
        """Leave a room."""
        await self.run(flows_rooms.leave(self._core, self._room(room).log_id))

    async def invite(
        self, room: str | None = None, *, uses: int = 1, expires_s: int = 7 * 86400
    ) -> str:
        """A link that lets others join the server, `#lobby` and the room."""
        log_id = self._room(room).log_id if room is not None else None
        expires_at = now_ms() + expires_s * 1000
        secret = await self.run(
            flows_rooms.invite(self._core, log_id, uses=uses, expires_at=expires_at)
        )
        return links.format_link(
            self._db.get("server_host"),
            int(self._db.get("server_port")),
            bytes(self._db.get("server_fingerprint")),
            secret,
        )

    async def join_link(self, link: str) -> list[str]:
        """Enter the conversations of a link to this server; gives their names.

        Raises:
            BadLink: it is no link.
            WrongIdentity: it is to another server.
        """
        parsed = links.parse_link(link)
        if parsed.fingerprint != bytes(self._db.get("server_fingerprint")):
            raise WrongIdentity(
                "this link is to another server",
                hint="one profile is for one server: choose another with --profile",
            )
        return await self.run(flows_enter.enter_by_link(self._core, parsed.secret))


def _in_one_line(line: history.HistoryLine) -> str:
    """A message for a list: without its marks and its end, if it is long."""
    return line.text if line.file else markup.plain(line.text[:PREVIEW_CHARACTERS])
