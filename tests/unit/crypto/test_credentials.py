"""Who may stand in a leaf of a group."""

from datetime import timedelta

import pytest

from chatsecure.crypto.certificates import check_device
from chatsecure.crypto.credentials import check_credential
from chatsecure.crypto.errors import BadCertificate
from chatsecure.crypto.identity import DeviceKeys, UserKeys, create_device
from unit.conftest import NOW


def key_of(user: UserKeys, device: DeviceKeys) -> bytes:
    return check_device(device.certificate, user.identity, NOW).public_key


def test_a_chain_names_the_user_and_the_device(ada: UserKeys, laptop: DeviceKeys) -> None:
    chain = [laptop.certificate, ada.identity_certificate]
    found = check_credential(chain, key_of(ada, laptop), NOW)
    assert found.name == "ada"
    assert found.device_id == laptop.device_id
    assert found.identity_fingerprint == ada.identity.fingerprint
    assert found.identity_cert == ada.identity_certificate


def test_a_chain_for_another_key_is_refused(ada: UserKeys, laptop: DeviceKeys) -> None:
    chain = [laptop.certificate, ada.identity_certificate]
    for key in (key_of(ada, create_device(ada, NOW)), b"", bytes(32)):
        with pytest.raises(BadCertificate, match="another device's key"):
            check_credential(chain, key, NOW)


def test_a_device_under_another_identity_is_refused(
    ada: UserKeys, bob: UserKeys, laptop: DeviceKeys
) -> None:
    with pytest.raises(BadCertificate):
        check_credential([laptop.certificate, bob.identity_certificate], key_of(ada, laptop), NOW)


def test_a_chain_has_two_certificates_in_order(ada: UserKeys, laptop: DeviceKeys) -> None:
    device, identity = laptop.certificate, ada.identity_certificate
    for chain in ([], [device], [identity], [identity, device], [device, identity, identity]):
        with pytest.raises(BadCertificate):
            check_credential(chain, key_of(ada, laptop), NOW)


def test_a_chain_counts_only_while_it_is_valid(ada: UserKeys, laptop: DeviceKeys) -> None:
    chain = [laptop.certificate, ada.identity_certificate]
    for at in (NOW - timedelta(days=3), NOW + timedelta(days=21 * 365)):
        with pytest.raises(BadCertificate, match="clock"):
            check_credential(chain, key_of(ada, laptop), at)
