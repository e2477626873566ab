"""Draws the entries of a history into a `tk.Text`: heads, notices, messages, files, reactions.

A sender's picture stands beside the name and the first line: it is cut in two halves, each in its
own line, so that the text stays one text, with selection, copying and search for nothing. Where
lines begin at the right it stands whole beside the name.
"""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from chatsecure.client import markup
from chatsecure.client.display import harmless, harmless_name, user_name
from chatsecure.client.history import HistoryLine
from chatsecure.words import _

from . import card, chips, entries, pictures
from . import tags as text_tags
from .body import Body
from .entries import Entry
from .pen import Action, Pen, Piece
from .tags import AVATAR
from .theme import Theme

QUOTED_SIGNS = 90
_SPACE, _GAP = Piece(" "), Piece("   ", (), "tiny")


class Painter:
    """Draws entries; holds what is the same for all of them."""

    def __init__(self, text: tk.Text, theme: Theme) -> None:
        self.text, self.theme = text, theme
        self.pen = Pen(text, theme)
        self.me = ""
        self.new_at: int | None = None
        """The place of the first message not seen before."""
        self.last_mine: int | None = None
        """The place of our newest message: the one whose reach is told in words."""
        self.done: dict[str, int] = {}
        """Bytes so far, by a file's id."""
        self.look_up: Callable[[str], HistoryLine | None] = lambda _id: None

    @property
    def actions(self) -> dict[str, Action]:
        """What the letters under a tag do."""
        return self.pen.actions

    def style(self) -> None:
        """Give the text's tags the theme's colours and fonts."""
        text_tags.style(self.text, self.theme, mirrored=self.pen.mirrored)

    def insert(self, entry: Entry, before: HistoryLine | None, at: str) -> None:
        """Draw an entry at an index; the text must be writable."""
        pen, first = self.pen, entry.lines[0]
        pen.begin(entry, at)
        if first.n >= 0 and entries.begins_day(before, first):
            day = entries.local(first.at).date()
            pen.ruled(entries.day_words(day, datetime.now().astimezone().date()), ("mark",))
        if self._is_new(entry, before):
            pen.ruled(_("New messages"), ("mark", "new"))
        pen.begin_inner()
        if first.n < 0:
            self._intro(first)
        elif first.notice is not None:
            self._notices(entry)
        else:
            self._message(entry, before)
        pen.end()

    def remove(self, entry: Entry) -> None:
        """Take an entry away, and with it its tags and pictures; the text must be writable."""
        found = self.text.tag_ranges(entry.tag)
        if found:
            self.text.delete(found[0], found[-1])
        self.forget([entry])

    def forget(self, gone: list[Entry]) -> None:
        """Drop the tags and pictures of entries whose text is gone."""
        self.pen.forget([tag for entry in gone for tag in (entry.tag, *entry.tags)])
        for entry in gone:
            entry.images.clear()

    def looks_same(self, old: HistoryLine, line: HistoryLine) -> bool:
        """Whether a changed line need not be drawn anew; receipts come many at a time."""
        still = replace(
            line, n=old.n, seq=old.seq, people=old.people, delivered=old.delivered, read=old.read,
            done=old.done,
        )  # fmt: skip
        if still != old:
            return False
        before, after = entries.reach(old), entries.reach(line)
        told = self.last_mine in (old.n, line.n)
        return not line.mine or (before == after if told else before[0] == after[0])

    def _is_new(self, entry: Entry, before: HistoryLine | None) -> bool:
        if self.new_at is None:
            return False
        return (before is None or before.n < self.new_at) and entry.line.n >= self.new_at

    # The kinds of entries.

    def _intro(self, line: HistoryLine) -> None:
        """The beginning of a conversation."""
        pen, name = self.pen, harmless_name(line.conversation)
        private = name.startswith("@")
        photo = self.theme.avatar(line.conversation.lstrip("@"), 64, room=not private)
        pen.say("\n", "intro")
        pen.picture(photo, ("intro",))
        pen.say("\n", "intro")
        pen.letters(name.lstrip("@"), ("intro", "heading"), font="heading")
        pen.say("\n", "intro")
        if line.text:
            pen.letters(harmless(line.text, lines=False), ("intro",), color="dim")
            pen.say("\n", "intro")
        words = (
            _("This is the beginning of your private chat. Only the two of you can read it.")
            if private
            else _("This is the beginning of {name}. Only its members can read it.").format(
                name=name
            )
        )
        pen.sentence(words, ("intro",), color="dim")
        pen.say("\n", "intro")

    def _notices(self, entry: Entry) -> None:
        pen, lines = self.pen, entry.lines
        if len(lines) >= entries.FOLD_FROM:
            act = ("fold", entry)
            more = Piece(
                _("Show less") if entry.open else _("Show all"), ("link",), "small", "link", act
            )
            self._notice(entries.folded_words(lines, self.me), more, ("notice",), "dim")
            if not entry.open:
                return
        for line in lines:
            warns = entries.warns(line)
            time = Piece(entries.clock(line.at), ("time",), "tiny", "dim")
            words = entries.notice_words(line, self.me)
            if warns:
                sign = self.theme.icon("warn", 14, "danger")
                pen.picture(sign, ("notice", "warn"), padx=self.theme.px(4))
                self._notice(words, time, ("notice", "warn"), "danger")
            else:
                self._notice(words, time, ("notice",), "dim")

    def _notice(self, words: str, after: Piece, tags: tuple[str, ...], color: str) -> None:
        pen = self.pen
        if pen.mirrored:
            room = pen.measure([after]) + self.theme.px(20)
            pen.put([after], ("notice",), backwards=True)
            pen.say("  ", "notice")
            pen.sentence(words, tags, font="small", color=color, room=room)
        else:
            pen.sentence(words, tags, font="small", color=color)
            pen.say("  ", "notice")
            pen.put([after], ("notice",), backwards=False)
        pen.say("\n", "notice")

    def _message(self, entry: Entry, before: HistoryLine | None) -> None:
        line, half = entry.line, None
        entry.head = entries.begins_group(before, line) or self._is_new(entry, before)
        if entry.head:
            half = self._head(line)
        body = Body(self.pen, line, self.me, self._ending(line), half)
        if line.reply_to and line.state != "deleted":
            self._reply(line, body)
        if line.state == "deleted":
            body.deleted()
        elif line.file:
            self._card(line, body)
        else:
            body.text(whole=entry.open)
        if line.reactions:
            self._reactions(line)

    def _head(self, line: HistoryLine) -> tk.PhotoImage | None:
        """The sender's picture and name; gives the part of the picture that is left over."""
        pen, theme = self.pen, self.theme
        action = ("user", line.sender)
        color = pictures.name_color(line.sender)
        pieces = [Piece(user_name(line.sender), (color,), "bold", color, action)]
        if line.mine:
            pieces += [_SPACE, Piece(_("(you)"), ("time",), "tiny", "dim")]
        pieces += [_GAP, Piece(entries.clock(line.at), ("time",), "tiny", "dim")]
        if line.conversation.startswith("@"):
            pieces += [_GAP, Piece(_("private"), ("private",), "tiny-bold", "private")]
        if pen.mirrored:
            whole = theme.avatar(line.sender, AVATAR)
            gap = Piece(photo=pen.blank(theme.px(text_tags.GAP)))
            pen.put([Piece(photo=whole, action=action), gap, *pieces], ("head",), backwards=True)
            pen.say("\n", "head")
            return None
        picture = theme.avatar_picture(line.sender, AVATAR)
        top = min(theme.line_px("bold"), picture.height)
        key = ("half", line.sender, top, picture.size, theme.palette_name)
        upper = theme.keep((*key, "upper"), lambda: picture.crop((0, 0, picture.width, top)))
        pen.picture(upper, ("head",), align="bottom", action=action)
        pen.say("\t", "head")
        pen.put(pieces, ("head",), backwards=False)
        pen.say("\n", "head")
        if top >= picture.height:
            return None
        return theme.keep(
            (*key, "lower"), lambda: picture.crop((0, top, picture.width, picture.height))
        )

    def _reply(self, line: HistoryLine, body: Body) -> None:
        of = line.reply_to or ""
        act = ("jump-to", of)
        quoted = self.look_up(of)
        pieces = [Piece(photo=self.theme.icon("reply", 13), action=act), Piece(" ")]
        if quoted is None:
            pieces.append(Piece(_("an earlier message"), (), "small", "dim", act))
        else:
            deleted = quoted.state == "deleted"
            words = _("a deleted message") if deleted else markup.plain(quoted.text)
            if len(words) > QUOTED_SIGNS:
                words = words[:QUOTED_SIGNS] + "…"
            color = pictures.name_color(quoted.sender)
            name = harmless_name(quoted.sender)
            pieces += [Piece(name, (f"quoted-{color}",), "small-bold", color, act), Piece("  ")]
            # Tk would wrap at a picture even where it is told not to wrap.
            room = self.pen.width - self.pen.measure(pieces) - self.theme.px(4)
            words = self.pen.shortened(words, "small", max(room, 0))
            self.pen.entry.fluid = True
            pieces.append(Piece(words, (), "small", "dim", act))
        body.first()
        self.pen.put(pieces, ("reply",), backwards=self.pen.mirrored)
        self.pen.say("\n", "reply")

    def _ending(self, line: HistoryLine) -> list[Piece]:
        """What stands behind a message."""
        if line.state == "deleted":
            return []
        pieces = []
        if line.edited:
            pieces += [Piece("  "), Piece(_("(edited)"), ("small",), "tiny", "dim")]
        if line.mine and line.file_state != "failed":
            tick, words = entries.reach(line)
            failed = tick == "failed"
            act = ("info", line)
            color = "danger" if failed else "link" if tick == "read" else "dim"
            photo = self.theme.ticks(tick, 14, color)
            pieces += [Piece("  "), Piece(photo=photo, action=act)]
            if failed or tick == "queued" or line.n == self.last_mine:
                style, font = ("failed", "small-bold") if failed else ("small", "tiny")
                ink = "danger" if failed else "dim"
                pieces += [_SPACE, Piece(words, (style,), font, ink, act)]
        return pieces

    def _card(self, line: HistoryLine, body: Body) -> None:
        drawn = card.draw(self.theme, self.pen.glyphs, line, self.done.get(line.id))
        photo = self.theme.photo(drawn.picture)
        body.first()
        words = _("[file {name}]").format(name=harmless_name(line.text))
        self.pen.picture(photo, ("card",), align="top", words=words, drawn=drawn)
        body.end(("card",))

    def redraw_card(self, entry: Entry) -> None:
        """Show a file's progress, in the picture that is there already."""
        for mark in entry.images.values():
            if mark.card is not None:
                line = entry.line
                drawn = card.draw(self.theme, self.pen.glyphs, line, self.done.get(line.id))
                mark.card = drawn
                fresh = self.theme.photo(drawn.picture)
                if (fresh.width(), fresh.height()) != (mark.photo.width(), mark.photo.height()):
                    mark.photo.configure(width=fresh.width(), height=fresh.height())
                mark.photo.blank()
                self.text.tk.call(str(mark.photo), "copy", str(fresh))

    def _reactions(self, line: HistoryLine) -> None:
        theme, glyphs = self.theme, self.pen.glyphs
        for sign, names in (line.reactions or {}).items():
            mine = self.me in names
            picture_key = ("chip", sign, len(names), mine, theme.palette_name, theme.font_size,
                           theme.scale)  # fmt: skip
            photo = theme.keep(
                picture_key,
                lambda sign=sign, names=names, mine=mine: chips.draw(  # type: ignore[misc]
                    theme, glyphs, sign, len(names), mine=mine
                ),
            )
            people = ", ".join(harmless_name(name) for name in names)
            shown = harmless(sign, lines=False)
            self.pen.picture(
                photo, ("chips",), words=f"[{shown} {people}] ", padx=theme.px(2),
                action=("reaction", (line, sign)),
            )  # fmt: skip
        self.pen.say("\n", "chips")
