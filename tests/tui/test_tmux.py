"""The terminal client in a real terminal: tmux, wide and narrow, by keys and mouse."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from system.conftest import Person, Server, environment, eventually

PATIENCE_S = 40

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


class Tmux:
    """A tmux of our own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = f"chatsecure-test-{os.getpid()}-{folder.name[-20:]}"

    def __call__(self, *arguments: str) -> str:
        done = subprocess.run(
            ["tmux", "-f", "/dev/null", "-L", self.name, *arguments],
            capture_output=True, text=True, timeout=PATIENCE_S, check=True,
            env=environment(TERM="xterm-256color", COLORTERM="truecolor", LC_ALL="C.UTF-8"),
        )  # fmt: skip
        return done.stdout

    def open(self, who: str, columns: int = 110, rows: int = 30, *command: str) -> None:
        """Somebody opens their client; `done` and its exit code stand there when it ends."""
        words = command or ("--profile", str(self.folder / f"person-{who}"), "tui")
        line = " ".join([sys.executable, "-m", "chatsecure", *words])
        self(
            "new-session", "-d", "-s", who, "-x", str(columns), "-y", str(rows),
            f"{line}; echo done $?; sleep 600",
        )  # fmt: skip
        self("set-option", "-g", "escape-time", "10")

    def keys(self, who: str, *keys: str) -> None:
        """Press keys, as tmux names them."""
        self("send-keys", "-t", f"={who}:", *keys)

    def raw(self, who: str, text: str) -> None:
        """Send bytes as they are."""
        self("send-keys", "-t", f"={who}:", "-l", text)

    def text(self, who: str) -> str:
        """What stands on the screen."""
        return self("capture-pane", "-p", "-t", f"={who}:")

    def until(self, who: str, condition: Callable[[str], bool], what: str) -> str:
        end = time.monotonic() + PATIENCE_S
        while not condition(text := self.text(who)):
            assert time.monotonic() < end, f"{what}\n{text}"
            time.sleep(0.05)
        return text

    def process(self, who: str) -> int:
        """The process of somebody's client."""
        shell = self("display-message", "-p", "-t", f"={who}:", "#{pane_pid}").strip()
        return _children(shell)[0]

    def end(self) -> None:
        """End it with all that runs in it, and wait for that: a client that is still leaving would
        find the next test's server at the same address."""
        command = ["tmux", "-L", self.name, "list-panes", "-a", "-F", "#{pane_pid}"]
        panes = subprocess.run(command, check=False, capture_output=True, text=True)
        left = [pid for shell in panes.stdout.split() for pid in _children(shell)]
        command = ["tmux", "-L", self.name, "kill-server"]
        subprocess.run(command, check=False, capture_output=True)
        eventually(lambda: not any(map(is_running, left)), f"{left} have not ended")

    def sees(self, who: str, words: str) -> str:
        """Wait until words stand on the screen."""
        return self.until(who, lambda text: words in text, f"{words!r} is not there")


def _children(process: str) -> list[int]:
    command = ["pgrep", "-P", process]
    return [int(pid) for pid in subprocess.run(command, capture_output=True).stdout.split()]


@pytest.fixture
def tmux(running: Server, stopped: Path) -> Iterator[Tmux]:
    tmux = Tmux(stopped)
    yield tmux
    tmux.end()


def test_two_chat_on_a_wide_and_on_a_narrow_screen(tmux: Tmux) -> None:
    tmux.open("alice", 120, 30)
    tmux.open("bob", 48, 20)
    tmux.sees("alice", "everyone there")
    narrow = tmux.sees("bob", "everyone there")
    tmux.sees("alice", "Rooms")
    tmux.sees("alice", "Here ·")
    assert "Rooms" not in narrow
    tmux.raw("alice", "first line")
    tmux.keys("alice", "M-Enter")
    tmux.raw("alice", "日本語 👍🏽")
    tmux.sees("alice", "日本語")
    tmux.keys("alice", "Enter")
    tmux.until("bob", lambda text: "first line" in text and "日本語" in text, "not both lines")
    tmux.keys("bob", "F2")
    tmux.sees("bob", "Rooms")
    tmux.keys("bob", "F2")
    tmux.until("bob", lambda text: "Rooms" not in text and "everyone there" in text, "not hidden")
    tmux.raw("bob", "@alice only for you")
    tmux.sees("bob", "only for you")
    tmux.keys("bob", "Enter")
    tmux.until("alice", lambda text: "@bob" in text.split("Private")[-1], "no private chat")
    tmux.keys("alice", "M-2")
    tmux.sees("alice", "private: only you and bob")
    # The composer of a private chat has another frame.
    tmux.until("alice", lambda text: "only for you" in text and "┏" in text, "not private")
    tmux("resize-window", "-t", "=alice:", "-x", "50", "-y", "20")
    tmux.until("alice", lambda text: "Rooms" not in text and "only for you" in text, "not folded")


def test_a_shells_idea_of_the_size_is_not_taken_for_the_terminals(tmux: Tmux) -> None:
    tmux.open("alice", 120, 30)
    tmux("set-environment", "-g", "COLUMNS", "110")
    tmux("set-environment", "-g", "LINES", "30")
    tmux.open("bob", 48, 20)
    assert "Rooms" not in tmux.sees("bob", "everyone there")


def test_the_mouse_chooses_conversations_and_scrolls(tmux: Tmux) -> None:
    alice = Person("alice", tmux.folder / "person-alice")
    alice("room", "create", "#class").ok()
    for number in range(8):
        alice.send("#lobby", "\n".join(f"message {number}, line {line}" for line in range(6)))
    tmux.open("alice", 100, 24)
    tmux.sees("alice", "message 7, line 5")
    for _ in range(3):
        tmux.raw("alice", "\x1b[<64;50;10M")
    tmux.until("alice", lambda text: "message 7, line 5" not in text, "not scrolled")
    text = tmux.text("alice")
    row = next(number for number, line in enumerate(text.split("\n"), 1) if "#class" in line)
    tmux.raw("alice", f"\x1b[<0;5;{row}M\x1b[<0;5;{row}m")
    tmux.sees("alice", "to #class, everyone there")


def test_the_mouse_selects_text_and_a_key_copies_it(tmux: Tmux) -> None:
    tmux.open("alice", 100, 24)
    tmux("set-option", "-g", "set-clipboard", "on")
    tmux.sees("alice", "everyone there")
    for text in ("the first thing", "日本語 and another"):
        tmux.raw("alice", text)
        tmux.sees("alice", text)
        tmux.keys("alice", "Enter")
    text = tmux.until("alice", lambda text: text.count("stored") == 2, "not both are stored")
    rows = [number for number, line in enumerate(text.split("\n"), 1) if "stored" in line]
    column = text.split("\n")[rows[0] - 1].index("the first") + 1
    first, last = f"{column + 4};{rows[0]}", f"{column + 9};{rows[1]}"
    tmux.raw("alice", f"\x1b[<0;{first}M\x1b[<32;{first}M\x1b[<32;{last}M\x1b[<0;{last}m")
    tmux.sees("alice", "Ctrl+C copies")
    tmux.keys("alice", "C-c")
    end = time.monotonic() + PATIENCE_S
    while "first" not in (copied := tmux("list-buffers", "-F", "#{buffer_sample}")):
        assert time.monotonic() < end, "nothing was copied"
        time.sleep(0.05)
    assert tmux("show-buffer") == "first thing\n   日本語 and", copied


def test_it_leaves_the_terminal_as_it_was(tmux: Tmux) -> None:
    tmux.open("alice")
    tmux.sees("alice", "everyone there")
    title = tmux("display-message", "-p", "-t", "=alice:", "#{pane_title}")
    assert "ChatSecure" in title
    tmux.keys("alice", "C-q")
    assert "Rooms" not in tmux.sees("alice", "done 0")
    assert tmux("display-message", "-p", "-t", "=alice:", "#{mouse_any_flag}").strip() == "0"
    assert tmux("display-message", "-p", "-t", "=alice:", "#{alternate_on}").strip() == "0"


def test_sigterm_ends_it_in_order_and_keeps_the_draft(tmux: Tmux) -> None:
    tmux.open("alice")
    tmux.sees("alice", "everyone there")
    tmux.raw("alice", "half a thought")
    tmux.sees("alice", "half a thought")
    os.kill(tmux.process("alice"), signal.SIGTERM)
    tmux.sees("alice", "done 0")
    tmux.open("again", 110, 30, "--profile", str(tmux.folder / "person-alice"), "tui")
    tmux.sees("again", "half a thought")


def test_it_ends_with_its_terminal_and_keeps_the_draft(tmux: Tmux) -> None:
    tmux.open("alice")
    tmux.open("bob")
    tmux.sees("alice", "everyone there")
    tmux.raw("alice", "half a thought")
    tmux.sees("alice", "half a thought")
    process = tmux.process("alice")
    tmux("kill-session", "-t", "=alice")
    end = time.monotonic() + PATIENCE_S
    while is_running(process):
        assert time.monotonic() < end, "it goes on without a terminal"
        time.sleep(0.05)
    tmux.open("again", 110, 30, "--profile", str(tmux.folder / "person-alice"), "tui")
    tmux.sees("again", "half a thought")


def test_it_stops_for_the_shell_and_comes_back(tmux: Tmux) -> None:
    client = f"{sys.executable} -m chatsecure --profile {tmux.folder / 'person-alice'} tui"
    shell = ["bash", "--norc", "-i"]
    tmux("new-session", "-d", "-s", "alice", "-x", "110", "-y", "30", *shell)
    tmux.raw("alice", client + "\n")
    tmux.sees("alice", "everyone there")
    tmux.raw("alice", "half a thought")
    tmux.sees("alice", "half a thought")
    tmux.keys("alice", "C-z")
    assert "everyone there" not in tmux.sees("alice", "Stopped")
    tmux.raw("alice", "fg\n")
    tmux.sees("alice", "half a thought")
    tmux.raw("alice", ", whole")
    tmux.sees("alice", "half a thought, whole")
    # What was typed last is undone where Ctrl+Z does something else.
    tmux.raw("alice", "\x1f")
    tmux.until("alice", lambda text: ", whole" not in text, "not undone")


STUCK = """
import asyncio, queue
from chatsecure.tui import start

async def main():
    start.when_hung_up(lambda: None)
    print("ready", flush=True)
    queue.Queue(1).put(queue.Queue(0).get())

start.LAST_WORDS_S = start.GRACE_S = 0.1
asyncio.run(main())
"""


def test_it_ends_with_its_terminal_also_where_it_waits_for_the_screen_for_ever() -> None:
    process = subprocess.Popen([sys.executable, "-c", STUCK], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGHUP)
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_without_a_terminal_it_says_what_works(stopped: Path) -> None:
    done = Person("alice", stopped / "person-alice")("tui")
    assert done.code == 2
    assert "chatsecure cli" in done.err
