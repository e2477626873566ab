"""Folders as one transfer: what goes in comes out, and nothing else does."""

import contextlib
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


# --- archives that somebody has made to do harm ----------------------------------------------


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    "names",
    [
        ("same.txt", "same.txt"),
        ("Same.txt", "same.txt"),
        ("e\u0301.txt", "\xe9.txt"),
        ("a\u202e.txt", "a.txt"),
        ("a.txt.", "a.txt"),
        ("con", "_con"),
        ("a (2).txt", "a.txt", "a.txt"),
    ],
)
def test_names_that_are_one_name_here_or_elsewhere_all_arrive(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    contents = [f"{number}".encode() for number in range(len(names))]
    members = [(tarfile.TarInfo(name), data) for name, data in zip(names, contents, strict=True)]
    unpack(archive(tmp_path, *members), tmp_path / "out")
    found = files_in(tmp_path / "out")
    assert sorted(found.values()) == contents


def test_folders_that_differ_by_case_or_form_only_keep_what_is_theirs(tmp_path: Path) -> None:
    members = []
    for name in ("e\u0301", "\xe9", "E\u0301"):
        folder = tarfile.TarInfo(name)
        folder.type = tarfile.DIRTYPE
        members += [(folder, b""), (tarfile.TarInfo(name + "/file"), name.encode())]
    unpack(archive(tmp_path, *members), tmp_path / "out")
    found = [path.read_bytes().decode() for path in (tmp_path / "out").glob("*/file")]
    assert sorted(found) == sorted(["e\u0301", "\xe9", "E\u0301"])


def test_thousands_of_one_name_all_arrive(tmp_path: Path) -> None:
    count = 5_000
    members = [(tarfile.TarInfo("one"), str(number).encode()) for number in range(count)]
    unpack(archive(tmp_path, *members), tmp_path / "out")
    assert len(files_in(tmp_path / "out")) == count


def test_too_many_of_one_name_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatsecure.client.files.disk.MAX_NAMESAKES", 20)
    members = [(tarfile.TarInfo("one"), b"") for _ in range(20)]
    with pytest.raises(FileProblem, match="one name"):
        unpack(archive(tmp_path, *members), tmp_path / "out")


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatsecure.client.files.folders.MAX_ENTRIES", 20)
    members = [(tarfile.TarInfo(str(number)), b"") for number in range(21)]
    with pytest.raises(FileProblem, match="too many"):
        unpack(archive(tmp_path, *members), tmp_path / "out")


def test_a_path_too_long_for_the_disk_is_refused_for_good(tmp_path: Path) -> None:
    members, place = [], ""
    for letter in "abcdefghijklmnopqrstuvwxyz":
        place = f"{place}/{letter * 200}" if place else letter * 200
        folder = tarfile.TarInfo(place)
        folder.type = tarfile.DIRTYPE
        members.append((folder, b""))
    with pytest.raises(FileProblem, match="too long"):
        unpack(archive(tmp_path, *members), tmp_path / "out")


def pax(records: bytes, kind: bytes = tarfile.XHDTYPE) -> bytes:
    """An extended header."""
    info = tarfile.TarInfo("header")
    info.type, info.size = kind, len(records)
    return info.tobuf() + records + bytes(-len(records) % 512)


def record(keyword: str, value: str) -> bytes:
    body = f" {keyword}={value}\n".encode()
    length = len(body)
    while length != len(str(length)) + len(body):
        length = len(str(length)) + len(body)
    return str(length).encode() + body


PLAIN = tarfile.TarInfo("plain").tobuf()
EVIL = {
    "a header larger than any path": pax(bytes(10**6)) + PLAIN,
    "a header for all that follow": pax(record("path", "evil"), tarfile.XGLTYPE) + PLAIN,
    "headers without end": pax(record("a", "b")) * 3000 + PLAIN,
    "a size below nothing": pax(record("size", "-1024")) + PLAIN,
    "a size beyond the archive": pax(record("size", str(2**80))) + PLAIN,
    "a size that is none": pax(record("GNU.sparse.size", "many")) + PLAIN,
    "a number of too many digits": pax(record("GNU.sparse.size", "9" * 9000)) + PLAIN,
    "a sparse file": pax(record("GNU.sparse.map", "0,1")) + PLAIN,
    "a sparse file of another kind": pax(
        record("GNU.sparse.major", "1") + record("GNU.sparse.minor", "0")
    ) + PLAIN,
    "a time that is no number": pax(record("mtime", "nan")) + PLAIN,
    "a time without end": pax(record("mtime", "inf")) + PLAIN,
    "a path out by a header": pax(record("path", "../evil")) + PLAIN,
    "a device by a header": pax(record("path", "/dev/evil")) + PLAIN,
    "a long name of another kind": pax(b"evil\0", tarfile.GNUTYPE_LONGNAME) + PLAIN,
    "a file cut off": pax(record("size", "4096")) + PLAIN + b"x" * 512,
}  # fmt: skip


@pytest.mark.parametrize("data", EVIL.values(), ids=EVIL.keys())
def test_an_archive_made_to_do_harm_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "archive").write_bytes(data + bytes(1024))
    with pytest.raises(FileProblem):
        unpack(tmp_path / "archive", tmp_path / "out")
    assert not [path for path in tmp_path.rglob("*") if "evil" in path.name]


@pytest.mark.parametrize("seed", range(60))
def test_damage_anywhere_is_refused_or_harms_nothing(
    folder: Path, tmp_path: Path, seed: int
) -> None:
    tree, rng = scan(folder), random.Random(seed)
    data = bytearray(tree.read(0, tree.size))
    heads = [entry.start for entry in tree.entries]
    for _ in range(rng.randint(1, 8)):
        data[min(len(data) - 1, rng.choice(heads) + rng.randrange(1024))] = rng.randrange(256)
    (tmp_path / "archive").write_bytes(data)
    before = set(tmp_path.iterdir())
    with contextlib.suppress(FileProblem):
        unpack(tmp_path / "archive", tmp_path / "out")
    assert set(tmp_path.iterdir()) - before == {tmp_path / "out"}
    assert all(path.is_dir() or path.is_file() for path in (tmp_path / "out").rglob("*"))
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_symlink()]
