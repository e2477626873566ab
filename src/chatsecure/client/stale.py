"""Old copies of a profile: noticing, going on alone, renewing keys, being added anew.

A profile restored from an older copy of its files (a backup, a snapshot of the machine) holds
ratchets that may have encrypted already. It is known by any of:

    the mark      each log-in is marked, and told the mark before; an old copy does not know it
    the cursors   this device has confirmed entries that the profile does not have
    the log       there is something of this device that the profile has not sent

Then this copy takes over: the server shuts out all others of it (`generation`). Nothing is
encrypted in a conversation before a commit has renewed our keys there; where the log cannot be
followed to its end, the members are asked to add this device anew (a REJOIN entry).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatsecure.crypto.identity import sign_with_device
from chatsecure.wire import messages as m
from chatsecure.wire.errors import ChatSecureError, ErrorCode, Refused

from . import conversations, keypackages
from .content import rejoin_statement
from .events import GapEvent, stamp
from .flow import Flow, Ticket, Until

if TYPE_CHECKING:
    from chatsecure import mls

    from .conversations import Conversation
    from .core import Core
    from .flows import Draft
    from .flows_people import Newcomer
    from .profile.database import Database
    from .room import RoomState

MARKS_KEPT = 1_000
RENEWING = 2
"""`Conversation.stale` while the commit that renews our keys is under way."""
TURN_MS = 400
TURNS_WAIT_MS = 6_000
ELSEWHERE = (
    "this profile is an older copy: what this device did since then is missing here. Its keys are "
    "renewed now, and other copies of it are shut out"
)


# --- noticing --------------------------------------------------------------------------------


def generation(db: Database) -> int:
    """Which copy of the profile this is: grows with every take-over."""
    return int(db.get("generation") or 0)


def new_mark(core: Core) -> bytes:
    """A mark for the next log-in, written down before it is used."""
    with core.db.transaction():
        n = (core.db.value("SELECT max(n) FROM marks") or 0) + 1
        mark: bytes = n.to_bytes(8, "big") + core.random(8)
        core.db.run("INSERT INTO marks(n, mark) VALUES(?, ?)", n, mark)
        core.db.run("DELETE FROM marks WHERE n <= ?", n - MARKS_KEPT)
    return mark


def _knows(db: Database, mark: bytes) -> bool:
    """Whether a log-in with this mark was ours. One of long ago (a server that was set back to an
    older state) counts as ours."""
    n = int.from_bytes(mark[:8], "big")
    known = db.value("SELECT mark FROM marks WHERE n = ?", n)
    oldest = db.value("SELECT min(n) FROM marks") or 0
    return not mark or known == mark or n < oldest


def logged_in(core: Core, login: m.Login, reply: m.LoggedIn) -> None:
    """Compare what the server knows of this device; in a transaction."""
    if login.generation >= generation(core.db):
        core.db.put("take_over", 0)
    if not _knows(core.db, reply.mark):
        _noticed(core)


def noticed_in(core: Core, log_id: bytes) -> None:
    """A conversation shows that this profile is an old copy. Told once, not for each sign of it;
    in a transaction."""
    row = conversations.get(core.db, log_id)
    if row is None or not row.stale:
        _noticed(core)


def mark_old(db: Database, theirs: int = 0) -> None:
    """Write down that this profile is an old copy and takes over; in a transaction.

    Args:
        theirs: the generation of the copy that is in use, where that is known.
    """
    db.put("generation", max(generation(db), theirs) + 1)
    db.put("take_over", 1)
    db.put("replace_key_packages", 1)
    db.put("lost_conversations", 1)
    db.run("UPDATE conversations SET stale = 1 WHERE state = ?", conversations.ACTIVE)


def _noticed(core: Core) -> None:
    """This profile is an old copy; in a transaction."""
    mark_old(core.db)
    core.emit(GapEvent(at=stamp(core.now()), reason=ELSEWHERE))
    if core.online:
        core.defer(lambda: _go_on(core))


def _go_on(core: Core) -> None:
    """It was noticed in the middle of a session."""
    take_over(core)
    with core.db.transaction():
        keypackages.stock(core, 0)
    came_online(core)


def refused(core: Core, error: Refused) -> Refused | None:
    """A log-in was refused for good. None: another process of this profile has just taken over, so
    that the next try is of the right generation."""
    if error.code is not ErrorCode.MOVED:
        return error
    theirs = int.from_bytes(error.detail[:8], "big")
    if generation(core.db) >= theirs:
        return None
    with core.db.transaction():
        core.db.put("moved_to_generation", theirs)
    return Refused(
        error.code,
        str(error),
        error.detail,
        hint="use that one, or go on with this one: chatsecure profile take-over",
    )


# --- going on alone --------------------------------------------------------------------------


def take_over(core: Core) -> None:
    """Tell the server to shut out other copies, if that is still to be done."""
    if not core.db.get("take_over"):
        return
    asked = generation(core.db)

    def done(ticket: Ticket) -> None:
        if ticket.error is None:
            with core.db.transaction():
                if generation(core.db) == asked:
                    core.db.put("take_over", 0)
        core.defer(lambda: heal(core))

    core.requests.internal(m.TakeOver(asked), done)


def came_online(core: Core) -> None:
    """What is still to be done of an earlier run's; after the subscription."""
    heal(core)
    for row in conversations.everything(core.db, conversations.BROKEN, conversations.REJOINING):
        told = core.logs.get(row.log_id)
        lost_again = told is not None and told.head < (row.cursor or 0)
        if row.state == conversations.BROKEN or lost_again:
            core.start(ask_back(core, row.log_id))
    if core.db.get("lost_conversations"):
        core.start(_ask_for_lost(core))
    for (log_id,) in core.db.rows("SELECT DISTINCT log_id FROM rejoiners"):
        core.start(readd(core, bytes(log_id)))


def heal(core: Core) -> None:
    """Renew our keys wherever that is still to be done."""
    if not core.online or core.db.get("take_over"):
        return
    for (log_id,) in core.db.rows(
        "SELECT log_id FROM conversations WHERE stale > 0 AND state = ?", conversations.ACTIVE
    ):
        if log_id not in core.renewing:
            core.renewing.add(log_id)
            core.start(_renew(core, bytes(log_id)))


def _renew(core: Core, log_id: bytes) -> Flow[None]:
    """Bring our keys in a conversation to a new epoch, where nobody has used them."""
    from .flows import Draft, change

    def make(group: mls.Group, state: RoomState, row: Conversation) -> Draft | None:
        return Draft(renews=True) if row.stale else None

    try:
        yield from change(core, log_id, make, stale=True)
    finally:
        core.renewing.discard(log_id)


# --- being added anew ------------------------------------------------------------------------


def _ask_for_lost(core: Core) -> Flow[None]:
    """Ask to be added anew to what another copy came into and this one does not know of."""
    inbox = core.me.device_id
    yield Until(
        lambda: (
            not core.online
            or (not core.db.get("take_over") and (core.db.get("inbox_cursor") or 0) >= _head(core))
        )
    )
    if not core.online:
        return
    for log_id in list(core.logs):
        row = conversations.get(core.db, log_id)
        if log_id != inbox and (row is None or row.state in _OUT):
            yield from ask_back(core, log_id)
    with core.db.transaction():
        core.db.put("lost_conversations", 0)


_OUT = (conversations.LEFT, conversations.REMOVED, conversations.BROKEN)


def _head(core: Core) -> int:
    return core.heads.get(core.me.device_id, 0)


def ask_back(core: Core, log_id: bytes, *, behind: bool = False) -> Flow[None]:
    """Ask the members of a conversation that we cannot follow any more to add us anew.

    Args:
        behind: also while we are in it.
    """
    from .flows import MAX_TRIES, pause
    from .outbox import LATER

    for _ in range(MAX_TRIES):
        told = core.logs.get(log_id)
        row = conversations.get(core.db, log_id)
        back = row is not None and row.state in (conversations.ACTIVE, conversations.JOINING)
        if told is None or not core.online or (back and not behind):
            return
        append_id = core.random(16)
        statement = rejoin_statement(log_id, core.me.device_id, append_id)
        signature = sign_with_device(bytes(core.db.get("device_seed")), statement)
        epoch = max(told.epoch, core.epochs.get(log_id, 0), row.epoch if back and row else 0)
        try:
            reply = yield core.ask(
                m.Append(log_id, append_id, epoch, m.EntryKind.REJOIN, signature)
            )
        except Refused as error:
            if error.code in LATER:
                yield from pause(core, 1_000)
            elif error.code is ErrorCode.STALE_EPOCH and len(error.detail) == 8:
                core.epochs[log_id] = int.from_bytes(error.detail, "big")
            else:
                return
        else:
            with core.db.transaction():
                row = conversations.get(core.db, log_id)
                if row is not None and row.state in _OUT and isinstance(reply, m.Appended):
                    conversations.update(
                        core.db, log_id, state=conversations.REJOINING, cursor=reply.seq
                    )
            return


def readd(core: Core, log_id: bytes) -> Flow[None]:
    """Add anew the devices that have asked for it. Members take turns, so that one of them does
    it and not all at once."""
    from .flows import Draft, change, leaf_devices, pause
    from .flows_people import claim, fetch_person

    def waiting() -> list[conversations.MemberRow]:
        asked = {
            bytes(found[0])
            for found in core.db.rows("SELECT device_id FROM rejoiners WHERE log_id = ?", log_id)
        }
        return [
            member for member in conversations.members(core.db, log_id) if member.device_id in asked
        ]

    there = [
        member.device_id
        for member in conversations.members(core.db, log_id)
        if member not in waiting()
    ]
    if core.me.device_id not in there:
        return
    rank = there.index(core.me.device_id)
    yield from pause(core, min(rank * TURN_MS, TURNS_WAIT_MS))
    for name in sorted({member.name for member in waiting()}):
        try:
            person = yield from fetch_person(core, name)
            newcomers = yield from claim(core, [person])
        except ChatSecureError:
            # They have nothing to be added by now, or an identity that is not accepted.
            continue

        def make(
            group: mls.Group,
            state: RoomState,
            row: Conversation,
            newcomers: list[Newcomer] = newcomers,
        ) -> Draft | None:
            leaves = leaf_devices(group)
            asked = {member.device_id for member in waiting()} & leaves.keys()
            add = [one for one in newcomers if one.device_id in asked]
            return Draft(add=add, remove=[leaves[one.device_id] for one in add]) if add else None

        yield from change(core, log_id, make)
