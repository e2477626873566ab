"""Several members at the same instant, and a member who was away for long."""

from __future__ import annotations

import time

import pytest

from chatsecure.client import conversations
from chatsecure.mls import Suite
from chatsecure.wire import messages as m

from .replay import do, heal
from .schedule import Step
from .template import PEOPLE, all_quiet, template, unrest_of
from .test_tampering import worlds
from .world import World


def everyone_comes(world: World, people: tuple[str, ...] = PEOPLE) -> None:
    """All start, and all is quiet."""
    world.server.start()
    for name in people:
        world.client(name).start()
    rest(world)


def rest(world: World, within_ms: int = 120_000) -> None:
    """All comes to rest."""
    assert world.run_until(lambda: all_quiet(world), within_ms), unrest_of(world)


@pytest.mark.parametrize("suite", [Suite.CLASSICAL, Suite.HYBRID])
def test_all_but_one_commit_are_refused_and_made_anew_and_nobody_notices(suite: Suite) -> None:
    with worlds(template(suite), suite) as world:
        everyone_comes(world)
        ann = world.clients["ann"]
        den = conversations.named(ann.db, "#den").log_id
        before = len(world.observer.truth[den])
        instant = [
            ("ann", "role", "#den", "cat", 1),
            ("bob", "topic", "#den", "all at once"),
            ("cat", "add", "#den", "eve"),
            ("dan", "renew", "#den"),
            ("ann", "remove", "#den", "dan"),
            ("bob", "renew", "#den"),
            ("ann", "renew", "#den"),
            ("cat", "renew", "#den"),
        ]
        for who, what, *args in instant:
            for step in (Step(0, what, who, tuple(args)), Step(0, "say", who, ("#den", 2))):
                do(world, step)
        rest(world)
        world.observer.finish()
        entries = list(world.observer.truth[den].values())[before:]
        commits = [entry for entry in entries if entry.kind is m.EntryKind.COMMIT]
        assert len(commits) >= 7
        assert len({entry.epoch for entry in commits}) == len(commits), "one commit an epoch"
        # Dan's renewal may find him removed; everything else was brought through.
        assert world.observer.counts["operations"] == len(instant)
        refused = {k: n for k, n in world.observer.counts.items() if k.startswith("refused")}
        assert sum(refused.values()) <= 1, refused
        assert [name for who in "abc" for name in _people(world, who)] == [
            name for _ in "abc" for name in ("ann", "bob", "cat", "eve")
        ]


def _people(world: World, initial: str) -> list[str]:
    name = next(name for name in PEOPLE if name.startswith(initial))
    db = world.clients[name].db
    return conversations.people(db, conversations.named(db, "#den").log_id)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_member_who_was_away_for_10_000_entries_and_200_epochs_catches_up() -> None:
    with worlds(template(), Suite.CLASSICAL) as world:
        everyone_comes(world, ("ann", "cat"))
        cat = world.clients["cat"]
        cat.crash()
        for _ in range(200):
            do(world, Step(0, "say", "ann", ("#den", 49)))
            do(world, Step(0, "renew", "ann", ("#den",)))
            world.run(world.time + 1_000)
        den = conversations.named(world.clients["ann"].db, "#den").log_id
        assert len(world.observer.truth[den]) >= 10_000
        assert world.observer.counts["refused NotInTime"] == 0
        began = time.monotonic()
        heal(world)
        rest(world)
        seconds = time.monotonic() - began
        world.observer.finish()
        row = conversations.get(cat.db, den)
        assert row is not None
        assert row.epoch >= 202
        assert conversations.unread(cat.db, row) == 9_800
        print(f"caught up with {len(world.observer.truth[den])} entries in {seconds:.1f} s")
