"""Events and history as lines for people: one item, one line; a text's further lines are
indented, so that nobody's text can pass for a line of ours."""

from collections.abc import Callable, Iterable
from datetime import datetime

from chatsecure.client.display import harmless, harmless_name, user_name
from chatsecure.client.events import (
    ConnectionEvent,
    DeletedEvent,
    EditedEvent,
    Event,
    FileEvent,
    GapEvent,
    IdentityEvent,
    MembershipEvent,
    MessageEvent,
    PresenceEvent,
    ReactionEvent,
    ReceiptEvent,
    RoomEvent,
    StateEvent,
    StatusEvent,
    TypingEvent,
)
from chatsecure.client.history import HistoryLine
from chatsecure.names import lookalike, mixed_scripts
from chatsecure.words import _, _n, sentence, several

SHORT_ID = 8
"""Signs of an id that people see."""


def clock(at: str, now: datetime | None = None) -> str:
    """A time in the local zone: the hour today, the day too otherwise."""
    try:
        local = datetime.fromisoformat(at).astimezone()
    except (ValueError, OverflowError, OSError):
        return "--:--"
    today = (now or datetime.now().astimezone()).date()
    return f"{local:%H:%M}" if local.date() == today else f"{local:%Y-%m-%d %H:%M}"


def size_text(size: int) -> str:
    """A number of bytes in words."""
    if size < 1000:
        return several("{n} byte", "{n} bytes", size)
    amount = float(size)
    for unit in ("kB", "MB", "GB"):
        amount /= 1000
        if amount < 999.5 or unit == "GB":
            break
    return f"{amount:.0f} {unit}" if amount >= 100 else f"{amount:.1f} {unit}"


def duration_text(seconds: int) -> str:
    """A time that something takes: 0:07, 12:40, 1:02:03."""
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def body(text: str) -> str:
    """A foreign text below its first line's head."""
    return harmless(text).replace("\n", "\n      ")


def describe(
    event: Event,
    me: str,
    now: datetime | None = None,
    *,
    quote: Callable[[str], str] | None = None,
) -> str | None:
    """The event in a line, or None where it is nothing for people.

    Args:
        quote: gives the message with this id in a few words; then an answer says to what.
    """
    said = _said(event, me, quote)
    return None if said is None else f"{clock(event.at, now)} {said}"


def doubt(name: str, others: Iterable[str]) -> str:
    """Why a user's name may be taken for another; nothing where it may not.

    Args:
        others: the names around it; its own may be among them.
    """
    if other := lookalike(name, others):
        return _("looks like {name}").format(name=harmless_name(other))
    return _("mixes alphabets") if mixed_scripts(name) else ""


def heading(conversation: str | None, sender: str | None, me: str) -> str:
    """Who says it to whom."""
    who, where = user_name(sender or "?"), user_name(conversation or "?")
    if where.startswith("@") and sender != me:
        where = _("you")
    return f"{_('you') if sender == me else who} -> {where}"


def _said(event: Event, me: str, quote: Callable[[str], str] | None) -> str | None:
    head = heading(event.conversation, event.sender, me)
    match event:
        case MessageEvent():
            text = body(event.text)
            if event.action:
                text = f"* {user_name(event.sender or '?')} {text}"
            if event.reply_to and quote is not None:
                head += " " + _("(in answer to {quoted})").format(quoted=quote(event.reply_to))
            return f"{head}: {text}"
        case FileEvent() if event.mine or event.done is not None:
            return None
        case FileEvent():
            return f"{head}: {_file(event)}"
        case EditedEvent():
            changed = _("(changed {id})").format(id=event.of[:SHORT_ID])
            return f"{head}: {changed} {body(event.text)}"
        case DeletedEvent():
            return f"{head}: " + _("(took {id} back)").format(id=event.of[:SHORT_ID])
        case ReactionEvent():
            what = harmless(event.emoji, lines=False) or _("(reaction taken back)")
            said = _("{emoji} to {id}").format(emoji=what, id=event.of[:SHORT_ID])
            return f"{head}: {said}"
        case _:
            return _notice(event, me)


def _why(reason: str | None) -> str:
    return harmless(sentence(reason or "") or _("no reason given"), lines=False)


def _file_head(name: str, size: int) -> str:
    return _("file {name}, {size}").format(name=harmless_name(name), size=size_text(size))


_FILE_STATES = {
    "received": _n("received"),
    "receiving": _n("receiving"),
    "cancelled": _n("cancelled"),
    "declined": _n("declined"),
    "failed": _n("failed"),
    "offered": _n("offered"),
}


def _file(event: FileEvent) -> str:
    said = _(_FILE_STATES.get(event.state, "offered"))
    if event.state == "received" and event.path:
        said = _("saved to {path}").format(path=harmless(event.path, lines=False))
    elif event.state == "failed" or (event.reason and event.state in ("cancelled", "declined")):
        said = f"{said}: {_why(event.reason)}"
    elif event.state == "offered" and event.held:
        said = _("/accept {id} or /decline {id}").format(id=(event.id or "")[:SHORT_ID])
    return f"{_file_head(event.name, event.size)}: {said}"


def _receipt(event: ReceiptEvent) -> str:
    words = {"delivered": _("{who} has: {what}"), "read": _("{who} has read: {what}")}
    what = _("{id} in {where}").format(
        id=event.of[:SHORT_ID], where=harmless_name(event.conversation or "?")
    )
    if event.name is not None:
        what = harmless_name(event.name)
        words = {
            "received": _("{who} has {what}, whole"),
            "declined": _("{who} does not want {what}"),
            "cancelled": _("{who} stopped receiving {what}"),
            "failed": _("{who} could not receive {what}"),
        }
        if (event.people or 0) > 1:
            words["received"] = _("{who} has {what}, whole: {have} of {people} have it")
    said = words.get(event.state, "{who}: {what}: " + event.state).format(
        who=harmless_name(event.sender or "?"), what=what, have=event.have, people=event.people
    )
    why = f" ({harmless(sentence(event.reason), lines=False)})" if event.reason else ""
    return said + why


def _notice(event: Event, me: str) -> str | None:
    match event:
        case ReceiptEvent():
            return _receipt(event)
        case PresenceEvent():
            said = _("{who} is online") if event.state == "online" else _("{who} is offline")
            return said.format(who=user_name(event.user))
        case StatusEvent():
            said = _("{who} is away") if event.away else _("{who} is back")
            why = f": {harmless(event.text, lines=False)}" if event.text else ""
            return said.format(who=user_name(event.user)) + why
        case MembershipEvent():
            return _membership(event, me)
        case RoomEvent():
            return _("{where}: topic: {topic}").format(
                where=harmless_name(event.name), topic=harmless(event.topic, lines=False)
            )
        case IdentityEvent():
            return _identity(event)
        case ConnectionEvent():
            reason = f": {harmless(sentence(event.reason), lines=False)}" if event.reason else ""
            return _(_CONNECTION.get(event.state, event.state)) + reason
        case GapEvent():
            said = _("something is missing")
            if event.conversation:
                said = _("something is missing in {where}").format(
                    where=harmless_name(event.conversation)
                )
            return f"{said}: {harmless(sentence(event.reason), lines=False)}"
        case StateEvent():
            if event.state != "failed":
                return None
            said = _("NOT sent to {where}").format(where=harmless_name(event.conversation or "?"))
            return f"{said}: {event.of[:SHORT_ID]}: {_why(event.reason)}"
        case TypingEvent():
            return None
        case _:
            return f"{type(event).__name__}"


_CONNECTION = {
    "online": _n("connection online"),
    "offline": _n("connection offline"),
    "refused": _n("connection refused"),
}
_ROLES = {"owner": _n("owner"), "manager": _n("manager"), "member": _n("member")}
_MEMBERSHIP = {
    "joined": (_n("you joined {where}"), _n("{who} joined {where}")),
    "left": (_n("you left {where}"), _n("{who} left {where}")),
    "removed": (_n("you were removed from {where}"), _n("{who} was removed from {where}")),
    "role": (_n("you are {role} of {where} now"), _n("{who} is {role} of {where} now")),
}
"""To the one it happened to, and to others."""


def _membership(event: MembershipEvent, me: str) -> str:
    said = _MEMBERSHIP.get(event.state, ("{who}: {where}", "{who}: {where}"))[event.user != me]
    text = _(said).format(
        who=harmless_name(event.user),
        where=harmless_name(event.conversation) if event.conversation else _("the server"),
        role=_(_ROLES.get(event.role or "member", "member")),
    )
    if event.by and event.by != event.user:
        return _("{what}, by {who}").format(what=text, who=harmless_name(event.by))
    return text


def _identity(event: IdentityEvent) -> str:
    words = {
        "changed": _(
            "the identity of {who} has CHANGED: {fingerprint}. "
            "Compare numbers (verify {who}) before you write"
        ),
        "new": _("{who} is new to you: {fingerprint}"),
        "verified": _("the identity of {who}: verified"),
    }
    said = words.get(event.state, "{who}: " + event.state)
    return said.format(who=harmless_name(event.user), fingerprint=event.fingerprint)


def history_line(line: HistoryLine, me: str, now: datetime | None = None) -> str:
    """A line of a conversation's history, with who has it, in words."""
    head = f"{clock(line.at, now)} {heading(line.conversation, line.sender, me)}"
    if line.state == "deleted":
        return f"{head}: {_('(taken back)')}"
    if line.file:
        text = _file_head(line.text, line.size or 0)
        if line.path and not line.mine:
            saved = _("saved to {path}").format(path=harmless(line.path, lines=False))
            text += f": {saved}"
    else:
        text = body(line.text)
        if line.action:
            text = f"* {harmless_name(line.sender)} {text}"
    edited = f" {_('(changed)')}" if line.edited else ""
    return f"{head}: {text}{edited}{standing(line)}"


def whole(line: HistoryLine) -> str:
    """Who has a file of ours whole, in words; nothing as long as nobody has."""
    if not line.have:
        return ""
    if line.people <= 1:
        return _("received whole")
    return _("{have} of {people} have it").format(have=line.have, people=line.people)


_STANDING = {"queued": _n("queued"), "failed": _n("failed"), "stored": _n("stored")}


def standing(line: HistoryLine) -> str:
    """How far a message of ours has come, in words."""
    if not line.mine:
        return ""
    said = _(_STANDING.get(line.state, line.state))
    if has := whole(line):
        said = has
    elif line.state == "stored" and line.read:
        said = _("read by {count} of {people}").format(count=line.read, people=line.people)
    elif line.state == "stored" and line.delivered:
        said = _("delivered to {count} of {people}").format(
            count=line.delivered, people=line.people
        )
    return f"  [{said}]"


def history_record(line: HistoryLine) -> dict[str, object]:
    """A line of history as JSON, with the keys that events have."""
    record: dict[str, object] = {
        "type": "file" if line.file else "message",
        "id": line.id,
        "at": line.at,
        "conversation": line.conversation,
        "from": line.sender,
        "seq": line.seq,
    }
    record |= (
        {
            "name": line.text,
            "size": line.size,
            "path": line.path,
            "folder": line.folder,
            "file_state": line.file_state,
            "held": line.held,
            "held_because": line.held_because,
            "reason": line.reason,
            "done": line.done,
            "have": line.have,
        }
        if line.file
        else {"text": line.text}
    )
    return record | {
        "private": line.conversation.startswith("@"),
        "mine": line.mine,
        "reply_to": line.reply_to,
        "mentions": list(line.mentions),
        "reactions": line.reactions or {},
        "state": line.state,
        "edited": line.edited,
        "action": line.action,
        "people": line.people,
        "delivered": line.delivered,
        "read": line.read,
    }
