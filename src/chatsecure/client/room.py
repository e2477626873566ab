"""A conversation's agreed state and the rules of changing it. Pure: no I/O, no MLS.

The state lies in the MLS GroupContext (extension `ROOM_STATE_EXTENSION`), so all members agree on
it by cryptography and a newcomer learns it with the Welcome; the server never sees it. A change
travels in a Commit and every member judges it by the same rules, here, from nothing but the state
before, the state after, the commit's adds and removes, and what the commit itself carries.
So all honest members accept or refuse the same commits and never fork.
"""

from collections.abc import Collection, Iterable
from enum import IntEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from chatsecure.wire.errors import ChatSecureError
from chatsecure.wire.messages import Count, Hash, Id, LogKind

MAX_LINKS = 64
MAX_ROLES = 256
MAX_STATE_BYTES = 64 * 1024
CLOCK_SLACK_MS = 2 * 86_400_000
"""So far two clocks may differ before changes made by the wrong one are ignored."""


class BadRoomState(ChatSecureError):
    """A conversation's state does not decode."""


class NotPermitted(ChatSecureError):
    """The rules of the conversation do not allow this change."""

    exit_code = 4


class MemberRole(IntEnum):
    """A user's role in a conversation."""

    MEMBER = 0
    MANAGER = 1
    OWNER = 2


class LinkState(msgspec.Struct, array_like=True, frozen=True):
    """An open link. Its secret is known to members and to whoever was given the link."""

    link_id: Id
    secret: Hash
    expires_at: Count
    """Milliseconds since 1970 by the log's time; 0: never."""
    by: Hash
    """Identity fingerprint of who made it."""


class RoomState(msgspec.Struct, array_like=True, frozen=True):
    """What all members agree on, besides who they are."""

    version: int
    kind: LogKind
    name: Annotated[str, Meta(max_length=80)]
    """`#room`; empty for a private chat."""
    invite_only: bool = False
    topic: Annotated[str, Meta(max_length=500)] = ""
    roles: Annotated[dict[Hash, MemberRole], Meta(max_length=MAX_ROLES)] = {}
    """By identity fingerprint; who is not named is a member."""
    links: Annotated[list[LinkState], Meta(max_length=MAX_LINKS)] = []
    pair: Annotated[list[Hash], Meta(max_length=2)] = []
    """A private chat's two identities, for good (one when somebody writes to themselves)."""

    def role(self, fingerprint: bytes) -> MemberRole:
        """The role of the user with this identity."""
        return self.roles.get(fingerprint, MemberRole.MEMBER)

    def link(self, link_id: bytes) -> LinkState | None:
        """The open link with this id."""
        return next((link for link in self.links if link.link_id == link_id), None)


_DECODER = msgspec.msgpack.Decoder(RoomState)
_ENCODER = msgspec.msgpack.Encoder()


def encode_state(state: RoomState) -> bytes:
    """The extension's bytes.

    Raises:
        NotPermitted: the state is larger than allowed.
    """
    # One state, one encoding; the encoder itself orders text keys only.
    ordered = msgspec.structs.replace(state, roles=dict(sorted(state.roles.items())))
    data = _ENCODER.encode(ordered)
    if len(data) > MAX_STATE_BYTES or len(state.links) > MAX_LINKS or len(state.roles) > MAX_ROLES:
        raise NotPermitted("the room's state would be too large; withdraw some links or roles")
    return data


def decode_state(data: bytes) -> RoomState:
    """The state in the extension's bytes.

    Raises:
        BadRoomState: it is none of ours.
    """
    try:
        state = _DECODER.decode(data)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise BadRoomState(f"the conversation's state does not decode: {error}") from None
    if state.version != 1:
        raise BadRoomState("the conversation was made by a newer version")
    return state


class Change(msgspec.Struct, frozen=True):
    """A commit as the rules see it. Users are identity fingerprints."""

    by: bytes
    before: RoomState
    after: RoomState
    added: Collection[bytes]
    removed: Collection[bytes]
    """Users of removed devices that did not leave by themselves."""
    at: int
    """The log's time of the entry."""


def check_change(change: Change) -> None:
    """Judge a member's commit.

    Raises:
        NotPermitted: it breaks a rule; all members ignore it.
    """
    role = change.before.role(change.by)
    _check_members(change, role)
    if change.after != change.before:
        _check_state(change, role)


def _check_members(change: Change, role: MemberRole) -> None:
    before = change.before
    others_added = [user for user in change.added if user != change.by]
    if others_added:
        if before.kind is LogKind.PRIVATE and not set(others_added) <= set(before.pair):
            raise NotPermitted("nobody can be added to a private chat")
        if before.invite_only and role < MemberRole.MANAGER:
            raise NotPermitted("only owners and managers add people to this room")
    for user in change.removed:
        if user == change.by:
            continue
        if before.kind is LogKind.PRIVATE:
            raise NotPermitted("nobody can be removed from a private chat")
        if role < MemberRole.MANAGER or before.role(user) >= role:
            raise NotPermitted("removing somebody takes a higher role than theirs")
    if any(user != change.by for user in change.removed):
        kept = {link.secret for link in before.links}
        if any(link.secret in kept for link in change.after.links):
            raise NotPermitted("removing somebody closes the room's links")


def _check_state(change: Change, role: MemberRole) -> None:
    before, after = change.before, change.after
    if (after.kind, after.pair, after.version) != (before.kind, before.pair, before.version):
        raise NotPermitted("what a conversation is cannot change")
    if (after.name, after.invite_only, after.topic) != (
        before.name,
        before.invite_only,
        before.topic,
    ) and role < MemberRole.MANAGER:
        raise NotPermitted("only owners and managers change a room's name, topic or openness")
    _check_roles(before, after, role)
    _check_links(change, role)


def _check_roles(before: RoomState, after: RoomState, role: MemberRole) -> None:
    changed = {
        user
        for user in before.roles.keys() | after.roles.keys()
        if before.role(user) != after.role(user)
    }
    if changed and role < MemberRole.OWNER:
        raise NotPermitted("only an owner gives roles")
    had_owner = MemberRole.OWNER in before.roles.values()
    if had_owner and MemberRole.OWNER not in after.roles.values():
        raise NotPermitted("a room keeps at least one owner; make somebody else owner first")


def _check_links(change: Change, role: MemberRole) -> None:
    before, after = change.before, change.after
    old = {link.link_id: link for link in before.links}
    new = {link.link_id: link for link in after.links}
    if len(new) != len(after.links):
        raise NotPermitted("two links with one id")
    for link_id, link in new.items():
        if link_id in old:
            if old[link_id] != link:
                raise NotPermitted("a link cannot be changed")
        elif link.by != change.by:
            raise NotPermitted("a link names who made it")
        elif before.kind is LogKind.PRIVATE:
            raise NotPermitted("there are no links to private chats")
        elif before.invite_only and role < MemberRole.MANAGER:
            raise NotPermitted("only owners and managers invite to this room")
    if change.removed:
        return
    for link_id in old.keys() - new.keys():
        link = old[link_id]
        if link.by != change.by and role < MemberRole.MANAGER and not expired(link, change.at):
            raise NotPermitted("a link is withdrawn by who made it, a manager or an owner")


def check_join(state: RoomState, link_id: bytes | None, psk_ids: Iterable[bytes], at: int) -> None:
    """Judge an external Commit: it must come by an open link and prove its secret.

    Raises:
        NotPermitted: it does not; all members ignore it.
    """
    link = state.link(link_id) if link_id is not None else None
    if link is None or list(psk_ids) != [link.link_id]:
        raise NotPermitted("somebody tried to come in without a link that is open")
    if expired(link, at):
        raise NotPermitted("somebody tried to come in by a link that has expired")


def expired(link: LinkState, at: int) -> bool:
    """Whether the link has run out at the log's time `at`."""
    return link.expires_at != 0 and at > link.expires_at


def new_state(
    kind: LogKind,
    *,
    name: str = "",
    owner: bytes | None = None,
    invite_only: bool = False,
    pair: Iterable[bytes] = (),
) -> RoomState:
    """The state a conversation begins with."""
    return RoomState(
        version=1,
        kind=kind,
        name=name,
        invite_only=invite_only,
        roles={} if owner is None else {owner: MemberRole.OWNER},
        pair=sorted(set(pair)),
    )


def with_role(state: RoomState, user: bytes, role: MemberRole) -> RoomState:
    """The state with another role for a user."""
    roles = {key: value for key, value in state.roles.items() if key != user}
    if role is not MemberRole.MEMBER:
        roles[user] = role
    return msgspec.structs.replace(state, roles=roles)


def with_link(state: RoomState, link: LinkState, at: int) -> RoomState:
    """The state with one more link, without those that have run out.

    Args:
        at: our own clock's time. The log's decides for everyone, so a link that only its being
            expired lets us withdraw stays until no clock can doubt it.
    """
    trusted = state.role(link.by) >= MemberRole.MANAGER
    links = [
        old
        for old in state.links
        if not expired(old, at if trusted or old.by == link.by else at - CLOCK_SLACK_MS)
    ]
    return msgspec.structs.replace(state, links=[*links, link])


def without_links(state: RoomState) -> RoomState:
    """The state with all links closed, as after a removal."""
    return msgspec.structs.replace(state, links=[])
