"""Where the key of a profile's database is kept, and how it is got.

    keyring      the operating system's keyring, where there is one
    passphrase   wrapped (AES-256-GCM) under a key from Argon2id over the user's passphrase
    file         `profile.key`, readable by its owner only

`profile.json` says which, in the open; it holds no secret. A passphrase never comes from an
argument of a command.
"""

import base64
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .database import ProfileError

FORMAT_VERSION = 1
KEY_BYTES = 32
# RFC 9106's second recommended option, with more passes: about 0.1 s on a laptop.
ARGON2_MEMORY_KIB = 64 * 1024
ARGON2_PASSES = 3
ARGON2_LANES = 4
KEYRING_SERVICE = "chatsecure"

Ask = Callable[[], str | None]
"""Gives the passphrase, or None where there is none."""


def _read(folder: Path) -> dict[str, Any]:
    try:
        data = json.loads((folder / "profile.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ProfileError(f"the profile in {folder} cannot be read: {error}") from None
    if not isinstance(data, dict) or not isinstance(data.get("version"), int):
        raise ProfileError(f"the profile in {folder} is damaged: profile.json makes no sense")
    if data["version"] > FORMAT_VERSION:
        raise ProfileError(
            f"the profile in {folder} was made by a newer ChatSecure", hint="update ChatSecure"
        )
    return data


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def make_key(folder: Path, passphrase: str | None) -> bytes:
    """Make the key of a new profile and keep it: under the passphrase if there is one, else in
    the system's keyring, else in a file."""
    key = secrets.token_bytes(KEY_BYTES)
    data: dict[str, Any] = {"version": FORMAT_VERSION}
    if passphrase:
        salt = secrets.token_bytes(16)
        nonce = secrets.token_bytes(12)
        data |= {
            "key": "passphrase",
            "salt": _text(salt),
            "nonce": _text(nonce),
            "wrapped": _text(
                passphrase_cipher(passphrase, salt).encrypt(nonce, key, b"chatsecure profile")
            ),
        }
    elif _keep_in_keyring(name := secrets.token_hex(8), key):
        data |= {"key": "keyring", "name": name}
    else:
        write_private(folder / "profile.key", key.hex().encode())
        data |= {"key": "file"}
    write_private(folder / "profile.json", json.dumps(data).encode())
    return key


def get_key(folder: Path, ask: Ask) -> bytes:
    """The key of an existing profile.

    Raises:
        ProfileError: it cannot be had (no passphrase, a wrong one, no keyring, a lost file).
    """
    data = _read(folder)
    match data.get("key"):
        case "file":
            return _from_file(folder / "profile.key")
        case "keyring":
            return _from_keyring(str(data.get("name")))
        case "passphrase":
            return _from_passphrase(data, ask())
        case other:
            raise ProfileError(f"the profile keeps its key in an unknown place: {other!r}")


def _from_file(path: Path) -> bytes:
    try:
        key = bytes.fromhex(path.read_text("ascii"))
    except (OSError, ValueError) as error:
        raise ProfileError(f"the profile's key {path} cannot be read: {error}") from None
    if len(key) != KEY_BYTES:
        raise ProfileError(f"the profile's key {path} is damaged")
    return key


def _from_passphrase(data: dict[str, Any], passphrase: str | None) -> bytes:
    from cryptography.exceptions import InvalidTag

    if passphrase is None:
        raise ProfileError(
            "this profile is locked with a passphrase",
            hint="give it with CHATSECURE_PASSPHRASE or --passphrase-file",
        )
    try:
        salt, nonce, wrapped = (
            base64.b64decode(data[name]) for name in ("salt", "nonce", "wrapped")
        )
        key: bytes = passphrase_cipher(passphrase, salt).decrypt(
            nonce, wrapped, b"chatsecure profile"
        )
    except (KeyError, ValueError):
        raise ProfileError("the profile is damaged: profile.json makes no sense") from None
    except InvalidTag:
        raise ProfileError("the passphrase is wrong") from None
    return key


def passphrase_cipher(passphrase: str, salt: bytes) -> Any:
    """AES-256-GCM under a key from a passphrase."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    derivation = Argon2id(
        salt=salt,
        length=KEY_BYTES,
        iterations=ARGON2_PASSES,
        lanes=ARGON2_LANES,
        memory_cost=ARGON2_MEMORY_KIB,
    )
    return AESGCM(derivation.derive(passphrase.encode()))


def _keep_in_keyring(name: str, key: bytes) -> bool:
    if os.environ.get("CHATSECURE_KEYRING") == "off":
        return False
    import keyring
    import keyring.errors

    try:
        keyring.set_password(KEYRING_SERVICE, name, key.hex())
        return keyring.get_password(KEYRING_SERVICE, name) == key.hex()
    except (keyring.errors.KeyringError, OSError, RuntimeError):
        return False


def _from_keyring(name: str) -> bytes:
    import keyring
    import keyring.errors

    try:
        text = keyring.get_password(KEYRING_SERVICE, name)
    except (keyring.errors.KeyringError, OSError, RuntimeError) as error:
        raise ProfileError(f"the system's keyring cannot be used: {error}") from None
    if text is None:
        raise ProfileError("the profile's key is not in the system's keyring any more")
    return bytes.fromhex(text)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
