"""Words in two languages, for pages, mail, jobs and the command line alike. Vietnamese is the default.

What lives here: the catalogues (`locale/<language>/*.po`, merged when first asked for), the language of the current
request or job. How dates and numbers look is in formats.py, refusals in words in sentences.py. Nothing here knows HTTP.

Sentences of the interface are looked up by their English text. Refusals, errors, states and classes are looked up by
a key (`refusal.<code>`, `state.<state>`, `access_class.<class>`), which stands in both languages' files.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Literal, get_args

import msgspec
from babel.messages.pofile import read_po

Language = Literal["vi", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
DEFAULT_LANGUAGE: Language = "vi"
LOCALE_DIRECTORY = Path(__file__).parent / "locale"

_language: ContextVar[Language] = ContextVar("language", default=DEFAULT_LANGUAGE)


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """All messages of one language: `text` by msgid, `forms` by the singular's msgid, in the order of plural forms."""

    text: dict[str, str]
    forms: dict[str, tuple[str, ...]]


def language() -> Language:
    """The language of the request or job that runs now."""
    return _language.get()


def known_language(value: str | None) -> Language | None:
    """The value as a language, or None when it is not one of ours."""
    return value if value in LANGUAGES else None


@contextmanager
def speaking(chosen: Language) -> Generator[None]:
    """Everything inside the block is said in this language."""
    token = _language.set(chosen)
    try:
        yield
    finally:
        _language.reset(token)


@cache
def catalogue(chosen: Language) -> Catalogue:
    """The merged messages of one language. Files are read in the order of their names, each once per process."""
    text: dict[str, str] = {}
    forms: dict[str, tuple[str, ...]] = {}
    for path in sorted((LOCALE_DIRECTORY / chosen).glob("*.po")):
        with path.open("rb") as file:
            for message in read_po(file, locale=chosen):
                if isinstance(message.id, str):
                    if message.id and message.string:
                        text[message.id] = str(message.string)
                elif message.string:
                    forms[message.id[0]] = tuple(message.string)
    return Catalogue(text=text, forms=forms)


def gettext(message: str) -> str:
    """The message in the current language, or as it stands when that language has none."""
    return catalogue(language()).text.get(message, message)


def ngettext(singular: str, plural: str, count: int) -> str:
    """The form that fits the count. Vietnamese has one form, English two."""
    forms = catalogue(language()).forms.get(singular)
    if forms is None:
        return singular if count == 1 else plural
    return forms[0] if count == 1 or len(forms) == 1 else forms[1]


def has(key: str) -> bool:
    """Whether the current language has this message."""
    return key in catalogue(language()).text


def word(kind: str, value: object) -> str:
    """The word for a value of an enumeration: `word("state", "held")`. The bare value stands in when it has none."""
    key = f"{kind}.{value}"
    return gettext(key) if has(key) else str(value)
