"""A lock between processes of one profile, given back by the system when its holder dies."""

import contextlib
import os
import sys
from pathlib import Path


class FileLock:
    """Held by at most one process.

    Args:
        path: the lock's file; made when missing, never deleted.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take it, or say that another process has it. Taking it twice is fine."""
        if self._descriptor is not None:
            return True
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        if not _try_lock(descriptor):
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Give it back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class FileLocks:
    """Locks by name in a folder of their own; a process that dies leaves its ones free.

    Args:
        folder: made when the first is taken.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, FileLock] = {}

    def acquire(self, name: str) -> bool:
        """Take one, or say that another process has it."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        lock = FileLock(self._folder / name)
        if name not in self._held:
            if not lock.acquire():
                return False
            self._held[name] = lock
        return True

    def release(self, name: str) -> None:
        """Give one back."""
        lock = self._held.pop(name, None)
        if lock is not None:
            with contextlib.suppress(OSError):
                (self._folder / name).unlink()
            lock.release()

    def close(self) -> None:
        """Give all back."""
        for name in list(self._held):
            self.release(name)


if sys.platform == "win32":

    def _try_lock(descriptor: int) -> bool:
        import msvcrt

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:

    def _try_lock(descriptor: int) -> bool:
        import fcntl

        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
