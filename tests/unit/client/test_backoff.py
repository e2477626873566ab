"""How long a client waits before it tries its server again."""

import itertools
import random
from collections.abc import Iterator

import pytest

from chatsecure.client.backoff import MOST_S, NEAR_FOR_S, NEAR_MOST_S, pause
from chatsecure.client.whereabouts import is_near

UNLUCKY = 1.0


def tries(*, near: bool, chance: float = UNLUCKY) -> Iterator[float]:
    """When somebody whose server is down tries, in seconds since it went."""
    away = 0.0
    while True:
        away += pause(away, near=near, chance=chance)
        yield away


def back_after(down_s: float, *, near: bool = False, chance: float = UNLUCKY) -> float:
    """How long after the server's return somebody is back."""
    return next(at for at in tries(near=near, chance=chance) if at >= down_s) - down_s


@pytest.mark.parametrize("down_s", [0.1, 0.5, 1, 2, 3, 5])
@pytest.mark.parametrize("chance", [0.0, 0.5, UNLUCKY])
def test_a_server_that_is_down_for_a_few_seconds_is_found_again_within_a_second(
    down_s: float, chance: float
) -> None:
    assert back_after(down_s, chance=chance) <= 1.1


@pytest.mark.parametrize("down_s", [10, 60, 600, 3600, 86_400])
def test_whoever_was_away_long_is_back_within_a_fifth_of_it_and_20_seconds_at_most(
    down_s: float,
) -> None:
    assert back_after(down_s) <= min(down_s * 0.2, MOST_S)


def test_a_server_nearby_is_found_within_5_seconds_for_ten_minutes() -> None:
    assert all(back_after(down_s, near=True) <= NEAR_MOST_S for down_s in range(1, 580, 7))
    assert pause(NEAR_FOR_S, near=True, chance=UNLUCKY) == MOST_S


def test_a_day_without_a_server_costs_few_tries() -> None:
    def count(near: bool, seconds: float) -> int:
        return sum(1 for _ in itertools.takewhile(lambda at: at < seconds, tries(near=near)))

    assert count(near=False, seconds=60) < 25
    assert count(near=True, seconds=600) < 150
    assert count(near=False, seconds=86_400) < 86_400 / MOST_S + 25


@pytest.mark.parametrize("down_s", [2, 5, 30, 300])
def test_a_thousand_clients_of_a_restarted_server_come_back_spread_out(down_s: float) -> None:
    chance = random.Random(1)

    def one() -> float:
        away = 0.0
        while away < down_s:
            away += pause(away, near=False, chance=chance.random())
        return away - down_s

    back = sorted(one() for _ in range(1000))
    longest = back[-1]
    # No tenth of the time brings more than a quarter of them.
    for tenth in range(10):
        low, high = longest * tenth / 10, longest * (tenth + 1) / 10
        assert sum(1 for at in back if low <= at <= high) < 250


def test_no_two_waits_of_a_row_need_be_alike_and_none_is_nothing() -> None:
    for away in (0.0, 1.0, 7.0, 100.0, 1e6):
        low, high = (pause(away, near=False, chance=chance) for chance in (0.0, 1.0))
        assert 0.25 <= low == high / 2


@pytest.mark.parametrize(
    ("host", "near"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("192.168.1.20", True),
        ("fe80::1", True),
        ("printer.local", True),
        ("8.8.8.8", False),
        ("chat.example.org", False),
    ],
)
def test_what_is_nearby_is_told_by_the_address(host: str, near: bool) -> None:
    assert is_near(host) is near
