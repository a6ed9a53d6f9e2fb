"""/api/v1/qualifications: what the caller holds and asks for; for instrument scientists what they grant and revoke."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath, RawBody
from msgspec import Meta

from labshare.domain.people import Actor
from labshare.domain.qualifications import AskState, Level
from labshare.services import Connection, calendars, training
from labshare.services import qualifications as service
from labshare.services.qualifications import AskLine, Standing
from labshare.web import given
from labshare.web.api import paging, reading
from labshare.web.api.answers import answer
from labshare.web.api.idempotency import Key, once
from labshare.web.api.reading import Code, Text, asked
from labshare.web.api.schema import accepts, problems
from labshare.web.qualifications import read_until
from labshare.web.rendering import Request

LevelNumber = Annotated[int, Meta(ge=1, le=Level.TRAINER.value, description="1 user, 2 also outside hours, 3 trainer.")]


class QualificationView(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller holds for one instrument. A use must be over by `until`, None for no end; `why` says what ends
    then: `expires`, `never_used`, `not_used` or `course`. `state` is `valid`, `soon`, `course_missing` or why it ended.
    """

    instrument: str
    level: int
    granted_at: datetime | None
    until: datetime | None
    why: str | None
    state: str


class QualificationList(msgspec.Struct, frozen=True, kw_only=True):
    """In the order of the instruments' codes."""

    items: tuple[QualificationView, ...]


class AskView(msgspec.Struct, frozen=True, kw_only=True):
    """That somebody asked for a qualification, and what was answered; `revoked` tells of one that was taken back."""

    id: UUID
    instrument: str
    person: str
    level: int
    note: str
    state: AskState
    answer: str
    asked_at: datetime
    decided_at: datetime | None


class AskList(msgspec.Struct, frozen=True, kw_only=True):
    """`next` is the address of the page that follows. What an answer to a change tells of is the first 200."""

    items: tuple[AskView, ...]
    next: str | None = None


class NewAsk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the caller asks for, with what they can do already."""

    instrument: Annotated[Code, Meta(examples=["N001"])]
    level: LevelNumber = 1
    note: Text = ""


class Grant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is granted, until the end of the local day `last_day`; without one it has no end of its own."""

    level: LevelNumber = 1
    last_day: dt.date | None = None
    note: Text = ""


class Refusing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why not."""

    note: Annotated[Text, Meta(min_length=1)]


class Revocation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose qualification for which instrument is taken back, and why."""

    instrument: Code
    person: Annotated[Code, Meta(description="The login.", examples=["researcher.ims"])]
    note: Annotated[Text, Meta(min_length=1)]


class TrainerView(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who may be named as `trainer` of a booking."""

    id: UUID
    name: str


class TrainerList(msgspec.Struct, frozen=True, kw_only=True):
    items: tuple[TrainerView, ...]


@get("/qualifications", sync_to_thread=True, operation_id="listQualifications", summary="My qualifications",
     tags=["qualifications"], responses=problems())  # fmt: skip
def listing(request: Request, database: given.Database, me: given.Me, now: given.Now) -> Response[QualificationList]:
    """What the caller holds, also where it has ended."""
    with database.read() as db:
        items = tuple(standing_view(each) for each in service.mine(db, me, now))
    return answer(request, QualificationList(items=items))


@get("/qualifications/asks", sync_to_thread=True, operation_id="listAsks", summary="What I asked for",
     tags=["qualifications"], responses=problems())  # fmt: skip
def my_asks(request: Request, database: given.Database, me: given.Me) -> Response[AskList]:
    """What the caller asked for and what was answered, the newest first; no more than 50."""
    with database.read() as db:
        return answer(request, AskList(items=tuple(_ask(each) for each in service.my_asks(db, me))))


@post("/qualifications/asks", sync_to_thread=True, operation_id="askForQualification", summary="Ask for one",
      tags=["qualifications"], responses=problems(403, 404, 422, 503), operation_class=accepts(NewAsk))  # fmt: skip
def ask(
    request: Request, database: given.Database, me: given.Me, now: given.Now, body: RawBody, key: Key = None
) -> Response[AskView]:
    """Ask for a qualification, or for one to be renewed or raised; an instrument scientist answers."""
    new = reading.decode(body, NewAsk)

    def work(db: Connection) -> Response[AskView]:
        made = service.ask(db, me, new.instrument, new.level, new.note, now)
        (line,) = (each for each in service.my_asks(db, me) if each.ask.id == made.id)
        return answer(request, _ask(line), status=201)

    return once(request, database, me, now, work, key=key, body=body)


@get("/qualifications/waiting", sync_to_thread=True, operation_id="listWaitingAsks", summary="What I may grant",
     tags=["qualifications"], responses=problems())  # fmt: skip
def waiting(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    cursor: paging.Cursor = "",
    limit: paging.Limit = paging.USUAL_PAGE,
) -> Response[AskList]:
    """What people ask of the caller, who manages the centre or trains people at the instrument; the oldest first."""
    place = paging.behind(cursor, tuple[datetime, UUID])
    after = (reading.instant(place[0], "cursor"), place[1]) if place else None
    with database.read() as db:
        found = service.waiting(db, me, now, after=after, limit=limit + 1)
    lines, following = paging.page(request, found, limit, lambda line: (line.ask.asked_at, line.ask.id))
    return answer(request, AskList(items=tuple(map(_ask, lines)), next=following), following=following)


@post("/qualifications/asks/{ask_id:uuid}/grant", sync_to_thread=True, operation_id="grantQualification",
      summary="Grant", tags=["qualifications"], status_code=200, responses=problems(403, 404, 422, 503),
      operation_class=accepts(Grant))  # fmt: skip
def grant(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    ask_id: FromPath[UUID],
    body: RawBody,
    key: Key = None,
) -> Response[AskList]:
    """Grant what was asked for. Trainers grant below their own level. Returns what still waits."""
    new = reading.decode(body, Grant)
    until = read_until(new.last_day.isoformat()) if new.last_day else None

    def decide(db: Connection) -> None:
        service.grant(db, me, ask_id, level=new.level, until=until, now=now, note=new.note)

    return once(request, database, me, now, _left(request, me, now, decide), key=key, body=body)


@post("/qualifications/asks/{ask_id:uuid}/decline", sync_to_thread=True, operation_id="declineQualification",
      summary="Decline", tags=["qualifications"], status_code=200, responses=problems(404, 422, 503),
      operation_class=accepts(Refusing))  # fmt: skip
def decline(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    ask_id: FromPath[UUID],
    body: RawBody,
    key: Key = None,
) -> Response[AskList]:
    """Say no and why. Returns what still waits."""
    new = reading.decode(body, Refusing)

    def decide(db: Connection) -> None:
        service.decline(db, me, ask_id, note=new.note, now=now)

    return once(request, database, me, now, _left(request, me, now, decide), key=key, body=body)


@post("/qualifications/revoke", sync_to_thread=True, operation_id="revokeQualification", summary="Revoke",
      tags=["qualifications"], status_code=200, responses=problems(403, 404, 422, 503),
      operation_class=accepts(Revocation))  # fmt: skip
def revoke(
    request: Request, database: given.Database, me: given.Me, now: given.Now, body: RawBody, key: Key = None
) -> Response[AskList]:
    """Take a qualification back; what its holder has booked stays. Returns what waits for the caller."""
    new = reading.decode(body, Revocation)

    def decide(db: Connection) -> None:
        service.revoke(db, me, new.instrument, new.person, note=new.note, now=now)

    return once(request, database, me, now, _left(request, me, now, decide), key=key, body=body)


@get("/qualifications/trainers", sync_to_thread=True, operation_id="listTrainers", summary="Trainers of an instrument",
     tags=["qualifications"], responses=problems(404))  # fmt: skip
def trainers(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    instrument: Annotated[str, asked("instrument", "The code of the instrument.")] = "",
) -> Response[TrainerList]:
    """Whom the caller may name as `trainer` of a booking, by name."""
    with database.read() as db:
        found = training.trainers(db, me, calendars.rules_of(db, instrument), now)
    return answer(request, TrainerList(items=tuple(TrainerView(id=each.id, name=each.name) for each in found)))


HANDLERS = [listing, my_asks, ask, waiting, grant, decline, revoke, trainers]


def _left(
    request: Request, me: Actor, now: datetime, decide: Callable[[Connection], None]
) -> Callable[[Connection], Response[AskList]]:
    def work(db: Connection) -> Response[AskList]:
        decide(db)
        return answer(request, AskList(items=tuple(_ask(each) for each in service.waiting(db, me, now))))

    return work


def standing_view(standing: Standing) -> QualificationView:
    """How a qualification stands."""
    line, end = standing.line, standing.end
    return QualificationView(
        instrument=line.instrument_id,
        level=line.held.level,
        granted_at=line.held.granted_at,
        until=end.at if end else None,
        why=end.kind.value if end else None,
        state=standing.state,
    )


def _ask(line: AskLine) -> AskView:
    ask = line.ask
    return AskView(
        id=ask.id,
        instrument=line.instrument_id,
        person=line.login,
        level=ask.level,
        note=ask.note,
        state=ask.state,
        answer=ask.answer,
        asked_at=ask.asked_at,
        decided_at=ask.decided_at,
    )
