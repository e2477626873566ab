"""The commands about the program itself.

Arguments and help only; what a command does is in the module its handler names.
"""

import argparse

from chatsecure.words import _, _n

from .command import OTHER, Command


def _demo(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--faces", choices=("auto", "gui", "tui", "none"), default="auto", help=_("what to open"))
    add("--show-server", action="store_true", help=_("show what the server stored"))


def _completion(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh", "fish", "powershell"), metavar="SHELL")


def _names(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", choices=("targets", "users", "rooms"))


def _help(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("topic", metavar="COMMAND", nargs="*")


COMMANDS = (
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
