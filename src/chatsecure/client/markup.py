"""The little markup of messages: text to blocks and spans, for every face that shows letters.

Known are **bold**, *italic*, ~~struck~~, `code`, fences of three backticks, > quotes, lists,
addresses of the web and [words](address), whose address is always shown beside the words, and
`@name`. All else is text as written. Parsing takes time in proportion to the length, whatever a
text holds, and what comes out is harmless to show (`display.harmless`). Knows no face.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .display import harmless

PLAIN: frozenset[str] = frozenset()
STYLES = ("bold", "italic", "strike", "code", "link", "mention", "me")
"""What a span may be; `me` stands beside `mention` where the reader is meant."""
MAX_DEPTH = 3


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a line, of one style."""

    text: str
    styles: frozenset[str] = PLAIN
    target: str = ""
    """Of a link: where it goes, `http` or `https`. Of a mention: the name."""


@dataclass(frozen=True, slots=True)
class Block:
    """Lines that belong together; a line break is a `\\n` inside a span of no style."""

    kind: str
    """`text`, `quote`, `item` or `code`."""
    spans: tuple[Span, ...]
    mark: str = ""
    """Of an item: its bullet or number. Of code: the language, where one is named."""
    depth: int = 0
    """Of an item: how far it is set in, up to `MAX_DEPTH`."""


_FENCE = re.compile(r"^ {0,3}```\s*([\w+#.-]{0,20})\s*$")
_QUOTE = re.compile(r"^ {0,3}>(?: (.*)|)$")
_ITEM = re.compile(r"^( {0,12})([-*•+]|\d{1,3}[.)]) +(\S.*)$")
_ADDRESS = r"https?://[^\s<>\"`\\^{}|]{1,2000}"
_TOKEN = re.compile(
    r"(?P<code>```(?:[^`\n]|`(?!``))+```|``(?:[^`\n]|`(?!`))+``|`[^`\n]+`)"
    r"|(?P<words>\[(?P<label>[^\[\]\n]{1,200})\]\((?P<to>https?://[^\s()<>\"`]{1,1000})\))"
    rf"|(?P<address>(?<![\w/]){_ADDRESS})"
    r"|(?P<mention>(?<!\w)@[^\s@#:,;!?()\[\]{}<>\"'*~`]+)"
    r"|(?P<delimiter>\*\*|\*|__|_|~~)",
    re.IGNORECASE,
)
_STYLE_OF = {"**": "bold", "__": "bold", "*": "italic", "_": "italic", "~~": "strike"}


def parse(text: str, mentions: Iterable[str] = (), me: str = "") -> list[Block]:
    """The blocks of a message's text, foreign or own.

    Args:
        mentions: the names that the message mentions; others stay text.
        me: the reader's name.
    """
    return list(_blocks(harmless(text), _Names(mentions, me)))


def plain(text: str) -> str:
    """The text in one line without its marks, for a list or a notification."""
    parts = []
    for block in parse(text):
        words = "".join(span.text for span in block.spans)
        parts.append(f"{block.mark} {words}" if block.kind == "item" else words)
    return " ".join(" ".join(parts).split())


class _Names:
    """Which names a text mentions, and which of them is the reader's."""

    def __init__(self, mentions: Iterable[str], me: str) -> None:
        self.by_fold = {_fold(name): name for name in mentions}
        self.me = _fold(me)

    def find(self, word: str) -> str | None:
        return self.by_fold.get(_fold(word))


def _fold(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def _blocks(text: str, names: _Names) -> Iterator[Block]:
    lines = text.strip("\n").split("\n")
    at = 0
    while at < len(lines):
        line = lines[at]
        if fence := _FENCE.match(line):
            end = at + 1
            while end < len(lines) and lines[end].strip() != "```":
                end += 1
            code = "\n".join(lines[at + 1 : end])
            if code:
                yield Block("code", (Span(code, frozenset({"code"})),), fence.group(1))
            else:
                yield Block("text", (Span("\n".join(lines[at : end + 1])),))
            at = end + 1
        elif _QUOTE.match(line):
            start = at
            while at < len(lines) and _QUOTE.match(lines[at]):
                at += 1
            quoted = [re.sub(r"^ {0,3}> ?", "", one) for one in lines[start:at]]
            yield Block("quote", _lines(quoted, names))
        elif item := _ITEM.match(line):
            depth = min(len(item.group(1)) // 2, MAX_DEPTH)
            mark = item.group(2)
            mark = "•" if mark in "-*+•" else mark
            yield Block("item", tuple(_inline(item.group(3), names)), mark, depth)
            at += 1
        else:
            start = at
            while at < len(lines) and not _begins_block(lines[at]):
                at += 1
            yield Block("text", _lines(lines[start:at], names))


def _begins_block(line: str) -> bool:
    return bool(_FENCE.match(line) or _QUOTE.match(line) or _ITEM.match(line))


def _lines(lines: list[str], names: _Names) -> tuple[Span, ...]:
    spans: list[Span] = []
    for number, line in enumerate(lines):
        if number:
            _add(spans, "\n")
        for span in _inline(line, names):
            _add(spans, span.text, span.styles, span.target)
    return tuple(spans)


def _add(spans: list[Span], text: str, styles: frozenset[str] = PLAIN, target: str = "") -> None:
    if not text:
        return
    if spans and spans[-1].styles == styles and spans[-1].target == target:
        text = spans.pop().text + text
    spans.append(Span(text, styles, target))


@dataclass(slots=True)
class _Piece:
    text: str
    styles: frozenset[str] = PLAIN
    target: str = ""
    opens: str = ""
    closes: str = ""
    delimiter: bool = False


def _inline(line: str, names: _Names) -> list[Span]:
    pieces = list(_pieces(line, names))
    _pair(pieces)
    spans: list[Span] = []
    active: list[str] = []
    for piece in pieces:
        if piece.opens:
            active.append(piece.opens)
        elif piece.closes:
            active.remove(piece.closes)
        else:
            _add(spans, piece.text, piece.styles | frozenset(active), piece.target)
    return spans


def _pieces(line: str, names: _Names) -> Iterator[_Piece]:
    done = 0
    for found in _TOKEN.finditer(line):
        if found.start() > done:
            yield _Piece(line[done : found.start()])
        done = found.end()
        text = found.group()
        match found.lastgroup:
            case "code":
                ticks = len(text) - len(text.lstrip("`"))
                yield _Piece(text[ticks:-ticks], frozenset({"code"}))
            case "words":
                label, target = found.group("label"), found.group("to")
                # Words must not pass for another place than the one they lead to.
                shown = target if label == target else f"{label} ({target})"
                yield _Piece(shown, frozenset({"link"}), target)
            case "address":
                target = _trimmed(text)
                yield _Piece(target, frozenset({"link"}), target)
                if len(target) < len(text):
                    yield _Piece(text[len(target) :])
            case "mention":
                yield from _mention(text, names)
            case _:
                yield _Piece(text, delimiter=True)
    if done < len(line):
        yield _Piece(line[done:])


def _mention(text: str, names: _Names) -> Iterator[_Piece]:
    for end in (len(text), len(text.rstrip(".-_"))):
        name = names.find(text[1:end])
        if name is not None:
            mine = {"me"} if _fold(name) == names.me else set()
            yield _Piece(text[:end], frozenset({"mention"} | mine), name)
            if end < len(text):
                yield _Piece(text[end:])
            return
    yield _Piece(text)


def _trimmed(address: str) -> str:
    """An address without the punctuation of the sentence around it."""
    while address:
        last = address[-1]
        unopened = last == ")" and address.count(")") > address.count("(")
        if last not in ".,;:!?'*_~" and not unopened:
            break
        address = address[:-1]
    return address


def _pair(pieces: list[_Piece]) -> None:
    """Find which delimiters open and close a style; the others stay text."""
    openers: list[int] = []
    counts = dict.fromkeys(_STYLE_OF, 0)
    for number, piece in enumerate(pieces):
        if not piece.delimiter:
            continue
        following = pieces[number + 1] if number + 1 < len(pieces) else piece
        inner = pieces[openers[-1]].text if openers else ""
        if (piece.text, following.text, inner) == ("**", "*", "*"):
            # Of three stars the inner style's come first.
            piece.text, following.text = "*", "**"
        before = _edge(pieces, number - 1, last=True)
        after = _edge(pieces, number + 1, last=False)
        inside_word = piece.text[0] == "_" and before.isalnum() and after.isalnum()
        kind = piece.text
        if counts[kind] and before.strip() and not inside_word:
            other = openers.pop()
            while pieces[other].text != kind:
                counts[pieces[other].text] -= 1
                other = openers.pop()
            counts[kind] -= 1
            if other == number - 1:
                continue
            pieces[other].opens = pieces[number].closes = _STYLE_OF[kind]
        elif after.strip() and not inside_word and not (kind[0] == "_" and before.isalnum()):
            openers.append(number)
            counts[kind] += 1


def _edge(pieces: list[_Piece], number: int, *, last: bool) -> str:
    if not 0 <= number < len(pieces) or not pieces[number].text:
        return " "
    return pieces[number].text[-1 if last else 0]
