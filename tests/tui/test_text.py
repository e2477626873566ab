"""Text is wrapped and cut by cells, and never inside what a reader takes for one sign."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from chatsecure.tui.text import cut, fill, graphemes, wrap

FAMILY = "👨‍👩‍👧‍👦"


def lines(text: str, width: int) -> list[str]:
    return ["".join(part for part, _kind in line) for line in wrap([(text, None)], width)]


def test_lines_break_at_blanks() -> None:
    assert lines("the quick brown fox", 10) == ["the quick", "brown fox"]


def test_a_word_longer_than_the_line_is_broken_inside() -> None:
    assert lines("x" * 25, 10) == ["x" * 10, "x" * 10, "x" * 5]
    assert lines("see " + "x" * 12, 10) == ["see", "x" * 10, "xx"]


def test_wide_signs_count_two_cells_and_break_anywhere() -> None:
    assert lines("日本語のテキスト", 6) == ["日本語", "のテキ", "スト"]


def test_a_cluster_is_never_torn() -> None:
    assert lines(FAMILY * 3, 5) == [FAMILY * 2, FAMILY]
    assert cut(FAMILY * 3, 5) == FAMILY * 2 + "…"
    assert lines("e\u0301" * 4, 3) == ["e\u0301" * 3, "e\u0301"]


def test_line_ends_and_indents_are_kept() -> None:
    assert lines("a\n\n  b", 10) == ["a", "", "  b"]


def test_styles_stay_with_their_letters() -> None:
    found = wrap([("one tw", "x"), ("o three", "y")], 7)
    assert found == [[("one tw", "x"), ("o", "y")], [("three", "y")]]


@pytest.mark.parametrize("text", ["short", "日本語", FAMILY, ""])
def test_what_is_filled_has_its_width(text: str) -> None:
    assert cell_len(fill(text, 6)) == 6


@given(st.text(max_size=200), st.integers(4, 40))
def test_no_line_is_wider_and_no_letter_is_lost(text: str, width: int) -> None:
    text = " ".join("".join(sign for sign in text if sign.isprintable()).split())
    found = lines(text, width)
    assert all(cell_len(line) <= width for line in found)
    assert "".join("".join(found).split()) == "".join(text.split())
    assert cell_len(cut(text, width)) <= width
    assert "".join(graphemes(text)) == text
