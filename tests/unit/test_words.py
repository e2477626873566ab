"""The words of the faces: catalogues that are whole, fit their texts, and are compiled as they
stand."""

import importlib.util
import re
import string
from functools import cache
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
from chatsecure.wire.errors import NotFound, Usage

SRC = Path(words.__file__).parent
_spec = importlib.util.spec_from_file_location("sentences", SRC.parents[1] / "tools/sentences.py")
assert _spec is not None
assert _spec.loader is not None
sentences = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(sentences)
LANGUAGES = ("ar", "de")
SHARED = ("cli", "client")
"""Parts whose texts every face shows: they are translated whole."""
KEYWORDS: dict[str, Any] = {"_": None, "_n": None, "several": (1, 2)}

every_language = pytest.mark.parametrize("language", LANGUAGES)


@cache
def catalogue(language: str) -> Catalog:
    with (words.LOCALE / language / "LC_MESSAGES" / "chatsecure.po").open("rb") as file:
        return read_po(file, locale=language)


@cache
def error_sentences() -> list[str]:
    found: list[str] = sentences.all_sentences(SRC)
    return found


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
def test_the_sentences_of_errors_are_translated(language: str) -> None:
    known = catalogue(language)
    missing = [
        text for text in error_sentences()
        if (found := known.get(text, context=sentences.CONTEXT)) is None or not found.string
    ]  # fmt: skip
    # One that is new speaks English until somebody translates it: that must stay the exception.
    assert len(missing) <= len(error_sentences()) // 20, (
        "tools/words brings the catalogues up to date"
    )


@every_language
def test_an_errors_finished_sentence_is_found_again_by_its_shape(language: str) -> None:
    """Each, with values of every kind in its places."""
    words.choose(language)
    values = ("x", "#lobby", "two words: and a colon", "42")
    for text in error_sentences():
        filled = text.format(**{name: values[n % 4] for n, name in enumerate(sorted(places(text)))})
        said = words.sentence(filled)
        kept = catalogue(language).get(text, context=sentences.CONTEXT)
        if kept is not None and kept.string not in ("", text):
            assert said != filled, text
        for value in (values[n % 4] for n in range(len(places(text)))):
            assert value in said, text


def test_an_error_is_told_with_what_can_be_done() -> None:
    words.choose("de")
    error = NotFound("there is no setting colour", hint="/settings lists them")
    assert words.told(error) == "es gibt keine Einstellung colour; /settings zählt sie auf"
    assert words.told(NotFound("there is no file {odd}")) == "es gibt keine Datei {odd}"
    assert words.told(Usage("what nobody has said before")) == "what nobody has said before"
    assert words.sentence("the file was not sent: the connection broke") == (
        "die Datei wurde nicht gesendet: die Verbindung brach ab"
    ), "a sentence within a sentence"
    words.choose("en")
    assert words.told(error) == "there is no setting colour; /settings lists them"


@pytest.mark.timeout(20)
def test_no_sentence_takes_for_ever_to_find() -> None:
    words.choose("ar")
    for sign in (": ", "a", " is not in ", "the file ", "\n"):
        words.sentence(sign * (words.MAX_SENTENCE // len(sign)))


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
