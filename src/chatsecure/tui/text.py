"""Text in cells: wrapping and cutting by what a terminal shows, not by characters.

A line breaks at blanks, between wide signs, and inside a word only where the word is longer than
the line; never inside a grapheme cluster (a letter with its marks, a flag, a family of emoji).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from rich.cells import cell_len

S = TypeVar("S")
Piece = tuple[str, S]
"""A text and its style."""

_WORDS = re.compile(r" +|[^ ]+")


def graphemes(text: str) -> Iterable[str]:
    """What a reader takes for one sign each."""
    if text.isascii():
        return text
    # Loaded with the first text that needs it: its tables take their time at the start.
    from wcwidth import iter_graphemes

    return iter_graphemes(text)


def cut(text: str, width: int) -> str:
    """The text in at most so many cells, with an ellipsis where something is left out."""
    if cell_len(text) <= width:
        return text
    if width < 1:
        return ""
    kept, room = [], width - 1
    for sign in graphemes(text):
        room -= cell_len(sign)
        if room < 0:
            break
        kept.append(sign)
    return "".join(kept) + "…"


def fill(text: str, width: int) -> str:
    """The text cut or padded to exactly so many cells."""
    shown = cut(text, width)
    return shown + " " * (width - cell_len(shown))


def wrap(pieces: Sequence[Piece[S]], width: int) -> list[list[Piece[S]]]:
    """The lines of a text of several styles.

    Args:
        pieces: texts with their styles; `\\n` ends a line.
        width: cells of a line, at least 2.
    """
    width = max(width, 2)
    lines: list[list[Piece[S]]] = [[]]
    room = width
    for word, cells in _words(pieces):
        if word is None:
            lines.append([])
            room = width
            continue
        if cells > room:
            if word[0][0].isspace():
                # The blank at which a line breaks is not shown.
                lines.append([])
                room = width
                continue
            if room < width:
                _strip(lines[-1])
                lines.append([])
                room = width
            if cells > width:
                room = _chop(word, width, lines)
                continue
        lines[-1] += word
        room -= cells
    return [_joined(line) for line in lines]


def _joined(line: list[Piece[S]]) -> list[Piece[S]]:
    """Neighbours of one style as one piece: less to draw, and less to send."""
    found: list[Piece[S]] = []
    for text, kind in line:
        if found and found[-1][1] == kind:
            found[-1] = (found[-1][0] + text, kind)
        elif text:
            found.append((text, kind))
    return found


def _words(pieces: Sequence[Piece[S]]) -> Iterator[tuple[list[Piece[S]] | None, int]]:
    """Words (each maybe of several styles) and blanks with their cells; None ends a line."""
    word: list[Piece[S]] = []
    cells = 0
    for text, kind in pieces:
        for number, line in enumerate(text.split("\n")):
            if number:
                if word:
                    yield word, cells
                    word, cells = [], 0
                yield None, 0
            for part in _WORDS.findall(line):
                if part[0] == " ":
                    if word:
                        yield word, cells
                        word, cells = [], 0
                    yield [(part, kind)], len(part)
                    continue
                for bit in _breakable(part):
                    if word and (_wide(bit[0]) or _wide(word[-1][0][-1])):
                        yield word, cells
                        word, cells = [], 0
                    word.append((bit, kind))
                    cells += cell_len(bit)
    if word:
        yield word, cells


def _wide(sign: str) -> bool:
    """Scripts that are written without blanks break anywhere."""
    return (
        "\u2e80" <= sign <= "\u9fff" or "\uac00" <= sign <= "\ud7a3" or "\uff00" <= sign <= "\uffef"
    )


def _breakable(word: str) -> list[str]:
    if word.isascii() or not any(map(_wide, word)):
        return [word]
    parts: list[str] = []
    for sign in graphemes(word):
        if parts and not _wide(sign[0]) and not _wide(parts[-1][0]):
            parts[-1] += sign
        else:
            parts.append(sign)
    return parts


def _strip(line: list[Piece[S]]) -> None:
    while line and line[-1][0].isspace():
        line.pop()


def _chop(word: list[Piece[S]], width: int, lines: list[list[Piece[S]]]) -> int:
    """Put a word longer than a line onto lines of its own; gives the room left on the last."""
    room = width
    for text, kind in word:
        part: list[str] = []
        for sign in graphemes(text):
            cells = cell_len(sign)
            if cells > room:
                lines[-1].append(("".join(part), kind))
                part = []
                lines.append([])
                room = width
            part.append(sign)
            room -= cells
        if part:
            lines[-1].append(("".join(part), kind))
    return room
