"""Asking the server for people, and believing it nothing (see `flow.py`).

Certificates are checked, identities pinned or compared, and KeyPackages held against both, before
anybody is let in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from chatsecure import mls
from chatsecure.crypto import certificates
from chatsecure.crypto.credentials import check_credential
from chatsecure.names import fold_name
from chatsecure.wire import messages as m
from chatsecure.wire.errors import ErrorCode, ProtocolError, Refused, WrongIdentity

from . import contacts
from .flow import Flow
from .groups import moment

if TYPE_CHECKING:
    from .core import Core


@dataclass(frozen=True, slots=True)
class Person:
    """A user whose certificates were checked against what is pinned."""

    name: str
    folded: str
    fingerprint: bytes
    sealing_key: RSAPublicKey
    devices: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A device about to be added."""

    person: Person
    device_id: bytes
    key_package: bytes


def fetch_person(core: Core, name: str) -> Flow[Person]:
    """Ask for a user, check their certificates, pin or compare their identity.

    Raises:
        NotFound: there is no such user; the hint has the nearest name.
        WrongIdentity: it is not the identity pinned.
    """
    try:
        reply = yield core.ask(m.GetUser(name))
    except Refused as error:
        if error.code is not ErrorCode.NOT_FOUND:
            raise
        known = yield from list_users(core)
        raise contacts.unknown_user(name, [user.name for user in known]) from None
    if not isinstance(reply, m.User) or fold_name(reply.name) != fold_name(name):
        raise ProtocolError("the server answered with another user than asked for")
    return check_person(core, reply)


def check_person(core: Core, user: m.User) -> Person:
    """Check what the server says of a user; pin or compare their identity."""
    now = core.now()
    identity = certificates.check_identity(user.identity_certificate, moment(now))
    if fold_name(identity.name) != fold_name(user.name):
        raise WrongIdentity(f"the certificate of {user.name} is for {identity.name}")
    sealing_key = certificates.check_sealing(user.sealing_certificate, identity, moment(now))
    listed = certificates.check_device_list(
        user.device_list.body, user.device_list.signature, identity
    )
    with core.db.transaction():
        event = contacts.pin(
            core.db, identity.name, identity.fingerprint, identity.certificate, now
        )
        if event is not None:
            core.emit(event)
        contacts.check_counter(core.db, identity.name, identity.fingerprint, listed.counter)
    contacts.refuse_changed_user(core.db, identity.name)
    return Person(
        identity.name,
        fold_name(identity.name),
        identity.fingerprint,
        sealing_key,
        tuple(listed.devices),
    )


def list_users(core: Core) -> Flow[list[m.UserBrief]]:
    """Everybody on the server, by name."""
    users: list[m.UserBrief] = []
    after = ""
    while True:
        reply = yield core.ask(m.ListUsers(after))
        if not isinstance(reply, m.Users):
            raise ProtocolError("the server answered with something else than users")
        users += reply.users
        if not reply.more or not reply.users or reply.users[-1].name == after:
            return users
        after = reply.users[-1].name


def claim(core: Core, people: Sequence[Person]) -> Flow[list[Newcomer]]:
    """Take a KeyPackage of every device of these users and check each.

    Raises:
        NotPermitted, CryptoError: a KeyPackage is not in order.
        Refused: somebody has none.
    """
    by_name = {person.folded: person for person in people}
    reply = yield core.ask(m.ClaimKeyPackages([person.name for person in people]))
    if not isinstance(reply, m.KeyPackages):
        raise ProtocolError("the server answered with something else than KeyPackages")
    newcomers = []
    for claimed in reply.packages:
        person = by_name.get(fold_name(claimed.name))
        info = mls.key_package_info(claimed.data)
        member = check_credential(info.credential, info.signature_key, moment(core.now()))
        if person is None or member.identity_fingerprint != person.fingerprint:
            raise WrongIdentity(f"a KeyPackage of {claimed.name} is of another identity")
        if member.device_id not in person.devices:
            # Withdrawn by its user; the server had to know better.
            continue
        newcomers.append(Newcomer(person, member.device_id, claimed.data))
    missing = by_name.keys() - {newcomer.person.folded for newcomer in newcomers}
    if missing:
        names = ", ".join(by_name[folded].name for folded in sorted(missing))
        raise Refused(ErrorCode.NO_KEY_PACKAGE, f"no device of {names} can be added now")
    return newcomers
