"""Sealing: for a user's RSA key, or under a secret that both sides hold (design D7).

For a user:   version 1 | length of the wrapped key, u16 | RSA-OAEP(SHA-256) of a fresh key
              | nonce, 12 bytes | AES-256-GCM ciphertext
Under a secret:   version 1 | nonce, 12 bytes | AES-256-GCM ciphertext under HKDF-SHA256(secret)

The context (a device, a log) is authenticated and not contained: what was sealed for one place
does not open in another.
"""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .errors import CannotOpen

KEY_BYTES = 32
NONCE_BYTES = 12
_VERSION = b"\x01"


def _oaep() -> padding.OAEP:
    return padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)


def seal(public_key: RSAPublicKey, plaintext: bytes, context: bytes) -> bytes:
    """Seal for the holder of a sealing key."""
    key, nonce = os.urandom(KEY_BYTES), os.urandom(NONCE_BYTES)
    wrapped = public_key.encrypt(key, _oaep())
    head = _VERSION + len(wrapped).to_bytes(2, "big") + wrapped
    return head + nonce + AESGCM(key).encrypt(nonce, plaintext, b"seal\0" + context)


def open_sealed(private_key: RSAPrivateKey, sealed: bytes, context: bytes) -> bytes:
    """Open what `seal` made.

    Raises:
        CannotOpen: it is for somebody else, for another context, or was changed.
    """
    length = int.from_bytes(sealed[1:3], "big")
    start = 3 + length
    if sealed[:1] != _VERSION or len(sealed) < start + NONCE_BYTES + 16:
        raise CannotOpen("something sealed is cut short or of a newer version")
    nonce = sealed[start : start + NONCE_BYTES]
    try:
        key = private_key.decrypt(sealed[3:start], _oaep())
        return AESGCM(key).decrypt(nonce, sealed[start + NONCE_BYTES :], b"seal\0" + context)
    except (InvalidTag, ValueError):
        raise CannotOpen("something sealed does not open with our key") from None


def derive(secret: bytes, purpose: str, length: int = KEY_BYTES) -> bytes:
    """A key or id for one purpose (HKDF-SHA256, RFC 5869)."""
    info = b"chatsecure " + purpose.encode()
    return HKDF(hashes.SHA256(), length, salt=None, info=info).derive(secret)


def seal_with_secret(secret: bytes, purpose: str, plaintext: bytes, context: bytes) -> bytes:
    """Seal under a secret for one purpose."""
    nonce = os.urandom(NONCE_BYTES)
    cipher = AESGCM(derive(secret, "seal " + purpose))
    return _VERSION + nonce + cipher.encrypt(nonce, plaintext, context)


def open_with_secret(secret: bytes, purpose: str, sealed: bytes, context: bytes) -> bytes:
    """Open what `seal_with_secret` made.

    Raises:
        CannotOpen: another secret, purpose or context, or it was changed.
    """
    if sealed[:1] != _VERSION or len(sealed) < 1 + NONCE_BYTES + 16:
        raise CannotOpen("something sealed is cut short or of a newer version")
    nonce, body = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
    try:
        return AESGCM(derive(secret, "seal " + purpose)).decrypt(nonce, body, context)
    except InvalidTag:
        raise CannotOpen("something sealed does not open with this secret") from None
