"""A server that lies is noticed by the next message between members, and told in clear words.

The lies are told on the line: what the real server sends to one client is taken apart, changed as
a lying server would, and put together again. The server's own state is left alone, except where
it is set back to an older state.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from chatsecure.client import conversations
from chatsecure.client.events import ConnectionEvent
from chatsecure.mls import Suite
from chatsecure.wire import messages as m
from chatsecure.wire.chain import chain_next, chain_start
from chatsecure.wire.connection import encode_message
from chatsecure.wire.frames import MAX_FRAME_BYTES, FrameDecoder

from .actions import add, leave, renew, say
from .template import all_quiet, scratch, template
from .world import World

Lie = Callable[[m.Message], list[m.Message]]


class Stage:
    """Ann, bob and cat in #den, online and quiet, and a server that may begin to lie."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.observer.gaps_allowed = True
        world.server.start()
        for name in ("ann", "bob", "cat"):
            world.client(name).start()
        self.rest()
        self.den = conversations.named(world.clients["ann"].db, "#den").log_id

    def rest(self) -> None:
        """Let everything come to rest, as far as it does."""
        self.world.run_until(lambda: all_quiet(self.world), 60_000)

    def says(self, name: str, count: int = 1) -> None:
        """Somebody writes in #den, and everyone may read it."""
        client = self.world.clients[name]
        client.enter(lambda: say(self.world, client, "#den", count), user=True)
        self.rest()

    def lies_to(self, name: str, lie: Lie) -> None:
        """From now on, what one client is sent passes through a lie; also on new connections."""
        client = self.world.clients[name]
        decoder, link = FrameDecoder(MAX_FRAME_BYTES), client.link
        received = client.core.received

        def lied(data: bytes) -> None:
            nonlocal decoder, link
            if client.link is not link:
                decoder, link = FrameDecoder(MAX_FRAME_BYTES), client.link
            decoder.feed(data)
            out = []
            while (frame := decoder.next_frame()) is not None:
                message = m.decode_body(frame.type, frame.body)
                out += [encode_message(told, frame.request) for told in lie(message)]
            received(b"".join(out))

        client.core.received = lied  # type: ignore[method-assign]

    def gaps(self, name: str) -> list[str]:
        """What a client was told it could not get or check."""
        return [reason for who, reason in self.world.observer.gaps if who == name]

    def shown(self, name: str) -> list[str]:
        """What a client was shown in #den."""
        return [
            text
            for (text,) in self.world.clients[name].db.rows(
                "SELECT text FROM messages WHERE log_id = ? AND kind > 0 AND mine = 0 ORDER BY n",
                self.den,
            )
        ]


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Everyone is there."""
    with worlds() as world:
        yield Stage(world)


@contextmanager
def worlds(begin: Path | None = None, suite: Suite = Suite.CLASSICAL) -> Iterator[World]:
    """A world to begin from."""
    folder = scratch()
    world = World(folder, 1, template=begin or template(), suite=suite)
    try:
        yield world
    finally:
        world.close()
        shutil.rmtree(folder, ignore_errors=True)


def entries_of(message: m.Message, stage: Stage) -> list[m.Entry]:
    """The entries of #den that a message brings."""
    is_den = isinstance(message, m.Entries) and message.log_id == stage.den
    return list(message.entries) if is_den else []


def each(stage: Stage, change: Callable[[m.Entry], list[m.Entry]]) -> Lie:
    """A lie about single entries of #den."""

    def lie(message: m.Message) -> list[m.Message]:
        if not entries_of(message, stage):
            return [message]
        told = [item for entry in entries_of(message, stage) for item in change(entry)]
        return [m.Entries(stage.den, told)] if told else []

    return lie


def by(stage: Stage, name: str, entry: m.Entry) -> bool:
    """Whether an entry is somebody's message."""
    return entry.device_id == stage.world.clients[name].core.me.device_id


def test_an_honest_server_is_accused_of_nothing(stage: Stage) -> None:
    stage.says("ann", 3)
    stage.says("bob", 2)
    assert stage.world.observer.gaps == []
    assert len(stage.shown("cat")) == 5


def test_a_dropped_entry_is_noticed_with_the_next(stage: Stage) -> None:
    dropped: list[int] = []

    def drop(entry: m.Entry) -> list[m.Entry]:
        if by(stage, "ann", entry) and not dropped:
            dropped.append(entry.seq)
        return [] if entry.seq in dropped else [entry]

    stage.lies_to("cat", each(stage, drop))
    stage.says("ann")
    stage.says("bob")
    assert "1 entries are gone from the server" in stage.gaps("cat")
    assert not stage.gaps("bob")


def test_a_dropped_entry_whose_place_is_filled_is_noticed_with_the_next(stage: Stage) -> None:
    # The server numbers anew what it shows to cat, so that nothing seems to be missing.
    taken: list[int] = []

    def renumber(entry: m.Entry) -> list[m.Entry]:
        if by(stage, "ann", entry) and not taken:
            taken.append(entry.seq)
            return []
        return [msgspec.structs.replace(entry, seq=entry.seq - len(taken))]

    stage.lies_to("cat", each(stage, renumber))
    stage.says("ann")
    stage.says("bob")
    stage.says("ann")
    assert any("different pasts" in reason or "seen more" in reason
               for reason in stage.gaps("cat"))  # fmt: skip


def test_entries_in_another_order_are_noticed_with_the_next(stage: Stage) -> None:
    held: list[m.Entry] = []

    def swap(entry: m.Entry) -> list[m.Entry]:
        if by(stage, "ann", entry) and not held:
            held.append(entry)
            return []
        if len(held) == 1:
            first = held[0]
            held.append(first)
            return [
                msgspec.structs.replace(entry, seq=first.seq),
                msgspec.structs.replace(first, seq=entry.seq),
            ]
        return [entry]

    stage.lies_to("cat", each(stage, swap))
    stage.says("ann")
    stage.says("bob")
    assert any("different pasts" in reason or "seen more" in reason for reason in stage.gaps("cat"))


def test_an_entry_that_is_repeated_is_not_shown_twice(stage: Stage) -> None:
    kept: list[m.Entry] = []

    def repeat(entry: m.Entry) -> list[m.Entry]:
        kept.append(entry)
        return [entry, entry]

    stage.lies_to("cat", each(stage, repeat))
    stage.says("ann", 2)
    assert len(stage.shown("cat")) == 2
    assert stage.gaps("cat") == []


def test_an_entry_that_comes_again_in_a_later_place_is_refused_and_told(stage: Stage) -> None:
    first: list[m.Entry] = []

    def again(entry: m.Entry) -> list[m.Entry]:
        if by(stage, "ann", entry) and not first:
            first.append(entry)
        elif by(stage, "bob", entry):
            return [msgspec.structs.replace(first[0], seq=entry.seq)]
        return [entry]

    stage.lies_to("cat", each(stage, again))
    stage.says("ann")
    stage.says("bob")
    assert stage.shown("cat") == ["message 1 by ann"]
    assert stage.gaps("cat")


def test_a_changed_time_is_noticed_with_the_next(stage: Stage) -> None:
    def shift(entry: m.Entry) -> list[m.Entry]:
        return [msgspec.structs.replace(entry, at=entry.at + 3_600_000)]

    stage.lies_to("cat", each(stage, shift))
    stage.says("ann")
    stage.says("bob")
    assert any("different pasts" in reason for reason in stage.gaps("cat"))


def test_a_past_that_differs_before_a_device_came_in_is_noticed(stage: Stage) -> None:
    """The chain's value a newcomer begins with is the server's word; members' heads test it."""
    world = stage.world

    def lie(message: m.Message) -> list[m.Message]:
        if isinstance(message, m.Subscribed):
            logs = [
                msgspec.structs.replace(log, chain=b"\1" * 32) if log.chain else log
                for log in message.logs
            ]
            return [msgspec.structs.replace(message, logs=logs)]
        return [message]

    dan = world.client("dan")
    dan.start()
    stage.rest()
    dan.enter(lambda: leave(world, dan, "#den"), user=True)
    stage.rest()
    stage.lies_to("dan", lie)
    ann = world.clients["ann"]
    ann.enter(lambda: add(world, ann, "#den", "dan"), user=True)
    stage.rest()
    stage.says("bob")
    stage.says("ann")
    stage.says("ann", 5)
    different = [reason for reason in stage.gaps("dan") if "different pasts" in reason]
    who = [reason.split()[0] for reason in different]
    assert sorted(who) == ["ann", "bob", "cat"], "told once of each, not with every message"


def test_after_a_gap_the_comparing_begins_anew(stage: Stage) -> None:
    dropped: list[int] = []
    changing: list[bool] = []

    def drop(entry: m.Entry) -> list[m.Entry]:
        if by(stage, "ann", entry) and not dropped:
            dropped.append(entry.seq)
        if changing and by(stage, "bob", entry):
            changing.clear()
            return [msgspec.structs.replace(entry, at=entry.at + 1)]
        return [] if entry.seq in dropped else [entry]

    stage.lies_to("cat", each(stage, drop))
    stage.says("ann")
    stage.says("bob")
    stage.says("ann")
    stage.says("bob")
    assert stage.gaps("cat") == ["1 entries are gone from the server"]
    changing.append(True)
    stage.says("bob")
    stage.says("ann")
    assert any("different pasts" in reason for reason in stage.gaps("cat"))


def test_a_change_of_the_group_tells_of_another_past_as_a_message_does(stage: Stage) -> None:
    changed: list[int] = []

    def shift(entry: m.Entry) -> list[m.Entry]:
        if entry.kind is m.EntryKind.COMMIT and not changed:
            changed.append(entry.seq)
            return [msgspec.structs.replace(entry, at=entry.at + 1)]
        return [entry]

    # Nobody confirms a change by a message: the next change is the first to tell.
    stage.lies_to("cat", each(stage, shift))
    for name in ("ann", "bob"):
        assert stage.gaps("cat") == []
        client = stage.world.clients[name]
        client.enter(lambda client=client: renew(stage.world, client, "#den"), user=True)
        stage.rest()
    assert any("different pasts" in reason for reason in stage.gaps("cat"))


def test_a_message_from_somebody_who_has_seen_more_is_shown_and_told(stage: Stage) -> None:
    taken: list[int] = []

    def renumber(entry: m.Entry) -> list[m.Entry]:
        if by(stage, "ann", entry) and not taken:
            taken.append(entry.seq)
            return []
        return [msgspec.structs.replace(entry, seq=entry.seq - len(taken))]

    stage.lies_to("cat", each(stage, renumber))
    stage.says("ann")
    stage.says("bob")
    assert "message 2 by bob" in stage.shown("cat")
    assert any("seen more of this conversation" in reason for reason in stage.gaps("cat"))


def test_two_people_who_are_shown_different_pasts_learn_of_it_from_each_other(
    stage: Stage,
) -> None:
    """A fork: of two messages, bob is shown the one and cat the other, under one number; each
    sees a log without a hole. The next message that crosses over tells both."""

    def only(hidden: str) -> Callable[[m.Entry], list[m.Entry]]:
        gone: list[int] = []

        def change(entry: m.Entry) -> list[m.Entry]:
            if entry.seq in targets and by(stage, hidden, entry):
                gone.append(entry.seq)
                return []
            return [msgspec.structs.replace(entry, seq=entry.seq - len(gone))]

        return change

    head = conversations.named(stage.world.clients["bob"].db, "#den").cursor or 0
    targets = range(head + 1, head + 3)
    ann, dan = stage.world.clients["ann"], stage.world.client("dan")
    dan.start()
    stage.rest()
    stage.lies_to("bob", each(stage, only("dan")))
    stage.lies_to("cat", each(stage, only("ann")))
    ann.enter(lambda: say(stage.world, ann, "#den", 1), user=True)
    dan.enter(lambda: say(stage.world, dan, "#den", 1), user=True)
    stage.rest()
    stage.says("ann")
    stage.says("dan")
    for name in ("bob", "cat"):
        assert any(
            "different pasts" in reason or "seen more" in reason for reason in stage.gaps(name)
        ), name


def test_a_server_that_was_set_back_is_noticed_when_it_is_met_again(stage: Stage) -> None:
    world = stage.world
    world.server.crash()
    backup = world.folder / "backup"
    shutil.copytree(world.server.folder, backup)
    world.server.start()
    stage.says("ann")
    stage.says("bob")
    world.server.crash()
    shutil.rmtree(world.server.folder)
    shutil.copytree(backup, world.server.folder)
    world.observer.truth.clear()
    world.observer.base.clear()
    world.server.start()
    world.run(world.time + 30_000)
    for name in ("ann", "bob", "cat"):
        assert any("set back to an older state" in reason for reason in stage.gaps(name)), name


def test_a_server_that_was_set_back_and_has_gone_on_is_noticed(stage: Stage) -> None:
    """The same number of entries, but others: the chain's heads differ."""
    world = stage.world
    world.server.crash()
    backup = world.folder / "backup"
    shutil.copytree(world.server.folder, backup)
    world.server.start()
    stage.says("ann", 2)
    world.clients["cat"].crash()
    world.server.crash()
    shutil.rmtree(world.server.folder)
    shutil.copytree(backup, world.server.folder)
    world.observer.truth.clear()
    world.observer.base.clear()
    # Only dan, who has seen nothing of it, goes on on the older state.
    for name in ("ann", "bob"):
        world.clients[name].crash()
    dan = world.client("dan")
    world.server.start()
    dan.start()
    world.run(world.time + 10_000)
    dan.enter(lambda: say(world, dan, "#den", 6), user=True)
    world.run(world.time + 10_000)
    world.clients["cat"].start()
    world.run(world.time + 30_000)
    dan.enter(lambda: say(world, dan, "#den", 1), user=True)
    world.run(world.time + 30_000)
    assert any(
        "different pasts" in reason or "older state" in reason for reason in stage.gaps("cat")
    ), stage.gaps("cat")


def test_what_the_server_says_of_the_log_at_log_in_is_held_against_what_is_known(
    stage: Stage,
) -> None:
    """A log that is said to be shorter than what was read is a log that lost something."""

    def lie(message: m.Message) -> list[m.Message]:
        if isinstance(message, m.Subscribed):
            logs = [msgspec.structs.replace(log, head=0) for log in message.logs]
            return [msgspec.structs.replace(message, logs=logs)]
        return [message]

    stage.says("ann")
    cat = stage.world.clients["cat"]
    stage.lies_to("cat", lie)
    assert cat.link is not None
    cat.link.cut()
    stage.world.run(stage.world.time + 20_000)
    assert any("set back to an older state" in reason for reason in stage.gaps("cat"))


def test_the_chain_told_by_the_tests_is_the_chain_of_the_program() -> None:
    start = chain_start(b"x" * 16)
    entry = m.Entry(1, 2, b"d" * 16, b"a" * 16, 0, m.EntryKind.MESSAGE, b"payload")
    moved = msgspec.structs.replace(entry, at=3)
    assert chain_next(start, entry) != chain_next(start, moved)
    assert ConnectionEvent(at="", state="offline").state == "offline"
