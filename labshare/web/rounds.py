"""The pages of rounds: open calls, one round with its steps and its planning desk, and the form that makes one.

Requests for time are in time_requests.py, forms in round_forms.py, the parts of a planning desk in desks.py and its
picture in timelines.py, what the home page says of rounds in round_sections.py.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, Router, get, post
from litestar.params import FromPath, FromQuery

from labshare.domain.people import Action, Actor, may_somewhere
from labshare.domain.rounds import SLOT_CHOICES, PlanState, RoundState
from labshare.errors import Forbidden, LabShareError, Malformed, NotFound, Refused, TimeTaken, WrongState
from labshare.services import desk, plans, round_pages, rounds
from labshare.services.round_pages import RoundPage
from labshare.web import given
from labshare.web.desks import MOST_OFFERED, parts_of
from labshare.web.rendering import Form, Request, redirect, render
from labshare.web.round_forms import Faults, RoundForm, form_of_round, read_round

DONE = frozenset({RoundState.PUBLISHED, RoundState.WITHDRAWN})


class Seen(msgspec.Struct, frozen=True):
    """The version that the reader saw."""

    version: int


class SeenPlan(msgspec.Struct, frozen=True):
    """The plan that the reader saw, by its hash."""

    plan_sha256: str
    note: str = ""


class Approving(SeenPlan, frozen=True):
    centre: str = ""


class Progress(msgspec.Struct, frozen=True):
    """The last line the solver told of itself."""

    objective: int = 0
    gap: float = 0.0
    seconds: float = 0.0
    placed: int = 0
    stage: int = 1
    stages: int = 1


# ---------------------------------------------------------------- looking


@get("/rounds", sync_to_thread=True)
def listing(request: Request, database: given.Database, actor: given.Reader, now: given.Now) -> Response[str]:
    with database.read() as db:
        lines = round_pages.listing(db, actor, now)
        mine = round_pages.mine(db, actor) if actor else []
    return render(
        request,
        "rounds/page.html",
        accepting=[line for line in lines if line.is_accepting],
        others=[line for line in lines if not line.is_accepting and line.round.state not in DONE],
        past=[line for line in lines if line.round.state in DONE],
        mine=mine,
    )


@get("/rounds/{round_id:uuid}", sync_to_thread=True)
def show(
    request: Request,
    database: given.Database,
    actor: given.Reader,
    now: given.Now,
    round_id: FromPath[UUID],
    centre: FromQuery[str] = "",
) -> Response[str]:
    return _round_page(request, database, actor, now, round_id, centre=centre)


@get("/rounds/{round_id:uuid}/progress", sync_to_thread=True)
def progress(
    request: Request, database: given.Database, me: given.Me, now: given.Now, round_id: FromPath[UUID]
) -> Response[str]:
    """A fragment that asks for itself while a plan runs, and has the whole page loaded once none does."""
    with database.read() as db:
        page = round_pages.page(db, me, round_id, now)
    if not page.sees_requests:
        raise NotFound("plan_not_found")
    headers = {} if page.running else {"HX-Refresh": "true"}
    return render(
        request, "rounds/progress.html", fragment="rounds/_progress.html", headers=headers, page=page, **_running(page)
    )


# ---------------------------------------------------------------- making


@get("/rounds/new", sync_to_thread=True)
def new(request: Request, database: given.Database, me: given.Me) -> Response[str]:
    return _form_page(request, database, me, RoundForm())


@post("/rounds", sync_to_thread=True)
def create(
    request: Request, database: given.Database, me: given.Me, now: given.Now, data: Form[RoundForm]
) -> Response[str]:
    wanted, faults = read_round(data)
    if wanted is None:
        return _form_page(request, database, me, data, faults=faults)
    try:
        with database.write() as db:
            made = rounds.create(db, me, wanted, now)
    except (Refused, Malformed) as error:
        return _form_page(request, database, me, data, error=error)
    return redirect(request, f"/rounds/{made.id}", notice="round_made")


@get("/rounds/{round_id:uuid}/edit", sync_to_thread=True)
def edit_page(
    request: Request, database: given.Database, me: given.Me, now: given.Now, round_id: FromPath[UUID]
) -> Response[str]:
    with database.read() as db:
        page = round_pages.page(db, me, round_id, now)
    if not page.may_manage or page.round.state is not RoundState.DRAFT:
        raise NotFound("round_not_found")
    codes = {line.instrument.number: line.instrument.id for line in page.offers}
    typed = form_of_round(page.round, [offer for line in page.offers for offer in line.offers], codes)
    return _form_page(request, database, me, typed, round_id=round_id)


@post("/rounds/{round_id:uuid}/edit", sync_to_thread=True)
def edit(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    round_id: FromPath[UUID],
    data: Form[RoundForm],
) -> Response[str]:
    wanted, faults = read_round(data)
    if wanted is None:
        return _form_page(request, database, me, data, round_id=round_id, faults=faults)
    try:
        with database.write() as db:
            rounds.change_draft(db, me, round_id, wanted, seen_version=data.version, now=now)
    except (Refused, Malformed) as error:
        return _form_page(request, database, me, data, round_id=round_id, error=error)
    return redirect(request, f"/rounds/{round_id}", notice="round_changed")


# ---------------------------------------------------------------- steps


@post("/rounds/{round_id:uuid}/open", sync_to_thread=True)
def open_round(
    request: Request, database: given.Database, me: given.Me, now: given.Now, round_id: FromPath[UUID], data: Form[Seen]
) -> Response[str]:
    try:
        with database.write() as db:
            rounds.open_round(db, me, round_id, seen_version=data.version, now=now)
    except (Refused, WrongState) as error:
        return _round_page(request, database, me, now, round_id, error=error)
    return redirect(request, f"/rounds/{round_id}", notice="round_opened")


@post("/rounds/{round_id:uuid}/close", sync_to_thread=True)
def close(
    request: Request, database: given.Database, me: given.Me, now: given.Now, round_id: FromPath[UUID], data: Form[Seen]
) -> Response[str]:
    with database.write() as db:
        rounds.close(db, me, round_id, seen_version=data.version, now=now)
    return redirect(request, f"/rounds/{round_id}", notice="round_closed")


@post("/rounds/{round_id:uuid}/withdraw", sync_to_thread=True)
def withdraw(
    request: Request, database: given.Database, me: given.Me, now: given.Now, round_id: FromPath[UUID], data: Form[Seen]
) -> Response[str]:
    with database.write() as db:
        rounds.withdraw(db, me, round_id, seen_version=data.version, now=now)
    return redirect(request, f"/rounds/{round_id}", notice="round_withdrawn")


@post("/rounds/{round_id:uuid}/plan", sync_to_thread=True)
def plan(
    request: Request,
    database: given.Database,
    me: given.Me,
    settings: given.Settings,
    now: given.Now,
    round_id: FromPath[UUID],
) -> Response[str]:
    with database.write() as db:
        rounds.queue_plan(db, me, round_id, seconds=settings.solve_seconds, now=now)
    return redirect(request, f"/rounds/{round_id}", notice="plan_queued")


@post("/rounds/{round_id:uuid}/plans/{plan_id:uuid}/cancel", sync_to_thread=True)
def cancel(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    round_id: FromPath[UUID],
    plan_id: FromPath[UUID],
) -> Response[str]:
    with database.write() as db:
        rounds.cancel_plan(db, me, plan_id, now)
    return redirect(request, f"/rounds/{round_id}", notice="plan_cancelled")


@post("/rounds/{round_id:uuid}/plans/{plan_id:uuid}/approve", sync_to_thread=True)
def approve(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    round_id: FromPath[UUID],
    plan_id: FromPath[UUID],
    data: Form[Approving],
) -> Response[str]:
    with database.write() as db:
        rounds.approve(db, me, plan_id, data.centre, plan_sha256=data.plan_sha256, note=data.note, now=now)
    return redirect(request, f"/rounds/{round_id}", notice="plan_approved")


@post("/rounds/{round_id:uuid}/publish", sync_to_thread=True)
def publish(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    round_id: FromPath[UUID],
    data: Form[SeenPlan],
) -> Response[str]:
    try:
        with database.write() as db:
            rounds.publish(db, me, round_id, plan_sha256=data.plan_sha256, now=now)
    except (TimeTaken, Refused) as error:
        return _round_page(request, database, me, now, round_id, error=error)
    return redirect(request, f"/rounds/{round_id}", notice="round_published")


# ---------------------------------------------------------------- parts


def _round_page(
    request: Request,
    database: given.Database,
    actor: Actor | None,
    now: datetime,
    round_id: UUID,
    *,
    centre: str = "",
    error: LabShareError | None = None,
) -> Response[str]:
    with database.read() as db:
        shown = desk.desk(db, actor, round_id, now, centre_id=centre or None) if actor else None
        page = round_pages.page(db, actor, round_id, now, with_requests=not (shown and shown.rows))
    failed = next(iter(page.plans), None)
    return render(
        request,
        "rounds/round.html",
        status=error.status if error else 200,
        page=page,
        round=page.round,
        steps=_steps(page),
        desk=shown,
        most_offered=MOST_OFFERED,
        failure=plans.failure_of(failed) if failed and failed.state is PlanState.FAILED else (),
        refusals=error.refusals if error else (),
        **parts_of(shown, centre),
        **_running(page),
    )


def _steps(page: RoundPage) -> tuple[RoundState, ...]:
    """The way of a round, for the line that shows how far it is."""
    usual = (_S.DRAFT, _S.OPEN, _S.CLOSED, _S.PLANNING, _S.PROPOSED, _S.APPROVED, _S.PUBLISHED)
    return () if page.round.state is _S.WITHDRAWN else usual


_S = RoundState


def _running(page: RoundPage) -> dict[str, Any]:
    """How far the plan that runs is, in words and as a share of its budget."""
    running = page.running
    if running is None:
        return {"running": None, "progress": None, "share": None}
    told = msgspec.json.decode(running.progress, type=Progress) if running.progress else None
    share = min(1.0, told.seconds / running.budget_seconds) if told else None
    return {"running": running, "progress": told, "share": share}


def _form_page(
    request: Request,
    database: given.Database,
    me: Actor,
    typed: RoundForm,
    *,
    round_id: UUID | None = None,
    faults: Faults | None = None,
    error: LabShareError | None = None,
) -> Response[str]:
    if not may_somewhere(me, Action.MANAGE_ROUND):
        raise Forbidden("forbidden", action=Action.MANAGE_ROUND.value)
    with database.read() as db:
        instruments = round_pages.offerable(db, me)
    return render(
        request,
        "rounds/form.html",
        status=error.status if error else 422 if faults else 200,
        typed=typed,
        round_id=round_id,
        faults=faults or {},
        refusals=error.refusals if error else (),
        instruments=instruments,
        slots=SLOT_CHOICES,
    )


router = Router(
    "/",
    route_handlers=[
        listing, show, progress, new, create, edit_page, edit, open_round, close, withdraw, plan, cancel,
        approve, publish,
    ],
)  # fmt: skip
