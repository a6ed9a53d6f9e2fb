"""Calendars over HTTP: the week of an instrument as a fragment of its page, and the board of a centre."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from litestar import Response, Router, get
from litestar.params import FromPath, FromQuery

from labshare import formats
from labshare.domain.bookings import InstrumentRules
from labshare.domain.people import Action, Actor, may
from labshare.domain.timespan import Span
from labshare.errors import Malformed
from labshare.services import Connection, calendars, registry
from labshare.web import boards, given, weeks
from labshare.web.blocks import Reader
from labshare.web.boards import Board, BoardHours, BoardSpan
from labshare.web.grid import week_of as axis_of_week
from labshare.web.rendering import Request, redirect, render, wants_fragment
from labshare.web.typed import typed_date


def week_of(db: Connection, actor: Actor | None, rules: InstrumentRules, day: date, now: datetime) -> weeks.Week:
    """The week around `day` as this reader may see it: what a page gives to `bookings/_week.html` as `week`."""
    calendar = calendars.calendar(db, actor, [rules.number], axis_of_week(day).span)
    return weeks.week(calendar, rules, day, now, _reader(actor, rules.centre_id))


def day_ahead(rules: InstrumentRules, now: datetime) -> date:
    """Today, or next Monday when the instrument is closed for what is left of this week: nobody wants a past week."""
    today = formats.local(now).date()
    rest = Span(now, axis_of_week(today).span.end)
    if calendars.open_spans_of(rules, rest, calendars.closed_dates_over(rest)):
        return today
    return today + timedelta(days=7 - today.weekday())


def day_in(text: str | None, otherwise: date) -> date:
    """The day that an address names; a calendar shows another one rather than refuse to be looked at."""
    try:
        return typed_date(text, "date") if text else otherwise
    except Malformed:
        return otherwise


@get("/instruments/{instrument_id:str}/week", sync_to_thread=True)
def week(
    request: Request,
    database: given.Database,
    actor: given.Reader,
    now: given.Now,
    instrument_id: FromPath[str],
    date: FromQuery[str] = "",
) -> Response[str]:
    """The fragment for htmx; whoever opens its address is led to the instrument's page."""
    page = f"/instruments/{instrument_id}"
    day = day_in(date, formats.local(now).date())
    with database.read() as db:
        rules = calendars.rules_of(db, instrument_id)
        if not wants_fragment(request):
            return redirect(request, f"{page}?date={day.isoformat()}")
        shown = week_of(db, actor, rules, day, now)
    # Beside a form the calendar turns its leaves without taking the reader away from what they typed.
    at = (request.htmx.current_url_abs_path or "").partition("?")[0]
    headers = {} if at == page else {"HX-Push-Url": "false"}
    return render(request, "bookings/_week.html", fragment="bookings/_week.html", headers=headers, week=shown)


@get("/centres/{centre_id:str}/board", sync_to_thread=True)
def board(
    request: Request,
    database: given.Database,
    actor: given.Reader,
    now: given.Now,
    centre_id: FromPath[str],
    date: FromQuery[str] = "",
    span: FromQuery[BoardSpan] = "day",
    hours: FromQuery[BoardHours] = "open",
) -> Response[str]:
    """Every instrument of the centre. With `hours=all` nights are drawn too, which most instruments spend closed."""
    with database.read() as db:
        centre = registry.named_centre(db, centre_id)
        day = day_in(date, formats.local(now if date else calendars.next_open_at(db, centre_id, now)).date())
        shown = _board(db, actor, centre_id, span, day, now, hours)
    return render(request, "bookings/board.html", fragment="bookings/_board.html", centre=centre, board=shown)


def _board(
    db: Connection, actor: Actor | None, centre_id: str, span: BoardSpan, day: date, now: datetime, hours: BoardHours
) -> Board:
    around = boards.axis_of(span, day).span
    if span == "week":
        return boards.week_board(calendars.occupancy(db, actor, centre_id, around), day, now, hours)
    calendar = calendars.board(db, actor, centre_id, around)
    return boards.day_board(calendar, day, now, hours, _reader(actor, centre_id))


def _reader(actor: Actor | None, centre_id: str) -> Reader:
    return Reader(
        may_book=may(actor, Action.BOOK),
        sees_bookings=may(actor, Action.SEE_BOOKING, centre=centre_id),
        manages=may(actor, Action.MANAGE_CALENDAR, centre=centre_id),
    )


router = Router("/", route_handlers=[week, board])
