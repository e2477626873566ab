"""The profile's database: one SQLCipher file, its schema and its transactions (design D10).

Several processes may have one profile open (`listen` and `send`): every change is made in a
`transaction()`, which takes SQLite's write lock at once, so what is read in it is what is changed.
What is remembered outside the database (MLS groups) is told of a rollback through
`on_rollback`, so that memory never runs ahead of the disk.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlcipher3 import dbapi2 as sqlite

from chatsecure.wire.errors import ChatSecureError

SCHEMA_VERSION = 5
BUSY_TIMEOUT_MS = 20_000

SCHEMA = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

CREATE TABLE users(
  folded TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  fingerprint BLOB NOT NULL,
  identity_certificate BLOB NOT NULL,
  verified INTEGER NOT NULL DEFAULT 0,
  changed_certificate BLOB,
  device_counter INTEGER NOT NULL DEFAULT 0,
  away TEXT NOT NULL DEFAULT '',
  first_seen INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE conversations(
  log_id BLOB PRIMARY KEY,
  kind INTEGER NOT NULL,
  name TEXT NOT NULL,
  folded TEXT NOT NULL UNIQUE,
  state TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  cursor INTEGER,
  chain BLOB NOT NULL DEFAULT x'',
  mls_version INTEGER NOT NULL DEFAULT 0,
  delivered INTEGER NOT NULL DEFAULT 0,
  read INTEGER NOT NULL DEFAULT 0,
  receipted INTEGER NOT NULL DEFAULT 0,
  notify TEXT NOT NULL DEFAULT 'all',
  draft TEXT NOT NULL DEFAULT '',
  joined_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE members(
  log_id BLOB NOT NULL,
  leaf INTEGER NOT NULL,
  device_id BLOB NOT NULL,
  folded TEXT NOT NULL,
  name TEXT NOT NULL,
  fingerprint BLOB NOT NULL,
  since INTEGER NOT NULL,
  PRIMARY KEY(log_id, leaf)
) WITHOUT ROWID;
CREATE INDEX members_by_user ON members(folded, log_id);

CREATE TABLE mls_state(
  scope BLOB NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, PRIMARY KEY(scope, key)
) WITHOUT ROWID;

CREATE TABLE key_packages(
  ref BLOB PRIMARY KEY, last_resort INTEGER NOT NULL, made_at INTEGER NOT NULL,
  data BLOB NOT NULL, uploaded INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

CREATE TABLE chain(
  log_id BLOB NOT NULL, seq INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY(log_id, seq)
) WITHOUT ROWID;

CREATE TABLE messages(
  n INTEGER PRIMARY KEY,
  id BLOB NOT NULL,
  log_id BLOB NOT NULL,
  seq INTEGER,
  at INTEGER NOT NULL,
  sender TEXT NOT NULL,
  mine INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  body BLOB NOT NULL,
  text TEXT NOT NULL,
  edited INTEGER NOT NULL DEFAULT 0,
  state TEXT NOT NULL DEFAULT '',
  UNIQUE(log_id, id)
);
CREATE INDEX messages_by_seq ON messages(log_id, seq);
CREATE INDEX messages_by_log ON messages(log_id);

CREATE VIRTUAL TABLE search USING fts5(
  text, content='messages', content_rowid='n', tokenize='unicode61 remove_diacritics 2'
);
INSERT INTO search(search, rank) VALUES('secure-delete', 1);
CREATE TRIGGER search_insert AFTER INSERT ON messages BEGIN
  INSERT INTO search(rowid, text) VALUES(new.n, new.text); END;
CREATE TRIGGER search_delete AFTER DELETE ON messages BEGIN
  INSERT INTO search(search, rowid, text) VALUES('delete', old.n, old.text); END;
CREATE TRIGGER search_update AFTER UPDATE OF n, text ON messages BEGIN
  INSERT INTO search(search, rowid, text) VALUES('delete', old.n, old.text);
  INSERT INTO search(rowid, text) VALUES(new.n, new.text); END;

CREATE TABLE reactions(
  log_id BLOB NOT NULL, id BLOB NOT NULL, folded TEXT NOT NULL, name TEXT NOT NULL,
  emoji TEXT NOT NULL, UNIQUE(log_id, id, folded)
);

CREATE TABLE outbox(
  n INTEGER PRIMARY KEY,
  id BLOB NOT NULL UNIQUE,
  log_id BLOB NOT NULL,
  kind INTEGER NOT NULL,
  content BLOB NOT NULL,
  payload BLOB,
  epoch INTEGER,
  sent INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE pending_commits(
  log_id BLOB PRIMARY KEY, append_id BLOB NOT NULL, message_type INTEGER NOT NULL,
  request BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE invitations(
  log_id BLOB PRIMARY KEY, at INTEGER NOT NULL, device_id BLOB NOT NULL, payload BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE leavers(
  log_id BLOB NOT NULL, device_id BLOB NOT NULL, signature BLOB NOT NULL,
  PRIMARY KEY(log_id, device_id)
) WITHOUT ROWID;

CREATE TABLE receipts(
  log_id BLOB NOT NULL, device_id BLOB NOT NULL, folded TEXT NOT NULL,
  delivered INTEGER NOT NULL, read INTEGER NOT NULL, PRIMARY KEY(log_id, device_id)
) WITHOUT ROWID;

CREATE TABLE file_receipts(
  log_id BLOB NOT NULL, id BLOB NOT NULL, folded TEXT NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY(log_id, id, folded)
) WITHOUT ROWID;

CREATE TABLE files(
  log_id BLOB NOT NULL,
  id BLOB NOT NULL,
  incoming INTEGER NOT NULL,
  manifest BLOB NOT NULL,
  source TEXT NOT NULL DEFAULT '',
  source_mark TEXT NOT NULL DEFAULT '',
  state TEXT NOT NULL,
  path TEXT NOT NULL DEFAULT '',
  partial TEXT NOT NULL DEFAULT '',
  segments INTEGER NOT NULL DEFAULT 0,
  at INTEGER NOT NULL,
  PRIMARY KEY(log_id, id)
) WITHOUT ROWID;

CREATE TABLE events(n INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL);
"""

FILES_OF_BOTH_SIDES = """
ALTER TABLE files ADD COLUMN size INTEGER NOT NULL DEFAULT 0;
ALTER TABLE files ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
ALTER TABLE files ADD COLUMN reason TEXT NOT NULL DEFAULT '';
ALTER TABLE files ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE files ADD COLUMN retry_at INTEGER;
ALTER TABLE files ADD COLUMN drop_blob INTEGER NOT NULL DEFAULT 0;
CREATE INDEX files_by_state ON files(state, incoming, at);
CREATE INDEX files_to_drop ON files(drop_blob) WHERE drop_blob = 1;
CREATE TABLE file_devices(
  log_id BLOB NOT NULL, id BLOB NOT NULL, device_id BLOB NOT NULL, state TEXT NOT NULL,
  PRIMARY KEY(log_id, id, device_id)
) WITHOUT ROWID;
"""

COPIES = """
ALTER TABLE conversations ADD COLUMN stale INTEGER NOT NULL DEFAULT 0;
CREATE TABLE marks(n INTEGER PRIMARY KEY, mark BLOB NOT NULL);
CREATE TABLE rejoiners(
  log_id BLOB NOT NULL, device_id BLOB NOT NULL, PRIMARY KEY(log_id, device_id)
) WITHOUT ROWID;
"""
"""What an old copy of a profile is known by, and who asked to be added anew."""

FLOORS = "ALTER TABLE conversations ADD COLUMN floor INTEGER NOT NULL DEFAULT 0;"
"""How far a conversation was read in an earlier time in it."""

FOUND_AT_ONCE = """
CREATE INDEX messages_by_id ON messages(id);
CREATE INDEX messages_of_others ON messages(log_id, seq) WHERE mine = 0 AND kind > 0;
"""

MIGRATIONS: dict[int, str] = {
    1: SCHEMA,
    2: FILES_OF_BOTH_SIDES,
    3: COPIES,
    4: FLOORS,
    5: FOUND_AT_ONCE,
}
"""What brings the schema from version n-1 to n; each runs in one transaction."""


class ProfileError(ChatSecureError):
    """The profile cannot be opened or used."""


class ProfileMoved(ProfileError):
    """The profile was exported and is out of use here."""

    exit_code = 4


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
        self._path, self._key = path, key
        self.allow_moved = True
        """Also writes to a profile that was exported and is out of use here."""
        self.on_rollback: list[Callable[[], None]] = []
        """Called after a transaction was undone."""
        self.on_commit: list[Callable[[], None]] = []
        """Called after the outermost transaction is on disk."""
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
        """Everything inside is on disk afterwards, or none of it. May be nested.

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
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite.Error as error:
            raise _unwritable(error) from None
        self._depth = 1
        try:
            self.check_moved()
            yield
            self._connection.execute("COMMIT")
        except BaseException as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            for undo in self.on_rollback:
                undo()
            if isinstance(error, sqlite.Error):
                raise _unwritable(error) from None
            raise
        finally:
            self._depth = 0
        for done in self.on_commit:
            done()

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


def _unwritable(error: Exception) -> ProfileError:
    text = str(error)
    if "full" in text:
        return ProfileError("the disk is full; nothing was changed", hint="make room, then retry")
    return ProfileError(f"the profile cannot be written: {text}")
