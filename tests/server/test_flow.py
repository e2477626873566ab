"""The promise of delivery, for any order of events: no gap, no repeat, nothing of others.

A model says what each device may read; the real core, hub and store say what it got. One seed is
one schedule: commits, looks at the disk and their answers happen one by one, in any order.
"""

import random
from pathlib import Path

import pytest

from chatsecure.server.limits import ServerLimits
from chatsecure.wire import messages as m
from chatsecure.wire.chain import chain_next, chain_start

from .people import append
from .world import Client, World, device_id, log

NAMES = ("ann", "ben", "cem", "dia")
ROOM = log("r")
STEPS = 400
ACTIONS = {
    "things_happen": 40,
    "writes": 20,
    "reads_some": 15,
    "reads_all": 5,
    "brings_in": 5,
    "puts_out": 4,
    "comes": 6,
    "goes": 3,
    "follows_again": 4,
    "confirms": 3,
    "restarts": 1,
}


class Delivery:
    """People come, go, write, bring in, put out, read slowly; the server restarts."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.world = World(folder, ServerLimits(queue_bytes=300_000))
        for name in NAMES:
            self.world.user(name)
        self.clients: dict[str, Client] = {}
        self.members = {"ann"}
        self.may: dict[str, list[int]] = {name: [] for name in NAMES}
        """What each may read."""
        self.got: dict[str, list[int]] = {name: [] for name in NAMES}
        self.cursor = dict.fromkeys(NAMES, 0)
        self.head = self.epoch = self.caught_up = 0
        ann = self.world.user("ann")
        self.world.create(ann, m.CreateLog(ROOM, m.LogKind.ROOM, [ann.device_id], []))
        for name in NAMES:
            self.comes(name)

    def run(self) -> None:
        """Play the schedule, then let everyone catch up."""
        names, weights = list(ACTIONS), list(ACTIONS.values())
        for _ in range(STEPS):
            [action] = self.random.choices(names, weights)
            getattr(self, action)(self.random.choice(NAMES))
            self.check()
        self.world.settle()
        for name in NAMES:
            self.comes(name)
            self.reads_all(name)
            # Whatever it missed by having no subscription when it was brought in.
            self.follows_again(name)
            self.reads_all(name)
            assert self.got[name] == self.may[name], name
        self.world.store.close()
        self.world.blobs.close()

    def check(self) -> None:
        """Nothing doubled, nothing left out."""
        for name in NAMES:
            assert self.got[name] == self.may[name][: len(self.got[name])], name

    def note(self, name: str) -> None:
        """What has come to somebody."""
        client = self.clients[name]
        new = [entry.seq for entry in client.entries(ROOM)]
        client.got.clear()
        self.got[name] += new
        if new:
            self.cursor[name] = new[-1]

    def sends(self, name: str, message: m.Append) -> None:
        """An entry that will be accepted: whoever writes is in it and knows the epoch."""
        self.clients[name].send(message)
        self.head += 1
        for member in self.members:
            self.may[member].append(self.head)

    def writer(self) -> str | None:
        """Somebody connected who is in the conversation."""
        return next((n for n in NAMES if n in self.members and n in self.clients), None)

    # --- what can happen ----------------------------------------------------------------------

    def things_happen(self, _: str) -> None:
        for _ in range(self.random.randrange(10)):
            self.world.step(self.random.randrange(1000))

    def comes(self, name: str) -> None:
        if name not in self.clients:
            self.clients[name] = self.world.client(name)
            self.follows(name)

    def goes(self, name: str) -> None:
        if name in self.clients:
            client = self.clients[name]
            client.take(self.random.randrange(len(client.port.waiting) + 1))
            self.note(name)
            del self.clients[name]
            # Requests that were sent are carried out all the same.
            client.leave()

    def follows(self, name: str) -> None:
        wanted = [m.Cursor(device_id(name), 0), m.Cursor(ROOM, self.cursor[name])]
        self.clients[name].send(m.Subscribe(wanted))

    def follows_again(self, name: str) -> None:
        if name in self.clients:
            # What is on its way belongs to the earlier subscription.
            self.reads_all(name)
            self.follows(name)

    def writes(self, name: str) -> None:
        if name in self.clients and name in self.members:
            for _ in range(self.random.randrange(8)):
                size = self.random.choice((1, 100, 60_000))
                self.sends(name, append(ROOM, bytes(size), epoch=self.epoch))

    def commits(self, by: str, **change: list[bytes]) -> None:
        self.sends(by, append(ROOM, epoch=self.epoch, kind=m.EntryKind.COMMIT, **change))
        self.epoch += 1

    def brings_in(self, name: str) -> None:
        by = self.writer()
        if by is not None and name not in self.members:
            self.commits(by, add=[device_id(name)])
            self.members.add(name)
            if name in self.clients:
                self.world.settle()
                self.follows_again(name)

    def puts_out(self, name: str) -> None:
        by = self.writer()
        if by not in (None, name) and name in self.members:
            self.commits(by, remove=[device_id(name)])
            self.members.discard(name)

    def reads_some(self, name: str) -> None:
        if name in self.clients:
            self.clients[name].take(self.random.choice((1, 1000, 100_000)))
            self.note(name)

    def reads_all(self, name: str) -> None:
        if name in self.clients:
            self.clients[name].take_all()
            self.note(name)

    def confirms(self, name: str) -> None:
        if name in self.clients and self.cursor[name]:
            self.clients[name].send(m.Ack(ROOM, self.cursor[name]))
            self.world.core.upkeep.flush_acks()
            self.world.core.upkeep.sweep_acked()

    def restarts(self, _: str) -> None:
        self.world.settle()
        for name in list(self.clients):
            self.goes(name)
        self.world.settle()
        self.world.store.close()
        self.world.open()
        for name in NAMES:
            self.comes(name)


@pytest.mark.parametrize("seed", range(60))
def test_delivery_has_no_gap_and_no_repeat(tmp_path: Path, seed: int) -> None:
    schedule = Delivery(tmp_path, seed)
    schedule.run()
    assert schedule.head > 5


def test_what_a_newcomer_gets_continues_the_chain_it_was_told(tmp_path: Path) -> None:
    world = World(tmp_path)
    ann, ben = world.client("ann"), world.client("ben")
    ann.ask(m.CreateLog(ROOM, m.LogKind.ROOM, [ann.who.device_id], []))
    ann.follow(r=0)
    for _ in range(3):
        ann.ask(append(ROOM))
    ann.ask(append(ROOM, kind=m.EntryKind.COMMIT, add=[ben.who.device_id]))
    [state] = ben.follow(r=0).logs
    ann.ask(append(ROOM, epoch=1))
    ben.take_all()
    ann.take_all()
    [entry] = ben.entries(ROOM)
    ours = chain_start(ROOM)
    for one in ann.entries(ROOM):
        ours = chain_next(ours, one)
    assert chain_next(state.chain, entry) == ours
