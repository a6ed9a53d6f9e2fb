"""Naming the operator of a booking from its page, while everything else stays.

What must not live here: who may be named (domain/operators.py), or the choices of the forms (booking_wishes.py).
"""

from __future__ import annotations

from uuid import UUID

from litestar import Response, Router, post
from litestar.params import FromPath

from labshare.errors import Refused, Stale, WrongState
from labshare.services import operators
from labshare.web import given
from labshare.web.booking_forms import ChangeForm, Faults, read_person, read_version
from labshare.web.bookings import booking_page
from labshare.web.rendering import Form, Request, redirect


@post("/bookings/{booking_id:uuid}/operator", sync_to_thread=True)
def assign(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    booking_id: FromPath[UUID],
    data: Form[ChangeForm],
) -> Response[str]:
    faults: Faults = {}
    operator_id = read_person(data.operator, "operator", faults)
    if faults:
        with database.read() as db:
            return booking_page(request, db, me, booking_id, now, form=data, faults=faults)
    try:
        with database.write() as db:
            operators.assign(db, me, booking_id, operator_id, seen_version=read_version(data.version), now=now)
    except (Refused, Stale, WrongState) as error:
        with database.read() as db:
            return booking_page(request, db, me, booking_id, now, form=data, error=error)
    return redirect(request, f"/bookings/{booking_id}", notice="operator_assigned")


router = Router("/", route_handlers=[assign])
