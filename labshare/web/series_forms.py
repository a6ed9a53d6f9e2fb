"""Forms about repeating bookings: the rule that was typed, how much of a series a change is about, and both in words.

What must not live here: what becomes of the dates (services/series.py).
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from uuid import UUID

import msgspec
from msgspec import UNSET

from labshare import formats
from labshare.domain.bookings import Booking
from labshare.domain.people import Actor
from labshare.domain.series import Conflicts, Frequency, Reach, Repeat, from_rrule
from labshare.domain.timespan import Span
from labshare.errors import Malformed, Refusal
from labshare.i18n import gettext
from labshare.sentences import sentence
from labshare.services import Connection, bookings, series
from labshare.services.bookings import BookingLine
from labshare.web.booking_forms import BookingForm, ChangeForm, Faults, read_mode, read_operator, read_version
from labshare.web.typed import typed_date

_MONDAY = date(2026, 11, 23)
_DAYS = ("mo", "tu", "we", "th", "fr", "sa", "su")


class SeriesForm(BookingForm, frozen=True, kw_only=True):
    """A booking that repeats, with what becomes of dates that are refused."""

    conflicts: str = Conflicts.SKIP.value


class SeriesDate(msgspec.Struct, frozen=True):
    """One booking of a series, as a line: its words, its page, the value of its state, and whether one looks at it."""

    words: str
    href: str
    state: str
    is_here: bool


class SeriesSection(msgspec.Struct, frozen=True):
    """What a booking's page says of its series; `version` goes into its forms."""

    words: str
    version: int
    dates: tuple[SeriesDate, ...]


def read_repeat(form: BookingForm, faults: Faults) -> Repeat | None:
    """The rule that was typed, or None with the fault at its field."""
    try:
        return Repeat(
            frequency=_frequency(form.frequency),
            interval=_number(form.interval or "1", "interval"),
            weekdays=tuple(place for place, day in enumerate(_DAYS) if getattr(form, day))
            if form.frequency == Frequency.WEEKLY
            else (),
            until=typed_date(form.repeat_until, "repeat_until") if form.repeat_until.strip() else None,
            count=_number(form.count, "count") if form.count.strip() else None,
        )
    except Malformed as fault:
        faults |= faults_of(fault)
        return None


def faults_of(fault: Malformed) -> Faults:
    """A rule that cannot be kept, at the field that says so. Raises it again when it names none."""
    if "field" not in fault.params:
        raise fault
    return {str(fault.params["field"]): fault.refusals[0]}


def read_conflicts(text: str) -> Conflicts:
    try:
        return Conflicts(text)
    except ValueError:
        raise Malformed("malformed", field="conflicts") from None


def weekday_ticks(form: BookingForm) -> list[tuple[str, str, bool]]:
    """The boxes of the weekdays: field, word, whether it is ticked."""
    return [
        (day, formats.weekday(_MONDAY + timedelta(days=place)), bool(getattr(form, day)))
        for place, day in enumerate(_DAYS)
    ]


def in_words(repeat: Repeat) -> str:
    """In words, as: every 2 weeks, on Tue, Thu, until 31 Mar 2027."""
    parts = [_every(repeat)]
    if repeat.weekdays:
        days = ", ".join(formats.weekday(_MONDAY + timedelta(days=day)) for day in repeat.weekdays)
        parts.append(gettext("on %(days)s") % {"days": days})
    if repeat.until:
        parts.append(gettext("until %(date)s") % {"date": formats.date(repeat.until)})
    if repeat.count:
        parts.append(gettext("%(number)s times") % {"number": repeat.count})
    return ", ".join(parts)


# ---------------------------------------------------------------- one booking of a series


def move_as_asked(
    db: Connection, me: Actor, booking_id: UUID, span: Span, form: ChangeForm, now: datetime
) -> list[Booking]:
    """Move a booking, or as much of its series as the form says; returns what was moved."""
    reach, why = _reach(form.reach), form.override_reason
    mode, setup, operator_id = read_mode(form.mode, {}), form.setup, read_operator(form, {})
    if reach is Reach.ONE:
        seen = read_version(form.version)
        moved = bookings.move(
            db, me, booking_id, span, seen_version=seen, now=now, override=why, mode=mode, setup=setup,
            operator_id=operator_id,
        )  # fmt: skip
        return [moved]
    seen, shown = read_version(form.series_version), bookings.show(db, me, booking_id).booking
    # The others keep theirs, unless another was chosen than the form had.
    return series.move(
        db, me, booking_id, span, reach, seen_version=seen, now=now, override=why,
        mode=None if mode is shown.mode else mode, setup=None if setup == shown.setup else setup,
        operator_id=UNSET if operator_id == shown.operator_id else operator_id,
    )  # fmt: skip


def cancel_as_asked(db: Connection, me: Actor, booking_id: UUID, form: ChangeForm, now: datetime) -> int:
    """Cancel a booking, or as much of its series as the form says; returns how many."""
    reach = _reach(form.reach)
    if reach is Reach.ONE:
        bookings.cancel(db, me, booking_id, seen_version=read_version(form.version), now=now)
        return 1
    return len(series.cancel(db, me, booking_id, reach, seen_version=read_version(form.series_version), now=now))


def section_of(db: Connection, me: Actor, line: BookingLine) -> SeriesSection | None:
    """The series of a booking with all its dates."""
    if line.booking.series_id is None:
        return None
    found = series.show(db, me, line.booking.series_id)
    dates = tuple(
        SeriesDate(
            words=formats.span(each.starts_at, each.ends_at),
            href=f"/bookings/{each.id}",
            state=each.state.value,
            is_here=each.id == line.booking.id,
        )
        for each in found.bookings
    )
    rule = from_rrule(found.series.rrule, found.series.starts_at, line.timezone)
    return SeriesSection(words=in_words(rule), version=found.version, dates=dates)


def told_once(refusals: tuple[Refusal, ...]) -> tuple[Refusal, ...]:
    """Without those whose sentence stands before them: many dates are often refused for one reason."""
    return tuple({sentence(refusal): refusal for refusal in refusals}.values())


# ---------------------------------------------------------------- parts


def _frequency(text: str) -> Frequency:
    try:
        return Frequency(text)
    except ValueError:
        raise Malformed("malformed", field="frequency") from None


def _reach(text: str) -> Reach:
    try:
        return Reach(text)
    except ValueError:
        raise Malformed("malformed", field="reach") from None


def _number(text: str, field: str) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdecimal() and len(text) < 5):
        raise Malformed("malformed_number", field=field)
    return int(text)


def _every(repeat: Repeat) -> str:
    if repeat.interval == 1:
        once = {
            Frequency.DAILY: gettext("every day"),
            Frequency.WEEKLY: gettext("every week"),
            Frequency.MONTHLY: gettext("every month"),
        }
        return once[repeat.frequency]
    several = {
        Frequency.DAILY: gettext("every %(number)s days"),
        Frequency.WEEKLY: gettext("every %(number)s weeks"),
        Frequency.MONTHLY: gettext("every %(number)s months"),
    }
    return several[repeat.frequency] % {"number": repeat.interval}
