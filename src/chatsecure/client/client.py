"""The client as faces use it: one object, asyncio, everything a chat does.

    async with Client(open_profile(folder)) as client:
        await client.ready()
        id_ = await client.send("@bob", "hello")
        await client.wait(id_, "stored", timeout=10)
        async for event in client.events():
            ...

A face holds no chat logic: it calls these methods and shows these events. All errors are
`ChatSecureError`s whose text is for people and which carry their exit code.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Self

from chatsecure import links
from chatsecure.crypto import certificates, fingerprint
from chatsecure.names import fold_name, nearest
from chatsecure.wire import messages as m
from chatsecure.wire.errors import (
    ErrorCode,
    NotFound,
    Refused,
    Usage,
    WrongIdentity,
)

from . import about, contacts, conversations, flows, flows_enter, flows_rooms, history
from .content import Text1, Typing
from .conversations import Conversation
from .core import Core, Options
from .driver import Driver, now_ms
from .events import MOMENTARY, Event, FileEvent, IdentityEvent, MessageEvent, from_json, stamp
from .flow import Flow, T
from .groups import moment
from .history import HistoryLine, Reach
from .inbound import TEXT
from .lines import DeviceLine, RoomLine, UserLine, Verification
from .profile.folder import Profile
from .profile.lock import FileLock
from .room import MemberRole, decode_state

Progress = Callable[[int, int], None]
"""Called with bytes done and bytes in all."""


class Client:
    """One running client of one profile.

    Args:
        profile: an open profile; closed by whoever opened it.
        present: others see us come and go; False for a short errand (`send`).
        receive_files: fetch files as they are offered.
        downloads: where received files go; the profile's `downloads/` by default.
    """

    def __init__(
        self,
        profile: Profile,
        *,
        present: bool = True,
        receive_files: bool = True,
        downloads: Path | None = None,
    ) -> None:
        self._profile = profile
        self._db = profile.db
        self._core = Core(
            profile.db,
            now=now_ms,
            options=Options(present=present, receive_files=receive_files),
        )
        # One process of a profile fetches files; where it dies, the next takes over.
        self._lock = FileLock(profile.folder / "lock")
        self._core.files.downloads = downloads or profile.downloads
        self._core.files.may_receive = self._lock.acquire
        self._driver = Driver(
            self._core, self._db.get("server_host"), int(self._db.get("server_port"))
        )
        self._momentary: list[Event] = []
        self._core.listeners.append(self._heard)

    async def __aenter__(self) -> Self:
        self._driver.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._driver.stop()
        self._core.close()
        self._lock.release()

    @property
    def core(self) -> Core:
        """The core, for the client's own modules."""
        return self._core

    @property
    def name(self) -> str:
        """Our user name."""
        return self._core.me.name

    @property
    def fingerprint(self) -> str:
        """Our own fingerprint, for people."""
        return fingerprint.format_fingerprint(self._core.me.fingerprint)

    @property
    def online(self) -> bool:
        """Logged in and subscribed."""
        return self._core.online

    @property
    def server(self) -> str:
        """The server's address."""
        return links.format_address(self._db.get("server_host"), int(self._db.get("server_port")))

    async def ready(self, timeout: float | None = None, *, patient: bool = False) -> None:
        """Wait until we are online and have caught up.

        Args:
            patient: go on trying; otherwise the first failure to connect is raised.

        Raises:
            Unreachable, WrongIdentity, Refused: why there is no connection.
            NotInTime: `timeout` seconds ran out.
        """
        driver = self._driver

        def settled() -> bool:
            failed = not patient and driver.attempts > 0 and not self._core.online
            return self._core.caught_up() or failed

        await driver.until(settled, timeout, what="the server did not answer in time")
        if not self._core.online and driver.failure is not None:
            raise driver.failure

    async def run(self, flow: Flow[T]) -> T:
        """Run a flow of the core to its end; for the core's own modules."""
        return await self._driver.run(flow)

    # --- writing ------------------------------------------------------------------------------

    def _known(self, target: str) -> Conversation | None:
        """The live conversation of this target, if we have it.

        Raises:
            Usage: it is neither `@user` nor `#room`.
            NotFound: we know of no such room.
        """
        if target[:1] not in ("@", "#") or len(target) < 2:
            raise Usage(f"{target!r} is no target; write @user or #room")
        found = conversations.find(self._db, target[0] + fold_name(target[1:]))
        if found is not None and found.state in (conversations.ACTIVE, conversations.JOINING):
            return found
        if target[0] == "#":
            rooms = [row.name for row in conversations.everything(self._db, conversations.ACTIVE)]
            close = nearest(target, [room for room in rooms if room[0] == "#"])
            gone = found is not None and found.state != conversations.JOINING
            raise NotFound(
                f"you are not in {target} any more" if gone else f"you are in no room {target}",
                hint=f"did you mean {close}?" if close else "chatsecure rooms lists them",
            )
        return None

    def _room(self, target: str) -> Conversation:
        """A room we are in.

        Raises:
            NotFound, Usage
        """
        if not target.startswith("#"):
            raise Usage(f"{target!r} is no room; a room's name begins with #")
        row = self._known(target)
        assert row is not None
        return row

    async def _log(self, target: str) -> bytes:
        """The log of a target; a private chat is opened if it must be."""
        row = self._known(target)
        # A private chat that is still being made may give way to the other side's.
        if row is not None and not (row.private and row.state == conversations.JOINING):
            return row.log_id
        return await self.run(flows_enter.open_private(self._core, target[1:]))

    async def send(
        self, target: str, text: str, *, reply_to: str | None = None, action: bool = False
    ) -> str:
        """Queue a text, durably. Gives its id.

        Args:
            target: `@user` or `#room`.
            text: at most 64 KiB of UTF-8.
            reply_to: the id of the message this answers.
            action: `/me`.

        Raises:
            NotFound: no such user or room; the hint names the nearest.
            WrongIdentity: somebody's identity there changed and is not accepted.
            Usage: the text is empty or too long.
        """
        text = text.encode("utf-8", "replace").decode()
        if not text.strip():
            raise Usage("there is nothing to send: the text is empty")
        if len(text.encode()) > m.MAX_TEXT_BYTES:
            raise Usage(
                f"the text is longer than {m.MAX_TEXT_BYTES // 1024} KiB", hint="send it as a file"
            )
        log_id = await self._log(target)
        content = Text1(
            text=text,
            reply_to=_raw_id(reply_to) if reply_to else None,
            mentions=about.mentions_in(text, conversations.people(self._db, log_id)),
            action=action,
        )
        with self._db.transaction():
            row = conversations.get(self._db, log_id)
            if row is None:
                raise conversations.not_there(row)
            id_ = self._core.outbox.queue_message(row, TEXT, content, text)
        self._core.pump()
        self._driver.turn()
        return id_.hex()

    async def wait(self, id_: str, state: str, timeout: float | None = None) -> None:
        """Wait until a message of ours is `stored`, `delivered`, `read` or, a file, `received` by
        everybody it was for.

        Raises:
            NotInTime: `timeout` seconds ran out; what was queued stays queued.
            Refused: the server does not take it.
        """

        def reached() -> bool:
            line = self.delivery(id_)
            if line.state == "failed":
                raise Refused(ErrorCode.NOT_ALLOWED, "the server did not take the message")
            if line.seq is None:
                return False
            done = {
                "stored": line.people,
                "delivered": line.delivered,
                "read": line.read,
                "received": history.received_by(self._db, bytes.fromhex(id_)),
            }
            return done[state] >= line.people

        await self._driver.until(reached, timeout, what=f"not {state} in time; it stays queued")

    async def send_file(self, target: str, path: Path, *, progress: Progress | None = None) -> str:
        """Upload a file and post it. Goes on where an earlier try broke off. Gives its id.

        Raises:
            NotFound: no such target or file.
            Usage: no plain readable file.
            Refused: a quota.
        """
        from .files import look_at

        look_at(path)
        log_id = await self._log(target)
        return (await self.run(self._core.files.send(log_id, path, progress))).hex()

    def edit(self, id_: str, text: str) -> None:
        """Give a message of ours another text (see `about.edit`)."""
        about.edit(self._core, id_, text)
        self._driver.turn()

    def delete(self, id_: str) -> None:
        """Take a message of ours back (see `about.delete`)."""
        about.delete(self._core, id_)
        self._driver.turn()

    def react(self, id_: str, emoji: str) -> None:
        """React to a message (see `about.react`)."""
        about.react(self._core, id_, emoji)
        self._driver.turn()

    def set_away(self, text: str | None) -> None:
        """Say that we are away, and why; None: back again."""
        about.set_away(self._core, text)
        self._driver.turn()

    def reach(self, id_: str) -> list[Reach]:
        """Who has a message of ours, person by person."""
        return history.reach(self._db, id_, self._core.me.folded)

    def delivery(self, id_: str) -> HistoryLine:
        """One message with who has it.

        Raises:
            NotFound: there is none with this id.
        """
        return history.one(self._db, id_, self._core.me.folded)

    async def typing(self, target: str) -> None:
        """Tell those who are there that we are writing; nothing is stored."""
        row = self._known(target)
        if row is not None and self._core.ready(row.log_id):
            self._core.outbox.whisper(row.log_id, Typing())
            self._driver.turn()

    # --- reading ------------------------------------------------------------------------------

    def _heard(self, event: Event) -> None:
        if isinstance(event, MOMENTARY):
            self._momentary.append(event)

    async def events(self, *, replay: bool = True, shown: bool = True) -> AsyncIterator[Event]:
        """What happens, oldest first.

        Args:
            replay: begin with the kept events that no run has taken yet.
            shown: a message that is taken was shown: its sender is told that it was read.

        An event counts as taken when the next one is asked for.
        """
        taken = int(self._db.get("events_taken") or 0)
        if not replay:
            taken = int(self._db.value("SELECT max(n) FROM events") or 0)
        while True:
            rows = self._db.rows(
                "SELECT n, body FROM events WHERE n > ? ORDER BY n LIMIT 200", taken
            )
            for n, body in rows:
                event = from_json(body)
                yield event
                taken = n
                self._take(n, event, shown=shown)
            momentary, self._momentary = self._momentary, []
            for passing in momentary:
                yield passing
            if not rows and not momentary:
                self._driver.turn()
                await self._driver.until(partial(self._news, taken))

    def _news(self, taken: int) -> bool:
        newest = self._db.value("SELECT max(n) FROM events")
        return bool(self._momentary) or (newest is not None and newest > taken)

    def _take(self, n: int, event: Event, *, shown: bool) -> None:
        with self._db.transaction():
            self._db.put("events_taken", n)
            if n % 1024 == 0:
                self._db.run("DELETE FROM events WHERE n <= ?", n)
            if shown and isinstance(event, MessageEvent | FileEvent) and event.seq is not None:
                row = conversations.find(self._db, _fold_target(event.conversation or ""))
                if row is not None and event.seq > row.read:
                    conversations.update(self._db, row.log_id, read=event.seq)
        self._core.pump()

    def _row(self, target: str) -> Conversation:
        """A conversation that is or was.

        Raises:
            NotFound: there is no such conversation here.
        """
        row = conversations.find(self._db, _fold_target(target))
        if row is None:
            self._known(target)
            raise contacts.unknown_user(target.removeprefix("@"), contacts.names(self._db))
        return row

    def history(
        self,
        target: str,
        last: int = 50,
        *,
        before: int | None = None,
        after: int | None = None,
        notices: bool = False,
    ) -> list[HistoryLine]:
        """Messages of a conversation, oldest first. Those of one we left count too.

        Args:
            last: how many at most.
            before, after: only those before, or the next ones after, this place (`n`).
            notices: who came and went, gaps, too.

        Raises:
            NotFound: there is no such conversation here.
        """
        row, me = self._row(target), self._core.me.folded
        if after is not None:
            return history.after(self._db, row, after, last, me, notices=notices)
        return history.last(self._db, row, last, me, before=before, notices=notices)

    def first_unread(self, target: str) -> int | None:
        """The place (`n`) of the oldest message that was not shown yet."""
        return history.first_unread(self._db, self._row(target))

    def search(self, words: str, last: int = 50, target: str | None = None) -> list[HistoryLine]:
        """The last messages that hold all these words, oldest first, everywhere or in one
        conversation."""
        row = self._row(target) if target is not None else None
        return history.search(self._db, words, last, self._core.me.folded, row)

    def draft(self, target: str, text: str | None = None) -> str:
        """The unfinished text of a conversation; with `text` it is kept first. Never sent."""
        row = self._row(target)
        if text is None or text == row.draft:
            return row.draft
        with self._db.transaction():
            conversations.update(self._db, row.log_id, draft=text)
        return text

    def notify(self, target: str, level: str | None = None) -> str:
        """What is worth a notification in a conversation: `all`, `mentions` or `nothing`."""
        row = self._row(target)
        if level is None:
            return row.notify
        if level not in ("all", "mentions", "nothing"):
            raise Usage(f"{level!r} is no level; there are all, mentions and nothing")
        with self._db.transaction():
            conversations.update(self._db, row.log_id, notify=level)
        return level

    def setting(self, name: str, value: str | None = None) -> str | None:
        """A setting of a face, kept in the profile; with `value` it is set first."""
        key = "setting " + name
        if value is not None:
            with self._db.transaction():
                self._db.put(key, value)
            return value
        found = self._db.get(key)
        return None if found is None else str(found)

    async def mark_read(self, target: str) -> None:
        """Everything in a conversation was shown: the senders are told."""
        row = conversations.find(self._db, _fold_target(target))
        if row is None:
            return
        with self._db.transaction():
            newest = self._db.value("SELECT max(seq) FROM messages WHERE log_id = ?", row.log_id)
            if newest is not None and newest > row.read:
                conversations.update(self._db, row.log_id, read=newest)
        self._core.pump()
        self._driver.turn()

    # --- people -------------------------------------------------------------------------------

    async def users(self) -> list[UserLine]:
        """Everybody on the server."""
        lines = []
        for user in await self.run(flows.list_users(self._core)):
            known = contacts.get(self._db, user.name)
            lines.append(
                UserLine(
                    name=user.name,
                    fingerprint=fingerprint.format_fingerprint(user.fingerprint),
                    online=user.online,
                    owner=user.role is m.Role.OWNER,
                    me=user.fingerprint == self._core.me.fingerprint,
                    verified=known is not None and known.verified,
                    changed=known is not None and known.fingerprint != user.fingerprint,
                    away=contacts.away(self._db, user.name),
                )
            )
        return lines

    async def query(self, user: str) -> str:
        """Open a private chat without writing; gives its name `@user`."""
        log_id = await self._log("@" + user.removeprefix("@"))
        row = conversations.get(self._db, log_id)
        assert row is not None
        return row.name

    async def verify(self, user: str) -> Verification:
        """The safety number that we and a user compare.

        Raises:
            NotFound: there is no such user.
        """
        user = user.removeprefix("@")
        known = contacts.get(self._db, user)
        if known is None or known.changed_certificate is None:
            with suppress(WrongIdentity):
                await self.run(flows.fetch_person(self._core, user))
            known = contacts.get(self._db, user)
        if known is None:
            raise NotFound(f"there is no user {user} on this server")
        theirs = known.fingerprint
        if known.changed_certificate is not None:
            theirs = self._changed_fingerprint(known)
        digits = fingerprint.safety_number(self._core.me.fingerprint, theirs)
        return Verification(
            user=known.name,
            safety_number=fingerprint.format_safety_number(digits),
            fingerprint=fingerprint.format_fingerprint(theirs),
            verified=known.verified,
            changed=known.changed_certificate is not None,
        )

    def _changed_fingerprint(self, known: contacts.Contact) -> bytes:
        changed = known.changed_certificate or b""
        return certificates.check_identity(changed, moment(now_ms())).fingerprint

    async def accept_identity(self, user: str) -> None:
        """Accept a changed identity, after comparing."""
        known = contacts.get(self._db, user.removeprefix("@"))
        if known is None or known.changed_certificate is None:
            return
        with self._db.transaction():
            contacts.accept_change(self._db, known.name, self._changed_fingerprint(known))

    async def mark_verified(self, user: str) -> None:
        """The safety number was compared and is the same; accepts a changed identity."""
        await self.accept_identity(user)
        known = contacts.get(self._db, user.removeprefix("@"))
        if known is None:
            raise NotFound(f"there is no user {user} here")
        with self._db.transaction():
            contacts.mark_verified(self._db, known.name)
            self._core.emit(
                IdentityEvent(
                    at=stamp(now_ms()),
                    user=known.name,
                    state="verified",
                    fingerprint=fingerprint.format_fingerprint(known.fingerprint),
                )
            )

    async def devices(self) -> list[DeviceLine]:
        """Our devices."""
        reply = await self.run(_ask(self._core, m.GetUser(self.name)))
        assert isinstance(reply, m.User)
        return [
            DeviceLine(
                device_id=device.device_id.hex(),
                this=device.device_id == self._core.me.device_id,
                last_seen=stamp(device.last_seen) if device.last_seen else None,
            )
            for device in reply.devices
        ]

    # --- rooms --------------------------------------------------------------------------------

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


def _ask(core: Core, message: m.Message) -> Flow[m.Message]:
    reply = yield core.ask(message)
    return reply  # type: ignore[no-any-return]


def _raw_id(id_: str) -> bytes:
    try:
        raw = bytes.fromhex(id_)
    except ValueError:
        raw = b""
    if len(raw) != m.ID_BYTES:
        raise NotFound(f"there is no message {id_} here")
    return raw


def _fold_target(target: str) -> str:
    return target[:1] + fold_name(target[1:])
