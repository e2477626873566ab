"""Events on their way from the core to the faces.

What must not be missed is written in the transaction that made it so, and told when that is on
disk; not at all if it is undone. Momentary events (typing, presence) are told and forgotten.
In a turn (see `turns.py`) all wait for its end.
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
        self.in_turn = False
        self._events: list[Event] = []
        self._deferred: list[Callable[[], None]] = []
        self._mark = (0, 0)
        self._hooks = (
            (db.on_begin, self._begun),
            (db.on_done, self._done),
            (db.on_commit, self._committed),
            (db.on_rollback, self._undone),
        )
        for hooks, hook in self._hooks:
            hooks.append(hook)

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
            self._events.append(event)
            self._committed()
        else:
            with self._db.transaction():
                self.emit(event)

    def _keep_notice(self, event: Event, body: str) -> None:
        row = conversations.find(self._db, (event.conversation or "").casefold())
        if row is not None:
            add_notice(self._db, row, body, self._now(), event.sender or "")

    def defer(self, call: Callable[[], None]) -> None:
        """Do something after the transaction under way has ended; not at all if it is undone."""
        if self._db.in_transaction:
            if call not in self._deferred:
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
        for hooks, hook in self._hooks:
            hooks.remove(hook)

    def _begun(self) -> None:
        self._mark = (len(self._events), len(self._deferred))

    def _undone(self) -> None:
        events, deferred = self._mark
        del self._events[events:]
        del self._deferred[deferred:]

    def _done(self) -> None:
        deferred, self._deferred = self._deferred, []
        for call in deferred:
            call()

    def _committed(self) -> None:
        if not self.in_turn:
            self.tell()

    def tell(self) -> None:
        """Tell what waits."""
        events, self._events = self._events, []
        for event in events:
            for listener in list(self.listeners):
                listener(event)

    def forget(self) -> None:
        """What waits is not so: it could not be kept."""
        self._events, self._deferred = [], []
