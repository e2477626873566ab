"""The disks of simulated processes in memory: what a process wrote and committed outlives it there.

The real store and the real profile run on SQLite's own pages in memory, which saves the cipher
over each page and the system's calls, most of what a schedule costs. What is committed stays when
a process dies; what is not is undone, as after a kill. Worlds that copy, lose or set back files
keep them as files (`World(..., in_memory=False)`).
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import cache
from itertools import count
from os import getpid
from pathlib import Path
from typing import Any

from sqlcipher3 import dbapi2 as sqlcipher

from chatsecure.server.store.sqlite import SqliteStore

_numbers = count()
CACHED_STATEMENTS = 256
NO_LIMIT = 2**32 - 2


@cache
def _plain_profile(path: Path, key: bytes) -> Any:
    """A profile of the template, deciphered."""
    plain = path.with_name(f"plain-{getpid()}.db")
    connection = sqlcipher.connect(str(path), isolation_level=None)
    connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    connection.execute("ATTACH DATABASE ? AS plain KEY ''", (str(plain),))
    connection.execute("SELECT sqlcipher_export('plain')")
    connection.execute(f"PRAGMA plain.user_version = {version}")
    connection.close()
    return sqlcipher.connect(str(plain))


def profile_disk(path: Path, key: bytes) -> Any:
    """A profile's database in memory, begun as a file: the connection that every start uses."""
    disk = sqlcipher.connect(":memory:", isolation_level=None, cached_statements=CACHED_STATEMENTS)
    _plain_profile(path, key).backup(disk)
    return disk


@cache
def _server_file(path: Path) -> sqlite3.Connection:
    """The template's database, without the journal of a file."""
    plain = path.with_name(f"plain-{getpid()}.sqlite3")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("VACUUM INTO ?", (str(plain),))
    return sqlite3.connect(plain)


class ServerDisk:
    """A server's database in memory, begun as a file. It lasts until it is closed."""

    def __init__(self, path: Path) -> None:
        self.uri = f"file:/chatsecure-simulation-{next(_numbers)}?vfs=memdb"
        self._anchor = sqlite3.connect(self.uri, uri=True)
        _server_file(path).backup(self._anchor)

    def close(self) -> None:
        """Forget it all."""
        self._anchor.close()


class MemoryStore(SqliteStore):
    """The real store on such a disk."""

    def __init__(self, disk: ServerDisk) -> None:
        self._disk = disk
        super().__init__(Path("memory"), threaded=False)

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(
            self._disk.uri, uri=True, isolation_level=None, cached_statements=CACHED_STATEMENTS
        )
        db.execute("PRAGMA journal_mode = MEMORY")
        db.execute("PRAGMA temp_store = MEMORY")
        return db

    def _open_writer(self) -> sqlite3.Connection:
        return self._connect()
