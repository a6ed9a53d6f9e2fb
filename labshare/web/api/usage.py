"""The state of an instrument by program, for the managers of its centre: down from now on, and up again.

What must not live here: moving the bookings that a failure touches (bookings.py).
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Response, get, post
from litestar.params import PathParameter, RawBody

from labshare.domain.people import Actor
from labshare.services import Connection, usage
from labshare.web import given
from labshare.web.api import reading
from labshare.web.api.answers import answer
from labshare.web.api.booking_views import BookingView, line_view
from labshare.web.api.idempotency import Key, once
from labshare.web.api.reading import CODE, Text
from labshare.web.api.schema import accepts, problems
from labshare.web.rendering import Request

Instrument = Annotated[str, PathParameter(pattern=CODE)]


class ConditionView(msgspec.Struct, frozen=True, kw_only=True):
    """The failure that lasts, None where there is none, and whose time of the next seven days it touches."""

    instrument: str
    down_since: datetime | None
    note: str = ""
    affected: tuple[BookingView, ...] = ()


class NewFailure(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What has failed; the managers of the centre alone read it."""

    note: Text = ""


@get("/instruments/{instrument_id:str}/state", sync_to_thread=True, operation_id="showState",
     summary="State of an instrument", tags=["instruments"], responses=problems(403, 404))  # fmt: skip
def show(
    request: Request, database: given.Database, me: given.Me, now: given.Now, instrument_id: Instrument
) -> Response[ConditionView]:
    """Whether it is down, why, and which bookings that touches. Everybody else reads `down_since` of the instrument."""
    with database.read() as db:
        return answer(request, _view(db, me, instrument_id, now))


@post("/instruments/{instrument_id:str}/down", sync_to_thread=True, operation_id="takeDown",
      summary="It has failed", tags=["instruments"], status_code=200, responses=problems(403, 404, 422, 503),
      operation_class=accepts(NewFailure))  # fmt: skip
def down(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    instrument_id: Instrument,
    body: RawBody,
    key: Key = None,
) -> Response[ConditionView]:
    """Record a failure from this minute on. Bookings stay: `affected` are those to move, or whose people to tell."""
    new = reading.decode(body, NewFailure)

    def work(db: Connection) -> Response[ConditionView]:
        usage.record_down(db, me, instrument_id, new.note, now)
        return answer(request, _view(db, me, instrument_id, now))

    return once(request, database, me, now, work, key=key, body=body)


@post("/instruments/{instrument_id:str}/up", sync_to_thread=True, operation_id="bringUp",
      summary="It works again", tags=["instruments"], status_code=200,
      responses=problems(403, 404, 422, 503))  # fmt: skip
def up(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    instrument_id: Instrument,
    key: Key = None,
) -> Response[ConditionView]:
    """Record that the failure is over from this minute on."""

    def work(db: Connection) -> Response[ConditionView]:
        usage.record_up(db, me, instrument_id, now)
        return answer(request, _view(db, me, instrument_id, now))

    return once(request, database, me, now, work, key=key)


HANDLERS = [show, down, up]


def _view(db: Connection, me: Actor, instrument_id: str, now: datetime) -> ConditionView:
    found = usage.condition(db, me, instrument_id, now)
    return ConditionView(
        instrument=instrument_id,
        down_since=found.down.starts_at if found.down else None,
        note=found.down.note if found.down else "",
        affected=tuple(line_view(me, line) for line in found.affected),
    )
