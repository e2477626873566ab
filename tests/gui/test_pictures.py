"""Pictures of the window as the README and the guide show it: a lively room, light and dark, the
first start. Set `CHATSECURE_PICTURES` to a folder to keep them."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from desk import Desk, Face, desk

from chatsecure import words

WIDE, HIGH = 1060, 700
MOST_BYTES = 200_000


@pytest.fixture
def table(display: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("CHATSECURE_KEYRING", "off")
    monkeypatch.setenv("GTK_THEME", "Adwaita")
    with desk(tmp_path) as made:
        yield made


def save(path: Path, name: str) -> None:
    """Keep the part of the picture in which the window is."""
    from PIL import Image

    with Image.open(path) as whole:
        part = whole.convert("RGB").crop((0, 0, WIDE, HIGH)).quantize(255)
    colors = part.getcolors(256) or []
    assert len(colors) > 60, "something is drawn"
    part.save(path, optimize=True)
    assert path.stat().st_size < MOST_BYTES, name


def test_a_lively_room_light_and_dark(table: Desk, picture: Callable, tmp_path: Path) -> None:
    from PIL import Image, ImageDraw

    table.meet("mara", "alice", "bob")
    alice = table.open("alice", f"{WIDE}x{HIGH}+0+0")
    mara, bob = table.open("mara", "300x300+2000+0"), table.open("bob", "300x300+2000+400")
    mara.say("/create #class-3b")
    table.until(lambda: mara.view.target == "#class-3b", "the room is there")
    for name in ("alice", "bob"):
        mara.say(f"/invite {name}")
    for face in (alice, bob):
        table.until(lambda face=face: "#class-3b" in face.window.rooms, "they are in")
        face.go("#class-3b")
    mara.say("/topic Physics, Mondays at ten")
    mara.say("Good morning! The exam is on **Tuesday** at nine, in room `2.17`.")
    table.until(lambda: alice.shows("The exam is on"), "alice sees it")
    alice.say("Thank you! May we bring our notes? 📒")
    table.until(lambda: mara.shows("bring our notes"), "mara sees it")
    question = mara.ask(lambda: mara.app.session.client.history("#class-3b", 1))[0]
    mara.window.acts.wish("reply", question)
    mara.say("One page, written by hand. @bob too.")
    table.until(lambda: bob.shows("written by hand"), "bob sees it")
    last = bob.ask(lambda: bob.app.session.client.history("#class-3b", 1))[0]
    bob.ask(lambda: bob.app.session.client.react(last.id, "👍"))
    alice.ask(lambda: alice.app.session.client.react(last.id, "👍"))
    bob.say("تمام, שלום, see you there 👩‍🔬")
    sheet = Image.new("RGB", (640, 300), "#dfe8f5")
    draw = ImageDraw.Draw(sheet)
    for number in range(6):
        draw.line((320, 20, 60 + number * 104, 200), fill="#5c6370", width=3)
        draw.ellipse((30 + number * 104, 190, 90 + number * 104, 250), fill="#2c5fde")
    sheet.save(tmp_path / "pendulum.png")
    mara.view.composer.text.focus_force()
    from chatsecure.gui import files

    files.send(mara.window, [tmp_path / "pendulum.png"])
    table.until(
        lambda: alice.ask(lambda: alice.app.session.client.history("#class-3b", 1))[0].path,
        "the file is here",
    )
    bob.go("@alice")
    bob.say("shall we learn together? 🚲")
    table.until(lambda: "@bob" in alice.window.rooms, "alice has a private chat")
    alice.window.notifier.close()
    alice.focus()
    table.settle(80)
    alice.window.notifier.close()
    table.settle(10)
    save(picture("window-light"), "light")
    alice.app.theme.apply("dark")
    table.settle(40)
    save(picture("window-dark"), "dark")
    alice.app.theme.apply("light")
    alice.go("@bob")
    table.settle(40)
    save(picture("window-private"), "private")


def test_a_room_in_a_language_from_right_to_left(
    table: Desk, picture: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHATSECURE_LANG", "ar")
    words.choose("")
    try:
        table.meet("mara", "alice", "bob")
        alice = table.open("alice", f"{WIDE}x{HIGH}+0+0")
        bob = table.open("bob", "600x500+2000+0")
        bob.say("صباح الخير! هل المختبر مفتوح اليوم؟")
        table.until(lambda: len(alice.lines()) == 1, "alice has it")
        alice.say("نعم، من التاسعة حتى الثالثة. **لا تنس** البطاقة 🪪")
        table.until(lambda: len(bob.lines()) == 2, "bob has it")
        last = bob.ask(lambda: bob.app.session.client.history("#lobby", 1))[0]
        bob.ask(lambda: bob.app.session.client.react(last.id, "👍"))
        bob.say("Thank you, see you there: room 2.17")
        table.until(lambda: len(alice.lines()) == 3, "alice has it")
        alice.view.history.find("التاسعة")
        alice.window.notifier.close()
        alice.focus()
        table.settle(60)
        alice.window.notifier.close()
        table.settle(10)
        save(picture("window-mirrored"), "mirrored")
    finally:
        monkeypatch.delenv("CHATSECURE_LANG")
        words.choose("")


def test_the_first_start(table: Desk, picture: Callable) -> None:
    app = table.start("dora", f"{WIDE}x{HIGH}+0+0")
    table.until(lambda: hasattr(app, "start"), "it is shown")
    app.root.lift()
    table.settle(30)
    from PIL import Image

    path = picture("first-start")
    with Image.open(path) as whole:
        whole.convert("RGB").crop((0, 0, WIDE, HIGH)).quantize(128).save(path, optimize=True)
    assert path.stat().st_size < MOST_BYTES


def test_everything_has_room_at_twice_the_size(
    table: Desk, picture: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHATSECURE_SCALE", "2")
    table.meet("mara")
    mara = table.open("mara", "1280x860+0+0")
    table.settle(30)
    picture("window-scaled")
    send = mara.view.composer.send_button
    assert send.winfo_rootx() + send.winfo_width() <= 1280
    assert send.winfo_rooty() + send.winfo_height() <= 860
    assert send.winfo_width() > 80
    assert os.environ["CHATSECURE_SCALE"] == "2"
    assert isinstance(mara, Face)
