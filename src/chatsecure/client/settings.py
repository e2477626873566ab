"""What a person can set: one typed table with defaults and help, for every face.

A setting is kept as text in the profile (`meta`, under `setting NAME`); `clean` is what makes sure
that only a value of its kind gets there. What a face keeps for itself alone (a window's size) needs
no row here. The help is marked for translation and translated by the face that shows it.
"""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from pathlib import Path

from chatsecure.wire.errors import NotFound, Usage

from .profile.database import Database

UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12} | {
    "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40,
}  # fmt: skip
_SIZE = re.compile(r"(\d{1,15})(?:[.,](\d{1,3}))?\s*((?:[kmgt]i?)?)(?:b|bytes?)?", re.IGNORECASE)
_YES, _NO = ("yes", "on", "true", "1"), ("no", "off", "false", "0")


class Kind(Enum):
    """What a setting's value is."""

    SWITCH = "yes or no"
    CHOICE = "one of"
    SIZE = "a size, such as 20 MB"
    NUMBER = "a number"
    FOLDER = "a folder"
    WORD = "a word"


@dataclass(frozen=True, slots=True)
class Setting:
    """A row of the table."""

    name: str
    kind: Kind
    default: str
    help: str
    choices: tuple[str, ...] = ()
    least: int = 0
    most: int = 2**53

    @property
    def shown(self) -> str:
        """Its name for people."""
        return self.name.replace("_", " ")


def _n(text: str) -> str:
    """Marks a text that a face translates when it shows it."""
    return text


_S, _C = Kind.SWITCH, Kind.CHOICE

SETTINGS: tuple[Setting, ...] = (
    Setting("downloads", Kind.FOLDER, "", _n("where received files go; empty: the profile's")),
    Setting(
        "auto_save_limit", Kind.SIZE, str(2 * 1024**3),
        _n("larger files are fetched only when you accept them"),
    ),
    Setting("ask_first", _S, "no", _n("files from strangers wait until you accept them")),
    Setting("read_receipts", _S, "yes", _n("others are told when you have read their messages")),
    Setting("typing", _S, "yes", _n("others see that you are writing")),
    Setting(
        "notifications", _C, "mentions",
        _n("what is worth a notification: every message, private ones and mentions, or nothing"),
        ("all", "mentions", "nothing"),
    ),
    Setting(
        "notification_text", _C, "name", _n("what a notification shows"),
        ("nothing", "name", "text"),
    ),
    Setting("bell", _S, "no", _n("ring when there is a notification")),
    Setting(
        "theme", _C, "auto", _n("how the window and the terminal client look"),
        ("auto", "light", "dark", "contrast"),
    ),
    Setting(
        "font_size", Kind.NUMBER, "100", _n("size of the window's text, in percent"), (), 80, 200
    ),
    Setting("presence", _S, "yes", _n("lines are shown when somebody comes online or goes")),
    Setting(
        "find_server", _C, "auto",
        _n("look for the server on this network when it does not answer; auto: where its"
           " address is a private one"),
        ("auto", "yes", "no"),
    ),
    Setting(
        "language", Kind.WORD, "",
        _n("language of the program, as de or ar; empty: the system's"),
    ),
)  # fmt: skip

BY_NAME = {setting.name: setting for setting in SETTINGS}


def plain(name: str) -> str:
    """A setting's name however it was written: `Ask first`, `ask-first`."""
    return re.sub(r"[\s_-]+", "_", name.strip().casefold())


def find(name: str) -> Setting:
    """The setting of this name.

    Raises:
        NotFound: there is none; the hint names the nearest.
    """
    found = BY_NAME.get(plain(name))
    if found is None:
        close = get_close_matches(plain(name), BY_NAME, n=1, cutoff=0.5)
        hint = f"did you mean {BY_NAME[close[0]].shown}?" if close else "/settings lists them"
        raise NotFound(f"there is no setting {name}", hint=hint)
    return found


def clean(setting: Setting, value: str) -> str:
    """A value as it is kept.

    Raises:
        Usage: it is no value of this setting.
    """
    value = value.strip()
    cleaned = _CLEANERS[setting.kind](setting, value)
    if cleaned is None:
        allowed = ", ".join(setting.choices) if setting.choices else setting.kind.value
        if setting.kind is Kind.NUMBER:
            allowed = f"a number from {setting.least} to {setting.most}"
        raise Usage(f"{value!r} is nothing for {setting.shown}", hint=f"it takes: {allowed}")
    return cleaned


def _switch(_setting: Setting, value: str) -> str | None:
    word = value.casefold()
    return "yes" if word in _YES else "no" if word in _NO else None


def _choice(setting: Setting, value: str) -> str | None:
    return next((choice for choice in setting.choices if choice == value.casefold()), None)


def _size(setting: Setting, value: str) -> str | None:
    found = _SIZE.fullmatch(value)
    if found is None:
        return None
    whole, part, unit = found.groups()
    times = UNITS[unit.casefold()]
    size = int(float(f"{whole}.{part or 0}") * times) if part else int(whole) * times
    return str(size) if setting.least <= size <= setting.most else None


def _number(setting: Setting, value: str) -> str | None:
    word = value.removesuffix("%").strip()
    if not (word.isascii() and word.isdigit() and len(word) < 17):
        return None
    return str(int(word)) if setting.least <= int(word) <= setting.most else None


def _folder(_setting: Setting, value: str) -> str | None:
    if not value:
        return ""
    path = Path(value).expanduser()
    return str(path.resolve()) if path.is_dir() else None


def _language(_setting: Setting, value: str) -> str | None:
    return value if re.fullmatch(r"([A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8})?)?", value) else None


_CLEANERS = {
    Kind.SWITCH: _switch,
    Kind.CHOICE: _choice,
    Kind.SIZE: _size,
    Kind.NUMBER: _number,
    Kind.FOLDER: _folder,
    Kind.WORD: _language,
}


# --- as the client's own modules read them --------------------------------------------------------


def value(db: Database, name: str) -> str:
    """What a setting is now."""
    setting, found = BY_NAME[name], db.get("setting " + name)
    if found is None:
        return setting.default
    try:
        return clean(setting, str(found))
    except Usage:
        # A folder that is gone, say.
        return setting.default


def is_on(db: Database, name: str) -> bool:
    """Whether a switch is on."""
    return value(db, name) == "yes"


def amount(db: Database, name: str) -> int:
    """What a size or a number is now."""
    return int(value(db, name))
