"""The demo's windows: which faces there can be, where each window stands, and their end.

Each window is `chatsecure gui` as anybody starts it, on the profile of one of the three.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
from pathlib import Path

from chatsecure.cli.output import Output, is_terminal
from chatsecure.tui.panes import in_tmux
from chatsecure.wire.errors import ChatSecureError

PAUSE_S = 0.8
"""Between the steps, so that a person can follow."""
READY_TIMEOUT_S = 15.0
PEOPLE = ("alice", "bob", "mara")


def choose_faces(asked: str, output: Output) -> str:
    """What is opened: `gui`, `tui` for panes of tmux, or `none` for the scene as text.

    Raises:
        ChatSecureError: it was asked for and is not possible here.
    """
    if asked in ("none", "tui"):
        return asked
    if asked == "auto" and (output.json or not is_terminal(sys.stderr)):
        # Nobody looks: a script must not wait for windows to be closed.
        return "none"
    try:
        screen()
    except ChatSecureError:
        if asked == "gui":
            raise
        return "tui" if in_tmux() else "none"
    return "gui"


def screen() -> tuple[int, int]:
    """The screen's width and height.

    Raises:
        ChatSecureError: there is none, or no tkinter.
    """
    from chatsecure.gui.app import make_root

    root = make_root()
    size = root.winfo_screenwidth(), root.winfo_screenheight()
    root.destroy()
    return size


def tiles(size: tuple[int, int]) -> dict[str, str]:
    """Where the three windows stand: the students above, the manager below, or side by side on a
    wide screen."""
    wide, high = size[0], size[1] - 60
    if wide >= 3 * 620:
        each = wide // 3
        return {
            name: f"{each - 8}x{min(high, 900)}+{number * each}+0"
            for number, name in enumerate(PEOPLE)
        }
    half_wide, half_high = wide // 2, high // 2
    places = ((0, 0), (half_wide, 0), (0, half_high))
    return {
        name: f"{half_wide - 6}x{half_high - 30}+{x}+{y}"
        for name, (x, y) in zip(PEOPLE, places, strict=True)
    }


class Windows:
    """The windows of the three.

    Args:
        faces: `gui`, or `none`: then there are no windows, and nothing waits for any.
    """

    def __init__(self, folder: Path, faces: str) -> None:
        self.faces = faces
        self.pause = PAUSE_S if faces == "gui" else 0.0
        self._folder = folder
        self._places = tiles(screen()) if faces == "gui" else {}
        self._open: dict[str, asyncio.subprocess.Process] = {}

    def __len__(self) -> int:
        return len(self._open)

    async def open(self, *names: str) -> None:
        """Open the windows of these people that are not open; each is ready then."""
        wanted = [name for name in names if name not in self._open] if self._places else []
        await asyncio.gather(*map(self._start, wanted))

    async def _start(self, name: str) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "chatsecure", "--profile", str(self._folder / name), "--json",
            "gui", "--follow", "--geometry", self._places[name],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=os.environ | _QUIET,
        )  # fmt: skip
        self._open[name] = process
        assert process.stdout is not None
        ready = b""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(READY_TIMEOUT_S):
                ready = await process.stdout.readline()
        if not ready:
            raise ChatSecureError(f"the window of {name} did not open")

    async def shut(self, name: str) -> None:
        """Close somebody's window."""
        process = self._open.pop(name, None)
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()

    async def ended(self) -> None:
        """Wait until all are closed."""
        await asyncio.gather(*(process.wait() for process in self._open.values()))

    def close(self) -> None:
        """Close them all."""
        for process in self._open.values():
            with contextlib.suppress(ProcessLookupError):
                process.terminate()


_QUIET = {"PYTHONUNBUFFERED": "1"}
