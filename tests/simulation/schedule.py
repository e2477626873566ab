"""What happens in a schedule, as data: made from a seed, shortened by the replay.

A step names what is done, by whom and with what; `actions.py` and `faults.py` say how. Steps do
not depend on each other: any of them can be left out, and what makes no sense any more is refused
by the program itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from chatsecure.mls import Suite

from .template import PEOPLE

Args = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is done to the world."""

    at: int
    do: str
    who: str
    args: Args = ()

    def __str__(self) -> str:
        args = " ".join(map(str, self.args))
        return f"{self.at / 1000:8.3f}  {self.who:<6} {self.do} {args}".rstrip()


@dataclass(frozen=True, slots=True)
class Schedule:
    """A whole schedule."""

    seed: int
    people: tuple[str, ...]
    suite: Suite
    mood: str
    skew_ms: tuple[int, ...]
    """How wrong each clock is: the server's, then the people's."""
    steps: tuple[Step, ...]

    def without(self, steps: tuple[Step, ...]) -> Schedule:
        """The same with these steps only."""
        return replace(self, steps=steps)


ACTIONS = {
    "say": 40, "whisper": 2, "read": 6, "private": 10, "add": 7, "remove": 5, "role": 4,
    "topic": 4, "renew": 4, "create": 3, "invite": 4, "enter": 5, "leave": 4,
}  # fmt: skip
FAULTS = {
    "cut": 6, "half-open": 3, "stall": 4, "kill": 6, "kill-at-commit": 6, "away": 4,
    "server-kill": 5, "server-disk-full": 3, "disk-full": 3, "clock-jump": 2,
    "server-clock-jump": 1, "slow-reader": 2,
}  # fmt: skip
MOODS = {"calm": 1, "near": 4, "far": 3, "awful": 1}
THEMES: dict[str, tuple[int, dict[str, int], dict[str, int]]] = {
    "everything": (5, ACTIONS, FAULTS),
    "who is in": (
        3,
        {"say": 12, "add": 12, "remove": 8, "leave": 6, "invite": 5, "enter": 8, "role": 3},
        {"away": 8, "kill": 4, "cut": 3, "server-kill": 1, "kill-at-commit": 3, "stall": 3},
    ),
    "full disks": (
        1,
        {"say": 20, "private": 3, "renew": 3, "add": 3, "remove": 2, "create": 2},
        {"server-disk-full": 6, "disk-full": 6, "server-kill": 2, "kill": 2},
    ),
    "the same instant": (
        2,
        {"say": 10, "add": 5, "remove": 5, "role": 5, "topic": 5, "renew": 8, "leave": 3,
         "invite": 3, "enter": 4, "private": 4},
        {"stall": 6, "cut": 4, "kill-at-commit": 4, "server-kill": 3},
    ),
}  # fmt: skip
"""Each theme: how often, what people do, what goes wrong."""
ROOMS = ("#lobby", "#den")
HOUR_MS, DAY_MS = 3_600_000, 86_400_000


def _pick(rng: Random, table: dict[str, int]) -> str:
    return rng.choices(list(table), list(table.values()))[0]


def make_schedule(seed: int) -> Schedule:
    """The schedule of a seed."""
    rng = Random(f"schedule {seed}")
    people = PEOPLE[: rng.choices((3, 4, 5), (5, 3, 2))[0]]
    suite = Suite.HYBRID if rng.random() < 0.1 else Suite.CLASSICAL
    size = rng.choices((6, 14, 30, 60), (3, 5, 3, 1))[0]
    length_ms = rng.choice((500, 5_000, 30_000))
    faulty = rng.choice((0.0, 0.15, 0.3, 0.5))
    theme = rng.choices(list(THEMES), [share for share, _, _ in THEMES.values()])[0]
    _, actions, faults = THEMES[theme]
    instant = rng.randrange(length_ms) if theme == "the same instant" else None
    rooms = ["#den"] if theme == "who is in" else [*ROOMS]
    steps: list[Step] = []
    while len(steps) < size:
        at = rng.randrange(length_ms)
        if rng.random() < faulty:
            if steps and rng.random() < 0.7:
                # While something is under way there is more to break.
                at = rng.choice(steps).at + int(rng.random() ** 2 * 600)
            steps.append(_fault(rng, at, people, faults))
        else:
            # Often several people do something at the very same instant.
            together = rng.choices((1, 2, 4), (6, 2, 1))[0]
            at = at if instant is None or rng.random() < 0.3 else instant
            steps += [_action(rng, at, people, rooms, actions) for _ in range(together)]
    skew = tuple(
        rng.choices((0, rng.randint(-5_000, 5_000), rng.randint(-HOUR_MS, HOUR_MS)), (4, 4, 1))[0]
        for _ in range(len(people) + 1)
    )
    ordered = tuple(sorted(steps, key=lambda step: step.at))
    return Schedule(seed, people, suite, _pick(rng, MOODS), skew, ordered)


def _action(
    rng: Random, at: int, people: tuple[str, ...], rooms: list[str], actions: dict[str, int]
) -> Step:
    do, who = _pick(rng, actions), rng.choice(people)
    room, other = rng.choice(rooms), rng.choice(people)
    args: Args = (room,)
    match do:
        case "say":
            args = (room, rng.choices((1, 3, 40), (8, 3, 1))[0])
        case "private":
            args = (other, rng.choice((1, 2)))
        case "add" | "remove":
            args = (room if room != "#lobby" else "#den", other)
        case "role":
            args = (room, other, rng.choice((0, 1, 2)))
        case "topic":
            args = (room, f"topic {rng.randrange(1000)}")
        case "create":
            room = f"#room{len(rooms)}"
            rooms.append(room)
            args = (room, rng.random() < 0.5)
        case "invite":
            args = (room, rng.choice((1, 3)), rng.choice((2_000, 30_000, DAY_MS)))
        case "enter":
            args = (rng.randrange(4),)
        case "leave":
            args = (room if room != "#lobby" else "#den",)
    return Step(at, do, who, args)


def _fault(rng: Random, at: int, people: tuple[str, ...], faults: dict[str, int]) -> Step:
    do, who = _pick(rng, faults), rng.choice(people)
    for_ms = rng.choices((rng.randint(1, 400), rng.randint(1, 8_000), 40_000), (4, 4, 1))[0]
    match do:
        case "kill-at-commit":
            return Step(at, do, who, (rng.randrange(12), rng.random() < 0.5, for_ms))
        case "clock-jump":
            return Step(at, do, who, (rng.choice((-DAY_MS, -60_000, 60_000, DAY_MS)),))
        case "server-clock-jump":
            return Step(at, do, "server", (rng.choice((-DAY_MS, -60_000, 60_000, DAY_MS)),))
        case "cut" | "half-open":
            return Step(at, do, who)
    return Step(at, do, "server" if do.startswith("server") else who, (for_ms,))
