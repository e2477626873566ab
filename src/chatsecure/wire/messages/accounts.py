"""Messages of users and their devices: registering, logging in, looking each other up.

Also the bytes that a device key signs for it (design section 4). The keys themselves and their
certificates are opaque here; `crypto` checks them.
"""

from enum import IntEnum
from hashlib import sha256
from typing import Annotated

import msgspec
from msgspec import Meta

from .fields import Certificate, Count, Hash, Id, Mark, Message, Name, Role, Signature, Time


class SignedDeviceList(Message, frozen=True):
    """A user's device list as encoded bytes and the identity key's signature over them."""

    body: Annotated[bytes, Meta(max_length=16384)]
    signature: Signature


class Register(Message, frozen=True):
    """A new user with a join token, certificates and a first device; logs it in as well."""

    token: Id
    name: Name
    identity_certificate: Certificate
    sealing_certificate: Certificate
    device_certificate: Certificate
    device_list: SignedDeviceList
    signature: Signature
    """By the device key over `login_context(..., REGISTER)`."""
    present: bool = True


class Login(Message, frozen=True):
    """A device proves its key."""

    device_id: Id
    signature: Signature
    """By the device key over `login_context(..., LOGIN)`."""
    present: bool = True
    """False for a short errand that others need not see as coming and going."""
    generation: Count = 0
    """Which copy of the device's profile this is: one smaller than another's before is refused."""
    mark: Mark = b""
    """Chosen for this log-in; the next one is told it."""


class LoggedIn(Message, frozen=True):
    """Answer to `Register` and `Login`."""

    name: Name
    role: Role
    key_packages_left: Count
    """One-time KeyPackages of this device that are still unclaimed on the server."""
    lobby: Id | None
    """The lobby's log, once there is one."""
    mark: Mark = b""
    """The mark of this device's log-in before this one: a profile that does not know it is old."""


class TakeOver(Message, frozen=True):
    """This copy of the device's profile goes on alone; copies of a smaller generation are shut out.
    Answered by `Ok`."""

    generation: Count


class GetUser(Message, frozen=True):
    """Ask for one user; answered by `User` or NOT_FOUND."""

    name: Name


class DeviceInfo(Message, frozen=True):
    """One device of a user."""

    device_id: Id
    certificate: Certificate
    last_seen: Time
    """0 while it is online or when it never was."""


class User(Message, frozen=True):
    """A user's public part."""

    name: Name
    identity_certificate: Certificate
    sealing_certificate: Certificate
    device_list: SignedDeviceList
    devices: list[DeviceInfo]
    online: bool
    role: Role


class ListUsers(Message, frozen=True):
    """Ask who is on this server; answered by `Users`."""

    after: Annotated[str, Meta(max_length=64)] = ""
    """Names after this one (folded order), for long lists."""


class UserBrief(Message, frozen=True):
    """A line of the list of users."""

    name: Name
    fingerprint: Hash
    online: bool
    role: Role


class Users(Message, frozen=True):
    """Answer to `ListUsers`; `more` says that the list goes on after the last name."""

    users: list[UserBrief]
    more: bool = False


class PutToken(Message, frozen=True):
    """Let others register with a token; the server learns its hash only when it is made."""

    token_hash: Hash
    uses: Count
    expires_at: Time


class LoginPurpose(IntEnum):
    """What a log-in signature is for."""

    LOGIN = 1
    REGISTER = 2


def login_context(
    purpose: LoginPurpose,
    version: int,
    server_certificate_hash: bytes,
    server_nonce: bytes,
    client_nonce: bytes,
    subject: bytes,
) -> bytes:
    """The bytes a device key signs to log in (design section 4).

    Args:
        server_certificate_hash: SHA-256 of the server's TLS certificate in DER, as the client
            saw it: a server in between cannot pass the signature on.
        subject: the device's id for a log-in; for a registration `registration_subject`.
    """
    return b"".join(
        (
            b"chatsecure login v1\0",
            bytes((purpose,)),
            version.to_bytes(2, "big"),
            server_certificate_hash,
            server_nonce,
            client_nonce,
            sha256(subject).digest(),
        )
    )


def registration_subject(message: Register) -> bytes:
    """What a registration's signature covers: all fields but the signature itself."""
    return msgspec.msgpack.encode(
        (
            message.token,
            message.name,
            message.identity_certificate,
            message.sealing_certificate,
            message.device_certificate,
            message.device_list.body,
            message.device_list.signature,
        )
    )
