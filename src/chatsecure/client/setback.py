"""A server that was set back to an older state (a backup): told, and gone on from there.

The group lives with its members, so it goes on where they are; only the log is another one from
some entry on. It is read again up to there (the hash chain tells), our cursor goes back, what the
server has lost of our messages is sent again under the same ids (who has them already shows them
once), and KeyPackages it may give out a second time are replaced. Who missed changes that the log
has lost finds messages of an epoch that is not theirs, and asks to be added anew (`stale.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatsecure.wire import messages as m
from chatsecure.wire.chain import chain_next

from . import conversations, keypackages, stale
from .events import GapEvent, stamp
from .inbound import FILE, TEXT

if TYPE_CHECKING:
    from .conversations import Conversation
    from .core import Core
    from .profile.database import Database


def compare(core: Core, row: Conversation, log: m.LogState) -> None:
    """The server's log is not the one we have read. Find out from where on; in a transaction."""
    start = max(log.first - 1, log.since) if log.first else log.head
    known = conversations.chain_at(core.db, row.log_id, start)
    chain = known or (log.chain if start == log.since else b"")
    if start >= log.head or not chain:
        _set_back(core, row, min(start, row.cursor or 0), chain, log.epoch)
        core.defer(lambda: core.subscribe(row.log_id, start))
        return
    core.comparing[row.log_id] = (start, chain)
    core.defer(lambda: core.subscribe(row.log_id, start))


def read_again(core: Core, row: Conversation, entries: list[m.Entry]) -> list[m.Entry]:
    """Skip what we have read in the very same form; in a transaction. Gives what is new."""
    seq, chain = core.comparing[row.log_id]
    for index, entry in enumerate(entries):
        if entry.seq != seq + 1:
            # Of the flow that goes on after our old cursor.
            continue
        following = chain_next(chain, entry)
        if conversations.chain_at(core.db, row.log_id, entry.seq) != following:
            del core.comparing[row.log_id]
            _set_back(core, row, seq, chain, entry.epoch)
            return entries[index:]
        seq, chain = entry.seq, following
    core.comparing[row.log_id] = (seq, chain)
    told = core.logs.get(row.log_id)
    if told is not None and seq >= told.head:
        # All that is there is ours too.
        del core.comparing[row.log_id]
        moves = entries[-1].kind in (m.EntryKind.COMMIT, m.EntryKind.JOIN)
        if seq < (row.cursor or 0):
            _set_back(core, row, seq, chain, entries[-1].epoch + moves)
    return []


def _set_back(core: Core, row: Conversation, head: int, chain: bytes, epoch: int) -> None:
    """The server's log is ours up to `head` and no further."""
    db = core.db
    lost = (row.cursor or 0) - head
    reason = (
        f"the server was set back to an older state: {lost} entries of this conversation that it "
        "had confirmed are gone there. They are kept here, and what we wrote is sent again"
    )
    if epoch != row.epoch:
        reason += "; who was added or removed since may have to be again"
    core.emit(GapEvent(at=stamp(core.now()), conversation=row.name, reason=reason))
    delivered, read = min(row.delivered, head), min(row.read, head)
    conversations.update(
        db,
        row.log_id,
        cursor=head,
        epoch=epoch,
        chain=chain,
        delivered=delivered,
        read=read,
        receipted=min(row.receipted, delivered + read),
    )
    db.run("DELETE FROM chain WHERE log_id = ? AND seq > ?", row.log_id, head)
    db.run(
        "UPDATE receipts SET delivered = min(delivered, ?1), read = min(read, ?1)"
        " WHERE log_id = ?2",
        head, row.log_id,
    )  # fmt: skip
    db.run("UPDATE members SET since = min(since, ?) WHERE log_id = ?", head, row.log_id)
    _send_again(db, row.log_id, head)
    told = core.logs.get(row.log_id)
    core.heads[row.log_id] = told.head if told is not None else head
    core.epochs.pop(row.log_id, None)
    _inbox_too(core)


def _send_again(db: Database, log_id: bytes, head: int) -> None:
    db.run("UPDATE outbox SET sent = 0 WHERE log_id = ?", log_id)
    db.run(
        "INSERT OR IGNORE INTO outbox(id, log_id, kind, content)"
        " SELECT id, log_id, ?, body FROM messages"
        " WHERE log_id = ? AND mine = 1 AND seq > ? AND state = 'stored' AND kind IN (?, ?)"
        " ORDER BY seq",
        int(m.EntryKind.MESSAGE), log_id, head, TEXT, FILE,
    )  # fmt: skip
    db.run(
        "UPDATE messages SET seq = NULL, state = 'queued' WHERE log_id = ? AND mine = 1"
        " AND seq > ? AND state = 'stored' AND kind IN (?, ?)",
        log_id, head, TEXT, FILE,
    )  # fmt: skip
    db.run("UPDATE messages SET seq = ?1 WHERE log_id = ?2 AND seq > ?1", head, log_id)


def _inbox_too(core: Core) -> None:
    """The inbox was set back with it: read it from its start, once for all conversations."""
    db = core.db
    cursor = int(db.get("inbox_cursor") or 0)
    if not cursor:
        return
    db.put("inbox_read_before", cursor)
    db.put("inbox_cursor", 0)
    db.put("replace_key_packages", 1)
    keypackages.stock(core, 0)
    core.defer(lambda: core.subscribe(core.me.device_id, 0))


# --- behind ----------------------------------------------------------------------------------


def ask_if_behind(core: Core, row: Conversation) -> None:
    """Something was of an epoch that is not ours: ask, once an epoch, to be added anew. We stay
    in the group until we are: whoever wrote that may be the one who is behind."""
    key = "asked " + row.log_id.hex()
    if core.db.get(key) == row.epoch:
        return
    with core.db.transaction():
        core.db.put(key, row.epoch)
    core.start(stale.ask_back(core, row.log_id, behind=True))


def asked(db: Database, log_id: bytes) -> bool:
    """Whether we have asked to be added anew though we are in it."""
    return db.get("asked " + log_id.hex()) is not None


def answered(db: Database, log_id: bytes) -> None:
    """We came in; in a transaction."""
    db.run("DELETE FROM meta WHERE key = ?", "asked " + log_id.hex())
