"""Conversations as logs: making one, appending to it, who reads what.

A device's time in a roster is an interval: it reads the entries with since < seq <= until.

    comes by      since        goes by          until
    CreateLog     0            COMMIT, LEAVE    seq of that entry: it reads what removes it
    COMMIT        seq          coming anew      where it comes in
    JOIN          seq - 1      (it reads its own JOIN)

Every entry, of any kind, is refused unless it names the log's epoch: what was encrypted for a
group that is no more can be read by nobody who came since. COMMIT and JOIN move the epoch by one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from chatsecure.names import fold_name
from chatsecure.server.limits import ServerLimits
from chatsecure.server.store.base import INBOX_KIND, DeviceRow, Interval, LogRow, Tx, UserKey
from chatsecure.wire import messages as m
from chatsecure.wire.chain import chain_next
from chatsecure.wire.errors import ErrorCode, Refused

from .links import check_new_links, use_link
from .who import Who, no_log, no_user

MAX_INBOX_UNREAD = 10_000
"""Invitations a device may have waiting."""
_NOTHING = m.CommitPart(m.RosterChange())
_MOVES = frozenset({m.EntryKind.COMMIT, m.EntryKind.JOIN})
_PLAIN = frozenset({m.EntryKind.MESSAGE, m.EntryKind.REJOIN})
"""What changes neither roster nor epoch."""


@dataclass(frozen=True, slots=True)
class Published:
    """An entry that is now in a log, and what it does to who reads there."""

    log_id: bytes
    entry: m.Entry
    removed: tuple[bytes, ...] = ()
    """Devices for which this entry is the last."""


@dataclass(frozen=True, slots=True)
class Appending:
    """What came of an append."""

    reply: m.Appended
    published: list[Published] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Created:
    """What came of making a log."""

    reply: m.LogState
    published: list[Published] = field(default_factory=list)


# --- making ------------------------------------------------------------------------------------


def create_log(tx: Tx, who: Who, message: m.CreateLog, now: int, limits: ServerLimits) -> Created:
    """Make a conversation with its first roster and the invitations to it."""
    known = tx.log(message.log_id)
    if known is not None:
        if known.creator != who.device or known.kind != message.kind:
            raise Refused(ErrorCode.EXISTS, "there is a conversation with this id already")
        return Created(log_state(tx, known, who))
    if who.device_id not in message.roster:
        raise Refused(ErrorCode.NOT_ALLOWED, "who makes a conversation must be in it")
    if tx.logs_made_by(who.user) >= limits.logs_per_user:
        raise Refused(ErrorCode.TOO_MANY, "you have made too many conversations")
    pair = _check_unique(tx, who, message)
    devices = _devices(tx, message.roster, pair)
    _check_roster_size(len(devices), limits)
    log = tx.add_log(message.log_id, message.kind, who.device, pair, now)
    for row in devices.values():
        tx.enter(log.key, row.key, 0, log.chain)
    if message.group_info is not None:
        check_new_links(tx, message.group_info, now)
        tx.set_group_info(log.key, 0, message.group_info.sealed)
        tx.set_links(log.key, (), message.group_info.new_links)
    published = _invite(tx, who, message.inbox, devices, now)
    return Created(log_state(tx, log, who), published)


def _check_unique(tx: Tx, who: Who, message: m.CreateLog) -> tuple[UserKey, UserKey] | None:
    match message.kind:
        case m.LogKind.LOBBY:
            lobby = tx.lobby()
            if lobby is not None:
                raise Refused(ErrorCode.EXISTS, "there is a lobby already", lobby)
            if who.role is not m.Role.OWNER:
                raise Refused(ErrorCode.NOT_ALLOWED, "only the server's owner makes the lobby")
        case m.LogKind.PRIVATE:
            peer = None if message.peer is None else tx.user_by_name(fold_name(message.peer))
            if peer is None:
                raise no_user(message.peer or "")
            chat = tx.private_log(who.user, peer.key)
            if chat is not None:
                text = f"there is a private chat with {peer.name} already"
                raise Refused(ErrorCode.EXISTS, text, chat)
            return who.user, peer.key
    return None


def log_state(tx: Tx, log: LogRow, who: Who) -> m.LogState:
    """A log as this device has it."""
    intervals = tx.intervals(log.key, who.device)
    last = intervals[-1] if intervals else None
    if last is None:
        return m.LogState(log.log_id, m.LogKind(log.kind), log.epoch, log.head, log.head)
    return _state(tx, log, last)


def _state(tx: Tx, log: LogRow, last: Interval, *, differs: bool = False) -> m.LogState:
    head = log.head if last.until is None else last.until
    return m.LogState(
        log.log_id, m.LogKind(log.kind), log.epoch, head, last.since, last.chain, last.acked,
        tx.first_entry(log.key, head), differs,
    )  # fmt: skip


def log_states(tx: Tx, who: Who, cursors: Iterable[m.Cursor] = ()) -> list[m.LogState]:
    """All conversations this device is in, or has not read to its end.

    Args:
        cursors: where the device says it is.
    """
    asked = {cursor.log_id: cursor for cursor in cursors}
    return [
        _state(tx, log, last, differs=differs(tx, log, asked.get(log.log_id)))
        for log, last in tx.logs_of(who.device)
    ]


def differs(tx: Tx, log: LogRow, cursor: m.Cursor | None) -> bool:
    """Whether a device came to its cursor in a log that is not this one any more."""
    if cursor is None or cursor.seq > log.head:
        return cursor is not None
    if not cursor.chain or cursor.seq == 0:
        return False
    there = log.chain if cursor.seq == log.head else tx.chain_at(log.key, cursor.seq)
    return there is not None and there != cursor.chain


def _devices(
    tx: Tx, ids: Sequence[bytes], pair: tuple[UserKey, UserKey] | None
) -> dict[bytes, DeviceRow]:
    devices = tx.devices_of(ids)
    for id_ in ids:
        row = devices.get(id_)
        if row is None:
            raise Refused(ErrorCode.NOT_FOUND, "one of the devices is not known here")
        if pair is not None and row.user not in pair:
            raise Refused(ErrorCode.NOT_ALLOWED, "a private chat has two people and no more")
    return devices


def _check_roster_size(size: int, limits: ServerLimits) -> None:
    if size > limits.roster:
        raise Refused(ErrorCode.TOO_MANY, f"a conversation has at most {limits.roster} devices")


# --- appending ---------------------------------------------------------------------------------


def append(tx: Tx, who: Who, message: m.Append, now: int, limits: ServerLimits) -> Appending:
    """Append one entry, with everything that goes with it."""
    log = tx.log(message.log_id)
    if log is None or log.kind == INBOX_KIND:
        raise no_log()
    if message.kind in _PLAIN:
        return _append_message(tx, who, log, message, now)
    _check_shape(message)
    earlier = tx.appended(log.key, who.device_id, message.append_id)
    if earlier is not None:
        return Appending(m.Appended(log.log_id, message.append_id, *earlier))
    part = _check_change(tx, who, log, message, now)
    _check_epoch(log, message)
    if message.kind is m.EntryKind.JOIN:
        use_link(tx, log, part.link_id, now)
    return _append_change(tx, who, log, message, part, now, limits)


def _append_message(tx: Tx, who: Who, log: LogRow, message: m.Append, now: int) -> Appending:
    """The common case: nothing to read but caches, one row to write, no refusal after it."""
    _check_shape(message)
    member = tx.is_member(log.key, who.device)
    if member and message.epoch == log.epoch:
        entry = m.Entry(
            log.head + 1, now, who.device_id, message.append_id, message.epoch, message.kind,
            message.payload,
        )  # fmt: skip
        if _add(tx, log, entry):
            reply = m.Appended(log.log_id, entry.append_id, entry.seq, now)
            return Appending(reply, [Published(log.log_id, entry)])
    earlier = tx.appended(log.key, who.device_id, message.append_id)
    if earlier is not None:
        return Appending(m.Appended(log.log_id, message.append_id, *earlier))
    if not member:
        raise _not_in_it()
    _check_epoch(log, message)
    raise AssertionError("an append was neither stored nor refused")


def _add(tx: Tx, log: LogRow, entry: m.Entry) -> bool:
    chain = chain_next(log.chain, entry)
    if not tx.add_entry(log.key, entry, chain):
        return False
    log.head, log.chain = entry.seq, chain
    tx.save_log(log)
    return True


def _not_in_it() -> Refused:
    return Refused(ErrorCode.NOT_ALLOWED, "this device is not in that conversation")


def _check_shape(message: m.Append) -> None:
    if message.kind is m.EntryKind.INBOX:
        raise Refused(ErrorCode.NOT_ALLOWED, "nobody appends to an inbox directly")
    if message.kind not in _MOVES and len(message.payload) > m.MAX_PAYLOAD_BYTES:
        raise Refused(
            ErrorCode.TOO_LARGE, f"a message is at most {m.MAX_PAYLOAD_BYTES} bytes, encrypted"
        )
    if message.kind in _PLAIN and message.commit is not None:
        raise Refused(ErrorCode.MALFORMED, "a message changes no roster")


def _check_epoch(log: LogRow, message: m.Append) -> None:
    if message.epoch != log.epoch:
        raise Refused(
            ErrorCode.STALE_EPOCH,
            f"the conversation is at epoch {log.epoch}, not {message.epoch}",
            log.epoch.to_bytes(8, "big"),
        )


def _check_change(tx: Tx, who: Who, log: LogRow, message: m.Append, now: int) -> m.CommitPart:
    """Whether this sender may make this change; gives it in its full form."""
    part = message.commit or _NOTHING
    roster = part.roster
    if message.kind is m.EntryKind.JOIN:
        if not set(roster.add) | set(roster.remove) <= {who.device_id} or part.inbox:
            raise Refused(ErrorCode.NOT_ALLOWED, "by a link a device brings in only itself")
        roster = m.RosterChange([who.device_id], roster.remove)
    elif not tx.is_member(log.key, who.device):
        raise _not_in_it()
    elif message.kind is m.EntryKind.LEAVE:
        roster = m.RosterChange([], roster.remove or [who.device_id])
        rows = tx.devices_of(roster.remove).values()
        if part.roster.add or part.inbox or any(row.user != who.user for row in rows):
            raise Refused(ErrorCode.NOT_ALLOWED, "by leaving one takes out only oneself")
    if part.group_info is not None:
        check_new_links(tx, part.group_info, now)
    return m.CommitPart(roster, part.inbox, part.group_info, part.link_id)


def _append_change(
    tx: Tx,
    who: Who,
    log: LogRow,
    message: m.Append,
    part: m.CommitPart,
    now: int,
    limits: ServerLimits,
) -> Appending:
    before = log.chain
    entry = m.Entry(
        log.head + 1, now, who.device_id, message.append_id, message.epoch, message.kind,
        message.payload, part.roster,
    )  # fmt: skip
    if message.kind in _MOVES:
        log.epoch += 1
    if not _add(tx, log, entry):
        raise AssertionError("an append id was free and is not")
    removed = [
        row.device_id
        for row in tx.devices_of(part.roster.remove).values()
        if tx.leave(log.key, row.key, entry.seq)
    ]
    added = _devices(tx, part.roster.add, tx.pair(log.key))
    joins = message.kind is m.EntryKind.JOIN
    since, chain = (entry.seq - 1, before) if joins else (entry.seq, log.chain)
    for row in added.values():
        if tx.is_member(log.key, row.key):
            tx.leave(log.key, row.key, since)
        tx.enter(log.key, row.key, since, chain)
    if added:
        _check_roster_size(tx.roster_size(log.key), limits)
    if part.group_info is not None:
        tx.set_group_info(log.key, log.epoch, part.group_info.sealed)
        tx.set_links(log.key, part.group_info.keys, part.group_info.new_links)
    if message.kind is m.EntryKind.LEAVE and log.kind == m.LogKind.ROOM:
        _close_if_empty(tx, log)
    gone = tuple(id_ for id_ in removed if id_ not in added)
    published = [Published(log.log_id, entry, gone)]
    published += _invite(tx, who, part.inbox, added, now)
    return Appending(m.Appended(log.log_id, message.append_id, entry.seq, now), published)


def _close_if_empty(tx: Tx, log: LogRow) -> None:
    """A room that everybody has left is over: nobody is there to take the last one's leaf out of
    the group, and whoever came in by a link would have them for a member."""
    if not tx.roster_size(log.key):
        tx.set_links(log.key, (), ())


def _invite(
    tx: Tx,
    who: Who,
    items: Sequence[m.InboxItem],
    added: dict[bytes, DeviceRow],
    now: int,
) -> list[Published]:
    """Put sealed invitations in the inboxes of those who come in by this request."""
    published = []
    for item in items:
        row = added.get(item.device_id)
        inbox = tx.log(item.device_id)
        if row is None or inbox is None:
            raise Refused(ErrorCode.NOT_ALLOWED, "only who is brought in gets an invitation")
        interval = tx.intervals(inbox.key, row.key)[-1]
        if inbox.head - interval.acked >= MAX_INBOX_UNREAD:
            raise Refused(ErrorCode.QUOTA, "too many invitations wait for one of them")
        entry = m.Entry(
            inbox.head + 1, now, who.device_id, item.append_id, 0, m.EntryKind.INBOX, item.payload
        )
        if _add(tx, inbox, entry):
            published.append(Published(inbox.log_id, entry))
    return published


# --- reading -----------------------------------------------------------------------------------


def readable(
    tx: Tx, log: LogRow, who: Who, after: int, max_bytes: int
) -> tuple[list[m.Entry], bool, int | None]:
    """What this device may read after a cursor.

    Returns:
        Entries (at least one if there is any), whether there are more, and where its reading
        ends (None: it is in the roster).
    """
    found: list[m.Entry] = []
    size = 0
    end: int | None = -1
    for interval in tx.intervals(log.key, who.device):
        end = interval.until
        low = max(after, interval.since, found[-1].seq if found else 0)
        if end is not None and low >= end:
            continue
        if size >= max_bytes:
            return found, True, None
        entries, more = tx.entries(log.key, low, end, max_bytes - size)
        found += entries
        size += sum(len(entry.payload) + 64 for entry in entries)
        if more:
            return found, True, None
    return found, False, end
