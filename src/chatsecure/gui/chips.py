"""A reaction as a small pill: the sign and how many chose it; ours stands out by its edge too."""

from PIL import Image

from chatsecure.client import emoji
from chatsecure.client.display import harmless

from . import pictures
from .glyphs import Glyphs, Ink, emoji_picture
from .theme import Theme


def draw(theme: Theme, glyphs: Glyphs, sign: str, count: int, *, mine: bool) -> Image.Image:
    """The pill of one reaction."""
    px, color = theme.px, theme.color
    fill, letters = ("chip_mine", "on_chip_mine") if mine else ("chip", "on_chip")
    height = theme.line_px("small") + px(8)
    ink = Ink(color(letters), bold=mine)
    shown = harmless(sign, lines=False)[:16]
    if emoji.pattern().fullmatch(shown):
        face = emoji_picture(shown, theme.line_px("small"), theme.family)
    else:
        face = glyphs.line_picture(shown, "small", ink)
    number = glyphs.line_picture(str(count), "small", ink) if count > 1 else None
    width = px(9) * 2 + face.width + (px(5) + number.width if number else 0)
    edge = color("accent") if mine else None
    image = pictures.rounded(width, height, height / 2, color(fill), edge, max(1, px(1)))
    image.alpha_composite(face, (px(9), (height - face.height) // 2))
    if number:
        place = (px(9) + face.width + px(5), (height - number.height) // 2)
        image.alpha_composite(number, place)
    return image
