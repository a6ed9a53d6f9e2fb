"""Refusals and errors in words, in the language of the reader. Used by pages, the API, mail and the command line.

What must not live here: the sentences themselves; they stand in `locale/<language>/<noun>.po` under `refusal.<code>`.
"""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction

from labshare import formats
from labshare.errors import LabShareError, Param, Refusal
from labshare.i18n import gettext, has, language


def sentence(refusal: Refusal, *, for_program: bool = False) -> str:
    """A refusal as a sentence in the current language, with its times, lengths and words made readable. Who writes a
    program knows a field by the name that it sends, and not by that on a page.
    """
    template = gettext(f"refusal.{refusal.code}") if has(f"refusal.{refusal.code}") else refusal.code
    params = _Readable(refusal.params)
    if for_program and "field" in params:
        params["field"] = str(refusal.params["field"])
    return template % params


def worded(key: str, params: dict[str, Param]) -> str:
    """A sentence that stands under this key, with what it names made readable as in a refusal."""
    return gettext(key) % _Readable(params)


def sentences(error: LabShareError) -> list[str]:
    """Every reason that an error carries, in its order."""
    return [sentence(refusal) for refusal in error.refusals]


class _Readable(dict[str, str]):
    """Parameters as a person reads them. A sentence that names one which is missing shows a dash, never fails.

    A text that comes in both languages (`sentence_vi`, `sentence_en`) is named without the language: `%(sentence)s`. A
    number whose name does not say what it counts may be asked for with its noun: `%(most_bookings)s` is that of `most`.
    """

    def __init__(self, params: dict[str, Param]) -> None:
        super().__init__({name: readable(name, value) for name, value in params.items()})
        self._params = params
        if span := _as_span(params):
            self["span"] = span
        if end := _as_end(params):
            self["end"] = end
        # Where the reason has a sentence of its own, it stands for the words that a library found for it.
        if "fault" in params and has(sentence := f"document_fault.{params['fault']}"):
            self["reason"] = gettext(sentence) % self

    def __missing__(self, name: str) -> str:
        number, _, noun = name.rpartition("_")
        if noun in formats.NOUNS and isinstance(count := self._params.get(number), int):
            return formats.counted(count, noun)
        return self.get(f"{name}_{language()}", "–")


def readable(name: str, value: Param) -> str:
    """One parameter of a refusal. Its name says what it is: `*_minutes` a length, `*_days` and `*_hours` so many of
    them, `*_vnd` money, `*_permille` a share, `opening` hours.

    What has a word of its own (`access_class.industry`, `level.2`) is shown as that word; text that is an ISO 8601
    instant or date in the reader's zone and manner.
    """
    if has(f"{name}.{value}"):
        return gettext(f"{name}.{value}")
    if isinstance(value, int):
        if name.endswith("minutes"):
            return formats.duration(value)
        if (noun := name.rpartition("_")[2]) in {"days", "hours"}:
            return formats.counted(value, noun)
        if name.endswith("permille"):
            return formats.percent(Fraction(value, 1000))
        return formats.money(value) if name.endswith("vnd") else formats.number(value)
    if name == "opening":
        return formats.opening(value)
    return _as_time(value) or value


def _as_span(params: dict[str, Param]) -> str | None:
    """Parameters `from` and `until` together are one span, so that a sentence need not say its day twice."""
    try:
        start, end = (datetime.fromisoformat(str(params[name])) for name in ("from", "until"))
        return formats.span(start, end) if start.tzinfo and end.tzinfo else None
    except (KeyError, ValueError, OverflowError):
        return None


def _as_end(params: dict[str, Param]) -> str | None:
    """`until` as the end of what holds by days, for a sentence that says "until %(end)s"."""
    try:
        end = datetime.fromisoformat(str(params["until"]))
        return formats.end(end) if end.tzinfo else None
    except (KeyError, ValueError, OverflowError):
        return None


def _as_time(value: str) -> str | None:
    # Cheap test first: most texts are names, and a date always opens with a four-digit year.
    if not value[:4].isdigit() or value[4:5] != "-":
        return None
    try:
        moment = datetime.fromisoformat(value)
        if len(value) == len("2026-11-26"):
            return formats.date(moment.date())
        return formats.moment(moment) if moment.tzinfo else None
    # What somebody sent as a name may look like the last minute of the calendar, which is none in another zone.
    except (ValueError, OverflowError):
        return None
