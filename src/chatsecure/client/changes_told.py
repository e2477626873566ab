"""Telling what a commit changed: who came, who went, other roles, another name or topic.

Nothing is decided here; `changes.py` has judged the commit and merged it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatsecure.wire import messages as m

from . import conversations
from .conversations import Conversation
from .display import harmless, harmless_name
from .events import MembershipEvent, RoomEvent, stamp
from .room import MemberRole, RoomState

if TYPE_CHECKING:
    from .core import Core
    from .profile.database import Database


def tell_change(
    core: Core,
    row: Conversation,
    entry: m.Entry,
    known: dict[bytes, conversations.MemberRow],
    by: str,
    before: RoomState,
    after: RoomState,
) -> None:
    """Tell who came, who went, and what changed; name the inviter."""
    db, at = core.db, stamp(entry.at)
    now = {member.device_id: member for member in conversations.members(db, row.log_id)}
    people_before = {member.folded for member in known.values()}
    people_now = {member.folded for member in now.values()}

    def tell(user: str, state: str, role: str | None = None) -> None:
        core.emit(
            MembershipEvent(
                at=at,
                conversation=row.name,
                sender=by or None,
                seq=entry.seq,
                user=user,
                state=state,
                by=by or None,
                role=role,
            )
        )

    for folded, name in sorted({(row.folded, row.name) for row in now.values()}):
        if folded not in people_before:
            tell(name, "joined")
    for member in known.values():
        if member.device_id not in now:
            db.run("DELETE FROM receipts WHERE log_id = ? AND device_id = ?",
                   row.log_id, member.device_id)  # fmt: skip
    for folded, name in sorted({(old.folded, old.name) for old in known.values()}):
        if folded not in people_now and not _left(db, row.log_id, folded, known):
            tell(name, "removed")
    db.run(
        "DELETE FROM leavers WHERE log_id = ?1 AND device_id NOT IN"
        " (SELECT device_id FROM members WHERE log_id = ?1)",
        row.log_id,
    )
    names = {member.fingerprint: member.name for member in now.values()}
    for user in sorted(before.roles.keys() | after.roles.keys()):
        if before.role(user) != after.role(user) and user in names:
            tell(names[user], "role", MemberRole(after.role(user)).name.lower())
    if (before.name, before.topic) != (after.name, after.topic):
        _renamed(core, row, entry, after, by)


def _left(
    db: Database, log_id: bytes, folded: str, known: dict[bytes, conversations.MemberRow]
) -> bool:
    """Whether a user's going was announced by themselves."""
    left = {
        bytes(found[0])
        for found in db.rows("SELECT device_id FROM leavers WHERE log_id = ?", log_id)
    }
    return all(member.device_id in left for member in known.values() if member.folded == folded)


def _renamed(core: Core, row: Conversation, entry: m.Entry, after: RoomState, by: str) -> None:
    name = row.name
    if after.kind is m.LogKind.ROOM and after.name.casefold() != row.folded:
        name = "#" + harmless_name(after.name.removeprefix("#"))
        taken = conversations.find(core.db, name.casefold())
        if taken is None:
            conversations.update(core.db, row.log_id, name=name, folded=name.casefold())
    core.emit(
        RoomEvent(
            at=stamp(entry.at),
            conversation=row.name,
            sender=by,
            seq=entry.seq,
            name=name,
            topic=harmless(after.topic),
        )
    )
