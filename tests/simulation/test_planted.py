"""Bugs that are planted on purpose: the schedules must find each of them.

An oracle that never objects proves nothing; so the program is broken here in ways of which each
would cost somebody a message, and the first seeds must tell.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chatsecure.client.events import MessageEvent, message_id, stamp
from chatsecure.client.inbound import Inbound
from chatsecure.client.outbox import Outbox
from chatsecure.server.hub import Hub
from chatsecure.server.rules import logs
from chatsecure.server.store.sqlite import SqliteStore

from .replay import play
from .schedule import make_schedule

SEEDS = 120


def found(*kinds: str) -> None:
    """Some seed fails in one of these ways."""
    seen = []
    for seed in range(SEEDS):
        violation = play(make_schedule(seed)).violation
        if violation is not None:
            seen.append(violation.kind)
            if violation.kind in kinds:
                return
    pytest.fail(f"{SEEDS} seeds did not find it; they found {seen}")


Patch = pytest.MonkeyPatch


def test_answers_before_the_commit_are_found(monkeypatch: Patch) -> None:
    def early(store: SqliteStore) -> int:
        batch = store._take()
        if batch:
            store._apply(batch)
            if len(batch) == 3:  # the disk had not kept these
                store._db.execute("DELETE FROM entries WHERE key = (SELECT max(key) FROM entries)")
                store.tx.forget()
        return len(batch)

    monkeypatch.setattr(SqliteStore, "run_pending", early)
    found("the log has a hole", "an acknowledged message is lost", "a gap without a cause")


def test_two_changes_of_one_epoch_are_found(monkeypatch: Patch) -> None:
    monkeypatch.setattr(logs, "_check_epoch", lambda *_: None)
    found(
        "a gap without a cause", "members of one epoch disagree", "no rest after all was mended",
        "the server made a mistake",
    )  # fmt: skip


def test_an_entry_that_is_not_pushed_is_found(monkeypatch: Patch) -> None:
    push: Callable[..., None] = Hub._push_to
    count = 0

    def forgetful(hub: Hub, sub, frame, first, last, number, entries) -> None:
        nonlocal count
        count += 1
        if count % 40 == 0:
            sub.sent = last
        else:
            push(hub, sub, frame, first, last, number, entries)

    monkeypatch.setattr(Hub, "_push_to", forgetful)
    found("a gap without a cause", "a member was not shown a message")


def test_ciphertext_made_anew_for_every_try_is_found(monkeypatch: Patch) -> None:
    encrypt = Outbox._encrypt

    def anew(outbox: Outbox, row, waiting):
        return encrypt(outbox, row, [(*found[:3], None, None) for found in waiting])

    monkeypatch.setattr(Outbox, "_encrypt", anew)
    found("two ciphertexts under one append id and epoch")


def test_a_message_told_again_is_found(monkeypatch: Patch) -> None:
    insert = Inbound._insert

    def twice(inbound: Inbound, row, entry, *rest) -> bool:
        new = insert(inbound, row, entry, *rest)
        if new and entry.seq % 7 == 0:
            inbound._core.emit(_message(inbound, row, entry))
        return new

    def _message(inbound: Inbound, row, entry) -> MessageEvent:
        return MessageEvent(
            at=stamp(entry.at), id=message_id(entry.append_id), conversation=row.name,
            sender="", seq=entry.seq, text="again",
        )  # fmt: skip

    monkeypatch.setattr(Inbound, "_insert", twice)
    found("shown twice")
