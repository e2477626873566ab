"""Receipts for people: who has what we wrote, told once for many and with the message's words.

A message to a room of fifty has a hundred receipts; somebody who comes back from a holiday gives
thousands at once. Nobody wants to hear each of them, least of all through a screen reader.
"""

import asyncio
import time
from collections.abc import Callable

from chatsecure.client.client import Client
from chatsecure.client.display import harmless_name
from chatsecure.client.events import ReceiptEvent, stamp
from chatsecure.client.history import HistoryLine
from chatsecure.wire.errors import NotFound
from chatsecure.words import _

from .chatting import shortened
from .human import clock, standing

TOGETHER_S = 0.5
"""Receipts that come within this time are told together."""


class Receipts:
    """Gathers the receipts of messages and tells them.

    Args:
        show: shows a line to the person.
    """

    def __init__(self, client: Client, show: Callable[[str], None]) -> None:
        self._client = client
        self._show = show
        self._waiting: dict[str, dict[str, None]] = {}

    def heard(self, event: ReceiptEvent) -> bool:
        """Take a receipt in; False if it is of a kind that is told by itself."""
        if event.state not in ("delivered", "read") or event.conversation is None:
            return False
        if not self._waiting:
            asyncio.get_running_loop().call_later(TOGETHER_S, self.tell)
        self._waiting.setdefault(event.conversation, {})[event.of] = None
        return True

    def tell(self) -> None:
        """Tell what came together: one line for each conversation."""
        waiting, self._waiting = self._waiting, {}
        for conversation, ids in waiting.items():
            known = [line for line in map(self._line, ids) if line is not None]
            if known:
                self._show(told(conversation, known))

    def _line(self, id_: str) -> HistoryLine | None:
        try:
            return self._client.delivery(id_)
        except NotFound:
            return None


def told(conversation: str, lines: list[HistoryLine]) -> str:
    """One line about messages of ours in a conversation: how far the last of them has come."""
    last = max(lines, key=lambda line: line.n)
    said = _("{where}: {words}{standing}")
    if len(lines) > 1:
        said = _("{where}: {n} messages, the last: {words}{standing}")
    what = said.format(
        where=harmless_name(conversation),
        n=len(lines),
        words=shortened(last),
        standing=standing(last),
    )
    return f"{clock(stamp(time.time_ns() // 1_000_000))} {what}"
