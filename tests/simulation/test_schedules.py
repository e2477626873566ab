"""A few hundred schedules, each from its seed; `make simulate` plays as many as wanted."""

import pytest

from .replay import explain, play
from .schedule import make_schedule

SEEDS = 180
SEEDS_A_TEST = 20


@pytest.mark.parametrize("start", range(0, SEEDS, SEEDS_A_TEST))
def test_nothing_is_lost_doubled_reordered_or_unreadable_whatever_happens(start: int) -> None:
    for seed in range(start, start + SEEDS_A_TEST):
        outcome = play(make_schedule(seed))
        if outcome.violation is not None:
            pytest.fail(explain(outcome), pytrace=False)


@pytest.mark.parametrize("seed", [3, 7, 12])
def test_a_seed_plays_the_same_schedule_again(seed: int) -> None:
    schedule = make_schedule(seed)
    assert play(schedule).fingerprint == play(schedule).fingerprint
