"""A backup made while people talk: it holds everything that was acknowledged before it began."""

import asyncio
import contextlib
import shutil
import signal
import sqlite3
from pathlib import Path

import pytest

from system.conftest import Person, Server, run, start_server

from .people import ONE_OF_BOTH, folders
from .storm import Storm


def kept(data: Path) -> dict[int, bytes]:
    """The entries of conversations on a server's disk: key and payload."""
    with contextlib.closing(sqlite3.connect(f"file:{data}/server.sqlite3?mode=ro", uri=True)) as db:
        rows = db.execute(
            "SELECT e.key, e.payload FROM entries e JOIN logs l ON l.key = e.log WHERE l.kind <> 3"
        )
        return dict(rows.fetchall())


def blobs(data: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (data / "blobs").rglob("*") if path.is_file()}


@pytest.mark.parametrize("engine", ONE_OF_BOTH)
async def test_a_backup_under_load_holds_all_that_was_acknowledged_before_and_is_a_server(
    met: Server, tmp_path: Path, engine: str
) -> None:
    shutil.copytree(met.data.parent, tmp_path, dirs_exist_ok=True)
    server = start_server(tmp_path / "server", engine, met.address, owner=False)
    file, restored = tmp_path / "backup", tmp_path / "restored"
    picture = tmp_path / "picture.png"
    picture.write_bytes(bytes(range(256)) * 20_000)
    alice = Person("alice", tmp_path / "person-alice")
    alice("file", "@bob", picture).ok()
    before: dict[int, bytes] = {}

    async def copy(storm: Storm) -> int:
        await storm.grows(20)
        # One may be made in less time than it takes to say something.
        for _ in range(30):
            file.unlink(missing_ok=True)
            before.update(kept(server.data))
            acknowledged = storm.total
            done = await asyncio.to_thread(
                run, "admin", "--data", server.data, "backup", file, "--json"
            )
            done.ok()
            if storm.total > acknowledged:
                break
        else:
            pytest.fail("nobody could talk while the backup was made")
        await storm.grows(10)
        return 1

    try:
        # One is away, so that what is said in the room is kept.
        outcome = await Storm(folders(server)[1:]).run(copy)
        assert outcome.clean, outcome
        running = run("admin", "--data", server.data, "restore", file)
        assert running.code == 1
        assert "running" in running.err or "data in" in running.err
    finally:
        server.stop(signal.SIGKILL)
    run("admin", "--data", restored, "restore", file).ok()
    after = kept(restored)
    now = kept(server.data)
    # What everybody had by then may have been deleted since.
    still = before.items() & now.items()
    assert len(still) >= 20
    assert still <= after.items()
    assert blobs(restored) == blobs(server.data)
    assert blobs(restored)
    again = start_server(restored, engine, server.address, owner=False)
    try:
        bob = Person("bob", tmp_path / "person-bob")
        bob.listen("--for", "3")
        received = list((bob.folder / "downloads").iterdir())
        assert [path.read_bytes() for path in received] == [picture.read_bytes()]
        alice.send("@bob", "from the backup on")
        assert "from the backup on" in bob.texts()
    finally:
        assert again.stop() == 0


@pytest.mark.parametrize("harm", ["cut", "changed", "no backup"])
def test_a_damaged_backup_is_refused_with_a_clear_sentence_and_leaves_nothing(
    met: Server, tmp_path: Path, harm: str
) -> None:
    file, target = tmp_path / "backup", tmp_path / "restored"
    run("admin", "--data", met.data, "backup", file).ok()
    data = bytearray(file.read_bytes())
    # The database is the last and by far the largest in the file.
    place = data.rindex(b"SQLite format 3\0") + 8192
    if harm == "cut":
        del data[len(data) * 2 // 3 :]
    elif harm == "changed":
        data[place : place + 8192] = bytes(byte ^ 0x55 for byte in data[place : place + 8192])
    else:
        data = bytearray(b"something else " * 10_000)
    file.write_bytes(data)
    done = run("admin", "--data", target, "restore", file)
    assert done.code == 1
    assert "could not be restored" in done.err or "damaged" in done.err, done.err
    assert not list(target.glob("*.sqlite3"))
    assert not list(target.glob("tls.*"))


def test_a_backup_is_never_restored_over_a_server_s_data(met: Server, tmp_path: Path) -> None:
    file = tmp_path / "backup"
    run("admin", "--data", met.data, "backup", file).ok()
    before = kept(met.data)
    done = run("admin", "--data", met.data, "restore", file)
    assert done.code == 1
    assert "there is a server's data" in done.err
    assert "--data NEW" in done.err
    assert kept(met.data) == before
