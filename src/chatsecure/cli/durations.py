"""Times as people write them: `90s`, `30m`, `12h`, `7d`, `4w`."""

import re

from chatsecure.wire.errors import Usage
from chatsecure.words import _

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
MAX_S = 10 * 365 * 86400


def parse_duration(text: str) -> int:
    """Seconds.

    Raises:
        Usage: it is no such time, or longer than ten years.
    """
    found = re.fullmatch(r"([0-9]{1,9})([smhdw])", text.strip().lower())
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 1 <= seconds <= MAX_S:
        raise Usage(
            _("{text!r} is no time").format(text=text), hint=_("write it like 30m, 12h, 7d or 4w")
        )
    return seconds
