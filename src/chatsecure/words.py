"""The words of the faces: every string a person reads goes through `_`.

    from chatsecure.words import _, _n
    HELP = _n("go there")  # in a table: translated by _(HELP) when it is shown
    label = _("{name} is typing").format(name=shown)

Errors speak English where they are raised, values and all, and servers send them so; `told` and
`sentence` say them in the person's language where a face shows them.

The language is the system's, or what `CHATSECURE_LANG` names. A catalogue is a gettext `.mo` file
in `locale/`; without one the English text itself is shown. What scripts read (names of commands,
JSON keys, exit codes) is never translated.
"""

import gettext
import os
import re
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
    _shapes.cache_clear()


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


# --- the sentences of errors ----------------------------------------------------------------------

ERROR = "error"
"""The context of their texts in a catalogue."""
MAX_SENTENCE = 2000
_PLACE = re.compile(r"\{(\w+)\}")


def told(error: Exception) -> str:
    """What went wrong, and what can be done about it, in the person's language."""
    hint = getattr(error, "hint", "")
    what = sentence(str(error))
    return _("{what}; {hint}").format(what=what, hint=sentence(hint)) if hint else what


def sentence(text: str) -> str:
    """An error's finished sentence in the person's language; one that is not known as it is."""
    known = catalogue().pgettext(ERROR, text)
    if known != text or len(text) > MAX_SENTENCE:
        return known
    for shape, translated in _shapes():
        found = shape.fullmatch(text)
        if found:
            # A value may be a sentence itself: what the system or the server said.
            values = found.groupdict()
            values = {name: value and catalogue().pgettext(ERROR, value)
                      for name, value in values.items()}  # fmt: skip
            return translated.format(**values)
    return text


@cache
def _shapes() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Sentences with places, as patterns, with their translations; the most particular first."""
    texts: dict[str, str] = getattr(catalogue(), "_catalog", {})
    begin = f"{ERROR}\4"
    found = []
    for key, translated in texts.items():
        if isinstance(key, str) and key.startswith(begin) and "{" in key:
            text = key[len(begin) :]
            found.append((len(_PLACE.sub("", text)), _shape(text), translated))
    found.sort(key=lambda one: -one[0])
    return tuple((shape, translated) for _length, shape, translated in found)


def _shape(text: str) -> re.Pattern[str]:
    parts, names = [], set[str]()
    for number, part in enumerate(_PLACE.split(text)):
        if number % 2 == 0:
            parts.append(re.escape(part.replace("{{", "{").replace("}}", "}")))
        elif part in names:
            parts.append(f"(?P={part})")
        else:
            names.add(part)
            parts.append(f"(?P<{part}>.*?)")
    return re.compile("".join(parts), re.DOTALL)
