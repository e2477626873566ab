"""The part of a conversation that is in memory: a window over a history of any length.

Lines come from the client in pages, before and after what is there; what is far from where the
reader looks is let go. Knows nothing of how it looks.
"""

from chatsecure.client.client import Client
from chatsecure.client.history import HistoryLine

PAGE = 80
MOST = 400
"""Lines kept in memory."""


class Pages:
    """A window of lines of one conversation, oldest first."""

    def __init__(self, client: Client, target: str) -> None:
        self.target = target
        self.lines: list[HistoryLine] = []
        self.at_start = False
        self.at_end = True
        self._client = client

    def open_end(self) -> None:
        """Go to the newest."""
        self.lines = self._client.history(self.target, PAGE, notices=True)
        self.at_start = len(self.lines) < PAGE
        self.at_end = True

    def open_at(self, n: int) -> None:
        """Go to where the place `n` is in the middle."""
        before = self._client.history(self.target, PAGE, before=n, notices=True)
        after = self._client.history(self.target, PAGE, after=n - 1, notices=True)
        self.lines = before + after
        self.at_start = len(before) < PAGE
        self.at_end = len(after) < PAGE

    def older(self) -> bool:
        """Take the page before in; False when there is none."""
        if self.at_start or not self.lines:
            return False
        page = self._client.history(self.target, PAGE, before=self.lines[0].n, notices=True)
        self.at_start = len(page) < PAGE
        self.lines = page + self.lines
        if len(self.lines) > MOST:
            del self.lines[MOST:]
            self.at_end = False
        return bool(page)

    def newer(self) -> bool:
        """Take the page after in; False when there is none."""
        if self.at_end or not self.lines:
            return False
        page = self._client.history(self.target, PAGE, after=self.lines[-1].n, notices=True)
        self.at_end = len(page) < PAGE
        self.lines = self.lines + page
        if len(self.lines) > MOST:
            del self.lines[: len(self.lines) - MOST]
            self.at_start = False
        return bool(page)

    def refresh(self, *, follow: bool) -> bool:
        """Read again what is there, and what is new behind it; whether anything differs.

        Args:
            follow: the newest is looked at; where much is new, what lies before it is let go.
        """
        if not self.lines:
            if self.at_end:
                self.open_end()
            return bool(self.lines)
        count = len(self.lines)
        first = self.lines[0].n
        # A message of ours gets another place when the server has stored it.
        lines = self._client.history(self.target, count + PAGE, after=first - 1, notices=True)
        more = len(lines) == count + PAGE
        if not self.at_end:
            lines = lines[:count]
        changed = lines != self.lines
        self.lines = lines
        if self.at_end and more:
            if follow:
                self.open_end()
            else:
                self.at_end = False
        if len(self.lines) > MOST and follow:
            del self.lines[: len(self.lines) - MOST]
            self.at_start = False
        elif len(self.lines) > MOST:
            del self.lines[MOST:]
            self.at_end = False
        return changed

    def index(self, n: int) -> int | None:
        """Where the line of this place is in the window."""
        low, high = 0, len(self.lines)
        while low < high:
            middle = (low + high) // 2
            if self.lines[middle].n < n:
                low = middle + 1
            else:
                high = middle
        return low if low < len(self.lines) and self.lines[low].n == n else None

    def find(self, id_: str) -> HistoryLine | None:
        """The line with this id, where it is in the window."""
        return next((line for line in self.lines if line.id == id_), None)
