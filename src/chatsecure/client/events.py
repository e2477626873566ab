"""What the client core tells the faces: typed events, and their JSON form (see the contract).

Events are written to the profile in the same transaction as what they tell of, so that the next
`listen` begins where the last one ended; those of the kinds in `MOMENTARY` are of the moment.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec


class Event(msgspec.Struct, omit_defaults=True, tag_field="type", kw_only=True):
    """Common keys of all events."""

    at: str
    id: str | None = None
    conversation: str | None = None
    sender: str | None = msgspec.field(name="from", default=None)
    seq: int | None = None


class MessageEvent(Event, tag="message", kw_only=True):
    """Somebody wrote."""

    text: str
    private: bool | msgspec.UnsetType = msgspec.UNSET
    reply_to: str | None = None
    mentions: list[str] = []
    action: bool = False


class EditedEvent(Event, tag="edited", kw_only=True):
    """Somebody changed a message of theirs."""

    of: str
    text: str


class DeletedEvent(Event, tag="deleted", kw_only=True):
    """Somebody took a message of theirs back."""

    of: str


class ReactionEvent(Event, tag="reaction", kw_only=True):
    """Somebody reacted to a message; an empty emoji takes the reaction back."""

    of: str
    emoji: str


HeldBecause = Literal["size", "stranger"]
HELD: dict[int, HeldBecause] = {2: "size", 3: "stranger"}
"""Why a file waits for a word, as the table `files` has it."""


class FileEvent(Event, tag="file", kw_only=True):
    """A file on its way.

    One that comes: `offered`, `receiving`, `received`, `failed`, `declined`, `cancelled`. One of
    ours (`mine`): `sending`, `sent`, `failed`, `cancelled`; such events are of the moment only.
    """

    name: str
    size: int
    sha256: str
    state: str
    path: str | None = None
    done: int | None = None
    """Bytes so far, while receiving or sending; such events are of the moment only."""
    reason: str | None = None
    """Why it failed or was cancelled."""
    held: bool = False
    """It is fetched only when it is accepted."""
    held_because: HeldBecause | None = None
    """Why: `size` (larger than `auto_save_limit`) or `stranger` (`ask_first` is set)."""
    mine: bool = False
    folder: bool = False
    """It is a folder; `size` is that of all that is in it."""


class ReceiptEvent(Event, tag="receipt", kw_only=True):
    """Somebody has a message or a file of ours (`delivered`, `read`, `received`), or does not get
    a file of ours (`declined`, `cancelled`, `failed`)."""

    of: str
    state: str
    name: str | None = None
    """A file's name."""
    have: int | None = None
    """How many people have confirmed the whole file by now, of `people`."""
    people: int | None = None
    reason: str | None = None


class PresenceEvent(Event, tag="presence", kw_only=True):
    """Somebody came or went."""

    user: str
    state: str


class MembershipEvent(Event, tag="membership", kw_only=True):
    """Somebody joined, left, was removed or got another role."""

    user: str
    state: str
    by: str | None = None
    role: str | None = None


class StatusEvent(Event, tag="status", kw_only=True):
    """Somebody is away, or back."""

    user: str
    away: bool
    text: str = ""


class RoomEvent(Event, tag="room", kw_only=True):
    """A room's name or topic changed."""

    name: str
    topic: str


class IdentityEvent(Event, tag="identity", kw_only=True):
    """A user's identity is new, changed or verified."""

    user: str
    state: str
    fingerprint: str


class ConnectionEvent(Event, tag="connection", kw_only=True):
    """The connection to the server."""

    state: str
    reason: str | None = None


class GapEvent(Event, tag="gap", kw_only=True):
    """What the client could not get or check; nothing is left out silently."""

    reason: str


class StateEvent(Event, tag="state", kw_only=True):
    """A message of ours got on: queued, stored, failed."""

    of: str
    state: str
    reason: str | None = None


class TypingEvent(Event, tag="typing", kw_only=True):
    """Somebody is writing."""

    user: str
    active: bool


AnyEvent = (
    MessageEvent
    | EditedEvent
    | DeletedEvent
    | ReactionEvent
    | FileEvent
    | ReceiptEvent
    | PresenceEvent
    | MembershipEvent
    | RoomEvent
    | StatusEvent
    | IdentityEvent
    | ConnectionEvent
    | GapEvent
    | StateEvent
    | TypingEvent
)

MOMENTARY = (PresenceEvent, ConnectionEvent, StateEvent, TypingEvent)
"""Events that tell of the moment only and are not kept for a later `listen`."""


def is_momentary(event: Event) -> bool:
    """Whether an event tells of the moment only and is not kept."""
    if isinstance(event, FileEvent):
        return event.mine or event.done is not None
    return isinstance(event, MOMENTARY)


NOTICES = (MembershipEvent, RoomEvent, IdentityEvent, GapEvent)
"""Events that stand in a conversation's history beside its messages."""


LAST_MS = 253_402_300_799_999
"""The end of the year 9999."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(AnyEvent)


def to_json(event: Event) -> str:
    """One line of JSON."""
    return _ENCODER.encode(event).decode()


_COMMON = ("id", "at", "conversation", "from", "seq")
_ALWAYS: dict[type[Event], dict[str, Any]] = {
    MessageEvent: {"private": False, "reply_to": None, "mentions": []},
    MembershipEvent: {"by": None},
    ConnectionEvent: {"reason": None},
}


def to_record(event: Event) -> dict[str, Any]:
    """The event for scripts: the keys that all events have, and those a kind of event always has,
    are there even where there is nothing to say."""
    data = to_dict(event)
    common = {"type": data["type"]} | {key: data.get(key) for key in _COMMON}
    return common | _ALWAYS.get(type(event), {}) | data


def from_json(text: str) -> AnyEvent:
    """The event in a line of JSON that `to_json` made."""
    event: AnyEvent = _DECODER.decode(text)
    return event


def to_dict(event: Event) -> dict[str, Any]:
    """The event as plain data."""
    data: dict[str, Any] = msgspec.to_builtins(event)
    return data


def stamp(at_ms: int) -> str:
    """A time in milliseconds since 1970 as RFC 3339 in UTC."""
    at = _EPOCH + timedelta(milliseconds=min(at_ms, LAST_MS))
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def message_id(raw: bytes) -> str:
    """A message's or file's id as people and scripts see it."""
    return raw.hex()
