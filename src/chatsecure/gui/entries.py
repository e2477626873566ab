"""What a history shows, before it is drawn: lines put together into entries, and their words.

An entry is a message, a file, or notices that follow each other. Plain data; knows no Tk.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from chatsecure.cli.human import whole
from chatsecure.client.display import harmless, harmless_name
from chatsecure.client.history import HistoryLine
from chatsecure.words import _, _n, sentence, several

WEEKDAYS = (_n("Monday"), _n("Tuesday"), _n("Wednesday"), _n("Thursday"), _n("Friday"),
            _n("Saturday"), _n("Sunday"))  # fmt: skip
MONTHS = (_n("January"), _n("February"), _n("March"), _n("April"), _n("May"), _n("June"),
          _n("July"), _n("August"), _n("September"), _n("October"), _n("November"),
          _n("December"))  # fmt: skip
GROUP_WITHIN = timedelta(minutes=5)
FOLD_FROM = 3
"""Notices of comings and goings in a row that are shown as one."""
_FOLDED = ("joined", "left", "removed")
NAMES_SHOWN = 3


@dataclass(eq=False, slots=True)
class Entry:
    """A piece of the history that is drawn and taken away as one."""

    lines: list[HistoryLine]
    tag: str = ""
    """The text tag over it; its own, deleted with it."""
    head: bool = True
    """It begins a group: the sender's name stands above."""
    fluid: bool = False
    """It must be drawn anew for another width."""
    drawn: bool = False
    """Letters of it are in pictures."""
    open: bool = False
    """Of folded notices: each is shown."""
    images: dict[str, Any] = field(default_factory=dict)
    """What is drawn in it, by the name Tk gives it."""
    tags: list[str] = field(default_factory=list)
    """Further tags that go with it."""

    @property
    def line(self) -> HistoryLine:
        """The message; of notices the last."""
        return self.lines[-1]

    @property
    def first(self) -> int:
        """The lowest place in it."""
        return self.lines[0].n


def local(at: str) -> datetime:
    """A line's time in the local zone; the epoch where it is none."""
    try:
        return datetime.fromisoformat(at).astimezone()
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0).astimezone()


def clock(at: str) -> str:
    """Hour and minute."""
    return f"{local(at):%H:%M}"


def day_words(day: date, today: date) -> str:
    """A day as people say it."""
    if day == today:
        return _("Today")
    if day == today - timedelta(days=1):
        return _("Yesterday")
    weekday = _(WEEKDAYS[day.weekday()])
    if today - timedelta(days=7) < day < today:
        return weekday
    return _("{weekday}, {day} {month} {year}").format(
        weekday=weekday, day=day.day, month=_(MONTHS[day.month - 1]), year=day.year
    )


def folds(line: HistoryLine) -> bool:
    """Whether a line is a notice of comings and goings."""
    notice = line.notice
    return (
        notice is not None and notice.get("type") == "membership" and notice.get("state") in _FOLDED
    )


def entries(lines: Iterable[HistoryLine]) -> list[Entry]:
    """The entries of some lines, in order."""
    found: list[Entry] = []
    for line in lines:
        before = found[-1] if found else None
        if (
            before is not None
            and folds(line)
            and folds(before.line)
            and _same_day(before.line, line)
        ):
            before.lines.append(line)
        else:
            found.append(Entry([line]))
    return found


def _same_day(one: HistoryLine, other: HistoryLine) -> bool:
    return local(one.at).date() == local(other.at).date()


def begins_day(before: HistoryLine | None, line: HistoryLine) -> bool:
    """Whether a day mark stands above the line."""
    return before is None or not _same_day(before, line)


def begins_group(before: HistoryLine | None, line: HistoryLine) -> bool:
    """Whether the sender's name stands above the line."""
    if line.notice is not None or before is None or before.notice is not None:
        return True
    if before.sender != line.sender or before.mine != line.mine or not _same_day(before, line):
        return True
    return abs(local(line.at) - local(before.at)) > GROUP_WITHIN


def notice_words(line: HistoryLine, me: str) -> str:
    """A notice in a sentence."""
    notice = line.notice or {}
    who = harmless_name(str(notice.get("user") or line.sender or "?"))
    if who == me:
        who = _("You")
    by = harmless_name(str(notice.get("by") or ""))
    state = str(notice.get("state") or "")
    match str(notice.get("type") or ""), state:
        case "membership", "joined":
            return _("{who} joined").format(who=who)
        case "membership", "left":
            return _("{who} left").format(who=who)
        case "membership", "removed":
            if by:
                return _("{by} removed {who}").format(by=by, who=who)
            return _("{who} was removed").format(who=who)
        case "membership", "role":
            role = harmless_name(str(notice.get("role") or ""))
            return _("{who} is now {role}").format(who=who, role=role)
        case "identity", "changed":
            return _("The identity of {who} has changed. Compare safety numbers.").format(who=who)
        case "identity", "verified":
            return _("You verified {who}").format(who=who)
        case "identity", _state:
            return _("{who} is new to you").format(who=who)
        case "room", _state:
            topic = harmless(str(notice.get("topic") or ""), lines=False)
            return _("The topic is now: {topic}").format(topic=topic)
        case "gap", _state:
            reason = harmless(sentence(str(notice.get("reason") or "")), lines=False)
            return _("Something is missing here: {reason}").format(reason=reason)
    return harmless(line.text, lines=False) or _("Something happened that is not known here")


def warns(line: HistoryLine) -> bool:
    """Whether a notice must not be passed over."""
    notice = line.notice or {}
    return notice.get("type") == "gap" or (
        notice.get("type") == "identity" and notice.get("state") == "changed"
    )


def folded_words(lines: list[HistoryLine], me: str) -> str:
    """Many comings and goings in a sentence: who is there now that was not, and the other way."""
    last: dict[str, str] = {}
    for line in lines:
        notice = line.notice or {}
        last[str(notice.get("user") or line.sender)] = str(notice.get("state"))
    joined = [who for who, state in last.items() if state == "joined"]
    gone = [who for who, state in last.items() if state != "joined"]
    parts = []
    if joined:
        parts.append(_("{names} joined").format(names=_names(joined, me)))
    if gone:
        parts.append(_("{names} left").format(names=_names(gone, me)))
    return ", ".join(parts)


def _names(names: list[str], me: str) -> str:
    shown = [_("You") if name == me else harmless_name(name) for name in names[:NAMES_SHOWN]]
    if len(names) > NAMES_SHOWN:
        more = len(names) - NAMES_SHOWN
        return _("{names} and {more}").format(
            names=", ".join(shown), more=several("{n} other", "{n} others", more)
        )
    if len(shown) > 1:
        return _("{names} and {last}").format(names=", ".join(shown[:-1]), last=shown[-1])
    return shown[0]


def reach(line: HistoryLine) -> tuple[str, str]:
    """How far a message of ours is: the tick's name and the words."""
    if line.state == "failed":
        return "failed", _("not sent")
    if line.state == "queued":
        return "queued", _("queued")
    people = max(line.people, 1)
    if has := whole(line):
        return "read" if line.have >= people else "delivered", has
    if line.read:
        words = _("read") if line.read >= people else _("read {n}/{of}")
        return "read", words.format(n=line.read, of=people)
    if line.delivered:
        words = _("delivered") if line.delivered >= people else _("delivered {n}/{of}")
        return "delivered", words.format(n=line.delivered, of=people)
    return "stored", _("stored")
