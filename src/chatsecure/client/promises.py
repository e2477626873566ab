"""What the server confirmed of ours and does not have: told, and sent again under the same id.

A confirmation names the place of a message in its log (`outbox.sent`; 0: there was none yet). The
message stays in the outbox until we read it there ourselves: another entry in that place, a log
that ends before it, or a place that we have read already show that the confirmation was false, by a
lie or since the server was set back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from chatsecure.wire import messages as m

from . import conversations
from .conversations import Conversation
from .events import GapEvent, StateEvent, message_id, stamp

if TYPE_CHECKING:
    from .core import Core
    from .profile.database import Database


def look_at(core: Core, row: Conversation, entry: m.Entry) -> None:
    """Does an entry stand where the server said that a message of ours does? In a transaction."""
    found = core.db.rows(
        "SELECT id FROM outbox WHERE log_id = ? AND sent = ? AND id <> ?",
        row.log_id, entry.seq, entry.append_id,
    )  # fmt: skip
    for (id_,) in found:
        reason = f"and shows another entry in its place ({entry.seq})"
        _tell(core, row, reason, "it is sent again")
        _send_again(core, row, bytes(id_))


def confirmed(db: Database) -> dict[bytes, int]:
    """The last place in each log in which a message of ours was confirmed and not read yet."""
    return {
        bytes(log_id): int(seq)
        for log_id, seq in db.rows(
            "SELECT log_id, max(sent) FROM outbox WHERE sent <> 0 GROUP BY log_id"
        )
    }


def look_at_ends(core: Core, logs: Sequence[m.LogState], before: Mapping[bytes, int]) -> None:
    """The server has told how far each log goes: is what it confirmed in it?

    Args:
        before: what was `confirmed` when we asked; another process of the profile may have been
            told of more since.
    """
    with core.db.transaction():
        for log in logs:
            row = conversations.get(core.db, log.log_id)
            # Where the server has less than we have read, the log is compared as a whole.
            compared = row is None or log.log_id in core.comparing or log.head < (row.cursor or 0)
            if row is not None and not compared and log.head < before.get(log.log_id, 0):
                _end(core, row, log.head, before[log.log_id])


def _end(core: Core, row: Conversation, head: int, last: int) -> None:
    found = core.db.rows(
        "SELECT id FROM outbox WHERE log_id = ? AND sent > ? AND sent <= ? ORDER BY n",
        row.log_id, head, last,
    )  # fmt: skip
    if found:
        _tell(core, row, f"and its log ends before it (at {head})", "it is sent again")
    for (id_,) in found:
        _send_again(core, row, bytes(id_))


def is_broken(core: Core, row: Conversation, id_: bytes, seq: int) -> bool:
    """A message is confirmed in a place that we are past. That may be one from before we came in
    anew; but not one that we have read, where something else stands. In a transaction."""
    first = core.db.value("SELECT min(seq) FROM chain WHERE log_id = ?", row.log_id)
    waits = core.db.row("SELECT 1 FROM outbox WHERE id = ?", id_)
    if not waits or first is None or seq <= first:
        return False
    core.db.run("DELETE FROM outbox WHERE id = ?", id_)
    shown = core.db.run(
        "UPDATE messages SET seq = NULL, state = 'failed' WHERE log_id = ? AND id = ?",
        row.log_id, id_,
    )  # fmt: skip
    reason = f"in a place where it showed us another entry ({seq})"
    _tell(core, row, reason, "it may have reached nobody")
    if shown:
        core.emit(
            StateEvent(
                at=stamp(core.now()),
                conversation=row.name,
                of=message_id(id_),
                state="failed",
                reason=f"the server confirmed it {reason}",
            )
        )
    return True


def _send_again(core: Core, row: Conversation, id_: bytes) -> None:
    core.db.run("UPDATE outbox SET sent = 0 WHERE id = ?", id_)
    core.db.run(
        "UPDATE messages SET seq = NULL, state = 'queued' WHERE log_id = ? AND id = ?",
        row.log_id, id_,
    )  # fmt: skip
    core.defer(core.pump)


def _tell(core: Core, row: Conversation, what: str, then: str) -> None:
    reason = f"the server confirmed a message of ours {what}; {then}"
    core.emit(GapEvent(at=stamp(core.now()), conversation=row.name, reason=reason))
