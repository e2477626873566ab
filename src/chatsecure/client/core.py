"""The headless client core: what a client does, without sockets, threads or a clock of its own.

Whoever drives it (the asyncio driver, the simulation) calls `connected`, `received`,
`disconnected` and `tick`, sends what `take_output` gives, and wakes it at `next_wakeup`. Faces
start flows and get events. Everything that must survive is in the database before it is shown or
acknowledged; every process that has the profile open may run a core of its own.

This module holds the connection's life: greeting, log-in, requests and their answers, keep-alive,
events. What arrives in conversations is handled in `receive.py`, what is sent in `outbox.py`,
operations of several steps in `flows*.py`, files in `files.py`.
"""

import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

import msgspec

from chatsecure import __version__, mls
from chatsecure.wire import messages as m
from chatsecure.wire.connection import CLIENT_ACCEPTS, Connection
from chatsecure.wire.errors import (
    ChatSecureError,
    ErrorCode,
    ProtocolError,
    Refused,
    Unreachable,
    WrongIdentity,
)

from . import conversations, stale
from .events import NOTICES, ConnectionEvent, Event, PresenceEvent, is_momentary, stamp, to_json
from .flow import Flow, Operation, Scheduler, T, Ticket, Work
from .groups import KEY_PACKAGES_WANTED, Groups
from .profile.database import Database

AGENT = f"chatsecure/{__version__}"
PING_AFTER_MS = 10_000
DEAD_AFTER_MS = 25_000
ADOPT_AFTER_MS = 5_000
"""How often we look for changes that a process of this profile began and did not end."""
MAX_EVENTS_KEPT = 200_000

Listener = Callable[[Event], None]
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
        self.listeners: list[Listener] = []
        self.online = False
        """Logged in and subscribed."""
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
        self.presence: dict[str, bool] = {}
        self.role = m.Role.MEMBER
        self.lobby: bytes | None = None
        self.fatal: ChatSecureError | None = None
        """Why there is no use in connecting again (banned, wrong identity, unknown device)."""
        self._connection: Connection | None = None
        self._output: list[bytes] = []
        self._bulk: deque[Ticket] = deque()
        self.two_lanes = False
        """Whether whoever drives us takes parts of files by `take_bulk`."""
        self._tickets: dict[int, Ticket] = {}
        self._unsent: list[Ticket] = []
        self._client_nonce = b""
        self._certificate_hash = b""
        self._heard_at = 0
        self._pinged = False
        self._adopted_at = 0
        self._followed: set[tuple[bytes, int]] = set()
        self._events: list[Event] = []
        self._deferred: list[Callable[[], None]] = []
        db.on_commit.append(self._committed)
        db.on_rollback.append(self._undone)
        self.outbox = Outbox(self)
        self.receiver = Receiver(self)
        self.files = Files(self)

    # --- connection ---------------------------------------------------------------------------

    def connected(self, certificate: bytes) -> None:
        """A TLS connection stands.

        Args:
            certificate: the server's, in DER.

        Raises:
            WrongIdentity: it is not the pinned one; close the connection.
        """
        found = sha256(certificate).digest()
        pinned = bytes(self.db.get("server_certificate_hash") or b"")
        if not found.startswith(bytes(self.db.get("server_fingerprint"))) or (
            pinned and pinned != found
        ):
            self.fatal = WrongIdentity(
                "this is not the server of the invitation: its key is another one",
                hint="somebody may be in between; ask who invited you",
            )
            raise self.fatal
        self._certificate_hash = found
        self._connection = Connection(CLIENT_ACCEPTS)
        self._client_nonce = self.random(32)
        self._heard_at, self._pinged = self.clock(), False
        self._send(m.ClientHello([m.PROTOCOL_VERSION], self._client_nonce, AGENT))

    def disconnected(self, reason: str) -> None:
        """The connection is gone. Requests without an answer are asked again on the next one."""
        was_online = self.online
        self.online = False
        self._connection = None
        self._output.clear()
        waiting = [*self._tickets.values(), *self._unsent, *self._bulk]
        self._tickets.clear()
        self._bulk.clear()
        self._unsent = [ticket for ticket in waiting if not ticket.once]
        for ticket in waiting:
            if ticket.once:
                ticket.resolve(None, Unreachable("the connection broke"))
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
        if self._connection is None:
            return
        self._heard_at, self._pinged = self.clock(), False
        only_files = True
        for request, message in self._connection.receive(data):
            only_files = only_files and self._of_file(request)
            self._handle(request, message)
        self.scheduler.settle()
        if not only_files:
            self.pump()

    def _of_file(self, request: int) -> bool:
        """Whether a request moves a file's bytes: its answer starts nothing else."""
        ticket = self._tickets.get(request)
        return ticket is not None and isinstance(ticket.message, m.BlobPut | m.BlobGet)

    def tick(self) -> None:
        """Time has passed: keep-alive and deadlines.

        Raises:
            Unreachable: the server has been silent for too long; close the connection.
        """
        self.scheduler.settle()
        if self._connection is not None:
            silent = self.clock() - self._heard_at
            if silent > DEAD_AFTER_MS:
                raise Unreachable("the server does not answer any more")
            if silent > PING_AFTER_MS and not self._pinged:
                self._pinged = True
                self._send(m.Ping())
        self.pump()

    def next_wakeup(self) -> int | None:
        """When `tick` must be called at the latest, by `clock`."""
        times = [self.scheduler.next_deadline(), self.outbox.next_retry()]
        files = self.files.next_retry()
        if files is not None:
            times.append(self.clock() + max(0, files - self.now()))
        if self._connection is not None:
            times.append(self._heard_at + (DEAD_AFTER_MS if self._pinged else PING_AFTER_MS) + 1)
        return min((time for time in times if time is not None), default=None)

    def take_output(self) -> bytes:
        """What is to be sent now."""
        output = b"".join(self._output)
        self._output.clear()
        return output

    def _send(self, message: m.Message, request: int = 0) -> None:
        if self._connection is not None:
            self._output.append(self._connection.send(message, request))

    def notify(self, message: m.Message) -> None:
        """Send something that has no answer, if we are online."""
        if self.online:
            self._send(message)

    # --- requests -----------------------------------------------------------------------------

    def ask(
        self,
        message: m.Message,
        on_done: Callable[[Ticket], None] | None = None,
        *,
        once: bool = False,
        bulk: bool = False,
    ) -> Ticket:
        """Send a request, at once or as soon as we are online. All requests may be repeated.

        Args:
            once: on this connection only; `Unreachable` when it breaks.
            bulk: a file's part: it leaves when nothing else is to be sent.
        """
        ticket = Ticket(message, once=once)
        ticket.on_done = on_done
        if bulk and self.two_lanes:
            self._bulk.append(ticket)
        elif self.online and self._connection is not None:
            self._send_ticket(ticket)
        else:
            self._unsent.append(ticket)
        return ticket

    def take_bulk(self) -> bytes:
        """The next part of a file to send, when all else has left; empty if there is none."""
        if not self._bulk or not self.online or self._connection is None:
            return b""
        ticket = self._bulk.popleft()
        request = self._connection.next_request()
        self._tickets[request] = ticket
        return self._connection.send(ticket.message, request)

    def _send_ticket(self, ticket: Ticket) -> None:
        assert self._connection is not None
        request = self._connection.next_request()
        self._tickets[request] = ticket
        self._send(ticket.message, request)

    def work(self, job: Callable[[], object]) -> Work:
        """Have something slow done beside; the flow that waits for it gets what came of it."""
        work = Work()

        def end() -> None:
            work.end()
            self.scheduler.settle()

        self.background(lambda: work.run(job), end)
        return work

    def run(
        self, flow: Flow[T], on_done: Callable[[Operation[T]], None] | None = None
    ) -> Operation[T]:
        """Start a flow."""
        operation = self.scheduler.start(flow, on_done)
        self.pump()
        return operation

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

    def pump(self) -> None:
        """Start whatever can go on now: messages to send, files to move."""
        if self.online:
            if self.clock() - self._adopted_at > ADOPT_AFTER_MS:
                self._adopt_pending()
                stale.heal(self)
            self._follow()
            self.outbox.pump()
            self.files.pump()
            self.scheduler.settle()

    # --- messages from the server -------------------------------------------------------------

    def _handle(self, request: int, message: m.Message) -> None:
        if request:
            self._answer(request, message)
            return
        match message:
            case m.ServerHello():
                self._greet(message)
            case m.Error():
                raise Refused(message.code, message.message, message.detail)
            case m.Entries():
                self.receiver.entries(message)
                self.outbox.pump()
            case m.Presence():
                self._presence(message)
            case m.Whispered():
                self.receiver.whisper(message)
            case m.Ping():
                self._send(m.Pong())
            case m.Goodbye():
                error = Refused(message.code, message.message)
                if error.code is ErrorCode.BANNED:
                    self.fatal = error
                raise error
            case m.Pong():
                pass
            case _:
                raise ProtocolError(f"a {type(message).__name__} came unasked")

    def _answer(self, request: int, message: m.Message) -> None:
        ticket = self._tickets.pop(request, None)
        if ticket is None:
            raise ProtocolError("the server answered what nobody asked")
        if isinstance(message, m.Error):
            ticket.resolve(None, Refused(message.code, message.message, message.detail))
        else:
            ticket.resolve(message, None)

    def internal(self, message: m.Message, on_done: Callable[[Ticket], None]) -> None:
        """A request of the connection itself: the next one makes its own."""
        ticket = Ticket(message, once=True)

        def done(ticket: Ticket) -> None:
            if self._connection is not None:
                on_done(ticket)

        ticket.on_done = done
        self._send_ticket(ticket)

    def _greet(self, hello: m.ServerHello) -> None:
        """The server's hello has come: prove who we are."""
        assert self._connection is not None
        self._connection.greeted()
        if hello.version != m.PROTOCOL_VERSION:
            raise ProtocolError("the server wants a protocol version that we did not offer")
        if self.db.get("registered"):
            login: m.Message = m.Login(
                self.me.device_id,
                self._signature(m.LoginPurpose.LOGIN, hello, self.me.device_id),
                self.options.present,
                stale.generation(self.db),
                stale.new_mark(self),
            )
        else:
            unsigned = self._registration()
            signature = self._signature(
                m.LoginPurpose.REGISTER, hello, m.registration_subject(unsigned)
            )
            login = msgspec.structs.replace(unsigned, signature=signature)
        self.internal(login, self._logged_in)

    def _registration(self) -> m.Register:
        get = self.db.get
        return m.Register(
            token=bytes(get("token")),
            name=self.me.name,
            identity_certificate=self.me.chain[1],
            sealing_certificate=bytes(get("sealing_certificate")),
            device_certificate=self.me.chain[0],
            device_list=m.SignedDeviceList(
                bytes(get("device_list")), bytes(get("device_list_signature"))
            ),
            signature=b"\0",
            present=self.options.present,
        )

    def _signature(self, purpose: m.LoginPurpose, hello: m.ServerHello, subject: bytes) -> bytes:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        context = m.login_context(
            purpose,
            hello.version,
            self._certificate_hash,
            hello.nonce,
            self._client_nonce,
            subject,
        )
        return Ed25519PrivateKey.from_private_bytes(bytes(self.db.get("device_seed"))).sign(context)

    def _logged_in(self, ticket: Ticket) -> None:
        if ticket.error is not None:
            if isinstance(ticket.error, Refused) and ticket.error.code not in (
                ErrorCode.RATE,
                ErrorCode.UNAVAILABLE,
                ErrorCode.TOO_MANY,
                ErrorCode.STORAGE_FULL,
                ErrorCode.INTERNAL,
            ):
                self.fatal = stale.refused(self, ticket.error)
            raise self.fatal or ticket.error
        reply = ticket.reply
        if not isinstance(reply, m.LoggedIn) or self._connection is None:
            raise ProtocolError("the server answered a log-in with something else")
        self._connection.open()
        self.role, self.lobby = reply.role, reply.lobby
        with self.db.transaction():
            self.db.run(
                "DELETE FROM events WHERE n <= (SELECT max(n) FROM events) - ?", MAX_EVENTS_KEPT
            )
            if not self.db.get("registered"):
                self.db.put("registered", 1)
                self.db.put("server_certificate_hash", self._certificate_hash)
                self.db.run("DELETE FROM meta WHERE key = 'token'")
            if isinstance(ticket.message, m.Login):
                stale.logged_in(self, ticket.message, reply)
            self.stock_key_packages(reply.key_packages_left)
        stale.take_over(self)
        cursors = [m.Cursor(self.me.device_id, self.db.get("inbox_cursor") or 0)]
        active = conversations.everything(self.db, conversations.ACTIVE)
        cursors += [m.Cursor(row.log_id, row.start, _chain_there(row)) for row in active]
        self._followed = {(row.log_id, row.joined_at) for row in active}
        self.internal(m.Subscribe(cursors), self._subscribed)

    def stock_key_packages(self, left: int) -> None:
        """Publish KeyPackages so that others can add this device while it is away."""
        now = self.now()
        replace = bool(self.db.get("replace_key_packages"))
        if replace:
            # The server may have some of another copy, whose private part is not here.
            self.db.run("UPDATE key_packages SET uploaded = 1")
            left = 0
        if replace or not self.db.row("SELECT 1 FROM key_packages WHERE last_resort = 1"):
            self.groups.make_key_packages(1, last_resort=True, now=now)
        waiting = self.db.value(
            "SELECT count(*) FROM key_packages WHERE uploaded = 0 AND last_resort = 0"
        )
        if left + waiting < KEY_PACKAGES_WANTED // 2:
            missing = KEY_PACKAGES_WANTED - left - waiting
            self.groups.make_key_packages(missing, last_resort=False, now=now)
        rows = self.db.rows(
            "SELECT ref, data, last_resort FROM key_packages WHERE uploaded = 0 LIMIT 100"
        )
        if rows:
            uploads = [m.KeyPackageUpload(ref, data, bool(last)) for ref, data, last in rows]
            self.internal(m.PutKeyPackages(uploads, replace), self._key_packages_put)

    def _key_packages_put(self, ticket: Ticket) -> None:
        if ticket.error is None and isinstance(ticket.message, m.PutKeyPackages):
            with self.db.transaction():
                self.db.run_many(
                    "UPDATE key_packages SET uploaded = 1 WHERE ref = ?",
                    ((package.ref,) for package in ticket.message.packages),
                )
                if ticket.message.replace:
                    self.db.put("replace_key_packages", 0)

    def _subscribed(self, ticket: Ticket) -> None:
        if ticket.error is not None:
            raise ticket.error
        if not isinstance(ticket.reply, m.Subscribed):
            raise ProtocolError("the server answered a subscription with something else")
        self.online = True
        self.receiver.subscribed(ticket.reply.logs, _asked(ticket), whole=True)
        self.emit(ConnectionEvent(at=stamp(self.now()), state="online"))
        unsent, self._unsent = self._unsent, []
        for waiting in unsent:
            self._send_ticket(waiting)
        self._adopt_pending()
        for (log_id,) in self.db.rows("SELECT DISTINCT log_id FROM leavers"):
            self.remove_leavers(log_id)
        self.receiver.reconsider_all()
        stale.came_online(self)

    def _adopt_pending(self) -> None:
        """Bring through what an earlier run, or another process that died, had begun."""
        from .flows import submit

        self._adopted_at = self.clock()
        for (log_id,) in self.db.rows("SELECT log_id FROM pending_commits"):
            if log_id not in self.submitting:
                self.run(submit(self, bytes(log_id)), _ignore)

    def _follow(self) -> None:
        """Follow on this connection every conversation we are in, also those that another process
        of this profile has brought us into."""
        active = {
            (bytes(log_id), joined_at)
            for log_id, joined_at in self.db.rows(
                "SELECT log_id, joined_at FROM conversations WHERE state = 'active'"
            )
        }
        new, self._followed = active - self._followed, active
        for log_id, _ in sorted(new):
            row = conversations.get(self.db, log_id)
            if row is not None:
                self.subscribe(log_id, row.start, _chain_there(row))
            else:
                self.subscribe(log_id, 0)

    def subscribe(self, log_id: bytes, cursor: int, chain: bytes = b"") -> None:
        """Start the flow of one more log, or of one anew."""

        def done(ticket: Ticket) -> None:
            if isinstance(ticket.reply, m.Subscribed):
                self.receiver.subscribed(ticket.reply.logs, _asked(ticket), whole=False)

        self.internal(m.Subscribe([m.Cursor(log_id, cursor, chain)]), done)

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

    # --- events -------------------------------------------------------------------------------

    def emit(self, event: Event) -> None:
        """Tell the faces. What must not be missed is written in the transaction under way."""
        if self.db.in_transaction:
            if not is_momentary(event):
                body = to_json(event)
                self.db.run("INSERT INTO events(body) VALUES(?)", body)
                if isinstance(event, NOTICES) and event.conversation:
                    self._keep_notice(event, body)
            self._events.append(event)
        elif is_momentary(event):
            for listener in list(self.listeners):
                listener(event)
        else:
            with self.db.transaction():
                self.emit(event)

    def _keep_notice(self, event: Event, body: str) -> None:
        from .history import add_notice

        row = conversations.find(self.db, (event.conversation or "").casefold())
        if row is not None:
            add_notice(self.db, row, body, self.now(), event.sender or "")

    def defer(self, call: Callable[[], None]) -> None:
        """Do something after the transaction under way is on disk; not at all if it is undone."""
        if self.db.in_transaction:
            self._deferred.append(call)
        else:
            call()

    def _committed(self) -> None:
        events, self._events = self._events, []
        deferred, self._deferred = self._deferred, []
        for event in events:
            for listener in list(self.listeners):
                listener(event)
        for call in deferred:
            call()

    def _undone(self) -> None:
        self._events, self._deferred = [], []

    def start(self, flow: Flow[None]) -> None:
        """Start a flow that nobody waits for: how it ends shows in the conversation."""
        self.run(flow, _ignore)

    def remove_leavers(self, log_id: bytes) -> None:
        """Somebody left: one of us takes their devices out of the group."""
        from .flows_rooms import remove_leavers

        self.run(remove_leavers(self, log_id))

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

    def close(self) -> None:
        """Let go of everything but the database."""
        self.db.on_commit.remove(self._committed)
        self.db.on_rollback.remove(self._undone)


def _at_once(job: Callable[[], None], end: Callable[[], None]) -> None:
    job()
    end()


def _ignore(_operation: Operation[None]) -> None:
    """A change that another run of ours had begun: how it ended is in the log."""


def _chain_there(row: conversations.Conversation) -> bytes:
    """The hash chain at our cursor, where we have one."""
    return row.chain if row.cursor is not None else b""


def _asked(ticket: Ticket) -> dict[bytes, int]:
    """The cursors a subscription was asked with."""
    assert isinstance(ticket.message, m.Subscribe)
    return {cursor.log_id: cursor.seq for cursor in ticket.message.cursors}
