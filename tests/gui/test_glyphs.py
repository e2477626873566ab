"""What Tk cannot draw is drawn for it, and never handed to it."""

import tkinter as tk
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatsecure.client import emoji
from chatsecure.gui import bidi
from chatsecure.gui.glyphs import Glyphs, Ink, fit_for_tk, split_runs
from chatsecure.gui.theme import Theme

SIGNS = [
    *"ab 1.,()-\n", "é", "א", "ב", "ש", "ع", "ر", "ب", "क", "्", "日", "\u0301", "😀", "👍🏽", "🇩🇪",
    "👨‍👩‍👧", "❤️", "❤", "☺", "\ufe0f", "\u200d", "\u20e3", "🏽", "🇩", "©",
]  # fmt: skip
MIXED = st.lists(st.sampled_from(SIGNS)).map("".join) | st.text()


@given(MIXED)
def test_the_runs_of_a_line_are_the_line(text: str) -> None:
    assert "".join(run.text for run in split_runs(text)) == text


@given(MIXED)
def test_no_sign_that_may_come_in_colour_is_handed_to_tk(text: str) -> None:
    """With an old libXft one such sign ends the process (G2)."""
    plain = "".join(run.text for run in split_runs(text) if run.kind == "text")
    for shown in (plain, fit_for_tk(text, x11=True), fit_for_tk(text, visual=False, x11=True)):
        assert not emoji.pattern().search(shown)
        assert not any(
            sign >= "\U0001f000" and unicodedata.category(sign) == "So" for sign in shown
        )
        assert "\ufe0f" not in shown
        assert "\u20e3" not in shown


@given(MIXED)
def test_no_letter_from_right_to_left_is_handed_to_tk(text: str) -> None:
    """It would come out backwards (G3)."""
    plain = [sign for run in split_runs(text) if run.kind == "text" for sign in run.text]
    assert not any(unicodedata.bidirectional(sign) in ("R", "AL") for sign in plain)


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("hello", "text"),
        ("hi 😀!", "text emoji text"),
        ("say שלום עולם now", "text rtl text"),
        ("नमस्ते जी", "shaped text shaped"),
        ("日本語", "text"),
        ("❤ ↔", "emoji text shaped"),
    ],
)
def test_runs_by_how_they_are_drawn(text: str, kinds: str) -> None:
    assert " ".join(run.kind for run in split_runs(text)) == kinds


def test_labels_name_emoji_and_show_hebrew_in_the_order_it_is_seen() -> None:
    assert fit_for_tk("ok 👍🏽", x11=True) == "ok :+1:"
    assert fit_for_tk("שלום", x11=True) == "םולש"
    assert fit_for_tk("שלום", visual=False, x11=True) == "שלום"
    assert fit_for_tk("ok 👍🏽 שלום", x11=False) == "ok 👍🏽 שלום"


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("abc", "abc"),
        ("אבג", "גבא"),
        ("אב 12 גד", "דג 12 בא"),
        ("ab אב (גד) cd", "ab (דג) בא cd"),
        ("אב ab גד", "דג ab בא"),
        ("אבג.", ".גבא"),
        ("a אב 1,2", "a 1,2 בא"),
    ],
)
def test_lines_are_seen_in_the_order_of_unicode(text: str, seen: str) -> None:
    assert bidi.as_seen(text) == seen


def test_arabic_letters_are_joined() -> None:
    assert bidi.joined("ببب دب") == "ﺑﺒﺐ دﺏ".replace("د", bidi.joined("د"))


@given(MIXED, st.sampled_from(["ltr", "rtl"]))
def test_a_line_as_seen_holds_each_sign_once(text: str, base: str) -> None:
    runs = bidi.visual(text, base)
    assert sorted(at for start, end, _ in runs for at in range(start, end)) == list(
        range(len(text))
    )


def test_a_family_and_a_flag_are_one_picture_of_one_size(root: tk.Tk) -> None:
    glyphs = Glyphs(Theme(root))
    for sign in ("👨‍👩‍👧‍👦", "🇺🇦", "👍🏽", "😀", "1️⃣"):
        image = glyphs.emoji(sign, 20)
        assert image.height() == 20
        assert 20 <= image.width() <= 26
    assert glyphs.emoji("😀", 20) is glyphs.emoji("😀", 20)


def test_a_paragraph_from_right_to_left_is_cut_in_lines_that_fit(root: tk.Tk) -> None:
    glyphs = Glyphs(Theme(root))
    text = "שלום לכולם, זאת הודעה ארוכה 😀 with English words (100%) " * 4 + "מילהארוכהמאוד" * 20
    drawn = glyphs.lines([(text, Ink("#000000"))], "body", 300)
    assert "".join(part for _image, part in drawn) == text
    assert len(drawn) > 5
    assert all(image.width() <= 312 for image, _part in drawn)


@settings(deadline=None)  # a font is looked up when a script first comes
@given(MIXED)
def test_any_paragraph_can_be_cut(text: str) -> None:
    assert text == "" or "".join(CUT(text)) == text


def CUT(text: str) -> list[str]:  # noqa: N802
    """The lines of a paragraph, cut by a stand-in that needs no screen."""

    class Narrow(Glyphs):
        def __init__(self) -> None:
            self._theme = type("T", (), {"font_px": lambda *_: 10, "family": "DejaVu Sans"})()

    ends = Narrow()._breaks(text, [Ink("#000000")] * len(text), "body", 40)
    assert ends == sorted(set(ends))
    assert ends[-1:] == [len(text)]
    return [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def test_drawn_letters_look_like_tks_own(root: tk.Tk, picture: Callable[[str], Path]) -> None:
    theme = Theme(root)
    glyphs = Glyphs(theme)
    text = tk.Text(root, font=theme.font("body"), wrap="word")
    text.pack(fill="both", expand=True)
    kept = []
    for line in (
        "Plain text and é, 日本語",
        "Emoji 😀 👍🏽 👨‍👩‍👧‍👦 🇺🇦 🏴󠁧󠁢󠁳󠁣󠁴󠁿 1️⃣ ❤️ in a line",
        "Hebrew שלום עולם (123) in English, Arabic السلام عليكم here",
        "हिन्दी नमस्ते and e\u0301 marks",
    ):
        for run in split_runs(line):
            if run.kind == "text":
                text.insert("end", run.text)
            elif run.kind == "emoji":
                kept.append(glyphs.emoji(run.text, 18))
                text.image_create("end", image=kept[-1], align="center")
            else:
                kept.append(glyphs.line(run.text, "body", Ink(theme.color("text"))))
                text.image_create("end", image=kept[-1], align="bottom")
        text.insert("end", "\n")
    words = "שלום לכולם, זאת הודעה ארוכה 😀 with English words (100%) וגם עברית. "
    for paragraph in (words * 2, "السلام عليكم ورحمة الله، هذا نص طويل جدا ٣٤ 12 hello " * 3):
        parts = [(paragraph, Ink(theme.color("text")))]
        for image, _part in glyphs.lines(parts, "body", 500):
            kept.append(image)
            text.image_create("end", image=image)
            text.insert("end", "\n")
    root.update()
    picture("glyphs")
