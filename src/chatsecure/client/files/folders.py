"""Folders as one transfer: a tar archive that is never written down where it is sent from.

The archive is laid out from the names and sizes of what is in the folder, so that any part of it
can be read at any time. Links and devices are left out. Who receives it trusts nothing in it:
only plain files and folders, no path that leads out, every name made safe, nothing executable.
"""

import errno
import os
import stat
import tarfile
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from pathlib import Path

from chatsecure.bulk import BINARY
from chatsecure.client.display import safe_filename
from chatsecure.wire.errors import Usage

from .disk import FileProblem, free_names, sync_folder

MAX_ENTRIES = 100_000
MAX_DEPTH = 64
MAX_HEADER_BYTES = 64 * 1024
"""Of one member: its path has at most as many bytes."""
FEW_FILES = 32
"""Up to so many files are synced one by one; more by one call for all."""
_COPY_BYTES = 1024 * 1024
_KINDS = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE, tarfile.XHDTYPE)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A file or folder in the archive: a header, what is in it, zeros to the end of a block.

    There may be very many: headers are made again from these when they are read.
    """

    name: str
    start: int
    size: int
    mtime_ns: int
    inode: int
    plain: bool

    def head(self) -> bytes:
        """Its header."""
        info = tarfile.TarInfo(self.name.encode("utf-8", "replace").decode())
        info.mtime = self.mtime_ns // 1_000_000_000
        info.size, info.mode = (self.size, 0o644) if self.plain else (0, 0o755)
        info.type = tarfile.REGTYPE if self.plain else tarfile.DIRTYPE
        return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")

    @property
    def mark(self) -> str:
        """Changes when the file does."""
        return _marked(self.size, self.mtime_ns, self.inode) if self.plain else ""


@dataclass(frozen=True, slots=True)
class Tree:
    """A folder as an archive."""

    folder: Path
    entries: tuple[_Entry, ...]
    size: int
    mark: str
    """Changes when anything in the folder does."""
    skipped: tuple[str, ...]
    """Links and other things that are left out."""

    def read(self, offset: int, length: int) -> bytes:
        """A part of the archive.

        Raises:
            FileProblem: a file in it was changed or cannot be read.
        """
        parts, end = [], min(offset + length, self.size)
        index = bisect_right(self.entries, offset, key=lambda entry: entry.start) - 1
        while offset < end:
            last = index + 1 >= len(self.entries)
            stop = min(end, self.size if last else self.entries[index + 1].start)
            if index >= 0:
                parts.append(self._read(self.entries[index], offset, stop - offset))
            else:
                parts.append(bytes(stop - offset))
            offset, index = stop, index + 1
        return b"".join(parts)

    def _read(self, entry: _Entry, offset: int, length: int) -> bytes:
        """From a place in the archive, not beyond this entry."""
        head, offset = entry.head(), offset - entry.start
        data = head[offset : offset + length]
        begin = max(0, offset - len(head))
        wanted = min(length - len(data), max(0, entry.size - begin))
        if wanted:
            data += _contents(self.folder / entry.name, entry.mark, begin, wanted)
        return data + bytes(length - len(data))


def _contents(path: Path, mark: str, begin: int, wanted: int) -> bytes:
    parts = []
    try:
        with path.open("rb", buffering=0) as file:
            if file_mark(os.fstat(file.fileno())) != mark:
                raise FileProblem(f"{path} was changed while it was being sent")
            file.seek(begin)
            while wanted and (more := file.read(wanted)):
                parts.append(more)
                wanted -= len(more)
    except OSError as error:
        raise FileProblem(f"{path} cannot be read: {error.strerror}") from None
    if wanted:
        raise FileProblem(f"{path} was changed while it was being sent")
    return b"".join(parts)


def file_mark(status: os.stat_result) -> str:
    """Changes when a file does."""
    return _marked(status.st_size, status.st_mtime_ns, status.st_ino)


def _marked(size: int, mtime_ns: int, inode: int) -> str:
    return f"{size}:{mtime_ns}:{inode}"


def scan(folder: Path) -> Tree:
    """Lay a folder out as an archive. May take seconds: call it in a thread.

    Raises:
        Usage: it holds too much, or something that may not be read.
    """
    entries: list[_Entry] = []
    skipped: list[str] = []
    digest, offset = sha256(), 0
    for path, status in _walk(str(folder), skipped, 0):
        if len(entries) >= MAX_ENTRIES:
            raise Usage(f"{folder} holds more than {MAX_ENTRIES} files", hint="pack it first")
        plain = stat.S_ISREG(status.st_mode)
        entry = _Entry(
            path[len(str(folder)) + 1 :].replace(os.sep, "/"), offset,
            status.st_size if plain else 0, status.st_mtime_ns, status.st_ino, plain,
        )  # fmt: skip
        entries.append(entry)
        digest.update(f"{entry.name}\0{entry.mark}\0".encode("utf-8", "surrogateescape"))
        offset += len(entry.head()) + entry.size + -entry.size % tarfile.BLOCKSIZE
    size = offset + 2 * tarfile.BLOCKSIZE
    return Tree(folder, tuple(entries), size, digest.hexdigest(), tuple(skipped))


def _walk(folder: str, skipped: list[str], depth: int) -> Iterator[tuple[str, os.stat_result]]:
    if depth > MAX_DEPTH:
        raise Usage(f"{folder} lies too deep", hint="pack it first")
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        for entry in entries:
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                yield entry.path, status
                yield from _walk(entry.path, skipped, depth + 1)
            elif stat.S_ISREG(status.st_mode):
                if not os.access(entry.path, os.R_OK):
                    raise Usage(f"{entry.path} may not be read by you")
                yield entry.path, status
            else:
                skipped.append(entry.path)
    except OSError as error:
        raise Usage(f"{folder} cannot be read: {error.strerror}") from None


# --- the other side ------------------------------------------------------------------------------


class _Member(tarfile.TarInfo):
    """A member of an archive that is not trusted.

    Of the many kinds of headers only those are read that `scan` writes: others may be of any size
    and are read into memory whole.
    """

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type not in _KINDS or (
            self.type == tarfile.XHDTYPE and self.size > MAX_HEADER_BYTES
        ):
            raise FileProblem("the folder holds something that is no plain file")
        found: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]
        if found.sparse is not None or found.size < 0:
            raise FileProblem("the folder holds something that is no plain file")
        return found

    def _refuse(self, *_: object) -> None:
        raise FileProblem("the folder holds something that is no plain file")

    _proc_gnusparse_00 = _proc_gnusparse_01 = _proc_gnusparse_10 = _refuse


class _Places:
    """Where the members of one archive go."""

    def __init__(self, into: Path) -> None:
        self.folders: dict[tuple[str, ...], Path] = {(): into}
        self._namesakes: dict[tuple[Path, str], int] = {}

    def new(self, parts: tuple[str, ...]) -> Iterator[Path]:
        """Where a member may go, best first."""
        parent = self.folders.get(parts[:-1])
        if parent is None:
            raise FileProblem("a file of the folder stands before its own folder")
        name = safe_filename(parts[-1])
        # Thousands of one name are not tried one after the other for each of them.
        key = parent, name.casefold()
        for number in count(self._namesakes.get(key, 0) + 1):
            self._namesakes[key] = number
            found = next(free_names(parent, name, number), None)
            if found is None:
                break
            yield found
        raise FileProblem("the folder holds too many things of one name")


def unpack(archive: Path, into: Path) -> None:
    """Unpack a received archive into a folder of its own, which is made.

    Raises:
        FileProblem: it is damaged, or holds what it must not.
        OSError: it cannot be written.
    """
    into.mkdir(mode=0o700)
    places, files = _Places(into), 0
    try:
        with tarfile.open(archive, "r:", tarinfo=_Member) as tar:
            for number, info in enumerate(_members(tar)):
                if number >= MAX_ENTRIES:
                    raise FileProblem("the folder holds too many files")
                parts = _parts(info)
                if info.isreg():
                    files += 1
                    _write(tar, info, places.new(parts))
                elif parts not in places.folders:
                    places.folders[parts] = _make_folder(places.new(parts))
    except (tarfile.TarError, ValueError, OverflowError, IndexError, RecursionError) as error:
        raise FileProblem(f"the folder that came is damaged: {error}") from None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise FileProblem("the folder holds a path that is too long for this disk") from None
        raise
    _sync(into, places.folders, files)


def _members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    while (info := tar.next()) is not None:
        # It would remember them all.
        tar.members = []  # type: ignore[attr-defined]
        yield info


def _parts(info: tarfile.TarInfo) -> tuple[str, ...]:
    """A member's place, as its sender says."""
    parts = tuple(info.name.split("/"))
    if not (info.isdir() or info.isreg()):
        raise FileProblem("the folder holds something that is no plain file")
    if len(parts) > MAX_DEPTH + 2 or any(part in ("", ".", "..") for part in parts):
        raise FileProblem("the folder holds a path that leads out of it")
    return parts


def _make_folder(paths: Iterator[Path]) -> Path:
    for path in paths:
        with suppress(FileExistsError):
            path.mkdir(mode=0o700)
            return path
    raise AssertionError


def _write(tar: tarfile.TarFile, info: tarfile.TarInfo, paths: Iterator[Path]) -> None:
    data = tar.extractfile(info)
    assert data is not None
    for path in paths:
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | BINARY, 0o600)
        except FileExistsError:
            continue
        with os.fdopen(descriptor, "wb") as file:
            while chunk := data.read(_COPY_BYTES):
                file.write(chunk)
        at = max(0, min(int(info.mtime), 2**33))
        os.utime(path, (at, at))
        return


def _sync(into: Path, folders: dict[tuple[str, ...], Path], files: int) -> None:
    """What was unpacked is on disk when this returns."""
    if files > FEW_FILES and hasattr(os, "sync"):
        os.sync()
        return
    for path in into.rglob("*"):
        if path.is_file():
            with path.open("r+b") as file:
                os.fsync(file.fileno())
    for folder in folders.values():
        sync_folder(folder)


def rename_folder(folder: Path, path: Path) -> bool:
    """Rename without ever replacing anything; False where the name is taken."""
    try:
        if os.name == "posix":
            # A folder may only take the place of an empty one: this is ours.
            path.mkdir()
        folder.rename(path)
    except FileExistsError:
        return False
    sync_folder(path.parent)
    return True


def name_of(folder: Path) -> str:
    """What a folder is called for others."""
    return safe_filename(folder.resolve().name or "folder")
