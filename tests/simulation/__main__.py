"""Plays many schedules: `python -m tests.simulation --seeds 100000 --start N`.

Prints every failing seed with the shortest schedule that fails so, and a summary at the end.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections import Counter

from .replay import Outcome, explain, play
from .schedule import make_schedule


def main() -> int:
    """Play the seeds; 1 if any fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=300, metavar="N", help="how many")
    parser.add_argument("--start", type=int, default=0, metavar="N", help="the first")
    parser.add_argument("--keep-going", action="store_true", help="past failing seeds")
    parser.add_argument("--no-shrink", action="store_true", help="name failing seeds only")
    parser.add_argument("--trace", action="store_true", help="print what happens")
    parser.add_argument("--every", type=int, default=1000, metavar="N", help="tell how far it is")
    options = parser.parse_args()
    total: Counter[str] = Counter()
    began, failed, played = time.monotonic(), 0, 0
    for seed in range(options.start, options.start + options.seeds):
        outcome = play(make_schedule(seed), tracing=options.trace)
        played += 1
        _add(total, outcome)
        if options.trace:
            print("\n".join(outcome.trace))
        if outcome.violation is not None:
            failed += 1
            if options.no_shrink:
                print(f"seed {seed}: {outcome.violation}", flush=True)
            else:
                print(explain(outcome), flush=True)
            if outcome.violation.__cause__ is not None:
                traceback.print_exception(outcome.violation.__cause__)
            if not options.keep_going:
                break
        if played % options.every == 0:
            print(f"{played} seeds, {failed} failed", flush=True)
    print(summary(total, played, failed, time.monotonic() - began))
    return 1 if failed else 0


def _add(total: Counter[str], outcome: Outcome) -> None:
    total.update(outcome.counts)
    total["events"] += outcome.events
    total["virtual ms"] += outcome.virtual_ms
    if outcome.violation is not None:
        total[f"violation {outcome.violation.kind}"] += 1


def summary(total: Counter[str], played: int, failed: int, seconds: float) -> str:
    """What was found."""

    def group(prefix: str) -> str:
        found = {
            key.removeprefix(prefix): count
            for key, count in sorted(total.items())
            if key.startswith(prefix)
        }
        return ", ".join(f"{key} {count}" for key, count in found.items()) or "none"

    rate = f"{seconds:.0f} s ({played / seconds * 60:.0f} a minute)"
    return "\n".join(
        [
            f"seeds      {played} in {rate}, {failed} failed",
            f"events     {total['events']} in {total['virtual ms'] / 3_600_000:.1f} virtual hours",
            f"actions    {group('action ')}",
            f"faults     {group('fault ')}",
            f"operations {total['operations']}; refused: {group('refused ')}",
            f"errors     {group('error ')}",
            f"entries    {total['entries']}",
            f"messages   {group('messages ')}",
            f"violations {group('violation ')}",
        ]
    )


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of sets of bytes is part of a schedule.
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]])
    sys.exit(main())
