"""Draws one entry of a history into a `tk.Text`, and knows what each piece of it does.

A sender's picture stands beside the name and the first line: it is cut in two halves, each in its
own line, so that the text stays one text, with selection, copying and search for nothing.
"""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from chatsecure.client import emoji, markup
from chatsecure.client.display import harmless, harmless_name
from chatsecure.client.history import HistoryLine
from chatsecure.words import _

from . import card, chips, entries, pictures
from . import tags as text_tags
from .bidi import base_direction
from .entries import Entry
from .glyphs import Glyphs, Ink, first_drawn, split_runs
from .tags import AVATAR, CONTENT, LEFT, RIGHT
from .theme import Theme

QUOTED_SIGNS = 90
_LONG_WORD = 20
MAX_SIGNS, MAX_ROWS, MAX_DRAWN = 3000, 40, 200
"""A longer message is shown in part, until the rest is asked for."""


@dataclass(slots=True)
class Mark:
    """A picture in the text: what it stands for when copied, and what a click on it does."""

    photo: tk.PhotoImage
    text: str = ""
    action: tuple[str, Any] | None = None
    card: card.Card | None = None


class Painter:
    """Draws entries; holds what is the same for all of them."""

    def __init__(self, text: tk.Text, theme: Theme) -> None:
        self.text, self.theme = text, theme
        self.glyphs = Glyphs(theme)
        self.me = ""
        self.new_at: int | None = None
        """The place of the first message not seen before."""
        self.last_mine: int | None = None
        """The place of our newest message: the one whose reach is told in words."""
        self.done: dict[str, int] = {}
        """Bytes so far, by a file's id."""
        self.look_up: Callable[[str], HistoryLine | None] = lambda _id: None
        self.actions: dict[str, tuple[str, Any]] = {}
        self._count = 0
        self._buffer: list[Any] = []
        self._entry = Entry([])
        self._slice: tk.PhotoImage | None = None

    def style(self) -> None:
        """Give the text's tags the theme's colours and fonts."""
        text_tags.style(self.text, self.theme)

    @property
    def width(self) -> int:
        """The room for a message's text, in pixels."""
        width = self.text.winfo_width()
        width = width if width > 1 else self.theme.px(640)
        return max(width - self.theme.px(CONTENT + RIGHT), self.theme.px(80))

    def insert(self, entry: Entry, before: HistoryLine | None, at: str) -> None:
        """Draw an entry at an index; the text must be writable."""
        text = self.text
        text.mark_set("pen", at)
        text.mark_gravity("pen", "right")
        text.mark_set("begin", at)
        text.mark_gravity("begin", "left")
        self._count += 1
        entry.tag, entry.images, entry.tags = f"m{self._count}", {}, [f"b{self._count}"]
        entry.fluid = False
        self._entry, self._slice = entry, None
        first = entry.lines[0]
        if first.n >= 0 and entries.begins_day(before, first):
            day = entries.local(first.at).date()
            self._ruled(entries.day_words(day, datetime.now().astimezone().date()), ("mark",))
        if self._is_new(entry, before):
            self._ruled(_("New messages"), ("mark", "new"))
        self._flush()
        text.mark_set("inner", "pen")
        text.mark_gravity("inner", "left")
        if first.n < 0:
            self._intro(first)
        elif first.notice is not None:
            self._notices(entry)
        else:
            self._message(entry, before)
        self._flush()
        text.tag_add(entry.tag, "begin", "pen")
        text.tag_add(entry.tags[0], "inner", "pen")

    def remove(self, entry: Entry) -> None:
        """Take an entry away, and with it its tags and pictures; the text must be writable."""
        found = self.text.tag_ranges(entry.tag)
        if found:
            self.text.delete(found[0], found[-1])
        self.forget([entry])

    def forget(self, gone: list[Entry]) -> None:
        """Drop the tags and pictures of entries whose text is gone."""
        tags = [tag for entry in gone for tag in (entry.tag, *entry.tags)]
        if tags:
            self.text.tag_delete(*tags)
        for tag in tags:
            self.actions.pop(tag, None)
        for entry in gone:
            entry.images.clear()

    def looks_same(self, old: HistoryLine, line: HistoryLine) -> bool:
        """Whether a changed line need not be drawn anew; receipts come many at a time."""
        still = replace(
            line, n=old.n, seq=old.seq, people=old.people, delivered=old.delivered, read=old.read
        )
        if still != old:
            return False
        before, after = entries.reach(old), entries.reach(line)
        told = self.last_mine in (old.n, line.n)
        return not line.mine or (before == after if told else before[0] == after[0])

    def _is_new(self, entry: Entry, before: HistoryLine | None) -> bool:
        if self.new_at is None:
            return False
        return (before is None or before.n < self.new_at) and entry.line.n >= self.new_at

    # What is put into the text.

    def _say(self, words: str, *tags: str) -> None:
        self._buffer += (words, tags)

    def _flush(self) -> None:
        if self._buffer:
            self.text.insert("pen", *self._buffer)
            self._buffer = []

    def _picture(
        self, photo: tk.PhotoImage, tags: Iterable[str], *, align: Any = "center", words: str = "",
        action: tuple[str, Any] | None = None, drawn: card.Card | None = None, padx: int = 0,
    ) -> None:  # fmt: skip
        self._flush()
        name = self.text.image_create("pen", image=photo, align=align, padx=padx)
        # A picture takes over tags that stand on both sides of it.
        for tag in self.text.tag_names("pen-1c"):
            self.text.tag_remove(tag, "pen-1c")
        for tag in tags:
            self.text.tag_add(tag, "pen-1c")
        self._entry.images[name] = Mark(photo, words, action, drawn)

    def _acting(self, what: str, value: Any) -> str:
        """A tag whose letters do something when clicked."""
        self._count += 1
        tag = f"a{self._count}"
        self.actions[tag] = (what, value)
        self._entry.tags.append(tag)
        return tag

    def _ruled(self, words: str, tags: tuple[str, ...]) -> None:
        """Words in the middle of a thin line."""
        self._entry.fluid = True
        color = self.theme.color("new" if "new" in tags else "line")
        whole = self.width + self.theme.px(CONTENT + RIGHT) - self.theme.px(2 * LEFT)
        wide = (whole - self.glyphs.width(f"  {words}  ", "small-bold", bold=True)) // 2 - 2
        high = max(1, self.theme.px(1))
        rule = self.theme.keep(
            ("rule", wide, high, color),
            lambda: pictures.rounded(max(wide, 1), high, 0, color),
        )
        self._picture(rule, tags)
        ink = "new" if "new" in tags else "dim"
        self.letters(f"  {words}  ", tags, font="small-bold", color=ink)
        self._picture(rule, tags)
        self._say("\n", *tags)

    def letters(
        self, words: str, tags: tuple[str, ...], *, font: str = "body", color: str = "text",
        action: tuple[str, Any] | None = None,
    ) -> None:  # fmt: skip
        """Words of one line in one style; what Tk cannot draw comes as pictures."""
        if not self.glyphs.draws:
            self._say(words, *tags)
            return
        bold = "bold" in font
        for run in split_runs(words):
            if run.kind == "text":
                self._say(run.text, *tags)
            elif run.kind == "emoji":
                photo = self.glyphs.emoji(run.text, round(self.theme.font_px(font) * 1.25))
                self._picture(photo, tags, words=run.text, action=action)
            else:
                for part in self._fitting(run.text, font, bold=bold):
                    ink = Ink(self.theme.color(color), bold, "link" in tags)
                    photo = self.glyphs.line(part, font, ink)
                    self._picture(photo, tags, align="bottom", words=part, action=action)

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

    # The kinds of entries.

    def _intro(self, line: HistoryLine) -> None:
        """The beginning of a conversation."""
        name = harmless_name(line.conversation)
        private = name.startswith("@")
        photo = self.theme.avatar(line.conversation.lstrip("@"), 64, room=not private)
        self._say("\n", "intro")
        self._picture(photo, ("intro",))
        self._say("\n", "intro")
        self.letters(name.lstrip("@"), ("intro", "heading"), font="heading")
        self._say("\n", "intro")
        if line.text:
            self.letters(harmless(line.text, lines=False), ("intro",), color="dim")
            self._say("\n", "intro")
        words = (
            _("This is the beginning of your private chat. Only the two of you can read it.")
            if private
            else _("This is the beginning of {name}. Only its members can read it.").format(
                name=name
            )
        )
        self.letters(words, ("intro",), color="dim")
        self._say("\n", "intro")

    def _notices(self, entry: Entry) -> None:
        lines = entry.lines
        if len(lines) >= entries.FOLD_FROM:
            tag = self._acting("fold", entry)
            more = _("Show less") if entry.open else _("Show all")
            self.letters(
                entries.folded_words(lines, self.me), ("notice",), font="small", color="dim"
            )
            self._say("  ", "notice")
            self.letters(more, ("notice", "link", tag), font="small", color="link",
                         action=("fold", entry))  # fmt: skip
            self._say("\n", "notice")
            if not entry.open:
                return
        for line in lines:
            warns = entries.warns(line)
            tags = ("notice", "warn") if warns else ("notice",)
            if warns:
                self._picture(self.theme.icon("warn", 14, "danger"), tags, padx=self.theme.px(4))
            words = entries.notice_words(line, self.me)
            self.letters(words, tags, font="small", color="danger" if warns else "dim")
            self._say(f"  {entries.clock(line.at)}\n", "notice", "time")

    def _message(self, entry: Entry, before: HistoryLine | None) -> None:
        line = entry.line
        entry.head = entries.begins_group(before, line) or self._is_new(entry, before)
        if entry.head:
            self._head(line)
        if line.reply_to and line.state != "deleted":
            self._reply(line)
        if line.state == "deleted":
            self._first()
            gone = _("This message was deleted")
            self.letters(gone, ("body", "italic", "dim"), font="italic", color="dim")
            self._end(line, ("body",))
        elif line.file:
            self._card(line)
        else:
            self._text(line)
        if line.reactions:
            self._reactions(line)

    def _head(self, line: HistoryLine) -> None:
        theme = self.theme
        whole = theme.avatar_picture(line.sender, AVATAR)
        top = min(theme.line_px("bold"), whole.height)
        action = ("user", line.sender)
        key = ("half", line.sender, top, whole.size, theme.palette_name)
        upper = theme.keep((*key, "upper"), lambda: whole.crop((0, 0, whole.width, top)))
        if top < whole.height:
            self._slice = theme.keep(
                (*key, "lower"), lambda: whole.crop((0, top, whole.width, whole.height))
            )
        self._picture(upper, ("head",), align="bottom", action=action)
        self._say("\t", "head")
        shown = harmless_name(line.sender)
        color = pictures.name_color(line.sender)
        tags = ("head", color, self._acting(*action))
        self.letters(shown, tags, font="bold", color=color, action=action)
        if line.mine:
            self.letters(" " + _("(you)"), ("head", "time"), font="tiny", color="dim")
        self._say("   " + entries.clock(line.at), "head", "time")
        if line.conversation.startswith("@"):
            word = "   " + _("private")
            self.letters(word, ("head", "private"), font="tiny-bold", color="private")
        self._say("\n", "head")

    def _first(self, words: str = "") -> None:
        """Begin a line; the first of a group holds the lower half of the sender's picture.

        Args:
            words: what follows; a word longer than the line must begin beside the picture too.
        """
        if self._slice is None:
            return
        word = words.split(" ", 1)[0]
        tags = ["first"]
        if len(word) > _LONG_WORD and self.theme.font("body").measure(word) > self.width:
            tags.append("cut")
        action = ("user", self._entry.line.sender)
        self._picture(self._slice, tags, align="top", action=action)
        self._say("\t", *tags)
        self._slice = None

    def _reply(self, line: HistoryLine) -> None:
        of = line.reply_to or ""
        quoted = self.look_up(of)
        tag = self._acting("jump-to", of)
        self._first()
        self._picture(self.theme.icon("reply", 13), ("reply", tag), action=("jump-to", of))
        self._say(" ", "reply", tag)
        if quoted is None:
            words, act = _("an earlier message"), ("jump-to", of)
            self.letters(words, ("reply", tag), font="small", color="dim", action=act)
            self._say("\n", "reply", tag)
            return
        name = harmless_name(quoted.sender)
        words = _("a deleted message") if quoted.state == "deleted" else markup.plain(quoted.text)
        if len(words) > QUOTED_SIGNS:
            words = words[:QUOTED_SIGNS] + "…"
        color = pictures.name_color(quoted.sender)
        act = ("jump-to", of)
        tags = ("reply", f"quoted-{color}", tag)
        self.letters(name, tags, font="small-bold", color=color, action=act)
        self._say("  ", "reply", tag)
        self.letters(words, ("reply", tag), font="small", color="dim", action=act)
        self._say("\n", "reply", tag)

    def _text(self, line: HistoryLine) -> None:
        count = emoji.only_emoji(line.text)
        if count and not line.action and self.glyphs.draws:
            self._first()
            size = self.theme.px(self.theme.font_size * (3.2 if count < 4 else 2.2))
            for found in emoji.pattern().finditer(line.text):
                photo = self.glyphs.emoji(found.group(), size)
                self._picture(photo, ("body",), words=found.group(), padx=self.theme.px(1))
            self._end(line, ("body",))
            return
        words = line.text if self._entry.open else _beginning(line.text)
        blocks = markup.parse(words, line.mentions, self.me)
        for number, block in enumerate(blocks):
            last = number == len(blocks) - 1
            if block.kind == "code":
                self._code(block)
                if last and (line.mine or line.edited):
                    self._end(line, ("body",))
                continue
            self._block(line, block, last=last)
        if not blocks:
            self._first()
            self._end(line, ("body",))
        if len(_beginning(line.text)) < len(line.text):
            told = _("Show less") if self._entry.open else _("Show all of it")
            act = ("fold", self._entry)
            tags = ("body", "link", self._acting(*act))
            self.letters(told, tags, color="link", action=act)
            self._say("\n", "body")

    def _block(self, line: HistoryLine, block: markup.Block, *, last: bool) -> None:
        kind = {"text": "body", "item": f"item{block.depth}"}.get(block.kind, block.kind)
        rows = _rows(block.spans)
        for number, spans in enumerate(rows):
            ending = last and number == len(rows) - 1
            whole = "".join(span.text for span in spans)
            self._first(whole)
            if block.kind == "quote":
                self._picture(self._quote_bar(), (kind,), padx=self.theme.px(3))
                self._say(" ", kind)
            elif block.kind == "item":
                self._say(block.mark + "\t", kind)
            if line.action and number == 0:
                doer = f"* {harmless_name(line.sender)} "
                self.letters(doer, (kind, "italic"), font="italic")
            backwards = block.kind == "text" and base_direction(whole) == "rtl"
            if backwards and self.glyphs.draws:
                self._right_to_left(line, spans, ending=ending)
                continue
            kind = "rtl" if backwards else kind
            for span in spans:
                self._span(span, kind, action=line.action)
            if ending:
                self._end(line, (kind,))
            else:
                self._say("\n", kind)

    def _quote_bar(self) -> tk.PhotoImage:
        high, wide = self.theme.line_px(), self.theme.px(3)
        color = self.theme.color("quote")
        return self.theme.keep(
            ("quote", wide, high, color), lambda: pictures.rounded(wide, high, wide / 2, color)
        )

    def _span(self, span: markup.Span, kind: str, *, action: bool) -> None:
        tags, font, color = [kind], "body", "dim" if kind == "quote" else "text"
        act: tuple[str, Any] | None = None
        styles = span.styles
        bold, italic = "bold" in styles, "italic" in styles or action
        if bold or italic:
            font = "bold-italic" if bold and italic else "bold" if bold else "italic"
            tags.append(font)
        tags += [name for name in ("strike", "code", "link", "mention", "me") if name in styles]
        if "link" in styles:
            act, color = ("link", span.target), "link"
        elif "mention" in styles:
            act = ("user", span.target)
            color, font = ("on_mention" if "me" in styles else "link"), "bold"
        elif "code" in styles:
            font, color = "mono", "on_code"
        if act is not None:
            tags.append(self._acting(*act))
        self.letters(span.text, tuple(tags), font=font, color=color, action=act)

    def _right_to_left(self, line: HistoryLine, spans: list[markup.Span], *, ending: bool) -> None:
        """A paragraph in pictures of whole lines, at the right edge."""
        self._entry.fluid = True
        parts = []
        links = [span.target for span in spans if "link" in span.styles]
        for span in spans:
            styled = span.styles & {"link", "mention"}
            bold = bool(span.styles & {"bold", "mention"})
            ink = Ink(self.theme.color("link" if styled else "text"), bold, "link" in span.styles)
            parts.append((span.text, ink))
        act = ("link", links[0]) if links else None
        drawn = self.glyphs.lines(parts, "body", self.width)
        for number, (photo, words) in enumerate(drawn):
            # Beside the lower half of the sender's picture there is a tab before the line.
            beside = number == 0 and self._at_picture()
            if beside:
                room = self.width - photo.width()
                self._picture(self._blank(room), ("first",), align="top")
            tags = ("body",) if beside else ("body", "rtl")
            self._picture(photo, tags, align="bottom", words=words, action=act)
            if number < len(drawn) - 1:
                self._say("\n", *tags)
            elif ending:
                self._end(line, tags)
            else:
                self._say("\n", *tags)

    def _at_picture(self) -> bool:
        self._flush()
        return self.text.get("pen-1c") == "\t"

    def _blank(self, width: int) -> tk.PhotoImage:
        from PIL import Image

        wide = max(width, 1)
        return self.theme.keep(("blank", wide), lambda: Image.new("RGBA", (wide, 1), (0, 0, 0, 0)))

    def _code(self, block: markup.Block) -> None:
        text = block.spans[0].text if block.spans else ""
        for row in text.split("\n"):
            self._first(row)
            self._say(" ", "codeblock")
            self.letters(row, ("codeblock",), font="mono", color="on_code")
            self._say("\n", "codeblock")

    def _end(self, line: HistoryLine, tags: tuple[str, ...]) -> None:
        """What stands behind a message, and the end of its line."""
        if line.edited and line.state != "deleted":
            self.letters("  " + _("(edited)"), (*tags, "small"), font="tiny", color="dim")
        if line.mine and line.state != "deleted" and line.file_state != "failed":
            tick, words = entries.reach(line)
            failed = tick == "failed"
            color = "danger" if failed else "link" if tick == "read" else "dim"
            photo = self.theme.ticks(tick, 14, color)
            self._say("  ", *tags)
            self._picture(photo, tags, words="", action=("info", line))
            if failed or tick == "queued" or line.n == self.last_mine:
                told = self._acting("info", line)
                style, font = ("failed", "small-bold") if failed else ("small", "tiny")
                ink = "danger" if failed else "dim"
                self.letters(" " + words, (*tags, style, told), font=font, color=ink)
        self._say("\n", *tags)

    def _card(self, line: HistoryLine) -> None:
        drawn = card.draw(self.theme, self.glyphs, line, self.done.get(line.id))
        photo = self.theme.photo(drawn.picture)
        self._first()
        words = _("[file {name}]").format(name=harmless_name(line.text))
        self._picture(photo, ("card",), align="top", words=words, drawn=drawn)
        self._end(line, ("card",))

    def redraw_card(self, entry: Entry) -> None:
        """Show a file's progress, in the picture that is there already."""
        for mark in entry.images.values():
            if mark.card is not None:
                line = entry.line
                drawn = card.draw(self.theme, self.glyphs, line, self.done.get(line.id))
                mark.card = drawn
                fresh = self.theme.photo(drawn.picture)
                if (fresh.width(), fresh.height()) != (mark.photo.width(), mark.photo.height()):
                    mark.photo.configure(width=fresh.width(), height=fresh.height())
                mark.photo.blank()
                self.text.tk.call(str(mark.photo), "copy", str(fresh))

    def _reactions(self, line: HistoryLine) -> None:
        for sign, names in (line.reactions or {}).items():
            mine = self.me in names
            picture_key = ("chip", sign, len(names), mine, self.theme.palette_name,
                           self.theme.font_size, self.theme.scale)  # fmt: skip
            photo = self.theme.keep(
                picture_key,
                lambda sign=sign, names=names, mine=mine: chips.draw(  # type: ignore[misc]
                    self.theme, self.glyphs, sign, len(names), mine=mine
                ),
            )
            people = ", ".join(harmless_name(name) for name in names)
            shown = harmless(sign, lines=False)
            self._picture(
                photo, ("chips",), words=f"[{shown} {people}] ", padx=self.theme.px(2),
                action=("reaction", (line, sign)),
            )  # fmt: skip
        self._say("\n", "chips")


def _beginning(text: str) -> str:
    """As much of a text as is shown before it is asked for."""
    cut = first_drawn(text[:MAX_SIGNS], MAX_DRAWN)
    rows = cut.split("\n", MAX_ROWS)
    return "\n".join(rows[:MAX_ROWS]) if len(rows) > MAX_ROWS else cut


def _rows(spans: tuple[markup.Span, ...]) -> list[list[markup.Span]]:
    """The lines of a block."""
    rows: list[list[markup.Span]] = [[]]
    for span in spans:
        for number, part in enumerate(span.text.split("\n")):
            if number:
                rows.append([])
            if part:
                rows[-1].append(markup.Span(part, span.styles, span.target))
    return rows
