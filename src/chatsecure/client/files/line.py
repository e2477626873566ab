"""A file connection at the client: plain blocking TLS, used by one thread at a time.

It moves whole segments and knows nothing of files, ciphers or what comes next. What goes wrong
with it is `Unreachable`, so that nobody takes it for trouble with a disk.
"""

import contextlib
import hmac
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

from chatsecure.bulk import Stream
from chatsecure.client.connection import SERVER_NAME, tls_context
from chatsecure.wire import messages as m
from chatsecure.wire.errors import (
    ErrorCode,
    ProtocolError,
    Refused,
    Unreachable,
    WrongIdentity,
)

CONNECT_S = 10.0
BUFFER_BYTES = 256 * 1024
MAX_BODY_BYTES = 64 * 1024


@contextmanager
def _network() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unreachable(f"a file connection broke ({error.strerror or error})") from error


class FileLine:
    """One file connection.

    Args:
        host, port: where the server is.
        certificate_hash: SHA-256 of the certificate that the line has shown.
        ticket: from the line.

    Raises:
        Unreachable: there is no connection.
        WrongIdentity: it is another server.
        Refused: the server does not take the ticket.
    """

    def __init__(self, host: str, port: int, certificate_hash: bytes, ticket: bytes) -> None:
        self._request = 0
        self._buffer = memoryview(bytearray(BUFFER_BYTES))
        self.used_at = 0
        """When it was given back last."""
        with _network():
            raw = socket.create_connection((host, port), CONNECT_S)
            self._sock = raw
            try:
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                raw.sendall(m.FILE_PREAMBLE)
                self._stream = Stream(raw, tls_context(), server_hostname=SERVER_NAME)
                self._stream.handshake()
                self._greet(certificate_hash, ticket)
                # The line says when the server is gone.
                raw.settimeout(None)
            except BaseException:
                raw.close()
                raise

    def _greet(self, certificate_hash: bytes, ticket: bytes) -> None:
        found = sha256(self._stream.peer_certificate).digest()
        if not hmac.compare_digest(found, certificate_hash):
            raise WrongIdentity(
                "a file connection has reached another server than the line",
                hint="somebody may be in between; ask who invited you",
            )
        self._send(m.FileHello(ticket))
        self.answer()

    # --- segments out -------------------------------------------------------------------------

    def put(self, blob_id: bytes, segment: int, length: int, *, last: bool) -> None:
        """So many bytes of a segment follow by `send`; then comes an answer.

        Args:
            last: all answers are awaited before anything else.
        """
        self._send(m.BlobPut(blob_id, segment, length, last))

    def send(self, data: memoryview | bytes) -> None:
        """Bytes of the segment."""
        with _network():
            self._stream.send(data)

    def answer(self) -> None:
        """Wait for an answer.

        Raises:
            Refused: the server said no.
        """
        message = self._next()
        if isinstance(message, m.Error):
            raise Refused(message.code, message.message, message.detail)
        if not isinstance(message, m.Ok):
            raise ProtocolError("the server answered a segment with something else")

    # --- segments in --------------------------------------------------------------------------

    def get(self, blob_id: bytes, segment: int, count: int) -> None:
        """Ask for a run of segments."""
        self._send(m.BlobGet(blob_id, segment, count))

    def receive(self, segment: int, length: int) -> bool:
        """The next segment of a run begins; its bytes are in `pieces`. False: it is not there yet.

        Raises:
            Refused: it will not come.
            ProtocolError: it is another one.
        """
        message = self._next()
        if isinstance(message, m.Error):
            if message.code == ErrorCode.NOT_YET:
                return False
            raise Refused(message.code, message.message, message.detail)
        if message != m.BlobData(segment, length):
            raise ProtocolError("the server answered with another part of a file")
        return True

    def pieces(self, length: int) -> Iterator[memoryview]:
        """The bytes of a segment; each piece is good until the next."""
        while length:
            piece = self._buffer[: min(length, BUFFER_BYTES)]
            with _network():
                self._stream.fill(piece)
            yield piece
            length -= len(piece)

    # --- both ---------------------------------------------------------------------------------

    def cut(self) -> None:
        """End it, from any thread."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close it; no thread uses it any more."""
        self._sock.close()

    def _send(self, message: m.Message) -> None:
        self._request = self._request % 0xFFFF_FFFF + 1
        with _network():
            self._stream.send_message(message, self._request)

    def _next(self) -> m.Message:
        with _network():
            return self._stream.message(MAX_BODY_BYTES)[1]
