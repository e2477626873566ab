"""Messages of conversations: making a log, appending to it, reading it, and what passes unstored.

The server sees order, senders and rosters; payloads are MLS messages it cannot read.
"""

from typing import Annotated

from msgspec import Meta

from .fields import (
    MAX_ROSTER_CHANGE,
    Count,
    EntryKind,
    Id,
    Ids,
    LogKind,
    Message,
    Name,
    Payload,
    Time,
)
from .links import GroupInfoUpload


class InboxItem(Message, frozen=True):
    """Something sealed for one device: goes to that device's inbox."""

    device_id: Id
    append_id: Id
    payload: Payload


class CreateLog(Message, frozen=True):
    """Make a conversation with its first roster, in one step with the invitations to it."""

    log_id: Id
    kind: LogKind
    roster: Ids
    inbox: Annotated[list[InboxItem], Meta(max_length=MAX_ROSTER_CHANGE)]
    peer: Name | None = None
    """The other user of a private chat: there is one log for each pair."""
    group_info: GroupInfoUpload | None = None


class RosterChange(Message, frozen=True):
    """Devices a commit brings in and takes out, in the open for the delivery."""

    add: Ids = []
    remove: Ids = []


class CommitPart(Message, frozen=True):
    """What goes with a commit (COMMIT, JOIN or LEAVE), accepted or refused as one with it."""

    roster: RosterChange
    inbox: Annotated[list[InboxItem], Meta(max_length=MAX_ROSTER_CHANGE)] = []
    group_info: GroupInfoUpload | None = None
    link_id: Id | None = None
    """The link a JOIN comes by."""


class Append(Message, frozen=True):
    """Append one entry. Refused with STALE_EPOCH unless `epoch` is the log's."""

    log_id: Id
    append_id: Id
    """Chosen by the client: the same id again gives the same answer and no second entry."""
    epoch: Count
    """How many commits of this log the sender has seen."""
    kind: EntryKind
    payload: Payload
    commit: CommitPart | None = None


class Appended(Message, frozen=True):
    """The entry is on disk."""

    log_id: Id
    append_id: Id
    seq: Count
    at: Time


class Entry(Message, frozen=True):
    """One entry of a log as its readers get it."""

    seq: Count
    at: Time
    device_id: Id
    """The sender, as authenticated by the server; members check it against MLS."""
    append_id: Id
    epoch: Count
    kind: EntryKind
    payload: bytes
    roster: RosterChange | None = None


class Cursor(Message, frozen=True):
    """How far a device has got in a log."""

    log_id: Id
    seq: Count
    chain: Annotated[bytes, Meta(max_length=32)] = b""
    """The hash chain there, where the device knows it."""


class Subscribe(Message, frozen=True):
    """Start (or restart) the flow of entries after these cursors; answered by `Subscribed`.

    The device's inbox is the log whose id is the device's id.
    """

    cursors: Annotated[list[Cursor], Meta(max_length=10_000)]


class LogState(Message, frozen=True):
    """A conversation as the server has it for this device."""

    log_id: Id
    kind: LogKind
    epoch: Count
    head: Count
    """Sequence number of the last entry."""
    since: Count
    """The entry by which this device came in; it reads what follows. 0: from the start."""
    chain: Annotated[bytes, Meta(max_length=32)] = b""
    """The log's hash chain at `since` (see `chain.py`)."""
    acked: Count = 0
    """How far this device has confirmed to have the log."""
    first: Count = 0
    """The oldest entry that is kept; 0: none is."""
    differs: bool = False
    """The log is not the one in which the device had come to the cursor it asked with."""


class Subscribed(Message, frozen=True):
    """All conversations whose roster names this device, subscribed or not."""

    logs: list[LogState]


class Entries(Message, frozen=True):
    """Push: entries of one log, in order, without a gap after those sent before."""

    log_id: Id
    entries: list[Entry]


class Ack(Message, frozen=True):
    """The device has everything up to `seq` safely; no answer."""

    log_id: Id
    seq: Count


class Whisper(Message, frozen=True):
    """An ephemeral message (typing) to who is online in a conversation; no answer, not stored."""

    log_id: Id
    payload: Annotated[bytes, Meta(max_length=4096)]


class Whispered(Message, frozen=True):
    """Push: an ephemeral message."""

    log_id: Id
    device_id: Id
    payload: bytes


class Presence(Message, frozen=True):
    """Push: a user one shares a conversation with came or went."""

    name: Name
    online: bool
    at: Time
