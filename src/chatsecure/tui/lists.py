"""What the lists at the sides show: conversations with what is new in them, and people."""

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from chatsecure.cli.human import doubt
from chatsecure.client.display import harmless_name, user_name
from chatsecure.client.lines import MemberLine, RoomLine
from chatsecure.words import _, _n

from .palette import Palette, name_colour, style
from .rows import Entry
from .text import cut, fill

HERE, AWAY, GONE = "●", "◐", "○"
ROLES = {"owner": _n("owner"), "manager": _n("manager"), "member": _n("member")}


def heading(text: str, width: int, palette: Palette) -> Entry:
    """A heading."""
    return Entry((Segment(fill(f" {text}", width), style(palette.dim, bold=True)),))


def in_order(rooms: Iterable[RoomLine]) -> list[RoomLine]:
    """Conversations as the list has them: the lobby, rooms, then people."""
    ranks = {"lobby": 0, "room": 1, "private": 2}
    return sorted(rooms, key=lambda room: (ranks.get(room.kind, 1), room.name.casefold()))


def conversations(rooms: Sequence[RoomLine], width: int, palette: Palette) -> list[Entry]:
    """The list of conversations, with a heading over rooms and one over people."""
    entries: list[Entry] = []
    section = ""
    for room in in_order(rooms):
        title = _("Private") if room.kind == "private" else _("Rooms")
        if title != section:
            section = title
            entries.append(heading(title, width, palette))
        entries.append(_conversation(room, width, palette))
    return entries


def _conversation(room: RoomLine, width: int, palette: Palette) -> Entry:
    private = room.kind == "private"
    mark, kind = " ", style(palette.dim)
    if private:
        mark, kind = presence(
            online=room.online, away=room.away, changed=room.changed, palette=palette
        )
    tail = ""
    if room.state in ("left", "removed", "broken"):
        tail = "×"
    elif room.state == "joining":
        tail = "…"
    elif room.unread:
        tail = f"@{room.unread}" if room.mentions else str(room.unread)
    elif room.draft.strip():
        tail = "✎"
    loud = bool(room.unread) and room.notify != "nothing"
    space = max(3, width - 4 - cell_len(tail))
    colour = palette.whisper if private else palette.text
    tail_colour = palette.warning if room.mentions else palette.accent if loud else palette.dim
    return Entry(
        (
            Segment(f" {mark} ", kind),
            Segment(
                fill(user_name(room.name) if private else harmless_name(room.name), space),
                style(colour, bold=loud),
            ),
            Segment(tail, style(tail_colour, bold=loud)),
            Segment(" "),
        ),
        room.name,
    )


def presence(*, online: bool, away: str, changed: bool, palette: Palette) -> tuple[str, Style]:
    """The sign for whether somebody is here."""
    if changed:
        return "!", style(palette.danger, bold=True)
    if not online:
        return GONE, style(palette.dim)
    if away:
        return AWAY, style(palette.warning)
    return HERE, style(palette.good)


def people(members: Sequence[MemberLine], width: int, palette: Palette) -> list[Entry]:
    """The people of a conversation: those who are here first, each group by role and name."""
    entries: list[Entry] = []
    names = [member.name for member in members]
    for title, online in ((_("Here"), True), (_("Not here"), False)):
        group = [member for member in members if member.online == online]
        if group:
            entries.append(heading(f"{title} · {len(group)}", width, palette))
            entries += [_person(member, names, width, palette) for member in group]
    return entries


def _person(member: MemberLine, names: Sequence[str], width: int, palette: Palette) -> Entry:
    mark, kind = presence(
        online=member.online, away=member.away, changed=member.changed, palette=palette
    )
    notes = [_("you")] if member.me else []
    if member.role != "member":
        notes.append(_(ROLES.get(member.role, member.role)))
    if member.verified:
        notes.append("✓")
    if member.away:
        notes.append(_("away"))
    if member.changed:
        notes.append(_("CHANGED"))
    elif why := doubt(member.name, names):
        notes.append(why)
    tail = cut(" ".join(notes), max(0, width - 8))
    space = max(3, width - 4 - cell_len(tail) - (1 if tail else 0))
    return Entry(
        (
            Segment(f" {mark} ", kind),
            Segment(fill(user_name(member.name), space), style(name_colour(palette, member.name))),
            Segment(f" {tail}" if tail else "", style(palette.dim)),
            Segment(" "),
        ),
        member.name,
    )
