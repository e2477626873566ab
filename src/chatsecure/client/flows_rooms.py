"""What members do in a room: add, remove, roles, topic, leaving, inviting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from chatsecure import links, mls
from chatsecure.crypto.certificates import device_id
from chatsecure.names import fold_name
from chatsecure.wire import messages as m
from chatsecure.wire.errors import NotFound, Usage

from . import contacts, conversations, leaving
from .admission import NewLink
from .conversations import Conversation
from .flow import Flow, Until
from .flows import Draft, change, leaf_devices, pause
from .flows_people import Person, claim, fetch_person
from .room import (
    LinkState,
    MemberRole,
    NotPermitted,
    RoomState,
    decode_state,
    with_link,
    with_role,
    without_links,
)

if TYPE_CHECKING:
    from .core import Core

LEAVER_STEP_MS = 400
LEAVER_WAIT_MS = 6_000
MAX_TOPIC_CHARACTERS = 300


def add(core: Core, log_id: bytes, names: Sequence[str]) -> Flow[list[str]]:
    """Add users to a room, all their devices; those who are in it already are left alone.

    Returns:
        Who was added.
    """
    yield Until(lambda: core.online, what="there is no connection")
    people: list[Person] = []
    for name in dict.fromkeys(names):
        people += [(yield from fetch_person(core, name))]
    inside = {member.fingerprint for member in conversations.members(core.db, log_id)}
    people = [person for person in people if person.fingerprint not in inside]
    if not people:
        return []
    newcomers = yield from claim(core, people)

    def make(group: mls.Group, state: RoomState, row: Conversation) -> Draft | None:
        there = leaf_devices(group)
        wanted = [one for one in newcomers if one.device_id not in there]
        return Draft(add=wanted) if wanted else None

    yield from change(core, log_id, make)
    return [person.name for person in people]


def _member(core: Core, row: Conversation, name: str) -> conversations.MemberRow:
    """A user's place in a room.

    Raises:
        NotFound: they are not in it.
    """
    members = conversations.members(core.db, row.log_id)
    for member in members:
        if member.folded == fold_name(name.removeprefix("@")):
            return member
    known = contacts.unknown_user(name, [member.name for member in members])
    raise NotFound(f"{name} is not in {row.name}", hint=known.hint)


def remove(core: Core, log_id: bytes, name: str) -> Flow[None]:
    """Remove a user, all their devices; the room's links close with it."""

    def make(group: mls.Group, state: RoomState, row: Conversation) -> Draft | None:
        target = _member(core, row, name)
        if target.fingerprint == core.me.fingerprint:
            raise NotPermitted("to go yourself, leave the room")
        gone = [
            member.leaf
            for member in conversations.members(core.db, log_id)
            if member.fingerprint == target.fingerprint
        ]
        after = with_role(without_links(state), target.fingerprint, MemberRole.MEMBER)
        if state.role(target.fingerprint) is MemberRole.MEMBER:
            after = without_links(state)
        return Draft(remove=gone, state=after)

    yield from change(core, log_id, make)


def set_role(core: Core, log_id: bytes, name: str, role: MemberRole) -> Flow[None]:
    """Give a user another role."""

    def make(group: mls.Group, state: RoomState, row: Conversation) -> Draft | None:
        target = _member(core, row, name)
        if state.role(target.fingerprint) is role:
            return None
        return Draft(state=with_role(state, target.fingerprint, role))

    yield from change(core, log_id, make)


def set_topic(core: Core, log_id: bytes, topic: str) -> Flow[None]:
    """Set a room's topic."""
    if len(topic) > MAX_TOPIC_CHARACTERS:
        raise Usage(f"a topic has at most {MAX_TOPIC_CHARACTERS} characters")

    def make(group: mls.Group, state: RoomState, row: Conversation) -> Draft | None:
        if row.private:
            raise NotPermitted("a private chat has no topic")
        if state.topic == topic:
            return None
        return Draft(state=msgspec.structs.replace(state, topic=topic))

    yield from change(core, log_id, make)


def leave(core: Core, log_id: bytes) -> Flow[None]:
    """Leave a room. The server stops delivering at once, a member who is there takes our devices
    out of the group.

    Raises:
        NotPermitted: the room would be left without an owner.
    """

    def gone() -> bool:
        row = conversations.get(core.db, log_id)
        return row is None or row.state != conversations.ACTIVE

    yield Until(
        lambda: gone() or core.ready(log_id), what="the conversation could not be caught up"
    )
    row = conversations.get(core.db, log_id)
    if row is None or row.state != conversations.ACTIVE:
        raise conversations.not_there(row)
    if row.private:
        raise NotPermitted("a private chat cannot be left")
    if leaving.can_come_again(core, core.groups.get(log_id)):
        # What we sign is not to hold for a later time in it.
        yield from change(core, log_id, lambda *_: Draft())
    with core.db.transaction():
        row = conversations.get(core.db, log_id)
        if row is None or row.state != conversations.ACTIVE:
            raise conversations.not_there(row)
        state = decode_state(core.groups.get(log_id).room_state)
        others = {
            member.fingerprint
            for member in conversations.members(core.db, log_id)
            if member.fingerprint != core.me.fingerprint
        }
        owner = state.role(core.me.fingerprint) is MemberRole.OWNER
        if owner and others and not any(state.role(o) is MemberRole.OWNER for o in others):
            raise NotPermitted(
                f"you are the only owner of {row.name}",
                hint=f"make somebody else owner first: chatsecure room role {row.name} USER owner",
            )
        id_ = core.outbox.queue_leaving(log_id)
    core.pump()
    # We may be back by the time we look: somebody has added us again.
    yield Until(lambda: gone() or not core.outbox.holds(id_), what="leaving was not confirmed")


def remove_leavers(core: Core, log_id: bytes) -> Flow[None]:
    """Take out of the group who has left by a statement of their own. Members wait in turn, so
    that one of them does it and not all at once."""
    mine = [
        rank
        for rank, member in enumerate(conversations.members(core.db, log_id))
        if member.device_id == core.me.device_id
    ]
    if not mine:
        return
    yield from pause(core, min(mine[0] * LEAVER_STEP_MS, LEAVER_WAIT_MS))

    def make(group: mls.Group, state: RoomState, row: Conversation) -> Draft | None:
        there = {device_id(member.signature_key): member for member in group.members()}
        proofs = leaving.proofs(core.db, log_id, group, there)[: leaving.PROOFS_A_COMMIT]
        if not proofs:
            core.db.run("DELETE FROM leavers WHERE log_id = ?", log_id)
            return None
        remove = [there[proof.device_id].index for proof in proofs]
        return Draft(remove=remove, leavers=proofs)

    yield from change(core, log_id, make)


def invite(core: Core, room: bytes | None, *, uses: int, expires_at: int) -> Flow[bytes]:
    """Open a link to the server, `#lobby` and a room. Gives its secret.

    Args:
        uses: how many may come in by it.
        expires_at: milliseconds since 1970.

    Raises:
        NotPermitted: the room is by invitation of its managers only.
        NotFound: we are not in `#lobby`.
    """
    yield Until(lambda: core.online, what="there is no connection")
    lobby = conversations.find(core.db, "#lobby")
    if lobby is None or lobby.state != conversations.ACTIVE:
        raise NotFound("you are not in #lobby, so you cannot invite to it")
    secret = links.make_secret()
    # The room first: where that is not allowed, nothing is left behind.
    if room is not None and room != lobby.log_id:
        yield from _open_link(core, room, links.room_secret(secret), uses, expires_at)
    yield from _open_link(core, lobby.log_id, links.lobby_secret(secret), uses, expires_at)
    token = links.token_hash(links.token_of(secret))
    yield core.ask(m.PutToken(token, uses, expires_at))
    return secret


def _open_link(core: Core, log_id: bytes, secret: bytes, uses: int, expires_at: int) -> Flow[None]:
    link = LinkState(links.link_id(secret), secret, expires_at, core.me.fingerprint)

    def make(group: mls.Group, state: RoomState, row: Conversation) -> Draft | None:
        if state.link(link.link_id) is not None:
            return None
        return Draft(state=with_link(state, link, core.now()), new_links=[NewLink(link, uses)])

    yield from change(core, log_id, make)
