"""Files: whole, confirmed, and only with those they are for."""

import hashlib
import json
import os
import random
import signal
from pathlib import Path

import pytest

from faults.people import full_speed, slow_line

from .conftest import Person, World, eventually

Three = tuple[Person, Person, Person]


def make_file(path: Path, size: int) -> str:
    """A file of random content; gives its SHA-256."""
    content = random.Random(size).randbytes(size)
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def received(person: Person) -> list[Path]:
    folder = person.folder / "downloads"
    return sorted(folder.iterdir()) if folder.exists() else []


@pytest.mark.parametrize(
    "size", [0, 1, 5 * 2**20, pytest.param(64 * 2**20, marks=pytest.mark.slow)]
)
def test_a_file_arrives_whole_and_is_confirmed(three: Three, tmp_path: Path, size: int) -> None:
    mara, alice, bob = three
    path = tmp_path / "lecture 07.pdf"
    digest = make_file(path, size)
    listening = bob.start("listen", "--json")
    listening.line()
    done = alice("file", "@bob", path, "--wait", "received", "--timeout", "100", timeout=110).ok()
    id_ = done.out.strip()
    assert done.out.count("\n") == 1
    event = listening.event("file")
    while event["state"] != "received":
        event = listening.event("file")
    assert (event["id"], event["name"], event["size"]) == (id_, path.name, size)
    assert event["sha256"] == digest
    assert hashlib.sha256(Path(event["path"]).read_bytes()).hexdigest() == digest
    assert Path(event["path"]).parent == bob.folder / "downloads"
    assert not [e for e in mara.listen("--for", "1.5") if e["type"] == "file"]
    receipts = [e for e in alice.listen("--for", "1") if e["type"] == "receipt"]
    assert (id_, "received") in [(e["of"], e["state"]) for e in receipts]
    listening.end()


def test_a_file_to_a_room_is_received_by_every_member(three: Three, tmp_path: Path) -> None:
    mara, alice, bob = three
    path = tmp_path / "plan.txt"
    path.write_text("the plan")
    others = [mara.start("listen", "--json"), bob.start("listen", "--json")]
    for other in others:
        other.line()
    alice("file", "#lobby", path, "--wait", "received", "--timeout", "30", timeout=40).ok()
    for person in (mara, bob):
        assert [file.read_text() for file in received(person)] == ["the plan"]
    for other in others:
        other.end()


def test_an_absent_reader_gets_the_file_later(three: Three, tmp_path: Path) -> None:
    _, alice, bob = three
    path = tmp_path / "later.bin"
    digest = make_file(path, 300_000)
    done = alice("file", "@bob", path, "--wait", "received", "--timeout", "2")
    assert done.code == 7
    found = bob.listen("--for", "4")
    assert "received" in [e["state"] for e in found if e["type"] == "file"]
    assert hashlib.sha256(received(bob)[0].read_bytes()).hexdigest() == digest
    # The confirmation reaches the sender.
    assert "received" in [e["state"] for e in alice.listen("--for", "2") if e["type"] == "receipt"]


def test_no_files_and_a_folder_of_ones_own(three: Three, tmp_path: Path) -> None:
    _, alice, bob = three
    path = tmp_path / "a.txt"
    path.write_text("content")
    alice("file", "@bob", path).ok()
    states = [e["state"] for e in bob.listen("--for", "2", "--no-files") if e["type"] == "file"]
    assert states == ["offered"]
    assert received(bob) == []
    own = tmp_path / "own"
    own.mkdir()
    bob("listen", "--for", "3", "--downloads", own).ok()
    assert [file.name for file in own.iterdir()] == ["a.txt"]
    assert bob("listen", "--for", "1", "--downloads", tmp_path / "none").code == 5


def test_nothing_is_overwritten(three: Three, tmp_path: Path) -> None:
    _, alice, bob = three
    path = tmp_path / "same.txt"
    for text in ("one", "two"):
        path.write_text(text)
        alice("file", "@bob", path).ok()
        bob("listen", "--for", "3").ok()
    assert sorted(file.read_text() for file in received(bob)) == ["one", "two"]


def test_names_cannot_lead_out_of_the_folder(three: Three, tmp_path: Path) -> None:
    _, alice, bob = three
    path = tmp_path / "..\\..\\evil\x1b[31m\u202egpj.sh"
    path.write_text("x")
    alice("file", "@bob", path).ok()
    found = [e for e in bob.listen("--for", "3") if e["type"] == "file"]
    assert found
    name = found[-1]["name"]
    assert "\\" not in name
    assert "\x1b" not in name
    assert "\u202e" not in name
    assert received(bob)[0].parent == bob.folder / "downloads"


def test_files_that_cannot_be_sent(three: Three, tmp_path: Path) -> None:
    _, alice, _ = three
    assert alice("file", "@bob", tmp_path / "none").code == 5
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    assert alice("file", "@bob", fifo).code == 2
    if os.geteuid() != 0:
        locked = tmp_path / "locked"
        locked.write_text("x")
        locked.chmod(0)
        assert alice("file", "@bob", locked).code == 2


@pytest.mark.slow
def test_several_large_files_at_once(three: Three, tmp_path: Path) -> None:
    _, alice, bob = three
    sent = {}
    for number in range(5):
        path = tmp_path / f"{number}.bin"
        sent[path.name] = make_file(path, 2**24 + number)
        alice("file", "@bob", path).ok()
    bob("listen", "--for", "10", timeout=60).ok()
    found = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in received(bob)}
    assert found == sent


@pytest.mark.slow
def test_a_broken_off_file_goes_on(three: Three, world: World, tmp_path: Path) -> None:
    _, alice, bob = three
    path = tmp_path / "big.bin"
    digest = make_file(path, 48 * 2**20)
    with slow_line(world.server.port, alice.folder) as line:
        sending = alice.start("file", "@bob", path)
        blobs = world.server.data / "blobs"
        while not any(file.stat().st_size for file in blobs.rglob("*") if file.is_file()):
            assert sending.process.poll() is None
        sending.end(signal.SIGKILL)
        sending.process.communicate()
        line.do(full_speed)
        alice("file", "@bob", path, timeout=100).ok()
        bob("listen", "--for", "20", timeout=60).ok()
        files = received(bob)
        assert {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files} == {
            path.name: digest
        }


def test_a_server_that_changes_a_file_is_noticed_and_both_sides_are_told(
    three: Three, world: World, tmp_path: Path
) -> None:
    _, alice, bob = three
    path = tmp_path / "plan.bin"
    make_file(path, 5 * 2**20)
    alice("file", "@bob", path).ok()
    (blob,) = (world.server.data / "blobs").glob("??/*")
    with blob.open("r+b") as file:
        file.seek(3 * 2**20)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    listening = bob.start("listen", "--json")
    event = listening.event("file")
    while event["state"] != "failed":
        event = listening.event("file")
    assert event["reason"] == "a part of the file was changed on its way"
    listening.end()
    assert [file for file in received(bob) if not file.name.startswith(".")] == []
    told = [e for e in alice.listen("--for", "3") if e["type"] == "receipt"]
    assert "failed" in [e["state"] for e in told]


@pytest.mark.slow
def test_files_whose_sender_does_not_go_on_hold_up_no_others(
    three: Three, world: World, tmp_path: Path
) -> None:
    mara, alice, bob = three
    blobs = world.server.data / "blobs"
    with slow_line(world.server.port, alice.folder):
        for number in range(3):
            path = tmp_path / f"endless-{number}"
            with path.open("wb") as file:
                file.truncate(2**30)
            sending = alice.start("file", "@bob", path)
            eventually(lambda count=number: len([*blobs.glob("??/*")]) > count, "nothing is sent")
            sending.end(signal.SIGKILL)
            sending.process.communicate()
    path = tmp_path / "other.bin"
    make_file(path, 2 * 2**20)
    mara("file", "@bob", path).ok()
    bob("listen", "--for", "40", timeout=80).ok()
    assert "other.bin" in [file.name for file in received(bob)]


def test_the_server_keeps_no_name_and_no_content(
    three: Three, world: World, tmp_path: Path
) -> None:
    _, alice, bob = three
    path = tmp_path / "canary-file-name.txt"
    path.write_text("canary file content " * 100)
    alice("file", "@bob", path).ok()
    alice.send("@bob", "canary message")
    alice("room", "create", "#canary-room").ok()
    eventually(lambda: bool(bob.listen("--for", "1")) or True, "")
    everything = (
        b"".join(file.read_bytes() for file in world.server.data.rglob("*") if file.is_file())
        + (world.server.data.parent / "server.log").read_bytes()
    )
    assert b"alice" in everything
    assert b"canary" not in everything


def test_a_folder_arrives_with_all_that_is_in_it(three: Three, tmp_path: Path) -> None:
    _, alice, bob = three
    folder = tmp_path / "photos"
    (folder / "2026" / "empty").mkdir(parents=True)
    digest = make_file(folder / "2026" / "one.jpg", 5 * 2**20)
    (folder / "list.txt").write_text("one")
    (folder / "link").symlink_to("/etc/passwd")
    for _ in range(2):
        done = alice("file", "@bob", folder).ok()
        assert "link" in done.err
    events = [e for e in bob.listen("--for", "6", timeout=60) if e["type"] == "file"]
    assert [Path(e["path"]).name for e in events if e["state"] == "received"] == [
        "photos",
        "photos (2)",
    ]
    assert all(e["folder"] for e in events)
    for event in (e for e in events if e["state"] == "received"):
        there = Path(event["path"])
        assert sorted(path.relative_to(there).as_posix() for path in there.rglob("*")) == [
            "2026", "2026/empty", "2026/one.jpg", "list.txt",
        ]  # fmt: skip
        assert hashlib.sha256((there / "2026" / "one.jpg").read_bytes()).hexdigest() == digest
    assert {path.name for path in (bob.folder / "downloads").iterdir()} == {"photos", "photos (2)"}


def test_several_files_go_with_one_command(three: Three, tmp_path: Path) -> None:
    _, alice, bob = three
    paths = [tmp_path / f"{number}.txt" for number in range(20)]
    for path in paths:
        path.write_text(path.name)
    done = alice("file", "@bob", *paths).ok()
    assert len(done.out.split()) == 20
    bob.listen("--for", "5", timeout=60)
    assert {path.name: path.read_text() for path in received(bob)} == {
        path.name: path.name for path in paths
    }


def test_json_of_a_file(three: Three, tmp_path: Path) -> None:
    _, alice, _ = three
    path = tmp_path / "a"
    path.write_bytes(b"1")
    record = json.loads(alice("file", "--json", "@bob", path).ok().out)
    assert record["state"] == "stored"
