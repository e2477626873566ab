"""The window's words as its widgets show them: in a language written from right to left, Tk on X11
wants them in the order they are seen, letters joined.

A text with places to fill is turned only once they are filled. What draws its letters itself
(lists, paragraphs, the history) takes the `logical` text.
"""

from typing import Any

from chatsecure import words

from .glyphs import X11, fit_for_tk


class Seen(str):
    """A text in the order it is seen, which remembers the order it is read."""

    __slots__ = ("read",)
    read: str

    def format(self, *places: Any, **named: Any) -> str:
        """Fill the places, then turn it."""
        return seen(self.read.format(*places, **named))


def seen(text: str) -> str:
    """A text of ours for a widget."""
    if not X11 or text.isascii() or not words.right_to_left():
        return text
    turned = Seen(fit_for_tk(text, base="rtl"))
    turned.read = text
    return turned


def _(text: str) -> str:
    """The text in the person's language, for a widget."""
    return seen(words._(text))


def several(one: str, many: str, n: int) -> str:
    """The form of a text that goes with the number `n`, for a widget."""
    return seen(words.several(one, many, n))


def logical(text: str) -> str:
    """A text in the order it is read, for what draws its letters itself."""
    return text.read if isinstance(text, Seen) else text
