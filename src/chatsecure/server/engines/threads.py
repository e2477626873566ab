"""The `threads` engine: each client is served by threads of its own on a plain blocking socket.

    reader   recv -> TLS -> the turn: Session.received
    writer   waits for what the session queued -> TLS -> sendall; runs the session's disk work

Two threads, so that a client which does not read stops only its own writer, and is still heard.
OpenSSL's state of one connection is not safe for two threads, so TLS works on memory buffers
under the connection's lock, and neither thread holds it while it waits for the network. Only the
writer sends, so records leave in order.
"""

import contextlib
import queue
import selectors
import signal
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from chatsecure.server.core import Core
from chatsecure.server.session import Session

from .base import (
    FAREWELL_S,
    HIGH_WATER_BYTES,
    LOW_WATER_BYTES,
    STOP_S,
    TICK_S,
    address_of,
    finish,
    outcome_of,
)

T = TypeVar("T")
RECV_BYTES = 64 * 1024
SEND_BYTES = 256 * 1024
STACK_BYTES = 1024 * 1024


class _Port:
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
        self._jobs: deque[tuple[Callable[[], Any], Callable[[Any], None]]] = deque()
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
            outcome = outcome_of(job[0])
            with self._engine.turn:
                finish(self._engine.core, job[1], outcome)
        self._encrypt_and_send(data, last=last)
        if data:
            self._sent(len(data))
        if last:
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_WR)
        return not last

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


class ThreadsEngine:
    """Implements `base.Engine`.

    Args:
        core: the server.
        context: TLS.
        listeners: bound, listening sockets.
    """

    def __init__(self, core: Core, context: ssl.SSLContext, listeners: list[socket.socket]) -> None:
        self.core = core
        self.context = context
        self.turn = threading.RLock()
        self._listeners = listeners
        self._orders: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._ports: set[_Port] = set()
        self._ports_lock = threading.Lock()
        self._empty = threading.Event()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="disk")

    def run(self, ready: Callable[[], None]) -> None:
        """See `base.Engine`."""
        threading.stack_size(STACK_BYTES)
        self.core.runner = self
        self.core.store.deliver = self._deliver
        self._catch_signals()
        wake, woken = socket.socketpair()
        acceptor = threading.Thread(
            target=self._accept, args=(woken,), name="acceptor", daemon=True
        )
        acceptor.start()
        ready()
        while not self._stop_asked(TICK_S):
            self._tick()
        wake.close()
        acceptor.join()
        with self.turn:
            self.core.stop()
        self._drain()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _drain(self) -> None:
        """Let connections end by themselves for a while, then cut them."""
        deadline = time.monotonic() + STOP_S
        while time.monotonic() < deadline:
            with self._ports_lock:
                if not self._ports:
                    return
                self._empty.clear()
            self._empty.wait(0.2)
            self._cut_late()
        with self._ports_lock:
            late = list(self._ports)
        for port in late:
            port.cut()

    def stop(self) -> None:
        """See `base.Engine`."""
        self._orders.put(None)

    def _stop_asked(self, wait: float) -> bool:
        try:
            self._orders.get(timeout=wait)
        except queue.Empty:
            return False
        return True

    def post(self, call: Callable[[], None]) -> None:
        """See `base.Engine`."""
        with self.turn:
            call()

    def work(self, job: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """See `core.Runner`."""

        def run() -> None:
            outcome = outcome_of(job)
            with self.turn:
                finish(self.core, done, outcome)

        with contextlib.suppress(RuntimeError):
            self._pool.submit(run)

    def _deliver(self, batch: list[Callable[[], None]]) -> None:
        with self.turn:
            self.core.completed(batch)

    def left(self, port: _Port) -> None:
        """A connection is over."""
        with self._ports_lock:
            self._ports.discard(port)
            if not self._ports:
                self._empty.set()

    def _catch_signals(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda *_: self.stop())

    def _tick(self) -> None:
        try:
            with self.turn:
                self.core.tick()
        except Exception as error:  # noqa: BLE001 - the server goes on
            self.core.failed("the server's clockwork failed", error)
        self._cut_late()

    def _cut_late(self) -> None:
        now = time.monotonic()
        with self._ports_lock:
            late = [p for p in self._ports if p.cut_at is not None and p.cut_at < now]
        for port in late:
            port.cut()

    def _accept(self, woken: socket.socket) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(woken, selectors.EVENT_READ)
            for listener in self._listeners:
                listener.setblocking(False)
                selector.register(listener, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is woken:
                        woken.close()
                        for listener in self._listeners:
                            listener.close()
                        return
                    assert isinstance(key.fileobj, socket.socket)
                    self._accept_one(key.fileobj)

    def _accept_one(self, listener: socket.socket) -> None:
        try:
            sock, peer = listener.accept()
        except BlockingIOError:
            return
        except OSError as error:
            self.core.failed("a connection could not be accepted", error)
            time.sleep(0.1)
            return
        address = address_of(peer)
        with self.turn:
            welcome = self.core.arrive(address)
        if not welcome:
            sock.close()
            return
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        port = _Port(self, sock, address)
        with self._ports_lock:
            self._ports.add(port)
        try:
            threading.Thread(target=port.run, name="reader", daemon=True).start()
        except RuntimeError as error:
            self.core.failed("no thread for a connection", error)
            sock.close()
            self.left(port)
            with self.turn:
                self.core.depart(address)
