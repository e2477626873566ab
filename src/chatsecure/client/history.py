"""Messages as history and search show them, read from the profile's database."""

from dataclasses import dataclass
from typing import Any

from chatsecure.wire.errors import NotFound

from . import conversations
from .content import FileManifest, Text1, decode_content
from .conversations import Conversation
from .events import message_id, stamp
from .inbound import FILE
from .profile.database import Database

MAX_LINES = 10_000


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """A message or a file as history and search show it."""

    id: str
    at: str
    conversation: str
    sender: str
    text: str
    """For a file: its name."""
    mine: bool
    seq: int | None
    state: str
    """Mine: `queued`, `stored`, `failed`; others': `received`; `deleted`."""
    edited: bool
    action: bool
    file: bool
    size: int | None
    path: str | None
    """Of a file that was received whole."""
    people: int
    """How many it was for."""
    delivered: int
    read: int


_COLUMNS = (
    "m.id, m.log_id, m.seq, m.at, m.sender, m.mine, m.kind, m.body, m.text, m.edited, m.state,"
    " c.name, f.path"
)
_FROM = (
    "FROM messages m JOIN conversations c ON c.log_id = m.log_id"
    " LEFT JOIN files f ON f.log_id = m.log_id AND f.id = m.id AND f.state = 'received'"
)


def last(db: Database, row: Conversation, count: int, me: str) -> list[HistoryLine]:
    """The last messages of a conversation, oldest first."""
    found = db.rows(
        f"SELECT {_COLUMNS} {_FROM} WHERE m.log_id = ? ORDER BY m.n DESC LIMIT ?",
        row.log_id, max(1, min(count, MAX_LINES)),
    )  # fmt: skip
    return [_line(db, line, me) for line in reversed(found)]


def search(db: Database, words: str, count: int, me: str) -> list[HistoryLine]:
    """The last messages that hold all these words, oldest first."""
    wanted = [word for word in words.split() if word][:16]
    if not wanted:
        return []
    where = " AND ".join("m.text LIKE ? ESCAPE '\\'" for _ in wanted)
    found = db.rows(
        f"SELECT {_COLUMNS} {_FROM} WHERE {where} ORDER BY m.n DESC LIMIT ?",
        *(f"%{_literal(word)}%" for word in wanted), max(1, min(count, MAX_LINES)),
    )  # fmt: skip
    return [_line(db, line, me) for line in reversed(found)]


def _literal(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def one(db: Database, id_: str, me: str) -> HistoryLine:
    """One message.

    Raises:
        NotFound: there is none with this id.
    """
    try:
        raw = bytes.fromhex(id_)
    except ValueError:
        raw = b""
    found = db.row(f"SELECT {_COLUMNS} {_FROM} WHERE m.id = ?", raw)
    if found is None:
        raise NotFound(f"there is no message {id_} here")
    return _line(db, found, me)


def _line(db: Database, found: Any, me: str) -> HistoryLine:
    id_, log_id, seq, at, sender, mine, kind, body, text, edited, state, name, path = found
    content = decode_content(bytes(body)) if body else None
    reach = (
        conversations.delivery(db, log_id, seq, me)
        if mine and seq is not None
        else conversations.Delivery(0, 0, 0)
    )
    return HistoryLine(
        id=message_id(id_),
        at=stamp(at),
        conversation=name,
        sender=sender,
        text=text,
        mine=bool(mine),
        seq=seq,
        state=state,
        edited=bool(edited),
        action=isinstance(content, Text1) and content.action,
        file=kind == FILE,
        size=content.size if isinstance(content, FileManifest) else None,
        path=path or None,
        people=reach.people,
        delivered=reach.delivered,
        read=reach.read,
    )


def received_by(db: Database, id_: bytes) -> int:
    """How many people have confirmed a whole file of ours."""
    return int(db.value("SELECT count(*) FROM file_receipts WHERE id = ?", id_))
