"""Events on their way from the core to the faces.

What must not be missed is written in the transaction that made it so, and told when that is on
disk; not at all if it is undone. Momentary events (typing, presence) are told and forgotten.
"""

from collections.abc import Callable

from . import conversations
from .events import NOTICES, Event, is_momentary, to_json
from .history import add_notice
from .profile.database import Database

MAX_EVENTS_KEPT = 200_000

Listener = Callable[[Event], None]


class Announcer:
    """Tells listeners what happened, and does what was put off until a commit.

    Args:
        now: the time in milliseconds since 1970.
    """

    def __init__(self, db: Database, now: Callable[[], int]) -> None:
        self._db, self._now = db, now
        self.listeners: list[Listener] = []
        self._events: list[Event] = []
        self._deferred: list[Callable[[], None]] = []
        db.on_commit.append(self._committed)
        db.on_rollback.append(self._undone)

    def emit(self, event: Event) -> None:
        """Tell the faces. What must not be missed is written in the transaction under way."""
        if self._db.in_transaction:
            if not is_momentary(event):
                body = to_json(event)
                self._db.run("INSERT INTO events(body) VALUES(?)", body)
                if isinstance(event, NOTICES) and event.conversation:
                    self._keep_notice(event, body)
            self._events.append(event)
        elif is_momentary(event):
            for listener in list(self.listeners):
                listener(event)
        else:
            with self._db.transaction():
                self.emit(event)

    def _keep_notice(self, event: Event, body: str) -> None:
        row = conversations.find(self._db, (event.conversation or "").casefold())
        if row is not None:
            add_notice(self._db, row, body, self._now(), event.sender or "")

    def defer(self, call: Callable[[], None]) -> None:
        """Do something after the transaction under way is on disk; not at all if it is undone."""
        if self._db.in_transaction:
            self._deferred.append(call)
        else:
            call()

    def trim(self) -> None:
        """Forget the oldest events, of which no face will ask any more."""
        self._db.run(
            "DELETE FROM events WHERE n <= (SELECT max(n) FROM events) - ?", MAX_EVENTS_KEPT
        )

    def close(self) -> None:
        """Tell nothing more."""
        self._db.on_commit.remove(self._committed)
        self._db.on_rollback.remove(self._undone)

    def _committed(self) -> None:
        events, self._events = self._events, []
        deferred, self._deferred = self._deferred, []
        for event in events:
            for listener in list(self.listeners):
                listener(event)
        for call in deferred:
            call()

    def _undone(self) -> None:
        self._events, self._deferred = [], []
