"""What stands in a conversation, as data: messages and the marks between them.

Lines of history become items: days, the "new" mark, messages (grouped by who wrote), what
happened to the conversation folded into one line, and what commands have said. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from chatsecure.client.display import harmless, harmless_name
from chatsecure.client.history import HistoryLine
from chatsecure.words import _, sentence, several

GROUP_S = 300
"""Messages of one person that lie closer together than this stand under one head."""
NAMES_SHOWN = 3
"""So many names a folded line tells; the rest are counted."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing in a conversation."""

    n: int
    """The place of its first line."""
    rank: int
    """Orders items of the same place."""


@dataclass(frozen=True, slots=True)
class Day(Item):
    """A new day begins."""

    text: str


@dataclass(frozen=True, slots=True)
class New(Item):
    """What follows was not seen yet."""


@dataclass(frozen=True, slots=True)
class Message(Item):
    """A message or a file."""

    line: HistoryLine
    head: bool
    """It opens a group: who and when stand above it."""


@dataclass(frozen=True, slots=True)
class Notice(Item):
    """What happened to the conversation."""

    text: str
    urgent: bool


@dataclass(frozen=True, slots=True)
class Note(Item):
    """What a command has said; seen by us alone and gone afterwards."""

    text: str


@dataclass(frozen=True, slots=True)
class Edge(Item):
    """The beginning of the conversation."""


def local(at: str) -> datetime | None:
    """A time in the local zone, or None where it is none."""
    try:
        return datetime.fromisoformat(at).astimezone()
    except (ValueError, OverflowError, OSError):
        return None


def day_text(day: date, today: date) -> str:
    """A day for people."""
    match (today - day).days:
        case 0:
            return _("today")
        case 1:
            return _("yesterday")
    return day.isoformat()


def build(
    lines: Sequence[HistoryLine],
    *,
    me: str,
    today: date,
    new_at: int | None = None,
    notes: Iterable[tuple[int, str]] = (),
    from_start: bool = False,
) -> list[Item]:
    """The items of these lines, in order.

    Args:
        me: our name.
        new_at: the place of the first message that was not seen.
        notes: what commands have said, with the place each stands behind.
        from_start: nothing lies before the first line.
    """
    items: list[Item] = []
    waiting = sorted(notes, key=lambda note: note[0])
    at_note = 0
    day: date | None = None
    before: HistoryLine | None = None
    folded: list[HistoryLine] = []
    if from_start:
        items.append(Edge(lines[0].n if lines else 0, -1))

    def flush() -> None:
        if folded:
            text = fold([line.notice or {} for line in folded], me)
            items.append(Notice(folded[0].n, 4, text, urgent=False))
            folded.clear()

    for line in lines:
        while at_note < len(waiting) and waiting[at_note][0] < line.n:
            flush()
            n, text = waiting[at_note]
            items.append(Note(n, 10 + at_note, text))
            at_note += 1
            before = None
        when = local(line.at)
        if when is not None and when.date() != day:
            flush()
            day = when.date()
            items.append(Day(line.n, 0, day_text(day, today)))
            before = None
        if line.n == new_at:
            flush()
            items.append(New(line.n, 1))
            before = None
        if line.notice is not None:
            if line.notice.get("type") == "membership":
                folded.append(line)
            else:
                flush()
                items.append(_notice(line))
            before = None
            continue
        flush()
        items.append(Message(line.n, 5, line, head=not _together(before, line)))
        before = line
    flush()
    items += [Note(n, 10 + at_note + k, text) for k, (n, text) in enumerate(waiting[at_note:])]
    return items


def _together(before: HistoryLine | None, line: HistoryLine) -> bool:
    if before is None or before.sender != line.sender or line.action or before.action:
        return False
    one, other = local(before.at), local(line.at)
    return one is not None and other is not None and abs((other - one).total_seconds()) < GROUP_S


def _notice(line: HistoryLine) -> Notice:
    event = line.notice or {}
    kind = event.get("type")
    user = harmless_name(str(event.get("user", "")))
    if kind == "gap":
        reason = harmless(sentence(str(event.get("reason", ""))), lines=False)
        text = _("something is missing here: {reason}").format(reason=reason)
        return Notice(line.n, 4, text, urgent=True)
    if kind == "identity":
        if event.get("state") == "changed":
            text = _("the identity of {user} has CHANGED; compare before you write (F6)")
            return Notice(line.n, 4, text.format(user=user), urgent=True)
        text = _("{user} is new to you") if event.get("state") == "new" else _("{user}: compared")
        return Notice(line.n, 4, text.format(user=user), urgent=False)
    if kind == "room":
        topic = harmless(str(event.get("topic", "")), lines=False)
        return Notice(line.n, 4, _("topic: {topic}").format(topic=topic), urgent=False)
    return Notice(line.n, 4, harmless(str(kind), lines=False), urgent=False)


def fold(events: Sequence[Mapping[str, object]], me: str) -> str:
    """Who came and went, in one line."""
    groups: dict[tuple[str, str], list[str]] = {}
    for event in events:
        user = str(event.get("user", "?"))
        who = _("you") if user == me else harmless_name(user)
        by = str(event.get("by") or "")
        state = str(event.get("state", ""))
        if state == "role":
            state = _("now {role}").format(role=harmless_name(str(event.get("role") or "member")))
        else:
            by = "" if state != "removed" or by == user else by
            state = {
                "joined": _("joined"),
                "left": _("left"),
                "removed": _("removed"),
            }.get(state, harmless_name(state))
        by = "" if by == user else by
        groups.setdefault((state, by), []).append(who)
    parts = []
    for (state, by), people in groups.items():
        people = list(dict.fromkeys(people))
        shown = ", ".join(people[:NAMES_SHOWN])
        if len(people) > NAMES_SHOWN:
            shown += " " + several("and {n} more", "and {n} more", len(people) - NAMES_SHOWN)
        part = f"{shown} {state}"
        if by:
            part += " " + _("by {name}").format(name=_("you") if by == me else harmless_name(by))
        parts.append(part)
    return "; ".join(parts)
