"""The line client: through a pipe, on a terminal, on a dumb one."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pyte
import pytest

from .conftest import PATIENCE_S, Person, Server, command, environment, eventually

Three = tuple[Person, Person, Person]


def test_driven_through_a_pipe(three: Three, tmp_path: Path) -> None:
    mara, alice, bob = three
    watching = bob.start("listen", "--json")
    watching.line()
    chat = alice.start("cli")
    assert "alice" in chat.line()
    chat.type("hello all")
    assert watching.event("message")["text"] == "hello all"
    chat.type("/msg bob psst")
    event = watching.event("message")
    assert (event["text"], event["conversation"]) == ("psst", "@alice")
    chat.type("@bob short form")
    assert watching.event("message")["text"] == "short form"
    chat.type("/me waves")
    chat.type("//slash")
    assert watching.event("message")["text"] == "waves"
    assert watching.event("message")["text"] == "/slash"
    chat.type("/smg bob secret")
    assert "/msg" in chat.until("not sent")
    chat.type(" /msg bob secret")
    chat.until("not sent")
    path = tmp_path / "a file.txt"
    path.write_text("content")
    chat.type(f"/file bob {path}")
    chat.until("a file.txt")
    chat.type("/msg nobody hi")
    chat.until("no user")
    bob.send("@alice", "an answer")
    chat.until("bob -> you: an answer")
    chat.type("/r thanks")
    assert watching.event("message")["text"] == "thanks"
    bob.send("#lobby", "is it friday?")
    chat.until("bob -> #lobby: is it friday?")
    chat.type("/reply yes")
    assert watching.event("message")["reply_to"]
    chat.type("/react :+1:")
    assert watching.event("reaction")["emoji"] == "👍"
    chat.type("/last 2")
    chat.until("[2] ")
    chat.type("/create #club")
    chat.until("#club")
    chat.type("/invite bob")
    chat.until("bob is in #club")
    chat.type("welcome to the club")
    assert watching.event("message")["conversation"] == "#club"
    for line, answer in (
        ("/users", "mara"),
        ("/rooms", "#club"),
        ("/help", "/msg"),
        ("/why", "encrypted"),
        ("/verify bob", "fingerprint"),
        ("/history 5", "welcome to the club"),
        ("/invite", "chatsecure://"),
        ("/query #lobby", "#lobby"),
    ):
        chat.type(line)
        chat.until(answer)
    chat.type("/quit")
    code, out, err = chat.ended()
    assert (code, err) == (0, "")
    assert "\x1b" not in out
    assert not [e for e in mara.listen("--for", "1.5") if "secret" in str(e)]
    watching.end()


def test_the_end_of_the_input_waits_until_all_is_stored(three: Three) -> None:
    _, alice, bob = three
    lines = [f"line {number}" for number in range(1000)]
    typed = "".join(f"@bob {line}\n" for line in lines).removesuffix("\n")
    done = alice("cli", stdin=typed, timeout=4 * PATIENCE_S).ok()
    assert done.err == ""
    assert bob.texts() == lines
    # What is said of that takes a line, not one for each receipt.
    eventually(lambda: "[read by 1 of 1]" in alice("history", "@bob", "--last", "1").out, "read")
    said = alice("cli", stdin="").ok().out.splitlines()
    assert [line for line in said if "1000 messages, the last:" in line], said
    assert len(said) < 10


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP])
def test_signals_end_it_in_order(three: Three, how: signal.Signals) -> None:
    chat = three[1].start("cli")
    chat.line()
    assert chat.end(how) == 0


class Terminal:
    """The line client in a terminal."""

    def __init__(self, person: Person, *more: str, term: str = "xterm") -> None:
        program, *arguments = command("--profile", person.folder, "cli", *more)
        self.child: pexpect.spawn[str] = pexpect.spawn(
            program,
            arguments,
            env=environment(TERM=term, PROMPT_TOOLKIT_NO_CPR="1"),
            encoding="utf-8",
            dimensions=(60, 100),
            cwd=person.folder,
        )
        self.said = ""
        self.screen = pyte.Screen(100, 60)
        self._stream = pyte.Stream(self.screen)

    def _read(self) -> bool:
        """Take what it says now; False when it has ended."""
        try:
            text = self.child.read_nonblocking(65536, timeout=0.1)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.said += text
        self._stream.feed(text)
        return True

    def sees(self, text: str) -> None:
        """Wait for a text on the screen."""
        end = time.monotonic() + PATIENCE_S
        while not any(text in line for line in self.screen.display):
            assert self._read() or text in self.said, f"it has ended: {self.said}"
            assert time.monotonic() < end, "\n".join(self.screen.display)

    def type(self, text: str) -> None:
        self.child.send(text)

    def ended(self) -> int | None:
        """Wait for its end; gives the exit code."""
        end = time.monotonic() + PATIENCE_S
        while self._read():
            assert time.monotonic() < end, "\n".join(self.screen.display)
        self.child.wait()
        return self.child.exitstatus


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.child.close(force=True)


def test_on_a_terminal(three: Three, terminals: list[Terminal]) -> None:
    _, alice, bob = three
    screen = Terminal(alice)
    terminals.append(screen)
    screen.sees("you are alice")
    screen.sees("#lobby, everyone there>")
    # What arrives does not tear what is being typed.
    screen.type("half a li")
    screen.sees("half a li")
    bob.send("#lobby", "meanwhile")
    screen.sees("bob -> #lobby: meanwhile")
    screen.type("ne\r")
    listening = bob.listen("--for", "2")
    assert "half a line" in [event.get("text") for event in listening]
    # Tab completes commands and names.
    screen.type("/quer\t")
    screen.sees("/query")
    screen.type("bo\t")
    screen.sees("/query bob")
    screen.type("\r")
    screen.sees("@bob, private>")
    screen.type("psst\r")
    # Up brings back what was typed.
    screen.type("\x1b[A\r")
    assert bob.texts() == ["psst", "psst"]
    # Ctrl-C clears, twice on nothing leaves.
    screen.type("never sent\x03")
    screen.type("\x03\x03")
    assert screen.ended() == 0
    assert bob.texts() == []
    assert not [path for path in alice.folder.rglob("*") if path.is_file()
                and b"half a line" in path.read_bytes()]  # fmt: skip


def test_ctrl_d_and_new_lines(three: Three, terminals: list[Terminal]) -> None:
    _, alice, bob = three
    screen = Terminal(alice)
    terminals.append(screen)
    screen.sees("everyone there>")
    screen.type("one\x1b\rtwo\r")
    # A paste of many lines is asked about.
    screen.type("\x1b[200~" + "\n".join(f"row {n}" for n in range(8)) + "\x1b[201~\r")
    screen.sees("Send 8 lines")
    screen.type("n\r")
    screen.type("after\r")
    screen.type("\x04")
    assert screen.ended() == 0
    assert bob.texts() == ["one\ntwo", "after"]


def test_what_was_typed_is_kept_and_files_are_found(
    three: Three, terminals: list[Terminal]
) -> None:
    _, alice, bob = three
    notes = alice.folder / "some notes.txt"
    notes.write_text("notes")
    screen = Terminal(alice)
    terminals.append(screen)
    screen.sees("everyone there>")
    screen.type("words for all\r")
    screen.type("/query bob\r")
    screen.sees("@bob, private>")
    screen.type("words for one\r")
    screen.sees("words for one")
    # A path is completed, blanks and all; a file on its way does not hold the line.
    screen.type("/file bob some\t")
    screen.sees("/file bob some notes.txt")
    screen.type("\r")
    screen.sees("file some notes.txt sent to @bob")
    # A link is a key: it is not kept.
    screen.type("/join chatsecure://127.0.0.1:1/secretsecret#secret\r")
    screen.sees("@bob, private>")
    screen.type("/quit\r")
    assert screen.ended() == 0
    again = Terminal(alice)
    terminals.append(again)
    again.sees("everyone there>")
    # Up: what was typed here, not what was typed elsewhere.
    again.type("\x1b[A\x1b[A")
    again.sees("words for all")
    again.type("\x03/query bob\r")
    again.sees("@bob, private>")
    again.type("\x1b[A\x1b[A")
    again.sees("/file bob")
    again.type("\x1b[A")
    again.sees("words for one")
    again.type("\x03")
    # Many lines go as a file, where that is wanted.
    again.type("\x1b[200~" + "\n".join(f"row {n}" for n in range(8)) + "\x1b[201~\r")
    again.sees("as a file")
    again.type("f\r")
    again.sees("8 lines sent to @bob as the file pasted.txt")
    again.type("\x04")
    assert again.ended() == 0
    assert bob.texts() == ["words for all", "words for one"]
    pasted = bob.folder / "downloads" / "pasted.txt"
    assert pasted.read_text().splitlines() == [f"row {n}" for n in range(8)]
    for path in alice.folder.rglob("*"):
        assert not path.is_file() or b"words for" not in path.read_bytes()


def test_a_person_can_write_while_the_server_is_away(
    three: Three, server: Server, terminals: list[Terminal]
) -> None:
    _, alice, bob = three
    assert server.stop() == 0
    # A script is told that there is no connection; a person goes on.
    assert alice("cli", stdin="hello\n").code == 3
    screen = Terminal(alice)
    terminals.append(screen)
    screen.sees("not connected")
    screen.type("written in the dark\r/last 1\r")
    screen.sees("[queued]")
    server.restart()
    screen.sees("connection online")
    assert bob.listen("--count", "1", timeout=PATIENCE_S)
    eventually(lambda: "written in the dark" in bob("history", "#lobby").ok().out, "it came")
    screen.type("/quit\r")
    assert screen.ended() == 0


@pytest.mark.parametrize(("more", "term"), [(["--plain"], "xterm"), ([], "dumb")])
def test_without_redrawing(
    three: Three, terminals: list[Terminal], more: list[str], term: str
) -> None:
    _, alice, bob = three
    screen = Terminal(alice, *more, term=term)
    terminals.append(screen)
    screen.sees("you are alice")
    screen.child.sendline("hello")
    bob.send("#lobby", "hi alice")
    screen.sees("bob -> #lobby: hi alice")
    screen.child.sendline("/quit")
    assert screen.ended() == 0
    assert "\x1b" not in screen.said
    assert bob.texts() == ["hello"]
