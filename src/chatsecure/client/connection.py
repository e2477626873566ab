"""One TLS connection to a server: bytes in both ways, two lanes out, a small queue.

Parts of files leave one at a time, when nothing else waits, so that a message is never behind
more than one of them. Knows nothing of what the bytes mean.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import cast

READ_BYTES = 256 * 1024
HIGH_WATER_BYTES, LOW_WATER_BYTES = 64 * 1024, 16 * 1024
UNSENT_BYTES = 256 * 1024
"""How much may wait in the system's own buffer, where nothing can overtake anything."""
UNSENT_OPTION: int | None = getattr(socket, "TCP_NOTSENT_LOWAT", None)
CLOSE_S = 1.0
SERVER_NAME = "chatsecure.invalid"
"""Said in TLS: servers have no names, and where they are is nobody's business."""


def tls_context() -> ssl.SSLContext:
    """TLS 1.3 to a server whose certificate we compare ourselves (it is pinned by the link)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Line(asyncio.BufferedProtocol):
    """One connection.

    Args:
        next_part: gives the next part of a file to send, or nothing.
    """

    def __init__(self, next_part: Callable[[], bytes]) -> None:
        self._next_part = next_part
        self.heard: Callable[[memoryview], None] = lambda _: None
        """Called with bytes that have come; what it raises ends the connection."""
        self._transport: asyncio.Transport | None = None
        # A slice of a view is the buffer itself; of a bytearray it would be a copy.
        self._buffer = memoryview(bytearray(READ_BYTES))
        self._full = False
        self._closed = asyncio.Event()
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when the connection is over, with what ended it."""

    # --- asyncio's side -----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """TLS is up."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(HIGH_WATER_BYTES, LOW_WATER_BYTES)
        sock = transport.get_extra_info("socket")
        if sock is not None and UNSENT_OPTION is not None:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, UNSENT_OPTION, UNSENT_BYTES)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where what comes is put."""
        del sizehint
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes have come."""
        if self.ended.done():
            return
        try:
            self.heard(self._buffer[:nbytes])
        except Exception as error:  # noqa: BLE001 - raised where the connection is waited for
            self.ended.set_exception(error)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._closed.set()
        if self.ended.done():
            return
        if exc is None:
            self.ended.set_result(None)
        else:
            self.ended.set_exception(exc)

    def pause_writing(self) -> None:
        """The other side, or the network, is slower than we are."""
        self._full = True

    def resume_writing(self) -> None:
        """There is room again."""
        self._full = False
        self._pour()

    # --- ours ---------------------------------------------------------------------------------

    def certificate(self) -> bytes:
        """The server's, in DER."""
        assert self._transport is not None
        found = self._transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return bytes(found or b"")

    def write(self, data: bytes) -> None:
        """Send this, then parts of files."""
        if self._transport is not None and not self._transport.is_closing():
            if data:
                self._transport.write(data)
            self._pour()

    def _pour(self) -> None:
        transport = self._transport
        # Above the mark we are told to stop, and later to go on; below it nobody would tell.
        while transport is not None and not self._full and not transport.is_closing():
            part = self._next_part()
            if not part:
                return
            transport.write(part)

    def abort(self) -> None:
        """Cut it."""
        if self._transport is not None:
            self._transport.abort()

    async def close(self) -> None:
        """Close it; what was written is flushed before."""
        if not self.ended.done():
            self.ended.cancel()
        if self._transport is None:
            return
        self._transport.close()
        with contextlib.suppress(TimeoutError, asyncio.CancelledError):
            async with asyncio.timeout(CLOSE_S):
                await self._closed.wait()
        self._transport.abort()


async def connect(host: str, port: int, next_part: Callable[[], bytes], timeout: float) -> Line:
    """Connect.

    Raises:
        OSError, TimeoutError, ssl.SSLError: there is no connection.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(timeout):
        _, line = await loop.create_connection(
            lambda: Line(next_part),
            host,
            port,
            ssl=tls_context(),
            server_hostname=SERVER_NAME,
            ssl_handshake_timeout=timeout,
        )
    return line
