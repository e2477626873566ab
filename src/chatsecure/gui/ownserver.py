"""The server that a person started in their window: a process of its own, which ends with it."""

import contextlib
import json
import queue
import subprocess
import threading
from pathlib import Path
from typing import IO, Any

from chatsecure.cli import child
from chatsecure.wire.errors import ChatSecureError, Unreachable
from chatsecure.words import _

ARGUMENTS: list[str] = []
"""What else it is started with."""
STOP_TIMEOUT_S = 10.0
LINK_TIMEOUT_S = 2.0
"""A server that has no owner yet tells its link right after it is ready."""

_running: list["OwnServer"] = []


class OwnServer:
    """A server in a folder, for as long as this program runs.

    Args:
        data: its folder; made when it is missing.
    """

    def __init__(self, data: Path) -> None:
        self.data = data
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Start it; gives the owner's link, or nothing where it has an owner already. Blocks.

        Raises:
            Unreachable: it did not start; with what it said.
        """
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        log = self.data / "window.log"
        self._process = process = child.begin(self.data, log, *ARGUMENTS)
        assert process.stdout is not None
        said: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(
            target=_read, args=(process.stdout, said), name="server's words", daemon=True
        ).start()
        ready = _event(said.get())
        if ready.get("event") != "ready":
            self.stop()
            reason = child.last_words(log).removeprefix("chatsecure: ") or _("it said nothing")
            raise Unreachable(_("The server did not start: {why}").format(why=reason))
        _running.append(self)
        try:
            return str(_event(said.get(timeout=LINK_TIMEOUT_S)).get("link", ""))
        except queue.Empty:
            return ""

    def stop(self) -> None:
        """End it."""
        process, self._process = self._process, None
        if process is not None:
            child.end(process, STOP_TIMEOUT_S)


def _read(stdout: IO[bytes], said: "queue.SimpleQueue[bytes]") -> None:
    for line in stdout:
        said.put(line)
    said.put(b"")


def _event(line: bytes) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


def stop_all() -> None:
    """End what was started."""
    while _running:
        with contextlib.suppress(ChatSecureError, OSError):
            _running.pop().stop()
