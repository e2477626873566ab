"""What a command is to the parser, the groups of them, and kinds of arguments many take.

Knows no command.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field

from chatsecure.words import _, _n

Add = Callable[[argparse.ArgumentParser], None]

SERVER, PERSON, TALK, ROOMS, OTHER = (
    _n("a server"),
    _n("join, invite, trust"),
    _n("talk"),
    _n("rooms"),
    _n("more"),
)
GROUPS = (SERVER, PERSON, TALK, ROOMS, OTHER)
"""In the order of the help."""


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


def uses(parser: argparse.ArgumentParser) -> None:
    """How often and how long a link may be used."""
    add = parser.add_argument
    add("--uses", metavar="N", type=count, default=1, help=_("how many may use it (default 1)"))
    add(
        "--expires",
        metavar="TIME",
        default="7d",
        help=_("for how long: 30m, 12h, 7d (default), 4w"),
    )


def count(text: str) -> int:
    """A number of 1 or more, as an argument's type."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if not 1 <= number <= 1_000_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of 1 or more")
    return number


def seconds(text: str) -> float:
    """A number of seconds, as an argument's type."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return number
