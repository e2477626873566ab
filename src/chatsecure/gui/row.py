"""One row of a list: what it shows, as data (`Look`), and the widgets that show it."""

import tkinter as tk
import tkinter.font
from dataclasses import dataclass

from .glyphs import Glyphs, Ink, fit_for_tk
from .mirror import mirror
from .theme import Theme
from .wording import logical


@dataclass(frozen=True, slots=True)
class Look:
    """What a row shows. All texts must be harmless already; what Tk cannot show is drawn."""

    title: str
    subtitle: str = ""
    corner: str = ""
    """At the right of the title, small: a time."""
    badge: str = ""
    """At the right of the subtitle: a number of unread messages."""
    image: tk.PhotoImage | None = None
    bold: bool = False
    strip: str = ""
    """The colour's name of a strip at the left edge."""
    loud: bool = False
    """The badge is about us: a mention, a private message."""


class Row(tk.Frame):
    """The widgets of one row in view."""

    def __init__(self, master: tk.Misc, theme: Theme, tag: str, *, two: bool) -> None:
        super().__init__(master, bd=0, highlightthickness=theme.px(1))
        self._theme = theme
        self._shown: tuple[object, ...] = ()
        self._drawn: dict[tk.Label, tk.PhotoImage | None] = {}
        """Pictures of texts: Tk keeps no reference."""
        px = theme.px
        self._strip = tk.Frame(self, width=px(3))
        self._image = tk.Label(self, bd=0, padx=0, pady=0)
        self._title = tk.Label(self, bd=0, padx=0, pady=0, anchor="w")
        self._corner = tk.Label(self, bd=0, padx=0, pady=0, font=theme.font("small"))
        self._subtitle = tk.Label(self, bd=0, padx=0, pady=0, anchor="w", font=theme.font("small"))
        self._badge = tk.Label(self, bd=0, padx=0, pady=0)
        self.grid_columnconfigure(2, weight=1)
        self.grid_rowconfigure(0, weight=1)
        self._strip.grid(row=0, column=0, rowspan=2, sticky="ns")
        self._image.grid(row=0, column=1, rowspan=2, padx=(px(6), px(8)))
        self._title.grid(row=0, column=2, sticky="sw" if two else "w")
        self._corner.grid(row=0, column=3, sticky="se" if two else "e", padx=(px(4), px(8)))
        if two:
            self.grid_rowconfigure(1, weight=1)
            self._subtitle.grid(row=1, column=2, sticky="nw")
            self._badge.grid(row=1, column=3, sticky="ne", padx=(px(4), px(8)))
        else:
            self._badge.grid(row=0, column=4, sticky="e", padx=(0, px(8)))
        for widget in (self, *self.winfo_children()):
            widget.bindtags((tag, *widget.bindtags()))
        mirror(self)

    def show(self, look: Look, ground: str, wide: int, *, cursor: bool) -> None:
        """Show another look."""
        shown = (look, ground, wide, cursor)
        if shown == self._shown:
            return
        self._shown = shown
        theme = self._theme
        color, back = theme.color, theme.color(ground)
        small = theme.font("small")
        picture = look.image.width() if look.image is not None else 0
        left = picture + theme.px(3 + 14 + 4 + 8)
        # The title goes before what stands beside it.
        beside_title = theme.font("bold").measure(look.title) + theme.px(16)
        least = small.measure("00:00")
        told = fit(look.corner, small, max(least, wide - left - beside_title))
        corner = small.measure(told) if told else 0
        pill = self._pill(look)
        badge = pill.width() + theme.px(12) if pill is not None else 0
        beside = max(corner, badge)
        self.configure(
            background=back,
            highlightbackground=color("focus") if cursor else back,
        )
        self._strip.configure(background=color(look.strip) if look.strip else back)
        self._image.configure(image=look.image or "", background=back)
        text, dim = color("text"), color("dim")
        room = max(0, wide - left - beside)
        for label, words, font, ink in (
            (self._title, look.title, "bold" if look.bold else "body", text),
            (self._subtitle, look.subtitle, "small", text if look.bold else dim),
        ):
            drawn = self._write(label, words, font, ink, room)
            label.configure(background=back)
            self._drawn[label] = drawn
        self._corner.configure(text=told, background=back, foreground=dim)
        self._badge.configure(image=pill or "", background=back)
        self._kept = (look.image, pill)

    def _write(
        self, label: tk.Label, words: str, font: str, ink: str, room: int
    ) -> tk.PhotoImage | None:
        """Write a text; what Tk cannot show is drawn, and the picture is to be kept."""
        theme, words = self._theme, logical(words)
        glyphs = Glyphs(theme)
        if not glyphs.draws or words.isascii() or fit_for_tk(words) == words:
            text = fit(fit_for_tk(words), theme.font(font), room)
            label.configure(text=text, font=theme.font(font), foreground=ink, image="")
            return None
        heavy = font == "bold"
        base = "body" if heavy else font
        while (width := glyphs.width(words, base, bold=heavy)) > room and len(words) > 2:
            keep = min(len(words) - 2, max(1, int(len(words) * room / width)))
            words = words[:keep].rstrip() + "…"
        image = glyphs.line(words, base, Ink(ink, heavy))
        label.configure(image=image, text="")
        return image

    def _pill(self, look: Look) -> tk.PhotoImage | None:
        if not look.badge:
            return None
        fill, ink = ("accent", "on_accent") if look.loud else ("chip", "on_chip")
        return self._theme.badge(look.badge, fill, ink)


def fit(text: str, font: "tk.font.Font", wide: int) -> str:
    """As much of a text as has room, with an ellipsis where something is left out."""
    if font.measure(text) <= wide:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if font.measure(text[:middle].rstrip() + "…") <= wide:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "…"
