"""The MLS groups of a profile: loaded when needed, written in the transaction that changed them.

The database is the truth. A loaded group is kept with the version it was written at; when another
process has moved on, or a transaction was undone, it is loaded again. So no crash and no second
process can make the ratchet, the cursor and the messages disagree (design D10).
"""

from datetime import UTC, datetime

from chatsecure import mls
from chatsecure.crypto.certificates import device_id
from chatsecure.crypto.credentials import MemberIdentity, check_credential
from chatsecure.crypto.errors import CryptoError
from chatsecure.names import fold_name

from . import conversations
from .profile.database import Database
from .room import NotPermitted

KEY_PACKAGES_WANTED = 20
"""One-time KeyPackages kept on the server."""


def moment(at_ms: int) -> datetime:
    """A log's time as certificates want it."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)


class Groups:
    """The groups of one profile.

    Args:
        db: the profile's database.
        seed: the device's Ed25519 private key, 32 bytes.
        chain: the device's certificate chain (device, identity), DER.
        suite: the cipher suite of what this device makes.
    """

    def __init__(
        self,
        db: Database,
        seed: bytes,
        chain: list[bytes],
        suite: mls.Suite = mls.DEFAULT_SUITE,
    ) -> None:
        self._db = db
        self.suite = suite
        self.signer = mls.Signer(seed)
        self.chain = chain
        self._loaded: dict[bytes, tuple[int, mls.Group]] = {}
        db.on_rollback.append(self._loaded.clear)

    def get(self, log_id: bytes) -> mls.Group:
        """The group of a conversation, as the database has it."""
        version = self._db.value("SELECT mls_version FROM conversations WHERE log_id = ?", log_id)
        held = self._loaded.get(log_id)
        if held is not None and held[0] == version:
            return held[1]
        rows = self._db.rows("SELECT key, value FROM mls_state WHERE scope = ?", log_id)
        group = mls.Group.load(log_id, [(bytes(key), bytes(value)) for key, value in rows])
        self._loaded[log_id] = (version, group)
        return group

    def save(self, log_id: bytes, group: mls.Group) -> None:
        """Write what a call changed. The conversation's row must exist; call in a transaction."""
        changes = group.take_changes()
        self._db.run_many(
            "INSERT OR REPLACE INTO mls_state(scope, key, value) VALUES(?, ?, ?)",
            ((log_id, key, value) for key, value in changes if value is not None),
        )
        self._db.run_many(
            "DELETE FROM mls_state WHERE scope = ? AND key = ?",
            ((log_id, key) for key, value in changes if value is None),
        )
        self._db.run(
            "UPDATE conversations SET mls_version = mls_version + 1 WHERE log_id = ?", log_id
        )
        version = self._db.value("SELECT mls_version FROM conversations WHERE log_id = ?", log_id)
        self._loaded[log_id] = (version, group)

    def reload(self, log_id: bytes) -> mls.Group:
        """The group as the database has it, without what was not saved."""
        self._loaded.pop(log_id, None)
        return self.get(log_id)

    def drop(self, log_id: bytes) -> None:
        """Delete a group."""
        self._loaded.pop(log_id, None)
        self._db.run("DELETE FROM mls_state WHERE scope = ?", log_id)

    def make_key_packages(self, count: int, *, last_resort: bool, now: int) -> None:
        """Make KeyPackages and keep their private parts; they are uploaded from the table."""
        for _ in range(count):
            package = mls.generate_key_package(
                self.signer, self.chain, last_resort=last_resort, suite=self.suite
            )
            self._db.run_many(
                "INSERT INTO mls_state(scope, key, value) VALUES(?, ?, ?)",
                ((package.ref, key, value) for key, value in package.state),
            )
            self._db.run(
                "INSERT INTO key_packages(ref, last_resort, made_at, data) VALUES(?, ?, ?, ?)",
                package.ref, int(last_resort), now, package.key_package,
            )  # fmt: skip

    def join(self, welcome: bytes) -> tuple[mls.Group, bytes]:
        """The group a Welcome leads to and the KeyPackage's ref it used; nothing is written.

        Raises:
            mls.MlsError: it is not for us, or not in order.
        """
        for ref in mls.welcome_refs(welcome):
            rows = self._db.rows("SELECT key, value FROM mls_state WHERE scope = ?", ref)
            if rows:
                state = [(bytes(key), bytes(value)) for key, value in rows]
                return mls.Group.join(welcome, state), ref
        raise mls.NoMatchingKeyPackage("an invitation is for a KeyPackage we do not have any more")

    def use_up(self, ref: bytes) -> None:
        """A KeyPackage was used: delete its private part unless it is the last resort."""
        if self._db.value("SELECT last_resort FROM key_packages WHERE ref = ?", ref) == 0:
            self._db.run("DELETE FROM mls_state WHERE scope = ?", ref)
            self._db.run("DELETE FROM key_packages WHERE ref = ?", ref)

    def check_members(self, group: mls.Group, at: int) -> dict[int, MemberIdentity]:
        """The identity behind every leaf of a group.

        Raises:
            NotPermitted: a member's credential is not in order.
        """
        return {member.index: identify(member, at) for member in group.members()}

    def sync_members(self, log_id: bytes, group: mls.Group, seq: int, at: int) -> None:
        """Bring the table `members` up to the group; newcomers are in since entry `seq`."""
        known = {row.leaf: row for row in conversations.members(self._db, log_id)}
        for member in group.members():
            row = known.pop(member.index, None)
            if row is not None and row.device_id == device_id(member.signature_key):
                continue
            identity = identify(member, at)
            self._db.run(
                "INSERT OR REPLACE INTO members"
                "(log_id, leaf, device_id, folded, name, fingerprint, since)"
                " VALUES(?, ?, ?, ?, ?, ?, ?)",
                log_id, member.index, identity.device_id, fold_name(identity.name),
                identity.name, identity.identity_fingerprint, seq,
            )  # fmt: skip
        self._db.run_many(
            "DELETE FROM members WHERE log_id = ? AND leaf = ?",
            ((log_id, leaf) for leaf in known),
        )


def identify(member: mls.Member, at: int) -> MemberIdentity:
    """Who a leaf belongs to.

    Raises:
        NotPermitted: its credential is not in order.
    """
    try:
        return check_credential(list(member.credential), member.signature_key, moment(at))
    except CryptoError as error:
        raise NotPermitted(f"a device's certificate is not in order: {error}") from None
