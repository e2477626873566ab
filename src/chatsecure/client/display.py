"""Makes what comes from others harmless to show and to save. One place for all faces.

Removed or made visible: control characters and terminal escapes, bidi overrides and isolates,
invisible and zero-width characters outside emoji and the scripts that need them, line separators,
and stacks of combining marks that would cover other lines.
"""

import re
import unicodedata

from chatsecure.names import mixed_scripts

MAX_MARKS = 8
"""Combining marks kept on one character: Vietnamese needs 2, Tibetan and Hebrew up to about 5."""
MAX_FILE_NAME_BYTES = 200
MAX_EXTENSION_BYTES = 20

_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_INVISIBLE = frozenset(
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180e\u200b\u2060\u2061\u2062\u2063"
    "\u2064\u206a\u206b\u206c\u206d\u206e\u206f\u3164\ufeff\uffa0\ufff9\ufffa\ufffb"
    "\U0001bca0\U0001bca1\U0001bca2\U0001bca3\U0001d173\U0001d174\U0001d175\U0001d176"
    "\U0001d177\U0001d178\U0001d179\U0001d17a"
)
_JOINERS = frozenset("\u200c\u200d")
_TAGS = range(0xE0000, 0xE1000)
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u2400-\u2421]")
_EDGES = re.compile(r"^[\s.]+|[\s.]+$")
_RESERVED_FILES = re.compile(
    r"^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])$", re.IGNORECASE
)


def harmless(text: str, *, lines: bool = True) -> str:
    """Foreign text, safe to show in a terminal or a window.

    Args:
        lines: keep line breaks; otherwise they become spaces.
    """
    if text.isascii() and text.isprintable():
        return text
    shown: list[str] = []
    marks = 0
    for sign in text.replace("\r\n", "\n").replace("\r", "\n"):
        category = unicodedata.category(sign)
        if category in ("Mn", "Me"):
            marks += 1
            if marks <= MAX_MARKS and sign not in _INVISIBLE:
                shown.append(sign)
            continue
        shown.append(_shown(sign, category, shown, lines=lines))
        if shown[-1] and category != "Cf":
            # What is not seen does not begin a new stack.
            marks = 0
    return "".join(shown)


def _shown(sign: str, category: str, before: list[str], *, lines: bool) -> str:
    if sign == "\n":
        return "\n" if lines else " "
    if sign == "\t":
        return "    " if lines else " "
    if category == "Cc":
        code = ord(sign)
        # The control pictures: an escape is seen, not obeyed.
        return chr(0x2400 + code) if code < 0x20 else "\u2421" if code == 0x7F else "\ufffd"
    if category in ("Zl", "Zp"):
        return "\n" if lines else " "
    if category in ("Cs", "Co", "Cn"):
        return "\ufffd"
    if sign in _BIDI or sign in _INVISIBLE:
        return ""
    if ord(sign) in _TAGS:
        # Tag characters spell flags (of Scotland, say) after a black flag and nothing else.
        return sign if _in_flag(before) else ""
    if sign in _JOINERS:
        # Joiners matter inside emoji and between letters of joining scripts.
        return sign if before and _joins(before[-1]) else ""
    return sign


def _in_flag(before: list[str]) -> bool:
    for sign in reversed(before[-8:]):
        if sign == "\U0001f3f4":
            return True
        if len(sign) != 1 or ord(sign) not in _TAGS:
            return False
    return False


def _joins(sign: str) -> bool:
    # What we put in place of something else (several blanks, a picture) joins nothing.
    if len(sign) != 1 or sign == "\ufffd" or "\u2400" <= sign <= "\u2421":
        return False
    return unicodedata.category(sign) in ("So", "Sk", "Mn", "Mc") or (
        unicodedata.category(sign) == "Lo" and ord(sign) > 0x590
    )


def harmless_name(text: str) -> str:
    """A foreign name (of a user, a room, a file) for showing: one line, at most 80 characters."""
    shown = harmless(text, lines=False).strip()
    return shown if len(shown) <= 80 else shown[:79] + "…"


def user_name(text: str) -> str:
    """A user's name, or a conversation's, for showing: with a sign that no name can hold where a
    user's mixes alphabets, as a Latin name with one Cyrillic letter does."""
    return harmless_name(text) + (" (?)" if text[:1] != "#" and mixed_scripts(text) else "")


def safe_filename(name: str) -> str:
    """A name to save a received file under: one plain part, good on every system.

    Never empty, never hidden, no path part, drive or device name, no trailing dot or blank, at
    most `MAX_FILE_NAME_BYTES` long with its extension kept.
    """
    last = re.split(r"[/\\]", name)[-1]
    last = _CONTROLS.sub("", re.sub(r"^[A-Za-z]:", "", last))
    # Before as well: what stands beside a composed letter is judged otherwise than beside a mark.
    last = harmless(unicodedata.normalize("NFC", last), lines=False)
    last = unicodedata.normalize("NFC", last)
    last = re.sub(r'[<>:"|?*\ufffd]', "_", re.sub(r"\s+", " ", last))
    last = _EDGES.sub("", last)
    stem, dot, extension = last.rpartition(".")
    if not dot or not stem:
        stem, extension = last, ""
    if _RESERVED_FILES.match(last.split(".")[0].strip()):
        stem = "_" + stem
    if len(extension.encode()) > MAX_EXTENSION_BYTES:
        stem, extension = f"{stem}.{extension}", ""
    ending = f".{extension}" if extension else ""
    room = MAX_FILE_NAME_BYTES - len(ending.encode())
    stem = stem.encode("utf-8", "replace")[:room].decode("utf-8", "ignore")
    return _EDGES.sub("", stem + ending) if stem else "file" + ending
