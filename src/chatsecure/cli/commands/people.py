"""The commands about oneself and others: join, invite, verify, move a profile.

Arguments and help only; what a command does is in the module its handler names.
"""

import argparse
from pathlib import Path

from chatsecure.words import _, _n

from .command import PERSON, Command, seconds, uses


def _join(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("link", metavar="LINK", nargs="?", help=_("the link; - reads it from standard input"))
    add("--name", metavar="NAME", help=_("your name on this server"))
    add("--passphrase", action="store_true", help=_("ask for a passphrase that locks the profile"))
    add("--timeout", metavar="S", type=seconds, default=60.0, help=_("seconds to try (default 60)"))


def _invite(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("room", metavar="#ROOM", nargs="?", help=_("a room to join as well"))
    uses(parser)
    parser.add_argument("--qr", action="store_true", help=_("show it as a QR code too"))


def _verify(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("user", metavar="USER")
    add("--mark", action="store_true", help=_("you have compared the number: record it"))
    add("--accept", action="store_true", help=_("accept the changed identity of USER"))


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
)
