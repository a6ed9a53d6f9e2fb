"""Bookings as lines of a list: on the page of my bookings, and what the home page says of them.

What must not live here: the calendar's blocks (blocks.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from labshare import formats
from labshare.domain.bookings import BookingKind
from labshare.domain.modes import Mode
from labshare.domain.people import Action, Actor, may
from labshare.domain.timespan import MINUTE
from labshare.i18n import gettext, language, word
from labshare.services import Connection, bookings, free_times, modes, usage
from labshare.services.bookings import BookingLine
from labshare.web.blocks import USUAL_MINUTES
from labshare.web.booking_forms import booking_address
from labshare.web.sections import Line, Section

LINES_AT_HOME = 5
# The instruments somebody used lately are the ones they will want again.
LATELY = timedelta(days=60)
INSTRUMENTS_AT_HOME = 3


class BookingItem(msgspec.Struct, frozen=True):
    """One booking in a list, in words; `state` is the value of its state, `repeats` whether it is one of a series."""

    time: str
    title: str
    detail: str
    href: str
    state: str
    repeats: bool


def by_day(lines: list[BookingLine]) -> list[tuple[str, list[BookingItem]]]:
    """The lines under the local day on which each begins, in the order in which they came."""
    days: dict[str, list[BookingItem]] = {}
    for line in lines:
        days.setdefault(formats.day(line.booking.starts_at), []).append(_item(line))
    return list(days.items())


def firm(lines: list[BookingLine]) -> list[BookingLine]:
    """Without what an open form keeps for some minutes: it is no booking yet."""
    return [line for line in lines if not line.booking.form_hold]


def next_bookings(db: Connection, actor: Actor, now: datetime) -> Section | None:
    """For the home page: the bookings of this person that are still to come or go on."""
    if not may(actor, Action.BOOK):
        return None
    lines = firm(bookings.mine(db, actor, now))
    return Section(
        title=gettext("My next bookings"),
        icon="calendar-days",
        lines=tuple(_line(line) for line in lines[:LINES_AT_HOME]),
        total=len(lines),
        more="/bookings" if lines else "",
        empty=gettext("No booking is ahead of you. Find an instrument and book its time."),
    )


def staffed(db: Connection, actor: Actor, now: datetime) -> Section | None:
    """For the home page of a manager: the uses of the coming two weeks that need the staff."""
    lines = modes.staffed(db, actor, now)
    if not lines:
        return None
    return Section(title=gettext("Uses that need your staff"), icon="users", lines=tuple(map(_staffed_line, lines)))


def next_free(db: Connection, actor: Actor, now: datetime) -> Section | None:
    """For the home page: the next free slot on each instrument that this person used or booked lately."""
    if not may(actor, Action.BOOK):
        return None
    latest = {line.instrument_id: line for line in bookings.mine(db, actor, now - LATELY)}
    mine = sorted(latest.values(), key=lambda line: line.booking.starts_at, reverse=True)[:INSTRUMENTS_AT_HOME]
    down = usage.down_since(db, [line.booking.instrument_number for line in mine])
    lines = [found for line in mine if (found := _free_line(db, actor, line, now, down)) is not None]
    if not lines:
        return None
    return Section(title=gettext("Next free on instruments you use"), icon="clock", lines=tuple(lines))


def _free_line(
    db: Connection, actor: Actor, line: BookingLine, now: datetime, down: Mapping[int, datetime]
) -> Line | None:
    number = line.booking.instrument_number
    found = free_times.next_free(db, actor.person_id, number, USUAL_MINUTES, now)
    if found is None:
        return None
    href = booking_address(line.instrument_id, found)
    detail = formats.span(found.start, found.end)
    return Line(href=href, title=_instrument(line), detail=detail, down_since=down.get(number))


def _staffed_line(line: BookingLine) -> Line:
    booking = line.booking
    operator = gettext("Operator: %(name)s") % {"name": line.operator} if line.operator else gettext("no operator yet")
    said = (formats.span(booking.starts_at, booking.ends_at), line.person, line.project, booking.setup, operator)
    return Line(
        href=f"/bookings/{booking.id}",
        title=f"{_instrument(line)}: {word('mode_said', booking.mode)}",
        detail=" · ".join(filter(None, said)),
        state=("booking_state", booking.state.value),
    )


def _line(line: BookingLine) -> Line:
    booking = line.booking
    return Line(
        href=f"/bookings/{booking.id}",
        title=_instrument(line),
        detail=" · ".join(filter(None, (formats.span(booking.starts_at, booking.ends_at), *attended_by(line)))),
        state=("booking_state", booking.state.value),
    )


def _item(line: BookingLine) -> BookingItem:
    booking = line.booking
    start, end = formats.local(booking.starts_at), formats.local(booking.ends_at)
    is_one_day = (end - MINUTE).date() == start.date()
    until = formats.clock(end) if is_one_day else f"{formats.clock(end)} {formats.short_date(end)}"
    what = booking.purpose if booking.kind is BookingKind.USE else word("booking_kind", booking.kind)
    return BookingItem(
        time=f"{formats.clock(start)}–{until}",
        title=_instrument(line),
        detail=" · ".join(filter(None, (*attended_by(line), what, line.project, *_forms(line)))),
        href=f"/bookings/{booking.id}",
        state=booking.state.value,
        repeats=booking.series_id is not None,
    )


def _forms(line: BookingLine) -> list[str]:
    """How the booking is not as usual: who runs the instrument, how it is set up, who booked it for its user."""
    booking = line.booking
    mode = word("mode_said", booking.mode) if booking.mode is not Mode.SELF else ""
    has_other = booking.booked_by_id not in (None, booking.person_id) and booking.kind is BookingKind.USE
    by = gettext("booked by %(name)s") % {"name": line.booked_by} if has_other and line.booked_by else ""
    return [mode, booking.setup, by]


def for_others(lines: list[BookingLine]) -> list[BookingItem]:
    """Bookings for other people as lines that say for whom and on which day."""
    return [
        msgspec.structs.replace(
            _item(line),
            time=formats.span(line.booking.starts_at, line.booking.ends_at),
            detail=" · ".join(filter(None, (line.person, line.project, line.booking.purpose))),
        )
        for line in lines
    ]


def attended_by(line: BookingLine) -> list[str]:
    """That somebody is in training, or has the staff run it, and with whom; nothing for a use by oneself."""
    names = {"person": line.person or "–", "trainer": line.trainer, "operator": line.operator}
    training = gettext("In training: %(person)s; trainer: %(trainer)s") % names if line.trainer else ""
    return [training, gettext("Operator: %(operator)s, for %(person)s") % names if line.operator else ""]


def _instrument(line: BookingLine) -> str:
    return line.instrument_vi if language() == "vi" else line.instrument_en
