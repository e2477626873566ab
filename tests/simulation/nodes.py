"""The processes of the simulated world: one server and its clients, which live and die.

A node holds what a process holds in memory; what is durable lies in its folder, in the files of
the real store and the real profile. To die is to forget the memory at any point between two
steps, or around any commit; to start is to open the files again. The driver's habits (backoff,
what closes a connection) are those of `client/driver.py`.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chatsecure.client.backoff import pause
from chatsecure.client.core import Core as ClientCore
from chatsecure.client.core import Options
from chatsecure.client.events import ConnectionEvent, Event, stamp
from chatsecure.client.profile import keys
from chatsecure.client.profile.database import Database
from chatsecure.server.blobs.disk import DiskBlobs
from chatsecure.server.core import Core as ServerCore
from chatsecure.server.limits import ServerLimits
from chatsecure.server.session import Session
from chatsecure.server.store.sqlite import SqliteStore
from chatsecure.wire.errors import ChatSecureError

from .disks import NO_LIMIT, MemoryStore, ServerDisk, profile_disk
from .network import Link

if TYPE_CHECKING:
    from .world import World

CERTIFICATE = b"the certificate of the simulated server"


class PowerLoss(BaseException):
    """The process dies here."""


class DoomedDatabase(Database):
    """A profile's database whose process may die around a commit.

    Args:
        disk: the disk in memory that it lies on; none: a file.
    """

    def __init__(self, path: Path, key: bytes, disk: Any = None) -> None:
        self._disk, self._full = disk, False
        self.doom: tuple[int, bool] | None = None
        """How many commits are still to come, and whether the last of them is kept."""
        super().__init__(path, key)
        self.on_commit.append(self._after_commit)

    def _open(self) -> Any:
        return super()._open() if self._disk is None else self._disk

    def close(self) -> None:
        if self._disk is None:
            super().close()
            return
        if self._disk.in_transaction:
            self._disk.execute("ROLLBACK")
        self.fill_disk(False)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        outermost = not self.in_transaction
        with super().transaction():
            yield
            if outermost and self.doom is not None:
                left, kept = self.doom
                self.doom = (left - 1, kept)
                if left <= 0 and not kept:
                    raise PowerLoss

    def _after_commit(self) -> None:
        if self.doom is not None and self.doom[0] < 0 and self.doom[1]:
            raise PowerLoss

    @property
    def is_open(self) -> bool:
        """Something was written that is not on disk yet."""
        return bool(self._connection.in_transaction)

    def fill_disk(self, full: bool) -> None:
        """The disk has no room for another page, or has again."""
        if full == self._full:
            return
        self._full = full
        pages = self.value("PRAGMA page_count") if full else NO_LIMIT
        self.value(f"PRAGMA max_page_count = {pages}")


class ServerNode:
    """The server's process.

    Args:
        disk: where its database lies in memory; none: a file in its folder.
    """

    def __init__(self, world: World, folder: Path, disk: ServerDisk | None = None) -> None:
        self.world, self.folder, self.disk = world, folder, disk
        self.offset_ms = 0
        self.life = 0
        """Counts the starts; what was planned in an earlier life does not happen."""
        self.up = False
        self.links: set[Link] = set()
        self._rng = world.rng("server")
        self._commit_planned = False

    def start(self) -> None:
        """Start on what is on disk."""
        if self.up:
            return
        self.life += 1
        self.up = True
        self._commit_planned = False
        self.store: SqliteStore
        if self.disk is None:
            self.store = SqliteStore(self.folder / "server.sqlite3", threaded=False)
        else:
            self.store = MemoryStore(self.disk)
        world = self.world
        self.core = ServerCore(
            self.store,
            DiskBlobs(self.folder / "blobs"),
            ServerLimits(),
            certificate_hash=world.certificate_hash,
            now=lambda: world.wall + self.offset_ms,
            clock=lambda: world.time / 1000,
            random=self._rng.randbytes,
            total_blob_bytes=10**12,
        )
        self.store.deliver = self._committed
        self.core.runner = self
        world.observer.watch_server(self)
        self.after(1000, self._tick)

    def crash(self) -> None:
        """Die: what waits for a commit is lost, what waits for an answer stays unanswered."""
        if not self.up:
            return
        self.up = False
        self.life += 1
        self.store._queue.clear()
        self.store.close()
        for link in sorted(self.links, key=lambda link: link.name):
            link.server_dies()
        self.links.clear()

    def fill_disk(self, full: bool) -> None:
        """The disk has no room for another page, or has again."""
        if self.up:
            db = self.store._db
            pages = db.execute("PRAGMA page_count").fetchone()[0] if full else NO_LIMIT
            db.execute(f"PRAGMA max_page_count = {pages}")

    def accept(self, link: Link) -> Session:
        """A connection comes in."""
        self.links.add(link)
        address = link.client.name
        assert self.core.arrive(address)
        return self.core.connect(link, address)

    def after(self, delay: int, call: Callable[[], None]) -> None:
        """Plan something in this life."""
        life = self.life
        self.world.after(delay, lambda: self.enter(call) if self.life == life else None)

    def enter(self, call: Callable[[], None]) -> None:
        """Something happens in the server's turn."""
        if not self.up:
            return
        call()
        for link in [link for link in self.links if link.session.is_closed]:
            self.links.discard(link)
            self.core.depart(link.client.name)
        if self.store._queue and not self._commit_planned:
            self._commit_planned = True
            self.after(self._rng.randint(0, 12), self._commit)

    def work(self, job: Callable, done: Callable, *, bulk: bool = False) -> None:
        """Disk work: done at one moment, told at a later one, in any order."""
        self.after(self._rng.randint(0, 4), lambda: self._do(job, done))

    def _do(self, job: Callable, done: Callable) -> None:
        try:
            outcome = job()
        except (ChatSecureError, sqlite3.Error) as error:
            outcome = error
        self.after(self._rng.randint(0, 4), lambda: done(outcome))

    def _commit(self) -> None:
        self._commit_planned = False
        self.store.run_pending()
        self.world.observer.server_committed()

    def _committed(self, batch: list[Callable[[], None]]) -> None:
        # The store's thread has committed; the core is told in a turn of its own, in order.
        self.after(2, lambda: self.core.completed(batch))

    def _tick(self) -> None:
        self.core.tick()
        self.after(1000, self._tick)


class ClientNode:
    """A client's process: a core, and the driver's part.

    Args:
        folder: with its profile.
        in_memory: leave the profile there as it is, and go on with a copy in memory.
    """

    def __init__(
        self, world: World, name: str, folder: Path, options: Options, *, in_memory: bool = False
    ) -> None:
        self.world, self.name, self.folder, self.options = world, name, folder, options
        self.offset_ms = 0
        self.life = 0
        self.up = False
        self.away = False
        """There is no network for it."""
        self.comes_back_after = 0
        """How long it stays down after it died at a commit."""
        self.link: Link | None = None
        self.operations: list[Any] = []
        self.key = keys.get_key(folder, lambda: None)
        self._disk = profile_disk(folder / "profile.db", self.key) if in_memory else None
        self._rng = world.rng("client", name)
        self._links = 0
        self._left = 0
        """When it was last online."""
        self._timer = 0
        self._entered = False

    # --- living and dying ---------------------------------------------------------------------

    def start(self) -> None:
        """Start on what is on disk."""
        if self.up:
            return
        self.life += 1
        self.up = True
        self._left = self.world.time
        self.db = DoomedDatabase(self.folder / "profile.db", self.key, self._disk)
        world = self.world
        self.core = ClientCore(
            self.db,
            now=lambda: world.wall + self.offset_ms,
            clock=lambda: world.time,
            random=self._rng.randbytes,
            options=self.options,
        )
        self.core.listeners.append(self._heard)
        self.world.observer.watch_client(self)
        self.after(0, self._connect)

    def crash(self) -> None:
        """Die here and now."""
        if not self.up:
            return
        self.up = False
        self.life += 1
        self.operations.clear()
        if self.link is not None:
            self.link.client_closes(abruptly=True)
            self.link = None
        self.db.close()

    def after(self, delay: int, call: Callable[[], None]) -> None:
        """Plan something in this life."""
        life = self.life
        self.world.after(delay, lambda: call() if self.life == life else None)

    # --- the connection -----------------------------------------------------------------------

    def _connect(self) -> None:
        if self.link is not None:
            return
        if self.away or not self.world.server.up:
            self._failed("the server cannot be reached")
            return
        self._links += 1
        self.world.note(f"{self.name} connects")
        self.link = Link(self.world, self, self.world.server, self._links)
        self.enter(lambda: self.core.connected(CERTIFICATE))

    def received(self, link: Link, data: bytes) -> None:
        """Bytes have come."""
        if link is self.link:
            self.enter(lambda: self.core.received(data))

    def lost(self, link: Link, reason: str) -> None:
        """The connection has ended."""
        if link is self.link:
            self._failed(reason)

    def _failed(self, reason: str) -> None:
        link, self.link = self.link, None
        if link is not None:
            self.world.note(f"{self.name} is offline: {reason}")
            link.client_closes(abruptly=False)
        was_online = self.core.online
        self.enter(lambda: self.core.disconnected(reason))
        if not self.up:
            return
        fatal = self.core.fatal
        if fatal is not None:
            event = ConnectionEvent(at=stamp(self.core.now()), state="refused", reason=str(fatal))
            self.enter(lambda: self.core.emit(event))
            return
        if was_online:
            self._left = self.world.time
        away_s = (self.world.time - self._left) / 1000
        wait_s = pause(away_s, near=False, chance=self._rng.random())
        self.after(int(wait_s * 1000), self._connect)

    # --- turns --------------------------------------------------------------------------------

    def enter(self, call: Callable[[], Any], *, user: bool = False) -> None:
        """Something happens in the client's turn.

        Args:
            user: the user's doing: an error is theirs to see and does not end the connection.
        """
        if not self.up:
            return
        inner, self._entered = self._entered, True
        trouble = None
        try:
            call()
        except PowerLoss:
            if inner:
                raise
            self.world.note(f"{self.name} dies at a commit")
            self._entered = False
            self.crash()
            self.world.after(self.comes_back_after, self.start)
            return
        except ChatSecureError as error:
            trouble = error
            self.world.note(f"{self.name}: {type(error).__name__}: {error}")
            self.world.observer.trouble(self, error)
        self._entered = inner
        if inner:
            return
        self._turn()
        if trouble is not None and not user and self.link is not None:
            self._failed(str(trouble))

    def _turn(self) -> None:
        output = self.core.take_output()
        self.world.observer.about_to_leave(self, output)
        if output and self.link is not None:
            self.link.up.push(output)
        self.world.observer.client_turned(self)
        wakeup = self.core.next_wakeup()
        self._timer += 1
        if wakeup is not None:
            number, delay = self._timer, max(1, wakeup - self.world.time)
            self.after(delay, lambda: self._tick() if number == self._timer else None)

    def _tick(self) -> None:
        self.enter(self.core.tick)

    def _heard(self, event: Event) -> None:
        self.world.observer.heard(self, event)

    # --- actions ------------------------------------------------------------------------------

    def run(self, what: str, flow: Callable[[], Any], then: Callable | None = None) -> None:
        """Start an operation of the user's."""
        observer = self.world.observer

        def ended(operation: Any) -> None:
            observer.operation_ended(self, what, operation.error)
            if operation in self.operations:
                self.operations.remove(operation)
            if operation.error is None and then is not None:
                then(operation.result)

        def done(operation: Any) -> None:
            # Whoever waits for it goes on after the turn, when it is on disk or has failed there.
            self.after(0, lambda: ended(operation))

        def begin() -> None:
            self.operations.append(self.core.run(flow(), done))

        self.enter(begin, user=True)
