"""Errors of the cryptographic layer."""

from chatsecure.wire.errors import ChatSecureError


class CryptoError(ChatSecureError):
    """A certificate, signature or ciphertext is not in order."""


class BadCertificate(CryptoError):
    """A certificate does not say what it must, or nobody entitled signed it."""


class BadSignature(CryptoError):
    """A signature is not by the key it should be by."""


class CannotOpen(CryptoError):
    """A ciphertext was not made for us, or was changed."""
