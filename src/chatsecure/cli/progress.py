"""How far a file is, on stderr: a bar on a terminal, lines of JSON with --json."""

import time

from chatsecure.words import _

from .human import duration_text, size_text
from .output import Output, one_line, width

CELLS = 30
LEAST_NAME, MOST_NAME = 8, 24
EVERY_S, JSON_EVERY_S = 0.1, 1.0


class Bar:
    """Shows how far a file has come."""

    def __init__(self, name: str, output: Output) -> None:
        self._name = name
        self._output = output
        self._began = self._told = time.monotonic()
        self._start: int | None = None
        self._last = 0

    def show(self, done: int, total: int) -> None:
        """So much is done of so much."""
        now = time.monotonic()
        if self._start is None:
            self._start = done
            if done:
                text = _("goes on at {done} of {total}")
                self._output.notice(text.format(done=size_text(done), total=size_text(total)))
        rate = int((done - self._start) / max(0.001, now - self._began))
        left = -(-(total - done) // rate) if rate else None
        if self._output.json:
            if now - self._told >= JSON_EVERY_S:
                self._told = now
                data = {
                    "file": self._name,
                    "done": done,
                    "size": total,
                    "bytes_per_s": rate,
                    "seconds_left": left,
                }
                self._output.notice(one_line(data))
        elif self._output.may_redraw and (done >= total or now - self._told >= EVERY_S):
            self._told = now
            self._draw(done, total, rate, left)

    def _draw(self, done: int, total: int, rate: int, left: int | None) -> None:
        share = done / total if total else 1.0
        size, tail = f"  {size_text(total)}  ", f" {share:4.0%}  {size_text(rate)}/s"
        if left:
            tail += "  " + _("{time} left").format(time=duration_text(left))
        # A line that is as wide as the terminal, or wider, could not be drawn over.
        room = self._output.columns - 1 - width(size + tail)
        name = _cut(self._name, max(LEAST_NAME, min(MOST_NAME, room)))
        cells = max(0, min(CELLS, room - width(name)))
        full = int(share * cells)
        text = name + size + "━" * full + "─" * (cells - full) + tail
        self._output.redraw(text + " " * max(0, self._last - width(text)))
        self._last = width(text)

    def close(self) -> None:
        """Leave the line."""
        if self._last:
            self._output.redraw(" " * self._last + "\r")
            self._last = 0


def _cut(text: str, cells: int) -> str:
    if width(text) <= cells:
        return text
    while text and width(text) >= cells:
        text = text[:-1]
    return text + "…"
