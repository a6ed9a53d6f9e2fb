"""The hold of an open form, over htmx: asked for when the form opens or its times change, prolonged once, given back.

Every answer but that of giving back is the fragment in the form that says how it stands; the form books without it as
well. What must not live here: how long a hold lasts (domain/holds.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import ceil
from typing import Any
from uuid import UUID

from litestar import Response, Router, post
from litestar.params import FromPath

from labshare import formats
from labshare.domain.bookings import Booking, Wish
from labshare.domain.holds import may_prolong
from labshare.domain.people import Actor
from labshare.errors import Forbidden, NotFound, Refusal, Refused, WrongState
from labshare.services import Database, bookings, calendars, holds
from labshare.web import given
from labshare.web.booking_forms import BookingForm
from labshare.web.booking_wishes import read_wish, ways_after
from labshare.web.clearances import write_or_hold_back
from labshare.web.free_times import offers_near
from labshare.web.rendering import Form, Request, redirect, render


@post("/bookings/holds", sync_to_thread=True, status_code=200)
def hold(
    request: Request, database: given.Database, me: given.Me, now: given.Now, data: Form[BookingForm]
) -> Response[str]:
    """Keep the time that the form says, in place of what it kept before. A form that is not filled in keeps nothing."""
    with database.read() as db:
        wish, _ = read_wish(db, me, data)
    if wish is None or wish.project_id is None:
        return _fragment(request, now)
    try:
        with write_or_hold_back(database, me, now) as db:
            held = holds.hold(db, me, wish, now)
    except Refused as error:
        _let_go(database, me, wish, now)
        with database.read() as db:
            rules = calendars.rules_of(db, data.instrument)
            ways = ways_after(db, me, rules, data.trainer, error.refusals, wish.span, now)
            offers = () if _is_only_of_holds(error.refusals) else offers_near(db, wish, now)
        return _fragment(request, now, refusals=error.refusals, offers=offers, **ways)
    except (NotFound, Forbidden):
        # The address named a hold of somebody else, or somebody for whom one may not book: the form itself says so.
        return _fragment(request, now)
    return _fragment(request, now, held=held)


@post("/bookings/holds/{hold_id:uuid}/prolong", sync_to_thread=True, status_code=200)
def prolong(
    request: Request, database: given.Database, me: given.Me, now: given.Now, hold_id: FromPath[UUID]
) -> Response[str]:
    try:
        with database.write() as db:
            held = holds.prolong(db, me, hold_id, now)
    except WrongState as error:
        return _fragment(request, now, refusals=error.refusals)
    return _fragment(request, now, held=held)


@post("/bookings/holds/{hold_id:uuid}/release", sync_to_thread=True, status_code=204)
def release(database: given.Database, me: given.Me, now: given.Now, hold_id: FromPath[UUID]) -> None:
    """The form was left; nobody reads the answer."""
    with database.write() as db:
        holds.release(db, me, hold_id, now)


@post("/bookings/holds/{hold_id:uuid}/let-go", sync_to_thread=True)
def let_go(
    request: Request, database: given.Database, me: given.Me, now: given.Now, hold_id: FromPath[UUID]
) -> Response[str]:
    """The same by the button on the page of the hold, which leads back to the calendar."""
    with database.write() as db:
        held = holds.release(db, me, hold_id, now)
        instrument_id = bookings.show(db, me, held.id).instrument_id
    day = formats.local(held.starts_at).date().isoformat()
    return redirect(request, f"/instruments/{instrument_id}?date={day}", notice="hold_released")


def _let_go(database: Database, me: Actor, wish: Wish, now: datetime) -> None:
    """The form asks for other time than it holds, and may not have it: what it held is free again."""
    if wish.replaces_id is not None:
        with database.write() as db:
            holds.release(db, me, wish.replaces_id, now)


def _is_only_of_holds(refusals: Sequence[Refusal]) -> bool:
    """Whether the time could be booked, though it is not kept meanwhile."""
    return all(each.code.startswith("hold") for each in refusals)


def _fragment(
    request: Request, now: datetime, *, held: Booking | None = None, refusals: Sequence[Refusal] = (), **ways: Any
) -> Response[str]:
    seconds = ceil((held.hold_expires_at - now).total_seconds()) if held and held.hold_expires_at else 0
    return render(
        request,
        "bookings/_hold.html",
        held=held,
        seconds=seconds,
        left=f"{seconds // 60}:{seconds % 60:02}",
        may_prolong=held is not None and may_prolong(held),
        is_only_of_holds=_is_only_of_holds(refusals),
        refusals=refusals,
        **ways,
    )


router = Router("/", route_handlers=[hold, prolong, release, let_go])
