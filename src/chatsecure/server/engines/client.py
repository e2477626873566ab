"""One client of the `threads` engine: its socket and the threads that serve it.

    reader   recv -> TLS -> the turn: Session.received
    writer   waits for what the session queued -> TLS -> sendall; runs the session's looks

Two threads, so that a client which does not read stops only its own writer, and is still heard (a
connection that moves files needs but one, see `fileline.py`). OpenSSL's state of one connection is
not safe for two threads, so TLS works on memory buffers under the connection's lock, and no thread
holds it while it waits for the network. Only the writer sends, so records leave in order.
"""

import contextlib
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from chatsecure.server.session import Session
from chatsecure.wire.messages import FILE_PREAMBLE

from .base import FAREWELL_S, HIGH_WATER_BYTES, LOW_WATER_BYTES, finish, outcome_of
from .fileline import FileLine

if TYPE_CHECKING:
    from .threads import ThreadsEngine

T = TypeVar("T")
RECV_BYTES = 64 * 1024
SEND_BYTES = 256 * 1024
_Job = tuple[Callable[[], Any], Callable[[Any], None]]


class ClientThreads:
    """One connection and its two threads."""

    def __init__(self, engine: "ThreadsEngine", sock: socket.socket, address: str) -> None:
        self._engine = engine
        self._sock = sock
        self._address = address
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = engine.context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._tls_lock = threading.Lock()
        self._session: Session | None = None
        self._ready = threading.Condition()
        self._out: deque[bytes] = deque()
        self._queued = 0
        self._total = 0
        self._full = False
        self._flush_tls = False
        self._jobs: deque[_Job] = deque()
        self._held = False
        self._closing = False
        self._over = False
        self.cut_at: float | None = None
        """When a connection that is being closed is cut."""

    # --- the session's side; called in a turn -------------------------------------------------

    def write(self, data: bytes) -> None:
        """See `session.Port`."""
        with self._ready:
            if self._closing or self._over:
                return
            self._out.append(data)
            self._queued += len(data)
            self._total += len(data)
            self._full = self._full or self._queued > HIGH_WATER_BYTES
            self._ready.notify_all()

    def queued(self) -> int:
        """See `session.Port`."""
        return self._queued

    def taken(self) -> int:
        """See `session.Port`."""
        return self._total - self._queued

    def hold(self, held: bool) -> None:
        """See `session.Port`."""
        with self._ready:
            self._held = held
            self._ready.notify_all()

    def close(self) -> None:
        """See `session.Port`."""
        with self._ready:
            self._closing = True
            self._held = False
            self.cut_at = time.monotonic() + FAREWELL_S
            self._ready.notify_all()

    def work(self, job: Callable[[], T], done: Callable[[T | Exception], None]) -> None:
        """See `session.Port`."""
        with self._ready:
            self._jobs.append((job, done))
            self._ready.notify_all()

    def cut(self) -> None:
        """Wake both threads by ending the connection."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    # --- the reader ---------------------------------------------------------------------------

    def run(self) -> None:
        """The whole life of the connection, in its reader's thread."""
        writer: threading.Thread | None = None
        try:
            if self._first_byte() == FILE_PREAMBLE:
                FileLine(self._engine, self._sock, self._address).run()
                return
            self._handshake()
            with self._engine.turn:
                self._session = self._engine.core.connect(self, self._address)
            writer = threading.Thread(target=self._write_all, name="writer", daemon=True)
            writer.start()
            self._read_all()
        except OSError:
            if self._session is None:
                self._engine.core.stats.handshakes_failed += 1
        finally:
            with self._ready:
                self._over = True
                self._ready.notify_all()
            self.cut()
            if writer is not None:
                writer.join()
            with self._engine.turn:
                if self._session is not None:
                    self._session.closed()
                self._engine.core.depart(self._address)
            self._sock.close()
            self._engine.left(self)

    def _first_byte(self) -> bytes:
        """What the connection begins with; a file connection's preamble is taken."""
        self._sock.settimeout(self._engine.core.limits.handshake_s)
        first = self._sock.recv(1, socket.MSG_PEEK)
        if first == FILE_PREAMBLE:
            self._sock.recv(1)
        return first

    def _handshake(self) -> None:
        deadline = time.monotonic() + self._engine.core.limits.handshake_s
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._send(self._outgoing.read(), deadline)
            except ssl.SSLError:
                self._send(self._outgoing.read(), deadline)
                raise
            else:
                self._send(self._outgoing.read(), deadline)
                self._sock.settimeout(None)
                return
            self._sock.settimeout(max(0.01, deadline - time.monotonic()))
            data = self._sock.recv(RECV_BYTES)
            if not data:
                raise ConnectionError("closed during the handshake")
            self._incoming.write(data)

    def _send(self, data: bytes, deadline: float) -> None:
        self._sock.settimeout(max(0.01, deadline - time.monotonic()))
        self._sock.sendall(data)

    def _read_all(self) -> None:
        session = self._session
        assert session is not None
        # The client's first words may have come with the end of its handshake.
        plain, end = self._decrypt(b"")
        while True:
            if plain:
                with self._engine.turn:
                    session.received(plain)
            if end:
                return
            with self._ready:
                while self._held and not self._over:
                    self._ready.wait()
            data = self._sock.recv(RECV_BYTES)
            if not data:
                return
            # After a goodbye bytes are only taken, so that it is not lost by a reset.
            plain, end = (b"", False) if self._closing else self._decrypt(data)

    def _decrypt(self, data: bytes) -> tuple[bytes, bool]:
        parts, end = [], False
        with self._tls_lock:
            self._incoming.write(data)
            try:
                while part := self._tls.read(RECV_BYTES):
                    parts.append(part)
                end = True
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLZeroReturnError:
                end = True
            answer = self._outgoing.pending > 0
        if answer:
            with self._ready:
                self._flush_tls = True
                self._ready.notify_all()
        return b"".join(parts), end

    # --- the writer ---------------------------------------------------------------------------

    def _write_all(self) -> None:
        try:
            while self._write_some():
                pass
        except OSError:
            self.cut()
        with self._ready:
            self._out.clear()
            self._over = True

    def _write_some(self) -> bool:
        """Do one piece of work. False: the connection is over."""
        with self._ready:
            while not (self._out or self._jobs or self._flush_tls or self._closing or self._over):
                self._ready.wait()
            if self._over:
                return False
            job = self._jobs.popleft() if self._jobs else None
            data = self._next_bytes()
            self._flush_tls = False
            last = self._closing and not self._out and job is None
        if job is not None:
            self._do(job)
        self._encrypt_and_send(data, last=last)
        if data:
            self._sent(len(data))
        if last:
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_WR)
        return not last

    def _do(self, job: _Job) -> None:
        outcome = outcome_of(job[0])
        with self._engine.turn:
            finish(self._engine.core, job[1], outcome)

    def _next_bytes(self) -> bytes:
        parts, size = [], 0
        while self._out and size < SEND_BYTES:
            parts.append(self._out.popleft())
            size += len(parts[-1])
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _encrypt_and_send(self, data: bytes, *, last: bool) -> None:
        with self._tls_lock:
            if data:
                self._tls.write(data)
            if last:
                with contextlib.suppress(ssl.SSLError):
                    self._tls.unwrap()
            sealed = self._outgoing.read()
        if sealed:
            self._sock.sendall(sealed)

    def _sent(self, count: int) -> None:
        with self._ready:
            self._queued -= count
            roomy = self._full and self._queued <= LOW_WATER_BYTES
            if roomy:
                self._full = False
        with self._engine.turn:
            self._engine.core.stats.bytes_out += count
            if roomy and self._session is not None and not self._closing:
                self._session.drained()
