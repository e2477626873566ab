"""Fetching a file: parts in order, each segment opened, hashed and written beside the core.

Bytes go to a hidden temporary file. From time to time it is brought to disk, and how far that
was is written down. After a crash we go on at the end of what the file holds; should the hash of
the whole then differ (a machine that lost its power), once more from what was surely on disk.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from chatsecure.bulk import delete
from chatsecure.client.content import FileManifest
from chatsecure.client.flow import Flow
from chatsecure.crypto import filecipher
from chatsecure.crypto.filecipher import SEGMENT_BYTES
from chatsecure.wire import messages as m
from chatsecure.wire.errors import Refused, Unreachable

from .disk import FileProblem, check_room
from .line import FileLine
from .meter import Meter
from .part import Part

if TYPE_CHECKING:
    from chatsecure.client.core import Core

    from .transfers import Files


def fetch(
    files: Files, key: tuple[bytes, bytes], manifest: FileManifest, path: Path, recorded: int
) -> Flow[None]:
    """Fetch what is missing of a file into `path`, and check the whole.

    Args:
        recorded: so many segments are surely on disk.

    Raises:
        FileProblem: no room, or it is not the file that was announced.
        CannotOpen: a part is not what the sender sent.
        Refused: the server does not have it.
        OSError: it cannot be written.
    """
    core = files.core
    part: Part = yield core.work(lambda: Part(path, manifest))
    try:
        first = max(part.whole_segments(), 0)
        recorded = min(recorded, first)
        for start in dict.fromkeys((first, recorded)):
            check_room(path.parent, manifest.size - start * SEGMENT_BYTES)
            yield core.work(lambda start=start: part.keep(start))  # type: ignore[misc]
            yield from _fetch(files, key, part, start)
            if part.digest == manifest.sha256:
                return
    finally:
        part.close()
    core.work(delete(path))
    raise FileProblem("what arrived is not the file that was announced (SHA-256 differs)")


def _fetch(files: Files, key: tuple[bytes, bytes], part: Part, segment: int) -> Flow[None]:
    """Fetch from a segment to the end, as far and as often as there is more."""
    core, layout, blob_id = files.core, part.layout, part.manifest.blob_id
    meter = Meter(core, lambda done, _: files.progress(key, "receiving", done))

    def noted(count: int) -> None:
        core.post(lambda: files.segments(key, count))

    fruitless = 0
    while segment < layout.segments:
        download = Download(part, segment, meter.done, noted)
        begun = segment
        try:
            yield from files.lines.move(download.run)
        except (Unreachable, Refused) as error:
            segment = download.segment
            fruitless = 0 if segment > begun else fruitless + 1
            yield from files.lines.again(error, fruitless)
            continue
        segment = download.segment
        if segment == begun:
            files.stalled(key)
        else:
            files.goes_on(key)
        if segment < layout.segments:
            # A file connection is not held while its sender stands still.
            yield core.ask(m.BlobStat(blob_id, segment))
    files.goes_on(key)


class Download:
    """A run of segments that is fetched; runs in a thread."""

    def __init__(
        self,
        part: Part,
        segment: int,
        done: Callable[[int, int], None],
        noted: Callable[[int], None],
    ) -> None:
        self._part = part
        self.segment = segment
        """What comes next."""
        self._synced = segment
        self._done, self._noted = done, noted

    def run(self, line: FileLine) -> None:
        """Fetch what there is; a second thread writes it and brings it to disk now and then."""
        part, layout, first = self._part, self._part.layout, self.segment
        line.get(part.manifest.blob_id, first, layout.segments - first)
        with ThreadPoolExecutor(1, "file-write") as beside:
            writing: Future[None] | None = None
            for segment in range(first, layout.segments):
                length = filecipher.cipher_bytes(layout.plain_bytes(segment))
                if not line.receive(segment, length):
                    break
                data = part.open(segment, line.pieces(length))
                if writing is not None:
                    writing.result()
                if segment + 1 < layout.segments:
                    writing = beside.submit(self._write, segment, data)
                else:
                    self._write(segment, data)
            if writing is not None:
                writing.result()

    def _write(self, segment: int, data: memoryview) -> None:
        part, layout = self._part, self._part.layout
        part.add(segment, data)
        self.segment = segment + 1
        self._done(min(self.segment * SEGMENT_BYTES, layout.size), layout.size)
        last = self.segment == layout.segments
        if last or self.segment - self._synced >= part.step:
            part.sync()
            self._synced = self.segment
            if not last:
                self._noted(self._synced)


def is_whole(core: Core, path: Path, manifest: FileManifest) -> Flow[bool]:
    """Whether a file on disk is the one of the manifest."""
    if not path.is_file() or path.stat().st_size != manifest.size:
        return False

    def compare() -> bool:
        with path.open("rb") as file:
            import hashlib

            return hashlib.file_digest(file, "sha256").digest() == manifest.sha256

    return bool((yield core.work(compare)))
