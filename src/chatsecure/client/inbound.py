"""Contents as they arrive: texts, files, receipts and the rest, written down and told.

Called by the receiver inside the transaction of the entry, after MLS has authenticated it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chatsecure import mls
from chatsecure.crypto.credentials import MemberIdentity
from chatsecure.names import fold_name
from chatsecure.wire import messages as m

from . import about, conversations, leaving, stale
from .content import (
    AnyContent,
    BadContent,
    Delete,
    Edit,
    FileManifest,
    FileNote,
    Leave,
    Reaction,
    Receipt,
    Status,
    Text1,
    encode_content,
)
from .conversations import Conversation
from .display import safe_filename
from .events import (
    HELD,
    FileEvent,
    MembershipEvent,
    MessageEvent,
    ReceiptEvent,
    StateEvent,
    message_id,
    stamp,
)

if TYPE_CHECKING:
    from .core import Core

TEXT, FILE = 1, 5
"""Kinds in the table `messages`: the tags of their contents."""


class Inbound:
    """Writes contents down. One per core."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._db = core.db

    def own(self, row: Conversation, entry: m.Entry) -> None:
        """An entry this device sent: it is in the log for good now."""
        queued = self._db.value("SELECT payload FROM outbox WHERE id = ?", entry.append_id)
        if queued is None:
            # Another copy of the profile wrote it.
            stale.noticed_in(self._core, row.log_id)
            return
        if queued != entry.payload:
            raise BadContent("the server shows a message of ours that we did not send so")
        self._db.run("DELETE FROM outbox WHERE id = ?", entry.append_id)
        if entry.kind is m.EntryKind.LEAVE:
            conversations.end(self._db, row.log_id, conversations.LEFT)
            self._core.defer(lambda: self._core.inbox.reconsider(row.log_id))
            self._core.emit(self._membership(row, entry, self._core.me.name, "left"))
        else:
            self.stored(row, entry.append_id, entry.seq, entry.at)
            self._into_order(row, entry)

    def _into_order(self, row: Conversation, entry: m.Entry) -> None:
        """What was written before ours reached the log stands before it."""
        overtaken = self._db.row(
            "SELECT 1 FROM messages WHERE log_id = ?1 AND seq < ?2 AND n >"
            " (SELECT n FROM messages WHERE log_id = ?1 AND id = ?3) LIMIT 1",
            row.log_id, entry.seq, entry.append_id,
        )  # fmt: skip
        if overtaken:
            self._db.run(
                "UPDATE messages SET n = (SELECT max(n) + 1 FROM messages)"
                " WHERE log_id = ? AND id = ?",
                row.log_id, entry.append_id,
            )  # fmt: skip

    def stored(self, row: Conversation, id_: bytes, seq: int, at: int) -> None:
        """The server has a message of ours; told once."""
        changed = self._db.run(
            "UPDATE messages SET seq = ?, at = ?, state = 'stored'"
            " WHERE log_id = ? AND id = ? AND mine = 1 AND state = 'queued'",
            seq, at, row.log_id, id_,
        )  # fmt: skip
        if changed:
            self._core.emit(
                StateEvent(
                    at=stamp(at), conversation=row.name, seq=seq, of=message_id(id_), state="stored"
                )
            )

    def _membership(
        self, row: Conversation, entry: m.Entry, user: str, state: str
    ) -> MembershipEvent:
        return MembershipEvent(
            at=stamp(entry.at),
            conversation=row.name,
            sender=user,
            seq=entry.seq,
            user=user,
            state=state,
            by=user,
        )

    def content(
        self,
        row: Conversation,
        entry: m.Entry,
        sender: MemberIdentity,
        content: AnyContent,
        member: mls.Member,
    ) -> None:
        """Another device's content.

        Raises:
            BadContent: it makes no sense here.
        """
        if (entry.kind is m.EntryKind.LEAVE) != isinstance(content, Leave):
            raise BadContent("a leaving that is none")
        match content:
            case Text1():
                self._text(row, entry, sender, content)
            case FileManifest():
                self._file(row, entry, sender, content)
            case Edit() | Delete() | Reaction():
                about.arrived(self._core, row, sender, content, self._common(row, entry, sender))
            case Status():
                about.status_arrived(self._core, sender, content, self._common(row, entry, sender))
            case Receipt():
                self._receipt(row, entry, sender, content)
            case FileNote():
                self._file_note(row, entry, sender, content)
            case Leave():
                group = self._core.groups.get(row.log_id)
                leaving.check(row.log_id, group, member, content.signature)
                self._leave(row, entry, sender, content)
            case _:
                raise BadContent("something that is not kept came to be kept")

    def _insert(
        self,
        row: Conversation,
        entry: m.Entry,
        sender: MemberIdentity,
        kind: int,
        content: AnyContent,
        text: str,
    ) -> bool:
        """Write a message down; False where it is there already (a sender's repeat)."""
        inserted = self._db.run(
            "INSERT OR IGNORE INTO messages"
            "(id, log_id, seq, at, sender, mine, kind, body, text, state)"
            " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, 'received')",
            entry.append_id, row.log_id, entry.seq, entry.at, sender.name,
            int(sender.identity_fingerprint == self._core.me.fingerprint), kind,
            encode_content(content), text,
        )  # fmt: skip
        if inserted:
            conversations.update(self._db, row.log_id, delivered=entry.seq)
        return bool(inserted)

    def _common(self, row: Conversation, entry: m.Entry, sender: MemberIdentity) -> dict[str, Any]:
        return {
            "at": stamp(entry.at),
            "id": message_id(entry.append_id),
            "conversation": row.name,
            "sender": sender.name,
            "seq": entry.seq,
        }

    def _text(
        self, row: Conversation, entry: m.Entry, sender: MemberIdentity, content: Text1
    ) -> None:
        if self._insert(row, entry, sender, TEXT, content, content.text):
            self._core.emit(
                MessageEvent(
                    **self._common(row, entry, sender),
                    text=content.text,
                    private=row.private,
                    reply_to=message_id(content.reply_to) if content.reply_to else None,
                    mentions=list(content.mentions),
                    action=content.action,
                )
            )

    def _file(
        self, row: Conversation, entry: m.Entry, sender: MemberIdentity, content: FileManifest
    ) -> None:
        name = safe_filename(content.name)
        if not self._insert(row, entry, sender, FILE, content, name):
            return
        held = self._core.files.offered(sender, content)
        self._db.run(
            "INSERT OR IGNORE INTO files(log_id, id, incoming, manifest, state, at, size, held)"
            " VALUES(?, ?, 1, ?, 'offered', ?, ?, ?)",
            row.log_id, entry.append_id, encode_content(content), entry.at, content.size,
            next((number for number, why in HELD.items() if why == held), 0),
        )  # fmt: skip
        self._core.emit(
            FileEvent(
                **self._common(row, entry, sender),
                name=name,
                size=content.size,
                sha256=content.sha256.hex(),
                state="offered",
                held=held is not None,
                held_because=held,
                folder=content.folder,
            )
        )

    def _file_note(
        self, row: Conversation, entry: m.Entry, sender: MemberIdentity, note: FileNote
    ) -> None:
        told = self._core.files.noted(row, sender, note)
        if told is not None:
            self._tell_file(row, entry, sender, note.of, told, note.reason or None)

    def _tell_file(
        self, row: Conversation, entry: m.Entry, sender: MemberIdentity, id_: bytes, state: str,
        reason: str | None = None,
    ) -> None:  # fmt: skip
        """Tell who has a file of ours, or does not get it, and how many have it."""
        name, seq = self._db.row(
            "SELECT text, seq FROM messages WHERE log_id = ? AND id = ?", row.log_id, id_
        )
        self._core.emit(
            ReceiptEvent(
                **self._common(row, entry, sender) | {"id": None},
                of=message_id(id_),
                state=state,
                name=name,
                have=self._core.files.received_by(id_),
                people=conversations.delivery(
                    self._db, row.log_id, seq or 0, self._core.me.folded
                ).people,
                reason=reason,
            )
        )

    def _receipt(
        self, row: Conversation, entry: m.Entry, sender: MemberIdentity, content: Receipt
    ) -> None:
        if content.delivered > entry.seq or content.read > entry.seq:
            raise BadContent(f"{sender.name} confirmed what does not exist yet")
        folded, db = fold_name(sender.name), self._db
        before = db.row(
            "SELECT coalesce(max(delivered), 0), coalesce(max(read), 0) FROM receipts"
            " WHERE log_id = ? AND folded = ?",
            row.log_id, folded,
        )  # fmt: skip
        db.run(
            "INSERT INTO receipts(log_id, device_id, folded, delivered, read)"
            " VALUES(?, ?, ?, ?, ?) ON CONFLICT(log_id, device_id) DO UPDATE SET"
            " delivered = max(delivered, excluded.delivered), read = max(read, excluded.read)",
            row.log_id, sender.device_id, folded, content.delivered, content.read,
        )  # fmt: skip
        if sender.identity_fingerprint == self._core.me.fingerprint:
            return
        spans = ((before[0], content.delivered, "delivered"), (before[1], content.read, "read"))
        for old, new, state in spans:
            self._tell_receipts(row, entry, sender, old, new, state)
        wrong = [
            receipt
            for receipt in content.files
            if not self._file_receipt(row, entry, sender, receipt.message_id, receipt.sha256)
        ]
        if wrong:
            raise BadContent(f"{sender.name} has another file than the one we sent")

    def _tell_receipts(
        self, row: Conversation, entry: m.Entry, sender: MemberIdentity, old: int, new: int,
        state: str,
    ) -> None:  # fmt: skip
        mine = self._db.rows(
            "SELECT id FROM messages WHERE log_id = ? AND mine = 1 AND seq > ? AND seq <= ?"
            " ORDER BY seq",
            row.log_id, old, new,
        )  # fmt: skip
        for (id_,) in mine:
            self._core.emit(
                ReceiptEvent(
                    **self._common(row, entry, sender) | {"id": None},
                    of=message_id(id_),
                    state=state,
                )
            )

    def _file_receipt(
        self, row: Conversation, entry: m.Entry, sender: MemberIdentity, id_: bytes, digest: bytes
    ) -> bool:
        """Somebody has a file of ours; False where it is not what we sent."""
        from .content import decode_content

        sent = self._db.value(
            "SELECT body FROM messages WHERE log_id = ? AND id = ? AND mine = 1 AND kind = ?",
            row.log_id, id_, FILE,
        )  # fmt: skip
        manifest = decode_content(sent) if sent else None
        if not isinstance(manifest, FileManifest):
            return True
        if manifest.sha256 != digest:
            return False
        new = self._db.run(
            "INSERT OR IGNORE INTO file_receipts(log_id, id, folded, at) VALUES(?, ?, ?, ?)",
            row.log_id, id_, fold_name(sender.name), entry.at,
        )  # fmt: skip
        self._core.files.device_done((row.log_id, id_), sender.device_id, "received")
        if new:
            self._tell_file(row, entry, sender, id_, "received")
        return True

    def _leave(
        self, row: Conversation, entry: m.Entry, sender: MemberIdentity, content: Leave
    ) -> None:
        self._db.run(
            "INSERT OR REPLACE INTO leavers(log_id, device_id, signature) VALUES(?, ?, ?)",
            row.log_id, sender.device_id, content.signature,
        )  # fmt: skip
        self._core.emit(self._membership(row, entry, sender.name, "left"))
        self._core.defer(lambda: self._core.remove_leavers(row.log_id))
