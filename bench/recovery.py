"""How soon a server is back after kill -9, and what a sync to disk carries.

    python -m bench.recovery [--mib 1024] [--kills 5] [--senders 1 8 32] [--folder DIR]

`recovery`: the logs are filled with so many MiB, then, again and again: load, SIGKILL, start. Time
counts from the start to `ready`, and to the first entry that is acknowledged. `syncs`: so many
senders append 300 bytes each, 32 ahead, for some seconds; every commit of the store is one sync.
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from tests.server.people import Peer, append, create, new_id, person, token_of_link

from chatsecure.server import admin
from chatsecure.server.store.sqlite import SqliteStore
from chatsecure.wire import messages as m
from chatsecure.wire.chain import chain_next

ENTRY_BYTES = 4096
BATCH = 2_000
LOAD_S = 2.0
SYNCS_S = 5.0
AHEAD = 32


class Serving:
    """A server process on a folder."""

    def __init__(self, data: Path) -> None:
        self.data = data
        began = time.perf_counter()
        self.process = subprocess.Popen(
            [
                sys.executable, "-m", "chatsecure", "serve", "--data", str(data),
                "--listen", "127.0.0.1:0", "--limit", "append_rate=10000000",
                "--limit", "append_burst=10000000",
            ],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline().rpartition(":")[2])
        self.ready_s = time.perf_counter() - began
        self.began = began

    def link(self) -> str:
        """The owner's."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().split()[1]

    def end(self, how: signal.Signals) -> None:
        """End it."""
        self.process.send_signal(how)
        self.process.wait(60)

    def log_in(self, name: str) -> Peer:
        """Somebody who is registered."""
        peer = Peer(person(name), self.port)
        reply = peer.login()
        assert isinstance(reply, m.LoggedIn), reply
        return peer


def prepare(data: Path, names: list[str]) -> bytes:
    """A server with these people in one room; gives the room's log."""
    server = Serving(data)
    room, token = new_id(), token_of_link(server.link())
    for name in names:
        peer = Peer(person(name), server.port)
        reply = peer.register(token)
        assert isinstance(reply, m.LoggedIn), reply
        if name != names[-1]:
            made = admin.request(data, "token", uses=1, expires_s=3600)
            token = token_of_link(made["link"])
    first = server.log_in(names[0])
    first.ok(create(room, *(person(name) for name in names)))
    server.end(signal.SIGTERM)
    return room


def fill(data: Path, room: bytes, mib: int) -> int:
    """Append opaque entries to the room's log until they are so large; gives how many."""
    store = SqliteStore(data / "server.sqlite3", threaded=False)
    count = mib * 1024 * 1024 // ENTRY_BYTES
    sender, payload = person("p0").id, os.urandom(ENTRY_BYTES)

    def rule(tx: Any) -> None:
        log = tx.log(room)
        for _ in range(BATCH):
            entry = m.Entry(
                log.head + 1, time.time_ns() // 1_000_000, sender, os.urandom(16), 0,
                m.EntryKind.MESSAGE, payload,
            )  # fmt: skip
            log.chain = chain_next(log.chain, entry)
            tx.add_entry(log.key, entry, log.chain)
            log.head = entry.seq
        tx.save_log(log)

    for _ in range(-(-count // BATCH)):
        store.run(rule)
    store.close()
    return count


def load(server: Serving, room: bytes, names: list[str], seconds: float) -> int:
    """Append from all of them for so long; gives how many were acknowledged."""
    done = [0] * len(names)
    end = time.perf_counter() + seconds

    def send(index: int, peer: Peer) -> None:
        sent = 0
        while time.perf_counter() < end:
            while sent - done[index] < AHEAD:
                peer.send(append(room, os.urandom(300)), peer.connection.next_request())
                sent += 1
            peer.expect(m.Appended)
            done[index] += 1

    threads = [
        threading.Thread(target=send, args=(index, server.log_in(name)))
        for index, name in enumerate(names)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done)


def recovery(data: Path, room: bytes, kills: int) -> dict[str, Any]:
    """Kill it under load, start it, and see how long it takes."""
    ready, stored = [], []
    server = Serving(data)
    for _ in range(kills):
        load(server, room, ["p0"], LOAD_S)
        server.end(signal.SIGKILL)
        server = Serving(data)
        ready.append(server.ready_s)
        server.log_in("p0").ok(append(room, b"after"))
        stored.append(time.perf_counter() - server.began)
    server.end(signal.SIGTERM)
    return {
        "database_mib": (data / "server.sqlite3").stat().st_size >> 20,
        "kills": kills,
        "ready_s": [round(value, 2) for value in ready],
        "first_stored_s": [round(value, 2) for value in stored],
        "median_ready_s": round(statistics.median(ready), 2),
        "median_first_stored_s": round(statistics.median(stored), 2),
    }


def syncs(data: Path, room: bytes, senders: int) -> dict[str, Any]:
    """Commits a second, and messages a commit."""
    server = Serving(data)
    names = [f"p{number}" for number in range(senders)]
    before = admin.request(data, "stats")
    began = time.perf_counter()
    acknowledged = load(server, room, names, SYNCS_S)
    took = time.perf_counter() - began
    after = admin.request(data, "stats")
    server.end(signal.SIGTERM)
    batches = int(after["batches"]) - int(before["batches"])
    return {
        "senders": senders,
        "messages_per_s": round(acknowledged / took),
        "syncs_per_s": round(batches / took),
        "messages_per_sync": round(acknowledged / max(1, batches), 1),
    }


def main() -> None:
    """Measure both and print lines of JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.recovery", description=__doc__)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--senders", type=int, nargs="*", default=[1, 8, 32])
    parser.add_argument("--folder", type=Path)
    args = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="recovery-", dir=args.folder))
    try:
        names = [f"p{number}" for number in range(max([1, *args.senders]))]
        for name in names:
            person(name)
        room = prepare(scratch / "server", names)
        for senders in args.senders:
            print(json.dumps(syncs(scratch / "server", room, senders)), flush=True)
        if args.mib:
            fill(scratch / "server", room, args.mib)
            print(json.dumps(recovery(scratch / "server", room, args.kills)), flush=True)
    finally:
        shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
