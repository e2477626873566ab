"""The world every schedule begins from, made once: people who registered and met.

Five people are in `#lobby`; the first four are in `#den`, where the first is owner and the second
is manager. RSA keys take most of the time it takes, so the same profiles serve all schedules.
"""

from __future__ import annotations

import atexit
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from chatsecure import links, mls
from chatsecure.client import conversations, flows_enter, flows_rooms, joining
from chatsecure.client.profile.folder import create_profile
from chatsecure.client.room import MemberRole
from chatsecure.server.rules.accounts import put_owner_token

from .nodes import ClientNode
from .world import World

PEOPLE = ("ann", "bob", "cat", "dan", "eve")
SHARED_MEMORY = Path("/dev/shm")
LONG_MS = 300 * 86_400_000


def scratch() -> Path:
    """A new folder, in memory where the system has such."""
    return Path(mkdtemp(prefix="chatsecure-simulation-", dir=place()))


def place() -> Path | None:
    """Where files in memory lie."""
    return SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None


@contextmanager
def _key_in_a_file() -> Iterator[None]:
    before = os.environ.get("CHATSECURE_KEYRING")
    os.environ["CHATSECURE_KEYRING"] = "off"
    try:
        yield
    finally:
        if before is None:
            del os.environ["CHATSECURE_KEYRING"]
        else:
            os.environ["CHATSECURE_KEYRING"] = before


@cache
def template(suite: mls.Suite = mls.Suite.CLASSICAL, people: tuple[str, ...] = PEOPLE) -> Path:
    """The folder of the world to begin from."""
    folder = scratch()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    world = World(folder, -1, suite=suite)
    world.server.start()
    secret = links.make_secret()
    token = links.token_hash(links.token_of(secret))
    store = world.server.store
    later, store.deliver = store.deliver, lambda batch: [complete() for complete in batch]
    store.run(lambda tx: put_owner_token(tx, token, world.wall))
    store.deliver = later
    for name in people:
        _joins(world, name, secret)
        if name == people[0]:
            found: list[bytes] = []
            flow = lambda core=world.clients[name].core: flows_rooms.invite(  # noqa: E731
                core, None, uses=100, expires_at=world.wall + LONG_MS
            )
            _run(world, name, flow, found.append)
            secret = found[0]
    _make_den(world, people)
    world.run(world.time + 3000)
    world.close()
    return folder


def _joins(world: World, name: str, secret: bytes) -> None:
    link = links.Link("localhost", 5330, world.certificate_hash[:20], secret)
    with _key_in_a_file():
        create_profile(world.folder / name, link, name).close()
    client = world.client(name)
    client.start()
    assert world.run_until(lambda: client.core.online, 10_000)
    _run(world, name, lambda: joining._enter_server(client.core, secret))
    assert conversations.named(client.db, "#lobby").state == conversations.ACTIVE


def _run(world: World, name: str, flow, then=None) -> None:
    done: list[object] = []
    client = world.clients[name]

    def ended(result: object) -> None:
        done.append(result)
        if then is not None:
            then(result)

    client.run("setting the scene", flow, ended)
    assert world.run_until(lambda: bool(done), 20_000)


def _make_den(world: World, people: tuple[str, ...]) -> None:
    owner = people[0]
    core = world.clients[owner].core
    _run(world, owner, lambda: flows_enter.create_room(core, "#den", invite_only=False))
    den = conversations.named(core.db, "#den").log_id
    _run(world, owner, lambda: flows_rooms.add(core, den, people[1:4]))
    _run(world, owner, lambda: flows_rooms.set_role(core, den, people[1], MemberRole.MANAGER))
    assert world.run_until(lambda: all_quiet(world), 20_000)


def all_quiet(world: World) -> bool:
    """Nothing is under way: everyone is online, has caught up and has nothing to send."""
    return not any(unrest(client) for client in world.clients.values())


LEFT_OVER = {
    "unsent": "SELECT count(*) FROM outbox",
    "changes": "SELECT count(*) FROM pending_commits",
    "leavers": "SELECT count(*) FROM leavers",
}


def unrest(client: ClientNode) -> str:
    """What one client still has to do; nothing: it is quiet."""
    if not client.up:
        return f"{client.name} is down"
    if not client.core.caught_up():
        return f"{client.name} has not caught up"
    for what, query in LEFT_OVER.items():
        if client.db.value(query):
            return f"{client.name} has {what}"
    for operation in client.operations:
        what = getattr(operation.waiting, "what", operation.waiting)
        return f"{client.name} waits: {what}"
    link = client.link
    if link is None or link.up.dead or link.down.dead:
        return f"{client.name} has not noticed that its line is broken"
    if link.up.buffer or link.down.buffer:
        return f"{client.name} has bytes under way"
    return ""


def unrest_of(world: World) -> str:
    """What everyone still has to do."""
    return "; ".join(filter(None, map(unrest, world.clients.values())))
