"""The commands of who runs a server: `serve` and `admin`.

Arguments and help only; what a command does is in the module its handler names.
"""

import argparse
from pathlib import Path

from chatsecure.words import _, _n

from .command import SERVER, Command, count, uses


def _serve(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--data", metavar="DIR", type=Path, help=_("the server's folder; see chatsecure where"))
    add("--listen", metavar="HOST:PORT", help=_("where to accept connections; port 0: a free one"))
    add("--engine", choices=("events", "threads"), help=_("one event loop, or a thread per client"))
    add("--public-address", metavar="HOST:PORT", help=_("what links name, where it differs"))
    add("--retention", metavar="DAYS", type=count, help=_("how long undelivered entries are kept"))
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


def _token(parser: argparse.ArgumentParser) -> None:
    _data(parser)
    uses(parser)


def _systemd(parser: argparse.ArgumentParser) -> None:
    _data(parser)
    parser.add_argument("--listen", metavar="HOST:PORT", default="0.0.0.0:5330")


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
)
