"""Changing a conversation: from a draft to a commit that all members have (see `flow.py`).

A commit is prepared in one transaction (pending in MLS, its request in `pending_commits`) and
submitted until the server has said yes or no; a crash in between changes nothing. Was another
commit first, ours is discarded, the winner read, and the change made anew from what then holds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from chatsecure import links, mls
from chatsecure.crypto import certificates, sealing
from chatsecure.crypto.certificates import device_id
from chatsecure.crypto.credentials import check_credential
from chatsecure.names import fold_name
from chatsecure.wire import messages as m
from chatsecure.wire.errors import ErrorCode, NotInTime, ProtocolError, Refused, WrongIdentity

from . import contacts, conversations
from .content import (
    EntryHeader,
    Invitation,
    LeaverProof,
    encode_header,
    encode_invitation,
)
from .conversations import Conversation
from .flow import Flow, Until
from .groups import moment
from .outbox import LATER
from .room import (
    Change,
    LinkState,
    NotPermitted,
    RoomState,
    check_change,
    decode_state,
    encode_state,
)

if TYPE_CHECKING:
    from .core import Core

MAX_TRIES = 50
"""How often a change is made anew because another one was first."""
PATIENCE_MS = 30_000
"""How long a flow waits for the server to push what it has promised."""
GROUP_INFO_PURPOSE = "group info"
GROUP_INFO_KEY_PURPOSE = "group info key"


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


@dataclass(frozen=True, slots=True)
class NewLink:
    """A link about to be opened."""

    state: LinkState
    uses: int


@dataclass(frozen=True, slots=True)
class Draft:
    """What a commit is to change; nothing at all renews our own keys."""

    add: Sequence[Newcomer] = ()
    remove: Sequence[int] = ()
    """Leaves."""
    state: RoomState | None = None
    leavers: Sequence[LeaverProof] = ()
    renews: bool = False
    """It renews our keys in an old copy of the profile, before anything else may be sent."""
    new_links: Sequence[NewLink] = field(default=())


Make = Callable[[mls.Group, RoomState, Conversation], Draft | None]


def pause(core: Core, ms: int) -> Flow[None]:
    """Wait that long."""
    try:
        yield Until(lambda: False, deadline=core.clock() + max(1, ms))
    except NotInTime:
        return


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


def invitations(
    newcomers: Sequence[Newcomer], log_id: bytes, epoch: int, welcome: bytes
) -> list[m.InboxItem]:
    """The Welcome, sealed for each newcomer's user and device (design D7)."""
    body = encode_invitation(Invitation(log_id, epoch, welcome))
    return [
        m.InboxItem(
            newcomer.device_id,
            links.make_secret()[:16],
            sealing.seal(newcomer.person.sealing_key, body, newcomer.device_id),
        )
        for newcomer in newcomers
    ]


def seal_group_info(
    log_id: bytes, group_info: bytes, open_links: Sequence[LinkState], new: Sequence[NewLink]
) -> m.GroupInfoUpload:
    """A GroupInfo as the server keeps it: sealed once, its key sealed for each link."""
    key = links.make_secret()

    def sealed_key(link: LinkState) -> bytes:
        return sealing.seal_with_secret(link.secret, GROUP_INFO_KEY_PURPOSE, key, link.link_id)

    fresh = {link.state.link_id for link in new}
    return m.GroupInfoUpload(
        sealing.seal_with_secret(key, GROUP_INFO_PURPOSE, group_info, log_id),
        [
            m.LinkKey(link.link_id, sealed_key(link))
            for link in open_links
            if link.link_id not in fresh
        ],
        [
            m.LinkUpload(
                link.state.link_id, link.uses, link.state.expires_at, sealed_key(link.state)
            )
            for link in new
        ],
    )


def open_group_info(secret: bytes, info: m.LinkInfo) -> bytes:
    """The GroupInfo that a link's holder was given.

    Raises:
        CannotOpen: it is not sealed under this link's secret.
    """
    key = sealing.open_with_secret(secret, GROUP_INFO_KEY_PURPOSE, info.sealed_key, info.link_id)
    return sealing.open_with_secret(key, GROUP_INFO_PURPOSE, info.sealed_group_info, info.log_id)


# --- commits ---------------------------------------------------------------------------------


def change(core: Core, log_id: bytes, make: Make, *, stale: bool = False) -> Flow[bool]:
    """Make a change and bring it through, whoever else changes something at the same time.

    Args:
        make: gives the draft by what holds now, or None where there is nothing to change (any
            more). Called again after every change of somebody else's that came first.
        stale: also where the profile is an old copy and our keys are not renewed yet.

    Returns:
        Whether a commit of ours was made.

    Raises:
        NotPermitted: the conversation's rules do not allow it.
        NotFound: we are not in the conversation.
    """
    for _ in range(MAX_TRIES):
        yield Until(
            lambda: _free(core, log_id, stale=stale), what="the conversation could not be caught up"
        )
        with core.db.transaction():
            row = conversations.get(core.db, log_id)
            if row is None or row.state != conversations.ACTIVE:
                raise conversations.not_there(row)
            if not _free(core, log_id, stale=stale):
                continue
            group = core.groups.get(log_id)
            state = decode_state(group.room_state)
            draft = make(group, state, row)
            if draft is None:
                return False
            _prepare(core, row, group, state, draft)
        try:
            yield from submit(core, log_id)
        except Refused as error:
            if error.code is not ErrorCode.STALE_EPOCH:
                raise
        else:
            return True
    raise NotInTime("the conversation changes too fast; try again")


def _free(core: Core, log_id: bytes, *, stale: bool) -> bool:
    row = conversations.get(core.db, log_id)
    if row is None or row.state != conversations.ACTIVE:
        return True
    return core.ready(log_id, stale=stale) and not core.db.row(
        "SELECT 1 FROM pending_commits WHERE log_id = ?", log_id
    )


def _prepare(
    core: Core, row: Conversation, group: mls.Group, state: RoomState, draft: Draft
) -> None:
    """Make the commit and keep it until the server has answered; in a transaction."""
    after = draft.state or state
    members = {member.leaf: member for member in conversations.members(core.db, row.log_id)}
    removed = [members[leaf] for leaf in draft.remove]
    stays = {proof.device_id for proof in draft.leavers}
    # Who is taken out and brought in again by one commit neither comes nor goes.
    stays |= {gone.device_id for gone in removed} & {new.device_id for new in draft.add}
    check_change(
        Change(
            by=core.me.fingerprint,
            before=state,
            after=after,
            added=[new.person.fingerprint for new in draft.add if new.device_id not in stays],
            removed=[gone.fingerprint for gone in removed if gone.device_id not in stays],
            at=core.now(),
        )
    )
    append_id = core.random(16)
    header = EntryHeader(
        append_id=append_id,
        kind=m.EntryKind.COMMIT,
        epoch=row.epoch,
        seen_seq=row.cursor or 0 if row.chain else 0,
        seen_chain=row.chain,
        leavers=list(draft.leavers),
    )
    made = group.commit(
        core.groups.signer,
        add=[newcomer.key_package for newcomer in draft.add],
        remove=list(draft.remove),
        room_state=encode_state(after) if after != state else None,
        aad=encode_header(header),
        want_group_info=bool(after.links),
    )
    core.groups.save(row.log_id, group)
    if draft.renews:
        conversations.update(core.db, row.log_id, stale=2)
    request = m.Append(
        row.log_id,
        append_id,
        row.epoch,
        m.EntryKind.COMMIT,
        made.commit,
        m.CommitPart(
            m.RosterChange(
                [newcomer.device_id for newcomer in draft.add], [gone.device_id for gone in removed]
            ),
            invitations(draft.add, row.log_id, row.epoch + 1, made.welcome or b""),
            seal_group_info(row.log_id, made.group_info, after.links, draft.new_links)
            if made.group_info
            else None,
        ),
    )
    keep_pending(core, row.log_id, append_id, request)


def keep_pending(core: Core, log_id: bytes, append_id: bytes, request: m.Message) -> None:
    """Write down a request that must come through or be undone; in a transaction."""
    core.db.run(
        "INSERT INTO pending_commits(log_id, append_id, message_type, request) VALUES(?, ?, ?, ?)",
        log_id, append_id, m.NUMBERS[type(request)], m.encode_body(request),
    )  # fmt: skip


def submit(core: Core, log_id: bytes) -> Flow[None]:
    """Bring a conversation's pending request through: until the server has said yes and we have
    seen it, or no, and it is undone.

    Raises:
        Refused: the server said no; nothing has changed.
    """
    found = core.db.row(
        "SELECT append_id, message_type, request FROM pending_commits WHERE log_id = ?", log_id
    )
    if found is None:
        return
    append_id, kind, body = found
    request = m.decode_body(kind, bytes(body))
    core.submitting.add(log_id)
    try:
        yield from _bring_through(core, log_id, append_id, request)
    finally:
        core.submitting.discard(log_id)


def _bring_through(core: Core, log_id: bytes, append_id: bytes, request: m.Message) -> Flow[None]:
    while True:
        try:
            reply = yield core.ask(request)
            break
        except Refused as error:
            if error.code in LATER:
                yield from pause(core, 1_000)
                continue
            if error.code is ErrorCode.STALE_EPOCH and len(error.detail) == 8:
                core.epochs[log_id] = max(
                    int.from_bytes(error.detail, "big"), core.epochs.get(log_id, 0)
                )
            with core.db.transaction():
                _undo(core, log_id, append_id)
            raise
    match reply:
        case m.Appended(seq=seq):
            yield from _entered(core, log_id, append_id, seq - 1)
            yield Until(lambda: _passed(core, log_id, seq), what="the change was not confirmed")
            if append_id in core.ignored:
                raise NotPermitted(core.ignored.pop(append_id))
        case m.LogState():
            yield from _entered(core, log_id, append_id)
        case _:
            raise ProtocolError("the server answered a change with something else")


def _entered(core: Core, log_id: bytes, append_id: bytes, floor: int = 0) -> Flow[None]:
    """A way in that was prepared is confirmed: follow the log, from what comes after `floor`."""
    row = conversations.get(core.db, log_id)
    if row is None or row.state != conversations.JOINING:
        return
    with core.db.transaction():
        conversations.update(
            core.db, log_id, state=conversations.ACTIVE, floor=max(floor, row.floor)
        )
        core.db.run(
            "DELETE FROM pending_commits WHERE log_id = ? AND append_id = ?", log_id, append_id
        )
        core.db.run("DELETE FROM invitations WHERE log_id = ?", log_id)
    core.pump()
    yield Until(
        lambda: _passed(core, log_id, 0),
        deadline=core.clock() + PATIENCE_MS,
        what="the server did not let us follow the conversation",
    )


def _passed(core: Core, log_id: bytes, seq: int) -> bool:
    row = conversations.get(core.db, log_id)
    if row is None or row.state not in (conversations.ACTIVE, conversations.JOINING):
        return True
    return row.cursor is not None and row.cursor >= seq


def _undo(core: Core, log_id: bytes, append_id: bytes) -> None:
    """The server refused a pending request: as if it had never been; in a transaction."""
    mine = core.db.run(
        "DELETE FROM pending_commits WHERE log_id = ? AND append_id = ?", log_id, append_id
    )
    row = conversations.get(core.db, log_id)
    if not mine or row is None:
        return
    if row.state == conversations.JOINING:
        # Where we have been before, or have written already, the history stays.
        if core.db.row("SELECT 1 FROM messages WHERE log_id = ? LIMIT 1", log_id):
            conversations.end(core.db, log_id, conversations.LEFT)
        else:
            conversations.remove(core.db, log_id)
        core.groups.drop(log_id)
        core.defer(lambda: core.receiver.reconsider(log_id))
        return
    group = core.groups.get(log_id)
    if group.has_pending_commit:
        group.discard_pending()
        core.groups.save(log_id, group)


def leaf_devices(group: mls.Group) -> dict[bytes, int]:
    """Leaf by device."""
    return {device_id(member.signature_key): member.index for member in group.members()}
