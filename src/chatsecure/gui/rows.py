"""A list of rows that holds as many widgets as are in view, however long the list is.

Used for conversations, people, the switcher and what a search found. It has one focus: Up, Down,
Page Up, Page Down, Home and End move the cursor, Return opens. What a row shows is data (`Look`).
A frame with a widget for each item would end at 32,767 pixels on X11, silently.
"""

import contextlib
import tkinter as tk
import tkinter.font
from collections.abc import Callable, Sequence
from functools import partial
from tkinter import ttk
from typing import Generic, TypeVar

from . import spoken
from .mirror import anchored
from .row import Look, Row
from .theme import Theme
from .wheel import on_wheel
from .wording import logical

T = TypeVar("T")

WHEEL_ROWS = 2


def has_focus(widget: tk.Misc) -> bool:
    """Whether the keys go to this widget."""
    try:
        return widget.focus_get() is widget
    except KeyError:
        # A menu of Tk's own has the focus; tkinter does not know it.
        return False


class Rows(tk.Frame, Generic[T]):
    """A list with a cursor.

    Args:
        look: what the row of an item shows.
        opened: an item was chosen, by click or Return.
        menu: its context menu is wanted, at these places of the screen.
        moved: the cursor stands on another item.
        lines: text lines of a row, 1 or 2.
    """

    def __init__(
        self,
        master: tk.Misc,
        theme: Theme,
        look: Callable[[T], Look],
        opened: Callable[[T], None],
        *,
        menu: Callable[[T, int, int], None] | None = None,
        moved: Callable[[T], None] | None = None,
        lines: int = 2,
        ground: str = "side",
    ) -> None:
        super().__init__(master, takefocus=1, highlightthickness=theme.px(2), bd=0)
        self._theme, self._look, self._opened, self._menu = theme, look, opened, menu
        self._moved = moved
        self._two = lines == 2
        self._ground = ground
        self.items: Sequence[T] = ()
        self._top = 0
        self._cursor = 0
        self._hover: int | None = None
        self._chosen: Callable[[T], bool] = lambda _item: False
        self._rows: list[Row] = []
        self._drawing: str | None = None
        self.always_cursor = False
        """Show the cursor even while the keys go elsewhere."""
        self._bar = ttk.Scrollbar(self, orient="vertical", command=self._scrolled, takefocus=0)
        self._tag = f"rows{id(self)}"
        self._bind_keys()
        spoken.name(self, "", "Listbox")
        self._forget = theme.on_change(self._restyle)
        self._restyle()

    # --- what it holds ------------------------------------------------------------------------

    def show(
        self, items: Sequence[T], chosen: Callable[[T], bool] | None = None, *, top: bool = False
    ) -> None:
        """Show these items.

        Args:
            chosen: tells the item that is open elsewhere and shown as such.
            top: begin at the top, with the cursor on the first.
        """
        self.items = items
        if chosen is not None:
            self._chosen = chosen
        if top:
            self._top = self._cursor = 0
        self._cursor = max(0, min(self._cursor, len(items) - 1))
        self.draw_soon()

    def point(self, found: Callable[[T], bool]) -> None:
        """Put the cursor on the first item that is meant."""
        for place, item in enumerate(self.items):
            if found(item):
                self._to(place)
                return

    def current(self) -> T | None:
        """The item under the cursor."""
        return self.items[self._cursor] if self.items else None

    def step(self, by: int) -> None:
        """Move the cursor."""
        self._to(self._cursor + by)

    def open_current(self) -> None:
        """Open the item under the cursor."""
        item = self.current()
        if item is not None:
            self._opened(item)

    # --- keys and mouse -----------------------------------------------------------------------

    def _bind_keys(self) -> None:
        def page() -> int:
            return max(1, self._visible() - 1)

        moves: dict[str, Callable[[], int]] = {
            "<Up>": lambda: -1,
            "<Down>": lambda: 1,
            "<Prior>": lambda: -page(),
            "<Next>": page,
            "<Home>": lambda: -len(self.items),
            "<End>": lambda: len(self.items),
        }
        for key, by in moves.items():
            self.bind(key, partial(self._moved_by, by))
        self.bind("<Return>", lambda _event: self.open_current())
        self.bind("<KP_Enter>", lambda _event: self.open_current())
        self.bind("<space>", lambda _event: self.open_current())
        for key in ("<Shift-F10>", "<Menu>", "<App>"):
            # Each system has another name for it, and knows no other.
            with contextlib.suppress(tk.TclError):
                self.bind(key, self._menu_key)
        self.bind("<FocusIn>", lambda _event: self.draw_soon())
        self.bind("<FocusOut>", lambda _event: self.draw_soon())
        self.bind("<Configure>", lambda _event: self._resized())
        self.bind("<Destroy>", self._destroyed)
        self.bind_class(self._tag, "<Button-1>", self._click)
        for button in ("<Button-2>", "<Button-3>"):
            self.bind_class(self._tag, button, self._right_click)
        self.bind_class(self._tag, "<Motion>", self._motion)
        self.bind_class(self._tag, "<Leave>", lambda _event: self._hovered(None))
        on_wheel(
            partial(self.bind_class, self._tag), lambda way: self._roll(WHEEL_ROWS * way),
            system=self._theme.windowing,
        )  # fmt: skip
        self.bindtags((self._tag, *self.bindtags()))

    def _moved_by(self, by: Callable[[], int], _event: "tk.Event[tk.Misc]") -> str:
        self._to(self._cursor + by())
        return "break"

    def _to(self, place: int) -> None:
        if not self.items:
            return
        before = self._cursor
        self._cursor = max(0, min(place, len(self.items) - 1))
        visible = self._visible()
        if self._cursor < self._top:
            self._top = self._cursor
        elif self._cursor >= self._top + visible:
            self._top = self._cursor - visible + 1
        self.draw_soon()
        look = self._look(self.items[self._cursor])
        told = (look.title, look.subtitle, look.corner, look.badge)
        spoken.value(self, ", ".join(logical(word) for word in told if word))
        if self._moved is not None and before != self._cursor:
            self._moved(self.items[self._cursor])

    def _at(self, event: "tk.Event[tk.Misc]") -> int | None:
        place = self._top + (event.y_root - self.winfo_rooty()) // self.row_height
        return place if 0 <= place < len(self.items) else None

    def _click(self, event: "tk.Event[tk.Misc]") -> None:
        self.focus_set()
        place = self._at(event)
        if place is not None:
            self._to(place)
            self.open_current()

    def _right_click(self, event: "tk.Event[tk.Misc]") -> None:
        place = self._at(event)
        if place is not None and self._menu is not None:
            self._to(place)
            self._menu(self.items[place], event.x_root, event.y_root)

    def _menu_key(self, _event: "tk.Event[tk.Misc]") -> str:
        item = self.current()
        if item is not None and self._menu is not None:
            y = self.winfo_rooty() + (self._cursor - self._top) * self.row_height
            self._menu(item, self.winfo_rootx() + self._theme.px(40), y + self._theme.px(20))
        return "break"

    def _motion(self, event: "tk.Event[tk.Misc]") -> None:
        self._hovered(self._at(event))

    def _hovered(self, place: int | None) -> None:
        if place != self._hover:
            self._hover = place
            self.draw_soon()

    def _roll(self, by: int) -> None:
        self._top = max(0, min(self._top + by, len(self.items) - self._visible()))
        self.draw_soon()

    def _scrolled(self, what: str, amount: str, _unit: str = "") -> None:
        if what == "moveto":
            self._top = round(float(amount) * len(self.items))
            self._roll(0)
        else:
            self._roll(int(amount) * (self._visible() if _unit == "pages" else 1))

    # --- drawing ------------------------------------------------------------------------------

    @property
    def row_height(self) -> int:
        """The height of a row, in pixels."""
        theme = self._theme
        high = theme.font("body").metrics("linespace") + theme.px(14)
        return high + (theme.font("small").metrics("linespace") + theme.px(2) if self._two else 0)

    def _visible(self) -> int:
        return max(1, self.winfo_height() // self.row_height)

    def draw_soon(self) -> None:
        """Draw when there is nothing else to do: many changes, one drawing."""
        if self._drawing is None and self.winfo_exists():
            self._drawing = self.after_idle(self._draw)

    def _resized(self) -> None:
        self._roll(0)

    def _restyle(self) -> None:
        theme = self._theme
        self.configure(
            background=theme.color(self._ground),
            highlightbackground=theme.color(self._ground),
            highlightcolor=theme.color("focus"),
        )
        for row in self._rows:
            row.destroy()
        self._rows = []
        self.draw_soon()

    def _destroyed(self, event: "tk.Event[tk.Misc]") -> None:
        if event.widget is self:
            self._forget()
            if self._drawing is not None:
                self.after_cancel(self._drawing)
                self._drawing = None

    def _draw(self) -> None:
        self._drawing = None
        height, visible = self.row_height, self._visible()
        self._top = max(0, min(self._top, len(self.items) - visible))
        border = 2 * self._theme.px(2)
        wide = self.winfo_width() - border
        x = 0
        if len(self.items) > visible:
            anchor = anchored("ne")
            self._bar.place(relx=float(anchor == "ne"), rely=0, relheight=1.0, anchor=anchor)
            self._bar.set(self._top / len(self.items), (self._top + visible) / len(self.items))
            wide -= self._bar.winfo_reqwidth()
            x = self._bar.winfo_reqwidth() if anchor == "nw" else 0
        else:
            self._bar.place_forget()
        # One more than fits is drawn in part.
        shown = self.items[self._top : self._top + visible + 1]
        while len(self._rows) < len(shown):
            self._rows.append(Row(self, self._theme, self._tag, two=self._two))
        focus = self.always_cursor or has_focus(self)
        for number, row in enumerate(self._rows):
            if number >= len(shown):
                row.place_forget()
                continue
            item, place = shown[number], self._top + number
            if self._chosen(item):
                ground = "side_selected"
            elif place == self._hover or (focus and place == self._cursor):
                ground = "side_hover"
            else:
                ground = self._ground
            row.place(x=x, y=number * height, width=wide, height=height)
            row.show(self._look(item), ground, wide, cursor=focus and place == self._cursor)
