"""A list to choose from, by keys and mouse; conversations, people, search and menus are shown in
it. Lays out only what is visible. Knows nothing of what its entries mean.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import Binding
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from .keys import Bound
from .palette import Palette, style


@dataclass(frozen=True, slots=True)
class Entry:
    """A row: what it shows and what it stands for; a heading stands for nothing."""

    segments: tuple[Segment, ...]
    value: Any = None


Draw = Callable[[int], Sequence[Entry]]
"""The entries for a width in cells."""


class Rows(Widget, can_focus=True):
    """A list of entries."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[Bound]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "move(-10)", show=False),
        Binding("pagedown", "move(10)", show=False),
        Binding("home", "move(-1000000)", show=False),
        Binding("end", "move(1000000)", show=False),
        Binding("enter,space", "choose", show=False),
    ]

    class Chosen(Message):
        """An entry was chosen."""

        def __init__(self, rows: "Rows", value: Any) -> None:
            self.rows = rows
            self.value = value
            super().__init__()

        @property
        def control(self) -> "Rows":
            """The list."""
            return self.rows

    def __init__(self, palette: Callable[[], Palette], draw: Draw, **more: Any) -> None:
        super().__init__(**more)
        self.current: Any = None
        """The value that is marked as the present one."""
        self.entries: Sequence[Entry] = ()
        self.cursor = 0
        self._palette = palette
        self._draw = draw
        self._offset = 0

    def redraw(self) -> None:
        """What it lists has changed."""
        before = self.value
        self.entries = self._draw(max(4, self.size.width))
        values = [entry.value for entry in self.entries]
        if before is not None and before in values:
            self.cursor = values.index(before)
        else:
            self.cursor = max(0, min(self.cursor, len(values) - 1))
            if values and values[self.cursor] is None:
                self._step(1, 1)
        self._show_cursor()
        self.refresh()

    @property
    def value(self) -> Any:
        """What the cursor is on."""
        return self.entries[self.cursor].value if self.cursor < len(self.entries) else None

    def on_resize(self) -> None:
        """Drawn anew for another width."""
        self.redraw()

    def on_focus(self) -> None:
        """The cursor begins at the present one."""
        values = [entry.value for entry in self.entries]
        if self.current in values:
            self.cursor = values.index(self.current)
        self._show_cursor()
        self.refresh()

    def on_blur(self) -> None:
        """The cursor is shown only with the keyboard here."""
        self.refresh()

    def show_cursor_always(self) -> bool:
        """Whether the cursor is seen: with the keyboard here, or in a list that is filtered by an
        input elsewhere."""
        return self.has_focus or self.has_class("-always")

    def render_line(self, y: int) -> Strip:
        """A row of the screen."""
        number = y + self._offset
        width = self.size.width
        if number >= len(self.entries):
            return Strip.blank(width, self.rich_style)
        entry = self.entries[number]
        strip = Strip(entry.segments).adjust_cell_length(width)
        palette = self._palette()
        if entry.value is not None and self.show_cursor_always() and number == self.cursor:
            below = style(None, palette.selected, underline=True)
            strip = Strip(Segment.apply_style(strip, post_style=below))
        elif entry.value is not None and entry.value == self.current:
            below = style(None, palette.selected)
            strip = Strip(Segment.apply_style(strip, post_style=below))
        return strip.apply_style(self.rich_style)

    def _step(self, by: int, count: int) -> None:
        step = 1 if by > 0 else -1
        at = self.cursor
        while count > 0 and 0 <= at + step < len(self.entries):
            at += step
            if self.entries[at].value is not None:
                self.cursor = at
                count -= 1

    def _show_cursor(self) -> None:
        height = max(1, self.size.height)
        if self.cursor < self._offset:
            self._offset = self.cursor
        elif self.cursor >= self._offset + height:
            self._offset = self.cursor - height + 1
        self._offset = max(0, min(self._offset, len(self.entries) - height))
        if self._offset == 1 and self.cursor == 1:
            # The heading over the first entry is seen with it.
            self._offset = 0

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        self._step(by, abs(by))
        self._show_cursor()
        self.refresh()

    def action_choose(self) -> None:
        """Take what the cursor is on."""
        if self.value is not None:
            self.post_message(self.Chosen(self, self.value))

    def on_click(self, event: events.Click) -> None:
        """Take what is clicked."""
        number = event.y + self._offset
        if number < len(self.entries) and self.entries[number].value is not None:
            self.cursor = number
            self.refresh()
            self.action_choose()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel."""
        event.stop()
        self._scroll(-2)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel."""
        event.stop()
        self._scroll(2)

    def _scroll(self, by: int) -> None:
        most = max(0, len(self.entries) - self.size.height)
        self._offset = max(0, min(self._offset + by, most))
        self.refresh()
