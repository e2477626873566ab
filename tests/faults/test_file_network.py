"""Files over lines that are cut, stall, crawl and lie."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from system.conftest import PATIENCE_S, Person, Running, World

from .people import full_speed, slow_line
from .proxy import Proxy

Three = tuple[Person, Person, Person]
MIB = 2**20
SPEED = 6 * MIB
"""Bytes a second in each direction of each connection: the file takes a while."""


@pytest.mark.parametrize("mib", [24, pytest.param(400, marks=pytest.mark.slow)])
def test_a_file_arrives_whole_through_cut_stalled_slow_and_lying_lines(
    three: Three, world: World, tmp_path: Path, mib: int
) -> None:
    _, alice, bob = three
    path, downloads = tmp_path / "big.bin", bob.folder / "downloads"
    path.write_bytes(os.urandom(mib * MIB))
    with slow_line(world.server.port, alice.folder, bob.folder) as line:
        line.bytes_per_s = SPEED
        reading = bob.start("listen")
        sending = alice.start("file", "@bob", path, "--wait", "received")
        rounds = 0
        while sending.process.poll() is None and not (downloads / "big.bin").exists():
            # Far enough that every round gets on by a segment, one way or the other.
            carried = line.carried
            wait_until(lambda before=carried: line.carried > before + 12 * MIB, sending)
            trouble(line, rounds)
            rounds += 1
        line.do(full_speed)
        assert sending.process.wait(PATIENCE_S) == 0
        assert reading.end() == 0
    assert rounds >= 3
    assert (downloads / "big.bin").read_bytes() == path.read_bytes()
    assert [one.name for one in downloads.iterdir()] == ["big.bin"]


def wait_until(done: Callable[[], bool], sending: Running) -> None:
    """Something is so, or the file is through."""
    end = time.monotonic() + PATIENCE_S
    while not done() and sending.process.poll() is None:
        assert time.monotonic() < end, "nothing moves any more"
        time.sleep(0.02)


def trouble(line: Proxy, number: int) -> None:
    """One after the other: a cut, a while of silence, bits turned over, nobody let in, a crawl."""
    match number % 5:
        case 0:
            line.cut()
        case 1:
            line.stalled = True
            time.sleep(1)
            line.stalled = False
        case 2:
            before, end = line.corrupted, time.monotonic() + 5
            line.corrupt = 0.05
            while line.corrupted < before + 3 and time.monotonic() < end:
                time.sleep(0.02)
            line.corrupt = 0.0
        case 3:
            line.refusing = True
            line.cut()
            time.sleep(0.5)
            line.refusing = False
        case _:
            line.bytes_per_s = 50_000
            time.sleep(1)
            line.bytes_per_s = SPEED


# --- a server that lies ----------------------------------------------------------------------


def segments_swapped(blob: Path, _: Path) -> None:
    data = blob.read_bytes()
    half = (len(data) // 2) or 1
    blob.write_bytes(data[half:] + data[:half])


LIES = {
    "segments in another order": segments_swapped,
    "a bit turned over in the last segment": lambda blob, _: turn_over(blob, -100),
    "nothing but zeros": lambda blob, _: blob.write_bytes(bytes(blob.stat().st_size)),
    "another file's bytes": lambda blob, other: blob.write_bytes(other.read_bytes()),
    "the end cut off": lambda blob, _: os.truncate(blob, blob.stat().st_size - 5000),
}


def turn_over(blob: Path, at: int) -> None:
    data = bytearray(blob.read_bytes())
    data[at] ^= 1
    blob.write_bytes(data)


@pytest.mark.parametrize("lie", LIES)
def test_a_server_that_gives_another_file_than_was_sent_is_noticed_and_nothing_is_saved(
    three: Three, world: World, tmp_path: Path, lie: str
) -> None:
    _, alice, bob = three
    blobs = world.server.data / "blobs"
    (tmp_path / "other.bin").write_bytes(os.urandom(8 * MIB))
    (tmp_path / "plan.bin").write_bytes(os.urandom(8 * MIB))
    alice("file", "@mara", tmp_path / "other.bin").ok()
    (other,) = blobs.glob("??/*")
    alice("file", "@bob", tmp_path / "plan.bin").ok()
    (blob,) = set(blobs.glob("??/*")) - {other}
    LIES[lie](blob, other)
    listening = bob.start("listen", "--json")
    event = listening.event("file")
    while event["state"] != "failed":
        event = listening.event("file")
    expected = "does not have this file" if lie == "the end cut off" else "was changed on its way"
    assert expected in event["reason"]
    assert listening.end() == 0
    assert not [one for one in (bob.folder / "downloads").iterdir() if one.name[0] != "."]
    told = [one for one in alice.listen("--for", "2") if one["type"] == "receipt"]
    assert "failed" in [one["state"] for one in told]
