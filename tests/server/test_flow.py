"""The promise of delivery, for any order of events: no gap, no repeat, nothing of others.

A model says what each device may read; the real core, hub and store say what it got.
"""

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from chatsecure.server.limits import ServerLimits
from chatsecure.wire import messages as m
from chatsecure.wire.chain import chain_next

from .people import append
from .world import Client, World, device_id, log

NAMES = ("ann", "ben", "cem", "dia")
ROOM = log("r")
people = st.sampled_from(NAMES)


class Delivery(RuleBasedStateMachine):
    """People come, go, write, bring in, put out, read slowly; the server restarts."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.world = World(Path(self.folder.name), ServerLimits(queue_bytes=300_000))
        for name in NAMES:
            self.world.user(name)
        self.clients: dict[str, Client] = {}
        self.members = {"ann"}
        self.may: dict[str, list[int]] = {name: [] for name in NAMES}
        """What each may read, as it came."""
        self.got: dict[str, list[int]] = {name: [] for name in NAMES}
        self.cursor = dict.fromkeys(NAMES, 0)
        self.head = self.epoch = 0
        ann = self.world.user("ann")
        self.world.create(ann, m.CreateLog(ROOM, m.LogKind.ROOM, [ann.device_id], []))

    def teardown(self) -> None:
        if hasattr(self, "world"):
            for name in list(self.clients):
                self._take(name)
                assert self.got[name] == self.may[name][: len(self.got[name])]
            self.world.store.close()
            self.folder.cleanup()

    def _take(self, name: str) -> None:
        client = self.clients[name]
        client.take_all()
        self._note(name)
        assert self.got[name] == self.may[name]

    def _note(self, name: str) -> None:
        client = self.clients[name]
        new = client.entries(ROOM)
        client.got = [pair for pair in client.got if not isinstance(pair[1], m.Entries)]
        self.got[name] += [entry.seq for entry in new]
        if new:
            self.cursor[name] = new[-1].seq

    def _entry(self, *, removed: str | None = None, added: str | None = None) -> None:
        """An entry was accepted."""
        self.head += 1
        for name in self.members:
            self.may[name].append(self.head)
        if removed is not None:
            self.members.discard(removed)
        if added is not None:
            self.members.add(added)

    @rule(name=people)
    def comes(self, name: str) -> None:
        if name not in self.clients:
            self.clients[name] = self.world.client(name)
            self.follows(name)

    @rule(name=people)
    def goes(self, name: str) -> None:
        client = self.clients.pop(name, None)
        if client is not None:
            client.take()
            self.clients[name] = client
            self._note(name)
            del self.clients[name]
            client.leave()

    @rule(name=people)
    def follows(self, name: str) -> None:
        if name in self.clients:
            # What is on its way came by the earlier subscription.
            self._take(name) if self.clients[name].session.subs else None
            client = self.clients[name]
            client.send(
                m.Subscribe([m.Cursor(device_id(name), 0), m.Cursor(ROOM, self.cursor[name])])
            )

    @rule(name=people, count=st.integers(1, 20), size=st.sampled_from([1, 60_000]))
    def writes(self, name: str, count: int, size: int) -> None:
        if name in self.clients and name in self.members:
            for _ in range(count):
                self.clients[name].send(append(ROOM, bytes(size), epoch=self.epoch))
                self._entry()

    @rule(by=people, who=people)
    def brings_in(self, by: str, who: str) -> None:
        if by in self.clients and by in self.members and who not in self.members:
            commit = append(ROOM, epoch=self.epoch, kind=m.EntryKind.COMMIT, add=[device_id(who)])
            self.clients[by].send(commit)
            self._entry(added=who)
            self.epoch += 1
            self.world.settle()
            if who in self.clients:
                self.follows(who)

    @rule(by=people, who=people)
    def puts_out(self, by: str, who: str) -> None:
        if by in self.clients and {by, who} <= self.members and len(self.members) > 1:
            commit = append(
                ROOM, epoch=self.epoch, kind=m.EntryKind.COMMIT, remove=[device_id(who)]
            )
            self.clients[by].send(commit)
            self._entry(removed=who)
            self.epoch += 1

    @rule()
    def settles(self) -> None:
        self.world.settle()

    @rule(name=people, count=st.integers(1, 400_000))
    def reads_some(self, name: str, count: int) -> None:
        if name in self.clients:
            self.clients[name].take(count)
            self._note(name)

    @rule(name=people)
    def reads_all(self, name: str) -> None:
        if name in self.clients:
            self._take(name)

    @rule(name=people)
    def confirms(self, name: str) -> None:
        if name in self.clients and self.cursor[name]:
            self.clients[name].send(m.Ack(ROOM, self.cursor[name]))
            self.world.passes(3)
            self.world.core.sweep_acked()
            for other in self.world.clients:
                other.send(m.Pong())

    @precondition(lambda self: self.clients)
    @rule()
    def restarts(self) -> None:
        self.world.settle()
        for name in list(self.clients):
            self.goes(name)
        self.world.settle()
        self.world.store.close()
        self.world.open()

    @invariant()
    def nothing_is_doubled_or_left_out(self) -> None:
        if hasattr(self, "may"):
            for name in NAMES:
                assert self.got[name] == self.may[name][: len(self.got[name])]


Delivery.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
test_delivery_has_no_gap_and_no_repeat = pytest.mark.timeout(300)(Delivery.TestCase)


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
    chain = chain_next(state.chain, entry)
    entries = ann.entries(ROOM)
    from chatsecure.wire.chain import chain_start

    ours = chain_start(ROOM)
    for one in entries:
        ours = chain_next(ours, one)
    assert chain == ours
