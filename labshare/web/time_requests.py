"""The pages of requests for time: apply in a round, look at one's own request, change or withdraw it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec
from litestar import Response, Router, get, post
from litestar.params import FromPath

from labshare.domain.people import Action, Actor, require
from labshare.domain.projects import Project
from labshare.domain.time_requests import MOST_SESSIONS, RequestState
from labshare.errors import LabShareError, NotFound, Refused
from labshare.i18n import gettext
from labshare.services import projects, round_pages, time_requests
from labshare.services.round_pages import RequestLine
from labshare.web import given
from labshare.web.rendering import Form, Request, redirect, render
from labshare.web.round_forms import Faults, RequestForm, form_of_request, read_request


class Seen(msgspec.Struct, frozen=True):
    """The version that the reader saw."""

    version: int


@get("/rounds/{round_id:uuid}/apply", sync_to_thread=True)
def apply_page(
    request: Request, database: given.Database, me: given.Me, now: given.Now, round_id: FromPath[UUID]
) -> Response[str]:
    return _form_page(request, database, me, now, round_id, RequestForm())


@post("/rounds/{round_id:uuid}/requests", sync_to_thread=True)
def apply(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    round_id: FromPath[UUID],
    data: Form[RequestForm],
) -> Response[str]:
    wish, faults = read_request(data)
    if wish is None:
        return _form_page(request, database, me, now, round_id, data, faults=faults)
    try:
        with database.write() as db:
            made = time_requests.apply(db, me, round_id, wish, now)
    except (Refused, NotFound) as error:
        return _form_page(request, database, me, now, round_id, data, error=error)
    return redirect(request, f"/requests/{made.id}", notice="request_sent")


@get("/requests/{request_id:uuid}", sync_to_thread=True)
def show(
    request: Request, database: given.Database, me: given.Me, now: given.Now, request_id: FromPath[UUID]
) -> Response[str]:
    with database.read() as db:
        line = round_pages.own_request(db, me, request_id)
        held = round_pages.held_reasons(db, line, now)
    return render(request, "rounds/request.html", line=line, held=held, may_change=_may_change(line, now))


@get("/requests/{request_id:uuid}/edit", sync_to_thread=True)
def edit_page(
    request: Request, database: given.Database, me: given.Me, now: given.Now, request_id: FromPath[UUID]
) -> Response[str]:
    with database.read() as db:
        line = round_pages.own_request(db, me, request_id)
    if not _may_change(line, now):
        raise NotFound("request_not_found")
    codes = {each.number: each.id for each in line.instruments}
    typed = form_of_request(line.request, codes)
    return _form_page(request, database, me, now, line.round.id, typed, request_id=request_id)


@post("/requests/{request_id:uuid}/edit", sync_to_thread=True)
def edit(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    request_id: FromPath[UUID],
    data: Form[RequestForm],
) -> Response[str]:
    with database.read() as db:
        round_id = time_requests.own(db, me, request_id).round_id
    wish, faults = read_request(data)
    if wish is None:
        return _form_page(request, database, me, now, round_id, data, request_id=request_id, faults=faults)
    try:
        with database.write() as db:
            time_requests.edit(db, me, request_id, wish, seen_version=data.version, now=now)
    except (Refused, NotFound) as error:
        return _form_page(request, database, me, now, round_id, data, request_id=request_id, error=error)
    return redirect(request, f"/requests/{request_id}", notice="request_changed")


@post("/requests/{request_id:uuid}/withdraw", sync_to_thread=True)
def withdraw(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    request_id: FromPath[UUID],
    data: Form[Seen],
) -> Response[str]:
    with database.write() as db:
        time_requests.withdraw(db, me, request_id, seen_version=data.version, now=now)
    return redirect(request, f"/requests/{request_id}", notice="request_withdrawn")


def _may_change(line: RequestLine, now: datetime) -> bool:
    return line.request.state is RequestState.SUBMITTED and line.round.is_accepting(now)


def _form_page(
    request: Request,
    database: given.Database,
    me: Actor,
    now: datetime,
    round_id: UUID,
    typed: RequestForm,
    *,
    request_id: UUID | None = None,
    faults: Faults | None = None,
    error: LabShareError | None = None,
) -> Response[str]:
    require(me, Action.APPLY)
    with database.read() as db:
        r, offered, names = round_pages.offered_to(db, me, round_id)
        mine: list[Project] = projects.usable(db, me, now)
    not_yet = gettext("You are not qualified yet")
    return render(
        request,
        "rounds/apply.html",
        status=error.status if error else 422 if faults else 200,
        round=r,
        is_accepting=r.is_accepting(now),
        typed=typed,
        request_id=request_id,
        faults=faults or {},
        refusals=error.refusals if error else (),
        projects=mine,
        notes={number: not_yet for number, item in offered.items() if not item.is_allowed},
        instruments=names,
        capabilities=sorted({(name.capability.id, name.capability) for name in names}, key=lambda pair: pair[0]),
        most_sessions=MOST_SESSIONS,
    )


router = Router("/", route_handlers=[apply_page, apply, show, edit_page, edit, withdraw])
