"""The hash chain of a log."""

from hashlib import sha256
from typing import Any

import msgspec
import pytest
from hypothesis import given

from chatsecure.wire.chain import chain_next, chain_start
from chatsecure.wire.messages import Entry, EntryKind, RosterChange
from unit.strategies import bounded, values_of

LOG = bytes(range(16))
ENTRY = Entry(
    seq=1,
    at=1_764_000_000_000,
    device_id=b"\x11" * 16,
    append_id=b"\x22" * 16,
    epoch=0,
    kind=EntryKind.MESSAGE,
    payload=b"ciphertext",
)


def test_the_chain_has_a_known_beginning() -> None:
    assert chain_start(LOG) == sha256(b"chatsecure log v1\0" + LOG).digest()
    assert chain_start(LOG).hex() == (
        "17030c39a049535bcc145dc92da6e5bf661e52cc21f37bbaba41120c5384b8fd"
    )


def test_the_chain_of_one_entry_is_known() -> None:
    by_hand = (
        b"chatsecure entry v1\0"
        + chain_start(LOG)
        + (1).to_bytes(8, "big")
        + (1_764_000_000_000).to_bytes(8, "big")
        + b"\x11" * 16
        + b"\x22" * 16
        + (0).to_bytes(8, "big")
        + b"\0"
        + sha256(b"ciphertext").digest()
    )
    assert chain_next(chain_start(LOG), ENTRY) == sha256(by_hand).digest()
    assert chain_next(chain_start(LOG), ENTRY).hex() == (
        "cf1587c65f09342cece5c6bcc829bffa6da10a5150a86081fe695dbc5d0efd16"
    )


@pytest.mark.parametrize(
    "change",
    [
        {"seq": 2},
        {"at": 1_764_000_000_001},
        {"device_id": b"\x11" * 15 + b"\x10"},
        {"append_id": b"\x22" * 15 + b"\x23"},
        {"epoch": 1},
        {"kind": EntryKind.COMMIT},
        {"payload": b"Ciphertext"},
        {"payload": b""},
    ],
    ids=lambda change: next(iter(change)),
)
def test_any_change_of_an_entry_changes_the_chain(change: dict[str, Any]) -> None:
    start = chain_start(LOG)
    assert chain_next(start, msgspec.structs.replace(ENTRY, **change)) != chain_next(start, ENTRY)


@bounded
@given(values_of(Entry), values_of(Entry))
def test_two_entries_share_a_hash_only_if_they_are_one(one: Entry, other: Entry) -> None:
    one, other = (msgspec.structs.replace(entry, roster=None) for entry in (one, other))
    same = chain_next(chain_start(LOG), one) == chain_next(chain_start(LOG), other)
    assert same == (one == other)


def test_the_past_changes_the_chain() -> None:
    assert chain_next(chain_start(LOG), ENTRY) != chain_next(chain_start(LOG[::-1]), ENTRY)


def test_the_order_of_entries_changes_the_chain() -> None:
    other = msgspec.structs.replace(ENTRY, append_id=b"\x33" * 16)
    start = chain_start(LOG)
    assert chain_next(chain_next(start, ENTRY), other) != chain_next(
        chain_next(start, other), ENTRY
    )


def test_the_roster_is_not_part_of_the_chain() -> None:
    """Members check it against the commit itself: it says nothing the commit does not."""
    other = msgspec.structs.replace(ENTRY, roster=RosterChange([b"a" * 16]))
    assert chain_next(chain_start(LOG), other) == chain_next(chain_start(LOG), ENTRY)
