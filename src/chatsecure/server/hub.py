"""Who is connected, who reads which log, and how entries reach them.

Each connection has a subscription (`Sub`) for each log it follows:

    BEHIND   it is served from the store, batch by batch, as its connection drains
    LIVE     it has everything up to the log's head; new entries are pushed to it as they commit

    subscribe                                          -> BEHIND
    BEHIND, a look found no more and nothing came since -> LIVE
    LIVE, the connection's queue is full               -> BEHIND
    the device left the roster and has read to its end -> gone

No gap and no repeat: a subscription is registered before the store is looked at, so whatever
commits after that look is published to a registered subscription and raises its channel's head;
`sent` says how far a subscription has got, and only what follows it is ever sent.

Runs in the core's turn only. Entries are encoded once for all their readers.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chatsecure.wire import messages as m
from chatsecure.wire.connection import encode_message

from .rules.logs import Published
from .store.base import UserKey

if TYPE_CHECKING:
    from .session import Session

MAX_PRESENCE_WAITING = 100_000


@dataclass(slots=True, eq=False)
class Sub:
    """One connection's reading of one log."""

    session: "Session"
    log_id: bytes
    sent: int
    """The last entry handed to the connection."""
    live: bool = False
    known: bool = False
    """The store has confirmed that this device may read here."""
    renewed: bool = False
    """It takes the place of one that was known: nobody comes or goes by it."""


@dataclass(slots=True)
class Channel:
    """A log that somebody connected reads."""

    subs: set[Sub] = field(default_factory=set)
    head: int = 0
    """The last entry published while the channel existed."""


@dataclass(slots=True, eq=False)
class Online:
    """A user with connections."""

    name: str
    sessions: set["Session"] = field(default_factory=set)
    present: int = 0
    """How many of the connections others may see."""
    announced: bool = False


class Hub:
    """All connections of this server.

    Args:
        queue_bytes: what may wait for one connection before it is served from the store.
        batch_bytes: entries in one frame.
    """

    def __init__(self, queue_bytes: int, batch_bytes: int) -> None:
        self._queue_bytes = queue_bytes
        self._batch_bytes = batch_bytes
        self.channels: dict[bytes, Channel] = {}
        self.users: dict[UserKey, Online] = {}
        self.online: set[UserKey] = set()
        """Users whom others may see as online."""
        self.devices: dict[bytes, int] = {}
        """Connected devices and how many connections each has."""
        self.delivered = 0
        """Entries handed to connections."""
        self._fallen: set[Session] = set()

    # --- connections --------------------------------------------------------------------------

    def enter(self, session: "Session") -> None:
        """A connection has logged in."""
        who = session.who
        assert who is not None
        user = self.users.setdefault(who.user, Online(who.name))
        user.sessions.add(session)
        user.present += session.present
        self.devices[who.device_id] = self.devices.get(who.device_id, 0) + 1
        if user.present:
            self.online.add(who.user)

    def leave(self, session: "Session", now: int) -> bool:
        """A connection has gone. True: it was its device's last."""
        who = session.who
        assert who is not None
        user = self.users[who.user]
        user.present -= session.present
        if not user.present:
            self.online.discard(who.user)
            if user.announced:
                user.announced = False
                gone = encode_message(m.Presence(user.name, online=False, at=now))
                for other in self._peers(self._channels_of(user.sessions), who.user):
                    self._tell_user(other, who.user, gone)
        for sub in list(session.subs.values()):
            self.drop(sub)
        user.sessions.discard(session)
        if not user.sessions:
            del self.users[who.user]
        self.devices[who.device_id] -= 1
        if self.devices[who.device_id]:
            return False
        del self.devices[who.device_id]
        return True

    # --- subscriptions ------------------------------------------------------------------------

    def subscribe(self, session: "Session", log_id: bytes, cursor: int) -> Sub:
        """Register a subscription; it is behind until the store has been looked at."""
        old = session.subs.get(log_id)
        sub = Sub(session, log_id, cursor)
        if old is not None:
            sub.renewed = old.known or old.renewed
            self.drop(old)
        session.subs[log_id] = sub
        session.behind[log_id] = sub
        self.channels.setdefault(log_id, Channel()).subs.add(sub)
        return sub

    def drop(self, sub: Sub) -> None:
        """A subscription ends."""
        if sub.session.subs.get(sub.log_id) is sub:
            del sub.session.subs[sub.log_id]
            sub.session.behind.pop(sub.log_id, None)
        channel = self.channels.get(sub.log_id)
        if channel is not None:
            channel.subs.discard(sub)
            if not channel.subs:
                del self.channels[sub.log_id]

    def looked(
        self, sub: Sub, entries: list[m.Entry], *, more: bool, end: int | None, head: int
    ) -> None:
        """The store has been looked at for a subscription: send, and see whether it is live now.

        Args:
            more: there are more entries on disk.
            end: where the device's reading ends (None: it is in the roster, -1: it never was).
            head: the log's head at the time of the look.
        """
        if sub.session.subs.get(sub.log_id) is not sub:
            return
        entries = [entry for entry in entries if entry.seq > sub.sent]
        for frame, last, count in self._frames(sub.log_id, entries):
            sub.session.port.write(frame)
            self.delivered += count
            sub.sent = max(sub.sent, last)
        if more:
            return
        if end is not None:
            self.drop(sub)
            return
        sub.sent = max(sub.sent, head)
        if sub.sent >= self.channels[sub.log_id].head:
            sub.live = True
            sub.session.behind.pop(sub.log_id, None)

    # --- publishing ---------------------------------------------------------------------------

    def publish(self, batch: list[Published]) -> set["Session"]:
        """Entries have been committed: push them to who reads their logs.

        Returns:
            The connections that fell behind; they are to be served from the store.
        """
        by_log: dict[bytes, list[Published]] = {}
        for item in batch:
            if item.log_id in self.channels:
                by_log.setdefault(item.log_id, []).append(item)
        for log_id, items in by_log.items():
            run: list[m.Entry] = []
            for item in items:
                run.append(item.entry)
                if item.removed:
                    self._push(log_id, run)
                    self._remove(log_id, item.removed)
                    run = []
            self._push(log_id, run)
        fallen, self._fallen = self._fallen, set()
        return fallen

    def _push(self, log_id: bytes, entries: list[m.Entry]) -> None:
        channel = self.channels.get(log_id)
        if channel is None or not entries:
            return
        channel.head = max(channel.head, entries[-1].seq)
        first = entries[0].seq
        for frame, last, count in self._frames(log_id, entries):
            for sub in channel.subs:
                if sub.live:
                    self._push_to(sub, frame, first, last, count, entries)
            first = last + 1

    def _push_to(
        self, sub: Sub, frame: bytes, first: int, last: int, count: int, entries: list[m.Entry]
    ) -> None:
        if sub.sent >= last:
            return
        if sub.sent >= first:
            # It has a part of them from the store already.
            rest = [entry for entry in entries if sub.sent < entry.seq <= last]
            frame, count = encode_message(m.Entries(sub.log_id, rest)), len(rest)
        port = sub.session.port
        queued = port.queued()
        if queued and queued + len(frame) > self._queue_bytes:
            sub.live = False
            sub.session.behind[sub.log_id] = sub
            self._fallen.add(sub.session)
            return
        port.write(frame)
        self.delivered += count
        sub.sent = last

    def _frames(self, log_id: bytes, entries: list[m.Entry]) -> Iterator[tuple[bytes, int, int]]:
        """Frames of these entries, with the last sequence number and the count in each."""
        start, size = 0, 0
        for index, entry in enumerate(entries):
            size += len(entry.payload) + 64
            if index > start and size > self._batch_bytes:
                part = entries[start:index]
                yield encode_message(m.Entries(log_id, part)), part[-1].seq, len(part)
                start, size = index, len(entry.payload) + 64
        if start < len(entries):
            part = entries[start:] if start else entries
            yield encode_message(m.Entries(log_id, part)), part[-1].seq, len(part)

    def _remove(self, log_id: bytes, devices: Iterable[bytes]) -> None:
        channel = self.channels.get(log_id)
        gone = set(devices)
        for sub in list(channel.subs) if channel is not None else ():
            if sub.live and sub.session.who is not None and sub.session.who.device_id in gone:
                self.drop(sub)

    # --- what passes unstored -------------------------------------------------------------------

    def whisper(self, session: "Session", message: m.Whisper) -> None:
        """Pass an ephemeral message to who is online in a conversation."""
        sub = session.subs.get(message.log_id)
        who = session.who
        if sub is None or not sub.known or who is None:
            return
        frame = encode_message(m.Whispered(message.log_id, who.device_id, message.payload))
        for other in self.channels[message.log_id].subs:
            if (
                other.known
                and other.session.who is not None
                and other.session.who.device_id != who.device_id
                and other.session.port.queued() < self._queue_bytes
            ):
                other.session.port.write(frame)

    # --- presence -------------------------------------------------------------------------------

    def appear(self, session: "Session", subs: Iterable[Sub], now: int) -> None:
        """These subscriptions of a connection are known to be rightful: who shares these
        conversations and did not share one before learns that the user is online, and the
        connection learns who of them is."""
        who = session.who
        assert who is not None
        user = self.users[who.user]
        fresh = {sub.log_id for sub in subs if not sub.renewed}
        peers = self._peers(fresh, who.user)
        mine = self._peers({id_ for id_ in session.subs if id_ not in fresh}, who.user)
        for other in peers - mine:
            if other in self.online:
                self._tell(session, other, self._presence(other, now))
        if not user.present:
            return
        elsewhere = self._channels_of(user.sessions - {session}) | (set(session.subs) - fresh)
        told = self._peers(elsewhere, who.user)
        if not user.announced:
            user.announced = True
            peers, told = peers | told, set()
        here = self._presence(who.user, now)
        for other in peers - told:
            self._tell_user(other, who.user, here)

    def _presence(self, user: UserKey, now: int) -> bytes:
        return encode_message(m.Presence(self.users[user].name, online=True, at=now))

    def _channels_of(self, sessions: Iterable["Session"]) -> set[bytes]:
        return {log_id for session in sessions for log_id in session.subs}

    def _peers(self, log_ids: Iterable[bytes], me: UserKey) -> set[UserKey]:
        found = {
            sub.session.who.user
            for log_id in log_ids
            if log_id in self.channels
            for sub in self.channels[log_id].subs
            if (sub.known or sub.renewed) and sub.session.who is not None
        }
        found.discard(me)
        return found

    def _tell_user(self, to: UserKey, about: UserKey, frame: bytes) -> None:
        for session in self.users[to].sessions if to in self.users else ():
            self._tell(session, about, frame)

    def _tell(self, session: "Session", about: UserKey, frame: bytes) -> None:
        """Presence to one connection; what does not fit waits, the newest for each user."""
        if session.presence_waiting or session.port.queued() > self._queue_bytes:
            session.presence_waiting.pop(about, None)
            if len(session.presence_waiting) < MAX_PRESENCE_WAITING:
                session.presence_waiting[about] = frame
        else:
            session.port.write(frame)

    def drained(self, session: "Session") -> None:
        """A connection has room again."""
        waiting = session.presence_waiting
        while waiting and session.port.queued() <= self._queue_bytes:
            session.port.write(waiting.pop(next(iter(waiting))))
