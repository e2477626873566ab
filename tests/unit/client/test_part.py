"""The temporary file of a transfer: whole segments, in order, however it is written."""

import errno
import os
import random
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from chatsecure.client.content import FileManifest
from chatsecure.client.files import part as part_module
from chatsecure.client.files.part import Part
from chatsecure.crypto.errors import CannotOpen
from chatsecure.crypto.filecipher import SEGMENT_BYTES, Layout
from segments import encrypt_segment

KEY, BLOB = b"k" * 32, b"b" * 16
DATA = random.Random(7).randbytes(2 * SEGMENT_BYTES + 12_345)
LAYOUT = Layout.of(len(DATA))


def manifest(*, folder: bool = False) -> FileManifest:
    return FileManifest(BLOB, "x", len(DATA), sha256(DATA).digest(), KEY, "", b"", folder)


def plain(segment: int) -> bytes:
    return DATA[segment * SEGMENT_BYTES : (segment + 1) * SEGMENT_BYTES]


def pieces(segment: int, *, turned: int = -1) -> Iterator[memoryview]:
    """A segment as it comes over a line."""
    cipher = bytearray(encrypt_segment(KEY, BLOB, segment, LAYOUT, plain(segment)))
    if turned >= 0:
        cipher[turned] ^= 1
    for at in range(0, len(cipher), 100_000):
        yield memoryview(cipher)[at : at + 100_000]


def fetch(part: Part, first: int = 0) -> None:
    for segment in range(first, LAYOUT.segments):
        part.add(segment, part.open(segment, pieces(segment)))
    part.sync()


@pytest.fixture(params=["in memory", "past the memory"])
def path(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if request.param == "past the memory":
        monkeypatch.setattr(part_module, "DIRECT_BYTES", 0)
    return tmp_path / "part"


def test_segments_make_the_file_and_its_hash(path: Path) -> None:
    part = Part(path, manifest())
    part.keep(0)
    fetch(part)
    assert part.digest == manifest().sha256
    part.close()
    assert path.read_bytes() == DATA
    assert path.stat().st_mode & 0o777 == 0o600


def test_one_segment_is_opened_while_the_one_before_is_written(path: Path) -> None:
    part = Part(path, manifest())
    before = part.open(0, pieces(0))
    for segment in range(1, LAYOUT.segments):
        data = part.open(segment, pieces(segment))
        part.add(segment - 1, before)
        before = data
    part.add(LAYOUT.segments - 1, before)
    part.close()
    assert path.read_bytes() == DATA


def test_it_goes_on_after_the_last_whole_segment(path: Path) -> None:
    path.write_bytes(DATA[: SEGMENT_BYTES + 1000])
    part = Part(path, manifest())
    assert part.whole_segments() == 1
    part.keep(1)
    fetch(part, 1)
    assert part.digest == manifest().sha256
    part.close()
    assert path.read_bytes() == DATA


@pytest.mark.parametrize("turned", [0, 60, SEGMENT_BYTES // 2, SEGMENT_BYTES + 1000])
def test_of_a_segment_that_was_changed_nothing_is_written(path: Path, turned: int) -> None:
    part = Part(path, manifest())
    part.add(0, part.open(0, pieces(0)))
    with pytest.raises(CannotOpen):
        part.open(1, pieces(1, turned=turned))
    assert path.stat().st_size == SEGMENT_BYTES
    fetch(part, 1)
    assert part.digest == manifest().sha256
    part.close()


@pytest.mark.skipif(not hasattr(os, "O_DIRECT"), reason="only Linux writes past its memory so")
def test_where_nothing_can_be_written_past_the_memory_it_is_written_through_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part_module, "DIRECT_BYTES", 0)
    asked = []

    def refuse(_fd: int, data: memoryview, at: int) -> int:
        asked.append((at, len(data)))
        raise OSError(errno.EINVAL, "not here")

    monkeypatch.setattr(os, "pwrite", refuse)
    part = Part(tmp_path / "part", manifest())
    fetch(part)
    assert asked == [(0, SEGMENT_BYTES)]
    assert part.digest == manifest().sha256
    part.close()
    assert (tmp_path / "part").read_bytes() == DATA


@pytest.mark.skipif(not hasattr(os, "O_DIRECT"), reason="only Linux writes past its memory so")
def test_only_large_files_that_are_not_unpacked_at_once_go_past_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    real = os.open

    def watch(path: Path, flags: int, mode: int = 0o777) -> int:
        opened.append(bool(flags & os.O_DIRECT))
        return real(path, flags, mode)

    monkeypatch.setattr(os, "open", watch)
    Part(tmp_path / "small", manifest()).close()
    monkeypatch.setattr(part_module, "DIRECT_BYTES", 0)
    Part(tmp_path / "folder", manifest(folder=True)).close()
    assert not any(opened)
    Part(tmp_path / "large", manifest()).close()
    assert any(opened)
