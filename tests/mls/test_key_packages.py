"""KeyPackages: what others need to add a device, and what stays with it."""

import pytest

from chatsecure import mls
from chatsecure.mls import Group, Signer, Suite

from .world import Device, agree, room


def test_the_suites_are_the_hybrid_one_and_the_classical_one() -> None:
    assert mls.SUITES == (Suite.HYBRID, Suite.CLASSICAL)
    assert mls.DEFAULT_SUITE is Suite.HYBRID


@pytest.mark.parametrize("suite", mls.SUITES)
def test_a_key_package_shows_whose_it_is(suite: Suite) -> None:
    device = Device("ada", suite)
    package = device.key_package()
    info = mls.key_package_info(package.key_package)
    assert info.ref == package.ref
    assert info.credential == tuple(device.chain)
    assert info.signature_key == device.signer.public_key
    assert info.suite is suite
    assert not info.last_resort
    assert info.not_after - info.not_before >= mls.KEY_PACKAGE_LIFETIME_S


def test_a_last_resort_key_package_says_so() -> None:
    package = Device("ada").key_package(last_resort=True)
    assert mls.key_package_info(package.key_package).last_resort


def test_a_key_package_holds_no_part_of_its_private_state() -> None:
    package = Device("ada", Suite.CLASSICAL).key_package()
    (_, state), *more = package.state
    assert not more
    secrets = [state[at : at + 32] for at in range(len(state) - 32)]
    public = package.key_package
    assert sum(secret not in public for secret in secrets) > 64  # two X25519 private keys


@pytest.mark.parametrize("at", [10, 100, 400, 1300, -70, -1])
def test_a_changed_key_package_is_refused(at: int) -> None:
    data = bytearray(Device("ada").key_package().key_package)
    data[at] ^= 1
    with pytest.raises(mls.MlsError):
        mls.key_package_info(bytes(data))


def test_an_expired_key_package_is_refused() -> None:
    ada = Device("ada")
    package = mls.generate_key_package(ada.signer, ada.chain, lifetime_s=0)
    with pytest.raises(mls.BadKeyPackage):
        mls.key_package_info(package.key_package)
    ada.create()
    with pytest.raises(mls.BadKeyPackage):
        ada.propose(add=[package.key_package])


def test_a_key_package_of_another_suite_cannot_be_added() -> None:
    ada, bob = Device("ada"), Device("bob", Suite.CLASSICAL)
    ada.create()
    with pytest.raises(mls.InvalidCommit):
        ada.propose(add=[bob.key_package().key_package])
    assert not ada.group.has_pending_commit


def test_an_unknown_suite_is_refused() -> None:
    ada = Device("ada")
    with pytest.raises(mls.WrongState):
        mls.generate_key_package(ada.signer, ada.chain, suite=0x0002)  # type: ignore[arg-type]


def test_a_welcome_names_the_key_packages_it_is_for() -> None:
    ada, bob, eve = Device("ada"), Device("bob"), Device("eve")
    ada.create()
    packages = [bob.key_package(), eve.key_package()]
    made = ada.propose(add=[package.key_package for package in packages])
    assert made.welcome is not None
    assert set(mls.welcome_refs(made.welcome)) == {package.ref for package in packages}


def test_a_welcome_for_another_key_package_does_not_let_in() -> None:
    ada, bob = Device("ada"), Device("bob")
    ada.create()
    made = ada.propose(add=[bob.key_package().key_package])
    assert made.welcome is not None
    with pytest.raises(mls.NoMatchingKeyPackage):
        Group.join(made.welcome, bob.key_package().state)
    with pytest.raises(mls.NoMatchingKeyPackage):
        Group.join(made.welcome, [])


def test_a_changed_welcome_does_not_let_in() -> None:
    ada, bob = Device("ada"), Device("bob")
    ada.create()
    package = bob.key_package()
    made = ada.propose(add=[package.key_package])
    assert made.welcome is not None
    for at in (300, len(made.welcome) // 2, len(made.welcome) - 1):
        data = bytearray(made.welcome)
        data[at] ^= 1
        with pytest.raises(mls.MlsError):
            Group.join(bytes(data), package.state)


def test_a_last_resort_key_package_lets_into_two_groups() -> None:
    bob = Device("bob")
    package = bob.key_package(last_resort=True)
    for creator in (Device("ada"), Device("eve")):
        creator.create()
        made = creator.propose(add=[package.key_package])
        creator.win()
        assert made.welcome is not None
        bob.join(made.welcome, package)
        assert agree(creator, bob)


def test_a_one_time_key_package_used_twice_works_until_its_state_is_deleted() -> None:
    """The caller deletes a used KeyPackage's state; without it, a second Welcome is of no use."""
    bob = Device("bob")
    package = bob.key_package()
    welcomes = []
    for creator in (Device("ada"), Device("eve")):
        creator.create()
        made = creator.propose(add=[package.key_package])
        creator.win()
        assert made.welcome is not None
        welcomes.append(made.welcome)
    bob.join(welcomes[0], package)
    with pytest.raises(mls.NoMatchingKeyPackage):
        Group.join(welcomes[1], [])


def test_one_key_package_cannot_be_added_twice_to_a_group() -> None:
    ada, bob = Device("ada"), Device("bob")
    ada.create()
    package = bob.key_package()
    made = ada.propose(add=[package.key_package, package.key_package])  # named twice, added once
    ada.win()
    assert made.welcome is not None
    assert mls.welcome_refs(made.welcome) == [package.ref]
    with pytest.raises(mls.InvalidCommit):
        ada.propose(add=[package.key_package])
    with pytest.raises(mls.InvalidCommit):
        ada.propose(add=[bob.key_package().key_package])  # another one of a device that is in


def test_what_joined_keeps_nothing_of_its_key_package() -> None:
    _, bob = room(2)
    package = Device("d1").key_package()
    assert not {key for key, _ in package.state} & set(bob.rows)
    assert all(key[0] not in (15, 17) for key in bob.rows)


def test_a_signer_takes_32_bytes_only() -> None:
    assert len(Signer(bytes(32)).public_key) == 32
    for size in (0, 31, 33, 64):
        with pytest.raises(mls.MalformedMls):
            Signer(bytes(size))
