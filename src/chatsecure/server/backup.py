"""Backup of a running server into one tar file, and the way back.

    tls.key  tls.crt        who the server is: keep the file like a key
    blobs/ab/<id>           the whole segments of each file
    server.sqlite3          a consistent copy, last: it names no blob that is not in the tar

The database is copied first; what is appended later is not in the backup. Whole segments never
change, so the files' bytes fit the copy whenever they are read; a file that was deleted meanwhile
is taken out of the copy.
"""

import contextlib
import os
import shutil
import sqlite3
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from chatsecure.bulk import delete
from chatsecure.wire.errors import ChatSecureError, NotFound, Refused

from .blobs.disk import DiskBlobs
from .folder import Folder
from .store.base import StoreError
from .store.schema import STEPS
from .store.sqlite import SqliteStore

DATABASE = "server.sqlite3"
KEYS = ("tls.key", "tls.crt")


def backup(store: SqliteStore, blobs: DiskBlobs, folder: Folder, target: Path) -> dict[str, Any]:
    """Copy everything into `target`.

    Raises:
        ChatSecureError: it exists already, or cannot be written.
    """
    if target.exists():
        raise ChatSecureError(f"{target} exists already", hint="choose another name")
    draft = target.with_name(f".{target.name}.part")
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".chatsecure-") as scratch:
            copy = Path(scratch) / DATABASE
            store.backup(copy)
            fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(fd, "wb") as file:
                with tarfile.open(fileobj=file, mode="w") as tar:
                    for name in KEYS:
                        tar.add(folder.path / name, name)
                    count = _add_blobs(tar, copy, blobs)
                    tar.add(copy, DATABASE)
                file.flush()
                os.fsync(file.fileno())
        _name(draft, target)
    except FileExistsError:
        raise ChatSecureError(f"{target} exists already", hint="choose another name") from None
    except (OSError, sqlite3.Error, tarfile.TarError) as error:
        raise ChatSecureError(f"the backup could not be written: {error}") from error
    finally:
        delete(draft)()
    return {"file": str(target), "blobs": count, "bytes": target.stat().st_size}


def _name(draft: Path, target: Path) -> None:
    """Give a whole file its name, never over one that somebody made meanwhile."""
    try:
        os.link(draft, target)
    except FileExistsError:
        raise
    except OSError:
        # No hard links here.
        if target.exists():
            raise FileExistsError(target) from None
        draft.replace(target)


def _add_blobs(tar: tarfile.TarFile, copy: Path, blobs: DiskBlobs) -> int:
    count = 0
    with contextlib.closing(sqlite3.connect(copy)) as db:
        rows = db.execute("SELECT blob_id, size, segment_bytes, whole FROM blobs").fetchall()
        for blob_id, size, segment_bytes, whole in rows:
            length = min(size, segment_bytes * whole)
            if not length:
                continue
            name = blob_id.hex()
            try:
                with blobs.kept(blob_id) as path, path.open("rb") as file:
                    if os.fstat(file.fileno()).st_size < length:
                        raise FileNotFoundError(name)
                    info = tarfile.TarInfo(f"blobs/{name[:2]}/{name}")
                    info.size, info.mode = length, 0o600
                    tar.addfile(info, file)
                    count += 1
            except (Refused, FileNotFoundError):
                db.execute("DELETE FROM blobs WHERE blob_id = ?", (blob_id,))
        db.commit()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.execute("PRAGMA journal_mode = DELETE")
    return count


def restore(folder: Folder, source: Path) -> dict[str, Any]:
    """Make a stopped, new server's folder from a backup.

    Raises:
        ChatSecureError: there is data already, a server runs, or the file is no backup.
    """
    if not source.is_file():
        raise NotFound(f"there is no file {source}")
    folder.prepare()
    folder.acquire()
    try:
        if folder.database.exists() or folder.key.exists():
            raise ChatSecureError(
                f"there is a server's data in {folder.path} already",
                hint="restore into a new folder: --data NEW",
            )
        with tempfile.TemporaryDirectory(dir=folder.path, prefix=".restore-") as scratch:
            blobs = _extract(source, Path(scratch))
            _check(Path(scratch))
            _move(Path(scratch), folder)
    except (OSError, tarfile.TarError, sqlite3.Error, EOFError) as error:
        raise ChatSecureError(f"the backup could not be restored: {error}") from error
    finally:
        folder.release()
    return {"file": str(source), "blobs": blobs, "bytes": source.stat().st_size}


def _extract(source: Path, scratch: Path) -> int:
    """Only what a backup holds, only into the scratch folder."""
    blobs = 0
    with tarfile.open(source, "r:") as tar:
        for member in tar:
            parts = Path(member.name).parts
            blob = (
                len(parts) == 3
                and parts[0] == "blobs"
                and len(parts[2]) == 32
                and set(parts[2]) <= set("0123456789abcdef")
                and parts[1] == parts[2][:2]
            )
            data = tar.extractfile(member) if member.isfile() else None
            if data is None or not (blob or member.name in (*KEYS, DATABASE)):
                raise tarfile.TarError(f"{member.name} does not belong in a backup")
            path = scratch.joinpath(*parts)
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(fd, "wb") as file:
                shutil.copyfileobj(data, file, 1024 * 1024)
                file.flush()
                os.fsync(file.fileno())
            blobs += blob
    return blobs


def _check(scratch: Path) -> None:
    for name in (*KEYS, DATABASE):
        if not (scratch / name).is_file():
            raise tarfile.TarError(f"{name} is missing in it")
    with contextlib.closing(sqlite3.connect(scratch / DATABASE)) as db:
        if db.execute("PRAGMA integrity_check").fetchone() != ("ok",):
            raise StoreError("the database in it is damaged")
        if db.execute("PRAGMA user_version").fetchone()[0] > len(STEPS):
            raise StoreError(
                "it is from a newer version of chatsecure", hint="update chatsecure here"
            )
        for blob_id, length in db.execute(
            "SELECT blob_id, min(size, segment_bytes * whole) FROM blobs"
        ):
            path = scratch / "blobs" / blob_id.hex()[:2] / blob_id.hex()
            if length and (not path.is_file() or path.stat().st_size < length):
                raise StoreError("a file is missing in it")


def _move(scratch: Path, folder: Folder) -> None:
    """The database last: a folder without it is not a server's yet."""
    if (scratch / "blobs").is_dir():
        (scratch / "blobs").replace(folder.blobs)
    for name in (*KEYS, DATABASE):
        (scratch / name).replace(folder.path / name)
