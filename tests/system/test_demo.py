"""The demo tells the truth."""

import signal
import subprocess
import time
from pathlib import Path

import pytest

from chatsecure.demo import Server, search_server

from .conftest import command, environment, run


def test_the_scene() -> None:
    began = time.monotonic()
    done = run("demo", "--faces", "none", timeout=60).ok()
    assert time.monotonic() - began < 20
    lines = done.out.splitlines()
    assert [line.split()[0] for line in lines] == list("1234567")
    assert "seen by bob, mara" in lines[0]
    assert "seen by mara only" in lines[2]
    assert "seen by alice only" in lines[3]
    assert "not offered to bob" in lines[4]
    assert "0 found" in lines[6]
    assert "7 of 7" in done.err


def test_the_scene_as_json_and_the_server_shown() -> None:
    done = run("demo", "--json", "--show-server", timeout=60).ok()
    assert [record["ok"] for record in done.records] == [True] * 7
    assert "what the server stored" in done.err


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_whatever_ends_it_leaves_nothing_behind(tmp_path: Path, name: str) -> None:
    demo = subprocess.Popen(
        command("demo", "--faces", "none"), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=environment(TMPDIR=str(tmp_path)), text=True,
    )  # fmt: skip
    assert demo.stdout is not None
    assert demo.stdout.readline().startswith("1 ")
    (folder,) = tmp_path.iterdir()
    demo.send_signal(getattr(signal, name))
    _, said = demo.communicate(timeout=30)
    assert demo.returncode == 130
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []
    assert str(folder) not in subprocess.run(
        ["ps", "-eo", "args"], capture_output=True, text=True, check=True
    ).stdout  # fmt: skip


def test_faces_that_are_not_there_yet() -> None:
    assert run("demo", "--faces", "holograms").code == 2


def test_the_search_finds_what_is_there(tmp_path) -> None:
    """A process that does hold the phrase is found out."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.db").write_bytes(b"mara ... a secret on disk ...")
    (tmp_path / "log").write_text("")
    program = (
        "import sys; a = 'mara ' * 100; b = sys.stdin.readline(); print(1, flush=True); input()"
    )
    process = subprocess.Popen(
        [*command()[:1], "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True, env=environment(),
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("a secret in memory\n")
    process.stdin.flush()
    process.stdout.readline()
    server = Server(process.pid, "", "", tmp_path / "data", tmp_path / "log")
    found = search_server(
        server, {"disk": b"a secret on disk", "memory": b"secret in memory", "none": b"not there"}
    )
    process.communicate("\n")
    if found.memory:
        assert found.places == ("disk in x.db", "memory in memory")
    else:
        assert found.places == ("disk in x.db",)
    assert found.works
