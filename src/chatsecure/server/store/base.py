"""The store's interface: records, what a transaction can do, and how writes are submitted.

Decisions (`rules/`) are functions over a `Tx`; they know no SQL. A write is durable before its
`done` is called. Rules may be run again when a batch fails, so they touch nothing but the `Tx`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NewType, Protocol, TypeVar

from chatsecure.wire import messages as m
from chatsecure.wire.errors import ChatSecureError

from .turns import Turn, Turns

UserKey = NewType("UserKey", int)
DeviceKey = NewType("DeviceKey", int)
LogKey = NewType("LogKey", int)
R = TypeVar("R")
T = TypeVar("T")

INBOX_KIND = 3
"""A log of this kind is a device's inbox; never told to clients as a conversation."""


class StoreError(ChatSecureError):
    """The data folder cannot be used."""


class StoreFull(ChatSecureError):
    """The disk is full; nothing of the request was kept."""


@dataclass(frozen=True, slots=True)
class UserRow:
    """An account."""

    key: UserKey
    name: str
    folded: str
    identity: bytes
    sealing: bytes
    list_body: bytes
    list_signature: bytes
    fingerprint: bytes
    role: m.Role
    created_at: int

    @property
    def device_list(self) -> m.SignedDeviceList:
        """The list as clients get it."""
        return m.SignedDeviceList(self.list_body, self.list_signature)


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """A device of an account."""

    key: DeviceKey
    user: UserKey
    device_id: bytes
    certificate: bytes
    public_key: bytes
    last_seen: int
    generation: int = 0
    """Which copy of the device's profile is the one in use."""
    mark: bytes = b""
    """What its last log-in was marked with."""


@dataclass(slots=True)
class LogRow:
    """A log's state. Rules change `epoch`, `head` and `chain` and say so with `save_log`."""

    key: LogKey
    log_id: bytes
    kind: int
    epoch: int
    head: int
    chain: bytes
    creator: DeviceKey


@dataclass(frozen=True, slots=True)
class Interval:
    """A device's time in a roster: it reads the entries with since < seq <= until."""

    since: int
    until: int | None
    acked: int
    chain: bytes
    """The log's hash chain at `since`."""


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A registration token."""

    uses_left: int
    expires_at: int
    owner: bool


@dataclass(frozen=True, slots=True)
class LinkRow:
    """A link to a log."""

    link_id: bytes
    log: LogKey
    uses_left: int | None
    expires_at: int
    sealed_key: bytes


@dataclass(frozen=True, slots=True)
class BlobRow:
    """A file's blob."""

    blob_id: bytes
    log: LogKey
    user: UserKey
    size: int
    segment_bytes: int
    whole: int
    """How many leading segments are on disk."""
    made_seq: int
    touched_at: int

    @property
    def segments(self) -> int:
        """How many segments it has."""
        return -(-self.size // self.segment_bytes)

    @property
    def complete(self) -> bool:
        """All of it is on disk."""
        return self.whole >= self.segments

    def state(self) -> m.BlobState:
        """As clients get it."""
        return m.BlobState(self.blob_id, self.size, self.segment_bytes, self.whole, self.complete)


@dataclass(frozen=True, slots=True)
class Ack:
    """How far a device has got in a log."""

    log_id: bytes
    device: DeviceKey
    seq: int


class Tx(Protocol):
    """One transaction (or one consistent look). Rules use nothing else."""

    # accounts
    def user_by_name(self, folded: str) -> UserRow | None: ...
    def user(self, key: UserKey) -> UserRow | None: ...
    def users_after(self, folded: str, limit: int) -> list[UserRow]: ...
    def identity_known(self, fingerprint: bytes) -> bool: ...
    def user_count(self) -> int: ...
    def names(self, limit: int) -> list[str]: ...
    def has_owner(self) -> bool: ...
    def add_user(self, row: UserRow, counter: int) -> UserKey: ...
    def device(self, device_id: bytes) -> DeviceRow | None: ...
    def devices(self, user: UserKey) -> list[DeviceRow]: ...
    def devices_of(self, device_ids: Sequence[bytes]) -> dict[bytes, DeviceRow]: ...
    def add_device(self, row: DeviceRow) -> DeviceKey: ...
    def seen(self, device: DeviceKey, at: int) -> None: ...
    def set_generation(self, device: DeviceKey, generation: int) -> None: ...
    def set_mark(self, device: DeviceKey, mark: bytes) -> None: ...
    def bans(self) -> list[tuple[str, str, int]]: ...
    def ban(self, folded: str, name: str, at: int) -> None: ...
    def unban(self, folded: str) -> bool: ...
    # tokens
    def token(self, hash_: bytes) -> TokenRow | None: ...
    def put_token(self, hash_: bytes, row: TokenRow, by: UserKey | None, at: int) -> None: ...
    def use_token(self, hash_: bytes) -> None: ...
    def tokens_of(self, user: UserKey, now: int) -> int: ...
    def drop_owner_tokens(self) -> None: ...
    # key packages
    def key_packages_left(self, device: DeviceKey) -> int: ...
    def put_key_package(
        self, device: DeviceKey, ref: bytes, data: bytes, last_resort: bool
    ) -> None: ...
    def take_key_package(self, device: DeviceKey) -> bytes | None: ...
    def drop_key_packages(self, device: DeviceKey) -> None: ...
    # logs
    def log(self, log_id: bytes) -> LogRow | None: ...
    def log_by_key(self, key: LogKey) -> LogRow | None: ...
    def lobby(self) -> bytes | None: ...
    def private_log(self, one: UserKey, other: UserKey) -> bytes | None: ...
    def logs_made_by(self, user: UserKey) -> int: ...
    def add_log(
        self,
        log_id: bytes,
        kind: int,
        creator: DeviceKey,
        pair: tuple[UserKey, UserKey] | None,
        at: int,
    ) -> LogRow: ...
    def save_log(self, log: LogRow) -> None: ...
    def pair(self, log: LogKey) -> tuple[UserKey, UserKey] | None: ...
    def appended(
        self, log: LogKey, device_id: bytes, append_id: bytes
    ) -> tuple[int, int] | None: ...
    def add_entry(self, log: LogKey, entry: m.Entry, chain: bytes) -> bool: ...
    def entries(
        self, log: LogKey, after: int, upto: int | None, max_bytes: int
    ) -> tuple[list[m.Entry], bool]: ...
    def first_entry(self, log: LogKey, upto: int) -> int: ...
    def chain_at(self, log: LogKey, seq: int) -> bytes | None: ...
    # rosters
    def is_member(self, log: LogKey, device: DeviceKey) -> bool: ...
    def roster_size(self, log: LogKey) -> int: ...
    def intervals(self, log: LogKey, device: DeviceKey) -> list[Interval]: ...
    def enter(self, log: LogKey, device: DeviceKey, since: int, chain: bytes) -> None: ...
    def leave(self, log: LogKey, device: DeviceKey, until: int) -> bool: ...
    def logs_of(self, device: DeviceKey) -> list[tuple[LogRow, Interval]]: ...
    def ack(self, acks: Iterable[Ack]) -> None: ...
    # links
    def link(self, link_id: bytes) -> LinkRow | None: ...
    def use_link(self, link_id: bytes) -> None: ...
    def set_links(
        self, log: LogKey, keep: Sequence[m.LinkKey], new: Sequence[m.LinkUpload]
    ) -> None: ...
    def group_info(self, log: LogKey) -> tuple[int, bytes] | None: ...
    def set_group_info(self, log: LogKey, epoch: int, sealed: bytes) -> None: ...
    # blobs
    def blob(self, blob_id: bytes) -> BlobRow | None: ...
    def add_blob(self, row: BlobRow, at: int) -> None: ...
    def set_blob_whole(self, blob_id: bytes, whole: int, at: int) -> None: ...
    def drop_blob(self, blob_id: bytes) -> None: ...
    def blob_usage(self, user: UserKey) -> tuple[int, int, int]: ...
    def expired_blobs(self, kept_since: int, idle_since: int, limit: int) -> list[bytes]: ...
    # housekeeping
    def sweep_acked(self, log_ids: Sequence[bytes]) -> int: ...
    def sweep_old(self, before: int, after: LogKey, logs: int) -> tuple[LogKey | None, int]: ...
    def sweep_leftovers(self, before: int, long_before: int) -> None: ...
    def totals(self) -> dict[str, int]: ...


class Store(Protocol):
    """Accepts writes from any thread and tells when they are durable."""

    deliver: Callable[[list[Callable[[], None]]], None]
    """Takes the completions of one batch, in order; set by whoever runs the server."""
    turns: Turns
    """Whose writes wait for one that could not be kept."""

    def write(
        self,
        rule: Callable[[Tx], R],
        done: Callable[[R | Exception], None],
        *,
        checks_first: bool = False,
        turn: Turn | None = None,
    ) -> None:
        """Queue a write. `done` gets the rule's result once it is on disk, or why it is not.

        Args:
            checks_first: the rule never refuses after it has written; saves a savepoint.
            turn: it must not overtake an earlier one of its row.
        """

    def read(self, look: Callable[[Tx], T]) -> T:
        """Look at what is on disk, in the caller's thread."""

    def close(self) -> None:
        """Finish what is queued, then let go."""
