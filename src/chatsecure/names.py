"""Names of users and rooms: what is allowed, what counts as the same, what is near.

A user name is a PRECIS username (RFC 8265, case preserved for showing, case mapped for
comparing) of at most 32 characters. A room's name follows the same rules after its `#`.
"""

import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches
from functools import lru_cache

from chatsecure.wire.errors import Usage

MAX_NAME_CHARACTERS = 32
MAX_NAME_BYTES = 64
_FORBIDDEN = frozenset("@#/\\:,;<>\"'`|&*?!%$()[]{}~^=+")
_RESERVED = frozenset({"server", "system", "everyone", "all", "here", "lobby"})


class BadName(Usage):
    """A name that cannot be used."""


def check_name(text: str) -> str:
    """A user name in the form it is kept and shown.

    Raises:
        BadName: and why.
    """
    name = _enforce(text, "a name")
    if fold_name(name) in _RESERVED:
        raise BadName(f"the name {name} is reserved", hint="choose another name")
    return name


def check_room(text: str) -> str:
    """A room's name, with its `#`, in the form it is kept and shown.

    Raises:
        BadName: and why.
    """
    if not text.startswith("#"):
        raise BadName(f"a room's name begins with #: #{text}")
    return "#" + _enforce(text[1:], "a room's name")


def _enforce(text: str, what: str) -> str:
    if text.isascii() and text.isprintable():
        # The common case needs no Unicode tables: they cost a command 30 ms to load.
        name = text
    else:
        from precis_i18n import get_profile

        try:
            name = get_profile("UsernameCasePreserved").enforce(text)
        except (UnicodeError, ValueError):
            raise BadName(
                f"{what} is made of letters, digits and a few signs", hint="choose another name"
            ) from None
    if not name or len(name) > MAX_NAME_CHARACTERS or len(name.encode()) > MAX_NAME_BYTES:
        raise BadName(
            f"{what} has 1 to {MAX_NAME_CHARACTERS} characters and at most {MAX_NAME_BYTES} bytes"
        )
    bad = sorted(set(name) & _FORBIDDEN | {sign for sign in name if sign.isspace()})
    # A mark at the beginning would be shown on what stands before the name.
    if bad or name[0] in "-._" or unicodedata.category(name[0])[0] == "M":
        raise BadName(
            f"{what} may not hold {' '.join(map(repr, bad))}"
            if bad
            else f"{what} may not begin with {name[0]!r}",
            hint="letters, digits and - . _ are fine",
        )
    return name


@lru_cache(maxsize=4096)
def fold_name(name: str) -> str:
    """The key under which names are the same: full case folding of the composed form (NFC), and
    width mapped. Never shown."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", name).casefold())


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate most like `name`, if any is."""
    by_fold = {fold_name(candidate): candidate for candidate in candidates}
    found = get_close_matches(fold_name(name), by_fold, n=1, cutoff=0.5)
    return by_fold[found[0]] if found else None


def mixed_scripts(name: str) -> bool:
    """Whether a name mixes scripts that are easily confused (Latin, Greek, Cyrillic): shown with
    a warning."""
    return not name.isascii() and len(_scripts(name)) > 1


@lru_cache(maxsize=4096)
def _scripts(name: str) -> frozenset[str]:
    return frozenset(
        script
        for sign in name
        if sign.isalpha()
        for script in ("LATIN", "GREEK", "CYRILLIC")
        if unicodedata.name(sign, "").startswith(script)
    )


_LOOKS = str.maketrans(
    "аеорсухіјѕһԁԛԝкмтвнгзӏοανρυικτχεγηω01",
    "aeopcyxijshdqwkmtbhr3loavpuiktxeynwol",
)  # fmt: skip
"""Letters and digits of a folded name that are drawn as others are (of UTS #39's confusables)."""


@lru_cache(maxsize=4096)
def _shape(name: str) -> str:
    # A great I is drawn as a small l is.
    return fold_name(name.replace("I", "l")).translate(_LOOKS)


def lookalike(name: str, others: Iterable[str]) -> str:
    """The first of these names that is another one but may be taken for this one, or nothing."""
    shape, folded = _shape(name), fold_name(name)
    return next((one for one in others if _shape(one) == shape and fold_name(one) != folded), "")
