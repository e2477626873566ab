"""Conversations as the profile knows them: rows, members, and who has which message.

SQL of the tables `conversations`, `members`, `chain` and `receipts` lives here. The rules of
changing a conversation are in `room.py`, what arrives is handled in `receive.py`.
"""

from dataclasses import dataclass
from typing import Any

from chatsecure.wire.errors import NotFound
from chatsecure.wire.messages import LogKind

from .profile.database import Database

ACTIVE = "active"
"""We are in it and follow its log."""
JOINING = "joining"
"""Our way in is prepared and not yet confirmed by the server."""
LEFT = "left"
REMOVED = "removed"
BROKEN = "broken"
"""The log cannot be followed any more; we must come in anew."""
REJOINING = "rejoining"
"""It could not be followed any more; the members are asked to add us anew."""

LIVE = (ACTIVE, JOINING, REJOINING)
"""What is written there now goes out, at once or when we are in."""

CHAIN_KEPT = 10_000
"""How many values of the hash chain are kept for each conversation."""

_COLUMNS = (
    "log_id, kind, name, folded, state, epoch, cursor, chain, mls_version, "
    "delivered, read, receipted, notify, draft, joined_at, stale, floor"
)


@dataclass(frozen=True, slots=True)
class Conversation:
    """A row of `conversations`."""

    log_id: bytes
    kind: LogKind
    name: str
    """`#room`, or `@name` of the other side."""
    folded: str
    state: str
    epoch: int
    """How many commits of the log we have processed."""
    cursor: int | None
    """The last entry processed; None until the server told where we come in."""
    chain: bytes
    mls_version: int
    delivered: int
    read: int
    receipted: int
    notify: str
    """What is worth a notification: `all`, `mentions` or `nothing`."""
    draft: str
    joined_at: int
    """Milliseconds since 1970; another value when we came in anew."""
    stale: int
    """Not 0: the profile is an old copy, and nothing is encrypted here before our keys are renewed
    (2: by the change that is under way)."""
    floor: int
    """The last entry that was processed in an earlier time in it; what we come in with follows."""

    @property
    def start(self) -> int:
        """What entries are asked for after."""
        return self.floor if self.cursor is None else self.cursor

    @property
    def private(self) -> bool:
        """Whether it is a private chat."""
        return self.kind is LogKind.PRIVATE


def _conversation(row: Any) -> Conversation:
    log_id, kind, *rest = row
    return Conversation(log_id, LogKind(kind), *rest)


def get(db: Database, log_id: bytes) -> Conversation | None:
    """The conversation with this log."""
    row = db.row(f"SELECT {_COLUMNS} FROM conversations WHERE log_id = ?", log_id)
    return None if row is None else _conversation(row)


def find(db: Database, folded: str) -> Conversation | None:
    """The conversation with this folded name (`@bob`, `#room`)."""
    row = db.row(f"SELECT {_COLUMNS} FROM conversations WHERE folded = ?", folded)
    return None if row is None else _conversation(row)


def everything(db: Database, *states: str) -> list[Conversation]:
    """All conversations in one of these states (all states if none is named), by name."""
    marks = ",".join("?" * len(states))
    where = f"WHERE state IN ({marks})" if states else ""
    rows = db.rows(f"SELECT {_COLUMNS} FROM conversations {where} ORDER BY folded", *states)
    return [_conversation(row) for row in rows]


def add(
    db: Database,
    log_id: bytes,
    kind: LogKind,
    name: str,
    folded: str,
    *,
    state: str,
    epoch: int,
    at: int,
) -> str:
    """Write a new conversation down, or begin one anew that was left.

    A name that another live conversation has gets a number: `#room~2`.

    Returns:
        The name it got.
    """
    shown, key, number = name, folded, 1
    while True:
        other = find(db, key)
        if other is None or other.log_id == log_id:
            break
        # Two people may open their private chat at the same time: one log stays, ours gives way.
        if other.state in (LEFT, REMOVED, BROKEN) or (
            kind is LogKind.PRIVATE and other.state == JOINING
        ):
            forget(db, other.log_id)
            break
        number += 1
        shown, key = f"{name}~{number}", f"{folded}~{number}"
    before = get(db, log_id)
    db.run("DELETE FROM conversations WHERE log_id = ?", log_id)
    db.run("DELETE FROM receipts WHERE log_id = ?", log_id)
    db.run("DELETE FROM chain WHERE log_id = ?", log_id)
    # What waits is encrypted for the group that is now; what was stored is behind us in the log.
    db.run("DELETE FROM outbox WHERE log_id = ? AND sent <> 0", log_id)
    db.run("UPDATE outbox SET payload = NULL, epoch = NULL WHERE log_id = ?", log_id)
    db.run(
        "INSERT INTO conversations(log_id, kind, name, folded, state, epoch, joined_at)"
        " VALUES(?, ?, ?, ?, ?, ?, ?)",
        log_id, kind, shown, key, state, epoch, at,
    )  # fmt: skip
    if before is not None:
        # What is the user's stays, and what was read in an earlier time is not read again.
        floor = before.start if before.state in (LEFT, REMOVED, REJOINING) else 0
        update(db, log_id, read=before.read, notify=before.notify, draft=before.draft, floor=floor)
    return shown


def forget(db: Database, log_id: bytes) -> None:
    """Free the name of a conversation that is over; its messages stay."""
    db.run(
        "UPDATE conversations SET folded = folded || '~' || hex(log_id) WHERE log_id = ?", log_id
    )


def remove(db: Database, log_id: bytes) -> None:
    """Delete a conversation that never came to be."""
    for table in ("conversations", "members", "receipts", "chain"):
        db.run(f"DELETE FROM {table} WHERE log_id = ?", log_id)


def not_there(row: Conversation | None) -> NotFound:
    """The error for a conversation that we cannot act in."""
    if row is None:
        return NotFound("there is no such conversation here")
    return NotFound(f"you are not in {row.name} any more")


def update(db: Database, log_id: bytes, **columns: Any) -> None:
    """Set columns of a conversation."""
    names = ", ".join(f"{name} = ?" for name in columns)
    db.run(f"UPDATE conversations SET {names} WHERE log_id = ?", *columns.values(), log_id)


def end(db: Database, log_id: bytes, state: str) -> None:
    """We are out of it: drop its keys and what was still to be sent."""
    update(db, log_id, state=state)
    db.run("DELETE FROM mls_state WHERE scope = ?", log_id)
    db.run("DELETE FROM members WHERE log_id = ?", log_id)
    db.run("DELETE FROM pending_commits WHERE log_id = ?", log_id)
    db.run("DELETE FROM outbox WHERE log_id = ?", log_id)
    db.run("DELETE FROM leavers WHERE log_id = ?", log_id)
    db.run(
        "UPDATE messages SET state = 'failed' WHERE log_id = ? AND mine = 1 AND state = 'queued'",
        log_id,
    )


def named(db: Database, folded: str) -> Conversation:
    """The live conversation with this folded name.

    Raises:
        NotFound: there is none.
    """
    found = find(db, folded)
    if found is None or found.state not in (ACTIVE, JOINING):
        raise NotFound(f"there is no conversation {folded} here")
    return found


def remember_chain(db: Database, log_id: bytes, seq: int, value: bytes) -> None:
    """Keep the chain's value after entry `seq`."""
    db.run("INSERT OR REPLACE INTO chain(log_id, seq, hash) VALUES(?, ?, ?)", log_id, seq, value)
    if seq % 256 == 0:
        # The first tells where our time in the conversation began.
        db.run(
            "DELETE FROM chain WHERE log_id = ?1 AND seq < ?2"
            " AND seq > (SELECT min(seq) FROM chain WHERE log_id = ?1)",
            log_id, seq - CHAIN_KEPT,
        )  # fmt: skip


def chain_at(db: Database, log_id: bytes, seq: int) -> bytes | None:
    """The chain's value after entry `seq`, if it is still kept."""
    value = db.value("SELECT hash FROM chain WHERE log_id = ? AND seq = ?", log_id, seq)
    return None if value is None else bytes(value)


def unread(db: Database, row: Conversation) -> int:
    """How many messages of others were not shown yet."""
    return int(
        db.value(
            "SELECT count(*) FROM messages WHERE log_id = ? AND mine = 0 AND kind > 0 AND seq > ?",
            row.log_id,
            row.read,
        )
    )


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A device in a conversation."""

    leaf: int
    device_id: bytes
    folded: str
    name: str
    fingerprint: bytes
    since: int


def members(db: Database, log_id: bytes) -> list[MemberRow]:
    """All devices in a conversation."""
    rows = db.rows(
        "SELECT leaf, device_id, folded, name, fingerprint, since FROM members"
        " WHERE log_id = ? ORDER BY leaf",
        log_id,
    )
    return [MemberRow(*row) for row in rows]


def people(db: Database, log_id: bytes) -> list[str]:
    """The names of the users in a conversation, each once, in folded order."""
    rows = db.rows(
        "SELECT min(name) FROM members WHERE log_id = ? GROUP BY folded ORDER BY folded", log_id
    )
    return [row[0] for row in rows]


def people_count(db: Database, log_id: bytes) -> int:
    """How many users are in a conversation."""
    return int(db.value("SELECT count(DISTINCT folded) FROM members WHERE log_id = ?", log_id) or 0)


@dataclass(frozen=True, slots=True)
class Delivery:
    """Who has a message: people, not devices; the sender does not count."""

    people: int
    delivered: int
    read: int


def delivery(db: Database, log_id: bytes, seq: int, me: str) -> Delivery:
    """How many of those who were in at entry `seq` have it, and have read it."""
    row = db.row(
        """
        WITH addressed AS (
          SELECT DISTINCT folded FROM members WHERE log_id = :log AND folded <> :me
             AND since < :seq
        ), reached AS (
          SELECT folded, max(delivered) AS delivered, max(read) AS read FROM receipts
           WHERE log_id = :log GROUP BY folded
        )
        SELECT count(*), count(CASE WHEN delivered >= :seq THEN 1 END),
               count(CASE WHEN read >= :seq THEN 1 END)
          FROM addressed LEFT JOIN reached USING (folded)
        """.replace(":log", "?1").replace(":me", "?2").replace(":seq", "?3"),
        log_id, me, seq,
    )  # fmt: skip
    return Delivery(*row)
