"""The rules of changing a conversation: each one kept, and each one broken."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatsecure.client.room import (
    CLOCK_SLACK_MS,
    MAX_LINKS,
    MAX_STATE_BYTES,
    BadRoomState,
    Change,
    LinkState,
    MemberRole,
    NotPermitted,
    RoomState,
    check_change,
    check_join,
    decode_state,
    encode_state,
    expired,
    new_state,
    with_link,
    with_role,
    without_links,
)
from chatsecure.wire.messages import LogKind
from unit.strategies import bounded, breaches_of, example_of, plain, replaced, values_of

MEMBER, MANAGER, OWNER = MemberRole
OLGA, MAX, MIA, NEW, TOM = (bytes((number,)) * 32 for number in range(1, 6))
"""The owner, the manager, two members of the room, and somebody who is not in it: NEW."""
AT = 1_000_000


def link(number: int, by: bytes, expires_at: int = 0) -> LinkState:
    return LinkState(bytes((number,)) * 16, bytes((number,)) * 32, expires_at, by)


MIAS, MAXS, OLD = link(1, MIA), link(2, MAX), link(3, MAX, expires_at=AT - 1)
ROOM = RoomState(
    version=1,
    kind=LogKind.ROOM,
    name="#room",
    roles={OLGA: OWNER, MAX: MANAGER},
    links=[MIAS, MAXS, OLD],
)
CLOSED = msgspec.structs.replace(ROOM, invite_only=True)
CHAT = new_state(LogKind.PRIVATE, pair=[MIA, TOM])


def changed(state: RoomState, **changes: Any) -> RoomState:
    return msgspec.structs.replace(state, **changes)


def change(by: bytes, before: RoomState = ROOM, after: RoomState | None = None,
           add: tuple[bytes, ...] = (), remove: tuple[bytes, ...] = ()) -> Change:  # fmt: skip
    return Change(by=by, before=before, after=after or before, added=add, removed=remove, at=AT)


NO_LINKS = without_links(ROOM)
ALLOWED = {
    "a member renews their keys": change(MIA),
    "a member adds somebody to an open room": change(MIA, add=(NEW,)),
    "a manager adds somebody to a closed room": change(MAX, CLOSED, add=(NEW,)),
    "an owner adds somebody to a closed room": change(OLGA, CLOSED, add=(NEW,)),
    "a member adds a device of their own to a closed room": change(MIA, CLOSED, add=(MIA,)),
    "a member removes a device of their own": change(MIA, remove=(MIA,)),
    "a member who removes a device of their own closes the links it knew": change(
        MIA, after=NO_LINKS, remove=(MIA,)
    ),
    "a manager removes a member and the links close": change(MAX, after=NO_LINKS, remove=(MIA,)),
    "an owner removes a manager and their role": change(
        OLGA, after=with_role(NO_LINKS, MAX, MEMBER), remove=(MAX,)
    ),
    "an owner removes somebody and opens a new link at once": change(
        OLGA, after=changed(ROOM, links=[link(9, OLGA)]), remove=(MIA,)
    ),
    "a manager renames the room": change(MAX, after=changed(ROOM, name="#other")),
    "a manager sets the topic": change(MAX, after=changed(ROOM, topic="today")),
    "an owner closes the room": change(OLGA, after=CLOSED),
    "an owner makes a manager": change(OLGA, after=with_role(ROOM, MIA, MANAGER)),
    "an owner makes another owner": change(OLGA, after=with_role(ROOM, MIA, OWNER)),
    "an owner steps down for another": change(
        OLGA, after=with_role(with_role(ROOM, MIA, OWNER), OLGA, MEMBER)
    ),
    "an owner takes a role back": change(OLGA, after=with_role(ROOM, MAX, MEMBER)),
    "a member opens a link to an open room": change(MIA, after=with_link(ROOM, link(9, MIA), AT)),
    "a manager opens a link to a closed room": change(
        MAX, CLOSED, with_link(CLOSED, link(9, MAX), AT)
    ),
    "a member withdraws their own link": change(MIA, after=changed(ROOM, links=[MAXS, OLD])),
    "a manager withdraws a member's link": change(MAX, after=changed(ROOM, links=[MAXS, OLD])),
    "anybody clears a link that has expired": change(TOM, after=changed(ROOM, links=[MIAS, MAXS])),
    "one of the two brings their new device into a private chat": change(MIA, CHAT, add=(MIA,)),
    "one of the two brings the other's new device in": change(MIA, CHAT, add=(TOM,)),
    "one of the two removes a device of their own": change(MIA, CHAT, remove=(MIA,)),
}

OTHER_PAIR = changed(CHAT, pair=[MIA, NEW])
FORBIDDEN = {
    "a member adds somebody to a closed room": (
        "only owners and managers add", change(MIA, CLOSED, add=(NEW,))
    ),
    "a third person comes into a private chat": (
        "nobody can be added", change(MIA, CHAT, add=(NEW,))
    ),
    "a third person among others comes into a private chat": (
        "nobody can be added", change(MIA, CHAT, add=(TOM, NEW))
    ),
    "one of the two puts the other out": (
        "nobody can be removed", change(MIA, CHAT, remove=(TOM,))
    ),
    "a member removes a member": ("higher role", change(MIA, after=NO_LINKS, remove=(TOM,))),
    "a manager removes a manager": (
        "higher role",
        change(MAX, with_role(NO_LINKS, MIA, MANAGER), remove=(MIA,)),
    ),
    "a manager removes the owner": ("higher role", change(MAX, after=NO_LINKS, remove=(OLGA,))),
    "an owner removes an owner": (
        "higher role", change(OLGA, with_role(NO_LINKS, MIA, OWNER), remove=(MIA,))
    ),
    "a manager removes a member and the owner with them": (
        "higher role", change(MAX, after=NO_LINKS, remove=(MIA, OLGA))
    ),
    "a removal leaves the links open": ("closes the room's links", change(MAX, remove=(MIA,))),
    "a removal leaves one link open": (
        "closes the room's links",
        change(MAX, after=changed(ROOM, links=[MAXS]), remove=(MIA,)),
    ),
    "a removal keeps a link's secret under another id": (
        "closes the room's links",
        change(
            MAX,
            after=changed(ROOM, links=[msgspec.structs.replace(MAXS, link_id=b"z" * 16)]),
            remove=(MIA,),
        ),
    ),
    "a member renames the room": (
        "name, topic or openness", change(MIA, after=changed(ROOM, name="#mine"))
    ),
    "a member sets the topic": (
        "name, topic or openness", change(MIA, after=changed(ROOM, topic="mine"))
    ),
    "a member opens a closed room": ("name, topic or openness", change(MIA, CLOSED, ROOM)),
    "one of the two sets a private chat's topic": (
        "name, topic or openness", change(MIA, CHAT, changed(CHAT, topic="us"))
    ),
    "a member makes themselves owner": (
        "only an owner gives roles", change(MIA, after=with_role(ROOM, MIA, OWNER))
    ),
    "a manager makes a manager": (
        "only an owner gives roles", change(MAX, after=with_role(ROOM, MIA, MANAGER))
    ),
    "a manager steps down by themselves": (
        "only an owner gives roles", change(MAX, after=with_role(ROOM, MAX, MEMBER))
    ),
    "the last owner steps down": (
        "at least one owner", change(OLGA, after=with_role(ROOM, OLGA, MEMBER))
    ),
    "one of the two becomes owner of a private chat": (
        "only an owner gives roles", change(MIA, CHAT, with_role(CHAT, MIA, OWNER))
    ),
    "an owner turns the room into a lobby": (
        "cannot change", change(OLGA, after=changed(ROOM, kind=LogKind.LOBBY))
    ),
    "an owner turns the room into a private chat": (
        "cannot change", change(OLGA, after=changed(ROOM, pair=[OLGA, MIA]))
    ),
    "the other of a private chat is exchanged": ("cannot change", change(MIA, CHAT, OTHER_PAIR)),
    "a state of a newer version": ("cannot change", change(OLGA, after=changed(ROOM, version=2))),
    "two links with one id": (
        "two links with one id", change(MIA, after=changed(ROOM, links=[*ROOM.links, link(1, MIA)]))
    ),
    "a link is changed": (
        "cannot be changed",
        change(OLGA, after=changed(ROOM, links=[link(1, MIA, 5), MAXS, OLD])),
    ),
    "a link is made in another's name": (
        "names who made it", change(MIA, after=with_link(ROOM, link(9, MAX), AT))
    ),
    "a link to a private chat": (
        "no links to private chats", change(MIA, CHAT, with_link(CHAT, link(9, MIA), AT))
    ),
    "a member opens a link to a closed room": (
        "only owners and managers invite", change(MIA, CLOSED, with_link(CLOSED, link(9, MIA), AT))
    ),
    "a member withdraws a manager's link": (
        "withdrawn by who made it", change(MIA, after=changed(ROOM, links=[MIAS, OLD]))
    ),
}  # fmt: skip


@pytest.mark.parametrize("made", ALLOWED.values(), ids=ALLOWED.keys())
def test_this_is_allowed(made: Change) -> None:
    check_change(made)


@pytest.mark.parametrize(("why", "made"), FORBIDDEN.values(), ids=FORBIDDEN.keys())
def test_this_is_not_permitted(why: str, made: Change) -> None:
    with pytest.raises(NotPermitted, match=why) as error:
        check_change(made)
    assert error.value.exit_code == 4


# --- coming in by a link ---------------------------------------------------------------------


def test_who_proves_an_open_link_comes_in() -> None:
    check_join(ROOM, MIAS.link_id, [MIAS.link_id], AT)
    lasting = link(4, MIA, expires_at=AT)
    check_join(with_link(ROOM, lasting, AT), lasting.link_id, [lasting.link_id], AT)


@pytest.mark.parametrize(
    ("link_id", "psk_ids"),
    [
        (None, []),
        (None, [MIAS.link_id]),
        (b"x" * 16, [b"x" * 16]),
        (MIAS.link_id, []),
        (MIAS.link_id, [MAXS.link_id]),
        (MIAS.link_id, [MIAS.link_id, MAXS.link_id]),
        (MIAS.link_id, [MIAS.link_id, MIAS.link_id]),
    ],
    ids=[
        "no link", "a secret without a link", "an unknown link", "a link without its secret",
        "a link with another's secret", "one secret too many", "a secret twice",
    ],
)  # fmt: skip
def test_who_does_not_prove_a_link_stays_out(link_id: bytes | None, psk_ids: list[bytes]) -> None:
    with pytest.raises(NotPermitted, match="a link that is open"):
        check_join(ROOM, link_id, psk_ids, AT)


def test_nobody_comes_in_by_a_link_that_has_expired() -> None:
    with pytest.raises(NotPermitted, match="expired"):
        check_join(ROOM, OLD.link_id, [OLD.link_id], AT)


def test_nobody_comes_into_a_private_chat_by_a_link() -> None:
    with pytest.raises(NotPermitted):
        check_join(CHAT, MIAS.link_id, [MIAS.link_id], AT)


def test_a_link_expires_after_its_time_by_the_logs_clock() -> None:
    assert not expired(link(1, MIA), 2**62)
    assert not expired(link(1, MIA, 500), 500)
    assert expired(link(1, MIA, 500), 501)


# --- what holds whatever happens -------------------------------------------------------------

people = st.sampled_from([OLGA, MAX, MIA, NEW, TOM])
roles = st.dictionaries(people, st.sampled_from(MemberRole), max_size=4)
links = st.lists(
    st.builds(link, st.integers(1, 5), people, st.sampled_from([0, AT - 1, AT + 1])),
    max_size=4,
    unique_by=lambda one: one.link_id,
)
states = st.builds(
    RoomState,
    version=st.just(1),
    kind=st.sampled_from(LogKind),
    name=st.sampled_from(["#room", "#other"]),
    invite_only=st.booleans(),
    topic=st.sampled_from(["", "today"]),
    roles=roles,
    links=links,
    pair=st.lists(people, max_size=2),
)


@st.composite
def changes(draw: Any) -> Change:
    """A change of few parts at a time, so that some are accepted."""
    before = draw(states)
    parts: dict[str, Any] = {"roles": roles, "links": links, "topic": st.just("new"),
                             "invite_only": st.booleans()}  # fmt: skip
    chosen = draw(st.sets(st.sampled_from(sorted(parts)), max_size=2))
    after = changed(before, **{name: draw(parts[name]) for name in sorted(chosen)})
    some = st.lists(people, max_size=2)
    return change(draw(people), before, after, tuple(draw(some)), tuple(draw(some)))


@settings(max_examples=600, deadline=None)
@given(changes())
def test_no_change_that_is_accepted_breaks_what_must_hold(made: Change) -> None:
    try:
        check_change(made)
    except NotPermitted:
        return
    before, after = made.before, made.after
    role = before.role(made.by)
    others_removed = {user for user in made.removed if user != made.by}
    assert OWNER not in before.roles.values() or OWNER in after.roles.values(), "lost its owner"
    assert (after.kind, after.pair) == (before.kind, before.pair), "became something else"
    if role is not OWNER:
        for user in (OLGA, MAX, MIA, NEW, TOM):
            assert before.role(user) is after.role(user), "a role was given by no owner"
    if role is MEMBER:
        assert (after.topic, after.invite_only) == (before.topic, before.invite_only)
        assert not others_removed
        if before.invite_only:
            assert set(made.added) <= {made.by} or before.kind is LogKind.PRIVATE
            assert {one.link_id for one in after.links} <= {one.link_id for one in before.links}
    for user in others_removed:
        assert before.role(user) < role, "somebody was removed by no higher role"
        assert not {one.secret for one in before.links} & {one.secret for one in after.links}
    if before.kind is LogKind.PRIVATE:
        assert set(made.added) <= {made.by, *before.pair}
        assert not others_removed


@settings(max_examples=300, deadline=None)
@given(changes())
def test_a_change_is_judged_the_same_by_everybody(made: Change) -> None:
    """Also by who has decoded the states anew and has the sets in another order."""

    def verdict(one: Change) -> str:
        try:
            check_change(one)
        except NotPermitted as error:
            return str(error)
        return ""

    again = msgspec.structs.replace(
        made,
        before=decode_state(encode_state(made.before)),
        after=decode_state(encode_state(made.after)),
        added=list(made.added)[::-1],
        removed=list(made.removed)[::-1],
    )
    assert bool(verdict(made)) == bool(verdict(again))


# --- bytes -----------------------------------------------------------------------------------


@bounded
@given(values_of(RoomState))
def test_a_state_comes_back_as_it_was_written(state: RoomState) -> None:
    state = changed(state, version=1)
    assert decode_state(encode_state(state)) == state


def test_one_state_has_one_encoding() -> None:
    one = changed(ROOM, roles={OLGA: OWNER, MAX: MANAGER})
    other = changed(ROOM, roles={MAX: MANAGER, OLGA: OWNER})
    assert encode_state(one) == encode_state(other)


def test_every_bound_of_a_state_is_held() -> None:
    good = plain(example_of(RoomState))
    for path, value in breaches_of(RoomState):
        with pytest.raises(BadRoomState):
            decode_state(msgspec.msgpack.encode(replaced(good, path, value)))


def test_a_state_of_a_newer_version_is_refused() -> None:
    with pytest.raises(BadRoomState, match="newer version"):
        decode_state(encode_state(changed(ROOM, version=2)))


@bounded
@given(st.binary(max_size=100))
def test_garbage_is_a_bad_state(data: bytes) -> None:
    for made in (data, b"\x98" + data, b"\x91" * 50_000):
        with pytest.raises(BadRoomState):
            decode_state(made)


def test_a_state_that_would_be_too_large_is_not_made() -> None:
    many = {number.to_bytes(32, "big"): MANAGER for number in range(2_000)}
    with pytest.raises(NotPermitted, match="too large"):
        encode_state(changed(ROOM, roles=many))
    full = [link(1, MIA)] * MAX_LINKS
    assert len(encode_state(changed(ROOM, links=full))) < MAX_STATE_BYTES


def test_expired_links_go_when_one_is_added() -> None:
    by_manager = with_link(ROOM, link(9, MAX), AT)
    assert [one.link_id[0] for one in by_manager.links] == [1, 2, 9]
    own = with_link(changed(ROOM, links=[link(4, MIA, expires_at=AT - 1)]), link(9, MIA), AT)
    assert [one.link_id[0] for one in own.links] == [9]


def test_a_member_leaves_others_expired_links_alone_while_clocks_may_differ() -> None:
    # The log's time decides whether it may go; ours may be ahead.
    after = with_link(ROOM, link(9, MIA), AT)
    assert [one.link_id[0] for one in after.links] == [1, 2, 3, 9]
    later = with_link(ROOM, link(9, MIA), AT + CLOCK_SLACK_MS)
    assert [one.link_id[0] for one in later.links] == [1, 2, 9]


def test_a_role_of_member_is_not_written_down() -> None:
    assert with_role(ROOM, MAX, MEMBER).roles == {OLGA: OWNER}
    assert with_role(ROOM, MIA, MANAGER).role(MIA) is MANAGER
    assert ROOM.role(NEW) is MEMBER


def test_a_private_chat_has_its_two_people_in_order() -> None:
    assert new_state(LogKind.PRIVATE, pair=[TOM, MIA]).pair == [MIA, TOM]
    assert new_state(LogKind.PRIVATE, pair=[MIA, MIA]).pair == [MIA]
    assert new_state(LogKind.ROOM, name="#r", owner=OLGA).roles == {OLGA: OWNER}
