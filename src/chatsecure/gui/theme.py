"""The window's look: colours, fonts and pictures by name, and the ttk style made of them.

Everything drawn asks here, so that a change of palette or of letter size shows at once in what is
open. Knows nothing of chats.
"""

import tkinter as tk
from collections.abc import Callable
from tkinter import font as tkfont
from typing import Any

DEFAULT_FONT_SIZE = 14
"""The letters of messages, in pixels at scale 1."""


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
        self.palette_name = palette_name
        self.scale = scale
        self.font_size = font_size
        self._fonts: dict[str, tkfont.Font] = {}
        self._changed: list[Callable[[], None]] = []

    def px(self, n: float) -> int:
        """A length in pixels of scale 1, on this screen."""
        return round(n * self.scale)

    def color(self, name: str) -> str:
        """A colour of the palette, as `#rrggbb`."""
        return {"text": "#1b1b1b"}.get(name, "#ffffff")

    def font(self, name: str) -> tkfont.Font:
        """A named font: `body`, `bold`, `italic`, `small`, `title`, `heading`, `mono`."""
        if name not in self._fonts:
            self._fonts[name] = tkfont.Font(self.root, size=-self.px(self.font_size))
        return self._fonts[name]

    def image(self, name: str, **options: Any) -> tk.PhotoImage:
        """A picture by name, kept for as long as the theme lives."""
        raise KeyError(name, options)

    def apply(self, palette_name: str | None = None, font_size: int | None = None) -> None:
        """Take another palette or letter size; all that is open shows it."""
        self.palette_name = palette_name or self.palette_name
        self.font_size = font_size or self.font_size
        for changed in self._changed:
            changed()

    def on_change(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Call `changed` after each `apply`; the answer takes it back."""
        self._changed.append(changed)
        return lambda: self._changed.remove(changed)
