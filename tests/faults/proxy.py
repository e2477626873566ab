"""A TCP proxy that does harm: cuts, stalls, delays, throttles, corrupts, leaves lines half open.

It runs an event loop in a thread of its own; what it is told holds from then on, also for
connections that stand.
"""

import asyncio
import contextlib
import random
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Self

READ_BYTES = 16 * 1024


class Proxy:
    """Listens on a port and carries bytes to another one.

    Args:
        port: where to listen; 0: a free one.
        target: the port of the server.
        seed: of what is done at random.
    """

    def __init__(self, port: int, target: int, seed: int = 0) -> None:
        self.port, self.target = port, target
        self.delay_s = 0.0
        """What comes is handed on so much later."""
        self.bytes_per_s = 0
        """0: as fast as it goes."""
        self.stalled = False
        """Nothing is handed on; nothing is lost."""
        self.swallow = False
        """What comes is lost, and nobody is told: as if the other side had vanished."""
        self.refusing = False
        """New connections are closed at once."""
        self.corrupt = 0.0
        """How likely a piece has a bit turned over."""
        self.carried = 0
        """Bytes handed on."""
        self.corrupted = 0
        """Pieces that were changed."""
        self._random = random.Random(seed)
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._call(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(15)

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        self._server.close()
        await self._cut()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    def cut(self) -> None:
        """Every connection breaks, with a reset."""
        self._call(self._cut())

    async def _cut(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    def do(self, change: Callable[["Proxy"], None]) -> None:
        """Change something in the proxy's own thread."""
        self._loop.call_soon_threadsafe(change, self)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refusing:
            writer.close()
            return
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, back}
        ways = [
            asyncio.ensure_future(self._carry(reader, back)),
            asyncio.ensure_future(self._carry(there, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in ways:
                task.cancel()
            self._writers -= {writer, back}
            for end in (writer, back):
                with contextlib.suppress(OSError, RuntimeError):
                    end.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(READ_BYTES):
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                while self.stalled:
                    await asyncio.sleep(0.05)
                if self.swallow:
                    continue
                if self.bytes_per_s:
                    await asyncio.sleep(len(data) / self.bytes_per_s)
                writer.write(self._harmed(data))
                await writer.drain()
                self.carried += len(data)

    def _harmed(self, data: bytes) -> bytes:
        if self._random.random() >= self.corrupt:
            return data
        self.corrupted += 1
        changed = bytearray(data)
        changed[self._random.randrange(len(changed))] ^= 1 << self._random.randrange(8)
        return bytes(changed)
