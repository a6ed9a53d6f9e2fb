"""The forms of rounds and of requests for time: what was typed, as values, with faults at their fields.

What must not live here: rules. Whatever can be read is handed to the services, which refuse with reasons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import msgspec

from labshare import formats
from labshare.domain.opening import clock
from labshare.domain.rounds import Offer, Round
from labshare.domain.time_requests import TimeRequest
from labshare.domain.timespan import Span
from labshare.errors import Malformed, Refusal
from labshare.services.rounds import NewRound
from labshare.services.time_requests import RequestWish
from labshare.web.typed import instant, typed_clock, typed_date, typed_length

T = TypeVar("T")
# One box that is ticked arrives as text, several as a list.
Several = list[str] | str
# Rows of windows or intervals that a form shows empty, beside those that are filled.
SPARE_ROWS, LEAST_ROWS = 1, 3
LARGEST_NUMBER = 10_000


class Faults(dict[str, Refusal]):
    """What could not be read, by the name of its field."""

    def read(self, how: Callable[[str, str], T], text: str, field: str) -> T | None:
        """The text as `how` reads it, or None with its fault kept."""
        try:
            if not text.strip():
                raise Malformed("field_empty")
            return how(text, field)
        except Malformed as error:
            self[field] = error.refusals[0]
            return None


class RoundForm(msgspec.Struct, frozen=True, kw_only=True):
    code: str = ""
    title_vi: str = ""
    title_en: str = ""
    opens_at: str = ""
    closes_at: str = ""
    publishes_at: str = ""
    starts_at: str = ""
    ends_at: str = ""
    slot_minutes: str = "30"
    instruments: Several = []
    offer_from: Several = []
    offer_until: Several = []
    version: int = 0

    @property
    def intervals(self) -> list[tuple[str, str]]:
        """The typed intervals, with rows to spare."""
        return _rows(self.offer_from, self.offer_until)

    def offers_of(self, instrument_id: str) -> bool:
        return instrument_id in several(self.instruments)


class RequestForm(msgspec.Struct, frozen=True, kw_only=True):
    project: str = ""
    purpose: str = ""
    sessions: str = "1"
    length: str = ""
    min_sessions: str = "1"
    capability: str = ""
    instruments: Several = []
    window_from: Several = []
    window_until: Several = []
    version: int = 0

    @property
    def windows(self) -> list[tuple[str, str]]:
        """The typed windows, with rows to spare."""
        return _rows(self.window_from, self.window_until)

    def names(self, instrument_id: str) -> bool:
        return instrument_id in several(self.instruments)


def several(value: Several) -> list[str]:
    return [value] if isinstance(value, str) else value


# ---------------------------------------------------------------- reading


def read_round(form: RoundForm) -> tuple[NewRound | None, Faults]:
    """The round that was typed, or every fault. Without intervals everything is offered for the whole round."""
    faults = Faults()
    opens = faults.read(typed_moment, form.opens_at, "opens_at")
    closes = faults.read(typed_moment, form.closes_at, "closes_at")
    publishes = faults.read(typed_moment, form.publishes_at, "publishes_at")
    starts = faults.read(typed_moment, form.starts_at, "starts_at")
    ends = faults.read(typed_moment, form.ends_at, "ends_at")
    slot = faults.read(typed_number, form.slot_minutes, "slot_minutes")
    spans = _read_spans(faults, form.intervals, "offers")
    if opens is None or closes is None or publishes is None or starts is None or ends is None or slot is None:
        return None, faults
    if ends <= starts:
        faults["ends_at"] = Refusal(code="reversed_time")
    if faults:
        return None, faults
    whole = spans or [Span(starts, ends)]
    return (
        NewRound(
            code=form.code,
            title_vi=form.title_vi,
            title_en=form.title_en,
            opens_at=opens,
            closes_at=closes,
            publishes_at=publishes,
            starts_at=starts,
            ends_at=ends,
            slot_minutes=slot,
            offers=tuple((instrument, span) for instrument in several(form.instruments) for span in whole),
        ),
        faults,
    )


def read_request(form: RequestForm) -> tuple[RequestWish | None, Faults]:
    """The request that was typed, or every fault."""
    faults = Faults()
    project = faults.read(_typed_id, form.project, "project")
    sessions = faults.read(typed_number, form.sessions, "sessions")
    length = faults.read(typed_length, form.length, "length")
    least = faults.read(typed_number, form.min_sessions, "min_sessions")
    windows = _read_spans(faults, form.windows, "windows")
    if faults or project is None or sessions is None or length is None or least is None:
        return None, faults
    return (
        RequestWish(
            project_id=project,
            purpose=form.purpose,
            sessions=sessions,
            session_minutes=length,
            min_sessions=least,
            instrument_ids=tuple(several(form.instruments)),
            capability_id=form.capability or None,
            windows=tuple(windows),
        ),
        faults,
    )


def typed_moment(text: str, field: str) -> datetime:
    """A day and an hour on the centres' clock, as a browser sends it (2026-11-30T08:00) or as people write it."""
    day, _, hour = text.strip().replace("T", " ").partition(" ")
    return instant(typed_date(day, field), typed_clock(hour or "0", field))


def typed_number(text: str, field: str) -> int:
    """A whole number from 0 on. Raises `Malformed` naming the field."""
    text = text.strip()
    if not (text.isascii() and text.isdigit() and int(text) <= LARGEST_NUMBER):
        raise Malformed("malformed_number", field=field)
    return int(text)


def _typed_id(text: str, field: str) -> UUID:
    try:
        return UUID(text.strip())
    except ValueError:
        raise Malformed("malformed_field", field=field) from None


def _read_spans(faults: Faults, rows: Iterable[tuple[str, str]], field: str) -> list[Span]:
    """The rows that hold anything, as spans; one that cannot be read is the fault of the whole field."""
    found: list[Span] = []
    for start_text, end_text in rows:
        if not (start_text.strip() or end_text.strip()):
            continue
        start, end = faults.read(typed_moment, start_text, field), faults.read(typed_moment, end_text, field)
        if start is not None and end is not None:
            if end <= start:
                faults[field] = Refusal(code="reversed_time")
            else:
                found.append(Span(start, end))
    return found


# ---------------------------------------------------------------- showing


def form_of_round(r: Round, offers: Sequence[Offer], codes: dict[int, str]) -> RoundForm:
    """The form as it would have been typed. Intervals are shown once: a form offers them for all its instruments."""
    spans = sorted({offer.span for offer in offers})
    shown = [] if spans == [r.horizon] else spans
    return RoundForm(
        code=r.code,
        title_vi=r.title_vi,
        title_en=r.title_en,
        opens_at=typed(r.opens_at),
        closes_at=typed(r.closes_at),
        publishes_at=typed(r.publishes_at),
        starts_at=typed(r.starts_at),
        ends_at=typed(r.ends_at),
        slot_minutes=str(r.slot_minutes),
        instruments=sorted({codes[offer.instrument_number] for offer in offers}),
        offer_from=[typed(span.start) for span in shown],
        offer_until=[typed(span.end) for span in shown],
        version=r.version,
    )


def form_of_request(request: TimeRequest, codes: dict[int, str]) -> RequestForm:
    """The form as it would have been typed."""
    return RequestForm(
        project=str(request.project_id),
        purpose=request.purpose,
        sessions=str(request.sessions),
        length=clock(request.session_minutes),
        min_sessions=str(request.min_sessions),
        capability=request.capability_id or "",
        instruments=[codes[number] for number in request.instrument_numbers if number in codes],
        window_from=[typed(window.start) for window in request.windows],
        window_until=[typed(window.end) for window in request.windows],
        version=request.version,
    )


def typed(moment: datetime) -> str:
    """As a browser's field holds it, on the centres' clock."""
    return formats.local(moment).strftime("%Y-%m-%dT%H:%M")


def _rows(starts: Several, ends: Several) -> list[tuple[str, str]]:
    begins, finishes = several(starts), several(ends)
    count = max(len(begins), len(finishes))
    rows = [(_at(begins, at), _at(finishes, at)) for at in range(count)]
    filled = [row for row in rows if any(text.strip() for text in row)]
    return filled + [("", "")] * max(SPARE_ROWS, LEAST_ROWS - len(filled))


def _at(texts: Sequence[str], at: int) -> str:
    return texts[at] if at < len(texts) else ""
