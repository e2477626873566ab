"""Runs a core on asyncio: one TLS connection at a time, the clock, backoff. No chat logic.

`turn` is called after everything that may have moved the core: it sends what there is to send,
sets the timer and wakes whoever waits for a change.
"""

import asyncio
import contextlib
import os
import random
import ssl
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from chatsecure.bulk import give_way
from chatsecure.wire.errors import ChatSecureError, NotInTime, Unreachable

from .backoff import pause
from .connection import Line, connect
from .core import Core
from .events import ConnectionEvent, stamp
from .files.line import FileLine
from .files.lines import MAX_LINES
from .flow import Flow, T
from .profile.database import ProfileMoved
from .whereabouts import Whereabouts, is_near

CONNECT_TIMEOUT_S = 10.0
WORKERS = 4 + MAX_LINES
"""Threads for disks and ciphers, and one for each file connection."""
NEIGHBOUR_POLL_S = 0.25
"""How often we look whether another process of this profile has written something."""


def now_ms() -> int:
    """The time in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def clock_ms() -> int:
    """Milliseconds that only grow, whatever the time is set to."""
    return time.monotonic_ns() // 1_000_000


class Driver:
    """Runs one core.

    Args:
        core: the core; nobody else may call its inputs.
        where: where the server is.
    """

    def __init__(self, core: Core, where: Whereabouts) -> None:
        self._core = core
        self._where = where
        self._line: Line | None = None
        self._task: asyncio.Task[None] | None = None
        self._neighbour: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._changed = asyncio.Event()
        self.failure: ChatSecureError | None = None
        """Why the last try to connect or the last connection ended; None while online."""
        self.attempts = 0
        """How many tries to connect have ended in failure."""
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="work", initializer=give_way)
        self._stopped = False

    def start(self) -> None:
        """Begin connecting, and go on for ever."""
        loop = asyncio.get_running_loop()

        ends: deque[Callable[[], None]] = deque()

        def ended() -> None:
            # What ended since the last turn goes on in one.
            if ends and not self._stopped:
                self._together(*(ends.popleft() for _ in range(len(ends))))
                self.turn()

        def background(job: Callable[[], None], end: Callable[[], None]) -> None:
            def run() -> None:
                job()
                ends.append(end)
                # The loop may have ended meanwhile: then nobody waits any more.
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(ended)

            with contextlib.suppress(RuntimeError):
                self._pool.submit(run)

        def post(call: Callable[[], None]) -> None:
            def run() -> None:
                if not self._stopped:
                    self._together(call)
                    self.turn()

            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(run)

        self._core.background = background
        self._core.post = post
        self._core.files.lines.connect = lambda pinned, ticket: FileLine(
            *self._where.address, pinned, ticket
        )
        self._task = asyncio.create_task(self._run())
        self._neighbour = asyncio.create_task(self._watch_neighbours())

    async def stop(self) -> None:
        """Close the connection; what was handed to it is sent first.

        What threads are still at is of no consequence from here on: the profile may be closed.
        """
        for task in (self._neighbour, self._task):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await task
        if self._timer is not None:
            self._timer.cancel()
        self._stopped = True
        self._core.files.lines.cut()
        self._pool.shutdown(wait=False, cancel_futures=True)

    # --- the connection -----------------------------------------------------------------------

    async def _run(self) -> None:
        left = time.monotonic()
        while True:
            was_online = await self._connection()
            if self._core.fatal is not None:
                self._core.emit(
                    ConnectionEvent(
                        at=stamp(now_ms()), state="refused", reason=str(self._core.fatal)
                    )
                )
                self.turn()
                return
            if was_online:
                left = time.monotonic()
            away_s, near = time.monotonic() - left, is_near(self._where.address[0])
            await asyncio.sleep(pause(away_s, near=near, chance=random.random()))  # noqa: S311

    async def _connection(self) -> bool:
        """One connection, from the first try to its end. Gives whether it came to log-in."""
        core, online, failure = self._core, False, Unreachable("the connection was closed")
        error: ChatSecureError = failure

        def heard(data: memoryview) -> None:
            nonlocal online
            core.received(data)
            if core.online and not online:
                online = True
                self._where.keep()
            if core.online:
                self.failure = None
            self.turn()

        try:
            line = await self._connect_somewhere()
            self._line = line
            try:
                core.connected(line.certificate())
                line.heard = heard
                self.turn()
                await line.ended
            finally:
                self._line = None
                await line.close()
        except ChatSecureError as problem:
            error = problem
            if isinstance(problem, ProfileMoved):
                core.fatal = problem
        except (OSError, TimeoutError, ssl.SSLError) as problem:
            error = self._unreachable(problem)
        self.failure = error
        self.attempts += 1
        core.disconnected(str(error))
        self.turn()
        return online

    async def _connect_somewhere(self) -> Line:
        """Connect where the server was, or where this network says it is now."""
        try:
            return await self._connect()
        except (OSError, TimeoutError):
            if not self._where.may_look() or not await asyncio.to_thread(self._where.look):
                raise
            return await self._connect()

    async def _connect(self) -> Line:
        host, port = self._where.address
        return await connect(host, port, CONNECT_TIMEOUT_S)

    def _unreachable(self, problem: Exception) -> Unreachable:
        host, port = self._where.address
        return Unreachable(
            f"the server {host}:{port} cannot be reached ({_said(problem)})",
            hint="is it running, and is the network there?",
        )

    # --- turns --------------------------------------------------------------------------------

    def turn(self) -> None:
        """Send, set the timer, wake who waits."""
        output = self._core.take_output()
        if self._line is not None:
            self._line.write(output)
        self._set_timer()
        self._changed.set()
        self._changed = asyncio.Event()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        wakeup = self._core.next_wakeup()
        if wakeup is not None:
            delay = max(0.0, (wakeup - clock_ms()) / 1000)
            self._timer = asyncio.get_running_loop().call_later(delay, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._together(self._core.tick)
        self.turn()

    def _together(self, *calls: Callable[[], None]) -> None:
        """Call the core in one turn of its own; where that fails, begin with a new connection."""
        try:
            with self._core.turn():
                for call in calls:
                    call()
        except ChatSecureError:
            if self._line is not None:
                self._line.abort()

    async def _watch_neighbours(self) -> None:
        seen = self._core.db.data_version()
        while True:
            await asyncio.sleep(NEIGHBOUR_POLL_S)
            version = self._core.db.data_version()
            if version != seen:
                seen = version
                try:
                    self._core.db.check_moved()
                except ProfileMoved as moved:
                    self._core.fatal = moved
                    if self._line is not None:
                        self._line.abort()
                else:
                    self._together(self._core.scheduler.settle, self._core.pump)
                self.turn()

    # --- waiting ------------------------------------------------------------------------------

    async def until(
        self,
        condition: Callable[[], bool],
        timeout: float | None = None,
        *,
        what: str = "it took too long",
    ) -> None:
        """Wait for a condition, looked at after every turn.

        Raises:
            NotInTime: `timeout` seconds ran out.
            ChatSecureError: there will be no connection any more, and why.
        """
        deadline = None if timeout is None else asyncio.get_running_loop().time() + timeout
        while not condition():
            self.check()
            changed = self._changed
            waiting = asyncio.create_task(changed.wait())
            tasks = {waiting} | ({self._task} if self._task is not None else set())
            left = None if deadline is None else deadline - asyncio.get_running_loop().time()
            if left is not None and left <= 0:
                waiting.cancel()
                raise NotInTime(what)
            try:
                await asyncio.wait(tasks, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            finally:
                waiting.cancel()

    def check(self) -> None:
        """Raise what has ended the driver for good, if anything has."""
        if self._core.fatal is not None:
            raise self._core.fatal
        if self._task is not None and self._task.done() and not self._task.cancelled():
            error = self._task.exception()
            if error is not None:
                raise error

    async def run(self, flow: Flow[T]) -> T:
        """Run a flow to its end.

        Raises:
            ChatSecureError: what the flow raised, or why there is no connection any more.
        """
        done = asyncio.Event()
        operation = self._core.run(flow, lambda _: done.set())
        self.turn()
        ending = asyncio.ensure_future(done.wait())
        try:
            while not operation.done:
                self.check()
                tasks = {ending} | ({self._task} if self._task is not None else set())
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        except BaseException:
            operation.cancel()
            raise
        finally:
            ending.cancel()
        if operation.error is not None:
            raise operation.error
        result: T = operation.result  # type: ignore[assignment]
        return result


def _said(problem: Exception) -> str:
    """Why there is no connection, in the system's words."""
    said = str(getattr(problem, "strerror", None) or problem or "no answer in time")
    if isinstance(problem, OSError) and said.startswith("Connect call failed"):
        # asyncio's own, with a tuple in it.
        return os.strerror(problem.errno or 0).lower()
    return said
