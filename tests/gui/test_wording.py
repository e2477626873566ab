"""The window's words in a language written from right to left."""

from collections.abc import Iterator

import pytest

from chatsecure import words
from chatsecure.gui.glyphs import X11, fit_for_tk
from chatsecure.gui.wording import Seen, _, logical, seen, several

pytestmark = pytest.mark.skipif(not X11, reason="other systems turn the letters by themselves")


@pytest.fixture
def arabic(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CHATSECURE_LANG", "ar")
    words.choose("")
    yield
    monkeypatch.delenv("CHATSECURE_LANG")
    words.choose("")


def test_a_text_is_turned_and_remembers_how_it_is_read(arabic: None) -> None:
    read = words._("I have an invitation")
    turned = _("I have an invitation")
    assert isinstance(turned, Seen)
    assert turned == fit_for_tk(read) != read
    assert logical(turned) == read


def test_places_are_filled_before_it_is_turned(arabic: None) -> None:
    filled = _("{name} is writing…").format(name="bob")
    assert logical(filled) == words._("{name} is writing…").format(name="bob")
    assert "bob" in filled
    assert "{" not in filled
    assert logical(several("{n} person", "{n} people", 3)) == words.several(
        "{n} person", "{n} people", 3
    )


def test_a_language_from_left_to_right_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHATSECURE_LANG", "en")
    words.choose("")
    assert type(_("Send")) is str
    assert seen("Größe") == "Größe"
