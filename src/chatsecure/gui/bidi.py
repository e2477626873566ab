"""The order in which a line of letters is seen: a small part of Unicode's bidirectional algorithm.

Explicit embeddings and isolates never get here (`display` removes them), so the levels are 0 to 2.
Also the joined forms of Arabic letters, for the few places that must show plain text.
"""

import unicodedata
from functools import cache
from itertools import groupby

_STRONG_RTL = ("R", "AL")
_NUMBERS = ("EN", "AN")
_OPENING, _CLOSING = "([{", ")]}"
_MAX_PAIRS = 100


def base_direction(text: str) -> str:
    """`rtl` where the first letter runs right to left, else `ltr`."""
    if text.isascii():
        return "ltr"
    for sign in text:
        kind = unicodedata.bidirectional(sign)
        if kind == "L":
            return "ltr"
        if kind in _STRONG_RTL:
            return "rtl"
    return "ltr"


def levels(text: str, base: str) -> list[int]:
    """The level of each sign: even levels run left to right, odd ones right to left."""
    own = "R" if base == "rtl" else "L"
    kinds = _weak([unicodedata.bidirectional(sign) or "L" for sign in text], own)
    _brackets(text, kinds, own)
    _neutral(kinds, own)
    if base == "rtl":
        found = [1 if kind == "R" else 2 for kind in kinds]
    else:
        found = [{"L": 0, "R": 1}.get(kind, 2) for kind in kinds]
    at = len(text)
    while at and text[at - 1].isspace():
        at -= 1
        found[at] = 1 if base == "rtl" else 0
    return found


def _weak(kinds: list[str], own: str) -> list[str]:
    last, strong = own, own
    for at, kind in enumerate(kinds):
        if kind == "NSM":
            kind = last
        if kind == "EN" and strong == "AL":
            kind = "AN"
        if kind in ("L", "R", "AL"):
            strong = kind
        last = kinds[at] = kind
    kinds = ["R" if kind == "AL" else kind for kind in kinds]
    for at in range(1, len(kinds) - 1):
        before, after = kinds[at - 1], kinds[at + 1]
        joins = kinds[at] == "CS" or (kinds[at] == "ES" and before == "EN")
        if joins and before == after and before in _NUMBERS:
            kinds[at] = before
    _terminators(kinds)
    strong = own
    for at, kind in enumerate(kinds):
        if kind in ("L", "R"):
            strong = kind
        elif kind == "EN" and strong == "L":
            kinds[at] = "L"
    return kinds


def _terminators(kinds: list[str]) -> None:
    """Signs of currency and the like go with the number beside them."""
    at = 0
    while at < len(kinds):
        end = at
        while end < len(kinds) and kinds[end] == "ET":
            end += 1
        if end > at:
            beside = "EN" in (kinds[at - 1] if at else "", kinds[end] if end < len(kinds) else "")
            kinds[at:end] = ["EN" if beside else "ON"] * (end - at)
        at = max(end, at + 1)


def _brackets(text: str, kinds: list[str], own: str) -> None:
    """A pair of brackets goes with what it holds, or with what stands before it."""
    opened: list[int] = []
    pairs = []
    for at, sign in enumerate(text):
        if sign in _OPENING:
            opened.append(at)
        elif (
            opened and sign in _CLOSING and _OPENING.index(text[opened[-1]]) == _CLOSING.index(sign)
        ):
            pairs.append((opened.pop(), at))
    for start, end in sorted(pairs)[:_MAX_PAIRS]:
        held = {_side(kind) for kind in kinds[start + 1 : end] if kind in ("L", "R", *_NUMBERS)}
        if not held:
            continue
        before = next(
            (_side(k) for k in reversed(kinds[:start]) if k in ("L", "R", *_NUMBERS)), own
        )
        other = "L" if own == "R" else "R"
        kinds[start] = kinds[end] = other if own not in held and before == other else own


def _neutral(kinds: list[str], own: str) -> None:
    at = 0
    while at < len(kinds):
        end = at
        while end < len(kinds) and kinds[end] not in ("L", "R", *_NUMBERS):
            end += 1
        if end > at:
            before = _side(kinds[at - 1]) if at else own
            after = _side(kinds[end]) if end < len(kinds) else own
            kinds[at:end] = [before if before == after else own] * (end - at)
        at = max(end, at + 1)


def _side(kind: str) -> str:
    return "R" if kind in _NUMBERS else kind


def visual(text: str, base: str) -> list[tuple[int, int, bool]]:
    """The runs of a line as they are seen from left to right: (start, end, right to left)."""
    runs, at = [], 0
    for level, some in groupby(levels(text, base)):
        length = sum(1 for _ in some)
        runs.append((level, at, at + length))
        at += length
    for level in (2, 1):
        ordered: list[tuple[int, int, int]] = []
        for high, some_runs in groupby(runs, key=lambda run: run[0] >= level):
            part = list(some_runs)
            ordered += reversed(part) if high else part
        runs = ordered
    return [(start, end, level % 2 == 1) for level, start, end in runs]


@cache
def _forms() -> dict[str, dict[str, str]]:
    forms: dict[str, dict[str, str]] = {}
    for code in (*range(0xFB50, 0xFDF0), *range(0xFE80, 0xFEF5)):
        kind, _, letter = unicodedata.decomposition(chr(code)).partition(" ")
        if kind in ("<initial>", "<medial>", "<final>", "<isolated>") and " " not in letter:
            forms.setdefault(chr(int(letter, 16)), {})[kind.strip("<>")] = chr(code)
    return forms


def joined(text: str) -> str:
    """Arabic letters in the forms that join them, still in the order they are read."""
    forms = _forms()
    shown = list(text)
    letters = [at for at, sign in enumerate(text) if not unicodedata.combining(sign)]
    for number, at in enumerate(letters):
        own = forms.get(text[at])
        if own is None:
            continue
        before = text[letters[number - 1]] if number else ""
        after = text[letters[number + 1]] if number + 1 < len(letters) else ""
        from_before = "initial" in forms.get(before, {}) and "final" in own
        to_after = "initial" in own and "final" in forms.get(after, {})
        form = {(True, True): "medial", (True, False): "final", (False, True): "initial"}.get(
            (from_before, to_after), "isolated"
        )
        shown[at] = own.get(form, text[at])
    return "".join(shown)


def as_seen(text: str, base: str = "") -> str:
    """A line in the order in which it is seen, for what draws signs as they come.

    Args:
        base: the line's direction; by its first letter where none is given.
    """
    base = base or base_direction(text)
    if base == "ltr" and not any(unicodedata.bidirectional(sign) in _STRONG_RTL for sign in text):
        return text
    parts = []
    for start, end, backwards in visual(text, base):
        part = text[start:end]
        parts.append(_reversed(joined(part)) if backwards else part)
    return "".join(parts)


def _reversed(text: str) -> str:
    """Backwards, but marks stay behind their letters and brackets open the other way."""
    clusters: list[str] = []
    for sign in text:
        if clusters and unicodedata.combining(sign):
            clusters[-1] += sign
        else:
            clusters.append(sign.translate(_MIRRORED))
    return "".join(reversed(clusters))


_MIRRORED = str.maketrans("()[]{}<>«»", ")(][}{><»«")
