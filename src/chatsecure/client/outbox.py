"""What is to be sent: a durable queue for each conversation.

A message is written down before anything else. When we are at the head of its log it is
encrypted, and ciphertext and ratchet are written in one transaction, so a retry sends the same
bytes under the same append id and the server stores them once. It is crossed out only when it is
seen in the log. Was it refused because the log had moved to another epoch, it is encrypted anew;
no earlier ciphertext can have been stored, since the log would show it before that change.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from chatsecure.wire import messages as m
from chatsecure.wire.errors import ErrorCode, Refused, WrongIdentity

from . import contacts, conversations, leaving, promises, settings
from .content import (
    AnyContent,
    EntryHeader,
    FileReceipt,
    Leave,
    Receipt,
    Typing,
    decode_content,
    encode_content,
    encode_header,
)
from .conversations import Conversation
from .events import StateEvent, message_id, stamp
from .flow import Ticket

if TYPE_CHECKING:
    from .core import Core

WINDOW = 64
"""How many messages of one conversation may be under way."""
RETRY_MS = 1_000
RECEIPT_PEOPLE = 64
"""In larger conversations nobody confirms delivery: it would cost more than the messages."""
FILES_A_RECEIPT = 64
"""How many files one receipt confirms at most."""
LATER = frozenset(
    {ErrorCode.RATE, ErrorCode.UNAVAILABLE, ErrorCode.STORAGE_FULL, ErrorCode.INTERNAL}
)
"""Refusals that may pass."""


class Outbox:
    """Sends what is queued. One per core."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._db = core.db
        self._in_flight: dict[bytes, m.Append] = {}
        self._retry_at: int | None = None

    def queue(
        self,
        log_id: bytes,
        content: AnyContent,
        *,
        id_: bytes | None = None,
        kind: m.EntryKind = m.EntryKind.MESSAGE,
    ) -> bytes:
        """Write something to send down; call in a transaction. Gives its id."""
        id_ = id_ or self._core.random(16)
        self._db.run(
            "INSERT INTO outbox(id, log_id, kind, content) VALUES(?, ?, ?, ?)",
            id_, log_id, int(kind), encode_content(content),
        )  # fmt: skip
        return id_

    def queue_leaving(self, log_id: bytes) -> bytes:
        """Queue that we leave; call in a transaction. Gives its id. What we sign is made with each
        ciphertext: it is of our leaf in that epoch."""
        unsigned = Leave(bytes(leaving.SIGNATURE_BYTES))
        return self.queue(log_id, unsigned, kind=m.EntryKind.LEAVE)

    def holds(self, id_: bytes) -> bool:
        """Whether something is still to be sent, or to be seen in its log."""
        return self._db.row("SELECT 1 FROM outbox WHERE id = ?", id_) is not None

    def queue_message(
        self,
        row: Conversation,
        kind: int,
        content: AnyContent,
        text: str,
        *,
        id_: bytes | None = None,
    ) -> bytes:
        """Queue what is shown as a message of ours; call in a transaction. Gives its id.

        Raises:
            WrongIdentity: somebody's identity in the conversation changed and is not accepted.
        """
        contacts.refuse_changed(self._db, row.log_id)
        id_, now = self.queue(row.log_id, content, id_=id_), self._core.now()
        self._db.run(
            "INSERT INTO messages(id, log_id, at, sender, mine, kind, body, text, state)"
            " VALUES(?, ?, ?, ?, 1, ?, ?, ?, 'queued')",
            id_, row.log_id, now, self._core.me.name, kind, encode_content(content), text,
        )  # fmt: skip
        return id_

    def whisper(self, log_id: bytes, content: Typing) -> None:
        """Send something that is not kept to who is there now."""
        core = self._core
        with self._db.transaction():
            row = conversations.get(self._db, log_id)
            if row is None or row.state != conversations.ACTIVE or row.stale:
                return
            header = EntryHeader(bytes(16), m.EntryKind.MESSAGE, row.epoch)
            group = core.groups.get(log_id)
            payload = group.encrypt(
                core.groups.signer, encode_content(content), aad=encode_header(header)
            )
            core.groups.save(log_id, group)
        core.notify(m.Whisper(log_id, payload))

    def next_retry(self) -> int | None:
        """When something that was put off is to be tried again."""
        return self._retry_at

    def pump(self) -> None:
        """Send what can be sent now."""
        core = self._core
        if not core.online:
            return
        if self._retry_at is not None:
            if core.clock() < self._retry_at:
                return
            self._retry_at = None
        logs = self._db.rows(
            "SELECT log_id FROM outbox WHERE sent = 0 UNION"
            " SELECT log_id FROM conversations WHERE state = 'active'"
            " AND delivered + read > receipted"
        )
        for (log_id,) in logs:
            if core.ready(log_id):
                self._pump_log(log_id)

    def _pump_log(self, log_id: bytes) -> None:
        under_way = [item for item in self._in_flight.values() if item.log_id == log_id]
        free = WINDOW - len(under_way)
        if free <= 0:
            return
        try:
            with self._db.transaction():
                requests = self._prepare(log_id, free, under_way)
        except WrongIdentity:
            return
        for request in requests:
            self._in_flight[request.append_id] = request
            self._core.ask(request, self._answered, once=True)

    def _prepare(self, log_id: bytes, limit: int, under_way: Sequence[m.Append]) -> list[m.Append]:
        """Encrypt what waits; in a transaction, by what the database says now."""
        row = conversations.get(self._db, log_id)
        if row is None or row.state != conversations.ACTIVE or not self._core.ready(log_id):
            return []
        if self._db.row("SELECT 1 FROM pending_commits WHERE log_id = ?", log_id):
            return []
        # Those will be refused, made anew and sent again; what is newer stands behind them.
        if any(request.epoch != row.epoch for request in under_way):
            return []
        contacts.refuse_changed(self._db, log_id)
        self._queue_receipt(row)
        queued = self._db.rows(
            "SELECT id, kind, content, payload, epoch FROM outbox"
            " WHERE log_id = ? AND sent = 0 ORDER BY n LIMIT ?",
            log_id,
            WINDOW,
        )
        # One that was put off stands before some that are under way: the server puts those off
        # too, and until we have heard so, what is newer would overtake them.
        count = len(under_way)
        if any(found[0] not in self._in_flight for found in queued[:count]):
            return []
        return self._encrypt(row, queued[count : count + limit])

    def _encrypt(self, row: Conversation, waiting: Sequence[Any]) -> list[m.Append]:
        core, requests, group = self._core, [], None
        for id_, kind, content, payload, epoch in waiting:
            if payload is None or epoch != row.epoch:
                group = group or core.groups.get(row.log_id)
                header = EntryHeader(
                    append_id=id_,
                    kind=m.EntryKind(kind),
                    epoch=row.epoch,
                    seen_seq=row.cursor or 0 if row.chain else 0,
                    seen_chain=row.chain,
                )
                if header.kind is m.EntryKind.LEAVE:
                    content = encode_content(leaving.make(core, row.log_id, group))
                payload = group.encrypt(core.groups.signer, content, aad=encode_header(header))
                self._db.run(
                    "UPDATE outbox SET payload = ?, epoch = ? WHERE id = ?", payload, row.epoch, id_
                )
            requests.append(self._request(row, id_, m.EntryKind(kind), payload))
        if group is not None:
            core.groups.save(row.log_id, group)
        return requests

    def _request(
        self, row: Conversation, id_: bytes, kind: m.EntryKind, payload: bytes
    ) -> m.Append:
        commit = None
        if kind is m.EntryKind.LEAVE:
            mine = [
                member.device_id
                for member in conversations.members(self._db, row.log_id)
                if member.fingerprint == self._core.me.fingerprint
            ]
            commit = m.CommitPart(m.RosterChange(remove=mine))
        return m.Append(row.log_id, id_, row.epoch, kind, payload, commit)

    def _queue_receipt(self, row: Conversation) -> None:
        """Confirm what has come, unless a confirmation is under way already."""
        # Both only grow, so their sum tells whether either has: what was confirmed as delivered
        # is confirmed again when it is read.
        if row.delivered + row.read <= row.receipted:
            return
        core = self._core
        if conversations.people_count(self._db, row.log_id) <= RECEIPT_PEOPLE:
            if any(self._is_receipt(id_) for id_, request in self._in_flight.items()
                   if request.log_id == row.log_id):  # fmt: skip
                return
            if not self._quiet_reader(row):
                self.queue(row.log_id, Receipt(delivered=row.cursor or 0, read=self._read(row)))
        conversations.update(core.db, row.log_id, receipted=row.delivered + row.read)

    def _read(self, row: Conversation) -> int:
        """How far we say that we have read."""
        return row.read if settings.is_on(self._db, "read_receipts") else 0

    def _quiet_reader(self, row: Conversation) -> bool:
        """Whether all that is new is that we have read, which the person does not tell."""
        if settings.is_on(self._db, "read_receipts"):
            return False
        key = "delivery told " + row.log_id.hex()
        if row.delivered <= int(self._db.get(key) or 0):
            return True
        self._db.put(key, row.delivered)
        return False

    def _is_receipt(self, id_: bytes) -> bool:
        return not self._db.row("SELECT 1 FROM messages WHERE id = ?", id_)

    def queue_file_receipt(self, row: Conversation, id_: bytes, digest: bytes) -> None:
        """Confirm a whole file; call in the transaction that marks it received. Files that come
        together are confirmed together."""
        whole, files = FileReceipt(id_, digest), []
        waiting = self._db.row(
            "SELECT id, content, payload FROM outbox WHERE log_id = ? ORDER BY n DESC LIMIT 1",
            row.log_id,
        )
        if waiting is not None and waiting[2] is None:
            last = decode_content(bytes(waiting[1]))
            if isinstance(last, Receipt) and len(last.files) < FILES_A_RECEIPT:
                files = last.files
                self._db.run("DELETE FROM outbox WHERE id = ?", waiting[0])
        receipt = Receipt(delivered=row.cursor or 0, read=self._read(row), files=[*files, whole])
        self.queue(row.log_id, receipt)

    def _answered(self, ticket: Ticket) -> None:
        # Without an answer it is sent again once we have read what is in the log by then.
        request = ticket.message
        assert isinstance(request, m.Append)
        self._in_flight.pop(request.append_id, None)
        if isinstance(ticket.reply, m.Appended):
            self._stored(request, ticket.reply)
        elif isinstance(ticket.error, Refused):
            self._refused(request, ticket.error)

    def _stored(self, request: m.Append, reply: m.Appended) -> None:
        with self._db.transaction():
            self._db.run("UPDATE outbox SET sent = ? WHERE id = ?", reply.seq, request.append_id)
            row = conversations.get(self._db, request.log_id)
            if row is None:
                return
            behind = row.cursor is not None and reply.seq <= row.cursor
            if behind and promises.is_broken(self._core, row, request.append_id, reply.seq):
                return
            self._core.receiver.inbound.stored(row, request.append_id, reply.seq, reply.at)
            if behind:
                # Stored before we came in anew: it is not shown to us again.
                self._db.run("DELETE FROM outbox WHERE id = ?", request.append_id)

    def _refused(self, request: m.Append, error: Refused) -> None:
        core = self._core
        if error.code is ErrorCode.STALE_EPOCH:
            epoch = int.from_bytes(error.detail, "big")
            core.epochs[request.log_id] = max(epoch, core.epochs.get(request.log_id, 0))
            return
        if error.code in LATER:
            self._retry_at = core.clock() + RETRY_MS
            return
        with self._db.transaction():
            self._db.run("DELETE FROM outbox WHERE id = ?", request.append_id)
            failed = self._db.run(
                "UPDATE messages SET state = 'failed' WHERE log_id = ? AND id = ? AND mine = 1",
                request.log_id, request.append_id,
            )  # fmt: skip
            row = conversations.get(self._db, request.log_id)
            if failed and row is not None:
                core.emit(
                    StateEvent(
                        at=stamp(core.now()),
                        conversation=row.name,
                        of=message_id(request.append_id),
                        state="failed",
                        reason=str(error),
                    )
                )
