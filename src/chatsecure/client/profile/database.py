"""The profile's database: one SQLCipher file and its transactions (design D10).

Several processes may have one profile open (`listen` and `send`): every change is made in a
`transaction()`, which takes SQLite's write lock at once, so what is read in it is what is changed.
Those in a `batch()` are undone alone and come to disk together, by one sync.
What is remembered outside the database (MLS groups) is told of a rollback through
`on_rollback`, so that memory never runs ahead of the disk.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlcipher3 import dbapi2 as sqlite

from chatsecure.wire.errors import ChatSecureError

from .schema import MIGRATIONS, SCHEMA_VERSION

BUSY_TIMEOUT_MS = 20_000


class ProfileError(ChatSecureError):
    """The profile cannot be opened or used."""


class ProfileMoved(ProfileError):
    """The profile was exported and is out of use here."""

    exit_code = 4


@dataclass(slots=True)
class Batch:
    """Transactions that come to disk together."""

    begun: bool = False
    """One of them has been made."""
    lost: ProfileError | None = None
    """Why none of them can be kept, while it is under way."""
    failed: ProfileError | None = None
    """Why none of them was kept, at its end."""


class Database:
    """An open profile database.

    Args:
        path: the file; made when it is missing.
        key: 32 random bytes.

    Raises:
        ProfileError: the key is wrong, the file is damaged, or a newer version made it.
    """

    def __init__(self, path: Path, key: bytes) -> None:
        self._depth = 0
        self._batch: Batch | None = None
        self._path, self._key = path, key
        self.allow_moved = True
        """Also writes to a profile that was exported and is out of use here."""
        self.on_rollback: list[Callable[[], None]] = []
        """Called after a transaction, or a whole batch, was undone."""
        self.on_begin: list[Callable[[], None]] = []
        """Called when the outermost transaction has begun."""
        self.on_commit: list[Callable[[], None]] = []
        """Called after the outermost transaction, or the batch it is in, is on disk."""
        self.on_done: list[Callable[[], None]] = []
        """Called after the outermost transaction has ended well."""
        try:
            self._connection = self._open()
        except sqlite.DatabaseError as error:
            raise _unopened(path, error) from None
        try:
            self._migrate()
        except sqlite.DatabaseError as error:
            self._connection.close()
            raise _unopened(path, error) from None
        except ProfileError:
            self._connection.close()
            raise
        self.allow_moved = False

    def _open(self) -> Any:
        """The connection with the file, ready for use."""
        connection = sqlite.connect(
            str(self._path), isolation_level=None, check_same_thread=False, cached_statements=256
        )
        try:
            # A raw key needs no key derivation: opening costs a millisecond.
            connection.execute(f"PRAGMA key = \"x'{self._key.hex()}'\"")
            connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA secure_delete = ON")
        except sqlite.DatabaseError:
            connection.close()
            raise
        return connection

    def check_moved(self) -> None:
        """Refuse a profile that was exported.

        Raises:
            ProfileMoved: its keys are in use elsewhere.
        """
        found = None if self.allow_moved else self.get("moved")
        if found is not None:
            raise ProfileMoved(
                f"this profile was exported to {found} and is out of use here",
                hint="import that file where you go on, or chatsecure profile take-over",
            )

    def copy_to(self, target: Path) -> None:
        """A copy of what is on disk, under the same key, in an empty file; also in a transaction,
        of what was before it."""
        connection = sqlite.connect(str(self._path), isolation_level=None)
        try:
            connection.execute(f"PRAGMA key = \"x'{self._key.hex()}'\"")
            connection.execute("VACUUM INTO ?", (str(target),))
        finally:
            connection.close()

    @contextmanager
    def opened_copy(self, path: Path) -> Iterator[Any]:
        """A copy made by `copy_to`, as a bare connection."""
        connection = sqlite.connect(str(path), isolation_level=None)
        try:
            connection.execute(f"PRAGMA key = \"x'{self._key.hex()}'\"")
            yield connection
        finally:
            connection.close()

    def _migrate(self) -> None:
        version = self.value("PRAGMA user_version")
        if version > SCHEMA_VERSION:
            raise ProfileError(
                f"this profile was made by a newer ChatSecure (schema {version}, "
                f"this program knows {SCHEMA_VERSION})",
                hint="update ChatSecure",
            )
        while version < SCHEMA_VERSION:
            with self.transaction():
                # Another process may have been faster.
                version = self.value("PRAGMA user_version")
                if version < SCHEMA_VERSION:
                    for statement in _statements(MIGRATIONS[version + 1]):
                        self._connection.execute(statement)
                    self._connection.execute(f"PRAGMA user_version = {version + 1}")
                    version += 1

    def close(self) -> None:
        """Close the file; nothing may be called afterwards."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is on disk afterwards, or none of it. May be nested. In a batch it is
        on disk when that ends.

        Raises:
            ProfileError: the disk is full or the file cannot be written; nothing was changed.
            ProfileMoved: another process has exported the profile.
        """
        if self._depth:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
            return
        batch = self._batch
        self._begin(batch)
        self._depth = 1
        try:
            if batch is None or not batch.begun:
                self.check_moved()
            for begun in self.on_begin:
                begun()
            yield
            self._connection.execute("COMMIT" if batch is None else "RELEASE one")
        except BaseException as error:
            self._undo(batch, error)
            if isinstance(error, sqlite.Error):
                raise _unwritable(error) from None
            raise
        finally:
            self._depth = 0
        if batch is None:
            self._committed()
        else:
            batch.begun = True
        for done in self.on_done:
            done()

    def _begin(self, batch: "Batch | None") -> None:
        try:
            if batch is not None and batch.lost is not None:
                raise batch.lost
            if not self._connection.in_transaction:
                self._connection.execute("BEGIN IMMEDIATE")
            if batch is not None:
                self._connection.execute("SAVEPOINT one")
        except sqlite.Error as error:
            raise _unwritable(error) from None

    def _undo(self, batch: "Batch | None", error: BaseException) -> None:
        """Undo the transaction under way; in a batch those before it stay, if they can."""
        if self._connection.in_transaction:
            if batch is None or not batch.begun:
                self._connection.execute("ROLLBACK")
            else:
                self._connection.execute("ROLLBACK TO one")
                self._connection.execute("RELEASE one")
        elif batch is not None and batch.begun:
            # SQLite itself has undone everything (the disk is full).
            batch.lost = _unwritable(error)
        for undo in self.on_rollback:
            undo()

    def _committed(self) -> None:
        for done in self.on_commit:
            done()

    @contextmanager
    def brief_transaction(self) -> Iterator[None]:
        """A transaction that costs no sync: it outlives this process at once, and a loss of power
        once a later one has come to disk.

        Raises:
            ProfileError, ProfileMoved: as `transaction`.
        """
        alone = not self._depth and self._batch is None
        if alone:
            self._connection.execute("PRAGMA synchronous = NORMAL")
        try:
            with self.transaction():
                yield
        finally:
            if alone:
                self._connection.execute("PRAGMA synchronous = FULL")

    @contextmanager
    def batch(self) -> "Iterator[Batch]":
        """The transactions inside come to disk together at the end, also where the block raises.
        The write lock is taken by the first of them. Batches are not nested.

        Raises:
            ProfileError: it cannot be written; nothing was changed by any of them.
        """
        batch = self._batch = Batch()
        try:
            yield batch
        except Exception:
            self._end_batch(batch)
            raise
        except BaseException:
            # Whoever stops us here gets what a crash would leave.
            self._batch = None
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        self._end_batch(batch)

    def _end_batch(self, batch: "Batch") -> None:
        self._batch = None
        if not batch.begun:
            return
        try:
            if batch.lost is not None:
                raise batch.lost
            self._connection.execute("COMMIT")
        except (sqlite.Error, ProfileError) as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            for undo in self.on_rollback:
                undo()
            batch.failed = error if isinstance(error, ProfileError) else _unwritable(error)
            raise batch.failed from None
        self._committed()

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._depth > 0

    def run(self, sql: str, *values: Any) -> int:
        """Run one statement; gives the number of rows it changed."""
        return int(self._connection.execute(sql, values).rowcount)

    def run_many(self, sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Run one statement for many rows."""
        self._connection.executemany(sql, rows)

    def rows(self, sql: str, *values: Any) -> list[Any]:
        """All rows of a query."""
        found: list[Any] = self._connection.execute(sql, values).fetchall()
        return found

    def row(self, sql: str, *values: Any) -> Any:
        """The first row of a query, or None."""
        return self._connection.execute(sql, values).fetchone()

    def value(self, sql: str, *values: Any) -> Any:
        """The first column of the first row, or None."""
        row = self.row(sql, *values)
        return None if row is None else row[0]

    def get(self, key: str) -> Any:
        """A value of the table `meta`, or None."""
        return self.value("SELECT value FROM meta WHERE key = ?", key)

    def put(self, key: str, value: Any) -> None:
        """Set a value of the table `meta`."""
        self.run("INSERT OR REPLACE INTO meta(key, value) VALUES(?, ?)", key, value)

    def data_version(self) -> int:
        """A number that changes when another process has written."""
        return int(self.value("PRAGMA data_version"))


def _unopened(path: Path, error: Exception) -> ProfileError:
    if not os.access(path.parent, os.W_OK):
        return ProfileError(
            f"the profile in {path.parent} cannot be written",
            hint="is the disk mounted read-only, or the folder another user's?",
        )
    return ProfileError(
        f"the profile's database {path} cannot be opened: {error}",
        hint="is the passphrase right, and the disk not full?",
    )


def _statements(script: str) -> Iterator[str]:
    """The statements of a script one by one: `executescript` would end our transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite.complete_statement(statement):
            yield statement
            statement = ""


def _unwritable(error: BaseException) -> ProfileError:
    text = str(error)
    if "full" in text:
        return ProfileError("the disk is full; nothing was changed", hint="make room, then retry")
    return ProfileError(f"the profile cannot be written: {text}")
