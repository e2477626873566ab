"""The colours of the terminal client, as data: dark, light and high contrast.

Every text colour stands at 4.5:1 or better against every ground it is used on (a test holds it);
a colour is never the only sign of anything. Knows no widget.
"""

import os
from dataclasses import dataclass, fields
from functools import cache
from zlib import crc32

from rich.style import Style

from chatsecure.names import fold_name


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours by what they are for, as `#rrggbb`."""

    name: str
    dark: bool
    ground: str
    """Behind the conversation."""
    side: str
    """Behind the lists at the sides."""
    selected: str
    """Behind what is selected."""
    mention: str
    """Behind a message that mentions us."""
    private: str
    """Behind the head of a private conversation."""
    room: str
    """Behind the head of a room."""
    warning_ground: str
    danger_ground: str
    text: str
    dim: str
    accent: str
    good: str
    warning: str
    danger: str
    whisper: str
    """What is private."""
    code: str
    names: tuple[str, ...]
    """For people's names, chosen by the name."""


DARK = Palette(
    name="dark",
    dark=True,
    ground="#14161b",
    side="#1b1e25",
    selected="#2d3442",
    mention="#33290f",
    private="#3a1f4d",
    room="#1d3347",
    warning_ground="#3d2f00",
    danger_ground="#5a1420",
    text="#e6e8ec",
    dim="#a3abb8",
    accent="#7cc0ff",
    good="#7fd99a",
    warning="#ffcf5c",
    danger="#ff9aa2",
    whisper="#dfa8ff",
    code="#e8c38f",
    names=("#7cc0ff", "#7fd99a", "#ffb870", "#ff9aa2", "#c9b0ff", "#66d9d0", "#e6d069", "#f2a3d3"),
)
LIGHT = Palette(
    name="light",
    dark=False,
    ground="#ffffff",
    side="#f1f3f6",
    selected="#d9e5f5",
    mention="#fff1c9",
    private="#efdcfb",
    room="#dcebf8",
    warning_ground="#ffefc2",
    danger_ground="#ffdde0",
    text="#1a1d23",
    dim="#4d5562",
    accent="#0b4f94",
    good="#14592c",
    warning="#664100",
    danger="#961525",
    whisper="#6a2391",
    code="#6b3d0c",
    names=("#0b4f94", "#14592c", "#7a3e00", "#961525", "#4f35a3", "#0a5652", "#5a4a00", "#8c1d62"),
)
CONTRAST = Palette(
    name="contrast",
    dark=True,
    ground="#000000",
    side="#000000",
    selected="#00305e",
    mention="#3d3000",
    private="#4b0070",
    room="#00315c",
    warning_ground="#403000",
    danger_ground="#660010",
    text="#ffffff",
    dim="#dcdcdc",
    accent="#8fd0ff",
    good="#8cff9e",
    warning="#ffe066",
    danger="#ffb3b3",
    whisper="#f0c4ff",
    code="#ffdca8",
    names=("#8fd0ff", "#8cff9e", "#ffcf99", "#ffb3b3", "#dccbff", "#80fff2", "#fff08a", "#ffbfe6"),
)


def chosen(theme: str) -> Palette:
    """The palette of a theme; `auto` is light where the terminal says that its ground is."""
    if theme == "auto":
        ground = os.environ.get("COLORFGBG", "").rpartition(";")[2]
        return LIGHT if ground in ("7", "15") else DARK
    return PALETTES.get(theme, DARK)


PALETTES = {palette.name: palette for palette in (DARK, LIGHT, CONTRAST)}
GROUNDS = ("ground", "side", "selected", "mention", "private", "room")
TEXTS = ("text", "dim", "accent", "good", "warning", "danger", "whisper", "code")


def contrast(one: str, other: str) -> float:
    """The contrast of two colours after WCAG 2: from 1 (equal) to 21 (black and white)."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def name_colour(palette: Palette, name: str) -> str:
    """The colour of somebody's name: the same in every run and on every device."""
    return palette.names[crc32(fold_name(name).encode()) % len(palette.names)]


@cache
def style(
    colour: str | None = None,
    ground: str | None = None,
    *,
    bold: bool = False,
    italic: bool = False,
    underline: bool = False,
    strike: bool = False,
) -> Style:
    """A style, made once. What is off is left to what lies below."""
    return Style(
        color=colour,
        bgcolor=ground,
        bold=bold or None,
        italic=italic or None,
        underline=underline or None,
        strike=strike or None,
    )


def variables(palette: Palette) -> dict[str, str]:
    """The colours as the style sheet knows them: `$chat-…`."""
    return {
        f"chat-{field.name.replace('_', '-')}": value
        for field in fields(palette)
        if isinstance(value := getattr(palette, field.name), str) and value.startswith("#")
    }
