"""The window's colours as data: a light, a dark and a high-contrast palette of the same names.

`PAIRS` lists what is written on what; a test holds each pair to a contrast of 4.5 to 1 or more.
"""

from itertools import starmap

LIGHT = {
    "window": "#ffffff", "side": "#f3f4f7", "side_hover": "#e7e9ee", "side_selected": "#dbe5fb",
    "raised": "#ffffff", "field": "#f0f1f4", "line": "#dfe2e8", "focus": "#2c5fde",
    "text": "#16181d", "dim": "#5c6370",
    "accent": "#2c5fde", "accent_hover": "#214dbd", "on_accent": "#ffffff",
    "soft": "#e8effd", "on_soft": "#1f479f",
    "link": "#2155c9", "danger": "#b3261e",
    "danger_hover": "#8f1d17", "on_danger": "#ffffff",
    "warn": "#fdf0cf", "on_warn": "#5c4300", "good": "#127237", "away": "#a04708",
    "private": "#7a3fb8", "on_private": "#ffffff", "private_soft": "#f3eafb",
    "hover": "#f6f7f9", "selected": "#e9effc", "mention": "#fdf3d0", "on_mention": "#6b4e00",
    "code": "#eff1f5", "on_code": "#22262e", "quote": "#aab2c0", "new": "#c62828",
    "chip": "#eff1f5", "on_chip": "#343a46", "chip_mine": "#dde8fd", "on_chip_mine": "#1d439b",
    "find": "#ffe27a", "on_find": "#1c1800", "select": "#bcd3fb", "on_select": "#101318",
    "card": "#f5f6f9", "scroll": "#b9bfca", "shadow": "#c9cdd6",
    "name0": "#b3261e", "name1": "#9a4600", "name2": "#7a5900", "name3": "#2f6b1f",
    "name4": "#00696f", "name5": "#1f5fae", "name6": "#6b46b5", "name7": "#a0307f",
}  # fmt: skip
DARK = {
    "window": "#17191e", "side": "#1f2229", "side_hover": "#292d36", "side_selected": "#2c3b5e",
    "raised": "#252932", "field": "#282c35", "line": "#343944", "focus": "#7aa5ff",
    "text": "#eceef2", "dim": "#a5adba",
    "accent": "#3766d8", "accent_hover": "#2b56c0", "on_accent": "#ffffff",
    "soft": "#243250", "on_soft": "#bcd1ff",
    "link": "#8ab4ff", "danger": "#ff9189",
    "danger_hover": "#ffb4ae", "on_danger": "#2e0603",
    "warn": "#46380f", "on_warn": "#ffe2a0", "good": "#4ade80", "away": "#fbbf24",
    "private": "#c39bf0", "on_private": "#201033", "private_soft": "#2d2440",
    "hover": "#1d2026", "selected": "#232c40", "mention": "#40361a", "on_mention": "#ffe19a",
    "code": "#23272f", "on_code": "#dfe3ea", "quote": "#59616f", "new": "#ff7b72",
    "chip": "#2b303a", "on_chip": "#d5dae3", "chip_mine": "#2b3f6d", "on_chip_mine": "#d3e1ff",
    "find": "#7a6200", "on_find": "#ffffff", "select": "#34538f", "on_select": "#ffffff",
    "card": "#21252d", "scroll": "#4a515e", "shadow": "#0c0d10",
    "name0": "#ff9a90", "name1": "#ffab70", "name2": "#e8c15a", "name3": "#93d67f",
    "name4": "#5fd3d0", "name5": "#8bbcff", "name6": "#c6a8ff", "name7": "#f79bd3",
}  # fmt: skip
CONTRAST = {
    "window": "#000000", "side": "#000000", "side_hover": "#262626", "side_selected": "#003d99",
    "raised": "#0d0d0d", "field": "#000000", "line": "#ffffff", "focus": "#ffe900",
    "text": "#ffffff", "dim": "#e0e0e0",
    "accent": "#ffe900", "accent_hover": "#fff58a", "on_accent": "#000000",
    "soft": "#1f1f1f", "on_soft": "#ffe900",
    "link": "#6fd3ff", "danger": "#ff9d94",
    "danger_hover": "#ffc4be", "on_danger": "#000000",
    "warn": "#ffe900", "on_warn": "#000000", "good": "#5cff8d", "away": "#ffd24a",
    "private": "#ff9cff", "on_private": "#000000", "private_soft": "#2b002b",
    "hover": "#1c1c1c", "selected": "#00265e", "mention": "#3d3600", "on_mention": "#ffe900",
    "code": "#1c1c1c", "on_code": "#ffffff", "quote": "#ffffff", "new": "#ff9d94",
    "chip": "#1f1f1f", "on_chip": "#ffffff", "chip_mine": "#ffe900", "on_chip_mine": "#000000",
    "find": "#ffe900", "on_find": "#000000", "select": "#ffffff", "on_select": "#000000",
    "card": "#141414", "scroll": "#ffffff", "shadow": "#ffffff",
    "name0": "#ffb3ac", "name1": "#ffc48f", "name2": "#ffe27a", "name3": "#aaf09a",
    "name4": "#7ff0ec", "name5": "#a9d0ff", "name6": "#dcc8ff", "name7": "#ffbde6",
}  # fmt: skip
PALETTES = {"light": LIGHT, "dark": DARK, "contrast": CONTRAST}
NAMES = tuple(f"name{n}" for n in range(8))

_ON_HISTORY = ("text", "dim", "link", "danger", "good", "away", "new", "private", *NAMES)
PAIRS = (
    *((name, ground) for name in _ON_HISTORY for ground in ("window", "hover", "selected")),
    *((name, "private_soft") for name in ("text", "dim", "private")),
    *(
        (name, ground)
        for name in ("text", "dim")
        for ground in ("side", "side_hover", "side_selected", "raised", "field", "card", "soft")
    ),
    *((name, "mention") for name in ("text", "dim", "link", "on_mention")),
    *((name, ground) for name in ("danger", "good", "link") for ground in ("card", "raised")),
    ("good", "side"), ("new", "side"), ("private", "side"), ("away", "side"),
    ("on_accent", "accent"), ("on_accent", "accent_hover"), ("on_soft", "soft"),
    ("on_danger", "danger"), ("on_danger", "danger_hover"), ("on_warn", "warn"),
    ("on_private", "private"), ("on_code", "code"), ("link", "code"),
    ("on_chip", "chip"), ("on_chip_mine", "chip_mine"), ("on_find", "find"),
    ("on_select", "select"),
)  # fmt: skip
"""Text and the ground it stands on, by name."""


def rgb(color: str) -> tuple[int, int, int]:
    """Red, green and blue of `#rrggbb`."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, 1 to 21, as WCAG 2 reckons it."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(color: str) -> float:
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (value / 255 for value in rgb(color))
    ]
    return sum(starmap(float.__mul__, zip(linear, (0.2126, 0.7152, 0.0722), strict=True)))
