"""Commits as they arrive: ours are merged, others' are judged by the rules and merged or ignored.

An ignored commit has taken its place in the log (the log's epoch counts it) and has no effect on
the group; every honest member ignores the same ones, since the rules look at nothing local.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from chatsecure import mls
from chatsecure.crypto.certificates import device_id, verify_login
from chatsecure.crypto.credentials import MemberIdentity
from chatsecure.crypto.errors import CryptoError
from chatsecure.crypto.sealing import open_with_secret
from chatsecure.links import psk
from chatsecure.names import fold_name
from chatsecure.wire import messages as m
from chatsecure.wire.errors import ChatSecureError

from . import contacts, conversations, leaving, setback, stale
from .changes_told import tell_change
from .content import BadContent, EntryHeader, decode_header, rejoin_statement
from .conversations import Conversation
from .events import GapEvent, MembershipEvent, stamp
from .groups import identify
from .room import (
    Change,
    NotPermitted,
    RoomState,
    check_change,
    check_join,
    decode_state,
)

if TYPE_CHECKING:
    from .core import Core

JOIN_PURPOSE = "join"


class ChangeJudge:
    """Handles COMMIT and JOIN entries. One per core; called inside a transaction."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._db = core.db

    def commit(self, row: Conversation, entry: m.Entry) -> None:
        """A member's commit."""
        core = self._core
        group = core.groups.get(row.log_id)
        if entry.device_id == core.me.device_id:
            self._own_commit(row, entry, group)
            return
        if group.has_pending_commit:
            # The server took another one first; the flow that made ours begins anew.
            group.discard_pending()
            self._db.run("DELETE FROM pending_commits WHERE log_id = ?", row.log_id)
        processed = group.process(entry.payload)
        try:
            if processed.kind != "commit" or processed.sender is None:
                raise NotPermitted("an entry is not the change it is said to be")
            header = decode_header(processed.aad)
            by = identify(processed.sender, entry.at)
            if (by.device_id, header.append_id, header.epoch) != (
                entry.device_id, entry.append_id, entry.epoch,
            ):  # fmt: skip
                raise NotPermitted("the server shows a change under another sender or place")
            core.receiver.check_past(row, entry, header, by.name)
            if processed.updated is not None:
                check_same_device(identify(processed.updated, entry.at), by)
            before = decode_state(group.room_state)
            after = decode_state(processed.room_state) if processed.room_state else before
            self._check(row, entry, group, processed, header, by, before, after)
        except (NotPermitted, CryptoError) as error:
            group.discard_staged()
            core.groups.save(row.log_id, group)
            self._refused(row, entry, str(error))
            return
        self._merge_staged(row, entry, group, processed, by.name, before, after)
        self._answered(row, entry)

    def _answered(self, row: Conversation, entry: m.Entry) -> None:
        """Who asked to be added anew was, or is gone."""
        roster = entry.roster or m.RosterChange()
        for device in {*roster.add, *roster.remove}:
            self._db.run(
                "DELETE FROM rejoiners WHERE log_id = ? AND device_id = ?", row.log_id, device
            )

    def rejoin(self, row: Conversation, entry: m.Entry) -> None:
        """A device that cannot follow any more asks to be added anew; any member may do it."""
        if entry.device_id == self._core.me.device_id:
            if not setback.asked(self._db, row.log_id):
                stale.noticed_in(self._core, row.log_id)
            return
        keys = {
            device_id(member.signature_key): member.signature_key
            for member in self._core.groups.get(row.log_id).members()
        }
        key = keys.get(entry.device_id)
        if key is None:
            return
        statement = rejoin_statement(row.log_id, entry.device_id, entry.append_id)
        verify_login(key, statement, entry.payload)
        self._db.run(
            "INSERT OR IGNORE INTO rejoiners(log_id, device_id) VALUES(?, ?)",
            row.log_id, entry.device_id,
        )  # fmt: skip
        self._core.defer(lambda: self._core.start(stale.readd(self._core, row.log_id)))

    def _check(
        self,
        row: Conversation,
        entry: m.Entry,
        group: mls.Group,
        processed: mls.Processed,
        header: EntryHeader,
        by: MemberIdentity,
        before: RoomState,
        after: RoomState,
    ) -> None:
        added = [identify(member, entry.at) for member in processed.added]
        removed = [identify(member, entry.at) for member in processed.removed]
        # Who is taken out and brought in again by one commit neither comes nor goes: nobody but
        # the device itself can make its KeyPackage.
        stays = {(one.device_id, one.identity_fingerprint) for one in added} & {
            (one.device_id, one.identity_fingerprint) for one in removed
        }
        replaced = {device for device, _ in stays}
        leavers = _leavers(row.log_id, group, processed.removed, header) | replaced
        check_change(
            Change(
                by=by.identity_fingerprint,
                before=before,
                after=after,
                added=[
                    member.identity_fingerprint
                    for member in added
                    if member.device_id not in replaced
                ],
                removed=[
                    member.identity_fingerprint
                    for member in removed
                    if member.device_id not in leavers
                ],
                at=entry.at,
            )
        )
        gone = {member.device_id for member in removed}
        stay = [
            identify(member, entry.at)
            for member in group.members()
            if device_id(member.signature_key) not in gone
        ]
        check_names([*stay, *added])
        told = entry.roster or m.RosterChange()
        if set(told.add) != {member.device_id for member in added} or set(told.remove) != gone:
            # Judged nowhere: the server could tell each of us another roster.
            self._core.emit(
                GapEvent(
                    at=stamp(entry.at),
                    conversation=row.name,
                    seq=entry.seq,
                    reason="the server's list of who gets this conversation is not the members'",
                )
            )

    def _own_commit(self, row: Conversation, entry: m.Entry, group: mls.Group) -> None:
        pending = self._db.value(
            "SELECT append_id FROM pending_commits WHERE log_id = ?", row.log_id
        )
        if pending != entry.append_id or not group.has_pending_commit:
            stale.noticed_in(self._core, row.log_id)
            self._core.receiver.lost(row)
            return
        self._db.run("DELETE FROM pending_commits WHERE log_id = ?", row.log_id)
        before = decode_state(group.room_state)
        there = {device_id(member.signature_key): member for member in group.members()}
        known = {member.device_id: member for member in conversations.members(self._db, row.log_id)}
        proofs = leaving.proofs(self._db, row.log_id, group, there)
        left = {proof.device_id for proof in proofs}
        group.merge_pending()
        try:
            after = decode_state(group.room_state)
            self._check_own(entry, group, there, left, before, after)
        except (ChatSecureError, CryptoError) as error:
            # Our clock was wrong, say: everybody judges by the log's time, and so do we.
            group = self._core.groups.reload(row.log_id)
            group.discard_pending()
            self._core.groups.save(row.log_id, group)
            self._core.ignored[entry.append_id] = f"the change was ignored: {error}"
            self._refused(row, entry, str(error))
            return
        self._core.groups.save(row.log_id, group)
        if row.stale == stale.RENEWING:
            conversations.update(self._db, row.log_id, stale=0)
        self._core.groups.sync_members(row.log_id, group, entry.seq, entry.at)
        tell_change(self._core, row, entry, known, self._core.me.name, before, after)
        self._answered(row, entry)

    def _check_own(
        self,
        entry: m.Entry,
        group: mls.Group,
        there: Mapping[bytes, mls.Member],
        left: set[bytes],
        before: RoomState,
        after: RoomState,
    ) -> None:
        """Judge our own commit as the others do, now that its place and time are known."""
        now = {device_id(member.signature_key): member for member in group.members()}
        identities = {id_: identify(member, entry.at) for id_, member in now.items()}
        check_change(
            Change(
                by=self._core.me.fingerprint,
                before=before,
                after=after,
                added=[
                    identity.identity_fingerprint
                    for id_, identity in identities.items()
                    if id_ not in there
                ],
                removed=[
                    identify(member, entry.at).identity_fingerprint
                    for id_, member in there.items()
                    if id_ not in now and id_ not in left
                ],
                at=entry.at,
            )
        )
        check_names(identities.values())

    def _merge_staged(
        self,
        row: Conversation,
        entry: m.Entry,
        group: mls.Group,
        processed: mls.Processed,
        by: str,
        before: RoomState,
        after: RoomState,
    ) -> None:
        core = self._core
        known = {member.device_id: member for member in conversations.members(self._db, row.log_id)}
        group.merge_staged()
        core.groups.save(row.log_id, group)
        if processed.self_removed and any(
            device_id(member.signature_key) == core.me.device_id for member in processed.added
        ):
            # Added anew by one commit: what waits to be sent goes out after the invitation.
            conversations.update(self._db, row.log_id, state=conversations.REJOINING)
            core.defer(lambda: core.inbox.reconsider(row.log_id))
            return
        if processed.self_removed:
            conversations.end(self._db, row.log_id, conversations.REMOVED)
            core.defer(lambda: core.inbox.reconsider(row.log_id))
            core.emit(
                MembershipEvent(
                    at=stamp(entry.at),
                    conversation=row.name,
                    sender=by,
                    seq=entry.seq,
                    user=core.me.name,
                    state="removed",
                    by=by,
                )
            )
            return
        core.groups.sync_members(row.log_id, group, entry.seq, entry.at)
        for member in processed.added:
            event = contacts.pin_member(self._db, identify(member, entry.at), entry.at)
            if event is not None:
                core.emit(event)
        tell_change(self._core, row, entry, known, by, before, after)

    def join(self, row: Conversation, entry: m.Entry) -> None:
        """Somebody comes in by a link (an external Commit, sealed under the link's secret)."""
        core = self._core
        if entry.device_id == core.me.device_id:
            self._own_join(row, entry)
            return
        group = core.groups.get(row.log_id)
        before = decode_state(group.room_state)
        link_id = entry.payload[:16]
        link = before.link(link_id)
        if link is None:
            self._refused(row, entry, "somebody tried to come in by a link that is not open")
            return
        if group.has_pending_commit:
            group.discard_pending()
            self._db.run("DELETE FROM pending_commits WHERE log_id = ?", row.log_id)
        group.add_psk(link_id, psk(link.secret))
        try:
            commit = open_with_secret(link.secret, JOIN_PURPOSE, entry.payload[16:], row.log_id)
            processed = group.process(commit)
            if processed.kind != "external_commit" or processed.sender is None:
                raise NotPermitted("an entry is not the joining it is said to be")
            newcomer = identify(processed.sender, entry.at)
            if newcomer.device_id != entry.device_id:
                raise NotPermitted("the server shows a joining under another sender")
            header = decode_header(processed.aad)
            if (header.append_id, header.kind, header.epoch) != (
                entry.append_id, entry.kind, entry.epoch,
            ):  # fmt: skip
                raise NotPermitted("the server shows a joining in another place")
            check_join(before, link_id, processed.psk_ids, entry.at)
            gone = {device_id(member.signature_key) for member in processed.removed}
            if not gone <= {newcomer.device_id}:
                raise NotPermitted("a joining may not remove anybody else")
            stay = [identify(member, entry.at) for member in group.members()]
            check_names([*stay, newcomer])
        except (NotPermitted, BadContent, CryptoError, mls.MlsError) as error:
            group.discard_staged()
            group.remove_psk(link_id)
            core.groups.save(row.log_id, group)
            self._refused(row, entry, str(error))
            return
        group.remove_psk(link_id)
        inviter = next(
            (
                member.name
                for member in conversations.members(self._db, row.log_id)
                if member.fingerprint == link.by
            ),
            "",
        )
        self._merge_staged(row, entry, group, processed, inviter, before, before)

    def _own_join(self, row: Conversation, entry: m.Entry) -> None:
        told = self._core.logs.get(row.log_id)
        if told is None or entry.seq != told.since + 1:
            # Not the one by which we came in.
            stale.noticed_in(self._core, row.log_id)
            self._core.receiver.lost(row)
            return
        self._db.run("DELETE FROM pending_commits WHERE log_id = ?", row.log_id)
        self._db.run(
            "UPDATE members SET since = ? WHERE log_id = ? AND device_id = ?",
            entry.seq, row.log_id, self._core.me.device_id,
        )  # fmt: skip
        self._core.emit(
            MembershipEvent(
                at=stamp(entry.at),
                conversation=row.name,
                sender=self._core.me.name,
                seq=entry.seq,
                user=self._core.me.name,
                state="joined",
            )
        )

    def _refused(self, row: Conversation, entry: m.Entry, reason: str) -> None:
        self._core.emit(
            GapEvent(
                at=stamp(entry.at),
                conversation=row.name,
                seq=entry.seq,
                reason=f"a change was ignored: {reason}",
            )
        )


def _leavers(
    log_id: bytes, group: mls.Group, removed: Iterable[mls.Member], header: EntryHeader
) -> set[bytes]:
    """Which removed devices have left by a statement of their own."""
    members = {device_id(member.signature_key): member for member in removed}
    proven = set()
    for proof in header.leavers:
        member = members.get(proof.device_id)
        if member is not None:
            leaving.check(log_id, group, member, proof.signature)
            proven.add(proof.device_id)
    return proven


def check_same_device(new: MemberIdentity, old: MemberIdentity) -> None:
    """A device may renew its leaf, not turn into another one.

    Raises:
        NotPermitted: it does.
    """
    if (new.device_id, new.identity_fingerprint) != (old.device_id, old.identity_fingerprint):
        raise NotPermitted("a device tried to become another one")


def check_names(identities: Iterable[MemberIdentity]) -> None:
    """One name, one identity: nobody in a conversation may carry another member's name.

    Raises:
        NotPermitted: two identities share a name.
    """
    names: dict[str, bytes] = {}
    for identity in identities:
        folded = fold_name(identity.name)
        if names.setdefault(folded, identity.identity_fingerprint) != identity.identity_fingerprint:
            raise NotPermitted(f"two identities in it are called {identity.name}")
