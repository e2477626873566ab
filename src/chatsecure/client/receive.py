"""What arrives in conversations: each entry in one transaction with the ratchet, the cursor and the
event it causes. The inbox is `inbox.py`'s.

Nothing is trusted because the server says it: the sender, the place and the content of an entry
are what MLS authenticates; a commit is judged by the rules in `room.py`; what cannot be checked
or got is told as a gap.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from chatsecure import mls
from chatsecure.crypto.credentials import MemberIdentity
from chatsecure.crypto.errors import CryptoError
from chatsecure.wire import messages as m
from chatsecure.wire.chain import chain_next, chain_start
from chatsecure.wire.errors import ChatSecureError

from . import conversations, promises, setback, stale
from .changes import ChangeJudge
from .content import (
    BadContent,
    EntryHeader,
    Typing,
    Unknown,
    decode_content,
    decode_header,
)
from .conversations import Conversation
from .events import GapEvent, TypingEvent, stamp
from .groups import identify
from .inbound import Inbound

if TYPE_CHECKING:
    from .core import Core


class Receiver:
    """Handles what the server pushes. One per core."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._db = core.db
        self._judge = ChangeJudge(core)
        self.inbound = Inbound(core)
        self._differ: set[tuple[bytes, bytes]] = set()
        """Conversations and devices in them that were shown another past than we."""
        core.db.on_rollback.append(self._differ.clear)
        self._coming_in: set[bytes] = set()
        """Conversations whose entries the server is sending, and of which the first of our time is
        still to come."""
        self._placed: set[bytes] = set()
        """Conversations into which we came on this connection, at a place that the server told."""

    def disconnected(self) -> None:
        """What the server was sending will be asked for anew."""
        self._coming_in.clear()
        self._placed.clear()

    def entered(self, log_id: bytes) -> None:
        """We have come into a conversation: where our time in it begins is known now."""
        self._coming_in.discard(log_id)

    def placed(self, log_id: bytes) -> None:
        """The server has told where in the log our own coming in stands."""
        self._placed.add(log_id)

    # --- subscription -------------------------------------------------------------------------

    def subscribed(
        self, logs: list[m.LogState], asked: Mapping[bytes, int], *, whole: bool
    ) -> None:
        """The server tells the conversations this device is in.

        Args:
            asked: the cursors we asked with. What the server says is held against these: another
                process of the profile may have gone further since.
            whole: these are all of them.
        """
        core = self._core
        with self._db.transaction():
            for log in logs:
                if log.log_id == core.me.device_id:
                    core.heads[log.log_id] = log.head
                    continue
                core.logs[log.log_id] = log
                row = conversations.get(self._db, log.log_id)
                if row is None or row.state != conversations.ACTIVE:
                    continue
                core.heads[log.log_id] = max(log.head, core.heads.get(log.log_id, 0))
                if row.cursor is None:
                    self._come_in(row, log)
                elif log.acked > max(row.cursor, log.since):
                    stale.noticed_in(core, row.log_id)
                    self._skip(row, log)
                elif log.differs or log.head < asked.get(log.log_id, 0):
                    setback.compare(core, row, log)
            if whole:
                here = {log.log_id for log in logs}
                for row in conversations.everything(self._db, conversations.ACTIVE):
                    if row.log_id not in here and row.log_id in asked:
                        self._gap(row, "the server does not count this device as a member any more")
                        self.lost(row)

    def _come_in(self, row: Conversation, log: m.LogState) -> None:
        """Where our time in a conversation begins. The server tells of the latest one; where there
        were changes since we came in, ours may be another, and the first entry of our epoch shows
        it."""
        if log.head < row.floor and row.log_id not in self._placed:
            # It was set back; what we read then is not what is there now.
            conversations.update(self._db, row.log_id, floor=0)
        elif log.since < row.floor or log.epoch < row.epoch:
            return  # The answer is older than our coming in.
        if log.epoch == row.epoch:
            self._begin(row, log.since)
        elif log.first:
            self._coming_in.add(row.log_id)
        else:
            self._gap(row, "what came since we were let in is gone from the server")
            self.lost(row)

    def _begin(self, row: Conversation, since: int) -> None:
        log = self._core.logs.get(row.log_id)
        chain = chain_start(row.log_id) if since == 0 else b""
        if log is not None and log.since == since:
            chain = log.chain or chain
        conversations.update(self._db, row.log_id, cursor=since, chain=chain)
        if chain:
            conversations.remember_chain(self._db, row.log_id, since, chain)

    def _begin_with(self, row: Conversation, entry: m.Entry) -> None:
        """Is this the first entry of our time in a conversation?"""
        if entry.seq <= row.floor or entry.epoch < row.epoch:
            return
        self._coming_in.discard(row.log_id)
        self._begin(row, entry.seq - 1)

    def _skip(self, row: Conversation, log: m.LogState) -> None:
        """This device has confirmed more than the profile knows of, so the server may have deleted
        it: go on where there is something."""
        there = log.first - 1 if log.first else log.head
        if row.cursor is not None and row.cursor < there:
            self._gap(row, f"{there - row.cursor} entries are gone from the server")
            conversations.update(self._db, row.log_id, cursor=there, chain=b"")
        if there == log.head and log.epoch != row.epoch:
            self.lost(row)

    def lost(self, row: Conversation) -> None:
        """A conversation cannot be followed any more: come in anew; in a transaction."""
        conversations.update(self._db, row.log_id, state=conversations.BROKEN)
        self._core.defer(lambda: self._come_back(row.log_id))

    def _come_back(self, log_id: bytes) -> None:
        self._core.inbox.reconsider(log_id)
        self._core.start(stale.ask_back(self._core, log_id))

    # --- entries ------------------------------------------------------------------------------

    def entries(self, message: m.Entries) -> None:
        """A batch of one log: one transaction, then one acknowledgement."""
        core, log_id = self._core, message.log_id
        if not message.entries:
            return
        with self._db.transaction():
            if log_id == core.me.device_id:
                done: int | None = core.inbox.entries(message.entries)
            else:
                done = self._conversation(log_id, message.entries)
        if done is not None:
            core.notify(m.Ack(log_id, done))
        core.scheduler.settle()

    def _conversation(self, log_id: bytes, entries: list[m.Entry]) -> int | None:
        core = self._core
        core.heads[log_id] = max(core.heads.get(log_id, 0), entries[-1].seq)
        row = conversations.get(self._db, log_id)
        if row is not None and log_id in core.comparing:
            entries = setback.read_again(core, row, entries)
            row = conversations.get(self._db, log_id)
        for entry in entries:
            if row is not None and row.cursor is None and log_id in self._coming_in:
                self._begin_with(row, entry)
                row = conversations.get(self._db, log_id)
            if row is None or row.state != conversations.ACTIVE:
                return None
            if row.cursor is not None and entry.seq > row.cursor:
                self._entry(row, entry)
                row = conversations.get(self._db, log_id)
        return None if row is None else row.cursor

    def _entry(self, row: Conversation, entry: m.Entry) -> None:
        assert row.cursor is not None
        chain = row.chain
        if entry.seq > row.cursor + 1:
            missing = entry.seq - row.cursor - 1
            self._gap(row, f"{missing} entries are gone from the server", entry)
            chain = b""
        if entry.epoch != row.epoch:
            self._gap(row, "changes of this conversation are missing; it must be joined anew")
            self.lost(row)
            return
        chain = chain_next(chain, entry) if chain else b""
        moves = entry.kind in (m.EntryKind.COMMIT, m.EntryKind.JOIN)
        conversations.update(
            self._db, row.log_id, cursor=entry.seq, chain=chain, epoch=row.epoch + moves
        )
        if chain:
            conversations.remember_chain(self._db, row.log_id, entry.seq, chain)
        try:
            match entry.kind:
                case m.EntryKind.MESSAGE | m.EntryKind.LEAVE:
                    self._message(row, entry)
                case m.EntryKind.COMMIT:
                    self._judge.commit(row, entry)
                case m.EntryKind.JOIN:
                    self._judge.join(row, entry)
                case m.EntryKind.REJOIN:
                    self._judge.rejoin(row, entry)
                case _:
                    self._gap(row, "an entry of a kind that has no place here", entry)
        except mls.WrongEpoch as error:
            self._gap(row, str(error), entry)
            self._core.defer(lambda: setback.ask_if_behind(self._core, row))
        except (mls.MlsError, CryptoError, ChatSecureError) as error:
            self._gap(row, str(error), entry)
        promises.look_at(self._core, row, entry)

    def _message(self, row: Conversation, entry: m.Entry) -> None:
        core = self._core
        if entry.device_id == core.me.device_id:
            self.inbound.own(row, entry)
            return
        group = core.groups.get(row.log_id)
        processed = group.process(entry.payload)
        core.groups.save(row.log_id, group)
        if processed.kind != "application" or processed.sender is None:
            raise BadContent("an entry is not the message it is said to be")
        header = decode_header(processed.aad)
        sender = identify(processed.sender, entry.at)
        self.check_place(row, entry, header, sender)
        # MLS keeps the keys of past epochs for what arrives late; our logs have no late entries.
        if not self._db.row(
            "SELECT 1 FROM members WHERE log_id = ? AND device_id = ?", row.log_id, sender.device_id
        ):
            raise BadContent(f"{sender.name} wrote after being removed")
        content = decode_content(processed.plaintext or b"")
        if isinstance(content, Unknown):
            self._gap(row, f"{sender.name} sent something this version does not know", entry)
            return
        self.inbound.content(row, entry, sender, content, processed.sender)

    def check_place(
        self, row: Conversation, entry: m.Entry, header: EntryHeader, sender: MemberIdentity
    ) -> None:
        """Compare what MLS authenticates with what the server says around it."""
        if sender.device_id != entry.device_id or header.append_id != entry.append_id:
            raise BadContent("the server shows a message under another sender or place")
        if header.kind != entry.kind or header.epoch != entry.epoch:
            raise BadContent("the server shows a message as another kind or time")
        self.check_past(row, entry, header, sender.name)

    def check_past(
        self, row: Conversation, entry: m.Entry, header: EntryHeader, sender: str
    ) -> None:
        """Compare the past the sender was shown with ours; tell a difference with each once.

        Where we have no chain, after a gap, we go on from theirs: so what the server does then is
        noticed as well.
        """
        if not header.seen_chain:
            return
        ours = conversations.chain_at(self._db, row.log_id, header.seen_seq)
        if header.seen_seq >= entry.seq:
            self._tell_difference(
                row,
                entry,
                f"{sender} has seen more of this conversation than the server shows us "
                f"(entry {header.seen_seq})",
            )
        elif ours is not None and ours != header.seen_chain:
            self._tell_difference(
                row,
                entry,
                f"{sender} and we were shown different pasts by the server "
                f"(before entry {header.seen_seq})",
            )
        elif not (row.chain and row.cursor == entry.seq - 1) and header.seen_seq == entry.seq - 1:
            chain = chain_next(header.seen_chain, entry)
            conversations.remember_chain(self._db, row.log_id, header.seen_seq, header.seen_chain)
            conversations.remember_chain(self._db, row.log_id, entry.seq, chain)
            conversations.update(self._db, row.log_id, chain=chain)

    def _tell_difference(self, row: Conversation, entry: m.Entry, reason: str) -> None:
        key = (row.log_id, entry.device_id)
        if key not in self._differ:
            self._differ.add(key)
            self._gap(row, reason, entry)

    # --- what passes unstored -----------------------------------------------------------------

    def whisper(self, message: m.Whispered) -> None:
        """Somebody is typing. Unreadable whispers are of no consequence and dropped."""
        core = self._core
        row = conversations.get(self._db, message.log_id)
        if row is None or row.state != conversations.ACTIVE:
            return
        try:
            with self._db.transaction():
                group = core.groups.get(row.log_id)
                processed = group.process(message.payload)
                core.groups.save(row.log_id, group)
                if processed.kind != "application" or processed.sender is None:
                    return
                content = decode_content(processed.plaintext or b"")
                sender = identify(processed.sender, core.now())
        except (mls.MlsError, CryptoError, ChatSecureError):
            return
        if isinstance(content, Typing):
            core.emit(
                TypingEvent(
                    at=stamp(core.now()),
                    conversation=row.name,
                    sender=sender.name,
                    user=sender.name,
                    active=content.active,
                )
            )

    # --- gaps ---------------------------------------------------------------------------------

    def _gap(self, row: Conversation, reason: str, entry: m.Entry | None = None) -> None:
        self._core.emit(
            GapEvent(
                at=stamp(entry.at if entry else self._core.now()),
                conversation=row.name,
                seq=entry.seq if entry else None,
                reason=reason,
            )
        )
