"""A server that lies to one of its users: the real one, behind a line that changes what it says.

It has the server's own TLS key, so that a client takes it for the server. It runs an event loop in
a thread of its own, as the proxy does.
"""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Self

import msgspec

from chatsecure.wire import messages as m
from chatsecure.wire.connection import encode_message
from chatsecure.wire.frames import MAX_FRAME_BYTES, FrameDecoder
from system.conftest import Server

Lie = Callable[[m.Message], list[m.Message]]
READ_BYTES = 64 * 1024


def each_text(change: Callable[[m.Entry, int], list[m.Entry]]) -> Lie:
    """A lie about the messages in one conversation, the first in which something is written; told
    with each how many came before."""
    seen: list[int] = []
    where: set[bytes] = set()

    def lie(message: m.Message) -> list[m.Message]:
        if not isinstance(message, m.Entries):
            return [message]
        if not where and message.entries[0].kind is m.EntryKind.MESSAGE:
            where.add(message.log_id)
        if message.log_id not in where:
            return [message]
        told: list[m.Entry] = []
        for entry in message.entries:
            if entry.kind is m.EntryKind.MESSAGE:
                seen.append(entry.seq)
                told += change(entry, len(seen) - 1)
            else:
                told.append(entry)
        return [m.Entries(message.log_id, told)] if told else []

    return lie


def with_seq(entry: m.Entry, seq: int) -> m.Entry:
    """The entry under another number."""
    return msgspec.structs.replace(entry, seq=seq)


class Liar:
    """Stands between one user and the server.

    Args:
        server: the real one.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self.port = 0
        self.lie: Lie = lambda message: [message]
        """What becomes of each message to the user; set it at any time."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._lines: set[asyncio.StreamWriter] = set()

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
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._server.data / "tls.crt", self._server.data / "tls.key")
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=context)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        self._listener.close()
        await self._cut()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    def cut(self) -> None:
        """Break the connections; the user comes back."""
        self._call(self._cut())

    async def _cut(self) -> None:
        for writer in list(self._lines):
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        there, back = await asyncio.open_connection(
            self._server.host, self._server.port, ssl=context
        )
        self._lines |= {writer, back}
        ways = [
            asyncio.ensure_future(self._as_it_is(reader, back)),
            asyncio.ensure_future(self._changed(there, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in ways:
                task.cancel()
            self._lines -= {writer, back}
            for end in (writer, back):
                with contextlib.suppress(OSError, RuntimeError):
                    end.close()

    async def _as_it_is(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(READ_BYTES):
                writer.write(data)
                await writer.drain()

    async def _changed(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        decoder = FrameDecoder(MAX_FRAME_BYTES)
        with contextlib.suppress(OSError):
            while data := await reader.read(READ_BYTES):
                decoder.feed(data)
                while (frame := decoder.next_frame()) is not None:
                    message = m.decode_body(frame.type, frame.body)
                    for told in self.lie(message):
                        writer.write(encode_message(told, frame.request))
                await writer.drain()
