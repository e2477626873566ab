"""The SQL of accounts, devices, tokens and KeyPackages."""

import sqlite3
from collections.abc import Sequence
from typing import Any

from chatsecure.wire import messages as m

from .base import DeviceKey, DeviceRow, TokenRow, UserKey, UserRow

_USER = (
    "SELECT key, name, folded, identity, sealing, list_body, list_signature, fingerprint, role,"
    " created_at FROM users "
)
_DEVICE = (
    "SELECT key, user, device_id, certificate, public_key, last_seen, generation, mark"
    " FROM devices "
)


def _user(row: Sequence[Any]) -> UserRow:
    key, name, folded, identity, sealing, body, signature, fingerprint, role, created_at = row
    return UserRow(
        key, name, folded, identity, sealing, body, signature, fingerprint, m.Role(role),
        created_at,
    )  # fmt: skip


class AccountTables:
    """Part of `SqliteTx`."""

    db: sqlite3.Connection

    def user_by_name(self, folded: str) -> UserRow | None:
        """The account with this folded name."""
        row = self.db.execute(_USER + "WHERE folded = ?", (folded,)).fetchone()
        return None if row is None else _user(row)

    def user(self, key: UserKey) -> UserRow | None:
        """The account with this key."""
        row = self.db.execute(_USER + "WHERE key = ?", (key,)).fetchone()
        return None if row is None else _user(row)

    def users_after(self, folded: str, limit: int) -> list[UserRow]:
        """Accounts in folded order."""
        rows = self.db.execute(
            _USER + "WHERE folded > ? ORDER BY folded LIMIT ?", (folded, limit)
        ).fetchall()
        return [_user(row) for row in rows]

    def user_count(self) -> int:
        """How many accounts there are."""
        return int(self.db.execute("SELECT count(*) FROM users").fetchone()[0])

    def names(self, limit: int) -> list[str]:
        """Names, to find the nearest one to a wrong one."""
        rows = self.db.execute("SELECT name FROM users ORDER BY folded LIMIT ?", (limit,))
        return [name for (name,) in rows]

    def has_owner(self) -> bool:
        """Whether the server has an owner."""
        return (
            self.db.execute(
                "SELECT 1 FROM users WHERE role = ? LIMIT 1", (int(m.Role.OWNER),)
            ).fetchone()
            is not None
        )

    def add_user(self, row: UserRow, counter: int) -> UserKey:
        """A new account; `row.key` is not looked at."""
        found = self.db.execute(
            "INSERT INTO users(name, folded, identity, sealing, list_body, list_signature,"
            " fingerprint, role, created_at, list_counter) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                row.name, row.folded, row.identity, row.sealing, row.list_body,
                row.list_signature, row.fingerprint, int(row.role), row.created_at, counter,
            ),
        )  # fmt: skip
        return UserKey(found.lastrowid or 0)

    def identity_known(self, fingerprint: bytes) -> bool:
        """Whether an account has this identity key."""
        return (
            self.db.execute("SELECT 1 FROM users WHERE fingerprint = ?", (fingerprint,)).fetchone()
            is not None
        )

    def device(self, device_id: bytes) -> DeviceRow | None:
        """The device with this id."""
        row = self.db.execute(_DEVICE + "WHERE device_id = ?", (device_id,)).fetchone()
        return None if row is None else DeviceRow(*row)

    def devices(self, user: UserKey) -> list[DeviceRow]:
        """An account's devices."""
        rows = self.db.execute(_DEVICE + "WHERE user = ? ORDER BY key", (user,)).fetchall()
        return [DeviceRow(*row) for row in rows]

    def devices_of(self, device_ids: Sequence[bytes]) -> dict[bytes, DeviceRow]:
        """Those of the devices that exist."""
        found = ((id_, self.device(id_)) for id_ in device_ids)
        return {id_: row for id_, row in found if row is not None}

    def add_device(self, row: DeviceRow) -> DeviceKey:
        """A new device; `row.key` is not looked at."""
        found = self.db.execute(
            "INSERT INTO devices(user, device_id, certificate, public_key, last_seen)"
            " VALUES(?, ?, ?, ?, ?)",
            (row.user, row.device_id, row.certificate, row.public_key, row.last_seen),
        )
        return DeviceKey(found.lastrowid or 0)

    def seen(self, device: DeviceKey, at: int) -> None:
        """A device went offline."""
        self.db.execute("UPDATE devices SET last_seen = ? WHERE key = ?", (at, device))

    def set_generation(self, device: DeviceKey, generation: int) -> None:
        """Another copy of the device's profile goes on; never backwards."""
        self.db.execute(
            "UPDATE devices SET generation = max(generation, ?) WHERE key = ?",
            (generation, device),
        )

    def set_mark(self, device: DeviceKey, mark: bytes) -> None:
        """A device has logged in."""
        self.db.execute("UPDATE devices SET mark = ? WHERE key = ?", (mark, device))

    def bans(self) -> list[tuple[str, str, int]]:
        """Folded name, name and time of each ban."""
        return self.db.execute("SELECT folded, name, at FROM bans ORDER BY folded").fetchall()

    def ban(self, folded: str, name: str, at: int) -> None:
        """Ban a name."""
        self.db.execute("INSERT OR IGNORE INTO bans VALUES(?, ?, ?)", (folded, name, at))

    def unban(self, folded: str) -> bool:
        """Lift a ban. False: there was none."""
        return self.db.execute("DELETE FROM bans WHERE folded = ?", (folded,)).rowcount > 0

    # --- tokens -------------------------------------------------------------------------------

    def token(self, hash_: bytes) -> TokenRow | None:
        """The token with this hash."""
        row = self.db.execute(
            "SELECT uses_left, expires_at, owner FROM tokens WHERE hash = ?", (hash_,)
        ).fetchone()
        return None if row is None else TokenRow(row[0], row[1], bool(row[2]))

    def put_token(self, hash_: bytes, row: TokenRow, by: UserKey | None, at: int) -> None:
        """A new token; one that is known stays as it is."""
        self.db.execute(
            "INSERT OR IGNORE INTO tokens VALUES(?, ?, ?, ?, ?, ?)",
            (hash_, row.uses_left, row.expires_at, int(row.owner), by, at),
        )

    def use_token(self, hash_: bytes) -> None:
        """One use less."""
        self.db.execute("UPDATE tokens SET uses_left = uses_left - 1 WHERE hash = ?", (hash_,))

    def tokens_of(self, user: UserKey, now: int) -> int:
        """How many open tokens a user has made."""
        return int(
            self.db.execute(
                "SELECT count(*) FROM tokens WHERE by_user = ? AND uses_left > 0"
                " AND expires_at > ?",
                (user, now),
            ).fetchone()[0]
        )

    def drop_owner_tokens(self) -> None:
        """Owner tokens of earlier starts are void."""
        self.db.execute("DELETE FROM tokens WHERE owner = 1")

    # --- KeyPackages --------------------------------------------------------------------------

    def key_packages_left(self, device: DeviceKey) -> int:
        """Unclaimed one-time KeyPackages."""
        return int(
            self.db.execute(
                "SELECT count(*) FROM key_packages WHERE device = ? AND last_resort = 0"
                " AND data IS NOT NULL",
                (device,),
            ).fetchone()[0]
        )

    def put_key_package(
        self, device: DeviceKey, ref: bytes, data: bytes, last_resort: bool
    ) -> None:
        """Keep a KeyPackage; the same one again changes nothing."""
        if last_resort:
            self.db.execute(
                "DELETE FROM key_packages WHERE device = ? AND last_resort = 1", (device,)
            )
        self.db.execute(
            "INSERT OR IGNORE INTO key_packages(device, ref, data, last_resort) VALUES(?, ?, ?, ?)",
            (device, ref, data, int(last_resort)),
        )

    def drop_key_packages(self, device: DeviceKey) -> None:
        """No KeyPackage of this device is given to anybody any more."""
        self.db.execute("DELETE FROM key_packages WHERE device = ? AND last_resort = 1", (device,))
        self.db.execute("UPDATE key_packages SET data = NULL WHERE device = ?", (device,))

    def take_key_package(self, device: DeviceKey) -> bytes | None:
        """A one-time KeyPackage, which nobody gets again, or the last-resort one."""
        row = self.db.execute(
            "SELECT key, data, last_resort FROM key_packages WHERE device = ?"
            " AND data IS NOT NULL ORDER BY last_resort, key LIMIT 1",
            (device,),
        ).fetchone()
        if row is None:
            return None
        if not row[2]:
            self.db.execute("UPDATE key_packages SET data = NULL WHERE key = ?", (row[0],))
        return bytes(row[1])
