"""The commands of rooms: which there are, and looking after one.

Arguments and help only; what a command does is in the module its handler names.
"""

import argparse

from chatsecure.words import _, _n

from .command import ROOMS, Command


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


ROOM = (
    Command("create", _n("make a room"), "rooms:create", _room_create, "room create '#class-3b'"),
    Command("add", _n("take users in"), "rooms:add", _room_add, "room add '#class-3b' bob"),
    Command("remove", _n("put a user out"), "rooms:remove", _room_remove),
    Command("role", _n("owner, manager or member"), "rooms:role", _room_role),
    Command("topic", _n("set the topic"), "rooms:topic", _room_topic),
    Command("leave", _n("leave a room"), "rooms:leave", _room),
)


COMMANDS = (
    Command("rooms", _n("your conversations"), "rooms:rooms", example="rooms --json", group=ROOMS),
    Command(
        "room",
        _n("make and look after a room"),
        "",
        example="room create '#class-3b'",
        group=ROOMS,
        children=ROOM,
    ),
)
