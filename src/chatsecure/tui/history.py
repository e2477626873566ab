"""The conversation on the screen: wraps only what is visible, whatever the history's length.

The place looked at is kept as an item and a row of it, not as a number of rows from the top, so
nothing above it is ever laid out. The bar at the right tells the place by the lines' numbers.
"""

from bisect import bisect_right
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message as Posted
from textual.selection import Selection
from textual.strip import Strip
from textual.widget import Widget

from chatsecure.client.client import Client
from chatsecure.client.history import HistoryLine
from chatsecure.wire.errors import NotFound

from .block import About, Look, Row, rows
from .items import Item, Message, build
from .keys import MESSAGE, Bound, bindings
from .pages import Pages
from .palette import Palette, style
from .selecting import plain, selected, shown

WHEEL_ROWS = 3
NOTES_KEPT = 200
MOST_SOUGHT = 16
Top = tuple[int, int]
"""An item's number and a row of it."""


class History(Widget, can_focus=True):
    """One conversation. `on` is told what is to be done with a message: what, and its
    line or id; and `done` when the reader wants back to where they type."""

    BINDINGS: ClassVar[list[Bound]] = bindings(MESSAGE)

    class Moved(Posted):
        """What is visible has changed."""

    def __init__(
        self,
        client: Client,
        palette: Callable[[], Palette],
        on: Callable[[str, Any], None],
        **more: Any,
    ) -> None:
        super().__init__(**more)
        self.pages: Pages | None = None
        self.selected: str | None = None
        self.new_at: int | None = None
        """The place of the first message that was new when the conversation was opened."""
        self.done_bytes: dict[str, int] = {}
        self._sought: tuple[str, ...] = ()
        self._client = client
        self._palette = palette
        self._on = on
        self._notes: dict[str, list[tuple[int, str]]] = {}
        self._items: list[Item] = []
        self._keys: list[tuple[int, int]] = []
        self._anchor: tuple[int, int, int] | None = None
        self._cache: dict[tuple[int, int], tuple[Item, Look, About, list[Row]]] = {}
        self._answered: dict[str, HistoryLine | None] = {}
        self._view: list[tuple[Row, int]] | None = None
        self._span = (0, 0)
        self._texts: list[str] = []
        self._base = Style()
        self._wanted: int | None = None
        """The place to go to once it is known how large we are."""

    # --- what is shown ------------------------------------------------------------------------

    @property
    def target(self) -> str:
        """The conversation's name; empty before one is opened."""
        return self.pages.target if self.pages else ""

    @property
    def at_newest(self) -> bool:
        """The newest message is on the screen."""
        return self._anchor is None and (self.pages is None or self.pages.at_end)

    def open(self, target: str, *, at: int | None = None, new_at: int | None = None) -> None:
        """Show a conversation, at its end or around the place `at`."""
        self.pages = Pages(self._client, target)
        self.new_at, self.selected = new_at, None
        self._sought = ()
        self._cache.clear()
        if at is None:
            self.pages.open_end()
        else:
            self.pages.open_at(at)
        self._rebuild()
        self._anchor = None
        if at is not None:
            self._center(at)
        self._changed()

    def seek(self, words: str) -> None:
        """Mark these words wherever they stand; none: mark nothing any more."""
        self._sought = tuple(words.split()[:MOST_SOUGHT])
        self._changed()

    def refresh_lines(self) -> None:
        """Something happened in the conversation: read it again."""
        if self.pages is None:
            return
        self._answered.clear()
        if self.pages.refresh(follow=self._anchor is None):
            self._rebuild()
            self._changed()

    def progress(self, id_: str, done: int | None) -> None:
        """A file's bytes so far; None when it has ended."""
        if done is None:
            self.done_bytes.pop(id_, None)
        else:
            self.done_bytes[id_] = done
        self._changed()

    def note(self, text: str) -> None:
        """Show what a command has said."""
        if self.pages is None:
            return
        last = self._client.history(self.target, 1, notices=True)
        notes = self._notes.setdefault(self.target, [])
        notes.append((last[-1].n if last else 0, text))
        del notes[:-NOTES_KEPT]
        self.to_end()

    def tidy(self) -> None:
        """Take away what commands have said here, and marks of what was searched for."""
        self._sought = ()
        self._notes.pop(self.target, None)
        self._rebuild()
        self._changed()

    def to_end(self) -> None:
        """Go to the newest message."""
        if self.pages is None:
            return
        if not self.pages.at_end:
            self.pages.open_end()
        self._anchor = None
        self._rebuild()
        self._changed()

    def to(self, n: int, *, select: str | None = None, select_it: bool = False) -> None:
        """Go to a place and maybe select a message, or the one that is there."""
        if self.pages is None:
            return
        if self.pages.index(n) is None:
            self.pages.open_at(n)
            self._rebuild()
        at = self.pages.index(n)
        if select_it and at is not None:
            select = self.pages.lines[at].id
        self.selected = select
        self._center(n)
        self._changed()

    def restyle(self) -> None:
        """The colours are others now."""
        self._cache.clear()
        self._changed()

    def to_mention(self) -> bool:
        """Go to the mention of us before the one that is selected; False where there is none."""
        if self.pages is None:
            return False
        me, lines = self._client.name, self.pages.lines
        chosen = self.line()
        before = [line for line in lines if chosen is None or line.n < chosen.n]
        for line in reversed(before):
            if me in line.mentions and not line.mine:
                self.to(line.n, select=line.id)
                return True
        return False

    def line(self) -> HistoryLine | None:
        """The selected message."""
        if self.selected is None or self.pages is None:
            return None
        return self.pages.find(self.selected)

    def _changed(self) -> None:
        self._view = None
        self.refresh()
        self.post_message(self.Moved())

    def _rebuild(self) -> None:
        if self.pages is None:
            return
        notes = self._notes.get(self.target, []) if self.pages.at_end else []
        self._items = build(
            self.pages.lines,
            me=self._client.name,
            today=datetime.now().astimezone().date(),
            new_at=self.new_at,
            notes=notes,
            from_start=self.pages.at_start,
        )
        self._keys = [(item.n, item.rank) for item in self._items]
        known = set(self._keys)
        for key in [key for key in self._cache if key not in known]:
            del self._cache[key]
        first = self._client.history(self.target, 1, after=-1, notices=True)
        last = self._client.history(self.target, 1, notices=True)
        self._span = (first[0].n, last[0].n) if first and last else (0, 0)

    def _look(self) -> Look:
        private = self.target.startswith("@")
        width = max(10, self.size.width - 1)
        return Look(self._palette(), width, self._client.name, private, self._sought)

    def _rows(self, number: int, look: Look) -> list[Row]:
        item = self._items[number]
        about = About()
        if isinstance(item, Message):
            line = item.line
            about = About(
                selected=line.id == self.selected,
                done=self.done_bytes.get(line.id),
                answered=self._answer(line.reply_to) if line.reply_to else None,
            )
        key = self._keys[number]
        known = self._cache.get(key)
        if known is not None and known[:3] == (item, look, about):
            return known[3]
        made = rows(item, look, about) or [[]]
        self._cache[key] = (item, look, about, made)
        return made

    def _answer(self, id_: str) -> HistoryLine | None:
        if id_ not in self._answered:
            found = self.pages.find(id_) if self.pages else None
            if found is None:
                with suppress(NotFound):
                    found = self._client.delivery(id_)
            self._answered[id_] = found
        return self._answered[id_]

    # --- where we look ------------------------------------------------------------------------

    def _number(self, n: int, rank: int) -> int:
        return max(0, bisect_right(self._keys, (n, rank)) - 1)

    def _back(self, number: int, row: int, count: int, look: Look) -> Top:
        """So many rows above a row; stops at the first."""
        row -= count
        while row < 0:
            if number == 0:
                return 0, 0
            number -= 1
            row += len(self._rows(number, look))
        return number, row

    def _top(self, look: Look) -> Top:
        if not self._items:
            return 0, 0
        if self._anchor is None:
            last = len(self._items) - 1
            return self._back(last, len(self._rows(last, look)), self.size.height, look)
        n, rank, row = self._anchor
        number = self._number(n, rank)
        return number, min(row, len(self._rows(number, look)) - 1)

    def _set_top(self, top: Top, look: Look) -> None:
        """Look there, or at the end where less than a screen follows."""
        number, row = top
        below = -row
        for at in range(number, len(self._items)):
            below += len(self._rows(at, look))
            if below > self.size.height:
                n, rank = self._keys[number]
                self._anchor = (n, rank, row)
                return
        self._anchor = None

    def _center(self, n: int) -> None:
        self._wanted = n if not self.size.height else None
        if not self._items or not self.size.height:
            return
        look = self._look()
        number = self._number(n, 5)
        top = self._back(number, 0, self.size.height // 3, look)
        self._set_top(top, look)

    def scroll_rows(self, count: int) -> None:
        """Scroll down by rows, or up."""
        if not self._items or self.pages is None:
            return
        look = self._look()
        if count < 0:
            self._up(-count, look)
        else:
            self._down(count, look)
        self._changed()

    def _up(self, count: int, look: Look) -> None:
        number, row = self._top(look)
        key = self._keys[number]
        # A page that is taken in may hold less than is asked for where rows are few.
        while self._rows_above(number, row, count, look) < count:
            if self.pages is None or not self.pages.older():
                break
            self._rebuild()
            number = self._number(*key)
        self._set_top(self._back(number, row, count, look), look)

    def _rows_above(self, number: int, row: int, enough: int, look: Look) -> int:
        while row < enough and number > 0:
            number -= 1
            row += len(self._rows(number, look))
        return row

    def _down(self, count: int, look: Look) -> None:
        number, row = self._top(look)
        key = self._keys[number]
        need = count + self.size.height
        while self.pages and not self.pages.at_end:
            if self._rows_below(number, row, need, look) >= need or not self.pages.newer():
                break
            self._rebuild()
            number = self._number(*key)
        row += count
        while number < len(self._items) - 1 and row >= len(self._rows(number, look)):
            row -= len(self._rows(number, look))
            number += 1
        self._set_top((number, row), look)

    def _rows_below(self, number: int, row: int, enough: int, look: Look) -> int:
        found = -row
        while number < len(self._items) and found < enough:
            found += len(self._rows(number, look))
            number += 1
        return found

    # --- painting -----------------------------------------------------------------------------

    def _seen(self) -> list[tuple[Row, int]]:
        """The rows on the screen, each with its item's number."""
        if self._view is not None:
            return self._view
        view: list[tuple[Row, int]] = []
        if self._items:
            look = self._look()
            number, row = self._top(look)
            while number < len(self._items) and len(view) < self.size.height:
                view += [(line, number) for line in self._rows(number, look)[row:]]
                number, row = number + 1, 0
        del view[self.size.height :]
        self._base = self.rich_style
        # A short conversation stands at the bottom, where the next message comes.
        view[:0] = [([], -1)] * (self.size.height - len(view))
        self._view = view
        texts = [plain(row) for row, _number in view]
        if texts != self._texts and self.text_selection is not None:
            # Something else stands there now.
            self.call_later(self.screen.clear_selection)
        self._texts = texts
        return view

    def render_line(self, y: int) -> Strip:
        """A row of the screen."""
        view = self._seen()
        row, _number = view[y] if y < len(view) else ([], -1)
        width = self.size.width - 1
        strip = Strip(row).adjust_cell_length(width).apply_style(self._base)
        strip = shown(strip.apply_offsets(0, y), self.text_selection, y)
        return Strip([*strip, *Strip([self._bar(y)]).apply_style(self._base)])

    def get_selection(self, selection: Selection) -> tuple[str, str]:
        """What is selected by the mouse, to copy."""
        return selected(self._texts, selection), "\n"

    def text_select_all(self) -> None:
        """Two clicks are for a message's menu, not for selecting everything."""

    def _bar(self, y: int) -> Segment:
        palette = self._palette()
        first, last = self._span
        seen = [number for _row, number in self._seen() if number >= 0]
        if last <= first or not seen:
            return Segment(" ")
        height = self.size.height
        low, high = self._items[seen[0]].n, self._items[seen[-1]].n
        top = round((low - first) / (last - first) * height)
        bottom = height if self.at_newest else round((high - first) / (last - first) * height)
        top = min(top, bottom - 1)
        if top <= 0 and bottom >= height:
            return Segment(" ")
        return Segment("█" if top <= y < bottom else "│", style(palette.dim))

    # --- the mouse ----------------------------------------------------------------------------

    def on_resize(self) -> None:
        """Another width wraps anew; the place looked at stays."""
        if self._wanted is not None:
            self._center(self._wanted)
        elif self._anchor is not None and self._items:
            look = self._look()
            self._set_top(self._top(look), look)
        self._changed()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel."""
        event.stop()
        self.scroll_rows(-WHEEL_ROWS)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel."""
        event.stop()
        self.scroll_rows(WHEEL_ROWS)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """The bar is taken."""
        if event.x >= self.size.width - 1:
            self.screen.clear_selection()
            self.capture_mouse()
            self._drag(event.y)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """The bar is drawn."""
        if self.app.mouse_captured is self:
            self._drag(event.y)

    def on_mouse_up(self) -> None:
        """The bar is let go."""
        if self.app.mouse_captured is self:
            self.release_mouse()

    def _drag(self, y: int) -> None:
        first, last = self._span
        part = min(1.0, max(0.0, y / max(1, self.size.height - 1)))
        if part >= 1.0 or last <= first:
            self.to_end()
        else:
            self.to(round(first + part * (last - first)))

    def on_click(self, event: events.Click) -> None:
        """A button, or a message to select."""
        if event.x >= self.size.width - 1 or self.text_selection is not None:
            return
        act = event.style.meta.get("act")
        if act is not None:
            self._on(*act)
            return
        number = self._seen()[event.y][1] if event.y < len(self._seen()) else -1
        item = self._items[number] if 0 <= number < len(self._items) else None
        if not isinstance(item, Message):
            return
        again = self.selected == item.line.id
        self.selected = item.line.id
        self._changed()
        if again or event.button == 3:
            self._on("menu", item.line)

    # --- keys ---------------------------------------------------------------------------------

    def select_newest(self) -> None:
        """Select the last message that is visible."""
        for _row, number in reversed(self._seen()):
            item = self._items[number] if number >= 0 else None
            if isinstance(item, Message):
                self.selected = item.line.id
                self._changed()
                return

    def on_focus(self) -> None:
        """With the keyboard here, a message is selected."""
        if self.line() is None:
            self.select_newest()

    def action_move(self, by: int) -> None:
        """Select the message above or below."""
        if self.line() is None:
            self.select_newest()
            return
        found = self._neighbour(by)
        if (found is None and by < 0 and self.pages and self.pages.older()) or (
            found is None and by > 0 and self.pages and self.pages.newer()
        ):
            self._rebuild()
            found = self._neighbour(by)
        if found is None:
            if by > 0:
                self._on("done", None)
            else:
                self.scroll_rows(-WHEEL_ROWS)
            return
        item = self._items[found]
        assert isinstance(item, Message)
        self.selected = item.line.id
        self._into_view(found)
        self._changed()

    def _neighbour(self, by: int) -> int | None:
        place = next(
            (
                number
                for number, item in enumerate(self._items)
                if isinstance(item, Message) and item.line.id == self.selected
            ),
            None,
        )
        if place is None:
            return None
        place += by
        while 0 <= place < len(self._items):
            if isinstance(self._items[place], Message):
                return place
            place += by
        return None

    def _into_view(self, number: int) -> None:
        look = self._look()
        top, row = self._top(look)
        if number < top or (number == top and row > 0):
            self._set_top((number, 0), look)
            return
        below = -row
        for at in range(top, number + 1):
            below += len(self._rows(at, look))
        if below > self.size.height:
            end = len(self._rows(number, look))
            self._set_top(self._back(number, end, self.size.height, look), look)

    def action_page_rows(self, by: int) -> None:
        """Scroll by a screen."""
        self.scroll_rows(by * max(1, self.size.height - 2))

    def action_page(self, by: int) -> None:
        """Scroll by a screen; what is selected goes along."""
        self.action_page_rows(by)
        self.selected = None
        self.select_newest()

    def action_far(self, by: int) -> None:
        """To the beginning or the end."""
        if by > 0:
            self.to_end()
        elif self._span[0]:
            self.to(self._span[0])
        self.selected = None
        self.select_newest()

    def action_act(self, what: str) -> None:
        """Something is to be done with the selected message."""
        line = self.line()
        if line is not None:
            self._on(what, line)

    def action_done(self) -> None:
        """Back to the composer."""
        self.selected = None
        self._changed()
        self._on("done", None)
