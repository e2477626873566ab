"""The facade's part for what is read: events as they come, history, search, drafts, settings."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from functools import partial

import msgspec

from chatsecure.names import fold_name
from chatsecure.wire.errors import ChatSecureError, Usage

from . import conversations, history, settings
from .events import Event, FileEvent, MessageEvent, from_json
from .facade import Facade, fold_target
from .history import HistoryLine


class _When(msgspec.Struct):
    at: str
    conversation: str | None = None


_WHEN = msgspec.json.Decoder(_When)
_LAST = "~"
"""Behind every time."""


def oldest_first(rows: Sequence[tuple[int, str]]) -> list[int]:
    """The numbers of kept events in the order of their times.

    They were kept as each conversation caught up. Those of one conversation stay as they are,
    whatever the clocks said; one of no conversation stays before the one that came after it.
    """
    latest: dict[str, str] = {}
    timed: list[tuple[str, int]] = []
    without: list[int] = []
    for n, body in rows:
        when = _WHEN.decode(body)
        if when.conversation is None:
            without.append(n)
            continue
        at = latest[when.conversation] = max(when.at, latest.get(when.conversation, ""))
        timed += [(at, earlier) for earlier in [*without, n]]
        without.clear()
    return [n for _at, n in sorted(timed + [(_LAST, n) for n in without])]


class Reading(Facade):
    """What a face shows."""

    async def events(
        self, *, replay: bool = True, shown: bool = True
    ) -> AsyncGenerator[Event, None]:
        """What happens, oldest first.

        Args:
            replay: begin with the kept events that no run has taken yet.
            shown: a message that is taken was shown: its sender is told that it was read.

        An event counts as taken when the next one is asked for.
        """
        taken = int(self._db.get("events_taken") or 0)
        if not replay:
            taken = int(self._db.value("SELECT max(n) FROM events") or 0)
        while True:
            rows = self._db.rows("SELECT n, body FROM events WHERE n > ? ORDER BY n", taken)
            waiting = oldest_first(rows)
            mixed = waiting != [n for n, _body in rows]
            bodies = dict(rows)
            for n in waiting:
                event = from_json(bodies.pop(n))
                yield event
                self._take(n, event, shown=shown, mixed=mixed)
            taken = rows[-1][0] if rows else taken
            if mixed:
                with self._db.transaction():
                    self._db.put("events_taken", taken)
            momentary, self._momentary = self._momentary, []
            for passing in momentary:
                yield passing
            if not rows and not momentary:
                self._driver.turn()
                await self._driver.until(partial(self._news, taken))

    def _news(self, taken: int) -> bool:
        newest = self._db.value("SELECT max(n) FROM events")
        return bool(self._momentary) or (newest is not None and newest > taken)

    def _take(self, n: int, event: Event, *, shown: bool, mixed: bool) -> None:
        """Never give this event again: not after a crash of ours; a loss of power may bring some
        again.

        Args:
            mixed: events before it in the table may not be taken yet.
        """
        with self._db.brief_transaction():
            if mixed:
                self._db.run("DELETE FROM events WHERE n = ?", n)
            else:
                self._db.put("events_taken", n)
            if n % 1024 == 0 and not mixed:
                self._db.run("DELETE FROM events WHERE n <= ?", n)
            if shown and isinstance(event, MessageEvent | FileEvent) and event.seq is not None:
                row = conversations.find(self._db, fold_target(event.conversation or ""))
                if row is not None and event.seq > row.read:
                    conversations.update(self._db, row.log_id, read=event.seq)
        if not self._taken:
            # What is taken in one go is confirmed as read in one go.
            self._taken = True
            asyncio.get_running_loop().call_soon(self._confirm_taken)

    def _confirm_taken(self) -> None:
        self._taken = False
        # Where the disk is full it is confirmed later.
        with suppress(ChatSecureError):
            self._core.pump()
        self._driver.turn()

    def history(
        self,
        target: str,
        last: int = 50,
        *,
        before: int | None = None,
        after: int | None = None,
        notices: bool = False,
    ) -> list[HistoryLine]:
        """Messages of a conversation, oldest first. Those of one we left count too.

        Args:
            last: how many at most.
            before, after: only those before, or the next ones after, this place (`n`).
            notices: who came and went, gaps, too.

        Raises:
            NotFound: there is no such conversation here.
        """
        row, me = self._row(target), self._core.me.folded
        if after is not None:
            lines = history.after(self._db, row, after, last, me, notices=notices)
        else:
            lines = history.last(self._db, row, last, me, before=before, notices=notices)
        return [self._far(line) for line in lines]

    def around(self, id_: str, count: int = 100, *, notices: bool = True) -> list[HistoryLine]:
        """The page of a conversation around a message, oldest first.

        Raises:
            NotFound: there is no such message here.
        """
        line = history.one(self._db, id_, self._core.me.folded)
        target, half = line.conversation, max(1, count // 2)
        before = self.history(target, half, before=line.n, notices=notices)
        # After what stands before it: the message itself comes with what follows.
        return [*before, *self.history(target, half, after=line.n - 1, notices=notices)]

    def message(self, id_: str) -> HistoryLine:
        """One message, by its id or the beginning of it that people see.

        Raises:
            NotFound: there is none, or more than one begins so.
        """
        return self._far(history.beginning(self._db, id_, self._core.me.folded))

    def notable(self, event: Event) -> bool:
        """Whether an event is worth a notification, by what the person has set: everywhere
        (`notifications`) and for its conversation (`notify`). Private messages count as mentions.
        """
        told = isinstance(event, MessageEvent) or (
            isinstance(event, FileEvent) and event.state == "offered"
        )
        if not told or event.sender in (None, self.name):
            return False
        row = conversations.find(self._db, fold_target(event.conversation or ""))
        levels = {settings.value(self._db, "notifications"), row.notify if row else "all"}
        if "nothing" in levels:
            return False
        mentioned = isinstance(event, MessageEvent) and self._core.me.folded in map(
            fold_name, event.mentions
        )
        return "mentions" not in levels or mentioned or (row is not None and row.private)

    def last_file(self, *states: str, incoming: bool | None = None) -> HistoryLine | None:
        """The newest file, in any conversation, that is in one of these states; with `incoming`
        only one that comes, or one of ours."""
        found = history.last_file(self._db, states, self._core.me.folded, incoming=incoming)
        return None if found is None else self._far(found)

    def first_unread(self, target: str) -> int | None:
        """The place (`n`) of the oldest message that was not shown yet."""
        return history.first_unread(self._db, self._row(target))

    def search(self, words: str, last: int = 50, target: str | None = None) -> list[HistoryLine]:
        """The last messages that hold all these words, oldest first, everywhere or in one
        conversation."""
        row = self._row(target) if target is not None else None
        found = history.search(self._db, words, last, self._core.me.folded, row)
        return [self._far(line) for line in found]

    def draft(self, target: str, text: str | None = None) -> str:
        """The unfinished text of a conversation; with `text` it is kept first. Never sent."""
        row = self._row(target)
        if text is None or text == row.draft:
            return row.draft
        with self._db.transaction():
            conversations.update(self._db, row.log_id, draft=text)
        return text

    def notify(self, target: str, level: str | None = None) -> str:
        """What is worth a notification in a conversation: `all`, `mentions` or `nothing`."""
        row = self._row(target)
        if level is None:
            return row.notify
        if level not in ("all", "mentions", "nothing"):
            raise Usage(f"{level!r} is no level; there are all, mentions and nothing")
        with self._db.transaction():
            conversations.update(self._db, row.log_id, notify=level)
        return level

    def setting(self, name: str, value: str | None = None) -> str | None:
        """A setting, kept in the profile; with `value` it is set first.

        Args:
            name: one of `settings.SETTINGS`, or a name of the face's own.

        Returns:
            What it is now: the table's default, or None for a face's own, where it was not set.

        Raises:
            Usage: the value is none for this setting.
        """
        known = settings.BY_NAME.get(settings.plain(name))
        key = "setting " + (known.name if known is not None else name)
        if value is not None:
            value = settings.clean(known, value) if known is not None else value
            with self._db.transaction():
                self._db.put(key, value)
            if known is not None and known.name == "downloads":
                self._core.files.downloads = self._downloads()
            return value
        found = self._db.get(key)
        if found is None:
            return None if known is None else known.default
        return str(found)

    def is_on(self, name: str) -> bool:
        """Whether a setting of the table, a switch, is on."""
        return settings.is_on(self._db, name)

    async def mark_read(self, target: str) -> None:
        """Everything in a conversation was shown: the senders are told."""
        row = conversations.find(self._db, fold_target(target))
        if row is None:
            return
        with self._db.transaction():
            newest = self._db.value("SELECT max(seq) FROM messages WHERE log_id = ?", row.log_id)
            if newest is not None and newest > row.read:
                conversations.update(self._db, row.log_id, read=newest)
        self._core.pump()
        self._driver.turn()
