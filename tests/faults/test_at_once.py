"""Eight people who change a room and write in it at the same instant, over real connections."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from chatsecure.client import conversations
from chatsecure.client.client import Client
from chatsecure.client.events import GapEvent, MessageEvent
from chatsecure.client.profile.folder import open_profile
from chatsecure.client.room import NotPermitted
from chatsecure.wire.errors import ChatSecureError, NotFound
from system.conftest import Person, World, start_server

from .people import ONE_OF_BOTH

ROOM = "#den"
NAMES = ("mara", "ann", "bob", "cat", "dan", "eve", "fay", "gus")
GUESTS = NAMES[5:]
"""Who may be put out in the storm; the others stay throughout."""
PATIENCE_S = 60.0
SETTLE_S = 60.0


@dataclass
class Crowd:
    """Everybody's client, and what each was told."""

    clients: dict[str, Client]
    seen: dict[str, list[str]] = field(default_factory=dict)
    gaps: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    stored: list[str] = field(default_factory=list)
    by_stayers: list[str] = field(default_factory=list)

    async def read(self, name: str) -> None:
        self.seen[name] = []
        async for event in self.clients[name].events():
            if isinstance(event, GapEvent):
                self.gaps.append(f"{name}: {event.reason}")
            elif isinstance(event, MessageEvent) and event.conversation == ROOM:
                self.seen[name].append(event.text)

    async def says(self, name: str, text: str) -> None:
        """Somebody writes; who has been put out may be told so, and nothing else."""
        client = self.clients[name]
        try:
            id_ = await client.send(ROOM, text)
            await client.wait(id_, "stored", PATIENCE_S)
        except ChatSecureError as error:
            if name in GUESTS:
                return
            self.errors.append(f"{name} says: {error}")
            return
        self.stored.append(text)
        if name not in GUESTS:
            self.by_stayers.append(text)

    async def does(self, name: str, what: str, change: Awaitable[object]) -> None:
        """Somebody changes something. That it was done already by another, or that they are not in
        the room any more, is an answer; anything else is not theirs to see."""
        try:
            await asyncio.wait_for(change, PATIENCE_S)
        except NotFound:
            pass
        except (ChatSecureError, TimeoutError) as error:
            if not (name in GUESTS and isinstance(error, NotPermitted)):
                self.errors.append(f"{name} {what}: {type(error).__name__}: {error}")

    def inside(self, name: str) -> bool:
        return any(
            room.name == ROOM and room.state == conversations.ACTIVE
            for room in self.clients[name].rooms()
        )

    def view(self, name: str) -> tuple[int, bytes, tuple[str, ...], str]:
        """Epoch, its keys' fingerprint, members and topic, as one of them has it."""
        core = self.clients[name].core
        row = conversations.named(core.db, ROOM)
        group = core.groups.get(row.log_id)
        line = self.clients[name].room(ROOM)
        return group.epoch, group.epoch_authenticator, tuple(sorted(line.people)), line.topic


async def eventually(condition: Callable[[], bool], what: str) -> None:
    end = asyncio.get_running_loop().time() + SETTLE_S
    while not condition():
        assert asyncio.get_running_loop().time() < end, what
        await asyncio.sleep(0.1)


async def one_round(crowd: Crowd, number: int, chance: random.Random) -> None:
    """Everybody at once: texts, a topic, a role, somebody put out, somebody brought in."""
    clients, work = crowd.clients, list[Awaitable[None]]()
    target = chance.choice(GUESTS)
    work += [crowd.says(name, f"{name} {number}") for name in NAMES if crowd.inside(name)]
    work += [
        crowd.does(adder, "adds", clients[adder].add_to_room(ROOM, list(GUESTS)))
        for adder in ("ann", "bob")
    ]
    work += [
        crowd.does(name, "renames", clients[name].set_topic(ROOM, f"topic {number} by {name}"))
        for name in ("cat", "dan")
    ]
    mara, role = clients["mara"], chance.choice(("manager", "member"))
    work.append(crowd.does("mara", "removes", mara.remove_from_room(ROOM, target)))
    work.append(crowd.does("mara", "gives a role", mara.set_role(ROOM, target, role)))
    chance.shuffle(work)
    await asyncio.gather(*work)


@pytest.mark.parametrize("rounds", [2, pytest.param(25, marks=pytest.mark.slow)])
@pytest.mark.parametrize("engine", ONE_OF_BOTH)
async def test_eight_who_add_remove_rename_and_write_at_once_end_in_one_epoch(
    tmp_path: Path, engine: str, rounds: int
) -> None:
    """All in the same epoch with the same keys, members and topic; each acknowledged text of those
    who stayed was shown to each of them once and in one order; nobody sees an error that is not
    theirs, and no gap."""
    server = start_server(tmp_path / "server", engine)
    try:
        people = World(server, tmp_path).invited(*NAMES[1:])
        await _storm(people, rounds)
    finally:
        server.stop()


async def _storm(people: list[Person], rounds: int) -> None:
    chance = random.Random(rounds)
    async with AsyncExitStack() as stack:
        crowd = Crowd({})
        for person in people:
            profile = open_profile(person.folder)
            stack.callback(profile.close)
            client = Client(profile, receive_files=False)
            crowd.clients[person.name] = await stack.enter_async_context(client)
        for client in crowd.clients.values():
            await client.ready(PATIENCE_S)
        mara = crowd.clients["mara"]
        await mara.create_room(ROOM)
        await mara.add_to_room(ROOM, NAMES[1:])
        for name in NAMES[1:5]:
            await mara.set_role(ROOM, name, "manager")
        await eventually(lambda: all(map(crowd.inside, NAMES)), "not all came in")
        reading = [asyncio.ensure_future(crowd.read(name)) for name in NAMES]
        for number in range(rounds):
            await one_round(crowd, number, chance)
        await crowd.does("mara", "adds", mara.add_to_room(ROOM, list(GUESTS)))
        await eventually(lambda: all(map(crowd.inside, NAMES)), "not all are in again")
        for name in NAMES:
            await crowd.says(name, f"{name} at the end")

        def agree() -> bool:
            return len({crowd.view(name) for name in NAMES}) == 1

        await eventually(agree, "they do not agree")
        stayers = [name for name in NAMES if name not in GUESTS]

        def missing(name: str) -> set[str]:
            mine = {text for text in crowd.stored if text.startswith(f"{name} ")}
            return set(crowd.stored) - mine - set(crowd.seen[name])

        await eventually(lambda: not any(map(missing, stayers)), "something was not shown")
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
        assert crowd.errors == []
        assert crowd.gaps == []
        assert crowd.view("mara")[2] == tuple(sorted(NAMES))
        assert len(crowd.by_stayers) == len(stayers) * (rounds + 1)
        assert all(len(set(seen)) == len(seen) for seen in crowd.seen.values())
        orders = [
            [line.text for line in crowd.clients[name].history(ROOM, 10_000)] for name in stayers
        ]
        assert all(order == orders[0] for order in orders)
