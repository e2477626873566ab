"""Moving a profile: into one encrypted file, and from there to where it goes on.

    "chatsecure profile\\n"  4 bytes: length of the header  header (JSON)  the database (SQLCipher)

The header wraps the database's key and SHA-256 under a key from Argon2id over a passphrase. A
profile is one device and its ratchets must be in use once: exporting puts the profile out of use
in the transaction it is read in, and importing raises its generation (see `client/stale.py`), so
that the server shuts out whatever copy is left. Received files are not part of it.
"""

import base64
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from sqlcipher3 import dbapi2 as sqlite

from chatsecure.wire.errors import NotFound, Usage

from . import keys
from .database import Database, ProfileError
from .folder import DATABASE, Profile, discard_profile, exists, open_profile

MAGIC = b"chatsecure profile\n"
FORMAT_VERSION = 1
MAX_HEADER_BYTES = 4096
_CONTEXT = b"chatsecure profile export v1"
_COPY_BYTES = 1024 * 1024


def export_profile(profile: Profile, target: Path, passphrase: str) -> None:
    """Write a profile into a file and put it out of use here, both or neither.

    Raises:
        ProfileError: the file exists already or cannot be written; nothing has changed.
    """
    if target.exists():
        raise ProfileError(f"{target} exists already", hint="choose another name")
    try:
        with (
            tempfile.TemporaryDirectory(dir=target.parent, prefix=".chatsecure-") as scratch,
            # Nobody else writes meanwhile: what is read is what there is.
            profile.db.transaction(),
        ):
            draft = Path(scratch) / "export"
            key = _copy(profile.db, Path(scratch) / DATABASE)
            _write(draft, Path(scratch) / DATABASE, key, passphrase)
            if target.exists():
                raise FileExistsError(None, "it exists already", str(target))
            draft.replace(target)
            profile.db.put("moved", str(target))
    except OSError as error:
        raise ProfileError(f"{target} cannot be written: {error.strerror or error}") from None


def _copy(db: Database, target: Path) -> bytes:
    """A copy of the database under a fresh key."""
    key = os.urandom(keys.KEY_BYTES)
    os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o600))
    try:
        db.copy_to(target)
        with db.opened_copy(target) as copy:
            copy.execute(f"PRAGMA rekey = \"x'{key.hex()}'\"")
    except sqlite.DatabaseError as error:
        raise ProfileError(f"the profile cannot be copied: {error}") from None
    return key


def _write(draft: Path, copy: Path, key: bytes, passphrase: str) -> None:
    salt, nonce = os.urandom(16), os.urandom(12)
    with copy.open("rb") as data:
        digest = hashlib.file_digest(data, "sha256").digest()
    wrapped = keys.passphrase_cipher(passphrase, salt).encrypt(nonce, key + digest, _CONTEXT)
    parts = {"salt": salt, "nonce": nonce, "wrapped": wrapped}
    header = json.dumps(
        {"version": FORMAT_VERSION}
        | {name: base64.b64encode(part).decode() for name, part in parts.items()}
    ).encode()
    with _new(draft) as file, copy.open("rb") as data:
        file.write(MAGIC + len(header).to_bytes(4, "big") + header)
        shutil.copyfileobj(data, file, _COPY_BYTES)
        file.flush()
        os.fsync(file.fileno())


def _new(path: Path) -> BinaryIO:
    """A new file that only its owner may read."""
    return os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb")


def import_profile(
    source: Path, folder: Path, file_passphrase: str, passphrase: str | None = None
) -> Profile:
    """Make a profile from an exported file. Other copies of it are shut out as soon as it is
    online.

    Args:
        file_passphrase: the file's.
        passphrase: the new profile's; None: its key is kept as that of any new profile.

    Raises:
        NotFound: there is no such file.
        Usage: there is a profile in the folder already.
        ProfileError: the passphrase is wrong, the file is none of ours or damaged.
    """
    if not source.is_file():
        raise NotFound(f"there is no file {source}")
    if exists(folder) or (folder / DATABASE).exists():
        raise Usage(
            f"there is a profile in {folder} already", hint="choose another folder with --profile"
        )
    fresh = not folder.exists()
    with source.open("rb") as file:
        key, digest = _unwrap(_header(file, source), file_passphrase)
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.TemporaryDirectory(dir=folder, prefix=".import-") as scratch:
                copy = Path(scratch) / DATABASE
                _read(file, copy, digest, source)
                new_key = keys.make_key(folder, passphrase)
                _renew(copy, key, new_key, source)
                copy.replace(folder / DATABASE)
        except OSError as error:
            problem = ProfileError(f"the folder {folder} cannot be used: {error.strerror}")
            _undo(folder, fresh=fresh)
            raise problem from None
        except ProfileError:
            _undo(folder, fresh=fresh)
            raise
    return Profile(folder, Database(folder / DATABASE, new_key))


def _undo(folder: Path, *, fresh: bool) -> None:
    if fresh:
        discard_profile(folder)
    else:
        for name in ("profile.json", "profile.key"):
            (folder / name).unlink(missing_ok=True)


def _header(file: BinaryIO, source: Path) -> dict[str, Any]:
    damaged = ProfileError(f"{source} is no exported profile, or is damaged")
    if file.read(len(MAGIC)) != MAGIC:
        raise damaged
    length = int.from_bytes(file.read(4), "big")
    if length > MAX_HEADER_BYTES:
        raise damaged
    try:
        header = json.loads(file.read(length))
    except ValueError:
        raise damaged from None
    if not isinstance(header, dict) or not isinstance(header.get("version"), int):
        raise damaged
    if header["version"] > FORMAT_VERSION:
        raise ProfileError(f"{source} was made by a newer ChatSecure", hint="update ChatSecure")
    return header


def _unwrap(header: dict[str, Any], passphrase: str) -> tuple[bytes, bytes]:
    from cryptography.exceptions import InvalidTag

    try:
        salt, nonce, wrapped = (
            base64.b64decode(header[name]) for name in ("salt", "nonce", "wrapped")
        )
        plain: bytes = keys.passphrase_cipher(passphrase, salt).decrypt(nonce, wrapped, _CONTEXT)
    except InvalidTag:
        raise ProfileError("the passphrase is wrong, or the file is damaged") from None
    except (KeyError, ValueError, TypeError):
        raise ProfileError("the file is damaged") from None
    return plain[: keys.KEY_BYTES], plain[keys.KEY_BYTES :]


def _read(file: BinaryIO, copy: Path, digest: bytes, source: Path) -> None:
    found = hashlib.sha256()
    with _new(copy) as target:
        while data := file.read(_COPY_BYTES):
            found.update(data)
            target.write(data)
        target.flush()
        os.fsync(target.fileno())
    if found.digest() != digest:
        raise ProfileError(f"{source} is damaged: not all of it is there as it was written")


def _renew(copy: Path, key: bytes, new_key: bytes, source: Path) -> None:
    """Give the database its new key, and the profile its new generation."""
    connection = sqlite.connect(str(copy), isolation_level=None)
    try:
        connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
        connection.execute(
            "INSERT OR REPLACE INTO meta(key, value) SELECT 'generation',"
            " coalesce((SELECT value FROM meta WHERE key = 'generation'), 0) + 1"
        )
        connection.execute("INSERT OR REPLACE INTO meta(key, value) VALUES('take_over', 1)")
        connection.execute(f"PRAGMA rekey = \"x'{new_key.hex()}'\"")
    except sqlite.DatabaseError as error:
        raise ProfileError(f"{source} cannot be used: {error}") from None
    finally:
        connection.close()


def take_over(folder: Path, ask: Callable[[], str | None]) -> Profile:
    """Go on with a copy that is out of use: it was exported, or another copy has taken over. Its
    keys are renewed, and the others are shut out, as soon as it is online.

    Raises:
        NoProfile, ProfileError: it cannot be opened.
    """
    from chatsecure.client import stale

    profile = open_profile(folder, ask, moved=True)
    with profile.db.transaction():
        profile.db.run("DELETE FROM meta WHERE key = 'moved'")
        stale.mark_old(profile.db, profile.db.get("moved_to_generation") or 0)
    profile.db.allow_moved = False
    return profile
