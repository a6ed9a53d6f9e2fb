"""/api/v1/slots: where time is free, by the same search as the page /find."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, get
from litestar.params import QueryParameter

from labshare import formats
from labshare.domain.modes import Mode
from labshare.domain.people import Action, require
from labshare.domain.timespan import Span
from labshare.errors import Malformed, Refusal, Refused
from labshare.services import free_times as service
from labshare.services import projects, usage, wishes
from labshare.services.free_times import Day, Row
from labshare.web import given
from labshare.web.api import reading
from labshare.web.api.answers import answer
from labshare.web.api.reading import asked
from labshare.web.api.schema import ProblemRefusal, problems, told
from labshare.web.free_times import USUAL_LENGTH, Asked, chosen, read
from labshare.web.rendering import Request


class SlotView(msgspec.Struct, frozen=True, kw_only=True):
    starts_at: datetime
    ends_at: datetime


class SlotLine(msgspec.Struct, frozen=True, kw_only=True):
    """The first free times of an instrument on a day. `lacking` is why the caller could not book them all the same;
    `estimate` is VND for the first of them, None where no tariff says it; `down_since` is since when the instrument is
    down, None while it runs.
    """

    date: str
    instrument: str
    centre: str
    city_vi: str
    city_en: str
    slots: tuple[SlotView, ...]
    lacking: tuple[ProblemRefusal, ...]
    estimate: int | None
    down_since: datetime | None


class SlotList(msgspec.Struct, frozen=True, kw_only=True):
    """By day, of the instruments that are free first; `others` may be free later and are not listed."""

    items: tuple[SlotLine, ...]
    instruments: int
    others: int


class NearList(msgspec.Struct, frozen=True, kw_only=True):
    """The nearest first; none where nothing would be accepted. `down_since` as in a `SlotLine`."""

    items: tuple[SlotView, ...]
    down_since: datetime | None


@get("/slots", sync_to_thread=True, operation_id="findSlots", summary="Find free time", tags=["instruments"],
     responses=problems(403, 404, 422))  # fmt: skip
def find(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    capability: Annotated[str, asked("capability", "Code of a capability, such as FESEM.")] = "",
    instrument: Annotated[str, asked("instrument", "Code of one instrument.")] = "",
    centre: Annotated[str, asked("centre", "Code of a centre.")] = "",
    zone: Annotated[str, asked("zone", "Code of a zone.")] = "",
    city: Annotated[str, asked("city", "Vietnamese name of a city.")] = "",
    length: Annotated[str, asked("length", "How long: 90, 3h, 1h30.")] = USUAL_LENGTH,
    from_day: Annotated[str, asked("from", "First local day; today when empty.")] = "",
    to_day: Annotated[str, asked("to", "Last local day; two weeks when empty, 62 days at most.")] = "",
    days: Annotated[
        list[str] | None, QueryParameter(name="day", description="Only these days of the week: Mon to Sun, repeated.")
    ] = None,
    part: Annotated[str, asked("part", "morning or afternoon.")] = "",
    earliest: Annotated[str, asked("earliest", "Starts at this local time or later.")] = "",
    latest: Annotated[str, asked("latest", "Ends by this local time.")] = "",
    everyone: Annotated[str, asked("everyone", "Anything: also what the caller is not qualified for.")] = "",
    project: Annotated[str, asked("project", "Code of the project that would pay.")] = "",
) -> Response[SlotList]:
    """The first free times on each day, of up to 20 instruments. Booking one may still be refused by a full share."""
    require(me, Action.BOOK)
    wanted = Asked(
        capability=capability, instrument=instrument, centre=centre, zone=zone, city=city, length=length,
        from_=from_day, to=to_day, days=tuple(days or ()), part=part, earliest=earliest, latest=latest,
        everyone=everyone, project=project,
    )  # fmt: skip
    with database.read() as db:
        sought, faults = read(db, wanted, formats.local(now).date())
        if sought is None:
            fault = next(iter(faults.values()))
            raise Malformed(fault.code, **fault.params)
        choices = projects.usable(db, me, now)
        if project and project not in {each.code for each in choices}:
            raise Refused([Refusal(code="project_unknown")])
        found = service.find(db, me, sought, now, chosen(choices, project))
    items = tuple(_line(day, row) for day in found.days for row in day.rows)
    return answer(request, SlotList(items=items, instruments=found.instruments, others=found.others))


@get("/slots/near", sync_to_thread=True, operation_id="findNearestSlots", summary="Free times nearest to a wish",
     tags=["instruments"], responses=problems(403, 404))  # fmt: skip
def near(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    instrument: Annotated[str, asked("instrument", "Code of the instrument.")] = "",
    starts_at: Annotated[str, asked("starts_at", "When the use should begin, with its offset.")] = "",
    ends_at: Annotated[str, asked("ends_at", "When it should end.")] = "",
    project: Annotated[str, asked("project", "Code of the project that would pay.")] = "",
    mode: Annotated[Mode | None, QueryParameter(description="Who would run it; without it as is usual there.")] = None,
    trainer: Annotated[UUID | None, QueryParameter(description="Who would be present: see listTrainers.")] = None,
    operator: Annotated[UUID | None, QueryParameter(description="Who would run it or help: see listOperators.")] = None,
) -> Response[NearList]:
    """Up to three uses of one instrument that would be accepted in place of this one, the nearest first, within two
    weeks of it, while a trainer and an operator are free; lengths are mended to what the instrument allows. What the
    page of a refused booking offers.
    """
    require(me, Action.BOOK)
    span = Span(reading.typed_moment(starts_at, "starts_at"), reading.typed_moment(ends_at, "ends_at"))
    with database.read() as db:
        wish, _ = wishes.wish_of(db, me, instrument, project, span, "")
        wish = msgspec.structs.replace(wish, mode=mode, trainer_id=trainer, operator_id=operator)
        found = service.suggest(db, wish, now)
        down_since = usage.down_since(db, [wish.instrument_number]).get(wish.instrument_number)
    items = tuple(SlotView(starts_at=each.start, ends_at=each.end) for each in found)
    return answer(request, NearList(items=items, down_since=down_since))


HANDLERS = [find, near]


def _line(day: Day, row: Row) -> SlotLine:
    return SlotLine(
        date=day.date.isoformat(),
        instrument=row.place.id,
        centre=row.place.centre_id,
        city_vi=row.place.city_vi,
        city_en=row.place.city_en,
        slots=tuple(SlotView(starts_at=span.start, ends_at=span.end) for span in row.spans),
        lacking=tuple(told(each) for each in row.lacking),
        estimate=row.estimate.price.total if row.estimate else None,
        down_since=row.down_since,
    )
