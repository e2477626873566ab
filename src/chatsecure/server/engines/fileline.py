"""A file connection at the server: a thread of its own on a plain blocking TLS socket.

It begins with one byte in the clear, `FILE_PREAMBLE`, so that an engine knows it before TLS, whose
first byte is another. Then come TLS, a ticket, and requests one after the other: a segment
to keep, or a run of segments to send. Bytes go between the socket and the disk through one small
buffer, outside the turn; what has to be decided is asked in a turn (`server/transfers.py`).
"""

import contextlib
import queue
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any, NoReturn, Protocol, TypeVar

from chatsecure.server.core import Core
from chatsecure.server.rules import blobs as rules
from chatsecure.server.rules.who import Who
from chatsecure.server.session import as_error
from chatsecure.server.store.base import BlobRow
from chatsecure.wire import messages as m
from chatsecure.wire.connection import encode_message
from chatsecure.wire.errors import ChatSecureError, ErrorCode, ProtocolError, Refused
from chatsecure.wire.frames import HEADER

from .base import no_delay, outcome_of

T = TypeVar("T")
BUFFER_BYTES = 256 * 1024
MAX_BODY_BYTES = 1024
"""Longest body of a frame here."""
TURN_S = 60.0
"""How long a turn, or a disk, is waited for before the connection is given up."""
FOLLOW_S = 2.0
"""How long a run waits for its next segment to become whole."""


class Engine(Protocol):
    """What it needs of its engine."""

    core: Core
    context: ssl.SSLContext

    def post(self, call: Callable[[], None]) -> None:
        """Call something in a turn."""


class FileLine:
    """One file connection.

    Args:
        engine: whose it is.
        sock: accepted; its first byte is read.
        address: where it comes from, for the limits.
    """

    def __init__(self, engine: Engine, sock: socket.socket, address: str) -> None:
        self._engine, self._core = engine, engine.core
        self._address = address
        self._raw = sock
        self._sock: ssl.SSLSocket
        self._who: Who
        self._buffer = memoryview(bytearray(BUFFER_BYTES))
        self._answers: queue.SimpleQueue[tuple[int, Exception | None]] = queue.SimpleQueue()
        self._unanswered = 0
        self.moved = 0
        """See `filelines.Line`."""

    def run(self) -> None:
        """The whole life of the connection."""
        try:
            if self._turn(lambda: self._core.file_lines.arrive(self, self._address)):
                try:
                    self._enter()
                    self._serve()
                finally:
                    self._engine.post(lambda: self._core.file_lines.leave(self))
        except (OSError, ChatSecureError, queue.Empty):
            pass
        except Exception as error:  # noqa: BLE001 - one connection must not take down others
            if not self._core.stopping:
                self._core.failed("a file connection failed", error)
        with contextlib.suppress(OSError):
            self._raw.close()

    def cut(self) -> None:
        """End it, from any thread."""
        # Not the TLS socket's own, which would take its TLS away under the thread that uses it.
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._raw, socket.SHUT_RDWR)

    def _turn(self, job: Callable[[], T]) -> T:
        """What a job gives in a turn.

        Raises:
            queue.Empty: there are no turns any more.
        """
        box: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._engine.post(lambda: box.put(outcome_of(job)))
        outcome = box.get(timeout=TURN_S)
        if isinstance(outcome, Exception):
            raise outcome
        result: T = outcome
        return result

    # --- the way in ---------------------------------------------------------------------------

    def _enter(self) -> None:
        limits = self._core.limits
        self._raw.settimeout(limits.handshake_s)
        no_delay(self._raw)
        try:
            self._sock = self._engine.context.wrap_socket(
                self._raw, server_side=True, do_handshake_on_connect=False
            )
            self._raw = self._sock
            self._sock.do_handshake()
        except OSError:
            self._core.stats.handshakes_failed += 1
            raise
        request, hello = self._next()
        if not isinstance(hello, m.FileHello):
            self._broken("a file connection begins with its ticket")
        try:
            self._who = self._turn(lambda: self._core.file_lines.enter(self, hello.ticket))
        except Refused as error:
            self._send(as_error(error), request)
            raise
        self._send(m.Ok(), request)
        # From here on the core's clockwork ends what stands still.
        self._sock.settimeout(None)

    def _serve(self) -> None:
        while True:
            request, message = self._next()
            match message:
                case m.BlobPut():
                    self._put(request, message)
                case m.BlobGet() if not self._unanswered:
                    self._get(request, message)
                case _:
                    self._broken(f"a {type(message).__name__} may not come now")

    # --- frames -------------------------------------------------------------------------------

    def _next(self) -> tuple[int, m.Message]:
        head = self._buffer[: HEADER.size]
        self._fill(head)
        length, type_, request = HEADER.unpack(head)
        if length > MAX_BODY_BYTES:
            self._broken("a frame on a file connection is too long")
        body = self._buffer[:length]
        self._fill(body)
        try:
            return request, m.decode_body(type_, body)
        except ProtocolError as error:
            self._broken(str(error))

    def _broken(self, why: str) -> NoReturn:
        self._core.stats.protocol_errors += 1
        self._send(m.Error(ErrorCode.MALFORMED, why[:1000]), 0)
        raise ProtocolError(why)

    def _fill(self, view: memoryview) -> None:
        while view:
            count = self._sock.recv_into(view)
            if not count:
                raise ConnectionError("closed")
            view = view[count:]
            self.moved += 1

    def _send(self, message: m.Message, request: int) -> None:
        self._sock.sendall(encode_message(message, request))

    # --- in -----------------------------------------------------------------------------------

    def _put(self, request: int, message: m.BlobPut) -> None:
        """Take one segment, write it, and answer what is on disk by now."""
        core, transfers, blobs = self._core, self._core.transfers, self._core.transfers.blobs
        blob_id, segment = message.blob_id, message.segment
        failure: Exception | None = None
        fresh = False
        offset = 0
        try:
            row = core.store.read(lambda tx: tx.blob(blob_id))
            fresh = self._turn(lambda: transfers.begin(row, self._who, message, self))
            offset = 0 if row is None else segment * row.segment_bytes
        except ChatSecureError as error:
            failure = error
        end = offset + message.length
        try:
            while offset < end:
                piece = self._buffer[: min(BUFFER_BYTES, end - offset)]
                self._fill(piece)
                if fresh and failure is None:
                    try:
                        blobs.write(blob_id, offset, piece)
                    except ChatSecureError as error:
                        failure = error
                offset += len(piece)
        except BaseException:
            begun = offset - end + message.length

            def broke_off() -> None:
                self._count_in(begun)
                transfers.broke_off(blob_id, self)

            self._engine.post(broke_off)
            raise

        def answer(failure: Exception | None) -> None:
            self._answers.put((request, failure))

        def done() -> None:
            self._count_in(message.length)
            if failure is not None:
                transfers.broke_off(blob_id, self)
                answer(failure)
            elif fresh:
                transfers.wrote(blob_id, segment, answer)
            else:
                transfers.again(blob_id, segment, answer)

        self._engine.post(done)
        self._unanswered += 1
        self._answer(0 if message.last else m.MAX_UNANSWERED_PUTS - 1)

    def _count_in(self, count: int) -> None:
        self._core.stats.bytes_in += count
        self._core.stats.blob_bytes_in += count

    def _answer(self, most: int) -> None:
        """Answer until no more than so many puts have no answer."""
        while self._unanswered > most or (self._unanswered and not self._answers.empty()):
            request, failure = self._answers.get(timeout=TURN_S)
            self._unanswered -= 1
            self.moved += 1
            if failure is not None and not isinstance(failure, ChatSecureError):
                self._core.failed("a file could not be kept", failure)
            self._send(m.Ok() if failure is None else as_error(failure), request)

    # --- out ----------------------------------------------------------------------------------

    def _get(self, request: int, message: m.BlobGet) -> None:
        """Send a run of segments, as far as they are whole or soon become so."""
        core, who = self._core, self._who
        try:
            row = core.store.read(lambda tx: rules.may_read(tx, who, message.blob_id))
            rules.check_get(row, message)
            whole = row.whole
            for segment in range(message.segment, message.segment + message.count):
                if segment >= whole:
                    whole = self._wait(row, segment)
                self._send_segment(request, row, segment)
        except ChatSecureError as error:
            self._send(as_error(error), request)

    def _wait(self, row: BlobRow, segment: int) -> int:
        """How many segments are whole, once this one is.

        Raises:
            Refused: NOT_YET, or it was deleted.
        """
        core, more = self._core, threading.Event()
        deadline = core.clock() + FOLLOW_S
        while True:
            more.clear()
            whole = self._turn(lambda: core.transfers.whole(row, segment, self, more.set))
            if whole > segment:
                return whole
            self.moved += 1
            left = deadline - core.clock()
            if left <= 0 or not more.wait(left):
                raise rules.not_yet()

    def _send_segment(self, request: int, row: BlobRow, segment: int) -> None:
        blobs, length = self._core.transfers.blobs, rules.segment_length(row, segment)
        offset = segment * row.segment_bytes
        end = offset + length
        try:
            # Once so many bytes are promised there is no way to say that they do not come.
            blobs.read_into(row.blob_id, end - 1, self._buffer[:1])
        except (ChatSecureError, OSError) as error:
            raise Refused(ErrorCode.NOT_FOUND, str(error)) from error
        self._send(m.BlobData(segment, length), request)
        while offset < end:
            piece = self._buffer[: min(BUFFER_BYTES, end - offset)]
            try:
                blobs.read_into(row.blob_id, offset, piece)
            except (ChatSecureError, OSError) as error:
                raise ConnectionError("a file went while it was being sent") from error
            self._sock.sendall(piece)
            self.moved += 1
            offset += len(piece)

        def sent() -> None:
            self._core.stats.bytes_out += length
            self._core.stats.blob_bytes_out += length

        self._engine.post(sent)
