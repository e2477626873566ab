"""The words of the faces: every string a person reads goes through `_`.

    from chatsecure.words import _, _n
    HELP = _n("go there")  # in a table: translated by _(HELP) when it is shown
    label = _("{name} is typing").format(name=shown)

The language is the system's, or what `CHATSECURE_LANG` names. A catalogue is a gettext `.mo` file
in `locale/`; without one the English text itself is shown. What scripts read (names of commands,
JSON keys, exit codes) is never translated.
"""

import gettext
import os
from functools import cache
from pathlib import Path

DOMAIN = "chatsecure"
LOCALE = Path(__file__).parent / "locale"
RIGHT_TO_LEFT = ("ar", "fa", "he", "ur")


_chosen = ""


def choose(language: str) -> None:
    """Speak this language from now on; empty: the system's. `CHATSECURE_LANG` goes before it."""
    global _chosen  # noqa: PLW0603 - a process speaks one language
    _chosen = language
    catalogue.cache_clear()


@cache
def catalogue() -> gettext.NullTranslations:
    """The catalogue of the person's language."""
    chosen = os.environ.get("CHATSECURE_LANG") or _chosen
    languages = [chosen] if chosen else None
    return gettext.translation(DOMAIN, LOCALE, languages=languages, fallback=True)


def right_to_left() -> bool:
    """Whether the person's language is written from right to left."""
    return catalogue().info().get("language", "").partition("_")[0] in RIGHT_TO_LEFT


def _(text: str) -> str:
    """The text in the person's language."""
    return catalogue().gettext(text)


def _n(text: str) -> str:
    """Marks a text in a table, which is translated when it is shown."""
    return text


def several(one: str, many: str, n: int) -> str:
    """The form of a text that goes with the number `n`, with `{n}` filled in."""
    return catalogue().ngettext(one, many, n).format(n=n)
