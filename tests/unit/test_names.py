"""Names of users and rooms."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatsecure.names import (
    MAX_NAME_BYTES,
    MAX_NAME_CHARACTERS,
    BadName,
    check_name,
    check_room,
    fold_name,
    lookalike,
    mixed_scripts,
    nearest,
)

GOOD = {
    "ada": "ada",
    "Ada": "Ada",
    "ada.lovelace-1815_x": "ada.lovelace-1815_x",
    "7of9": "7of9",
    "x-": "x-",
    "Müller": "Müller",
    "straße": "straße",
    "ẞ": "ẞ",
    "мария": "мария",
    "Σωκράτης": "Σωκράτης",
    "名前": "名前",
    "김철수": "김철수",
    "אבג": "אבג",
    "אבג1": "אבג1",
    "مريم": "مريم",
    "l·l": "l·l",
    "a" * 32: "a" * 32,
    "é" * 32: "é" * 32,
    "名" * 21: "名" * 21,
    # brought into the one form they are kept in
    "ada\u0301": "adá",
    "Ａｄａ": "Ada",
    "ﾊﾝｶｸ": "ハンカク",
    "\u2126": "\u03a9",
}
BAD = {
    "nothing": "",
    "a space": " ",
    "a space inside": "ada lovelace",
    "a space at the end": "ada ",
    "an ideographic space": "a\u3000b",
    "a tab": "a\tb",
    "a line break": "ada\n",
    "a null": "ada\0",
    "an escape": "\x1b[31mada",
    "a C1 control": "ada\x9b",
    "an at sign": "@ada",
    "a fullwidth at sign": "＠ada",
    "a number sign": "#ada",
    "a slash": "../ada",
    "a backslash": "a\\b",
    "a colon": "ada:1",
    "quotes": "a'b",
    "a dollar": "$ada",
    "a hyphen first": "-ada",
    "a dot first": ".ada",
    "a line first": "_ada",
    "a combining mark first": "\u0301ada",
    "a spacing mark first": "\u093eada",
    "33 characters": "a" * 33,
    "66 bytes": "名" * 22,
    "bidi override": "ada\u202egpj",
    "bidi isolate": "\u2066ada\u2069",
    "right-to-left mark": "ada\u200f",
    "Hebrew and Latin": "אda",
    "Latin and Hebrew": "adaא",
    "a zero-width space": "a\u200bda",
    "a zero-width joiner": "a\u200dda",
    "a word joiner": "a\u2060da",
    "a byte order mark": "\ufeffada",
    "a soft hyphen": "a\u00adda",
    "a Hangul filler": "\u3164",
    "a ligature": "ﬁn",
    "a long s": "ſ",
    "a Roman numeral": "ⅳ",
    "an ordinal": "ª",
    "an emoji": "ada😀",
    "a private character": "\ue000",
    "an unassigned character": "\u0378",
    "a lone surrogate": "ada\ud800",
    "digits of two scripts": "ا١۱",
    "reserved": "server",
    "reserved, shouted": "EVERYONE",
    "reserved, wide": "ｓｙｓｔｅｍ",
}
anything = st.text(max_size=40) | st.text(st.characters(), max_size=12)
letters = st.text(
    st.characters(categories=("Ll", "Lu", "Lo", "Mn", "Nd"), max_codepoint=0x1FFFF),
    min_size=1,
    max_size=12,
)


@pytest.mark.parametrize(("text", "kept"), GOOD.items(), ids=map(ascii, GOOD))
def test_a_good_name_is_kept_in_one_form(text: str, kept: str) -> None:
    assert check_name(text) == kept


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_a_bad_name_is_refused(text: str) -> None:
    with pytest.raises(BadName):
        check_name(text)


@pytest.mark.parametrize("sign", "@#/\\:,;<>\"'`|&*?!%$()[]{}~^=+")
def test_a_sign_that_means_something_elsewhere_is_refused_and_named(sign: str) -> None:
    with pytest.raises(BadName, match="may not hold"):
        check_name(f"a{sign}b")


@settings(max_examples=300, deadline=None)
@given(anything | letters)
def test_a_checked_name_is_good_as_it_is(text: str) -> None:
    try:
        name = check_name(text)
    except BadName:
        return
    assert check_name(name) == name
    assert 1 <= len(name) <= MAX_NAME_CHARACTERS
    assert len(name.encode()) <= MAX_NAME_BYTES
    assert name.isprintable()
    assert fold_name(name) == fold_name(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ada", "aDA"),
        ("STRASSE", "straße"),
        ("ẞ", "ss"),
        ("ẞ", "ß"),
        ("Ａｄａ", "ada"),
        ("adá", "ada\u0301"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("\u2126", "ω"),
        ("ﾊﾝｶｸ", "ハンカク"),
        ("МАРИЯ", "мария"),
    ],
)
def test_names_that_are_the_same_have_one_key(one: str, other: str) -> None:
    assert fold_name(one) == fold_name(other)


@pytest.mark.parametrize(
    ("one", "other"), [("ada", "adá"), ("ada", "аda"), ("o0", "oo"), ("ı", "i"), ("İ", "i")]
)
def test_names_that_differ_have_two_keys(one: str, other: str) -> None:
    assert fold_name(one) != fold_name(other)


@settings(max_examples=300, deadline=None)
@given(anything | letters)
def test_a_key_is_its_own_key(text: str) -> None:
    folded = fold_name(text)
    assert fold_name(folded) == folded


@settings(max_examples=200, deadline=None)
@given(anything | letters)
def test_case_never_makes_another_name(text: str) -> None:
    assert fold_name(text.casefold()) == fold_name(text)


@pytest.mark.parametrize("text", ["#room", "#Raum-1", "#名前", "#lobby"])
def test_a_room_has_a_name_after_its_sign(text: str) -> None:
    assert check_room(text) == text


@pytest.mark.parametrize("text", ["room", "", "#", "##room", "#a b", "#" + "a" * 33, "#-x", "@ada"])
def test_a_bad_room_is_refused(text: str) -> None:
    with pytest.raises(BadName):
        check_room(text)


def test_a_room_is_kept_in_one_form() -> None:
    assert check_room("#Ｒｏｏｍ") == "#Room"


@pytest.mark.parametrize(
    ("name", "mixed"),
    [
        ("ada", False),
        ("мария", False),
        ("Σωκράτης", False),
        ("名前ada", False),
        ("müller-1", False),
        ("аda", True),
        ("pаypal", True),
        ("αda", True),
        ("раураl", True),
    ],
)
def test_a_name_of_scripts_that_look_alike_is_marked(name: str, mixed: bool) -> None:
    assert mixed_scripts(name) is mixed


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("раураl", "paypal"),
        ("асе", "ace"),
        ("b0b", "bob"),
        ("aIice", "Alice"),
        ("user1", "userl"),
        ("αda", "ada"),
        ("ada", "αda"),
    ],
)
def test_a_name_that_may_be_taken_for_another_is_told(name: str, other: str) -> None:
    assert lookalike(name, ["zoe", name, other]) == other


@pytest.mark.parametrize("name", ["ada", "Ada", "мария", "adb", "Σωκράτης"])
def test_other_names_are_not_taken_for_each_other(name: str) -> None:
    assert lookalike(name, ["ada", "мария", "adb", "σωκράτης", "ad"]) == ""


def test_the_nearest_name_is_suggested() -> None:
    names = ["ada", "Grace", "linus", "МАРИЯ"]
    assert nearest("adda", names) == "ada"
    assert nearest("GRCE", names) == "Grace"
    assert nearest("мари", names) == "МАРИЯ"
    assert nearest("zzzz", names) is None
    assert nearest("ada", []) is None
