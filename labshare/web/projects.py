"""Projects: mine, those that wait for the user office, and one project with what may be done to it."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, Router, get, post
from litestar.params import FromPath

from labshare.domain.people import Action, Actor, may
from labshare.domain.projects import AccessClass, Activity, ProjectLine, ProjectState, is_for_review
from labshare.errors import Refused, WrongState
from labshare.formats import CENTRE_ZONE
from labshare.i18n import gettext
from labshare.services import Connection, clearances, projects
from labshare.web import given
from labshare.web.rendering import Form, Request, redirect, render
from labshare.web.sections import Line, Section
from labshare.web.templating import named
from labshare.web.typed import typed_date


class Proposal(msgspec.Struct, frozen=True):
    code: str = ""
    title: str = ""
    funding_line: str = ""
    access_class: AccessClass = AccessClass.PUBLIC_RESEARCH
    activity: Activity = Activity.NON_ECONOMIC
    evidence: str = ""
    agreement_id: str = ""


class HandOver(msgspec.Struct, frozen=True):
    version: int
    pi: str = ""


class Verification(msgspec.Struct, frozen=True):
    version: int
    evidence: str = ""
    expires: str = ""


class Declining(msgspec.Struct, frozen=True):
    version: int
    reason: str = ""


class NewMember(msgspec.Struct, frozen=True):
    login: str = ""


class OldMember(msgspec.Struct, frozen=True):
    person_id: UUID


@get("/projects", sync_to_thread=True)
def listing(request: Request, database: given.Database, me: given.Me) -> Response[str]:
    with database.read() as db:
        waiting = projects.waiting(db, me) if may(me, Action.VERIFY_PROJECT) else []
        others = projects.everything(db, me) if may(me, Action.SEE_PROJECT) else []
        mine = projects.mine(db, me)
    judged = [line for line in others if line.project.state is not ProjectState.PROPOSED]
    return render(request, "projects/page.html", me=me, waiting=waiting, judged=judged, mine=mine)


@get("/projects/new", sync_to_thread=True)
def proposal(request: Request, database: given.Database, me: given.Me, now: given.Now) -> Response[str]:
    return _proposal_page(request, database, me, now, Proposal())


@post("/projects", sync_to_thread=True)
def propose(
    request: Request, database: given.Database, me: given.Me, now: given.Now, data: Form[Proposal]
) -> Response[str]:
    try:
        with database.write() as db:
            project = projects.propose(db, me, **msgspec.structs.asdict(data), now=now)
    except Refused as error:
        return _proposal_page(request, database, me, now, data, error)
    return redirect(request, f"/projects/{project.id}", notice="project_proposed")


@get("/projects/{project_id:uuid}", sync_to_thread=True)
def show(
    request: Request, database: given.Database, me: given.Me, now: given.Now, project_id: FromPath[UUID]
) -> Response[str]:
    return _project_page(request, database, me, now, project_id)


@post("/projects/{project_id:uuid}/verify", sync_to_thread=True)
def verify(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    project_id: FromPath[UUID],
    data: Form[Verification],
) -> Response[str]:
    # Whoever gives a last day means the whole of it.
    day = typed_date(data.expires, "expires") + timedelta(days=1)
    expires_at = datetime.combine(day, time(), tzinfo=CENTRE_ZONE)
    try:
        with database.write() as db:
            projects.verify(
                db, me, project_id, version=data.version, evidence=data.evidence, expires_at=expires_at, now=now
            )
    except Refused as error:
        return _project_page(
            request, database, me, now, project_id, error, evidence=data.evidence, expires=data.expires
        )
    return redirect(request, f"/projects/{project_id}", notice="project_verified")


@post("/projects/{project_id:uuid}/decline", sync_to_thread=True)
def decline(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    project_id: FromPath[UUID],
    data: Form[Declining],
) -> Response[str]:
    try:
        with database.write() as db:
            projects.decline(db, me, project_id, version=data.version, reason=data.reason, now=now)
    except Refused as error:
        return _project_page(request, database, me, now, project_id, error)
    return redirect(request, f"/projects/{project_id}", notice="project_declined")


@post("/projects/{project_id:uuid}/members", sync_to_thread=True)
def add_member(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    project_id: FromPath[UUID],
    data: Form[NewMember],
) -> Response[str]:
    try:
        with database.write() as db:
            projects.add_member(db, me, project_id, data.login, now)
    except Refused as error:
        return _project_page(request, database, me, now, project_id, error, login=data.login)
    return redirect(request, f"/projects/{project_id}", notice="member_added")


@post("/projects/{project_id:uuid}/members/remove", sync_to_thread=True)
def remove_member(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    project_id: FromPath[UUID],
    data: Form[OldMember],
) -> Response[str]:
    with database.write() as db:
        projects.remove_member(db, me, project_id, data.person_id, now)
    return redirect(request, f"/projects/{project_id}", notice="member_removed")


@post("/projects/{project_id:uuid}/hand-over", sync_to_thread=True)
def hand_over(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    project_id: FromPath[UUID],
    data: Form[HandOver],
) -> Response[str]:
    try:
        with database.write() as db:
            projects.hand_over(db, me, project_id, data.pi, version=data.version, now=now)
    except (Refused, WrongState) as error:
        return _project_page(request, database, me, now, project_id, error, pi=data.pi)
    return redirect(request, f"/projects/{project_id}", notice="project_handed_over")


def review_section(db: Connection, actor: Actor, now: datetime) -> Section | None:
    """On the home page of a PI and of the user office: verifications that end soon, or have just ended."""
    lines = tuple(
        msgspec.structs.replace(
            _home_line(line),
            state=None if line.project.is_current(now) else ("project_state", "expired"),
            due=gettext("verified until"),
            due_at=line.project.expires_at,
            is_end=True,
        )
        for line in projects.reviews(db, actor, now)
    )
    return Section(title=gettext("Projects to review"), icon="calendar-x", lines=lines, more="/projects", urgent=True)


def waiting_section(db: Connection, actor: Actor, now: datetime) -> Section | None:
    """On the user office's home page: projects to verify."""
    if not may(actor, Action.VERIFY_PROJECT):
        return None
    lines = tuple(_home_line(line) for line in projects.waiting(db, actor))
    return Section(
        title=gettext("Projects to verify"),
        icon="badge-check",
        lines=lines,
        more="/projects",
        empty=gettext("No project waits for verification."),
        urgent=True,
    )


def _home_line(line: ProjectLine) -> Line:
    project = line.project
    return Line(
        href=f"/projects/{project.id}",
        title=f"{project.code} · {project.title}",
        detail=line.pi_name,
        state=("project_state", project.state),
    )


def _proposal_page(
    request: Request, database: given.Database, me: Actor, now: datetime, typed: Proposal, error: Refused | None = None
) -> Response[str]:
    with database.read() as db:
        agreements = [(place.id, named(place)) for place in projects.agreements_of(db, me, now)]
    return render(
        request,
        "projects/new.html",
        status=error.status if error else 200,
        typed=typed,
        classes=list(AccessClass),
        activities=list(Activity),
        agreements=agreements,
        refusals=error.refusals if error else (),
    )


def _project_page(
    request: Request,
    database: given.Database,
    me: Actor,
    now: datetime,
    project_id: UUID,
    error: Refused | WrongState | None = None,
    **typed: str,
) -> Response[str]:
    with database.read() as db:
        line = projects.show(db, me, project_id)
        verifier = projects.verifier_name(db, line.project)
        held = clearances.of_project(db, project_id)
    proposed = line.project.evidence if line.project.state is ProjectState.PROPOSED else ""
    context: dict[str, Any] = {"evidence": proposed, "expires": "", "login": "", "pi": "", **typed}
    return render(
        request,
        "projects/project.html",
        status=error.status if error else 200,
        line=line,
        project=line.project,
        is_current=line.project.is_current(now),
        is_for_review=is_for_review(line.project, now),
        verifier=verifier,
        clearances=held,
        now=now,
        may_manage=projects.may_manage(line, me),
        refusals=error.refusals if error else (),
        **context,
    )


router = Router(
    "/",
    route_handlers=[listing, proposal, propose, show, verify, decline, add_member, remove_member, hand_over],
)
