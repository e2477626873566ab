"""The server's data folder: what lies where, and that only one server uses it.

server.sqlite3 (-wal, -shm)   accounts, logs, cursors
blobs/                        ciphertext of files
tls.key  tls.crt              who this server is; the key is readable by its owner only
server.lock                   held while a server runs
admin.sock                    the operator's door (on Windows: admin.port, a port and a secret)
"""

import contextlib
import os
import sys
from pathlib import Path
from typing import IO

from .store.base import StoreError


class Folder:
    """The folder and the paths in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.database = path / "server.sqlite3"
        self.blobs = path / "blobs"
        self.key = path / "tls.key"
        self.certificate = path / "tls.crt"
        self.lock = path / "server.lock"
        self.socket = path / "admin.sock"
        self.port = path / "admin.port"
        self._held: IO[bytes] | None = None

    def prepare(self) -> bool:
        """Make the folder. True: it is a first start.

        Raises:
            StoreError: it cannot be made or written to.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            first = not self.database.exists()
            if not self.path.is_dir() or not os.access(self.path, os.W_OK | os.X_OK):
                raise PermissionError(13, "it cannot be written to")
        except OSError as error:
            raise StoreError(
                f"the folder {self.path} cannot be used: {error.strerror or error}",
                hint="choose another with --data",
            ) from error
        return first

    def acquire(self) -> None:
        """Take the lock until the process ends or `release`.

        Raises:
            StoreError: another server has it.
        """
        try:
            held = self.lock.open("ab")
        except OSError as error:
            raise StoreError(
                f"the folder {self.path} cannot be used: {error.strerror}",
                hint="choose another with --data",
            ) from error
        try:
            _lock(held)
        except OSError:
            held.close()
            raise StoreError(
                f"another server is running on this data folder ({self.path})",
                hint="stop it first, or choose another folder with --data",
            ) from None
        self._held = held

    def release(self) -> None:
        """Let go of the lock."""
        if self._held is not None:
            self._held.close()
            self._held = None

    def in_use(self) -> bool:
        """Whether a server runs on this folder."""
        if not self.lock.exists():
            return False
        try:
            self.acquire()
        except StoreError:
            return True
        self.release()
        return False


def _lock(held: IO[bytes]) -> None:
    if sys.platform == "win32":
        import msvcrt

        held.seek(0)
        msvcrt.locking(held.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner can read; whole or not at all."""
    draft = path.with_name(path.name + ".new")
    with contextlib.suppress(FileNotFoundError):
        draft.unlink()
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
