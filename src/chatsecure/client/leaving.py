"""Who left by a statement of their own: what it says, whether it holds, whom it takes out.

A statement is bound to the leaf of which it is made, by that leaf's own key. Whoever comes back
has another leaf, which all members of the epoch see, late ones too: so an old statement puts out
nobody who came back, and all members judge it alike (docs/decisions/leaving.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from chatsecure import mls
from chatsecure.crypto.certificates import device_id, verify_login
from chatsecure.crypto.errors import CryptoError
from chatsecure.crypto.identity import sign_with_device

from .content import Leave, LeaverProof, leave_statement
from .profile.database import Database

if TYPE_CHECKING:
    from .core import Core

PROOFS_A_COMMIT = 64
SIGNATURE_BYTES = 64


def make(core: Core, log_id: bytes, group: mls.Group) -> Leave:
    """Our statement, for our leaf of this epoch."""
    statement = leave_statement(log_id, core.me.device_id, group.leaf_key(group.own_leaf))
    return Leave(sign_with_device(bytes(core.db.get("device_seed")), statement))


def can_come_again(core: Core, group: mls.Group) -> bool:
    """Whether our leaf may be the same when we are added anew: it is of the KeyPackage of last
    resort, and not renewed since."""
    key = group.leaf_key(group.own_leaf)
    return any(
        key in bytes(package)
        for (package,) in core.db.rows("SELECT data FROM key_packages WHERE last_resort = 1")
    )


def check(log_id: bytes, group: mls.Group, member: mls.Member, signature: bytes) -> None:
    """Whether a member has left.

    Args:
        group: with the leaf still in it.

    Raises:
        CryptoError: the statement is not of this leaf.
    """
    statement = leave_statement(
        log_id, device_id(member.signature_key), group.leaf_key(member.index)
    )
    verify_login(member.signature_key, statement, signature)


def proofs(
    db: Database, log_id: bytes, group: mls.Group, there: Mapping[bytes, mls.Member]
) -> list[LeaverProof]:
    """The statements that hold for leaves of this epoch.

    Args:
        there: the members by device.
    """
    found = []
    for device, signature in db.rows(
        "SELECT device_id, signature FROM leavers WHERE log_id = ?", log_id
    ):
        member = there.get(bytes(device))
        if member is None:
            continue
        try:
            check(log_id, group, member, bytes(signature))
        except CryptoError:
            continue
        found.append(LeaverProof(bytes(device), bytes(signature)))
    return found
