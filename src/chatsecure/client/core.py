"""The headless client core: what a client does, without sockets, threads or a clock of its own.

Whoever drives it (the asyncio driver, the simulation) calls `connected`, `received`,
`disconnected` and `tick`, sends what `take_output` gives, and wakes it at `next_wakeup`. Faces
start flows and get events. Everything that must survive is in the database before it is shown or
acknowledged; every process that has the profile open may run a core of its own.

This module is the whole of it and what the parts share. The connection's bytes and requests are in
`requests.py`, greeting and log-in in `login.py`, events in `announce.py`, what comes to disk
together in `turns.py`. What arrives in conversations is handled in `receive.py`, invitations in
`inbox.py`, what is sent in `outbox.py`, operations of several steps in `flows*.py`, files in
`files/`.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from chatsecure import mls
from chatsecure.wire import messages as m
from chatsecure.wire.errors import ChatSecureError, ErrorCode, ProtocolError, Refused

from . import conversations, stale
from .announce import Announcer
from .events import ConnectionEvent, PresenceEvent, stamp
from .flow import Flow, Operation, Scheduler, T, Work
from .groups import Groups
from .login import Login
from .profile.database import Database
from .requests import Requests
from .turns import Turns

ADOPT_AFTER_MS = 5_000
"""How often we look for changes that a process of this profile began and did not end."""
Background = Callable[[Callable[[], None], Callable[[], None]], None]
"""Does the first in a thread of its own, then calls the second in the core's."""


@dataclass(frozen=True, slots=True)
class Me:
    """Whose profile it is."""

    name: str
    folded: str
    fingerprint: bytes
    device_id: bytes
    chain: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Options:
    """How a core behaves, set by the face that runs it."""

    present: bool = True
    """Others see us come and go."""
    receive_files: bool = True
    """Files are fetched as they are offered."""
    suite: mls.Suite = mls.DEFAULT_SUITE
    """The cipher suite of the groups and KeyPackages this device makes."""


class Core:
    """One running client.

    Args:
        db: the open profile.
        now: the time in milliseconds since 1970.
        clock: milliseconds that only grow, for whatever is waited for: the time may be set.
        random: gives that many random bytes (ids and nonces; keys come from the libraries).
    """

    def __init__(
        self,
        db: Database,
        *,
        now: Callable[[], int],
        clock: Callable[[], int],
        random: Callable[[int], bytes] = secrets.token_bytes,
        options: Options = Options(),
    ) -> None:
        from .files import Files
        from .inbox import Inbox
        from .outbox import Outbox
        from .receive import Receiver

        self.db = db
        self.now, self.clock = now, clock
        self.random = random
        self.options = options
        self.me = Me(
            name=db.get("name"),
            folded=db.get("folded"),
            fingerprint=bytes(db.get("fingerprint")),
            device_id=bytes(db.get("device_id")),
            chain=(bytes(db.get("device_certificate")), bytes(db.get("identity_certificate"))),
        )
        self.groups = Groups(db, bytes(db.get("device_seed")), list(self.me.chain), options.suite)
        self.scheduler = Scheduler(clock)
        self.background: Background = _at_once
        """Does work that must not hold up the core; set by the driver."""
        self.post: Callable[[Callable[[], None]], None] = lambda call: call()
        """Calls something in the core's thread, soon, from any thread; set by the driver."""
        self.logs: dict[bytes, m.LogState] = {}
        """Conversations as the server has them; filled by `Subscribed`."""
        self.heads: dict[bytes, int] = {}
        """The last entry the server has told of, for each log."""
        self.epochs: dict[bytes, int] = {}
        """The log's epoch as the server last told it (in a refusal), if ahead of ours."""
        self.submitting: set[bytes] = set()
        """Conversations whose pending request this core is bringing through."""
        self.ignored: dict[bytes, str] = {}
        """Commits of ours that everybody ignores, by append id, and why."""
        self.comparing: dict[bytes, tuple[int, bytes]] = {}
        """Logs of a server that was set back that are read again: how far, and the chain there."""
        self.renewing: set[bytes] = set()
        """Conversations of an old copy of the profile in which this core is renewing our keys."""
        self.opening: set[str] = set()
        """Private chats that this core is making or looking for."""
        self.presence: dict[str, bool] = {}
        self.role = m.Role.MEMBER
        self.lobby: bytes | None = None
        self.fatal: ChatSecureError | None = None
        """Why there is no use in connecting again (banned, wrong identity, unknown device)."""
        self._adopted_at = 0
        self.announcer = Announcer(db, now)
        self.listeners = self.announcer.listeners
        self.emit, self.defer = self.announcer.emit, self.announcer.defer
        self.requests = Requests(clock)
        self.ask, self.notify = self.requests.ask, self.requests.notify
        self.take_output = self.requests.take_output
        self._turns = Turns(self)
        self.turn, self.pump = self._turns.turn, self._turns.pump
        self.login = Login(self)
        self.connected, self.subscribe = self.login.connected, self.login.subscribe
        self.outbox = Outbox(self)
        self.receiver = Receiver(self)
        self.inbox = Inbox(self)
        self.files = Files(self)

    # --- connection ---------------------------------------------------------------------------

    @property
    def online(self) -> bool:
        """Logged in and subscribed."""
        return self.requests.online

    def disconnected(self, reason: str) -> None:
        """The connection is gone. Requests without an answer are asked again on the next one."""
        was_online = self.online
        self.requests.broken()
        self.files.lines.cut()
        self.logs.clear()
        self.comparing.clear()
        self.presence.clear()
        self.receiver.disconnected()
        if was_online:
            self.emit(ConnectionEvent(at=stamp(self.now()), state="offline", reason=reason))
        self.scheduler.settle()

    def received(self, data: bytes | memoryview) -> None:
        """Bytes have come.

        Raises:
            ProtocolError: the server broke the protocol; close the connection.
            ChatSecureError: the server ended the connection, and why.
        """
        if not self.requests.connected:
            return
        with self.turn():
            for request, message in self.requests.receive(data):
                self._handle(request, message)
            self.scheduler.settle()
            self.pump()

    def tick(self) -> None:
        """Time has passed: keep-alive and deadlines.

        Raises:
            Unreachable: the server has been silent for too long; close the connection.
        """
        with self.turn():
            self.scheduler.settle()
            self.requests.keep_alive()
            self.pump()

    def next_wakeup(self) -> int | None:
        """When `tick` must be called at the latest, by `clock`."""
        times = [
            self.scheduler.next_deadline(),
            self.outbox.next_retry(),
            self.requests.next_wakeup(),
        ]
        files = self.files.next_retry()
        if files is not None:
            times.append(self.clock() + max(0, files - self.now()))
        return min((time for time in times if time is not None), default=None)

    # --- what faces and parts start -----------------------------------------------------------

    def work(self, job: Callable[[], object]) -> Work:
        """Have something slow done beside; the flow that waits for it gets what came of it."""
        work = Work()

        def end() -> None:
            with self.turn():
                work.end()
                self.scheduler.settle()

        self._turns.work(lambda: work.run(job), end)
        return work

    def run(
        self, flow: Flow[T], on_done: Callable[[Operation[T]], None] | None = None
    ) -> Operation[T]:
        """Start a flow."""
        with self.turn():
            operation = self.scheduler.start(flow, on_done)
            self.pump()
        return operation

    def start(self, flow: Flow[None]) -> None:
        """Start a flow that nobody waits for: how it ends shows in the conversation."""
        self.run(flow, _ignore)

    def adopt_pending(self) -> None:
        """Bring through what an earlier run, or another process that died, had begun."""
        from .flows import submit

        self._adopted_at = self.clock()
        for (log_id,) in self.db.rows("SELECT log_id FROM pending_commits"):
            if log_id not in self.submitting:
                self.run(submit(self, bytes(log_id)), _ignore)

    def remove_leavers(self, log_id: bytes) -> None:
        """Somebody left: one of us takes their devices out of the group."""
        from .flows_rooms import remove_leavers

        self.run(remove_leavers(self, log_id))

    def caught_up(self) -> bool:
        """Whether everything the server told of at log-in was processed."""
        cursors = {
            row.log_id: row.cursor
            for row in conversations.everything(self.db, conversations.ACTIVE)
        }
        cursors[self.me.device_id] = self.db.get("inbox_cursor") or 0
        return self.online and all(
            cursor is not None and cursor >= self.heads.get(log_id, 0)
            for log_id, cursor in cursors.items()
        )

    def ready(self, log_id: bytes, *, stale: bool = False) -> bool:
        """Whether we follow a conversation up to where the server is, as far as we know, and may
        write in it.

        Args:
            stale: also where the profile is an old copy and our keys are not renewed yet.
        """
        row = conversations.get(self.db, log_id)
        return (
            self.online
            and row is not None
            and row.state == conversations.ACTIVE
            and (stale or not row.stale)
            and log_id not in self.comparing
            and row.cursor is not None
            and row.cursor >= self.heads.get(log_id, 0)
            and row.epoch >= self.epochs.get(log_id, 0)
        )

    def pump_now(self) -> None:
        """Start whatever can go on now, in a turn: messages to send, files to move."""
        if self.online:
            if self.clock() - self._adopted_at > ADOPT_AFTER_MS:
                self.adopt_pending()
                stale.heal(self)
            self.login.follow()
            self.outbox.pump()
            self.files.pump()
            self.scheduler.settle()

    # --- messages from the server -------------------------------------------------------------

    def _handle(self, request: int, message: m.Message) -> None:
        if request:
            self.requests.answer(request, message)
            return
        match message:
            case m.ServerHello():
                self.login.greet(message)
            case m.Error():
                raise Refused(message.code, message.message, message.detail)
            case m.Entries():
                self.receiver.entries(message)
            case m.Presence():
                self._presence(message)
            case m.Whispered():
                self.receiver.whisper(message)
            case m.Ping():
                self.requests.send(m.Pong())
            case m.Goodbye():
                error = Refused(message.code, message.message)
                if error.code is ErrorCode.BANNED:
                    self.fatal = error
                raise error
            case m.Pong():
                pass
            case _:
                raise ProtocolError(f"a {type(message).__name__} came unasked")

    def _presence(self, message: m.Presence) -> None:
        self.presence[message.name] = message.online
        lobby = conversations.get(self.db, self.lobby) if self.lobby else None
        self.emit(
            PresenceEvent(
                at=stamp(message.at),
                conversation=lobby.name if lobby else None,
                sender=message.name,
                user=message.name,
                state="online" if message.online else "offline",
            )
        )

    def close(self) -> None:
        """Let go of everything but the database."""
        self.announcer.close()


def _at_once(job: Callable[[], None], end: Callable[[], None]) -> None:
    job()
    end()


def _ignore(_operation: Operation[None]) -> None:
    """A change that another run of ours had begun: how it ended is in the log."""
