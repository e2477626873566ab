"""A server as a process of its own, as a face starts it beside itself: begin, last words, end."""

import subprocess
import sys
from pathlib import Path


def begin(data: Path, log: Path, *more: str) -> "subprocess.Popen[bytes]":
    """Start `chatsecure serve --json` in a folder; its stdout is a pipe, what it logs goes to
    `log`."""
    command = [sys.executable, "-m", "chatsecure", "serve", "--json", "--no-input"]
    command += ["--data", str(data), *more]
    with log.open("wb") as errors:
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL,
            # Windows would open a console for it.
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )  # fmt: skip


def last_words(log: Path) -> str:
    """The last line it logged, or nothing."""
    said = log.read_text("utf-8", "replace").strip().splitlines()
    return said[-1] if said else ""


def end(process: "subprocess.Popen[bytes]", patience_s: float) -> None:
    """Ask it to stop; after `patience_s` seconds it is made to."""
    process.terminate()
    try:
        process.wait(patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
