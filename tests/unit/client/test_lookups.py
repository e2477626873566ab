"""What faces ask for with every event is found by an index, however long a conversation is."""

from pathlib import Path

import pytest

from chatsecure.client.profile.database import Database
from chatsecure.client.profile.schema import MIGRATIONS, SCHEMA_VERSION

QUESTIONS = {
    "one message": "SELECT 1 FROM messages WHERE id = x'00'",
    "a message by the beginning of its id": (
        "SELECT 1 FROM messages WHERE kind > 0 AND id BETWEEN x'00' AND x'01' LIMIT 2"
    ),
    "how many are unread": (
        "SELECT count(*) FROM messages WHERE log_id = x'00' AND mine = 0 AND kind > 0 AND seq > 1"
    ),
    "unread ones that may mention us": (
        "SELECT n, body FROM messages WHERE log_id = x'00' AND mine = 0 AND kind = 1 AND seq > 1"
        " AND instr(text, '@') > 0 ORDER BY n LIMIT 10"
    ),
    "a page": "SELECT n FROM messages WHERE log_id = x'00' AND n < 9 ORDER BY n DESC LIMIT 10",
    "the newest": "SELECT max(seq) FROM messages WHERE log_id = x'00'",
}


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS.keys())
def test_it_is_found_without_reading_all_messages(question: str, tmp_path: Path) -> None:
    database = Database(tmp_path / "profile.db", bytes(32))
    plan = [row[3] for row in database.rows("EXPLAIN QUERY PLAN " + question)]
    database.close()
    assert plan
    assert not [step for step in plan if step.startswith("SCAN messages")]


def test_every_version_of_the_schema_has_its_step() -> None:
    assert sorted(MIGRATIONS) == list(range(1, SCHEMA_VERSION + 1))
