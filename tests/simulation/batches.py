"""Plays seeds a batch at a time, in this process or in one of several, and counts what came of it.

A module of its own because other processes import what they run.
"""

from __future__ import annotations

import gc
import signal
import traceback
from collections import Counter

from .replay import explain, play
from .schedule import make_schedule

BATCH = 20
"""Seeds that a process plays before it tells."""

Played = tuple[Counter[str], list[str]]
"""What came of a batch of seeds: counts, and the story of each that failed."""


def begin() -> None:
    """Once in each process that plays."""
    # A world's objects are many and die together: they are looked through after each batch.
    gc.freeze()
    gc.disable()


def begin_child() -> None:
    """The same in a process whose end is another's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    begin()


def play_batch(seeds: range, *, shrinking: bool, tracing: bool) -> Played:
    """Play some seeds."""
    counts: Counter[str] = Counter()
    stories = []
    for seed in seeds:
        outcome = play(make_schedule(seed), tracing=tracing)
        counts.update(outcome.counts)
        counts["seeds"] += 1
        counts["events"] += outcome.events
        counts["virtual ms"] += outcome.virtual_ms
        if tracing:
            print("\n".join(outcome.trace), flush=True)
        violation = outcome.violation
        if violation is not None:
            counts["seeds failed"] += 1
            counts[f"violation {violation.kind}"] += 1
            story = [explain(outcome) if shrinking else f"seed {seed}: {violation}"]
            if violation.__cause__ is not None:
                story += traceback.format_exception(violation.__cause__)
            stories.append("\n".join(story))
        if seed % BATCH == 0:
            gc.collect()
    return counts, stories
