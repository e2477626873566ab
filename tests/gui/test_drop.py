"""Files dragged out of another program and dropped on the conversation."""

import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest
from desk import Desk, Face, all_text, desk

from chatsecure.gui import files

pytest.importorskip("tkinterdnd2", reason="tkinterdnd2 is not installed")

SOURCE = Path(__file__).with_name("drag_source.py")
NAMES = ("two words & more.txt", "Prüfung ελληνικά עברית.pdf", "brace}{ 100%.txt")


@pytest.fixture
def table(display: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("CHATSECURE_KEYRING", "off")
    with desk(tmp_path) as made:
        made.meet("mara", "alice")
        yield made


def test_files_of_any_name_are_dropped_asked_about_and_sent(table: Desk, tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    paths = [folder / name for name in NAMES]
    for number, path in enumerate(paths):
        path.write_text(f"text {number}")
    alice = table.open("alice", "700x600+0+0")
    drop(alice, paths)
    table.until(lambda: dialog(alice), "it is asked whether they are to be sent")
    words = " ".join(all_text(dialog(alice)))
    assert "3 files" in words
    assert "#lobby" in words
    assert NAMES[0] in words
    dialog(alice)._agree.invoke()
    table.until(lambda: len(sent(alice)) == 3, "they are sent")
    assert sent(alice) == {path.name: path.read_text() for path in paths}


def drop(face: Face, paths: list[Path]) -> None:
    """Drop files on the history, from another process."""
    face.app.root.lift()
    face.desk.settle(10)
    history = face.view.history
    at = (history.winfo_rootx() + 150, history.winfo_rooty() + 150)
    source = subprocess.Popen([sys.executable, str(SOURCE), *map(str, (*at, *paths))])
    try:
        face.desk.until(lambda: source.poll() is not None, "the drop is over")
    finally:
        source.kill()
    assert source.wait() == 0, "the files were taken"


def dialog(face: Face):
    """The window that asks."""
    return next(
        (child for child in face.app.root.winfo_children() if child.winfo_class() == "Toplevel"),
        None,
    )


def sent(face: Face) -> dict[str, str]:
    lines = face.ask(lambda: face.app.session.client.history("#lobby", 9))
    return {line.text: Path(line.path).read_text() for line in lines if line.file_state == "sent"}


def test_addresses_of_files_are_read_whatever_is_in_them(tmp_path: Path) -> None:
    path = tmp_path / NAMES[1]
    address = path.as_uri()
    assert files.from_uris(f"{address}\r\n# a comment\r\nfile://elsewhere/x\r\n") == [path]
    assert files.from_uris("https://example.org/x\nfile:///etc/passwd%00x") == []
    assert files.from_uris("file:" + urllib.parse.quote(str(path))) == [path]
