"""A screen of its own for the window's tests, and pictures of it."""

import gc
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

tk = pytest.importorskip("tkinter", reason="this Python has no tkinter")

SIZE = (1280, 900)


def pytest_runtest_logstart() -> None:
    """Before a test of the window."""
    gc.disable()


def pytest_runtest_logfinish() -> None:
    """After it, when nothing holds its windows any more, what is Tk's is freed here, on Tk's
    thread. Another one, which a later test may start, would wait a second for each picture."""
    gc.collect()
    gc.enable()


@pytest.fixture(scope="session")
def display() -> Iterator[str]:
    """A private X display; one per test worker."""
    command = shutil.which("Xvfb")
    if command is None:
        pytest.skip("Xvfb is not installed (Debian: xvfb)")
    reading, writing = os.pipe()
    server = subprocess.Popen(
        [command, "-displayfd", str(writing), "-nolisten", "tcp", "-screen", "0",
         f"{SIZE[0]}x{SIZE[1]}x24"],
        pass_fds=(writing,), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(writing)
    with os.fdopen(reading) as told:
        number = told.readline().strip()
    if not number:
        server.wait(10)
        pytest.skip("Xvfb does not start here")
    before = os.environ.get("DISPLAY")
    os.environ["DISPLAY"] = f":{number}"
    yield f":{number}"
    if before is None:
        os.environ.pop("DISPLAY", None)
    else:
        os.environ["DISPLAY"] = before
    server.terminate()
    server.wait(10)


@pytest.fixture
def root(display: str) -> Iterator["tk.Tk"]:
    """A Tk root of 800 by 600, destroyed after the test; an error in a callback fails the test."""
    window = tk.Tk()
    window.geometry("800x600+0+0")
    failed: list[BaseException] = []
    window.report_callback_exception = lambda _kind, error, _trace: failed.append(error)
    yield window
    window.destroy()
    if failed:
        raise failed[0]


@pytest.fixture
def picture(display: str, tmp_path: Path) -> Callable[[str], Path]:
    """Saves what the screen shows as a PNG, in `CHATSECURE_PICTURES` or a temporary folder."""
    folder = Path(os.environ.get("CHATSECURE_PICTURES") or tmp_path)

    def save(name: str) -> Path:
        from PIL import ImageGrab

        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.png"
        ImageGrab.grab(xdisplay=display).save(path)
        return path

    return save
