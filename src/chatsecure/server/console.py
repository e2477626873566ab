"""The operator's view on a terminal: one line, redrawn each second. Figures, never content."""

import shutil
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TextIO

NOTE = "content is never shown here: the server does not have it"


def status_line(values: dict[str, Any], width: int) -> str:
    """The line for these figures, cut to the terminal."""
    moment = f"{datetime.now(UTC).astimezone():%H:%M:%S}"
    parts = [
        _count(values["connections"], "connection"),
        f"{values['users_online']} online",
        _count(values["appended"], "entr", "y", "ies"),
        f"{_bytes(values['bytes_in'])} in",
        f"{_bytes(values['bytes_out'])} out",
    ]
    if values["errors"] or values["protocol_errors"]:
        parts.append(_count(values["errors"] + values["protocol_errors"], "error"))
    line = f"{moment}  " + "  ".join(parts)
    if len(line) + len(NOTE) + 5 < width:
        line += "  |  " + NOTE
    return line[: max(0, width - 1)]


def _count(number: int, word: str, one: str = "", many: str = "s") -> str:
    return f"{number} {word}{one if number == 1 else many}"


def _bytes(number: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


class Console:
    """Draws the line until closed. Give it the stream to log to as well: it keeps the line last.

    Args:
        get: gives the figures.
    """

    def __init__(self, get: Callable[[], dict[str, Any]], stream: TextIO | None = None) -> None:
        self._get = get
        self._stream = stream or sys.stderr
        self._lock = threading.Lock()
        self._drawn = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="console", daemon=True)

    def start(self) -> None:
        """Begin to draw."""
        self._thread.start()

    def close(self) -> None:
        """Leave the last line standing."""
        self._over.set()
        self._thread.join()
        with self._lock:
            if self._drawn:
                self._stream.write("\n")
                self._stream.flush()

    def write(self, text: str) -> int:
        """Other output: goes above the line."""
        with self._lock:
            self._stream.write(("\r\x1b[K" if self._drawn and text.strip() else "") + text)
            self._drawn = False
        return len(text)

    def flush(self) -> None:
        """As a stream's."""
        self._stream.flush()

    def _run(self) -> None:
        while not self._over.wait(1.0):
            line = status_line(self._get(), shutil.get_terminal_size().columns)
            with self._lock:
                self._stream.write("\r\x1b[K" + line)
                self._stream.flush()
                self._drawn = True
