"""/api/v1/waitlist: the caller's places on the waitlist, and the offers that are made to them: taken or passed on."""

from __future__ import annotations

import datetime as dt
from datetime import datetime
from typing import Annotated
from uuid import UUID, uuid4

import msgspec
from litestar import Response, delete, get, post
from litestar.params import FromPath, RawBody
from msgspec import Meta

from labshare.domain.opening import DAY_MINUTES, clock
from labshare.domain.people import Actor
from labshare.domain.waitlist import WaitingEntry, WaitingState
from labshare.errors import Malformed, Refusal, Refused
from labshare.services import Connection, bookings, projects
from labshare.services import waitlist as service
from labshare.services.waitlist import Place
from labshare.web import given
from labshare.web.api import reading
from labshare.web.api.answers import answer
from labshare.web.api.booking_views import BookingView, line_view
from labshare.web.api.idempotency import Key, once
from labshare.web.api.reading import Code, Text
from labshare.web.api.schema import accepts, problems
from labshare.web.rendering import Request
from labshare.web.typed import LONGEST_MINUTES, typed_clock


class NewWaiting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the caller waits for: a use of so many minutes of one instrument, or of any with one capability, on one of
    these local days. `earliest` and `latest` are local times of day, between which it lies.
    """

    instrument: Annotated[str, Meta(pattern=reading.CODE, examples=["N001"])] = ""
    capability: Annotated[str, Meta(pattern=reading.CODE)] = ""
    project: Annotated[Code, Meta(examples=["IMS-01"])]
    minutes: Annotated[int, Meta(ge=1, le=LONGEST_MINUTES, examples=[120])]
    from_date: dt.date
    until_date: dt.date
    earliest: Text = ""
    latest: Text = ""


class OfferView(msgspec.Struct, frozen=True, kw_only=True):
    """Time that is kept for the caller until `expires_at`, by the booking of this id, which is held."""

    booking: UUID
    instrument: str
    starts_at: datetime
    ends_at: datetime
    expires_at: datetime


class WaitingView(msgspec.Struct, frozen=True, kw_only=True):
    """One place on the waitlist: `place` of `of`, or none of both while an offer stands."""

    id: UUID
    instrument: str | None
    capability: str | None
    project: str
    minutes: int
    from_date: dt.date
    until_date: dt.date
    earliest: str
    latest: str
    state: WaitingState
    place: int | None
    of: int | None
    offer: OfferView | None


class WaitingList(msgspec.Struct, frozen=True, kw_only=True):
    """Offers first, then those that have waited longest."""

    items: tuple[WaitingView, ...]


@get("/waitlist", sync_to_thread=True, operation_id="listWaiting", summary="My waitlist",
     tags=["waitlist"], responses=problems())  # fmt: skip
def listing(request: Request, database: given.Database, me: given.Me, now: given.Now) -> Response[WaitingList]:
    """What the caller waits for, with the offers that stand."""
    with database.read() as db:
        return answer(request, _mine(db, me, now))


@post("/waitlist", sync_to_thread=True, operation_id="joinWaitlist", summary="Wait for time",
      tags=["waitlist"], responses=problems(403, 404, 422, 503), operation_class=accepts(NewWaiting))  # fmt: skip
def join(
    request: Request, database: given.Database, me: given.Me, now: given.Now, body: RawBody, key: Key = None
) -> Response[WaitingView]:
    """Wait for time that comes free; it is offered to one at a time, in a published order."""
    new = reading.decode(body, NewWaiting)
    if bool(new.instrument) == bool(new.capability):
        raise Malformed("malformed_field", field="capability" if new.capability else "instrument")
    since = typed_clock(new.earliest, "earliest") if new.earliest else 0
    until = typed_clock(new.latest, "latest") if new.latest else None

    def work(db: Connection) -> Response[WaitingView]:
        wanted = service.wanted(db, new.instrument, new.capability)
        entry = WaitingEntry(
            id=uuid4(),
            person_id=me.person_id,
            project_id=_project(db, me, new.project, now),
            instrument_number=wanted.instrument_number,
            capability_id=wanted.capability_id,
            minutes=new.minutes,
            from_date=new.from_date,
            until_date=new.until_date,
            since=since,
            until=until,
            created_at=now,
        )
        service.join(db, me, entry, now)
        (made,) = (each for each in service.mine(db, me, now) if each.line.entry.id == entry.id)
        return answer(request, _view(made), status=201)

    return once(request, database, me, now, work, key=key, body=body)


@delete("/waitlist/{entry_id:uuid}", sync_to_thread=True, operation_id="leaveWaitlist", summary="Wait no more",
        tags=["waitlist"], status_code=200, responses=problems(404, 422, 503))  # fmt: skip
def leave(
    request: Request, database: given.Database, me: given.Me, now: given.Now, entry_id: FromPath[UUID], key: Key = None
) -> Response[WaitingList]:
    """An offer that stands is passed on. Returns what the caller still waits for."""

    def work(db: Connection) -> Response[WaitingList]:
        service.leave(db, me, entry_id, now)
        return answer(request, _mine(db, me, now))

    return once(request, database, me, now, work, key=key)


@post("/waitlist/{entry_id:uuid}/accept", sync_to_thread=True, operation_id="acceptOffer", summary="Take an offer",
      tags=["waitlist"], status_code=200, responses=problems(404, 409, 422, 503))  # fmt: skip
def accept(
    request: Request, database: given.Database, me: given.Me, now: given.Now, entry_id: FromPath[UUID], key: Key = None
) -> Response[BookingView]:
    """The time that was kept becomes a confirmed booking, which is judged by every rule again."""

    def work(db: Connection) -> Response[BookingView]:
        booking = service.accept(db, me, entry_id, now)
        return answer(request, line_view(me, bookings.show(db, me, booking.id)), version=booking.version)

    return once(request, database, me, now, work, key=key)


@post("/waitlist/{entry_id:uuid}/decline", sync_to_thread=True, operation_id="declineOffer",
      summary="Pass on an offer", tags=["waitlist"], status_code=200, responses=problems(404, 422, 503))  # fmt: skip
def decline(
    request: Request, database: given.Database, me: given.Me, now: given.Now, entry_id: FromPath[UUID], key: Key = None
) -> Response[WaitingList]:
    """The time goes to the next in line; the caller waits for other time. Returns what they wait for."""

    def work(db: Connection) -> Response[WaitingList]:
        service.decline(db, me, entry_id, now)
        return answer(request, _mine(db, me, now))

    return once(request, database, me, now, work, key=key)


HANDLERS = [listing, join, leave, accept, decline]


def _project(db: Connection, me: Actor, code: str, now: datetime) -> UUID:
    found = [each.id for each in projects.usable(db, me, now) if each.code == code]
    if not found:
        raise Refused([Refusal(code="project_unknown")])
    return found[0]


def _mine(db: Connection, me: Actor, now: datetime) -> WaitingList:
    return WaitingList(items=tuple(_view(each) for each in service.mine(db, me, now)))


def _view(place: Place) -> WaitingView:
    line, entry = place.line, place.line.entry
    return WaitingView(
        id=entry.id,
        instrument=line.instrument_id,
        capability=entry.capability_id,
        project=line.project,
        minutes=entry.minutes,
        from_date=entry.from_date,
        until_date=entry.until_date,
        earliest=clock(entry.since),
        latest=clock(DAY_MINUTES if entry.until is None else entry.until),
        state=entry.state,
        place=place.place,
        of=place.of,
        offer=_offer(place),
    )


def _offer(place: Place) -> OfferView | None:
    line, booking_id = place.line, place.line.entry.booking_id
    if not (booking_id and line.offer_id and line.starts_at and line.ends_at and line.expires_at):
        return None
    return OfferView(
        booking=booking_id,
        instrument=line.offer_id,
        starts_at=line.starts_at,
        ends_at=line.ends_at,
        expires_at=line.expires_at,
    )
