"""Blocks by the managers of a centre: maintenance, engineering, closure.

What must not live here: the calendar's blocks, which are whatever stands on it (blocks.py).
"""

from __future__ import annotations

from datetime import datetime

import msgspec
from litestar import Response, Router, get, post

from labshare import formats
from labshare.domain.people import Action, Actor, require
from labshare.errors import Refused
from labshare.services import Connection, bookings
from labshare.services import calendars as looking
from labshare.web import calendars, given
from labshare.web.booking_forms import BLOCKS, BlockForm, Faults, read_kind, read_span
from labshare.web.bookings import day_of, form_page
from labshare.web.rendering import Form, Request, redirect


@get("/bookings/block", sync_to_thread=True)
def new_block(request: Request, database: given.Database, me: given.Me, now: given.Now) -> Response[str]:
    form = msgspec.convert(dict(request.query_params), BlockForm)
    with database.read() as db:
        return _block_form(request, db, me, form, now)


@post("/bookings/block", sync_to_thread=True)
def block(
    request: Request, database: given.Database, me: given.Me, now: given.Now, data: Form[BlockForm]
) -> Response[str]:
    span, faults = read_span(data)
    kind = read_kind(data.kind, faults)
    if faults or span is None:
        with database.read() as db:
            return _block_form(request, db, me, data, now, faults=faults)
    try:
        with database.write() as db:
            rules = looking.rules_of(db, data.instrument)
            bookings.block(db, me, rules.number, kind, span, data.purpose, now)
    except Refused as error:
        with database.read() as db:
            return _block_form(request, db, me, data, now, error=error)
    day = formats.local(span.start).date().isoformat()
    return redirect(request, f"/instruments/{rules.id}?date={day}", notice="time_blocked")


def _block_form(
    request: Request,
    db: Connection,
    me: Actor,
    form: BlockForm,
    now: datetime,
    *,
    faults: Faults | None = None,
    error: Refused | None = None,
) -> Response[str]:
    rules = looking.rules_of(db, form.instrument)
    require(me, Action.MANAGE_CALENDAR, centre=rules.centre_id)
    week = calendars.week_of(db, me, rules, day_of(form, rules, now), now)
    form = form if form.date else msgspec.structs.replace(form, date=day_of(form, rules, now).isoformat())
    return form_page(request, "bookings/block.html", rules, week, form, faults=faults, error=error, kinds=BLOCKS)


router = Router("/", route_handlers=[new_block, block])
