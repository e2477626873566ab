"""Lines that break, stall, crawl, lie and vanish; readers that are slow; clocks that jump."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from system.conftest import Person, Server, World, command, environment, eventually

from .people import folders, goes_to
from .proxy import Proxy
from .storm import Storm, troubles

Three = tuple[Person, Person, Person]
DAY_S = 86_400


@pytest.mark.parametrize("rounds", [6, pytest.param(120, marks=pytest.mark.slow)])
async def test_through_cut_stalled_slow_and_lying_lines_everything_arrives_once_in_order(
    three: Three, server: Server, rounds: int
) -> None:
    with Proxy(0, server.port, seed=2) as proxy:
        for folder in folders(server):
            goes_to(folder, proxy.port)
        storm = Storm(folders(server))
        outcome = await storm.run(lambda storm: troubles(proxy, storm, rounds, 2))
    assert outcome.clean, outcome
    assert proxy.corrupted >= 3


async def test_a_slow_reader_costs_the_others_nothing_and_gets_everything(
    three: Three, server: Server
) -> None:
    with Proxy(0, server.port) as proxy:
        slow = folders(server)[2]
        goes_to(slow, proxy.port)
        storm = Storm(folders(server))

        async def slowly(storm: Storm) -> int:
            proxy.bytes_per_s = 6_000
            began = time.monotonic()
            await storm.grows(60)
            assert time.monotonic() - began < 20, "the others had to wait"
            proxy.bytes_per_s = 0
            return 1

        outcome = await storm.run(slowly)
    assert outcome.clean, outcome


@pytest.mark.slow
def test_a_client_that_vanishes_without_a_word_is_seen_to_be_gone_within_30_seconds(
    three: Three, server: Server
) -> None:
    mara, alice, _ = three
    with Proxy(0, server.port) as proxy:
        goes_to(alice.folder, proxy.port)
        watching = mara.start("listen", "--json")
        watching.line()
        there = alice.start("listen", "--json")
        assert there.event("connection")["state"] == "online"
        assert watching.event("presence")["state"] == "online"
        proxy.swallow = True
        vanished = time.monotonic()
        assert watching.event("presence")["state"] == "offline"
        assert time.monotonic() - vanished < 30
        # Its own side has noticed too, and comes back.
        proxy.swallow = False
        assert there.event("connection")["state"] == "offline"
        assert there.event("connection")["state"] == "online"
        mara.send("@alice", "there you are")
        assert there.event("message")["text"] == "there you are"


@pytest.mark.slow
def test_a_client_that_is_stopped_for_a_minute_misses_nothing_and_holds_up_nobody(
    three: Three,
) -> None:
    """Longer than the server waits for a sign of life: it is seen to go, and comes back by itself
    to everything, once and in order."""
    mara, alice, bob = three
    listening, watching = bob.start("listen", "--json"), mara.start("listen", "--json")
    listening.line()
    watching.line()
    listening.process.send_signal(signal.SIGSTOP)
    end, sent = time.monotonic() + 60, 0
    while time.monotonic() < end:
        began = time.monotonic()
        alice.send("#lobby", str(sent))
        assert time.monotonic() - began < 20, "others had to wait"
        sent += 1
        time.sleep(2)
    listening.process.send_signal(signal.SIGCONT)
    heard: list[str] = []
    while len(heard) < sent:
        event = json.loads(listening.line())
        assert event["type"] != "gap", event
        if event["type"] == "message":
            heard.append(event["text"])
    assert heard == [str(number) for number in range(sent)]
    for state in ("offline", "online"):
        while True:
            event = watching.event("presence")
            if (event["user"], event["state"]) == ("bob", state):
                break
    assert listening.end() == 0
    watching.end()


def shifted(clock: Path) -> dict[str, str]:
    """An environment whose clock goes as the file says (see clock/sitecustomize.py)."""
    path = os.pathsep.join([str(Path(__file__).parent / "clock"), os.environ.get("PYTHONPATH", "")])
    return environment(CLOCK_FILE=str(clock), PYTHONPATH=path.strip(os.pathsep))


@pytest.mark.parametrize("days", [-1, pytest.param(1, marks=pytest.mark.slow)])
def test_a_server_whose_clock_jumps_by_a_day_goes_on(
    three: Three, world: World, server: Server, tmp_path: Path, days: int
) -> None:
    mara, alice, bob = three
    server.stop()
    clock = tmp_path / "clock"
    clock.write_text("0")
    process = subprocess.Popen(
        command("serve", "--data", server.data, "--listen", server.address),
        env=shifted(clock),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    server.process = process
    assert process.stdout is not None
    assert process.stdout.readline().startswith("ready ")
    listening = bob.start("listen", "--json")
    listening.line()
    alice.send("@bob", "before")
    first = listening.event("message")
    clock.write_text(str(days * DAY_S))
    alice.send("@bob", "after")
    second: dict[str, Any] = listening.event("message")
    assert (first["text"], second["text"]) == ("before", "after")
    assert first["at"][:10] != second["at"][:10], "the clock did not jump"
    mara("room", "create", "#new").ok()
    mara("room", "add", "#new", "bob").ok()
    clock.write_text("0")
    mara.send("#new", "and back")
    assert listening.event("message")["text"] == "and back"
    listening.end()
    lines = bob("history", "@alice", "--json").ok().records
    assert [line["text"] for line in lines] == ["before", "after"]


@pytest.mark.parametrize("days", [-1, pytest.param(1, marks=pytest.mark.slow)])
def test_a_client_whose_clock_jumps_by_a_day_stays_online_and_reads_on(
    three: Three, tmp_path: Path, days: int
) -> None:
    mara, alice, bob = three
    clock = tmp_path / "clock"
    clock.write_text("0")
    process = subprocess.Popen(
        command("--profile", bob.folder, "listen", "--json"),
        env=shifted(clock),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["state"] == "online"
    alice.send("@bob", "one")
    clock.write_text(str(days * DAY_S))
    alice.send("@bob", "two", "--wait", "delivered", "--timeout", "20")
    mara.send("#lobby", "three")
    clock.write_text("0")
    alice.send("@bob", "four")
    heard: list[str] = []
    while len(heard) < 4:
        event = json.loads(process.stdout.readline())
        assert event["type"] != "gap", event
        if event["type"] == "connection":
            assert event["state"] == "online", event
        if event["type"] == "message":
            heard.append(event["text"])
        elif event["type"] != "presence" and event["type"] != "connection":
            continue
    assert heard == ["one", "two", "three", "four"]
    process.terminate()
    process.wait(20)
    eventually(lambda: process.poll() is not None, "listen did not end")
