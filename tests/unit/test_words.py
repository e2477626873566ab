"""The words of the faces: catalogues that are whole, fit their texts, and are compiled as they
stand."""

import re
import string
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

from chatsecure import words
from chatsecure.cli import slash
from chatsecure.client import settings

SRC = Path(words.__file__).parent
LANGUAGES = ("ar", "de")
SHARED = ("cli", "client")
"""Parts whose texts every face shows: they are translated whole."""
KEYWORDS: dict[str, Any] = {"_": None, "_n": None, "several": (1, 2)}

every_language = pytest.mark.parametrize("language", LANGUAGES)


def catalogue(language: str) -> Catalog:
    with (words.LOCALE / language / "LC_MESSAGES" / "chatsecure.po").open("rb") as file:
        return read_po(file, locale=language)


def texts(*parts: str) -> set[Any]:
    """The texts that stand in the source of these parts."""
    found = set()
    for part in parts:
        for _, _, text, _, _ in extract_from_dir(SRC / part, keywords=KEYWORDS):
            found.add(text)
    return found


@pytest.fixture(autouse=True)
def english_again(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.delenv("CHATSECURE_LANG", raising=False)
    yield
    words.choose("")


def test_there_are_catalogues_and_one_is_right_to_left() -> None:
    there = {path.parent.parent.name for path in words.LOCALE.rglob("*.po")}
    assert there == set(LANGUAGES)
    words.choose("ar")
    assert words.right_to_left()
    words.choose("de")
    assert not words.right_to_left()


@every_language
def test_what_all_faces_share_is_translated_whole(language: str) -> None:
    known = catalogue(language)
    missing = []
    for text in texts(*SHARED):
        message = known.get(text[0] if isinstance(text, tuple) else text)
        forms = message.string if message is not None else ""
        if not forms or (isinstance(forms, tuple) and not all(forms)):
            missing.append(text)
    assert missing == []


@every_language
def test_a_translation_has_the_places_of_its_text(language: str) -> None:
    """Also its blanks at the end and its line breaks: prompts and tables are built on them."""
    for message in catalogue(language):
        if not message.id or not message.string:
            continue
        if isinstance(message.id, tuple):
            allowed = places(message.id[1])
            assert all(places(form) <= allowed for form in message.string), message.id
            continue
        assert places(message.string) == places(message.id), message.id
        assert message.string.endswith(" ") == message.id.endswith(" "), message.id
        assert message.string.count("\n") == message.id.count("\n"), message.id


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@every_language
def test_the_compiled_catalogue_is_that_of_the_source(language: str) -> None:
    with (words.LOCALE / language / "LC_MESSAGES" / "chatsecure.mo").open("rb") as file:
        compiled = translated(read_mo(file))
    assert compiled == translated(catalogue(language))


def translated(catalog: Catalog) -> dict[Any, Any]:
    """What is translated, by its text."""
    found: dict[Any, Any] = {}
    for message in catalog:
        several = isinstance(message.id, tuple | list)
        text = tuple(message.id) if several else message.id
        forms = tuple(message.string) if several else message.string
        # What is not translated yet is compiled as it stands.
        if text and forms and all(forms) and forms != text:
            found[text] = forms
    return found


def test_words_that_are_typed_are_not_translated() -> None:
    """A command, a setting or a role is typed as it stands in the help."""
    words.choose("de")
    text = "\n".join(slash.help_lines())
    for command in slash.COMMANDS:
        assert command.usage in text
    assert "Nachricht" in text
    assert settings.find("ask first").name == "ask_first"
    assert isinstance(slash.parse("/role bob king"), slash.Wrong)


@every_language
def test_every_text_can_be_filled_in(language: str) -> None:
    class Anything(dict[str, object]):
        def __missing__(self, key: str) -> object:
            return 7 if key in ("timeout", "n") else "x"

    for message in catalogue(language):
        for form in message.string if isinstance(message.string, tuple) else (message.string,):
            if re.search(r"\{\w", form):
                assert form.format_map(Anything())


@every_language
def test_numbers_take_their_form(language: str) -> None:
    words.choose(language)
    said = {n: words.several("1 person", "{n} people", n) for n in (1, 2, 3, 11, 100)}
    assert len(set(said.values())) == 5
    assert ("11" in said[11], "100" in said[100]) == (True, True)


def test_a_language_that_is_not_there_speaks_english() -> None:
    words.choose("tlh")
    assert words._("private") == "private"
