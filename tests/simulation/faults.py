"""What goes wrong, by kind. Everything that can be mended is mended before the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .nodes import ClientNode
    from .world import World

Fault = Callable[..., None]
DAY_MS = 86_400_000


def cut(world: World, client: ClientNode) -> None:
    """The connection breaks; each side learns of it some time later."""
    if client.link is not None:
        client.link.cut()


def half_open(world: World, client: ClientNode) -> None:
    """The connection breaks and nobody is told."""
    if client.link is not None:
        client.link.cut(half=True)


def stall(world: World, client: ClientNode, for_ms: int) -> None:
    """Nothing gets through for a while, either way."""
    if client.link is not None:
        client.link.up.stalled_until = client.link.down.stalled_until = world.time + for_ms


def slow_reader(world: World, client: ClientNode, for_ms: int) -> None:
    """The client takes nothing for a while."""
    if client.link is not None:
        client.link.down.stalled_until = world.time + for_ms


def kill(world: World, client: ClientNode, for_ms: int) -> None:
    """The client's process dies and comes back."""
    client.crash()
    world.after(for_ms, client.start)


def kill_at_commit(world: World, client: ClientNode, commits: int, kept: bool, for_ms: int) -> None:
    """The client's process dies around one of its next commits."""
    if client.up:
        client.db.doom = (commits, kept)
        client.comes_back_after = for_ms


def away(world: World, client: ClientNode, for_ms: int) -> None:
    """The client has no network for a while."""
    client.away = True
    if client.link is not None:
        client.link.cut()

    def back() -> None:
        client.away = False

    world.after(for_ms, back)


def disk_full(world: World, client: ClientNode, for_ms: int) -> None:
    """The client's disk is full for a while."""
    if client.up:
        client.db.fill_disk(True)
        client.after(for_ms, lambda: client.db.fill_disk(False))


def clock_jump(world: World, client: ClientNode, by_ms: int) -> None:
    """The client's clock is set."""
    client.offset_ms += by_ms


def server_kill(world: World, _: None, for_ms: int) -> None:
    """The server's process dies and comes back."""
    world.server.crash()
    world.after(for_ms, world.server.start)


def server_disk_full(world: World, _: None, for_ms: int) -> None:
    """The server's disk is full for a while."""
    server = world.server
    if server.up:
        world.observer.disk_was_full = True
        server.fill_disk(True)
        server.after(for_ms, lambda: server.fill_disk(False))


def server_clock_jump(world: World, _: None, by_ms: int) -> None:
    """The server's clock is set."""
    # Further back than certificates allow for, nobody can log in, and is told so.
    world.server.offset_ms = max(-DAY_MS, min(DAY_MS, world.server.offset_ms + by_ms))


FAULTS: dict[str, Fault] = {
    "cut": cut,
    "half-open": half_open,
    "stall": stall,
    "slow-reader": slow_reader,
    "kill": kill,
    "kill-at-commit": kill_at_commit,
    "away": away,
    "disk-full": disk_full,
    "clock-jump": clock_jump,
    "server-kill": server_kill,
    "server-disk-full": server_disk_full,
    "server-clock-jump": server_clock_jump,
}
