"""The default store: SQLite with WAL, `synchronous=FULL` and group commit.

One thread writes. All writes that wait become one transaction, so a hundred appends cost one
sync; each is answered only after that sync. A refused request is undone alone (savepoint). When a
batch fails as a whole (disk full), each of its requests is tried alone, so that only those fail
that cannot be kept. Reads use connections of their own and never wait for the writer.

With `threaded=False` nothing runs by itself: `run_pending` applies what waits, in the caller's
thread (the simulation, `admin` on a stopped server).
"""

import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from chatsecure.wire.errors import ChatSecureError, ErrorCode, Refused

from .accounts import AccountTables
from .base import R, StoreError, StoreFull, T, Tx
from .logs import LogTables
from .schema import STEPS
from .turns import Turn, Turns
from .upkeep import UpkeepTables

log = logging.getLogger("chatsecure.server.store")
MAX_BATCH = 2_000
MAX_READERS = 8
V = TypeVar("V")
_WAIT = Refused(ErrorCode.UNAVAILABLE, "an earlier message of yours is to come first; try again")


class SqliteTx(AccountTables, LogTables, UpkeepTables):
    """What rules see of one connection."""

    def __init__(self, db: sqlite3.Connection) -> None:
        super().__init__()
        self.db = db


class _Write(NamedTuple):
    rule: Callable[[Tx], Any]
    done: Callable[[Any], None]
    checks_first: bool
    turn: Turn | None = None


def _migrate(db: sqlite3.Connection, path: Path) -> None:
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > len(STEPS):
        raise StoreError(
            f"the data in {path.parent} is from a newer version of chatsecure",
            hint="update chatsecure on this machine",
        )
    for number in range(version, len(STEPS)):
        db.executescript(
            f"BEGIN IMMEDIATE; {STEPS[number]} PRAGMA user_version = {number + 1}; COMMIT;"
        )


def describe(error: Exception) -> Exception:
    """What a failed write means to whoever asked for it."""
    if isinstance(error, sqlite3.Error):
        name = getattr(error, "sqlite_errorname", "")
        if name == "SQLITE_FULL":
            return StoreFull("the server's disk is full")
        if name.startswith(("SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN")):
            return StoreFull("the server cannot write to its disk")
    return error


class SqliteStore:
    """Implements `base.Store`.

    Args:
        path: the database file; its folder exists.
        threaded: a thread applies the writes; otherwise `run_pending` does.

    Raises:
        StoreError: the database cannot be opened, or is from a newer version.
    """

    def __init__(self, path: Path, *, threaded: bool = True) -> None:
        self._path = path
        self.deliver: Callable[[list[Callable[[], None]]], None] = _run_all
        self.on_batch: Callable[[int], None] | None = None
        """Told the size of each batch after its commit (for the metrics)."""
        try:
            self._db = self._open_writer()
            _migrate(self._db, path)
        except sqlite3.Error as error:
            raise StoreError(f"the database {path} cannot be opened: {error}") from error
        self.tx = SqliteTx(self._db)
        self._queue: deque[_Write] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self.turns = Turns()
        self._readers: list[SqliteTx] = []
        self._reading = threading.Semaphore(MAX_READERS)
        self._thread: threading.Thread | None = None
        if threaded:
            self._thread = threading.Thread(target=self._run, name="store", daemon=True)
            self._thread.start()

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False, cached_statements=256,
            timeout=10,
        )  # fmt: skip
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA temp_store = MEMORY")
        return db

    def _open_writer(self) -> sqlite3.Connection:
        db = self._connect()
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA wal_autocheckpoint = 4000")
        db.execute(f"PRAGMA journal_size_limit = {64 * 1024 * 1024}")
        self._path.chmod(0o600)
        return db

    # --- writing ------------------------------------------------------------------------------

    def write(
        self,
        rule: Callable[[Tx], R],
        done: Callable[[R | Exception], None],
        *,
        checks_first: bool = False,
        turn: Turn | None = None,
    ) -> None:
        """See `base.Store`."""
        with self._wake:
            if self._closing:
                raise StoreError("the store is closed")
            self._queue.append(_Write(rule, done, checks_first, turn))
            if len(self._queue) == 1:
                self._wake.notify()

    def run_pending(self) -> int:
        """Apply what waits, in this thread. How many writes there were."""
        batch = self._take()
        if batch:
            self._apply(batch)
        return len(batch)

    def run(self, rule: Callable[[Tx], V]) -> V:
        """One write and its result; not in a turn, where it would wait for itself.

        Raises:
            Exception: what the rule or the disk raised.
        """
        outcome: list[V | Exception] = []
        ready = threading.Event()

        def done(value: V | Exception) -> None:
            outcome.append(value)
            ready.set()

        self.write(rule, done)
        if self._thread is None:
            while not outcome:
                self.run_pending()
        else:
            ready.wait()
        if isinstance(outcome[0], Exception):
            raise outcome[0]
        return outcome[0]

    def _take(self) -> list[_Write]:
        with self._wake:
            return [self._queue.popleft() for _ in range(min(len(self._queue), MAX_BATCH))]

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._queue and not self._closing:
                    self._wake.wait()
                if not self._queue:
                    return
            self._apply(self._take())

    def _apply(self, batch: list[_Write]) -> None:
        outcomes = self._kept(batch)
        self.tx.trim()
        if self.on_batch is not None:
            self.on_batch(len(batch))
        self.deliver(
            [
                lambda done=write.done, outcome=outcome: done(outcome)  # type: ignore[misc]
                for write, outcome in zip(batch, outcomes, strict=True)
            ]
        )

    def _kept(self, batch: list[_Write]) -> list[Any]:
        """Do these, together where that works; else one by one, in their order."""
        try:
            outcomes = self._transaction(batch)
        except Exception as error:
            self._undo()
            if len(batch) > 1:
                return [outcome for write in batch for outcome in self._kept([write])]
            if not isinstance(error, sqlite3.Error):
                log.exception("a write failed")
            outcomes = [describe(error)]
        for write, outcome in zip(batch, outcomes, strict=True):
            if write.turn is not None:
                self._turn_ended(write.turn, outcome)
        return outcomes

    def _turn_ended(self, turn: Turn, outcome: Any) -> None:
        if outcome is _WAIT:
            self.turns.waits(turn)
        elif isinstance(outcome, Exception) and not isinstance(outcome, Refused):
            self.turns.put_off(turn)
        else:
            self.turns.answered(turn)

    def _transaction(self, batch: list[_Write]) -> list[Any]:
        db, tx = self._db, self.tx
        db.execute("BEGIN IMMEDIATE")
        outcomes: list[Any] = []
        free: set[tuple[bytes, bytes]] = set()
        for write in batch:
            turn = write.turn
            if turn is not None:
                if self.turns.must_wait(turn) and turn.row not in free:
                    outcomes.append(_WAIT)
                    continue
                # Whatever fails the batch from here on brings each of its writes alone.
                free.add(turn.row)
            if write.checks_first:
                try:
                    outcomes.append(write.rule(tx))
                except ChatSecureError as refusal:
                    outcomes.append(refusal)
                continue
            tx.flush()
            db.execute("SAVEPOINT one")
            try:
                outcome = write.rule(tx)
                tx.flush()
            except ChatSecureError as refusal:
                db.execute("ROLLBACK TO one")
                tx.forget()
                outcome = refusal
            db.execute("RELEASE one")
            outcomes.append(outcome)
        tx.flush()
        db.execute("COMMIT")
        return outcomes

    def _undo(self) -> None:
        self.tx.forget()
        if self._db.in_transaction:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")

    # --- reading ------------------------------------------------------------------------------

    def read(self, look: Callable[[Tx], T]) -> T:
        """See `base.Store`. All that `look` sees is of one moment."""
        with self._reader() as tx:
            return look(tx)

    @contextmanager
    def _reader(self) -> Iterator[SqliteTx]:
        with self._reading:
            try:
                tx = self._readers.pop()
            except IndexError:
                db = self._connect()
                db.execute("PRAGMA query_only = 1")
                tx = SqliteTx(db)
            try:
                tx.db.execute("BEGIN")
                yield tx
            finally:
                tx.forget()
                if tx.db.in_transaction:
                    tx.db.execute("ROLLBACK")
                self._readers.append(tx)

    # --- the end ------------------------------------------------------------------------------

    def backup(self, target: Path) -> None:
        """A consistent copy of the database, while the server runs."""
        source, copy = self._connect(), sqlite3.connect(target)
        try:
            source.backup(copy, pages=4096, sleep=0.001)
        finally:
            copy.close()
            source.close()

    def close(self) -> None:
        """See `base.Store`."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join()
        while self._queue:
            self.run_pending()
        for tx in self._readers:
            tx.db.close()
        self._readers.clear()
        self._db.close()


def _run_all(completions: list[Callable[[], None]]) -> None:
    for complete in completions:
        complete()
