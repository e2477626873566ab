"""Who is in a conversation, with roles, for showing: from what the profile knows, no request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatsecure.names import fold_name
from chatsecure.wire.errors import NotFound

from . import contacts, conversations
from .lines import MemberLine
from .room import decode_state

if TYPE_CHECKING:
    from .core import Core

_ORDER = {"owner": 0, "manager": 1, "member": 2}


def members(core: Core, target: str) -> list[MemberLine]:
    """The people in a conversation: owners first, then managers, then members, by name.

    Args:
        target: `@user` or `#room`.

    Raises:
        NotFound: there is no such conversation here.
    """
    row = conversations.find(core.db, target[:1] + fold_name(target[1:]))
    if row is None:
        raise NotFound(f"there is no conversation {target} here")
    state = decode_state(core.groups.get(row.log_id).room_state)
    found: dict[str, MemberLine] = {}
    for member in conversations.members(core.db, row.log_id):
        known = contacts.get(core.db, member.name)
        found[member.folded] = MemberLine(
            name=member.name,
            role=state.role(member.fingerprint).name.lower(),
            me=member.folded == core.me.folded,
            online=member.folded == core.me.folded or core.presence.get(member.name, False),
            away=contacts.away(core.db, member.name),
            verified=known is not None and known.verified,
            changed=known is not None and known.changed_certificate is not None,
        )
    return sorted(found.values(), key=lambda one: (_ORDER[one.role], fold_name(one.name)))
