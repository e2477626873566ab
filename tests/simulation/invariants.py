"""What must hold, whatever happens: looked at after every step, and once more when all is mended.

The observer sees everything: it reads each entry from the server's database right after the
commit, knows what everybody meant to send, and looks into every profile. It changes nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chatsecure.client import conversations
from chatsecure.client.events import (
    ConnectionEvent,
    Event,
    GapEvent,
    IdentityEvent,
    MessageEvent,
    StateEvent,
    from_json,
    message_id,
)
from chatsecure.server.store.base import INBOX_KIND, StoreError, StoreFull
from chatsecure.wire import messages as m
from chatsecure.wire.errors import ChatSecureError, ProtocolError, WrongIdentity
from chatsecure.wire.frames import MAX_FRAME_BYTES, FrameDecoder

if TYPE_CHECKING:
    from .nodes import ClientNode, ServerNode
    from .world import World

APPEND = m.NUMBERS[m.Append]
SIZES = (0, 0, 0, 0, 0, 300, 3_000, 20_000)
"""Characters that a text is longer, one of these by chance."""


class Violation(Exception):
    """An invariant does not hold.

    Args:
        kind: which one, the same words for the same bug.
        detail: where it was seen.
    """

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind


@dataclass(slots=True)
class Sent:
    """A message somebody wrote."""

    number: int
    by: str
    log_id: bytes
    text: str
    accepted: bool = False
    """It was on disk when the user was told so."""
    acknowledged: bool = False
    """The server's answer was told to the user."""
    failed: bool = False


class Observer:
    """Watches a world. One per world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.sent: dict[bytes, Sent] = {}
        self.truth: dict[bytes, dict[int, m.Entry]] = {}
        """Each log's entries by sequence number, from where the watching began."""
        self.base: dict[bytes, int] = {}
        self.names: dict[bytes, str] = {}
        """Who has which device."""
        self.gaps: list[tuple[str, str]] = []
        self.gaps_allowed = False
        """The server lies: gaps are what is asked for."""
        self.disk_was_full = False
        self.counts: Counter[str] = Counter()
        self._agreed: dict[tuple[bytes, int], tuple[str, Any]] = {}
        self._looked: dict[tuple[str, int, bytes], int] = {}
        self._payloads: dict[tuple[bytes, int], bytes] = {}
        self._shown: defaultdict[str, set[str]] = defaultdict(set)

    # --- the server ---------------------------------------------------------------------------

    def watch_server(self, server: ServerNode) -> None:
        """The server has started."""
        core = server.core
        failed = core.failed

        def heard(what: str, error: Exception) -> None:
            if not isinstance(error, StoreFull | StoreError):
                raise Violation("the server made a mistake", f"{what}: {error!r}") from error
            failed(what, error)

        core.failed = heard  # type: ignore[method-assign]
        first = not self.base
        self._read(server)
        if first:
            self.truth = {log_id: {} for log_id in self.truth}

    def server_committed(self) -> None:
        """A batch is on disk."""
        self._read(self._world.server)

    def _read(self, server: ServerNode) -> None:
        db, first = server.store._db, not self.base
        for key, log_id, head in db.execute(
            "SELECT key, log_id, head FROM logs WHERE kind <> ?", (INBOX_KIND,)
        ).fetchall():
            if log_id not in self.base:
                self.base[log_id] = head if first else 0
                self.truth[log_id] = {}
            known = self.truth[log_id]
            last = self.base[log_id] + len(known)
            if head < last:
                raise Violation("the log went back", f"{last} to {head}")
            if head > last:
                for entry in server.store.tx.entries(key, last, None, 1 << 40)[0]:
                    known[entry.seq] = entry
                    self._world.note(self._describe(log_id, entry))
                if len(known) != head - self.base[log_id]:
                    raise Violation("the log has a hole", f"{log_id.hex()} at {head}")
        self.base.setdefault(b"", 0)

    def _describe(self, log_id: bytes, entry: m.Entry) -> str:
        who = self.names.get(entry.device_id, "?")
        kind, number = entry.kind.name.lower(), self.log_number(log_id)
        return f"log {number} entry {entry.seq} epoch {entry.epoch}: {kind} by {who}"

    def log_number(self, log_id: bytes) -> int:
        """A short name of a log."""
        return list(self.truth).index(log_id)

    # --- clients ------------------------------------------------------------------------------

    def watch_client(self, client: ClientNode) -> None:
        """A client has started."""
        self.names[client.core.me.device_id] = client.name

    def _leaves(self, client: ClientNode, append: m.Append) -> None:
        """Ciphertext leaves a device: it must be kept before, so that nothing else is ever sent
        under its key, and be the same whenever it is sent again."""
        key = (append.append_id, append.epoch)
        known = key in self._payloads
        first = self._payloads.setdefault(key, append.payload)
        # A server that was set back counts the same epochs again, with other keys in them.
        if first != append.payload and not self.gaps_allowed:
            raise Violation("two ciphertexts under one append id and epoch", client.name)
        kept = client.db.value("SELECT payload FROM outbox WHERE id = ?", append.append_id)
        pending = client.db.value(
            "SELECT request FROM pending_commits WHERE append_id = ?", append.append_id
        )
        if kept is not None and kept != append.payload:
            # It is asked again on a new connection, and has been made anew for a later epoch.
            epoch = client.db.value("SELECT epoch FROM outbox WHERE id = ?", append.append_id)
            if epoch == append.epoch:
                raise Violation("sent otherwise than it is kept", client.name)
        if pending is not None and pending != m.encode_body(append):
            raise Violation("sent otherwise than it is kept", client.name)
        if kept is None and pending is None and not known:
            row = conversations.get(client.db, append.log_id)
            # Made and outdated in one turn: the log has gone on, or we are out of it, and it will
            # be refused.
            here = row is not None and row.state != conversations.LEFT
            if row is None or (here and row.epoch <= append.epoch):
                raise Violation("sent and not kept", client.name)

    def about_to_leave(self, client: ClientNode, output: bytes) -> None:
        """A client's bytes go to the network."""
        if output and client.db.is_open:
            raise Violation("sent before it was on disk", client.name)
        decoder = FrameDecoder(MAX_FRAME_BYTES)
        decoder.feed(output)
        while (frame := decoder.next_frame()) is not None:
            if frame.type == APPEND:
                self._leaves(client, m.decode_body(frame.type, frame.body))

    def client_turned(self, client: ClientNode) -> None:
        """A client has finished a turn: whoever is in an epoch agrees on everything in it."""
        if client.db.in_transaction or client.db.is_open:
            raise Violation("a transaction was left open", client.name)
        for log_id, version in client.db.rows(
            "SELECT log_id, mls_version FROM conversations WHERE state = 'active'"
        ):
            key = (client.name, client.life, log_id)
            if self._looked.get(key) != version:
                self._looked[key] = version
                self._agree(client, log_id)

    def _agree(self, client: ClientNode, log_id: bytes) -> None:
        group = client.core.groups.get(log_id)
        members = {row.device_id for row in conversations.members(client.db, log_id)}
        view = (group.epoch_authenticator, members, group.room_state)
        other, agreed = self._agreed.setdefault((log_id, group.epoch), (client.name, view))
        if agreed != view:
            what = [
                name
                for name, mine, theirs in zip(
                    ("keys", "members", "state"), view, agreed, strict=True
                )
                if mine != theirs
            ]
            raise Violation(
                "members of one epoch disagree",
                f"{client.name} and {other} on {what} in epoch {group.epoch}",
            )

    def about_to_send(self, client: ClientNode, log_id: bytes) -> tuple[bytes, str]:
        """Somebody writes a message: its id and text."""
        number = len(self.sent) + 1
        size = self._world.rng("size", number).choice(SIZES)
        id_, text = client.core.random(16), f"message {number} by {client.name}" + "." * size
        self.sent[id_] = Sent(number, client.name, log_id, text)
        return id_, text

    def accepted(self, id_: bytes) -> None:
        """The message is on disk, and its writer knows."""
        self.sent[id_].accepted = True

    def heard(self, client: ClientNode, event: Event) -> None:
        """A face of a client was told something."""
        match event:
            case GapEvent():
                self.gaps.append((client.name, event.reason))
                self._world.note(f"{client.name} has a gap: {event.reason}")
                if not self.gaps_allowed:
                    raise Violation("a gap without a cause", f"{client.name}: {event.reason}")
            case MessageEvent():
                if event.id in self._shown[client.name]:
                    raise Violation("shown twice", f"{client.name}: {event.text}")
                self._shown[client.name].add(event.id or "")
                self._world.note(f"{client.name} is shown {event.text.rstrip('.')!r}")
            case StateEvent(state="stored"):
                sent = self.sent.get(bytes.fromhex(event.of))
                if sent is not None:
                    sent.acknowledged = True
                    self._world.note(
                        f"{client.name}: {sent.text.rstrip('.')!r} is stored as {event.seq}"
                    )
            case StateEvent(state="failed"):
                self._world.note(f"{client.name}: a message failed: {event.reason}")
            case IdentityEvent(state="changed"):
                raise Violation("an identity changed", f"{client.name}: {event.user}")
            case ConnectionEvent(state="refused") if not self.gaps_allowed:
                raise Violation("turned away", f"{client.name}: {event.reason}")

    def trouble(self, client: ClientNode, error: ChatSecureError) -> None:
        """An error has reached a client's driver or user."""
        self.counts[f"error {type(error).__name__}"] += 1
        if isinstance(error, ProtocolError | WrongIdentity) and not self.gaps_allowed:
            raise Violation("the protocol broke", f"{client.name}: {error}")

    def operation_ended(self, client: ClientNode, what: str, error: BaseException | None) -> None:
        """A user's operation has ended."""
        how = "done" if error is None else f"{type(error).__name__}: {error}"
        self._world.note(f"{client.name}: {what}: {how}")
        self.counts["operations"] += 1
        if error is not None:
            self.counts[f"refused {type(error).__name__}"] += 1
        if error is not None and not isinstance(error, ChatSecureError):
            raise Violation("a client made a mistake", f"{what}: {error!r}") from error

    # --- the end ------------------------------------------------------------------------------

    def finish(self) -> None:
        """All is mended and quiet: nobody may have lost anything."""
        clients = [client for client in self._world.clients.values() if client.up]
        for client in clients:
            self._check_sender(client)
            for log_id in self.truth:
                self._check_reader(client, log_id)
        self._check_order()
        self._check_rosters(clients)

    def _entry_of(self, id_: bytes) -> m.Entry | None:
        sent = self.sent[id_]
        found = [
            entry for entry in self.truth.get(sent.log_id, {}).values() if entry.append_id == id_
        ]
        if len(found) > 1:
            raise Violation("stored twice", sent.text.rstrip("."))
        return found[0] if found else None

    def _check_sender(self, client: ClientNode) -> None:
        for id_, sent in self.sent.items():
            if sent.by != client.name:
                continue
            entry = self._entry_of(id_)
            row = client.db.row("SELECT seq, state FROM messages WHERE id = ?", id_)
            if row is None:
                if sent.accepted or entry is not None:
                    raise Violation("a writer's own message is gone", sent.text.rstrip("."))
                continue
            seq, state = row
            self.counts[f"messages {state}"] += 1
            if entry is None and (sent.acknowledged or state == "stored"):
                raise Violation("an acknowledged message is lost", sent.text.rstrip("."))
            if entry is not None and (state != "stored" or seq != entry.seq):
                raise Violation(
                    "a message is stored and its writer does not know",
                    f"{sent.text}: {state} {seq}, in truth {entry.seq}",
                )
            if state == "queued":
                raise Violation("a message was never sent", sent.text.rstrip("."))
            if state == "failed" and not self._was_put_out(client, sent.log_id):
                raise Violation("a message failed without a cause", sent.text.rstrip("."))

    def intervals(self, client: ClientNode, log_id: bytes) -> list[tuple[int, int | None]]:
        """A device's times in a log's roster: it reads since < seq <= until."""
        return self._world.server.store._db.execute(
            "SELECT r.since, r.until FROM rosters r JOIN logs l ON l.key = r.log"
            " JOIN devices d ON d.key = r.device WHERE l.log_id = ? AND d.device_id = ?"
            " ORDER BY r.since",
            (log_id, client.core.me.device_id),
        ).fetchall()

    def _was_put_out(self, client: ClientNode, log_id: bytes) -> bool:
        times = self.intervals(client, log_id)
        return not times or any(until is not None for _, until in times)

    def _check_reader(self, client: ClientNode, log_id: bytes) -> None:
        """Whoever should read a message was shown it, once and in order; nobody else was."""
        intervals = self.intervals(client, log_id)
        me = client.core.me.device_id
        due = [
            message_id(entry.append_id)
            for seq, entry in self.truth[log_id].items()
            if entry.append_id in self.sent
            and entry.device_id != me
            and any(since < seq and (until is None or seq <= until) for since, until in intervals)
        ]
        shown = [
            event.id
            for (body,) in client.db.rows("SELECT body FROM events ORDER BY n")
            if isinstance(event := from_json(body), MessageEvent)
            and (sent := self.sent.get(bytes.fromhex(event.id or ""))) is not None
            and sent.log_id == log_id
        ]
        self.counts["messages shown"] += len(shown)
        if due == shown:
            self._check_history(client, log_id, due)
            return
        texts = {message_id(id_): sent.text for id_, sent in self.sent.items()}
        where = f"{client.name} in log {self.log_number(log_id)}: "
        for id_ in due:
            if id_ not in shown:
                raise Violation("a member was not shown a message", where + texts[id_])
        for id_ in shown:
            if id_ not in due:
                raise Violation("read by one who should not", where + texts[id_ or ""])
        raise Violation("shown twice or out of order", where + str([texts[i or ""] for i in shown]))

    def _check_history(self, client: ClientNode, log_id: bytes, due: list[str]) -> None:
        rows = client.db.rows(
            "SELECT id, seq, mine, text FROM messages WHERE log_id = ? AND kind > 0"
            " AND seq IS NOT NULL ORDER BY n",
            log_id,
        )
        seqs = [seq for _, seq, _, _ in rows]
        if seqs != sorted(set(seqs)):
            raise Violation("the history is not in the log's order", f"{client.name}: {seqs}")
        others = [message_id(id_) for id_, _, mine, _ in rows if not mine and id_ in self.sent]
        if others != due:
            raise Violation("the history is not what was shown", client.name)
        for id_, _, _, text in rows:
            if id_ in self.sent and text != self.sent[id_].text:
                raise Violation("a text was changed", client.name)
        row = conversations.get(client.db, log_id)
        if row is not None:
            unread = sum(1 for _, seq, mine, _ in rows if not mine and seq > row.read)
            if unread != conversations.unread(client.db, row):
                raise Violation("the unread count is wrong", client.name)

    def _check_order(self) -> None:
        """Each writer's messages stand in the log as they were written."""
        for log_id, entries in self.truth.items():
            last: dict[str, int] = {}
            for entry in entries.values():
                sent = self.sent.get(entry.append_id)
                if sent is None:
                    continue
                if sent.log_id != log_id:
                    raise Violation("a message is in another log", sent.text.rstrip("."))
                if sent.number < last.get(sent.by, 0):
                    raise Violation("a writer's messages changed places", sent.text.rstrip("."))
                last[sent.by] = sent.number

    def _check_rosters(self, clients: list[ClientNode]) -> None:
        """Server and members agree on who is in, and whoever is in can go on."""
        for client in clients:
            for log_id in self.truth:
                row = conversations.get(client.db, log_id)
                inside = any(until is None for _, until in self.intervals(client, log_id))
                if inside != (row is not None and row.state == conversations.ACTIVE):
                    state = None if row is None else row.state
                    raise Violation(
                        "the server and a member disagree on whether it is in",
                        f"{client.name} in log {self.log_number(log_id)}: {inside}, {state}",
                    )
                if not inside:
                    continue
                members = {one.device_id for one in conversations.members(client.db, log_id)}
                roster = {
                    bytes(id_)
                    for (id_,) in self._world.server.store._db.execute(
                        "SELECT d.device_id FROM rosters r JOIN logs l ON l.key = r.log"
                        " JOIN devices d ON d.key = r.device"
                        " WHERE l.log_id = ? AND r.until IS NULL",
                        (log_id,),
                    )
                }
                if members - (self._left_unseen(clients, log_id) - roster) != roster:
                    raise Violation(
                        "the roster is not the group",
                        f"{client.name} in log {self.log_number(log_id)}:"
                        f" {self._who(members)}, the server has {self._who(roster)}",
                    )

    def _left_unseen(self, clients: list[ClientNode], log_id: bytes) -> set[bytes]:
        """Who left when nobody was there of those who play and are there now: who came in later
        cannot read the statement, and takes nobody out on the server's word."""
        here = {
            one.core.me.device_id: since
            for one in clients
            for since, until in self.intervals(one, log_id)
            if until is None
        }
        return {
            entry.device_id
            for seq, entry in self.truth[log_id].items()
            if entry.kind is m.EntryKind.LEAVE and not any(since < seq for since in here.values())
        }

    def _who(self, devices: set[bytes]) -> list[str]:
        return sorted(self.names.get(device, "?") for device in devices)
