"""The demo's server: a process of its own, as anybody would start it, and a search of all it has.

Its memory (on Linux), its folder and its log are searched for what was said, and for something it
must know, so that a search that finds nothing is known to work.
"""

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chatsecure.cli import child
from chatsecure.cli.output import Output
from chatsecure.wire.errors import Unreachable

START_TIMEOUT_S = 15.0


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    pid: int
    address: str
    link: str
    """The owner's."""
    data: Path
    log: Path


@contextlib.contextmanager
def running_server(data: Path, log: Path) -> Iterator[Server]:
    """Start a server as anybody would, and end it."""
    process = child.begin(data, log, "--listen", "127.0.0.1:0")
    try:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline() or "{}")
        link = json.loads(process.stdout.readline() or "{}")
        if ready.get("event") != "ready" or "link" not in link:
            said = child.last_words(log)
            raise Unreachable("the server did not start" + (f": {said}" if said else ""))
        address = f"{ready['host']}:{ready['port']}"
        yield Server(process.pid, address, link["link"], data, log)
    finally:
        child.end(process, START_TIMEOUT_S)
        if process.stdout is not None:
            process.stdout.close()


# --- what the server has ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Found:
    """What a search of the server found."""

    places: tuple[str, ...]
    """What was found, and where. Should be empty."""
    memory: bool
    """Whether its memory could be read."""
    why: str
    """Why not."""
    works: bool
    """Whether the search finds what the server does know: a user's name."""


def search_server(server: Server, needles: dict[str, bytes]) -> Found:
    """Search everything the server has for what it must not have."""
    control = b"mara"
    wanted = {
        f"{name}{note}": form
        for name, needle in needles.items()
        for note, form in _forms(needle).items()
    }
    places: set[str] = set()
    on_disk = in_memory = memory = False
    why = ""
    for path in [*sorted(server.data.rglob("*")), server.log]:
        if not path.is_file():
            continue
        data = path.read_bytes()
        on_disk = on_disk or control in data
        places |= {f"{name} in {path.name}" for name, form in wanted.items() if form in data}
    try:
        for data in _memory(server.pid):
            in_memory = in_memory or control in data
            places |= {f"{name} in memory" for name, form in wanted.items() if form in data}
        memory = True
    except OSError as error:
        why = f"{error.strerror or 'not possible here'}".lower()
    works = on_disk and (in_memory or not memory)
    return Found(tuple(sorted(places)), memory, why, works)


def _forms(needle: bytes) -> dict[str, bytes]:
    """How a phrase may lie in memory or on disk."""
    forms = {"": needle, " (in hexadecimal)": needle.hex().encode()}
    with contextlib.suppress(UnicodeDecodeError):
        forms[" (in UTF-16)"] = needle.decode().encode("utf-16-le")
    return forms


def _memory(pid: int) -> Iterator[bytes]:
    """The written memory of a process, in overlapping pieces (Linux).

    Raises:
        OSError: it cannot be read here.
    """
    piece, overlap = 16 * 1024 * 1024, 4096
    maps = Path(f"/proc/{pid}/maps").read_text("ascii", "replace").splitlines()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in maps:
            span, rights, _, _, inode, *_ = line.split(None, 5)
            if rights[0] != "r" or (rights[1] != "w" and inode != "0") or "[v" in line:
                # Programs and libraries as they are on disk hold nothing of ours.
                continue
            start, end = (int(text, 16) for text in span.split("-"))
            for at in range(start, end, piece):
                memory.seek(at)
                with contextlib.suppress(OSError):
                    # What was given back meanwhile cannot be read and is no memory any more.
                    yield memory.read(min(piece + overlap, end - at))


def show_server(server: Server, needles: dict[str, bytes], output: Output) -> None:
    """What people wrote, beside what the server has."""
    output.notice("what people wrote:")
    for name, needle in needles.items():
        if name.startswith("message"):
            output.notice(f"  {needle.decode()}")
    output.notice("what the server stored (the beginning of each entry):")
    for seq, payload in _stored(server):
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in payload[:24])
        output.notice(f"  {seq:>3}  {len(payload):>6} bytes  {payload[:24].hex(' ')}  {shown}")


def _stored(server: Server) -> list[tuple[int, bytes]]:
    """The newest entries of all conversations, as they lie in the server's database."""
    for path in sorted(server.data.glob("*.sqlite3")):
        with (
            contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db,
            contextlib.suppress(sqlite3.Error),
        ):
            rows = db.execute("SELECT key, payload FROM entries ORDER BY at").fetchall()
            return [(number, bytes(row[1])) for number, row in enumerate(rows, 1)][-12:]
    return []
