"""Changing a conversation: from a draft to a commit that all members have (see `flow.py`).

A commit is prepared in one transaction (pending in MLS, its request in `pending_commits`) and
submitted until the server has said yes or no; a crash in between changes nothing. Was another
commit first, ours is discarded, the winner read, and the change made anew from what then holds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chatsecure import mls
from chatsecure.crypto.certificates import device_id
from chatsecure.wire import messages as m
from chatsecure.wire.errors import ErrorCode, NotInTime, ProtocolError, Refused

from . import conversations
from .admission import NewLink, invitations, seal_group_info
from .content import (
    EntryHeader,
    LeaverProof,
    encode_header,
)
from .conversations import Conversation
from .flow import Flow, Until
from .flows_people import Newcomer
from .outbox import LATER
from .room import (
    Change,
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


def submit(core: Core, log_id: bytes, *, undo_stale: bool = True) -> Flow[None]:
    """Bring a conversation's pending request through: until the server has said yes and we have
    seen it, or no, and it is undone.

    Args:
        undo_stale: undo it also where the log was in another epoch only; else it stays, and
            whoever asks makes it anew or undoes it.

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
        yield from _bring_through(core, log_id, append_id, request, undo_stale=undo_stale)
    finally:
        core.submitting.discard(log_id)


def _bring_through(
    core: Core, log_id: bytes, append_id: bytes, request: m.Message, *, undo_stale: bool
) -> Flow[None]:
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
            if undo_stale or error.code is not ErrorCode.STALE_EPOCH:
                undo(core, log_id, append_id)
            raise
    match reply:
        case m.Appended(seq=seq):
            core.receiver.placed(log_id)
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
        core.db.run("DELETE FROM invitations WHERE log_id = ? AND epoch <= ?", log_id, row.epoch)
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


def undo(core: Core, log_id: bytes, append_id: bytes) -> None:
    """The server refused a pending request: as if it had never been."""
    with core.db.transaction():
        _undo(core, log_id, append_id)


def _undo(core: Core, log_id: bytes, append_id: bytes) -> None:
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
        core.defer(lambda: core.inbox.reconsider(log_id))
        return
    group = core.groups.get(log_id)
    if group.has_pending_commit:
        group.discard_pending()
        core.groups.save(log_id, group)


def leaf_devices(group: mls.Group) -> dict[bytes, int]:
    """Leaf by device."""
    return {device_id(member.signature_key): member.index for member in group.members()}
