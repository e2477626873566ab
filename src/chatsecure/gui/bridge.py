"""Between the window and the client: the client lives on an asyncio thread of its own.

Tk must be touched by its own thread only, and must never wait: `call` runs a coroutine over there
and brings its result back, `post` brings anything back. What comes back lies in a queue; a byte
in a socket pair wakes Tk where it can watch one (not on Windows: there it looks every 30 ms). A
flood is taken in slices, so that keys and drawing have their turn in between.
"""

import asyncio
import contextlib
import socket
import sys
import threading
import time
import tkinter as tk
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

from chatsecure.wire.errors import ChatSecureError

T = TypeVar("T")

SLICE_S = 0.008
"""How long results may be handed over at a time."""
POLL_MS = 30
STOP_TIMEOUT_S = 5.0

Task = Callable[[], None]
Failed = Callable[[ChatSecureError], None]


class Bridge:
    """One asyncio thread, and the way back from it.

    Args:
        root: whose event loop gets the results.
        failed: gets the errors of calls that name nobody else for them.
    """

    def __init__(self, root: tk.Tk, failed: Failed) -> None:
        self._root = root
        self._failed = failed
        self._queue: deque[Task] = deque()
        self._awake = threading.Lock()
        """Held while a byte is on its way: a flood writes one, not thousands."""
        self._closed = False
        self._later: str | None = None
        self._receiver, self._sender = socket.socketpair()
        self._receiver.setblocking(False)
        self._sender.setblocking(False)
        self._watched = sys.platform != "win32"
        if self._watched:
            root.tk.createfilehandler(self._receiver, tk.READABLE, self._readable)
        else:
            self._later = root.after(POLL_MS, self._poll)
        self.loop = asyncio.new_event_loop()
        self._calls: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="client", daemon=True)
        self._thread.start()

    @property
    def wakeup_fd(self) -> int:
        """A byte written there wakes Tk."""
        return self._sender.fileno()

    # --- over there ---------------------------------------------------------------------------

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
        self.loop.close()

    def call(
        self,
        work: Callable[[], Awaitable[T]],
        done: Callable[[T], None] | None = None,
        failed: Failed | None = None,
    ) -> None:
        """Run a coroutine on the client's thread.

        Args:
            work: makes it; called over there.
            done: gets its result, here.
            failed: gets what it raises, here, if that is one of our errors.
        """

        async def run() -> None:
            try:
                result = await work()
            except ChatSecureError as error:
                self.post(partial(failed or self._failed, error))
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001 - the last place that can tell of it
                problem = ChatSecureError(f"{type(error).__name__}: {error}")
                self.post(partial(failed or self._failed, problem))
            else:
                if done is not None:
                    self.post(partial(done, result))

        def start() -> None:
            task = self.loop.create_task(run())
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)

        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(start)

    def ask(
        self,
        work: Callable[[], T],
        done: Callable[[T], None] | None = None,
        failed: Failed | None = None,
    ) -> None:
        """`call` for what needs no waiting: it runs on the client's thread all the same."""

        async def run() -> T:
            return work()

        self.call(run, done, failed)

    # --- back here ----------------------------------------------------------------------------

    def post(self, task: Task) -> None:
        """Run something on Tk's thread, in order. May be called from any thread."""
        self._queue.append(task)
        if self._watched and self._awake.acquire(blocking=False):
            with contextlib.suppress(OSError):
                self._sender.send(b"\0")

    def _readable(self, _file: Any, _mask: int) -> None:
        with contextlib.suppress(OSError):
            self._receiver.recv(64)
        with contextlib.suppress(RuntimeError):
            self._awake.release()
        self._drain()

    def _poll(self) -> None:
        self._later = self._root.after(POLL_MS, self._poll)
        self._drain()

    def _rest(self) -> None:
        self._later = None
        self._drain()

    def _drain(self) -> None:
        end = time.monotonic() + SLICE_S
        while self._queue and not self._closed:
            task = self._queue.popleft()
            try:
                task()
            except Exception:  # noqa: BLE001 - as Tk does with what its callbacks raise
                self._root.report_callback_exception(*sys.exc_info())
            if time.monotonic() > end:
                break
        if self._queue and self._watched and self._later is None and not self._closed:
            # After what is due now, so that keys and drawing come first.
            self._later = self._root.after(1, self._rest)

    # --- the end ------------------------------------------------------------------------------

    def close(self, last: Callable[[], Awaitable[None]] | None = None) -> None:
        """End the thread; `last` runs over there first. Waits at most `STOP_TIMEOUT_S`."""
        if self._closed:
            return

        async def stop() -> None:
            try:
                if last is not None:
                    async with asyncio.timeout(STOP_TIMEOUT_S - 1):
                        await last()
            finally:
                for task in list(self._calls):
                    task.cancel()
                await asyncio.gather(*self._calls, return_exceptions=True)

        future = asyncio.run_coroutine_threadsafe(stop(), self.loop)
        with contextlib.suppress(TimeoutError, Exception):
            future.result(STOP_TIMEOUT_S)
        self._closed = True
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(1.0)
        if self._later is not None:
            self._root.after_cancel(self._later)
        if self._watched:
            self._root.tk.deletefilehandler(self._receiver)
        self._receiver.close()
        self._sender.close()
