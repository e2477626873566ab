"""One TLS connection to a server, the line: bytes in both ways. Knows nothing of what they mean.

Files do not come this way: they have connections of their own (`files/line.py`), so nothing here
is ever behind one.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from typing import cast

READ_BYTES = 256 * 1024
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
    """One connection."""

    def __init__(self) -> None:
        self.heard: Callable[[memoryview], None] = lambda _: None
        """Called with bytes that have come; what it raises ends the connection."""
        self._transport: asyncio.Transport | None = None
        # A slice of a view is the buffer itself; of a bytearray it would be a copy.
        self._buffer = memoryview(bytearray(READ_BYTES))
        self._closed = asyncio.Event()
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when the connection is over, with what ended it."""

    # --- asyncio's side -----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """TLS is up."""
        self._transport = cast("asyncio.Transport", transport)

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

    # --- ours ---------------------------------------------------------------------------------

    def certificate(self) -> bytes:
        """The server's, in DER."""
        assert self._transport is not None
        found = self._transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return bytes(found or b"")

    def write(self, data: bytes) -> None:
        """Send this."""
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

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


async def connect(host: str, port: int, timeout: float) -> Line:
    """Connect.

    Raises:
        OSError, TimeoutError, ssl.SSLError: there is no connection.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(timeout):
        _, line = await loop.create_connection(
            Line,
            host,
            port,
            ssl=tls_context(),
            server_hostname=SERVER_NAME,
            ssl_handshake_timeout=timeout,
        )
    return line
