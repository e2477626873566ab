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

from chatsecure.bulk import Stream, give_way
from chatsecure.server.blobs.base import Blob, BlobStore
from chatsecure.server.core import Core
from chatsecure.server.rules import blobs as rules
from chatsecure.server.rules.who import Who
from chatsecure.server.session import as_error
from chatsecure.server.store.base import BlobRow
from chatsecure.wire import messages as m
from chatsecure.wire.errors import ChatSecureError, ErrorCode, ProtocolError, Refused

from .base import no_delay, outcome_of

T = TypeVar("T")
BUFFER_BYTES = 256 * 1024
MAX_BODY_BYTES = 1024
"""Longest body of a frame here."""
TURN_S = 60.0
"""How long a turn, or a disk, is waited for before the connection is given up."""
LET_GO_SEGMENTS = 4
"""So far behind what was sent, pages of a file that nobody else reads leave the memory: there the
system has done with them."""
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
        self._sock = sock
        self._stream = Stream(sock, engine.context, server_side=True)
        self._who: Who
        self._taken = 0
        """Bytes of the segment that comes."""
        self._buffer = memoryview(bytearray(BUFFER_BYTES))
        self._answers: queue.SimpleQueue[tuple[int, Exception | None]] = queue.SimpleQueue()
        self._unanswered = 0

    @property
    def _blobs(self) -> BlobStore:
        return self._core.transfers.blobs

    @property
    def moved(self) -> int:
        """See `filelines.Line`."""
        return self._stream.moved

    def run(self) -> None:
        """The whole life of the connection."""
        give_way()
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
            self._sock.close()

    def cut(self) -> None:
        """End it, from any thread."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

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
        self._sock.settimeout(limits.handshake_s)
        no_delay(self._sock)
        try:
            self._stream.handshake()
        except OSError:
            self._core.stats.handshakes_failed += 1
            raise
        request, hello = self._next()
        if not isinstance(hello, m.FileHello):
            self._broken("a file connection begins with its ticket")
        try:
            self._who = self._turn(lambda: self._core.file_lines.enter(self, hello.ticket))
        except Refused as error:
            self._stream.send_message(as_error(error), request)
            raise
        self._stream.send_message(m.Ok(), request)
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
        try:
            return self._stream.message(MAX_BODY_BYTES)
        except ProtocolError as error:
            self._broken(str(error))

    def _broken(self, why: str) -> NoReturn:
        self._core.stats.protocol_errors += 1
        self._stream.send_message(m.Error(ErrorCode.MALFORMED, why[:1000]), 0)
        raise ProtocolError(why)

    # --- in -----------------------------------------------------------------------------------

    def _put(self, request: int, message: m.BlobPut) -> None:
        """Take one segment, write it, and answer what is on disk by now."""
        core, transfers = self._core, self._core.transfers
        blob_id, segment = message.blob_id, message.segment
        failure: ChatSecureError | None = None
        fresh = False
        offset = self._taken = 0
        try:
            row = core.store.read(lambda tx: tx.blob(blob_id))
            fresh = self._turn(lambda: transfers.begin(row, self._who, message, self))
            offset = 0 if row is None else segment * row.segment_bytes
        except ChatSecureError as error:
            failure = error
        try:
            failure = self._take(blob_id if fresh else None, offset, message.length) or failure
        except BaseException:
            begun = self._taken

            def broke_off() -> None:
                self._count_in(begun)
                if fresh:
                    transfers.broke_off(blob_id, self)

            self._engine.post(broke_off)
            raise

        def answer(failure: Exception | None) -> None:
            self._answers.put((request, failure))

        def done() -> None:
            self._count_in(message.length)
            if failure is not None:
                if fresh:
                    transfers.broke_off(blob_id, self)
                answer(failure)
            elif fresh:
                transfers.wrote(blob_id, segment, answer)
            else:
                transfers.again(blob_id, segment, answer)

        self._engine.post(done)
        self._unanswered += 1
        self._answer(0 if message.last else m.MAX_UNANSWERED_PUTS - 1)

    def _take(self, blob_id: bytes | None, offset: int, length: int) -> ChatSecureError | None:
        """Take the bytes of a segment, and write them to a blob, if to any.

        Returns:
            Why they could not be written.
        """
        failure, blob, end = None, None, offset + length
        with contextlib.ExitStack() as stack:
            try:
                if blob_id is not None:
                    blob = stack.enter_context(self._blobs.open(blob_id, create=True))
            except ChatSecureError as error:
                failure = error
            while offset < end:
                # Cut at whole pages: one that is written in two parts costs twice.
                piece = self._buffer[: min(BUFFER_BYTES - offset % BUFFER_BYTES, end - offset)]
                self._stream.fill(piece)
                if blob is not None:
                    try:
                        blob.write(offset, piece)
                    except ChatSecureError as error:
                        failure, blob = error, None
                offset += len(piece)
                self._taken += len(piece)
        return failure

    def _count_in(self, count: int) -> None:
        self._core.stats.bytes_in += count
        self._core.stats.blob_bytes_in += count

    def _answer(self, most: int) -> None:
        """Answer until no more than so many puts have no answer."""
        while self._unanswered > most or (self._unanswered and not self._answers.empty()):
            request, failure = self._answers.get(timeout=TURN_S)
            self._unanswered -= 1
            if failure is not None and not isinstance(failure, ChatSecureError):
                self._core.failed("a file could not be kept", failure)
            self._stream.send_message(m.Ok() if failure is None else as_error(failure), request)

    # --- out ----------------------------------------------------------------------------------

    def _get(self, request: int, message: m.BlobGet) -> None:
        """Send a run of segments, as far as they are whole or soon become so."""
        core, who = self._core, self._who
        try:
            row, once = core.store.read(lambda tx: rules.to_read(tx, who, message.blob_id))
            rules.check_get(row, message)
            whole = row.whole
            for segment in range(message.segment, message.segment + message.count):
                if segment >= whole:
                    whole = self._wait(row, segment)
                with self._blobs.open(row.blob_id) as blob:
                    self._send_segment(request, row, segment, blob)
                    if once and segment - message.segment >= LET_GO_SEGMENTS:
                        done = segment - LET_GO_SEGMENTS
                        blob.let_go(done * row.segment_bytes, row.segment_bytes)
        except ChatSecureError as error:
            self._stream.send_message(as_error(error), request)

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
            self._stream.moved += 1
            left = deadline - core.clock()
            if left <= 0 or not more.wait(left):
                raise rules.not_yet()

    def _send_segment(self, request: int, row: BlobRow, segment: int, blob: Blob) -> None:
        length, offset = rules.segment_length(row, segment), segment * row.segment_bytes
        end = offset + length
        try:
            # Once so many bytes are promised there is no way to say that they do not come.
            blob.read_into(end - 1, self._buffer[:1])
        except OSError as error:
            raise Refused(ErrorCode.NOT_FOUND, str(error)) from error
        self._stream.send_message(m.BlobData(segment, length), request)
        while offset < end:
            piece = self._buffer[: min(BUFFER_BYTES, end - offset)]
            try:
                blob.read_into(offset, piece)
            except (ChatSecureError, OSError) as error:
                raise ConnectionError("a file went while it was being sent") from error
            self._stream.send(piece)
            offset += len(piece)

        def sent() -> None:
            self._core.stats.bytes_out += length
            self._core.stats.blob_bytes_out += length

        self._engine.post(sent)
