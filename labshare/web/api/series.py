"""/api/v1/series: bookings that repeat by an RRULE, looked at, made together, and changed from one of them on."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from litestar import Response, delete, get, patch, post
from litestar.params import FromPath, QueryParameter, RawBody
from msgspec import UNSET, Meta

from labshare.domain.bookings import BookingState
from labshare.domain.people import Actor
from labshare.domain.series import Conflicts, from_rrule
from labshare.errors import Malformed
from labshare.services import Connection, calendars
from labshare.services import series as service
from labshare.services.booking_warnings import warnings
from labshare.services.series import Occurrence, SeriesLine
from labshare.web import given
from labshare.web.api import reading
from labshare.web.api.answers import answer
from labshare.web.api.booking_wishes import BookingChange, NewBooking, wish_of
from labshare.web.api.idempotency import Key, once
from labshare.web.api.reading import set_or_none
from labshare.web.api.schema import ProblemRefusal, accepts, problems, told
from labshare.web.rendering import Request

Rrule = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f]{1,200}$", examples=["FREQ=WEEKLY;BYDAY=TU;UNTIL=20270331"])]
DryRun = Annotated[bool, QueryParameter(description="Say what would become of every date, and write nothing.")]
From = Annotated[
    UUID | None,
    QueryParameter(name="from", description="This booking of the series and those that follow; else all ahead."),
]
Seen = Annotated[int | None, QueryParameter(ge=1, le=reading.LARGEST_VERSION)]


class NewSeries(NewBooking, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A wish for time that repeats. The times are those of the first date, on the clock of the centre.

    `rrule` is that of RFC 5545 with FREQ (DAILY, WEEKLY, MONTHLY), INTERVAL, BYDAY, COUNT and UNTIL. `conflicts` says
    what becomes of dates that are refused: `stop` books nothing, `skip` leaves them out, `move` takes the nearest
    free time of the day, or leaves them out.
    """

    rrule: Rrule
    conflicts: Literal["stop", "skip", "move"] = "stop"


class SeriesChange(BookingChange, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shall be different. The times are those of the booking `from`, or of the next one; the others move alike,
    and have the same `mode`, `setup` and `operator` where these are given. A series stays on its instrument.
    """


class Times(msgspec.Struct, frozen=True, kw_only=True):
    starts_at: datetime
    ends_at: datetime


class SeriesDate(Times, frozen=True, kw_only=True):
    """A date of the rule: why it is refused, and times near it that would do better."""

    refusals: tuple[ProblemRefusal, ...] = ()
    offers: tuple[Times, ...] = ()


class SeriesBooking(Times, frozen=True, kw_only=True):
    id: UUID
    state: BookingState
    purpose: str
    version: int


class SeriesView(msgspec.Struct, frozen=True, kw_only=True):
    """A series with all its bookings. Its version grows with every change of any of them."""

    id: UUID
    instrument: str
    rrule: str
    version: int
    bookings: tuple[SeriesBooking, ...]


class MadeSeries(SeriesView, frozen=True, kw_only=True):
    """A series that was just made or changed. It stands; `notices` are those of a booking, for all of it, each once."""

    notices: tuple[ProblemRefusal, ...] = ()


class SeriesAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The series that was made, none in a dry run, and the dates: in a dry run all, else those left out."""

    series: MadeSeries | None
    dates: tuple[SeriesDate, ...]


@get("/series/{series_id:uuid}", sync_to_thread=True, operation_id="showSeries", summary="One series",
     tags=["series"], responses=problems(404))  # fmt: skip
def show(request: Request, database: given.Database, me: given.Me, series_id: FromPath[UUID]) -> Response[SeriesView]:
    """A series of one's own, or of a centre that one manages. Its ETag is the version that a change must name."""
    with database.read() as db:
        return _answer(request, service.show(db, me, series_id))


@post("/series", sync_to_thread=True, operation_id="bookSeries", summary="Book an instrument again and again",
      tags=["series"], responses=problems(403, 404, 409, 422, 503), operation_class=accepts(NewSeries))  # fmt: skip
def create(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    body: RawBody,
    dry_run: DryRun = False,
    key: Key = None,
) -> Response[SeriesAnswer]:
    """Book every date of a rule, or none. Refusals name the place of their date as `item`, from 0."""
    new = reading.decode(body, NewSeries)
    span = reading.span(new.starts_at, new.ends_at)
    with database.read() as db:
        wish = wish_of(db, me, new)
        repeat = from_rrule(new.rrule, span.start, calendars.rules_of(db, new.instrument).timezone)
    if dry_run:
        with database.write() as db:
            dates = service.preview(db, me, wish, repeat, now)
        return answer(request, SeriesAnswer(series=None, dates=tuple(_date(each) for each in dates)))

    def work(db: Connection) -> Response[SeriesAnswer]:
        made = service.create(db, me, wish, repeat, Conflicts(new.conflicts), now)
        view = _made(db, me, made.line, now)
        said = SeriesAnswer(series=view, dates=tuple(_date(each) for each in made.left_out))
        return answer(request, said, version=view.version, status=201, location=f"/api/v1/series/{view.id}")

    return once(request, database, me, now, work, key=key, body=body)


@patch("/series/{series_id:uuid}", sync_to_thread=True, operation_id="changeSeries", summary="Move or describe",
       tags=["series"], responses=problems(403, 404, 409, 412, 422, 503),
       operation_class=accepts(SeriesChange))  # fmt: skip
def change(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    series_id: FromPath[UUID],
    body: RawBody,
    first: From = None,
    key: Key = None,
) -> Response[MadeSeries]:
    """Move or describe the bookings that lie ahead, all or none, on the series' version that was seen."""
    asked = reading.decode(body, SeriesChange)
    seen = reading.seen_version(request.headers.get("if-match"), set_or_none(asked.version))

    def work(db: Connection) -> Response[MadeSeries]:
        _change(db, me, series_id, first, asked, seen, now)
        view = _made(db, me, service.show(db, me, series_id), now)
        return answer(request, view, version=view.version)

    return once(request, database, me, now, work, key=key, body=body)


@delete("/series/{series_id:uuid}", sync_to_thread=True, operation_id="cancelSeries", summary="Cancel what lies ahead",
        tags=["series"], status_code=200, responses=problems(403, 404, 412, 422, 503))  # fmt: skip
def cancel(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    series_id: FromPath[UUID],
    first: From = None,
    version: Seen = None,
    key: Key = None,
) -> Response[SeriesView]:
    """Cancel the bookings that lie ahead, on the series' version that was seen: If-Match or `?version=`."""
    seen = reading.seen_version(request.headers.get("if-match"), version)

    def work(db: Connection) -> Response[SeriesView]:
        anchor, reach = service.anchor_of(service.show(db, me, series_id), first, now)
        service.cancel(db, me, anchor.id, reach, seen_version=seen, now=now)
        return _answer(request, service.show(db, me, series_id))

    return once(request, database, me, now, work, key=key)


HANDLERS = [show, create, change, cancel]


def _change(
    db: Connection, me: Actor, series_id: UUID, first: UUID | None, asked: SeriesChange, seen: int, now: datetime
) -> None:
    anchor, reach = service.anchor_of(service.show(db, me, series_id), first, now)
    if asked.instrument is not UNSET:
        raise Malformed("malformed_field", field="instrument")
    purpose = set_or_none(asked.purpose)
    moved = (asked.starts_at, asked.ends_at, asked.mode, asked.setup, asked.operator)
    if any(each is not UNSET for each in moved):
        starts_at = anchor.starts_at if asked.starts_at is UNSET else asked.starts_at
        ends_at = anchor.ends_at if asked.ends_at is UNSET else asked.ends_at
        span = reading.span(starts_at, ends_at)
        service.move(
            db, me, anchor.id, span, reach, seen_version=seen, now=now, purpose=purpose,
            override=asked.override_reason, mode=set_or_none(asked.mode), setup=set_or_none(asked.setup),
            operator_id=asked.operator,
        )  # fmt: skip
    elif purpose is not None:
        service.describe(db, me, anchor.id, purpose, reach, seen_version=seen, now=now)
    else:
        raise Malformed("nothing_to_change")


def _answer(request: Request, line: SeriesLine) -> Response[SeriesView]:
    view = _view(line)
    return answer(request, view, version=view.version)


def _made(db: Connection, me: Actor, line: SeriesLine, now: datetime) -> MadeSeries:
    said = tuple(told(each) for each in warnings(db, me, line.bookings[-1], now))
    return MadeSeries(**msgspec.structs.asdict(_view(line)), notices=said)


def _view(line: SeriesLine) -> SeriesView:
    return SeriesView(
        id=line.series.id,
        instrument=line.instrument_id,
        rrule=line.series.rrule,
        version=line.version,
        bookings=tuple(
            SeriesBooking(
                id=each.id,
                starts_at=each.starts_at,
                ends_at=each.ends_at,
                state=each.state,
                purpose=each.purpose,
                version=each.version,
            )
            for each in line.bookings
        ),
    )


def _date(each: Occurrence) -> SeriesDate:
    return SeriesDate(
        starts_at=each.span.start,
        ends_at=each.span.end,
        refusals=tuple(told(refusal) for refusal in each.refusals),
        offers=tuple(Times(starts_at=span.start, ends_at=span.end) for span in each.offers),
    )
