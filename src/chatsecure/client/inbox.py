"""The device's inbox: invitations into conversations, and coming into the group of one.

An invitation into a conversation we are in is kept: it may be the way back in after a removal that
we have not read yet. What cannot be used is told as a gap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chatsecure import mls
from chatsecure.crypto.credentials import MemberIdentity
from chatsecure.crypto.errors import CryptoError
from chatsecure.crypto.sealing import open_sealed
from chatsecure.names import fold_name
from chatsecure.wire import messages as m
from chatsecure.wire.errors import ChatSecureError

from . import contacts, conversations, setback
from .changes import check_names
from .content import Invitation, decode_invitation, encode_invitation
from .display import harmless_name
from .events import GapEvent, MembershipEvent, stamp
from .profile.database import ProfileError
from .room import NotPermitted, RoomState, decode_state

if TYPE_CHECKING:
    from .core import Core


class Inbox:
    """Handles the log whose id is the device's. One per core."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._db = core.db

    def entries(self, entries: list[m.Entry]) -> int:
        """A batch of the inbox, in a transaction; gives how far it was read."""
        cursor = int(self._db.get("inbox_cursor") or 0)
        for entry in entries:
            if entry.seq <= cursor:
                continue
            try:
                self._invitation(entry)
            except (mls.MlsError, CryptoError, ChatSecureError) as error:
                # What a server that was set back gives us again was used before.
                if entry.seq > int(self._db.get("inbox_read_before") or 0):
                    self._core.emit(
                        GapEvent(
                            at=stamp(entry.at), reason=f"an invitation could not be used: {error}"
                        )
                    )
            cursor = entry.seq
            self._db.put("inbox_cursor", cursor)
        return cursor

    def _invitation(self, entry: m.Entry) -> None:
        from chatsecure.crypto.identity import load_private_key

        core = self._core
        sealing_key = load_private_key(bytes(self._db.get("sealing_key")))
        invitation = decode_invitation(open_sealed(sealing_key, entry.payload, core.me.device_id))
        known = conversations.get(self._db, invitation.log_id)
        waits = known is not None and known.state in (conversations.ACTIVE, conversations.JOINING)
        if waits and not setback.asked(self._db, invitation.log_id):
            # It may be the way back in after a removal that we have not read yet.
            self._db.run(
                "INSERT OR REPLACE INTO invitations(log_id, epoch, at, device_id, payload)"
                " VALUES(?, ?, ?, ?, ?)",
                invitation.log_id, invitation.epoch, entry.at, entry.device_id,
                encode_invitation(invitation),
            )  # fmt: skip
            return
        self._accept(invitation, entry.at, entry.device_id)

    def reconsider_all(self) -> None:
        """An earlier run may have ended before it looked at the invitations it had kept."""
        for (log_id,) in self._db.rows(
            "SELECT log_id FROM invitations WHERE log_id NOT IN"
            " (SELECT log_id FROM conversations WHERE state IN (?, ?))",
            conversations.ACTIVE, conversations.JOINING,
        ):  # fmt: skip
            self.reconsider(log_id)

    def reconsider(self, log_id: bytes) -> None:
        """We are out of a conversation: was there an invitation back in? Of several the first
        after our going is taken; by a later one we would not read what came between."""
        while (found := self._next_invitation(log_id)) is not None:
            epoch, at, device, payload = found
            used = "DELETE FROM invitations WHERE log_id = ? AND epoch <= ?"
            try:
                with self._db.transaction():
                    self._db.run(used, log_id, epoch)
                    self._accept(decode_invitation(bytes(payload)), at, bytes(device))
                return
            except ProfileError:
                raise
            except (mls.MlsError, CryptoError, ChatSecureError) as error:
                with self._db.transaction():
                    self._db.run(used, log_id, epoch)
                self._core.emit(
                    GapEvent(at=stamp(at), reason=f"an invitation could not be used: {error}")
                )

    def _next_invitation(self, log_id: bytes) -> Any:
        row = conversations.get(self._db, log_id)
        gone = 0 if row is None else row.epoch
        return self._db.row(
            "SELECT epoch, at, device_id, payload FROM invitations WHERE log_id = ?"
            " ORDER BY epoch <= ?, abs(epoch - ?) LIMIT 1",
            log_id, gone, gone,
        )  # fmt: skip

    def _accept(self, invitation: Invitation, at: int, device: bytes) -> None:
        """Enter the conversation of an invitation; in a transaction."""
        core, log_id = self._core, invitation.log_id
        group, ref = core.groups.join(invitation.welcome)
        if group.group_id != log_id:
            raise NotPermitted("it leads to another conversation than it says")
        self.enter(group, invitation.epoch, at, conversations.ACTIVE)
        if self._db.get("lost_conversations"):
            # Another copy of this profile may have come in and written there already.
            conversations.update(self._db, log_id, stale=1)
        core.groups.use_up(ref)
        by = next(
            (
                member.name
                for member in conversations.members(self._db, log_id)
                if member.device_id == device
            ),
            None,
        )
        row = conversations.get(self._db, log_id)
        if row is not None and not row.private:
            core.emit(
                MembershipEvent(
                    at=stamp(at),
                    conversation=row.name,
                    sender=by,
                    user=core.me.name,
                    state="joined",
                    by=by,
                )
            )
        core.defer(core.pump)

    def enter(self, group: mls.Group, epoch: int, at: int, state: str) -> str:
        """Write down a group we come into: check everyone in it, pin them, name it.

        Returns:
            The conversation's name.

        Raises:
            NotPermitted: somebody or something in it is not in order.
        """
        core, log_id = self._core, group.group_id
        room = decode_state(group.room_state)
        identities = core.groups.check_members(group, at)
        check_names(identities.values())
        name, folded = self._name(room, identities)
        shown = conversations.add(
            self._db, log_id, room.kind, name, folded, state=state, epoch=epoch, at=at
        )
        core.receiver.entered(log_id)
        setback.answered(self._db, log_id)
        core.groups.drop(log_id)
        core.groups.save(log_id, group)
        core.groups.sync_members(log_id, group, 0, at)
        seen: set[bytes] = {core.me.fingerprint}
        for identity in identities.values():
            if identity.identity_fingerprint not in seen:
                seen.add(identity.identity_fingerprint)
                event = contacts.pin_member(self._db, identity, at)
                if event is not None:
                    core.emit(event)
        return shown

    def _name(self, room: RoomState, identities: dict[int, MemberIdentity]) -> tuple[str, str]:
        me = self._core.me
        if room.kind is not m.LogKind.PRIVATE:
            name = "#" + harmless_name(room.name.removeprefix("#"))
            return name, name.casefold()
        there = {identity.identity_fingerprint for identity in identities.values()}
        if me.fingerprint not in room.pair or not there <= set(room.pair):
            raise NotPermitted("a private chat holds others than its two people")
        others = [
            identity.name
            for identity in identities.values()
            if identity.identity_fingerprint != me.fingerprint
        ]
        peer = others[0] if others else me.name
        return "@" + peer, "@" + fold_name(peer)
