"""The window's look: colours, fonts and pictures by name, and the ttk style made of them.

Everything drawn asks here, so that a change of palette or of letter size shows at once in what is
open. Lengths are in pixels at scale 1 and become this screen's by `px`. Knows nothing of chats.
"""

import tkinter as tk
from collections import OrderedDict
from collections.abc import Callable
from tkinter import font as tkfont
from tkinter import ttk
from typing import Any

from . import pictures, style
from .palette import PALETTES

DEFAULT_FONT_SIZE = 14
"""The letters of messages, in pixels at scale 1."""
MIN_FONT_SIZE, MAX_FONT_SIZE = 9, 32
MAX_IMAGES, MAX_PIXELS = 1500, 6_000_000
"""Pictures kept for the next who asks; who shows one holds it himself."""
FAMILIES = (
    "Inter", "Segoe UI", "SF Pro Text", ".AppleSystemUIFont", "Helvetica Neue", "Noto Sans",
    "Cantarell", "Ubuntu", "Roboto", "DejaVu Sans",
)  # fmt: skip
MONO_FAMILIES = (
    "JetBrains Mono", "Cascadia Mono", "SF Mono", "Menlo", "Consolas", "Noto Sans Mono",
    "DejaVu Sans Mono",
)  # fmt: skip
_FONTS: dict[str, tuple[float, str, bool, str]] = {
    "body": (1.0, "normal", False, "roman"),
    "bold": (1.0, "bold", False, "roman"),
    "italic": (1.0, "normal", False, "italic"),
    "bold-italic": (1.0, "bold", False, "italic"),
    "small": (0.857, "normal", False, "roman"),
    "small-bold": (0.857, "bold", False, "roman"),
    "tiny": (0.786, "normal", False, "roman"),
    "tiny-bold": (0.786, "bold", False, "roman"),
    "title": (1.143, "bold", False, "roman"),
    "heading": (1.57, "bold", False, "roman"),
    "mono": (0.93, "normal", True, "roman"),
    "mono-bold": (0.93, "bold", True, "roman"),
}
"""By name: size to that of the body, weight, of one width, slant."""


_PRESENCE = {"online": ("good", False), "offline": ("dim", True), "away": ("away", False)}


def system_scale(root: tk.Misc) -> float:
    """How much larger than 96 dots an inch this screen is, in quarters, 1 to 4."""
    return min(max(round(root.winfo_fpixels("1i") / 96 * 4) / 4, 1.0), 4.0)


class Theme:
    """Colours, fonts and pictures by name, for one root window."""

    def __init__(
        self,
        root: tk.Misc,
        palette_name: str = "light",
        scale: float = 1.0,
        font_size: int = DEFAULT_FONT_SIZE,
    ) -> None:
        self.root = root
        self.palette_name = palette_name if palette_name in PALETTES else "light"
        self.scale = scale
        self.font_size = _bounded(font_size)
        families = set(tkfont.families(root))
        default = str(tkfont.nametofont("TkDefaultFont", root).actual("family"))
        self.family = next((name for name in FAMILIES if name in families), default)
        fixed = str(tkfont.nametofont("TkFixedFont", root).actual("family"))
        self.mono_family = next((name for name in MONO_FAMILIES if name in families), fixed)
        self.windowing = str(root.tk.call("tk", "windowingsystem"))
        self._fonts: dict[str, tkfont.Font] = {}
        self._images: OrderedDict[tuple[Any, ...], tk.PhotoImage] = OrderedDict()
        self._pixels = 0
        self._changed: list[Callable[[], None]] = []
        for name, (_size, weight, mono, slant) in _FONTS.items():
            self._fonts[name] = tkfont.Font(
                root,
                family=self.mono_family if mono else self.family,
                weight="bold" if weight == "bold" else "normal",
                slant="italic" if slant == "italic" else "roman",
            )
        self._size_fonts()
        style.build(self)

    def px(self, n: float) -> int:
        """A length in pixels of scale 1, on this screen."""
        return round(n * self.scale)

    def color(self, name: str) -> str:
        """A colour of the palette, as `#rrggbb`.

        Raises:
            KeyError: the palette has none of this name.
        """
        return PALETTES[self.palette_name][name]

    def font(self, name: str) -> tkfont.Font:
        """A named font; it grows with the theme's letter size.

        `body`, `bold`, `italic`, `bold-italic`, `small`, `small-bold`, `tiny`, `tiny-bold`,
        `title`, `heading`, `mono`, `mono-bold`.
        """
        return self._fonts[name]

    def font_px(self, name: str) -> int:
        """A font's size in this screen's pixels."""
        return self.px(self.font_size * _FONTS[name][0])

    def line_px(self, name: str = "body") -> int:
        """The height of a line of a font in this screen's pixels."""
        return int(self._fonts[name].metrics("linespace"))

    def keep(self, key: tuple[Any, ...], make: Callable[[], pictures.Picture]) -> tk.PhotoImage:
        """The picture of this key, made at the first time and forgotten when long unused."""
        found = self._images.get(key)
        if found is None:
            found = self.photo(make())
            self._images[key] = found
            self._pixels += found.width() * found.height()
            while len(self._images) > MAX_IMAGES or self._pixels > MAX_PIXELS:
                gone = self._images.popitem(last=False)[1]
                self._pixels -= gone.width() * gone.height()
        else:
            self._images.move_to_end(key)
        return found

    def photo(self, picture: pictures.Picture) -> tk.PhotoImage:
        """A picture as Tk shows it; it vanishes with the last who holds it."""
        return tk.PhotoImage(master=self.root, data=pictures.png(picture), format="png")

    def icon(self, name: str, size: float = 20, color: str = "dim") -> tk.PhotoImage:
        """A line drawing (`pictures.ICONS`) in a colour of the palette or `#rrggbb`."""
        pixels, ink = self.px(size), self._ink(color)
        return self.keep(("icon", name, pixels, ink), lambda: pictures.icon(name, pixels, ink))

    def avatar(
        self,
        name: str,
        size: float = 36,
        *,
        room: bool = False,
        dot: str | None = None,
        ground: str = "window",
    ) -> tk.PhotoImage:
        """The initials of a person, or the sign of a room, in the colour of the name.

        Args:
            dot: at the corner `online`, `offline` or `away`.
            ground: the colour behind it.
        """
        return self.keep(
            ("avatar", name, size, room, dot, ground, self.palette_name, self.scale),
            lambda: self._avatar_with(name, size, dot, ground, room=room),
        )

    def _avatar_with(
        self, name: str, size: float, dot: str | None, ground: str, *, room: bool
    ) -> pictures.Picture:
        image = self.avatar_picture(name, size, room=room)
        if dot:
            color, hollow = _PRESENCE.get(dot, (dot, False))
            small = max(round(image.width * 0.34), 6)
            mark = pictures.dot(small, self._ink(color), self._ink(ground), hollow=hollow)
            image = image.copy()
            image.alpha_composite(mark, (image.width - small, image.height - small))
        return image

    def avatar_picture(
        self, name: str, size: float = 36, *, room: bool = False
    ) -> pictures.Picture:
        """As `avatar`, before it is Tk's."""
        fill = self.color(pictures.name_color(name))
        ink = self.color("window")
        return pictures.avatar(name, self.px(size), fill, ink, self.family, square=room)

    def dot(
        self, kind: str, size: float = 10, *, ring: str | None = None, hollow: bool = False
    ) -> tk.PhotoImage:
        """A disc: `online`, `offline` (hollow, so that not colour alone tells), `away` or a
        colour."""
        color, hollow = _PRESENCE.get(kind, (kind, hollow))
        pixels, ink, edge = self.px(size), self._ink(color), self._ink(ring) if ring else None
        return self.keep(
            ("dot", pixels, ink, edge, hollow),
            lambda: pictures.dot(pixels, ink, edge, hollow=hollow),
        )

    def badge(
        self, text: str, fill: str = "accent", ink: str = "on_accent", height: float = 18
    ) -> tk.PhotoImage:
        """A pill with a number or a short word."""
        key = ("badge", text, self._ink(fill), self._ink(ink), self.px(height))
        return self.keep(
            key,
            lambda: pictures.badge(
                text, self.px(height), self._ink(fill), self._ink(ink), self.family
            ),
        )

    def ticks(self, state: str, size: float = 14, color: str = "dim") -> tk.PhotoImage:
        """How far a message is: `queued`, `stored`, `delivered`, `read`, `failed`."""
        pixels, ink = self.px(size), self._ink(color)
        return self.keep(("ticks", state, pixels, ink), lambda: pictures.ticks(state, pixels, ink))

    def image(self, kind: str, **options: Any) -> tk.PhotoImage:
        """A picture by kind: `icon`, `avatar`, `dot`, `badge`, `ticks`; options as of the method of
        that name.

        Raises:
            KeyError: there is none of this kind.
        """
        makers: dict[str, Callable[..., tk.PhotoImage]] = {
            "icon": self.icon, "avatar": self.avatar, "dot": self.dot, "badge": self.badge,
            "ticks": self.ticks,
        }  # fmt: skip
        return makers[kind](**options)

    def apply(self, palette_name: str | None = None, font_size: int | None = None) -> None:
        """Take another palette or letter size; all that is open shows it.

        Raises:
            KeyError: there is no palette of this name.
        """
        if palette_name is not None:
            PALETTES[palette_name]
            self.palette_name = palette_name
        if font_size is not None:
            self.font_size = _bounded(font_size)
        self._size_fonts()
        style.build(self)
        for changed in list(self._changed):
            changed()

    def on_change(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Call `changed` after each `apply`; the answer takes it back."""
        self._changed.append(changed)

        def take_back() -> None:
            if changed in self._changed:
                self._changed.remove(changed)

        return take_back

    def ttk(self) -> ttk.Style:
        """The style of this root's ttk widgets, for what a window adds to it."""
        return ttk.Style(self.root)

    def _ink(self, color: str) -> str:
        return color if color.startswith("#") else self.color(color)

    def _size_fonts(self) -> None:
        for name, font in self._fonts.items():
            font.configure(size=-max(self.font_px(name), 6))
        for name in ("TkDefaultFont", "TkTextFont", "TkMenuFont", "TkHeadingFont"):
            default = tkfont.nametofont(name, self.root)
            default.configure(family=self.family, size=-self.font_px("body"))


def _bounded(size: int) -> int:
    return min(max(size, MIN_FONT_SIZE), MAX_FONT_SIZE)
