"""Draws what Tk on X11 cannot: emoji, right-to-left text and scripts that must be shaped.

There, Tk breaks families and flags apart, sets Arabic and Hebrew backwards, and with an old libXft
an emoji ends the process. So no such sign is ever handed to it: `split_runs` finds them, `Glyphs`
draws them with Pillow and Raqm as pictures, `fit_for_tk` takes them out of labels and titles.
"""

from __future__ import annotations

import re
import sys
import tkinter as tk
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from chatsecure.client import emoji

from . import fonts
from .bidi import as_seen, base_direction, visual

if TYPE_CHECKING:
    from .theme import Theme

_RTL = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001edff"
_BETWEEN = r"\s\d.,:;!?'\"()\-–—/%+"
_SHAPED = (
    "\u0900-\u0dff\u0f00-\u109f\u1100-\u11ff\u1700-\u18af\u1900-\u1cff\ua800-\ua95f\ua980-\uabff"
    "\U00011000-\U00011fff"
)
_MARKS = "\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff"
_WORD = re.compile(r"\S{1,24}\s*|\s+")
"""What a line is broken behind; a longer word may be cut, or it would take long."""
_SPACED = re.compile(r"\s+|\S+")
_STRIKE = 109
"""The one size of bitmap in the usual colour font."""
X11 = sys.platform not in ("win32", "darwin")


@dataclass(frozen=True, slots=True)
class Run:
    """A piece of a line that is drawn in one way."""

    kind: str
    """`text` for Tk; `emoji`, `rtl` and `shaped` are drawn."""
    text: str


@lru_cache(maxsize=1)
def _special() -> re.Pattern[str]:
    return re.compile(
        rf"(?P<emoji>{emoji.pattern().pattern})"
        rf"|(?P<rtl>[{_RTL}](?:[{_RTL}{_BETWEEN}]*[{_RTL}])?)"
        rf"|(?P<shaped>[{_SHAPED}][{_SHAPED}{_MARKS}\u200c\u200d]*|\w[{_MARKS}]+"
        rf"|{emoji.never_plain().pattern})"
    )


def split_runs(text: str) -> list[Run]:
    """The runs of one line; together they are the line."""
    if text.isascii():
        return [Run("text", text)] if text else []
    runs, done = [], 0
    for found in _special().finditer(text):
        if found.start() > done:
            runs.append(Run("text", text[done : found.start()]))
        runs.append(Run(found.lastgroup or "shaped", found.group()))
        done = found.end()
    if done < len(text):
        runs.append(Run("text", text[done:]))
    return runs


def first_drawn(text: str, most: int) -> str:
    """As much of a text as holds no more than `most` runs that must be drawn."""
    if not text.isascii():
        for number, found in enumerate(_special().finditer(text)):
            if number == most:
                return text[: found.start()]
    return text


def fit_for_tk(text: str, *, visual: bool = True, x11: bool = X11, base: str = "") -> str:
    """A line for a label, title, tree or menu: no sign that may come in colour, in the order seen.

    Args:
        visual: put right-to-left text in the order it is seen; not for what can be edited.
        base: `rtl` or `ltr`, the direction of the line; by its first letter where none is given.
    """
    if text.isascii() or not x11:
        return text
    text = emoji.never_plain().sub(lambda found: _named(found.group()), text)
    return as_seen(text, base) if visual else text


def _named(sign: str) -> str:
    name = emoji.name_of(sign)
    if name is not None:
        return f":{name}:"
    return "" if sign in "\ufe0f\u20e3" or sign >= "\U000e0000" else "\u25a1"


@dataclass(frozen=True, slots=True)
class Ink:
    """How letters are drawn."""

    color: str
    bold: bool = False
    underline: bool = False
    ground: str = ""
    """The colour behind them, where they are marked."""


@dataclass(slots=True)
class _Piece:
    """A part of a line in one font: what, how wide, how to put it at (x, baseline)."""

    width: float
    draw: Callable[[Image.Image, ImageDraw.ImageDraw, float, int], None]


class Glyphs:
    """Pictures of emoji and of text, for one theme."""

    def __init__(self, theme: Theme) -> None:
        self._theme = theme

    @property
    def draws(self) -> bool:
        """Whether this system needs it."""
        return self._theme.windowing == "x11"

    def emoji(self, cluster: str, size: int) -> tk.PhotoImage:
        """An emoji, `size` pixels high."""
        return self._theme.keep(
            ("emoji", cluster, size), lambda: emoji_picture(cluster, size, self._theme.family)
        )

    def line(self, text: str, font: str, ink: Ink, base: str | None = None) -> tk.PhotoImage:
        """A run of letters in one line as high as a line of the font."""
        key = ("line", text, font, ink, self._theme.font_px(font), base, self._theme.scale)
        return self._theme.keep(key, lambda: self.line_picture(text, font, ink, base))

    def line_picture(self, text: str, font: str, ink: Ink, base: str | None = None) -> Image.Image:
        """As `line`, before it is Tk's."""
        return self._line([(text, ink)], font, base or base_direction(text))

    def cut(self, parts: list[tuple[str, Ink]], font: str, base: str = "") -> tk.PhotoImage:
        """As `line`, in several inks."""
        base = base or base_direction("".join(part for part, _ink in parts))
        key = ("cut", tuple(parts), font, self._theme.font_px(font), base)
        return self._theme.keep(key, lambda: self._line(parts, font, base))

    def lines(
        self, parts: list[tuple[str, Ink]], font: str, width: int, base: str = ""
    ) -> list[tuple[tk.PhotoImage, str]]:
        """A paragraph in lines of at most `width` pixels, each with its text."""
        text = "".join(part for part, _ink in parts)
        inks = [ink for part, ink in parts for _sign in part]
        base = base or base_direction(text)
        drawn, start = [], 0
        for end in self._breaks(text, inks, font, width):
            part = _regrouped(text[start:end].rstrip(), inks[start:end])
            drawn.append((self.cut(part, font, base), text[start:end]))
            start = end
        return drawn

    def width(self, text: str, font: str, *, bold: bool = False) -> int:
        """How wide a run of letters is drawn."""
        pieces = self._pieces(text, [Ink("#000000", bold)] * len(text), font, base_direction(text))
        return round(sum(piece.width for piece in pieces))

    def _breaks(self, text: str, inks: list[Ink], font: str, width: int) -> list[int]:
        ends, start, at, used = [], 0, 0, 0.0
        for word in _WORD.findall(text):
            pieces = self._pieces(word.rstrip(), inks[at : at + len(word)], font, "rtl")
            bare = sum(piece.width for piece in pieces)
            if used and used + bare > width:
                ends.append(at)
                start, used = at, 0.0
            while bare > width and at + len(word) - start > 1:
                # A word longer than a line is cut where it is full.
                fits = max(1, int(len(word) * width / bare))
                ends.append(at + fits)
                at, word, start = at + fits, word[fits:], at + fits
                pieces = self._pieces(word.rstrip(), inks[at : at + len(word)], font, "rtl")
                bare = sum(piece.width for piece in pieces)
            used += bare + self._theme.font_px(font) * 0.28 * (len(word) - len(word.rstrip()))
            at += len(word)
        if start < len(text):
            ends.append(len(text))
        return ends

    def _line(self, parts: list[tuple[str, Ink]], font: str, base: str) -> Image.Image:
        text = "".join(part for part, _ink in parts)
        inks = [ink for part, ink in parts for _sign in part]
        pieces = self._pieces(text, inks, font, base)
        tk_font = self._theme.font(font)
        height, ascent = int(tk_font.metrics("linespace")), int(tk_font.metrics("ascent"))
        width = max(1, round(sum(piece.width for piece in pieces)) + 1)
        image = Image.new("RGBA", (width, height), (0, 0, 0, 0))
        draw = ImageDraw.Draw(image)
        x = 0.0
        for piece in pieces:
            piece.draw(image, draw, x, ascent)
            x += piece.width
        return image

    def _pieces(self, text: str, inks: list[Ink], font: str, base: str) -> list[_Piece]:
        """What a line is drawn of, from left to right."""
        size = self._theme.font_px(font)
        pieces: list[_Piece] = []
        for start, end, backwards in visual(text, base):
            part = []
            for run in split_runs(text[start:end]):
                if run.kind == "emoji":
                    part.append(self._emoji_piece(run.text, size))
                else:
                    part += self._font_pieces(run.text, inks[start:end], size, backwards=backwards)
                start += len(run.text)
            pieces += reversed(part) if backwards else part
        return pieces

    def _emoji_piece(self, cluster: str, size: int) -> _Piece:
        picture = emoji_picture(cluster, round(size * 1.2), self._theme.family)

        def put(image: Image.Image, _draw: ImageDraw.ImageDraw, x: float, baseline: int) -> None:
            top = max(0, baseline - round(picture.height * 0.86))
            image.alpha_composite(picture, (min(round(x) + 1, image.width - 1), top))

        return _Piece(picture.width + 2, put)

    def _font_pieces(
        self, text: str, inks: list[Ink], size: int, *, backwards: bool
    ) -> list[_Piece]:
        pieces: list[_Piece] = []
        start = 0
        family = self._theme.family

        def file_at(at: int) -> tuple[str | None, Ink]:
            ink = inks[min(at, len(inks) - 1)]
            return fonts.file_for(family, _block(text[at]), bold=ink.bold), ink

        while start < len(text):
            face = file_at(start)
            end = start + 1
            while end < len(text) and (_follows(text[end]) or file_at(end) == face):
                end += 1
            pieces += (
                _text_piece(word, *face, size, backwards=backwards)
                for word in _SPACED.findall(text[start:end])
            )
            start = end
        return pieces


def _follows(sign: str) -> bool:
    """Whether a sign goes with the font of the one before it."""
    return sign in " \u200c\u200d" or bool(unicodedata.combining(sign))


def _block(sign: str) -> str:
    """A sign that stands for those of its kind, so that fonts are looked up seldom."""
    if "\u0590" <= sign <= "\u05ff":
        return "\u05d0"
    if "\u0600" <= sign <= "\u06ff" and sign.isalpha():
        return "\u0627"
    return "a" if sign.isascii() else sign


def _text_piece(text: str, file: str | None, ink: Ink, size: int, *, backwards: bool) -> _Piece:
    width, tile, left, top = _word(text, file, ink.color, size, backwards)

    def put(image: Image.Image, draw: ImageDraw.ImageDraw, x: float, baseline: int) -> None:
        if ink.ground and not text.isspace():
            draw.rectangle((round(x), 0, round(x + width), image.height), ink.ground)
        if tile is not None:
            at = (round(x) + left, baseline + top)
            # What stands out at the left or above is cut off, as it is at the right and below.
            source = (max(-at[0], 0), max(-at[1], 0))
            if source[0] < tile.width and source[1] < tile.height:
                image.alpha_composite(tile, (max(at[0], 0), max(at[1], 0)), source)
        if ink.underline:
            draw.line((x, baseline + 2, x + width, baseline + 2), ink.color, max(1, size // 14))

    return _Piece(width, put)


@lru_cache(maxsize=4096)
def _word(
    text: str, file: str | None, color: str, size: int, backwards: bool
) -> tuple[float, Image.Image | None, int, int]:
    """A word drawn, with its width and where its picture stands from its beginning on the line.

    Kept, since drawing is what takes long, and words come again.
    """
    font = fonts.load(file, size)
    # Without Raqm, Pillow knows no direction: the order seen is the best there is.
    direction = ("rtl" if backwards else "ltr") if _raqm() else None
    shown = text if direction or not backwards else as_seen(text)
    width = font.getlength(shown, direction=direction)
    left, top, right, bottom = map(round, font.getbbox(shown, direction=direction, anchor="ls"))
    if text.isspace() or right <= left or bottom <= top:
        return width, None, 0, 0
    mask = Image.new("L", (right - left + 2, bottom - top + 2), 0)
    place = (1 - left, 1 - top)
    ImageDraw.Draw(mask).text(place, shown, 255, font, "ls", direction=direction)
    tile = Image.new("RGBA", mask.size, color)
    tile.putalpha(mask)
    return width, tile, left - 1, top - 1


@lru_cache(maxsize=1)
def _raqm() -> bool:
    from PIL import features

    return bool(features.check("raqm"))


def _regrouped(text: str, inks: list[Ink]) -> list[tuple[str, Ink]]:
    parts: list[tuple[str, Ink]] = []
    for sign, ink in zip(text, inks, strict=False):
        if parts and parts[-1][1] == ink:
            parts[-1] = (parts[-1][0] + sign, ink)
        else:
            parts.append((sign, ink))
    return parts


@lru_cache(maxsize=1024)
def emoji_picture(cluster: str, size: int, family: str) -> Image.Image:
    """An emoji `size` pixels high, from the system's colour font, or else its plain shape."""
    path = fonts.emoji_file()
    if path is None:
        return _plain_sign(cluster, size, family)
    font = fonts.load(path, _STRIKE)
    wide = max(1, min(round(font.getlength(cluster)), _STRIKE * 6))
    image = Image.new("RGBA", (wide + 8, _STRIKE * 2), (0, 0, 0, 0))
    ImageDraw.Draw(image).text((4, 8), cluster, font=font, embedded_color=True)
    box = image.getbbox()
    if box is None:
        return _plain_sign(cluster, size, family)
    left, _top, right, _bottom = box
    # The full height of the strike, so that all emoji of a line are of one size.
    ascent, descent = font.getmetrics()
    image = image.crop((left, 8, right, 8 + ascent + descent))
    inner = image.getbbox()
    image = image.crop(inner) if inner else image
    factor = size / max(image.height, min(image.width, _STRIKE * 1.25))
    shape = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    reduced = image.convert("RGBa").resize(shape, Image.Resampling.LANCZOS).convert("RGBA")
    sheet = Image.new("RGBA", (max(shape[0], size), size), (0, 0, 0, 0))
    sheet.alpha_composite(reduced, ((sheet.width - shape[0]) // 2, (size - shape[1]) // 2))
    return sheet


def _plain_sign(cluster: str, size: int, family: str) -> Image.Image:
    font = fonts.for_sign(family, cluster[0], round(size * 0.8))
    width = max(size, round(font.getlength(cluster[0])))
    image = Image.new("RGBA", (width, size), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    draw.text((width / 2, size * 0.8), cluster[0], "#808080", font, "ms")
    return image
