"""The parser of the command line, and the help it prints. Loads argparse and nothing else.

The commands are tables in `commands/`. Options that every command knows may stand before or after
its name: each parser has them, without a default, so that the inner one does not undo the outer
one.
"""

import argparse
from pathlib import Path
from typing import Any, NoReturn

from chatsecure.wire.errors import Usage
from chatsecure.words import _

from .commands import COMMANDS
from .commands.command import GROUPS, Command


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
    for group in GROUPS:
        lines += ["", f"{_(group)}:"]
        lines += [
            f"  {command.name:<11} {_(command.summary)}"
            for command in COMMANDS
            if command.group == group
        ]
    lines += ["", _("chatsecure COMMAND --help explains a command, with an example.")]
    return "\n".join(lines)


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
