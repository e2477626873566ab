"""The demo's three people and the scene they play: each step is checked.

The three are real clients with profiles of their own. Those who should see a step do, and nobody
else.
"""

import asyncio
import contextlib
import hashlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from chatsecure.cli.human import size_text
from chatsecure.cli.output import Output
from chatsecure.client.client import Client
from chatsecure.client.events import Event, FileEvent, MessageEvent, PresenceEvent, ReceiptEvent
from chatsecure.client.joining import join
from chatsecure.client.profile.folder import Profile
from chatsecure.wire.errors import Unreachable

from .server import START_TIMEOUT_S, Found, Server

SEEN_TIMEOUT_S = 10.0
QUIET_S = 0.1
"""How long we look whether somebody sees what is not meant for them."""
FILE_BYTES = 213_000
FILE_NAME = "note.pdf"
FILE_PHRASE = "The doctor's note says: two weeks at home, nobody else need know."
SCENE_STEPS = 7


@dataclass(slots=True)
class Person:
    """One of the three, with a client of their own."""

    name: str
    client: Client
    profile: Profile
    seen: list[Event] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    watching: asyncio.Task[None] | None = None

    async def watch(self) -> None:
        """Note everything that this person's client tells."""
        async for event in self.client.events():
            self.seen.append(event)
            self.changed.set()

    def saw(self, what: Callable[[Event], bool]) -> bool:
        """Whether there was such an event."""
        return any(map(what, self.seen))

    async def sees(self, what: Callable[[Event], bool]) -> bool:
        """Wait for such an event; False if it does not come."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SEEN_TIMEOUT_S):
                while not self.saw(what):
                    self.changed.clear()
                    await self.changed.wait()
        return self.saw(what)

    async def leave(self) -> None:
        """Close the client."""
        if self.watching is not None:
            self.watching.cancel()
            await asyncio.gather(self.watching, return_exceptions=True)
            self.watching = None
            await self.client.__aexit__(None, None, None)
            self.profile.close()


@contextlib.asynccontextmanager
async def three(folder: Path, server: Server) -> AsyncIterator[dict[str, Person]]:
    people: dict[str, Person] = {}
    try:
        mara = await _enter(folder, "mara", server.link)
        people["mara"] = mara
        link = await mara.client.invite(uses=2)
        for name in ("alice", "bob"):
            people[name] = await _enter(folder, name, link)
        for person in people.values():
            if not await _knows_all(person):
                raise Unreachable(f"{person.name} does not see the others")
        yield people
    finally:
        for person in people.values():
            await person.leave()


async def _enter(folder: Path, name: str, link: str) -> Person:
    profile = await join(folder / name, link, name, timeout=START_TIMEOUT_S)
    client = Client(profile)
    person = Person(name, client, profile)
    await client.__aenter__()
    person.watching = asyncio.create_task(person.watch())
    await client.ready(START_TIMEOUT_S)
    return person


async def _knows_all(person: Person) -> bool:
    """Wait until a person's client has everybody in `#lobby`."""
    for _ in range(int(SEEN_TIMEOUT_S / QUIET_S)):
        if len(person.client.room("#lobby").people) == 3:
            return True
        await asyncio.sleep(QUIET_S)
    return False


# --- the scene -------------------------------------------------------------------------------


class Scene:
    """The steps as they are played, and how they went.

    Args:
        pause: seconds between the steps, for who looks on.
        leaving: closes what else somebody has open before they leave.
    """

    def __init__(
        self,
        people: dict[str, Person],
        output: Output,
        *,
        pause: float = 0.0,
        leaving: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        self.people = people
        self._pause, self._leaving = pause, leaving
        self.needles: dict[str, bytes] = {}
        """What must not be found at the server."""
        self.good: list[bool] = []
        self._output = output

    async def seen_by(self, expected: set[str], what: Callable[[Event], bool]) -> set[str]:
        """Who has seen it, once those have who should."""
        await asyncio.gather(*(self.people[name].sees(what) for name in sorted(expected)))
        await asyncio.sleep(QUIET_S)
        return {name for name, person in self.people.items() if person.saw(what)}

    async def breath(self) -> None:
        """Let a person follow."""
        if self._pause:
            await asyncio.sleep(self._pause)

    def tell(self, who: str, what: str, result: str, *, good: bool, seen: set[str]) -> None:
        """Print a step."""
        self.good.append(good)
        number = len(self.good)
        if self._output.json:
            self._output.record(
                {"step": number, "who": who, "what": what, "result": result,
                 "seen_by": sorted(seen), "ok": good}
            )  # fmt: skip
        else:
            mark = "" if good else "  NOT AS IT SHOULD BE"
            self._output.line(f"{number}  {who:<17}{what:<42}{result}{mark}")

    async def say(self, who: str, target: str, text: str, expected: set[str]) -> None:
        """Somebody writes something."""
        await self.breath()
        self.needles[f"message {len(self.needles) + 1}"] = text.encode()
        id_ = await self.people[who].client.send(target, text)
        await self.people[who].client.wait(id_, "stored", SEEN_TIMEOUT_S)
        seen = await self.seen_by(
            expected,
            lambda event: isinstance(event, MessageEvent) and event.text == text,
        )
        only = " only" if len(expected) == 1 else ""
        words = ", ".join(sorted(seen)) or "nobody"
        self.tell(
            f"{who:<5} -> {target}",
            text,
            f"seen by {words}{only}",
            good=seen == expected,
            seen=seen,
        )

    async def file(self, who: str, reader: str, other: str, path: Path) -> None:
        """Somebody sends a file to one reader."""
        await self.breath()
        content = await asyncio.to_thread(path.read_bytes)
        digest = hashlib.sha256(content).hexdigest()
        sender, receiver = self.people[who], self.people[reader]
        id_ = await sender.client.send_file(f"@{reader}", path)
        whole = await receiver.sees(
            lambda event: (
                isinstance(event, FileEvent)
                and event.state == "received"
                and event.sha256 == digest
            )
        )
        confirmed = await sender.sees(
            lambda event: (
                isinstance(event, ReceiptEvent) and event.of == id_ and event.state == "received"
            )
        )
        await asyncio.sleep(QUIET_S)
        offered = self.people[other].saw(lambda event: isinstance(event, FileEvent))
        equal = whole and _received(receiver) == content
        result = (
            f"received whole by {reader}, SHA-256 equal, not offered to {other}"
            if equal and confirmed and not offered
            else f"whole: {whole}, equal: {equal}, confirmed: {confirmed}, to {other}: {offered}"
        )
        self.tell(
            f"{who:<5} -> @{reader}",
            f"file {path.name}, {size_text(len(content))}",
            result,
            good=equal and confirmed and not offered,
            seen={reader, *([other] if offered else [])},
        )

    async def leave(self, who: str, expected: set[str]) -> None:
        """Somebody goes."""
        await self.breath()
        if self._leaving is not None:
            await self._leaving(who)
        await self.people[who].leave()
        seen = await self.seen_by(
            expected,
            lambda event: (
                isinstance(event, PresenceEvent) and event.user == who and event.state == "offline"
            ),
        )
        words = ", ".join(sorted(seen)) or "nobody"
        self.tell(f"{who} leaves", "", f"seen by {words}", good=seen == expected, seen=seen)

    def tell_search(self, found: Found) -> None:
        """Print what the search of the server found."""
        phrases = sum(name.startswith(("message", "phrase")) for name in self.needles)
        where = "whole memory, disk and log" if found.memory else "disk and log"
        what = f"the server's {where} searched for {phrases} phrases, 1 file, 1 file name"
        result = f"{len(found.places)} found"
        if found.places:
            result += ": " + ", ".join(found.places)
        if not found.memory:
            result += f"; its memory: skipped, {found.why}"
        if not found.works:
            result += "; but the search itself does not work: it does not find what is there"
        good = not found.places and found.works
        if self._output.json:
            self.tell("server", what, result, good=good, seen=set())
            return
        self.good.append(good)
        self._output.line(f"{len(self.good)}  {what}: {result}")


def _received(person: Person) -> bytes:
    for event in person.seen:
        if isinstance(event, FileEvent) and event.state == "received" and event.path:
            return Path(event.path).read_bytes()
    return b""


async def play(scene: Scene, folder: Path) -> None:
    """The scene of the README."""
    await scene.say("alice", "#lobby", "Hello! Is anybody here?", {"bob", "mara"})
    await scene.say("bob", "#lobby", "Yes. Is the lab open today?", {"alice", "mara"})
    await scene.say("alice", "@mara", "I cannot come on Friday.", {"mara"})
    await scene.say("mara", "@alice", "Noted. Get well soon!", {"alice"})
    path = _write_file(folder)
    scene.needles["phrase in the file"] = FILE_PHRASE.encode()
    scene.needles["file"] = path.read_bytes()[1000:1032]
    scene.needles["file name"] = FILE_NAME.encode()
    await scene.file("alice", "mara", "bob", path)
    await scene.leave("bob", {"alice", "mara"})


def _write_file(folder: Path) -> Path:
    path = folder / FILE_NAME
    head = b"%PDF-1.7\n" + FILE_PHRASE.encode() + b"\n"
    path.write_bytes(head + secrets.token_bytes(FILE_BYTES - len(head)))
    return path
