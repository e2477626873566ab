"""Words that were searched for: where they stand in a text, marked as it is shown."""

import re
from collections.abc import Sequence
from functools import lru_cache

from rich.style import Style

from .text import Piece


@lru_cache(maxsize=8)
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    # As the search does: words of letters are found by their beginning, others anywhere.
    ways = (
        (r"(?<![^\W_])" if word.isalnum() and word.isascii() else "") + re.escape(word)
        for word in sorted(words, key=len, reverse=True)
    )
    return re.compile("|".join(ways), re.IGNORECASE)


def places(text: str, words: tuple[str, ...]) -> list[tuple[int, int]]:
    """Where these words stand, as beginnings and ends."""
    return [found.span() for found in _pattern(words).finditer(text)] if words else []


def marked(
    pieces: Sequence[Piece[Style]], words: tuple[str, ...], mark: Style
) -> list[Piece[Style]]:
    """The same text with a style more where these words stand."""
    if not words:
        return list(pieces)
    found: list[Piece[Style]] = []
    for text, kind in pieces:
        at = 0
        for begin, end in places(text, words):
            found += [(text[at:begin], kind), (text[begin:end], kind + mark)]
            at = end
        found.append((text[at:], kind))
    return [piece for piece in found if piece[0]]


def around(text: str, words: tuple[str, ...], room: int) -> str:
    """A text that begins a little before the first of these words, where it stands too far behind
    to be seen in so many signs."""
    found = places(text, words)
    if not found or found[0][1] <= room:
        return text
    return "…" + text[max(0, found[0][0] - room // 3) :]
