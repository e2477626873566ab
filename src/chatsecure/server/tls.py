"""The server's TLS key and certificate: made on the first start, pinned by every client.

ECDSA P-256: a log-in's handshake costs an eighth of RSA's. Nobody signs the certificate and it
does not expire in practice: its SHA-256 is in every link, and that is what clients check.
"""

import ssl
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from .folder import Folder, write_private
from .store.base import StoreError

YEARS = 100


def ensure_certificate(folder: Folder, now: datetime) -> bytes:
    """The certificate in DER; made now if there is none.

    Raises:
        StoreError: one half of the pair is missing or damaged.
    """
    if folder.key.exists() != folder.certificate.exists():
        raise StoreError(
            f"one of {folder.key.name} and {folder.certificate.name} is missing in {folder.path}",
            hint="restore it from a backup: without it clients refuse this server",
        )
    if not folder.certificate.exists():
        _make(folder, now)
    try:
        return ssl.PEM_cert_to_DER_cert(folder.certificate.read_text("ascii"))
    except (OSError, ValueError) as error:
        raise StoreError(f"{folder.certificate} cannot be read: {error}") from error


def fingerprint(certificate: bytes) -> bytes:
    """What links name and clients pin."""
    return sha256(certificate).digest()


def make_context(folder: Folder) -> ssl.SSLContext:
    """TLS 1.3 and nothing older.

    Raises:
        StoreError: key and certificate cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    try:
        context.load_cert_chain(folder.certificate, folder.key)
    except (OSError, ssl.SSLError) as error:
        raise StoreError(f"the server's TLS key cannot be used: {error}") from error
    return context


def _make(folder: Folder, now: datetime) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "chatsecure server")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now.astimezone(UTC) - timedelta(days=2))
        .not_valid_after(now.astimezone(UTC) + timedelta(days=365 * YEARS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        write_private(folder.key, pem)
        write_private(folder.certificate, certificate.public_bytes(Encoding.PEM))
    except OSError as error:
        folder.key.unlink(missing_ok=True)
        raise StoreError(f"the TLS key cannot be written: {error.strerror}") from error
