"""A profile's folder: where it is, making it, opening it.

profile.db      the encrypted database
profile.json    where its key is kept; holds no secret
profile.key     the key, where there is neither keyring nor passphrase
downloads/      received files
"""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from chatsecure import links
from chatsecure.crypto import identity
from chatsecure.names import check_name, fold_name
from chatsecure.wire.errors import ChatSecureError

from . import keys
from .database import Database, ProfileError

DATABASE = "profile.db"
OURS = (DATABASE, DATABASE + "-wal", DATABASE + "-shm", "profile.json", "profile.key", "lock")


class NoProfile(ChatSecureError):
    """There is no profile in the folder."""


@dataclass(slots=True)
class Profile:
    """An open profile."""

    folder: Path
    db: Database

    @property
    def downloads(self) -> Path:
        """Where received files go unless told otherwise."""
        return self.folder / "downloads"

    def close(self) -> None:
        """Close the database."""
        self.db.close()


def default_folder() -> Path:
    """`CHATSECURE_HOME`, or the platform's data folder."""
    named = os.environ.get("CHATSECURE_HOME")
    if named:
        return Path(named)
    from platformdirs import user_data_path

    return user_data_path("chatsecure", appauthor=False) / "profile"


def exists(folder: Path) -> bool:
    """Whether there is a profile in the folder."""
    return (folder / DATABASE).exists() and (folder / "profile.json").exists()


def open_profile(
    folder: Path, ask: Callable[[], str | None] = lambda: None, *, moved: bool = False
) -> Profile:
    """Open a profile.

    Args:
        ask: gives the passphrase, or None where there is none to be had.
        moved: also where it was exported and is out of use.

    Raises:
        NoProfile: there is none: join first.
        ProfileError: it cannot be opened.
    """
    if not exists(folder):
        raise NoProfile(
            f"there is no profile in {folder}", hint="join a server first: chatsecure join"
        )
    profile = Profile(folder, Database(folder / DATABASE, keys.get_key(folder, ask)))
    profile.db.allow_moved = moved
    try:
        profile.db.check_moved()
    except ProfileError:
        profile.close()
        raise
    if profile.db.get("name") is None:
        profile.close()
        raise NoProfile(f"the profile in {folder} was never finished", hint="join again")
    return profile


def create_profile(
    folder: Path, link: links.Link, name: str, passphrase: str | None = None
) -> Profile:
    """Make the keys of a new user and their first device, ready to register.

    Raises:
        BadName: the name cannot be used.
        ProfileError: the folder cannot be written.
    """
    name = check_name(name)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = keys.make_key(folder, passphrase)
        # The database is made readable by its owner only before anything is in it.
        os.close(os.open(folder / DATABASE, os.O_CREAT | os.O_WRONLY, 0o600))
    except OSError as error:
        raise ProfileError(f"the folder {folder} cannot be used: {error.strerror}") from None
    db = Database(folder / DATABASE, key)
    now = datetime.now(UTC)
    user = identity.create_user(name, now)
    device = identity.create_device(user, now)
    device_list, signature = identity.sign_device_list(user.identity_key, 1, [device.device_id])
    values = {
        "name": name,
        "folded": fold_name(name),
        "fingerprint": user.identity.fingerprint,
        "identity_key": identity.dump_private_key(user.identity_key),
        "sealing_key": identity.dump_private_key(user.sealing_key),
        "identity_certificate": user.identity_certificate,
        "sealing_certificate": user.sealing_certificate,
        "device_id": device.device_id,
        "device_seed": device.seed,
        "device_certificate": device.certificate,
        "device_list": device_list,
        "device_list_signature": signature,
        "server_host": link.host,
        "server_port": link.port,
        "server_fingerprint": link.fingerprint,
        "token": links.token_of(link.secret),
        "registered": 0,
    }
    with db.transaction():
        for field, value in values.items():
            db.put(field, value)
    return Profile(folder, db)


def discard_profile(folder: Path) -> None:
    """Delete a profile that never came to be, and nothing else in its folder."""
    for name in OURS:
        (folder / name).unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()
