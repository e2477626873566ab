"""Keys for all tests of a run: making them is what costs time."""

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from chatsecure.crypto.identity import DeviceKeys, UserKeys, create_device, create_user

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def ada() -> UserKeys:
    """A user."""
    return create_user("ada", NOW)


@pytest.fixture(scope="session")
def bob() -> UserKeys:
    """Another user."""
    return create_user("bob", NOW)


@pytest.fixture(scope="session")
def laptop(ada: UserKeys) -> DeviceKeys:
    """A device of Ada's."""
    return create_device(ada, NOW)


@pytest.fixture(scope="session")
def weak_key() -> RSAPrivateKey:
    """An RSA key that is too short."""
    return rsa.generate_private_key(65537, 2048)
