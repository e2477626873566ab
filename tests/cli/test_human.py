"""Events as lines for people: harmless, one item a line."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatsecure.cli.human import (
    clock,
    describe,
    duration_text,
    history_line,
    history_record,
    size_text,
)
from chatsecure.cli.line import Progress
from chatsecure.cli.receipts import told
from chatsecure.client.events import (
    AnyEvent,
    ConnectionEvent,
    FileEvent,
    GapEvent,
    IdentityEvent,
    MembershipEvent,
    MessageEvent,
    PresenceEvent,
    ReceiptEvent,
    StateEvent,
    TypingEvent,
)
from chatsecure.client.history import HistoryLine

AT = "2026-11-24T09:30:00.000Z"
NOW = datetime.fromisoformat(AT).astimezone()
HOUR = f"{NOW:%H:%M}"


def message(text: str, conversation: str = "#lobby", sender: str = "alice") -> MessageEvent:
    return MessageEvent(at=AT, id="ab" * 16, conversation=conversation, sender=sender, text=text)


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (message("hello"), "alice -> #lobby: hello"),
        (message("psst", "@alice"), "alice -> you: psst"),
        (message("from my phone", "@alice", "bob"), "you -> @alice: from my phone"),
        (message("one\ntwo"), "alice -> #lobby: one\n      two"),
        (
            FileEvent(at=AT, conversation="@alice", sender="alice", name="a.pdf", size=14_200_000,
                      sha256="0", state="received", path="/d/a.pdf"),
            "alice -> you: file a.pdf, 14.2 MB: saved to /d/a.pdf",
        ),
        (PresenceEvent(at=AT, user="alice", state="offline"), "alice is offline"),
        (
            MembershipEvent(at=AT, conversation="#x", user="bob", state="removed", by="alice"),
            "you were removed from #x, by alice",
        ),
        (
            MembershipEvent(at=AT, conversation="#x", user="eve", state="role", role="manager"),
            "eve is manager of #x now",
        ),
        (ConnectionEvent(at=AT, state="offline", reason="gone"), "connection offline: gone"),
        (GapEvent(at=AT, reason="two entries"), "something is missing: two entries"),
        (
            ReceiptEvent(at=AT, conversation="@alice", sender="alice", of="abcdef01", state="read"),
            "alice has read: abcdef01 in @alice",
        ),
    ],
)  # fmt: skip
def test_an_event_is_one_item(event: AnyEvent, line: str) -> None:
    assert describe(event, "bob", NOW) == f"{HOUR} {line}"


def test_a_changed_identity_is_loud() -> None:
    event = IdentityEvent(at=AT, user="alice", state="changed", fingerprint="9C4F")
    assert "CHANGED" in (describe(event, "bob") or "")


def test_what_is_of_the_moment_only_is_not_shown() -> None:
    assert describe(TypingEvent(at=AT, user="alice", active=True), "bob") is None
    assert describe(StateEvent(at=AT, of="1", state="stored"), "bob") is None


@given(st.text(), st.text(min_size=1))
def test_nobody_can_forge_a_line(text: str, sender: str) -> None:
    shown = describe(message(text, sender=sender), "bob", NOW) or ""
    first, *rest = shown.split("\n")
    assert first.startswith(HOUR)
    assert all(line.startswith("      ") for line in rest)
    assert not any(sign < " " and sign != "\n" for sign in shown)
    assert "\x1b" not in shown


def test_the_day_is_told_when_it_is_another() -> None:
    assert clock("2026-11-20T09:30:00Z", NOW).startswith("2026-11-20 ")
    assert clock("never") == "--:--"


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1500, "1.5 kB"),
        (213_000, "213 kB"),
        (2**40, "1100 GB"),
    ],
)
def test_sizes(size: int, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (7, "0:07"), (760, "12:40"), (3723, "1:02:03")]
)
def test_durations(seconds: int, text: str) -> None:
    assert duration_text(seconds) == text


def line(**changes: object) -> HistoryLine:
    values: dict[str, object] = {
        "n": 1, "id": "1", "at": AT, "conversation": "#lobby", "sender": "bob", "text": "hi",
        "mine": True, "seq": 3, "state": "stored", "edited": False, "action": False,
        "file": False, "size": None, "path": None, "people": 2, "delivered": 0, "read": 0,
    }  # fmt: skip
    return HistoryLine(**(values | changes))  # type: ignore[arg-type]


def test_history_says_in_words_who_has_a_message() -> None:
    assert history_line(line(), "bob", NOW).endswith("hi  [stored]")
    assert history_line(line(state="queued"), "bob").endswith("[queued]")
    assert history_line(line(delivered=1), "bob").endswith("[delivered to 1 of 2]")
    assert history_line(line(delivered=2, read=1), "bob").endswith("[read by 1 of 2]")
    file = line(file=True, text="a.txt", size=12, delivered=2, read=2, have=1)
    assert history_line(file, "bob").endswith("[1 of 2 have it]")
    assert history_record(file)["have"] == 1
    assert history_line(line(mine=False, sender="eve"), "bob").endswith("eve -> #lobby: hi")
    assert "taken back" in history_line(line(state="deleted", text=""), "bob")
    assert "file a.txt, 12 bytes" in history_line(line(file=True, text="a.txt", size=12), "bob")


def test_history_as_json_has_the_keys_of_events() -> None:
    record = history_record(line())
    assert record["type"] == "message"
    assert record["from"] == "bob"
    assert record["text"] == "hi"
    assert history_record(line(file=True, text="a", size=1))["name"] == "a"


def test_an_answer_says_to_what() -> None:
    event = MessageEvent(at=AT, conversation="#x", sender="eve", text="yes", reply_to="ab" * 16)
    line = describe(event, "bob", NOW, quote=lambda id_: f"alice: {id_[:2]}?")
    assert line == f"{HOUR} eve -> #x (in answer to alice: ab?): yes"


def test_a_long_transfer_is_told_now_and_then() -> None:
    progress = Progress()

    def at(done: int | None, now: float) -> str | None:
        file = FileEvent(
            at=AT, id="1", name="a.iso", size=200, sha256="", state="sending", mine=True, done=done
        )
        return progress.line(file, now)

    assert [at(0, 0), at(10, 5), at(50, 10), at(60, 12), at(150, 21), at(200, 40)] == [
        None, None, "file a.iso: sent 25 %", None, "file a.iso: sent 75 %", None,
    ]  # fmt: skip


def test_many_receipts_are_one_line_with_the_words_of_the_last_message() -> None:
    assert told("#lobby", [line(read=1)])[6:] == "#lobby: hi  [read by 1 of 2]"
    many = [line(n=n, text=f"number {n}", delivered=2) for n in (3, 1, 2)]
    said = told("@eve\x1b", many)[6:]
    assert said == "@eve␛: 3 messages, the last: number 3  [delivered to 2 of 2]"
