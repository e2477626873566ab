"""The lists at the sides of the terminal client."""

from chatsecure.client.lines import MemberLine
from chatsecure.tui import lists
from chatsecure.tui.palette import PALETTES


def member(name: str) -> MemberLine:
    return MemberLine(name, "member", True, "", False, False, False)


def test_people_whose_names_look_like_others_are_marked() -> None:
    rows = lists.people([member("bob"), member("b0b"), member("pаul")], 40, PALETTES["dark"])
    texts = [" ".join("".join(part.text for part in row.segments).split()) for row in rows]
    assert texts[1:] == [
        "● bob looks like b0b",
        "● b0b looks like bob",
        "● pаul (?) mixes alphabets",
    ]
