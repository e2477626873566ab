"""The `threads` engine: each client is served by threads of its own on a plain blocking socket.

`client.py` is what those threads do. Here: accepting, the one lock that is the turn, time, the end.
"""

import contextlib
import queue
import selectors
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from chatsecure.server.core import Core

from .base import STOP_S, TICK_S, address_of, finish, no_delay, outcome_of
from .client import ClientThreads

STACK_BYTES = 1024 * 1024
WORKERS = 4


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
        self._ports: set[ClientThreads] = set()
        self._ports_lock = threading.Lock()
        self._empty = threading.Event()
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="disk")

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

    def work(
        self, job: Callable[[], Any], done: Callable[[Any], None], *, bulk: bool = False
    ) -> None:
        """See `core.Runner`."""
        del bulk  # All that comes here is nobody's hurry.

        def run() -> None:
            outcome = outcome_of(job)
            with self.turn:
                finish(self.core, done, outcome)

        with contextlib.suppress(RuntimeError):
            self._pool.submit(run)

    def _deliver(self, batch: list[Callable[[], None]]) -> None:
        with self.turn:
            self.core.completed(batch)

    def left(self, port: ClientThreads) -> None:
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
        no_delay(sock)
        port = ClientThreads(self, sock, address)
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
