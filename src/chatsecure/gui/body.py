"""The text of a message: paragraphs, lists, quotations, code, in either direction.

`markup` says what a text holds; this puts it into lines with a `Pen`. A paragraph that runs from
right to left is drawn line by line, at the right edge.
"""

from __future__ import annotations

import tkinter as tk
from collections.abc import Sequence

from chatsecure.client import emoji, markup
from chatsecure.client.display import harmless_name
from chatsecure.client.history import HistoryLine
from chatsecure.words import _

from . import pictures
from .bidi import base_direction
from .glyphs import Ink, first_drawn
from .pen import Action, Pen, Piece

_LONG_WORD = 20
MAX_SIGNS, MAX_ROWS, MAX_DRAWN = 3000, 40, 200
"""A longer message is shown in part, until the rest is asked for."""


class Body:
    """Writes one message's text.

    Args:
        ending: what stands behind the message, on its last line.
        lower_half: of the sender's picture, which begins the first line; or none.
    """

    def __init__(
        self, pen: Pen, line: HistoryLine, me: str, ending: Sequence[Piece],
        lower_half: tk.PhotoImage | None,
    ) -> None:  # fmt: skip
        self._pen, self._line, self._me = pen, line, me
        self._ending, self._half = ending, lower_half

    # The beginning and the end of lines, for whatever a message is.

    def first(self, words: str = "") -> None:
        """Begin a line; the first of a group holds the lower half of the sender's picture.

        Args:
            words: what follows; a word longer than the line must begin beside the picture too.
        """
        if self._half is None:
            return
        pen, word = self._pen, words.split(" ", 1)[0]
        tags = ["first"]
        if len(word) > _LONG_WORD and pen.theme.font("body").measure(word) > pen.width:
            tags.append("cut")
        action = ("user", self._line.sender)
        pen.picture(self._half, tags, align="top", action=action)
        pen.say("\t", *tags)
        self._half = None

    def end(self, tags: tuple[str, ...]) -> None:
        """What stands behind the message, and the end of its line."""
        self._pen.put(self._ending, tags, backwards=False)
        self._pen.say("\n", *tags)

    def deleted(self) -> None:
        """In place of a text that was taken back."""
        self.first()
        gone = _("This message was deleted")
        self._pen.sentence(gone, ("body", "italic", "dim"), font="italic", color="dim")
        self.end(("body",))

    # The text.

    def text(self, *, whole: bool) -> None:
        """Write the text.

        Args:
            whole: also what is too long to be shown unasked.
        """
        line, pen = self._line, self._pen
        count = emoji.only_emoji(line.text)
        if count and not line.action and pen.glyphs.draws:
            self._emoji(large=count < 4)
            return
        words = line.text if whole else beginning(line.text)
        blocks = markup.parse(words, line.mentions, self._me)
        for number, block in enumerate(blocks):
            last = number == len(blocks) - 1
            if block.kind == "code":
                self._code(block)
                if last and self._ending:
                    self.end(("body",))
                continue
            self._block(block, last=last)
        if not blocks:
            self.first()
            self.end(("body",))
        if len(beginning(line.text)) < len(line.text):
            told = _("Show less") if whole else _("Show all of it")
            act = ("fold", pen.entry)
            pen.sentence(told, ("body", "link", pen.acting(*act)), color="link", action=act)
            pen.say("\n", "body")

    def _emoji(self, *, large: bool) -> None:
        pen = self._pen
        self.first()
        size = pen.theme.px(pen.theme.font_size * (3.2 if large else 2.2))
        for found in emoji.pattern().finditer(self._line.text):
            photo = pen.glyphs.emoji(found.group(), size)
            pen.picture(photo, ("body",), words=found.group(), padx=pen.theme.px(1))
        self.end(("body",))

    def _block(self, block: markup.Block, *, last: bool) -> None:
        line, pen = self._line, self._pen
        kind = {"text": "body", "item": f"item{block.depth}"}.get(block.kind, block.kind)
        rows = _rows(block.spans)
        for number, spans in enumerate(rows):
            ending = last and number == len(rows) - 1
            whole = "".join(span.text for span in spans)
            backwards = base_direction(whole) == "rtl"
            doer = f"* {harmless_name(line.sender)} " if line.action and number == 0 else ""
            self.first(whole)
            if backwards and pen.glyphs.draws:
                self._drawn(block, [markup.Span(doer), *spans], ending=ending)
                continue
            if block.kind == "quote":
                pen.picture(self._quote_bar(), (kind,), padx=pen.theme.px(3))
                pen.say(" ", kind)
            elif block.kind == "item":
                pen.say(block.mark + "\t", kind)
            if doer:
                pen.letters(doer, (kind, "italic"), font="italic")
            if backwards and block.kind == "text":
                kind = "rtl"
            for span in spans:
                self._span(span, kind)
            if ending:
                self.end((kind,))
            else:
                pen.say("\n", kind)

    def _quote_bar(self) -> tk.PhotoImage:
        theme = self._pen.theme
        high, wide = theme.line_px(), theme.px(3)
        color = theme.color("quote")
        return theme.keep(
            ("quote", wide, high, color), lambda: pictures.rounded(wide, high, wide / 2, color)
        )

    def _span(self, span: markup.Span, kind: str) -> None:
        tags, font, color = [kind], "body", "dim" if kind == "quote" else "text"
        act: Action | None = None
        styles = span.styles
        bold, italic = "bold" in styles, "italic" in styles or self._line.action
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
            tags.append(self._pen.acting(*act))
        self._pen.letters(span.text, tuple(tags), font=font, color=color, action=act)

    # From right to left.

    def _drawn(self, block: markup.Block, spans: list[markup.Span], *, ending: bool) -> None:
        """A paragraph in pictures of whole lines, at the right edge; before it, at the right, the
        bar of a quotation or the mark of a list."""
        pen = self._pen
        pen.entry.fluid = pen.entry.drawn = True
        before = self._before(block)
        taken = pen.measure(before)
        links = [span.target for span in spans if "link" in span.styles]
        act = ("link", links[0]) if links else None
        parts = pen.inked(list(self._parts(block, spans)))
        drawn = pen.glyphs.lines(parts, "body", pen.width - taken, "rtl")
        for number, (photo, words) in enumerate(drawn):
            shown = [Piece(words, photo=photo, action=act)]
            if before:
                again = number and block.kind == "item"
                shown = [Piece(photo=pen.blank(taken))] if again else list(before)
                shown.append(Piece(words, photo=photo, action=act))
            own_line = False
            if ending and number == len(drawn) - 1:
                own_line = pen.measure([*shown, *self._ending]) > pen.width
                shown += [] if own_line else self._ending
            self._row(shown)
            if own_line:
                self._row(self._ending)

    def _row(self, pieces: Sequence[Piece]) -> None:
        """A line of pieces from right to left."""
        pen = self._pen
        # Beside the lower half of the sender's picture there is a tab before the line.
        beside = self._at_picture()
        if beside:
            room = pen.width - pen.measure(pieces)
            pen.picture(pen.blank(room), ("first",), align="top")
        tags = ("body",) if beside else ("body", "rtl")
        pen.put(pieces, tags, backwards=True)
        pen.say("\n", *tags)

    def _before(self, block: markup.Block) -> list[Piece]:
        pen = self._pen
        gap = Piece(photo=pen.blank(pen.theme.px(8)))
        if block.kind == "quote":
            return [Piece(photo=self._quote_bar()), gap]
        if block.kind == "item":
            inset = Piece(photo=pen.blank(pen.theme.px(18 * block.depth)))
            return [inset, Piece(block.mark), gap]
        return []

    def _parts(self, block: markup.Block, spans: list[markup.Span]) -> list[tuple[str, Ink]]:
        color, parts = self._pen.theme.color, []
        plain = "dim" if block.kind == "quote" else "text"
        for span in spans:
            styled = span.styles & {"link", "mention"}
            bold = bool(span.styles & {"bold", "mention"})
            ink = Ink(color("link" if styled else plain), bold, "link" in span.styles)
            parts.append((span.text, ink))
        return parts

    def _at_picture(self) -> bool:
        self._pen.flush()
        return self._pen.text.get("pen-1c") == "\t"

    # Code.

    def _code(self, block: markup.Block) -> None:
        pen = self._pen
        text = block.spans[0].text if block.spans else ""
        for row in text.split("\n"):
            self.first(row)
            pen.say(" ", "codeblock")
            pen.letters(row, ("codeblock",), font="mono", color="on_code")
            pen.say("\n", "codeblock")


def beginning(text: str) -> str:
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
