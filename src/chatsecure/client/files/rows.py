"""The table of files and what the faces are told of it. Knows nothing of transfers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chatsecure.client import conversations
from chatsecure.client.content import FileFate, FileManifest, FileNote, decode_content
from chatsecure.client.display import safe_filename
from chatsecure.client.events import HELD, FileEvent, message_id, stamp
from chatsecure.wire.errors import NotFound

if TYPE_CHECKING:
    from chatsecure.client.conversations import Conversation
    from chatsecure.client.core import Core

PROGRESS_MS = 100
UNHASHED = bytes(32)
"""In the manifest of a file of ours whose hash is not known yet; it is not posted so."""

Key = tuple[bytes, bytes]
"""Log and message: what a file is known by."""


class FileRows:
    """The files of one profile."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self._db = core.db
        self._told: dict[Key, int] = {}
        self._far: dict[Key, int] = {}
        """How far those are that are under way."""

    def find(self, beginning: str) -> bytes | None:
        """The id of the newest file whose id begins so, in hexadecimal."""
        wanted = beginning.casefold()
        if not wanted or not set(wanted) <= set("0123456789abcdef"):
            return None
        found = self._db.value(
            "SELECT id FROM files WHERE hex(id) LIKE ? ORDER BY at DESC LIMIT 1", wanted + "%"
        )
        return None if found is None else bytes(found)

    def received_by(self, id_: bytes) -> int:
        """How many people have confirmed a whole file of ours."""
        return int(self._db.value("SELECT count(*) FROM file_receipts WHERE id = ?", id_))

    def manifest(self, key: Key) -> FileManifest:
        """A file's manifest."""
        row = self._db.row("SELECT manifest FROM files WHERE log_id = ? AND id = ?", *key)
        manifest = decode_content(bytes(row[0]))
        assert isinstance(manifest, FileManifest)
        return manifest

    def _find(self, id_: bytes) -> tuple[Key, bool, str]:
        found = self._db.row("SELECT log_id, incoming, state FROM files WHERE id = ?", id_)
        if found is None:
            raise NotFound(f"there is no file {message_id(id_)} here")
        return (bytes(found[0]), id_), bool(found[1]), found[2]

    def _state(self, key: Key) -> str:
        found = self._db.value("SELECT state FROM files WHERE log_id = ? AND id = ?", *key)
        return str(found or "")

    def _withdrawn(self, key: Key) -> bool:
        return bool(self._db.value("SELECT reason FROM files WHERE log_id = ? AND id = ?", *key))

    def _set(self, key: Key, state: str, *before: str, reason: str = "") -> bool:
        """Set a state, if it was one of these (or any); in a transaction."""
        allowed = f" AND state IN ({', '.join('?' * len(before))})" if before else ""
        return bool(
            self._db.run(
                f"UPDATE files SET state = ?, reason = ? WHERE log_id = ? AND id = ?{allowed}",
                state, reason, *key, *before,
            )
        )  # fmt: skip

    def segments(self, key: Key, count: int) -> None:
        """So many segments of a file are on disk."""
        with self._db.transaction():
            self._db.run("UPDATE files SET segments = ? WHERE log_id = ? AND id = ?", count, *key)

    def _note(self, key: Key, fate: FileFate, reason: str = "") -> None:
        """Tell the others what becomes of a file; in a transaction."""
        row = conversations.get(self._db, key[0])
        if row is not None and row.state == conversations.ACTIVE:
            self.core.outbox.queue(row.log_id, FileNote(key[1], fate, reason[:200]))

    # --- events ----------------------------------------------------------------------------------

    def progress(self, key: Key, state: str, done: int) -> None:
        """Tell how far a file is, not too often."""
        self._far[key] = done
        now = self.core.now()
        if now - self._told.setdefault(key, now) >= PROGRESS_MS:
            self._told[key] = now
            self.tell(key, state=state, done=done)

    def tell(self, key: Key, **more: Any) -> None:
        """Emit a file's event."""
        found = self._db.row(
            "SELECT f.manifest, coalesce(m.sender, ''), m.seq, f.incoming, f.held FROM files f"
            " LEFT JOIN messages m ON m.log_id = f.log_id AND m.id = f.id"
            " WHERE f.log_id = ? AND f.id = ?",
            *key,
        )
        row: Conversation | None = conversations.get(self._db, key[0])
        manifest = decode_content(bytes(found[0])) if found else None
        if row is None or not isinstance(manifest, FileManifest):
            return
        self.core.emit(
            FileEvent(
                at=stamp(self.core.now()),
                id=message_id(key[1]),
                conversation=row.name,
                sender=found[1] or self.core.me.name,
                seq=found[2],
                name=safe_filename(manifest.name),
                size=manifest.size,
                sha256="" if manifest.sha256 == UNHASHED else manifest.sha256.hex(),
                held=bool(found[4]),
                held_because=HELD.get(found[4]),
                mine=not found[3],
                folder=manifest.folder,
                **more,
            )
        )
