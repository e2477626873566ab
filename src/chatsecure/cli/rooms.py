"""rooms, and what is done to a room."""

from argparse import Namespace
from dataclasses import asdict

from chatsecure.client.display import harmless, harmless_name
from chatsecure.client.lines import RoomLine
from chatsecure.words import _, _n, several

from . import session
from .output import Output


def rooms(args: Namespace, output: Output) -> int:  # noqa: ARG001 - the handlers' signature
    """`chatsecure rooms`."""
    return session.run(_rooms(output))


async def _rooms(output: Output) -> int:
    async with session.glancing(output) as client:
        found = client.rooms()
        if output.json:
            for room in found:
                output.record(asdict(room))
        else:
            output.table(map(room_cells, found))
    return 0


def room_cells(room: RoomLine) -> tuple[str, str, str, str]:
    """What a table says of a conversation."""
    people = several("1 person", "{n} people", len(room.people))
    notes = [
        _(ROLES.get(room.role, room.role)) if room.kind != "private" else "",
        _("by invitation") if room.invite_only else "",
        _("{n} unread").format(n=room.unread) if room.unread else "",
        _(STATES.get(room.state, room.state)) if room.state != "active" else "",
    ]
    return (
        harmless_name(room.name),
        _("private") if room.kind == "private" else people,
        ", ".join(filter(None, notes)),
        harmless(room.topic, lines=False),
    )


ROLES = {"owner": _n("owner"), "manager": _n("manager"), "member": _n("member")}
STATES = {
    "joining": _n("joining"),
    "left": _n("left"),
    "removed": _n("removed"),
    "broken": _n("broken"),
}


def _done(output: Output, room: str, text: str) -> int:
    if output.json:
        output.record({"room": room, "done": text})
    else:
        output.notice(f"{harmless_name(room)}: {_(text)}")
    return 0


def create(args: Namespace, output: Output) -> int:
    """`chatsecure room create`."""

    async def work() -> int:
        room = session.room_name(args.room)
        async with session.connected(output) as client:
            await client.create_room(room, invite_only=args.invite_only)
        output.next(f"chatsecure room add '{harmless_name(room)}' USER, chatsecure invite")
        return _done(output, room, _n("created"))

    return session.run(work())


def add(args: Namespace, output: Output) -> int:
    """`chatsecure room add`."""

    async def work() -> int:
        room, users = session.room_name(args.room), [session.user_name(it) for it in args.users]
        async with session.connected(output) as client:
            await client.add_to_room(room, users)
        return _done(output, room, "added " + ", ".join(map(harmless_name, users)))

    return session.run(work())


def remove(args: Namespace, output: Output) -> int:
    """`chatsecure room remove`."""

    async def work() -> int:
        room, user = session.room_name(args.room), session.user_name(args.user)
        async with session.connected(output) as client:
            await client.remove_from_room(room, user)
        return _done(output, room, f"removed {harmless_name(user)}")

    return session.run(work())


def role(args: Namespace, output: Output) -> int:
    """`chatsecure room role`."""

    async def work() -> int:
        room, user = session.room_name(args.room), session.user_name(args.user)
        async with session.connected(output) as client:
            await client.set_role(room, user, args.role)
        return _done(output, room, f"{harmless_name(user)} is {args.role} now")

    return session.run(work())


def topic(args: Namespace, output: Output) -> int:
    """`chatsecure room topic`."""

    async def work() -> int:
        room = session.room_name(args.room)
        async with session.connected(output) as client:
            await client.set_topic(room, session.unbroken(args.topic))
        return _done(output, room, _n("topic set"))

    return session.run(work())


def leave(args: Namespace, output: Output) -> int:
    """`chatsecure room leave`."""

    async def work() -> int:
        room = session.room_name(args.room)
        async with session.connected(output) as client:
            await client.leave_room(room)
        return _done(output, room, _n("left"))

    return session.run(work())
