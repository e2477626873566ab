"""A profile moved to another computer: in use in one place at a time, whatever is tried."""

import subprocess
from pathlib import Path

import pytest

from system.conftest import Person, Server, World, command, environment

Three = tuple[Person, Person, Person]
SECRET = {"CHATSECURE_EXPORT_PASSPHRASE": "three blind mice"}


def moved(person: Person, world: World, file: Path) -> Person:
    """The person on another computer."""
    person("profile", "export", file, **SECRET).ok()
    there = Person(person.name, world.folder / f"{person.name}-elsewhere")
    world.people.append(there)
    there("profile", "import", file, **SECRET).ok()
    return there


def test_a_profile_moves_with_its_history_and_goes_on(
    three: Three, world: World, tmp_path: Path
) -> None:
    _, alice, bob = three
    alice.send("@bob", "one")
    bob.send("@alice", "two")
    file = tmp_path / "alice.profile"
    there = moved(alice, world, file)
    assert file.stat().st_mode & 0o077 == 0
    lines = there("history", "@bob", "--json").ok().records
    assert [line["text"] for line in lines] == ["one", "two"]
    there.send("@bob", "three")
    assert bob.texts() == ["one", "three"]
    assert [e for e in there.listen("--for", "1") if e["type"] == "gap"] == []
    # The old place is out of use, and says so.
    done = alice("send", "@bob", "four")
    assert (done.code, done.out) == (4, "")
    assert "was exported to" in done.err


def test_a_copy_of_the_files_made_before_is_shut_out_by_the_server(
    three: Three, world: World, tmp_path: Path
) -> None:
    import shutil

    _, alice, _ = three
    copy = Person("alice", world.folder / "copy")
    shutil.copytree(alice.folder, copy.folder)
    moved(alice, world, tmp_path / "alice.profile")
    done = copy("send", "#lobby", "hello", "--json")
    assert done.code == 4
    assert done.records[-1]["code"] == 4
    assert "another copy" in done.err


@pytest.mark.slow
def test_a_file_imported_twice_leaves_one_profile_in_use(
    three: Three, world: World, tmp_path: Path
) -> None:
    _, alice, bob = three
    file = tmp_path / "alice.profile"
    first = moved(alice, world, file)
    first.send("@bob", "one")
    second = Person("alice", world.folder / "second")
    second("profile", "import", file, **SECRET).ok()
    assert first("send", "@bob", "two").code == 4
    watching = bob.start("listen", "--json")
    watching.line()
    second.send("@bob", "three")
    assert {watching.event("message")["text"] for _ in range(2)} == {"one", "three"}
    watching.end()


def test_what_is_running_when_the_profile_is_exported_ends(three: Three, tmp_path: Path) -> None:
    _, alice, _ = three
    listening = alice.start("listen", "--json")
    listening.line()
    alice("profile", "export", tmp_path / "a", **SECRET).ok()
    alice("send", "#lobby", "hello")
    assert listening.process.wait(20) == 4


def test_passphrases_files_and_folders_that_are_wrong_are_told(
    three: Three, world: World, tmp_path: Path
) -> None:
    _, alice, bob = three
    file = tmp_path / "alice.profile"
    taken = tmp_path / "taken"
    taken.write_text("something")
    assert alice("profile", "export", taken, **SECRET).code == 1
    assert taken.read_text() == "something"
    assert alice("profile", "export", file).code == 2
    assert alice("profile", "export", tmp_path / "no" / "folder", **SECRET).code == 1
    alice.send("#lobby", "still in use")
    alice("profile", "export", file, **SECRET).ok()
    there = Person("alice", world.folder / "there")
    done = there("profile", "import", file, CHATSECURE_EXPORT_PASSPHRASE="four blind mice")
    assert (done.code, "passphrase is wrong" in done.err) == (1, True)
    assert there("profile", "import", tmp_path / "nothing", **SECRET).code == 5
    assert there("profile", "import", taken, **SECRET).code == 1
    whole = file.read_bytes()
    for damage in (whole[:-1], whole[:100], whole[:-5000] + bytes(5000), b"", whole + b"x"):
        (tmp_path / "damaged").write_bytes(damage)
        done = there("profile", "import", tmp_path / "damaged", **SECRET)
        assert done.code == 1, done.err
        assert done.err.count("\n") == 1
        assert not there.folder.exists()
    done = bob("profile", "import", file, **SECRET)
    assert (done.code, "already" in done.err) == (2, True)
    there("profile", "import", file, **SECRET).ok()


@pytest.mark.slow
def test_the_new_place_can_have_a_passphrase_of_its_own(
    three: Three, world: World, tmp_path: Path
) -> None:
    _, alice, _ = three
    file, words = tmp_path / "alice.profile", tmp_path / "words"
    words.write_text("three blind mice\n")
    alice("profile", "export", file, "--export-passphrase-file", words).ok()
    there = Person("alice", world.folder / "there")
    there("profile", "import", file, CHATSECURE_PASSPHRASE="other", **SECRET).ok()
    assert not (there.folder / "profile.key").exists()
    assert there("history", "#lobby").code == 1
    there("history", "#lobby", CHATSECURE_PASSPHRASE="other").ok()
    for data in (file.read_bytes(), (there.folder / "profile.db").read_bytes()):
        assert b"SQLite format" not in data
        assert b"alice" not in data


@pytest.mark.slow
def test_killed_while_exporting_the_profile_is_in_use_in_one_place_or_can_be(
    met: Server, three: Three, world: World, tmp_path: Path
) -> None:
    """Whatever instant it is killed at: with a whole file, or with the profile still in use."""
    _, alice, _ = three
    for number, delay in enumerate((0.2, 0.35, 0.5, 0.65, 0.8)):
        file = tmp_path / f"export-{number}"
        process = subprocess.Popen(
            command("--profile", alice.folder, "profile", "export", file),
            env=environment(**SECRET),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            process.wait(delay)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if file.exists():
            there = Person("alice", world.folder / f"there-{number}")
            there("profile", "import", file, **SECRET).ok()
            there.send("#lobby", "here")
            assert alice("send", "#lobby", "and here").code == 4
            alice = there
        else:
            alice.send("#lobby", "still here")


@pytest.mark.parametrize("words", ["export", "import"])
def test_a_passphrase_is_never_an_argument(words: str) -> None:
    from system.conftest import run

    assert run("profile", words, "file", "--passphrase", "secret").code == 2
