"""Users as this profile knows them: first contact pins an identity, a change is shown and blocks.

SQL of the table `users` lives here. What is pinned is the fingerprint of the identity key; the
name is what the server and the certificates say and is unique on a server.
"""

import hmac
from dataclasses import dataclass

from chatsecure.crypto.credentials import MemberIdentity
from chatsecure.crypto.fingerprint import format_fingerprint
from chatsecure.names import fold_name, nearest
from chatsecure.wire.errors import NotFound, WrongIdentity

from .events import IdentityEvent, stamp
from .profile.database import Database


@dataclass(frozen=True, slots=True)
class Contact:
    """A pinned user."""

    folded: str
    name: str
    fingerprint: bytes
    identity_certificate: bytes
    verified: bool
    changed_certificate: bytes | None
    """Another identity that was seen under this name and is not accepted yet."""


def get(db: Database, name: str) -> Contact | None:
    """The pinned user of this name."""
    row = db.row(
        "SELECT folded, name, fingerprint, identity_certificate, verified, changed_certificate"
        " FROM users WHERE folded = ?",
        fold_name(name),
    )
    if row is None:
        return None
    folded, shown, fingerprint, certificate, verified, changed = row
    return Contact(folded, shown, fingerprint, certificate, bool(verified), changed)


def pin(
    db: Database, name: str, fingerprint: bytes, certificate: bytes, at: int
) -> IdentityEvent | None:
    """See an identity: pin it at first contact, note a change. Call in a transaction.

    Returns:
        What to tell the user, if anything.
    """
    known = get(db, name)
    if known is None:
        db.run(
            "INSERT INTO users(folded, name, fingerprint, identity_certificate, first_seen)"
            " VALUES(?, ?, ?, ?, ?)",
            fold_name(name), name, fingerprint, certificate, at,
        )  # fmt: skip
        state = "new"
    elif (
        hmac.compare_digest(known.fingerprint, fingerprint)
        or known.changed_certificate == certificate
    ):
        return None
    else:
        db.run(
            "UPDATE users SET changed_certificate = ? WHERE folded = ?", certificate, known.folded
        )
        state = "changed"
    return IdentityEvent(
        at=stamp(at), user=name, state=state, fingerprint=format_fingerprint(fingerprint)
    )


def pin_member(db: Database, member: MemberIdentity, at: int) -> IdentityEvent | None:
    """`pin` for a member of a group."""
    return pin(db, member.name, member.identity_fingerprint, member.identity_cert, at)


def accept_change(db: Database, name: str, fingerprint: bytes) -> None:
    """The person accepts the changed identity of a user; call in a transaction."""
    db.run(
        "UPDATE users SET fingerprint = ?, identity_certificate = changed_certificate,"
        " changed_certificate = NULL, verified = 0"
        " WHERE folded = ? AND changed_certificate IS NOT NULL",
        fingerprint, fold_name(name),
    )  # fmt: skip


def mark_verified(db: Database, name: str) -> None:
    """The person has compared the safety number; call in a transaction."""
    db.run("UPDATE users SET verified = 1 WHERE folded = ?", fold_name(name))


def somebody_changed(db: Database, log_id: bytes) -> str | None:
    """Who in a conversation has another identity than the accepted one."""
    found = db.value(
        "SELECT u.name FROM users u JOIN members m ON m.folded = u.folded"
        " WHERE m.log_id = ? AND u.changed_certificate IS NOT NULL LIMIT 1",
        log_id,
    )
    return None if found is None else str(found)


def refuse_changed(db: Database, log_id: bytes) -> None:
    """Refuse to write where somebody's identity changed and is not accepted.

    Raises:
        WrongIdentity: with the user's name.
    """
    name = somebody_changed(db, log_id)
    if name is not None:
        raise WrongIdentity(
            f"the identity of {name} has changed",
            hint=f"compare safety numbers (chatsecure verify {name}), then accept it there",
        )


def refuse_changed_user(db: Database, name: str) -> None:
    """Refuse to begin anything with a user whose identity changed and is not accepted.

    Raises:
        WrongIdentity: with the user's name.
    """
    known = get(db, name)
    if known is not None and known.changed_certificate is not None:
        raise WrongIdentity(
            f"the identity of {known.name} has changed",
            hint=f"compare safety numbers (chatsecure verify {known.name}), then accept it there",
        )


def check_counter(db: Database, name: str, fingerprint: bytes, counter: int) -> None:
    """Remember the counter of a user's device list; an older list than one seen before is a
    withdrawn one. Call in a transaction.

    Raises:
        WrongIdentity: the server shows an old list.
    """
    folded = fold_name(name)
    known = db.row(
        "SELECT device_counter FROM users WHERE folded = ? AND fingerprint = ?", folded, fingerprint
    )
    if known is None:
        return
    if counter < known[0]:
        raise WrongIdentity(f"the server shows an old list of the devices of {name}")
    db.run("UPDATE users SET device_counter = ? WHERE folded = ?", counter, folded)


def away(db: Database, name: str) -> str:
    """Why a user said to be away; empty where they are not."""
    return str(db.value("SELECT away FROM users WHERE folded = ?", fold_name(name)) or "")


def names(db: Database) -> list[str]:
    """All names this profile has seen."""
    return [row[0] for row in db.rows("SELECT name FROM users ORDER BY folded")]


def unknown_user(name: str, candidates: list[str]) -> NotFound:
    """The error for a user that does not exist, with the nearest name."""
    close = nearest(name, candidates)
    return NotFound(
        f"there is no user {name} on this server",
        hint=f"did you mean {close}?" if close else "chatsecure users lists them",
    )
