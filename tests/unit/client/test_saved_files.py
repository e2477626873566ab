"""Where received files go: never over another, and what is sent is what was looked at."""

import os
from itertools import islice
from pathlib import Path

import pytest

from chatsecure.client.files.disk import FileProblem, free_names, rename_new
from chatsecure.client.files.sending import look_at
from chatsecure.wire.errors import NotFound, Usage


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("report.pdf", ["report.pdf", "report (2).pdf", "report (3).pdf"]),
        ("report", ["report", "report (2)", "report (3)"]),
        ("a.tar.gz", ["a.tar.gz", "a.tar (2).gz", "a.tar (3).gz"]),
        (".hidden", ["hidden", "hidden (2)", "hidden (3)"]),
        ("../../etc/passwd", ["passwd", "passwd (2)", "passwd (3)"]),
        ("con.txt", ["_con.txt", "_con (2).txt", "_con (3).txt"]),
    ],
)
def test_a_name_that_is_taken_gets_a_number(tmp_path: Path, name: str, names: list[str]) -> None:
    assert [path.name for path in islice(free_names(tmp_path, name), 3)] == names


@pytest.mark.parametrize("name", ["x" * 300, "名" * 300, "x" * 300 + ".pdf", "a." + "y" * 300])
def test_a_long_name_can_be_used_and_taken_and_numbered(tmp_path: Path, name: str) -> None:
    for path in islice(free_names(tmp_path, name), 0, 9_999, 3_000):
        assert len(path.name.encode()) <= 255
        path.write_bytes(b"")


def test_nothing_is_replaced_by_the_last_rename(tmp_path: Path) -> None:
    part, there = tmp_path / ".part", tmp_path / "report.pdf"
    part.write_bytes(b"new")
    there.write_bytes(b"old")
    assert not rename_new(part, there)
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert not rename_new(part, tmp_path / "link")
    assert rename_new(part, tmp_path / "report (2).pdf")
    assert there.read_bytes() == b"old"
    assert not (tmp_path / "nowhere").exists()
    assert not part.exists()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "notes"
    path.write_bytes(b"x" * 10_000)
    return path


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def rewrite(path: Path) -> None:
    path.write_bytes(b"y" * 10_000)
    os.utime(path, ns=(1, 1))


def replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"x" * 10_000)
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.replace(path)


CHANGES = {
    "it grows": grow,
    "it shrinks": lambda path: os.truncate(path, 10),
    "it is rewritten": rewrite,
    "it is replaced by one that looks the same": replace,
    "it vanishes": lambda path: path.unlink(),
    "it becomes a folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_file_that_is_not_what_it_was_is_not_sent(file: Path, change: object) -> None:
    source = look_at(file)
    change(file)  # type: ignore[operator]
    with pytest.raises(FileProblem):
        source.check()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_what_is_no_plain_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    (tmp_path / "round").symlink_to(tmp_path / "round")
    for name, error in (
        ("pipe", Usage), ("nowhere", NotFound), ("round", Usage), ("gone", NotFound),
        ("x" * 300, Usage),
    ):  # fmt: skip
        with pytest.raises(error):
            look_at(tmp_path / name)
    with pytest.raises(Usage, match="disk"):
        look_at(Path("/"))
