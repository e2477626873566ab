"""Writes into a history's text: letters, pictures, and what a click on each of them does.

What Tk on X11 cannot draw comes as pictures, and so do whole sentences of a language written from
right to left. Knows nothing of messages: `paint` and `body` say what is written.
"""

from __future__ import annotations

import re
import tkinter as tk
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from chatsecure.words import right_to_left

from . import card, pictures
from .bidi import base_direction
from .entries import Entry
from .glyphs import Glyphs, Ink, split_runs
from .tags import CONTENT, LEFT, RIGHT
from .theme import Theme

Action = tuple[str, Any]

_WORDS = re.compile(r"\s+|\S+")


@dataclass(slots=True)
class Mark:
    """A picture in the text: what it stands for when copied, and what a click on it does."""

    photo: tk.PhotoImage
    text: str = ""
    action: Action | None = None
    card: card.Card | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """A few words in one style, or a picture, in a line of such."""

    words: str = ""
    tags: tuple[str, ...] = ()
    font: str = "body"
    color: str = "text"
    action: Action | None = None
    photo: tk.PhotoImage | None = None
    """Shown in place of the words, which are what is copied."""


class Pen:
    """Writes one entry after the other, wherever it is put."""

    def __init__(self, text: tk.Text, theme: Theme) -> None:
        self.text, self.theme = text, theme
        self.glyphs = Glyphs(theme)
        self.actions: dict[str, Action] = {}
        """What the letters under a tag do."""
        self.found: tuple[str, ...] = ()
        """Words that are marked wherever they are drawn."""
        self.entry = Entry([])
        self._count = 0
        self._buffer: list[Any] = []

    @property
    def mirrored(self) -> bool:
        """Whether lines begin at the right."""
        return right_to_left()

    @property
    def width(self) -> int:
        """The room for a message's text, in pixels."""
        width = self.text.winfo_width()
        width = width if width > 1 else self.theme.px(640)
        return max(width - self.theme.px(CONTENT + RIGHT), self.theme.px(80))

    @property
    def whole_width(self) -> int:
        """The room between the margins, a sender's picture included."""
        return self.width + self.theme.px(CONTENT + RIGHT) - self.theme.px(2 * LEFT)

    def begin(self, entry: Entry, at: str) -> None:
        """Begin an entry at an index; the text must be writable."""
        text = self.text
        text.mark_set("pen", at)
        text.mark_gravity("pen", "right")
        text.mark_set("begin", at)
        text.mark_gravity("begin", "left")
        self._count += 1
        entry.tag, entry.images, entry.tags = f"m{self._count}", {}, [f"b{self._count}"]
        entry.fluid = entry.drawn = False
        self.entry = entry

    def begin_inner(self) -> None:
        """What follows is the entry itself; what was before stands above it."""
        self.flush()
        self.text.mark_set("inner", "pen")
        self.text.mark_gravity("inner", "left")

    def end(self) -> None:
        """The entry is written."""
        self.flush()
        self.text.tag_add(self.entry.tag, "begin", "pen")
        self.text.tag_add(self.entry.tags[0], "inner", "pen")

    # What is put into the text.

    def say(self, words: str, *tags: str) -> None:
        """Letters as they are, soon."""
        self._buffer += (words, tags)

    def flush(self) -> None:
        """Letters that wait are put in."""
        if self._buffer:
            self.text.insert("pen", *self._buffer)
            self._buffer = []

    def picture(
        self, photo: tk.PhotoImage, tags: Iterable[str], *, align: Any = "center", words: str = "",
        action: Action | None = None, drawn: card.Card | None = None, padx: int = 0,
    ) -> None:  # fmt: skip
        """A picture that stands for words."""
        self.flush()
        name = self.text.image_create("pen", image=photo, align=align, padx=padx)
        # A picture takes over tags that stand on both sides of it.
        for tag in self.text.tag_names("pen-1c"):
            self.text.tag_remove(tag, "pen-1c")
        for tag in tags:
            self.text.tag_add(tag, "pen-1c")
        self.entry.images[name] = Mark(photo, words, action, drawn)

    def acting(self, what: str, value: Any) -> str:
        """A tag whose letters do something when clicked."""
        self._count += 1
        tag = f"a{self._count}"
        self.actions[tag] = (what, value)
        self.entry.tags.append(tag)
        return tag

    def forget(self, tags: Sequence[str]) -> None:
        """Drop tags whose text is gone."""
        if tags:
            self.text.tag_delete(*tags)
        for tag in tags:
            self.actions.pop(tag, None)

    def letters(
        self, words: str, tags: tuple[str, ...], *, font: str = "body", color: str = "text",
        action: Action | None = None,
    ) -> None:  # fmt: skip
        """Words of one line in one style; what Tk cannot draw comes as pictures."""
        if not self.glyphs.draws:
            self.say(words, *tags)
            return
        bold = "bold" in font
        for run in split_runs(words):
            if run.kind == "text":
                self.say(run.text, *tags)
            elif run.kind == "emoji":
                photo = self.glyphs.emoji(run.text, round(self.theme.font_px(font) * 1.25))
                self.picture(photo, tags, words=run.text, action=action)
            else:
                self.entry.drawn = True
                ink = Ink(self.theme.color(color), bold, "link" in tags)
                for part in self._fitting(run.text, font, bold=bold):
                    photo = self.glyphs.cut(self.inked([(part, ink)]), font)
                    self.picture(photo, tags, align=_align(tags), words=part, action=action)

    def _fitting(self, words: str, font: str, *, bold: bool) -> list[str]:
        """A drawn run in parts that fit beside other text; in pieces a picture cannot wrap."""
        if self.glyphs.width(words, font, bold=bold) <= self.width * 0.6:
            return [words]
        some = words.split(" ")
        if len(some) > 1:
            return [word + " " for word in some[:-1]] + [some[-1]]
        size = max(
            1, int(len(words) * self.width * 0.6 / self.glyphs.width(words, font, bold=bold))
        )
        return [words[at : at + size] for at in range(0, len(words), size)]

    def sentence(
        self, words: str, tags: tuple[str, ...], *, font: str = "body", color: str = "text",
        action: Action | None = None, room: int = 0,
    ) -> None:  # fmt: skip
        """Words of ours, in the person's language: from right to left where it is written so.

        Args:
            room: pixels beside it on its last line that are taken.
        """
        if not (self.mirrored and self.glyphs.draws) or words.isascii():
            self.letters(words, tags, font=font, color=color, action=action)
            return
        self.entry.fluid = True
        ink = Ink(self.theme.color(color), "bold" in font, "link" in tags)
        width = max(self.whole_width - self.theme.px(2 * LEFT) - room, self.theme.px(60))
        drawn = self.glyphs.lines(self.inked([(words, ink)]), font, width, "rtl")
        for number, (photo, part) in enumerate(drawn):
            if number:
                self.say("\n", *tags)
            self.picture(photo, tags, align="bottom", words=part, action=action)

    def put(self, pieces: Sequence[Piece], tags: tuple[str, ...], *, backwards: bool) -> None:
        """Pieces one beside the other.

        Args:
            backwards: the first stands at the right.
        """
        for piece in reversed(pieces) if backwards else pieces:
            of = (*tags, *piece.tags)
            photo = piece.photo or self._drawn(piece)
            if photo is not None:
                align = "center" if piece.photo else _align(of)
                self.picture(photo, of, align=align, words=piece.words, action=piece.action)
                continue
            if piece.action is not None:
                of = (*of, self.acting(*piece.action))
            self.letters(piece.words, of, font=piece.font, color=piece.color, action=piece.action)

    def _drawn(self, piece: Piece) -> tk.PhotoImage | None:
        """Words from right to left as one picture, which keeps their order."""
        if not self.glyphs.draws or base_direction(piece.words) == "ltr":
            return None
        self.entry.drawn = True
        ink = Ink(self.theme.color(piece.color), "bold" in piece.font, "link" in piece.tags)
        return self.glyphs.cut(self.inked([(piece.words, ink)]), piece.font, "rtl")

    def shortened(self, words: str, font: str, room: int) -> str:
        """As much of a text as has room in so many pixels, with an ellipsis where it is cut."""

        def fits(shown: str) -> bool:
            return self.glyphs.width(shown, font, bold="bold" in font) <= room

        if fits(words):
            return words
        low, high = 0, len(words)
        while low < high:
            middle = (low + high + 1) // 2
            if fits(words[:middle] + "…"):
                low = middle
            else:
                high = middle - 1
        return words[:low].rstrip() + "…"

    def measure(self, pieces: Sequence[Piece]) -> int:
        """How wide pieces are together, in pixels."""
        return sum(
            piece.photo.width()
            if piece.photo is not None
            else self.glyphs.width(piece.words, piece.font, bold="bold" in piece.font)
            for piece in pieces
        )

    def inked(self, parts: Sequence[tuple[str, Ink]]) -> list[tuple[str, Ink]]:
        """Parts of a text to be drawn, with the words marked that were looked for.

        Whole words: within one, letters would no longer join.
        """
        if not self.found:
            return list(parts)
        color = self.theme.color
        marked: list[tuple[str, Ink]] = []
        for text, ink in parts:
            lit = replace(ink, color=color("on_find"), ground=color("find"))
            for part in _WORDS.findall(text):
                holds = any(word in part.casefold() for word in self.found)
                marked.append((part, lit if holds else ink))
        return marked

    def ruled(self, words: str, tags: tuple[str, ...]) -> None:
        """Words in the middle of a thin line."""
        self.entry.fluid = True
        color = self.theme.color("new" if "new" in tags else "line")
        taken = self.glyphs.width(f"  {words}  ", "small-bold", bold=True)
        wide = (self.whole_width - taken) // 2 - 2
        high = max(1, self.theme.px(1))
        rule = self.theme.keep(
            ("rule", wide, high, color),
            lambda: pictures.rounded(max(wide, 1), high, 0, color),
        )
        self.picture(rule, tags)
        ink = "new" if "new" in tags else "dim"
        self.letters(f"  {words}  ", tags, font="small-bold", color=ink)
        self.picture(rule, tags)
        self.say("\n", *tags)

    def blank(self, width: int) -> tk.PhotoImage:
        """Nothing, so wide."""
        from PIL import Image

        wide = max(width, 1)
        return self.theme.keep(("blank", wide), lambda: Image.new("RGBA", (wide, 1), (0, 0, 0, 0)))


def _align(tags: Sequence[str]) -> Any:
    """How drawn letters stand beside others: a head may be higher than its letters."""
    return "center" if "head" in tags else "bottom"
