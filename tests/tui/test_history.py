"""A history of any length: every message can be reached, each is shown once, in order."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

import pytest
from rich.cells import cell_len

from chatsecure.client.client import Client
from chatsecure.client.content import Text1, encode_content
from chatsecure.client.history import HistoryLine
from chatsecure.client.profile.folder import Profile, open_profile
from chatsecure.tui.block import MOST_ROWS, About, Look, rows, standing
from chatsecure.tui.history import History
from chatsecure.tui.items import Day, Message, New, Note, Notice, build, fold
from chatsecure.tui.pages import MOST, Pages
from chatsecure.tui.palette import DARK
from chatsecure.tui.sought import around

from .conftest import Face, face

COUNT = 2_000
TODAY = date(2026, 11, 24)


def line(n: int, **more: object) -> HistoryLine:
    known: dict[str, object] = {
        "n": n,
        "id": f"{n:032x}",
        "at": f"2026-11-24T10:{n % 60:02}:00.000Z",
        "conversation": "#lobby",
        "sender": "alice",
        "text": f"text {n}",
        "mine": False,
        "seq": n,
        "state": "received",
    }
    return HistoryLine(**(known | more))  # type: ignore[arg-type]


def look(width: int = 60) -> Look:
    return Look(DARK, width, "mara", private=False)


def shown(one: HistoryLine, width: int = 60, *, head: bool = False) -> list[str]:
    found = rows(Message(one.n, 5, one, head), look(width), About())
    assert all(sum(segment.cell_length for segment in row) <= width for row in found)
    return ["".join(segment.text for segment in row).rstrip() for row in found]


# --- what items there are --------------------------------------------------------------------


def test_messages_of_one_person_stand_under_one_head() -> None:
    items = build([line(1), line(2), line(3, sender="bob"), line(20)], me="mara", today=TODAY)
    heads = [item.head for item in items if isinstance(item, Message)]
    assert heads == [True, False, True, True]
    assert isinstance(items[0], Day)


def test_what_is_new_begins_with_a_mark_and_a_head() -> None:
    items = build([line(1), line(2)], me="mara", today=TODAY, new_at=2)
    assert [type(item) for item in items] == [Day, Message, New, Message]
    assert items[-1].head  # type: ignore[attr-defined]


def test_comings_and_goings_in_a_row_are_one_line() -> None:
    names = ("bob", "carol", "dave", "erin", "frank")
    notices = [
        line(n, notice={"type": "membership", "user": name, "state": "joined", "by": name})
        for n, name in enumerate(names, 1)
    ]
    items = build([*notices, line(9)], me="mara", today=TODAY)
    assert [item.text for item in items if isinstance(item, Notice)] == [
        "bob, carol, dave and 2 more joined"
    ]
    out = {"type": "membership", "user": "bob", "state": "removed", "by": "mara"}
    assert fold([out], "mara") == "bob removed by you"


def test_what_commands_say_stands_behind_what_was_there() -> None:
    items = build([line(1), line(2)], me="mara", today=TODAY, notes=[(1, "b"), (2, "d"), (2, "c")])
    assert [item.text for item in items if isinstance(item, Note)] == ["b", "d", "c"]
    kinds = [type(item) for item in items]
    assert kinds == [Day, Message, Note, Message, Note, Note]
    assert items == sorted(items, key=lambda item: (item.n, item.rank))


# --- how they look ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"state": "queued"}, "queued"),
        ({"state": "failed"}, "NOT SENT"),
        ({"state": "stored", "people": 3}, "stored"),
        ({"state": "stored", "people": 3, "delivered": 2}, "delivered 2/3"),
        ({"state": "stored", "people": 3, "delivered": 3, "read": 1}, "read 1/3"),
        ({"state": "deleted"}, ""),
    ],
)
def test_how_far_a_message_has_come_is_said_in_words(more: dict[str, object], words: str) -> None:
    assert standing(line(1, mine=True, **more)) == words


def test_a_message_that_mentions_us_bears_a_sign_beside_its_colour() -> None:
    assert shown(line(1, text="come, @mara", mentions=("mara",)))[0].startswith(" @ come")


def test_foreign_names_texts_and_reactions_are_harmless() -> None:
    evil = "\x1b[2J\u202e"
    one = line(1, sender=evil, text=evil, reactions={evil: [evil]})
    joined = "\n".join(shown(one, head=True))
    file = "\n".join(shown(line(2, file=True, text=evil, size=1, path=evil, file_state="received")))
    assert not {"\x1b", "\u202e"} & set(joined + file)


@pytest.mark.parametrize("width", [12, 20, 61])
def test_no_row_is_wider_than_the_screen(width: int) -> None:
    texts = (
        "日本語のテキスト " * 9,
        "x" * 300,
        "- one\n- two " + "y" * 90,
        "👨‍👩‍👧‍👦" * 30,
        "> q " * 30,
    )
    for text in texts:
        assert shown(
            line(1, text=text, mine=True, edited=True, reactions={"👍": ["a" * 40]}), width
        )
        assert shown(line(1, file=True, text=text[:80], size=10**9, file_state="offered"), width)


def test_one_message_does_not_push_everything_away() -> None:
    assert len(shown(line(1, text="\n" * 30_000 + "a" * 30_000))) <= MOST_ROWS + 2
    found = shown(line(1, text="a\n" * 32_000))
    assert len(found) <= MOST_ROWS + 2
    assert any("more lines" in row for row in found)


def test_markup_is_shown_as_letters_not_as_signs() -> None:
    assert shown(line(1, text="**bold** and `code`")) == ["   bold and code"]


def test_what_was_searched_for_is_marked() -> None:
    sought = Look(DARK, 60, "mara", private=False, sought=("exam", "日本"))
    texts = ("the **exam**s, an Example of reexamining", "日本語")
    found = []
    for text in texts:
        for row in rows(Message(1, 5, line(1, text=text), False), sought, About()):
            found += [one.text for one in row if one.style and one.style.underline]
    assert found == ["exam", "Exam", "日本"]
    assert rows(Message(1, 5, line(1, text="exam"), False), look(), About()) != rows(
        Message(1, 5, line(1, text="exam"), False), sought, About()
    )


def test_a_found_word_far_behind_is_brought_to_the_front() -> None:
    assert around("near and far", ("near",), 20) == "near and far"
    assert around("word " * 20 + "exam", ("exam",), 20).endswith("exam")
    assert around("word " * 20 + "exam", ("exam",), 20).index("exam") < 10
    assert around("anything", (), 3) == "anything"


# --- a long history --------------------------------------------------------------------------


def fill(profile: Profile, count: int) -> None:
    db = profile.db
    (log_id,) = db.row("SELECT log_id FROM conversations WHERE folded = '#lobby'") or (b"",)
    with db.transaction():
        for number in range(count):
            text = f"message {number} " + "word " * (number % 37)
            db.run(
                "INSERT INTO messages(id, log_id, seq, at, sender, mine, kind, body, text, state)"
                " VALUES(?, ?, ?, ?, 'bob', 0, 1, ?, ?, 'received')",
                secrets.token_bytes(16), log_id, number - 10**6, 1_700_000_000_000 + number * 1000,
                encode_content(Text1(text=text)), text,
            )  # fmt: skip


@pytest.fixture
def long(stopped: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Alice's profile with a long history; her server is away."""
    monkeypatch.setenv("CHATSECURE_KEYRING", "off")
    profile = open_profile(stopped / "person-alice", lambda: None)
    fill(profile, COUNT)
    profile.close()
    return stopped / "person-alice"


def test_all_pages_up_and_down_give_every_line_once(long: Path) -> None:
    async def walk() -> None:
        profile = open_profile(long, lambda: None)
        client = Client(profile)
        everything = [one.n for one in client.history("#lobby", 10_000, notices=True)]
        pages = Pages(client, "#lobby")
        pages.open_end()
        seen = [one.n for one in pages.lines]
        while pages.older():
            seen = sorted({one.n for one in pages.lines} | set(seen))
            assert len(pages.lines) <= MOST
        assert seen == everything
        assert pages.at_start
        seen = [one.n for one in pages.lines]
        while pages.newer():
            now = [one.n for one in pages.lines]
            assert now == sorted(set(now))
            seen = sorted(set(now) | set(seen))
        assert seen == everything
        assert pages.at_end
        pages.open_at(everything[1000])
        assert pages.index(everything[1000]) is not None
        assert not pages.refresh(follow=False)
        profile.close()

    asyncio.run(walk())


@asynccontextmanager
async def offline(long: Path, size: tuple[int, int] = (100, 30)) -> AsyncIterator[Face]:
    async with face(long, size, ready=False) as alice:
        yield alice


async def test_scrolling_shows_every_message_once_and_in_order(long: Path) -> None:
    async with offline(long) as alice:
        await alice.sees(f"message {COUNT - 1}")
        history: History = alice.app.history
        numbers: list[int] = []
        while True:
            top = [item for item in visible(history) if item.startswith("message ")]
            found = [int(text.split()[1]) for text in top]
            assert found == sorted(found)
            numbers = sorted(set(found) | set(numbers))
            before = history._anchor
            alice.do(lambda: history.scroll_rows(-(history.size.height - 1)))
            if history._anchor == before:
                break
        assert numbers == list(range(COUNT))
        await alice.sees("the beginning")
        await alice.press("ctrl+end")
        await alice.sees(f"message {COUNT - 1}")


def visible(history: History) -> list[str]:
    return ["".join(segment.text for segment in row).strip() for row, _number in history._seen()]


async def test_what_is_looked_at_stays_when_the_width_changes(long: Path) -> None:
    async with offline(long) as alice:
        await alice.sees(f"message {COUNT - 1}")
        history = alice.app.history
        alice.do(lambda: history.scroll_rows(-300))
        first = next(text for text in visible(history) if text.startswith("message "))
        await alice.pilot.resize_terminal(64, 30)
        await alice.pilot.pause()
        assert any(text.startswith(first[:12]) for text in visible(history)[:12])


async def test_the_line_looked_at_stays_when_something_new_is_said(long: Path) -> None:
    async with offline(long) as alice:
        await alice.sees(f"message {COUNT - 1}")
        history = alice.app.history
        alice.do(lambda: history.scroll_rows(-100))
        before = visible(history)
        await alice.client.send("#lobby", "from elsewhere")
        alice.do(lambda: alice.app.ears.soon(history=True))
        await alice.pilot.pause(0.2)
        assert visible(history) == before
        assert not history.at_newest


async def test_the_bar_takes_the_reader_anywhere(long: Path) -> None:
    async with offline(long) as alice:
        await alice.sees(f"message {COUNT - 1}")
        history = alice.app.history
        for part, least, most in ((0, 0, 30), (0.5, 800, 1200)):
            row = int(part * (history.size.height - 1))
            await alice.click(history, offset=(history.size.width - 1, row))
            numbers = [int(text.split()[1]) for text in visible(history) if "message " in text]
            assert least <= numbers[0] <= most
        await alice.click(history, offset=(history.size.width - 1, history.size.height - 1))
        assert history.at_newest


async def test_a_mistake_of_ours_leaves_no_messages_on_the_terminal(long: Path) -> None:
    """Textual would show a traceback with what is in memory."""

    async def broken() -> None:
        async with offline(long) as alice:
            alice.app.call_later(lambda: 1 / 0)
            await alice.until(lambda: alice.app.broken is not None)
            assert alice.app._exit_renderables == []

    with pytest.raises(ZeroDivisionError):
        await broken()


def test_rows_fill_their_width_where_they_are_selected() -> None:
    found = rows(Message(1, 5, line(1), head=True), look(40), About(selected=True))
    assert {sum(cell_len(segment.text) for segment in row) for row in found} == {40}
