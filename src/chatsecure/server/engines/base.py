"""What an engine offers, and what both have in common.

The *turn*: core, sessions and hub are only ever used by one thread at a time. In `events` that is
the loop's thread, in `threads` whoever holds the one lock.
"""

import socket
from collections.abc import Callable
from typing import Any, Protocol

from chatsecure.server.core import Core

TICK_S = 1.0
FAREWELL_S = 3.0
"""How long a connection that is being closed may take to read what was sent to it."""
STOP_S = 5.0
"""How long stopping may take before connections are cut."""
HIGH_WATER_BYTES = 64 * 1024
LOW_WATER_BYTES = 16 * 1024
UNSENT_BYTES = 256 * 1024
BACKLOG = 1024


class Engine(Protocol):
    """Carries connections until it is stopped."""

    def run(self, ready: Callable[[], None]) -> None:
        """Accept connections until `stop`; `ready` is called once when they are accepted."""

    def stop(self) -> None:
        """Begin to stop; from any thread or a signal handler."""

    def post(self, call: Callable[[], None]) -> None:
        """Call something in a turn; from any thread."""


def no_delay(sock: socket.socket) -> None:
    """What is written leaves at once, and little of it waits in the system's own buffer: there
    nothing can overtake anything."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    if option is not None:
        sock.setsockopt(socket.IPPROTO_TCP, option, UNSENT_BYTES)


def outcome_of(job: Callable[[], Any]) -> Any:
    """What a job gives or raises."""
    try:
        return job()
    except Exception as error:  # noqa: BLE001 - handed to whoever asked
        return error


def finish(core: Core, done: Callable[[Any], None], outcome: Any) -> None:
    """Hand on what came of a job; in a turn."""
    try:
        done(outcome)
    except Exception as error:  # noqa: BLE001 - one connection must not take down others
        core.failed("what followed a job failed", error)


def address_of(peer: Any) -> str:
    """A peer's address for the limits: an IPv6 host may use its whole /64."""
    host = str(peer[0]) if isinstance(peer, tuple) and peer else "?"
    if host.startswith("::ffff:"):
        return host[7:]
    if ":" in host:
        try:
            packed = socket.inet_pton(socket.AF_INET6, host.partition("%")[0])
        except OSError:
            return host
        return packed[:8].hex()
    return host
