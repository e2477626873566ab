"""Getting in: links, names, identities, and what is refused."""

import json
import os
import socket
import sqlite3
import stat
from pathlib import Path

import pytest

from chatsecure.links import MAX_LINK_CHARACTERS, format_link, parse_link

from .conftest import Person, World, free_port, run, start_server


def test_the_first_becomes_owner_and_others_come_by_link(world: World, tmp_path: Path) -> None:
    mara = Person("mara", tmp_path / "mara")
    done = mara("join", "--json", "-", "--name", "mara", stdin=world.server.link).ok()
    assert done.records[0]["name"] == "mara"
    link = mara("invite", "--uses", "2").ok().out
    assert link.count("\n") == 1
    assert len(link.strip()) <= MAX_LINK_CHARACTERS
    # Each of the three ways to give a link.
    alice = Person("alice", tmp_path / "alice")
    done = alice("join", "--name", "alice", CHATSECURE_LINK=link.strip()).ok()
    assert done.out.startswith("alice ")
    bob = Person("bob", tmp_path / "bob")
    bob("join", link.strip(), "--name", "bob").ok()
    users = {user["name"]: user for user in bob("users", "--json").ok().records}
    assert set(users) == {"mara", "alice", "bob"}
    assert [name for name, user in users.items() if user["owner"]] == ["mara"]
    assert [name for name, user in users.items() if user["me"]] == ["bob"]
    assert users["alice"]["fingerprint"] == done.out.split(maxsplit=1)[1].strip()
    # The link has been used up; an owner's link works once.
    eve = Person("eve", tmp_path / "eve")
    for used in (link.strip(), world.server.link):
        done = eve("join", "-", "--name", "eve", stdin=used)
        assert done.code == 4, done.err
        assert not list(eve.folder.glob("*"))


def test_a_taken_name_is_refused_and_the_link_not_used_up(world: World, tmp_path: Path) -> None:
    mara = world.join("mara", world.server.link)
    link = mara("invite").ok().out.strip()
    eve = Person("eve", tmp_path / "eve")
    for name in ("mara", "MARA"):
        done = eve("join", "-", "--name", name, stdin=link)
        assert done.code == 4, done.err
        assert "mara" in done.err.lower()
    eve("join", "-", "--name", "eve", stdin=link).ok()


@pytest.mark.parametrize("name", ["", "a b", "x" * 33, "@bob", "a\x1b[31mb", "#room", "server"])
def test_an_ugly_name_is_wrong_usage(world: World, tmp_path: Path, name: str) -> None:
    done = run("--profile", tmp_path / "p", "join", "-", f"--name={name}", stdin=world.server.link)
    assert done.code == 2
    assert not (tmp_path / "p").exists()


def test_names_in_any_language(world: World) -> None:
    mara = world.join("mara", world.server.link)
    link = mara("invite", "--uses", "9").ok().out.strip()
    for name in ("Žofie", "Ольга", "世界", "علي", "नमिता"):
        person = world.join(name, link)
        assert person.send(f"@{mara.name}", f"I am {name}")
        assert mara.send(f"@{name}", f"hello {name}")
        assert f"hello {name}" in person.texts()
    assert len(mara("users", "--json").ok().records) == 6


def test_names_that_may_be_taken_for_another_are_told(world: World) -> None:
    (mara,) = world.invited()
    link = mara("invite", "--uses", "3").ok().out.strip()
    for name in ("bob", "b0b", "mаra"):
        world.join(name, link)
    rows = [line.strip() for line in mara("users").ok().out.splitlines()]
    assert len(rows) == 4
    told = {row.split()[0]: row for row in rows}
    assert told["bob"].endswith("looks like b0b")
    assert told["b0b"].endswith("looks like bob")
    assert told["mаra"].startswith("mаra (?)")
    assert told["mаra"].endswith("looks like mara")
    world.people[-1].send("@mara", "it is me")
    listening = mara("listen", "--for", "3").ok().out
    assert "mаra (?) -> you: it is me" in listening


def test_a_link_to_another_key_is_refused_loudly(world: World, tmp_path: Path) -> None:
    link = parse_link(world.server.link)
    forged = format_link(link.host, link.port, bytes(20), link.secret)
    done = run("--profile", tmp_path / "p", "join", "-", "--name", "eve", stdin=forged)
    assert done.code == 6, done.err
    assert not (tmp_path / "p").exists()
    world.join("mara", world.server.link)


def test_a_server_that_is_not_there(world: World, tmp_path: Path) -> None:
    link = parse_link(world.server.link)
    dead = format_link("127.0.0.1", free_port(), link.fingerprint, link.secret)
    done = run("--profile", tmp_path / "p", "--json", "join", "-", "--name", "eve", stdin=dead)
    assert done.code == 3, done.err
    assert done.records[-1]["code"] == 3
    assert "cannot be reached (connection refused)" in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "p").exists()


def test_something_else_than_our_server(world: World, tmp_path: Path) -> None:
    link = parse_link(world.server.link)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        odd = format_link("127.0.0.1", port, link.fingerprint, link.secret)
        other.close()
    done = run("--profile", tmp_path / "p", "join", odd, "--name", "eve")
    assert done.code == 3


def test_an_expired_link(world: World, tmp_path: Path) -> None:
    mara = world.join("mara", world.server.link)
    link = mara("invite", "--expires", "1s").ok().out.strip()
    mara("listen", "--for", "1.5").ok()
    done = run("--profile", tmp_path / "p", "join", "-", "--name", "eve", stdin=link)
    assert done.code == 4, done.err


def test_a_second_link_leads_to_more_rooms(world: World, tmp_path: Path) -> None:
    mara, bob = world.invited("bob")
    mara("room", "create", "#physics").ok()
    link = mara("invite", "#physics").ok().out.strip()
    bob("join", link).ok()
    assert "#physics" in [room["name"] for room in bob("rooms", "--json").ok().records]
    mara.send("#physics", "welcome")
    assert bob.texts() == ["welcome"]
    assert bob("join", link, "--name", "robert").code == 2
    used = mara("invite", "#physics").ok().out.strip()
    world.join("carol", used)
    done = bob("room", "leave", "#physics").ok() and bob("join", used)
    assert done.code == 4, done.err


def test_the_profile_is_private_and_can_be_locked(world: World, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("correct horse\n")
    mara = Person("mara", tmp_path / "mara")
    mara("join", "-", "--name", "mara", "--passphrase-file", secret, stdin=world.server.link).ok()
    assert mara("users").code == 1
    assert mara("users", CHATSECURE_PASSPHRASE="wrong").code == 1
    mara("users", CHATSECURE_PASSPHRASE="correct horse").ok()
    mara("users", "--passphrase-file", secret).ok()
    assert mara("users", "--passphrase-file", tmp_path / "none").code == 5
    for path in mara.folder.iterdir():
        if path.is_file() and os.name == "posix":
            assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path
    assert b"correct horse" not in b"".join(
        path.read_bytes() for path in mara.folder.iterdir() if path.is_file()
    )


def test_a_profile_from_a_newer_version_is_left_alone(world: World) -> None:
    mara = world.join("mara", world.server.link)
    path = mara.folder / "profile.json"
    kept = json.loads(path.read_text())
    path.write_text(json.dumps(kept | {"version": 99}))
    done = mara("users")
    assert done.code == 1
    assert "newer" in done.err
    path.write_text(json.dumps(kept))
    mara("users").ok()


def test_both_sides_see_one_safety_number(world: World) -> None:
    mara, bob = world.invited("bob")
    one, other = mara("verify", "bob").ok(), bob("verify", "@mara").ok()
    assert one.out == other.out
    assert len("".join(one.out.split())) == 60
    marked = mara("verify", "bob", "--mark", "--json").ok().records[0]
    assert marked["verified"]
    assert [u["verified"] for u in mara("users", "--json").records if u["name"] == "bob"] == [True]
    assert bob("verify", "bobby").code == 5


def test_devices(world: World) -> None:
    mara = world.join("mara", world.server.link)
    devices = mara("devices", "--json").ok().records
    assert [device["this"] for device in devices] == [True]
    mara("devices").ok()


def test_an_invitation_as_qr_code(world: World) -> None:
    mara = world.join("mara", world.server.link)
    done = mara("invite", "--qr").ok()
    assert done.out.count("\n") == 1
    assert "█" in done.err
    plain = mara("invite", "--qr", "--plain").ok()
    assert plain.err.isascii()
    assert mara("invite", "--json").ok().records[0]["link"].startswith("chatsecure://")


def test_another_identity_under_a_known_name_stops_what_goes_there(
    three: tuple[Person, Person, Person], world: World, tmp_path: Path
) -> None:
    _mara, _alice, bob = three
    assert world.server.stop() == 0
    _give_name_to_an_impostor(world.server.data, tmp_path / "elsewhere")
    world.server.restart()

    done = bob("send", "@alice", "Here is my secret.")
    assert done.code == 6
    assert "identity of alice has changed" in done.err
    assert bob("send", "--json", "@alice", "again").records[-1]["code"] == 6
    found = bob("verify", "--json", "alice").ok().records[0]
    assert found["changed"]
    assert not found["verified"]
    events = bob("listen", "--json", "--for", "1").ok().records
    assert ("alice", "changed") in [
        (event["user"], event["state"]) for event in events if event["type"] == "identity"
    ]
    # The person decides; from then on it goes there.
    bob("verify", "alice", "--accept").ok()
    bob.send("@alice", "Is it you?")


def _give_name_to_an_impostor(data: Path, folder: Path) -> None:
    """What a hostile server can do: put another identity and its device under alice's name."""
    folder.mkdir()
    other = start_server(folder / "server")
    World(other, folder).join("alice", other.link)
    assert other.stop() == 0
    with sqlite3.connect(folder / "server" / "server.sqlite3") as theirs:
        user = theirs.execute(
            "SELECT identity, sealing, list_body, list_signature, list_counter, fingerprint"
            " FROM users"
        ).fetchone()
        device = theirs.execute("SELECT device_id, certificate, public_key FROM devices").fetchone()
        packages = theirs.execute("SELECT ref, data, last_resort FROM key_packages").fetchall()
    with sqlite3.connect(data / "server.sqlite3") as ours:
        key = ours.execute("SELECT key FROM users WHERE folded = 'alice'").fetchone()[0]
        ours.execute(
            "UPDATE users SET identity = ?, sealing = ?, list_body = ?, list_signature = ?,"
            " list_counter = ?, fingerprint = ? WHERE key = ?",
            (*user, key),
        )
        place, old = ours.execute(
            "SELECT key, device_id FROM devices WHERE user = ?", (key,)
        ).fetchone()
        # The device's inbox is a log under its id.
        ours.execute("UPDATE logs SET log_id = ? WHERE log_id = ?", (device[0], old))
        ours.execute(
            "UPDATE devices SET device_id = ?, certificate = ?, public_key = ? WHERE key = ?",
            (*device, place),
        )
        ours.execute("DELETE FROM key_packages WHERE device = ?", (place,))
        ours.executemany(
            "INSERT INTO key_packages(device, ref, data, last_resort) VALUES(?, ?, ?, ?)",
            [(place, *package) for package in packages],
        )
