"""How items of a conversation look: rows of segments, wrapped to a width.

All foreign text passes `client/display.py` here (through `client/markup.py` for a message's
body). What can be clicked carries its action in the style's meta. Knows no widget.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from chatsecure.cli.human import size_text, whole
from chatsecure.client import markup
from chatsecure.client.display import harmless, harmless_name, user_name
from chatsecure.client.history import HistoryLine
from chatsecure.words import _, _n, several

from .items import Day, Edge, Item, Message, New, Note, Notice, local
from .palette import Palette, name_colour, style
from .selecting import ASIDE
from .sought import marked
from .text import Piece, cut, wrap

Row = list[Segment]
INDENT = 3
BAR_CELLS = 20
MOST_ROWS = 120
"""So many rows of one message are shown."""


@dataclass(frozen=True, slots=True)
class Look:
    """What all items of a conversation share."""

    palette: Palette
    width: int
    me: str
    private: bool
    sought: tuple[str, ...] = ()
    """Words that were searched for."""


@dataclass(frozen=True, slots=True)
class About:
    """What is known of a message beside its line."""

    selected: bool = False
    done: int | None = None
    """Bytes of its file so far."""
    answered: HistoryLine | None = None
    """What it replies to."""


def rows(item: Item, look: Look, about: About) -> list[Row]:
    """The rows of an item."""
    match item:
        case Message():
            return _message(item, look, about)
        case Day(text=text):
            return [_rule(text, look, style(look.palette.dim), "─")]
        case New():
            label = _("new messages")
            return [_rule(label, look, style(look.palette.danger, bold=True), "━")]
        case Notice(text=text, urgent=urgent):
            p = look.palette
            kind = style(p.danger, bold=True) if urgent else style(p.dim, italic=True)
            mark = "! " if urgent else "· "
            return _lines([(text, kind)], look, Segment(" " + mark, kind))
        case Note(text=text):
            kind = style(look.palette.accent)
            return _lines([(harmless(text), kind)], look, Segment(" | ", kind))
        case Edge():
            return [_rule(_("the beginning"), look, style(look.palette.dim), " ")]
        case _:
            return [[]]


def _rule(label: str, look: Look, kind: Style, sign: str) -> Row:
    label = cut(f" {label} ", look.width)
    left = max(0, (look.width - cell_len(label)) // 2)
    right = max(0, look.width - cell_len(label) - left)
    return [Segment(sign * left + label + sign * right, kind)]


def _lines(pieces: Sequence[Piece[Style]], look: Look, mark: Segment) -> list[Row]:
    """Wrapped text, behind a mark on its first row and blanks on the others."""
    blank = Segment(" " * mark.cell_length, mark.style)
    wide = look.width - mark.cell_length
    found: list[Row] = []
    for line in wrap(pieces, wide):
        row = [Segment(text, kind) for text, kind in line]
        found.append([blank if found else mark, *row])
    return found


def _message(item: Message, look: Look, about: About) -> list[Row]:
    line, palette = item.line, look.palette
    mentioned = look.me in line.mentions and not line.mine
    ground = palette.selected if about.selected else palette.mention if mentioned else None
    found: list[Row] = []
    if item.head and not line.action:
        found.append(_head(line, look))
    if line.reply_to is not None and line.state != "deleted":
        found.append(_quote(look, about))
    mark = "@" if mentioned else " "
    if line.state == "deleted":
        found += _lines([(_("(taken back)"), style(palette.dim, italic=True))], look, _gap(mark))
    elif line.file:
        found += _file(line, look, about)
    else:
        found += _text(line, look, mark)
    _add_standing(found, line, look)
    if line.reactions and line.state != "deleted":
        found.append(_reactions(line, look))
    return [_row(row, look, ground, selected=about.selected) for row in found]


def _gap(mark: str = " ") -> Segment:
    return Segment(f" {mark} ")


def _row(row: Row, look: Look, ground: str | None, *, selected: bool) -> Row:
    """The row with its ground over the whole width, and a sign where it is selected."""
    row = Segment.adjust_line_length(row, look.width, pad=False)
    if ground is None:
        return row
    below = style(None, ground)
    cells = sum(segment.cell_length for segment in row)
    row = [*row, Segment(" " * max(0, look.width - cells))]
    shown = list(Segment.apply_style(row, post_style=below))
    if selected and shown and shown[0].text.startswith(" "):
        first = shown[0]
        rest = Segment(first.text[1:], first.style)
        sign = Segment("▌", style(look.palette.accent, ground, bold=True) + ASIDE)
        shown[:1] = [sign, rest]
    return shown


def _head(line: HistoryLine, look: Look) -> Row:
    palette = look.palette
    name = _("you") if line.mine else user_name(line.sender)
    when = local(line.at)
    clock = f"{when:%H:%M}" if when is not None else "--:--"
    colour = palette.text if line.mine else name_colour(palette, line.sender)
    return [
        Segment(" " + cut(name, max(4, look.width - 9)), style(colour, bold=True)),
        Segment(f"  {clock}", style(palette.dim)),
    ]


def _quote(look: Look, about: About) -> Row:
    answered = about.answered
    if answered is None:
        text = _("in reply to a message that is not here")
    else:
        said = _("(taken back)") if answered.state == "deleted" else answered.text
        name = _("you") if answered.mine else harmless_name(answered.sender)
        text = f"{name}: {markup.plain(said)}"
    kind = style(look.palette.dim, italic=True)
    if answered is not None:
        kind += Style.from_meta({"act": ("jump", answered.id)})
    return [Segment("   ", None), Segment(cut("↳ " + text, look.width - INDENT), kind)]


SPANS: dict[str, tuple[str, str]] = {
    "code": ("code", ""),
    "link": ("accent", "underline"),
    "mention": ("accent", "bold"),
    "me": ("warning", "bold"),
    "bold": ("", "bold"),
    "italic": ("", "italic"),
    "strike": ("", "strike"),
}
"""How a span is shown: its colour in the palette, and how its letters stand."""


def _span(span: markup.Span, palette: Palette, base: str) -> Style:
    colour, letters = base, dict[str, bool]()
    for kind in markup.STYLES:
        if kind in span.styles and kind in SPANS:
            wanted, how = SPANS[kind]
            colour = wanted or colour
            if how:
                letters[how] = True
    return style(getattr(palette, colour), **letters)


def _body(line: HistoryLine, look: Look) -> list[tuple[str, list[Piece[Style]]]]:
    """The text of a message: what stands before each part's rows, and the part."""
    palette = look.palette
    if line.action:
        who = f"* {user_name(line.sender)} "
        return [
            (
                "",
                [
                    (who, style(name_colour(palette, line.sender), bold=True)),
                    (harmless(line.text), style(palette.text, italic=True)),
                ],
            )
        ]
    parts = []
    for block in markup.parse(line.text, line.mentions, look.me):
        base = "dim" if block.kind == "quote" else "text"
        pieces = [(span.text, _span(span, palette, base)) for span in block.spans]
        before = {
            "quote": "│ ",
            "item": "  " * block.depth + f"{block.mark} ",
            "code": "▏ ",
        }.get(block.kind, "")
        parts.append((before, pieces))
    return parts


def sought_style(palette: Palette) -> Style:
    """How words that were searched for are marked."""
    return style(palette.warning, bold=True, underline=True)


def _text(line: HistoryLine, look: Look, mark: str) -> list[Row]:
    palette = look.palette
    found: list[Row] = []
    for before, plain in _body(line, look):
        pieces = marked(plain, look.sought, sought_style(palette))
        sign = mark if not found else " "
        begun = Segment(f" {sign} ", style(palette.warning, bold=True))
        if not before:
            found += _lines(pieces, look, begun)
            continue
        wide = look.width - INDENT - cell_len(before)
        for number, row in enumerate(wrap(pieces, wide)):
            # A list's sign stands once, a quote's and a code's before each row.
            again = before if number == 0 or before in ("│ ", "▏ ") else " " * cell_len(before)
            segments = [Segment(text, kind) for text, kind in row]
            head = begun if number == 0 else Segment("   ")
            found.append([head, Segment(again, style(palette.dim)), *segments])
    if len(found) > MOST_ROWS + 1:
        # One message must not push everything else away.
        left = len(found) - MOST_ROWS
        del found[MOST_ROWS:]
        more = several("{n} more line; c copies the whole", "{n} more lines; c copies all", left)
        found.append(
            [_gap(), Segment(cut("… " + more, look.width - INDENT), style(palette.accent))]
        )
    return found or [[_gap()]]


def standing(line: HistoryLine) -> str:
    """How far a message of ours has come, in words."""
    if not line.mine or line.state == "deleted":
        return ""
    match line.state:
        case "queued":
            return _("queued")
        case "failed":
            return _("NOT SENT")
        case "stored":
            pass
        case other:
            return other
    if has := whole(line):
        return has
    if not line.people:
        return _("stored")
    if line.read:
        return _("read {n}/{people}").format(n=line.read, people=line.people)
    if line.delivered:
        return _("delivered {n}/{people}").format(n=line.delivered, people=line.people)
    return _("stored")


def _add_standing(found: list[Row], line: HistoryLine, look: Look) -> None:
    """At the right end of the last row where there is room, else on one of its own."""
    words = [_("changed")] if line.edited and line.state != "deleted" else []
    if state := standing(line):
        words.append(state)
    if not words:
        return
    palette = look.palette
    failed = line.state == "failed"
    kind = style(palette.danger, bold=True) if failed else style(palette.dim)
    text = cut(", ".join(words), look.width - INDENT)
    used = sum(segment.cell_length for segment in found[-1])
    room = look.width - used - cell_len(text) - 1
    if room < 1:
        found.append([])
        room = look.width - cell_len(text) - 1
    found[-1] = [*found[-1], Segment(" " * room), Segment(text, kind + ASIDE), Segment(" ")]


def _reactions(line: HistoryLine, look: Look) -> Row:
    row: Row = [Segment("   ")]
    room = look.width - INDENT
    for emoji, names in (line.reactions or {}).items():
        shown = cut(harmless(emoji, lines=False), 16)
        who = ", ".join(_("you") if name == look.me else harmless_name(name) for name in names[:2])
        more = f" +{len(names) - 2}" if len(names) > 2 else ""
        text = cut(f" {shown} {who}{more} ", 40)
        if cell_len(text) + 1 > room:
            row.append(Segment("…"))
            break
        room -= cell_len(text) + 1
        ours = look.me in names
        p = look.palette
        kind = style(p.accent if ours else p.text, p.side, bold=ours)
        row += [Segment(text, kind + _act("reaction", (line.id, emoji))), Segment(" ")]
    return row


def _act(what: str, value: Any) -> Style:
    return Style.from_meta({"act": (what, value)})


FILE_WORDS = {
    "sending": _n("being sent"),
    "sent": _n("sent"),
    "offered": _n("offered"),
    "receiving": _n("being received"),
    "received": _n("received"),
    "failed": _n("FAILED"),
    "declined": _n("declined"),
    "cancelled": _n("stopped"),
    "queued": _n("waiting"),
}
BUTTONS = {
    "sending": ("cancel",),
    "queued": ("cancel",),
    "receiving": ("cancel",),
    "offered": ("accept", "decline"),
    "failed": ("accept",),
    "declined": ("accept",),
    "cancelled": ("accept",),
}
"""By a file's state, what can be done; what is ours is only cancelled."""


def buttons(line: HistoryLine) -> tuple[str, ...]:
    """What can be done with a file now."""
    found = BUTTONS.get(line.file_state or "", ())
    return tuple(one for one in found if one == "cancel" or not line.mine)


def button_words(what: str) -> str:
    """A button's label."""
    return {
        "accept": _("fetch it"),
        "decline": _("decline"),
        "cancel": _("stop"),
    }[what]


def from_home(path: str) -> str:
    """The path as people write it: from their own folder on."""
    home = str(Path.home()) + os.sep
    return "~" + os.sep + path[len(home) :] if path.startswith(home) else path


def _file(line: HistoryLine, look: Look, about: About) -> list[Row]:
    p = look.palette
    state = line.file_state or ""
    name = harmless_name(line.text)
    size = size_text(line.size or 0)
    words = _(FILE_WORDS.get(state, state)) if state else ""
    text: list[Piece[Style]] = [
        (f"{_('file')} ", style(p.dim)),
        (name, style(p.text, bold=True)),
        (f"  {size}", style(p.dim)),
    ]
    bad = state == "failed"
    if words:
        text.append((f"  {words}", style(p.danger, bold=True) if bad else style(p.dim)))
    if state == "received" and line.path and not line.mine:
        where = harmless(from_home(line.path), lines=False)
        text.append((f"\n{_('saved to {path}').format(path=where)}", style(p.dim)))
    text = marked(text, look.sought, sought_style(p))
    found = _lines(text, look, Segment(" ▤ ", style(p.accent)))
    if state in ("sending", "receiving") and about.done is not None and line.size:
        part = min(1.0, about.done / line.size)
        cells = max(4, min(BAR_CELLS, look.width - 20))
        full = round(part * cells)
        found.append(
            [
                Segment("   "),
                Segment("█" * full, style(p.good)),
                Segment("░" * (cells - full), style(p.dim)),
                Segment(f" {part:.0%}  {size_text(about.done)}", style(p.dim)),
            ]
        )
    if offered := buttons(line):
        found.append([Segment("   ")])
        for what in offered:
            label = f" {button_words(what)} "
            kind = style(p.accent, p.side, underline=True) + _act(what, line.id)
            if sum(segment.cell_length for segment in found[-1]) + cell_len(label) > look.width:
                found.append([Segment("   ")])
            found[-1] += [Segment(label, kind), Segment(" ")]
    return found
