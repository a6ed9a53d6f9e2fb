"""Security clearances: those that wait for the user office, those that are decided, and one with its decision.

What must not live here: when a clearance is lacking (services/clearances.py).
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec
from litestar import Response, Router, get, post
from litestar.params import FromPath

from labshare.domain.clearances import ClearanceLine, ClearanceState
from labshare.domain.people import Action, Actor, may
from labshare.errors import LabShareError, Refused, WrongState
from labshare.i18n import gettext
from labshare.services import Connection, Database, clearances
from labshare.services.clearances import NotCleared
from labshare.web import given
from labshare.web.rendering import Form, Request, redirect, render
from labshare.web.sections import Line, Section
from labshare.web.templating import named


class Decision(msgspec.Struct, frozen=True):
    version: int
    state: Literal["cleared", "refused"]
    evidence: str = ""


@get("/clearances", sync_to_thread=True)
def listing(request: Request, database: given.Database, me: given.Me, now: given.Now) -> Response[str]:
    with database.read() as db:
        lines = clearances.everything(db, me)
    waiting = [line for line in lines if line.clearance.state is ClearanceState.WAITING]
    decided = [line for line in lines if line.clearance.state is not ClearanceState.WAITING]
    return render(request, "clearances/page.html", waiting=waiting, decided=decided, now=now)


@get("/clearances/{project_id:uuid}/{agreement_id:str}", sync_to_thread=True)
def show(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    project_id: FromPath[UUID],
    agreement_id: FromPath[str],
) -> Response[str]:
    return _page(request, database, me, now, project_id, agreement_id)


@post("/clearances/{project_id:uuid}/{agreement_id:str}", sync_to_thread=True)
def decide(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    project_id: FromPath[UUID],
    agreement_id: FromPath[str],
    data: Form[Decision],
) -> Response[str]:
    state = ClearanceState(data.state)
    try:
        with database.write() as db:
            clearances.decide(
                db, me, project_id, agreement_id, state, version=data.version, evidence=data.evidence, now=now
            )
    except (Refused, WrongState) as error:
        return _page(request, database, me, now, project_id, agreement_id, error, data.evidence)
    return redirect(request, "/clearances", notice=f"clearance_{state}")


@contextmanager
def held_back(database: Database, actor: Actor, now: datetime) -> Generator[None]:
    """What is refused inside for want of a clearance is looked at, as the refusal has promised."""
    try:
        yield
    except LabShareError as error:
        hold_back(database, actor, error, now)
        raise


@contextmanager
def write_or_hold_back(database: Database, actor: Actor, now: datetime) -> Generator[Connection]:
    """A write in which somebody books, with the same promise."""
    with held_back(database, actor, now), database.write() as db:
        yield db


def hold_back(database: Database, actor: Actor, error: LabShareError, now: datetime) -> None:
    """Have looked at what was refused for want of a clearance."""
    if isinstance(error, NotCleared):
        with database.write() as db:
            for wish in error.wishes:
                clearances.hold_back(db, actor, wish, now)


def waiting_section(db: Connection, actor: Actor, now: datetime) -> Section | None:
    """On the user office's home page: clearances to decide, and by when."""
    if not may(actor, Action.DECIDE_CLEARANCE):
        return None
    lines = tuple(_home_line(line, now) for line in clearances.waiting(db, actor))
    return Section(
        title=gettext("Security clearances to decide"),
        icon="shield-check",
        lines=lines,
        more="/clearances",
        urgent=True,
    )


def _home_line(line: ClearanceLine, now: datetime) -> Line:
    found = line.clearance
    return Line(
        href=f"/clearances/{found.project_id}/{found.agreement_id}",
        title=f"{line.project} · {line.title}",
        detail=named(line),
        state=("clearance_state", "overdue" if found.is_overdue(now) else found.state),
        due=gettext("due by"),
        due_at=found.due_at,
    )


def _page(
    request: Request,
    database: Database,
    me: Actor,
    now: datetime,
    project_id: UUID,
    agreement_id: str,
    error: Refused | WrongState | None = None,
    evidence: str = "",
) -> Response[str]:
    with database.read() as db:
        line, decider = clearances.show(db, me, project_id, agreement_id)
    return render(
        request,
        "clearances/clearance.html",
        status=error.status if error else 200,
        line=line,
        clearance=line.clearance,
        decider=decider,
        now=now,
        evidence=evidence,
        refusals=error.refusals if error else (),
    )


router = Router("/", route_handlers=[listing, show, decide])
