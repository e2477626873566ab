"""What history shows of a file: as it truly is, also after a restart."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from chatsecure.wire.errors import Unreachable
from faults.people import full_speed, slow_line

from .conftest import Person, World
from .in_process import opened, until

Three = tuple[Person, Person, Person]


@pytest.fixture(autouse=True)
def no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHATSECURE_KEYRING", "off")


async def test_history_tells_after_a_restart_that_a_file_waits_and_why(
    three: Three, tmp_path: Path
) -> None:
    _, alice, bob = three
    big, small, folder = tmp_path / "big.bin", tmp_path / "small.bin", tmp_path / "plans"
    big.write_bytes(bytes(60_000))
    small.write_bytes(b"x")
    folder.mkdir()
    (folder / "a").write_bytes(b"a")
    async with AsyncExitStack() as stack:
        sender, reader = await opened(stack, alice.folder), await opened(stack, bob.folder)
        reader.setting("auto_save_limit", "50000")
        reader.setting("ask_first", "yes")
        for path in (big, small, folder):
            await sender.send_file("@bob", path)
        await until(lambda: reader.last_file("offered") is not None)
        await until(lambda: len(reader.history("@alice")) == 3)
    async with AsyncExitStack() as stack:
        reader = await opened(stack, bob.folder)
        lines = {line.text: line for line in reader.history("@alice")}
        assert {name: (line.held, line.held_because) for name, line in lines.items()} == {
            "big.bin": (True, "size"),
            "small.bin": (True, "stranger"),
            "plans": (True, "stranger"),
        }
        assert [name for name, line in lines.items() if line.folder] == ["plans"]
        reader.accept_file(lines["big.bin"].id)
        await until(lambda: reader.message(lines["big.bin"].id).file_state == "received")
        line = reader.message(lines["big.bin"].id)
        assert (line.held, line.held_because, line.reason, line.done) == (False, None, None, None)


async def test_history_tells_after_a_restart_how_far_a_file_came(
    three: Three, world: World, tmp_path: Path
) -> None:
    _, alice, bob = three
    path, size = tmp_path / "long.bin", 48 * 2**20
    with path.open("wb") as file:
        file.truncate(size)
    async with AsyncExitStack() as stack:
        slow = stack.enter_context(slow_line(world.server.port, bob.folder))
        sender = await opened(stack, alice.folder)
        async with AsyncExitStack() as first:
            reader = await opened(first, bob.folder)
            sending = asyncio.create_task(sender.send_file("@bob", path))
            await until(lambda: reader.last_file("receiving") is not None)
            coming = reader.last_file("receiving")
            assert coming is not None
            await until(lambda: (reader.message(coming.id).done or 0) > 5 * 2**20)
        # It is stopped on its way, and what had come of it stays.
        part = next((bob.folder / "downloads").glob(".*.part"))
        async with AsyncExitStack() as second:
            reader = await opened(second, bob.folder)
            line = reader.message(coming.id)
            assert line.file_state == "receiving"
            assert line.size == size
            assert 4 * 2**20 <= (line.done or 0) < size
            slow.do(full_speed)
            await until(lambda: reader.message(coming.id).file_state == "received")
            assert reader.message(coming.id).done is None
        assert not part.exists()
        await sending


async def test_history_tells_why_a_file_failed(three: Three, tmp_path: Path) -> None:
    _, alice, bob = three
    path = tmp_path / "report.pdf"
    path.write_bytes(bytes(100_000))
    async with AsyncExitStack() as stack:
        sender, reader = await opened(stack, alice.folder), await opened(stack, bob.folder)
        reader.setting("auto_save_limit", "1")
        id_ = await sender.send_file("@bob", path)
        await until(lambda: reader.last_file("offered") is not None)
        sender.cancel_file(id_)
        await until(lambda: reader.message(id_).file_state == "cancelled")
        assert reader.message(id_).reason
        assert not reader.message(id_).held


async def test_what_the_sender_says_of_a_file_stands_whatever_the_reader_meets_meanwhile(
    three: Three, world: World, tmp_path: Path
) -> None:
    _, alice, bob = three
    path = tmp_path / "long.bin"
    path.write_bytes(bytes(8 * 2**20))
    async with AsyncExitStack() as stack:
        stack.enter_context(slow_line(world.server.port, bob.folder))
        sender, reader = await opened(stack, alice.folder), await opened(stack, bob.folder)
        id_ = await sender.send_file("@bob", path)
        await until(lambda: reader.last_file("receiving") is not None)
        files = reader.core.files
        ((key, _),) = files._running.items()
        with reader.core.db.transaction():
            files._set(key, "failed", reason="the disk of alice broke")
        files._failed(key, Unreachable("a file connection broke"))
        line = reader.message(id_)
        assert (line.file_state, line.reason) == ("failed", "the disk of alice broke")
        assert files.next_retry() is None
