"""The server without sockets, threads or a clock of its own: sessions, requests, time.

An engine carries bytes and calls; a store keeps; time, randomness and the certificate's hash are
parameters. Whatever calls in here does so in *the turn*: the event loop's thread, or under the
one lock of the threaded engine. What waits for a disk is handed out (`Port.work`, `store.write`)
and comes back in a turn.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, TypeVar

from chatsecure.names import fold_name
from chatsecure.wire import messages as m
from chatsecure.wire.errors import ChatSecureError, ErrorCode, Refused
from chatsecure.wire.frames import MAX_FRAME_BYTES

from . import requests
from .blobs.base import BlobStore
from .bus.base import Bus
from .bus.local import LocalBus
from .filelines import FileLines
from .hub import Hub
from .limits import ServerLimits
from .rates import Rates
from .rules import accounts
from .rules.logs import Published
from .session import Port, Session
from .store.base import Store, StoreError, Tx
from .store.turns import Turn
from .transfers import Transfers
from .upkeep import Upkeep

log = logging.getLogger("chatsecure.server")
T = TypeVar("T")
FAREWELLS = 32
"""Connections past the limit that are still told why."""


class Runner(Protocol):
    """What the core needs of an engine besides the connections' ports."""

    def work(
        self,
        job: Callable[[], T],
        done: Callable[[T | Exception], None],
        *,
        bulk: bool = False,
    ) -> None:
        """As `Port.work`, for what belongs to no connection.

        Args:
            bulk: files' bytes, which must not hold up other work.
        """


@dataclass(slots=True)
class Stats:
    """Counters since the start; nothing in them tells what was said or by whom."""

    accepted: int = 0
    handshakes_failed: int = 0
    connections: int = 0
    logins: int = 0
    registrations: int = 0
    turned_away: int = 0
    appended: int = 0
    refused: int = 0
    protocol_errors: int = 0
    vanished: int = 0
    errors: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    blob_bytes_in: int = 0
    blob_bytes_out: int = 0
    batches: int = 0
    writes: int = 0


class Core:
    """One server.

    Args:
        store: where logs and accounts lie.
        blobs: where files lie.
        limits: what is allowed.
        certificate_hash: SHA-256 of the TLS certificate, which log-ins are bound to.
        now: milliseconds since 1970.
        clock: seconds that only grow.
        random: gives that many random bytes.
        total_blob_bytes: room for files.
    """

    def __init__(
        self,
        store: Store,
        blobs: BlobStore,
        limits: ServerLimits,
        *,
        certificate_hash: bytes,
        now: Callable[[], int],
        clock: Callable[[], float],
        random: Callable[[int], bytes],
        total_blob_bytes: int,
    ) -> None:
        self.store = store
        self.limits = limits
        self.certificate_hash = certificate_hash
        self.now, self.clock, self.random = now, clock, random
        self.stats = Stats()
        self.hub = Hub(limits.queue_bytes, limits.batch_bytes)
        self.transfers = Transfers(self, blobs, total_blob_bytes)
        self.file_lines = FileLines(self)
        self.told_limits = m.Limits(
            MAX_FRAME_BYTES, limits.blob_bytes, limits.retention_s, limits.keepalive_s
        )
        self.sessions: set[Session] = set()
        self.banned = {folded for folded, _, _ in store.read(lambda tx: tx.bans())}
        self.generations: dict[bytes, int] = {}
        """Devices whose profile was taken over by another copy since the start, and by which."""
        self.stopping = False
        self.runner: Runner | None = None
        """Set by the engine."""
        self._by_address: dict[str, int] = {}
        self._arrived = 0
        self._published: list[Published] = []
        self.bus: Bus = LocalBus(self._deliver)
        self.upkeep = Upkeep(self)
        self.appends: Rates[bytes] = Rates(limits.append_rate, limits.append_burst)
        self.requests: Rates[bytes] = Rates(limits.request_rate, limits.request_burst)
        self.claims: Rates[bytes] = Rates(limits.claim_rate, limits.claim_burst)
        self.whispers: Rates[bytes] = Rates(limits.whisper_rate, limits.whisper_rate)
        self._failures: Rates[str] = Rates(limits.login_failures / 60, limits.login_failures)

    # --- connections --------------------------------------------------------------------------

    def connect(self, port: Port, address: str) -> Session:
        """A connection stands (after TLS). It may be told to go at once."""
        session = Session(self, port, address)
        self.stats.accepted += 1
        self.stats.connections += 1
        self.sessions.add(session)
        there = self._by_address.get(address, 0)
        if self.stopping:
            session.goodbye(ErrorCode.UNAVAILABLE, "the server is stopping")
        elif len(self.sessions) > self.limits.connections:
            session.goodbye(ErrorCode.TOO_MANY, "the server is full")
        elif there > self.limits.connections_per_address:
            session.goodbye(ErrorCode.TOO_MANY, "too many connections from your address")
        return session

    def arrive(self, address: str) -> bool:
        """A TCP connection was accepted. False: close it, there is no room even for a goodbye;
        otherwise `depart` follows when it is closed."""
        there = self._by_address.get(address, 0) + 1
        if (
            self.stopping
            or there > self.limits.connections_per_address + FAREWELLS
            or self._arrived >= self.limits.connections + FAREWELLS
        ):
            return False
        self._by_address[address] = there
        self._arrived += 1
        return True

    def depart(self, address: str) -> None:
        """A TCP connection that had arrived is closed."""
        self._arrived -= 1
        left = self._by_address[address] - 1
        if left:
            self._by_address[address] = left
        else:
            del self._by_address[address]

    def gone(self, session: Session) -> None:
        """A connection is closed."""
        self.sessions.discard(session)
        self.file_lines.gone(session)
        self.stats.connections -= 1
        who = session.who
        if who is not None and self.hub.leave(session, self.now()):
            at = self.now()
            self.quietly(lambda tx: tx.seen(who.device, at))

    def check_door(self, session: Session) -> None:
        """Before a log-in is looked at.

        Raises:
            Refused: too many from this address have failed.
        """
        if not self._failures.has(session.address, self.clock()):
            raise Refused(ErrorCode.RATE, "too many failed log-ins from your address; wait")

    def turned_away(self, session: Session, error: Exception) -> None:
        """A log-in failed."""
        self._failures.take(session.address, self.clock())
        self.stats.turned_away += 1
        reason = error.code.name if isinstance(error, Refused) else type(error).__name__
        log.info("log-in refused", extra={"reason": reason, "address": session.address})

    def register(
        self,
        applicant: accounts.Applicant,
        done: Callable[[accounts.Welcome | Exception], None],
    ) -> None:
        """Make an account."""
        if applicant.user.folded in self.banned:
            raise Refused(ErrorCode.BANNED, "this name is banned from this server")
        now, limits = self.now(), self.limits
        self.store.write(lambda tx: accounts.register(tx, applicant, now, limits), done)

    def entered(self, session: Session, *, new: bool) -> None:
        """A connection has logged in."""
        self.stats.logins += 1
        self.hub.enter(session)
        if new and session.who is not None:
            self.stats.registrations += 1
            log.info("registered", extra={"user": session.who.name, "role": session.who.role.name})

    def taken_over(self, session: Session, generation: int) -> None:
        """A copy of a device's profile goes on alone: others of it are shut out."""
        who = session.who
        if who is None:
            return
        session.generation = max(generation, session.generation)
        newest = max(generation, self.generations.get(who.device_id, 0))
        self.generations[who.device_id] = newest
        for other in list(self.sessions):
            if (
                other.who is not None
                and other.who.device_id == who.device_id
                and other.generation < newest
            ):
                error = accounts.moved(newest)
                other.goodbye(error.code, str(error))

    # --- requests -----------------------------------------------------------------------------

    def ask(self, session: Session, request: int, message: m.Message) -> None:
        """A request of a logged-in connection.

        Raises:
            Refused: at once; otherwise the answer comes by `Session.reply` or `refuse`.
        """
        who = session.who
        assert who is not None
        if self.stopping:
            raise Refused(ErrorCode.UNAVAILABLE, "the server is stopping")
        rates = self.appends if isinstance(message, m.Append) else self.requests
        if not rates.take(who.device_id, self.clock()):
            turn = requests.turn_of(who, message) if isinstance(message, m.Append) else None
            if turn is not None:
                self.store.turns.put_off(turn)
            raise Refused(ErrorCode.RATE, "too many requests; slow down")
        requests.HANDLERS[type(message)](self, session, request, message)

    def write(
        self,
        session: Session,
        request: int,
        rule: Callable[[Tx], T],
        then: Callable[[T], m.Message],
        *,
        checks_first: bool = False,
        turn: Turn | None = None,
    ) -> None:
        """Answer a request by a write: `then` makes the answer, after the commit."""

        def done(outcome: T | Exception) -> None:
            if isinstance(outcome, Exception):
                session.refuse(request, outcome)
            else:
                session.reply(request, then(outcome))

        self.store.write(rule, done, checks_first=checks_first, turn=turn)

    def read(self, session: Session, request: int, look: Callable[[Tx], m.Message]) -> None:
        """Answer a request by a look at the store."""

        def done(outcome: m.Message | Exception) -> None:
            if isinstance(outcome, Exception):
                session.refuse(request, outcome)
            else:
                session.reply(request, outcome)

        session.port.work(lambda: self.store.read(look), done)

    def quietly(self, rule: Callable[[Tx], object]) -> None:
        """A write that nobody waits for."""

        def done(outcome: object) -> None:
            if isinstance(outcome, Exception):
                self.failed("a write of the server's own failed", outcome)

        with suppress(StoreError):
            self.store.write(rule, done)

    def completed(self, completions: list[Callable[[], None]]) -> None:
        """A batch of writes is on disk: answer them, then push what they published."""
        self.stats.batches += 1
        self.stats.writes += len(completions)
        for complete in completions:
            try:
                complete()
            except Exception as error:  # noqa: BLE001 - one answer must not stop the others
                self.failed("an answer could not be given", error)
        published, self._published = self._published, []
        if published:
            self.bus.publish(published)

    def publish(self, published: list[Published]) -> None:
        """Push these once the whole batch has been answered."""
        self._published += published

    def failed(self, what: str, error: Exception) -> None:
        """Something went wrong that should not."""
        self.stats.errors += 1
        if isinstance(error, ChatSecureError):
            log.error(what, extra={"reason": str(error)})
        else:
            log.error(what, exc_info=error)

    # --- notices ------------------------------------------------------------------------------

    def acknowledge(self, session: Session, message: m.Ack) -> None:
        """A device has something safely. Written down a little later, with others."""
        if session.who is not None and message.log_id in session.subs:
            self.upkeep.ack(session.who.device, message.log_id, message.seq)

    def whisper(self, session: Session, message: m.Whisper) -> None:
        """Pass an ephemeral message on, or drop it."""
        assert session.who is not None
        if self.whispers.take(session.who.device_id, self.clock()):
            self.hub.whisper(session, message)

    def pull(self, session: Session) -> None:
        """Serve a connection that is behind from the store."""
        requests.pull(self, session)

    # --- time ---------------------------------------------------------------------------------

    def tick(self) -> None:
        """Call about once a second."""
        for session in list(self.sessions):
            session.tick()
        self.transfers.tick()
        self.file_lines.tick()
        self.upkeep.tick()

    def _deliver(self, published: list[Published]) -> None:
        for session in self.hub.publish(published):
            self.pull(session)

    # --- the operator -------------------------------------------------------------------------

    def ban(self, name: str, done: Callable[[object], None]) -> None:
        """Ban a name; its connections end."""
        folded, now = fold_name(name), self.now()

        def banned(outcome: object) -> None:
            if not isinstance(outcome, Exception):
                self.banned.add(folded)
                for session in list(self.sessions):
                    if session.who is not None and session.who.folded == folded:
                        session.goodbye(ErrorCode.BANNED, "you are banned from this server")
                log.info("banned", extra={"user": name})
            done(outcome)

        self.store.write(lambda tx: tx.ban(folded, name, now), banned)

    def unban(self, name: str, done: Callable[[object], None]) -> None:
        """Lift a ban."""
        folded = fold_name(name)

        def lifted(outcome: object) -> None:
            if not isinstance(outcome, Exception):
                self.banned.discard(folded)
                log.info("unbanned", extra={"user": name})
            done(outcome)

        self.store.write(lambda tx: tx.unban(folded), lifted)

    def stop(self) -> None:
        """No new work; what has been accepted is finished and answered, then everyone is told."""
        if self.stopping:
            return
        self.upkeep.flush_acks()
        self.stopping = True
        self.file_lines.stop()

        def finished(_: object) -> None:
            for session in list(self.sessions):
                session.goodbye(ErrorCode.UNAVAILABLE, "the server is stopping")

        try:
            self.store.write(lambda tx: tx.has_owner(), finished)
        except StoreError as error:
            finished(error)
