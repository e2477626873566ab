"""What comes from others does no harm where it is shown or saved."""

import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chatsecure.client.display import (
    MAX_FILE_NAME_BYTES,
    MAX_MARKS,
    harmless,
    harmless_name,
    safe_filename,
    user_name,
)
from chatsecure.names import BadName, check_name

more = settings(max_examples=300, deadline=None)

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
nasty = st.sampled_from(
    '\x00\x07\x08\x1b\x7f\x80\x9b\x9f\r\n\t /\\:.*?<>|"~' + BIDI + "\u00ad\u034f\u200b\u200c"
    "\u200d\u2028\u2029\u2060\u3164\ufeff\ufffd\ufe0f\ud800\udfff\ue000\U000e0067\U000e007f\U0001f3f4"
    "\U0001f469\u0301\u0489\u20dd\u0915\u094d\u0644aZ0é名١\u2400\u241bıſﬁ"
)
texts = st.text(max_size=60) | st.text(nasty, max_size=30)
"""With lone surrogates: they come from broken file names."""

FLAG = "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
FAMILY = "\U0001f469\u200d\U0001f467"

HARMLESS = {
    "plain text": ("hello", "hello"),
    "text of the world": ("Grüße, 名前, שלום, ٤٢", "Grüße, 名前, שלום, ٤٢"),
    "lines": ("one\ntwo\r\nthree\rfour", "one\ntwo\nthree\nfour"),
    "a tab": ("a\tb", "a    b"),
    "a colour": ("\x1b[31mred\x1b[0m", "\u241b[31mred\u241b[0m"),
    "the title of a window": ("\x1b]0;pwned\x07", "\u241b]0;pwned\u2407"),
    "a hyperlink": ("\x1b]8;;http://x\x1b\\y", "\u241b]8;;http://x\u241b\\y"),
    "a C1 escape": ("\x9b31mred", "\ufffd31mred"),
    "a bell, a backspace, a delete": ("\x07\x08\x7f", "\u2407\u2408\u2421"),
    "a null": ("a\0b", "a\u2400b"),
    "a bidi override": ("a\u202etxt.exe", "atxt.exe"),
    "bidi isolates": ("\u2066a\u2069", "a"),
    "zero width": ("pass\u200bword\ufeff\u2060", "password"),
    "a soft hyphen": ("a\u00adb", "ab"),
    "a Hangul filler": ("\u3164\u115f", ""),
    "line separators": ("a\u2028b\u2029c", "a\nb\nc"),
    "a lone surrogate": ("a\ud800b", "a\ufffdb"),
    "a private character": ("\ue000", "\ufffd"),
    "an unassigned character": ("\u0378", "\ufffd"),
    "hidden tags": ("a\U000e0061\U000e0062", "a"),
    "a flag of tags": (FLAG, FLAG),
    "a family of emoji": (FAMILY, FAMILY),
    "a joiner between letters": ("a\u200db", "ab"),
    "a joiner in Persian": ("می\u200cخواهم", "می\u200cخواهم"),
    "a joiner after a tab": ("\t\u200d", "    "),
    "a tag after a tab": ("\t\U000e0061", "    "),
    "accents": ("e\u0301 ế", "e\u0301 ế"),
    "marks stacked over what is not seen": (
        "e" + "\u0301\u200e\u200d\u115f" * 50,
        "e" + "\u0301" * MAX_MARKS,
    ),
    "a stack of marks": ("e" + "\u0301" * 50, "e" + "\u0301" * MAX_MARKS),
}


@pytest.mark.parametrize(("text", "shown"), HARMLESS.values(), ids=HARMLESS.keys())
def test_foreign_text_is_made_harmless(text: str, shown: str) -> None:
    assert harmless(text) == shown


def dangers(text: str) -> set[str]:
    return {
        sign
        for sign in text
        if (unicodedata.category(sign) == "Cc" and sign != "\n")
        or unicodedata.category(sign) in ("Cs", "Co", "Cn", "Zl", "Zp")
        or sign in BIDI
    }


@more
@given(texts, st.booleans())
def test_nothing_that_acts_is_left(text: str, lines: bool) -> None:
    shown = harmless(text, lines=lines)
    assert dangers(shown) == set()
    assert lines or "\n" not in shown
    shown.encode()


@more
@given(texts, st.booleans())
def test_harmless_text_stays_as_it_is(text: str, lines: bool) -> None:
    shown = harmless(text, lines=lines)
    assert harmless(shown, lines=lines) == shown


@more
@given(texts)
def test_marks_never_pile_up(text: str) -> None:
    run = 0
    for sign in harmless(text + "\u0301" * 20):
        category = unicodedata.category(sign)
        run = run + 1 if category in ("Mn", "Me") else run if category == "Cf" else 0
        assert run <= MAX_MARKS


@more
@given(texts)
def test_a_foreign_name_is_one_short_line(text: str) -> None:
    name = harmless_name(text)
    assert len(name) <= 80
    assert "\n" not in name
    assert name == name.strip()
    assert dangers(name) == set()
    assert harmless_name(name) == name


# --- file names ------------------------------------------------------------------------------

FILES = {
    "a plain name": ("report.pdf", "report.pdf"),
    "a name of the world": ("Übersicht 名前.ods", "Übersicht 名前.ods"),
    "two extensions": ("a.tar.gz", "a.tar.gz"),
    "a path": ("/etc/passwd", "passwd"),
    "a path upwards": ("../../.ssh/authorized_keys", "authorized_keys"),
    "a path of Windows": ("..\\..\\Windows\\evil.dll", "evil.dll"),
    "a drive": ("C:evil.exe", "evil.exe"),
    "a stream of a file": ("a.txt:hidden", "a.txt_hidden"),
    "a hidden file": (".bashrc", "bashrc"),
    "a hidden file behind blanks": (" . .bashrc", "bashrc"),
    "dots and blanks at the end": ("a.txt . .", "a.txt"),
    "dots only": ("...", "file"),
    "nothing": ("", "file"),
    "blanks only": ("   ", "file"),
    "a folder": ("folder/", "file"),
    "here and up": ("..", "file"),
    "a device": ("CON", "_CON"),
    "a device with an extension": ("nul.txt", "_nul.txt"),
    "a device with two extensions": ("com1.tar.gz", "_com1.tar.gz"),
    "a device with a superscript": ("COM¹", "_COM¹"),
    "a device with a blank": ("aux .txt", "_aux .txt"),
    "a device with blanks to be cut": ("con" + " " * 300 + "x.txt", "con x.txt"),
    "a wildcard": ("a*b?.txt", "a_b_.txt"),
    "a trailing dot": ("a.txt.", "a.txt"),
    "a trailing blank": ("a.txt ", "a.txt"),
    "an extension turned round": ("gpj\u202e.exe", "gpj.exe"),
    "a line break": ("a\nb.txt", "a b.txt"),
    "an escape": ("\x1b[31mred.txt", "[31mred.txt"),
    "a null": ("a\0.txt", "a.txt"),
    "a lone surrogate": ("a\ud800.txt", "a_.txt"),
    "a joiner after an escape": ("\x1b\u200d", "file"),
    "an accent in two parts": ("e\u0301.txt", "é.txt"),
    "a long extension": ("a." + "x" * 30, "a." + "x" * 30),
}


def test_a_name_that_mixes_alphabets_has_a_sign_that_no_name_can_hold() -> None:
    assert user_name("pаypal") == "pаypal (?)"
    assert user_name("@pаypal") == "@pаypal (?)"
    assert [user_name(name) for name in ("ada", "мария", "#pаypal")] == ["ada", "мария", "#pаypal"]
    for sign in "(?)":
        with pytest.raises(BadName):
            check_name(f"ada{sign}")


@pytest.mark.parametrize(("name", "saved"), FILES.values(), ids=FILES.keys())
def test_a_received_file_gets_a_safe_name(name: str, saved: str) -> None:
    assert safe_filename(name) == saved


@pytest.mark.parametrize("length", [190, 199, 200, 201, 255, 5000])
@pytest.mark.parametrize("letter", ["a", "é", "名", "😀"])
def test_a_long_name_is_cut_and_keeps_its_extension(letter: str, length: int) -> None:
    name = safe_filename(letter * length + ".jpeg")
    assert len(name.encode()) <= MAX_FILE_NAME_BYTES
    assert name.endswith(letter + ".jpeg")


RESERVED = {"con", "prn", "aux", "nul", "conin$", "conout$"} | {
    f"{port}{digit}" for port in ("com", "lpt") for digit in "0123456789¹²³"
}
names = (
    texts
    | st.tuples(st.sampled_from(sorted(RESERVED)), st.text(nasty, max_size=5)).map("".join)
    | st.tuples(
        st.text(nasty, max_size=4), st.text("aé名.", min_size=150, max_size=260), texts
    ).map("".join)
)


@more
@given(names)
def test_a_saved_name_is_one_plain_part_on_every_system(text: str) -> None:
    name = safe_filename(text)
    assert name
    assert not set(name) & set('/\\<>:"|?*\0')
    assert not name.startswith((".", " "))
    assert not name.endswith((".", " "))
    assert name.split(".")[0].strip().lower() not in RESERVED
    assert len(name.encode()) <= MAX_FILE_NAME_BYTES
    assert dangers(name) == set()
    assert "\n" not in name
    assert unicodedata.normalize("NFC", name) == name


@more
@given(names)
@example("x" * 150 + "a\u0300\u200c")
def test_a_saved_name_is_saved_under_the_same_name_again(text: str) -> None:
    name = safe_filename(text)
    assert safe_filename(name) == name
