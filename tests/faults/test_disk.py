"""Disks that are full or take no more; clients that are killed at any instant."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from system.conftest import Person, Server, eventually, run, start_server

from .people import ONE_OF_BOTH

Three = tuple[Person, Person, Person]
MIB = 1024 * 1024


@contextlib.contextmanager
def small_disk(where: Path, mib: int) -> Iterator[Path]:
    """A disk of so many MiB."""
    where.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", where],
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip("a small disk can be mounted by root only")
    try:
        yield where
    finally:
        subprocess.run(["umount", "-l", where], check=True)


def fill(disk: Path) -> Path:
    """Use up what is left."""
    filler = disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return filler


@pytest.mark.parametrize("engine", ONE_OF_BOTH)
def test_a_server_whose_disk_is_full_refuses_loses_nothing_and_goes_on_when_there_is_room(
    met: Server, tmp_path: Path, engine: str
) -> None:
    shutil.copytree(met.data.parent, tmp_path, dirs_exist_ok=True)
    alice, bob = (Person(name, tmp_path / f"person-{name}") for name in ("alice", "bob"))
    with small_disk(tmp_path / "disk", 8) as disk:
        shutil.copytree(tmp_path / "server", disk / "server")
        server = start_server(disk / "server", engine, met.address, owner=False)
        try:
            alice.send("@bob", "before")
            filler = fill(disk)
            # A log that is ahead may still take a few.
            kept = ["before"]
            for number in range(400):
                done = alice("send", "@bob", f"full {number}", "--timeout", "3")
                if done.code != 0:
                    break
                kept.append(f"full {number}")
            assert done.code == 7, done.err
            assert "queued" in done.err
            assert server.process.poll() is None
            assert bob.texts() == kept
            filler.unlink()
            alice.send("@bob", "after")
            assert bob.texts() == [f"full {number}", "after"]
        finally:
            server.stop(signal.SIGKILL)


def test_a_client_whose_disk_is_full_says_so_and_loses_nothing(
    three: Three, tmp_path: Path
) -> None:
    _, alice, bob = three
    with small_disk(tmp_path / "disk", 4) as disk:
        shutil.copytree(bob.folder, disk / "bob")
        there = Person("bob", disk / "bob")
        there.send("@alice", "before")
        filler = fill(disk)
        texts = [f"{number} " + "x" * 60_000 for number in range(4)]
        for text in texts:
            alice.send("@bob", text)
        done = there("listen", "--json", "--for", "2")
        filler.unlink()
        heard = [event["text"] for event in done.records if event.get("type") == "message"]
        heard += there.texts()
        assert heard == texts
        there.send("@alice", "after")
    assert alice.texts() == ["before", "after"]


def limit_files(server: Server, most: str) -> None:
    """The server may write no file beyond so many bytes."""
    pid = str(server.process.pid)
    subprocess.run(["prlimit", f"--fsize={most}:", "--pid", pid], check=True)


@pytest.mark.skipif(shutil.which("prlimit") is None, reason="needs prlimit")
@pytest.mark.parametrize("engine", ONE_OF_BOTH)
def test_a_server_whose_disk_turns_read_only_refuses_and_recovers(
    met: Server, tmp_path: Path, engine: str
) -> None:
    shutil.copytree(met.data.parent, tmp_path, dirs_exist_ok=True)
    alice, bob = (Person(name, tmp_path / f"person-{name}") for name in ("alice", "bob"))
    with small_disk(tmp_path / "disk", 64) as disk:
        shutil.copytree(tmp_path / "server", disk / "server")
        server = start_server(disk / "server", engine, met.address, owner=False)
        try:
            alice.send("@bob", "before")
            # Files that are open for writing keep a mount from turning read-only: a limit on the
            # size of files does the same to the process.
            limit_files(server, "1")
            done = alice("send", "@bob", "in between", "--timeout", "3")
            assert done.code == 7, done.err
            assert server.process.poll() is None
            limit_files(server, "unlimited")
            alice.send("@bob", "after")
            assert bob.texts() == ["before", "in between", "after"]
        finally:
            server.stop(signal.SIGKILL)


@contextlib.contextmanager
def failing_disk(folder: Path, mib: int) -> Iterator[Path]:
    """A file system of its own that turns read-only at an error, as those of real machines do."""
    image, where = folder / "image", folder / "disk"
    where.mkdir()
    with image.open("wb") as file:
        file.truncate(mib * MIB)
    try:
        subprocess.run(["mkfs.ext4", "-q", image], check=True, capture_output=True)
        mount(image, where)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a file system can be made and mounted by root only")
    try:
        yield where
    finally:
        subprocess.run(["umount", "-l", where], check=True)


def mount(image: Path, where: Path, *more: str) -> None:
    options = ",".join(["loop", "errors=remount-ro", *more])
    subprocess.run(["mount", "-o", options, image, where], check=True, capture_output=True)


def fails(disk: Path) -> None:
    """The file system meets an error: from now on nothing can be written, open files included."""
    device = subprocess.run(
        ["findmnt", "-n", "-o", "SOURCE", disk], check=True, capture_output=True, text=True
    ).stdout.strip()
    assert device.startswith("/dev/loop"), f"{device} is not ours to break"
    trigger = Path("/sys/fs/ext4") / Path(device).name / "trigger_fs_error"
    try:
        trigger.write_text("1")
    except OSError:
        pytest.skip("this system lets nobody cause an error of a file system")


@pytest.mark.parametrize("engine", ONE_OF_BOTH)
def test_a_server_whose_file_system_fails_and_turns_read_only_lies_to_nobody_and_comes_back(
    met: Server, tmp_path: Path, engine: str
) -> None:
    """While it is read-only nothing is confirmed, and what is there can be read; after a repair and
    a restart everything that was confirmed is there, and what was queued arrives."""
    shutil.copytree(met.data.parent, tmp_path, dirs_exist_ok=True)
    alice, bob = (Person(name, tmp_path / f"person-{name}") for name in ("alice", "bob"))
    with failing_disk(tmp_path, 64) as disk:
        shutil.copytree(tmp_path / "server", disk / "server")
        subprocess.run(["sync", "-f", disk], check=True)
        server = start_server(disk / "server", engine, met.address, owner=False)
        try:
            for number in range(3):
                alice.send("@bob", f"before {number}")
            fails(disk)
            done = alice("send", "@bob", "in between", "--timeout", "3")
            assert done.code == 7, done.err
            assert "queued" in done.err
            assert server.process.poll() is None
            assert bob.texts() == [f"before {number}" for number in range(3)]
        finally:
            server.stop(signal.SIGKILL)
        subprocess.run(["umount", disk], check=True)
        # 1: errors were corrected.
        repaired = subprocess.run(["e2fsck", "-fy", tmp_path / "image"], capture_output=True)
        assert repaired.returncode in (0, 1), repaired.stdout
        mount(tmp_path / "image", disk)
        server.restart()
        try:
            alice.send("@bob", "after")
            assert bob.texts() == ["in between", "after"]
        finally:
            server.stop(signal.SIGKILL)


def test_what_lies_on_a_disk_mounted_read_only_is_refused_with_a_clear_sentence(
    met: Server, tmp_path: Path
) -> None:
    shutil.copytree(met.data.parent, tmp_path, dirs_exist_ok=True)
    with small_disk(tmp_path / "disk", 32) as disk:
        shutil.copytree(tmp_path / "server", disk / "server")
        shutil.copytree(tmp_path / "person-bob", disk / "bob")
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        done = run("serve", "--data", disk / "server", "--listen", "127.0.0.1:0")
        assert done.code == 1
        assert "read-only" in done.err.lower() or "cannot be written" in done.err, done.err
        done = Person("bob", disk / "bob")("send", "@alice", "hello")
        assert done.code == 1, done.err
        assert "read-only" in done.err.lower() or "cannot be written" in done.err, done.err


@pytest.mark.parametrize("cycles", [6, pytest.param(60, marks=pytest.mark.slow)])
def test_a_client_killed_at_random_instants_shows_everything_and_at_most_its_last_line_again(
    three: Three, cycles: int
) -> None:
    """An event counts as taken when the next one is asked for: what was printed last before a kill
    may be printed once more, nothing is left out, and the profile holds each message once."""
    _, alice, bob = three
    chance = random.Random(3)
    chat = alice.start("cli")
    chat.line()
    sent, heard = 0, []
    for _ in range(cycles):
        # Nothing is read before the kill: all that it printed stands in the pipe then.
        listening = bob.start("listen", "--json")
        for _ in range(20):
            chat.type(f"@bob {sent}")
            sent += 1
        time.sleep(0.5 + chance.random())
        listening.process.send_signal(signal.SIGKILL)
        out, _ = listening.process.communicate(timeout=20)
        run = texts_of(out)
        if heard and run and run[0] == heard[-1]:
            run = run[1:]
        heard += run
    assert chat.ended()[0] == 0

    def rest() -> bool:
        found = bob.texts()
        heard.extend(found[1:] if heard and found and found[0] == heard[-1] else found)
        return len(heard) >= sent

    eventually(rest, "something did not arrive")
    assert heard == [str(number) for number in range(sent)]
    lines = bob("history", "@alice", "--json", "--last", str(sent * 2)).ok().records
    assert [line["text"] for line in lines] == heard


def texts_of(out: str) -> list[str]:
    """The texts in what `listen --json` printed; a line may be cut short by the kill."""
    import json

    found = []
    for line in out.splitlines():
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            if event.get("type") == "message":
                found.append(event["text"])
    return found


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_sender_killed_at_random_instants_sends_each_message_once(three: Three) -> None:
    _, alice, bob = three
    chance = random.Random(4)
    acknowledged = []
    for number in range(8):
        process = alice.start("send", "@bob", f"text {number}").process
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.3 + chance.random() * 0.5)
        process.kill()
        if process.wait(20) == 0:
            acknowledged.append(f"text {number}")
        process.communicate()
    alice.send("@bob", "the last one")
    heard = bob.texts("--for", "3")
    assert heard[-1] == "the last one"
    assert len(set(heard)) == len(heard)
    assert set(acknowledged) <= set(heard)
    assert heard[:-1] == sorted(heard[:-1], key=lambda text: int(text.split()[1]))
