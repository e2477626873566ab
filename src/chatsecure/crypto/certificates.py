"""What a user's certificates must say, checked in one place (design D6). No secret is needed here:
the server uses this half too.

    identity certificate   RSA >= 3072, self-signed, CA: the user's name and identity key
    sealing certificate    RSA >= 3072, signed by the identity key, key encipherment only
    device certificate     Ed25519, signed by the identity key, digital signature only

All RSA signatures are RSASSA-PSS with SHA-256. A certificate's name is the user's name. The
device list says which devices the user has now; its counter only grows.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Annotated

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from msgspec import Meta

from chatsecure.wire.messages import Count, Id

from .errors import BadCertificate, BadSignature

MIN_RSA_BITS = 3072
MAX_RSA_BITS = 8192
MAX_DEVICES = 64
"""Most devices of one user."""
DEVICE_LIST_CONTEXT = b"chatsecure device list v1\0"


@dataclass(frozen=True, slots=True)
class Identity:
    """A checked identity certificate."""

    name: str
    fingerprint: bytes
    """SHA-256 of the identity key (SubjectPublicKeyInfo, DER): what others pin."""
    public_key: RSAPublicKey
    certificate: bytes


@dataclass(frozen=True, slots=True)
class Device:
    """A checked device certificate."""

    device_id: bytes
    public_key: bytes
    """Ed25519, 32 bytes."""


class DeviceList(msgspec.Struct, array_like=True, frozen=True):
    """Which devices a user has. Signed by the identity key as encoded bytes."""

    version: int
    counter: Count
    """Grows with every change: an older list is not accepted after a newer one."""
    devices: Annotated[list[Id], Meta(min_length=1, max_length=MAX_DEVICES)]


_LIST_DECODER = msgspec.msgpack.Decoder(DeviceList)


def pss() -> padding.PSS:
    """The one padding of our RSA signatures."""
    return padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)


def device_id(public_key: bytes) -> bytes:
    """The id of the device with this Ed25519 key (32 bytes): 16 bytes."""
    return sha256(b"chatsecure device v1\0" + public_key).digest()[:16]


def fingerprint(public_key: RSAPublicKey) -> bytes:
    """The fingerprint of an identity key: 32 bytes."""
    der = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return sha256(der).digest()


def check_identity(der: bytes, at: datetime) -> Identity:
    """Check an identity certificate.

    Raises:
        BadCertificate: it is not one, or not valid at that time.
    """
    identity, certificate = _identity(der)
    _check_time(certificate, at)
    return identity


@contextmanager
def _decoding() -> Iterator[None]:
    """A certificate is decoded bit by bit as it is looked at; what fails there is a bad one."""
    try:
        yield
    except (
        ValueError,
        TypeError,
        UnsupportedAlgorithm,
        x509.InvalidVersion,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
    ):
        raise BadCertificate("a certificate does not decode") from None


@lru_cache(maxsize=4096)
@_decoding()
def _identity(der: bytes) -> tuple[Identity, x509.Certificate]:
    certificate = x509.load_der_x509_certificate(der)
    key = certificate.public_key()
    _check_rsa(key)
    assert isinstance(key, RSAPublicKey)
    if certificate.subject != certificate.issuer:
        raise BadCertificate("an identity certificate is not self-signed")
    _check_signature(certificate, key)
    _check_usage(certificate, ca=True, usages={"digital_signature", "key_cert_sign"})
    return Identity(_name(certificate), fingerprint(key), key, der), certificate


@_decoding()
def check_sealing(der: bytes, identity: Identity, at: datetime) -> RSAPublicKey:
    """Check a sealing certificate; gives the key that invitations are sealed to.

    Raises:
        BadCertificate: it is not one of this identity, or not valid at that time.
    """
    certificate = x509.load_der_x509_certificate(der)
    key = certificate.public_key()
    _check_rsa(key)
    assert isinstance(key, RSAPublicKey)
    _check_issued(certificate, identity)
    _check_usage(certificate, ca=False, usages={"key_encipherment"})
    if fingerprint(key) == identity.fingerprint:
        raise BadCertificate("the sealing key is the identity key: one key never does two jobs")
    _check_time(certificate, at)
    return key


def check_device(der: bytes, identity: Identity, at: datetime) -> Device:
    """Check a device certificate.

    Raises:
        BadCertificate: it is not one of this identity, or not valid at that time.
    """
    device, certificate = _device(der, identity.certificate)
    _check_time(certificate, at)
    return device


@lru_cache(maxsize=8192)
@_decoding()
def _device(der: bytes, identity_der: bytes) -> tuple[Device, x509.Certificate]:
    certificate = x509.load_der_x509_certificate(der)
    key = certificate.public_key()
    if not isinstance(key, Ed25519PublicKey):
        raise BadCertificate("a device's key is not Ed25519")
    _check_issued(certificate, _identity(identity_der)[0])
    _check_usage(certificate, ca=False, usages={"digital_signature"})
    raw = key.public_bytes_raw()
    return Device(device_id(raw), raw), certificate


def check_device_list(body: bytes, signature: bytes, identity: Identity) -> DeviceList:
    """Check a user's device list.

    Raises:
        BadSignature: it is not signed by the identity key.
        BadCertificate: it does not decode.
    """
    try:
        identity.public_key.verify(signature, DEVICE_LIST_CONTEXT + body, pss(), hashes.SHA256())
    except InvalidSignature:
        raise BadSignature(f"the device list of {identity.name} is not signed by them") from None
    try:
        found = _LIST_DECODER.decode(body)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise BadCertificate(f"a device list does not decode: {error}") from None
    if found.version != 1 or len(set(found.devices)) != len(found.devices):
        raise BadCertificate("a device list is of a newer version or names a device twice")
    return found


def verify_login(public_key: bytes, data: bytes, signature: bytes) -> None:
    """Check a device's signature (Ed25519, RFC 8032).

    Raises:
        BadSignature: it is not by this key over this data.
    """
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, data)
    except (InvalidSignature, ValueError):
        raise BadSignature("a signature is not by the device it should be by") from None


def _name(certificate: x509.Certificate) -> str:
    attributes = list(certificate.subject)
    if len(attributes) != 1 or attributes[0].oid != NameOID.COMMON_NAME:
        raise BadCertificate("a certificate's subject is not just a name")
    value = attributes[0].value
    if not isinstance(value, str) or not 1 <= len(value) <= 64:
        raise BadCertificate("a certificate's name is empty or too long")
    return value


def _check_rsa(key: object) -> None:
    if not isinstance(key, RSAPublicKey) or not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        raise BadCertificate(f"a user's key is not RSA of at least {MIN_RSA_BITS} bits")


def _check_issued(certificate: x509.Certificate, identity: Identity) -> None:
    if _name(certificate) != identity.name:
        raise BadCertificate("a certificate is for another name than its identity")
    issuer = list(certificate.issuer)
    if len(issuer) != 1 or issuer[0].value != identity.name:
        raise BadCertificate("a certificate names another issuer")
    _check_signature(certificate, identity.public_key)


def _check_signature(certificate: x509.Certificate, key: RSAPublicKey) -> None:
    parameters = certificate.signature_algorithm_parameters
    if (
        not isinstance(certificate.signature_hash_algorithm, hashes.SHA256)
        or not isinstance(parameters, padding.PSS)
        # PSS with SHA-256 and a salt of the digest's length, nothing weaker.
        or certificate.signature_algorithm_oid != x509.SignatureAlgorithmOID.RSASSA_PSS
    ):
        raise BadCertificate("a certificate is not signed with RSASSA-PSS and SHA-256")
    try:
        key.verify(certificate.signature, certificate.tbs_certificate_bytes, pss(), hashes.SHA256())
    except InvalidSignature:
        raise BadCertificate("a certificate is not signed by the identity key") from None


USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
)


def _check_usage(certificate: x509.Certificate, *, ca: bool, usages: set[str]) -> None:
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        critical = {extension.oid for extension in certificate.extensions if extension.critical}
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        raise BadCertificate("a certificate does not say what its key is for") from None
    known = {x509.BasicConstraints.oid, x509.KeyUsage.oid}
    if not critical <= known:
        raise BadCertificate("a certificate demands what we do not know")
    if constraints.ca is not ca or {name for name in USAGES if getattr(usage, name)} != usages:
        raise BadCertificate("a certificate is for another use")


def _check_time(certificate: x509.Certificate, at: datetime) -> None:
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        raise BadCertificate("a certificate is not valid at this time; is the clock right?")
