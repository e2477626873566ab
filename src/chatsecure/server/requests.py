"""Each request of a logged-in client: which rule decides it, and what follows."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from chatsecure.wire import messages as m
from chatsecure.wire.errors import ErrorCode, Refused

from .hub import Sub
from .rules import accounts, links, logs
from .rules.who import Who
from .store.base import Tx
from .store.turns import Turn

if TYPE_CHECKING:
    from .core import Core
    from .session import Session

LOOK_BYTES = 1024 * 1024
"""Entries one look at the store brings for one connection."""
SUBS_A_LOOK = 256
Handler = Callable[["Core", "Session", int, Any], None]


def _who(session: "Session") -> Who:
    assert session.who is not None
    return session.who


# --- users ---------------------------------------------------------------------------------------


def _get_user(core: "Core", session: "Session", request: int, message: m.GetUser) -> None:
    online, devices = core.hub.online, core.hub.devices
    core.read(session, request, lambda tx: accounts.get_user(tx, message.name, online, devices))


def _list_users(core: "Core", session: "Session", request: int, message: m.ListUsers) -> None:
    online = core.hub.online
    core.read(session, request, lambda tx: accounts.list_users(tx, message.after, online))


def _put_key_packages(
    core: "Core", session: "Session", request: int, message: m.PutKeyPackages
) -> None:
    who, limits = _who(session), core.limits
    core.write(
        session, request, lambda tx: accounts.put_key_packages(tx, who, message, limits), _same
    )


def _take_over(core: "Core", session: "Session", request: int, message: m.TakeOver) -> None:
    who, generation = _who(session), message.generation

    def then(_: None) -> m.Ok:
        core.taken_over(session, generation)
        return m.Ok()

    core.write(session, request, lambda tx: accounts.take_over(tx, who.device, generation), then)


def _claim(core: "Core", session: "Session", request: int, message: m.ClaimKeyPackages) -> None:
    who = _who(session)
    if not core.claims.take(who.device_id, core.clock(), len(message.names)):
        raise Refused(ErrorCode.RATE, "too many KeyPackages asked for; wait a little")
    core.write(session, request, lambda tx: accounts.claim_key_packages(tx, who, message), _same)


def _same(message: m.Message) -> m.Message:
    return message


# --- conversations -------------------------------------------------------------------------------


def _create_log(core: "Core", session: "Session", request: int, message: m.CreateLog) -> None:
    who, now, limits = _who(session), core.now(), core.limits

    def then(created: logs.Created) -> m.LogState:
        core.publish(created.published)
        return created.reply

    core.write(session, request, lambda tx: logs.create_log(tx, who, message, now, limits), then)


def turn_of(who: Who, message: m.Append) -> Turn | None:
    """The row a message stands in: those of one device in one log keep their order. A commit is
    tried until it is kept, by itself."""
    if message.kind in (m.EntryKind.MESSAGE, m.EntryKind.LEAVE):
        return Turn((who.device_id, message.log_id), message.append_id)
    return None


def _append(core: "Core", session: "Session", request: int, message: m.Append) -> None:
    who, now, limits = _who(session), core.now(), core.limits

    def then(appending: logs.Appending) -> m.Appended:
        core.stats.appended += 1
        core.publish(appending.published)
        return appending.reply

    core.write(
        session, request, lambda tx: logs.append(tx, who, message, now, limits), then,
        checks_first=message.kind in (m.EntryKind.MESSAGE, m.EntryKind.REJOIN),
        turn=turn_of(who, message),
    )  # fmt: skip


class _Look(NamedTuple):
    """What the store has for one subscription."""

    sub: Sub
    entries: list[m.Entry]
    more: bool
    end: int | None
    head: int


def _look(tx: Tx, who: Who, wanted: list[tuple[Sub, int]]) -> list[_Look]:
    """What these subscriptions may read now, as far as one look may bring."""
    found, left = [], LOOK_BYTES
    for sub, after in wanted:
        log = tx.log(sub.log_id)
        if log is None:
            found.append(_Look(sub, [], False, -1, 0))
            continue
        entries, more, end = logs.readable(tx, log, who, after, left)
        left -= sum(len(entry.payload) + 64 for entry in entries)
        found.append(_Look(sub, entries, more, end, log.head))
        if left <= 0:
            break
    return found


def _subscribe(core: "Core", session: "Session", request: int, message: m.Subscribe) -> None:
    who = _who(session)
    cursors = {cursor.log_id: cursor for cursor in message.cursors}
    subs = [core.hub.subscribe(session, log_id, cursor.seq) for log_id, cursor in cursors.items()]
    wanted = [(sub, sub.sent) for sub in subs]

    def look(tx: Tx) -> tuple[list[m.LogState], dict[bytes, bool], list[_Look]]:
        mine = {
            log_id: logs.differs(tx, log, cursor)
            for log_id, cursor in cursors.items()
            if (log := tx.log(log_id)) is not None and tx.intervals(log.key, who.device)
        }
        rightful = [(sub, after) for sub, after in wanted if sub.log_id in mine]
        return logs.log_states(tx, who, message.cursors), mine, _look(tx, who, rightful)

    def done(outcome: tuple[list[m.LogState], dict[bytes, bool], list[_Look]] | Exception) -> None:
        if isinstance(outcome, Exception):
            session.refuse(request, outcome)
            return
        states, mine, looks = outcome
        session.reply(request, m.Subscribed(states))
        if session.is_closed:
            return
        current = [sub for sub in subs if session.subs.get(sub.log_id) is sub]
        for sub in current:
            if sub.log_id in mine:
                sub.known = True
                # A cursor of before the server was set back says nothing of this log.
                if not mine[sub.log_id]:
                    core.upkeep.ack(who.device, sub.log_id, cursors[sub.log_id].seq)
            else:
                core.hub.drop(sub)
        core.hub.appear(session, [sub for sub in current if sub.known], core.now())
        _looked(core, session, looks)

    session.port.work(lambda: core.store.read(look), done)


def _looked(core: "Core", session: "Session", looks: list[_Look]) -> None:
    for item in looks:
        core.hub.looked(item.sub, item.entries, more=item.more, end=item.end, head=item.head)
        if item.more and session.behind.pop(item.sub.log_id, None) is not None:
            # To the end of the line, so that one long log does not keep the others waiting.
            session.behind[item.sub.log_id] = item.sub
    pull(core, session)


def pull(core: "Core", session: "Session") -> None:
    """Look at the store for a connection's subscriptions that are behind, if it has room."""
    wanted = []
    if session.pulling or session.is_closed or not session.behind:
        return
    if session.port.queued() > core.limits.queue_bytes // 2:
        return
    for sub in session.behind.values():
        if sub.known:
            wanted.append((sub, sub.sent))
            if len(wanted) == SUBS_A_LOOK:
                break
    if not wanted:
        return
    who = _who(session)
    session.pulling = True

    def done(outcome: list[_Look] | Exception) -> None:
        session.pulling = False
        if isinstance(outcome, Exception):
            core.failed("a log could not be read", outcome)
            session.goodbye(ErrorCode.INTERNAL, "the server could not read from its disk")
        elif not session.is_closed:
            _looked(core, session, outcome)

    session.port.work(lambda: core.store.read(lambda tx: _look(tx, who, wanted)), done)


# --- joining -------------------------------------------------------------------------------------


def _put_token(core: "Core", session: "Session", request: int, message: m.PutToken) -> None:
    who, now, limits = _who(session), core.now(), core.limits
    core.write(
        session, request, lambda tx: accounts.put_token(tx, who, message, now, limits), _same
    )


def _lookup_links(core: "Core", session: "Session", request: int, message: m.LookupLinks) -> None:
    now = core.now()
    core.read(session, request, lambda tx: links.lookup_links(tx, message.link_ids, now))


# --- files ---------------------------------------------------------------------------------------


def _ticket(core: "Core", session: "Session", request: int, message: m.GetFileTicket) -> None:
    del message
    session.reply(request, core.file_lines.grant(session))


def _blob(core: "Core", session: "Session", request: int, message: m.Message) -> None:
    core.transfers.ask(session, request, message)


HANDLERS: dict[type[m.Message], Handler] = {
    m.GetUser: _get_user,
    m.ListUsers: _list_users,
    m.TakeOver: _take_over,
    m.PutKeyPackages: _put_key_packages,
    m.ClaimKeyPackages: _claim,
    m.CreateLog: _create_log,
    m.Append: _append,
    m.Subscribe: _subscribe,
    m.PutToken: _put_token,
    m.LookupLinks: _lookup_links,
    m.BlobCreate: _blob,
    m.BlobStat: _blob,
    m.BlobDelete: _blob,
    m.GetFileTicket: _ticket,
}
