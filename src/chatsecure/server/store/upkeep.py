"""The SQL of blobs, of what expires and of the totals."""

import sqlite3
from collections.abc import Sequence

from .base import BlobRow, LogKey, UserKey
from .schema import SEQ_BITS

_BLOB = "SELECT blob_id, log, user, size, segment_bytes, whole, made_seq, touched_at FROM blobs "


class UpkeepTables:
    """Part of `SqliteTx`."""

    db: sqlite3.Connection
    _expired_appends: bool | None

    def blob(self, blob_id: bytes) -> BlobRow | None:
        """The blob with this id."""
        row = self.db.execute(_BLOB + "WHERE blob_id = ?", (blob_id,)).fetchone()
        return None if row is None else BlobRow(*row)

    def add_blob(self, row: BlobRow, at: int) -> None:
        """A new blob."""
        self.db.execute(
            "INSERT INTO blobs VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                row.blob_id, row.log, row.user, row.size, row.segment_bytes, row.whole,
                row.made_seq, at, row.touched_at,
            ),
        )  # fmt: skip

    def set_blob_whole(self, blob_id: bytes, whole: int, at: int) -> None:
        """More leading segments are on disk."""
        self.db.execute(
            "UPDATE blobs SET whole = max(whole, ?), touched_at = ? WHERE blob_id = ?",
            (whole, at, blob_id),
        )

    def drop_blob(self, blob_id: bytes) -> None:
        """A blob is gone."""
        self.db.execute("DELETE FROM blobs WHERE blob_id = ?", (blob_id,))

    def blob_usage(self, user: UserKey) -> tuple[int, int, int]:
        """Bytes of a user's blobs, how many those are, and bytes of all."""
        mine, count = self.db.execute(
            "SELECT coalesce(sum(size), 0), count(*) FROM blobs WHERE user = ?", (user,)
        ).fetchone()
        every = self.db.execute("SELECT coalesce(sum(size), 0) FROM blobs").fetchone()[0]
        return mine, count, every

    def expired_blobs(self, kept_since: int, idle_since: int, limit: int) -> list[bytes]:
        """Blobs made before the one time, or unfinished and untouched since the other."""
        rows = self.db.execute(
            "SELECT blob_id FROM blobs WHERE at < ? OR (touched_at < ?"
            " AND whole * segment_bytes < size) LIMIT ?",
            (kept_since, idle_since, limit),
        ).fetchall()
        return [blob_id for (blob_id,) in rows]

    # --- what is needed no more -----------------------------------------------------------------

    def sweep_acked(self, log_ids: Sequence[bytes]) -> int:
        """Delete entries that every device which may read them has acknowledged."""
        removed = 0
        for log_id in log_ids:
            found = self.db.execute(
                "SELECT key, head FROM logs WHERE log_id = ?", (log_id,)
            ).fetchone()
            if found is None:
                continue
            key, head = found
            needed = self.db.execute(
                "SELECT min(max(acked, since)) FROM rosters WHERE log = ?"
                " AND (until IS NULL OR acked < until)",
                (key,),
            ).fetchone()[0]
            upto = head if needed is None else min(needed, head)
            removed += self.db.execute(
                "DELETE FROM entries WHERE key > ? AND key <= ?",
                (key << SEQ_BITS, key << SEQ_BITS | upto),
            ).rowcount
        return removed

    def sweep_old(self, before: int, after: LogKey, logs: int) -> tuple[LogKey | None, int]:
        """Delete entries of some logs that are older than `before`, but never a log's last one:
        by it a device that was away for long learns that there is a gap.

        Returns:
            The key to go on after (None: all logs were looked at), and how many went.
        """
        rows = self.db.execute(
            "SELECT key, head FROM logs WHERE key > ? ORDER BY key LIMIT ?", (after, logs)
        ).fetchall()
        removed = 0
        for key, head in rows:
            first, last = key << SEQ_BITS, key << SEQ_BITS | head
            oldest = self.db.execute(
                "SELECT at FROM entries WHERE key > ? AND key < ? ORDER BY key LIMIT 1",
                (first, last),
            ).fetchone()
            if oldest is None or oldest[0] >= before:
                continue
            kept = self.db.execute(
                "INSERT OR IGNORE INTO appended"
                " SELECT e.append_id, e.device_id, e.log, e.key & ?, e.at FROM entries e"
                " WHERE e.key > ? AND e.key < ? AND e.at < ? AND NOT EXISTS ("
                "  SELECT 1 FROM rosters r JOIN devices d ON d.key = r.device"
                "  WHERE r.log = e.log AND d.device_id = e.device_id AND r.acked >= e.key & ?)",
                ((1 << SEQ_BITS) - 1, first, last, before, (1 << SEQ_BITS) - 1),
            ).rowcount
            if kept > 0:
                self._expired_appends = True
            removed += self.db.execute(
                "DELETE FROM entries WHERE key > ? AND key < ? AND at < ?", (first, last, before)
            ).rowcount
        return (LogKey(rows[-1][0]) if len(rows) == logs else None), removed

    def sweep_leftovers(self, before: int, long_before: int) -> None:
        """Delete old tokens, links, claimed KeyPackages' marks and append ids."""
        self.db.execute(
            "DELETE FROM tokens WHERE expires_at < ? OR (uses_left <= 0 AND at < ?)",
            (before, before),
        )
        self.db.execute("DELETE FROM links WHERE expires_at > 0 AND expires_at < ?", (before,))
        self.db.execute("DELETE FROM appended WHERE at < ?", (long_before,))
        self.db.execute(
            "DELETE FROM key_packages WHERE data IS NULL AND key <"
            " (SELECT max(key) FROM key_packages) - 100000"
        )

    def totals(self) -> dict[str, int]:
        """Counts for the operator."""
        queries = {
            "users": "SELECT count(*) FROM users",
            "devices": "SELECT count(*) FROM devices",
            "conversations": "SELECT count(*) FROM logs WHERE kind <> 3",
            "entries_kept": "SELECT count(*) FROM entries",
            "entries_accepted": "SELECT coalesce(sum(head), 0) FROM logs WHERE kind <> 3",
            "blobs": "SELECT count(*) FROM blobs",
            "blob_bytes": "SELECT coalesce(sum(size), 0) FROM blobs",
        }
        return {name: int(self.db.execute(sql).fetchone()[0]) for name, sql in queries.items()}
