"""Files, and what people say to them: accept, decline, cancel, ask first; and who hears of it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from chatsecure.client.client import Client
from chatsecure.client.events import Event, FileEvent, ReceiptEvent
from chatsecure.client.profile.folder import open_profile
from chatsecure.wire.errors import NotFound, Usage
from faults.people import slow_line

from .conftest import PATIENCE_S, Person, World, eventually

Three = tuple[Person, Person, Person]


@pytest.fixture(autouse=True)
def no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHATSECURE_KEYRING", "off")


class Face:
    """Somebody's running client, and all it has told."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.events: list[Event] = []

    async def watch(self) -> None:
        async for event in self.client.events():
            self.events.append(event)

    async def until(self, wanted: Callable[[Event], bool]) -> Any:
        """Wait for an event; gives it."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for event in self.events:
                    if wanted(event):
                        return event
                await asyncio.sleep(0.02)

    async def file(self, state: str) -> FileEvent:
        """Wait until a file that comes is in a state."""
        return await self.until(
            lambda e: isinstance(e, FileEvent) and e.state == state and not e.mine
        )

    async def receipt(self, state: str) -> ReceiptEvent:
        """Wait until somebody says something of a file of ours."""
        return await self.until(
            lambda e: isinstance(e, ReceiptEvent) and e.state == state and e.name is not None
        )


@contextlib.asynccontextmanager
async def online(person: Person, **more: Any) -> AsyncIterator[Face]:
    profile = open_profile(person.folder)
    try:
        async with Client(profile, **more) as client:
            face = Face(client)
            watching = asyncio.create_task(face.watch())
            try:
                await client.ready(PATIENCE_S)
                yield face
            finally:
                watching.cancel()
    finally:
        profile.close()


def make(path: Path, size: int = 100_000) -> Path:
    path.write_bytes(b"\xa5" * size)
    return path


async def test_the_sender_hears_who_has_a_file_and_how_many_of_a_room(
    three: Three, tmp_path: Path
) -> None:
    mara, alice, bob = three
    async with online(mara) as owner, online(alice) as sender, online(bob):
        await sender.client.send_file("@bob", make(tmp_path / "report.pdf"))
        told = await sender.receipt("received")
        assert (told.name, told.sender, told.have, told.people) == ("report.pdf", "bob", 1, 1)
        id_ = await owner.client.send_file("#lobby", make(tmp_path / "plan.txt"))
        both = await owner.until(
            lambda e: isinstance(e, ReceiptEvent) and e.of == id_ and e.have == 2
        )
        assert both.people == 2


async def test_a_file_above_the_limit_waits_until_it_is_accepted(
    three: Three, tmp_path: Path
) -> None:
    _, alice, bob = three
    async with online(alice) as sender, online(bob) as reader:
        reader.client.setting("auto_save_limit", "50000")
        id_ = await sender.client.send_file("@bob", make(tmp_path / "big.bin"))
        offered = await reader.file("offered")
        assert offered.held
        await sender.client.send_file("@bob", make(tmp_path / "small.bin", 50_000))
        assert (await reader.file("received")).name == "small.bin"
        reader.client.accept_file(id_)
        await reader.until(
            lambda e: isinstance(e, FileEvent) and e.id == id_ and e.state == "received"
        )
        reader.client.accept_file(id_)
        with pytest.raises(Usage):
            reader.client.decline_file(id_)


async def test_files_of_strangers_wait_where_the_person_wants_it(
    three: Three, tmp_path: Path
) -> None:
    _, alice, bob = three
    async with online(alice) as sender, online(bob) as reader:
        reader.client.setting("ask_first", "yes")
        await sender.client.send_file("@bob", make(tmp_path / "one"))
        assert (await reader.file("offered")).held
        await reader.client.send("@alice", "hello, who are you?")
        await sender.client.send_file("@bob", make(tmp_path / "two"))
        assert (await reader.file("received")).name == "two"


async def test_a_declined_file_is_not_fetched_and_its_sender_is_told(
    three: Three, world: World, tmp_path: Path
) -> None:
    _, alice, bob = three
    async with online(alice) as sender, online(bob) as reader:
        reader.client.setting("auto_save_limit", "1")
        id_ = await sender.client.send_file("@bob", make(tmp_path / "unwanted"))
        await reader.file("offered")
        reader.client.decline_file(id_)
        assert (await reader.file("declined")).id == id_
        told = await sender.receipt("declined")
        assert (told.of, told.sender, told.name) == (id_, "bob", "unwanted")
        assert not list((bob.folder / "downloads").glob("*"))
        blobs = world.server.data / "blobs"
        await asyncio.to_thread(
            eventually, lambda: not any(path.is_file() for path in blobs.rglob("*")), "it is kept"
        )


async def test_a_file_that_its_sender_takes_back_cannot_be_had_any_more(
    three: Three, tmp_path: Path
) -> None:
    _, alice, bob = three
    async with online(alice) as sender, online(bob) as reader:
        reader.client.setting("auto_save_limit", "1")
        id_ = await sender.client.send_file("@bob", make(tmp_path / "a"))
        await reader.file("offered")
        sender.client.cancel_file(id_)
        assert (await reader.file("cancelled")).reason
        with pytest.raises(Usage, match="taken"):
            reader.client.accept_file(id_)


async def test_a_file_can_be_stopped_while_it_comes(
    three: Three, world: World, tmp_path: Path
) -> None:
    _, alice, bob = three
    path = tmp_path / "long.bin"
    with path.open("wb") as file:
        file.truncate(120 * 2**20)
    with slow_line(world.server.port, alice.folder, bob.folder):
        async with online(alice) as sender, online(bob) as reader:
            sending = asyncio.create_task(sender.client.send_file("@bob", path))
            coming = await reader.file("receiving")
            assert coming.id is not None
            await reader.until(lambda e: isinstance(e, FileEvent) and (e.done or 0) > 0)
            reader.client.cancel_file(coming.id)
            assert (await sender.receipt("cancelled")).sender == "bob"
            assert not list((bob.folder / "downloads").iterdir())
            progress = [e.done for e in sender.events if isinstance(e, FileEvent) and e.done]
            assert progress == sorted(progress)
            sender.client.cancel_file(coming.id)
            with pytest.raises(Exception, match="not sent"):
                await sending


async def test_only_files_there_are_can_be_accepted(three: Three, tmp_path: Path) -> None:
    _, alice, _ = three
    async with online(alice) as sender:
        with pytest.raises(NotFound):
            sender.client.accept_file("00" * 16)
        with pytest.raises(NotFound):
            sender.client.find_file("zz")
        id_ = await sender.client.send_file("@bob", make(tmp_path / "a"))
        assert sender.client.find_file(id_[:6]) == id_
        with pytest.raises(Usage):
            sender.client.accept_file(id_)
