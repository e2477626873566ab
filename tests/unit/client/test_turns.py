"""What one turn brings comes to disk together, or is as if it had not been."""

from pathlib import Path
from typing import Any

import pytest

from chatsecure.client.profile.database import Database, ProfileError


@pytest.fixture
def db(tmp_path: Path) -> Database:
    return Database(tmp_path / "profile.db", bytes(32))


def synced(db: Database) -> Database:
    """The same file as another process sees it."""
    return Database(db._path, bytes(32))


def put(db: Database, key: str, value: Any = 1) -> None:
    with db.transaction():
        db.put(key, value)


def broken_off(db: Database, error: BaseException) -> None:
    """A transaction that ends in an error."""
    with db.transaction():
        db.put("undone", 1)
        raise error


def broken_batch(db: Database, error: BaseException) -> None:
    """A batch that ends in an error after its first transaction."""
    with db.batch():
        put(db, "a")
        raise error


def too_large(db: Database) -> None:
    with db.batch():
        put(db, "a")
        put(db, "big", bytes(100_000))


def test_transactions_of_a_batch_are_on_disk_at_its_end_and_not_before(db: Database) -> None:
    told: list[Any] = []
    db.on_commit.append(lambda: told.append(synced(db).get("b")))
    with db.batch():
        put(db, "a")
        put(db, "b", 2)
        assert synced(db).get("a") is None
        assert not told
    assert synced(db).get("a") == 1
    assert told == [2]


def test_a_transaction_of_a_batch_is_undone_alone(db: Database) -> None:
    with db.batch():
        put(db, "before")
        with pytest.raises(ValueError, match="no"):
            broken_off(db, ValueError("no"))
        put(db, "after")
    assert [synced(db).get(key) for key in ("before", "undone", "after")] == [1, None, 1]


def test_the_first_of_a_batch_may_be_undone_as_well(db: Database) -> None:
    with db.batch():
        with pytest.raises(ValueError, match="no"):
            broken_off(db, ValueError("no"))
        put(db, "after")
    assert synced(db).get("after") == 1


def test_what_was_done_before_a_batch_broke_off_is_kept(db: Database) -> None:
    with pytest.raises(ValueError, match="no"):
        broken_batch(db, ValueError("no"))
    assert synced(db).get("a") == 1


def test_whoever_stops_the_process_in_a_batch_leaves_nothing_of_it(db: Database) -> None:
    with pytest.raises(KeyboardInterrupt):
        broken_batch(db, KeyboardInterrupt())
    assert db.get("a") is None


def test_a_transaction_that_finds_no_room_says_so_and_later_ones_go_on(db: Database) -> None:
    undone: list[int] = []
    db.on_rollback.append(lambda: undone.append(1))
    db.value(f"PRAGMA max_page_count = {db.value('PRAGMA page_count')}")
    with pytest.raises(ProfileError, match="full"):
        too_large(db)
    assert undone
    db.value("PRAGMA max_page_count = 4294967294")
    with db.batch():
        put(db, "later")
    assert synced(db).get("later") == 1


def test_a_brief_transaction_is_seen_by_others_at_once(db: Database) -> None:
    with db.brief_transaction():
        db.put("a", 1)
    assert synced(db).get("a") == 1
    assert db.value("PRAGMA synchronous") == 2
