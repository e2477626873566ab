"""What becomes of a file by somebody's word: the person's here, or others' in a conversation."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chatsecure.bulk import delete
from chatsecure.client.content import FileFate, FileManifest, FileNote, decode_content
from chatsecure.client.conversations import Conversation
from chatsecure.client.flow import Operation
from chatsecure.crypto.credentials import MemberIdentity
from chatsecure.names import fold_name
from chatsecure.wire import messages as m
from chatsecure.wire.errors import ErrorCode, Refused, Usage

from .rows import FileRows, Key

if TYPE_CHECKING:
    from chatsecure.client.core import Core

PART_SUFFIX = ".part"


class Wishes(FileRows):
    """Accept, decline, cancel; and what the others say."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.downloads: Path | None = None
        """Where received files go; nothing is fetched while it is None."""
        self._running: dict[Key, Operation[None]] = {}
        self._dropping: set[Key] = set()
        self._unwanted: set[Key] = set()
        """Files of ours that were given up while they wait for a place."""

    # --- what the person wants -------------------------------------------------------------------

    def accept(self, id_: bytes) -> None:
        """See `Client.accept_file`."""
        key, incoming, state = self._find(id_)
        if not incoming:
            raise Usage("this is a file of your own")
        if state in ("received", "receiving"):
            return
        if state == "cancelled" and self._withdrawn(key):
            raise Usage("its sender has taken this file back", hint="ask for it again")
        with self._db.transaction():
            self._db.run(
                "UPDATE files SET state = 'offered', held = 0, tries = 0, retry_at = NULL"
                " WHERE log_id = ? AND id = ?", *key,
            )  # fmt: skip
        self.core.pump()

    def decline(self, id_: bytes) -> None:
        """See `Client.decline_file`."""
        key, incoming, state = self._find(id_)
        if not incoming:
            raise Usage("this is a file of your own", hint="cancel it instead")
        self._turn_down(key, state, "declined", FileFate.DECLINED)

    def cancel(self, id_: bytes) -> None:
        """See `Client.cancel_file`."""
        key, incoming, state = self._find(id_)
        if incoming:
            self._turn_down(key, state, "cancelled", FileFate.CANCELLED)
        elif state in ("sending", "sent"):
            with self._db.transaction():
                self._set(key, "cancelled")
                if state == "sending":
                    self._unwanted.add(key)
                self._db.run("UPDATE files SET drop_blob = 1 WHERE log_id = ? AND id = ?", *key)
                self.tell(key, state="cancelled")
                if self._db.row("SELECT 1 FROM messages WHERE log_id = ? AND id = ?", *key):
                    self._note(key, FileFate.CANCELLED)
            self.core.pump()

    def _turn_down(self, key: Key, state: str, to: str, fate: FileFate) -> None:
        if state == "received":
            raise Usage("this file is here already", hint="delete it if you do not want it")
        if state in ("declined", "cancelled"):
            return
        with self._db.transaction():
            self._set(key, to)
            self.tell(key, state=to)
            self._note(key, fate)
        self.core.pump()
        self._forget_part(key)

    # --- what others say -------------------------------------------------------------------------

    def noted(self, row: Conversation, sender: MemberIdentity, note: FileNote) -> str | None:
        """Somebody says what becomes of a file; in the entry's transaction.

        Returns:
            What to tell of a file of ours: `declined`, `cancelled` or `failed`.
        """
        key = (row.log_id, note.of)
        found = self._db.row(
            "SELECT m.mine, m.sender, f.state, f.incoming FROM messages m"
            " JOIN files f ON f.log_id = m.log_id AND f.id = m.id WHERE m.log_id = ? AND m.id = ?",
            *key,
        )
        if found is None:
            return None
        mine, owner, state, incoming = found
        if fold_name(owner) == fold_name(sender.name):
            if incoming and state in ("offered", "receiving", "failed", "declined", "cancelled"):
                gone = "cancelled" if note.fate is FileFate.CANCELLED else "failed"
                reason = note.reason or "its sender took it back"
                self._set(key, gone, reason=reason)
                self._db.run("UPDATE files SET retry_at = NULL WHERE log_id = ? AND id = ?", *key)
                if state not in ("declined", "cancelled"):
                    self.tell(key, state=gone, reason=reason)
                self.core.defer(lambda: self._stop(key))
            return None
        if not mine or incoming:
            return None
        fate = note.fate.name.lower()
        self.device_done(key, sender.device_id, fate)
        return fate

    def device_done(self, key: Key, device_id: bytes, state: str) -> None:
        """A device has a file of ours, or does not take it: once all have said so, the server
        need not keep it. In a transaction."""
        self._db.run(
            "INSERT INTO file_devices(log_id, id, device_id, state) VALUES(?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET state = excluded.state",
            *key, device_id, state,
        )  # fmt: skip
        if state == "failed":
            return
        open_ = self._db.row(
            "SELECT 1 FROM members m WHERE m.log_id = ?1 AND m.device_id <> ?3 AND NOT EXISTS("
            "SELECT 1 FROM file_devices d WHERE d.log_id = ?1 AND d.id = ?2"
            " AND d.device_id = m.device_id AND d.state <> 'failed') LIMIT 1",
            *key, self.core.me.device_id,
        )  # fmt: skip
        if open_ is None:
            self._db.run(
                "UPDATE files SET drop_blob = 1 WHERE log_id = ? AND id = ? AND state = 'sent'",
                *key,
            )
            self.core.defer(self.core.pump)

    def deleted(self, log_id: bytes, id_: bytes) -> None:
        """The message of a file was deleted; in a transaction."""
        key = (log_id, id_)
        if self._set(key, "cancelled", "offered", "receiving", "failed", reason="deleted"):
            self.core.defer(self._stop_unwanted)
            self.core.defer(lambda: self._forget_part(key))
        if self._db.run(
            "UPDATE files SET drop_blob = 1 WHERE log_id = ? AND id = ? AND incoming = 0"
            " AND state IN ('sending', 'sent')", *key,
        ):  # fmt: skip
            self._set(key, "cancelled", "sending")
            self.core.defer(self.core.pump)

    # --- what follows ----------------------------------------------------------------------------

    def _stop_unwanted(self) -> None:
        """Give up what the person, or the other side, does not want any more."""
        for key in list(self._running):
            if self._state(key) in ("declined", "cancelled"):
                self._stop(key)

    def _stop(self, key: Key) -> None:
        """Give a file up, and what there is of it."""
        operation = self._running.get(key)
        if operation is not None:
            operation.cancel()
        self._forget_part(key)

    def _drop_blob(self, key: Key, manifest: bytes) -> None:
        content = decode_content(manifest)
        if key in self._dropping or not isinstance(content, FileManifest):
            return
        self._dropping.add(key)

        def done(ticket: Any) -> None:
            self._dropping.discard(key)
            error = ticket.error
            if error is None or (isinstance(error, Refused) and error.code is ErrorCode.NOT_FOUND):
                with self._db.transaction():
                    self._db.run("UPDATE files SET drop_blob = 0 WHERE log_id = ? AND id = ?", *key)

        self.core.ask(m.BlobDelete(content.blob_id), done)

    def _part(self, key: Key) -> Path:
        assert self.downloads is not None
        return self.downloads / f".{key[1].hex()}{PART_SUFFIX}"

    def done(self, id_: bytes) -> int | None:
        """How many bytes of a file are over so far; None where there are none."""
        for key, far in self._far.items():
            if key[1] == id_:
                return far
        if self.downloads is None:
            return None
        with suppress(OSError):
            return self._part((b"", id_)).stat().st_size
        return None

    def _forget_part(self, key: Key) -> None:
        if self.downloads is not None:
            self.core.work(delete(self._part(key)))
            shutil.rmtree(self._part(key).with_suffix(".folder"), ignore_errors=True)
