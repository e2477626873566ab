"""The /commands: what a typed line means. Nothing is sent by mistake."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatsecure.cli import actions
from chatsecure.cli.slash import (
    BY_NAME,
    COMMANDS,
    Nothing,
    Run,
    Say,
    Wrong,
    help_lines,
    parse,
)
from chatsecure.cli.slash_completion import completions


@pytest.mark.parametrize(
    ("line", "text", "target"),
    [
        ("hello", "hello", None),
        ("two\nlines\n", "two\nlines", None),
        ("  indented text", "  indented text", None),
        ("//usr/bin is a path", "/usr/bin is a path", None),
        ("//", "/", None),
        ("@bob hello there", "hello there", "@bob"),
        ("@bob, hello", "hello", "@bob"),
        ("@bob: hello", "hello", "@bob"),
        ("  @bob hello", "hello", "@bob"),
        ("#ops disk is full", "disk is full", "#ops"),
        ("# a heading", "# a heading", None),
        ("@ home", "@ home", None),
        ("#", "#", None),
        ("mail me@example.org", "mail me@example.org", None),
        ("@Ünï ça va", "ça va", "@Ünï"),
    ],
)
def test_text_goes_where_it_says(line: str, text: str, target: str | None) -> None:
    assert parse(line) == Say(text, target)


@pytest.mark.parametrize(
    ("line", "name", "arguments"),
    [
        ("/msg bob hello  there", "msg", ("@bob", "hello  there")),
        ("/msg @bob hi", "msg", ("@bob", "hi")),
        ("/msg #ops hi", "msg", ("#ops", "hi")),
        ("/MSG bob hi", "msg", ("@bob", "hi")),
        ("/w bob hi", "msg", ("@bob", "hi")),
        ("/msg , hi", "msg", (",", "hi")),
        ("/msg bob", "msg", ("@bob",)),
        ("/msg bob one\ntwo", "msg", ("@bob", "one\ntwo")),
        ("/r ok", "r", ("ok",)),
        ("/me waves", "me", ("waves",)),
        ("/file bob /tmp/my file.pdf", "file", ("@bob", "/tmp/my file.pdf")),
        ("/file bob '/tmp/my file.pdf'", "file", ("@bob", "/tmp/my file.pdf")),
        ("/users", "users", ()),
        ("/join chatsecure://h:1/x#y", "join", ("chatsecure://h:1/x#y",)),
        ("/leave", "leave", ()),
        ("/create ops", "create", ("#ops",)),
        ("/create #ops invite-only", "create", ("#ops", "invite-only")),
        ("/invite bob #ops", "invite", ("bob", "#ops")),
        ("/kick @bob", "kick", ("bob",)),
        ("/role bob manager", "role", ("bob", "manager")),
        ("/role bob manager ops", "role", ("bob", "manager", "#ops")),
        ("/topic Exam on Friday", "topic", ("Exam on Friday",)),
        ("@bob", "query", ("@bob",)),
        ("#ops", "query", ("#ops",)),
        ("/verify bob mark", "verify", ("bob", "mark")),
        ("/help msg", "help", ("msg",)),
        ("/?", "help", ()),
        ("/quit", "quit", ()),
        ("/quit  ", "quit", ()),
        ("/reply yes, at ten", "reply", ("last", "yes, at ten")),
        ("/reply 3 yes", "reply", ("3", "yes")),
        ("/reply 3", "reply", ("last", "3")),
        ("/reply deadbeef yes", "reply", ("last", "deadbeef yes")),
        ("/reply dead12ef yes", "reply", ("dead12ef", "yes")),
        ("/edit 2 one\ntwo", "edit", ("2", "one\ntwo")),
        ("/delete", "delete", ()),
        ("/delete 2", "delete", ("2",)),
        ("/react :+1:", "react", ("last", ":+1:")),
        ("/react 12 👍", "react", ("12", "👍")),
        ("/accept 0a1b2c3d", "accept", ("0a1b2c3d",)),
        ("/away at lunch", "away", ("at lunch",)),
        ("/settings auto-save limit 20 MB", "settings", ("auto-save limit 20 MB",)),
        ("/msg alice,@bob,#ops hi", "msg", ("@alice,@bob,#ops", "hi")),
        ("/mute @bob mentions", "mute", ("@bob", "mentions")),
    ],
)
def test_commands_are_read(line: str, name: str, arguments: tuple[str, ...]) -> None:
    assert parse(line) == Run(BY_NAME[name], arguments)


@pytest.mark.parametrize("line", ["", " ", "\n", "\t \r\n"])
def test_nothing_is_nothing(line: str) -> None:
    assert parse(line) == Nothing()


@pytest.mark.parametrize(
    "line",
    [
        " /msg bob secret",
        "    /msg bob secret",
        "\t/msg bob secret",
        "\n/msg bob secret",
        " //x",
        "/smg bob secret",
        "/",
        "/ msg bob secret",
        "/msg",
        "/msg @ secret",
        "/file bob",
        "/role bob king",
        "/users now",
        "/reply",
        "/edit",
        "/delete everything",
        "/accept it",
        "/msg ,, secret",
        "/msg alice,@ secret",
        "/file alice,bob path",
        "/query alice,bob",
        "/kick bob #ops more",
        "@@bob secret",
        "##ops secret",
        "@: secret",
    ],
)
def test_what_is_mistyped_is_not_sent(line: str) -> None:
    assert isinstance(parse(line), Wrong)


def test_a_mistyped_command_is_told_the_nearest() -> None:
    wrong = parse("/mgs bob hi")
    assert isinstance(wrong, Wrong)
    assert "/msg" in wrong.hint
    assert "//" in wrong.hint


@given(st.text(max_size=200))
def test_a_line_that_begins_like_a_command_is_never_sent_as_it_is(text: str) -> None:
    for line in (f"/{text}", f" /{text}"):
        parsed = parse(line)
        if isinstance(parsed, Say):
            assert line.startswith("//")
            assert parsed.text == line[1:].rstrip()


@given(st.text(max_size=300))
def test_every_line_can_be_read(line: str) -> None:
    parsed = parse(line)
    if isinstance(parsed, Say):
        assert parsed.text.strip()
        assert parsed.target is None or len(parsed.target) > 1
    if isinstance(parsed, Run):
        assert parsed.command.required <= len(parsed.arguments) <= len(parsed.command.params)
        assert all(parsed.arguments)


@given(st.text(min_size=1, max_size=100).filter(lambda text: text.strip() == text))
def test_two_slashes_send_any_text_that_begins_with_one(text: str) -> None:
    assert parse("//" + text) == Say("/" + text)


@given(st.sampled_from(COMMANDS), st.lists(st.text(alphabet="ab#@/ \n", max_size=5), max_size=5))
def test_commands_take_any_words(command: object, words: list[str]) -> None:
    parsed = parse(f"/{command.name} " + " ".join(words))  # type: ignore[attr-defined]
    assert isinstance(parsed, Run | Wrong)


def test_names_and_aliases_are_unique() -> None:
    assert len(BY_NAME) == sum(1 + len(command.aliases) for command in COMMANDS)


def test_every_command_can_be_carried_out_and_is_explained() -> None:
    assert set(actions.Chat._commands) == {command.name for command in COMMANDS} - {"quit"}
    text = "\n".join(help_lines())
    for command in COMMANDS:
        assert command.usage.startswith(f"/{command.name}")
        assert command.usage in text
        assert command.usage in help_lines(command.name)[0]


def test_help_of_what_is_not_there_says_so() -> None:
    assert "no command /frobnicate" in help_lines("frobnicate")[0]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("/us", ["/users "]),
        ("/msg b", ["bob "]),
        ("/msg @b", ["@bob "]),
        ("/msg #o", ["#ops "]),
        ("/msg bob tell @a", ["@alice "]),
        ("/role bob m", ["manager ", "member "]),
        ("/kick ", ["alice ", "bob "]),
        ("/leave #", ["#lobby ", "#ops "]),
        ("/help to", ["topic "]),
        ("/react :tad", [":tada: "]),
        ("/react 2 :tad", [":tada: "]),
        ("/settings ask", ["ask-first "]),
        ("/settings ask-first y", ["yes"]),
        ("/settings theme d", ["dark"]),
        ("/mute m", ["mentions "]),
        ("@a", ["@alice "]),
        ("#l", ["#lobby "]),
        ("al", ["alice: "]),
        ("hello @b", ["@bob "]),
        ("hello b", []),
        ("", []),
    ],
)
def test_tab_completes_commands_names_and_rooms(line: str, offered: list[str]) -> None:
    _, found, path = completions(line, users=["alice", "bob"], rooms=["#lobby", "#ops"])
    assert (found, path) == (offered, False)


def test_tab_completes_paths_with_blanks() -> None:
    assert completions("/file bob /tmp/my fi", users=[], rooms=[]) == ("/tmp/my fi", [], True)
    assert completions("/file bob ", users=[], rooms=[]) == ("", [], True)


@given(st.text(max_size=60))
def test_completion_takes_any_line(line: str) -> None:
    completions(line, users=["alice"], rooms=["#lobby"])
