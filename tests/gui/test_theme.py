"""The window's look."""

import tkinter as tk
from collections.abc import Callable
from pathlib import Path
from tkinter import ttk

import pytest

from chatsecure.client.lines import MemberLine
from chatsecure.gui import pictures, style
from chatsecure.gui.palette import LIGHT, PAIRS, PALETTES, contrast
from chatsecure.gui.people import People
from chatsecure.gui.theme import Theme, system_scale

LEAST_CONTRAST = 4.5


def test_contrast_is_reckoned_as_wcag_does() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("name", PALETTES)
def test_everything_written_can_be_read(name: str) -> None:
    palette = PALETTES[name]
    assert palette.keys() == LIGHT.keys()
    weak = {
        f"{ink} on {ground}": round(contrast(palette[ink], palette[ground]), 2)
        for ink, ground in PAIRS
        if contrast(palette[ink], palette[ground]) < LEAST_CONTRAST
    }
    assert weak == {}


@pytest.mark.parametrize("name", PALETTES)
def test_an_avatars_letters_can_be_read(name: str) -> None:
    palette = PALETTES[name]
    assert all(contrast(palette[f"name{n}"], palette["window"]) >= LEAST_CONTRAST for n in range(8))


@pytest.mark.parametrize("name", pictures.ICONS)
def test_every_icon_draws_inside_its_box(name: str) -> None:
    image = pictures.icon(name, 24, "#000000")
    assert image.size == (24, 24)
    assert image.getbbox() is not None
    alpha = image.getchannel("A")
    # Something is drawn and something is left free.
    assert 10 < sum(value > 128 for value in alpha.tobytes()) < 24 * 24 * 0.6


@pytest.mark.parametrize("name", ["", "...", "a", "alice", "Ann Lee", "משה", "😀", "ß", "ﬁn x"])
def test_any_name_has_an_avatar(name: str) -> None:
    assert pictures.avatar(name, 36, "#336699", "#ffffff", "DejaVu Sans").size == (36, 36)
    assert 1 <= len(pictures.initials(name)) <= 2


def test_a_buttons_least_size_is_not_that_of_its_picture(root: tk.Tk) -> None:
    """A picture of nine slices is large, or resizing is slow; the button must not be (G6)."""
    Theme(root)
    button = ttk.Button(root, text="Send", style="Accent.TButton")
    button.pack()
    root.update()
    assert 24 <= button.winfo_reqheight() <= 44


def test_boxes_are_drawn_large_so_that_resizing_tiles_little(root: tk.Tk) -> None:
    """With tiles of 24 pixels resizing took twenty times as long (G6)."""
    theme = Theme(root)
    kept: list[tk.PhotoImage] = []
    boxes = style._Boxes(theme, kept)
    boxes.box("card", "line", 10)
    assert (kept[0].width(), kept[0].height()) == (style.BASE_PX, style.BASE_PX)
    assert style.BASE_PX >= 128


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_a_change_of_palette_and_letters_shows_in_what_is_open(root: tk.Tk, scale: float) -> None:
    theme = Theme(root, "light", scale, 14)
    told = []
    stop = theme.on_change(lambda: told.append(theme.palette_name))
    label = ttk.Label(root, text="hello")
    label.pack()
    root.update()
    height = label.winfo_reqheight()
    for name in ("dark", "contrast", "light", "dark"):
        theme.apply(name)
        root.update()
        assert ttk.Style(root).lookup("TLabel", "background") == theme.color("window")
    theme.apply(font_size=28)
    root.update()
    assert label.winfo_reqheight() > height * 1.5
    stop()
    theme.apply("light")
    assert told == ["dark", "contrast", "light", "dark", "dark"]


def test_an_unknown_palette_is_refused_and_nothing_changes(root: tk.Tk) -> None:
    theme = Theme(root)
    with pytest.raises(KeyError):
        theme.apply("pink")
    assert theme.palette_name == "light"


def test_a_screens_scale_is_within_reason(root: tk.Tk) -> None:
    assert 1 <= system_scale(root) <= 4


@pytest.mark.parametrize("palette", PALETTES)
def test_all_widgets_take_the_style(
    root: tk.Tk, palette: str, picture: Callable[[str], Path]
) -> None:
    theme = Theme(root, palette)
    for column, kind in enumerate(("Accent.", "", "Soft.", "Danger.", "Flat.", "Warn.")):
        ttk.Button(root, text=kind or "Plain", style=f"{kind}TButton").grid(
            row=0, column=column, padx=6, pady=6
        )
    entry = ttk.Entry(root)
    entry.insert(0, "An entry")
    entry.grid(row=1, column=0, columnspan=3, sticky="ew", padx=6)
    ttk.Combobox(root, values=["one", "two"]).grid(row=1, column=3, columnspan=3, sticky="ew")
    ticked = tk.BooleanVar(root, value=True)
    for column, value in enumerate((True, False)):
        ttk.Checkbutton(root, text="Check", variable=tk.BooleanVar(root, value=value)).grid(
            row=2, column=column
        )
        ttk.Radiobutton(root, text="Radio", variable=ticked, value=value).grid(
            row=2, column=column + 2
        )
    bar = ttk.Progressbar(root, value=40)
    bar.grid(row=3, column=0, columnspan=3, sticky="ew", padx=6, pady=6)
    tree = ttk.Treeview(root, show="tree", height=4)
    for n in range(40):
        tree.insert("", "end", iid=str(n), text=f"row {n}")
    tree.selection_set("1")
    scroll = ttk.Scrollbar(root, command=tree.yview)
    tree.configure(yscrollcommand=scroll.set)
    tree.grid(row=4, column=0, columnspan=5, sticky="nsew")
    scroll.grid(row=4, column=5, sticky="nsw")
    kept = []
    for number, name in enumerate(pictures.ICONS):
        kept.append(theme.icon(name, 22, "text"))
        ttk.Label(root, image=kept[-1]).grid(row=5 + number // 12, column=number % 12)
    for number, name in enumerate(("alice", "Bob Lee", "carol", "משה", "dave", "李")):
        kept.append(theme.avatar(name))
        ttk.Label(root, image=kept[-1]).grid(row=9, column=number)
    for number, state in enumerate(("queued", "stored", "delivered", "read", "failed")):
        kept.append(theme.ticks(state, 16))
        ttk.Label(root, image=kept[-1]).grid(row=10, column=number)
    kept += [theme.badge("3"), theme.badge("99+", "new", "window"), theme.avatar("#x", room=True)]
    kept += [theme.dot("good", ring="window"), theme.dot("dim", hollow=True, ring="window")]
    for number, image in enumerate(kept[-5:]):
        ttk.Label(root, image=image).grid(row=10, column=5 + number)
    root.update()
    picture(f"style-{palette}")


def test_pictures_long_unused_are_forgotten(root: tk.Tk) -> None:
    theme = Theme(root)
    first = str(theme.keep(("big", 0), lambda: pictures.rounded(1000, 1000, 0, "#000000")))
    for number in range(1, 12):
        theme.keep(("big", number), lambda: pictures.rounded(1000, 1000, 0, "#000000"))
    assert first not in theme.root.image_names()
    assert theme.avatar("alice") is theme.avatar("alice")


def test_people_whose_names_look_like_others_are_marked(root: tk.Tk) -> None:
    def member(name: str, *, verified: bool = False) -> MemberLine:
        return MemberLine(name, "member", True, "", False, verified, False)

    panel = People(root, Theme(root), on=lambda _what, _value: None)
    some = [member("bob"), member("b0b", verified=True), member("pаul"), member("zoe")]
    panel.show(some, may_add=False)
    looks = [panel._look(one) for one in some]
    assert [look.title for look in looks] == ["bob", "b0b", "pаul (?)", "zoe"]
    assert [look.subtitle for look in looks] == [
        "here, looks like b0b", "here, compared", "here, mixes alphabets", "here",
    ]  # fmt: skip
    assert [bool(look.strip) for look in looks] == [True, False, True, False]
