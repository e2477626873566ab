"""The little markup of messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatsecure.client.display import harmless
from chatsecure.client.markup import MAX_DEPTH, STYLES, Block, Span, parse, plain

SIGNS = [*"*_~`>-[]()@#ab \n1.:/", "http://", "https://x.y/", "```", "é", "\u202e"]
MARKS = st.lists(st.sampled_from(SIGNS)).map("".join)


def shown(text: str, mentions: tuple[str, ...] = (), me: str = "") -> list[tuple[str, str]]:
    """Each span of the first block as its text and its styles."""
    [block] = parse(text, mentions, me)
    return [(span.text, " ".join(sorted(span.styles))) for span in block.spans]


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("plain", [("plain", "")]),
        ("a **b** c", [("a ", ""), ("b", "bold"), (" c", "")]),
        ("__b__", [("b", "bold")]),
        ("*i* _j_", [("i", "italic"), (" ", ""), ("j", "italic")]),
        ("**b *bi***", [("b ", "bold"), ("bi", "bold italic")]),
        ("~~no~~ yes", [("no", "strike"), (" yes", "")]),
        ("run `ls **x**` now", [("run ", ""), ("ls **x**", "code"), (" now", "")]),
        ("``a`b``", [("a`b", "code")]),
        ("```one line```", [("one line", "code")]),
    ],
)
def test_marks_make_styles(text: str, spans: list[tuple[str, str]]) -> None:
    assert shown(text) == spans


@pytest.mark.parametrize(
    "text",
    [
        "2 * 3 * 4", "snake_case_name", "a*", "*", "**", "****", "~~", "_ _", "`", "``", "f(x)[0]",
        "5 > 4", ">_<", ">:(", "-1", "1.5", "@nobody", "a@b.example", "[x](javascript:1)",
        "look: /a/b_c_d", "**never closed", "ends with *",
    ],
)  # fmt: skip
def test_what_only_looks_like_a_mark_stays_as_written(text: str) -> None:
    assert shown(text) == [(text, "")]


def test_blocks_are_told_apart() -> None:
    text = "hi\nthere\n> quoted\n> more\n- one\n  - two\n3. three\n```py\nx = *1*\n```\nend"
    assert [(b.kind, b.mark, b.depth, "".join(s.text for s in b.spans)) for b in parse(text)] == [
        ("text", "", 0, "hi\nthere"),
        ("quote", "", 0, "quoted\nmore"),
        ("item", "•", 0, "one"),
        ("item", "•", 1, "two"),
        ("item", "3.", 0, "three"),
        ("code", "py", 0, "x = *1*"),
        ("text", "", 0, "end"),
    ]


def test_a_fence_that_never_ends_takes_the_rest() -> None:
    assert parse("```\na\nb") == [Block("code", (Span("a\nb", frozenset({"code"})),))]


def test_an_address_is_a_link_without_the_sentence_around_it() -> None:
    [block] = parse("see https://example.org/a_(b). Or (https://x.example/q?a=1&b=*2*)!")
    assert [span.target for span in block.spans if "link" in span.styles] == [
        "https://example.org/a_(b)",
        "https://x.example/q?a=1&b=*2",
    ]


def test_the_words_of_a_link_never_hide_where_it_goes() -> None:
    assert shown("[https://bank.example](https://evil.example)") == [
        ("https://bank.example (https://evil.example)", "link")
    ]


def test_only_members_who_are_meant_are_mentioned_and_the_reader_stands_out() -> None:
    assert shown("hi @Bob, @carol. @dave", ("bob", "carol"), "BOB") == [
        ("hi ", ""),
        ("@Bob", "me mention"),
        (", ", ""),
        ("@carol", "mention"),
        (". @dave", ""),
    ]


def test_a_list_shows_the_words_alone() -> None:
    assert plain("**Hi**\n> x\n- one\n```\ncode\n```") == "Hi x • one code"


@given(MARKS | st.text())
def test_any_text_parses_and_nothing_is_invented(text: str) -> None:
    left = iter(harmless(text) + "•" * 10_000)
    for block in parse(text):
        assert block.kind in ("text", "quote", "item", "code")
        assert 0 <= block.depth <= MAX_DEPTH
        for span in block.spans:
            assert span.text
            assert span.styles <= set(STYLES)
            assert span.text == harmless(span.text) or "\u200d" in text
            if "link" in span.styles:
                assert span.target.lower().startswith(("http://", "https://"))
                assert span.target in span.text
            # In order, and nothing that was not written.
            assert "(" in span.text or all(sign in left for sign in span.text)
    plain(text)


@given(st.text(alphabet="abc é,;\n", min_size=1).filter(lambda text: text.strip("\n")))
def test_text_without_marks_comes_out_as_it_went_in(text: str) -> None:
    assert parse(text) == [Block("text", (Span(text.strip("\n")),))]


@pytest.mark.parametrize(
    "unit",
    [
        "*",
        "**",
        "_a ",
        "`",
        "``a",
        "[",
        "[a](http://",
        "~~a",
        "> ",
        "- ",
        "```\n",
        "@a*_",
        "*a _b ",
    ],
)
@pytest.mark.timeout(20)
def test_no_text_takes_for_ever(unit: str) -> None:
    """Each takes some milliseconds; what grows with the square of the length takes minutes."""
    parse(unit * (65_536 // len(unit)), ("a",))
