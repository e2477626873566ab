"""Makes a user's keys and certificates (design D6): the half that needs secrets.

A user is an RSA pair that signs (identity) and an RSA pair that only decrypts (sealing); each
device has an Ed25519 key. `certificates.py` says what the certificates must be and checks them.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from cryptography.x509.oid import NameOID

from .certificates import (
    DEVICE_LIST_CONTEXT,
    USAGES,
    DeviceList,
    Identity,
    check_device,
    check_identity,
    pss,
)
from .errors import CryptoError

RSA_BITS = 3072
VALID_FOR = timedelta(days=20 * 365)
CLOCK_SLACK = timedelta(days=2)
"""A certificate is valid from this long before it was made: clocks differ."""


@dataclass(frozen=True, slots=True)
class UserKeys:
    """A user's two key pairs and their certificates."""

    identity_key: RSAPrivateKey
    sealing_key: RSAPrivateKey
    identity_certificate: bytes
    sealing_certificate: bytes
    identity: Identity


@dataclass(frozen=True, slots=True)
class DeviceKeys:
    """A device's key and certificate."""

    device_id: bytes
    seed: bytes
    """The Ed25519 private key, 32 bytes."""
    certificate: bytes

    def sign(self, data: bytes) -> bytes:
        """An Ed25519 signature, 64 bytes."""
        return sign_with_device(self.seed, data)


def sign_with_device(seed: bytes, data: bytes) -> bytes:
    """An Ed25519 signature (64 bytes) by the device key with this seed."""
    return Ed25519PrivateKey.from_private_bytes(seed).sign(data)


def create_user(name: str, now: datetime) -> UserKeys:
    """Make a user's keys and certificates. Takes about a third of a second.

    Args:
        name: as checked by `names.check_name`.
    """
    identity_key = rsa.generate_private_key(65537, RSA_BITS)
    sealing_key = rsa.generate_private_key(65537, RSA_BITS)
    identity_certificate = _certificate(
        name, identity_key, identity_key.public_key(), now, ca=True,
        usages={"digital_signature", "key_cert_sign"},
    )  # fmt: skip
    sealing_certificate = _certificate(
        name, identity_key, sealing_key.public_key(), now, ca=False, usages={"key_encipherment"}
    )
    return UserKeys(
        identity_key,
        sealing_key,
        identity_certificate,
        sealing_certificate,
        check_identity(identity_certificate, now),
    )


def create_device(user: UserKeys, now: datetime) -> DeviceKeys:
    """Make a device of a user."""
    key = Ed25519PrivateKey.generate()
    certificate = _certificate(
        user.identity.name, user.identity_key, key.public_key(), now, ca=False,
        usages={"digital_signature"},
    )  # fmt: skip
    device = check_device(certificate, user.identity, now)
    return DeviceKeys(device.device_id, key.private_bytes_raw(), certificate)


def sign_device_list(
    identity_key: RSAPrivateKey, counter: int, devices: list[bytes]
) -> tuple[bytes, bytes]:
    """A device list as encoded bytes and its signature."""
    body = msgspec.msgpack.encode(DeviceList(1, counter, devices))
    return body, identity_key.sign(DEVICE_LIST_CONTEXT + body, pss(), hashes.SHA256())


def dump_private_key(key: RSAPrivateKey) -> bytes:
    """A private key as PKCS #8 in DER, for the encrypted profile only."""
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def load_private_key(der: bytes) -> RSAPrivateKey:
    """The RSA private key that `dump_private_key` gave.

    Raises:
        CryptoError: it is none.
    """
    # It was checked when it was made and comes from our own authenticated database.
    key = load_der_private_key(der, None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, RSAPrivateKey):
        raise CryptoError("a key in the profile is not an RSA key")
    return key


def _certificate(
    name: str,
    issuer_key: RSAPrivateKey,
    public_key: RSAPublicKey | Ed25519PublicKey,
    now: datetime,
    *,
    ca: bool,
    usages: set[str],
) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    flags = {usage: usage in usages for usage in USAGES}
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SLACK)
        .not_valid_after(now + VALID_FOR)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=0 if ca else None), critical=True)
        .add_extension(
            x509.KeyUsage(**flags, encipher_only=False, decipher_only=False), critical=True
        )
        .sign(issuer_key, hashes.SHA256(), rsa_padding=pss())
    )
    return certificate.public_bytes(Encoding.DER)
