"""What was typed in a conversation before: kept in the encrypted profile, newest last."""

import json

from chatsecure.client.client import Client
from chatsecure.links import SCHEME

MOST = 50
MOST_CHARACTERS = 2000


class Typed:
    """The lines typed in each conversation."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lines: dict[str, list[str]] = {}

    def lines(self, target: str) -> list[str]:
        """What was typed there, oldest first."""
        if target not in self._lines:
            self._lines[target] = self._read(target)
        return self._lines[target]

    def add(self, target: str, text: str) -> None:
        """Something was typed. A link is a key: it is not kept."""
        if SCHEME in text or len(text) > MOST_CHARACTERS:
            return
        lines = self.lines(target)
        if lines and lines[-1] == text:
            return
        lines.append(text)
        del lines[:-MOST]
        self._client.setting(f"typed in {target}", json.dumps(lines))

    def _read(self, target: str) -> list[str]:
        try:
            found = json.loads(self._client.setting(f"typed in {target}") or "[]")
        except ValueError:
            return []
        return [line for line in found if isinstance(line, str)] if isinstance(found, list) else []
