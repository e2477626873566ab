"""What the pointer and the keys do in a history: hovering, clicking, choosing a message.

Tells what is wanted; does nothing about it itself.
"""

import contextlib
import tkinter as tk
from collections.abc import Callable
from typing import Any

from chatsecure.client import markup
from chatsecure.client.display import harmless_name
from chatsecure.client.history import HistoryLine

from . import spoken
from .card import buttons_of
from .entries import Entry, clock, reach
from .hover import Actions, Hint, hint
from .pages import Pages
from .theme import Theme


class Touch:
    """The pointer and the keys over one history.

    Args:
        act: gets what is wanted, as `History` tells it.
    """

    def __init__(
        self, text: tk.Text, theme: Theme, pages: Pages, act: Callable[[str, Any], None]
    ) -> None:
        self._text, self._pages, self._act = text, pages, act
        self._hovered_in = ("", 0)
        self.actions = Actions(text, theme, act)
        self.hint = Hint(text, theme)
        self._listen()

    def hide(self) -> None:
        """Another conversation is shown: nothing is under the pointer."""
        self.actions.hide()

    def restyle(self) -> None:
        """Take the theme's colours."""
        self.actions.restyle()

    def scrolled(self) -> None:
        """What is in view may have moved: what is under the pointer is another message then."""
        if self._pages.marked["hover"] is not None and self._view() != self._hovered_in:
            self._hover(None)

    def selected(self) -> HistoryLine | None:
        """The message chosen with the keys."""
        entry = self._pages.marked["selected"]
        return entry.line if entry else None

    def _listen(self) -> None:
        text = self._text
        acts: dict[str, Callable[[tk.Event[tk.Text]], Any]] = {
            "<Motion>": self._pointed, "<Leave>": self._left, "<ButtonRelease-1>": self._clicked,
            "<<ContextMenu>>": self._menu,
            "<<Copy>>": self._copy, "<Escape>": self.unselect,
            "<Return>": self._enter, "<Up>": lambda _e: self.step(-1),
            "<Down>": lambda _e: self.step(1), "<Home>": lambda _e: self._top(),
            "<Menu>": lambda _e: self._key("menu"),
            "<Shift-F10>": lambda _e: self._key("menu"), "<App>": lambda _e: self._key("menu"),
            "<Tab>": lambda _e: self._next(text.tk_focusNext()),
            "<Shift-Tab>": lambda _e: self._next(text.tk_focusPrev()),
            "<<PrevWindow>>": lambda _e: self._next(text.tk_focusPrev()),
        }  # fmt: skip
        for sequence, act in acts.items():
            # Each system has its own keys and knows no other.
            with contextlib.suppress(tk.TclError):
                text.bind(sequence, act)
        for key, what in (("r", "reply"), ("e", "edit"), ("d", "delete"), ("plus", "react"),
                          ("c", "copy"), ("i", "info"), ("Delete", "delete")):  # fmt: skip
            text.bind(f"<KeyPress-{key}>", lambda _e, what=what: self._key(what))  # type: ignore[misc]

    # The pointer.

    def _view(self) -> tuple[str, int]:
        """What is at the top, and how much of it is cut off."""
        top = self._text.index("@0,0")
        box = self._text.dlineinfo(top)
        return top, box[1] if box else 0

    def _pointed(self, event: "tk.Event[tk.Text]") -> None:
        entry = self._pages.at(f"@{event.x},{event.y}")
        if entry is not None and (entry.line.notice is not None or entry.line.n < 0):
            entry = None
        if entry is not self._pages.marked["hover"]:
            self._hover(entry)
        acting = self._pages.under(event.x, event.y)
        self.hint.show(hint(*acting) if acting else "", event.x, event.y)
        wanted = "hand2" if acting else "xterm" if self._on_letters(event) else "arrow"
        if str(self._text.cget("cursor")) != wanted:
            self._text.configure(cursor=wanted)

    def _on_letters(self, event: "tk.Event[tk.Text]") -> bool:
        box = self._text.bbox(f"@{event.x},{event.y}")
        return box is not None and box[0] <= event.x < box[0] + box[2]

    def _hover(self, entry: Entry | None) -> None:
        self._pages.mark("hover", entry)
        if entry is None:
            self.hint.show("", 0, 0)
            self.actions.hide()
            return
        self._hovered_in = self._view()
        box = self._text.dlineinfo(f"{entry.tags[0]}.first")
        self.actions.show(entry.line, max(box[1] if box else 0, 0))

    def _left(self, event: "tk.Event[tk.Text]") -> None:
        under = self._text.winfo_containing(event.x_root, event.y_root)
        if under is None or not str(under).startswith(str(self._text)):
            self._hover(None)

    def _clicked(self, event: "tk.Event[tk.Text]") -> None:
        if self._text.tag_ranges("sel"):
            return
        found = self._pages.under(event.x, event.y)
        if found is not None:
            self._act(*found)

    def _menu(self, event: "tk.Event[tk.Text]") -> str:
        entry = self._pages.at(f"@{event.x},{event.y}")
        if entry is not None and entry.line.notice is None and entry.line.n >= 0:
            self._act("menu", entry.line)
        return "break"

    # The keys.

    def _key(self, what: str) -> str:
        line = self.selected()
        if line is not None:
            self._act(what, line)
        return "break"

    def _top(self) -> str:
        self._text.yview("1.0")
        return "break"

    def _next(self, widget: tk.Misc | None) -> str:
        """Give the keys on: a text would keep them for itself."""
        if widget is not None:
            widget.focus_set()
        return "break"

    def step(self, way: int) -> str:
        """Choose the next message, or the one before where `way` is below 0."""
        some = [one for one in self._pages.entries if one.line.n >= 0 and one.line.notice is None]
        chosen = self._pages.marked["selected"]
        where = some.index(chosen) + way if chosen in some else len(some) - 1
        if 0 <= where < len(some):
            entry = some[where]
            self._pages.mark("selected", entry)
            self._text.see(f"{entry.tag}.last-1c")
            self._text.see(f"{entry.tag}.first")
            line = entry.line
            told = f"{harmless_name(line.sender)}, {clock(line.at)}: {markup.plain(line.text)}"
            spoken.value(self._text, f"{told}, {reach(line)[1]}" if line.mine else told)
        return "break"

    def unselect(self, _event: object = None) -> None:
        """Choose none."""
        self._pages.mark("selected", None)
        self._text.tag_remove("sel", "1.0", "end")

    def _enter(self, _event: object) -> str:
        line = self.selected()
        if line is not None:
            does = buttons_of(line) if line.file else []
            self._act(does[0][0] if does else "reply", line)
        return "break"

    def _copy(self, _event: object) -> str:
        words = self._pages.selected_text()
        if words:
            self._text.clipboard_clear()
            self._text.clipboard_append(words)
            return "break"
        return self._key("copy")
