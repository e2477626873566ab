"""One conversation's history: a windowed text that holds at most 600 lines at a time.

Shows lines and tells what the person asks for; fetches nothing itself. Older and newer pages are
asked for as the ends come near, so that a conversation of any length costs the same.
"""

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import Any

from chatsecure.client.display import harmless_name
from chatsecure.client.history import HistoryLine
from chatsecure.words import _, several

from .entries import Entry
from .glyphs import fit_for_tk
from .mirror import mirror, turn
from .pages import Pages
from .paint import Painter
from .theme import Theme
from .touch import Touch

Told = Callable[[str, Any], None]

NEAR = 60
"""So many lines of text from an end, the next page is asked for."""
LOOK_MS = 40
RESIZE_MS = 120
PROGRESS_MS = 100
FLASH_MS = 1400
STRIP = 5
FAR = 0.98
_GOING = ("sending", "receiving")


class History(ttk.Frame):
    """One conversation's history: a windowed `tk.Text` of at most 600 lines.

    `on(what, value)` is called on Tk's thread: `older`, `newer` with a place, `bottom`; `seen` with
    the highest place in view; `reply`, `edit`, `delete`, `react`, `copy`, `info`, `menu` with a
    line; `reaction` with (line, emoji); `accept`, `decline`, `cancel`, `resume`, `open-folder`,
    `show-picture` with a line; `user` with a name; `link` with an address; `jump-to` with the id of
    a message that is not loaded.
    """

    def __init__(self, master: tk.Misc, theme: Theme, *, on: Told) -> None:
        super().__init__(master)
        self._theme, self._on = theme, on
        self.look_up: Callable[[str], HistoryLine | None] = lambda _id: None
        """Finds the message that a reply is to; set by who knows them all."""
        self._conversation = self._topic = self._words = ""
        self._asked: set[str] = set()
        self._stick = False
        self._below = self._seen = self._width = 0
        self._waiting: dict[str, str] = {}
        self._build()
        self._pages = Pages(self._text, Painter(self._text, theme))
        self._painter = self._pages.painter
        self._painter.look_up = lambda id_: self._pages.line(id_) or self.look_up(id_)
        self._touch = Touch(self._text, theme, self._pages, self._act)
        self._forget = theme.on_change(self._restyle)
        self._restyle()
        self._text.bind("<Configure>", self._resized)
        self._text.bind("<End>", self._bottom)
        self.bind("<Destroy>", self._gone)

    def _build(self) -> None:
        px = self._theme.px
        self._strip = tk.Frame(self, width=0)
        self._banner = ttk.Frame(self, style="Private.TFrame")
        self._banner_icon = ttk.Label(self._banner, style="Private.TLabel")
        self._banner_text = ttk.Label(self._banner, style="Private.TLabel")
        self._banner_icon.pack(side="left", padx=(px(12), 0))
        self._banner_text.pack(side="left", padx=px(8), pady=px(3))
        self._text = tk.Text(
            self, wrap="word", state="disabled", cursor="arrow", borderwidth=0, padx=0, pady=0,
            highlightthickness=0, exportselection=True, takefocus=True, undo=False, width=40,
            height=10,
        )  # fmt: skip
        self._bar = ttk.Scrollbar(self, command=self._text.yview)
        self._text.configure(yscrollcommand=self._moved)
        self._down = ttk.Button(self, style="Accent.TButton", command=self.to_bottom)
        self._strip.grid(row=0, column=0, rowspan=2, sticky="ns")
        self._text.grid(row=1, column=1, sticky="nsew")
        self._bar.grid(row=1, column=2, sticky="ns")
        self.columnconfigure(1, weight=1)
        self.rowconfigure(1, weight=1)
        mirror(self)

    def _gone(self, event: "tk.Event[tk.Misc]") -> None:
        if event.widget is self:
            self._forget()
            for waiting in self._waiting.values():
                self.after_cancel(waiting)

    # What the application calls.

    def open(
        self,
        conversation: str,
        me: str,
        lines: list[HistoryLine],
        *,
        first_unread: int | None,
        at_end: bool,
        topic: str = "",
    ) -> None:
        """Show another conversation.

        Args:
            first_unread: the place of the first message not shown yet.
            at_end: these lines reach the newest one.
        """
        self._touch.hide()
        self._asked.clear()
        self._conversation, self._topic = conversation, topic
        self._painter.me, self._painter.new_at = me, first_unread
        self._painter.done.clear()
        self._below = self._seen = 0
        self._show_private()
        self._pages.open(lines, self._intro(), at_end=at_end)
        self._stick = at_end
        if first_unread is not None and self.jump_to_unread():
            self._stick = False
        elif at_end:
            self._text.see("end")
        self._pages.find(self._words)
        self._soon("look", LOOK_MS, self._look)

    def add_older(self, lines: list[HistoryLine]) -> None:
        """The answer to `older`; none: the beginning is reached."""
        self._asked.discard("older")
        if self._pages.at_beginning:
            return
        if lines:
            self._pages.older(lines)
        else:
            self._pages.begin(self._intro())
        self._stick = self._stick and self._pages.at_end
        self._changed()

    def add_newer(self, lines: list[HistoryLine], *, at_end: bool) -> None:
        """The answer to `newer`.

        Args:
            at_end: the newest one is among them, or there are none.
        """
        self._asked.discard("newer")
        self._pages.newer(lines, at_end=at_end)
        self._changed()

    def append(self, lines: list[HistoryLine]) -> None:
        """New ones; scrolls only if the bottom is in view or they are ours, else a button tells
        how many there are below."""
        fresh = []
        for line in lines:
            if self._pages.by_id(line.id) is None:
                fresh.append(line)
            else:
                self.update_line(line)
        if not fresh:
            return
        mine = any(line.mine for line in fresh)
        stick = self._pages.at_end and (self._stick or mine)
        if not stick:
            self._below += sum(1 for line in fresh if not line.mine and line.notice is None)
        if not self._pages.at_end:
            # What lies between is not loaded.
            self._show_below()
            if mine:
                self._on("bottom", None)
            return
        self._pages.append(fresh, stick=stick)
        self._stick = stick
        if stick:
            self._text.see("end")
        self._show_below()
        self._changed()

    def update_line(self, line: HistoryLine) -> None:
        """A line has changed: its state, text, reactions or file."""
        self.update_lines([line])

    def update_lines(self, lines: list[HistoryLine]) -> None:
        """As `update_line`, for many at once."""
        anew = []
        for line in lines:
            entry = self._pages.by_id(line.id)
            if entry is None:
                continue
            old = next(old for old in entry.lines if old.id == line.id)
            entry.lines = [line if one is old else one for one in entry.lines]
            if line.file_state not in _GOING:
                self._painter.done.pop(line.id, None)
            same = self._painter.looks_same(old, line)
            if self._painter.last_mine == old.n:
                # What was queued has another place once it is stored.
                self._painter.last_mine = line.n
            if not same:
                anew.append(entry)
            if old.n != line.n:
                self._pages.settle(entry)
        if anew:
            self._redraw(anew)

    def progress(self, id_: str, done: int, size: int) -> None:
        """So many bytes of a file are here or sent."""
        self._painter.done[id_] = min(done, size)
        if self._pages.by_id(id_) is not None:
            self._soon(f"progress {id_}", PROGRESS_MS, lambda: self._progressed(id_))

    def set_topic(self, topic: str) -> None:
        """The conversation's topic is another."""
        self._topic = topic

    def jump(self, n: int) -> bool:
        """Bring a line into view and light it up; False where it is not loaded."""
        return self._bring(self._pages.by_place(n))

    def jump_to(self, id_: str) -> bool:
        """As `jump`, by a message's id."""
        return self._bring(self._pages.by_id(id_))

    def jump_to_unread(self) -> bool:
        """Bring the mark of the new ones into view; False where none is loaded."""
        new_at = self._painter.new_at
        for entry in self._pages.entries:
            if new_at is not None and entry.line.n >= new_at:
                self._text.yview(f"{entry.tag}.first")
                self._text.yview_scroll(-self._text.winfo_height() // 4, "pixels")
                return True
        return False

    def clear_unread(self) -> None:
        """Take the mark of the new ones away."""
        marked, self._painter.new_at = self._painter.new_at, None
        if marked is not None:
            self._redraw([one for one in self._pages.entries if one.line.n >= marked][:1])

    def find(self, words: str) -> int:
        """Mark these words wherever they stand, and tell how often; empty takes the marks away."""
        self._words = words.strip()
        return self._pages.find(self._words)

    def selected(self) -> HistoryLine | None:
        """The message chosen with the keys."""
        entry = self._pages.marked["selected"]
        return entry.line if entry else None

    def selected_text(self) -> str:
        """The text that is marked with the pointer."""
        return self._pages.selected_text()

    def focus_last(self) -> None:
        """Choose the newest message and take the keys."""
        self._text.focus_set()
        self._touch.unselect()
        self._touch.step(1)

    def to_bottom(self) -> None:
        """Go to the newest message."""
        self._below = 0
        if not self._pages.at_end:
            self._on("bottom", None)
            return
        self._stick = True
        self._text.see("end")
        self._show_below()
        self._soon("look", LOOK_MS, self._look)

    def scroll(self, pixels: int) -> None:
        """Move what is in view: down, or up where `pixels` is below 0."""
        self._text.yview_scroll(pixels, "pixels")

    def at_bottom(self) -> bool:
        """Whether the newest message is in view."""
        return self._stick

    def lines(self) -> list[HistoryLine]:
        """The lines that are loaded, oldest first."""
        return [line for entry in self._pages.entries for line in entry.lines if line.n >= 0]

    def _intro(self) -> HistoryLine:
        return HistoryLine(
            n=-1, id="", at="", conversation=self._conversation, sender="", text=self._topic,
            mine=False, seq=None, state="notice",
        )  # fmt: skip

    def _changed(self) -> None:
        if self._words:
            self._pages.find(self._words)
        self._soon("look", LOOK_MS, self._look)

    def _redraw(self, some: list[Entry]) -> None:
        self._pages.redraw(some)
        if self._stick:
            self._text.see("end")

    # What is in view.

    def _moved(self, first: float, last: float) -> None:
        self._bar.set(first, last)
        self._touch.scrolled()
        self._soon("look", LOOK_MS, self._look)

    def _soon(self, name: str, ms: int, act: Callable[[], None]) -> None:
        """Do it once, a little later, however often it is asked for until then."""
        if name not in self._waiting:
            self._waiting[name] = self.after(ms, lambda: self._due(name, act))

    def _due(self, name: str, act: Callable[[], None]) -> None:
        self._waiting.pop(name, None)
        act()

    def _look(self) -> None:
        """Ask for the next page where an end is near; tell what has been seen."""
        pages, text = self._pages, self._text
        if not pages.entries:
            return
        height = text.winfo_height()
        top = int(text.index("@0,0").split(".")[0])
        bottom = int(text.index(f"@0,{height}").split(".")[0])
        total = int(text.index("end-1c").split(".")[0])
        self._stick = pages.at_end and text.dlineinfo("end-2c") is not None
        if self._stick:
            self._below = 0
        self._show_below()
        if top < NEAR and not pages.at_beginning:
            self._ask("older", pages.entries[0].first)
        if bottom > total - NEAR and not pages.at_end:
            self._ask("newer", pages.entries[-1].line.n)
        entry = pages.at(f"@0,{height - 2}") or (pages.entries[-1] if self._stick else None)
        if entry is not None and entry.line.n > self._seen and self.winfo_viewable():
            self._seen = entry.line.n
            self._on("seen", self._seen)

    def _ask(self, what: str, n: int) -> None:
        if what not in self._asked:
            self._asked.add(what)
            self._on(what, n)

    def _show_below(self) -> None:
        far = not self._pages.at_end or float(self._text.yview()[1]) < FAR
        if self._stick or not (self._below or far):
            self._down.place_forget()
            return
        if self._below:
            words = several("{n} new message", "{n} new messages", self._below)
        else:
            words = _("To the newest")
        self._down.configure(text=f"{fit_for_tk(words)}  \u2193")
        self._down.place(in_=self._text, relx=0.5, rely=1, y=-self._theme.px(12), anchor="s")

    def _bring(self, entry: Entry | None) -> bool:
        if entry is None:
            return False
        text = self._text
        self._stick = False
        text.yview(f"{entry.tag}.first")
        text.yview_scroll(-text.winfo_height() // 3, "pixels")
        text.tag_remove("flash", "1.0", "end")
        text.tag_add("flash", f"{entry.tags[0]}.first", f"{entry.tags[0]}.last")
        self._soon("flash", FLASH_MS, lambda: text.tag_remove("flash", "1.0", "end"))
        return True

    def _progressed(self, id_: str) -> None:
        entry = self._pages.by_id(id_)
        if entry is not None:
            self._painter.redraw_card(entry)

    # The look of it all.

    def _restyle(self) -> None:
        self._painter.style()
        self._touch.restyle()
        self._show_private()
        self._redraw(list(self._pages.entries))

    def _show_private(self) -> None:
        """A private chat has a strip and a line of its own, so that it passes for no room."""
        private = self._conversation.startswith("@")
        color = self._theme.color("private" if private else "window")
        self._strip.configure(width=self._theme.px(STRIP) if private else 0, background=color)
        if not private:
            self._banner.grid_forget()
            return
        self._banner_icon.configure(image=self._theme.icon("lock", 14, "on_private"))
        name = harmless_name(self._conversation.lstrip("@"))
        words = _("Private: only you and {name} can read this").format(name=name)
        self._banner_text.configure(
            text=fit_for_tk(words),
            font=self._theme.font("small-bold"),
        )
        self._banner.grid(row=0, column=1, columnspan=2, sticky="ew")
        turn(self._banner)

    def _resized(self, event: "tk.Event[tk.Text]") -> None:
        if self._stick:
            self._text.see("end")
        if event.width != self._width:
            self._width = event.width
            self._soon("resize", RESIZE_MS, self._refit)

    def _bottom(self, _event: object) -> str:
        self.to_bottom()
        return "break"

    def _refit(self) -> None:
        self._redraw([entry for entry in self._pages.entries if entry.fluid])

    def _act(self, what: str, value: Any) -> None:
        if what == "fold":
            value.open = not value.open
            self._redraw([value])
        elif what != "jump-to" or not self.jump_to(value):
            self._on(what, value)
