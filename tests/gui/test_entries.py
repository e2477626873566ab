"""What a history shows, in words, before it is drawn."""

from datetime import date, timedelta

import pytest
import talk
from PIL import Image

from chatsecure.gui import card, entries


@pytest.mark.parametrize(
    ("days", "words"),
    [(0, "Today"), (1, "Yesterday"), (3, "Saturday"), (40, "Thursday, 15 October 2026")],
)
def test_a_day_is_named_as_people_do(days: int, words: str) -> None:
    today = date(2026, 11, 24)
    assert entries.day_words(today - timedelta(days=days), today) == words


def test_a_day_to_come_is_named_in_full() -> None:
    today = date(2026, 11, 24)
    assert entries.day_words(today + timedelta(days=1), today) == "Wednesday, 25 November 2026"


@pytest.mark.parametrize("at", ["", "yesterday", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
def test_a_time_that_is_none_breaks_nothing(at: str) -> None:
    assert len(entries.clock(at)) == 5


@pytest.mark.parametrize(
    ("came", "words"),
    [
        ([("a", "joined")], "a joined"),
        ([("a", "joined"), ("b", "joined")], "a and b joined"),
        ([(name, "joined") for name in "abcde"], "a, b, c and 2 others joined"),
        ([("a", "joined"), ("a", "left"), ("b", "joined")], "b joined, a left"),
        ([("me", "joined"), ("b", "removed")], "You joined, b left"),
    ],
)
def test_many_comings_and_goings_are_one_sentence(came: list[tuple[str, str]], words: str) -> None:
    lines = [talk.notice(n, who, state) for n, (who, state) in enumerate(came, 1)]
    assert entries.folded_words(lines, "me") == words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (talk.notice(1, "bob", "role", by="alice", role="manager"), "bob is now manager"),
        (talk.notice(1, "bob", "removed", by="alice"), "alice removed bob"),
        (talk.notice(1, "me", "joined"), "You joined"),
        (talk.notice(1, "bob", "new", "identity"), "bob is new to you"),
        (talk.notice(1, "", "", "gap", reason="a hole"), "Something is missing here: a hole"),
        (talk.notice(1, "", "", "room", topic="tea\n\x1b"), "The topic is now: tea \u241b"),
        (talk.notice(1, "", "", "later"), "Something happened that is not known here"),
    ],
)  # fmt: skip
def test_a_notice_is_a_sentence(line: entries.HistoryLine, words: str) -> None:
    assert entries.notice_words(line, "me") == words


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"state": "queued"}, ("queued", "queued")),
        ({"state": "failed"}, ("failed", "not sent")),
        ({"people": 3}, ("stored", "stored")),
        ({"people": 3, "delivered": 2}, ("delivered", "delivered 2/3")),
        ({"people": 3, "delivered": 3}, ("delivered", "delivered")),
        ({"people": 3, "delivered": 3, "read": 1}, ("read", "read 1/3")),
        ({"people": 1, "delivered": 1, "read": 1}, ("read", "read")),
        ({"people": 3, "delivered": 3, "read": 3, "have": 2}, ("delivered", "2 of 3 have it")),
        ({"people": 1, "delivered": 1, "have": 1}, ("read", "received whole")),
    ],
)
def test_the_reach_of_a_message_is_told_in_words(
    more: dict[str, object], told: tuple[str, str]
) -> None:
    assert entries.reach(talk.line(1, "alice", "hi", **more)) == told


def test_only_neighbours_of_the_same_day_fold() -> None:
    day = talk.NOW - timedelta(days=1)
    lines = [
        talk.notice(1, "a", "joined", at=day), talk.notice(2, "b", "joined"),
        talk.notice(3, "c", "joined"), talk.line(4, "c", "hi"), talk.notice(5, "d", "left"),
        talk.notice(6, "d", "changed", "identity"),
    ]  # fmt: skip
    assert [len(one.lines) for one in entries.entries(lines)] == [1, 2, 1, 1, 1]


def test_the_ending_of_a_long_file_name_stays_in_view() -> None:
    shown = card._shortened("a" * 100 + ".tar.gz", lambda text: len(text) <= 30)
    assert len(shown) == 30
    assert shown.endswith(".tar.gz")


def test_a_picture_of_many_pixels_is_not_opened() -> None:
    import io

    out = io.BytesIO()
    Image.new("L", (4000, 4000)).save(out, "png")
    assert card.thumbnail(out.getvalue(), 300, 200) is None
    assert card.thumbnail(talk.thumbnail(), 300, 200) is not None


def test_a_button_is_found_by_its_place() -> None:
    drawn = card.Card(Image.new("RGBA", (10, 10)), (("accept", (2, 2, 6, 6)),))
    assert drawn.at(3, 3) == "accept"
    assert drawn.at(6, 3) is None
