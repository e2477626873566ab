"""Plays one schedule; finds the shortest part of it that still fails; prints what happened."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from .actions import ACTIONS
from .faults import FAULTS
from .invariants import Violation
from .network import MOODS
from .schedule import Schedule, Step, make_schedule
from .template import all_quiet, scratch, template, unrest_of
from .world import World

HEAL_MS = 300_000
"""How long the world may take to come to rest after everything is mended."""


@dataclass(slots=True)
class Outcome:
    """What came of a schedule."""

    seed: int
    violation: Violation | None = None
    events: int = 0
    virtual_ms: int = 0
    fingerprint: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    trace: list[str] = field(default_factory=list)


def play(schedule: Schedule, *, tracing: bool = False) -> Outcome:
    """Play a schedule from its beginning to the world's rest."""
    folder = scratch()
    outcome = Outcome(schedule.seed)
    world = World(
        folder, schedule.seed, template=template(schedule.suite), suite=schedule.suite,
        tracing=tracing, in_memory=True,
    )  # fmt: skip
    try:
        try:
            _play(world, schedule)
        except Violation as violation:
            outcome.violation = violation
        except Exception as error:
            outcome.violation = Violation("a mistake in the code", repr(error))
            outcome.violation.__cause__ = error
    finally:
        world.close()
        shutil.rmtree(folder, ignore_errors=True)
    outcome.events, outcome.virtual_ms = world.events, world.time
    outcome.fingerprint = world.fingerprint.hexdigest()
    outcome.counts = world.observer.counts
    outcome.counts.update(
        f"{'fault' if step.do in FAULTS else 'action'} {step.do}" for step in schedule.steps
    )
    outcome.counts["messages written"] = len(world.observer.sent)
    outcome.counts["messages acknowledged"] = sum(
        sent.acknowledged for sent in world.observer.sent.values()
    )
    outcome.counts["entries"] = sum(map(len, world.observer.truth.values()))
    outcome.trace = world.trace or []
    return outcome


def _play(world: World, schedule: Schedule) -> None:
    world.mood = MOODS[schedule.mood]
    world.server.offset_ms = schedule.skew_ms[0]
    world.server.start()
    starts = world.rng("starts")
    for name, skew in zip(schedule.people, schedule.skew_ms[1:], strict=True):
        client = world.client(name)
        client.offset_ms = skew
        world.after(starts.randint(0, 300), client.start)
    for step in schedule.steps:
        world.after(step.at, partial(do, world, step))
    world.run(max((step.at for step in schedule.steps), default=0) + 1)
    heal(world)
    if not world.run_until(lambda: all_quiet(world), HEAL_MS):
        raise Violation("no rest after all was mended", unrest_of(world))
    world.observer.finish()


def do(world: World, step: Step) -> None:
    """Do one step."""
    world.note(f"* {step.who} {step.do} {' '.join(map(str, step.args))}".rstrip())
    client = world.clients.get(step.who)
    if step.do in FAULTS:
        FAULTS[step.do](world, client, *step.args)
    elif client is not None and client.up:
        act = ACTIONS[step.do]
        client.enter(lambda: act(world, client, *step.args), user=True)


def heal(world: World) -> None:
    """Mend everything: power, disks, network, clocks' running."""
    world.note("* all is mended")
    world.mood = MOODS["near"]
    world.server.start()
    world.server.fill_disk(False)
    for client in world.clients.values():
        client.away = False
        if client.up:
            client.db.doom = None
            client.db.fill_disk(False)
            if client.link is not None:
                client.link.up.stalled_until = client.link.down.stalled_until = world.time
        client.start()


# --- the shortest part -------------------------------------------------------------------------


def shrink(schedule: Schedule, fails: Callable[[Schedule], bool], tries: int = 400) -> Schedule:
    """The schedule with as few steps as still fail (delta debugging)."""
    steps = schedule.steps
    size = max(1, len(steps) // 2)
    while tries > 0:
        start, shorter = 0, False
        while start < len(steps) and tries > 0:
            candidate = steps[:start] + steps[start + size :]
            tries -= 1
            if fails(schedule.without(candidate)):
                steps, shorter = candidate, True
            else:
                start += size
        if size == 1 and not shorter:
            break
        size = max(1, size // 2)
    return schedule.without(steps)


def explain(outcome: Outcome, *, lines: int = 120) -> str:
    """A failing seed, its shortest schedule and what happened in it."""
    assert outcome.violation is not None
    kind = outcome.violation.kind

    def fails(candidate: Schedule) -> bool:
        found = play(candidate).violation
        return found is not None and found.kind == kind

    shortest = shrink(make_schedule(outcome.seed), fails)
    again = play(shortest, tracing=True)
    scene = (
        f"{', '.join(shortest.people)}; {shortest.suite.name.lower()} suite,"
        f" {shortest.mood} network, clocks {shortest.skew_ms}"
    )
    text = [
        f"seed {outcome.seed}: {outcome.violation}",
        f"the shortest schedule that fails so: {scene}",
        *(f"    {step}" for step in shortest.steps),
        f"what happens in it (the last {lines} lines): {again.violation}",
        *(f"    {line}" for line in again.trace[-lines:]),
        f"again: python -m tests.simulation --start {outcome.seed} --seeds 1",
    ]
    return "\n".join(text)
