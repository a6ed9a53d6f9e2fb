"""Moving a booking: by the form of its page, and by the dialog that asks after it was dragged on a calendar.

What must not live here: what may be moved where (services/moves.py), or how one drags (static/calendar).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from litestar import Response, Router, get, post
from litestar.params import FromPath

from labshare.domain.bookings import MOVABLE, Booking, InstrumentRules
from labshare.domain.people import Action, Actor, may
from labshare.domain.timespan import Span
from labshare.errors import LabShareError, Malformed, Refused, Stale, WrongState
from labshare.services import Connection, Database, booking_changes, bookings, calendars, moves, prices, usage
from labshare.services.bookings import BookingLine
from labshare.services.writing import undone
from labshare.web import given
from labshare.web.booking_forms import (
    ChangeForm,
    Faults,
    changes,
    notice_of,
    read_operator,
    read_override,
    read_slot,
    read_span,
    read_version,
    times_of,
    with_times,
)
from labshare.web.bookings import booking_page, offers_for_move
from labshare.web.clearances import write_or_hold_back
from labshare.web.errors import heading
from labshare.web.rendering import Form, Request, local_path, redirect, render, wants_fragment
from labshare.web.series_forms import move_as_asked, section_of, told_once
from labshare.web.templating import named

# Long enough to be one, for a move that is only tried.
SOME_REASON = "tried with a reason"


class MoveForm(ChangeForm, frozen=True, kw_only=True):
    """A move, perhaps to another instrument (its code); `here` is the page to come back to."""

    instrument: str = ""
    here: str = ""


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """A booking and what is to become of it: `span` on the instrument of `rules`."""

    line: BookingLine
    rules: InstrumentRules
    span: Span
    form: MoveForm
    is_late: bool

    @property
    def is_elsewhere(self) -> bool:
        return self.rules.id != self.line.instrument_id

    @property
    def is_length(self) -> bool:
        """Whether it stays where it begins."""
        return not self.is_elsewhere and self.span.start == self.line.booking.starts_at

    @property
    def before_name(self) -> str:
        return named(_Name(self.line.instrument_vi, self.line.instrument_en))

    @property
    def fields(self) -> dict[str, str]:
        """What the form of the dialog carries: what was seen, what is wanted, and where to come back to."""
        form = self.form
        seen = {"version": form.version, "seen_starts_at": form.seen_starts_at, "seen_ends_at": form.seen_ends_at}
        kept = {"seen_state": form.seen_state, "here": form.here, "mode": form.mode, "setup": form.setup}
        return seen | kept | self._wanted(self.span)

    @property
    def form_address(self) -> str:
        """The page where other times can be typed; another instrument is no matter of typing."""
        return address(self.line.booking.id, typed(times_of(self.span)))

    def address_at(self, span: Span) -> str:
        """The same proposal at other times, for the booking as it stands."""
        return address(self.line.booking.id, {"version": str(self.line.booking.version), **self._wanted(span)})

    def _wanted(self, span: Span) -> dict[str, str]:
        return typed(times_of(span)) | ({"instrument": self.rules.id} if self.is_elsewhere else {})


class _Name(msgspec.Struct, frozen=True):
    name_vi: str
    name_en: str


def typed(times: Mapping[str, str]) -> dict[str, str]:
    """The times by the names of their fields, without what is empty."""
    return {name.rstrip("_"): value for name, value in times.items() if value}


def address(booking_id: UUID, query: Mapping[str, str]) -> str:
    return f"/bookings/{booking_id}/move?{urlencode(query, safe=':')}"


@get("/bookings/{booking_id:uuid}/move", sync_to_thread=True)
def propose(
    request: Request, database: given.Database, me: given.Me, now: given.Now, booking_id: FromPath[UUID]
) -> Response[str]:
    """What would become of the booking, for the dialog; as a page of its own the booking with these times typed in."""
    form = msgspec.convert(dict(request.query_params), MoveForm)
    span, faults = read_span(form)
    if span is None or not wants_fragment(request):
        with database.read() as db:
            return booking_page(request, db, me, booking_id, now, form=form, faults=faults if form.date else None)
    form = msgspec.structs.replace(form, here=request.htmx.current_url_abs_path or "")
    return _proposal(
        request, database, me, booking_id, span, form, _tried(database, me, booking_id, span, form, now), now
    )


@post("/bookings/{booking_id:uuid}/move", sync_to_thread=True)
def move(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    booking_id: FromPath[UUID],
    data: Form[MoveForm],
) -> Response[str]:
    if data.slot:
        data = with_times(data, read_slot(data.slot))
        with database.read() as db:
            return booking_page(request, db, me, booking_id, now, form=data)
    span, faults = read_span(data)
    read_override(data.override_reason, faults)
    read_operator(data, faults)
    if span is not None and faults.keys() == {"override_reason"} and wants_fragment(request):
        error = _tried(database, me, booking_id, span, data, now)
        return _proposal(request, database, me, booking_id, span, data, error, now, faults)
    if faults or span is None:
        with database.read() as db:
            return booking_page(request, db, me, booking_id, now, form=data, faults=faults)
    try:
        with write_or_hold_back(database, me, now) as db:
            before, moved = _moved(db, me, booking_id, span, data, now)
    except (Refused, Stale, WrongState) as error:
        if wants_fragment(request):
            return _proposal(request, database, me, booking_id, span, data, error, now)
        with database.read() as db:
            return booking_page(request, db, me, booking_id, now, form=data, error=error, wanted=span)
    shown = booking_id if len(moved) > 1 else moved[0].id
    return redirect(request, local_path(data.here or f"/bookings/{shown}"), **_told(before, moved))


def _moved(
    db: Connection, me: Actor, booking_id: UUID, span: Span, form: MoveForm, now: datetime
) -> tuple[Booking, list[Booking]]:
    """Move the booking as the form says; returns it as it was, and what stands then: more than one of a series."""
    line, target = bookings.show(db, me, booking_id), _target(db, me, booking_id, form)
    if target.id == line.instrument_id:
        return line.booking, move_as_asked(db, me, booking_id, span, form, now)
    seen = read_version(form.version)
    said = moves.Said(override=form.override_reason)
    return line.booking, [moves.move_to(db, me, booking_id, target.number, span, said, seen_version=seen, now=now)]


def _told(before: Booking, moved: list[Booking]) -> dict[str, str]:
    """The notice that says what was done, with what it names."""
    if len(moved) > 1:
        return {"notice": "series_moved", "count": str(len(moved))}
    after = moved[0]
    if (after.span, after.instrument_number) == (before.span, before.instrument_number):
        return {"notice": "booking_changed"}
    done = "booking_moved" if after.span.minutes == before.span.minutes else "booking_resized"
    return notice_of(after, done, asked="booking_moved_asked")


def _tried(
    database: Database, me: Actor, booking_id: UUID, span: Span, form: MoveForm, now: datetime
) -> LabShareError | None:
    """What the move would be refused for, if it were made now."""
    try:
        with write_or_hold_back(database, me, now) as db:
            number = _target(db, me, booking_id, form).number
            moves.trial(db, me, booking_id, number, span, seen_version=read_version(form.version), now=now)
    except (Refused, Stale, WrongState) as error:
        return error
    return None


def _may_pass(database: Database, me: Actor, proposal: Proposal, error: LabShareError | None, now: datetime) -> bool:
    """Whether the reader may move it all the same with a reason: as who manages the calendar there, where nothing but
    the centre's own rules is in the way.
    """
    if not isinstance(error, Refused) or not may(me, Action.MANAGE_CALENDAR, centre=proposal.rules.centre_id):
        return False
    form = msgspec.structs.replace(proposal.form, override_reason=SOME_REASON)
    try:
        with database.write() as db, undone(db):
            _moved(db, me, proposal.line.booking.id, proposal.span, form, now)
    except (Refused, Stale, WrongState):
        return False
    return True


def _target(db: Connection, me: Actor, booking_id: UUID, form: MoveForm) -> InstrumentRules:
    """The instrument that the form names, or the booking's own. Raises `NotFound`."""
    return calendars.rules_of(db, form.instrument or bookings.show(db, me, booking_id).instrument_id)


def _proposal(
    request: Request,
    database: Database,
    me: Actor,
    booking_id: UUID,
    span: Span,
    form: MoveForm,
    error: LabShareError | None,
    now: datetime,
    faults: Faults | None = None,
) -> Response[str]:
    """The contents of the dialog: old and new times, the price, and every reason against it with the nearest times."""
    with database.read() as db:
        proposal = _proposed(db, me, booking_id, span, form, now)
    may_pass = _may_pass(database, me, proposal, error, now)
    with database.read() as db:
        booking, rules = proposal.line.booking, proposal.rules
        at_new_times = msgspec.structs.replace(booking, starts_at=span.start, ends_at=span.end)
        estimate = prices.of_booking(db, rules, at_new_times, proposal.line.project or "")
        offers = offers_for_move(db, booking, span, rules, form, now) if isinstance(error, Refused) else ()
        return render(
            request,
            "bookings/_proposal.html",
            status=Malformed.status if faults else error.status if error else 200,
            proposal=proposal,
            faults=faults or {},
            may_pass=may_pass,
            refusals=told_once(error.refusals) if error else (),
            heading=heading(error.status) if error else "",
            is_stale=isinstance(error, Stale),
            changes=changes(proposal.form, booking) if isinstance(error, Stale) else (),
            offers=[(offer.words, proposal.address_at(read_slot(offer.value))) for offer in offers],
            down_since=usage.down_since(db, [rules.number]).get(rules.number) if offers else None,
            standing=_standing(me, proposal, now),
            estimates=[estimate] if estimate else [],
            is_timed=True,
            repeats=section_of(db, me, proposal.line),
            form=proposal.form,
        )


def _standing(me: Actor, proposal: Proposal, now: datetime) -> str:
    """What the centre would decide about it again; '' where it only gives time back."""
    booking, span = proposal.line.booking, proposal.span
    if booking.span.contains(span) and not proposal.is_elsewhere:
        return ""
    return moves.standing_after(me, booking, proposal.rules, span.start, now)


def _proposed(db: Connection, me: Actor, booking_id: UUID, span: Span, form: MoveForm, now: datetime) -> Proposal:
    line, rules = bookings.show(db, me, booking_id), _target(db, me, booking_id, form)
    booking = line.booking
    may_be_late = booking.state in MOVABLE and booking.starts_at > now
    is_late = may_be_late and booking_changes.is_late(db, me, booking, calendars.rules_of(db, line.instrument_id), now)
    return Proposal(line=line, rules=rules, span=span, form=_with_seen(form, line), is_late=is_late)


def _with_seen(form: MoveForm, line: BookingLine) -> MoveForm:
    """The form with the booking as it stands, where it does not say what it saw; who runs it and set-up stay."""
    booking = line.booking
    form = msgspec.structs.replace(form, mode=booking.mode.value, setup=booking.setup)
    if form.seen_starts_at:
        return form
    return msgspec.structs.replace(
        form,
        version=form.version or str(booking.version),
        seen_starts_at=booking.starts_at.isoformat(),
        seen_ends_at=booking.ends_at.isoformat(),
        seen_state=booking.state.value,
    )


@post("/bookings/{booking_id:uuid}/finish", sync_to_thread=True)
def finish(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    booking_id: FromPath[UUID],
    data: Form[ChangeForm],
) -> Response[str]:
    try:
        with database.write() as db:
            moves.finish(db, me, booking_id, seen_version=read_version(data.version), now=now)
    except (Refused, Stale, WrongState) as error:
        with database.read() as db:
            return booking_page(request, db, me, booking_id, now, form=data, error=error)
    return redirect(request, f"/bookings/{booking_id}", notice="booking_finished")


router = Router("/", route_handlers=[propose, move, finish])
