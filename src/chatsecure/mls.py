"""MLS groups (RFC 9420), by OpenMLS: the typed face of the Rust module `chatsecure._mls`.

All messages and keys are bytes, members are told apart by their leaf's number. Who a member *is*
stands in the certificate chain of their credential, which is unpacked here and judged elsewhere
(`crypto.credentials`).

State: a group lives in memory, and `take_changes` tells which rows of its stored state changed.
The caller writes them in the transaction the change belongs to; `Group.load` makes the group again
from all rows. A call that raises has changed nothing. Where a transaction is rolled back, the group
in memory is ahead of the database: load it again.

Every call releases the GIL; one group may be used from several threads, calls follow one another.

    MlsError
    ├── MalformedMls           bytes that are no such message
    ├── NoMatchingKeyPackage   a Welcome for a KeyPackage we do not have (any more)
    ├── BadKeyPackage          a KeyPackage nobody should be added with
    ├── WrongGroup             a message of another group
    ├── WrongEpoch             a message of an epoch we are not in, or not any more
    ├── Undecryptable          changed, replayed, or its secret is gone
    ├── OwnMessage             a message of this very device, which it cannot decrypt
    ├── NotAMember             somebody who is not in the group, be it this device
    ├── InvalidCommit          it breaks a rule of MLS or of conversations
    ├── MissingPsk             it needs a pre-shared key that is not here
    ├── WrongState             the call does not fit the group's state now
    └── DamagedState           stored state that does not load
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal, TypeAlias, cast

from chatsecure import _mls
from chatsecure._mls import Signer
from chatsecure.wire.errors import ChatSecureError

__all__ = [
    "DEFAULT_SUITE",
    "KEY_PACKAGE_LIFETIME_S",
    "ROOM_STATE_EXTENSION",
    "SUITES",
    "BadKeyPackage",
    "DamagedState",
    "Group",
    "InvalidCommit",
    "KeyPackageInfo",
    "MalformedMls",
    "Member",
    "MissingPsk",
    "MlsError",
    "NewCommit",
    "NewKeyPackage",
    "NoMatchingKeyPackage",
    "NotAMember",
    "OwnMessage",
    "Processed",
    "Signer",
    "Suite",
    "Undecryptable",
    "WrongEpoch",
    "WrongGroup",
    "WrongState",
    "generate_key_package",
    "key_package_info",
    "welcome_refs",
]

Rows: TypeAlias = Sequence[tuple[bytes, bytes]]
Changes: TypeAlias = list[tuple[bytes, bytes | None]]


class MlsError(ChatSecureError):
    """Something in MLS went wrong. `str()` is one clear sentence."""


class MalformedMls(MlsError):
    """The bytes do not decode to what they should be."""


class NoMatchingKeyPackage(MlsError):
    """A Welcome is for a KeyPackage whose private part is not here."""


class BadKeyPackage(MlsError):
    """A KeyPackage is expired, wrongly signed, or of a program unlike ours."""


class WrongGroup(MlsError):
    """The message is of another group."""


class WrongEpoch(MlsError):
    """The message is of another epoch, and that cannot be bridged."""


class Undecryptable(MlsError):
    """The message was changed on the way, was read before, or its secret is deleted."""


class OwnMessage(MlsError):
    """A device cannot decrypt what it sent itself."""


class NotAMember(MlsError):
    """The one named is not in the group, or this device is not any more."""


class InvalidCommit(MlsError):
    """A commit, or what one is to be made of, is not allowed."""


class MissingPsk(MlsError):
    """A pre-shared key that the commit includes is not in the group's storage."""


class WrongState(MlsError):
    """The call does not fit what the group is doing, e.g. a commit is pending already."""


class DamagedState(MlsError):
    """The stored state is incomplete or not a group's."""


class Suite(IntEnum):
    """The cipher suites we use, by their MLS numbers."""

    HYBRID = 0x004E
    """MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519: post-quantum and classical, both at once."""
    CLASSICAL = 0x0001
    """MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519, the suite every MLS program has."""


SUITES = tuple(Suite(number) for number in _mls.SUITES)
"""All suites we can be in a group with, best first."""

DEFAULT_SUITE = SUITES[0]

ROOM_STATE_EXTENSION = _mls.ROOM_STATE_EXTENSION
"""The GroupContext extension that holds a conversation's state."""

KEY_PACKAGE_LIFETIME_S = 84 * 24 * 3600
"""How long a KeyPackage can be used to add its device."""


@dataclass(frozen=True, slots=True)
class Member:
    """A leaf of the group's tree."""

    index: int
    credential: tuple[bytes, ...]
    """Certificates in DER: the device's, then the identity's. Not checked here."""
    signature_key: bytes
    """Ed25519. MLS has checked that the member signs with it."""


@dataclass(frozen=True, slots=True)
class NewKeyPackage:
    """A KeyPackage of ours."""

    key_package: bytes
    """For others; holds no secret."""
    ref: bytes
    """By which a Welcome names it."""
    state: list[tuple[bytes, bytes]]
    """Its private part, for `Group.join`."""


@dataclass(frozen=True, slots=True)
class KeyPackageInfo:
    """What stands in somebody's KeyPackage, once it is found in order."""

    ref: bytes
    credential: tuple[bytes, ...]
    signature_key: bytes
    not_before: int
    """Seconds since 1970."""
    not_after: int
    suite: Suite
    last_resort: bool


@dataclass(frozen=True, slots=True)
class NewCommit:
    """A commit of ours, pending in the group until it is merged or discarded."""

    commit: bytes
    welcome: bytes | None
    """For those it adds, all in one."""
    group_info: bytes | None
    """Of the epoch it leads to, with tree and external key, if wanted."""


@dataclass(frozen=True, slots=True)
class Processed:
    """A message that came in. A commit is staged, not yet merged."""

    kind: Literal["application", "commit", "external_commit", "proposal"]
    """A proposal is only told of: it is not kept, and a commit that refers to one is refused."""
    sender: Member | None
    """Who sent it, as they were in the message's epoch. Whoever comes in by an external commit."""
    aad: bytes
    """The authenticated data beside the message."""
    plaintext: bytes | None
    """Of an application message."""
    added: tuple[Member, ...]
    removed: tuple[Member, ...]
    updated: Member | None
    """The committer's new leaf."""
    room_state: bytes | None
    """The conversation's state if the commit changes it."""
    self_removed: bool
    """This device is among the removed."""
    psk_ids: tuple[bytes, ...]
    """The pre-shared keys the commit proves to know."""
    epoch: int
    """The epoch the message was sent in; a commit leads to the one after."""


def _member(row: tuple[int, list[bytes], bytes]) -> Member:
    return Member(row[0], tuple(row[1]), row[2])


def generate_key_package(
    signer: Signer,
    chain: Sequence[bytes],
    *,
    last_resort: bool = False,
    suite: Suite = DEFAULT_SUITE,
    lifetime_s: int = KEY_PACKAGE_LIFETIME_S,
) -> NewKeyPackage:
    """Make a KeyPackage for this device.

    Args:
        last_resort: it may be used again and again, when there is no other left.
    """
    made = _mls.generate_key_package(signer, chain, last_resort, suite, lifetime_s)
    return NewKeyPackage(*made)


def key_package_info(data: bytes) -> KeyPackageInfo:
    """Check a KeyPackage as the one who adds must, and say what is in it.

    Raises:
        MalformedMls: it is no KeyPackage.
        BadKeyPackage: its signature, lifetime, suite or abilities are not in order.
    """
    ref, chain, key, not_before, not_after, suite, last_resort = _mls.key_package_info(data)
    return KeyPackageInfo(ref, tuple(chain), key, not_before, not_after, Suite(suite), last_resort)


def welcome_refs(welcome: bytes) -> list[bytes]:
    """The KeyPackages a Welcome is for.

    Raises:
        MalformedMls: it is no Welcome.
    """
    return _mls.welcome_refs(welcome)


class Group:
    """One group, in memory. Made by `create`, `join`, `join_external` or `load`."""

    __slots__ = ("_raw",)

    def __init__(self, raw: _mls.Group) -> None:
        self._raw = raw

    # --- coming into being ----------------------------------------------------------------------

    @classmethod
    def load(cls, group_id: bytes, state: Rows) -> Group:
        """The group from all its stored rows.

        Raises:
            DamagedState: they are not those of this group.
        """
        return cls(_mls.Group.load(group_id, state))

    @classmethod
    def create(
        cls,
        signer: Signer,
        chain: Sequence[bytes],
        group_id: bytes,
        room_state: bytes,
        suite: Suite = DEFAULT_SUITE,
    ) -> Group:
        """A new group with nobody but us in it."""
        return cls(_mls.Group.create(signer, chain, group_id, room_state, suite))

    @classmethod
    def join(cls, welcome: bytes, state: Rows) -> Group:
        """The group a Welcome leads to.

        The KeyPackage's private part is only read: the caller deletes it, unless it is the last
        resort. Everyone in the group is still to be checked (`members`).

        Args:
            state: the private part of the KeyPackage the Welcome is for.

        Raises:
            MalformedMls: it is no Welcome.
            NoMatchingKeyPackage: it is for another KeyPackage.
            MlsError: it is not in order.
        """
        return cls(_mls.Group.join(welcome, state))

    @classmethod
    def join_external(
        cls,
        signer: Signer,
        chain: Sequence[bytes],
        group_info: bytes,
        *,
        psk_id: bytes | None = None,
        psk: bytes | None = None,
        aad: bytes = b"",
    ) -> tuple[Group, bytes]:
        """Come into a group by oneself; a former leaf of this device goes out with the same commit.

        The group is as if the commit were accepted; if it is not, drop it.

        Args:
            group_info: of the group's present epoch, with tree and external key.
            psk: the pre-shared key to prove, 32 bytes.

        Returns:
            The group, and the commit that all others have to process.

        Raises:
            MlsError: the GroupInfo is not in order.
        """
        if (psk_id is None) != (psk is None):
            raise WrongState("a pre-shared key and its id go together")
        pair = None if psk_id is None or psk is None else (psk_id, psk)
        raw, commit = _mls.Group.join_external(signer, chain, group_info, pair, aad)
        return cls(raw), commit

    # --- what it is -----------------------------------------------------------------------------

    @property
    def group_id(self) -> bytes:
        """The conversation's id."""
        return self._raw.group_id

    @property
    def epoch(self) -> int:
        """Counts the commits."""
        return self._raw.epoch

    @property
    def own_leaf(self) -> int:
        """This device's leaf."""
        return self._raw.own_leaf

    @property
    def suite(self) -> Suite:
        """The cipher suite, for the group's whole life."""
        return Suite(self._raw.suite)

    @property
    def room_state(self) -> bytes:
        """The conversation's state all members agree on."""
        return self._raw.room_state

    @property
    def is_active(self) -> bool:
        """This device was not removed."""
        return self._raw.is_active

    @property
    def has_pending_commit(self) -> bool:
        """A commit of this device waits to be merged or discarded. Stored with the group."""
        return self._raw.has_pending_commit

    @property
    def has_staged_commit(self) -> bool:
        """A commit of another member waits to be merged or discarded. Never stored."""
        return self._raw.has_staged_commit

    @property
    def epoch_authenticator(self) -> bytes:
        """Equal for all who share this epoch, and for nobody else (RFC 9420 §8.7)."""
        return self._raw.epoch_authenticator

    def members(self) -> list[Member]:
        """Everyone in the group, by leaf."""
        return [_member(row) for row in self._raw.members()]

    def leaf_of(self, signature_key: bytes) -> int | None:
        """The leaf of the device with this key."""
        return self._raw.leaf_of(signature_key)

    def leaf_key(self, leaf: int) -> bytes:
        """The public key of a leaf: another one after each commit of its device, and after each
        time that it was added.

        Raises:
            NotAMember: there is no such leaf.
        """
        return self._raw.leaf_key(leaf)

    def take_changes(self) -> Changes:
        """The rows to write (or delete, where the value is None) since this was last called."""
        return self._raw.take_changes()

    # --- sending --------------------------------------------------------------------------------

    def encrypt(self, signer: Signer, plaintext: bytes, *, aad: bytes = b"") -> bytes:
        """A message to the group. `aad` is authenticated and can be read by anyone.

        Raises:
            NotAMember: this device was removed.
        """
        return self._raw.encrypt(signer, plaintext, aad)

    def commit(
        self,
        signer: Signer,
        *,
        add: Iterable[bytes] = (),
        remove: Iterable[int] = (),
        room_state: bytes | None = None,
        psk_ids: Iterable[bytes] = (),
        chain: Sequence[bytes] | None = None,
        aad: bytes = b"",
        want_group_info: bool = False,
    ) -> NewCommit:
        """One commit of all these changes, always with fresh keys for our own path.

        It stays pending: nothing changes until `merge_pending`.

        Args:
            add: KeyPackages; check whose they are before.
            remove: leaves.
            psk_ids: keys given by `add_psk` that every member must have.
            chain: a renewed credential of this device, for the same key.

        Raises:
            WrongState: a commit is pending already.
            BadKeyPackage: one to add is not in order.
            NotAMember: one to remove is not in the group.
            MlsError: it cannot be made.
        """
        made = self._raw.commit(
            signer, list(add), list(remove), room_state, list(psk_ids), chain, aad, want_group_info
        )
        return NewCommit(*made)

    def merge_pending(self) -> None:
        """Our pending commit was accepted: go to the epoch it leads to.

        Raises:
            WrongState: none is pending.
        """
        self._raw.merge_pending()

    def discard_pending(self) -> None:
        """Our pending commit, if there is one, was not accepted."""
        self._raw.discard_pending()

    # --- receiving ------------------------------------------------------------------------------

    def process(self, message: bytes) -> Processed:
        """Read a message of the group; a commit is staged, in place of one staged before.

        Raises:
            MlsError: see the tree of errors above.
        """
        first, second, third = self._raw.process(message)
        kind, sender, aad, plaintext = first
        added, removed, updated = second
        room_state, self_removed, psk_ids, epoch = third
        return Processed(
            kind=cast("Literal['application', 'commit', 'external_commit', 'proposal']", kind),
            sender=None if sender is None else _member(sender),
            aad=aad,
            plaintext=plaintext,
            added=tuple(map(_member, added)),
            removed=tuple(map(_member, removed)),
            updated=None if updated is None else _member(updated),
            room_state=room_state,
            self_removed=self_removed,
            psk_ids=tuple(psk_ids),
            epoch=epoch,
        )

    def merge_staged(self) -> None:
        """The staged commit is allowed: go to its epoch. A pending commit of ours is discarded.

        Raises:
            WrongState: none is staged.
        """
        self._raw.merge_staged()

    def discard_staged(self) -> None:
        """The staged commit, if there is one, is ignored; the group goes on in its epoch."""
        self._raw.discard_staged()

    # --- external joins, secrets ----------------------------------------------------------------

    def export_group_info(self, signer: Signer) -> bytes:
        """What `join_external` needs, for the present epoch.

        Raises:
            WrongState: there is none to give.
        """
        return self._raw.export_group_info(signer)

    def add_psk(self, psk_id: bytes, psk: bytes) -> None:
        """Keep a pre-shared key, so that a commit which includes it can be processed."""
        self._raw.add_psk(psk_id, psk)

    def remove_psk(self, psk_id: bytes) -> None:
        """Forget a pre-shared key."""
        self._raw.remove_psk(psk_id)

    def export_secret(self, label: str, context: bytes, length: int) -> bytes:
        """A secret only those in this epoch share (RFC 9420 §8.5)."""
        return self._raw.export_secret(label, context, length)
