"""Text that is selected by the mouse: how it looks, and what is copied of it."""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.selection import Selection
from textual.strip import Strip

REVERSED = Style(reverse=True)
ASIDE = Style.from_meta({"aside": True})
"""What stands beside a text and is not copied with it."""


def plain(row: Sequence[Segment]) -> str:
    """A row's letters, as they are copied."""
    return "".join(" " * len(one.text) if _aside(one) else one.text for one in row)


def _aside(segment: Segment) -> bool:
    return segment.style is not None and "aside" in segment.style.meta


def shown(strip: Strip, selection: Selection | None, y: int) -> Strip:
    """A row of the screen with what is selected of it reversed."""
    span = selection.get_span(y) if selection is not None else None
    if span is None:
        return strip
    text = strip.text
    begin, end = span[0], span[1] if span[1] >= 0 else len(text.rstrip())
    cuts = [cell_len(text[:begin]), max(cell_len(text[:begin]), cell_len(text[:end]))]
    before, chosen, after = (
        strip.crop(from_, to)
        for from_, to in zip([0, *cuts], [*cuts, strip.cell_length], strict=True)
    )
    return Strip.join([before, chosen.apply_style(REVERSED), after])


def selected(rows: Sequence[str], selection: Selection) -> str:
    """The text of what is selected, without the blanks at the ends of rows."""
    first, begin = (0, 0) if selection.start is None else selection.start.transpose
    last, end = (len(rows), 0) if selection.end is None else selection.end.transpose
    found = []
    for number, row in enumerate(rows):
        if first <= number <= last:
            from_ = begin if number == first else 0
            found.append(row[from_ : end if number == last else len(row)].rstrip())
    return "\n".join(found)
