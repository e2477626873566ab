"""What the facade tells faces of people, rooms and devices: plain data, ready to show."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UserLine:
    """A user of this server."""

    name: str
    fingerprint: str
    online: bool
    owner: bool
    me: bool
    verified: bool
    changed: bool
    """Their identity is not the pinned one."""
    away: str = ""
    """Why they are away, if they said so."""


@dataclass(frozen=True, slots=True)
class RoomLine:
    """A conversation of ours."""

    name: str
    """`#room` or `@user`."""
    kind: str
    """`lobby`, `room` or `private`."""
    topic: str
    people: tuple[str, ...]
    role: str
    """Ours: `owner`, `manager` or `member`."""
    invite_only: bool
    unread: int
    state: str
    """`active`, or why we cannot write there: `joining`, `left`, `removed`, `broken`."""
    last: str = ""
    """The last message, in one line."""
    last_at: str | None = None
    notify: str = "all"
    draft: str = ""
    online: bool = False
    """A private chat: the other one is here."""
    mentions: int = 0
    """How many of the unread messages mention us."""
    closed: bool = False
    """A private chat that we closed and in which nothing was said since: lists leave it out."""
    away: str = ""
    """A private chat: why the other one is away, if they said so."""
    changed: bool = False
    """Somebody's identity there has changed and is not accepted: nothing can be written."""


@dataclass(frozen=True, slots=True)
class MemberLine:
    """A user in a conversation."""

    name: str
    role: str
    """`owner`, `manager` or `member`."""
    online: bool
    away: str
    me: bool
    verified: bool
    changed: bool


@dataclass(frozen=True, slots=True)
class Verification:
    """What two users compare."""

    user: str
    safety_number: str
    """60 digits, in groups of five."""
    fingerprint: str
    verified: bool
    changed: bool


@dataclass(frozen=True, slots=True)
class DeviceLine:
    """A device of ours."""

    device_id: str
    this: bool
    last_seen: str | None
    """RFC 3339; None while it is online."""
