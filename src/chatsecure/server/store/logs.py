"""The SQL of logs, entries, rosters and links.

The writer's transaction caches what every append asks: the state of a log and who is in it.
`save_log` only marks a log; it is written once a batch, however many entries came.
"""

import sqlite3
from collections.abc import Iterable, Sequence

import msgspec

from chatsecure.wire import messages as m
from chatsecure.wire.chain import chain_start

from .base import INBOX_KIND, Ack, DeviceKey, Interval, LinkRow, LogKey, LogRow, UserKey
from .schema import SEQ_BITS

_LOG = "SELECT key, log_id, kind, epoch, head, chain, creator FROM logs "
_ROSTER = msgspec.msgpack.Decoder(m.RosterChange)
_ENCODER = msgspec.msgpack.Encoder()
MAX_CACHED = 20_000
MAX_ENTRIES_A_LOOK = 1024


class LogTables:
    """Part of `SqliteTx`."""

    db: sqlite3.Connection

    def __init__(self) -> None:
        self._logs: dict[bytes, LogRow] = {}
        self._dirty: dict[LogKey, LogRow] = {}
        self._members: dict[tuple[LogKey, DeviceKey], bool] = {}
        self._expired_appends: bool | None = None

    def flush(self) -> None:
        """Write the logs that changed."""
        if self._dirty:
            self.db.executemany(
                "UPDATE logs SET epoch = ?, head = ?, chain = ? WHERE key = ?",
                [(log.epoch, log.head, log.chain, log.key) for log in self._dirty.values()],
            )
            self._dirty.clear()

    def forget(self) -> None:
        """Something was undone: the caches may be wrong."""
        self._logs.clear()
        self._dirty.clear()
        self._members.clear()
        self._expired_appends = None

    def trim(self) -> None:
        """Keep the caches bounded; after a commit."""
        if len(self._logs) > MAX_CACHED:
            self._logs.clear()
        if len(self._members) > MAX_CACHED * 4:
            self._members.clear()

    # --- logs ---------------------------------------------------------------------------------

    def log(self, log_id: bytes) -> LogRow | None:
        """The log with this id."""
        found = self._logs.get(log_id)
        if found is None:
            row = self.db.execute(_LOG + "WHERE log_id = ?", (log_id,)).fetchone()
            if row is None:
                return None
            found = self._logs[log_id] = LogRow(*row)
        return found

    def log_by_key(self, key: LogKey) -> LogRow | None:
        """The log with this key."""
        row = self.db.execute("SELECT log_id FROM logs WHERE key = ?", (key,)).fetchone()
        return None if row is None else self.log(row[0])

    def lobby(self) -> bytes | None:
        """The lobby's id, once there is one."""
        row = self.db.execute("SELECT log_id FROM logs WHERE kind = 0").fetchone()
        return None if row is None else bytes(row[0])

    def private_log(self, one: UserKey, other: UserKey) -> bytes | None:
        """The private chat of two users."""
        row = self.db.execute(
            "SELECT log_id FROM logs WHERE pair_one = ? AND pair_other = ?",
            (min(one, other), max(one, other)),
        ).fetchone()
        return None if row is None else bytes(row[0])

    def logs_made_by(self, user: UserKey) -> int:
        """How many conversations a user made."""
        return int(
            self.db.execute(
                "SELECT count(*) FROM logs WHERE kind <> ? AND creator IN"
                " (SELECT key FROM devices WHERE user = ?)",
                (INBOX_KIND, user),
            ).fetchone()[0]
        )

    def add_log(
        self,
        log_id: bytes,
        kind: int,
        creator: DeviceKey,
        pair: tuple[UserKey, UserKey] | None,
        at: int,
    ) -> LogRow:
        """A new, empty log."""
        one, other = (min(pair), max(pair)) if pair else (None, None)
        chain = chain_start(log_id)
        found = self.db.execute(
            "INSERT INTO logs(log_id, kind, epoch, head, chain, creator, pair_one, pair_other, at)"
            " VALUES(?, ?, 0, 0, ?, ?, ?, ?, ?)",
            (log_id, kind, chain, creator, one, other, at),
        )
        row = LogRow(LogKey(found.lastrowid or 0), log_id, kind, 0, 0, chain, creator)
        self._logs[log_id] = row
        return row

    def save_log(self, log: LogRow) -> None:
        """The log's epoch, head or chain changed."""
        self._dirty[log.key] = log

    def pair(self, log: LogKey) -> tuple[UserKey, UserKey] | None:
        """The two users of a private chat."""
        row = self.db.execute(
            "SELECT pair_one, pair_other FROM logs WHERE key = ?", (log,)
        ).fetchone()
        return None if row is None or row[0] is None else (row[0], row[1])

    # --- entries ------------------------------------------------------------------------------

    def appended(self, log: LogKey, device_id: bytes, append_id: bytes) -> tuple[int, int] | None:
        """Sequence number and time of what this device appended under this id."""
        row = self.db.execute(
            "SELECT key, at FROM entries WHERE append_id = ? AND device_id = ? AND log = ?",
            (append_id, device_id, log),
        ).fetchone()
        if row is not None:
            return row[0] & (1 << SEQ_BITS) - 1, row[1]
        return self._appended_once(log, device_id, append_id)

    def _appended_once(
        self, log: LogKey, device_id: bytes, append_id: bytes
    ) -> tuple[int, int] | None:
        if self._expired_appends is None:
            self._expired_appends = (
                self.db.execute("SELECT 1 FROM appended LIMIT 1").fetchone() is not None
            )
        if not self._expired_appends:
            return None
        row = self.db.execute(
            "SELECT seq, at FROM appended WHERE append_id = ? AND device_id = ? AND log = ?",
            (append_id, device_id, log),
        ).fetchone()
        return None if row is None else (row[0], row[1])

    def add_entry(self, log: LogKey, entry: m.Entry, chain: bytes) -> bool:
        """Append. False, and nothing is stored: the device used this append id before."""
        if self._appended_once(log, entry.device_id, entry.append_id) is not None:
            return False
        roster = None if entry.roster is None else _ENCODER.encode(entry.roster)
        found = self.db.execute(
            "INSERT OR IGNORE INTO entries VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                log << SEQ_BITS | entry.seq, entry.at, entry.device_id, entry.append_id,
                entry.epoch, int(entry.kind), entry.payload, roster, log, chain,
            ),
        )  # fmt: skip
        return found.rowcount > 0

    def entries(
        self, log: LogKey, after: int, upto: int | None, max_bytes: int
    ) -> tuple[list[m.Entry], bool]:
        """Entries with after < seq <= upto, at least one if there is any, and whether more are."""
        last = (1 << SEQ_BITS) - 1
        after, upto = min(after, last), last if upto is None else min(upto, last)
        found: list[m.Entry] = []
        size = 0
        rows = self.db.execute(
            "SELECT key, at, device_id, append_id, epoch, kind, payload, roster FROM entries"
            " WHERE key > ? AND key <= ? ORDER BY key LIMIT ?",
            (log << SEQ_BITS | after, log << SEQ_BITS | upto, MAX_ENTRIES_A_LOOK + 1),
        )
        for key, at, device_id, append_id, epoch, kind, payload, roster in rows:
            size += len(payload) + 64
            if found and (size > max_bytes or len(found) == MAX_ENTRIES_A_LOOK):
                rows.close()
                return found, True
            change = None if roster is None else _ROSTER.decode(roster)
            found.append(
                m.Entry(key & last, at, device_id, append_id, epoch, m.EntryKind(kind),
                        payload, change)
            )  # fmt: skip
        return found, False

    def first_entry(self, log: LogKey, upto: int) -> int:
        """The oldest entry that is kept, up to this one; 0: none is."""
        row = self.db.execute(
            "SELECT key FROM entries WHERE key > ? AND key <= ? ORDER BY key LIMIT 1",
            (log << SEQ_BITS, log << SEQ_BITS | upto),
        ).fetchone()
        return 0 if row is None else row[0] & ((1 << SEQ_BITS) - 1)

    def chain_at(self, log: LogKey, seq: int) -> bytes | None:
        """The hash chain after this entry, if it is kept."""
        row = self.db.execute(
            "SELECT chain FROM entries WHERE key = ?", (log << SEQ_BITS | seq,)
        ).fetchone()
        return None if row is None else bytes(row[0])

    # --- rosters ------------------------------------------------------------------------------

    def is_member(self, log: LogKey, device: DeviceKey) -> bool:
        """Whether a device is in a log's roster now."""
        known = self._members.get((log, device))
        if known is None:
            known = self._members[log, device] = (
                self.db.execute(
                    "SELECT 1 FROM rosters WHERE log = ? AND device = ? AND until IS NULL",
                    (log, device),
                ).fetchone()
                is not None
            )
        return known

    def roster_size(self, log: LogKey) -> int:
        """How many devices are in a log's roster now."""
        return int(
            self.db.execute(
                "SELECT count(*) FROM rosters WHERE log = ? AND until IS NULL", (log,)
            ).fetchone()[0]
        )

    def intervals(self, log: LogKey, device: DeviceKey) -> list[Interval]:
        """All a device's times in a roster, oldest first."""
        rows = self.db.execute(
            "SELECT since, until, acked, chain FROM rosters WHERE log = ? AND device = ?"
            " ORDER BY since",
            (log, device),
        ).fetchall()
        return [Interval(*row) for row in rows]

    def enter(self, log: LogKey, device: DeviceKey, since: int, chain: bytes) -> None:
        """A device comes in and reads what follows `since`."""
        self.db.execute(
            "INSERT OR REPLACE INTO rosters(log, device, since, until, acked, chain)"
            " VALUES(?, ?, ?, NULL, ?, ?)",
            (log, device, since, since, chain),
        )
        self._members[log, device] = True

    def leave(self, log: LogKey, device: DeviceKey, until: int) -> bool:
        """A device goes; it reads up to `until`. False: it was not there."""
        found = self.db.execute(
            "UPDATE rosters SET until = ? WHERE log = ? AND device = ? AND until IS NULL",
            (until, log, device),
        )
        self._members[log, device] = False
        return found.rowcount > 0

    def logs_of(self, device: DeviceKey) -> list[tuple[LogRow, Interval]]:
        """Conversations a device is in, or has not read to its end, with its latest time in."""
        rows = self.db.execute(
            "SELECT l.key, l.log_id, l.kind, l.epoch, l.head, l.chain, l.creator,"
            " r.since, r.until, r.acked, r.chain FROM rosters r JOIN logs l ON l.key = r.log"
            " WHERE r.device = ? AND l.kind <> ? AND (r.until IS NULL OR r.acked < r.until)"
            " ORDER BY l.key, r.since",
            (device, INBOX_KIND),
        ).fetchall()
        latest = {row[0]: (LogRow(*row[:7]), Interval(*row[7:])) for row in rows}
        return list(latest.values())

    def ack(self, acks: Iterable[Ack]) -> None:
        """Devices have read so far; never further than the log goes."""
        for ack in acks:
            log = self.log(ack.log_id)
            if log is not None:
                self.db.execute(
                    "UPDATE rosters SET acked = max(acked, ?) WHERE log = ? AND device = ?",
                    (min(ack.seq, log.head), log.key, ack.device),
                )

    # --- links --------------------------------------------------------------------------------

    def link(self, link_id: bytes) -> LinkRow | None:
        """The link with this id."""
        row = self.db.execute(
            "SELECT link_id, log, uses_left, expires_at, sealed_key FROM links WHERE link_id = ?",
            (link_id,),
        ).fetchone()
        return None if row is None else LinkRow(*row)

    def use_link(self, link_id: bytes) -> None:
        """One use less; the last use closes it."""
        self.db.execute("UPDATE links SET uses_left = uses_left - 1 WHERE link_id = ?", (link_id,))
        self.db.execute("DELETE FROM links WHERE link_id = ? AND uses_left <= 0", (link_id,))

    def set_links(
        self, log: LogKey, keep: Sequence[m.LinkKey], new: Sequence[m.LinkUpload]
    ) -> None:
        """Refresh the named links, drop the others, add the new ones."""
        kept = {link.link_id: link.sealed_key for link in keep}
        for (link_id,) in self.db.execute(
            "SELECT link_id FROM links WHERE log = ?", (log,)
        ).fetchall():
            if link_id in kept:
                self.db.execute(
                    "UPDATE links SET sealed_key = ? WHERE link_id = ?", (kept[link_id], link_id)
                )
            else:
                self.db.execute("DELETE FROM links WHERE link_id = ?", (link_id,))
        self.db.executemany(
            "INSERT OR IGNORE INTO links VALUES(?, ?, ?, ?, ?)",
            [
                (link.link_id, log, link.uses or None, link.expires_at, link.sealed_key)
                for link in new
            ],
        )

    def group_info(self, log: LogKey) -> tuple[int, bytes] | None:
        """Epoch and bytes of the sealed GroupInfo."""
        row = self.db.execute(
            "SELECT epoch, sealed FROM group_infos WHERE log = ?", (log,)
        ).fetchone()
        return None if row is None else (row[0], row[1])

    def set_group_info(self, log: LogKey, epoch: int, sealed: bytes) -> None:
        """A fresh sealed GroupInfo."""
        self.db.execute("INSERT OR REPLACE INTO group_infos VALUES(?, ?, ?)", (log, epoch, sealed))
