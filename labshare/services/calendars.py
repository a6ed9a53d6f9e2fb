"""Looking at instrument time: calendars and boards as a reader may see them.

Nothing here writes or locks. What must not live here: changing a booking (bookings.py), where a wish would fit
(free_times.py), or what is masked from whom (store/calendars.py does that in the query).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta

import msgspec

from labshare.domain.bookings import InstrumentRules, KeptTime
from labshare.domain.opening import Hours, open_spans
from labshare.domain.people import Action, Actor, may
from labshare.domain.standing_rules import cut_off_hours, furthest_days, hours_on_dates
from labshare.domain.timespan import Span
from labshare.errors import NotFound
from labshare.services import usage
from labshare.services.holidays import closed_dates
from labshare.store import bookings as bookings_store
from labshare.store import calendars as store
from labshare.store import rounds as rounds_store
from labshare.store.engine import Connection
from labshare.store.rulebooks import with_posted

# Longer than any run of public holidays.
LOOKED_AHEAD = timedelta(days=21)
# What the functions below hand out; pages name these types, and never the store.
CalendarEntry = store.CalendarEntry
Occupied = store.Occupied


class Calendar(msgspec.Struct, frozen=True, kw_only=True):
    """Instruments over a span, as one reader may see them: what occupies, opens and keeps them.

    `cut_off`, of those for which a rule says so, is how many hours ahead a use must be booked; `furthest`, how many
    days ahead it must be over, where that is nearer than the instrument's own limit. A board says `down_since`, too, of
    those that are down.
    """

    span: Span
    instruments: tuple[InstrumentRules, ...]
    entries: dict[int, list[store.CalendarEntry]]
    opened: dict[int, list[Span]]
    kept: dict[int, list[KeptTime]]
    cut_off: dict[int, int] = {}
    furthest: dict[int, int] = {}
    down_since: dict[int, datetime] = {}


def calendar(db: Connection, actor: Actor | None, numbers: Sequence[int], span: Span) -> Calendar:
    """The calendars of a few instruments, masked for this reader. Five queries, however many instruments."""
    return _calendar(db, actor, tuple(bookings_store.rules_of(db, numbers).values()), span)


def board(db: Connection, actor: Actor | None, centre_id: str, span: Span) -> Calendar:
    """Every instrument of a centre that is booked by time, over a day or a week."""
    found = _calendar(db, actor, tuple(bookings_store.rules_of_centre(db, centre_id)), span)
    return msgspec.structs.replace(found, down_since=usage.down_since(db, found.entries))


class Occupancy(msgspec.Struct, frozen=True, kw_only=True):
    """A centre's instruments over a span, without names: what is occupied, open and kept, and what is one's own.

    `cut_off`, `furthest` and `down_since` as in a `Calendar`.
    """

    span: Span
    instruments: tuple[InstrumentRules, ...]
    occupied: dict[int, list[store.Occupied]]
    opened: dict[int, list[Span]]
    kept: dict[int, list[KeptTime]]
    cut_off: dict[int, int] = {}
    furthest: dict[int, int] = {}
    down_since: dict[int, datetime] = {}


def occupancy(db: Connection, actor: Actor | None, centre_id: str, span: Span) -> Occupancy:
    """The same instruments as `board` has, for a picture of many days: five queries, and no names among the rows."""
    rules = tuple(bookings_store.rules_of_centre(db, centre_id))
    numbers = [each.number for each in rules]
    occupied: dict[int, list[store.Occupied]] = {number: [] for number in numbers}
    for row in store.occupancy(db, numbers, span, viewer(actor)):
        occupied[row.instrument_number].append(row)
    opened, cut_off, furthest = _hours(db, rules, span)
    return Occupancy(
        span=span,
        instruments=rules,
        occupied=occupied,
        opened=opened,
        kept=_kept_of(db, numbers, span),
        cut_off=cut_off,
        furthest=furthest,
        down_since=usage.down_since(db, numbers),
    )


def _calendar(db: Connection, actor: Actor | None, rules: tuple[InstrumentRules, ...], span: Span) -> Calendar:
    numbers = [each.number for each in rules]
    entries: dict[int, list[store.CalendarEntry]] = {number: [] for number in numbers}
    for entry in store.calendar(db, numbers, span, viewer(actor)):
        entries[entry.instrument_number].append(entry)
    opened, cut_off, furthest = _hours(db, rules, span)
    return Calendar(
        span=span,
        instruments=rules,
        entries=entries,
        opened=opened,
        kept=_kept_of(db, numbers, span),
        cut_off=cut_off,
        furthest=furthest,
    )


def _kept_of(db: Connection, numbers: Sequence[int], span: Span) -> dict[int, list[KeptTime]]:
    kept: dict[int, list[KeptTime]] = {number: [] for number in numbers}
    for offer in rounds_store.offers_over(db, numbers, span):
        kept[offer.instrument_number].append(kept_time(offer))
    return kept


def _hours(
    db: Connection, rules: Iterable[InstrumentRules], span: Span
) -> tuple[dict[int, list[Span]], dict[int, int], dict[int, int]]:
    """The open hours of each instrument, its cut-off, and how far ahead it is booked; those that keep the same hours
    share one list.
    """
    book, closed = with_posted(db), closed_dates_over(span)
    found: dict[tuple[object, ...], list[Span]] = {}
    opened: dict[int, list[Span]] = {}
    cut_off: dict[int, int] = {}
    furthest: dict[int, int] = {}
    for each in rules:
        posted = book.posted_at(each.site)
        if hours_ahead := cut_off_hours(posted):
            cut_off[each.number] = hours_ahead
        if (days_ahead := furthest_days(posted)) is not None and days_ahead < each.advance_days:
            furthest[each.number] = days_ahead
        dated = hours_on_dates(posted)
        hours = (each.opening, each.timezone, *sorted(dated.items()))
        if hours not in found:
            found[hours] = open_spans_of(each, span, closed, dated)
        opened[each.number] = found[hours]
    return opened, cut_off, furthest


def rules_of(db: Connection, instrument_id: str) -> InstrumentRules:
    """What booking needs to know of one instrument, by its code. Raises `NotFound`."""
    number = bookings_store.instrument_number(db, instrument_id)
    return bookings_store.rules_of(db, [number])[number]


def versions(db: Connection, instrument_ids: Sequence[str]) -> dict[str, int]:
    """The version of each instrument's calendar, in the order asked for. Raises `NotFound` for an unknown code."""
    found = store.versions(db, instrument_ids)
    for instrument_id in instrument_ids:
        if instrument_id not in found:
            raise NotFound("instrument_not_found", instrument=instrument_id)
    return {instrument_id: found[instrument_id] for instrument_id in instrument_ids}


def viewer(actor: Actor | None) -> store.Viewer:
    """Whose eyes the calendar query masks for."""
    if actor is None:
        return store.Viewer(person_id=None)
    return store.Viewer(person_id=actor.person_id, centre_ids=actor.centre_ids, sees_all=may(actor, Action.SEE_BOOKING))


def next_open(db: Connection, rules: Iterable[InstrumentRules], now: datetime) -> datetime:
    """From when on the first of these instruments is open: now where one is, or where none will be soon."""
    opened, _, _ = _hours(db, rules, Span(now, now + LOOKED_AHEAD))
    return min((spans[0].start for spans in opened.values() if spans), default=now)


def next_open_at(db: Connection, centre_id: str, now: datetime) -> datetime:
    """The same for all instruments of a centre that are booked by time."""
    return next_open(db, bookings_store.rules_of_centre(db, centre_id), now)


def closed_dates_over(span: Span) -> frozenset[date]:
    """Public holidays on every local day that the span touches, whatever the centre's zone."""
    return closed_dates((span.start - timedelta(days=1)).date(), (span.end + timedelta(days=1)).date())


def open_spans_of(
    rules: InstrumentRules, span: Span, closed: frozenset[date], dated: Mapping[date, Hours] | None = None
) -> list[Span]:
    return open_spans(rules.opening, span, rules.timezone, closed, dated)


def kept_time(offer: rounds_store.KeptOffer) -> KeptTime:
    return KeptTime(span=offer.span, round_code=offer.round_code, freed_at=offer.freed_at)
