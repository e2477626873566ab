"""Terminal clients in panes of tmux, for the demo: one for each of its people.

The panes stand beside the one the demo runs in and are told apart by their own ids, so that
nothing else of the person's tmux is touched.
"""

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from chatsecure.wire.errors import ChatSecureError, Unreachable

READY_TIMEOUT_S = 20.0
LOOK_EVERY_S = 0.2
READY_WORDS = "everyone there"
"""What a client shows once one can type."""


def in_tmux() -> bool:
    """Whether we run in a tmux that we can ask for panes."""
    return bool(os.environ.get("TMUX")) and shutil.which("tmux") is not None


class Panes:
    """The panes of some people.

    Args:
        folder: holds a profile for each, by name.
        settings: what their environment has beside our own.

    Raises:
        ChatSecureError: we run in no tmux.
    """

    faces = "tui"
    pause = 0.8
    """Seconds between the steps of the scene, so that a person can follow."""

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        if not in_tmux():
            raise ChatSecureError(
                "panes need tmux, and this terminal is none of its",
                hint="start tmux and run this in it, or take --faces none",
            )
        self._folder = folder
        self._settings = {"CHATSECURE_KEYRING": "off"} | dict(settings or {})
        self._here = os.environ.get("TMUX_PANE", "")
        self._open: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._open)

    async def open(self, *names: str) -> None:
        """Open the panes of these people that are not open; each is ready then."""
        wanted = [name for name in names if name not in self._open]
        for name in wanted:
            self._open[name] = await self._split(name)
            await _tmux("select-layout", "-t", self._here, "tiled")
        await asyncio.gather(*(self._ready(self._open[name]) for name in wanted))

    async def _split(self, name: str) -> str:
        variables = [word for pair in self._settings.items() for word in ("-e", "=".join(pair))]
        return await _tmux(
            "split-window", "-d", "-P", "-F", "#{pane_id}", "-t", self._here, *variables,
            sys.executable, "-m", "chatsecure", "--profile", str(self._folder / name),
            "tui", "--follow",
        )  # fmt: skip

    async def _ready(self, pane: str) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(READY_TIMEOUT_S):
                while READY_WORDS not in await self.text(pane):  # noqa: ASYNC110 - tmux tells nobody
                    await asyncio.sleep(LOOK_EVERY_S)

    async def text(self, pane: str) -> str:
        """What stands in a pane."""
        return await _tmux("capture-pane", "-p", "-t", pane)

    async def shut(self, name: str) -> None:
        """Close somebody's pane."""
        pane = self._open.pop(name, None)
        if pane is not None:
            await self._kill(pane)

    async def _kill(self, pane: str) -> None:
        with contextlib.suppress(Unreachable):
            await _tmux("kill-pane", "-t", pane)

    async def ended(self) -> None:
        """Wait until all are closed."""
        while self._open:
            there = (await _tmux("list-panes", "-a", "-F", "#{pane_id}")).split()
            self._open = {name: pane for name, pane in self._open.items() if pane in there}
            await asyncio.sleep(LOOK_EVERY_S)

    def close(self) -> None:
        """Close them all."""
        for pane in self._open.values():
            # The demo ends: nothing else waits for this.
            subprocess.run(["tmux", "kill-pane", "-t", pane], capture_output=True, check=False)


async def _tmux(*arguments: str) -> str:
    """Ask tmux; gives what it says.

    Raises:
        Unreachable: it refuses.
    """
    process = await asyncio.create_subprocess_exec(
        "tmux", *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, error = await process.communicate()
    if process.returncode:
        raise Unreachable(f"tmux: {error.decode('utf-8', 'replace').strip() or 'it refuses'}")
    return out.decode("utf-8", "replace").rstrip("\n")
