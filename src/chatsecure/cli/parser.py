"""The commands, their arguments and their help, in one place. Loads argparse and nothing else.

Options that every command knows may stand before or after its name: each parser has them, without
a default, so that the inner one does not undo the outer one.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from chatsecure.wire.errors import Usage
from chatsecure.words import _, _n

Add = Callable[[argparse.ArgumentParser], None]


@dataclass(frozen=True, slots=True)
class Command:
    """One command, or one of a command's own commands."""

    name: str
    summary: str
    handler: str
    """`module:function` of the one that runs it; loaded only then."""
    add: Add = lambda _parser: None
    example: str = ""
    more: str = ""
    """What the help says beyond the summary."""
    group: str = ""
    children: tuple["Command", ...] = field(default=())


class Parser(argparse.ArgumentParser):
    """A parser that raises instead of exiting, and suggests the command that was meant."""

    def __init__(self, *args: Any, **named: Any) -> None:
        named.setdefault("allow_abbrev", False)
        named.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(*args, **named)
        self._mixing = False

    def error(self, message: str) -> NoReturn:
        """Wrong usage."""
        raise Usage(message, hint=_("{prog} --help explains it").format(prog=self.prog))

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Options may stand between a command's words: `send @bob --wait read hello`.

        Plain argparse gives an optional word its default as soon as an option follows the word
        before it.
        """
        nested = (argparse.PARSER, argparse.REMAINDER)
        if self._mixing or any(action.nargs in nested for action in self._get_positional_actions()):
            return super().parse_known_args(args, namespace)
        self._mixing = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._mixing = False

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            from difflib import get_close_matches

            what = "command" if action.dest.startswith("command") else action.dest
            close = get_close_matches(str(value), list(map(str, action.choices)), n=1)
            hint = f"did you mean {close[0]}?" if close else f"{self.prog} --help lists them"
            raise Usage(_("there is no {what} {value!r}").format(what=what, value=value), hint=hint)


def add_common(parser: argparse.ArgumentParser) -> None:
    """The options that every command knows."""
    group = parser.add_argument_group("options of every command")
    off = argparse.SUPPRESS
    add = group.add_argument
    add("-h", "--help", action="help", help=_("show this help"))
    add("--profile", metavar="DIR", type=Path, default=off, help=_("the profile's folder"))
    add("--json", action="store_true", default=off, help=_("one JSON object a line on stdout"))
    add("--plain", action="store_true", default=off, help=_("no redrawing, no box characters"))
    add("--no-input", action="store_true", default=off, help=_("fail instead of asking"))
    add("-q", "--quiet", action="store_true", default=off, help=_("no notices"))
    add("-v", "--verbose", action="count", default=off, help=_("more notices"))
    add(
        "--passphrase-file",
        metavar="FILE",
        type=Path,
        default=off,
        help=_("holds the profile's passphrase (or set CHATSECURE_PASSPHRASE)"),
    )


def _serve(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--data", metavar="DIR", type=Path, help=_("the server's folder; see chatsecure where"))
    add("--listen", metavar="HOST:PORT", help=_("where to accept connections; port 0: a free one"))
    add("--engine", choices=("events", "threads"), help=_("one event loop, or a thread per client"))
    add("--public-address", metavar="HOST:PORT", help=_("what links name, where it differs"))
    add("--retention", metavar="DAYS", type=_count, help=_("how long undelivered entries are kept"))
    add("--metrics", metavar="HOST:PORT", help=_("tell figures there, for Prometheus"))
    add("--announce", action="store_true", help=_("let this network find the server (mDNS)"))
    add("--limit", metavar="NAME=N", action="append", help=_("set a limit; see admin limits"))


def _data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", metavar="DIR", type=Path, default=argparse.SUPPRESS, help=_("the server's folder")
    )


def _data_and_name(parser: argparse.ArgumentParser) -> None:
    _data(parser)
    parser.add_argument("name", metavar="NAME")


def _data_and_file(parser: argparse.ArgumentParser) -> None:
    _data(parser)
    parser.add_argument("file", metavar="FILE", type=Path)


def _uses(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--uses", metavar="N", type=_count, default=1, help=_("how many may use it (default 1)"))
    add(
        "--expires",
        metavar="TIME",
        default="7d",
        help=_("for how long: 30m, 12h, 7d (default), 4w"),
    )


def _token(parser: argparse.ArgumentParser) -> None:
    _data(parser)
    _uses(parser)


def _systemd(parser: argparse.ArgumentParser) -> None:
    _data(parser)
    parser.add_argument("--listen", metavar="HOST:PORT", default="0.0.0.0:5330")


def _join(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("link", metavar="LINK", nargs="?", help=_("the link; - reads it from standard input"))
    add("--name", metavar="NAME", help=_("your name on this server"))
    add("--passphrase", action="store_true", help=_("ask for a passphrase that locks the profile"))
    add(
        "--timeout", metavar="S", type=_seconds, default=60.0, help=_("seconds to try (default 60)")
    )


def _invite(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("room", metavar="#ROOM", nargs="?", help=_("a room to join as well"))
    _uses(parser)
    parser.add_argument("--qr", action="store_true", help=_("show it as a QR code too"))


def _send(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("target", metavar="TARGET", help=_("@user or #room"))
    add("text", metavar="TEXT", nargs="?", help=_("the text; - reads it from standard input"))
    add(
        "--wait",
        choices=("stored", "delivered", "read"),
        default="stored",
        help=_("until it is so"),
    )
    add("--timeout", metavar="S", type=_seconds, help=_("seconds to wait"))


def _file(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("target", metavar="TARGET", help=_("@user or #room"))
    add("path", metavar="PATH", type=Path, nargs="+", help=_("a file or folder"))
    add("--wait", choices=("stored", "received"), default="stored", help=_("until it is so"))
    add("--timeout", metavar="S", type=_seconds, help=_("seconds to wait"))


def _listen(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--for",
        metavar="SECONDS",
        dest="for_",
        type=_seconds,
        help=_("end that long after the first line"),
    )
    add("--count", metavar="N", type=_count, help=_("end after N events (connection not counted)"))
    add("--no-files", action="store_true", help=_("do not fetch files"))
    add("--downloads", metavar="DIR", type=Path, help=_("where received files go"))


def _history(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="TARGET", help=_("@user or #room"))
    _last(parser)


def _last(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--last", metavar="N", type=_count, default=50, help=_("how many (50)"))


def _search(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", metavar="WORDS", nargs="+")
    _last(parser)


def _verify(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("user", metavar="USER")
    add("--mark", action="store_true", help=_("you have compared the number: record it"))
    add("--accept", action="store_true", help=_("accept the changed identity of USER"))


def _room(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("room", metavar="#NAME")


def _room_create(parser: argparse.ArgumentParser) -> None:
    _room(parser)
    parser.add_argument("--invite-only", action="store_true", help=_("no way in without a member"))


def _room_add(parser: argparse.ArgumentParser) -> None:
    _room(parser)
    parser.add_argument("users", metavar="USER", nargs="+")


def _room_remove(parser: argparse.ArgumentParser) -> None:
    _room(parser)
    parser.add_argument("user", metavar="USER")


def _room_role(parser: argparse.ArgumentParser) -> None:
    _room_remove(parser)
    parser.add_argument("role", choices=("owner", "manager", "member"), metavar="ROLE")


def _room_topic(parser: argparse.ArgumentParser) -> None:
    _room(parser)
    parser.add_argument("topic", metavar="TOPIC")


def _run_bot(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--on",
        metavar="TARGET",
        action="append",
        help=_("only there: '#room' or @user; repeatable"),
    )
    add("--mention", action="store_true", help=_("only messages to it: @name, or in private"))
    add("--timeout", metavar="S", type=_seconds, default=60.0, help=_("seconds an answer may take"))
    add("cmd", metavar="-- CMD ...", nargs=argparse.REMAINDER, help=_("the program that answers"))


def _completion(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh", "fish", "powershell"), metavar="SHELL")


def _names(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", choices=("targets", "users", "rooms"))


def _gui(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--geometry", metavar="WxH+X+Y", help=_("the window's size and place"))
    add("--follow", action="store_true", help=_("show what is said, until you do something"))


def _tui(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--follow", action="store_true", help=_("show what is said, until you do something")
    )


def _demo(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--faces", choices=("auto", "gui", "tui", "none"), default="auto", help=_("what to open"))
    add("--show-server", action="store_true", help=_("show what the server stored"))


def _help(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("topic", metavar="COMMAND", nargs="*")


SERVER, PERSON, TALK, ROOMS, OTHER = (
    _n("a server"),
    _n("join, invite, trust"),
    _n("talk"),
    _n("rooms"),
    _n("more"),
)

FILE_HELP = _n(
    "The file's passphrase is asked for, or comes from --export-passphrase-file or\n"
    "CHATSECURE_EXPORT_PASSPHRASE; without these it is the profile's own."
)


def _file_argument(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("file", metavar="FILE", type=Path, help="the encrypted file")
    add(
        "--export-passphrase-file",
        metavar="FILE",
        type=Path,
        help="holds the passphrase of the file (or set CHATSECURE_EXPORT_PASSPHRASE)",
    )


ADMIN = (
    Command("users", _n("who is on this server"), "serve:admin", _data),
    Command("ban", _n("shut a user out"), "serve:admin", _data_and_name),
    Command("unban", _n("let a user in again"), "serve:admin", _data_and_name),
    Command("token", _n("a link that lets others join the server"), "serve:admin", _token),
    Command("limits", _n("the limits and their settings"), "serve:admin", _data),
    Command("ping", _n("whether the server runs; for health checks"), "serve:admin", _data),
    Command("stats", _n("what the server does now"), "serve:admin", _data),
    Command("backup", _n("copy everything into a file"), "serve:admin", _data_and_file),
    Command("restore", _n("take everything from a backup"), "serve:admin", _data_and_file),
    Command("systemd", _n("print a hardened unit"), "systemd:systemd", _systemd),
)

ROOM = (
    Command("create", _n("make a room"), "rooms:create", _room_create, "room create '#class-3b'"),
    Command("add", _n("take users in"), "rooms:add", _room_add, "room add '#class-3b' bob"),
    Command("remove", _n("put a user out"), "rooms:remove", _room_remove),
    Command("role", _n("owner, manager or member"), "rooms:role", _room_role),
    Command("topic", _n("set the topic"), "rooms:topic", _room_topic),
    Command("leave", _n("leave a room"), "rooms:leave", _room),
)

PROFILE = (
    Command(
        "export",
        _n("write your profile into an encrypted file; it is out of use here then"),
        "moving:export",
        _file_argument,
        "profile export mara.profile",
        FILE_HELP,
    ),
    Command(
        "import",
        _n("make a profile from such a file"),
        "moving:import_",
        _file_argument,
        "profile import mara.profile --profile ~/mara",
        FILE_HELP,
    ),
    Command(
        "take-over",
        _n("go on with this copy of your profile and shut the others out"),
        "moving:take_over",
    ),
)

COMMANDS = (
    Command(
        "serve",
        _n("run a server"),
        "serve:serve",
        _serve,
        "serve --listen 0.0.0.0:5330",
        _n(
            "The first start makes the data folder, the TLS key and the owner's link. What it "
            "stores\n"
            "and forwards is ciphertext: it cannot read a message, a file or a room's name."
        ),
        SERVER,
    ),
    Command(
        "admin",
        _n("look after a server"),
        "",
        _data,
        "admin --data DIR users",
        group=SERVER,
        children=ADMIN,
    ),
    Command(
        "join",
        _n("join a server with a link"),
        "people:join",
        _join,
        "join",
        _n(
            "Without a link it asks, so that nothing secret is in the process list or the shell's\n"
            "history; - reads it from standard input, CHATSECURE_LINK gives it too."
        ),
        PERSON,
    ),
    Command(
        "invite",
        _n("make a link for others"),
        "people:invite",
        _invite,
        "invite '#class-3b' --uses 30 --expires 7d",
        _n("Whoever has the link can join: send it as you would send a key."),
        PERSON,
    ),
    Command(
        "verify",
        _n("compare identities"),
        "people:verify",
        _verify,
        "verify bob",
        _n(
            "Both compare the number on another way, face to face or on the phone. If it is "
            "equal,\n"
            "nobody is in between: record that with --mark."
        ),
        PERSON,
    ),
    Command("devices", _n("your devices"), "people:devices", example="devices", group=PERSON),
    Command(
        "profile",
        _n("move your profile to another computer"),
        "",
        example="profile export mara.profile",
        more=_n("A profile is one device: it lives in one place at a time."),
        group=PERSON,
        children=PROFILE,
    ),
    Command(
        "users", _n("who is on the server"), "people:users", example="users --json", group=PERSON
    ),
    Command(
        "send",
        _n("send a message"),
        "messages:send",
        _send,
        "send @bob 'See you at ten'\n  df -h | chatsecure send '#ops' -",
        _n("Prints the message's id. A text that begins with - goes after --."),
        TALK,
    ),
    Command(
        "file",
        _n("send a file"),
        "messages:file",
        _file,
        "file @bob lecture.pdf --wait received",
        _n("Goes on where it broke off when run again. Prints the id of each file."),
        TALK,
    ),
    Command(
        "listen",
        _n("print what arrives"),
        "messages:listen",
        _listen,
        "listen --json --for 60",
        _n(
            "Oldest first, beginning with what came while away; each event is given once. The "
            "first\n"
            "line tells of the connection."
        ),
        TALK,
    ),
    Command(
        "history",
        _n("a conversation's last messages"),
        "messages:history",
        _history,
        "history '#lobby' --last 20",
        group=TALK,
    ),
    Command(
        "search", _n("find words"), "messages:search", _search, "search exam friday", group=TALK
    ),
    Command(
        "cli",
        _n("chat line by line"),
        "line:run",
        example="cli",
        more=_n(
            "Works over SSH, in a dumb terminal, with a screen reader and through a pipe.\n"
            "/help lists its commands."
        ),
        group=TALK,
    ),
    Command(
        "gui",
        _n("chat in a window"),
        "gui.app:gui",
        _gui,
        "gui",
        _n("At the first start it asks for an invitation, or starts a server here."),
        TALK,
    ),
    Command(
        "tui",
        _n("chat on the terminal's full screen"),
        "tui.start:tui",
        _tui,
        example="tui",
        more=_n(
            "Conversations, people, search, files; by keys and mouse, over SSH and in tmux.\n"
            "F1 shows the keys."
        ),
        group=TALK,
    ),
    Command(
        "run-bot",
        _n("let a program answer messages"),
        "runbot:run",
        _run_bot,
        "run-bot --on '#ops' --mention -- ./answer.sh",
        _n(
            "The program gets each message as JSON on its standard input; what it prints is the\n"
            "answer. One runs at a time. For more, see chatsecure.Bot in Python."
        ),
        TALK,
    ),
    Command("rooms", _n("your conversations"), "rooms:rooms", example="rooms --json", group=ROOMS),
    Command(
        "room",
        _n("make and look after a room"),
        "",
        example="room create '#class-3b'",
        group=ROOMS,
        children=ROOM,
    ),
    Command(
        "demo",
        _n("a server and three people on this computer"),
        "demo:demo",
        _demo,
        "demo --faces none",
        _n(
            "Plays a short scene in a temporary folder and checks who saw what, then searches the\n"
            "server's memory, disk and log for what was said."
        ),
        OTHER,
    ),
    Command(
        "doctor",
        _n("check this installation"),
        "doctor:doctor",
        example="doctor",
        more=_n("Tells nothing secret."),
        group=OTHER,
    ),
    Command("where", _n("the folders"), "doctor:where", example="where", group=OTHER),
    Command(
        "completion",
        _n("completion for a shell"),
        "completion:completion",
        _completion,
        "completion bash > ~/.local/share/bash-completion/completions/chatsecure",
        _n("SHELL: bash, zsh, fish or powershell."),
        OTHER,
    ),
    Command("help", _n("explain a command"), "", _help, "help send", group=OTHER),
    Command("_names", "", "completion:names", _names),
)


def _top_help() -> str:
    lines = [
        _("End-to-end encrypted chat on a server of your own."),
        "",
        _("examples:"),
        "  chatsecure demo                      " + _("see it work, on this computer only"),
        "  chatsecure serve                     " + _("start a server; prints the owner's link"),
        "  chatsecure join                      " + _("join one: asks for the link"),
        "  chatsecure send '#lobby' 'Hello!'    " + _("say something"),
    ]
    for group in (SERVER, PERSON, TALK, ROOMS, OTHER):
        lines += ["", f"{_(group)}:"]
        lines += [
            f"  {command.name:<11} {_(command.summary)}"
            for command in COMMANDS
            if command.group == group
        ]
    lines += ["", _("chatsecure COMMAND --help explains a command, with an example.")]
    return "\n".join(lines)


def build() -> Parser:
    """The parser of everything."""
    from chatsecure import __version__

    parser = Parser(
        prog="chatsecure",
        usage="chatsecure [options] COMMAND ...",
        description=_top_help(),
        add_help=False,
    )
    add_common(parser)
    parser.add_argument("--version", action="version", version=f"chatsecure {__version__}")
    parser.set_defaults(handler="")
    _add_children(parser, COMMANDS, "command")
    return parser


def _add_children(parser: Parser, commands: tuple[Command, ...], dest: str) -> None:
    children = parser.add_subparsers(
        dest=dest, metavar="COMMAND", help=argparse.SUPPRESS, parser_class=Parser, required=False
    )
    for command in commands:
        child = children.add_parser(
            command.name,
            prog=f"{parser.prog} {command.name}",
            description=_description(command),
            add_help=False,
        )
        command.add(child)
        # The usage line shows what is special; the common options have their own section.
        usage = " ".join(child.format_usage().removeprefix("usage:").split())
        add_common(child)
        child.usage = usage + (" COMMAND ..." if command.children else " [options]")
        child.set_defaults(handler=command.handler)
        if command.children:
            _add_children(child, command.children, dest + "_2")


def _description(command: Command) -> str:
    summary = _(command.summary)
    parts = [summary[:1].upper() + summary[1:] + "."]
    if command.more:
        parts.append(_(command.more))
    if command.children:
        parts.append(
            "\n".join(f"  {child.name:<8} {_(child.summary)}" for child in command.children)
        )
    if command.example:
        parts.append(_("example:") + f"\n  chatsecure {command.example}")
    return "\n\n".join(parts)


def _count(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if not 1 <= number <= 1_000_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of 1 or more")
    return number


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return seconds
