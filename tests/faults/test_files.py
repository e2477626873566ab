"""Files in bad times: cut, killed, a full disk, a server that has let go; many large at once."""

import asyncio
import hashlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from chatsecure.client.client import Client
from chatsecure.client.events import FileEvent, ReceiptEvent
from system.conftest import PATIENCE_S, Person, Running, World, eventually, start_server
from system.in_process import opened, until

from .people import full_speed, slow_line
from .test_disk import MIB, fill, small_disk

Three = tuple[Person, Person, Person]


@pytest.fixture(autouse=True)
def no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHATSECURE_KEYRING", "off")


def tree_of(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def make_folder(folder: Path, count: int, size: int) -> Path:
    rng = random.Random(count)
    for number in range(count):
        path = folder / f"{number % 7}" / f"{number}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rng.randbytes(size))
    return folder


def bytes_in(folder: Path, pattern: str) -> int:
    return sum(path.stat().st_blocks * 512 for path in folder.glob(pattern) if path.is_file())


# --- folders ---------------------------------------------------------------------------------


@pytest.mark.parametrize("victim", ["sender", "reader", "server"])
def test_a_folder_cut_and_killed_on_its_way_arrives_with_all_that_is_in_it(
    three: Three, world: World, tmp_path: Path, victim: str
) -> None:
    _, alice, bob = three
    folder = make_folder(tmp_path / "plans", 40, 4 * MIB)
    downloads, blobs = bob.folder / "downloads", world.server.data / "blobs"
    with slow_line(world.server.port, alice.folder) as line:
        sending = alice.start("file", "@bob", folder)
        reading = bob.start("listen")
        if victim == "sender":
            eventually(lambda: bytes_in(blobs, "??/*") > 6 * MIB, "nothing is sent")
            kill(sending)
        elif victim == "reader":
            eventually(lambda: bytes_in(downloads, ".*.part") > 6 * MIB, "nothing comes")
            kill(reading)
            # What a power loss may leave: an archive half unpacked.
            part = next(downloads.glob(".*.part"))
            part.with_suffix(".folder").mkdir()
            (part.with_suffix(".folder") / "half").write_bytes(b"x")
        else:
            eventually(lambda: bytes_in(downloads, ".*.part") > 6 * MIB, "nothing comes")
            world.server.process.kill()
            world.server.process.wait()
            world.server.restart()
        line.do(full_speed)
        if victim == "sender":
            alice("file", "@bob", folder, timeout=100).ok()
        elif victim == "reader":
            reading = bob.start("listen")
        eventually(lambda: (downloads / "plans").exists(), "it did not arrive", 120)
        assert tree_of(downloads / "plans") == tree_of(folder)
        eventually(lambda: not list(downloads.glob(".*")), "something is left of it")
        assert [path.name for path in downloads.iterdir()] == ["plans"]
        assert reading.end() == 0


def kill(running: Running) -> None:
    running.process.send_signal(signal.SIGKILL)
    running.process.communicate()


# --- a disk that fills up while it is written to ---------------------------------------------


async def test_a_disk_that_fills_up_while_a_file_comes_is_told_to_both_and_it_goes_on_later(
    three: Three, world: World, tmp_path: Path
) -> None:
    _, alice, bob = three
    path = tmp_path / "big.bin"
    path.write_bytes(os.urandom(80 * MIB))
    with small_disk(tmp_path / "disk", 100) as disk:
        async with AsyncExitStack() as stack:
            slow = stack.enter_context(slow_line(world.server.port, bob.folder))
            sender = await opened(stack, alice.folder)
            reader = await opened(stack, bob.folder)
            reader.setting("downloads", str(disk))
            told: list[str] = []
            sender.core.listeners.append(
                lambda event: (
                    told.append(f"{event.state} {event.reason}")
                    if isinstance(event, ReceiptEvent) and event.name
                    else None
                )
            )
            sending = asyncio.create_task(sender.send_file("@bob", path))
            await until(lambda: bytes_in(disk, ".*.part") > 5 * MIB)
            filler = await asyncio.to_thread(fill, disk)
            await until(lambda: reader.last_file("failed") is not None)
            line = reader.last_file("failed")
            assert line is not None
            assert line.reason == "the disk is full"
            assert 0 < (line.done or 0) < path.stat().st_size
            await until(lambda: "failed the disk is full" in told)
            filler.unlink()
            slow.do(full_speed)
            reader.accept_file(line.id)
            await until(lambda: reader.message(line.id).file_state == "received")
            await sending
            await until(lambda: "received None" in told)
        assert (disk / "big.bin").read_bytes() == path.read_bytes()


# --- what is not there any more --------------------------------------------------------------


async def heard(client: Client, id_: str, state: str) -> FileEvent:
    """Wait until a file is in a state, and give what was said of it."""
    async with asyncio.timeout(PATIENCE_S):
        async for event in client.events():
            if isinstance(event, FileEvent) and event.id == id_ and event.state == state:
                return event
    raise AssertionError


async def test_a_file_that_was_declined_and_is_gone_is_told_so_when_it_is_accepted_after_all(
    three: Three, world: World, tmp_path: Path
) -> None:
    _, alice, bob = three
    (tmp_path / "report.pdf").write_bytes(os.urandom(100_000))
    async with AsyncExitStack() as stack:
        sender, reader = await opened(stack, alice.folder), await opened(stack, bob.folder)
        reader.setting("auto_save_limit", "1")
        id_ = await sender.send_file("@bob", tmp_path / "report.pdf")
        await until(lambda: reader.last_file("offered") is not None)
        reader.decline_file(id_)
        await until(lambda: not bytes_in(world.server.data / "blobs", "??/*"), "it is kept")
        reader.accept_file(id_)
        said = await heard(reader, id_, "failed")
        assert said.reason == (
            "the server does not have this file any more; its sender may send it again"
        )
        assert reader.message(id_).reason == said.reason
        # And again: it says so each time.
        reader.accept_file(id_)
        await until(lambda: reader.message(id_).reason == said.reason)
        await until(lambda: not list((bob.folder / "downloads").iterdir()), "a part is left")
        # Sent again it comes.
        again = await sender.send_file("@bob", tmp_path / "report.pdf")
        await until(lambda: reader.last_file("offered") is not None)
        reader.accept_file(again)
        await until(lambda: reader.message(again).file_state == "received")


async def test_a_file_declined_in_a_room_where_others_wait_for_it_can_be_had_after_all(
    three: Three, tmp_path: Path
) -> None:
    _, alice, bob = three
    (tmp_path / "plan.pdf").write_bytes(os.urandom(100_000))
    async with AsyncExitStack() as stack:
        sender, reader = await opened(stack, alice.folder), await opened(stack, bob.folder)
        reader.setting("auto_save_limit", "1")
        id_ = await sender.send_file("#lobby", tmp_path / "plan.pdf")
        await until(lambda: reader.last_file("offered") is not None)
        reader.decline_file(id_)
        reader.accept_file(id_)
        await until(lambda: reader.message(id_).file_state == "received")


async def test_a_file_whose_time_on_the_server_is_over_is_told_so(
    three: Three, world: World, tmp_path: Path
) -> None:
    _, alice, bob = three
    old = world.server
    old.stop()
    more = ("--limit", "retention_s=3")
    world.server.process = start_server(
        old.data, old.engine, old.address, *more, owner=False
    ).process
    (tmp_path / "old.pdf").write_bytes(os.urandom(100_000))
    async with AsyncExitStack() as stack:
        sender, reader = await opened(stack, alice.folder), await opened(stack, bob.folder)
        reader.setting("auto_save_limit", "1")
        id_ = await sender.send_file("@bob", tmp_path / "old.pdf")
        await until(lambda: reader.last_file("offered") is not None)
        blobs = old.data / "blobs"
        await asyncio.to_thread(eventually, lambda: not bytes_in(blobs, "??/*"), "it is kept", 120)
        reader.accept_file(id_)
        assert "does not have this file any more" in str(
            (await heard(reader, id_, "failed")).reason
        )


# --- what changes while it is sent -----------------------------------------------------------


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x")


def reason_of_last(client: Client) -> str:
    line = client.last_file("failed")
    return (line.reason or "") if line is not None else ""


CHANGES: dict[str, Callable[[Path], object]] = {
    "grows": grow,
    "shrinks": lambda path: os.truncate(path, 10),
    "vanishes": lambda path: path.unlink(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
async def test_a_file_that_changes_while_it_is_sent_is_told_to_both_and_leaves_nothing(
    three: Three, world: World, tmp_path: Path, change: Callable[[Path], object]
) -> None:
    _, alice, bob = three
    path = tmp_path / "log.txt"
    with path.open("wb") as file:
        file.truncate(120 * MIB)
    async with AsyncExitStack() as stack:
        stack.enter_context(slow_line(world.server.port, alice.folder))
        sender, reader = await opened(stack, alice.folder), await opened(stack, bob.folder)
        sending = asyncio.create_task(sender.send_file("@bob", path))
        await until(lambda: reader.last_file("receiving") is not None, "it comes")
        change(path)
        with pytest.raises(Exception, match=r"changed|there is no file|cannot be read"):
            await sending
        # Whatever the reader notices first, it is what the sender says that stays.
        await until(lambda: "log.txt" in reason_of_last(reader))
        assert str(tmp_path) not in reason_of_last(reader)
        await until(lambda: not bytes_in(world.server.data / "blobs", "??/*"), "it is kept")
        await until(lambda: not list((bob.folder / "downloads").iterdir()), "a part is left")


# --- many large ones at once -----------------------------------------------------------------


class Peak(threading.Thread):
    """The most memory a process has had."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._status = Path(f"/proc/{pid}/status")
        self.mib = 0

    def run(self) -> None:
        while True:
            try:
                lines = self._status.read_text().splitlines()
            except OSError:
                return
            for line in lines:
                if line.startswith("VmHWM"):
                    self.mib = int(line.split()[1]) // 1024
            time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_large_files_sent_at_once_all_move_and_need_little_memory(
    three: Three, world: World, tmp_path: Path
) -> None:
    _, alice, bob = three
    size = 200 * MIB
    paths = [tmp_path / f"{number}.bin" for number in range(4)]
    for path in paths:
        with path.open("wb") as file:
            file.truncate(size)
    blobs, downloads = world.server.data / "blobs", bob.folder / "downloads"
    reading = bob.start("listen")
    sending = alice.start("file", "@bob", *paths)
    peaks = [Peak(one.pid) for one in (sending.process, reading.process, world.server.process)]
    for peak in peaks:
        peak.start()
    together = 0
    while sending.process.poll() is None:
        moving = [path for path in blobs.glob("??/*") if 0 < path.stat().st_size < size]
        together = max(together, len(moving))
        time.sleep(0.02)
    assert sending.process.returncode == 0
    assert together == len(paths)
    eventually(lambda: len([*downloads.glob("?.bin")]) == len(paths), "not all came", 120)
    assert reading.end() == 0
    sender, reader, server = (peak.mib for peak in peaks)
    print(f"sender {sender} MiB, reader {reader} MiB, server {server} MiB")
    assert sender <= 150
    assert reader <= 150
    assert server <= 120
