"""The window by keys alone, pressed as a person presses them."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from desk import Face, desk

pytestmark = pytest.mark.skipif(
    shutil.which("xdotool") is None, reason="xdotool is not installed (Debian: xdotool)"
)


@pytest.fixture
def alice(display: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Face]:
    """alice at her window, with a private chat and #lobby."""
    monkeypatch.setenv("CHATSECURE_KEYRING", "off")
    monkeypatch.setenv("GTK_THEME", "Adwaita")
    with desk(tmp_path) as made:
        made.meet("mara", "alice")
        face = made.open("alice")
        face.focus()
        yield face


@pytest.fixture
def keys(alice: Face) -> Callable[..., None]:
    """Press keys on the real display."""

    def press(*names: str, text: str = "") -> None:
        command = ["type", "--delay", "15", text] if text else ["key", *names]
        process = subprocess.Popen(["xdotool", *command])
        alice.desk.until(lambda: process.poll() is not None, "the keys are pressed")
        alice.desk.settle(10)

    return press


def test_write_send_and_go_elsewhere_without_a_mouse(alice: Face, keys: Callable) -> None:
    keys(text="good morning")
    keys("Return")
    alice.desk.until(lambda: "good morning" in alice.lines(), "it is sent")
    keys("ctrl+k")
    keys(text="mar")
    keys("Return")
    alice.desk.until(lambda: alice.view.target == "@mara", "the private chat opens")
    keys(text="first")
    keys("shift+Return")
    keys(text="second")
    keys("Return")
    alice.desk.until(lambda: "first\nsecond" in alice.lines(), "two lines, one message")
    keys("alt+Down")
    alice.desk.until(lambda: alice.view.target == "#lobby", "the next conversation")


def test_tab_reaches_every_part_and_the_focus_is_seen(alice: Face, keys: Callable) -> None:
    reached: dict[str, None] = {}
    for _ in range(30):
        keys("Tab")
        reached[str(alice.app.root.focus_get())] = None
    for part in (
        alice.window.sidebar.rows, alice.window.sidebar.entry, alice.view.composer.text,
        alice.view.composer.send_button, alice.view.composer.file_button,
        alice.window.people.rows,
    ):  # fmt: skip
        assert any(path.startswith(str(part)) for path in reached), part
    assert any(path.startswith(str(alice.view.history)) for path in reached)
    rows = alice.window.sidebar.rows
    assert str(rows.cget("highlightcolor")) == alice.app.theme.color("focus")


def test_f6_goes_through_the_parts_and_escape_back_to_writing(alice: Face, keys: Callable) -> None:
    keys("F6")
    before = alice.app.root.focus_get()
    keys("F6")
    assert alice.app.root.focus_get() is not before
    keys("Escape")
    assert alice.app.root.focus_get() is alice.view.composer.text


def test_escape_closes_what_is_open_and_f1_shows_the_keys(alice: Face, keys: Callable) -> None:
    def dialogs() -> list:
        from chatsecure.gui.dialogs import Dialog

        return [one for one in alice.app.root.winfo_children() if isinstance(one, Dialog)]

    for open_it in ("F1", "ctrl+k", "ctrl+f", "ctrl+comma"):
        keys(open_it)
        alice.desk.until(dialogs, f"{open_it} opens something")
        keys("Escape")
        alice.desk.until(lambda: not dialogs(), f"Escape closes it after {open_it}")
