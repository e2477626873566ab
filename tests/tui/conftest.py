"""The terminal client driven by Textual's pilot, over real clients and a real server."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from textual.events import MouseScrollUp, Paste
from textual.keys import _character_to_key
from textual.pilot import Pilot

from chatsecure.client.client import Client
from chatsecure.client.profile.folder import open_profile
from chatsecure.tui.app import ChatApp
from system.conftest import Server, met, start_server

__all__ = ["met"]
PATIENCE_S = 30


@dataclass
class Face:
    """Somebody at a terminal client."""

    app: ChatApp
    pilot: Pilot[int]
    client: Client

    def text(self) -> str:
        """What stands on the screen."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text for strip in strips)

    async def until(self, condition: Callable[[], Any], what: str = "") -> None:
        """Wait for something."""
        end = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < end, f"{what}\n{self.text()}"
            await self.pilot.pause(0.02)

    async def sees(self, text: str) -> None:
        """Wait until a text stands on the screen."""
        await self.until(lambda: text in self.text(), f"{text!r} is not on the screen")

    async def misses(self, text: str) -> None:
        """Wait until a text is gone from the screen."""
        await self.until(lambda: text not in self.text(), f"{text!r} is still on the screen")

    async def press(self, *keys: str) -> None:
        """Press keys."""
        with self.app._context():
            await self.pilot.press(*keys)

    def do(self, work: Callable[[], Any]) -> Any:
        """Call something of the application as itself would."""
        with self.app._context():
            return work()

    async def click(self, where: Any, offset: tuple[int, int]) -> None:
        """Click on a part of the screen."""
        with self.app._context():
            await self.pilot.click(where, offset=offset)

    async def wheel_up(self, where: Any) -> None:
        """Turn the wheel over a part of the screen."""
        with self.app._context():
            await self.pilot._post_mouse_events([MouseScrollUp], widget=where, offset=(5, 5))

    async def paste(self, text: str) -> None:
        """Paste into the composer."""
        self.app.post_message(Paste(text))
        await self.pilot.pause()

    async def type(self, text: str) -> None:
        """Type a text and Enter."""
        self.do(lambda: self.app.screen.set_focus(self.app.composer))
        await self.press(*map(_key, text), "enter")


def _key(sign: str) -> str:
    return {" ": "space", "\n": "ctrl+j"}.get(sign) or _character_to_key(sign)


@dataclass
class Place:
    """A server that mara (who owns it), alice and bob have joined."""

    server: Server
    folder: Path
    stack: AsyncExitStack

    async def at(self, name: str, size: tuple[int, int] = (120, 34)) -> Face:
        """Somebody opens their terminal client."""
        return await self.stack.enter_async_context(face(self.folder / f"person-{name}", size))

    async def client(self, name: str) -> Client:
        """Somebody with no face."""
        return await self.stack.enter_async_context(client_of(self.folder / f"person-{name}"))


@asynccontextmanager
async def client_of(folder: Path, *, ready: bool = True) -> AsyncIterator[Client]:
    profile = open_profile(folder, lambda: None)
    try:
        async with Client(profile) as client:
            if ready:
                await client.ready(PATIENCE_S)
            yield client
    finally:
        profile.close()


@asynccontextmanager
async def face(folder: Path, size: tuple[int, int], *, ready: bool = True) -> AsyncIterator[Face]:
    """Each application in a task of its own: it has a context of its own."""
    async with client_of(folder, ready=ready) as client:
        app = ChatApp(client)
        begun: asyncio.Future[Pilot[int]] = asyncio.get_running_loop().create_future()
        over = asyncio.Event()

        async def run() -> None:
            async with app.run_test(size=size) as pilot:
                begun.set_result(pilot)
                await over.wait()

        task = asyncio.ensure_future(run())
        await asyncio.wait([task, begun], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            await task
        try:
            yield Face(app, begun.result(), client)
        finally:
            over.set()
            await task


@pytest.fixture
def stopped(met: Server, tmp_path: Path) -> Path:
    """A copy of the server and the people, to begin from."""
    shutil.copytree(met.data.parent, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture
def running(met: Server, stopped: Path) -> Iterator[Server]:
    """Its server."""
    server = start_server(stopped / "server", "events", met.address, owner=False)
    yield server
    server.stop()


@pytest.fixture
async def place(
    running: Server, stopped: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Place]:
    """The place where it all happens."""
    monkeypatch.setenv("CHATSECURE_KEYRING", "off")
    monkeypatch.setenv("TZ", "UTC")
    async with AsyncExitStack() as stack:
        yield Place(running, stopped, stack)
        await asyncio.sleep(0)
