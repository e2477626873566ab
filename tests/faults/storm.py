"""People who talk all the time, while something does harm; and the count of what came of it."""

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from chatsecure.client.client import Client
from chatsecure.client.events import GapEvent, MessageEvent
from chatsecure.client.profile.folder import open_profile
from chatsecure.wire.errors import ChatSecureError
from system.conftest import Server

from .proxy import Proxy

TARGET = "#lobby"
PAUSE_S = 0.02
SETTLE_S = 90.0
PATIENCE_S = 300.0
"""A client that tries again less and less often may be away for long where a server is never up
for more than a moment."""


@dataclass
class Outcome:
    """What a storm did."""

    acknowledged: int = 0
    shown: int = 0
    lost: int = 0
    doubled: int = 0
    reordered: int = 0
    gaps: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    harms: int = 0
    longest_wait_s: float = 0.0
    """The longest that a message waited for its acknowledgement."""
    seconds: float = 0.0

    @property
    def clean(self) -> bool:
        """Nothing was lost, doubled, reordered or unreadable."""
        wrong = self.lost + self.doubled + self.reordered + len(self.gaps) + len(self.errors)
        return self.acknowledged > 0 and not wrong


class Storm:
    """Some people in one room, each writing and reading.

    Args:
        folders: their profiles; who they are stands in them.
    """

    def __init__(self, folders: list[Path]) -> None:
        self._folders = folders
        self.acknowledged: dict[str, list[str]] = {}
        self.seen: dict[str, list[str]] = {}
        self.gaps: list[str] = []
        self.errors: list[str] = []
        self.longest_wait_s = 0.0
        self._stopping = asyncio.Event()

    async def run(self, harm: Callable[["Storm"], Awaitable[int]]) -> Outcome:
        """Talk while `harm` goes on, then until all have everything; count."""
        began = time.monotonic()
        async with AsyncExitStack() as stack:
            clients = []
            for folder in self._folders:
                profile = open_profile(folder)
                stack.callback(profile.close)
                clients.append(
                    await stack.enter_async_context(Client(profile, receive_files=False))
                )
            for client in clients:
                await client.ready(60, patient=True)
            for client in clients:
                self.acknowledged[client.name], self.seen[client.name] = [], []
            reading = [asyncio.ensure_future(self._read(client)) for client in clients]
            writing = [asyncio.ensure_future(self._write(client)) for client in clients]
            harms = await harm(self)
            self._stopping.set()
            await asyncio.gather(*writing)
            await self._settle(clients)
            for task in reading:
                task.cancel()
            await asyncio.gather(*reading, return_exceptions=True)
            outcome = self._count(clients)
        outcome.longest_wait_s = round(self.longest_wait_s, 1)
        outcome.harms, outcome.seconds = harms, round(time.monotonic() - began, 1)
        return outcome

    @property
    def total(self) -> int:
        """Messages acknowledged so far."""
        return sum(map(len, self.acknowledged.values()))

    async def grows(self, by: int, timeout: float = 60) -> None:
        """Wait until so many more messages are acknowledged."""
        goal, end = self.total + by, time.monotonic() + timeout
        while self.total < goal:
            assert time.monotonic() < end, "nothing gets through any more"
            await asyncio.sleep(0.02)

    async def _write(self, client: Client) -> None:
        number = 0
        while not self._stopping.is_set():
            number += 1
            text, began = f"{client.name} {number}", time.monotonic()
            try:
                id_ = await client.send(TARGET, text)
                await client.wait(id_, "stored", PATIENCE_S)
            except ChatSecureError as error:
                self.errors.append(f"{client.name}: {error} (online: {client.online})")
                return
            self.longest_wait_s = max(self.longest_wait_s, time.monotonic() - began)
            self.acknowledged[client.name].append(text)
            await asyncio.sleep(PAUSE_S)

    async def _read(self, client: Client) -> None:
        async for event in client.events():
            if isinstance(event, MessageEvent):
                self.seen[client.name].append(event.text)
            elif isinstance(event, GapEvent):
                self.gaps.append(f"{client.name}: {event.reason}")

    async def _settle(self, clients: list[Client]) -> None:
        end = time.monotonic() + SETTLE_S
        while time.monotonic() < end and any(self._missing(client.name) for client in clients):
            await asyncio.sleep(0.1)

    def _missing(self, reader: str) -> set[str]:
        others = {
            text for name, texts in self.acknowledged.items() if name != reader for text in texts
        }
        return others - set(self.seen[reader])

    def _count(self, clients: list[Client]) -> Outcome:
        outcome = Outcome(acknowledged=self.total, gaps=self.gaps, errors=self.errors)
        orders = []
        for client in clients:
            seen = self.seen[client.name]
            outcome.shown += len(seen)
            outcome.lost += len(self._missing(client.name))
            outcome.doubled += sum(times - 1 for times in Counter(seen).values())
            lines = client.history(TARGET, 1_000_000)
            written = {text for texts in self.acknowledged.values() for text in texts}
            orders.append([line.text for line in lines if line.text in written])
        for order in orders[1:]:
            outcome.reordered += sum(a != b for a, b in zip(orders[0], order, strict=False))
        return outcome


async def kills(server: Server, storm: Storm, cycles: int, seed: int) -> int:
    """Kill the server at random instants and start it again."""
    chance = random.Random(seed)
    for _ in range(cycles):
        await storm.grows(1 + chance.randrange(12))
        await asyncio.sleep(chance.random() * 0.05)
        await asyncio.to_thread(server.stop, signal.SIGKILL)
        await asyncio.to_thread(server.restart)
    await storm.grows(10)
    return cycles


# --- what does harm ----------------------------------------------------------------------------


async def pauses(server: Server, storm: Storm, seconds: float) -> int:
    """Stop the server's process for a while, and let it go on."""
    await storm.grows(10)
    server.process.send_signal(signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        server.process.send_signal(signal.SIGCONT)
    await storm.grows(10)
    return 1


async def troubles(proxy: Proxy, storm: Storm, rounds: int, seed: int) -> int:
    """Cut, stall, delay, throttle, corrupt and refuse, in turns and at random."""
    chance = random.Random(seed)
    for number in range(rounds):
        await storm.grows(1 + chance.randrange(10))
        match number % 6:
            case 0:
                await asyncio.to_thread(proxy.cut)
            case 1:
                proxy.stalled = True
                await asyncio.sleep(0.5)
                proxy.stalled = False
            case 2:
                proxy.delay_s = 0.1
                await storm.grows(3)
                proxy.delay_s = 0.0
            case 3:
                proxy.bytes_per_s = 30_000
                await storm.grows(3)
                proxy.bytes_per_s = 0
            case 4:
                proxy.corrupt = 0.2
                before = proxy.corrupted
                while proxy.corrupted < before + 3:
                    await asyncio.sleep(0.02)
                proxy.corrupt = 0.0
            case _:
                proxy.refusing = True
                await asyncio.to_thread(proxy.cut)
                await asyncio.sleep(0.3)
                proxy.refusing = False
    await storm.grows(10)
    return rounds
