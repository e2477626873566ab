"""The server as a process: starting, ending, a second one, its operator."""

import json
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from .conftest import ENGINES, Server, World, command, environment, run, start_server


def test_what_it_prints(tmp_path: Path) -> None:
    server = start_server(tmp_path / "server")
    assert re.fullmatch(r"chatsecure://127\.0\.0\.1:\d+/\S+#\S+", server.link)
    assert len(server.link) <= 134
    server.stop()
    # Without an owner the next start prints a link too.
    again = start_server(tmp_path / "server", "threads")
    assert again.link
    assert again.stop(signal.SIGINT) == 0


def test_json(tmp_path: Path) -> None:
    process = subprocess.Popen(
        command("serve", "--data", tmp_path / "s", "--listen", "127.0.0.1:0", "--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(),
    )
    assert process.stdout is not None
    ready, link = (json.loads(process.stdout.readline()) for _ in range(2))
    assert ready["event"] == "ready"
    assert ready["fingerprint"]
    assert link["event"] == "link"
    assert f":{ready['port']}/" in link["link"]
    process.terminate()
    assert process.wait(10) == 0
    process.stdout.close()


def test_a_second_server_on_the_same_data_is_refused(server: Server) -> None:
    done = run("serve", "--data", server.data, "--listen", "127.0.0.1:0")
    assert done.code == 1, done.err
    assert done.out == ""
    done = run("serve", "--data", server.data.parent / "other", "--listen", server.address)
    assert done.code == 1
    assert str(server.port) in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--listen", "nowhere:99999"],
        ["--listen", "127.0.0.1:x"],
        ["--retention", "x"],
        ["--public-address", "a b:1"],
    ],
)
def test_wrong_options(tmp_path: Path, arguments: list[str]) -> None:
    assert run("serve", "--data", tmp_path / "s", *arguments).code == 2


def test_garbage_costs_its_sender_the_connection_only(world: World) -> None:
    mara, bob = world.invited("bob")
    listening = bob.start("listen", "--json")
    listening.line()
    where = (world.server.host, world.server.port)
    for garbage in (b"GET / HTTP/1.1\r\n\r\n", bytes(2000), b"\x16\x03\x01\xff\xff" + bytes(50)):
        with socket.create_connection(where, timeout=15) as connection:
            connection.sendall(garbage)
            try:
                while connection.recv(1000):
                    pass
            except ConnectionError:
                pass
    mara.send("@bob", "still here")
    assert listening.event("message")["text"] == "still here"
    listening.end()


@pytest.mark.parametrize("engine", ENGINES)
def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path, engine: str) -> None:
    server = start_server(tmp_path / "server", engine)
    world = World(server, tmp_path)
    mara, bob = world.invited("bob")
    for number in range(5):
        mara.send("@bob", str(number))
        server.stop(signal.SIGKILL)
        server.restart()
    assert bob.texts() == ["0", "1", "2", "3", "4"]
    server.stop()


def test_the_operator(world: World, tmp_path: Path) -> None:
    mara, bob = world.invited("bob")
    data = world.server.data

    def admin(*arguments: str | Path) -> "object":
        return run("admin", "--data", data, *arguments)

    assert {user["name"] for user in run("admin", "--data", data, "users", "--json").ok().records} \
        == {"mara", "bob"}  # fmt: skip
    assert "bob" in run("admin", "users", "--data", data).ok().out
    assert run("admin", "--data", data, "ban", "bob").ok().err == "bob is shut out\n"
    assert bob("users").code == 4
    done = bob("listen", "--json")
    assert done.code == 4
    assert (done.records[0]["type"], done.records[0]["state"]) == ("connection", "refused")
    assert done.records[1]["code"] == 4
    assert run("admin", "--data", data, "unban", "bob").ok().err == "bob may come in again\n"
    bob("users").ok()
    assert run("admin", "--data", data, "ban", "nobody").code == 5
    link = run("admin", "--data", data, "token", "--uses", "2", "--expires", "1d").ok().out.strip()
    assert link.startswith("chatsecure://")
    world.join("carol", link)
    run("admin", "--data", data, "limits").ok()
    assert run("admin", "--data", data, "stats", "--json").ok().records
    backup = tmp_path / "backup"
    run("admin", "--data", data, "backup", backup).ok()
    assert backup.stat().st_size > 0
    mara.send("@bob", "after the backup")
    world.server.stop()
    run("admin", "--data", tmp_path / "restored", "restore", backup).ok()
    again = start_server(tmp_path / "restored", "events", world.server.address, owner=False)
    names = {user["name"] for user in mara("users", "--json").ok().records}
    assert names == {"mara", "bob", "carol"}
    again.stop()
