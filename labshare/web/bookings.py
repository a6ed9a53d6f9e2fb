"""The pages of bookings: mine, a new one, one to look at or cancel.

Moving one is in moves.py, calendars and boards in calendars.py, what their blocks say in blocks.py, reading of forms in
booking_forms.py and booking_wishes.py, blocks by a centre in blocking.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, Router, get, post
from litestar.params import FromPath

from labshare import formats
from labshare.domain.bookings import MOVABLE, Booking, BookingKind, BookingState, InstrumentRules, Wish
from labshare.domain.modes import Mode
from labshare.domain.opening import format_opening
from labshare.domain.people import Action, Actor, may, require
from labshare.domain.projects import Project
from labshare.domain.series import Reach
from labshare.domain.timespan import Span
from labshare.errors import LabShareError, Malformed, Refused, Stale, WrongState
from labshare.services import (
    Connection,
    Database,
    approvals,
    booking_changes,
    booking_rules,
    bookings,
    exchanges,
    free_times,
    holds,
    moves,
    prices,
    projects,
    strikes,
    usage,
    wishes,
)
from labshare.services import calendars as looking
from labshare.services.booking_warnings import warnings
from labshare.services.bookings import BookingLine
from labshare.services.prices import Estimate
from labshare.web import calendars, feeds, given, qualifications, waitlist
from labshare.web.booking_forms import (
    BookingForm,
    ChangeForm,
    Faults,
    TimesForm,
    booking_address,
    change_form,
    changes,
    notice_of,
    read_id,
    read_slot,
    read_span,
    read_version,
    with_times,
)
from labshare.web.booking_lines import by_day, firm, for_others
from labshare.web.booking_rules import asked_at
from labshare.web.booking_wishes import choices as choices_for
from labshare.web.booking_wishes import operator_choices, read_wish, ways_after
from labshare.web.clearances import write_or_hold_back
from labshare.web.errors import heading
from labshare.web.free_times import Offer, address_like, offers_near
from labshare.web.rendering import Form, Request, redirect, render
from labshare.web.series_forms import cancel_as_asked, section_of, told_once, weekday_ticks
from labshare.web.weeks import Week

HOUR = timedelta(hours=1)


# ---------------------------------------------------------------- looking


@get("/bookings", sync_to_thread=True)
def mine(request: Request, database: given.Database, me: given.Me, now: given.Now) -> Response[str]:
    with database.read() as db:
        lines, others = firm(bookings.mine(db, me, now)), firm(wishes.for_others(db, me, now))
    return render(request, "bookings/mine.html", days=by_day(lines), for_others=for_others(others))


@get("/bookings/{name:str}", sync_to_thread=True)
def show(
    request: Request,
    database: given.Database,
    settings: given.Settings,
    me: given.Me,
    now: given.Now,
    name: FromPath[str],
) -> Response[str] | Response[bytes]:
    """The page of a booking; with `.ics` after its id the booking as a file for a calendar."""
    booking_id = read_id(name.removesuffix(feeds.SUFFIX))
    if name.endswith(feeds.SUFFIX):
        return feeds.booking_file(request, database, me, booking_id, settings.base_url)
    with database.read() as db:
        return booking_page(request, db, me, booking_id, now)


# ---------------------------------------------------------------- booking


@get("/bookings/new", sync_to_thread=True)
def new(request: Request, database: given.Database, me: given.Me, now: given.Now) -> Response[str]:
    """The form, with whatever the address says already typed in."""
    require(me, Action.BOOK)
    form = msgspec.convert(dict(request.query_params), BookingForm)
    with database.read() as db:
        return booking_form(request, db, me, form, now)


@post("/bookings", sync_to_thread=True)
def book(
    request: Request, database: given.Database, me: given.Me, now: given.Now, data: Form[BookingForm]
) -> Response[str]:
    if data.slot:
        with database.read() as db:
            return booking_form(request, db, me, with_times(data, read_slot(data.slot)), now)
    with database.read() as db:
        wish, faults = read_wish(db, me, data)
        if wish is None:
            return booking_form(request, db, me, data, now, faults=faults)
    try:
        booking = _booked(database, me, wish, now)
    except Refused as error:
        with database.read() as db:
            return booking_form(request, db, me, data, now, error=error, wanted=wish)
    return redirect(request, f"/bookings/{booking.id}", **notice_of(booking, "booked"))


def _booked(database: Database, me: Actor, wish: Wish, now: datetime) -> Booking:
    """Book; nobody stands in their own way whose form was sent before it knew of its hold. Raises `Refused`."""
    try:
        with write_or_hold_back(database, me, now) as db:
            return bookings.book(db, me, wish, now)
    except Refused:
        with database.read() as db:
            again = holds.knowing_own(db, me, wish, now)
        if again is None:
            raise
    with write_or_hold_back(database, me, now) as db:
        return bookings.book(db, me, again, now)


# ---------------------------------------------------------------- cancelling


@post("/bookings/{booking_id:uuid}/cancel", sync_to_thread=True)
def cancel(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    booking_id: FromPath[UUID],
    data: Form[ChangeForm],
) -> Response[str]:
    try:
        with database.write() as db:
            count = cancel_as_asked(db, me, booking_id, data, now)
    except (Refused, Stale, WrongState) as error:
        with database.read() as db:
            return booking_page(request, db, me, booking_id, now, form=data, error=error)
    if count > 1:
        return redirect(request, "/bookings", notice="series_cancelled", count=count)
    return redirect(request, "/bookings", notice="booking_cancelled")


@post("/bookings/{booking_id:uuid}/no-show", sync_to_thread=True)
def miss(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    booking_id: FromPath[UUID],
    data: Form[ChangeForm],
) -> Response[str]:
    try:
        with database.write() as db:
            bookings.miss(db, me, booking_id, seen_version=read_version(data.version), now=now)
    except (Refused, Stale, WrongState) as error:
        with database.read() as db:
            return booking_page(request, db, me, booking_id, now, form=data, error=error)
    return redirect(request, f"/bookings/{booking_id}", notice="booking_missed")


# ---------------------------------------------------------------- pages


def booking_form(
    request: Request,
    db: Connection,
    me: Actor,
    form: BookingForm,
    now: datetime,
    *,
    faults: Faults | None = None,
    error: Refused | None = None,
    wanted: Wish | None = None,
) -> Response[str]:
    """The form as it was typed, beside the calendar; after a refusal with the slots that would be accepted."""
    rules = looking.rules_of(db, form.instrument)
    choices = projects.usable(db, me, now)
    span = wanted.span if wanted else None
    form = _chosen(form, choices, day_of(form, rules, now))
    refusals = error.refusals if error else ()
    return form_page(
        request,
        "bookings/new.html",
        rules,
        calendars.week_of(db, me, rules, day_of(form, rules, now), now),
        form,
        faults=faults,
        error=error,
        projects=[(str(each.id), f"{each.code} · {each.title}") for each in choices],
        estimates=_estimates(db, rules, choices, form, now),
        is_timed=read_span(form)[0] is not None,
        weekday_ticks=weekday_ticks(form),
        **asked_at(booking_rules.at_site(db, rules.site), rules.advance_days, now),
        down=usage.down(db, rules.number),
        manages=may(me, Action.MANAGE_CALENDAR, centre=rules.centre_id),
        offers=offers_near(db, wanted, now) if wanted else (),
        find_address=address_like(rules, free_times.capability_of(db, rules.number), span) if span else "",
        operators=operator_choices(db, me, rules, now),
        **ways_after(db, me, rules, form.trainer, refusals, span, now),
        setups=[(each, each) for each in rules.setups],
        **choices_for(db, me, rules),
    )


def form_page(
    request: Request,
    template: str,
    rules: InstrumentRules,
    week: Week,
    form: TimesForm,
    *,
    faults: Faults | None,
    error: Refused | None,
    offers: Sequence[Offer] = (),
    **context: Any,
) -> Response[str]:
    status = error.status if error else Malformed.status if faults else 200
    return render(
        request,
        template,
        status=status,
        rules=rules,
        opening=formats.opening(format_opening(rules.opening)),
        week=week,
        form=form,
        faults=faults or {},
        refusals=told_once(error.refusals) if error else (),
        heading=heading(error.status) if error else "",
        offers=offers,
        **context,
    )


def booking_page(
    request: Request,
    db: Connection,
    me: Actor,
    booking_id: UUID,
    now: datetime,
    *,
    form: ChangeForm | None = None,
    faults: Faults | None = None,
    error: LabShareError | None = None,
    wanted: Span | None = None,
) -> Response[str]:
    """One booking with the ways to change it. After a stale form it tells what changed since that was opened."""
    line = bookings.show(db, me, booking_id)
    booking, seen = line.booking, form
    form = form if form and form.date else change_form(booking, form)
    permitted = _permitted(me, line, is_changeable=booking.state in MOVABLE and booking.starts_at > now)
    rules = looking.rules_of(db, line.instrument_id)
    return render(
        request,
        "bookings/booking.html",
        status=error.status if error else Malformed.status if faults else 200,
        line=line,
        booking=booking,
        repeats=section_of(db, me, line),
        form=form,
        faults=faults or {},
        refusals=told_once(error.refusals) if error else (),
        heading=heading(error.status) if error else "",
        changes=changes(seen, booking) if seen and isinstance(error, Stale) else (),
        offers=offers_for_move(db, booking, wanted, rules, form, now) if wanted and isinstance(error, Refused) else (),
        down_since=usage.down_since(db, [rules.number]).get(rules.number) if wanted else None,
        offer=waitlist.offer_of(db, me, booking, now),
        ask_address=qualifications.address_after(error.refusals, rules) if isinstance(error, Refused) else "",
        **permitted,
        is_late=permitted["may_cancel"] and booking_changes.is_late(db, me, booking, rules, now),
        **_asked(me, line, now),
        **_known(db, me, line, rules, now),
        week=calendars.week_of(db, me, rules, day_of(form, rules, now), now),
    )


# ---------------------------------------------------------------- parts


def _permitted(me: Actor, line: BookingLine, *, is_changeable: bool) -> dict[str, bool]:
    """Whether the reader may move the booking, or cancel it: who is there for its user may do no more than cancel.

    A hold is taken or let go; other times are asked for in its form, or on the waitlist.
    """
    may_change = bookings.may_change(me, line)
    attends = me.person_id in line.booking.attendants and not line.booking.form_hold
    is_held = line.booking.state is BookingState.HELD
    may_move = may_change and is_changeable and not is_held
    return {"is_held": is_held, "may_change": may_move, "may_cancel": (may_change or attends) and is_changeable}


def _estimates(
    db: Connection, rules: InstrumentRules, choices: list[Project], form: BookingForm, now: datetime
) -> tuple[Estimate, ...]:
    """What the use would cost the chosen project, or each that might be; an hour from now while no times are typed."""
    asked = [each for each in choices if str(each.id) == form.project] or choices
    return prices.of_projects(db, rules, asked, read_span(form)[0] or Span(now, now + HOUR))


def _known(db: Connection, me: Actor, line: BookingLine, rules: InstrumentRules, now: datetime) -> dict[str, Any]:
    """What its page says besides: of the instrument, of prices, of shares that do not hold with it."""
    booking = line.booking
    return {
        "rules": rules,
        "setups": [(each, each) for each in rules.setups],
        "operators": operator_choices(db, me, rules, now, line),
        "manages": may(me, Action.MANAGE_CALENDAR, centre=line.centre_id),
        "estimates": [each] if (each := prices.of_booking(db, rules, booking, line.project or "")) else [],
        "is_timed": True,
        "standing": moves.standing_after(me, booking, rules, booking.starts_at, now),
        "form_address": _form_address(me, line),
        "ends_early": moves.earliest_end(booking, rules, now) if bookings.may_change(me, line) else None,
        "on_offer": booking.person_id == me.person_id and exchanges.is_open(db, me, booking.id, now),
        "notices": warnings(db, me, booking, now),
    }


def _form_address(me: Actor, line: BookingLine) -> str:
    """Where the reader books what their open form keeps; '' for what no form of theirs keeps."""
    booking = line.booking
    if booking.state is not BookingState.HELD or not booking.form_hold or booking.booked_by_id != me.person_id:
        return ""
    more = {"operator": str(booking.operator_id)} if booking.operator_id else {}
    more |= {"project": str(booking.project_id), "mode": booking.mode.value, "hold": str(booking.id)}
    return booking_address(line.instrument_id, booking.span, **more)


def _asked(me: Actor, line: BookingLine, now: datetime) -> dict[str, Any]:
    """Whether the reader is asked to decide, and whether anybody came: a manager, once a use should have begun."""
    booking = line.booking
    is_due = booking.kind is BookingKind.USE and booking.state is BookingState.CONFIRMED and booking.starts_at <= now
    # Nobody has to come to what the staff run.
    is_due = is_due and booking.mode is not Mode.COMMISSIONED
    is_manager = may(me, Action.MANAGE_CALENDAR, centre=line.centre_id)
    return {
        "may_miss": is_due and is_manager,
        "may_pardon": strikes.may_pardon(me, line),
        "may_decide": approvals.may_decide(me, line, now),
    }


def offers_for_move(
    db: Connection, booking: Booking, wanted: Span, rules: InstrumentRules, form: ChangeForm, now: datetime
) -> tuple[Offer, ...]:
    """The times nearest to a refused move. None for several dates of a series, as what fits one need not fit all."""
    return offers_near(db, wish_of(booking, wanted, rules), now) if form.reach == Reach.ONE else ()


def wish_of(booking: Booking, span: Span, rules: InstrumentRules) -> Wish:
    """A booking as the wish for itself at another time, on its own instrument or on that one."""
    wish = booking_changes.again(booking, span, rules=rules)
    return msgspec.structs.replace(wish, instrument_number=rules.number)


def _chosen(form: BookingForm, choices: list[Project], day: date) -> BookingForm:
    """The form with what need not be typed: the only project there is, and the day."""
    project = form.project or (str(choices[0].id) if len(choices) == 1 else "")
    return msgspec.structs.replace(form, project=project, date=form.date or day.isoformat())


def day_of(form: TimesForm, rules: InstrumentRules, now: datetime) -> date:
    """The day whose calendar stands beside a form: the typed one where it can be read, else the next that is open."""
    span, _ = read_span(form)
    return calendars.day_in(form.date, formats.local(span.start).date() if span else calendars.day_ahead(rules, now))


router = Router("/", route_handlers=[mine, show, new, book, cancel, miss])
