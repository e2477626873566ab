"""Whatever bytes come in: an `MlsError` or a result, never a panic, and the group goes on."""

from contextlib import suppress
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatsecure import mls
from chatsecure.mls import Group, MlsError, NewKeyPackage, Suite

from .world import GROUP_ID, Device, room

LINK = (b"link", b"s" * 32)


@cache
def scene() -> tuple[Device, dict[str, bytes], NewKeyPackage]:
    """A device in a group, and one of each message it could get. Classical, so small and fast."""
    ada, bob = room(2, Suite.CLASSICAL)
    group = ada.group
    group.add_psk(*LINK)
    ada.keep(group)
    info = bob.group.export_group_info(bob.signer)
    package = Device("new", Suite.CLASSICAL).key_package()
    found = {
        "message": bob.say(b"hello", aad=b"header"),
        "external": Device("eve", Suite.CLASSICAL).join_external(info, LINK),
        "info": info,
        "package": package.key_package,
    }
    made = bob.propose(add=[package.key_package], room_state=b"new")
    assert made.welcome is not None
    return ada, found | {"commit": made.commit, "welcome": made.welcome}, package


def samples() -> dict[str, bytes]:
    return scene()[1]


def listener() -> tuple[Device, dict[bytes, bytes]]:
    ada = scene()[0]
    ada.reload()
    return ada, dict(ada.rows)


def key_package() -> NewKeyPackage:
    return scene()[2]


def test_the_samples_are_good_before_they_are_changed() -> None:
    ada, _ = listener()
    found = samples()
    kinds = {"message": "application", "external": "external_commit", "commit": "commit"}
    for name, kind in kinds.items():
        ada.reload()
        assert ada.group.process(found[name]).kind == kind
    mls.key_package_info(found["package"])
    eve = Device("eve", Suite.CLASSICAL)
    eve.join_external(found["info"], LINK)
    assert Group.join(found["welcome"], key_package().state).room_state == b"new"


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A real message with some bytes changed, cut out, doubled, or put in."""
    data = bytearray(draw(st.sampled_from(sorted(samples().values()))))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        match draw(st.sampled_from(["set", "cut", "insert", "end", "double"])):
            case "set":
                data[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
            case "cut":
                del data[at : at + draw(st.integers(1, 64))]
            case "insert":
                data[at:at] = draw(st.binary(min_size=1, max_size=16))
            case "end":
                del data[at:]
            case "double":
                data[at:at] = data[at : at + draw(st.integers(1, 300))]
    return bytes(data)


headed = st.builds(
    lambda wire, rest: b"\x00\x01\x00" + bytes([wire]) + rest, st.integers(0, 7), st.binary()
)
"""The beginning of an MLSMessage, then anything."""

anything = st.binary() | headed | mutated()


@settings(max_examples=400, deadline=None)
@given(anything)
def test_any_bytes_can_be_processed(data: bytes) -> None:
    ada, _ = listener()
    group = ada.group
    with suppress(MlsError):
        group.process(data)
    group.discard_staged()
    assert group.epoch == 1
    group.encrypt(ada.signer, b"and on")


@settings(max_examples=400, deadline=None)
@given(anything)
def test_any_bytes_can_be_read_as_key_package_and_welcome(data: bytes) -> None:
    for read in (mls.key_package_info, mls.welcome_refs):
        with suppress(MlsError):
            read(data)


@settings(max_examples=200, deadline=None)
@given(anything)
def test_any_bytes_can_be_joined_by(data: bytes) -> None:
    package, eve = key_package(), Device("eve", Suite.CLASSICAL)
    for join in (
        lambda: Group.join(data, package.state),
        lambda: eve.join_external(data, LINK),
    ):
        with suppress(MlsError):
            join()


@settings(max_examples=200, deadline=None)
@given(anything)
def test_any_bytes_can_be_added(data: bytes) -> None:
    ada, _ = listener()
    group = ada.group
    with suppress(MlsError):
        group.commit(ada.signer, add=[data])
    group.discard_pending()
    assert group.epoch == 1


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_any_rows_can_be_loaded(data: st.DataObject) -> None:
    _, rows = listener()
    rows = dict(rows)
    for _ in range(data.draw(st.integers(1, 3))):
        key = data.draw(st.sampled_from(sorted(rows)) | st.binary(max_size=20))
        value = bytearray(rows.get(key, b""))
        at = data.draw(st.integers(0, len(value)))
        value[at : at + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
        rows[key] = bytes(value)
    with suppress(MlsError):
        group = Group.load(GROUP_ID, list(rows.items()))
        group.members()
        group.process(samples()["message"])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.binary(), st.binary()), max_size=5))
def test_random_rows_do_not_load(rows: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(mls.DamagedState):
        Group.load(GROUP_ID, rows)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.lists(st.binary(max_size=300), max_size=4), st.binary())
def test_ids_chains_and_texts_may_be_any_bytes(
    group_id: bytes, chain: list[bytes], text: bytes
) -> None:
    signer = mls.Signer(b"k" * 32)
    group = Group.create(signer, chain, group_id, text, Suite.CLASSICAL)
    group.encrypt(signer, text, aad=text)
    rows = [(key, value) for key, value in group.take_changes() if value is not None]
    again = Group.load(group_id, rows)
    assert again.members()[0].credential == tuple(chain)
    assert again.room_state == text
