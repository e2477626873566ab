"""Ways into a conversation: making one, opening a private chat, coming in by a link."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatsecure import links, mls
from chatsecure.crypto import sealing
from chatsecure.crypto.errors import CryptoError
from chatsecure.names import check_room, fold_name
from chatsecure.wire import messages as m
from chatsecure.wire.errors import ChatSecureError, ErrorCode, NotFound, ProtocolError, Refused

from . import conversations
from .admission import invitations, open_group_info, seal_group_info
from .changes import JOIN_PURPOSE
from .content import EntryHeader, encode_header
from .flow import Flow, Until
from .flows import MAX_TRIES, PATIENCE_MS, keep_pending, submit, undo
from .flows_people import Newcomer, Person, claim, fetch_person
from .room import NotPermitted, RoomState, decode_state, encode_state, new_state

if TYPE_CHECKING:
    from .core import Core

LOBBY = "#lobby"
_LATE = "the private chat with {} exists, but this device is not in it yet"


def create(
    core: Core, state: RoomState, newcomers: list[Newcomer], peer: str | None = None
) -> Flow[bytes]:
    """Make a conversation, with its first members if there are any. Gives its log's id.

    Raises:
        Refused: the server said no.
    """
    log_id = core.random(16)
    group = mls.Group.create(
        core.groups.signer, core.groups.chain, log_id, encode_state(state), core.groups.suite
    )
    inbox: list[m.InboxItem] = []
    if newcomers:
        # Nobody else is in yet: the commit that adds them needs no place in the log.
        made = group.commit(
            core.groups.signer, add=[newcomer.key_package for newcomer in newcomers]
        )
        group.merge_pending()
        inbox = invitations(newcomers, log_id, 0, made.welcome or b"")
    roster = [core.me.device_id, *(newcomer.device_id for newcomer in newcomers)]
    request = m.CreateLog(log_id, state.kind, roster, inbox, peer)
    with core.db.transaction():
        core.inbox.enter(group, 0, core.now(), conversations.JOINING)
        keep_pending(core, log_id, log_id, request)
    yield from submit(core, log_id)
    return log_id


def create_lobby(core: Core) -> Flow[bytes]:
    """The first user makes `#lobby`."""
    state = new_state(m.LogKind.LOBBY, name=LOBBY, owner=core.me.fingerprint)
    return (yield from create(core, state, []))


def create_room(core: Core, name: str, *, invite_only: bool) -> Flow[bytes]:
    """Make a room.

    Raises:
        BadName, NotPermitted: the name cannot be used, or we are in a room of that name.
    """
    name = check_room(name)
    refuse_taken(core, name)
    state = new_state(m.LogKind.ROOM, name=name, owner=core.me.fingerprint, invite_only=invite_only)
    return (yield from create(core, state, []))


def refuse_taken(core: Core, name: str) -> None:
    """Refuse a room's name that we know a live room by.

    Raises:
        NotPermitted
    """
    known = conversations.find(core.db, fold_name(name))
    taken = known is not None and known.state in (conversations.ACTIVE, conversations.JOINING)
    if taken or fold_name(name) == LOBBY:
        raise NotPermitted(f"you are in a room {name} already", hint="choose another name")


def open_private(core: Core, name: str) -> Flow[bytes]:
    """The private chat with a user, made if there is none. Gives its log's id.

    Raises:
        NotFound: no such user.
        WrongIdentity: it is not the identity pinned.
    """
    folded = "@" + fold_name(name)

    def making() -> bool:
        row = conversations.find(core.db, folded)
        return folded in core.opening or (row is not None and row.state == conversations.JOINING)

    # Another command of this profile may be making it right now.
    yield Until(lambda: not making(), deadline=core.clock() + PATIENCE_MS, what=_LATE.format(name))
    known = conversations.find(core.db, folded)
    if known is not None and known.state == conversations.ACTIVE:
        return known.log_id
    core.opening.add(folded)
    try:
        yield Until(lambda: core.online, what="there is no connection")
        person = yield from fetch_person(core, name)
        return (yield from _make_private(core, person))
    finally:
        core.opening.discard(folded)


def _make_private(core: Core, person: Person) -> Flow[bytes]:
    people = [] if person.fingerprint == core.me.fingerprint else [person]
    newcomers = (yield from claim(core, people)) if people else []
    state = new_state(m.LogKind.PRIVATE, pair=[core.me.fingerprint, person.fingerprint])
    try:
        return (yield from create(core, state, newcomers, person.name))
    except Refused as error:
        if error.code is not ErrorCode.EXISTS:
            raise
        return (yield from _await_invitation(core, error.detail, person.name))


def _await_invitation(core: Core, log_id: bytes, name: str) -> Flow[bytes]:
    """The other side was faster: its invitation is on its way to our inbox."""

    def arrived() -> bool:
        row = conversations.get(core.db, log_id)
        return row is not None and row.state == conversations.ACTIVE

    yield Until(
        arrived,
        deadline=core.clock() + PATIENCE_MS,
        what=_LATE.format(name),
    )
    return log_id


# --- by a link -------------------------------------------------------------------------------


def enter_by_link(core: Core, secret: bytes) -> Flow[list[str]]:
    """Enter what a link of this server opens: `#lobby` and its room. Gives their names.

    Raises:
        Refused: it opens nothing (any more).
    """
    names = []
    candidates = [links.lobby_secret(secret), links.room_secret(secret)]
    yield Until(lambda: core.online, what="there is no connection")
    reply = yield core.ask(m.LookupLinks([links.link_id(candidate) for candidate in candidates]))
    if not isinstance(reply, m.Links):
        raise ProtocolError("the server answered with something else than links")
    found = {info.link_id: info for info in reply.links}
    for candidate in candidates:
        info = found.get(links.link_id(candidate))
        if info is None:
            continue
        known = conversations.get(core.db, info.log_id)
        if known is not None and known.state in (conversations.ACTIVE, conversations.JOINING):
            names.append(known.name)
        else:
            names.append((yield from _enter(core, candidate, info)))
    if not names:
        raise _opens_nothing("it is used up, has expired or was withdrawn")
    return names


def _opens_nothing(why: str) -> Refused:
    said = f"this link opens no conversation: {why}"
    return Refused(ErrorCode.BAD_TOKEN, said, hint="ask for a new one")


def _enter(core: Core, secret: bytes, info: m.LinkInfo) -> Flow[str]:
    """Come in by a link, anew as often as the conversation changes meanwhile. What is written
    there until then waits."""
    log_id, mine = info.log_id, b""

    def may_try() -> bool:
        return _inbox_read(core) and _pending(core, log_id) in (None, mine)

    try:
        for _ in range(MAX_TRIES):
            # A member may have added us by now: that invitation is the earlier way in. By the link
            # we would not read what was written since.
            yield Until(
                may_try,
                deadline=core.clock() + PATIENCE_MS,
                what="the inbox could not be caught up",
            )
            _take_invitation(core, log_id)
            row = conversations.get(core.db, log_id)
            if row is not None and row.state == conversations.ACTIVE:
                return row.name
            with core.db.transaction():
                core.db.run("DELETE FROM pending_commits WHERE log_id = ?", log_id)
                mine = _prepare_join(core, secret, info)
            try:
                yield from submit(core, log_id, undo_stale=False)
            except Refused as error:
                if error.code is not ErrorCode.STALE_EPOCH:
                    raise
                info = yield from _lookup(core, info.link_id)
            else:
                row = conversations.get(core.db, log_id)
                assert row is not None
                return row.name
        raise NotFound("the conversation changes too fast to get in; try again")
    except (ChatSecureError, CryptoError, mls.MlsError):
        undo(core, log_id, mine)
        raise


def _pending(core: Core, log_id: bytes) -> bytes | None:
    """What is being tried there now, by us or by another command."""
    row = core.db.row("SELECT append_id FROM pending_commits WHERE log_id = ?", log_id)
    return None if row is None else bytes(row[0])


def _take_invitation(core: Core, log_id: bytes) -> None:
    """Come in by an invitation that was kept while we tried another way, if there is one."""
    row = conversations.get(core.db, log_id)
    if row is None or row.state != conversations.JOINING:
        return
    if core.db.row("SELECT 1 FROM invitations WHERE log_id = ?", log_id):
        with core.db.transaction():
            core.db.run("DELETE FROM pending_commits WHERE log_id = ?", log_id)
            conversations.update(core.db, log_id, state=conversations.LEFT)
        core.inbox.reconsider(log_id)


def _inbox_read(core: Core) -> bool:
    """Whether everything that lay in our inbox when we last heard of it has been read."""
    read = int(core.db.get("inbox_cursor") or 0)
    return core.online and core.heads.get(core.me.device_id, 0) <= read


def _lookup(core: Core, link_id: bytes) -> Flow[m.LinkInfo]:
    reply = yield core.ask(m.LookupLinks([link_id]))
    if not isinstance(reply, m.Links) or len(reply.links) > 1:
        raise ProtocolError("the server answered with something else than a link")
    if not reply.links:
        raise _opens_nothing("it was used up or withdrawn just now")
    return reply.links[0]


def _prepare_join(core: Core, secret: bytes, info: m.LinkInfo) -> bytes:
    """Make the external Commit (RFC 9420 section 12.4.3.2) that proves the link's secret. Gives
    its append id."""
    append_id = core.random(16)
    header = EntryHeader(append_id=append_id, kind=m.EntryKind.JOIN, epoch=info.epoch)
    group, commit = mls.Group.join_external(
        core.groups.signer,
        core.groups.chain,
        open_group_info(secret, info),
        psk_id=info.link_id,
        psk=links.psk(secret),
        aad=encode_header(header),
    )
    if group.group_id != info.log_id:
        raise NotPermitted("the link leads to another conversation than the server says")
    state = decode_state(group.room_state)
    link = state.link(info.link_id)
    if link is None:
        raise NotFound("this link was withdrawn", hint="ask for a new one")
    core.inbox.enter(group, info.epoch, core.now(), conversations.JOINING)
    request = m.Append(
        info.log_id,
        append_id,
        info.epoch,
        m.EntryKind.JOIN,
        info.link_id + sealing.seal_with_secret(secret, JOIN_PURPOSE, commit, info.log_id),
        m.CommitPart(
            m.RosterChange([core.me.device_id]),
            group_info=seal_group_info(
                info.log_id, group.export_group_info(core.groups.signer), state.links, []
            ),
            link_id=info.link_id,
        ),
    )
    keep_pending(core, info.log_id, append_id, request)
    return append_id
