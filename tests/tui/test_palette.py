"""Every colour can be read on every ground it stands on."""

import pytest

from chatsecure.tui.palette import GROUNDS, PALETTES, TEXTS, Palette, chosen, contrast, variables

EVERY = pytest.mark.parametrize("palette", PALETTES.values(), ids=PALETTES)


@EVERY
def test_all_texts_stand_out_from_all_grounds(palette: Palette) -> None:
    least = 7.0 if palette.name == "contrast" else 4.5
    colours = {name: getattr(palette, name) for name in TEXTS}
    colours |= {f"name {number}": colour for number, colour in enumerate(palette.names)}
    faint = {
        (name, ground): round(found, 2)
        for name, colour in colours.items()
        for ground in GROUNDS
        if (found := contrast(colour, getattr(palette, ground))) < least
    }
    assert faint == {}


@EVERY
def test_banners_can_be_read(palette: Palette) -> None:
    for ground in (palette.warning_ground, palette.danger_ground):
        assert contrast(palette.text, ground) >= 4.5


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_the_theme_of_the_terminal_is_taken_where_it_says(monkeypatch) -> None:
    monkeypatch.setenv("COLORFGBG", "0;15")
    assert chosen("auto").name == "light"
    monkeypatch.setenv("COLORFGBG", "15;0")
    assert chosen("auto").name == "dark"
    assert chosen("contrast").name == "contrast"


def test_the_style_sheet_knows_every_colour() -> None:
    from chatsecure.tui.style import CSS

    known = variables(PALETTES["dark"])
    used = {word.strip(";").split()[0] for word in CSS.split("$")[1:]}
    assert {name.strip(";}") for name in used} <= known.keys()
