"""/api/v1/exchanges: bookings that change hands: offered to a colleague or for another one, accepted or declined."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, delete, get, post
from litestar.params import FromPath, RawBody
from msgspec import Meta

from labshare.domain.exchanges import Exchange
from labshare.domain.people import Action, Actor, require
from labshare.errors import Malformed
from labshare.services import Connection, bookings, projects
from labshare.services import exchanges as service
from labshare.services.exchanges import ExchangeLine, Offered
from labshare.web import given
from labshare.web.api import reading
from labshare.web.api.answers import answer
from labshare.web.api.booking_views import BookingView, line_view
from labshare.web.api.idempotency import Key, once
from labshare.web.api.reading import Moment, Version
from labshare.web.api.schema import accepts, problems
from labshare.web.rendering import Request


class NewExchange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of the caller's own bookings, as it was seen, offered to a colleague (`to`, of GET /exchanges/colleagues) or
    for the booking that somebody has on an `instrument` at a time (`at`), whoever that is.
    """

    booking: UUID
    version: Version
    to: UUID | None = None
    instrument: Annotated[str, Meta(pattern=reading.CODE, examples=["N001"])] = ""
    at: Moment | None = None


class Acceptance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was seen of the exchange; and for a booking that is handed over the code of the caller's project that pays.
    In a swap each takes their own project along.
    """

    version: Version
    project: Annotated[str, Meta(pattern=reading.CODE, examples=["IMS-01"])] = ""


class OfferedView(msgspec.Struct, frozen=True, kw_only=True):
    """A booking as one side of an exchange. Of somebody else's, its times are those that a calendar shows everybody."""

    instrument: str
    starts_at: datetime
    ends_at: datetime


class ExchangeView(msgspec.Struct, frozen=True, kw_only=True):
    """An exchange that may be answered until `answer_by`, by the caller if `is_asked`. `to` names a colleague alone."""

    id: UUID
    is_asked: bool
    gives: OfferedView
    wants: OfferedView | None
    giver: str
    to: str | None
    answer_by: datetime
    version: int


class ExchangeList(msgspec.Struct, frozen=True, kw_only=True):
    """What ends first before the rest."""

    items: tuple[ExchangeView, ...]


class ColleagueView(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    name: str


class ColleagueList(msgspec.Struct, frozen=True, kw_only=True):
    """Whoever shares a project with the caller, by name."""

    items: tuple[ColleagueView, ...]


@get("/exchanges", sync_to_thread=True, operation_id="listExchanges", summary="Bookings on offer",
     tags=["exchanges"], responses=problems())  # fmt: skip
def listing(request: Request, database: given.Database, me: given.Me, now: given.Now) -> Response[ExchangeList]:
    """What waits for the caller's answer, and what they wait for."""
    with database.read() as db:
        return answer(request, _mine(db, me, now))


@get("/exchanges/colleagues", sync_to_thread=True, operation_id="listColleagues", summary="Whom I may give one to",
     tags=["exchanges"], responses=problems(403))  # fmt: skip
def colleagues(request: Request, database: given.Database, me: given.Me) -> Response[ColleagueList]:
    """Whoever shares a project with the caller."""
    require(me, Action.BOOK)
    with database.read() as db:
        found = service.colleagues(db, me)
    return answer(
        request, ColleagueList(items=tuple(ColleagueView(id=UUID(each.id), name=each.name_vi) for each in found))
    )


@post("/exchanges", sync_to_thread=True, operation_id="proposeExchange", summary="Offer a booking", tags=["exchanges"],
      responses=problems(403, 404, 412, 422, 503), operation_class=accepts(NewExchange))  # fmt: skip
def propose(
    request: Request, database: given.Database, me: given.Me, now: given.Now, body: RawBody, key: Key = None
) -> Response[ExchangeView]:
    """Nothing changes until it is accepted; whoever is asked learns who asks."""
    new = reading.decode(body, NewExchange)
    if (new.to is None) == (not new.instrument) or (new.at is None) != (not new.instrument):
        raise Malformed("malformed_field", field="to" if new.to else "instrument")

    def work(db: Connection) -> Response[ExchangeView]:
        made = _propose(db, me, new, now)
        (line,) = (each for each in service.mine(db, me, now) if each.exchange.id == made.id)
        return answer(request, _view(line, me), status=201)

    return once(request, database, me, now, work, key=key, body=body)


@post("/exchanges/{exchange_id:uuid}/accept", sync_to_thread=True, operation_id="acceptExchange",
      summary="Take what is offered", tags=["exchanges"], status_code=200,
      responses=problems(403, 404, 409, 412, 422, 503), operation_class=accepts(Acceptance))  # fmt: skip
def accept(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    exchange_id: FromPath[UUID],
    body: RawBody,
    key: Key = None,
) -> Response[BookingView]:
    """The booking is the caller's, as far as the rules let them; in a swap both change hands or neither."""
    given_ = reading.decode(body, Acceptance)
    with database.read() as db:
        found = [each.id for each in projects.usable(db, me, now) if each.code == given_.project]
        project_id = found[0] if found else None

    def work(db: Connection) -> Response[BookingView]:
        booking = service.accept(db, me, exchange_id, project_id, seen_version=given_.version, now=now)
        return answer(request, line_view(me, bookings.show(db, me, booking.id)), version=booking.version)

    return once(request, database, me, now, work, key=key, body=body)


@post("/exchanges/{exchange_id:uuid}/decline", sync_to_thread=True, operation_id="declineExchange",
      summary="Say no to an offer", tags=["exchanges"], status_code=200, responses=problems(404, 422, 503))  # fmt: skip
def decline(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    exchange_id: FromPath[UUID],
    key: Key = None,
) -> Response[ExchangeList]:
    """Nothing changes. Returns what is left."""

    def work(db: Connection) -> Response[ExchangeList]:
        service.decline(db, me, exchange_id, now)
        return answer(request, _mine(db, me, now))

    return once(request, database, me, now, work, key=key)


@delete("/exchanges/{exchange_id:uuid}", sync_to_thread=True, operation_id="withdrawExchange",
        summary="Withdraw an offer", tags=["exchanges"], status_code=200,
        responses=problems(404, 422, 503))  # fmt: skip
def withdraw(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    exchange_id: FromPath[UUID],
    key: Key = None,
) -> Response[ExchangeList]:
    """The booking stays the caller's. Returns what is left."""

    def work(db: Connection) -> Response[ExchangeList]:
        service.withdraw(db, me, exchange_id, now)
        return answer(request, _mine(db, me, now))

    return once(request, database, me, now, work, key=key)


HANDLERS = [listing, colleagues, propose, accept, decline, withdraw]


def _propose(db: Connection, me: Actor, new: NewExchange, now: datetime) -> Exchange:
    if new.to is not None:
        return service.hand_over(db, me, new.booking, new.to, seen_version=new.version, now=now)
    assert new.at is not None
    moment = reading.moment(new.at, "at")
    return service.swap(db, me, new.booking, new.instrument, moment, seen_version=new.version, now=now)


def _mine(db: Connection, me: Actor, now: datetime) -> ExchangeList:
    return ExchangeList(items=tuple(_view(line, me) for line in service.mine(db, me, now)))


def _view(line: ExchangeLine, me: Actor) -> ExchangeView:
    return ExchangeView(
        id=line.exchange.id,
        is_asked=line.exchange.receiver_id == me.person_id,
        gives=_offered(line.gives),
        wants=_offered(line.wants) if line.wants else None,
        giver=line.giver,
        to=line.receiver,
        answer_by=line.exchange.answer_by,
        version=line.version,
    )


def _offered(offered: Offered) -> OfferedView:
    return OfferedView(instrument=offered.instrument_id, starts_at=offered.starts_at, ends_at=offered.ends_at)
