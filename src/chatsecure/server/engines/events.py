"""The `events` engine: all connections on one event loop.

What one turn of the loop queues for a connection leaves in one write. Work that waits for a disk
runs in a small pool of threads and comes back as a call in the loop.
"""

import asyncio
import contextlib
import signal
import socket
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

from chatsecure.server.core import Core
from chatsecure.server.session import Session
from chatsecure.wire.messages import FILE_PREAMBLE

from .base import (
    FAREWELL_S,
    HIGH_WATER_BYTES,
    LOW_WATER_BYTES,
    STOP_S,
    TICK_S,
    address_of,
    finish,
    no_delay,
    outcome_of,
)
from .fileline import FileLine

T = TypeVar("T")
WORKERS = 8
PEEK_S = 0.01


class _Port(asyncio.Protocol):
    """One connection: an asyncio protocol on one side, a session's `Port` on the other."""

    def __init__(self, engine: "EventsEngine", address: str) -> None:
        self._engine = engine
        self._address = address
        self._transport: asyncio.Transport | None = None
        self._session: Session | None = None
        self._out: list[bytes] = []
        self._out_bytes = 0
        self._total = 0
        self._full = False
        self._closing = False

    # --- asyncio's side -----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """TLS is up."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(HIGH_WATER_BYTES, LOW_WATER_BYTES)
        self._engine.came()
        self._session = self._engine.core.connect(self, self._address)

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        if self._session is not None:
            self._session.received(data)

    def resume_writing(self) -> None:
        """There is room again."""
        # What this turn has queued is not with the transport yet: `flush` tells when it is gone.
        self._full = self._out_bytes > HIGH_WATER_BYTES
        if self._session is not None:
            self._session.drained()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        del exc
        self._closing = True
        self._out.clear()
        if self._session is not None:
            self._session.closed()
            self._session = None
        self._engine.core.depart(self._address)
        self._engine.left()

    # --- the session's side -------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """See `session.Port`."""
        if self._closing:
            return
        if not self._out:
            self._engine.flush_later(self)
        self._out.append(data)
        self._out_bytes += len(data)
        self._full = self._full or self._out_bytes > HIGH_WATER_BYTES

    def flush(self) -> None:
        """Hand what this turn queued to the transport."""
        if self._out and self._transport is not None:
            data = self._out[0] if len(self._out) == 1 else b"".join(self._out)
            self._out.clear()
            self._out_bytes = 0
            self._total += len(data)
            self._engine.core.stats.bytes_out += len(data)
            self._transport.write(data)
            # Above the mark, `resume_writing` follows; below it nobody else would tell.
            if self._full and self._transport.get_write_buffer_size() <= HIGH_WATER_BYTES:
                self._engine.loop.call_soon(self.resume_writing)

    def queued(self) -> int:
        """See `session.Port`."""
        held = 0 if self._transport is None else self._transport.get_write_buffer_size()
        return self._out_bytes + held

    def taken(self) -> int:
        """See `session.Port`."""
        return self._total + self._out_bytes - self.queued()

    def hold(self, held: bool) -> None:
        """See `session.Port`."""
        if self._transport is None or self._closing or self._transport.is_closing():
            return
        if held:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def close(self) -> None:
        """See `session.Port`."""
        if self._transport is None or self._closing:
            return
        self.flush()
        self._closing = True
        with contextlib.suppress(RuntimeError):
            self._transport.resume_reading()
        self._transport.close()
        self._engine.loop.call_later(FAREWELL_S + 1, self._transport.abort)

    def work(self, job: Callable[[], T], done: Callable[[T | Exception], None]) -> None:
        """See `session.Port`."""
        self._engine.work(job, done)


class EventsEngine:
    """Implements `base.Engine`.

    Args:
        core: the server.
        context: TLS.
        listeners: bound, listening sockets.
    """

    def __init__(self, core: Core, context: ssl.SSLContext, listeners: list[socket.socket]) -> None:
        self.core = core
        self.loop: asyncio.AbstractEventLoop
        self.context = context
        self._listeners = listeners
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="look")
        self._bulk = ThreadPoolExecutor(WORKERS, thread_name_prefix="file")
        self._dirty: list[_Port] = []
        self._ports = 0
        self._handshakes: set[asyncio.Task[None]] = set()
        self._stopping: asyncio.Event
        self._empty: asyncio.Event
        self._stop_asked = threading.Event()

    def run(self, ready: Callable[[], None]) -> None:
        """See `base.Engine`."""
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(self._serve(ready))
        for pool in (self._pool, self._bulk):
            pool.shutdown(wait=False, cancel_futures=True)

    def stop(self) -> None:
        """See `base.Engine`."""
        self._stop_asked.set()
        with contextlib.suppress(AttributeError, RuntimeError):
            self.loop.call_soon_threadsafe(self._stopping.set)

    def post(self, call: Callable[[], None]) -> None:
        """See `base.Engine`."""
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(call)

    def work(
        self, job: Callable[[], Any], done: Callable[[Any], None], *, bulk: bool = False
    ) -> None:
        """See `core.Runner`."""

        def run() -> None:
            outcome = outcome_of(job)
            self.post(lambda: finish(self.core, done, outcome))

        with contextlib.suppress(RuntimeError):
            (self._bulk if bulk else self._pool).submit(run)

    def flush_later(self, port: _Port) -> None:
        """A port has something to send: all of them are flushed at the end of this turn."""
        if not self._dirty:
            self.loop.call_soon(self._flush)
        self._dirty.append(port)

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, []
        for port in dirty:
            port.flush()

    def came(self) -> None:
        """A connection stands."""
        self._ports += 1

    def left(self) -> None:
        """A connection is over."""
        self._ports -= 1
        if not self._ports:
            self._empty.set()

    async def _serve(self, ready: Callable[[], None]) -> None:
        self.loop = asyncio.get_running_loop()
        self._stopping, self._empty = asyncio.Event(), asyncio.Event()
        if self._stop_asked.is_set():
            self._stopping.set()
        self.core.runner = self
        self.core.store.deliver = lambda batch: self.post(lambda: self.core.completed(batch))
        self._catch_signals()
        accepting = [asyncio.create_task(self._accept(sock)) for sock in self._listeners]
        ticking = asyncio.create_task(self._tick())
        ready()
        await self._stopping.wait()
        for task in [*accepting, *self._handshakes]:
            task.cancel()
        for sock in self._listeners:
            sock.close()
        self.core.stop()
        if self._ports:
            self._empty.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), STOP_S)
        ticking.cancel()
        await asyncio.gather(ticking, *accepting, *self._handshakes, return_exceptions=True)

    def _catch_signals(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self.loop.add_signal_handler(number, self.stop)
            except NotImplementedError:
                signal.signal(number, lambda *_: self.stop())

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            try:
                self.core.tick()
            except Exception as error:  # noqa: BLE001 - the server goes on
                self.core.failed("the server's clockwork failed", error)

    async def _accept(self, listener: socket.socket) -> None:
        listener.setblocking(False)
        while True:
            try:
                sock, peer = await self.loop.sock_accept(listener)
            except OSError as error:
                # Out of file descriptors, or the other side has gone already.
                self.core.failed("a connection could not be accepted", error)
                await asyncio.sleep(0.1)
                continue
            address = address_of(peer)
            if not self.core.arrive(address):
                sock.close()
                continue
            task = asyncio.create_task(self._handshake(sock, address))
            self._handshakes.add(task)
            task.add_done_callback(self._handshakes.discard)

    async def _handshake(self, sock: socket.socket, address: str) -> None:
        port: _Port | None = None

        def made() -> _Port:
            nonlocal port
            port = _Port(self, address)
            return port

        try:
            sock.setblocking(False)
            if await self._first_byte(sock) == FILE_PREAMBLE:
                self._move_files(sock, address)
                return
            no_delay(sock)
            await self.loop.connect_accepted_socket(
                made,
                sock,
                ssl=self.context,
                ssl_handshake_timeout=self.core.limits.handshake_s,
                ssl_shutdown_timeout=FAREWELL_S,
            )
        except (OSError, TimeoutError, asyncio.CancelledError):
            self.core.stats.handshakes_failed += 1
            if port is None or port._transport is None:  # noqa: SLF001 - our own class
                sock.close()
                self.core.depart(address)

    async def _first_byte(self, sock: socket.socket) -> bytes:
        """What a connection begins with; it stays to be read.

        Raises:
            OSError, TimeoutError: nothing came in time.
        """
        ready: asyncio.Future[None] = self.loop.create_future()

        def readable() -> None:
            if not ready.done():
                ready.set_result(None)

        async with asyncio.timeout(self.core.limits.handshake_s):
            try:
                self.loop.add_reader(sock, readable)
            except NotImplementedError:
                return await self._poll_first_byte(sock)
            try:
                await ready
            finally:
                self.loop.remove_reader(sock)
            return sock.recv(1, socket.MSG_PEEK)

    async def _poll_first_byte(self, sock: socket.socket) -> bytes:
        # Where the loop knows no readers (Windows).
        while True:
            try:
                return sock.recv(1, socket.MSG_PEEK)
            except BlockingIOError:
                await asyncio.sleep(PEEK_S)

    def _move_files(self, sock: socket.socket, address: str) -> None:
        """Give a connection that moves files to a thread of its own.

        Raises:
            OSError: there is none.
        """
        sock.recv(1)
        sock.setblocking(True)

        def run() -> None:
            FileLine(self, sock, address).run()
            self.post(lambda: self.core.depart(address))

        try:
            threading.Thread(target=run, name="file", daemon=True).start()
        except RuntimeError as error:
            self.core.failed("no thread for a file connection", error)
            raise OSError("no thread") from error


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
