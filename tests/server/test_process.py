"""The server as a process: what it says, how it stops, what a kill leaves, what it refuses."""

import contextlib
import json
import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatsecure.client.files.line import FileLine
from chatsecure.links import parse_link
from chatsecure.server import admin
from chatsecure.wire import messages as m
from chatsecure.wire.errors import ChatSecureError, NotFound

from .people import Peer, append, create, new_id, person, token_of_link

ENGINES = ("events", "threads")
pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")


class Process:
    """A server process."""

    def __init__(self, data: Path, *arguments: str, listen: str = "127.0.0.1:0") -> None:
        self.data = data
        self.errors = data.with_suffix(".err").open("w+b")
        self.process = subprocess.Popen(
            [
                sys.executable, "-m", "chatsecure.server", "--data", str(data),
                "--listen", listen, *arguments,
            ],
            stdout=subprocess.PIPE,
            stderr=self.errors,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            text=True,
        )  # fmt: skip

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def ready(self) -> "Process":
        word, _, address = self.line().partition(" ")
        assert word == "ready", self.said()
        self.port = int(address.rpartition(":")[2])
        return self

    def said(self) -> str:
        self.errors.seek(0)
        return self.errors.read().decode()

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(how)
        code = self.process.wait(20)
        if self.process.stdout:
            self.process.stdout.close()
        return code


@pytest.fixture
def start(tmp_path: Path) -> Iterator["type[Process]"]:
    with contextlib.ExitStack() as stack:

        def begin(
            *arguments: str, data: Path | None = None, listen: str = "127.0.0.1:0"
        ) -> Process:
            process = Process(data or tmp_path / "data", *arguments, listen=listen)
            stack.callback(process.errors.close)
            stack.callback(process.end, signal.SIGKILL)
            return process

        yield begin  # type: ignore[misc]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_says_when_it_is_ready_and_stops_cleanly(start, engine, how) -> None:  # type: ignore[no-untyped-def]
    server = start("--engine", engine).ready()
    link = server.line()
    assert link.startswith("link chatsecure://127.0.0.1:")
    peer = Peer(person("ann"), server.port)
    assert isinstance(peer.register(token_of_link(link[5:])), m.LoggedIn)
    assert server.end(how) == 0
    events = [json.loads(line) for line in server.said().splitlines() if line.startswith("{")]
    assert [event["event"] for event in events] == ["started", "registered", "stopped"]
    assert parse_link(link[5:]).secret.hex() not in server.said()
    assert link[5:] not in server.said()


def test_with_json_its_lines_are_objects(start) -> None:  # type: ignore[no-untyped-def]
    server = start("--json")
    ready, link = json.loads(server.line()), json.loads(server.line())
    assert (ready["event"], ready["host"]) == ("ready", "127.0.0.1")
    assert parse_link(link["link"]).port == ready["port"]
    assert ready["fingerprint"].startswith(parse_link(link["link"]).fingerprint.hex())


def test_a_public_address_is_what_the_link_names(start) -> None:  # type: ignore[no-untyped-def]
    server = start("--public-address", "chat.example.org").ready()
    link = parse_link(server.line()[5:])
    assert (link.host, link.port) == ("chat.example.org", server.port)


def test_the_key_is_its_owners_alone(start) -> None:  # type: ignore[no-untyped-def]
    server = start().ready()
    for name in ("tls.key", "server.sqlite3", "admin.sock"):
        path = server.data / name
        if path.exists():
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, name
    assert stat.S_IMODE(server.data.stat().st_mode) == 0o700


def test_a_second_server_on_the_same_folder_is_refused(start) -> None:  # type: ignore[no-untyped-def]
    first = start().ready()
    first.line()
    second = start(data=first.data)
    assert second.process.wait(20) == 1
    assert "another server is running on this data folder" in second.said()
    assert first.process.poll() is None
    peer = Peer(None, first.port)
    assert isinstance(peer.greet(), m.ServerHello)


def test_a_port_in_use_is_told_with_another_one(start, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        port = sock.getsockname()[1]
        server = start(listen=f"127.0.0.1:{port}")
        assert server.process.wait(20) == 1
    assert f"port {port} is in use; try --listen 127.0.0.1:{port + 1}" in server.said()
    assert server.said().count("\n") == 1


def test_data_of_a_newer_version_is_refused(start) -> None:  # type: ignore[no-untyped-def]
    server = start().ready()
    server.end()
    with sqlite3.connect(server.data / "server.sqlite3") as db:
        db.execute("PRAGMA user_version = 999")
    again = start(data=server.data)
    assert again.process.wait(20) == 1
    assert "newer version" in again.said()


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_refused(start, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "data").mkdir(mode=0o500)
    server = start()
    assert server.process.wait(20) == 1
    assert "cannot be used" in server.said()


def test_a_file_in_place_of_the_folder_is_refused(start, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "data").write_text("hello")
    server = start()
    assert server.process.wait(20) == 1
    assert "cannot be used" in server.said()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_kill_loses_nothing_that_was_acknowledged(start, engine: str) -> None:  # type: ignore[no-untyped-def]
    server = start("--engine", engine).ready()
    ann = Peer(person("ann"), server.port)
    assert isinstance(ann.register(token_of_link(server.line()[5:])), m.LoggedIn)
    room = new_id()
    ann.ok(create(room, person("ann")))
    acknowledged: list[m.Appended] = []
    sent: list[m.Append] = []
    for _ in range(5):
        goal = len(acknowledged) + 300
        while len(acknowledged) < goal:
            for _ in range(100):
                sent.append(append(room, b"%d" % len(sent)))
                ann.send(sent[-1], ann.connection.next_request())
            acknowledged += [ann.expect(m.Appended) for _ in range(60)]
        # Some are under way: sent, perhaps stored, perhaps answered.
        server.end(signal.SIGKILL)
        while ann.pump():
            pass
        acknowledged += [reply for _, reply in ann.came if isinstance(reply, m.Appended)]
        server = start("--engine", engine, data=server.data).ready()
        ann = Peer(person("ann"), server.port)
        assert isinstance(ann.login(), m.LoggedIn)
        # What was under way is sent again: it is stored once.
        for message in sent[-300:]:
            ann.ok(message)
    head = ann.follow(room).logs[0].head
    entries = ann.entries(room, head)
    assert [entry.seq for entry in entries] == list(range(1, head + 1))
    by_id = {entry.append_id: entry.seq for entry in entries}
    assert len(by_id) == head
    assert all(by_id[reply.append_id] == reply.seq for reply in acknowledged)


# --- the operator --------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_the_operator_looks_after_a_running_server(start, engine: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    server = start("--engine", engine).ready()
    ann = Peer(person("ann"), server.port)
    ann.register(token_of_link(server.line()[5:]))
    assert admin.request(server.data, "ping") == {"pong": True}
    made = admin.request(server.data, "token", uses=2, expires_s=3600)
    ben = Peer(person("ben"), server.port)
    assert isinstance(ben.register(token_of_link(made["link"])), m.LoggedIn)
    users = {user["name"]: user for user in admin.request(server.data, "users")["users"]}
    assert users["ann"]["role"] == "owner"
    assert users["ben"]["online"]
    with pytest.raises(NotFound, match="no user called bem") as caught:
        admin.request(server.data, "ban", name="bem")
    assert caught.value.hint == "did you mean ben?"
    assert admin.request(server.data, "ban", name="BEN") == {"name": "ben", "banned": True}
    assert ben.expect(m.Goodbye).message == "you are banned from this server"
    assert {u["name"] for u in admin.request(server.data, "users")["users"] if u["banned"]} == {
        "ben"
    }
    admin.request(server.data, "unban", name="ben")
    again = Peer(person("ben"), server.port)
    assert isinstance(again.login(), m.LoggedIn)
    stats = admin.request(server.data, "stats")
    assert stats["users"] == 2
    assert stats["connections"] == 2
    limits = {row["name"]: row for row in admin.request(server.data, "limits")["limits"]}
    assert limits["retention_s"]["value"] == 30 * 86400
    with pytest.raises(ChatSecureError, match="no command"):
        admin.request(server.data, "nonsense")


def test_a_backup_of_a_running_server_is_a_server(start, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    server = start().ready()
    ann = Peer(person("ann"), server.port)
    ann.register(token_of_link(server.line()[5:]))
    room, blob, part = new_id(), new_id(), new_id()
    ann.ok(create(room, person("ann")))
    for number in range(20):
        ann.ok(append(room, b"%d" % number))
    for id_, size in ((blob, 3000), (part, 5000)):
        ann.ok(m.BlobCreate(id_, room, size, 1024))
        line = FileLine(
            "127.0.0.1", server.port, ann.certificate_hash, ann.ok(m.GetFileTicket()).ticket
        )
        for segment in range(3 if size == 3000 else 2):
            data = b"x" * min(1024, 3000 - segment * 1024)
            line.put(id_, segment, len(data), last=True)
            line.send(data)
            line.answer()
    file = tmp_path / "backup.tar"
    done = admin.request(server.data, "backup", file=file)
    assert done["blobs"] == 2
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(ChatSecureError, match="exists already"):
        admin.request(server.data, "backup", file=file)
    with pytest.raises(ChatSecureError, match=r"another server is running|data in"):
        admin.request(server.data, "restore", file=file)
    ann.ok(append(room, b"after"))
    server.end()
    with pytest.raises(ChatSecureError, match=r"data in .* already"):
        admin.request(server.data, "restore", file=file)
    copy = tmp_path / "copy"
    assert admin.request(copy, "restore", file=file)["blobs"] == 2
    again = start(data=copy).ready()
    ann = Peer(person("ann"), again.port)
    assert isinstance(ann.login(), m.LoggedIn)
    assert ann.follow(room).logs[0].head == 20
    line = FileLine("127.0.0.1", again.port, ann.certificate_hash, ann.ok(m.GetFileTicket()).ticket)
    line.get(blob, 0, 3)
    for segment, length in enumerate((1024, 1024, 952)):
        assert line.receive(segment, length)
        assert b"".join(map(bytes, line.pieces(length))) == b"x" * length
    assert ann.ok(m.BlobStat(part)).segments == 2
    assert again.end() == 0


@pytest.mark.parametrize("damage", ["cut", "garbage", "stranger"])
def test_a_damaged_backup_is_refused_and_leaves_nothing(start, tmp_path: Path, damage: str) -> None:  # type: ignore[no-untyped-def]
    server = start().ready()
    server.end()
    file = tmp_path / "backup.tar"
    admin.request(server.data, "backup", file=file)
    if damage == "stranger":
        import tarfile

        with tarfile.open(file, "a") as tar:
            tar.add(__file__, "../evil")
    else:
        data = file.read_bytes()
        file.write_bytes(data[:5000] if damage == "cut" else b"garbage" * 1000)
    copy = tmp_path / "copy"
    with pytest.raises(ChatSecureError):
        admin.request(copy, "restore", file=file)
    assert not (copy / "server.sqlite3").exists()
    assert not (copy / "tls.key").exists()
    assert not (tmp_path / "evil").exists()


def test_the_operator_works_on_a_stopped_server(start, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(NotFound):
        admin.request(tmp_path / "none", "users")
    server = start().ready()
    ann = Peer(person("ann"), server.port)
    ann.register(token_of_link(server.line()[5:]))
    server.end()
    assert [user["name"] for user in admin.request(server.data, "users")["users"]] == ["ann"]
    admin.request(server.data, "ban", name="ann")
    assert admin.request(server.data, "stats")["users"] == 1
    link = admin.request(server.data, "token", uses=1, expires_s=60)["link"]
    again = start(data=server.data, listen=f"127.0.0.1:{server.port}").ready()
    reply = Peer(person("ann"), again.port).login()
    assert isinstance(reply, m.Error)
    assert reply.message == "you are banned from this server"
    assert isinstance(
        Peer(person("ben"), parse_link(link).port).register(token_of_link(link)), m.LoggedIn
    )


def test_metrics_are_text_for_prometheus(start) -> None:  # type: ignore[no-untyped-def]
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    server = start("--metrics", f"127.0.0.1:{port}").ready()
    from urllib.request import urlopen

    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    assert "# TYPE chatsecure_connections gauge\nchatsecure_connections 0\n" in text
    assert "chatsecure_appended_total 0\n" in text
    assert server.end() == 0
