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

    def moment(self, day: str, hour: str, field: str) -> datetime | None:
        """A day and an hour on the centres' clock. Both must be there: no hour is guessed."""
        date, minute = self.read(typed_date, day, field), self.read(typed_clock, hour, field)
        return None if date is None or minute is None else instant(date, minute)


class SpansForm(msgspec.Struct, frozen=True, kw_only=True):
    """Intervals or windows: from a day and an hour until a day and an hour, row by row."""

    from_date: Several = []
    from_clock: Several = []
    until_date: Several = []
    until_clock: Several = []

    @property
    def rows(self) -> list[SpanRow]:
        """What was typed, with rows to spare."""
        columns = [several(each) for each in (self.from_date, self.from_clock, self.until_date, self.until_clock)]
        rows = [SpanRow(*(_at(column, at) for column in columns)) for at in range(max(map(len, columns)))]
        filled = [row for row in rows if not row.is_empty]
        return filled + [SpanRow()] * max(SPARE_ROWS, LEAST_ROWS - len(filled))


class RoundForm(SpansForm, frozen=True, kw_only=True):
    """Each date of the round is typed as a day and an hour: `opens_date` and `opens_clock`."""

    code: str = ""
    title_vi: str = ""
    title_en: str = ""
    opens_date: str = ""
    opens_clock: str = ""
    closes_date: str = ""
    closes_clock: str = ""
    publishes_date: str = ""
    publishes_clock: str = ""
    starts_date: str = ""
    starts_clock: str = ""
    ends_date: str = ""
    ends_clock: str = ""
    slot_minutes: str = "30"
    instruments: Several = []
    version: int = 0

    def offers_of(self, instrument_id: str) -> bool:
        return instrument_id in several(self.instruments)


class RequestForm(SpansForm, frozen=True, kw_only=True):
    project: str = ""
    purpose: str = ""
    sessions: str = "1"
    length: str = ""
    min_sessions: str = "1"
    capability: str = ""
    instruments: Several = []
    version: int = 0

    def names(self, instrument_id: str) -> bool:
        return instrument_id in several(self.instruments)


class SpanRow(msgspec.Struct, frozen=True):
    """One row of days and hours, as typed. The last day may be left out when it is the first one."""

    from_date: str = ""
    from_clock: str = ""
    until_date: str = ""
    until_clock: str = ""

    @property
    def is_empty(self) -> bool:
        return not any(text.strip() for text in (self.from_date, self.from_clock, self.until_date, self.until_clock))


def several(value: Several) -> list[str]:
    return [value] if isinstance(value, str) else value


# ---------------------------------------------------------------- reading


def read_round(form: RoundForm) -> tuple[NewRound | None, Faults]:
    """The round that was typed, or every fault. Without intervals everything is offered for the whole round."""
    faults = Faults()
    opens = faults.moment(form.opens_date, form.opens_clock, "opens")
    closes = faults.moment(form.closes_date, form.closes_clock, "closes")
    publishes = faults.moment(form.publishes_date, form.publishes_clock, "publishes")
    starts = faults.moment(form.starts_date, form.starts_clock, "starts")
    ends = faults.moment(form.ends_date, form.ends_clock, "ends")
    slot = faults.read(typed_number, form.slot_minutes, "slot_minutes")
    spans = _read_spans(faults, form.rows)
    if opens is None or closes is None or publishes is None or starts is None or ends is None or slot is None:
        return None, faults
    if ends <= starts:
        faults["ends"] = Refusal(code="reversed_time")
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
    windows = _read_spans(faults, form.rows)
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


def _read_spans(faults: Faults, rows: Iterable[SpanRow]) -> list[Span]:
    """The rows that hold anything, as spans; one that cannot be read is the fault of them all."""
    found: list[Span] = []
    for row in rows:
        if row.is_empty:
            continue
        start = faults.moment(row.from_date, row.from_clock, "spans")
        end = faults.moment(row.until_date if row.until_date.strip() else row.from_date, row.until_clock, "spans")
        if start is not None and end is not None:
            if end <= start:
                faults["spans"] = Refusal(code="reversed_time")
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
        opens_date=day_of(r.opens_at),
        opens_clock=formats.clock(r.opens_at),
        closes_date=day_of(r.closes_at),
        closes_clock=formats.clock(r.closes_at),
        publishes_date=day_of(r.publishes_at),
        publishes_clock=formats.clock(r.publishes_at),
        starts_date=day_of(r.starts_at),
        starts_clock=formats.clock(r.starts_at),
        ends_date=day_of(r.ends_at),
        ends_clock=formats.clock(r.ends_at),
        slot_minutes=str(r.slot_minutes),
        instruments=sorted({codes[offer.instrument_number] for offer in offers}),
        **_columns(shown),
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
        **_columns(request.windows),
        version=request.version,
    )


def day_of(moment: datetime) -> str:
    """The day as a date field holds it, on the centres' clock."""
    return formats.local(moment).date().isoformat()


def _columns(spans: Iterable[Span]) -> dict[str, Several]:
    """Spans as the columns of a form's rows."""
    listed = list(spans)
    return {
        "from_date": [day_of(span.start) for span in listed],
        "from_clock": [formats.clock(span.start) for span in listed],
        "until_date": [day_of(span.end) for span in listed],
        "until_clock": [formats.clock(span.end) for span in listed],
    }


def _at(texts: Sequence[str], at: int) -> str:
    return texts[at] if at < len(texts) else ""
