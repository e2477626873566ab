"""Emoji by name, and where they stand in a text."""

import pytest

from chatsecure.client import emoji

WHOLE = [
    "😀",
    "👍🏽",
    "👨‍👩‍👧‍👦",
    "🏳️‍🌈",
    "🇺🇦",
    "🏴󠁧󠁢󠁳󠁣󠁴󠁿",
    "1️⃣",
    "❤️",
    "✔️",
    "👩🏿‍🚀",
    "❤️‍🔥",
    "☎️",
    "🫠",
    "©️",
]


@pytest.mark.parametrize("sign", WHOLE)
def test_an_emoji_of_many_signs_is_one(sign: str) -> None:
    found = emoji.pattern().search(f"a {sign} b")
    assert found is not None
    assert found.group() == sign


def test_every_emoji_of_the_table_is_found_whole_and_by_each_of_its_names() -> None:
    seen = 0
    for some in emoji.groups().values():
        for one in some:
            assert emoji.pattern().fullmatch(one.sign), one
            assert emoji.name_of(one.sign) is not None
            assert all(emoji.sign_of(name) is not None for name in one.names)
            seen += 1
    assert seen > 1800


@pytest.mark.parametrize(
    "text", ["a", "1", "#", "©", "™", "→", "✓", "±", "é", "א", "日", "…", "-", "↔"]
)
def test_letters_and_numbers_are_no_emoji(text: str) -> None:
    assert emoji.pattern().search(text) is None


def test_search_finds_by_parts_of_names_and_the_beginning_first() -> None:
    found = [one.sign for one in emoji.search("heart")]
    assert len(found) > 10
    assert all(any("heart" in name for name in one.names) for one in emoji.search("heart"))
    assert emoji.search("thumbs")[0].sign in ("👍", "👎")
    assert emoji.search("  ") == []


@pytest.mark.parametrize(
    ("text", "count"), [("😀", 1), ("😀 👍🏽\n", 2), ("hi 😀", 0), ("", 0), ("1", 0), ("😀" * 6, 0)]
)
def test_a_message_of_emoji_alone_is_known(text: str, count: int) -> None:
    assert emoji.only_emoji(text) == count
