"""Taking a strike back, from the page of its booking."""

from __future__ import annotations

from uuid import UUID

from litestar import Response, Router, post
from litestar.params import FromPath

from labshare.errors import Malformed, Refused, Stale, WrongState
from labshare.services import strikes
from labshare.web import given
from labshare.web.booking_forms import ChangeForm, read_version
from labshare.web.bookings import booking_page
from labshare.web.rendering import Form, Request, redirect


@post("/bookings/{booking_id:uuid}/pardon", sync_to_thread=True)
def pardon(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    booking_id: FromPath[UUID],
    data: Form[ChangeForm],
) -> Response[str]:
    try:
        with database.write() as db:
            strikes.pardon(db, me, booking_id, data.reason, seen_version=read_version(data.version), now=now)
    except Malformed as error:
        with database.read() as db:
            faults = {"reason": error.refusals[0]}
            return booking_page(request, db, me, booking_id, now, form=data, faults=faults)
    except (Refused, Stale, WrongState) as error:
        with database.read() as db:
            return booking_page(request, db, me, booking_id, now, form=data, error=error)
    return redirect(request, f"/bookings/{booking_id}", notice="booking_pardoned")


router = Router("/", route_handlers=[pardon])
