"""Received files on this disk: room, names, the last rename. Knows nothing of transfers."""

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from chatsecure.client.display import safe_filename
from chatsecure.wire.errors import ChatSecureError

MAX_NAMESAKES = 10_000


class FileProblem(ChatSecureError):
    """A file cannot be read or written here."""


class NoRoom(FileProblem):
    """The disk is too full now; later it may not be."""


def check_room(folder: Path, needed: int) -> None:
    """See whether this many bytes fit.

    Raises:
        NoRoom: they do not.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise NoRoom(
            f"there is not enough room in {folder}: {needed} bytes are needed, {free} are free"
        )


def free_names(folder: Path, name: str, first: int = 1) -> Iterator[Path]:
    """Where a received file may go, best first: `report.pdf`, `report (2).pdf` and so on.

    Args:
        first: begin with this one of them.
    """
    name = safe_filename(name)
    stem, suffix = Path(name).stem, Path(name).suffix
    for number in range(first, MAX_NAMESAKES):
        yield folder / (name if number == 1 else f"{stem} ({number}){suffix}")


def rename_new(part: Path, path: Path) -> bool:
    """Rename without ever replacing anything, durably; False where the name is taken."""
    try:
        os.link(part, path)
    except FileExistsError:
        return False
    except OSError:
        # No hard links here (FAT, some network disks): reserve the name, then replace our own.
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            return False
        part.replace(path)
    else:
        part.unlink()
    sync_folder(path.parent)
    return True


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, where the system lets one."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def reason_of(error: Exception) -> str:
    """Why a transfer failed, for people."""
    if isinstance(error, OSError):
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return "the disk is full"
        return f"the file cannot be written: {error.strerror}"
    return str(error)


def told_of(error: Exception, folder: Path | None = None) -> str:
    """Why a transfer failed, for the others: nothing of where files lie here.

    Args:
        folder: what is left out of paths.
    """
    if isinstance(error, NoRoom):
        return "there is not enough room for it"
    reason = reason_of(error)
    return reason if folder is None else reason.replace(f"{folder}{os.sep}", "")
