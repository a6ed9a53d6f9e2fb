"""Two languages, complete: what one says the other says too. Sentences of templates, keys, refusals, placeholders."""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po

from labshare import errors
from labshare.i18n import LANGUAGES, LOCALE_DIRECTORY, Language

PACKAGE = Path(errors.__file__).parent
TEMPLATES = PACKAGE / "web" / "templates"
# `refusal.time_taken`, `state.held`: words that code asks for by a key, in both languages' files.
KEY = re.compile(r"[a-z0-9_]+(?:\.[a-z0-9_]+)+")
PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]")


@cache
def messages(language: Language) -> list[tuple[str, str, Path]]:
    """Every message of a language: msgid (of a plural, the singular), its text and the file that says it."""
    found: list[tuple[str, str, Path]] = []
    for path in sorted((LOCALE_DIRECTORY / language).glob("*.po")):
        with path.open("rb") as file:
            for message in read_po(file, locale=language):
                several = not isinstance(message.id, str)
                msgid = message.id[0] if several else message.id
                texts = [message.string] if isinstance(message.string, str) else list(message.string or ())
                if msgid:
                    found += [(str(msgid), text, path) for text in texts]
    return found


def said(language: Language) -> dict[str, str]:
    return {msgid: text for msgid, text, _ in messages(language) if text}


def keys(language: Language) -> set[str]:
    return {msgid for msgid in said(language) if KEY.fullmatch(msgid)}


def template_sentences() -> set[str]:
    """The English sentences that templates ask for."""
    found: set[str] = set()
    for path in TEMPLATES.rglob("*.html"):
        options = {"extensions": "jinja2.ext.do", "newstyle_gettext": "true", "silent": "false", "trimmed": "true"}
        for _, message, _, _ in extract_from_file("jinja2.ext:babel_extract", path, options=options):
            found.add(message[0] if isinstance(message, tuple) else message)
    return found


def code_sentences() -> set[str]:
    """The English sentences that Python code asks for."""
    found: set[str] = set()
    for node in calls():
        if isinstance(node.func, ast.Name) and node.func.id in {"gettext", "ngettext", "_", "say"}:
            found |= {
                word.value for word in node.args[:1] if isinstance(word, ast.Constant) and isinstance(word.value, str)
            }
    return found


@cache
def calls() -> list[ast.Call]:
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py")]
    return [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]


def error_classes() -> set[str]:
    return {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}


def refusal_codes() -> set[str]:
    """Every code that the source writes out: `Refusal(code="x")`, `Stale("x")`, and the codes of the error classes."""
    found = {
        kind.code for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.LabShareError)
    }
    callers = error_classes() | {"Refusal"}
    for node in calls():
        if isinstance(node.func, ast.Name) and node.func.id in callers:
            written = [*node.args[:1], *(word.value for word in node.keywords if word.arg == "code")]
            found |= {word.value for word in written if isinstance(word, ast.Constant) and isinstance(word.value, str)}
    return found


def test_every_english_sentence_has_its_vietnamese() -> None:
    asked = template_sentences() | code_sentences()
    assert {sentence for sentence in asked if not KEY.fullmatch(sentence)} - said("vi").keys() == set()


def test_every_key_is_in_both_languages() -> None:
    assert keys("vi") ^ keys("en") == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_refusal_has_a_sentence(language: Language) -> None:
    missing = {f"refusal.{code}" for code in refusal_codes()} - said(language).keys()
    # These two only carry other refusals, which have sentences of their own.
    assert missing - {"refusal.refused", "refusal.settings"} == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_message_is_said_once_or_always_alike(language: Language) -> None:
    """Files are merged: two texts for one message would let the last file's name decide."""
    texts = Counter(
        msgid for msgid, _ in {(msgid, text) for msgid, text, _ in messages(language) if KEY.fullmatch(msgid)}
    )
    assert [msgid for msgid, count in texts.items() if count > 1] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_left_untranslated(language: Language) -> None:
    assert [(path.name, msgid) for msgid, text, path in messages(language) if not text] == []


# What these count is never one: a limit that the house has fixed, or a number that has a sentence of its own for one.
NEVER_ONE = {
    "Give the centre between 1 and %(most)s hours to decide.",
    "A series has 1 to %(most)s bookings. Choose an earlier last day or fewer times.",
    "%(count)s bookings of the series were moved.",
    "%(count)s bookings of the series were cancelled; their time is free again.",
    "The last day comes before the first, or more than %(most)s days after it.",
    "A token holds from 1 to %(most)s days, not %(days)s.",
    "A verification holds for at most %(years)s years.",
    (
        "Rule %(rule)s: a rolling window has from 2 to %(most)s days, not %(days)s; for longer times take month, "
        "quarter, semester or year."
    ),
    "A calendar covers at most %(most)s days; ask for less at a time.",
    "every %(number)s days",
    "every %(number)s months",
    "%(number)s days on end",
}


def test_a_number_that_may_be_one_is_said_with_the_form_that_fits_it() -> None:
    """By `formats.counted`, so that nobody reads of 1 bookings."""
    english = {text for msgid, text, _ in messages("en") if KEY.fullmatch(msgid)}
    english |= {msgid for msgid, *_ in messages("vi") if not KEY.fullmatch(msgid)}
    counted = re.compile(r"%\(\w+\)s (working )?(bookings|hours|days|months|years)\b")
    assert {sentence for sentence in english if counted.search(sentence)} == NEVER_ONE


def test_a_translation_names_no_value_that_the_sentence_lacks() -> None:
    """A placeholder that the code does not fill shows a dash, or fails, in one language only."""
    english = said("en")
    for msgid, text in said("vi").items():
        original = english[msgid] if KEY.fullmatch(msgid) else msgid
        assert set(PLACEHOLDER.findall(text)) <= set(PLACEHOLDER.findall(original)), msgid
