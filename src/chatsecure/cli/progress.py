"""A progress bar on stderr, for a terminal only."""

import time

from .human import size_text
from .output import Output, width

CELLS = 30
EVERY_S = 0.1


class Bar:
    """Shows how far a file has come."""

    def __init__(self, name: str, output: Output) -> None:
        self._name = name if width(name) <= 24 else name[:23] + "…"
        self._output = output
        self._on = output.may_redraw
        self._began = time.monotonic()
        self._start: int | None = None
        self._drawn = 0.0
        self._last = 0

    def show(self, done: int, total: int) -> None:
        """So much is done of so much."""
        now = time.monotonic()
        if self._start is None:
            self._start = done
            if done:
                self._output.notice(f"goes on at {size_text(done)} of {size_text(total)}")
        if not self._on or (done < total and now - self._drawn < EVERY_S):
            return
        self._drawn = now
        share = done / total if total else 1.0
        full = int(share * CELLS)
        speed = (done - self._start) / max(0.001, now - self._began)
        text = (
            f"{self._name}  {size_text(total)}  {'━' * full}{'─' * (CELLS - full)}"
            f" {share:4.0%}  {size_text(int(speed))}/s"
        )
        cells = width(text)
        self._output.redraw(text + " " * max(0, self._last - cells))
        self._last = cells

    def close(self) -> None:
        """Leave the line."""
        if self._last:
            self._output.redraw(" " * self._last + "\r")
            self._last = 0
