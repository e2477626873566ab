"""The words of the faces: every string a person reads goes through `_`.

    from chatsecure.words import _
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


@cache
def catalogue() -> gettext.NullTranslations:
    """The catalogue of the person's language."""
    chosen = os.environ.get("CHATSECURE_LANG")
    languages = [chosen] if chosen else None
    return gettext.translation(DOMAIN, LOCALE, languages=languages, fallback=True)


def _(text: str) -> str:
    """The text in the person's language."""
    return catalogue().gettext(text)


def several(one: str, many: str, n: int) -> str:
    """The form of a text that goes with the number `n`, with `{n}` filled in."""
    return catalogue().ngettext(one, many, n).format(n=n)
