"""/api/v1/qualifications of other people, for the managers of a centre: who is qualified, granting what nobody asked
for, safety courses, and what an instrument demands.

What must not live here: what people ask for, and what is one's own (qualifications.py).
"""

from __future__ import annotations

import datetime as dt
from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Response, get, post, put
from litestar.params import PathParameter, RawBody
from msgspec import Meta

from labshare.domain.people import Actor
from labshare.domain.qualifications import MOST_DAYS, MOST_MONTHS, Demand
from labshare.services import Connection, calendars
from labshare.services import qualifications as service
from labshare.services.qualifications import Standing
from labshare.web import given
from labshare.web.api import paging, reading
from labshare.web.api.answers import answer
from labshare.web.api.idempotency import Key, once
from labshare.web.api.qualifications import LevelNumber, QualificationView, standing_view
from labshare.web.api.reading import CODE, Code, asked
from labshare.web.api.schema import accepts, problems
from labshare.web.qualifications import read_until
from labshare.web.rendering import Request

Login = Annotated[Code, Meta(description="The login.", examples=["researcher.ims"])]


class QualifiedView(QualificationView, frozen=True, kw_only=True):
    """What somebody holds for an instrument. `course_on` is the day on which they completed the centre's safety course,
    `last_used_at` the end of their last use.
    """

    person: str
    name: str
    course_on: dt.date | None
    last_used_at: datetime | None


class QualifiedList(msgspec.Struct, frozen=True, kw_only=True):
    """Those of one instrument, trainers first and then by login. `next` is the address of the page that follows. An
    answer to a change tells of all.
    """

    items: tuple[QualifiedView, ...]
    next: str | None = None


class Given(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is granted to whom, until the end of the local day `last_day`; without one it has no end of its own."""

    instrument: Annotated[Code, Meta(examples=["N001"])]
    person: Login
    level: LevelNumber = 1
    last_day: dt.date | None = None


class Course(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That somebody completed the safety course of the centre in which the instrument stands."""

    instrument: Annotated[Code, Meta(examples=["N001"])]
    person: Login
    completed_on: dt.date


class DemandView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an instrument demands besides the qualification; 0 asks for nothing. A qualification lapses when it is
    unused for `lapse_months`, or not used within `first_use_days` of its grant, and the safety course of the centre
    counts for `course_months`.
    """

    lapse_months: Annotated[int, Meta(ge=0, le=MOST_MONTHS)] = 0
    first_use_days: Annotated[int, Meta(ge=0, le=MOST_DAYS)] = 0
    course_months: Annotated[int, Meta(ge=0, le=MOST_MONTHS)] = 0


@get("/qualifications/people", sync_to_thread=True, operation_id="listQualifiedPeople",
     summary="Who is qualified", tags=["qualifications"], responses=problems(403, 404))  # fmt: skip
def people(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    instrument: Annotated[str, asked("instrument", "The code of the instrument.")] = "",
    cursor: paging.Cursor = "",
    limit: paging.Limit = paging.USUAL_PAGE,
) -> Response[QualifiedList]:
    """Everybody who holds a qualification for an instrument, also where it has ended."""
    after = paging.behind(cursor, tuple[LevelNumber, Code])
    with database.read() as db:
        _, found = service.people_of(db, me, instrument, now, after=after, limit=limit + 1)
    standings, following = paging.page(request, found, limit, _place)
    return answer(request, QualifiedList(items=tuple(map(_qualified, standings)), next=following), following=following)


@post("/qualifications", sync_to_thread=True, operation_id="giveQualification", summary="Grant without being asked",
      tags=["qualifications"], status_code=200, responses=problems(403, 404, 422, 503),
      operation_class=accepts(Given))  # fmt: skip
def give(
    request: Request, database: given.Database, me: given.Me, now: given.Now, body: RawBody, key: Key = None
) -> Response[QualifiedList]:
    """Grant a qualification that nobody asked for, or change its level and end. Returns who is qualified then."""
    new = reading.decode(body, Given)
    until = read_until(new.last_day.isoformat()) if new.last_day else None

    def work(db: Connection) -> Response[QualifiedList]:
        service.give(db, me, new.instrument, new.person, level=new.level, until=until, now=now)
        return answer(request, _people(db, me, new.instrument, now))

    return once(request, database, me, now, work, key=key, body=body)


@post("/qualifications/courses", sync_to_thread=True, operation_id="recordSafetyCourse",
      summary="Write down a safety course", tags=["qualifications"], status_code=200,
      responses=problems(403, 404, 422, 503), operation_class=accepts(Course))  # fmt: skip
def course(
    request: Request, database: given.Database, me: given.Me, now: given.Now, body: RawBody, key: Key = None
) -> Response[QualifiedList]:
    """Write down that somebody completed the safety course of a centre. Returns who is qualified for the instrument."""
    new = reading.decode(body, Course)

    def work(db: Connection) -> Response[QualifiedList]:
        service.record_course(db, me, new.instrument, new.person, new.completed_on, now)
        return answer(request, _people(db, me, new.instrument, now))

    return once(request, database, me, now, work, key=key, body=body)


@put("/instruments/{instrument_id:str}/demand", sync_to_thread=True, operation_id="chooseDemand",
     summary="Choose what qualifications must keep to", tags=["qualifications"],
     responses=problems(403, 404, 422, 503), operation_class=accepts(DemandView))  # fmt: skip
def demand(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    instrument_id: Annotated[str, PathParameter(pattern=CODE)],
    body: RawBody,
    key: Key = None,
) -> Response[DemandView]:
    """Say what an instrument demands from now on, as a manager of its centre. What is booked stays."""
    wanted = Demand(**msgspec.structs.asdict(reading.decode(body, DemandView)))

    def work(db: Connection) -> Response[DemandView]:
        service.choose(db, me, instrument_id, wanted, now)
        return answer(request, demand_view(calendars.rules_of(db, instrument_id).demand))

    return once(request, database, me, now, work, key=key, body=body)


HANDLERS = [people, give, course, demand]


def demand_view(demand: Demand) -> DemandView:
    return DemandView(**msgspec.structs.asdict(demand))


def _people(db: Connection, me: Actor, instrument: str, now: datetime) -> QualifiedList:
    _, standings = service.people_of(db, me, instrument, now)
    return QualifiedList(items=tuple(_qualified(each) for each in standings))


def _place(standing: Standing) -> tuple[int, str]:
    return standing.line.held.level, standing.line.login


def _qualified(standing: Standing) -> QualifiedView:
    line = standing.line
    return QualifiedView(
        **msgspec.structs.asdict(standing_view(standing)),
        person=line.login,
        name=line.person,
        course_on=line.held.course_on,
        last_used_at=line.held.last_used_at,
    )
