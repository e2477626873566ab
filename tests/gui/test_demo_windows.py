"""The demo in windows, and what stands in the way of a window at all."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from chatsecure.demo.windows import tiles

COMMAND = [sys.executable, "-m", "chatsecure"]


def environment(**more: str) -> dict[str, str]:
    return os.environ | {"CHATSECURE_KEYRING": "off", "PYTHONUNBUFFERED": "1"} | more


def test_the_demo_opens_three_windows_and_leaves_them_to_the_person(display: str) -> None:
    process = subprocess.Popen(
        [*COMMAND, "demo", "--faces", "gui"],
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        _watch(process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)


def _watch(process: "subprocess.Popen[str]") -> None:
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if "windows are yours" in line:
            break
    assert "3 windows opened" in "".join(said)
    assert "7 of 7" in "".join(said)
    assert process.poll() is None
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    windows = [
        int(child) for child in children.read_text().split()
        if b"gui" in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
    ]  # fmt: skip
    assert len(windows) == 3
    for window in windows:
        os.kill(window, signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_without_a_display_one_line_names_the_way_out(tmp_path: Path) -> None:
    kept = {name: value for name, value in environment().items() if name != "DISPLAY"}
    done = subprocess.run(
        [*COMMAND, "--profile", str(tmp_path), "gui"], env=kept, capture_output=True, text=True,
        check=False, timeout=30,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == "chatsecure: no display; try `chatsecure tui`\n"


def test_a_python_without_tkinter_names_the_package(tmp_path: Path) -> None:
    (tmp_path / "tkinter.py").write_text("raise ImportError('No module named _tkinter')")
    done = subprocess.run(
        [*COMMAND, "--profile", str(tmp_path / "p"), "gui"],
        env=environment(PYTHONPATH=str(tmp_path)), capture_output=True, text=True, check=False,
        timeout=30,
    )  # fmt: skip
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "python3-tk" in done.stderr


def test_a_script_gets_the_demo_as_text(display: str) -> None:
    done = subprocess.run(
        [*COMMAND, "demo"], env=environment(), capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert "windows" not in done.stderr


@pytest.mark.parametrize("size", [(1280, 900), (1024, 768), (1920, 1080), (3840, 2160)])
def test_the_windows_stand_beside_each_other_on_the_screen(size: tuple[int, int]) -> None:
    boxes = []
    for geometry in tiles(size).values():
        wide, high, x, y = (int(part) for part in geometry.replace("x", "+").split("+"))
        assert x + wide <= size[0]
        assert y + high <= size[1]
        boxes.append((x, y, x + wide, y + high))
    for one in boxes:
        for other in boxes:
            apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1]
            assert one is other or apart or other[3] <= one[1]


def test_a_window_says_when_it_is_of_use_and_ends_when_told(display: str, tmp_path: Path) -> None:
    """`bench/gui_start.py` measures how soon."""
    from desk import desk

    with pytest.MonkeyPatch.context() as patch, desk(tmp_path) as made:
        patch.setenv("CHATSECURE_KEYRING", "off")
        made.meet("mara")
        process = subprocess.Popen(
            [*COMMAND, "--profile", str(made.profile("mara")), "--json", "gui"],
            env=environment(), stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        assert '"ready"' in process.stdout.readline()
        process.terminate()
        process.communicate(timeout=20)
        assert process.returncode == 0


def test_a_tk_with_coarse_letters_is_told_what_helps() -> None:
    from chatsecure.gui.app import NO_XFT, coarse_letters

    class Tk:
        def __init__(self, windowing: str, fonts: str) -> None:
            self.tk = self
            self._windowing, self._fonts = windowing, fonts

        def call(self, *_words: str) -> str:
            return self._windowing

        def eval(self, _script: str) -> str:
            return self._fonts

    assert coarse_letters(Tk("x11", "x11"))  # type: ignore[arg-type]
    assert not coarse_letters(Tk("x11", "xft"))  # type: ignore[arg-type]
    assert not coarse_letters(Tk("aqua", ""))  # type: ignore[arg-type]
    assert "--no-managed-python" in NO_XFT


def test_tk_is_asked_for_its_fonts_in_its_own_words(display: str) -> None:
    import tkinter as tk

    from chatsecure.gui.app import coarse_letters

    root = tk.Tk()
    told = root.tk.eval("::tk::pkgconfig get fontsystem")
    assert coarse_letters(root) == (told != "xft")
    root.destroy()
