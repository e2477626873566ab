"""How far a transfer is, told from the thread that moves it to the core, not too often."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chatsecure.client.core import Core

EVERY_S = 0.1


class Meter:
    """One transfer's.

    Args:
        tell: called in the core's thread with the bytes that are done, and all.
    """

    def __init__(self, core: Core, tell: Callable[[int, int], None]) -> None:
        self._post, self._tell = core.post, tell
        self._told_at = time.monotonic()

    def done(self, done: int, of: int) -> None:
        """So many bytes are through; call from any one thread."""
        now = time.monotonic()
        if now - self._told_at >= EVERY_S:
            self._told_at = now
            self._post(lambda: self._tell(done, of))
