"""One connection's state machine: bytes in, effects out through its `Port`. Sans-I/O.

    state (of the wire connection)   event              what happens
    HELLO    ClientHello             ServerHello; LOGIN  (no common version: Error, close)
    LOGIN    Register or Login       checked; LoggedIn, OPEN  (refused: Error, close)
    OPEN     a request               `core` answers it, once
    any      a broken protocol       Goodbye with code and reason, close; nobody else notices
    any      silence                 Ping, then close; before OPEN a deadline
    any      closed                  everything of this connection is let go

Everything here runs in the core's turn. Requests still under way and bytes not yet taken by the
other side are bounded: past the bound nothing more is read from this connection.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

from chatsecure import __version__
from chatsecure.wire import messages as m
from chatsecure.wire.connection import SERVER_ACCEPTS, Connection, State, encode_message
from chatsecure.wire.errors import ChatSecureError, ErrorCode, ProtocolError, Refused

from .hub import Sub
from .rules.accounts import Welcome, check_applicant, login, moved, take_over
from .rules.who import Who
from .store.base import StoreError, StoreFull, UserKey

if TYPE_CHECKING:
    from .core import Core

T = TypeVar("T")
AGENT = f"chatsecure/{__version__}"
VERSIONS = (m.PROTOCOL_VERSION,)


class Port(Protocol):
    """What a session needs of the engine that carries its connection."""

    def write(self, data: bytes) -> None:
        """Queue bytes; what is queued in one turn leaves in one write."""

    def queued(self) -> int:
        """Bytes that the other side has not taken yet."""

    def taken(self) -> int:
        """Bytes that it has taken so far."""

    def hold(self, held: bool) -> None:
        """Stop or go on reading from the other side."""

    def close(self) -> None:
        """Send what is queued, then close; `Session.closed` follows."""

    def work(self, job: Callable[[], T], done: Callable[[T | Exception], None]) -> None:
        """Do something that waits for a disk, outside the turn; `done` comes in a turn."""


def as_error(error: Exception) -> m.Error:
    """What a client is told of a failure."""
    match error:
        case Refused():
            return m.Error(error.code, str(error)[:1000], error.detail[:256])
        case StoreFull():
            return m.Error(ErrorCode.STORAGE_FULL, str(error))
        case StoreError():
            return m.Error(ErrorCode.UNAVAILABLE, str(error))
        case _:
            return m.Error(ErrorCode.INTERNAL, "the server made a mistake; its operator can see it")


class Session:
    """One connection.

    Args:
        core: the server.
        port: the connection's way out.
        address: where it comes from, for the limits.
    """

    def __init__(self, core: "Core", port: Port, address: str) -> None:
        self.core = core
        self.port = port
        self.address = address
        self.who: Who | None = None
        """Who it is, once logged in."""
        self.generation = 0
        """Which copy of the device's profile is at the other end."""
        self.present = False
        """Others see this connection as its user being online."""
        self.subs: dict[bytes, Sub] = {}
        self.behind: dict[bytes, Sub] = {}
        """Those of the subscriptions that are served from the store."""
        self.pulling = False
        """The store is being looked at for them."""
        self.presence_waiting: dict[UserKey, bytes] = {}
        self.is_closed = False
        self._connection = Connection(SERVER_ACCEPTS)
        self._nonce = core.random(32)
        self._client_nonce = b""
        self._version = 0
        self._logging_in = False
        self._since = self._heard_at = core.clock()
        self._pinged = False
        self._held = False
        self._waiting, self._taken = False, 0
        self._requests: dict[int, int] = {}
        self._request_bytes = 0

    @property
    def version(self) -> int:
        """The protocol version in use; 0 before the hellos."""
        return self._version

    # --- events -------------------------------------------------------------------------------

    def received(self, data: bytes) -> None:
        """Bytes have come."""
        if self.is_closed:
            return
        self._heard_at, self._pinged = self.core.clock(), False
        self.core.stats.bytes_in += len(data)
        try:
            for request, message in self._connection.receive(data):
                self._handle(request, message)
        except ProtocolError as error:
            self.core.stats.protocol_errors += 1
            self.goodbye(error.code, str(error))
        except Exception as error:  # noqa: BLE001 - one connection must not take down others
            self.core.failed("a message could not be handled", error)
            self.goodbye(ErrorCode.INTERNAL, "the server made a mistake; its operator can see it")
        self._update_hold()

    def drained(self) -> None:
        """The other side has taken bytes and there is room again."""
        if self.is_closed:
            return
        self.core.hub.drained(self)
        self.core.pull(self)
        self._update_hold()

    def tick(self) -> None:
        """Time has passed: deadlines and keep-alive."""
        if self.is_closed:
            return
        now, limits = self.core.clock(), self.core.limits
        if self._connection.state is not State.OPEN:
            if now - self._since > limits.login_s:
                self.goodbye(ErrorCode.TIMEOUT, "no log-in came in time")
            return
        # A slow reader that goes on taking what waits for it is alive; a broken line is not:
        # nothing leaves the queue once the system's own buffer is full.
        queued, taken = self.port.queued(), self.port.taken()
        if self._waiting and taken > self._taken:
            self._heard_at = now
        self._waiting, self._taken = queued > 0, taken
        silent = now - self._heard_at
        if silent > limits.dead_s:
            self.core.stats.vanished += 1
            self.goodbye(ErrorCode.TIMEOUT, "nothing was heard from you for too long")
        elif silent > limits.keepalive_s and not self._pinged:
            self._pinged = True
            self.port.write(encode_message(m.Ping()))

    def closed(self) -> None:
        """The connection is gone; called by the engine."""
        self._leave()

    def _leave(self) -> None:
        """Let go of everything, once: at the goodbye, or when the line breaks."""
        if not self.is_closed:
            self.is_closed = True
            self._connection.close()
            self.core.gone(self)
            self._requests.clear()
            self.presence_waiting.clear()

    # --- answers ------------------------------------------------------------------------------

    def reply(self, request: int, message: m.Message) -> None:
        """Answer a request."""
        self._request_bytes -= self._requests.pop(request, 0)
        if not self.is_closed:
            self.port.write(encode_message(message, request))
            self._update_hold()

    def refuse(self, request: int, error: Exception) -> None:
        """Answer a request with why not."""
        if not isinstance(error, ChatSecureError):
            self.core.failed("a request failed", error)
        self.core.stats.refused += 1
        self.reply(request, as_error(error))

    def goodbye(self, code: ErrorCode, reason: str) -> None:
        """End the connection and say why."""
        if not self.is_closed and self._connection.state is not State.CLOSED:
            self.port.write(encode_message(m.Goodbye(code, reason[:1000])))
            self._end()

    def _end(self) -> None:
        self.port.close()
        self._leave()

    # --- messages -----------------------------------------------------------------------------

    def _handle(self, request: int, message: m.Message) -> None:
        match message:
            case m.Ping():
                self.port.write(encode_message(m.Pong(), request))
            case m.Pong():
                pass
            case m.ClientHello():
                self._hello(message)
            case m.Register() | m.Login():
                self._log_in(request, message)
            case m.Ack():
                self.core.acknowledge(self, message)
            case m.Whisper():
                self.core.whisper(self, message)
            case _:
                self._ask(request, message)

    def _ask(self, request: int, message: m.Message) -> None:
        if request in self._requests:
            raise ProtocolError("a request id is used for two requests at once")
        size = len(message.payload) if isinstance(message, m.Append) else 256
        self._requests[request] = size
        self._request_bytes += size
        try:
            self.core.ask(self, request, message)
        except ChatSecureError as error:
            self.refuse(request, error)

    def _update_hold(self) -> None:
        """Stop reading from who asks faster than it can be answered, or does not read."""
        limits = self.core.limits
        share = 2 if self._held else 1
        over = (
            len(self._requests) > limits.requests_in_flight // share
            or self._request_bytes > limits.request_bytes_in_flight // share
            or self.port.queued() > limits.queue_bytes * 2 // share
        )
        if over is not self._held and not self.is_closed:
            self._held = over
            self.port.hold(over)

    # --- the way in ---------------------------------------------------------------------------

    def _hello(self, message: m.ClientHello) -> None:
        common = set(message.versions) & set(VERSIONS)
        if not common:
            known = ", ".join(map(str, VERSIONS))
            text = f"this server speaks protocol version {known}; update the older side"
            self.port.write(encode_message(m.Error(ErrorCode.VERSION, text)))
            self._end()
            return
        self._version = max(common)
        self._client_nonce = message.nonce
        core = self.core
        self.port.write(
            encode_message(
                m.ServerHello(self._version, self._nonce, AGENT, core.now(), core.told_limits)
            )
        )
        self._connection.greeted()

    def _log_in(self, request: int, message: m.Register | m.Login) -> None:
        if self._logging_in:
            raise ProtocolError("a log-in is under way already")
        self._logging_in = True
        core = self.core
        try:
            core.check_door(self)
            if isinstance(message, m.Login):
                context = self._context(m.LoginPurpose.LOGIN, message.device_id)
                self.port.work(
                    lambda: core.store.read(lambda tx: login(tx, message, context)),
                    lambda outcome: self._checked(request, message, outcome),
                )
            else:
                context = self._context(m.LoginPurpose.REGISTER, m.registration_subject(message))
                core.register(
                    check_applicant(message, context, core.now()),
                    lambda outcome: self._logged_in(request, message.present, outcome),
                )
        except ChatSecureError as error:
            self._logged_in(request, message.present, error)

    def _checked(self, request: int, message: m.Login, outcome: Welcome | Exception) -> None:
        """A log-in is in order. If it is of a newer copy of the profile, that is kept first."""
        self.generation = message.generation
        if not isinstance(outcome, Welcome):
            self._logged_in(request, message.present, outcome)
            return
        device, core = outcome.who.device, self.core
        if message.mark:
            core.quietly(lambda tx: tx.set_mark(device, message.mark))
        if message.generation == outcome.generation:
            self._logged_in(request, message.present, outcome)
            return

        def kept(failure: Exception | None) -> None:
            self._logged_in(request, message.present, failure or outcome)
            if failure is None:
                core.taken_over(self, message.generation)

        try:
            core.store.write(lambda tx: take_over(tx, device, message.generation), kept)
        except StoreError as error:
            kept(error)

    def _context(self, purpose: m.LoginPurpose, subject: bytes) -> bytes:
        return m.login_context(
            purpose, self._version, self.core.certificate_hash, self._nonce, self._client_nonce,
            subject,
        )  # fmt: skip

    def _logged_in(self, request: int, present: bool, outcome: Welcome | Exception) -> None:
        if self.is_closed or self._connection.state is not State.LOGIN:
            return
        if isinstance(outcome, Welcome) and outcome.who.folded in self.core.banned:
            outcome = Refused(ErrorCode.BANNED, "you are banned from this server")
        if isinstance(outcome, Welcome):
            newest = self.core.generations.get(outcome.who.device_id, 0)
            if self.generation < newest:
                # It took over while this log-in was looked at.
                outcome = moved(newest)
        if isinstance(outcome, Exception):
            if not isinstance(outcome, ChatSecureError):
                self.core.failed("a log-in failed", outcome)
            self.core.turned_away(self, outcome)
            self.port.write(encode_message(as_error(outcome), request))
            self._end()
            return
        self.who, self.present = outcome.who, present
        self._connection.open()
        self.port.write(encode_message(outcome.reply, request))
        self.core.entered(self, new=outcome.new)
