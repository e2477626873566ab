"""The lines of a history that are loaded, and their place in the text: a window of at most 600.

Pages come in at either end and go out at the other, with their tags and pictures; what is in view
stays where it is. Knows nothing of pointer and keys.
"""

import tkinter as tk
from typing import Any

from chatsecure.client.history import HistoryLine

from .entries import Entry, entries, folds
from .paint import Painter
from .pen import Mark

MAX_LINES = 600
_SPARE = 60
"""So many more are taken out at once, so that not each new line moves all the others."""
_REACH_BACK = 50
"""Our newest message is looked for among so many entries."""


class Pages:
    """The entries of one conversation that are in the text, oldest first."""

    def __init__(self, text: tk.Text, painter: Painter) -> None:
        self.text, self.painter = text, painter
        self.entries: list[Entry] = []
        self.marked: dict[str, Entry | None] = {"hover": None, "selected": None}
        """Entries with a ground of their own, by its tag."""
        self.at_end = self.at_beginning = False
        self._by_tag: dict[str, Entry] = {}
        self._by_id: dict[str, Entry] = {}

    def open(self, lines: list[HistoryLine], intro: HistoryLine, *, at_end: bool) -> None:
        """Put these lines in place of what there is."""
        self.at_end, self.at_beginning = at_end, not lines
        self.painter.last_mine = _last_mine(lines)
        self.marked = dict.fromkeys(self.marked)
        with Writing(self.text):
            self._clear()
            self._place(entries(lines) if lines else [Entry([intro])], 0)

    def begin(self, intro: HistoryLine) -> None:
        """The beginning of the conversation is reached: say so above it."""
        self.at_beginning = True
        with Writing(self.text), Steady(self.text):
            self._place([Entry([intro])], 0)
            self._again(1)

    def older(self, lines: list[HistoryLine]) -> None:
        """Put a page in front of all."""
        with Writing(self.text), Steady(self.text):
            found = entries(lines)
            first = self.entries[:1]
            if first and folds(first[0].line) and folds(found[-1].line):
                # Comings and goings that meet at the edge of a page are shown as one.
                found = entries([*lines, *first[0].lines])
                self._take(0, 1)
            self._place(found, 0)
            self._again(len(found))
            self._trim_end()

    def newer(self, lines: list[HistoryLine], *, at_end: bool) -> None:
        """Put a page behind all."""
        self.at_end = at_end
        if lines:
            with Writing(self.text), Steady(self.text):
                self._extend(lines)
                self._trim_beginning()

    def append(self, lines: list[HistoryLine], *, stick: bool) -> None:
        """Put new lines behind all.

        Args:
            stick: the end is in view, so what is far above may go.
        """
        with Writing(self.text):
            if stick:
                self._extend(lines)
                self._trim_beginning()
            else:
                with Steady(self.text):
                    self._extend(lines)

    def redraw(self, some: list[Entry]) -> None:
        """Draw entries anew where they stand."""
        with Writing(self.text), Steady(self.text):
            wanted = {id(entry) for entry in some}
            for where, entry in enumerate(self.entries):
                if id(entry) in wanted:
                    self._again(where)

    def settle(self, entry: Entry) -> None:
        """Put an entry where its place is now: what was queued goes behind what came meanwhile."""
        was = self.entries.index(entry)
        others = self.entries[:was] + self.entries[was + 1 :]
        place = len(others)
        while place and others[place - 1].first > entry.first:
            place -= 1
        if place == was:
            return
        with Writing(self.text), Steady(self.text):
            self._take(was, was + 1)
            self._place([entry], place)
            for beside in sorted({was, place + 1}):
                self._again(beside)

    def mark(self, tag: str, entry: Entry | None) -> None:
        """Give one entry the ground of a tag, and take it from the one before."""
        self.text.tag_remove(tag, "1.0", "end")
        self.marked[tag] = entry
        if entry is not None and self.text.tag_ranges(entry.tags[0]):
            self.text.tag_add(tag, f"{entry.tags[0]}.first", f"{entry.tags[0]}.last")

    def by_id(self, id_: str) -> Entry | None:
        """The entry with this message."""
        return self._by_id.get(id_)

    def line(self, id_: str) -> HistoryLine | None:
        """The message, where it is loaded."""
        entry = self._by_id.get(id_)
        return next((line for line in entry.lines if line.id == id_), None) if entry else None

    def by_place(self, n: int) -> Entry | None:
        """The entry with the message at this place."""
        for entry in self.entries:
            if any(line.n == n for line in entry.lines):
                return entry
        return None

    def at(self, index: str) -> Entry | None:
        """The entry at an index of the text."""
        for tag in self.text.tag_names(index):
            if tag in self._by_tag:
                return self._by_tag[tag]
        return None

    def under(self, x: int, y: int) -> tuple[str, Any] | None:
        """What a click at a point does."""
        text = self.text
        index = text.index(f"@{x},{y}")
        box = text.bbox(index)
        if box is None or not (box[0] <= x < box[0] + box[2] and box[1] <= y < box[1] + box[3]):
            return None
        mark = self._mark_at(index)
        if mark is not None and mark.card is not None:
            entry = self.at(index)
            name = mark.card.at(x - box[0], y - box[1])
            return (name, entry.line) if name and entry else None
        if mark is not None and mark.action is not None:
            return mark.action
        for tag in text.tag_names(index):
            if tag in self.painter.actions:
                return self.painter.actions[tag]
        return None

    def find(self, words: str) -> int:
        """Mark these words wherever they stand; how often."""
        text, count = self.text, 0
        wanted = tuple(dict.fromkeys(words.casefold().split()))
        if wanted != self.painter.pen.found:
            before, self.painter.pen.found = self.painter.pen.found, wanted
            self.redraw([one for one in self.entries if _drawn_with(one, {*before, *wanted})])
        text.tag_remove("find", "1.0", "end")
        for word in wanted:
            at = "1.0"
            while at := text.search(word, at, "end", nocase=True):
                end = f"{at}+{len(word)}c"
                text.tag_add("find", at, end)
                at, count = end, count + 1
            pictures = (mark for one in self.entries if one.drawn for mark in one.images.values())
            count += sum(mark.text.casefold().count(word) for mark in pictures)
        return count

    def selected_text(self) -> str:
        """The text that is selected, with what is drawn in it as letters."""
        text = self.text
        if not text.tag_ranges("sel"):
            return ""
        parts: list[str] = []
        for kind, value, index in text.dump("sel.first", "sel.last", text=True, image=True):
            if kind == "text":
                parts.append(value)
            else:
                entry = self.at(index)
                mark = entry.images.get(value) if entry else None
                parts.append(mark.text if mark else "")
        rows = "".join(parts).split("\n")
        return "\n".join(row.strip("\t ").replace("\t", " ") for row in rows).strip("\n")

    def _mark_at(self, index: str) -> Mark | None:
        entry = self.at(index)
        if entry is None:
            return None
        for kind, name, _place in self.text.dump(index, image=True):
            if kind == "image":
                return entry.images.get(name)
        return None

    def _place(self, found: list[Entry], where: int) -> None:
        """Draw entries in front of the one at `where`."""
        at = f"{self.entries[where].tag}.first" if where < len(self.entries) else "end-1c"
        self.text.mark_set("place", at)
        self.text.mark_gravity("place", "right")
        before = self.entries[where - 1].line if where else None
        for entry in found:
            self._draw(entry, before)
            before = entry.line
        self.entries[where:where] = found

    def _draw(self, entry: Entry, before: HistoryLine | None) -> None:
        self.painter.insert(entry, None if before is None or before.n < 0 else before, "place")
        self._by_tag[entry.tag] = entry
        for line in entry.lines:
            if line.id:
                self._by_id[line.id] = entry

    def _take(self, start: int, end: int) -> None:
        gone = self.entries[start:end]
        if not gone:
            return
        # In one piece: entry by entry it takes many times as long.
        first, last = f"{gone[0].tag}.first", f"{gone[-1].tag}.last"
        self.text.delete(first, last)
        self.painter.forget(gone)
        for entry in gone:
            self._by_tag.pop(entry.tag, None)
            for line in entry.lines:
                if self._by_id.get(line.id) is entry:
                    del self._by_id[line.id]
            for tag, marked in self.marked.items():
                if marked is entry:
                    self.marked[tag] = None
        del self.entries[start:end]

    def _clear(self) -> None:
        """As `_take` of all, in few steps."""
        self.text.delete("1.0", "end")
        self.painter.forget(self.entries)
        self.entries = []
        self._by_tag.clear()
        self._by_id.clear()

    def _again(self, where: int) -> None:
        """Draw one entry anew: it, or what stands above it, has changed."""
        if where >= len(self.entries):
            return
        entry = self.entries[where]
        if not self.text.tag_ranges(entry.tag):
            return
        self.text.mark_set("place", f"{entry.tag}.first")
        self._by_tag.pop(entry.tag, None)
        self.painter.remove(entry)
        self.text.mark_gravity("place", "right")
        self._draw(entry, self.entries[where - 1].line if where else None)
        for tag, marked in self.marked.items():
            if marked is entry:
                self.mark(tag, entry)

    def _extend(self, lines: list[HistoryLine]) -> None:
        found = entries(lines)
        last = self.entries[-1:]
        if last and folds(last[0].line) and folds(found[0].line):
            found = entries([*last[0].lines, *lines])
            found[0].open = last[0].open
            self._take(len(self.entries) - 1, len(self.entries))
        mine = _last_mine(lines)
        if mine is not None:
            earlier, self.painter.last_mine = self.painter.last_mine, mine
            for where in range(len(self.entries) - 1, max(len(self.entries) - _REACH_BACK, -1), -1):
                if self.entries[where].line.n == earlier:
                    self._again(where)
                    break
        self._place(found, len(self.entries))

    def _over(self) -> int:
        over = sum(len(entry.lines) for entry in self.entries) - MAX_LINES
        return over + _SPARE if over > 0 else 0

    def _trim_end(self) -> None:
        over, cut = self._over(), len(self.entries)
        while over > 0 and cut > 1:
            cut -= 1
            over -= len(self.entries[cut].lines)
        if cut < len(self.entries):
            self._take(cut, len(self.entries))
            self.at_end = False

    def _trim_beginning(self) -> None:
        over, cut = self._over(), 0
        while over > 0 and cut < len(self.entries) - 1:
            over -= len(self.entries[cut].lines)
            cut += 1
        if cut:
            self._take(0, cut)
            self.at_beginning = False
            self._again(0)


class Writing:
    """The text can be written while this lasts."""

    def __init__(self, text: tk.Text) -> None:
        self._text = text

    def __enter__(self) -> None:
        self._text.configure(state="normal")

    def __exit__(self, *_raised: object) -> None:
        self._text.configure(state="disabled")


class Steady:
    """What is in view stays where it is while this lasts, whatever comes and goes above it."""

    def __init__(self, text: tk.Text) -> None:
        self._text = text
        self._y = 0

    def __enter__(self) -> None:
        text = self._text
        # Not the first line in view: it may be drawn anew as a page arrives above it.
        anchor = text.index(f"@0,{max(text.winfo_height() // 3, 1)} linestart")
        text.mark_set("anchor", anchor)
        text.mark_gravity("anchor", "right")
        box = text.dlineinfo(anchor)
        self._y = box[1] if box else 0

    def __exit__(self, *_raised: object) -> None:
        text = self._text
        text.yview("anchor")
        box = text.dlineinfo("anchor")
        shift = (box[1] if box else 0) - self._y
        if shift:
            text.yview_scroll(shift, "pixels")


def _drawn_with(entry: Entry, words: set[str]) -> bool:
    """Whether one of these words stands in a picture of an entry."""
    return entry.drawn and any(
        word in mark.text.casefold() for mark in entry.images.values() for word in words
    )


def _last_mine(lines: list[HistoryLine]) -> int | None:
    return next((line.n for line in reversed(lines) if line.mine), None)
