"""Files on their way, stopped and sent on by the buttons in the window, with a real server."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from desk import Desk, Face, desk

from chatsecure.client.history import HistoryLine
from faults.people import full_speed, slow_line

LARGE = 48 * 1024 * 1024


@pytest.fixture
def table(display: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("CHATSECURE_KEYRING", "off")
    with desk(tmp_path) as made:
        # bob is away: what is for him too is kept on the server.
        made.meet("mara", "alice", "bob")
        yield made


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "Ferien am Meer – ελ.bin"
    path.write_bytes(os.urandom(1 << 20) * (LARGE >> 20))
    return path


def last(face: Face) -> HistoryLine | None:
    found = face.ask(lambda: face.app.session.client.history("#lobby", 1))
    return found[0] if found else None


def state(face: Face) -> str | None:
    line = last(face)
    return line.file_state if line else None


def press(face: Face, button: str) -> None:
    """Press a button of the newest card, where it is drawn."""
    history = face.view.history

    def place() -> tuple[int, int] | None:
        line = last(face)
        entry = history._pages.by_id(line.id) if line else None
        for name, mark in entry.images.items() if entry else ():
            buttons = dict(mark.card.buttons) if mark.card is not None else {}
            if button in buttons:
                history._text.see(name)
                box = history._text.bbox(history._text.index(name))
                left, top, right, bottom = buttons[button]
                return (box[0] + (left + right) // 2, box[1] + (top + bottom) // 2) if box else None
        return None

    face.desk.until(place, f"there is a button {button}")
    at = place()
    assert at is not None
    history._text.event_generate("<Button-1>", x=at[0], y=at[1])
    history._text.event_generate("<ButtonRelease-1>", x=at[0], y=at[1])
    face.desk.settle(2)


def send(face: Face, path: Path) -> None:
    from chatsecure.gui import files

    files.send(face.window, [path])


def test_an_upload_is_cancelled_and_sent_again_by_its_buttons(table: Desk, large: Path) -> None:
    with slow_line(int(table.server.address.rpartition(":")[2]), table.profile("alice")) as line:
        alice, mara = table.open("alice", "640x700+0+0"), table.open("mara", "600x700+640+0")
        # Held back, so that nobody has it before it is stopped.
        mara.ask(lambda: mara.app.session.client.setting("ask_first", "yes"))
        send(alice, large)
        table.until(lambda: state(alice) == "sending", "it is on its way")
        press(alice, "cancel")
        table.until(lambda: state(alice) == "cancelled", "it is stopped")
        line.do(full_speed)
        first = last(alice)
        assert first is not None
        table.until(lambda: "resume" in buttons(alice), "it can be sent again")
        press(alice, "resume")
        table.until(lambda: last(alice) and last(alice).id != first.id, "it is sent anew")
        table.until(lambda: state(alice) == "sent", "the server has it")
        table.until(lambda: state(mara) == "offered", "mara is offered it")
        press(mara, "accept")
        table.until(lambda: state(mara) == "received", "mara has it")
        got = last(mara)
        assert got is not None
        assert got.path
        assert Path(got.path).read_bytes() == large.read_bytes()


def test_a_download_is_cancelled_and_fetched_after_all(table: Desk, large: Path) -> None:
    with slow_line(int(table.server.address.rpartition(":")[2]), table.profile("mara")) as line:
        alice, mara = table.open("alice", "640x700+0+0"), table.open("mara", "600x700+640+0")
        mara.ask(lambda: mara.app.session.client.setting("ask_first", "yes"))
        send(alice, large)
        table.until(lambda: state(alice) == "sent", "the server has it")
        table.until(lambda: state(mara) == "offered", "mara is offered it")
        press(mara, "accept")
        table.until(lambda: state(mara) == "receiving", "it comes")
        press(mara, "cancel")
        table.until(lambda: state(mara) == "cancelled", "it is stopped")
        line.do(full_speed)
        press(mara, "resume")
        table.until(lambda: state(mara) == "received", "mara has it")
        got = last(mara)
        assert got is not None
        assert got.path
        assert Path(got.path).read_bytes() == large.read_bytes()


def serve(table: Desk) -> "subprocess.Popen[bytes]":
    """Start the server of the table again."""
    return subprocess.Popen(
        [sys.executable, "-m", "chatsecure", "serve", "--data", str(table.server.data),
         "--listen", table.server.address],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def test_an_upload_goes_on_by_itself_when_the_server_is_back(table: Desk, large: Path) -> None:
    alice = table.open("alice", "640x700+0+0")
    send(alice, large)
    table.until(lambda: state(alice) == "sending", "it is on its way")
    os.kill(table.server.pid, signal.SIGTERM)
    table.until(lambda: not alice.window.online, "the server is gone")
    again = serve(table)
    try:
        end = time.monotonic() + 60
        while not alice.window.online:
            assert time.monotonic() < end, "it is back"
            # The one before may not have ended yet.
            if again.poll() is not None:
                again = serve(table)
            table.settle(20)
        table.until(lambda: state(alice) == "sent", "the server has it")
        mara = table.open("mara", "600x700+640+0")
        table.until(lambda: state(mara) == "received", "mara has it")
        got = last(mara)
        assert got is not None
        assert got.path
        assert Path(got.path).read_bytes() == large.read_bytes()
    finally:
        table.close()
        again.terminate()
        again.wait(15)


def buttons(face: Face) -> list[str]:
    """The buttons of the newest card."""
    line = last(face)
    entry = face.view.history._pages.by_id(line.id) if line else None
    marks = entry.images.values() if entry else ()
    return [name for mark in marks if mark.card is not None for name, _box in mark.card.buttons]
