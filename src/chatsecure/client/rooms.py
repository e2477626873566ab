"""The facade's part for conversations: which there are, who is in them, the ways in and out."""

from collections.abc import Sequence

from chatsecure import links
from chatsecure.wire.errors import NotFound, Usage, WrongIdentity

from . import conversations, flows_enter, flows_rooms, history
from .conversations import Conversation
from .driver import now_ms
from .facade import Facade
from .lines import RoomLine
from .room import MemberRole, decode_state


class Rooms(Facade):
    """Rooms and private chats."""

    def rooms(self) -> list[RoomLine]:
        """Our conversations, by name."""
        states = (conversations.ACTIVE, conversations.JOINING, conversations.BROKEN)
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
            last=last.text if last else "",
            last_at=last.at if last else None,
            notify=row.notify,
            draft=row.draft,
            online=self._core.presence.get(row.name[1:], False),
        )

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
