"""What people do, each as the faces of the program do it. A refusal is an answer, not a failure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from chatsecure.client import conversations, flows, flows_enter, flows_rooms
from chatsecure.client.content import Text1, Typing
from chatsecure.client.inbound import TEXT
from chatsecure.client.room import MemberRole

from .nodes import ClientNode

if TYPE_CHECKING:
    from .world import World

Action = Callable[..., None]


def _log(client: ClientNode, room: str) -> bytes:
    """The room's log, as far as this client knows.

    Raises:
        NotFound: it is in no such room.
    """
    return conversations.named(client.db, room.casefold()).log_id


def _write(world: World, client: ClientNode, log_id: bytes, count: int) -> None:
    """Write some messages, each accepted when its transaction is on disk."""
    for _ in range(count):
        if not client.up:
            return
        id_, text = world.observer.about_to_send(client, log_id)

        def queue(id_: bytes = id_, text: str = text) -> None:
            with client.db.transaction():
                row = conversations.get(client.db, log_id)
                if row is None:
                    raise conversations.not_there(row)
                client.core.outbox.queue_message(row, TEXT, Text1(text), text, id_=id_)
            world.observer.accepted(id_)
            client.core.pump()

        client.enter(queue, user=True)


def say(world: World, client: ClientNode, room: str, count: int) -> None:
    _write(world, client, _log(client, room), count)


def private(world: World, client: ClientNode, other: str, count: int) -> None:
    row = conversations.find(client.db, "@" + other)
    if row is not None and row.state == conversations.ACTIVE:
        _write(world, client, row.log_id, count)
        return
    client.run(
        "open a private chat",
        lambda: flows_enter.open_private(client.core, other),
        lambda log_id: _write(world, client, log_id, count),
    )


def whisper(world: World, client: ClientNode, room: str) -> None:
    log_id = _log(client, room)
    if client.core.ready(log_id):
        client.core.outbox.whisper(log_id, Typing())


def read(world: World, client: ClientNode, room: str) -> None:
    with client.db.transaction():
        row = conversations.named(client.db, room)
        last = client.db.value(
            "SELECT max(seq) FROM messages WHERE log_id = ? AND mine = 0 AND kind > 0", row.log_id
        )
        if last is not None and last > row.read:
            conversations.update(client.db, row.log_id, read=last)
    client.core.pump()


def add(world: World, client: ClientNode, room: str, other: str) -> None:
    log_id = _log(client, room)
    client.run("add", lambda: flows_rooms.add(client.core, log_id, [other]))


def remove(world: World, client: ClientNode, room: str, other: str) -> None:
    log_id = _log(client, room)
    client.run("remove", lambda: flows_rooms.remove(client.core, log_id, other))


def role(world: World, client: ClientNode, room: str, other: str, rank: int) -> None:
    log_id = _log(client, room)
    client.run("role", lambda: flows_rooms.set_role(client.core, log_id, other, MemberRole(rank)))


def topic(world: World, client: ClientNode, room: str, text: str) -> None:
    log_id = _log(client, room)
    client.run("topic", lambda: flows_rooms.set_topic(client.core, log_id, text))


def renew(world: World, client: ClientNode, room: str) -> None:
    log_id = _log(client, room)
    client.run("renew", lambda: flows.change(client.core, log_id, lambda *_: flows.Draft()))


def create(world: World, client: ClientNode, room: str, invite_only: bool) -> None:
    client.run(
        "create",
        lambda: flows_enter.create_room(client.core, room, invite_only=invite_only),
    )


def invite(world: World, client: ClientNode, room: str, uses: int, for_ms: int) -> None:
    log_id = _log(client, room)
    expires_at = client.core.now() + for_ms
    client.run(
        "invite",
        lambda: flows_rooms.invite(client.core, log_id, uses=uses, expires_at=expires_at),
        lambda secret: world.links.append((room, secret)),
    )


def enter(world: World, client: ClientNode, number: int) -> None:
    if world.links:
        _, secret = world.links[-1 - number % len(world.links)]
        client.run("enter by a link", lambda: flows_enter.enter_by_link(client.core, secret))


def leave(world: World, client: ClientNode, room: str) -> None:
    log_id = _log(client, room)
    client.run("leave", lambda: flows_rooms.leave(client.core, log_id))


ACTIONS: dict[str, Action] = {
    "say": say,
    "private": private,
    "whisper": whisper,
    "read": read,
    "add": add,
    "remove": remove,
    "role": role,
    "topic": topic,
    "renew": renew,
    "create": create,
    "invite": invite,
    "enter": enter,
    "leave": leave,
}
