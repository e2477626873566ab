"""Emoji by name and by group, and where they stand in a text; for every face.

The table beside this module is made by `tools/emoji_table.py`. Signs newer than it are still told
apart from letters, by their blocks.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_TABLE = Path(__file__).with_name("emoji.txt")
_SKIN = "\U0001f3fb-\U0001f3ff"
_LETTERS = "\U0001f1e6-\U0001f1ff"
_BLOCKS = "\U0001f000-\U0001f1e5\U0001f200-\U0001f3fa\U0001f400-\U0001faff"
_PLAIN_TOO = frozenset("©®™‼⁉ℹ↔↕↖↗↘↙↩↪Ⓜ▪▫▶◀〰〽㊗㊙")
"""Signs that are letters as long as nothing asks for the emoji."""
COMMON = ("👍", "❤️", "😂", "😮", "😢", "🎉", "🙏", "👀")
"""Offered first as reactions."""


@dataclass(frozen=True, slots=True)
class Emoji:
    """A sign and what it is called."""

    sign: str
    names: tuple[str, ...]


@cache
def groups() -> dict[str, tuple[Emoji, ...]]:
    """All emoji by group, in Unicode's order."""
    found: dict[str, list[Emoji]] = {}
    members: list[Emoji] = []
    for line in _TABLE.read_text(encoding="utf-8").splitlines():
        sign, *names = line.split(" ")
        if sign == "=":
            members = found.setdefault(names[0], [])
        else:
            members.append(Emoji(sign, tuple(names)))
    return {group: tuple(members) for group, members in found.items()}


@cache
def _by_name() -> dict[str, str]:
    return {name: one.sign for some in groups().values() for one in some for name in one.names}


@cache
def _by_sign() -> dict[str, str]:
    return {
        one.sign.replace("\ufe0f", ""): one.names[0] for some in groups().values() for one in some
    }


def sign_of(name: str) -> str | None:
    """The emoji of a short name, with or without its colons."""
    return _by_name().get(name.strip(":").lower())


def name_of(sign: str) -> str | None:
    """The first short name of an emoji, whatever its skin tone."""
    bare = sign.replace("\ufe0f", "")
    return _by_sign().get(bare) or _by_sign().get(re.sub(f"[{_SKIN}]", "", bare))


def search(words: str, limit: int = 60) -> list[Emoji]:
    """Emoji whose names hold all the words; those that begin so come first."""
    wanted = words.lower().strip(": ").replace("_", " ").split()
    if not wanted:
        return []
    first: list[Emoji] = []
    later: list[Emoji] = []
    for some in groups().values():
        for one in some:
            name = " ".join(one.names).replace("_", " ")
            if all(word in name for word in wanted):
                begins = any(own.replace("_", " ").startswith(wanted[0]) for own in one.names)
                (first if begins else later).append(one)
    return (first + later)[:limit]


@cache
def pattern() -> re.Pattern[str]:
    """Finds whole emoji: flags, keycaps, skin tones, families, each as one."""
    signs = {sign for some in groups().values() for one in some for sign in one.sign}
    old = "".join(
        re.escape(sign)
        for sign in sorted(signs)
        if "\u00ff" < sign < "\U0001f000" and sign not in "\u200d\ufe0f\u20e3" + "".join(_PLAIN_TOO)
    )
    asked = "".join(sorted(_PLAIN_TOO))
    one = rf"(?:[{old}{_BLOCKS}](?:\ufe0f|[{_SKIN}])?|[{asked}]\ufe0f)"
    return re.compile(
        rf"[{_LETTERS}]{{2}}|[0-9#*]\ufe0f?\u20e3"
        rf"|\U0001f3f4[\U000e0061-\U000e007a0-9\U000e0030-\U000e0039]+\U000e007f"
        rf"|{one}(?:\u200d{one})*|[{_LETTERS}{_SKIN}]"
    )


@cache
def never_plain() -> re.Pattern[str]:
    """Finds each code point that some font may draw in colour."""
    asked = "".join(sorted(_PLAIN_TOO - set("©®™")))
    return re.compile(rf"{pattern().pattern}|[{asked}\ufe0f\u20e3\U000e0020-\U000e007f]")


def only_emoji(text: str, most: int = 5) -> int:
    """How many emoji a text is made of, if it is nothing else and no more than `most`; else 0."""
    if len(text) > 60 or not text.strip():
        return 0
    count = 0
    rest = pattern().sub("", text)
    if rest.strip():
        return 0
    count = sum(1 for _found in pattern().finditer(text))
    return count if count <= most else 0
