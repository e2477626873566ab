"""Messages by which devices publish MLS KeyPackages and others claim them.

KeyPackages are opaque here; see RFC 9420 section 10.
"""

from typing import Annotated

from msgspec import Meta

from .fields import Id, Message, Name


class KeyPackageUpload(Message, frozen=True):
    """One MLS KeyPackage (RFC 9420 section 10) for others to claim."""

    ref: Annotated[bytes, Meta(min_length=16, max_length=64)]
    data: Annotated[bytes, Meta(max_length=32768)]
    last_resort: bool = False


class PutKeyPackages(Message, frozen=True):
    """Publish KeyPackages of the logged-in device; a last-resort one replaces the former."""

    packages: Annotated[list[KeyPackageUpload], Meta(max_length=128)]
    replace: bool = False
    """All others of the device are dropped."""


class ClaimKeyPackages(Message, frozen=True):
    """Take one KeyPackage of every device of each named user."""

    names: Annotated[list[Name], Meta(min_length=1, max_length=256)]


class ClaimedKeyPackage(Message, frozen=True):
    """A KeyPackage as claimed."""

    name: Name
    device_id: Id
    data: bytes


class KeyPackages(Message, frozen=True):
    """Answer to `ClaimKeyPackages`."""

    packages: list[ClaimedKeyPackage]
