"""Choosing an emoji: by group, by name, or among the last ones; with the pointer or with keys only.

A box inside the window rather than a window of its own, so that no window manager can misplace it
or take the keys away. Draws what is in view and no more, as there are nearly two thousand.
"""

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from chatsecure.client import emoji
from chatsecure.words import _

from .fields import guard_entry
from .glyphs import Glyphs, fit_for_tk
from .mirror import mirror
from .theme import Theme
from .wheel import on_wheel

COLUMNS, ROWS = 9, 6
CELL, FACE = 38, 24
MAX_RECENT = 27
_TABS = {
    "recent": "🕘", "smileys": "😀", "people": "👋", "nature": "🐻", "food": "🍎",
    "activities": "⚽", "travel": "🚗", "objects": "💡", "symbols": "❤️", "flags": "🏳️",
}  # fmt: skip
_recent: list[str] = list(emoji.COMMON)
"""The last ones chosen, newest first."""


def tab_words(tab: str) -> str:
    """What a group is called."""
    return {
        "recent": _("Often used"), "smileys": _("Smileys"), "people": _("People"),
        "nature": _("Animals and nature"), "food": _("Food and drink"),
        "activities": _("Activities"), "travel": _("Travel and places"),
        "objects": _("Objects"), "symbols": _("Symbols"), "flags": _("Flags"),
    }[tab]  # fmt: skip


class EmojiPicker(tk.Frame):
    """The box; `on_pick` is given the sign. Closed with Escape or by a click beside it."""

    def __init__(self, parent: tk.Misc, theme: Theme, on_pick: Callable[[str], None]) -> None:
        self._top = parent.winfo_toplevel()
        super().__init__(self._top, borderwidth=0)
        self._theme, self._on_pick = theme, on_pick
        self._glyphs = Glyphs(theme)
        self._signs: list[str] = []
        self._drawn: dict[int, tuple[int, tk.PhotoImage]] = {}
        self._chosen = 0
        self._before: tk.Misc | None = None
        self._build()
        self.show_tab("recent")

    def _build(self) -> None:
        theme, px, color = self._theme, self._theme.px, self._theme.color
        self.configure(
            background=color("raised"),
            highlightthickness=1,
            highlightbackground=color("line"),
            highlightcolor=color("line"),
        )
        self._words = tk.StringVar(self)
        self._entry = ttk.Entry(self, textvariable=self._words, font=theme.font("body"))
        guard_entry(self._entry)
        self._entry.pack(fill="x", padx=px(8), pady=px(8))
        self._words.trace_add("write", lambda *_: self._search())
        bar = tk.Frame(self, background=color("raised"))
        bar.pack(fill="x", padx=px(6))
        self._tabs: dict[str, tk.Label] = {}
        for tab, sign in _TABS.items():
            image = self._glyphs.emoji(sign, px(18))
            label = tk.Label(
                bar, image=image, background=color("raised"), padx=px(6), pady=px(5), cursor="hand2"
            )
            label.image = image  # type: ignore[attr-defined] # Tk keeps no reference
            label.pack(side="left", expand=True, fill="x")
            label.bind("<Button-1>", lambda _e, tab=tab: self.show_tab(tab))  # type: ignore[misc]
            self._tabs[tab] = label
        body = tk.Frame(self, background=color("raised"))
        body.pack(fill="both", expand=True, padx=(px(8), px(4)), pady=px(4))
        self._canvas = tk.Canvas(
            body, width=px(CELL) * COLUMNS, height=px(CELL) * ROWS, highlightthickness=0,
            background=color("raised"), yscrollincrement=px(CELL),
        )  # fmt: skip
        scroll = ttk.Scrollbar(body, style="Raised.Vertical.TScrollbar", command=self._canvas.yview)

        def moved(first: float, last: float) -> None:
            scroll.set(first, last)
            self._draw()

        self._canvas.configure(yscrollcommand=moved)
        self._canvas.pack(side="left")
        scroll.pack(side="right", fill="y")
        self._name = ttk.Label(self, style="Raised.Small.TLabel")
        self._name.pack(fill="x", padx=px(10), pady=(0, px(8)))
        self._canvas.bind("<Motion>", self._pointed)
        self._canvas.bind("<Button-1>", self._clicked)
        on_wheel(
            self._canvas.bind, lambda way: self._canvas.yview_scroll(way, "units"),
            system=theme.windowing,
        )  # fmt: skip
        steps = {"<Left>": -1, "<Right>": 1, "<Up>": -COLUMNS, "<Down>": COLUMNS}
        for key, step in steps.items():
            self._entry.bind(key, lambda _e, step=step: self._step(step))  # type: ignore[misc]
        self._entry.bind("<Return>", lambda _e: self._pick(self._chosen))
        self._entry.bind("<Escape>", lambda _e: self.close())
        self._entry.bind("<Tab>", lambda _e: self._next_tab(1))
        self._entry.bind("<Shift-Tab>", lambda _e: self._next_tab(-1))
        self._entry.bind("<FocusOut>", lambda _e: self.after(100, self._left))

    def open(self, near: tk.Misc) -> None:
        """Show it beside a widget, inside the window, and take the keys."""
        self._before = self._top.focus_get()
        mirror(self)
        self.update_idletasks()
        width, height = self.winfo_reqwidth(), self.winfo_reqheight()
        x = near.winfo_rootx() - self._top.winfo_rootx() + near.winfo_width() - width
        y = near.winfo_rooty() - self._top.winfo_rooty()
        if near.winfo_height() > self._top.winfo_height() // 3:
            # Beside something large: in its corner.
            y += near.winfo_height()
        x = max(4, min(x, self._top.winfo_width() - width - 4))
        y = max(4, min(y - height - 4, self._top.winfo_height() - height - 4))
        self.place(x=x, y=y)
        self.lift()
        self._entry.focus_set()

    def close(self) -> str:
        """Go away and give the keys back."""
        if self.winfo_exists():
            if self._before is not None and self._before.winfo_exists():
                self._before.focus_set()
            self.destroy()
        return "break"

    def show_tab(self, tab: str) -> None:
        """Show a group."""
        color = self._theme.color
        self._tab = tab
        for name, label in self._tabs.items():
            label.configure(background=color("side_selected" if name == tab else "raised"))
        if tab == "recent":
            self._show(list(_recent))
        else:
            self._show([one.sign for one in emoji.groups()[tab]])
        self._name.configure(text=fit_for_tk(tab_words(tab)))

    def _next_tab(self, way: int) -> str:
        tabs = list(_TABS)
        self.show_tab(tabs[(tabs.index(self._tab) + way) % len(tabs)])
        return "break"

    def _search(self) -> None:
        words = self._words.get().strip()
        if words:
            self._show([one.sign for one in emoji.search(words, 200)])
            if not self._signs:
                self._name.configure(text=fit_for_tk(_("Nothing of that name")))
        else:
            self.show_tab(self._tab)

    def _show(self, signs: list[str]) -> None:
        self._signs, self._chosen = signs, 0
        self._drawn.clear()
        self._canvas.delete("all")
        cell = self._theme.px(CELL)
        rows = max(-(-len(signs) // COLUMNS), ROWS)
        self._canvas.configure(scrollregion=(0, 0, cell * COLUMNS, cell * rows))
        self._canvas.yview_moveto(0)
        self._draw()
        self._light()

    def _draw(self) -> None:
        """Draw what is in view, and forget what is far away."""
        cell, face = self._theme.px(CELL), self._theme.px(FACE)
        first = int(self._canvas.canvasy(0)) // cell * COLUMNS
        view = range(max(first, 0), min(first + COLUMNS * (ROWS + 1), len(self._signs)))
        for at in [at for at in self._drawn if at not in view]:
            self._canvas.delete(self._drawn.pop(at)[0])
        for at in view:
            if at not in self._drawn:
                image = self._glyphs.emoji(self._signs[at], face)
                row, column = divmod(at, COLUMNS)
                place = (column * cell + cell // 2, row * cell + cell // 2)
                self._drawn[at] = (self._canvas.create_image(*place, image=image), image)

    def _light(self) -> None:
        """Show which one is chosen, and its name."""
        self._canvas.delete("chosen")
        if not 0 <= self._chosen < len(self._signs):
            return
        cell = self._theme.px(CELL)
        row, column = divmod(self._chosen, COLUMNS)
        x, y = column * cell, row * cell
        self._canvas.create_rectangle(
            x + 1, y + 1, x + cell - 2, y + cell - 2, tags="chosen", width=2,
            fill=self._theme.color("side_hover"), outline=self._theme.color("focus"),
        )  # fmt: skip
        self._canvas.tag_lower("chosen")
        name = emoji.name_of(self._signs[self._chosen])
        self._name.configure(text=f":{name}:" if name else "")

    def _at(self, event: "tk.Event[tk.Canvas]") -> int | None:
        cell = self._theme.px(CELL)
        column, row = event.x // cell, int(self._canvas.canvasy(event.y)) // cell
        at = row * COLUMNS + column
        return at if column < COLUMNS and 0 <= at < len(self._signs) else None

    def _pointed(self, event: "tk.Event[tk.Canvas]") -> None:
        at = self._at(event)
        if at is not None and at != self._chosen:
            self._chosen = at
            self._light()

    def _clicked(self, event: "tk.Event[tk.Canvas]") -> None:
        at = self._at(event)
        if at is not None:
            self._pick(at)

    def _step(self, by: int) -> str:
        self._chosen = max(0, min(self._chosen + by, len(self._signs) - 1))
        row, cell = self._chosen // COLUMNS, self._theme.px(CELL)
        top = int(self._canvas.canvasy(0)) // cell
        if row < top or row >= top + ROWS:
            self._canvas.yview_scroll(row - top if row < top else row - top - ROWS + 1, "units")
        self._light()
        return "break"

    def _pick(self, at: int) -> str:
        if 0 <= at < len(self._signs):
            sign = self._signs[at]
            if sign in _recent:
                _recent.remove(sign)
            _recent.insert(0, sign)
            del _recent[MAX_RECENT:]
            self.close()
            self._on_pick(sign)
        return "break"

    def _left(self) -> None:
        """Close when the keys have gone elsewhere."""
        if self.winfo_exists():
            focus = self._top.focus_get()
            if focus is None or not str(focus).startswith(str(self)):
                self._before = None
                self.close()
