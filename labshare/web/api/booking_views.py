"""A booking as the API answers with it: whole for its people, masked in a calendar, and with what is told of a new one.

What must not live here: who may see it (services/bookings.py), or paths (bookings.py).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from labshare.domain.bookings import Booking, BookingKind, BookingState
from labshare.domain.modes import Mode
from labshare.domain.people import Action, Actor, may
from labshare.services import Connection
from labshare.services import bookings as service
from labshare.services.booking_warnings import warnings
from labshare.services.bookings import Booked, BookingLine
from labshare.services.calendars import CalendarEntry
from labshare.web.api.schema import ProblemRefusal, told


class BookingView(msgspec.Struct, frozen=True, kw_only=True):
    """A booking. In a calendar, one that the caller may not see whole has times, kind, instrument and set-up alone, and
    says whether it is only held.
    """

    id: UUID | None
    instrument: str
    starts_at: datetime
    ends_at: datetime
    kind: BookingKind
    state: BookingState | None = None
    project: str | None = None
    purpose: str | None = None
    # Who uses it, and who booked it for them when that is somebody else; by name.
    person: str | None = None
    booked_by: str | None = None
    # Who runs the instrument, and how it is set up, which everybody may know.
    mode: Mode | None = None
    setup: str = ""
    # Until when a hold keeps the time.
    held_until: datetime | None = None
    # Until when the centre decides on it while it is pending, and what the centre said.
    decide_by: datetime | None = None
    decision_note: str | None = None
    # Who is present while its user is in training.
    trainer: UUID | None = None
    # Who of the staff runs the instrument or helps.
    operator: UUID | None = None
    # The series that it belongs to.
    series: UUID | None = None
    # Why the centre's own rules were passed for it; for those who manage its calendar.
    override_reason: str | None = None
    version: int | None = None


class MadeBooking(BookingView, frozen=True, kw_only=True):
    """A booking that was just made or changed. It stands; `notices` say of which agreed shares it goes beyond, that the
    caller's qualification ends soon, and to how many bookings they did not come by the rules of the centre.
    """

    notices: tuple[ProblemRefusal, ...] = ()


class BookingList(msgspec.Struct, frozen=True, kw_only=True):
    """One page. `next` is the path of the next one, None on the last; a calendar is one page."""

    items: tuple[BookingView, ...]
    next: str | None = None


class MadeBookings(msgspec.Struct, frozen=True, kw_only=True):
    """Bookings that were just made together, in the order of the wishes."""

    items: tuple[MadeBooking, ...]


def made(db: Connection, me: Actor, booking_id: UUID, now: datetime) -> MadeBooking:
    line = service.show(db, me, booking_id)
    said = tuple(told(each) for each in warnings(db, me, line.booking, now))
    return MadeBooking(**msgspec.structs.asdict(line_view(me, line)), notices=said)


def made_of(db: Connection, me: Actor, new: Booked, now: datetime) -> MadeBooking:
    """The same of one's own that was just made, with no query where nothing is to be told; who books for somebody else,
    or with a trainer, is told names, too, and what nobody has read yet.
    """
    booking, payer = new.booking, new.payer
    if booking.person_id != me.person_id or booking.trainer_id or payer.wish is None or payer.project is None:
        return made(db, me, booking.id, now)
    names = {"instrument": new.rules.id, "project": payer.project.code, "person": me.name}
    said = tuple(told(each) for each in warnings(db, me, booking, now, new))
    view = _view(booking, **names, override_reason=booking.override_reason or None)
    return MadeBooking(**msgspec.structs.asdict(view), notices=said)


def line_view(me: Actor, line: BookingLine) -> BookingView:
    """One booking as its reader may see it."""
    booking = line.booking
    manages = may(me, Action.MANAGE_CALENDAR, centre=line.centre_id)
    has_other = booking.booked_by_id not in (None, booking.person_id)
    return _view(
        booking,
        instrument=line.instrument_id,
        project=line.project,
        person=line.person,
        booked_by=line.booked_by if has_other else None,
        override_reason=(booking.override_reason or None) if manages else None,
    )


def _view(booking: Booking, **said: Any) -> BookingView:
    """What stands on the booking, with what is `said` besides: names, and who may read them decides."""
    return BookingView(
        id=booking.id,
        starts_at=booking.starts_at,
        ends_at=booking.ends_at,
        kind=booking.kind,
        state=booking.state,
        purpose=booking.purpose,
        mode=booking.mode if booking.kind is BookingKind.USE else None,
        setup=booking.setup,
        held_until=booking.hold_expires_at if booking.state is BookingState.HELD else None,
        decide_by=booking.hold_expires_at if booking.state is BookingState.PENDING else None,
        decision_note=booking.decision_note,
        trainer=booking.trainer_id,
        operator=booking.operator_id,
        series=booking.series_id,
        version=booking.version,
        **said,
    )


def masked(entry: CalendarEntry, instrument: str) -> BookingView:
    return BookingView(
        id=entry.id,
        instrument=instrument,
        starts_at=entry.starts_at,
        ends_at=entry.ends_at,
        kind=entry.kind,
        state=BookingState.HELD if entry.is_held else entry.state,
        project=entry.project,
        purpose=entry.purpose,
        person=entry.person,
        mode=entry.mode if entry.kind is BookingKind.USE else None,
        setup=entry.setup,
    )
