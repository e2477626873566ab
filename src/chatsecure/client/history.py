"""Messages as history and search show them, read from the profile's database.

Lines are ordered by `n`, the place in this profile: as the log has them, with what is still to be
sent at the end. Paging goes by `n`, so a conversation of any length opens at once.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chatsecure.names import fold_name
from chatsecure.wire.errors import NotFound
from chatsecure.wire.messages import ID_BYTES

from . import about, conversations
from .content import FileManifest, Text1, decode_content
from .conversations import Conversation
from .events import HELD, HeldBecause, message_id, stamp
from .inbound import FILE, TEXT
from .profile.database import Database

MAX_LINES = 10_000
MENTIONS_WITHIN = 5_000
"""How far back unread mentions are looked for: lists of conversations ask often."""
NOTICE = 0
"""The kind of rows that tell of the conversation itself: who came and went, gaps."""

UNDER_WAY = ("offered", "receiving", "sending", "failed")
"""States in which a part of a file may be here."""


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """A message, a file or a notice as history and search show it."""

    n: int
    """The place in this profile, for paging."""
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
    edited: bool = False
    action: bool = False
    file: bool = False
    size: int | None = None
    path: str | None = None
    """Of a file that was received whole, or that we sent."""
    people: int = 0
    """How many it was for."""
    delivered: int = 0
    read: int = 0
    have: int = 0
    """How many have confirmed that they have a file of ours whole."""
    reply_to: str | None = None
    mentions: tuple[str, ...] = ()
    reactions: dict[str, list[str]] | None = None
    """Names by emoji."""
    file_state: str | None = None
    """`sending`, `sent`, `offered`, `receiving`, `received`, `failed`, `declined`, `cancelled`."""
    folder: bool = False
    """The file is a folder; `size` is that of all that is in it."""
    held: bool = False
    """It is fetched only when it is accepted."""
    held_because: HeldBecause | None = None
    """Why: it is larger than `auto_save_limit`, or `ask_first` is set and its sender a stranger."""
    reason: str | None = None
    """Why a file failed or was cancelled."""
    done: int | None = None
    """Bytes of a file that are over so far, where it is under way or has stopped on the way."""
    thumbnail: bytes = b""
    notice: dict[str, Any] | None = None
    """The event of a notice."""


_COLUMNS = (
    "m.n, m.id, m.log_id, m.seq, m.at, m.sender, m.mine, m.kind, m.body, m.text, m.edited,"
    " m.state, c.name, f.path, f.source, f.state, f.held, f.reason"
)
_FROM = (
    "FROM messages m JOIN conversations c ON c.log_id = m.log_id"
    " LEFT JOIN files f ON f.log_id = m.log_id AND f.id = m.id"
)


def _bounded(count: int) -> int:
    return max(1, min(count, MAX_LINES))


def last(
    db: Database,
    row: Conversation,
    count: int,
    me: str,
    *,
    before: int | None = None,
    notices: bool = False,
) -> list[HistoryLine]:
    """The last messages of a conversation, oldest first.

    Args:
        before: only those before this place.
        notices: those that tell of the conversation too.
    """
    found = db.rows(
        f"SELECT {_COLUMNS} {_FROM} WHERE m.log_id = ? AND m.n < ? AND m.kind > ?"
        " ORDER BY m.n DESC LIMIT ?",
        row.log_id, 2**63 - 1 if before is None else before, -1 if notices else NOTICE,
        _bounded(count),
    )  # fmt: skip
    return [_line(db, line, me) for line in reversed(found)]


def after(
    db: Database, row: Conversation, n: int, count: int, me: str, *, notices: bool = False
) -> list[HistoryLine]:
    """The messages of a conversation after the place `n`, oldest first."""
    found = db.rows(
        f"SELECT {_COLUMNS} {_FROM} WHERE m.log_id = ? AND m.n > ? AND m.kind > ?"
        " ORDER BY m.n LIMIT ?",
        row.log_id, n, -1 if notices else NOTICE, _bounded(count),
    )  # fmt: skip
    return [_line(db, line, me) for line in found]


def first_unread(db: Database, row: Conversation) -> int | None:
    """The place of the oldest message of others that was not shown yet."""
    found = db.value(
        "SELECT min(n) FROM messages WHERE log_id = ? AND mine = 0 AND kind > 0 AND seq > ?",
        row.log_id, row.read,
    )  # fmt: skip
    return None if found is None else int(found)


def unread_mentions(db: Database, row: Conversation, me: str) -> list[int]:
    """The places of messages not shown yet that mention us, oldest first; at most 100.

    Args:
        me: our name, folded.
    """
    newest = db.value("SELECT max(seq) FROM messages WHERE log_id = ?", row.log_id) or 0
    # Who is mentioned stands as @name in the text; the content says it for certain.
    found = db.rows(
        "SELECT n, body FROM messages WHERE log_id = ? AND mine = 0 AND kind = ? AND seq > ?"
        " AND instr(text, '@') > 0 ORDER BY n LIMIT 1000",
        row.log_id, TEXT, max(row.read, newest - MENTIONS_WITHIN),
    )  # fmt: skip
    places = []
    for n, body in found:
        content = decode_content(bytes(body)) if body else None
        if isinstance(content, Text1) and me in map(fold_name, content.mentions):
            places.append(int(n))
    return places[:100]


def last_file(
    db: Database, states: Sequence[str], me: str, *, incoming: bool | None = None
) -> HistoryLine | None:
    """The newest file, in any conversation, that is in one of these states.

    Args:
        incoming: only those that come, or only those of ours.
    """
    marks = ",".join("?" * len(states))
    way = "" if incoming is None else f" AND f.incoming = {int(incoming)}"
    found = db.row(
        f"SELECT {_COLUMNS} {_FROM} WHERE m.kind = ? AND f.state IN ({marks}){way}"
        " ORDER BY m.n DESC LIMIT 1",
        FILE, *states,
    )  # fmt: skip
    return None if found is None else _line(db, found, me)


def search(
    db: Database, words: str, count: int, me: str, row: Conversation | None = None
) -> list[HistoryLine]:
    """The last messages that hold all these words or words that begin so, oldest first.

    Args:
        row: only in this conversation.
    """
    wanted = [word for word in words.split() if word.strip("\0")][:16]
    if not wanted:
        return []
    conditions, values = ["m.kind > 0"], []
    # The index knows words; other scripts and signs are looked for in the text itself.
    indexed = [word for word in wanted if word.isalnum() and word.isascii()]
    if indexed:
        conditions.append("m.n IN (SELECT rowid FROM search WHERE search MATCH ?)")
        values.append(" ".join(f'"{word}"*' for word in indexed))
    for word in wanted:
        if word not in indexed:
            conditions.append("m.text LIKE ? ESCAPE '\\'")
            values.append(f"%{_literal(word)}%")
    bound: list[Any] = list(values)
    if row is not None:
        conditions.append("m.log_id = ?")
        bound.append(row.log_id)
    found = db.rows(
        f"SELECT {_COLUMNS} {_FROM} WHERE {' AND '.join(conditions)} ORDER BY m.n DESC LIMIT ?",
        *bound, _bounded(count),
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


def beginning(db: Database, prefix: str, me: str) -> HistoryLine:
    """The message whose id begins so.

    Raises:
        NotFound: there is none, or more than one.
    """
    typed = prefix.casefold()
    if not (0 < len(typed) <= 2 * ID_BYTES and all(sign in "0123456789abcdef" for sign in typed)):
        raise NotFound(f"there is no message {prefix} here")
    low, high = (bytes.fromhex(typed.ljust(2 * ID_BYTES, end)) for end in "0f")
    found = db.rows(
        f"SELECT {_COLUMNS} {_FROM} WHERE m.kind > 0 AND m.id BETWEEN ? AND ? LIMIT 2", low, high
    )
    if len(found) != 1:
        raise NotFound(
            f"more than one message begins with {prefix}"
            if found
            else f"there is no message {prefix} here"
        )
    return _line(db, found[0], me)


def _line(db: Database, found: Any, me: str) -> HistoryLine:
    (n, id_, log_id, seq, at, sender, mine, kind, body, text, edited, state, name, path,
     source, file_state, held, reason) = found  # fmt: skip
    common: dict[str, Any] = {
        "n": n,
        "id": message_id(id_),
        "at": stamp(at),
        "conversation": name,
        "sender": sender,
        "text": text,
        "mine": bool(mine),
        "seq": seq,
        "state": state,
    }
    if kind == NOTICE:
        return HistoryLine(**common, notice=json.loads(bytes(body)))
    content = decode_content(bytes(body)) if body else None
    manifest = content if isinstance(content, FileManifest) else None
    written = content if isinstance(content, Text1) else None
    reach = (
        conversations.delivery(db, log_id, seq, me)
        if mine and seq is not None
        else conversations.Delivery(0, 0, 0)
    )
    return HistoryLine(
        **common,
        edited=bool(edited),
        action=written is not None and written.action,
        file=kind == FILE,
        size=manifest.size if manifest else None,
        path=(source if mine else path if file_state == "received" else None) or None,
        people=reach.people,
        delivered=reach.delivered,
        read=reach.read,
        have=received_by(db, id_) if mine and kind == FILE else 0,
        reply_to=message_id(written.reply_to) if written and written.reply_to else None,
        mentions=tuple(written.mentions) if written else (),
        reactions=about.reactions(db, log_id, id_) or None,
        file_state=file_state,
        folder=manifest is not None and manifest.folder,
        held=bool(held) and file_state == "offered",
        held_because=HELD.get(held) if file_state == "offered" else None,
        reason=reason if file_state in ("failed", "cancelled") and reason else None,
        thumbnail=manifest.thumbnail if manifest else b"",
    )


def add_notice(db: Database, row: Conversation, event: str, at: int, sender: str) -> None:
    """Keep what happened to the conversation in its history; in a transaction.

    Args:
        event: the event as JSON.
    """
    import secrets

    db.run(
        "INSERT INTO messages(id, log_id, at, sender, mine, kind, body, text, state)"
        " VALUES(?, ?, ?, ?, 0, 0, ?, '', 'notice')",
        secrets.token_bytes(16), row.log_id, at, sender, event.encode(),
    )  # fmt: skip


def received_by(db: Database, id_: bytes) -> int:
    """How many people have confirmed a whole file of ours."""
    return int(db.value("SELECT count(*) FROM file_receipts WHERE id = ?", id_))


@dataclass(frozen=True, slots=True)
class Reach:
    """What one person has of a message of ours."""

    name: str
    delivered: bool
    read: bool
    received: bool
    """The whole file, where it is one."""


def reach(db: Database, id_: str, me: str) -> list[Reach]:
    """Who has a message of ours, by name."""
    line = db.row("SELECT log_id, seq FROM messages WHERE id = ?", bytes.fromhex(id_))
    if line is None or line[1] is None:
        return []
    log_id, seq = line
    rows = db.rows(
        """
        SELECT min(m.name), coalesce(max(r.delivered), 0) >= ?2, coalesce(max(r.read), 0) >= ?2,
               EXISTS(SELECT 1 FROM file_receipts f
                       WHERE f.log_id = ?1 AND f.id = ?3 AND f.folded = m.folded)
          FROM members m LEFT JOIN receipts r ON r.log_id = m.log_id AND r.folded = m.folded
         WHERE m.log_id = ?1 AND m.folded <> ?4 AND m.since < ?2
         GROUP BY m.folded ORDER BY m.folded
        """,
        log_id, seq, bytes.fromhex(id_), me,
    )  # fmt: skip
    return [Reach(name, bool(d), bool(r), bool(f)) for name, d, r, f in rows]
