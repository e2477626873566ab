"""Folders as one transfer: what goes in comes out, and nothing else does."""

import io
import os
import random
import tarfile
from pathlib import Path

import pytest

from chatsecure.client.files.disk import FileProblem
from chatsecure.client.files.folders import rename_folder, scan, unpack
from chatsecure.wire.errors import Usage


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "a" / "deep" / "er").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "a" / "one.bin").write_bytes(random.Random(1).randbytes(70_000))
    (folder / "a" / "deep" / "none").write_bytes(b"")
    (folder / "ein Bär.txt").write_text("grr")
    (folder / ("x" * 150 + ".txt")).write_text("a long name")
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    return folder


def tree_of(folder: Path) -> dict[str, bytes | None]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def archive(tmp_path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    path = tmp_path / "archive"
    with tarfile.open(path, "w") as tar:
        for info, data in members:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def test_a_folder_comes_out_as_it_went_in(folder: Path, tmp_path: Path) -> None:
    tree = scan(folder)
    (tmp_path / "archive").write_bytes(tree.read(0, tree.size))
    unpack(tmp_path / "archive", tmp_path / "out")
    assert tree_of(tmp_path / "out") == tree_of(folder)
    assert os.access(tmp_path / "out" / "run.sh", os.X_OK) is False or os.name == "nt"


@pytest.mark.parametrize("step", [1, 511, 512, 513, 100_000])
def test_any_part_can_be_read_at_any_time(folder: Path, step: int) -> None:
    tree = scan(folder)
    whole = tree.read(0, tree.size)
    assert len(whole) == tree.size
    offsets = range(0, tree.size, step if step > 1 else 997)
    for offset in offsets:
        assert tree.read(offset, step) == whole[offset : offset + step]
    assert scan(folder).mark == tree.mark


def test_links_and_devices_are_left_out_and_told(folder: Path) -> None:
    (folder / "out").symlink_to("/etc")
    (folder / "a" / "link").symlink_to(folder / "run.sh")
    os.mkfifo(folder / "pipe")
    tree = scan(folder)
    assert {Path(path).name for path in tree.skipped} == {"out", "link", "pipe"}


def test_a_change_is_noticed(folder: Path) -> None:
    tree = scan(folder)
    (folder / "ein Bär.txt").write_text("other")
    assert scan(folder).mark != tree.mark
    with pytest.raises(FileProblem, match="changed"):
        tree.read(0, tree.size)


@pytest.mark.parametrize(
    "name", ["/etc/evil", "../evil", "a/../../evil", "a//b", "./evil", "missing/evil", ".."]
)
def test_no_path_leads_out(tmp_path: Path, name: str) -> None:
    path = archive(tmp_path, (tarfile.TarInfo("a/b" if name == "x" else name), b"x"))
    with pytest.raises(FileProblem):
        unpack(path, tmp_path / "out")
    assert list(tmp_path.rglob("*evil*")) == []


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]
)
def test_nothing_but_files_and_folders_is_unpacked(tmp_path: Path, kind: bytes) -> None:
    info = tarfile.TarInfo("evil")
    info.type, info.linkname = kind, "/etc/passwd"
    with pytest.raises(FileProblem):
        unpack(archive(tmp_path, (info, b"")), tmp_path / "out")


def test_names_are_made_safe_and_never_meet(tmp_path: Path) -> None:
    names = ["con.txt", "a\\b\u202egpj.exe", "same:", "same*"]
    path = archive(tmp_path, *((tarfile.TarInfo(name), name.encode()) for name in names))
    unpack(path, tmp_path / "out")
    found = {file.name for file in (tmp_path / "out").iterdir()}
    assert len(found) == len(names)
    assert not [name for name in found if set(name) & set('\\:*"<>|\u202e')]
    assert "con.txt" not in found


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(os.urandom(2048))
    with pytest.raises(FileProblem):
        unpack(tmp_path / "archive", tmp_path / "out")


def test_a_folder_never_takes_the_place_of_another(tmp_path: Path) -> None:
    for name in ("new", "old"):
        (tmp_path / name).mkdir()
    assert not rename_folder(tmp_path / "new", tmp_path / "old")
    assert rename_folder(tmp_path / "new", tmp_path / "other")


def test_a_folder_too_deep_is_not_sent(tmp_path: Path) -> None:
    deep = tmp_path
    for _ in range(70):
        deep = deep / "d"
        deep.mkdir()
    with pytest.raises(Usage, match="deep"):
        scan(tmp_path)
