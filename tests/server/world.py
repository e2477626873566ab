"""The server's core without a network, a clock or threads: everything happens when it is told to.

Users here have no real keys: rules and sessions look at them only at the door, which `Client`
passes by a short cut, unless a test is about the door.
"""

import random
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from chatsecure.names import fold_name
from chatsecure.server.blobs.disk import DiskBlobs
from chatsecure.server.core import Core
from chatsecure.server.limits import ServerLimits
from chatsecure.server.rules import accounts, logs
from chatsecure.server.rules import blobs as rules
from chatsecure.server.rules.who import Who
from chatsecure.server.session import Session
from chatsecure.server.store.base import DeviceKey, DeviceRow, TokenRow, Tx, UserKey, UserRow
from chatsecure.server.store.sqlite import SqliteStore
from chatsecure.wire import messages as m
from chatsecure.wire.connection import encode_message
from chatsecure.wire.errors import Refused
from chatsecure.wire.frames import MAX_FRAME_BYTES, FrameDecoder

START = int(datetime.now(UTC).timestamp() * 1000)
"""The certificates of `person` are made now, and a server refuses what is days from its clock."""
T = TypeVar("T")


def void(_: object) -> None:
    """Nothing."""


def device_id(name: str) -> bytes:
    """The id of a user's device."""
    return sha256(b"device" + name.encode()).digest()[:16]


class FakePort:
    """A connection's way out: what was written waits until the test takes it."""

    def __init__(self) -> None:
        self.waiting = bytearray()
        self.total = 0
        self.held = False
        self.closed = False
        self.jobs: list[tuple[Callable[[], Any], Callable[[Any], None]]] = []

    def write(self, data: bytes) -> None:
        if not self.closed:
            self.waiting += data
            self.total += len(data)

    def queued(self) -> int:
        return len(self.waiting)

    def taken(self) -> int:
        return self.total - len(self.waiting)

    def hold(self, held: bool) -> None:
        self.held = held

    def close(self) -> None:
        self.closed = True

    def work(self, job: Callable[[], T], done: Callable[[T | Exception], None]) -> None:
        self.jobs.append((job, done))


class World:
    """One server and its clients."""

    def __init__(self, folder: Path, limits: ServerLimits | None = None) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.limits = limits or ServerLimits()
        self.time_ms = START
        self.random = random.Random(7)
        self.clients: list[Client] = []
        self.jobs: list[tuple[Callable[[], Any], Callable[[Any], None]]] = []
        self.done: list[tuple[Callable[[Any], None], Any]] = []
        self.batches: list[list[Callable[[], None]]] = []
        self.open()

    def open(self) -> None:
        """Start the server on what is on disk."""
        self.store = SqliteStore(self.folder / "server.sqlite3", threaded=False)
        self.blobs = DiskBlobs(self.folder / "blobs")
        self.core = Core(
            self.store,
            self.blobs,
            self.limits,
            certificate_hash=b"c" * 32,
            now=lambda: self.time_ms,
            clock=lambda: self.time_ms / 1000,
            random=self.random.randbytes,
            total_blob_bytes=10**12,
        )
        self.store.deliver = self.batches.append
        self.core.runner = self

    def work(
        self, job: Callable[[], Any], done: Callable[[Any], None], *, bulk: bool = False
    ) -> None:
        """As an engine's."""
        self.jobs.append((job, done))

    def settle(self) -> None:
        """Let everything happen that can happen without more input."""
        while self.step(0):
            pass

    def step(self, choice: int) -> bool:
        """One thing happens of those that can; which one is the caller's choice.

        Disk work is done at one moment and told at a later one, and so are commits: what lies
        between is where races would be.
        """
        ports = [self, *(client.port for client in self.clients)]
        able: list[Callable[[], None]] = []
        able += [lambda port=port: self._do(port.jobs) for port in ports if port.jobs]  # type: ignore[misc]
        able += [lambda index=index: self._tell(index) for index in range(len(self.done))]  # type: ignore[misc]
        if self.store._queue:
            able.append(lambda: void(self.store.run_pending()))
        if self.batches:
            able.append(lambda: self.core.completed(self.batches.pop(0)))
        if able:
            able[choice % len(able)]()
        return bool(able)

    def _do(self, jobs: list[tuple[Callable[[], Any], Callable[[Any], None]]]) -> None:
        job, done = jobs.pop(0)
        try:
            outcome = job()
        except Exception as error:
            outcome = error
        self.done.append((done, outcome))

    def _tell(self, index: int) -> None:
        done, outcome = self.done.pop(index)
        done(outcome)

    def passes(self, seconds: float) -> None:
        """Time passes, second by second."""
        for _ in range(int(seconds)):
            self.time_ms += 1000
            self.core.tick()
            self.settle()

    # --- people -------------------------------------------------------------------------------

    def user(self, name: str, role: m.Role = m.Role.MEMBER) -> Who:
        """Somebody with one device; made if there is nobody of that name."""
        known = self.store.read(lambda tx: tx.device(device_id(name)))
        if known is not None:
            return Who(known.user, known.key, known.device_id, name, fold_name(name), role)
        row = UserRow(
            UserKey(0), name, fold_name(name), b"identity", b"sealing", b"list", b"signature",
            sha256(name.encode()).digest(), m.Role.MEMBER, self.time_ms,
        )  # fmt: skip
        device = DeviceRow(DeviceKey(0), UserKey(0), device_id(name), b"cert", b"k" * 32, 0)
        applicant = accounts.Applicant(row, device, 1, sha256(name.encode()).digest())

        def rule(tx: Tx) -> accounts.Welcome:
            tx.put_token(
                applicant.token_hash,
                TokenRow(1, self.time_ms + 1000, role is m.Role.OWNER),
                None,
                self.time_ms,
            )
            return accounts.register(tx, applicant, self.time_ms, self.limits)

        return self.run(rule).who

    def run(self, rule: Callable[[Tx], T]) -> T:
        """A write by the rule alone, at once."""
        self.store.deliver = lambda batch: [complete() for complete in batch]
        try:
            return self.store.run(rule)
        finally:
            self.store.deliver = self.batches.append

    def client(self, name: str, *, present: bool = True) -> "Client":
        """A connection that is logged in."""
        return Client(self, self.user(name), present=present)

    # --- rules --------------------------------------------------------------------------------

    def append(self, who: Who, message: m.Append) -> m.Appended:
        """Append by the rule alone."""
        appending = self.run(lambda tx: logs.append(tx, who, message, self.time_ms, self.limits))
        return appending.reply

    def create(self, who: Who, message: m.CreateLog) -> m.LogState:
        """Make a log by the rule alone."""
        return self.run(
            lambda tx: logs.create_log(tx, who, message, self.time_ms, self.limits)
        ).reply

    def readable(self, who: Who, log_id: bytes, after: int = 0) -> list[m.Entry]:
        """All that a device may read of a log."""

        def look(tx: Tx) -> list[m.Entry]:
            log = tx.log(log_id)
            assert log is not None
            return logs.readable(tx, log, who, after, 10**9)[0]

        return self.store.read(look)


class Client:
    """A client of a `World`, logged in."""

    def __init__(self, world: World, who: Who, *, present: bool = True) -> None:
        self.world = world
        self.who = who
        self.port = FakePort()
        assert world.core.arrive("test")
        self.session: Session = world.core.connect(self.port, "test")
        self.decoder = FrameDecoder(MAX_FRAME_BYTES)
        self.requests = 0
        self.got: list[tuple[int, m.Message]] = []
        connection = self.session._connection
        connection.greeted()
        connection.open()
        self.session.who, self.session.present = who, present
        world.core.entered(self.session, new=False)
        world.clients.append(self)

    def send(self, message: m.Message) -> int:
        """Send a request or notice; gives its id."""
        self.requests += 1
        self.session.received(encode_message(message, self.requests))
        return self.requests

    def take(self, limit: int | None = None) -> list[m.Message]:
        """Take what waits, or a part of it; gives the whole messages that came."""
        count = len(self.port.waiting) if limit is None else limit
        self.decoder.feed(bytes(self.port.waiting[:count]))
        del self.port.waiting[:count]
        if self.port.queued() <= 16 * 1024:
            self.session.drained()
        found = []
        while (frame := self.decoder.next_frame()) is not None:
            message = m.decode_body(frame.type, frame.body)
            self.got.append((frame.request, message))
            found.append(message)
        return found

    def take_all(self) -> list[m.Message]:
        """Take and settle until nothing more comes."""
        found = []
        while True:
            self.world.settle()
            part = self.take()
            if not part and not self.port.waiting:
                return found
            found += part

    def ask(self, message: m.Message) -> Any:
        """Ask and give the answer."""
        request = self.send(message)
        self.take_all()
        answers = [reply for answered, reply in self.got if answered == request]
        assert len(answers) == 1, answers
        return answers[0]

    def entries(self, log_id: bytes) -> list[m.Entry]:
        """All entries of a log that have come so far, in the order they came."""
        return [
            entry
            for _, message in self.got
            if isinstance(message, m.Entries) and message.log_id == log_id
            for entry in message.entries
        ]

    def follow(self, **cursors: int) -> Any:
        """Subscribe; logs are named by their one-letter ids."""
        wanted = [m.Cursor(log(name), seq) for name, seq in cursors.items()]
        return self.ask(m.Subscribe([m.Cursor(self.who.device_id, 0), *wanted]))

    def leave(self) -> None:
        """The connection ends."""
        self.port.closed = True
        self.port.jobs.clear()
        self.world.clients.remove(self)
        self.session.closed()
        self.world.core.depart("test")


class FakeLine:
    """A file connection of a client, without its thread: what it asks in its turns."""

    def __init__(self, client: Client) -> None:
        self.client, self.world = client, client.world
        self.moved = 0
        self.was_cut = False

    def cut(self) -> None:
        self.was_cut = True

    def begin(self, blob: bytes, segment: int, length: int) -> bool:
        """A segment is going to be sent."""
        row = self.world.store.read(lambda tx: tx.blob(blob))
        message = m.BlobPut(blob, segment, length, True)
        return self.world.core.transfers.begin(row, self.client.who, message, self)

    def write(self, blob: bytes, segment: int, data: bytes) -> list[Exception | None]:
        """Send one segment; the answer is in the list when it has come."""
        answers: list[Exception | None] = []
        transfers = self.world.core.transfers
        if self.begin(blob, segment, len(data)):
            row = self.world.store.read(lambda tx: tx.blob(blob))
            assert row is not None
            with transfers.blobs.open(blob, create=True) as file:
                file.write(segment * row.segment_bytes, data)
            transfers.wrote(blob, segment, answers.append)
        else:
            transfers.again(blob, segment, answers.append)
        return answers

    def put(self, blob: bytes, segment: int, data: bytes) -> Exception | None:
        """Send one segment, until it is answered; also with a refusal."""
        try:
            answers = self.write(blob, segment, data)
        except Refused as refused:
            return refused
        self.world.settle()
        (answer,) = answers
        return answer

    def put_all(self, blob: bytes, data: bytes, segment_bytes: int) -> None:
        """Send a whole file."""
        for number, start in enumerate(range(0, len(data), segment_bytes)):
            assert self.put(blob, number, data[start : start + segment_bytes]) is None

    def get(self, blob: bytes, segment: int) -> bytes:
        """One segment that is whole."""
        core = self.world.core
        row = core.store.read(lambda tx: rules.may_read(tx, self.client.who, blob))
        rules.check_get(row, m.BlobGet(blob, segment, 1))
        if core.transfers.whole(row, segment, self, lambda: None) <= segment:
            raise rules.not_yet()
        view = memoryview(bytearray(rules.segment_length(row, segment)))
        with core.transfers.blobs.open(blob) as file:
            file.read_into(segment * row.segment_bytes, view)
        return bytes(view)


def log(name: str) -> bytes:
    """A log's id."""
    return name.encode().ljust(16, b".")
