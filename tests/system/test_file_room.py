"""Room for files: what a server takes, when it lets go, and a reader's disk that is full."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatsecure.client.client import Client
from chatsecure.client.events import FileEvent
from chatsecure.client.profile.folder import open_profile
from faults.people import slow_line

from .conftest import Person, Server, World, eventually, start_server

Three = tuple[Person, Person, Person]


def limited(server: Server, **limits: int) -> None:
    """Start a server anew with other limits."""
    server.stop()
    more = [part for name, value in limits.items() for part in ("--limit", f"{name}={value}")]
    there = start_server(server.data, server.engine, server.address, *more, owner=False)
    server.process = there.process


def blobs(world: World) -> list[Path]:
    return [path for path in (world.server.data / "blobs").rglob("*") if path.is_file()]


def make(path: Path, size: int) -> Path:
    path.write_bytes(os.urandom(size))
    return path


def test_a_blob_goes_when_everybody_has_it(three: Three, world: World, tmp_path: Path) -> None:
    mara, alice, bob = three
    alice("file", "#lobby", make(tmp_path / "a", 100_000)).ok()
    bob.listen("--for", "3")
    alice.listen("--for", "1")
    assert len(blobs(world)) == 1
    mara.listen("--for", "3")
    alice.listen("--for", "1")
    eventually(lambda: not blobs(world), "the server keeps what everybody has")


def test_quotas_of_a_user_and_of_the_server(three: Three, world: World, tmp_path: Path) -> None:
    _, alice, bob = three
    limited(world.server, user_blob_bytes=300_000, blob_bytes=250_000)
    alice("file", "@bob", make(tmp_path / "a", 200_000)).ok()
    for name, size in (("b", 200_000), ("c", 260_000)):
        done = alice("file", "@bob", make(tmp_path / name, size))
        assert done.code == 4
    limited(world.server, total_blob_bytes=300_000)
    done = alice("file", "@bob", make(tmp_path / "d", 200_000))
    assert done.code == 4
    assert "no room" in done.err
    # Nobody hears of a file that the server did not take.
    names = {event["name"] for event in bob.listen("--for", "3") if event["type"] == "file"}
    assert names == {"a"}


def test_an_upload_that_nobody_goes_on_with_expires(
    three: Three, world: World, tmp_path: Path
) -> None:
    _, alice, _ = three
    limited(world.server, upload_idle_s=2)
    path = tmp_path / "big"
    with path.open("wb") as file:
        file.truncate(2**30)
    with slow_line(world.server.port, alice.folder):
        sending = alice.start("file", "@bob", path)
        eventually(lambda: bool(blobs(world)), "nothing is sent")
        sending.end(signal.SIGKILL)
    eventually(lambda: not blobs(world), "the unfinished upload is kept", patience=90)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if not hasattr(os, "geteuid") or os.geteuid() or subprocess.run(mount, check=False).returncode:
        pytest.skip("only who may mount a disk can fill one")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)


async def test_a_full_disk_is_told_and_the_file_comes_when_there_is_room(
    three: Three, small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHATSECURE_KEYRING", "off")
    _, alice, bob = three
    id_ = alice("file", "@bob", make(tmp_path / "big", 12 * 2**20)).ok().out.strip()
    profile = open_profile(bob.folder)
    async with Client(profile, downloads=small_disk) as client:
        async for event in client.events():
            if isinstance(event, FileEvent) and event.state == "failed":
                assert "room" in (event.reason or "")
                remount = ["mount", "-o", "remount,size=64m", str(small_disk)]
                await asyncio.to_thread(subprocess.run, remount, check=True)
                client.accept_file(id_)
            if isinstance(event, FileEvent) and event.state == "received":
                break
    profile.close()
    assert (small_disk / "big").read_bytes() == (tmp_path / "big").read_bytes()
    told = [event["state"] for event in alice.listen("--for", "2") if event["type"] == "receipt"]
    assert told.index("failed") < told.index("received")
