"""Small pictures drawn with Pillow at four times their size and reduced, so that edges are smooth.

Avatars, dots, badges, ticks, icons and the rounded shapes that the ttk style is made of. Plain
functions from sizes and colours to images; knows neither Tk nor chats.
"""

import math
import struct
import unicodedata
import zlib
from functools import lru_cache

from PIL import Image, ImageDraw

from . import fonts
from .palette import NAMES

OVER = 4
"""How much larger everything is drawn."""

Picture = Image.Image

# Strokes on a grid of 24: (kind, numbers). l: line, c: circle, d: disc, a: arc (centre, radius,
# from, to), r: rounded box (corners, radius).
_ICONS: dict[str, tuple[tuple[str, tuple[float, ...]], ...]] = {
    "send": (("l", (21, 3, 10, 14)), ("l", (21, 3, 14, 21, 10, 14, 3, 10, 21, 3))),
    "attach": (("l", (20, 11, 12, 19)), ("a", (9, 16, 4.2, 45, 225)), ("l", (6, 13, 14, 5)),
               ("a", (16, 7, 2.8, 225, 405)), ("l", (18, 9, 10.5, 16.5))),
    "emoji": (("c", (12, 12, 9)), ("d", (9, 10, 1.3)), ("d", (15, 10, 1.3)),
              ("a", (12, 12.5, 4.5, 20, 160))),
    "reply": (("l", (9, 14, 4, 9, 9, 4)), ("l", (4, 9, 14, 9)), ("a", (14, 15, 6, 270, 360)),
              ("l", (20, 15, 20, 20))),
    "edit": (("l", (4, 20, 8.5, 19, 20, 7.5, 16.5, 4, 5, 15.5, 4, 20)), ("l", (14, 6.5, 17.5, 10))),
    "trash": (("l", (4, 6.5, 20, 6.5)), ("l", (9, 6, 9.5, 3.5, 14.5, 3.5, 15, 6)),
              ("l", (6, 7, 7, 20.5, 17, 20.5, 18, 7)), ("l", (10, 11, 10, 17)),
              ("l", (14, 11, 14, 17))),
    "copy": (("r", (9, 9, 20.5, 20.5, 2)), ("l", (6, 15, 3.5, 15, 3.5, 3.5, 15, 3.5, 15, 6))),
    "more": (("d", (5, 12, 1.8)), ("d", (12, 12, 1.8)), ("d", (19, 12, 1.8))),
    "search": (("c", (11, 11, 7)), ("l", (16.2, 16.2, 21, 21))),
    "settings": (("l", (4, 7, 13, 7)), ("c", (16, 7, 2.6)), ("l", (19, 7, 20.5, 7)),
                 ("l", (3.5, 17, 5, 17)), ("c", (8, 17, 2.6)), ("l", (11, 17, 20, 17))),
    "lock": (("r", (5, 11, 19, 21, 2)), ("l", (8, 11, 8, 8)), ("a", (12, 8, 4, 180, 360)),
             ("l", (16, 8, 16, 11))),
    "hash": (("l", (9.5, 3.5, 7.5, 20.5)), ("l", (16.5, 3.5, 14.5, 20.5)), ("l", (4, 9, 20.5, 9)),
             ("l", (3.5, 15, 20, 15))),
    "people": (("c", (9, 8, 3.6)), ("a", (9, 20, 6, 180, 360)), ("a", (16, 8, 3.4, 270, 450)),
               ("a", (16.5, 20, 5, 270, 360))),
    "person": (("c", (12, 8, 4)), ("a", (12, 21, 7.5, 180, 360))),
    "close": (("l", (6, 6, 18, 18)), ("l", (18, 6, 6, 18))),
    "check": (("l", (5, 12.5, 10, 17.5, 19.5, 7)),),
    "down": (("l", (6, 9, 12, 15, 18, 9)),),
    "up": (("l", (6, 15, 12, 9, 18, 15)),),
    "left": (("l", (15, 6, 9, 12, 15, 18)),),
    "right": (("l", (9, 6, 15, 12, 9, 18)),),
    "arrow_down": (("l", (12, 4.5, 12, 19)), ("l", (5.5, 13, 12, 19.5, 18.5, 13))),
    "file": (("l", (13.5, 3, 5.5, 3, 5.5, 21, 18.5, 21, 18.5, 8, 13.5, 3)),
             ("l", (13.5, 3.5, 13.5, 8, 18, 8))),
    "folder": (("l", (3, 19.5, 3, 5, 9, 5, 11.5, 8, 21, 8, 21, 19.5, 3, 19.5)),),
    "download": (("l", (12, 4, 12, 15)), ("l", (7, 10.5, 12, 15.5, 17, 10.5)),
                 ("l", (4, 20, 20, 20))),
    "info": (("c", (12, 12, 9)), ("l", (12, 11, 12, 16.5)), ("d", (12, 7.8, 1.3))),
    "warn": (("l", (12, 3.5, 22, 20.5, 2, 20.5, 12, 3.5)), ("l", (12, 10, 12, 14.5)),
             ("d", (12, 17.4, 1.2))),
    "plus": (("l", (12, 5, 12, 19)), ("l", (5, 12, 19, 12))),
    "bell": (("l", (4.5, 17, 6.5, 14, 6.5, 10)), ("a", (12, 10, 5.5, 180, 360)),
             ("l", (17.5, 10, 17.5, 14, 19.5, 17, 4.5, 17)), ("a", (12, 18.5, 2.4, 10, 170))),
    "bell_off": (("l", (4.5, 17, 6.5, 14, 6.5, 10)), ("a", (12, 10, 5.5, 200, 360)),
                 ("l", (17.5, 10, 17.5, 14, 19.5, 17, 4.5, 17)), ("l", (3, 3, 21, 21))),
    "shield": (("l", (12, 3, 20, 6, 20, 11.5, 18.5, 15.5, 12, 21, 5.5, 15.5, 4, 11.5, 4, 6, 12, 3)),
               ("l", (8.5, 11.5, 11, 14, 15.5, 9))),
    "at": (("c", (12, 12, 3.6)), ("l", (15.6, 8.4, 15.6, 13.5)), ("a", (18, 13.5, 2.4, 0, 180)),
           ("a", (12, 12, 8.7, 30, 375))),
    "moon": (("a", (12, 12, 8.5, 60, 300)), ("a", (18, 12, 7.8, 110, 250))),
    "leave": (("l", (10, 4, 4.5, 4, 4.5, 20, 10, 20)), ("l", (9.5, 12, 20, 12)),
              ("l", (15.5, 7, 20.5, 12, 15.5, 17))),
    "picture": (("r", (3, 4.5, 21, 19.5, 2)), ("c", (8.5, 9.5, 1.8)),
                ("l", (4, 18, 10.5, 12.5, 14, 15.5, 17, 13, 20.5, 16))),
    "clock": (("c", (12, 12, 9)), ("l", (12, 7, 12, 12, 15.5, 14.5))),
    "menu": (("l", (4, 7, 20, 7)), ("l", (4, 12, 20, 12)), ("l", (4, 17, 20, 17))),
    "phone": (("r", (7, 2.5, 17, 21.5, 2.5)), ("l", (11, 18, 13, 18))),
    "link": (("l", (9, 15, 15, 9)), ("l", (11, 6.5, 13, 4.5)), ("a", (16, 8, 4.6, 230, 405)),
             ("l", (19, 11, 17.5, 12.5)), ("l", (6.5, 11.5, 4.8, 13.2)),
             ("a", (8, 16, 4.6, 50, 225)), ("l", (13, 17.5, 11.3, 19.2))),
    "play": (("l", (7, 4.5, 19, 12, 7, 19.5, 7, 4.5)),),
}  # fmt: skip
ICONS = tuple(_ICONS)


def _sheet(width: int, height: int) -> tuple[Picture, ImageDraw.ImageDraw]:
    image = Image.new("RGBA", (width * OVER, height * OVER), (0, 0, 0, 0))
    return image, ImageDraw.Draw(image)


def _reduced(image: Picture) -> Picture:
    size = (image.width // OVER, image.height // OVER)
    # Premultiplied, or transparent black bleeds into the edges.
    return image.convert("RGBa").resize(size, Image.Resampling.BOX).convert("RGBA")


def rounded(
    width: int,
    height: int,
    radius: float,
    fill: str | None,
    line: str | None = None,
    thick: float = 1,
) -> Picture:
    """A box with round corners, filled, outlined or both."""
    # A large one is a small one pulled apart: its corners are all that costs.
    least = 2 * (math.ceil(radius) + math.ceil(thick) + 2)
    if width > least < height:
        return _pulled(rounded(least, least, radius, fill, line, thick), width, height)
    image, draw = _sheet(width, height)
    box = (0, 0, width * OVER - 1, height * OVER - 1)
    draw.rounded_rectangle(box, radius * OVER, fill=line or fill)
    if line is not None:
        edge = thick * OVER
        inner = (edge, edge, box[2] - edge, box[3] - edge)
        inside = fill or (0, 0, 0, 0)
        draw.rounded_rectangle(inner, max(radius * OVER - edge, 0), fill=inside)
    return _reduced(image)


def _pulled(small: Picture, width: int, height: int) -> Picture:
    half = small.width // 2
    image = Image.new("RGBA", (width, height), small.getpixel((half, half)))
    for at, wide, high, box in (
        ((half, 0), width - 2 * half, half, (half, 0, half + 1, half)),
        ((half, height - half), width - 2 * half, half, (half, half, half + 1, 2 * half)),
        ((0, half), half, height - 2 * half, (0, half, half, half + 1)),
        ((width - half, half), half, height - 2 * half, (half, half, 2 * half, half + 1)),
        ((0, 0), half, half, (0, 0, half, half)),
        ((width - half, 0), half, half, (half, 0, 2 * half, half)),
        ((0, height - half), half, half, (0, half, half, 2 * half)),
        ((width - half, height - half), half, half, (half, half, 2 * half, 2 * half)),
    ):
        piece = small.crop(box)
        image.paste(piece if piece.size == (wide, high) else piece.resize((wide, high)), at)
    return image


def png(picture: Picture) -> bytes:
    """A picture as a PNG file: what Tk reads. Pillow would load all it knows to write one."""
    rows = picture.convert("RGBA").tobytes()
    stride = picture.width * 4
    raw = b"".join(b"\0" + rows[at : at + stride] for at in range(0, len(rows), stride))
    head = struct.pack(">2I5B", picture.width, picture.height, 8, 6, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(raw, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )


def dot(size: int, color: str, ring: str | None = None, *, hollow: bool = False) -> Picture:
    """A disc, with a ring around it in the colour of what is behind; hollow: its edge alone."""
    image, draw = _sheet(size, size)
    full = size * OVER - 1
    if ring is not None:
        draw.ellipse((0, 0, full, full), fill=ring)
    edge = full * 0.16 if ring is not None else 0
    draw.ellipse((edge, edge, full - edge, full - edge), fill=color)
    if hollow:
        edge += full * 0.22
        draw.ellipse((edge, edge, full - edge, full - edge), fill=ring or (0, 0, 0, 0))
    return _reduced(image)


def icon(name: str, size: int, color: str, thick: float = 1.9) -> Picture:
    """A line drawing by name (see `ICONS`).

    Raises:
        KeyError: there is none of this name.
    """
    image, draw = _sheet(size, size)
    unit = size * OVER / 24
    pen = max(thick * unit, OVER * 1.1)
    for kind, numbers in _ICONS[name]:
        for points in _strokes(kind, numbers):
            scaled = [(x * unit, y * unit) for x, y in points]
            if kind == "d":
                (x, y), r = scaled[0], numbers[2] * unit
                draw.ellipse((x - r, y - r, x + r, y + r), fill=color)
                continue
            draw.line(scaled, fill=color, width=round(pen), joint="curve")
            for x, y in (scaled[0], scaled[-1]):
                draw.ellipse((x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2), fill=color)
    return _reduced(image)


def _strokes(kind: str, numbers: tuple[float, ...]) -> list[list[tuple[float, float]]]:
    if kind in "ld":
        return [list(zip(numbers[::2], numbers[1::2], strict=False))]
    if kind == "c":
        x, y, r = numbers
        return [_arc(x, y, r, 0, 360)]
    if kind == "a":
        return [_arc(*numbers)]
    x0, y0, x1, y1, r = numbers
    corners = (
        *_arc(x1 - r, y0 + r, r, 270, 360), *_arc(x1 - r, y1 - r, r, 0, 90),
        *_arc(x0 + r, y1 - r, r, 90, 180), *_arc(x0 + r, y0 + r, r, 180, 270),
    )  # fmt: skip
    return [[*corners, corners[0]]]


def _arc(x: float, y: float, r: float, start: float, end: float) -> list[tuple[float, float]]:
    steps = max(6, round(abs(end - start) / 8))
    angles = (math.radians(start + (end - start) * n / steps) for n in range(steps + 1))
    return [(x + r * math.cos(angle), y + r * math.sin(angle)) for angle in angles]


def name_color(name: str) -> str:
    """The palette's name of the colour of a person or a room; always the same for a name."""
    return NAMES[zlib.crc32(name.lstrip("@#").casefold().encode()) % len(NAMES)]


def initials(name: str) -> str:
    """One or two letters that stand for a name; what is no letter or number is passed over."""
    words = [
        "".join(sign for sign in word if unicodedata.category(sign)[0] in "LN")
        for word in name.replace("-", " ").replace("_", " ").replace(".", " ").split()
    ]
    words = [word for word in words if word]
    if not words:
        return "?"
    letters = words[0][0] + (words[-1][0] if len(words) > 1 else "")
    return (
        letters.upper() if letters.upper().isprintable() and len(letters.upper()) <= 2 else letters
    )


@lru_cache(maxsize=512)
def avatar(
    name: str, size: int, fill: str, ink: str, family: str, *, square: bool = False
) -> Picture:
    """A person's initials on a disc, a room's sign on a rounded square."""
    image, draw = _sheet(size, size)
    full = size * OVER - 1
    if square:
        draw.rounded_rectangle((0, 0, full, full), full * 0.28, fill=fill)
    else:
        draw.ellipse((0, 0, full, full), fill=fill)
    letters = "#" if square else initials(name)
    height = round(size * OVER * (0.46 if len(letters) == 1 else 0.38))
    font = fonts.for_sign(family, letters[0], height, bold=True)
    # Centred by its capitals, so that letters with and without tails stand on one line.
    top, bottom = font.getbbox("H")[1::2]
    y = full / 2 + (bottom - top) / 2
    draw.text((full / 2, y), letters, font=font, fill=ink, anchor="ms")
    return _reduced(image)


def badge(text: str, height: int, fill: str, ink: str, family: str) -> Picture:
    """A small pill with a number or a word."""
    font = fonts.for_sign(family, text[:1] or "0", round(height * 0.66 * OVER), bold=True)
    width = max(height, round(font.getlength(text) / OVER + height * 0.62))
    image, draw = _sheet(width, height)
    full = (width * OVER - 1, height * OVER - 1)
    draw.rounded_rectangle((0, 0, *full), height * OVER / 2, fill=fill)
    top, bottom = font.getbbox("0")[1::2]
    draw.text(
        (full[0] / 2, full[1] / 2 + (bottom - top) / 2), text, font=font, fill=ink, anchor="ms"
    )
    return _reduced(image)


def ticks(state: str, size: int, color: str) -> Picture:
    """How far a message of ours is: `queued`, `stored`, `delivered`, `read`, `failed`."""
    if state == "queued":
        return icon("clock", size, color, 2.4)
    if state == "failed":
        return icon("warn", size, color, 2.2)
    image, draw = _sheet(round(size * 1.4), size)
    unit = size * OVER / 24
    pen = round(2.6 * unit)
    for shift in (0,) if state == "stored" else (0, 7):
        points = [
            (x * unit, y * unit) for x, y in ((3 + shift, 13), (8 + shift, 18), (18 + shift, 7))
        ]
        draw.line(points, fill=color, width=pen, joint="curve")
    if state == "read":
        r = 3 * unit
        draw.ellipse((28 * unit - r, 6 * unit - r, 28 * unit + r, 6 * unit + r), fill=color)
    return _reduced(image)


def bar(width: int, height: int, part: float, fill: str, ground: str) -> Picture:
    """A bar that is filled up to `part`, 0 to 1."""
    image, draw = _sheet(width, height)
    full = (width * OVER - 1, height * OVER - 1)
    draw.rounded_rectangle((0, 0, *full), height * OVER / 2, fill=ground)
    end = max(full[1], full[0] * min(max(part, 0.0), 1.0))
    if part > 0:
        draw.rounded_rectangle((0, 0, end, full[1]), height * OVER / 2, fill=fill)
    return _reduced(image)
