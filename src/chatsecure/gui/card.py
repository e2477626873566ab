"""A file's card as one picture: its sign or thumbnail, name, size, bar, and buttons to click.

One picture and no widgets, since widgets inside a long text make it slow. `Card.at` tells which
button lies under a point. Knows nothing of where the file comes from.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

from chatsecure.cli.human import size_text, whole
from chatsecure.client.display import harmless, harmless_name
from chatsecure.client.history import HistoryLine
from chatsecure.words import _, right_to_left, sentence

from . import pictures
from .bidi import base_direction
from .glyphs import Glyphs, Ink
from .theme import Theme

MAX_THUMBNAIL_PIXELS = 1_000_000
WIDTH = 340
THUMBNAIL_HEIGHT = 190
MOST_LINES = 3

_GOING = ("sending", "receiving")


@dataclass(frozen=True, slots=True)
class Card:
    """A drawn card and where its buttons are."""

    picture: Image.Image
    buttons: tuple[tuple[str, tuple[int, int, int, int]], ...]

    def at(self, x: int, y: int) -> str | None:
        """The button under a point of the picture."""
        for name, (left, top, right, bottom) in self.buttons:
            if left <= x < right and top <= y < bottom:
                return name
        return None


def buttons_of(line: HistoryLine) -> list[tuple[str, str, str]]:
    """What can be done with a file now: name, words, style."""
    match line.file_state:
        case "offered":
            return [("accept", _("Accept"), "accent"), ("decline", _("Decline"), "soft")]
        case "receiving" | "sending":
            return [("cancel", _("Cancel"), "soft")]
        case "failed":
            return [("resume", _("Try again"), "soft")]
        case "cancelled" if line.mine:
            return [("resume", _("Send again"), "soft")] if line.path else []
        case "cancelled" if line.reason:
            # Its sender has taken it back.
            return []
        case "cancelled" | "declined":
            return [("resume", _("Fetch it after all"), "soft")]
        case "received" | "sent" if line.path:
            return [("open-folder", _("Open folder"), "soft")]
    return []


def state_words(line: HistoryLine, done: int | None) -> str:
    """The line below a file's name."""
    size = size_text(line.size or 0)
    done = line.done if done is None else done
    if line.file_state in (*_GOING, "failed") and done and line.size:
        part = min(100, 100 * done // max(line.size, 1))
        words = _("{done} of {size} · {part} %").format(done=size_text(done), size=size, part=part)
        return f"{words} · {_('failed')}" if line.file_state == "failed" else words
    words = {
        "sending": _("sending"), "sent": _("sent"), "offered": _("offered"),
        "receiving": _("receiving"), "received": _("received"), "failed": _("failed"),
        "declined": _("declined"), "cancelled": _("cancelled"),
    }.get(line.file_state or "", "")  # fmt: skip
    if line.file_state == "sent":
        words = whole(line) or words
    return f"{size} · {words}" if words else size


def why(line: HistoryLine) -> str:
    """Why a file waits, failed or was taken back; empty where there is nothing to say."""
    if line.held_because == "size":
        return _("larger than what you fetch unasked")
    if line.held_because == "stranger":
        return _("from somebody you have not written to yet")
    return harmless(sentence(line.reason or ""), lines=False)


def thumbnail(data: bytes, width: int, height: int) -> Image.Image | None:
    """A sender's small picture, fitted and with round corners; None where it is none."""
    if not data:
        return None
    try:
        opened = Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP"))
        if opened.width * opened.height > MAX_THUMBNAIL_PIXELS:
            return None
        image: Image.Image = opened.convert("RGBA")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    factor = min(width / image.width, height / image.height, 4.0)
    shape = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    image = image.resize(shape, Image.Resampling.LANCZOS)
    mask = pictures.rounded(*shape, min(8.0, min(shape) / 2), "#ffffff").getchannel("A")
    image.putalpha(mask)
    return image


def draw(theme: Theme, glyphs: Glyphs, line: HistoryLine, done: int | None) -> Card:
    """A file's card as it stands now."""
    px, color = theme.px, theme.color
    pad, width = px(12), px(WIDTH)
    small = thumbnail(line.thumbnail, width - 2 * pad, px(THUMBNAIL_HEIGHT))
    buttons = buttons_of(line)
    going = line.file_state in _GOING
    icon_size = px(40)
    top = pad + (small.height + px(10) if small else 0)
    text_height = theme.line_px("bold") + theme.line_px("small") + px(2)
    row = max(icon_size, text_height)
    told = _wrapped(glyphs, why(line), width - 2 * pad)
    told_y = top + row + px(6)
    height = top + row + pad + (len(told) * theme.line_px("small") + px(6) if told else 0)
    bar_y, button_y = height - pad + px(8), height - pad + px(10)
    if going:
        height = bar_y + px(6) + pad
        button_y = bar_y + px(6) + px(10)
    button_height = theme.line_px("small-bold") + px(10)
    if buttons:
        height = button_y + button_height + pad
    image = pictures.rounded(width, height, px(10), color("card"), color("line"), max(1, px(1)))
    places: list[tuple[str, tuple[int, int, int, int]]] = []
    mirrored = right_to_left()

    def at(x: int, wide: int) -> int:
        """Where a part of the card stands that begins `x` from its beginning."""
        return width - x - wide if mirrored else x

    if small:
        x = at(pad, small.width)
        image.alpha_composite(small, (x, pad))
        places.append(("show-picture", (x, pad, x + small.width, pad + small.height)))
    _sign(theme, image, (at(pad, icon_size), top + (row - icon_size) // 2), icon_size, line)
    beside = width - 2 * pad - icon_size - px(10)
    left = at(pad + icon_size + px(10), beside)
    text_y = top + (row - text_height) // 2
    _text(glyphs, image, harmless_name(line.text), "bold", Ink(color("text"), bold=True),
          (left, text_y), beside, right=mirrored)  # fmt: skip
    failed = line.file_state == "failed"
    ink = Ink(color("danger" if failed else "dim"))
    _text(glyphs, image, state_words(line, done), "small", ink,
          (left, text_y + theme.line_px("bold") + px(2)), beside, right=mirrored)  # fmt: skip
    for number, words in enumerate(told):
        place = (pad, told_y + number * theme.line_px("small"))
        _text(glyphs, image, words, "small", ink, place, width - 2 * pad, right=mirrored)
    if going:
        done = line.done if done is None else done
        part = (done or 0) / max(line.size or 1, 1)
        bar = pictures.bar(width - 2 * pad, px(6), part, color("accent"), color("line"))
        if mirrored:
            bar = bar.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        image.alpha_composite(bar, (pad, bar_y))
    x = pad
    for name, words, style in buttons:
        fill, letters = ("accent", "on_accent") if style == "accent" else ("soft", "on_soft")
        inner = glyphs.width(words, "small-bold", bold=True)
        wide = inner + px(24)
        box = pictures.rounded(wide, button_height, px(6), color(fill))
        image.alpha_composite(box, (at(x, wide), button_y))
        _text(glyphs, image, words, "small-bold", Ink(color(letters), bold=True),
              (at(x, wide) + px(12), button_y + px(5)), inner)  # fmt: skip
        places.append((name, (at(x, wide), button_y, at(x, wide) + wide, button_y + button_height)))
        x += wide + px(8)
    return Card(image, tuple(places))


def _sign(
    theme: Theme, image: Image.Image, at: tuple[int, int], size: int, line: HistoryLine
) -> None:
    """A box with the file's ending, as the sign of its kind."""
    box = pictures.rounded(size, size, theme.px(8), theme.color("soft"))
    name = "folder" if line.folder else "picture" if line.thumbnail else "file"
    sign = pictures.icon(name, round(size * 0.55), theme.color("on_soft"))
    box.alpha_composite(sign, ((size - sign.width) // 2, (size - sign.height) // 2))
    image.alpha_composite(box, at)


def _text(
    glyphs: Glyphs, image: Image.Image, text: str, font: str, ink: Ink,
    at: tuple[int, int], width: int, *, right: bool = False,
) -> None:  # fmt: skip
    """Write a text within a width, at its right end where it runs so or is asked to."""

    def fits(shown: str) -> bool:
        return glyphs.width(shown, font, bold=ink.bold) <= width

    shown = text if fits(text) else _shortened(text, fits)
    drawn = glyphs.line_picture(shown, font, ink)
    right = right or base_direction(text) == "rtl"
    shift = width - drawn.width if right and drawn.width < width else 0
    image.alpha_composite(drawn, (at[0] + shift, at[1]))


def _wrapped(glyphs: Glyphs, text: str, width: int) -> list[str]:
    """A text in as many lines as it takes, three at most."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and glyphs.width(longer, "small") <= width:
            lines[-1] = longer
        elif len(lines) == MOST_LINES:
            lines[-1] += " …"
            break
        else:
            lines.append(word)
    return lines


def _shortened(text: str, fits: Callable[[str], bool]) -> str:
    """The text with its middle left out, so that a file's ending stays in view."""
    tail = text[-8:]
    low, high = 0, len(text) - len(tail)
    while low < high:
        middle = (low + high + 1) // 2
        if fits(f"{text[:middle]}…{tail}"):
            low = middle
        else:
            high = middle - 1
    return f"{text[:low]}…{tail}"
