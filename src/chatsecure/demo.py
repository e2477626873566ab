"""`chatsecure demo`: a server and three people on this computer play a short scene.

The server is a process of its own, as anybody would start it; the three are real clients with
profiles in a temporary folder. Each step is checked: those who should see it do, and nobody else.
At the end the server's memory, disk and log are searched for what was said.
"""

import asyncio
import contextlib
import hashlib
import json
import os
import secrets
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from argparse import Namespace
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from chatsecure.cli.human import size_text
from chatsecure.cli.output import Output
from chatsecure.client.client import Client
from chatsecure.client.events import Event, FileEvent, MessageEvent, PresenceEvent, ReceiptEvent
from chatsecure.client.joining import join
from chatsecure.client.profile.folder import Profile
from chatsecure.wire.errors import ChatSecureError, Unreachable, Usage

START_TIMEOUT_S = 15.0
SEEN_TIMEOUT_S = 10.0
QUIET_S = 0.1
"""How long we look whether somebody sees what is not meant for them."""
FILE_BYTES = 213_000
FILE_NAME = "note.pdf"
FILE_PHRASE = "The doctor's note says: two weeks at home, nobody else need know."
SCENE_STEPS = 7


class Failed(ChatSecureError):
    """A step was not as it should be."""


def demo(args: Namespace, output: Output) -> int:
    """`chatsecure demo`."""
    if args.faces in ("gui", "tui"):
        raise Usage(f"there is no {args.faces} yet", hint="chatsecure demo --faces none plays it")
    folder = Path(tempfile.mkdtemp(prefix="chatsecure-demo-"))
    # A scene must not leave keys in anybody's keyring.
    before = os.environ.get("CHATSECURE_KEYRING")
    os.environ["CHATSECURE_KEYRING"] = "off"
    try:
        return asyncio.run(_demo(folder, output, show_server=args.show_server))
    finally:
        if before is None:
            del os.environ["CHATSECURE_KEYRING"]
        else:
            os.environ["CHATSECURE_KEYRING"] = before
        shutil.rmtree(folder, ignore_errors=True)


async def _demo(folder: Path, output: Output, *, show_server: bool) -> int:
    output.notice(
        "demo: a server and three people on this computer; nothing leaves it; "
        "Ctrl-C ends it and deletes everything"
    )
    with running_server(folder / "server", folder / "server.log") as server:
        async with _three(folder, server) as people:
            output.notice(f"  server {server.address} | alice student | bob student | mara manager")
            scene = Scene(people, output)
            try:
                await _play(scene, folder)
            except Failed as error:
                output.error(str(error), 1)
                return 1
            found = await asyncio.to_thread(search_server, server, scene.needles)
            scene.tell_search(found)
            if show_server:
                _show_server(server, scene, output)
    good = sum(scene.good)
    output.notice(f"demo: {good} of {SCENE_STEPS} steps as they should be")
    output.next("chatsecure serve")
    return 0 if good == SCENE_STEPS else 1


# --- the server ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    pid: int
    address: str
    link: str
    """The owner's."""
    data: Path
    log: Path


@contextlib.contextmanager
def running_server(data: Path, log: Path) -> Iterator[Server]:
    """Start a server as anybody would, and end it."""
    command = [sys.executable, "-m", "chatsecure", "serve", "--json", "--no-input"]
    command += ["--data", str(data), "--listen", "127.0.0.1:0"]
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL
        )
    try:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline() or "{}")
        link = json.loads(process.stdout.readline() or "{}")
        if ready.get("event") != "ready" or "link" not in link:
            said = log.read_text("utf-8", "replace").strip().splitlines()
            raise Unreachable("the server did not start" + (f": {said[-1]}" if said else ""))
        address = f"{ready['host']}:{ready['port']}"
        yield Server(process.pid, address, link["link"], data, log)
    finally:
        process.terminate()
        try:
            process.wait(START_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


# --- the people ------------------------------------------------------------------------------


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
async def _three(folder: Path, server: Server) -> AsyncIterator[dict[str, Person]]:
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
    """The steps as they are played, and how they went."""

    def __init__(self, people: dict[str, Person], output: Output) -> None:
        self.people = people
        self.needles: dict[str, bytes] = {}
        """What must not be found at the server."""
        self.good: list[bool] = []
        self._output = output

    async def seen_by(self, expected: set[str], what: Callable[[Event], bool]) -> set[str]:
        """Who has seen it, once those have who should."""
        await asyncio.gather(*(self.people[name].sees(what) for name in sorted(expected)))
        await asyncio.sleep(QUIET_S)
        return {name for name, person in self.people.items() if person.saw(what)}

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
        await self.people[who].leave()
        seen = await self.seen_by(
            expected,
            lambda event: (
                isinstance(event, PresenceEvent) and event.user == who and event.state == "offline"
            ),
        )
        words = ", ".join(sorted(seen)) or "nobody"
        self.tell(f"{who} leaves", "", f"seen by {words}", good=seen == expected, seen=seen)

    def tell_search(self, found: "Found") -> None:
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


async def _play(scene: Scene, folder: Path) -> None:
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


# --- what the server has ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Found:
    """What a search of the server found."""

    places: tuple[str, ...]
    """What was found, and where. Should be empty."""
    memory: bool
    """Whether its memory could be read."""
    why: str
    """Why not."""
    works: bool
    """Whether the search finds what the server does know: a user's name."""


def search_server(server: Server, needles: dict[str, bytes]) -> Found:
    """Search everything the server has for what it must not have."""
    control = b"mara"
    wanted = {
        f"{name}{note}": form
        for name, needle in needles.items()
        for note, form in _forms(needle).items()
    }
    places: set[str] = set()
    on_disk = in_memory = memory = False
    why = ""
    for path in [*sorted(server.data.rglob("*")), server.log]:
        if not path.is_file():
            continue
        data = path.read_bytes()
        on_disk = on_disk or control in data
        places |= {f"{name} in {path.name}" for name, form in wanted.items() if form in data}
    try:
        for data in _memory(server.pid):
            in_memory = in_memory or control in data
            places |= {f"{name} in memory" for name, form in wanted.items() if form in data}
        memory = True
    except OSError as error:
        why = f"{error.strerror or 'not possible here'}".lower()
    works = on_disk and (in_memory or not memory)
    return Found(tuple(sorted(places)), memory, why, works)


def _forms(needle: bytes) -> dict[str, bytes]:
    """How a phrase may lie in memory or on disk."""
    forms = {"": needle, " (in hexadecimal)": needle.hex().encode()}
    with contextlib.suppress(UnicodeDecodeError):
        forms[" (in UTF-16)"] = needle.decode().encode("utf-16-le")
    return forms


def _memory(pid: int) -> Iterator[bytes]:
    """The written memory of a process, in overlapping pieces (Linux).

    Raises:
        OSError: it cannot be read here.
    """
    piece, overlap = 16 * 1024 * 1024, 4096
    maps = Path(f"/proc/{pid}/maps").read_text("ascii", "replace").splitlines()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in maps:
            span, rights, _, _, inode, *_ = line.split(None, 5)
            if rights[0] != "r" or (rights[1] != "w" and inode != "0") or "[v" in line:
                # Programs and libraries as they are on disk hold nothing of ours.
                continue
            start, end = (int(text, 16) for text in span.split("-"))
            for at in range(start, end, piece):
                memory.seek(at)
                with contextlib.suppress(OSError):
                    # What was given back meanwhile cannot be read and is no memory any more.
                    yield memory.read(min(piece + overlap, end - at))


def _show_server(server: Server, scene: Scene, output: Output) -> None:
    """What people wrote, beside what the server has."""
    output.notice("what people wrote:")
    for name, needle in scene.needles.items():
        if name.startswith("message"):
            output.notice(f"  {needle.decode()}")
    output.notice("what the server stored (the beginning of each entry):")
    for seq, payload in _stored(server):
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in payload[:24])
        output.notice(f"  {seq:>3}  {len(payload):>6} bytes  {payload[:24].hex(' ')}  {shown}")


def _stored(server: Server) -> list[tuple[int, bytes]]:
    """The newest entries of all conversations, as they lie in the server's database."""
    for path in sorted(server.data.glob("*.sqlite3")):
        with (
            contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db,
            contextlib.suppress(sqlite3.Error),
        ):
            rows = db.execute("SELECT key, payload FROM entries ORDER BY at").fetchall()
            return [(number, bytes(row[1])) for number, row in enumerate(rows, 1)][-12:]
    return []
