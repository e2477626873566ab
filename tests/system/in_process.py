"""Clients of one process, for tests of what faces call; the server is a process of its own."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from chatsecure.client.client import Client
from chatsecure.client.profile.folder import open_profile

from .conftest import PATIENCE_S


async def opened(stack: AsyncExitStack, folder: Path) -> Client:
    """A client of a profile, online and caught up; closed with the stack."""
    profile = open_profile(folder)
    stack.callback(profile.close)
    client = await stack.enter_async_context(Client(profile))
    await client.ready(PATIENCE_S)
    return client


async def until(condition: Callable[[], object], what: str = "it did not come to be") -> None:
    """Wait for something that takes a moment."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, what
        await asyncio.sleep(0.02)
