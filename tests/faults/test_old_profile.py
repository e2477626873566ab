"""A profile restored from an old copy: it notices, renews its keys, and shuts other copies out."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from system.conftest import Person, World, eventually

Three = tuple[Person, Person, Person]


def copy(person: Person) -> Path:
    """A copy of the profile's files, as a backup or a snapshot of the machine makes it."""
    target = person.folder.with_name(person.folder.name + "-copy")
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(person.folder, target)
    return target


def restore(person: Person, source: Path) -> None:
    shutil.rmtree(person.folder)
    shutil.copytree(source, person.folder)


def gaps(events: list[dict[str, Any]]) -> list[str]:
    return [event["reason"] for event in events if event["type"] == "gap"]


def texts(person: Person, target: str) -> list[str]:
    return [line["text"] for line in person("history", target, "--json").ok().records]


def read(person: Person) -> list[dict[str, Any]]:
    return person.listen("--for", "2")


def test_an_old_copy_of_a_profile_notices_and_goes_on_with_new_keys(three: Three) -> None:
    _, alice, bob = three
    alice.send("@bob", "one")
    assert bob.texts() == ["one"]
    old = copy(alice)
    alice.send("@bob", "two")
    bob.send("@alice", "three")
    assert alice.texts() == ["three"]
    restore(alice, old)
    alice.send("@bob", "four")
    told = gaps(read(alice))
    assert len(told) == 1
    assert "older copy" in told[0]
    heard = read(bob)
    assert gaps(heard) == []
    assert [event["text"] for event in heard if event["type"] == "message"] == ["two", "four"]
    # And once more: all is as it was.
    bob.send("@alice", "five")
    alice.send("#lobby", "six")
    heard = read(alice)
    assert gaps(heard) == []
    assert [event["text"] for event in heard if event["type"] == "message"] == ["five"]
    heard = read(bob)
    assert gaps(heard) == []
    assert [event["text"] for event in heard if event["type"] == "message"] == ["six"]


def test_an_old_copy_that_missed_its_own_changes_is_added_anew_by_the_others(three: Three) -> None:
    mara, alice, bob = three
    alice("room", "create", "#plans").ok()
    alice("room", "add", "#plans", "bob").ok()
    bob.texts()
    old = copy(alice)
    alice("room", "add", "#plans", "mara").ok()
    alice.send("#plans", "welcome")
    assert bob.texts() == ["welcome"]
    restore(alice, old)
    listening = alice.start("listen", "--json")
    assert "older copy" in listening.event("gap")["reason"]
    watching = bob.start("listen", "--json")
    bob.send("#plans", "are you back?")

    def back() -> bool:
        rooms = {room["name"]: room for room in alice("rooms", "--json").ok().records}
        return rooms["#plans"]["state"] == "active"

    eventually(back, "alice was not added anew")
    bob.send("#plans", "now?")
    while listening.event("message")["text"] != "now?":
        pass
    alice.send("#plans", "yes")
    assert watching.event("message")["text"] == "yes"
    listening.end()
    watching.end()
    assert "yes" in mara.texts()


@pytest.mark.slow
def test_what_an_old_copy_does_not_know_it_is_in_it_is_added_to_anew(three: Three) -> None:
    _, alice, bob = three
    old = copy(alice)
    bob("room", "create", "#new").ok()
    bob("room", "add", "#new", "alice").ok()
    bob.send("@alice", "hello")
    assert alice.texts() == ["hello"]
    alice.send("#new", "I am in")
    restore(alice, old)
    watching = bob.start("listen", "--json")
    watching.line()
    assert len(gaps(read(alice))) == 1

    def back() -> bool:
        rooms = {room["name"]: room["state"] for room in alice("rooms", "--json").ok().records}
        return rooms.get("#new") == "active" and rooms.get("@bob") == "active"

    eventually(back, "alice was not added anew")
    alice.send("#new", "again")
    alice.send("@bob", "you too")
    heard = {watching.event("message")["text"] for _ in range(3)}
    assert heard == {"I am in", "again", "you too"}
    watching.end()


@pytest.mark.slow
def test_two_commands_of_one_profile_are_no_old_copy(three: Three) -> None:
    _, alice, bob = three
    listening = alice.start("listen", "--json")
    listening.line()
    for number in range(5):
        alice.send("@bob", str(number))
    bob.texts()
    bob.send("@alice", "well")
    assert listening.event("message")["text"] == "well"
    listening.end()
    assert gaps(read(alice)) == []


def test_of_two_copies_in_use_one_is_shut_out_and_told_how_to_go_on(
    three: Three, world: World
) -> None:
    _, alice, bob = three
    alice.send("@bob", "one")
    other = Person("alice", copy(alice))
    world.people.append(other)
    alice.send("@bob", "two")
    other.send("@bob", "three")
    done = alice("send", "@bob", "four")
    assert done.code == 4, done.err
    assert "another copy" in done.err
    assert "chatsecure profile take-over" in done.err
    assert alice("listen", "--for", "1").code == 4
    assert bob.texts() == ["one", "two", "three"]
    watching = bob.start("listen", "--json")
    watching.line()
    # What the other copy changed can be read by nobody here: bob's client adds this one anew.
    alice("profile", "take-over").ok()
    alice.send("@bob", "five")
    assert watching.event("message")["text"] == "five"
    watching.end()
    assert other("send", "@bob", "six").code == 4


def test_a_snapshot_of_a_running_client_notices_by_what_it_has_confirmed(three: Three) -> None:
    _, alice, bob = three
    listening = alice.start("listen", "--json")
    listening.line()
    alice.send("@bob", "before")
    assert bob.texts() == ["before"]
    old = copy(alice)
    bob.send("@alice", "after")
    assert listening.event("message")["text"] == "after"
    bob("send", "@alice", "and after", "--wait", "delivered").ok()
    listening.end()
    restore(alice, old)
    assert len(gaps(read(alice))) == 1
    alice.send("@bob", "here again")
    heard = read(bob)
    assert gaps(heard) == []
    assert "here again" in [event["text"] for event in heard if event["type"] == "message"]
