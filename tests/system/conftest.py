"""Real processes: a server as anybody starts it, and people with profiles of their own."""

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ENGINES = ("events", "threads")
PATIENCE_S = 30
KEPT_PORTS = range(20_000, 32_000)
"""Below those a system gives to whoever asks for any."""


def environment(**more: str) -> dict[str, str]:
    """What a command runs in: no keyring, nothing of the tester's own."""
    foreign = ("CHATSECURE_", "COLUMNS", "LINES")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return kept | {"CHATSECURE_KEYRING": "off", "PYTHONUNBUFFERED": "", "TZ": "UTC"} | more


def free_port() -> int:
    """A port of loopback that nobody has, and that nobody who asks for any will be given."""
    for port in random.SystemRandom().sample(KEPT_PORTS, 100):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("no port is free")


def command(*arguments: str | Path) -> list[str]:
    """A command line."""
    return [sys.executable, "-m", "chatsecure", *map(str, arguments)]


@dataclass
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        """Its output as lines of JSON."""
        return [json.loads(line) for line in self.out.splitlines()]

    def ok(self) -> "Done":
        """Itself, if it went well."""
        assert self.code == 0, f"exit code {self.code}\n{self.out}\n{self.err}"
        return self


def run(
    *arguments: str | Path, stdin: str | bytes = b"", timeout: float = PATIENCE_S, **more: str
) -> Done:
    """Run a command to its end."""
    given = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run(
        command(*arguments),
        input=given,
        capture_output=True,
        timeout=timeout,
        env=environment(**more),
        check=False,
    )
    out, err = done.stdout.decode(), done.stderr.decode()
    assert "Traceback" not in err, err
    return Done(done.returncode, out, err)


@dataclass
class Server:
    """A server process."""

    data: Path
    engine: str
    process: subprocess.Popen[str]
    host: str
    port: int
    link: str = ""

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End it; gives its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        code = self.process.wait(15)
        if self.process.stdout:
            self.process.stdout.close()
        return code

    def restart(self) -> None:
        """Start it anew at the same port."""
        other = start_server(self.data, self.engine, self.address, owner=False)
        self.process = other.process


def start_server(
    data: Path,
    engine: str = "events",
    listen: str = "127.0.0.1:0",
    *more: str,
    owner: bool = True,
) -> Server:
    """Start a server and wait until it accepts connections."""
    log = (data.parent / f"{data.name}.log").open("ab")
    process = subprocess.Popen(
        command("serve", "--data", data, "--listen", listen, "--engine", engine, *more),
        stdout=subprocess.PIPE,
        stderr=log,
        stdin=subprocess.DEVNULL,
        env=environment(),
        text=True,
    )
    log.close()
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.startswith("ready "):
        process.kill()
        process.wait()
        said = (data.parent / f"{data.name}.log").read_text()
        raise AssertionError(f"the server did not start: {line!r}\n{said}")
    host, _, port = line.split()[1].rpartition(":")
    server = Server(data, engine, process, host, int(port))
    if owner:
        link = process.stdout.readline()
        assert link.startswith("link chatsecure://"), link
        server.link = link.split()[1]
    return server


@dataclass
class Person:
    """A profile, and the commands of whoever has it."""

    name: str
    folder: Path
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    def __call__(self, *arguments: str | Path, **more: Any) -> Done:
        """Run a command of this person to its end."""
        return run("--profile", self.folder, *arguments, **more)

    def send(self, target: str, text: str, *more: str) -> str:
        """Send a text; gives its id."""
        return self("send", target, "-", *more, stdin=text).ok().out.strip()

    def listen(self, *more: str | Path, timeout: float = PATIENCE_S) -> list[dict[str, Any]]:
        """What has come, without what tells of the connection and of who comes and goes."""
        done = self("listen", "--json", *more, timeout=timeout).ok()
        assert done.records[0]["type"] == "connection"
        return [event for event in done.records if event["type"] not in ("connection", "presence")]

    def texts(self, *more: str | Path) -> list[str]:
        """The texts that have come."""
        found = self.listen("--for", "2", *more)
        return [event["text"] for event in found if event["type"] == "message"]

    def start(self, *arguments: str | Path) -> "Running":
        """Start a command that goes on."""
        process = subprocess.Popen(
            command("--profile", self.folder, *arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            text=True,
            encoding="utf-8",
        )
        self.running.append(process)
        return Running(process)


class Running:
    """A command that goes on, read line by line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def line(self) -> str:
        """Its next line."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"it has ended: {self.process.stderr.read() if self.process.stderr else ''}"
        return line.rstrip("\n")

    def event(self, kind: str) -> dict[str, Any]:
        """Its next event of a kind."""
        while True:
            event: dict[str, Any] = json.loads(self.line())
            if event["type"] == kind:
                return event

    def until(self, text: str) -> str:
        """Its next line that holds a text."""
        while True:
            line = self.line()
            if text in line:
                return line

    def type(self, text: str) -> None:
        """Give it a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End it; gives its exit code."""
        self.process.send_signal(how)
        return self.process.wait(PATIENCE_S)

    def ended(self) -> tuple[int, str, str]:
        """Close its input and wait for its end: exit code and the rest of what it says."""
        out, err = self.process.communicate(timeout=PATIENCE_S)
        assert "Traceback" not in err, err
        return self.process.returncode, out, err


@dataclass
class World:
    """A server with people on it."""

    server: Server
    folder: Path
    people: list[Person] = field(default_factory=list)

    def join(self, name: str, link: str, *more: str) -> Person:
        """Somebody joins."""
        person = Person(name, self.folder / f"person-{name}")
        person("join", "-", "--name", name, *more, stdin=link + "\n").ok()
        self.people.append(person)
        return person

    def invited(self, *names: str) -> list[Person]:
        """The owner, and others by the owner's invitation."""
        if not self.people:
            self.join("mara", self.server.link)
        link = self.people[0]("invite", "--uses", str(max(1, len(names)))).ok().out.strip()
        return [self.people[0], *(self.join(name, link) for name in names)]


@pytest.fixture(scope="session")
def met(tmp_path_factory: pytest.TempPathFactory) -> Server:
    """A server, stopped, that mara, alice and bob have joined; tests get copies of it."""
    folder = tmp_path_factory.mktemp("met")
    server = start_server(folder / "server", listen=f"127.0.0.1:{free_port()}")
    World(server, folder).invited("alice", "bob")
    assert server.stop() == 0
    return server


@pytest.fixture(params=ENGINES)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """A server of each engine."""
    if "three" in request.fixturenames:
        met: Server = request.getfixturevalue("met")
        shutil.copytree(met.data.parent, tmp_path, dirs_exist_ok=True)
        server = start_server(tmp_path / "server", request.param, met.address, owner=False)
    else:
        server = start_server(tmp_path / "server", request.param)
    yield server
    if server.process.poll() is None:
        assert server.stop() == 0


@pytest.fixture
def world(server: Server, tmp_path: Path) -> Iterator[World]:
    """A server nobody has joined yet."""
    world = World(server, tmp_path)
    yield world
    for person in world.people:
        for process in person.running:
            process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=10)


@pytest.fixture
def three(world: World) -> tuple[Person, Person, Person]:
    """mara, who owns the server, alice and bob."""
    mara, alice, bob = (
        Person(name, world.folder / f"person-{name}") for name in ("mara", "alice", "bob")
    )
    world.people += [mara, alice, bob]
    return mara, alice, bob


def eventually(condition: Callable[[], bool], what: str, patience: float = PATIENCE_S) -> None:
    """Wait for something that takes a moment."""
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.1)
