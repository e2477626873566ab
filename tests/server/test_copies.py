"""Copies of a device's profile: marks, generations, KeyPackages given anew, and set-back logs."""

from pathlib import Path

import msgspec
import pytest

from chatsecure.wire import messages as m
from chatsecure.wire.errors import ErrorCode

from .door import Door, is_error, token
from .people import append, new_id, person
from .world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def logs_in(world: World, **fields: object) -> tuple[Door, m.Message]:
    door = Door(world, person("ann"))
    door.greets()
    signature = door.signs(m.LoginPurpose.LOGIN, person("ann").id)
    login = msgspec.structs.replace(m.Login(person("ann").id, signature), **fields)
    [reply] = door.says(login)
    return door, reply


def test_a_log_in_is_told_the_mark_of_the_one_before(world: World) -> None:
    assert isinstance(Door(world, person("ann")).registers(token(world)), m.LoggedIn)
    marks = []
    for number in range(3):
        _, reply = logs_in(world, mark=b"%d" % number)
        assert isinstance(reply, m.LoggedIn)
        marks.append(reply.mark)
    assert marks == [b"", b"0", b"1"]


def test_a_copy_that_takes_over_shuts_the_others_out(world: World) -> None:
    assert isinstance(Door(world, person("ann")).registers(token(world)), m.LoggedIn)
    old, _ = logs_in(world)
    sister, _ = logs_in(world)
    new, _ = logs_in(world)
    assert new.says(m.TakeOver(1)) == [m.Ok()]
    for door in (old, sister):
        [goodbye] = door.gets()
        assert isinstance(goodbye, m.Goodbye)
        assert goodbye.code == ErrorCode.MOVED
        assert door.port.closed
    assert not new.port.closed
    _, reply = logs_in(world)
    assert is_error(reply, ErrorCode.MOVED, "another copy")
    assert isinstance(reply, m.Error)
    assert reply.detail == (1).to_bytes(8, "big")
    assert isinstance(logs_in(world, generation=1)[1], m.LoggedIn)


def test_a_log_in_of_a_newer_generation_takes_over_and_is_kept(world: World) -> None:
    assert isinstance(Door(world, person("ann")).registers(token(world)), m.LoggedIn)
    old, _ = logs_in(world)
    assert isinstance(logs_in(world, generation=7)[1], m.LoggedIn)
    assert old.port.closed
    world.core.generations.clear()
    assert is_error(logs_in(world, generation=6)[1], ErrorCode.MOVED)


def test_a_smaller_generation_changes_nothing(world: World) -> None:
    assert isinstance(Door(world, person("ann")).registers(token(world)), m.LoggedIn)
    door, _ = logs_in(world, generation=7)
    assert door.says(m.TakeOver(3)) == [m.Ok()]
    assert is_error(logs_in(world, generation=6)[1], ErrorCode.MOVED)


def test_key_packages_given_anew_replace_all_others(world: World) -> None:
    ann, ben = world.client("ann"), world.client("ben")

    def package(number: int, *, last: bool = False) -> m.KeyPackageUpload:
        return m.KeyPackageUpload(b"%016d" % number, b"package %d" % number, last)

    ann.ask(m.PutKeyPackages([package(1), package(2), package(3, last=True)]))
    ann.ask(m.PutKeyPackages([package(4), package(5, last=True)], replace=True))
    given = [ben.ask(m.ClaimKeyPackages(["ann"])).packages[0].data for _ in range(3)]
    assert given == [b"package 4", b"package 5", b"package 5"]


def test_a_rejoin_is_for_who_is_in_it_and_moves_nothing(world: World) -> None:
    ann, ben, cem = world.client("ann"), world.client("ben"), world.client("cem")
    room = new_id()
    ids = [ann.who.device_id, ben.who.device_id]
    ann.ask(m.CreateLog(room, m.LogKind.ROOM, ids, []))

    def ask(commit: m.CommitPart | None = None) -> m.Append:
        return m.Append(room, new_id(), 0, m.EntryKind.REJOIN, b"signature", commit)

    assert isinstance(ben.ask(ask()), m.Appended)
    assert cem.ask(ask()).code == ErrorCode.NOT_ALLOWED
    part = m.CommitPart(m.RosterChange(remove=[ben.who.device_id]))
    assert ben.ask(ask(part)).code == ErrorCode.MALFORMED
    state = ann.ask(m.Subscribe([m.Cursor(room, 0)])).logs[0]
    assert (state.epoch, state.head, state.first, state.acked) == (0, 1, 1, 0)


def test_a_cursor_of_another_past_is_told_and_confirms_nothing(world: World) -> None:
    ann = world.client("ann")
    room = new_id()
    ann.ask(m.CreateLog(room, m.LogKind.ROOM, [ann.who.device_id], []))
    for number in range(3):
        ann.ask(append(room, b"%d" % number))

    def asks(seq: int, chain: bytes) -> m.LogState:
        state: m.LogState = ann.ask(m.Subscribe([m.Cursor(room, seq, chain)])).logs[0]
        world.passes(5)
        return state

    there = world.store.read(lambda tx: tx.chain_at(tx.log(room).key, 2))
    assert there is not None
    assert asks(2, b"x" * 32).differs
    assert asks(9, there).differs
    assert asks(2, b"x" * 32).acked == 0
    assert not asks(2, there).differs
    assert asks(3, b"").acked == 2


def test_what_copies_need_is_made_in_an_old_database(tmp_path: Path) -> None:
    """A server that was made before there were generations goes on with what it has."""
    import sqlite3

    from chatsecure.server.store.schema import STEPS
    from chatsecure.server.store.sqlite import SqliteStore

    path = tmp_path / "server.sqlite3"
    with sqlite3.connect(path) as db:
        db.executescript(STEPS[0] + "PRAGMA user_version = 1;")
        db.execute("INSERT INTO devices VALUES(1, 1, x'01', x'02', x'03', 4)")
    db.close()
    store = SqliteStore(path, threaded=False)
    device = store.read(lambda tx: tx.device(b"\1"))
    assert device is not None
    assert (device.last_seen, device.generation, device.mark) == (4, 0, b"")
    store.close()
