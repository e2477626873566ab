"""A server restored from an older backup: told by every client, and gone on from there."""

import signal
from pathlib import Path
from typing import Any

import pytest

from system.conftest import Person, Server, World, run, start_server

from .people import ONE_OF_BOTH

Three = tuple[Person, Person, Person]


def backup(server: Server, file: Path) -> None:
    run("admin", "--data", server.data, "backup", file).ok()


def set_back(server: Server, file: Path) -> None:
    """The server's disk is lost; it goes on from the backup, at the same address."""
    server.stop(signal.SIGKILL)
    data = server.data.with_name("restored")
    run("admin", "--data", data, "restore", file).ok()
    server.data = data
    server.restart()


def told(events: list[dict[str, Any]]) -> list[str]:
    return [event["reason"] for event in events if event["type"] == "gap"]


def texts(events: list[dict[str, Any]]) -> list[str]:
    return [event["text"] for event in events if event["type"] == "message"]


def read(person: Person) -> list[dict[str, Any]]:
    return person.listen("--for", "2.5")


def test_a_server_set_back_is_told_by_all_and_what_it_lost_is_sent_again(
    three: Three, server: Server, tmp_path: Path
) -> None:
    mara, alice, bob = three
    alice.send("#lobby", "one")
    for person in three:
        read(person)
    backup(server, tmp_path / "backup")
    alice.send("#lobby", "two")
    alice.send("@bob", "private")
    assert set(bob.texts()) == {"two", "private"}
    bob.send("#lobby", "three")
    set_back(server, tmp_path / "backup")
    # Who wrote comes back: it is told, and the others get what the server has lost.
    found = told(read(alice))
    assert any("set back to an older state" in reason for reason in found), found
    found = told(read(bob))
    assert any("set back to an older state" in reason for reason in found), found
    assert texts(read(mara)) == ["two", "three"]
    assert texts(read(alice)) == ["three"]
    mara.send("#lobby", "four")
    alice.send("#lobby", "five")
    for person, expected in ((mara, ["five"]), (alice, ["four"]), (bob, ["four", "five"])):
        heard = read(person)
        assert told(heard) == []
        assert texts(heard) == expected
    lines = [
        [line["text"] for line in person("history", "#lobby", "--json").ok().records]
        for person in three
    ]
    assert all(sorted(line) == ["five", "four", "one", "three", "two"] for line in lines), lines


def test_who_missed_a_change_that_a_set_back_server_lost_is_added_anew(
    three: Three, server: Server, tmp_path: Path
) -> None:
    _, alice, bob = three
    alice("room", "create", "#plans").ok()
    alice("room", "add", "#plans", "bob").ok()
    bob.texts()
    backup(server, tmp_path / "backup")
    # bob is away while the group changes, and the server forgets that it did.
    alice("room", "topic", "#plans", "a secret").ok()
    set_back(server, tmp_path / "backup")
    watching = alice.start("listen", "--json")
    assert "set back" in watching.event("gap")["reason"]
    alice.send("#plans", "can you read this?")
    there = bob.start("listen", "--json")
    assert "epoch" in there.event("gap")["reason"]

    def hears() -> str:
        return str(there.event("message")["text"])

    for number in range(20):
        bob.send("#lobby", f"waiting {number}")
        rooms = {room["name"]: room for room in bob("rooms", "--json").ok().records}
        if rooms["#plans"]["topic"] == "a secret":
            break
    assert rooms["#plans"]["topic"] == "a secret"
    alice.send("#plans", "and now?")
    assert hears() == "and now?"
    bob.send("#plans", "yes")
    while watching.event("message")["text"] != "yes":
        pass
    watching.end()
    there.end()


@pytest.mark.parametrize("engine", ONE_OF_BOTH)
@pytest.mark.slow
def test_a_device_the_backup_does_not_know_is_told_so(tmp_path: Path, engine: str) -> None:
    server = start_server(tmp_path / "server", engine)
    world = World(server, tmp_path)
    mara, *_ = world.invited("bob")
    backup(server, tmp_path / "backup")
    link = mara("invite").ok().out.strip()
    carol = world.join("carol", link)
    set_back(server, tmp_path / "backup")
    done = carol("send", "#lobby", "hello")
    assert done.code == 4
    assert "not registered" in done.err
    server.stop()
