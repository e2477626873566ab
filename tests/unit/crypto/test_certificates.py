"""What certificates must say: a right one passes, one wrong in a single point does not."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from chatsecure.crypto import certificates
from chatsecure.crypto.certificates import (
    DEVICE_LIST_CONTEXT,
    MAX_DEVICES,
    USAGES,
    DeviceList,
    check_device,
    check_device_list,
    check_identity,
    check_sealing,
    device_id,
    pss,
    verify_login,
)
from chatsecure.crypto.errors import BadCertificate, BadSignature
from chatsecure.crypto.identity import (
    DeviceKeys,
    UserKeys,
    create_user,
    dump_private_key,
    load_private_key,
    sign_device_list,
)
from unit.conftest import NOW

UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")


@dataclass(frozen=True)
class Recipe:
    """How a certificate is made by hand, so that one thing in it can be wrong."""

    key: Any
    issuer_key: Any
    usages: frozenset[str]
    ca: bool = False
    name: str = "ada"
    issuer: str = "ada"
    not_before: datetime = NOW - timedelta(days=1)
    not_after: datetime = NOW + timedelta(days=1)
    hash: Any = field(default_factory=hashes.SHA256)
    padding: Any = field(default_factory=pss)
    more: tuple[tuple[x509.ExtensionType, bool], ...] = ()
    constraints: bool = True
    key_usage: bool = True
    subject: x509.Name | None = None

    def make(self) -> bytes:
        builder = (
            x509.CertificateBuilder()
            .subject_name(common_name(self.name) if self.subject is None else self.subject)
            .issuer_name(common_name(self.issuer))
            .public_key(self.key.public_key())
            .serial_number(1)
            .not_valid_before(self.not_before)
            .not_valid_after(self.not_after)
        )
        if self.constraints:
            basic = x509.BasicConstraints(ca=self.ca, path_length=0 if self.ca else None)
            builder = builder.add_extension(basic, critical=True)
        if self.key_usage:
            flags = {usage: usage in self.usages for usage in USAGES}
            usage = x509.KeyUsage(**flags, encipher_only=False, decipher_only=False)
            builder = builder.add_extension(usage, critical=True)
        for extension, critical in self.more:
            builder = builder.add_extension(extension, critical=critical)
        if isinstance(self.issuer_key, RSAPrivateKey):
            made = builder.sign(self.issuer_key, self.hash, rsa_padding=self.padding)
        else:
            hash_ = None if isinstance(self.issuer_key, Ed25519PrivateKey) else self.hash
            made = builder.sign(self.issuer_key, hash_)
        return made.public_bytes(Encoding.DER)


def common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def identity_of(user: UserKeys) -> Recipe:
    usages = frozenset({"digital_signature", "key_cert_sign"})
    return Recipe(user.identity_key, user.identity_key, usages, ca=True)


def sealing_of(user: UserKeys) -> Recipe:
    return Recipe(user.sealing_key, user.identity_key, frozenset({"key_encipherment"}))


@pytest.fixture(scope="session")
def device_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


def device_of(user: UserKeys, key: Ed25519PrivateKey) -> Recipe:
    return Recipe(key, user.identity_key, frozenset({"digital_signature"}))


# --- what is wrong in every kind of certificate ----------------------------------------------

Wrong = Callable[[Recipe, RSAPrivateKey], Recipe]
EVERYWHERE: dict[str, Wrong] = {
    "signed with PKCS #1 v1.5": lambda good, _: replace(good, padding=padding.PKCS1v15()),
    "signed over SHA-512": lambda good, _: replace(
        good, hash=hashes.SHA512(), padding=padding.PSS(padding.MGF1(hashes.SHA512()), 64)
    ),
    "signed over SHA-384": lambda good, _: replace(
        good, hash=hashes.SHA384(), padding=padding.PSS(padding.MGF1(hashes.SHA384()), 48)
    ),
    "signed with a short salt": lambda good, _: replace(
        good, padding=padding.PSS(padding.MGF1(hashes.SHA256()), 0)
    ),
    "signed by another RSA key": lambda good, other: replace(good, issuer_key=other),
    "signed by an Ed25519 key": lambda good, _: replace(
        good, issuer_key=Ed25519PrivateKey.generate()
    ),
    "signed by an ECDSA key": lambda good, _: replace(
        good, issuer_key=generate_ec_key(SECP256R1())
    ),
    "for another use": lambda good, _: replace(good, usages=frozenset({"key_agreement"})),
    "for one use more": lambda good, _: replace(good, usages=good.usages | {"crl_sign"}),
    "for no use": lambda good, _: replace(good, key_usage=False),
    "with the CA flag turned": lambda good, _: replace(good, ca=not good.ca),
    "without the CA flag": lambda good, _: replace(good, constraints=False),
    "not valid yet": lambda good, _: replace(good, not_before=NOW + timedelta(seconds=1)),
    "expired": lambda good, _: replace(good, not_after=NOW - timedelta(seconds=1)),
    "demanding what we do not know": lambda good, _: replace(good, more=((UNKNOWN, True),)),
    "with two common names": lambda good, _: replace(
        good, subject=x509.Name([*common_name("ada"), *common_name("ada")])
    ),
    "with an organisation beside the name": lambda good, _: replace(
        good,
        subject=x509.Name(
            [*common_name("ada"), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "x")]
        ),
    ),
    "with a name of another kind": lambda good, _: replace(
        good, subject=x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "ada")])
    ),
    "without a name": lambda good, _: replace(good, subject=x509.Name([])),
    "issued by another name": lambda good, _: replace(good, issuer="bob"),
}
in_each_wrong_way = pytest.mark.parametrize("wrong", EVERYWHERE.values(), ids=EVERYWHERE.keys())


def test_certificates_as_we_make_them_are_in_order(ada: UserKeys, laptop: DeviceKeys) -> None:
    identity = check_identity(ada.identity_certificate, NOW)
    assert identity == ada.identity
    assert identity.name == "ada"
    sealing = check_sealing(ada.sealing_certificate, identity, NOW)
    assert sealing == ada.sealing_key.public_key()
    device = check_device(laptop.certificate, identity, NOW)
    assert device.device_id == laptop.device_id == device_id(device.public_key)


def test_certificates_made_by_hand_are_in_order(
    ada: UserKeys, device_key: Ed25519PrivateKey
) -> None:
    """So what follows fails for the one thing that is wrong."""
    check_identity(identity_of(ada).make(), NOW)
    check_sealing(sealing_of(ada).make(), ada.identity, NOW)
    check_device(device_of(ada, device_key).make(), ada.identity, NOW)


def test_an_extension_that_is_not_critical_may_be_unknown(ada: UserKeys) -> None:
    check_identity(replace(identity_of(ada), more=((UNKNOWN, False),)).make(), NOW)


@in_each_wrong_way
def test_an_identity_certificate_is_refused(ada: UserKeys, bob: UserKeys, wrong: Wrong) -> None:
    der = wrong(identity_of(ada), bob.identity_key).make()
    with pytest.raises(BadCertificate):
        check_identity(der, NOW)


@in_each_wrong_way
def test_a_sealing_certificate_is_refused(ada: UserKeys, bob: UserKeys, wrong: Wrong) -> None:
    der = wrong(sealing_of(ada), bob.identity_key).make()
    with pytest.raises(BadCertificate):
        check_sealing(der, ada.identity, NOW)


@in_each_wrong_way
def test_a_device_certificate_is_refused(
    ada: UserKeys, bob: UserKeys, device_key: Ed25519PrivateKey, wrong: Wrong
) -> None:
    der = wrong(device_of(ada, device_key), bob.identity_key).make()
    with pytest.raises(BadCertificate):
        check_device(der, ada.identity, NOW)


# --- the key and the name --------------------------------------------------------------------


def test_an_identity_key_of_2048_bits_is_too_short(weak_key: RSAPrivateKey, ada: UserKeys) -> None:
    recipe = replace(identity_of(ada), key=weak_key, issuer_key=weak_key)
    with pytest.raises(BadCertificate, match="3072"):
        check_identity(recipe.make(), NOW)


def test_a_sealing_key_of_2048_bits_is_too_short(weak_key: RSAPrivateKey, ada: UserKeys) -> None:
    with pytest.raises(BadCertificate, match="3072"):
        check_sealing(replace(sealing_of(ada), key=weak_key).make(), ada.identity, NOW)


def test_a_user_key_is_rsa_and_nothing_else(ada: UserKeys) -> None:
    other = Ed25519PrivateKey.generate()
    with pytest.raises(BadCertificate, match="RSA"):
        check_identity(replace(identity_of(ada), key=other, issuer_key=other).make(), NOW)
    with pytest.raises(BadCertificate, match="RSA"):
        check_sealing(replace(sealing_of(ada), key=other).make(), ada.identity, NOW)


def test_a_device_key_is_ed25519_and_not_rsa(ada: UserKeys, bob: UserKeys) -> None:
    recipe = Recipe(bob.sealing_key, ada.identity_key, frozenset({"digital_signature"}))
    with pytest.raises(BadCertificate, match="Ed25519"):
        check_device(recipe.make(), ada.identity, NOW)


def test_one_key_never_does_two_jobs(ada: UserKeys) -> None:
    with pytest.raises(BadCertificate, match="two jobs"):
        check_sealing(replace(sealing_of(ada), key=ada.identity_key).make(), ada.identity, NOW)


def test_a_certificate_for_another_name_is_refused(
    ada: UserKeys, device_key: Ed25519PrivateKey
) -> None:
    with pytest.raises(BadCertificate, match="another name"):
        check_sealing(replace(sealing_of(ada), name="bob").make(), ada.identity, NOW)
    with pytest.raises(BadCertificate, match="another name"):
        check_device(replace(device_of(ada, device_key), name="Ada").make(), ada.identity, NOW)


def test_a_certificate_of_somebody_else_is_refused(
    ada: UserKeys, bob: UserKeys, laptop: DeviceKeys
) -> None:
    with pytest.raises(BadCertificate):
        check_sealing(ada.sealing_certificate, bob.identity, NOW)
    with pytest.raises(BadCertificate):
        check_device(laptop.certificate, bob.identity, NOW)


def test_a_device_certificate_of_a_namesake_is_refused(laptop: DeviceKeys) -> None:
    namesake = create_user("ada", NOW)
    with pytest.raises(BadCertificate, match="not signed"):
        check_device(laptop.certificate, namesake.identity, NOW)


def test_no_certificate_stands_in_for_another(ada: UserKeys, laptop: DeviceKeys) -> None:
    with pytest.raises(BadCertificate):
        check_identity(ada.sealing_certificate, NOW)
    with pytest.raises(BadCertificate):
        check_sealing(ada.identity_certificate, ada.identity, NOW)
    with pytest.raises(BadCertificate):
        check_device(ada.identity_certificate, ada.identity, NOW)
    with pytest.raises(BadCertificate):
        check_sealing(laptop.certificate, ada.identity, NOW)


@pytest.mark.filterwarnings("ignore")  # the library warns of negative serial numbers
@settings(max_examples=300, deadline=None)
@given(st.floats(0, 0.999), st.integers(1, 255))
def test_a_changed_byte_never_changes_what_a_certificate_says(
    ada: UserKeys, laptop: DeviceKeys, where: float, change: int
) -> None:
    """Nearly all are refused; the unsigned copy of the algorithm has a byte that says nothing."""
    for good, check in (
        (ada.identity_certificate, lambda der: check_identity(der, NOW).fingerprint),
        (ada.sealing_certificate, lambda der: check_sealing(der, ada.identity, NOW)),
        (laptop.certificate, lambda der: check_device(der, ada.identity, NOW)),
    ):
        der = bytearray(good)
        der[int(len(der) * where)] ^= change
        with contextlib.suppress(BadCertificate):
            assert check(bytes(der)) == check(good)


def test_an_algorithm_nobody_knows_is_refused_like_any_other(ada: UserKeys) -> None:
    """A byte of an object identifier that is no more known to the library."""
    sha256_oid = bytes.fromhex("0609608648016503040201")
    der = ada.identity_certificate
    assert der.count(sha256_oid) >= 2
    changed = der.replace(sha256_oid, bytes.fromhex("06096086480165030402ff"))
    with pytest.raises(BadCertificate, match="decode"):
        check_identity(changed, NOW)


@pytest.mark.parametrize("der", [b"", b"\0", b"0\x82\x01", b"garbage" * 100])
def test_what_is_no_certificate_is_refused(ada: UserKeys, der: bytes) -> None:
    for check in (
        lambda: check_identity(der, NOW),
        lambda: check_sealing(der, ada.identity, NOW),
        lambda: check_device(der, ada.identity, NOW),
    ):
        with pytest.raises(BadCertificate):
            check()


def test_a_certificate_with_bytes_after_it_is_refused(ada: UserKeys) -> None:
    with pytest.raises(BadCertificate):
        check_identity(ada.identity_certificate + b"\0", NOW)


def test_a_check_that_succeeded_is_not_remembered_past_the_end_of_validity(ada: UserKeys) -> None:
    der = identity_of(ada).make()
    check_identity(der, NOW)
    with pytest.raises(BadCertificate, match="clock"):
        check_identity(der, NOW + timedelta(days=2))


def test_a_new_certificate_is_valid_for_a_clock_two_days_behind(ada: UserKeys) -> None:
    check_identity(ada.identity_certificate, NOW - timedelta(days=2))
    with pytest.raises(BadCertificate):
        check_identity(ada.identity_certificate, NOW - timedelta(days=2, seconds=1))


def test_the_fingerprint_is_that_of_the_key_and_not_of_the_certificate(ada: UserKeys) -> None:
    again = check_identity(identity_of(ada).make(), NOW)
    assert again.certificate != ada.identity.certificate
    assert again.fingerprint == ada.identity.fingerprint


# --- device lists ----------------------------------------------------------------------------


def signed(key: RSAPrivateKey, value: Any) -> tuple[bytes, bytes]:
    body = msgspec.msgpack.encode(value)
    return body, key.sign(DEVICE_LIST_CONTEXT + body, pss(), hashes.SHA256())


def test_a_device_list_comes_back_as_it_was_signed(ada: UserKeys) -> None:
    devices = [b"a" * 16, b"b" * 16]
    body, signature = sign_device_list(ada.identity_key, 7, devices)
    assert check_device_list(body, signature, ada.identity) == DeviceList(1, 7, devices)


def test_a_device_list_of_somebody_else_is_refused(ada: UserKeys, bob: UserKeys) -> None:
    body, signature = sign_device_list(bob.identity_key, 7, [b"a" * 16])
    with pytest.raises(BadSignature, match="ada"):
        check_device_list(body, signature, ada.identity)


@pytest.mark.parametrize("index", [1, 2, -1])
def test_a_changed_device_list_is_refused(ada: UserKeys, index: int) -> None:
    body, signature = sign_device_list(ada.identity_key, 7, [b"a" * 16])
    changed = bytearray(body)
    changed[index] ^= 1
    with pytest.raises(BadSignature):
        check_device_list(bytes(changed), signature, ada.identity)


def test_a_signature_over_something_else_is_no_device_list(ada: UserKeys) -> None:
    body = msgspec.msgpack.encode(DeviceList(1, 1, [b"a" * 16]))
    signature = ada.identity_key.sign(body, pss(), hashes.SHA256())
    with pytest.raises(BadSignature):
        check_device_list(body, signature, ada.identity)


@pytest.mark.parametrize(
    "value",
    [
        [1, 1, [b"a" * 16, b"a" * 16]],
        [1, 1, []],
        [1, 1, [bytes((number,)) * 16 for number in range(MAX_DEVICES + 1)]],
        [1, 1, [b"short"]],
        [1, -1, [b"a" * 16]],
        [2, 1, [b"a" * 16]],
        [1, 1],
        {"devices": []},
        "text",
    ],
    ids=[
        "a device twice", "no device", "too many", "a short id", "counter", "version", "cut",
        "map", "text",
    ],
)  # fmt: skip
def test_a_signed_device_list_that_makes_no_sense_is_refused(ada: UserKeys, value: Any) -> None:
    with pytest.raises(BadCertificate):
        check_device_list(*signed(ada.identity_key, value), ada.identity)


def test_an_empty_signature_is_refused(ada: UserKeys) -> None:
    body, _ = sign_device_list(ada.identity_key, 7, [b"a" * 16])
    for signature in (b"", b"\0", bytes(384), bytes(1024)):
        with pytest.raises(BadSignature):
            check_device_list(body, signature, ada.identity)


# --- log-in signatures and keys --------------------------------------------------------------


def test_a_device_signature_is_checked(ada: UserKeys, laptop: DeviceKeys) -> None:
    public_key = check_device(laptop.certificate, ada.identity, NOW).public_key
    signature = laptop.sign(b"data")
    verify_login(public_key, b"data", signature)
    for key, data, bad in (
        (public_key, b"other", signature),
        (public_key, b"data", signature[:-1] + bytes((signature[-1] ^ 1,))),
        (public_key, b"data", b""),
        (Ed25519PrivateKey.generate().public_key().public_bytes_raw(), b"data", signature),
        (b"short", b"data", signature),
    ):
        with pytest.raises(BadSignature):
            verify_login(key, data, bad)


def test_private_keys_come_back_as_they_were_kept(ada: UserKeys) -> None:
    kept = load_private_key(dump_private_key(ada.sealing_key))
    assert kept.private_numbers() == ada.sealing_key.private_numbers()


def test_our_keys_are_two_different_rsa_keys_of_3072_bits(ada: UserKeys) -> None:
    assert isinstance(ada.identity_key, rsa.RSAPrivateKey)
    assert ada.identity_key.key_size == ada.sealing_key.key_size == 3072
    assert ada.identity_key.private_numbers() != ada.sealing_key.private_numbers()
    assert certificates.MIN_RSA_BITS == 3072
