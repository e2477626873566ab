"""The commands that talk: single messages and files, the faces, a bot of one's own.

Arguments and help only; what a command does is in the module its handler names.
"""

import argparse
from pathlib import Path

from chatsecure.words import _, _n

from .command import TALK, Command, count, seconds


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
    add("--timeout", metavar="S", type=seconds, help=_("seconds to wait"))


def _file(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("target", metavar="TARGET", help=_("@user or #room"))
    add("path", metavar="PATH", type=Path, nargs="+", help=_("a file or folder"))
    add("--wait", choices=("stored", "received"), default="stored", help=_("until it is so"))
    add("--timeout", metavar="S", type=seconds, help=_("seconds to wait"))


def _listen(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--for",
        metavar="SECONDS",
        dest="for_",
        type=seconds,
        help=_("end that long after the first line"),
    )
    add("--count", metavar="N", type=count, help=_("end after N events (connection not counted)"))
    add("--no-files", action="store_true", help=_("do not fetch files"))
    add("--downloads", metavar="DIR", type=Path, help=_("where received files go"))


def _history(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="TARGET", help=_("@user or #room"))
    _last(parser)


def _last(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--last", metavar="N", type=count, default=50, help=_("how many (50)"))


def _search(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", metavar="WORDS", nargs="+")
    _last(parser)


def _gui(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--geometry", metavar="WxH+X+Y", help=_("the window's size and place"))
    add("--follow", action="store_true", help=_("show what is said, until you do something"))


def _tui(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--follow", action="store_true", help=_("show what is said, until you do something")
    )


def _run_bot(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--on",
        metavar="TARGET",
        action="append",
        help=_("only there: '#room' or @user; repeatable"),
    )
    add("--mention", action="store_true", help=_("only messages to it: @name, or in private"))
    add("--timeout", metavar="S", type=seconds, default=60.0, help=_("seconds an answer may take"))
    add("cmd", metavar="-- CMD ...", nargs=argparse.REMAINDER, help=_("the program that answers"))


COMMANDS = (
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
)
