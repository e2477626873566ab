"""The command line without a server: help, usage, errors, exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from chatsecure.cli import main as entry
from chatsecure.cli.commands import COMMANDS
from chatsecure.cli.durations import parse_duration
from chatsecure.cli.output import ClosedPipe
from chatsecure.cli.parser import build
from chatsecure.wire.errors import NotFound, Usage

HEAVY = ("cryptography", "msgspec", "asyncio", "ssl", "sqlite3", "keyring", "prompt_toolkit")


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run a command line in this process; gives exit code, stdout and stderr."""
    monkeypatch.setenv("CHATSECURE_HOME", str(tmp_path / "profile"))
    monkeypatch.setenv("CHATSECURE_KEYRING", "off")
    for name in ("CHATSECURE_LINK", "CHATSECURE_PASSPHRASE"):
        monkeypatch.delenv(name, raising=False)

    def call_(*arguments: str) -> tuple[int, str, str]:
        code = entry.main(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call_


def all_commands() -> list[list[str]]:
    found = [[command.name] for command in COMMANDS if command.group]
    return found + [
        [command.name, child.name] for command in COMMANDS for child in command.children
    ]


@pytest.mark.parametrize("command", all_commands(), ids=" ".join)
def test_every_command_explains_itself(call, command: list[str]) -> None:
    code, out, err = call(*command, "--help")
    assert (code, err) == (0, "")
    assert f"usage: chatsecure {' '.join(command)}" in out
    if len(command) == 1 and command != ["help"]:
        assert "example:\n  chatsecure " in out
    if command != ["help"]:
        assert call("help", *command) == (0, out, "")


def test_the_help_names_every_command_with_an_example(call) -> None:
    code, out, _ = call("--help")
    assert code == 0
    assert "examples:" in out
    for command in COMMANDS:
        assert (f"\n  {command.name} " in out) == bool(command.group)
    assert call()[:2] == (0, out)
    assert call("-h")[:2] == (0, out)


def test_the_version(call) -> None:
    code, out, _ = call("--version")
    assert code == 0
    assert out.startswith("chatsecure 0.")


@pytest.mark.parametrize("arguments", [["--help"], ["send", "--help"], ["--version"], ["sned"]])
def test_what_needs_no_library_loads_none(arguments: list[str]) -> None:
    program = (
        "import sys; from chatsecure.cli.main import main; main(sys.argv[1:]); "
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
    )
    assert done.stderr.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "arguments",
    [
        ["frobnicate"],
        ["send"],
        ["send", "@bob", "hi", "there"],
        ["send", "bob", "hi"],
        ["send", "@", "hi"],
        ["send", "@bob"],
        ["send", "@bob", ""],
        ["send", "@bob", " \n "],
        ["send", "@bob", "x" * 65537],
        ["send", "@bob", "\udcff"],
        ["send", "@bob", "hi", "--wait", "never"],
        ["send", "@bob", "hi", "--timeout", "soon"],
        ["send", "@bob", "hi", "--timeout", "nan"],
        ["listen", "--count", "0"],
        ["listen", "--for", "-1"],
        ["file", "@bob", "/"],
        ["join"],
        ["join", "http://example.org"],
        ["join", "chatsecure://somewhere"],
        ["invite", "--uses", "0"],
        ["invite", "--expires", "soon"],
        ["room"],
        ["room", "make", "#x"],
        ["room", "role", "#x", "bob", "king"],
        ["admin"],
        ["serve", "--engine", "steam"],
        ["completion", "tcsh"],
        ["--frobnicate"],
    ],
    ids=lambda arguments: " ".join(arguments)[:40].encode("ascii", "replace").decode(),
)
def test_wrong_usage_is_one_line_and_exit_2(call, arguments: list[str]) -> None:
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("chatsecure: ")
    assert err.count("\n") == 1
    code, out, _ = call("--json", *arguments)
    assert code == 2
    error = json.loads(out)
    assert error["code"] == 2
    assert error["error"]
    if "\udcff" not in arguments:
        assert call(*arguments, "--json")[:2] == (2, out)


def test_a_mistyped_command_is_told_the_nearest(call) -> None:
    assert "did you mean send?" in call("sned", "@bob", "hi")[2]
    assert "did you mean create?" in call("room", "craete", "#x")[2]


def test_without_a_profile_the_way_to_one_is_told(call) -> None:
    code, _, err = call("send", "@bob", "hi")
    assert code == 1
    assert "chatsecure join" in err


def test_a_missing_file_is_not_found(call, tmp_path: Path) -> None:
    assert call("file", "@bob", str(tmp_path / "none"))[0] == 5
    assert call("users", "--passphrase-file", str(tmp_path / "none"))[0] in (1, 5)


@pytest.mark.parametrize("place", ["before", "after"])
def test_common_options_stand_before_or_after_the_command(call, tmp_path: Path, place: str) -> None:
    options = ["--profile", str(tmp_path / "elsewhere"), "--json", "--plain", "--no-input", "-q"]
    arguments = [*options, "where"] if place == "before" else ["where", *options]
    code, out, _ = call(*arguments)
    assert code == 0
    assert json.loads(out)["profile"] == str(tmp_path / "elsewhere")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("send @bob --wait read --timeout 1 hi", {"target": "@bob", "text": "hi"}),
        ("send --wait read @bob hi", {"target": "@bob", "text": "hi"}),
        ("send @bob --wait read", {"target": "@bob", "text": None}),
        ("send @bob --wait read -- -x", {"target": "@bob", "text": "-x"}),
        ("file @bob --wait received a.txt", {"target": "@bob", "path": [Path("a.txt")]}),
        ("search hello --json world", {"words": ["hello", "world"]}),
        ("room add #x --json bob eve", {"room": "#x", "users": ["bob", "eve"]}),
        ("join --name bob -", {"link": "-", "name": "bob"}),
        ("invite --uses 2 #x --expires 1d", {"room": "#x", "uses": 2}),
    ],
)
def test_options_stand_anywhere_between_the_words(arguments: str, words: dict) -> None:
    args = vars(build().parse_args(arguments.split()))
    assert {name: args[name] for name in words} == words


def test_where_names_the_folders(call, tmp_path: Path) -> None:
    code, out, _ = call("where")
    assert code == 0
    assert str(tmp_path / "profile") in out


def test_doctor_reports_without_secrets(call) -> None:
    code, out, _ = call("doctor", "--json")
    assert code == 0
    report = json.loads(out)
    assert {"chatsecure", "python", "libraries", "tk", "keyring", "clock", "port", "paths"} <= set(
        report
    )
    assert call("doctor")[0] == 0


def test_the_unit_is_hardened(call) -> None:
    code, out, _ = call("admin", "systemd", "--listen", "0.0.0.0:7000")
    assert code == 0
    for line in ("NoNewPrivileges=yes", "ProtectSystem=strict", "MemoryDenyWriteExecute=yes"):
        assert line in out
    assert "--listen 0.0.0.0:7000" in out
    assert call("admin", "systemd", "--data", "/a b")[0] == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_completion_knows_every_command(call, shell: str) -> None:
    code, out, _ = call("completion", shell)
    assert code == 0
    for command in COMMANDS:
        if command.group:
            assert command.name in out
    assert "--wait" in out or "-l wait" in out


def test_bash_accepts_its_completion(call, tmp_path: Path) -> None:
    script = tmp_path / "completion"
    script.write_text(call("completion", "bash")[1])
    ask = (
        f"source {script}; COMP_WORDS=(chatsecure room cr); COMP_CWORD=2; "
        'COMP_LINE="chatsecure room cr"; COMP_POINT=18; _chatsecure; echo "${COMPREPLY[*]}"'
    )
    done = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "create"


def test_every_error_is_one_line(call, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(error: BaseException):
        def handler(*_: object) -> int:
            raise error

        monkeypatch.setattr("chatsecure.cli.doctor.where", handler)
        return call("where", "--json")

    code, out, err = fail(NotFound("no such thing", hint="look elsewhere"))
    assert (code, err) == (5, "chatsecure: no such thing; look elsewhere\n")
    assert json.loads(out) == {"error": "no such thing; look elsewhere", "code": 5}
    code, _, err = fail(NotFound("an \x1b[31mevil\nname"))
    assert "\x1b" not in err
    assert err.count("\n") == 1
    code, out, err = fail(ZeroDivisionError("oops"))
    assert code == 1
    assert err == "chatsecure: internal error: ZeroDivisionError: oops; please report it\n"
    assert fail(PermissionError(13, "Permission denied", "/x"))[0] == 1
    assert fail(KeyboardInterrupt())[0] == 130
    monkeypatch.setattr(entry, "silence_stdout", lambda: None)
    assert fail(ClosedPipe())[0] == 0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1800), ("12h", 43200), ("7d", 604800), ("2W", 1209600)],
)
def test_durations(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "7", "d", "0d", "-1d", "1.5h", "99999w", "7 days", "٣d"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(Usage):
        parse_duration(text)


def test_text_is_utf8_whatever_the_locale_says() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "chatsecure", "héłp–用"],
        capture_output=True,
        check=False,
        env={"LC_ALL": "C", "PATH": "/usr/bin:/bin", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    )
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr


def test_a_closed_pipe_is_quiet() -> None:
    program = (
        "import subprocess, sys; "
        "one = subprocess.Popen([sys.executable, '-m', 'chatsecure', 'completion', 'bash'], "
        "stdout=subprocess.PIPE, stderr=subprocess.PIPE); one.stdout.close(); "
        "said = one.stderr.read(); print(one.wait(), said)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "0 b''"


@pytest.mark.skipif(os.name != "posix", reason="streams are closed by a shell")
@pytest.mark.parametrize(
    ("closed", "words", "code", "said"),
    [
        (">&-", "where", 0, ""),
        ("<&-", "where", 0, ""),
        ("<&- >&- 2>&-", "where", 0, ""),
        ("<&-", "send @bob -", 2, "the text is empty"),
        ("<&-", "join", 2, "which link?"),
    ],
)
def test_streams_that_are_closed_are_no_accident(
    closed: str, words: str, code: int, said: str
) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f'"$0" -m chatsecure {words} {closed}', sys.executable],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert len(done.stderr.splitlines()) <= 1
