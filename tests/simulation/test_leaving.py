"""Leaving by one's own statement, and a member who keeps the statement to use it another time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chatsecure.client import conversations, flows, leaving
from chatsecure.client.content import LeaverProof
from chatsecure.crypto.errors import CryptoError
from chatsecure.mls import Suite

from .replay import do
from .schedule import Step
from .template import template
from .test_members import everyone_comes, rest
from .test_tampering import worlds
from .world import World

PEOPLE = ("ann", "bob", "cat", "dan")


@pytest.fixture
def world() -> Iterator[World]:
    """Four people in `#den`; ann owns it, bob is manager, cat and dan are members."""
    with worlds(template(), Suite.CLASSICAL) as world:
        everyone_comes(world, PEOPLE)
        yield world


def does(world: World, who: str, what: str, *args: object) -> None:
    """Somebody does something, and all comes to rest."""
    do(world, Step(0, what, who, args))
    rest(world)


def den(world: World) -> bytes:
    return conversations.named(world.clients["ann"].db, "#den").log_id


def members(world: World, who: str) -> list[str]:
    return conversations.people(world.clients[who].db, den(world))


def leaves_and_is_quoted(world: World) -> LeaverProof:
    """Dan leaves; the statement by which the others took him out."""
    kept: list[LeaverProof] = []
    cat = world.clients["cat"].core
    heard = cat.receiver.inbound._leave

    def listen(row, entry, sender, content) -> None:
        kept.append(LeaverProof(sender.device_id, content.signature))
        heard(row, entry, sender, content)

    cat.receiver.inbound._leave = listen  # type: ignore[method-assign]
    does(world, "dan", "leave", "#den")
    assert members(world, "ann") == ["ann", "bob", "cat"]
    return kept[0]


def puts_out_by(world: World, proof: LeaverProof) -> None:
    """Cat, who may remove nobody, takes dan out and shows a statement of his. Her own program
    does not object."""
    cat = world.clients["cat"]
    log_id = den(world)

    def make(group, *_) -> flows.Draft:
        leaf = flows.leaf_devices(group)[proof.device_id]
        return flows.Draft(remove=[leaf], leavers=[proof])

    cat.run("put dan out", lambda: flows.change(cat.core, log_id, make))
    rest(world)


def test_an_old_statement_does_not_put_out_who_came_back(world: World) -> None:
    proof = leaves_and_is_quoted(world)
    does(world, "ann", "add", "#den", "dan")
    assert members(world, "cat") == ["ann", "bob", "cat", "dan"]
    epoch = world.clients["ann"].core.groups.get(den(world)).epoch
    world.observer.gaps_allowed = True
    puts_out_by(world, proof)
    for name in ("ann", "bob", "dan"):
        assert members(world, name) == ["ann", "bob", "cat", "dan"], name
        assert world.clients[name].core.groups.get(den(world)).epoch == epoch
    assert {who for who, reason in world.observer.gaps if "a change was ignored" in reason} >= {
        "ann", "bob", "dan",
    }  # fmt: skip


def test_who_joined_later_judges_an_old_statement_like_the_others(world: World) -> None:
    proof = leaves_and_is_quoted(world)
    does(world, "ann", "add", "#den", "dan")
    world.client("eve").start()
    rest(world)
    does(world, "ann", "add", "#den", "eve")
    world.observer.gaps_allowed = True
    puts_out_by(world, proof)
    for name in ("ann", "bob", "dan", "eve"):
        assert members(world, name) == ["ann", "bob", "cat", "dan", "eve"], name


def test_a_statement_holds_until_it_is_used_whatever_the_others_change_before(world: World) -> None:
    for name in ("ann", "bob", "cat"):
        world.clients[name].crash()
    do(world, Step(0, "leave", "dan", ("#den",)))
    world.run(world.time + 3_000)
    row = conversations.get(world.clients["dan"].db, den_of(world, "dan"))
    assert row is not None
    assert row.state == conversations.LEFT
    world.client("eve").start()
    world.clients["bob"].start()
    do(world, Step(0, "renew", "bob", ("#den",)))
    do(world, Step(0, "topic", "bob", ("#den", "nobody is gone yet")))
    do(world, Step(0, "add", "bob", ("#den", "eve")))
    world.run(world.time + 3_000)
    for name in ("ann", "cat"):
        world.clients[name].start()
    rest(world)
    for name in ("ann", "bob", "cat", "eve"):
        assert members(world, name) == ["ann", "bob", "cat", "eve"], name


def test_who_left_when_nobody_else_was_there_is_taken_out_when_one_of_them_comes_back(
    world: World,
) -> None:
    world.clients["dan"].crash()
    for who, what, *args in (
        ("ann", "invite", "#den", 1, 600_000),
        ("ann", "role", "#den", "dan", 2),
        ("bob", "leave", "#den"),
        ("cat", "leave", "#den"),
        ("ann", "leave", "#den"),
        ("cat", "enter", 0),
    ):
        do(world, Step(0, what, who, tuple(args)))
        world.run(world.time + 5_000)
    # Whoever came in later takes nobody out on the server's word.
    assert conversations.people(world.clients["cat"].db, den_of(world, "cat")) == [
        "ann", "cat", "dan",
    ]  # fmt: skip
    world.clients["dan"].start()
    rest(world)
    for name in ("cat", "dan"):
        assert conversations.people(world.clients[name].db, den_of(world, name)) == ["cat", "dan"]


def den_of(world: World, who: str) -> bytes:
    db = world.clients[who].db
    return bytes(db.value("SELECT log_id FROM conversations WHERE folded = '#den'"))


def test_whoever_came_in_by_the_last_key_package_renews_the_leaf_before_leaving(
    world: World,
) -> None:
    ann, dan = world.clients["ann"], world.clients["dan"]
    does(world, "ann", "remove", "#den", "dan")
    # Nothing but the last resort is left at the server.
    world.server.store._db.execute("DELETE FROM key_packages WHERE last_resort = 0")
    world.server.store.tx.forget()
    does(world, "ann", "add", "#den", "dan")
    group = dan.core.groups.get(den(world))
    assert leaving.can_come_again(dan.core, group)
    old = leaving.make(dan.core, den(world), group)
    proof = leaves_and_is_quoted(world)
    assert proof.signature != old.signature
    world.server.store._db.execute("DELETE FROM key_packages WHERE last_resort = 0")
    world.server.store.tx.forget()
    does(world, "ann", "add", "#den", "dan")
    there = ann.core.groups.get(den(world))
    leaf = flows.leaf_devices(there)[proof.device_id]
    (member,) = [one for one in there.members() if one.index == leaf]
    with pytest.raises(CryptoError):
        leaving.check(den(world), there, member, proof.signature)
