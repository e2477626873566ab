"""Events and history as lines for people: one item, one line; a text's further lines are
indented, so that nobody's text can pass for a line of ours."""

from datetime import datetime

from chatsecure.client.display import harmless, harmless_name
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
        return f"{size} bytes"
    amount = float(size)
    for unit in ("kB", "MB", "GB"):
        amount /= 1000
        if amount < 999.5 or unit == "GB":
            break
    return f"{amount:.0f} {unit}" if amount >= 100 else f"{amount:.1f} {unit}"


def body(text: str) -> str:
    """A foreign text below its first line's head."""
    return harmless(text).replace("\n", "\n      ")


def describe(event: Event, me: str, now: datetime | None = None) -> str | None:
    """The event in a line, or None where it is nothing for people."""
    said = _said(event, me)
    return None if said is None else f"{clock(event.at, now)} {said}"


def heading(conversation: str | None, sender: str | None, me: str) -> str:
    """Who says it to whom."""
    who, where = harmless_name(sender or "?"), harmless_name(conversation or "?")
    if where.startswith("@") and sender != me:
        where = "you"
    return f"{'you' if sender == me else who} -> {where}"


def _said(event: Event, me: str) -> str | None:
    match event:
        case MessageEvent():
            head = heading(event.conversation, event.sender, me)
            if event.action:
                return f"{head}: * {harmless_name(event.sender or '?')} {body(event.text)}"
            return f"{head}: {body(event.text)}"
        case FileEvent() if event.mine or event.done is not None:
            return None
        case FileEvent():
            return f"{heading(event.conversation, event.sender, me)}: {_file(event)}"
        case EditedEvent():
            head = heading(event.conversation, event.sender, me)
            return f"{head}: (changed {event.of[:SHORT_ID]}) {body(event.text)}"
        case DeletedEvent():
            head = heading(event.conversation, event.sender, me)
            return f"{head}: (took {event.of[:SHORT_ID]} back)"
        case ReactionEvent():
            head = heading(event.conversation, event.sender, me)
            what = harmless(event.emoji, lines=False) or "(reaction taken back)"
            return f"{head}: {what} to {event.of[:SHORT_ID]}"
        case _:
            return _notice(event, me)


def _file(event: FileEvent) -> str:
    text = f"file {harmless_name(event.name)}, {size_text(event.size)}"
    match event.state:
        case "received":
            where = harmless(event.path or "", lines=False)
            return f"{text}: saved to {where}" if where else f"{text}: received"
        case "failed":
            return f"{text}: failed: {harmless(event.reason or 'no reason given', lines=False)}"
        case "receiving":
            return f"{text}: receiving"
        case "cancelled" | "declined":
            reason = f": {harmless(event.reason, lines=False)}" if event.reason else ""
            return f"{text}: {event.state}{reason}"
        case _:
            id_ = (event.id or "")[:SHORT_ID]
            return f"{text}: " + (f"/accept {id_} or /decline {id_}" if event.held else "offered")


def _receipt(event: ReceiptEvent) -> str:
    where = harmless_name(event.conversation or "?")
    who = harmless_name(event.sender or "?")
    if event.name is not None:
        return _file_receipt(event, who, harmless_name(event.name))
    words = {"delivered": "has", "read": "has read"}
    return f"{who} {words.get(event.state, event.state)}: {event.of[:SHORT_ID]} in {where}"


def _file_receipt(event: ReceiptEvent, who: str, name: str) -> str:
    """What a reader's device says of a file of ours."""
    why = f" ({harmless(event.reason, lines=False)})" if event.reason else ""
    match event.state:
        case "received" if (event.people or 0) > 1:
            return f"{who} has {name}, whole: {event.have} of {event.people} have it"
        case "received":
            return f"{who} has {name}, whole"
        case "declined":
            return f"{who} does not want {name}{why}"
        case "cancelled":
            return f"{who} stopped receiving {name}{why}"
        case _:
            return f"{who} could not receive {name}{why}"


def _notice(event: Event, me: str) -> str | None:
    match event:
        case ReceiptEvent():
            return _receipt(event)
        case PresenceEvent():
            return f"{harmless_name(event.user)} is {event.state}"
        case StatusEvent():
            why = f": {harmless(event.text, lines=False)}" if event.text else ""
            return f"{harmless_name(event.user)} is {'away' if event.away else 'back'}{why}"
        case MembershipEvent():
            return _membership(event, me)
        case RoomEvent():
            topic = harmless(event.topic, lines=False)
            return f"{harmless_name(event.name)}: topic: {topic}"
        case IdentityEvent():
            return _identity(event)
        case ConnectionEvent():
            reason = f": {harmless(event.reason, lines=False)}" if event.reason else ""
            return f"connection {event.state}{reason}"
        case GapEvent():
            where = f" in {harmless_name(event.conversation)}" if event.conversation else ""
            return f"something is missing{where}: {harmless(event.reason, lines=False)}"
        case StateEvent():
            if event.state != "failed":
                return None
            where = harmless_name(event.conversation or "?")
            reason = harmless(event.reason or "no reason given", lines=False)
            return f"NOT sent to {where}: {event.of[:SHORT_ID]}: {reason}"
        case TypingEvent():
            return None
        case _:
            return f"{type(event).__name__}"


def _membership(event: MembershipEvent, me: str) -> str:
    who = "you" if event.user == me else harmless_name(event.user)
    where = harmless_name(event.conversation or "the server")
    by = harmless_name(event.by) if event.by and event.by != event.user else ""
    match event.state:
        case "role":
            is_, role = ("are" if who == "you" else "is"), event.role or "member"
            text = f"{who} {is_} {harmless_name(role)} of {where} now"
        case "removed":
            text = f"{who} {'were' if who == 'you' else 'was'} removed from {where}"
        case state:
            text = f"{who} {state} {where}"
    return f"{text}, by {by}" if by else text


def _identity(event: IdentityEvent) -> str:
    who = harmless_name(event.user)
    match event.state:
        case "changed":
            return (
                f"the identity of {who} has CHANGED: {event.fingerprint}. "
                f"Compare numbers (verify {who}) before you write"
            )
        case "new":
            return f"{who} is new to you: {event.fingerprint}"
        case state:
            return f"the identity of {who}: {state}"


def history_line(line: HistoryLine, me: str, now: datetime | None = None) -> str:
    """A line of a conversation's history, with who has it, in words."""
    head = f"{clock(line.at, now)} {heading(line.conversation, line.sender, me)}"
    if line.state == "deleted":
        return f"{head}: (taken back)"
    if line.file:
        text = f"file {harmless_name(line.text)}, {size_text(line.size or 0)}"
        if line.path and not line.mine:
            text += f": saved to {harmless(line.path, lines=False)}"
    else:
        text = body(line.text)
        if line.action:
            text = f"* {harmless_name(line.sender)} {text}"
    edited = " (changed)" if line.edited else ""
    return f"{head}: {text}{edited}{standing(line)}"


def standing(line: HistoryLine) -> str:
    """How far a message of ours has come, in words."""
    if not line.mine:
        return ""
    if line.state != "stored":
        return f"  [{line.state}]"
    if line.read:
        return f"  [read by {line.read} of {line.people}]"
    if line.delivered:
        return f"  [delivered to {line.delivered} of {line.people}]"
    return "  [stored]"


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
        {"name": line.text, "size": line.size, "path": line.path}
        if line.file
        else {"text": line.text}
    )
    return record | {
        "private": line.conversation.startswith("@"),
        "mine": line.mine,
        "state": line.state,
        "edited": line.edited,
        "action": line.action,
        "people": line.people,
        "delivered": line.delivered,
        "read": line.read,
    }
