"""/api/v1/qualifications/operators: who operates an instrument for those who book with its staff; naming them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import RawBody
from msgspec import Meta

from labshare.domain.bookings import InstrumentRules
from labshare.domain.people import Actor
from labshare.services import Connection, calendars, operators
from labshare.web import given
from labshare.web.api import reading
from labshare.web.api.answers import answer
from labshare.web.api.idempotency import Key, once
from labshare.web.api.reading import Code, asked
from labshare.web.api.schema import accepts, problems
from labshare.web.rendering import Request


class OperatorView(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who may be named as `operator` of a booking."""

    id: UUID
    name: str


class OperatorList(msgspec.Struct, frozen=True, kw_only=True):
    items: tuple[OperatorView, ...]


class Naming(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether somebody who is qualified for an instrument operates it for others."""

    instrument: Code
    person: Annotated[Code, Meta(description="The login.", examples=["user.ims.2"])]
    operates: bool = True


@get("/qualifications/operators", sync_to_thread=True, operation_id="listOperators",
     summary="Operators of an instrument", tags=["qualifications"], responses=problems(404))  # fmt: skip
def listing(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    instrument: Annotated[str, asked("instrument", "The code of the instrument.")] = "",
) -> Response[OperatorList]:
    """Whom the caller may name as `operator` of a booking in a mode that needs the staff, by name."""
    with database.read() as db:
        rules = calendars.rules_of(db, instrument)
        return answer(request, _list(db, me, rules, now))


@post("/qualifications/operators", sync_to_thread=True, operation_id="nameOperator", summary="Name an operator",
      tags=["qualifications"], status_code=200, responses=problems(403, 404, 422, 503),
      operation_class=accepts(Naming))  # fmt: skip
def name(
    request: Request, database: given.Database, me: given.Me, now: given.Now, body: RawBody, key: Key = None
) -> Response[OperatorList]:
    """Have somebody operate an instrument, or no more; what is booked stays. Returns its operators."""
    new = reading.decode(body, Naming)

    def work(db: Connection) -> Response[OperatorList]:
        operators.name(db, me, new.instrument, new.person, operates=new.operates, now=now)
        return answer(request, _list(db, me, calendars.rules_of(db, new.instrument), now))

    return once(request, database, me, now, work, key=key, body=body)


HANDLERS = [listing, name]


def _list(db: Connection, me: Actor, rules: InstrumentRules, now: datetime) -> OperatorList:
    found = operators.operators(db, me, rules, now)
    return OperatorList(items=tuple(OperatorView(id=each.id, name=each.name) for each in found))
