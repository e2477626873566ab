"""Plays many schedules: `python -m tests.simulation --seeds 100000 --start N --jobs 2`.

Prints every failing seed with the shortest schedule that fails so, the totals now and then, and
once more at the end, which SIGTERM or Ctrl-C may bring on.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial

from .batches import BATCH, Played, begin, begin_child, play_batch

BROKEN = {
    "lost": (
        "an acknowledged message is lost",
        "a member was not shown a message",
        "a writer's own message is gone",
        "a message was never sent",
        "a message failed without a cause",
    ),
    "doubled": ("shown twice", "stored twice"),
    "reordered": (
        "shown twice or out of order",
        "a writer's messages changed places",
        "the history is not in the log's order",
    ),
    "undecryptable": ("a gap without a cause", "members of one epoch disagree"),
    "read by others": ("read by one who should not",),
}
"""What the promises are, and the violations of each."""


def main() -> int:
    """Play the seeds; 1 if any fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=300, metavar="N", help="how many")
    parser.add_argument("--start", type=int, default=0, metavar="N", help="the first")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes")
    parser.add_argument("--keep-going", action="store_true", help="past failing seeds")
    parser.add_argument("--no-shrink", action="store_true", help="name failing seeds only")
    parser.add_argument("--trace", action="store_true", help="print what happens")
    parser.add_argument("--every", type=int, default=1000, metavar="N", help="tell the totals")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    total: Counter[str] = Counter()
    began, told = time.monotonic(), 0
    with contextlib.suppress(KeyboardInterrupt), contextlib.closing(_all(options)) as batches:
        for counts, stories in batches:
            total.update(counts)
            for story in stories:
                print(story, flush=True)
            if stories and not options.keep_going:
                break
            if total["seeds"] - told >= options.every:
                told = total["seeds"]
                print(summary(total, time.monotonic() - began), "", sep="\n", flush=True)
    print(summary(total, time.monotonic() - began), flush=True)
    return 1 if total["seeds failed"] else 0


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _all(options: argparse.Namespace) -> Iterator[Played]:
    end = options.start + options.seeds
    size = 1 if options.jobs == 1 else BATCH
    batches = [range(at, min(at + size, end)) for at in range(options.start, end, size)]
    job = partial(play_batch, shrinking=not options.no_shrink, tracing=options.trace)
    if options.jobs == 1:
        begin()
        yield from map(job, batches)
        return
    with multiprocessing.get_context("spawn").Pool(options.jobs, begin_child) as pool:
        yield from pool.imap_unordered(job, batches)


def summary(total: Counter[str], seconds: float) -> str:
    """What was found."""

    def group(prefix: str) -> str:
        found = {
            key.removeprefix(prefix): count
            for key, count in sorted(total.items())
            if key.startswith(prefix)
        }
        return ", ".join(f"{key} {count}" for key, count in found.items()) or "none"

    rate = f"{seconds:.0f} s ({total['seeds'] / seconds * 60:.0f} a minute)"
    broken = ", ".join(
        f"{what} {sum(total[f'violation {kind}'] for kind in kinds)}"
        for what, kinds in BROKEN.items()
    )
    faults = sum(count for key, count in total.items() if key.startswith("fault "))
    return "\n".join(
        [
            f"seeds      {total['seeds']} in {rate}, {total['seeds failed']} failed",
            f"events     {total['events']} in {total['virtual ms'] / 3_600_000:.1f} virtual hours",
            f"actions    {group('action ')}",
            f"faults     {faults}: {group('fault ')}",
            f"operations {total['operations']}; refused: {group('refused ')}",
            f"errors     {group('error ')}",
            f"entries    {total['entries']}",
            f"messages   {group('messages ')}",
            f"broken     {broken}",
            f"violations {group('violation ')}",
        ]
    )


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of sets of bytes is part of a schedule.
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]])
    sys.exit(main())
