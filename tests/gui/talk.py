"""Lines of a history of every kind, to draw and to look at."""

import io
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from chatsecure.client.history import HistoryLine

NOW = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)


def line(n: int, sender: str, text: str, **more: Any) -> HistoryLine:
    """A line as a profile has it; a minute after the one before."""
    at = more.pop("at", NOW - timedelta(minutes=240 - n % 240))
    given: dict[str, Any] = {
        "n": n, "id": f"{n:032x}", "at": at.isoformat().replace("+00:00", "Z"),
        "conversation": "#design", "sender": sender, "text": text, "mine": sender == "alice",
        "seq": n, "state": "stored" if sender == "alice" else "received", **more,
    }  # fmt: skip
    return HistoryLine(**given)


def notice(n: int, user: str, state: str, kind: str = "membership", **more: Any) -> HistoryLine:
    """A notice of somebody's coming or going."""
    when = {"at": more.pop("at")} if "at" in more else {}
    told = {"type": kind, "user": user, "state": state, **more}
    return line(n, user, "", notice=told, state="notice", **when)


def thumbnail() -> bytes:
    """A small picture as a sender's device makes it."""
    from PIL import Image

    image = Image.linear_gradient("L").resize((320, 180)).convert("RGB")
    image.paste((60, 120, 200), (40, 60, 200, 150))
    out = io.BytesIO()
    image.save(out, "jpeg", quality=70)
    return out.getvalue()


def plain(count: int, start: int = 1) -> list[HistoryLine]:
    """Ordinary talk."""
    people = ("bob", "alice", "carol", "dave.lee")
    words = [
        "the",
        "plan",
        "for",
        "monday",
        "is",
        "to",
        "meet",
        "at",
        "nine",
        "and",
        "look",
        "at",
        "the",
        "drawings",
        "again",
    ]
    lines = []
    for n in range(start, start + count):
        text = " ".join(words[(n * 7 + k) % len(words)] for k in range(3 + n * 5 % 24))
        at = NOW - timedelta(days=2) + timedelta(minutes=n)
        lines.append(line(n, people[n // 3 % 4], text.capitalize(), at=at, people=3, delivered=2))
    return lines


def everything(conversation: str = "#design") -> list[HistoryLine]:
    """One of each."""
    day = NOW - timedelta(days=1)
    first = line(3, "bob", "Good morning! Shall we look at the *new* drawings today?", at=day)
    lines = [
        notice(1, "bob", "joined", at=day), notice(2, "carol", "joined", at=day), first,
        line(4, "bob", "They are in the folder **Plans**, see https://plans.example/v2 (thanks!)",
             at=day),
        line(5, "alice", "Yes. @bob, at ten?", mentions=("bob",), people=3, delivered=3, read=2,
             at=day, reactions={"👍": ["bob", "carol"], "🎉": ["alice"]}),
        line(6, "carol", "Fine by me 😀👍🏽 👨‍👩‍👧‍👦 🇺🇦 🏳️‍🌈 1️⃣", at=day, reply_to=first.id),
        line(7, "carol", "🎉🎉", at=day),
        line(10, "bob", "A list:\n- one, with a rather long text that must go on in the next line "
             "below its first letter and not below the bullet\n- two\n  - under two\n"
             "1. numbered\n> quoted words that somebody else had written long before\nand `code`:"
             "\n```python\ndef hello(name: str) -> None:\n    print(f'hello {name}')\n```"),
        line(11, "dave.lee", "שלום לכולם, זאת הודעה ארוכה שנכתבת מימין לשמאל 😀 with English words "
             "(100%) וגם עברית שממשיכה לשורה הבאה כי היא ארוכה מאוד ואין לה מקום."),
        line(12, "dave.lee", "السلام عليكم ورحمة الله وبركاته"),
        line(13, "dave.lee", "In a sentence: שלום עולם and مرحبا and नमस्ते, all in one."),
        line(14, "alice", "w" * 180, people=3, delivered=1),
        line(15, "alice", "https://" + "very-long-address.example/" * 6, people=3, edited=True),
        line(16, "bob", "gone", state="deleted"),
        *(notice(17 + k, name, state) for k, (name, state) in enumerate(
            [("erin", "joined"), ("frank", "joined"), ("gina", "joined"), ("hugo", "joined"),
             ("ivan", "left")])),
        notice(22, "carol", "changed", "identity"),
        line(30, "bob", "lecture-07.pdf", file=True, size=14_200_000, file_state="offered"),
        line(31, "bob", "a-very-long-name-of-a-recording-that-does-not-fit-here.tar.gz", file=True,
             size=734_003_200, file_state="receiving"),
        line(32, "carol", "beach.jpg", file=True, size=2_400_000, file_state="received",
             path="/x", thumbnail=thumbnail()),
        line(33, "alice", "broken.bin", file=True, size=1_000, file_state="failed", people=3),
        line(34, "alice", "waves", action=True, people=3, read=3, delivered=3),
        line(35, "carol", "hey @alice, did you see **this**?", mentions=("alice",)),
        line(36, "alice", "Not yet", state="queued", people=3),
        line(37, "alice", "Never mind", state="failed", people=3),
        line(38, "alice", "This one is the last", people=3, delivered=2),
    ]  # fmt: skip
    return [_moved(one, conversation) for one in lines]


def halted() -> list[HistoryLine]:
    """Files that wait, failed or were taken back."""
    return [
        line(39, "bob", "archive", file=True, folder=True, size=9_000_000_000, file_state="offered",
             held=True, held_because="size"),
        line(40, "bob", "scan.pdf", file=True, size=4_000_000, file_state="failed", done=1_500_000,
             reason="what arrived is not the file that was announced (SHA-256 differs)"),
        line(41, "bob", "draft.odt", file=True, size=40_000, file_state="cancelled",
             reason="its sender took it back"),
    ]  # fmt: skip


def _moved(one: HistoryLine, conversation: str) -> HistoryLine:
    import dataclasses

    return dataclasses.replace(one, conversation=conversation)


def token() -> str:
    """Some unlikely word."""
    return secrets.token_hex(8)
