"""Bookings that wait for their centre: the list with its decisions, and which instruments have bookings wait.

What must not live here: what a decision does (services/approvals.py).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec
from litestar import Response, Router, get, post
from litestar.params import FromPath, FromQuery

from labshare import formats
from labshare.domain.approvals import MOST_HOURS, Approval
from labshare.domain.bookings import Booking
from labshare.domain.people import Action, Actor, may_somewhere
from labshare.errors import LabShareError, Malformed, Refused, Stale, WrongState
from labshare.i18n import gettext, language
from labshare.services import Connection, Database, approvals
from labshare.services.bookings import BookingLine
from labshare.web import given
from labshare.web.booking_forms import read_id, read_version
from labshare.web.rendering import Form, Request, redirect, render
from labshare.web.sections import Line, Section


class DecisionForm(msgspec.Struct, frozen=True):
    version: str = ""
    note: str = ""


class SettingForm(msgspec.Struct, frozen=True):
    instrument: str = ""
    approval: str = ""
    hours: str = "72"


@get("/approvals", sync_to_thread=True)
def listing(
    request: Request, database: given.Database, me: given.Me, now: given.Now, instrument: FromQuery[str] = ""
) -> Response[str]:
    """What waits, and the form of a choice; `instrument` fills it with what is chosen for one already."""
    return _page(request, database, me, now, instrument=instrument)


@post("/bookings/{booking_id:str}/approve", sync_to_thread=True)
def approve(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    booking_id: FromPath[str],
    data: Form[DecisionForm],
) -> Response[str]:
    return _decided(request, database, me, now, booking_id, data, approvals.approve, "booking_approved")


@post("/bookings/{booking_id:str}/decline", sync_to_thread=True)
def decline(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    booking_id: FromPath[str],
    data: Form[DecisionForm],
) -> Response[str]:
    return _decided(request, database, me, now, booking_id, data, approvals.decline, "booking_declined")


@post("/approvals", sync_to_thread=True)
def choose(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    data: Form[SettingForm],
) -> Response[str]:
    if not data.instrument:
        return _page(request, database, me, now, WrongState("approval_of_nothing"), form=data)
    hours = int(data.hours) if data.hours.isascii() and data.hours.isdecimal() and len(data.hours) < 6 else 0
    try:
        with database.write() as db:
            approvals.choose(db, me, data.instrument, data.approval, hours, now)
    except Refused as error:
        return _page(request, database, me, now, error, form=data)
    return redirect(request, "/approvals", notice="approval_chosen")


def waiting_section(db: Connection, actor: Actor, now: datetime) -> Section | None:
    """On a manager's home page: bookings that wait for the centre, and until when."""
    if not may_somewhere(actor, Action.MANAGE_CALENDAR):
        return None
    return Section(
        title=gettext("Bookings to approve"),
        icon="clipboard-list",
        lines=tuple(_home_line(line) for line in approvals.waiting(db, actor, now)),
        more="/approvals",
        urgent=True,
    )


def _home_line(line: BookingLine) -> Line:
    booking = line.booking
    instrument = line.instrument_vi if language() == "vi" else line.instrument_en
    return Line(
        href=f"/bookings/{booking.id}",
        title=f"{instrument} · {formats.span(booking.starts_at, booking.ends_at)}",
        detail=" · ".join(filter(None, (line.person, line.project, booking.purpose))),
        due=gettext("decide by"),
        due_at=booking.hold_expires_at,
    )


def _decided(
    request: Request,
    database: Database,
    me: Actor,
    now: datetime,
    booking_id: str,
    data: DecisionForm,
    decide: Callable[..., Booking],
    notice: str,
) -> Response[str]:
    try:
        with database.write() as db:
            decide(db, me, read_id(booking_id), seen_version=read_version(data.version), now=now, note=data.note)
    except (Malformed, Stale, WrongState) as error:
        return _page(request, database, me, now, error)
    return redirect(request, "/approvals", notice=notice)


def _page(
    request: Request,
    database: Database,
    me: Actor,
    now: datetime,
    error: LabShareError | None = None,
    form: SettingForm | None = None,
    instrument: str = "",
) -> Response[str]:
    with database.read() as db:
        waiting, instruments = approvals.waiting(db, me, now), approvals.settings(db, me)
    held = (
        SettingForm(each.id, each.approval, str(each.approval_hours)) for each in instruments if each.id == instrument
    )
    return render(
        request,
        "bookings/approvals.html",
        status=error.status if error else 200,
        waiting=waiting,
        instruments=instruments,
        approvals=[each.value for each in Approval],
        most_hours=MOST_HOURS,
        form=form or next(held, SettingForm()),
        refusals=error.refusals if error else (),
    )


router = Router("/", route_handlers=[listing, approve, decline, choose])
