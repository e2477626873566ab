"""The ttk style on `clam`, made of a theme's colours and of round boxes in nine slices.

The boxes are drawn 128 pixels wide, as small tiles make resizing slow, and told to be 24, or each
button would be as tall as its picture. Each palette gets a ttk theme of its own, since a theme's
elements can never be changed.
"""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk
from typing import TYPE_CHECKING, Any

from . import pictures
from .mirror import anchored

if TYPE_CHECKING:
    from .theme import Theme

BASE_PX = 128
LEAST_PX = 24
LEAST: dict[str, Any] = {"border": 1, "padding": 0, "width": 1, "height": 1, "sticky": "nsew"}

# By style: fill, fill under the pointer, fill when pressed, letters, line (None: none).
_BUTTONS: dict[str, tuple[str, str, str, str, str | None]] = {
    "TButton": ("raised", "hover", "side_hover", "text", "line"),
    "Accent.TButton": ("accent", "accent_hover", "accent_hover", "on_accent", None),
    "Danger.TButton": ("danger", "danger_hover", "danger_hover", "on_danger", None),
    "Soft.TButton": ("soft", "side_selected", "side_selected", "on_soft", None),
    "Flat.TButton": ("window", "hover", "side_hover", "text", None),
    "Side.TButton": ("side", "side_hover", "side_selected", "text", None),
    "Tool.TButton": ("window", "hover", "side_hover", "text", None),
    "Icon.TButton": ("window", "hover", "side_hover", "text", None),
    "SideIcon.TButton": ("side", "side_hover", "side_selected", "text", None),
    "Warn.TButton": ("warn", "warn", "warn", "on_warn", "on_warn"),
}
_GROUNDS = {
    "": "window", "Side.": "side", "Raised.": "raised", "Card.": "card", "Warn.": "warn",
    "Private.": "private", "Soft.": "soft", "Field.": "field", "Danger.": "danger",
}  # fmt: skip
_LETTERS = {
    "Warn.": "on_warn",
    "Private.": "on_private",
    "Soft.": "on_soft",
    "Danger.": "on_danger",
}


def build(theme: Theme) -> None:
    """Make the ttk theme of the theme's palette, unless it is there, and use it."""
    style = ttk.Style(theme.root)
    name = f"chatsecure-{theme.palette_name}-{theme.scale}"
    if name not in style.theme_names():
        style.theme_create(name, parent="clam")
        style.theme_use(name)
        kept: list[tk.PhotoImage] = []
        _elements(theme, style, kept)
        # Elements hold no reference to their pictures; they live as long as the root.
        _kept(theme.root).extend(kept)
    style.theme_use(name)
    _configure(theme, style)
    _options(theme)


def _kept(root: Any) -> list[tk.PhotoImage]:
    window = root._root()  # noqa: SLF001 - Tkinter's own way to the root
    if not hasattr(window, "chatsecure_pictures"):
        window.chatsecure_pictures = []
    found: list[tk.PhotoImage] = window.chatsecure_pictures
    return found


class _Boxes:
    """Makes the nine-slice pictures of one theme."""

    def __init__(self, theme: Theme, kept: list[tk.PhotoImage]) -> None:
        self.theme, self.kept = theme, kept
        self._made: dict[tuple[object, ...], str] = {}

    def box(self, fill: str, line: str | None = None, radius: float = 6, thick: float = 1) -> str:
        color, key = self.theme.color, (fill, line, radius, thick)
        if key in self._made:
            return self._made[key]
        picture = pictures.rounded(
            BASE_PX, BASE_PX, self.theme.px(radius), color(fill),
            color(line) if line else None, max(1, self.theme.px(thick)),
        )  # fmt: skip
        photo = self.theme.photo(picture)
        self.kept.append(photo)
        self._made[key] = str(photo)
        return str(photo)

    def mark(self, picture: pictures.Picture) -> str:
        photo = self.theme.photo(picture)
        self.kept.append(photo)
        return str(photo)


def _elements(theme: Theme, style: ttk.Style, kept: list[tk.PhotoImage]) -> None:
    boxes = _Boxes(theme, kept)
    sides = theme.px(8)
    sized: dict[str, Any] = {
        "border": sides, "padding": 0, "sticky": "nsew", "width": LEAST_PX, "height": LEAST_PX,
    }  # fmt: skip
    for name, (fill, over, pressed, _ink, line) in _BUTTONS.items():
        element = f"{name}.box"
        style.element_create(
            element, "image", boxes.box(fill, line),
            ("disabled", boxes.box(fill, line)),
            ("pressed", boxes.box(pressed, line)),
            ("focus", boxes.box(over, "focus", thick=2)),
            ("active", boxes.box(over, line)),
            **sized,
        )  # fmt: skip
        inner: Any = [("Button.padding", {"children": [("Button.label", {"sticky": "nsew"})]})]
        style.layout(name, [(element, {"sticky": "nsew", "children": inner})])
    style.element_create(
        "Field.box", "image", boxes.box("field", "line"),
        ("focus", boxes.box("field", "focus", thick=2)), **sized,
    )  # fmt: skip
    text_area: Any = [("Entry.textarea", {"sticky": "nsew"})]
    padded: Any = [("Entry.padding", {"sticky": "nsew", "children": text_area})]
    style.layout("TEntry", [("Field.box", {"sticky": "nsew", "children": padded})])
    arrow = boxes.mark(pictures.icon("down", theme.px(18), theme.color("dim")))
    style.element_create("Field.arrow", "image", arrow, sticky="", width=theme.px(26))
    beside: Any = [("Field.arrow", {"side": "right", "sticky": "ns"}), *padded]
    style.layout("TCombobox", [("Field.box", {"sticky": "nsew", "children": beside})])
    style.element_create("Card.box", "image", boxes.box("card", "line", 10), **sized)
    style.layout("Card.TFrame", [("Card.box", {"sticky": "nsew"})])
    style.element_create("Raised.box", "image", boxes.box("raised", "line", 10), **sized)
    style.layout("Raised.TFrame", [("Raised.box", {"sticky": "nsew"})])
    _choices(theme, style, boxes)
    _bars(theme, style, boxes)


def _choices(theme: Theme, style: ttk.Style, boxes: _Boxes) -> None:
    color, size = theme.color, theme.px(18)
    side = "left" if anchored("w") == "w" else "right"

    def square(fill: str, line: str, *, mark: bool = False, radius: float = 4) -> str:
        box = pictures.rounded(
            size, size, theme.px(radius), color(fill), color(line), theme.px(1.5)
        )
        if mark and radius == 4:
            box.alpha_composite(pictures.icon("check", size, color("on_accent"), 3))
        elif mark:
            inner = pictures.dot(size // 2, color("on_accent"))
            box.alpha_composite(inner, ((size - inner.width) // 2, (size - inner.height) // 2))
        return boxes.mark(box)

    for name, radius in (("Checkbutton", 4), ("Radiobutton", 9)):
        style.element_create(
            f"{name}.mark", "image", square("window", "dim", radius=radius),
            ("selected", "focus", square("accent", "focus", mark=True, radius=radius)),
            ("selected", square("accent", "accent", mark=True, radius=radius)),
            ("focus", square("window", "focus", radius=radius)),
            width=size + theme.px(8), sticky=anchored("w"),
        )  # fmt: skip
        parts: Any = [
            (f"{name}.mark", {"side": side, "sticky": ""}),
            (f"{name}.label", {"side": side, "sticky": "nswe"}),
        ]
        style.layout(f"T{name}", [(f"{name}.padding", {"sticky": "nswe", "children": parts})])


def _bars(theme: Theme, style: ttk.Style, boxes: _Boxes) -> None:
    color, wide = theme.color, theme.px(10)

    def thumb(fill: str, size: tuple[int, int]) -> str:
        sheet = pictures.rounded(*size, min(size) / 2, None)
        inset = max(1, theme.px(2))
        inner = pictures.rounded(
            size[0] - 2 * inset, size[1] - 2 * inset, (min(size) - 2 * inset) / 2, color(fill)
        )
        sheet.paste((0, 0, 0, 0), (0, 0, *size))
        sheet.paste(inner, (inset, inset))
        return boxes.mark(sheet)

    for way, size in (("Vertical", (wide, BASE_PX)), ("Horizontal", (BASE_PX, wide))):
        style.element_create(
            f"{way}.Round.thumb", "image", thumb("scroll", size),
            ("active", thumb("dim", size)), ("pressed", thumb("dim", size)),
            border=wide // 2, sticky="nsew",
            **({"height": theme.px(28)} if way == "Vertical" else {"width": theme.px(28)}),
        )  # fmt: skip
        sticky = "ns" if way == "Vertical" else "ew"
        for prefix, ground in (("", "window"), ("Side.", "side"), ("Raised.", "raised")):
            trough = f"{prefix}{way}.Round.trough"
            style.element_create(trough, "image", boxes.box(ground, radius=0), **LEAST)
            inside: Any = [(f"{way}.Round.thumb", {"expand": "1", "sticky": "nsew"})]
            layout: Any = [(trough, {"sticky": sticky, "children": inside})]
            style.layout(f"{prefix}{way}.TScrollbar", layout)
    thin: dict[str, Any] = {
        "border": theme.px(3),
        "padding": 0,
        "sticky": "ew",
        "height": theme.px(6),
        "width": 8,
    }
    for name, fill in (("trough", "line"), ("pbar", "accent")):
        picture = pictures.rounded(BASE_PX, theme.px(6), theme.px(3), color(fill))
        style.element_create(f"Round.Progress.{name}", "image", boxes.mark(picture), **thin)
    filled: Any = [("Round.Progress.pbar", {"side": "left", "sticky": "w"})]
    layout = [("Round.Progress.trough", {"sticky": "ew", "children": filled})]
    style.layout("Horizontal.TProgressbar", layout)


def _configure(theme: Theme, style: ttk.Style) -> None:
    color, px = theme.color, theme.px
    style.configure(
        ".", background=color("window"), foreground=color("text"), font=theme.font("body"),
        bordercolor=color("line"), darkcolor=color("window"), lightcolor=color("window"),
        troughcolor=color("window"), fieldbackground=color("field"), focuscolor=color("focus"),
        insertcolor=color("text"), selectbackground=color("select"),
        selectforeground=color("on_select"), arrowcolor=color("dim"),
    )  # fmt: skip
    style.map(".", foreground=[("disabled", color("dim"))])
    for prefix, ground in _GROUNDS.items():
        behind, ink = color(ground), color(_LETTERS.get(prefix, "text"))
        dim = ink if prefix in _LETTERS else color("dim")
        style.configure(f"{prefix}TFrame", background=behind)
        style.configure(f"{prefix}TLabel", background=behind, foreground=ink)
        for kind, font in (("Dim", "body"), ("Small", "small"), ("Tiny", "tiny")):
            style.configure(
                f"{prefix}{kind}.TLabel", background=behind, foreground=dim, font=theme.font(font)
            )
        for kind, font in (("Bold", "bold"), ("Title", "title"), ("Heading", "heading")):
            style.configure(
                f"{prefix}{kind}.TLabel", background=behind, foreground=ink, font=theme.font(font)
            )
        for kind in ("TCheckbutton", "TRadiobutton"):
            style.configure(f"{prefix}{kind}", background=behind, foreground=ink, padding=px(4))
            style.map(f"{prefix}{kind}", background=[("active", behind)])
    style.configure("Error.TLabel", foreground=color("danger"))
    style.configure("Good.TLabel", foreground=color("good"))
    style.configure("Link.TLabel", foreground=color("link"))
    style.configure("Mono.TLabel", font=theme.font("mono"))
    for name, (fill, _over, _pressed, ink, _line) in _BUTTONS.items():
        small = "Icon" in name
        bold = name.startswith(("Accent", "Danger", "Soft"))
        style.configure(
            name, background=color("side" if fill == "side" else "window"), foreground=color(ink),
            padding=px(4) if small else (px(8 if name == "Tool.TButton" else 14), px(6)),
            anchor="center", borderwidth=0,
            font=theme.font("bold" if bold else "body"),
        )  # fmt: skip
        style.map(
            name,
            foreground=[("disabled", color("dim") if fill in ("raised", "window") else color(ink))],
        )
    style.configure("Side.TButton", anchor=anchored("w"), padding=(px(10), px(6)))
    style.configure("TEntry", padding=(px(10), px(6)), foreground=color("text"))
    style.configure("TSeparator", background=color("line"))
    style.configure("TPanedwindow", background=color("line"))
    style.configure("Sash", sashthickness=px(1), gripcount=0, background=color("line"))
    for way in ("Vertical", "Horizontal"):
        style.configure(f"{way}.TScrollbar", troughcolor=color("window"), borderwidth=0)
        style.configure(f"Side.{way}.TScrollbar", troughcolor=color("side"), borderwidth=0)
    style.configure(
        "TProgressbar", background=color("accent"), troughcolor=color("line"), borderwidth=0,
        thickness=px(6), darkcolor=color("accent"), lightcolor=color("accent"),
    )  # fmt: skip
    style.configure("TNotebook", background=color("window"), borderwidth=0, tabmargins=0)
    style.configure(
        "TNotebook.Tab", background=color("window"), foreground=color("dim"),
        padding=(px(14), px(8)), borderwidth=0,
    )  # fmt: skip
    style.map(
        "TNotebook.Tab", foreground=[("selected", color("text"))],
        background=[("selected", color("soft")), ("active", color("hover"))],
    )  # fmt: skip
    style.configure("TCombobox", padding=(px(8), px(5)), foreground=color("text"))
    style.map("TCombobox", fieldbackground=[("readonly", color("field"))])
    for name, ground in (("Treeview", "window"), ("Side.Treeview", "side")):
        style.configure(
            name, background=color(ground), fieldbackground=color(ground), borderwidth=0,
            foreground=color("text"), rowheight=max(px(30), theme.line_px() + px(10)),
        )  # fmt: skip
        style.map(
            name, background=[("selected", color("side_selected"))],
            foreground=[("selected", color("text"))],
        )  # fmt: skip
        style.layout(name, [("Treeview.treearea", {"sticky": "nswe"})])
    style.configure("Heading", background=color("window"), foreground=color("dim"))


def _options(theme: Theme) -> None:
    """What widgets outside ttk take when they are made."""
    color = theme.color
    for pattern, value in (
        ("*Menu.background", color("raised")), ("*Menu.foreground", color("text")),
        ("*Menu.activeBackground", color("side_selected")),
        ("*Menu.activeForeground", color("text")), ("*Menu.relief", "flat"),
        ("*Menu.borderWidth", "1"), ("*Menu.activeBorderWidth", str(theme.px(4))),
        ("*Menu.tearOff", "0"), ("*TCombobox*Listbox.background", color("raised")),
        ("*TCombobox*Listbox.foreground", color("text")),
        ("*TCombobox*Listbox.selectBackground", color("side_selected")),
        ("*TCombobox*Listbox.selectForeground", color("text")),
        ("*TCombobox*Listbox.font", str(theme.font("body"))),
        ("*Toplevel.background", color("window")), ("*Canvas.background", color("window")),
        ("*Text.background", color("window")), ("*Text.foreground", color("text")),
        ("*Text.insertBackground", color("text")), ("*Text.selectBackground", color("select")),
        ("*Text.selectForeground", color("on_select")), ("*Text.highlightThickness", "0"),
    ):  # fmt: skip
        theme.root.option_add(pattern, value)
    window = theme.root.winfo_toplevel()
    if isinstance(window, tk.Tk | tk.Toplevel):
        window.configure(background=color("window"))
