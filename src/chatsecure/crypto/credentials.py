"""What may enter a group: the X.509 chain in an MLS credential (RFC 9420 section 5.3).

The chain is the device's certificate and the user's identity certificate. This is our
Authentication Service (RFC 9750): the names and keys it vouches for are pinned by each client.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from .certificates import check_device, check_identity
from .errors import BadCertificate


@dataclass(frozen=True, slots=True)
class MemberIdentity:
    """Who a leaf of a group belongs to."""

    name: str
    device_id: bytes
    identity_fingerprint: bytes
    identity_cert: bytes


def check_credential(chain: Sequence[bytes], signature_key: bytes, at: datetime) -> MemberIdentity:
    """Check a leaf's credential.

    Args:
        chain: device certificate, identity certificate (DER).
        signature_key: the leaf's Ed25519 key, 32 bytes.
        at: the time it must be valid at.

    Raises:
        BadCertificate: the chain is not in order or is for another key.
    """
    if len(chain) != 2:
        raise BadCertificate("a credential is not a chain of a device and an identity")
    identity = check_identity(chain[1], at)
    device = check_device(chain[0], identity, at)
    if device.public_key != signature_key:
        raise BadCertificate("a credential is for another device's key")
    return MemberIdentity(
        identity.name, device.device_id, identity.fingerprint, identity.certificate
    )
