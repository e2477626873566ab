"""What commands say: results on stdout, everything else on stderr, each line flushed.

The only place of the command line that writes to the standard streams.
"""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO


class ClosedPipe(Exception):
    """Who read our standard output is gone: there is nobody left to work for."""


@dataclass(frozen=True, slots=True)
class Options:
    """What every command knows."""

    profile: Path | None = None
    json: bool = False
    plain: bool = False
    no_input: bool = False
    quiet: bool = False
    verbose: int = 0
    passphrase_file: Path | None = None


class Output:
    """The two streams, as the options want them."""

    def __init__(self, options: Options) -> None:
        self.options = options

    @property
    def json(self) -> bool:
        """Whether results are JSON."""
        return self.options.json

    @property
    def may_ask(self) -> bool:
        """Whether there is a person who can answer."""
        return not self.options.no_input and is_terminal(sys.stdin) and is_terminal(sys.stderr)

    def line(self, text: str) -> None:
        """One result, a line (or several) on stdout.

        Raises:
            ClosedPipe: nobody reads it.
        """
        try:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()
        except (BrokenPipeError, ValueError) as error:
            raise ClosedPipe from error
        except OSError as error:
            # Windows has another word for it.
            if os.name == "nt" and error.errno == 22:
                raise ClosedPipe from error
            raise

    def record(self, data: dict[str, Any]) -> None:
        """One result as a line of JSON."""
        self.line(one_line(data))

    def table(self, rows: Iterable[Sequence[str]]) -> None:
        """Results in columns, without lines around them."""
        rows = [list(row) for row in rows]
        if not rows:
            return
        widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = (
                cell + " " * (wide - width(cell)) for cell, wide in zip(row, widths, strict=True)
            )
            self.line("  ".join(cells).rstrip())

    def notice(self, text: str) -> None:
        """Something for the person only."""
        if not self.options.quiet:
            _write(sys.stderr, text + "\n")

    def detail(self, text: str) -> None:
        """Something for the person who asked for more (-v)."""
        if self.options.verbose:
            self.notice(text)

    def next(self, text: str) -> None:
        """What to do next; only where a person sees it."""
        if is_terminal(sys.stderr):
            self.notice(f"next: {text}")

    def error(self, text: str, code: int, *, english: str = "") -> None:
        """An error: one line on stderr, and an object on stdout with --json.

        Args:
            english: what the object says, which is the same in every language.
        """
        _write(sys.stderr, f"chatsecure: {text}\n")
        if self.options.json:
            self.record({"error": english or text, "code": code})

    def bell(self) -> None:
        """Ring; only for a terminal."""
        _write(sys.stdout, "\a")

    def redraw(self, text: str) -> None:
        """Replace the line under the cursor on stderr; only for a terminal."""
        _write(sys.stderr, "\r" + text)

    @property
    def columns(self) -> int:
        """How wide the terminal at stderr is."""
        try:
            return os.get_terminal_size(sys.stderr.fileno()).columns or 80
        except (OSError, ValueError):
            return 80

    @property
    def may_redraw(self) -> bool:
        """Whether a line may be drawn over."""
        return (
            not self.options.plain
            and not self.options.quiet
            and is_terminal(sys.stderr)
            and os.environ.get("TERM") != "dumb"
        )


def one_line(data: dict[str, Any]) -> str:
    """An object as a line of JSON."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
        stream.flush()
    except (OSError, ValueError):
        # Nobody reads it; the exit code says the same.
        return


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a standard stream is a terminal; a missing or closed one is none."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False


def width(text: str) -> int:
    """How many cells of a terminal a text takes."""
    if text.isascii():
        return len(text)
    from prompt_toolkit.utils import get_cwidth

    return get_cwidth(text)


def use_utf8() -> None:
    """Write and read UTF-8 whatever the locale says."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def open_missing() -> None:
    """Put something in the place of standard streams that were closed before we began.

    Else the first file or socket that is opened would get their numbers. Nobody reads an output
    that was closed: it is a broken pipe.
    """
    missing = [name for name in ("stdin", "stdout", "stderr") if getattr(sys, name) is None]
    if not missing:
        return
    hole = os.open(os.devnull, os.O_RDWR)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if name in missing and number != hole:
            os.dup2(hole, number)
    if "stdout" in missing:
        reader, writer = os.pipe()
        os.close(reader)
        os.dup2(writer, 1)
        os.close(writer)
    for name in missing:
        number, mode = ("stdin", "stdout", "stderr").index(name), "r" if name == "stdin" else "w"
        setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115


def silence_stdout() -> None:
    """Let the interpreter's own last flush of a closed pipe go nowhere."""
    try:
        hole = os.open(os.devnull, os.O_WRONLY)
        os.dup2(hole, sys.stdout.fileno())
        os.close(hole)
    except (OSError, ValueError, AttributeError):
        return
