"""One conversation's history, as it is shown and as it answers pointer and keys."""

import dataclasses
import time
import tkinter as tk
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import talk

from chatsecure.client import emoji
from chatsecure.client.history import HistoryLine
from chatsecure.gui import body, card, entries, history, paint
from chatsecure.gui.history import History
from chatsecure.gui.pages import MAX_LINES
from chatsecure.gui.theme import Theme

WAIT_S = 10


class Shown:
    """A history on the screen and what it told."""

    def __init__(self, root: tk.Tk, palette: str = "light", scale: float = 1.0) -> None:
        self.root = root
        self.theme = Theme(root, palette, scale)
        self.now = 0
        self.told: list[tuple[str, Any]] = []
        self.history = History(root, self.theme, on=lambda what, value: self._hear(what, value))
        self.history.pack(fill="both", expand=True)
        self.text = self.history._text
        self.answer: Callable[[str, Any], None] = lambda *_: None
        root.update()

    def _hear(self, what: str, value: Any) -> None:
        self.told.append((what, value))
        self.answer(what, value)

    def open(self, lines: list[HistoryLine], conversation: str = "#design", **more: Any) -> None:
        given = {"first_unread": None, "at_end": True, **more}
        self.history.open(conversation, "alice", lines, **given)
        self.settle()

    def settle(self) -> None:
        """Until nothing waits to be done any more."""
        until = time.monotonic() + WAIT_S
        self.root.update()
        while self.history._waiting and time.monotonic() < until:
            self.root.update()
            time.sleep(0.005)

    def what(self, kind: str) -> list[Any]:
        return [value for what, value in self.told if what == kind]

    def words(self) -> str:
        """All that stands there, drawn or not."""
        self.text.tag_add("sel", "1.0", "end")
        words = self.history.selected_text()
        self.text.tag_remove("sel", "1.0", "end")
        return words

    def click(self, words: str) -> None:
        """Press on letters that are in view."""
        at = self.text.search(words, "1.0")
        assert at, words
        self.text.see(at)
        self.root.update()
        box = self.text.bbox(at)
        assert box
        self.press(box[0] + 2, box[1] + box[3] // 2)

    def press(self, x: int, y: int) -> None:
        # Far enough apart in time to be no double click.
        self.now += 2000
        self.text.event_generate("<Button-1>", x=x, y=y, time=self.now)
        self.text.event_generate("<ButtonRelease-1>", x=x, y=y, time=self.now + 10)
        self.root.update()

    def press_card(self, n: int, button: str) -> None:
        """Press a button of a file's card."""
        entry = self.history._pages.by_place(n)
        assert entry is not None
        self.text.see(f"{entry.tag}.first")
        self.root.update()
        for name, mark in entry.images.items():
            if mark.card is not None:
                left, top, right, bottom = dict(mark.card.buttons)[button]
                box = self.text.bbox(self.text.index(name))
                assert box
                self.press(box[0] + (left + right) // 2, box[1] + (top + bottom) // 2)


@pytest.fixture
def shown(root: tk.Tk) -> Shown:
    return Shown(root)


def test_everything_can_be_shown_and_copied(shown: Shown) -> None:
    shown.open(talk.everything())
    shown.history.add_older([])
    words = shown.words()
    for part in (
        "This is the beginning of #design", "Today", "Yesterday", "bob joined",
        "Shall we look at the new drawings", "https://plans.example/v2",
        "👨‍👩‍👧‍👦 🇺🇦", "🎉🎉", "שלום לכולם, זאת הודעה ארוכה", "السلام عليكم", "नमस्ते",
        "This message was deleted", "erin, frank, gina and 1 other joined, ivan left",
        "The identity of carol has changed", "[file lecture-07.pdf]", "* alice waves", "(edited)",
        "not sent", "queued", "delivered 2/3", "[👍 bob, carol]",
    ):  # fmt: skip
        assert part in words, part


def test_messages_of_one_sender_within_five_minutes_share_a_head(shown: Shown) -> None:
    base = talk.NOW
    minutes = (0, 2, 6, 12)
    lines = [
        talk.line(n, "bob", f"m{n}", at=base.replace(minute=minute))
        for n, minute in enumerate(minutes, 1)
    ]
    shown.open(lines)
    heads = [entry.head for entry in shown.history._pages.entries]
    assert heads == [True, False, False, True]


def test_a_private_chat_passes_for_no_room(shown: Shown) -> None:
    shown.open([talk.line(1, "bob", "hi", conversation="@bob")], "@bob")
    assert shown.history._banner.winfo_ismapped()
    assert shown.history._strip.winfo_width() >= 4
    assert "private" in shown.words()
    shown.open([talk.line(1, "bob", "hi")], "#design")
    assert not shown.history._banner.winfo_ismapped()
    assert "private" not in shown.words()


def test_new_messages_are_marked_and_come_into_view(shown: Shown) -> None:
    shown.open(talk.plain(200), first_unread=150)
    assert "New messages" in shown.words()
    index = shown.text.search("New messages", "1.0")
    assert shown.text.dlineinfo(index) is not None
    assert not shown.history.at_bottom()
    shown.history.clear_unread()
    assert "New messages" not in shown.words()


def test_what_comes_while_the_end_is_in_view_is_seen_at_once(shown: Shown) -> None:
    shown.open(talk.plain(100))
    assert shown.history.at_bottom()
    shown.history.append([talk.line(500, "bob", "the newest")])
    shown.settle()
    assert shown.history.at_bottom()
    assert shown.what("seen")[-1] == 500
    shown.history.append([talk.line(500, "bob", "the newest")])
    assert shown.words().count("the newest") == 1


def test_what_comes_while_reading_above_moves_nothing_and_is_counted(shown: Shown) -> None:
    shown.open(talk.plain(200))
    shown.text.yview_moveto(0.5)
    shown.settle()
    top = shown.text.index("@0,0")
    shown.history.append([talk.line(500, "bob", "one"), talk.line(501, "bob", "two")])
    shown.settle()
    assert shown.text.index("@0,0") == top
    assert shown.history._down.winfo_ismapped()
    assert str(shown.history._down.cget("text")).startswith("2 new messages")
    shown.history._down.invoke()
    shown.settle()
    assert shown.history.at_bottom()
    assert not shown.history._down.winfo_ismapped()


def test_an_older_page_leaves_what_is_read_where_it_is(shown: Shown) -> None:
    shown.open(talk.plain(100, 101))
    assert shown.what("older") == []
    shown.text.yview_moveto(0)
    shown.text.yview_scroll(137, "pixels")
    shown.settle()
    assert shown.what("older") == [101]
    third = shown.history._pages.entries[8]
    before = shown.text.dlineinfo(f"{third.tags[0]}.first")
    assert before
    shown.history.add_older(talk.plain(100, 1))
    shown.root.update()
    after = shown.text.dlineinfo(f"{third.tags[0]}.first")
    assert after
    assert abs(after[1] - before[1]) <= 1


def test_paging_through_thousands_keeps_at_most_600_with_their_tags_and_pictures(
    shown: Shown,
) -> None:
    """A tag or a picture left behind for each message would make it ever slower (G10)."""
    shown.open(talk.plain(150, 10_001))
    sizes = []
    for page in range(20):
        shown.history.add_older(talk.plain(150, 10_001 - 150 * (page + 1)))
        shown.text.yview_moveto(0)
        shown.root.update()
        sizes.append((len(shown.text.tag_names()), len(shown.text.image_names())))
        assert len(shown.history.lines()) <= MAX_LINES
    assert sizes[-1][0] < sizes[4][0] * 1.2
    assert sizes[-1][1] < sizes[4][1] * 1.2
    assert len(shown.history._painter.actions) < 2 * MAX_LINES
    shown.settle()
    shown.history.to_bottom()
    assert shown.what("bottom") == [None]


def test_the_way_back_down_asks_for_newer_pages_until_the_end(shown: Shown) -> None:
    shown.open(talk.plain(200, 1), at_end=False)

    def answer(what: str, value: Any) -> None:
        if what == "newer":
            end = value + 101 >= 1000
            shown.root.after(
                1, lambda: shown.history.add_newer(talk.plain(100, value + 1), at_end=end)
            )

    shown.answer = answer
    for _ in range(400):
        shown.text.yview_scroll(400, "pixels")
        shown.settle()
        if shown.history.at_bottom():
            break
    places = [line.n for line in shown.history.lines()]
    assert places == list(range(places[0], places[-1] + 1))
    assert places[-1] >= 1000
    assert shown.what("newer") == sorted(set(shown.what("newer")))


def test_a_change_is_drawn_in_its_place(shown: Shown) -> None:
    lines = talk.everything()
    shown.open(lines)
    old = next(line for line in lines if line.n == 36)
    shown.history.update_line(dataclasses.replace(old, state="stored", text="Changed", edited=True))
    words = shown.words()
    assert "Changed  (edited)" in words
    assert "Not yet" not in words
    assert words.index("Changed") < words.index("This one is the last")
    assert [line.n for line in shown.history.lines()] == [line.n for line in lines]
    shown.history.update_line(dataclasses.replace(old, id="f" * 32))


def test_what_was_queued_takes_its_place_behind_what_came_meanwhile(shown: Shown) -> None:
    queued = talk.line(10, "alice", "mine", state="queued")
    shown.open([talk.line(9, "bob", "before"), queued])
    shown.history.append([talk.line(11, "bob", "meanwhile"), talk.line(12, "bob", "and this")])
    stored = dataclasses.replace(queued, n=13, state="stored", people=1)
    shown.history.update_line(stored)
    words = shown.words()
    assert words.index("meanwhile") < words.index("and this") < words.index("mine")
    assert [line.n for line in shown.history.lines()] == [9, 11, 12, 13]
    assert [entry.head for entry in shown.history._pages.entries] == [True, False, False, True]
    shown.history.append([talk.line(14, "alice", "more")])
    assert words.count("mine") == 1


def test_only_our_newest_message_tells_its_reach_in_words(shown: Shown) -> None:
    shown.open([talk.line(1, "alice", "one", people=2, read=2)])
    assert "read" in shown.words()
    shown.history.append([talk.line(2, "alice", "two", people=2, delivered=1)])
    words = shown.words()
    assert "read" not in words
    assert "delivered 1/2" in words


def test_a_reply_leads_to_what_it_answers(shown: Shown) -> None:
    lines = talk.plain(120)
    lines.append(talk.line(900, "bob", "an answer", reply_to=lines[2].id))
    lines.append(talk.line(901, "carol", "another", reply_to="ab" * 16))
    shown.open(lines)
    shown.click("an earlier message")
    assert shown.what("jump-to") == ["ab" * 16]
    at = shown.text.search("\t", f"{shown.history._pages.by_place(900).tag}.first")
    assert at
    assert shown.history.jump_to(lines[2].id)
    shown.root.update()
    assert shown.text.dlineinfo(f"{shown.history._pages.by_place(lines[2].n).tag}.first")


def test_names_links_and_reactions_answer_a_click(shown: Shown) -> None:
    shown.open(talk.everything()[2:6])
    shown.click("https://plans")
    shown.click("bob")
    assert shown.what("link") == ["https://plans.example/v2"]
    assert shown.what("user")[0] == "bob"
    entry = shown.history._pages.by_place(5)
    assert entry is not None
    chip = [name for name, mark in entry.images.items() if (mark.action or ("",))[0] == "reaction"]
    box = shown.text.bbox(shown.text.index(chip[0]))
    assert box
    shown.press(box[0] + 5, box[1] + 5)
    assert shown.what("reaction") == [(entry.line, "👍")]


@pytest.mark.parametrize(
    ("n", "button"),
    [(30, "accept"), (30, "decline"), (31, "cancel"), (32, "open-folder"), (32, "show-picture"),
     (33, "resume")],
)  # fmt: skip
def test_a_files_buttons_answer_a_click(shown: Shown, n: int, button: str) -> None:
    shown.open([line for line in talk.everything() if line.n == n])
    shown.press_card(n, button)
    assert [line.n for line in shown.what(button)] == [n]


def test_a_files_bar_grows_without_a_new_line(shown: Shown) -> None:
    shown.open([line for line in talk.everything() if line.n == 31])
    entry = shown.history._pages.by_place(31)
    assert entry is not None
    [mark] = [mark for mark in entry.images.values() if mark.card]
    before = mark.card.picture.tobytes() if mark.card else b""
    for done in range(0, 700_000_000, 50_000_000):
        shown.history.progress(entry.line.id, done, 734_003_200)
    shown.settle()
    assert mark.card is not None
    assert mark.card.picture.tobytes() != before
    assert entry is shown.history._pages.by_place(31)


def test_a_card_tells_why_a_file_waits_or_failed_and_how_far_it_came(
    shown: Shown, picture: Callable[[str], Path]
) -> None:
    shown.open(talk.halted())
    picture("history-halted")
    lines = {line.text: line for line in talk.halted()}
    assert "larger than" in card.why(lines["archive"])
    assert "SHA-256 differs" in card.why(lines["scan.pdf"])
    assert card.state_words(lines["scan.pdf"], None) == "1.5 MB of 4.0 MB · 37 % · failed"
    assert card.buttons_of(lines["draft.odt"]) == [], "what was taken back cannot be fetched"
    assert [name for name, *_rest in card.buttons_of(lines["scan.pdf"])] == ["resume"]


def test_a_thumbnail_that_is_no_picture_is_left_out(shown: Shown) -> None:
    for data in (b"x", b"\x89PNG\r\n\x1a\n" + b"\0" * 50, talk.thumbnail()[:200]):
        shown.open([talk.line(1, "bob", "a.png", file=True, size=1, thumbnail=data)])
        assert "[file a.png]" in shown.words()


def test_folded_comings_and_goings_can_be_unfolded(shown: Shown) -> None:
    shown.open(talk.everything())
    assert "hugo joined" not in shown.words()
    shown.click("Show all")
    assert "hugo joined" in shown.words()
    shown.click("Show less")
    assert "hugo joined" not in shown.words()


def test_folds_that_meet_at_the_edge_of_a_page_become_one(shown: Shown) -> None:
    some = [talk.notice(n, f"u{n}", "joined") for n in range(1, 11)]
    shown.open(some[5:])
    shown.history.add_older(some[:5])
    shown.history.append([talk.notice(11, "u11", "left")])
    assert len(shown.history._pages.entries) == 1
    assert [line.n for line in shown.history.lines()] == list(range(1, 12))


def test_the_keys_choose_a_message_and_act_on_it(shown: Shown) -> None:
    shown.open(talk.everything())
    shown.history.focus_last()
    shown.text.focus_force()
    shown.root.update()
    assert shown.history.selected() is not None
    assert shown.history.selected().n == 38
    for key in ("<Up>", "<Up>", "<KeyPress-r>", "<KeyPress-e>", "<KeyPress-d>", "<KeyPress-plus>"):
        shown.text.event_generate(key)
        shown.root.update()
    for what in ("reply", "edit", "delete", "react"):
        assert [line.n for line in shown.what(what)] == [36]
    for _ in range(6):
        shown.text.event_generate("<Up>")
    shown.text.event_generate("<Return>")
    shown.root.update()
    assert [line.n for line in shown.what("accept")] == [30]
    shown.text.event_generate("<Escape>")
    shown.root.update()
    assert shown.history.selected() is None


def test_of_messages_that_are_all_pictures_only_so_much_is_drawn(
    shown: Shown,
) -> None:
    """Whoever sends thousands of emoji must not be able to freeze the window."""
    shown.open([talk.line(n, "bob", "😀א" * 2000) for n in range(1, 21)])
    assert len(shown.text.image_names()) < 200
    assert "Show all of it" in shown.text.get("1.0", "end")


def test_a_very_long_message_is_shown_in_part_until_asked_for(shown: Shown) -> None:
    shown.open([talk.line(1, "bob", "word " * 3000 + "the end")])
    assert "the end" not in shown.words()
    shown.click("Show all of it")
    assert "the end" in shown.words()
    shown.click("Show less")
    assert "the end" not in shown.words()


@pytest.mark.parametrize("name", ["😀mia", "משה", "مريم👍🏽"])
def test_nothing_that_tk_cannot_draw_gets_into_its_text(shown: Shown, name: str) -> None:
    """Wherever a name or a text of others is shown (G2, G3)."""
    first = talk.line(2, name, f"hi {name}")
    lines = [
        talk.notice(1, name, "joined"), first,
        talk.line(3, name, f"@{name} **{name}** `{name}` https://x.example/{name}\n> {name}",
                  mentions=(name,), reply_to=first.id, reactions={"👍": [name]}),
        talk.line(4, name, name, action=True), talk.line(5, name, f"{name}.pdf", file=True, size=1),
        talk.line(6, "bob", f"```\n{name}\n```"), talk.notice(7, name, "changed", "identity"),
        *(talk.notice(10 + n, f"{name}{n}", "joined") for n in range(4)),
    ]  # fmt: skip
    shown.open(lines, f"@{name}", topic=name)
    shown.history.add_older([])
    words = shown.text.get("1.0", "end") + str(shown.history._banner_text.cget("text"))
    assert not emoji.pattern().search(words)
    text = shown.text.get("1.0", "end")
    assert not any(unicodedata.bidirectional(sign) in ("R", "AL") for sign in text)
    assert words.count("\ufffd") == 0


def test_the_windows_own_words_may_be_of_any_script(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the language is Arabic."""
    for module in (body, entries, paint, history):
        monkeypatch.setattr(module, "_", lambda words: "מילים " + words)
        monkeypatch.setattr(module, "several", lambda one, many, n: f"מילים {n}", raising=False)
    shown.open(talk.everything("@bob"), "@bob", first_unread=30)
    shown.history.add_older([])
    shown.history.append([talk.line(50, "bob", "hi", reply_to="aa")])
    text = shown.text.get("1.0", "end")
    assert not any(unicodedata.bidirectional(sign) in ("R", "AL") for sign in text)
    assert "מילים New messages" in shown.words()


def test_the_other_button_of_the_pointer_asks_for_a_menu(shown: Shown) -> None:
    shown.open(talk.plain(5))
    shown.text.event_generate("<Button-3>", x=100, y=shown.text.dlineinfo("end-2l")[1] + 4)
    shown.root.update()
    assert len(shown.what("menu")) == 1


def test_the_tab_key_leads_on_and_back(shown: Shown) -> None:
    button = tk.Button(shown.root, text="next")
    button.pack()
    shown.open(talk.plain(5))
    shown.text.focus_force()
    shown.root.update()
    shown.text.event_generate("<Tab>")
    shown.root.update()
    assert shown.root.focus_get() is not shown.text


def test_the_bar_of_actions_floats_over_the_message_under_the_pointer(shown: Shown) -> None:
    shown.open(talk.plain(50))
    box = shown.text.dlineinfo("end-3l")
    assert box
    shown.text.event_generate("<Motion>", x=200, y=box[1] + 5)
    shown.root.update()
    actions = shown.history._touch.actions
    assert actions.winfo_ismapped()
    hovered = shown.history._pages.marked["hover"]
    assert hovered is not None
    dict(actions._buttons)["reply"].event_generate("<Button-1>")
    shown.root.update()
    assert shown.what("reply") == [hovered.line]
    shown.history.scroll(-300)
    shown.settle()
    assert not actions.winfo_ismapped()


def test_a_sign_under_the_pointer_is_told_in_words(shown: Shown) -> None:
    line = talk.line(1, "alice", "hi", people=3, delivered=2, reactions={"👍": ["bob", "carol"]})
    shown.open([line, talk.line(2, "alice", "more", people=3)])
    entry = shown.history._pages.by_place(1)
    assert entry is not None
    told = []
    for name, mark in entry.images.items():
        box = shown.text.bbox(shown.text.index(name))
        if mark.action and mark.action[0] in ("info", "reaction") and box:
            shown.text.event_generate("<Motion>", x=box[0] + 3, y=box[1] + 3)
            shown.root.update()
            assert shown.history._touch.hint.winfo_ismapped()
            told.append(shown.history._touch.hint.cget("text"))
    assert told == ["delivered 2/3", "bob, carol"]
    shown.text.event_generate("<Motion>", x=700, y=500)
    shown.root.update()
    assert not shown.history._touch.hint.winfo_ismapped()


def test_where_tk_draws_every_script_it_is_given_the_text(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on macOS and Windows."""
    monkeypatch.setattr(shown.theme, "windowing", "aqua")
    shown.open([talk.line(1, "משה", "שלום **עולם**"), talk.line(2, "משה", "שוב")])
    assert "שלום עולם" in shown.text.get("1.0", "end")
    at = shown.text.search("שוב", "1.0")
    assert "rtl" in shown.text.tag_names(at)


def test_found_words_are_marked(shown: Shown) -> None:
    shown.open(talk.everything())
    assert shown.history.find("HELLO") == 2
    assert len(shown.text.tag_ranges("find")) == 4
    assert shown.history.find("") == 0
    assert shown.text.tag_ranges("find") == ()


def test_found_words_are_marked_in_drawn_letters_too(shown: Shown) -> None:
    """What is drawn is drawn anew, on the colour of what was found, and back again."""
    lines = [
        talk.line(1, "bob", "אמרתי לו שלום עולם היום"),
        talk.line(2, "bob", "In between: שלום, and on"),
        talk.line(3, "bob", "nothing of it"),
    ]
    shown.open(lines)

    def marked() -> int:
        found = 0
        wanted = tuple(bytes.fromhex(shown.theme.color("find")[1:]))
        for entry in shown.history._pages.entries:
            for mark in entry.images.values():
                photo = mark.photo
                at = ((x, photo.height() // 2) for x in range(0, photo.width(), 2))
                found += any(photo.get(*place) == wanted for place in at)
        return found

    assert marked() == 0
    assert shown.history.find("שלום") == 2
    assert marked() == 2
    shown.history.append([talk.line(4, "bob", "שוב שלום")])
    assert marked() == 3
    assert shown.history.find("and שלום") == 4, "each word for itself, drawn or not"
    shown.history.find("")
    assert marked() == 0


def test_copying_puts_drawn_letters_on_the_clipboard(shown: Shown) -> None:
    shown.open([talk.line(1, "bob", "hi 😀 שלום")])
    shown.text.tag_add("sel", "1.0", "end")
    shown.text.focus_force()
    shown.text.event_generate("<<Copy>>")
    shown.root.update()
    assert "hi 😀 שלום" in shown.root.clipboard_get()


@pytest.mark.parametrize("palette", ["dark", "contrast", "light"])
def test_another_palette_and_larger_letters_show_at_once(shown: Shown, palette: str) -> None:
    shown.open(talk.everything())
    height = shown.text.dlineinfo("end-2c")
    shown.theme.apply(palette, 20)
    shown.settle()
    assert shown.text.cget("background") == shown.theme.color("window")
    assert shown.text.dlineinfo("end-2c")[3] > height[3]
    assert "This one is the last" in shown.words()


def test_right_to_left_text_is_set_anew_for_another_width(shown: Shown) -> None:
    shown.open([line for line in talk.everything() if line.n == 11])
    entry = shown.history._pages.entries[0]
    wide = max(mark.photo.width() for mark in entry.images.values() if mark.text)
    shown.root.geometry("420x500")
    shown.settle()
    time.sleep(0.15)
    shown.settle()
    narrow = max(mark.photo.width() for mark in entry.images.values() if mark.text)
    assert narrow < 420 < wide
    assert "וגם עברית שממשיכה" in shown.words().replace("\n", " ").replace("  ", " ")


def test_a_history_that_is_gone_wants_nothing_more(root: tk.Tk) -> None:
    shown = Shown(root)
    shown.history.open("#design", "alice", talk.plain(50), first_unread=None, at_end=True)
    shown.history.destroy()
    shown.theme.apply("dark")
    until = time.monotonic() + 0.3
    while time.monotonic() < until:
        root.update()


@pytest.mark.parametrize(
    "text",
    ["", "\n\n", "```", "```\n```", "> ", "\u202e abc", "א" * 5000, "😀" * 500, "w" * 20_000,
     "a\u0301" * 300, "\x00\x1b[31m", "@" * 100, "[x](http://a)" * 50, "• " * 50, "\ufffd" * 9],
)  # fmt: skip
def test_no_text_of_others_breaks_it(shown: Shown, text: str) -> None:
    shown.open([talk.line(1, "bob", text, reply_to="aa"), talk.line(2, text[:30] or "x", "hi")])
    shown.history.update_line(talk.line(1, "bob", text, reactions={text[:16]: [text[:20]]}))
    shown.settle()


@pytest.mark.parametrize(
    ("name", "palette", "scale", "where", "conversation"),
    [
        ("light-top", "light", 1.0, 0.0, "#design"), ("light-middle", "light", 1.0, 0.4, "#design"),
        ("light-end", "light", 1.0, 1.0, "#design"), ("dark", "dark", 1.0, 0.4, "#design"),
        ("contrast", "contrast", 1.0, 0.7, "#design"), ("double", "light", 2.0, 0.1, "#design"),
        ("private", "dark", 1.0, 1.0, "@bob"),
    ],
)  # fmt: skip
def test_pictures_to_look_at(
    root: tk.Tk, picture: Callable[[str], Path], name: str, palette: str, scale: float,
    where: float, conversation: str,
) -> None:  # fmt: skip
    shown = Shown(root, palette, scale)
    shown.open(talk.everything(conversation), conversation, topic="Where the drawings are made")
    shown.history.add_older([])
    shown.text.yview_moveto(where)
    shown.settle()
    assert picture(f"history-{name}").is_file()
