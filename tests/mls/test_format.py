"""What goes over the wire is what RFC 9420 says, read here without OpenMLS.

The RFC's own test vectors (mlswg/mls-implementations) are not in the OpenMLS crate; OpenMLS runs
them itself, on functions that are private to it. Of them, nothing can be reached through this
binding: it refuses what conversations have no use for, such as the vectors' basic credentials. So
the formats, hashes and signatures below are worked out by hand, after the sections named.
"""

import hashlib
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from chatsecure import mls
from chatsecure.mls import Signer, Suite

from .world import GROUP_ID, Device, room

PUBLIC_MESSAGE, PRIVATE_MESSAGE, WELCOME, GROUP_INFO, KEY_PACKAGE = range(1, 6)  # §17.1
APPLICATION, PROPOSAL, COMMIT = range(1, 4)  # §6
X509 = 2  # §17.4
X25519_BYTES, XWING_BYTES = 32, 1216


@dataclass
class Reader:
    data: bytes
    at: int = 0

    def take(self, count: int) -> bytes:
        self.at += count
        assert self.at <= len(self.data)
        return self.data[self.at - count : self.at]

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "big")

    def vector(self) -> bytes:
        """A vector with its length in one, two or four bytes (§2.1.2)."""
        first = self.number(1)
        size = first & 0x3F
        for _ in range((1 << (first >> 6)) - 1):
            size = size << 8 | self.number(1)
        return self.take(size)

    def rest(self) -> bytes:
        return self.take(len(self.data) - self.at)

    def vectors(self) -> list[bytes]:
        """A vector of vectors."""
        inner = Reader(self.vector())
        found = []
        while inner.at < len(inner.data):
            found.append(inner.vector())
        return found


def vector(data: bytes) -> bytes:
    if len(data) < 1 << 6:
        return bytes([len(data)]) + data
    if len(data) < 1 << 14:
        return (len(data) | 1 << 14).to_bytes(2, "big") + data
    return (len(data) | 2 << 30).to_bytes(4, "big") + data


def opened(message: bytes, wire_format: int) -> Reader:
    """An MLSMessage of version 1 (§6)."""
    reader = Reader(message)
    assert reader.number(2) == 1
    assert reader.number(2) == wire_format
    return reader


def test_a_signature_key_is_that_of_rfc_8032() -> None:
    """Test 1 of §7.1 there."""
    seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
    public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert Signer(bytes.fromhex(seed)).public_key.hex() == public


def test_a_message_is_a_private_message_with_an_open_header() -> None:
    """§6.3."""
    ada, _ = room(2)
    for message, content in (
        (ada.say(b"text", aad=b"header"), APPLICATION),
        (ada.propose(aad=b"header").commit, COMMIT),
    ):
        reader = opened(message, PRIVATE_MESSAGE)
        assert reader.vector() == GROUP_ID
        assert reader.number(8) == 1
        assert reader.number(1) == content
        assert reader.vector() == b"header"
        assert reader.vector()  # encrypted_sender_data
        assert reader.vector()  # ciphertext
        assert not reader.rest()


def test_a_text_is_lengthened_only_by_its_signature_and_tag() -> None:
    """§6.3.1: content<V>, signature<V>, no padding of ours, the AEAD's tag."""
    ada, _ = room(2)
    for size in (0, 50, 500, 5000):
        reader = opened(ada.say(b"x" * size), PRIVATE_MESSAGE)
        assert reader.vector() == GROUP_ID
        assert reader.number(8 + 1) == 1 << 8 | APPLICATION
        assert reader.vector() == b""
        assert reader.vector()
        assert len(reader.vector()) == len(vector(b"x" * size)) + len(vector(bytes(64))) + 16


def test_a_joining_is_a_public_message_of_a_new_member() -> None:
    """§6, §6.2, §12.4.3.2."""
    ada, _ = room(2)
    commit = Device("eve").join_external(ada.group.export_group_info(ada.signer))
    reader = opened(commit, PUBLIC_MESSAGE)
    assert reader.vector() == GROUP_ID
    assert reader.number(8) == 1
    assert reader.number(1) == 4  # new_member_commit
    assert reader.vector() == b"joining"
    assert reader.number(1) == COMMIT


def check_key_package(device: Device, data: bytes, suite: Suite) -> bytes:
    """§10, §7.2, §5.3, §5.1.2. Returns the bare KeyPackage."""
    reader = opened(data, KEY_PACKAGE)
    start = reader.at
    assert reader.number(2) == 1
    assert reader.number(2) == suite
    kem_bytes = XWING_BYTES if suite is Suite.HYBRID else X25519_BYTES
    init_key = reader.vector()
    leaf_start = reader.at
    encryption_key = reader.vector()
    assert len(init_key) == len(encryption_key) == kem_bytes
    assert init_key != encryption_key
    signature_key = reader.vector()
    assert signature_key == device.signer.public_key
    assert reader.number(2) == X509
    assert reader.vectors() == device.chain
    numbers = []
    for _ in range(5):  # versions, cipher suites, extensions, proposals, credentials
        inner = Reader(reader.vector())
        numbers.append([inner.number(2) for _ in range(len(inner.data) // 2)])
    assert numbers == [[1], list(mls.SUITES), [mls.ROOM_STATE_EXTENSION, 0x000A], [], [X509]]
    assert reader.number(1) == 1  # leaf_node_source: key_package
    assert reader.number(8) < reader.number(8)  # lifetime
    assert reader.vector() == b""  # extensions
    leaf = reader.data[leaf_start : reader.at]
    key = Ed25519PublicKey.from_public_bytes(signature_key)
    key.verify(reader.vector(), signed("LeafNodeTBS", leaf))
    reader.vector()  # extensions
    package = reader.data[start : reader.at]
    key.verify(reader.vector(), signed("KeyPackageTBS", package))
    assert not reader.rest()
    return data[start:]


def signed(label: str, content: bytes) -> bytes:
    """What SignWithLabel signs (§5.1.2)."""
    return vector(b"MLS 1.0 " + label.encode()) + vector(content)


def test_a_key_package_and_its_reference_are_as_the_rfc_says() -> None:
    for suite, digest in ((Suite.HYBRID, hashlib.sha384), (Suite.CLASSICAL, hashlib.sha256)):
        device = Device("ada", suite)
        for last_resort in (False, True):
            package = device.key_package(last_resort=last_resort)
            bare = check_key_package(device, package.key_package, suite)
            label = b"MLS 1.0 KeyPackage Reference"  # RefHash, §5.2
            assert package.ref == digest(vector(label) + vector(bare)).digest()


def test_a_welcome_names_its_suite_and_key_packages() -> None:
    """§12.4.3.1."""
    ada, bob = Device("ada"), Device("bob")
    ada.create()
    package = bob.key_package()
    made = ada.propose(add=[package.key_package], want_group_info=True)
    assert made.welcome is not None
    reader = opened(made.welcome, WELCOME)
    assert reader.number(2) == Suite.HYBRID
    secrets = Reader(reader.vector())
    assert secrets.vector() == package.ref
    assert len(secrets.vector()) == 1120  # the KEM's output: ML-KEM-768 and X25519
    assert secrets.vector()
    assert not secrets.rest()
    assert reader.vector()
    assert not reader.rest()


def test_a_group_info_holds_context_tree_and_external_key() -> None:
    """§8.1, §12.4.3, §12.4.3.2, §12.4.3.3."""
    ada, bob = room(2)
    made = ada.propose(room_state=b"state", want_group_info=True)
    assert made.group_info is not None
    ada.win()
    bob.accept(made.commit)
    for info in (made.group_info, bob.group.export_group_info(bob.signer)):
        reader = opened(info, GROUP_INFO)
        assert (reader.number(2), reader.number(2)) == (1, Suite.HYBRID)
        assert reader.vector() == GROUP_ID
        assert reader.number(8) == 2
        assert len(reader.vector()) == len(reader.vector()) == 48  # tree and transcript hashes
        extensions = extensions_of(reader.vector())
        required = vector(mls.ROOM_STATE_EXTENSION.to_bytes(2, "big")) + vector(b"")
        assert extensions == {
            0x0003: required + vector(X509.to_bytes(2, "big")),
            mls.ROOM_STATE_EXTENSION: b"state",
        }
        more = extensions_of(reader.vector())
        assert set(more) == {0x0002, 0x0004}  # ratchet_tree, external_pub
        assert len(Reader(more[0x0004]).vector()) == XWING_BYTES


def extensions_of(data: bytes) -> dict[int, bytes]:
    reader = Reader(data)
    found = {}
    while reader.at < len(data):
        kind = reader.number(2)
        found[kind] = reader.vector()
    return found
