"""The state of an instrument, for the managers of its centre: record a failure and the repair, see whose time it takes.

What must not live here: moving the bookings that are touched (bookings.py).
"""

from __future__ import annotations

import msgspec
from litestar import Response, Router, get, post
from litestar.params import FromPath

from labshare.services import usage
from labshare.web import given
from labshare.web.rendering import Form, Request, redirect, render


class FailureForm(msgspec.Struct, frozen=True, kw_only=True):
    note: str = ""


@get("/instruments/{instrument_id:str}/state", sync_to_thread=True)
def state(
    request: Request, database: given.Database, me: given.Me, now: given.Now, instrument_id: FromPath[str]
) -> Response[str]:
    with database.read() as db:
        condition = usage.condition(db, me, instrument_id, now)
    return render(request, "usage/page.html", condition=condition)


@post("/instruments/{instrument_id:str}/down", sync_to_thread=True)
def down(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    instrument_id: FromPath[str],
    data: Form[FailureForm],
) -> Response[str]:
    with database.write() as db:
        usage.record_down(db, me, instrument_id, data.note, now)
    return redirect(request, f"/instruments/{instrument_id}/state", notice="instrument_down")


@post("/instruments/{instrument_id:str}/up", sync_to_thread=True)
def up(
    request: Request, database: given.Database, me: given.Me, now: given.Now, instrument_id: FromPath[str]
) -> Response[str]:
    with database.write() as db:
        usage.record_up(db, me, instrument_id, now)
    return redirect(request, f"/instruments/{instrument_id}/state", notice="instrument_up")


router = Router("/", route_handlers=[state, down, up])
