"""Moving much: what both ends of a file connection do it with."""

import contextlib
import os
import socket
import ssl
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from chatsecure.wire import messages as m
from chatsecure.wire.connection import encode_message
from chatsecure.wire.errors import ProtocolError
from chatsecure.wire.frames import HEADER

READ_BYTES = 128 * 1024
"""What one call reads at most; it stays in the processor's cache until it is opened."""
NICENESS = 5
BINARY = getattr(os, "O_BINARY", 0)
"""What opens a file of bytes as such, where the system makes a difference."""
sync_data = getattr(os, "fdatasync", os.fsync)
"""Brings the bytes to disk and what it takes to find them, not the times."""
FREE_BYTES = 16 * 1024 * 1024
"""How much of a deleted file is given back to the disk in one step.

A file system commits what was freed together with everybody's next sync, and may tell the device of
every block: 3 GB at once held a message up for 60 to 240 ms, such steps for 5.
"""


def delete(path: Path) -> Callable[[], None]:
    """Delete a file, which need not be there: its name goes now, which takes no time, and its bytes
    when what this gives is called, which may take seconds and be in any thread.

    Raises:
        OSError: its name cannot go.
    """
    fd = None
    with contextlib.suppress(OSError):
        fd = os.open(path, os.O_RDWR | BINARY)
    if fd is not None and os.name == "nt":
        # What is open keeps its name there.
        os.close(fd)
        fd = None
    try:
        path.unlink(missing_ok=True)
    except OSError:
        if fd is not None:
            os.close(fd)
        raise
    return partial(give_back, fd) if fd is not None else lambda: None


def give_back(fd: int) -> None:
    """Close a file; if this is its end, free its bytes first, in steps that hold nobody up."""
    try:
        with contextlib.suppress(OSError):
            file = os.fstat(fd)
            size = 0 if file.st_nlink else file.st_size
            while size > FREE_BYTES:
                size -= FREE_BYTES
                os.ftruncate(fd, size)
                os.fsync(fd)
    finally:
        os.close(fd)


def give_way() -> None:
    """From here on let this thread run after those that somebody waits for.

    Moving a file keeps all processors busy, and a message beside one would wait for its turn on
    them. Linux knows the niceness of a thread; elsewhere it is the whole process's, so it stays.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.nice(NICENESS)


class Stream:
    """TLS over a connected, blocking socket, for one thread at a time.

    An `ssl.SSLSocket` calls the system for every record it writes and twice for every one it reads,
    and a record holds no more than 16 KiB. Through memory, one call moves many records.

    Args:
        sock: the socket, whose timeout holds for every wait; it remains the caller's to close, and
            to shut down from any thread.
        context, server_side, server_hostname: as for `ssl.SSLContext.wrap_bio`.

    Every method raises OSError (`ssl.SSLError` is one) when the connection breaks or is closed.
    """

    def __init__(
        self,
        sock: socket.socket,
        context: ssl.SSLContext,
        *,
        server_side: bool = False,
        server_hostname: str | None = None,
    ) -> None:
        self._sock = sock
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side, server_hostname)
        self._buffer = memoryview(bytearray(READ_BYTES))
        self.moved = 0
        """Grows while bytes come and go."""

    def handshake(self) -> None:
        """Begin TLS."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                self._read_more()
            except ssl.SSLError:
                self._flush()  # The alert, which tells the other end why.
                raise
            else:
                return self._flush()

    @property
    def peer_certificate(self) -> bytes:
        """The other end's certificate, DER."""
        return self._tls.getpeercert(binary_form=True) or b""

    def send(self, data: bytes | memoryview) -> None:
        """Send all of this."""
        view, write = memoryview(data), self._tls.write
        while view:
            view = view[write(view) :]
        self._flush()

    def fill(self, view: memoryview) -> None:
        """Wait for so many bytes that they fill this."""
        # Once a record: with a buffer it gives how many bytes, which its types do not know.
        read: Callable[[int, memoryview], Any] = self._tls.read
        while view:
            try:
                count = read(len(view), view)
            except ssl.SSLWantReadError:
                self._read_more()
                continue
            if not count:
                raise ConnectionError("closed")
            view = view[count:]

    def send_message(self, message: m.Message, request: int) -> None:
        """Send a frame."""
        self.send(encode_message(message, request))

    def message(self, most: int) -> tuple[int, m.Message]:
        """Wait for a frame, and give its request number and message.

        Args:
            most: so many bytes its body may have.

        Raises:
            ProtocolError: it is too long or none that there is.
        """
        head = bytearray(HEADER.size)
        self.fill(memoryview(head))
        length, type_, request = HEADER.unpack(head)
        if length > most:
            raise ProtocolError("a frame on a file connection is too long")
        body = bytearray(length)
        self.fill(memoryview(body))
        return request, m.decode_body(type_, memoryview(body))

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._sock.sendall(self._outgoing.read())
            self.moved += 1

    def _read_more(self) -> None:
        count = self._sock.recv_into(self._buffer)
        if not count:
            raise ConnectionError("closed")
        self.moved += 1
        self._incoming.write(self._buffer[:count])
