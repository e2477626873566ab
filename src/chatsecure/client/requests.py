"""The wire of one core: bytes out, requests and their answers, keep-alive.

Every request may be repeated: what has no answer when the connection breaks is asked again on the
next one, unless it belonged to that connection only. Knows nothing of who we are or what the
messages mean; `core.py` reads them, `login.py` opens the connection for them.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress

from chatsecure.wire import messages as m
from chatsecure.wire.connection import CLIENT_ACCEPTS, Connection, Received
from chatsecure.wire.errors import ChatSecureError, ProtocolError, Refused, Unreachable

from .flow import Ticket

PING_AFTER_MS = 10_000
DEAD_AFTER_MS = 25_000


class Requests:
    """What was asked and is not answered yet, on this connection or the next.

    Args:
        clock: milliseconds that only grow.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self.online = False
        """Logged in and subscribed: requests leave at once."""
        self._connection: Connection | None = None
        self._output: list[bytes] = []
        self._tickets: dict[int, Ticket] = {}
        self._unsent: list[Ticket] = []
        self._new: list[Ticket] = []
        self._new_output = 0
        """What was asked in this turn, and where its output begins."""
        self._heard_at = 0
        self._pinged = False

    # --- the connection -----------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """There is a connection, in whatever state."""
        return self._connection is not None

    def begin(self, hello: m.ClientHello) -> None:
        """A connection stands: greet."""
        self._connection = Connection(CLIENT_ACCEPTS)
        self._heard_at, self._pinged = self._clock(), False
        self.send(hello)

    def greeted(self) -> None:
        """The server's hello has come."""
        assert self._connection is not None
        self._connection.greeted()

    def logged_in(self) -> None:
        """Everything may be asked now."""
        assert self._connection is not None
        self._connection.open()

    def broken(self) -> None:
        """The connection is gone. What has no answer is asked again on the next one."""
        self.online = False
        self._connection = None
        self._output.clear()
        waiting = [*self._tickets.values(), *self._unsent]
        self._tickets.clear()
        self._unsent = [ticket for ticket in waiting if not ticket.once]
        for ticket in waiting:
            if ticket.once:
                ticket.resolve(None, Unreachable("the connection broke"))

    def receive(self, data: bytes | memoryview) -> Iterator[Received]:
        """The messages that `data` completes.

        Raises:
            ProtocolError: the server broke the protocol; close the connection.
        """
        assert self._connection is not None
        self._heard_at, self._pinged = self._clock(), False
        return self._connection.receive(data)

    def keep_alive(self) -> None:
        """Ask whether the server is still there, if it has been silent.

        Raises:
            Unreachable: it has been so for too long; close the connection.
        """
        if self._connection is not None:
            silent = self._clock() - self._heard_at
            if silent > DEAD_AFTER_MS:
                raise Unreachable("the server does not answer any more")
            if silent > PING_AFTER_MS and not self._pinged:
                self._pinged = True
                self.send(m.Ping())

    def next_wakeup(self) -> int | None:
        """When `keep_alive` must be called at the latest."""
        if self._connection is None:
            return None
        return self._heard_at + (DEAD_AFTER_MS if self._pinged else PING_AFTER_MS) + 1

    def take_output(self) -> bytes:
        """What is to be sent now."""
        output = b"".join(self._output)
        self._output.clear()
        return output

    # --- asking -------------------------------------------------------------------------------

    def send(self, message: m.Message, request: int = 0) -> None:
        """Send a message, if there is a connection."""
        if self._connection is not None:
            self._output.append(self._connection.send(message, request))

    def notify(self, message: m.Message) -> None:
        """Send something that has no answer, if we are online."""
        if self.online:
            self.send(message)

    def ask(
        self,
        message: m.Message,
        on_done: Callable[[Ticket], None] | None = None,
        *,
        once: bool = False,
    ) -> Ticket:
        """Send a request, at once or as soon as we are online. All requests may be repeated.

        Args:
            once: on this connection only; `Unreachable` when it breaks.
        """
        ticket = Ticket(message, once=once)
        ticket.on_done = on_done
        self._new.append(ticket)
        if self.online and self._connection is not None:
            self._send_ticket(ticket)
        else:
            self._unsent.append(ticket)
        return ticket

    def internal(self, message: m.Message, on_done: Callable[[Ticket], None]) -> None:
        """A request of the connection itself: the next one makes its own."""
        ticket = Ticket(message, once=True)

        def done(ticket: Ticket) -> None:
            if self._connection is not None:
                on_done(ticket)

        ticket.on_done = done
        self._new.append(ticket)
        self._send_ticket(ticket)

    def send_waiting(self) -> None:
        """We came online: ask what waited for it."""
        unsent, self._unsent = self._unsent, []
        for waiting in unsent:
            self._send_ticket(waiting)

    def _send_ticket(self, ticket: Ticket) -> None:
        assert self._connection is not None
        request = self._connection.next_request()
        self._tickets[request] = ticket
        self.send(ticket.message, request)

    # --- turns --------------------------------------------------------------------------------

    def begin_turn(self) -> None:
        """What is asked from now on may be taken back."""
        self._new.clear()
        self._new_output = len(self._output)

    def take_back(self, error: ChatSecureError) -> None:
        """What was asked in this turn was not: its cause could not be kept."""
        del self._output[self._new_output :]
        new, self._new = self._new, []
        gone = set(map(id, new))
        for request, ticket in list(self._tickets.items()):
            if id(ticket) in gone:
                del self._tickets[request]
        self._unsent = [ticket for ticket in self._unsent if id(ticket) not in gone]
        for ticket in new:
            if not ticket.done:
                with suppress(ChatSecureError):
                    ticket.resolve(None, error)

    # --- answers ------------------------------------------------------------------------------

    def answer(self, request: int, message: m.Message) -> None:
        """An answer has come.

        Raises:
            ProtocolError: nobody asked.
        """
        ticket = self._tickets.pop(request, None)
        if ticket is None:
            raise ProtocolError("the server answered what nobody asked")
        if isinstance(message, m.Error):
            ticket.resolve(None, Refused(message.code, message.message, message.detail))
        else:
            ticket.resolve(message, None)
