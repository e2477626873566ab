"""The first start, by the people who have never seen the program."""

import io
from collections.abc import Iterator
from pathlib import Path
from tkinter import ttk

import pytest
import segno
from desk import Desk, Face, all_text, desk
from PIL import Image, ImageFilter

from chatsecure import lan, words
from chatsecure.gui import scanning
from chatsecure.wire.errors import ChatSecureError


@pytest.fixture
def table(display: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A desk with a server nobody has joined."""
    monkeypatch.setenv("CHATSECURE_KEYRING", "off")
    monkeypatch.setenv("GTK_THEME", "Adwaita")
    with desk(tmp_path) as made:
        yield made


def first(table: Desk, name: str) -> tuple:
    app = table.start(name, "900x640+0+0")
    table.until(lambda: hasattr(app, "start"), "the first start is shown")
    return app, app.start


def test_three_ways_lead_on(table: Desk) -> None:
    app, _start = first(table, "dora")
    text = " ".join(all_text(app.root))
    for way in ("I have an invitation", "Start a server here", "Try the demo"):
        assert way in text


def test_a_newcomer_joins_with_the_link_on_the_clipboard(table: Desk) -> None:
    app, start = first(table, "dora")
    app.root.clipboard_clear()
    app.root.clipboard_append(table.server.link)
    start.invitation()
    assert start.link.get() == "", "a link on the clipboard is never used unasked"
    table.settle()
    offered = next(
        child for child in start.inner.winfo_children()
        if isinstance(child, ttk.Button) and "clipboard" in str(child.cget("text"))
    )  # fmt: skip
    offered.invoke()
    assert start.link.get() == table.server.link
    start.name.delete(0, "end")
    start.name.insert(0, "dora")
    start.join()
    table.until(lambda: app.window is not None and app.window.view.target, "the window opens")
    face = Face(table, app)
    table.until(lambda: face.window.online, "it is online")
    assert face.view.target == "#lobby"
    assert not (table.profile("dora") / "link").exists()


def photo_of(text: str, path: Path) -> Path:
    """A QR code as a camera sees it: small in a larger picture, turned a little, grey."""
    code = segno.make(text, error="l", micro=False)
    out = io.BytesIO()
    code.save(out, kind="png", scale=6, border=4)
    sheet = Image.open(out).convert("L").rotate(7, expand=True, fillcolor=200)
    photo = Image.new("L", (1600, 1200), 120)
    photo.paste(sheet, (500, 300))
    photo.filter(ImageFilter.GaussianBlur(1)).save(path)
    return path


@pytest.mark.skipif(not scanning.available(), reason="zxing-cpp is not installed")
def test_an_invitation_is_read_from_a_picture_of_its_qr_code(
    table: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "words.png").write_text("no picture")
    Image.new("RGB", (300, 300), "white").save(tmp_path / "blank.png")
    chosen = iter(
        [
            "",
            tmp_path / "words.png",
            tmp_path / "blank.png",
            photo_of("https://example.org", tmp_path / "other.png"),
            photo_of(table.server.link, tmp_path / "invitation.png"),
        ]
    )
    monkeypatch.setattr(
        "chatsecure.gui.start.filedialog.askopenfilename", lambda **_options: str(next(chosen))
    )
    _app, start = first(table, "dora")
    start.invitation()
    start.scan()
    for said in ("no picture that can be read", "no invitation's QR code", "no invitation's QR"):
        start.scan()
        table.until(lambda said=said: said in str(start.error.cget("text")), said)
        assert start.link.get() == ""
    start.scan()
    table.until(lambda: start.link.get() == table.server.link, "the link is there")
    assert str(start.error.cget("text")) == ""


@pytest.mark.skipif(not lan.available(), reason="zeroconf is not installed")
def test_a_server_on_this_network_is_chosen_and_joined_with_its_invitation(
    table: Desk, tmp_path: Path
) -> None:
    """The invitation names an address that is gone; the server tells of itself from another."""
    from chatsecure.links import format_link, parse_link

    link = parse_link(table.server.link)
    stale = format_link("127.0.0.1", 9, link.fingerprint, link.secret)
    try:
        stop = lan.announce(["127.0.0.1"], link.port, link.fingerprint + bytes(12))
    except ChatSecureError as error:
        pytest.skip(str(error))
    try:
        app, start = first(table, "dora")
        start.invitation()
        assert start.nearby.chosen is None
        start.nearby.look()
        table.until(lambda: start.nearby._found, "it is found")
    finally:
        stop()
    mine = next(one for one in start.nearby._found if one.port == link.port)
    choices = [
        child for child in start.nearby.winfo_children() if isinstance(child, ttk.Radiobutton)
    ]
    choices[start.nearby._found.index(mine)].invoke()
    assert start.nearby.chosen == mine
    assert "lets nobody in" in " ".join(all_text(start.nearby)), "what else is needed is told"
    start.link.insert(0, stale)
    start.name.delete(0, "end")
    start.name.insert(0, "dora")
    start.join()
    table.until(lambda: app.window is not None and app.window.view.target, "the window opens")
    table.until(lambda: app.window.online, "it is online")


@pytest.mark.skipif(not lan.available(), reason="zeroconf is not installed")
def test_an_invitation_to_another_server_than_the_one_chosen_is_not_used(table: Desk) -> None:
    _app, start = first(table, "dora")
    start.invitation()
    start.nearby.show([lan.Found("127.0.0.1", 9, bytes(20))])
    assert start.nearby.chosen is not None, "the only one is chosen"
    start.link.insert(0, table.server.link)
    start.name.delete(0, "end")
    start.name.insert(0, "dora")
    start.join()
    assert "another server" in start.error.cget("text")
    start.nearby.show([])
    assert "--announce" in " ".join(all_text(start.nearby))


@pytest.mark.parametrize(
    ("language", "said"), [("de", "das ist kein Link"), ("ar", None)], ids=["de", "ar"]
)
def test_an_error_of_the_client_speaks_the_persons_language(
    table: Desk, language: str, said: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHATSECURE_LANG", language)
    words.choose("")
    try:
        _app, start = first(table, "dora")
        start.invitation()
        start.link.insert(0, "no link at all")
        start.join()
        text = str(start.error.cget("text"))
        assert text
        assert "this is no link" not in text
        assert said is None or said in text
    finally:
        monkeypatch.delenv("CHATSECURE_LANG")
        words.choose("")


def test_a_wrong_link_is_told_and_can_be_put_right(table: Desk) -> None:
    app, start = first(table, "dora")
    start.invitation()
    start.link.insert(0, table.server.link[:-20])
    start.name.delete(0, "end")
    start.name.insert(0, "dora")
    start.join()
    table.settle()
    assert "damaged or missing" in start.error.cget("text")
    start.link.delete(0, "end")
    start.link.insert(0, table.server.link)
    start.join()
    table.until(lambda: app.window is not None, "it goes on")


def test_a_used_up_invitation_is_told(table: Desk) -> None:
    table.meet("mara")
    _app, start = first(table, "dora")
    start.invitation()
    start.link.insert(0, table.server.link)
    start.name.delete(0, "end")
    start.name.insert(0, "dora")
    start.join()
    table.until(lambda: "used up" in start.error.cget("text"), "it is told")
    assert not (table.profile("dora") / "profile.db").exists()


def test_a_name_that_cannot_be_is_told_before_anything_is_sent(table: Desk) -> None:
    _app, start = first(table, "dora")
    start.invitation()
    start.link.insert(0, table.server.link)
    start.name.delete(0, "end")
    start.name.insert(0, "everyone")
    start.join()
    assert "reserved" in start.error.cget("text")


def test_a_locked_profile_asks_for_its_passphrase(table: Desk) -> None:
    import asyncio

    from chatsecure.client.joining import join

    asyncio.run(
        join(table.profile("mara"), table.server.link, "mara", passphrase="correct horse")
    ).close()
    app = table.start("mara")
    table.until(lambda: hasattr(app, "locked"), "it asks")
    assert "locked" in " ".join(all_text(app.root))
    app._unlock("wrong")
    table.until(lambda: "is wrong" in " ".join(all_text(app.root)), "it says so")
    app._unlock("correct horse")
    table.until(lambda: app.window is not None, "it opens")


def test_a_server_is_started_here_and_its_starter_is_the_owner(
    table: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chatsecure.gui import ownserver

    listen = ["--listen", "127.0.0.1:0"]
    monkeypatch.setattr(ownserver, "ARGUMENTS", listen)
    app, start = first(table, "deep/dora")
    start.own_server()
    start.name.delete(0, "end")
    start.name.insert(0, "dora")
    start._start_server()
    table.until(lambda: app.window is not None and app.window.view.target, "the window opens")
    face = Face(table, app)
    table.until(lambda: face.window.online, "it is online")
    room = face.ask(lambda: app.session.client.room("#lobby"))
    assert room.role == "owner"
    assert face.ask(lambda: app.session.client.setting("window server"))
    link = face.ask_later(lambda: app.session.client.invite())
    assert link.startswith("chatsecure://127.0.0.1:")
    process = start.server._process
    table.close()
    assert process.poll() is not None, "it ends with the window"
