"""Devices with a small database each, and groups of them: what the tests of MLS are played with."""

from __future__ import annotations

import hashlib

from chatsecure import mls
from chatsecure.mls import Group, NewCommit, NewKeyPackage, Processed, Signer, Suite

GROUP_ID = b"a conversation's id, 32 bytes..."
STATE = b"the room's first state"


class Device:
    """A device: its key, a dummy certificate chain, its KeyPackages and its one group.

    The group is written into `rows` after every call and, with `forgetful`, loaded again from there
    before the next one, as a client does that is started anew every time.
    """

    def __init__(self, name: str, suite: Suite = mls.DEFAULT_SUITE, *, forgetful: bool = False):
        self.name = name
        self.suite = suite
        self.forgetful = forgetful
        self.signer = Signer(hashlib.sha256(name.encode()).digest())
        self.chain = [b"device certificate of " + name.encode(), b"identity certificate"]
        self.rows: dict[bytes, bytes] = {}
        self.group_id = b""
        self._group: Group | None = None

    # --- state ----------------------------------------------------------------------------------

    @property
    def group(self) -> Group:
        if self._group is None or self.forgetful:
            self._group = Group.load(self.group_id, list(self.rows.items()))
        return self._group

    def keep(self, group: Group) -> None:
        """Write what changed."""
        self._group = group
        self.group_id = group.group_id
        for key, value in group.take_changes():
            if value is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = value

    def reload(self) -> None:
        """Start anew from the rows."""
        self._group = None

    # --- coming in ------------------------------------------------------------------------------

    def key_package(self, *, last_resort: bool = False) -> NewKeyPackage:
        return mls.generate_key_package(
            self.signer, self.chain, last_resort=last_resort, suite=self.suite
        )

    def create(self, room_state: bytes = STATE) -> None:
        self.rows.clear()
        self.keep(Group.create(self.signer, self.chain, GROUP_ID, room_state, self.suite))

    def join(self, welcome: bytes, package: NewKeyPackage) -> None:
        self.rows.clear()
        self.keep(Group.join(welcome, package.state))

    def join_external(self, info: bytes, psk: tuple[bytes, bytes] | None = None) -> bytes:
        psk_id, secret = psk or (None, None)
        group, commit = Group.join_external(
            self.signer, self.chain, info, psk_id=psk_id, psk=secret, aad=b"joining"
        )
        self.rows.clear()
        self.keep(group)
        return commit

    # --- in a group -----------------------------------------------------------------------------

    @property
    def leaf(self) -> int:
        return self.group.own_leaf

    def say(self, text: bytes, aad: bytes = b"") -> bytes:
        group = self.group
        message = group.encrypt(self.signer, text, aad=aad)
        self.keep(group)
        return message

    def hear(self, message: bytes) -> Processed:
        """Process; a commit stays staged (so only for what is not forgetful)."""
        group = self.group
        processed = group.process(message)
        self.keep(group)
        return processed

    def accept(self, message: bytes) -> Processed:
        """Process a commit and merge it."""
        group = self.group
        processed = group.process(message)
        group.merge_staged()
        self.keep(group)
        return processed

    def ignore(self, message: bytes) -> Processed:
        """Process a commit and discard it."""
        group = self.group
        processed = group.process(message)
        group.discard_staged()
        self.keep(group)
        return processed

    def propose(self, **changes: object) -> NewCommit:
        """Make a commit and leave it pending."""
        group = self.group
        made = group.commit(self.signer, **changes)  # type: ignore[arg-type]
        self.keep(group)
        return made

    def win(self) -> None:
        """The pending commit was taken."""
        group = self.group
        group.merge_pending()
        self.keep(group)

    def lose(self) -> None:
        """The pending commit was not taken."""
        group = self.group
        group.discard_pending()
        self.keep(group)


def room(count: int, suite: Suite = mls.DEFAULT_SUITE, *, forgetful: bool = False) -> list[Device]:
    """A group of so many devices; the first one added all others in one commit."""
    devices = [Device(f"d{number}", suite, forgetful=forgetful) for number in range(count)]
    first, *others = devices
    first.create()
    packages = [device.key_package() for device in others]
    if packages:
        made = first.propose(add=[package.key_package for package in packages])
        first.win()
        assert made.welcome is not None
        for device, package in zip(others, packages, strict=True):
            device.join(made.welcome, package)
    return devices


def agree(*devices: Device) -> bool:
    """All are in the same epoch with the same secrets, members and state."""
    return (
        len(
            {
                (
                    device.group.epoch,
                    device.group.epoch_authenticator,
                    tuple(device.group.members()),
                    device.group.room_state,
                )
                for device in devices
            }
        )
        == 1
    )
