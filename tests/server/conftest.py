"""A running server in this process, on either engine."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chatsecure.server.engines import events
from chatsecure.server.run import ServeOptions, Server
from chatsecure.wire import messages as m

from .people import Peer, Person, make_token, person, token_of_link

ENGINES = ("events", "threads", "plain asyncio")


class Running:
    """A server that runs in a thread of its own."""

    def __init__(self, data: Path, engine: str, **limits: int) -> None:
        self.data = data
        self.server = Server(
            ServeOptions(data=data, listen="127.0.0.1:0", engine=engine, limits=limits)
        )
        self.port = self.server.port
        ready = threading.Event()
        self.thread = threading.Thread(target=self.server.run, args=(ready.set,))
        self.thread.start()
        assert ready.wait(10)
        self.peers: list[Peer] = []
        self.owner: Peer | None = None

    def stop(self) -> None:
        """Stop it; whoever is connected goes."""
        self.server.stop()
        for peer in self.peers:
            peer.close()
        self.thread.join(15)
        assert not self.thread.is_alive()

    def peer(self, who: Person | None = None, *, buffer: int | None = None) -> Peer:
        """A connection that has said nothing yet."""
        peer = Peer(who, self.port, buffer=buffer)
        self.peers.append(peer)
        return peer

    def comes(self, name: str, *, present: bool = True, buffer: int | None = None) -> Peer:
        """Somebody connects: the first of all as owner, a new one with a token, else by log-in."""
        who = person(name)
        peer = self.peer(who, buffer=buffer)
        if self.server.link and self.owner is None:
            reply = peer.register(token_of_link(self.server.link), present=present)
            self.owner = peer
        elif name in {
            user.name for user in self.server.store.read(lambda tx: tx.users_after("", 99))
        }:
            reply = peer.login(present=present)
        else:
            token, hash_ = make_token()
            assert self.owner is not None
            far = self.server.core.now() + 3_600_000
            self.owner.ok(m.PutToken(hash_, 1, far))
            reply = peer.register(token, present=present)
        assert isinstance(reply, m.LoggedIn), reply
        return peer


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each engine; `events` with uvloop and without."""
    if request.param != "plain asyncio":
        return str(request.param)
    monkeypatch.setattr(events, "_loop_factory", lambda: None)
    return "events"


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path, engine: str) -> Iterator[Start]:
    """Starts servers, and stops them when the test is over."""
    with contextlib.ExitStack() as stack:

        def begin(data: Path | None = None, **limits: int) -> Running:
            running = Running(data or tmp_path / "data", engine, **limits)
            stack.callback(lambda: running.thread.is_alive() and running.stop())
            return running

        yield begin


@pytest.fixture
def server(start: Start) -> Running:
    """A new server."""
    return start()
