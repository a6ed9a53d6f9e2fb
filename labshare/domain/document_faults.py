"""Why a document cannot be read, as a code with parameters: what the reader of TOML says in English, said again so
that it can be told in any language.

The original words stay in `reason`, for whatever is not known here. What must not live here: what a readable document
may say (agreement_documents.py, sandbox_documents.py, people_document.py).
"""

from __future__ import annotations

import re

from labshare.errors import Malformed, Param

# What msgspec and tomllib say, each with what it names. The sentences stand under `document_fault.<fault>`.
_WORDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("field_missing", re.compile(r"Object missing required field `(?P<field>[^`]+)`(?P<rest>.*)")),
    ("field_unknown", re.compile(r"Object contains unknown field `(?P<field>[^`]+)`(?P<rest>.*)")),
    ("value", re.compile(r"Invalid enum value '?(?P<value>.*?)'?(?P<rest> - at `.*|)")),
    ("value", re.compile(r"Invalid value '?(?P<value>.*?)'?(?P<rest> - at `.*|)")),
    ("share", re.compile(r"a share is written as .*, not `?(?P<value>.*?)`?(?P<rest> - at `.*|)")),
    ("kind", re.compile(r"Expected `(?P<wanted>\w+)(?: \| null)?`, got `[^`]*`(?P<rest>.*)")),
    ("toml", re.compile(r".*\(at line (?P<line>\d+), column (?P<column>\d+)\)")),
    ("toml_end", re.compile(r".*\(at end of document\)")),
)
_PLACE = re.compile(r" - at `\$\.?(?P<place>[^`]*)`")


def unreadable(code: str, error: Exception) -> Malformed:
    """The refusal of a document that a reader gave up on with this error; `reason` is one line in its words."""
    reason = " ".join(str(error).split())
    return Malformed(code, reason=reason, **_fault(reason))


def too_long(code: str, most: int) -> Malformed:
    """The refusal of a document that has more characters than `most`."""
    return Malformed(code, reason=f"more than {most} characters", fault="too_long", most=most)


def _fault(reason: str) -> dict[str, Param]:
    for fault, words in _WORDS:
        if match := words.fullmatch(reason):
            named = {name: text for name, text in match.groupdict().items() if name != "rest"}
            place = _PLACE.search(match.groupdict().get("rest") or "")
            return {"fault": fault, **named, "place": (place and place["place"]) or "document"}
    return {}
