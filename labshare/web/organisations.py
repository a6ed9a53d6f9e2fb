"""Onboarding an organisation: its form, and the page on which the user office checks it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec
from litestar import Response, Router, get, post
from litestar.params import FromPath

from labshare.domain.organisations import NewOrganisation, OrganisationSize
from labshare.domain.people import Action, Actor, may
from labshare.domain.registry_terms import OrganisationKind
from labshare.errors import LabShareError, Refused, WrongState
from labshare.i18n import gettext
from labshare.services import Connection, organisations
from labshare.web import given
from labshare.web.rendering import Form, Request, redirect, render
from labshare.web.sections import Line, Section
from labshare.web.templating import named


class Onboarding(msgspec.Struct, frozen=True):
    name_vi: str = ""
    name_en: str = ""
    kind: OrganisationKind = OrganisationKind.COMPANY
    size: OrganisationSize = OrganisationSize.NONE
    registration_number: str = ""
    country: str = "VN"
    contact: str = ""
    evidence: str = ""

    def stated(self) -> NewOrganisation:
        return NewOrganisation(**{name: getattr(self, name) for name in NewOrganisation.__struct_fields__})

    def is_stated(self) -> bool:
        """Whether anything was typed that the form did not bring along."""
        texts = (self.name_vi, self.name_en, self.registration_number, self.contact, self.evidence)
        return any(text.strip() for text in texts)


class Verdict(StrEnum):
    """The last part of the address of each form."""

    CHECK = "check"
    DECLINE = "decline"


NOTICES = {Verdict.CHECK: "organisation_checked", Verdict.DECLINE: "organisation_declined"}


class Judgement(msgspec.Struct, frozen=True):
    version: int
    reason: str = ""


@get("/organisations/new", sync_to_thread=True)
def proposal(request: Request, me: given.Me) -> Response[str]:
    return _proposal_page(request, Onboarding())


@post("/organisations", sync_to_thread=True)
def propose(
    request: Request, database: given.Database, me: given.Me, now: given.Now, data: Form[Onboarding]
) -> Response[str]:
    try:
        with database.write() as db:
            organisations.propose(db, me, data.stated(), now)
    except (Refused, WrongState) as error:
        return _proposal_page(request, data, error)
    return redirect(request, "/account", notice="organisation_proposed")


@get("/organisations/{organisation_id:str}", sync_to_thread=True)
def show(request: Request, database: given.Database, me: given.Me, organisation_id: FromPath[str]) -> Response[str]:
    return _page(request, database, me, organisation_id)


@post("/organisations/{organisation_id:str}/{verdict:str}", sync_to_thread=True)
def judge(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    organisation_id: FromPath[str],
    verdict: FromPath[Verdict],
    data: Form[Judgement],
) -> Response[str]:
    try:
        with database.write() as db:
            if verdict is Verdict.CHECK:
                organisations.check(db, me, organisation_id, version=data.version, now=now)
            else:
                organisations.decline(db, me, organisation_id, version=data.version, reason=data.reason, now=now)
    except (Refused, WrongState) as error:
        return _page(request, database, me, organisation_id, error)
    return redirect(request, f"/organisations/{organisation_id}", notice=NOTICES[verdict])


def waiting_section(db: Connection, actor: Actor, now: datetime) -> Section | None:
    """On the user office's home page: organisations to check."""
    if not may(actor, Action.CHECK_ORGANISATION):
        return None
    lines = tuple(
        Line(
            href=f"/organisations/{line.check.organisation_id}",
            title=named(line),
            detail=line.proposer,
            state=("check_state", line.check.state),
        )
        for line in organisations.waiting(db, actor)
    )
    return Section(title=gettext("Organisations to check"), icon="building-2", lines=lines, urgent=True)


def _proposal_page(request: Request, typed: Onboarding, error: LabShareError | None = None) -> Response[str]:
    return render(
        request,
        "people/new_organisation.html",
        status=error.status if error else 200,
        refusals=error.refusals if error else (),
        typed=typed,
        kinds=list(OrganisationKind),
        sizes=list(OrganisationSize),
    )


def _page(
    request: Request, database: given.Database, me: Actor, organisation_id: str, error: LabShareError | None = None
) -> Response[str]:
    with database.read() as db:
        line = organisations.show(db, me, organisation_id)
    return render(
        request,
        "people/organisation.html",
        status=error.status if error else 200,
        refusals=error.refusals if error else (),
        line=line,
        check=line.check,
    )


router = Router("/", route_handlers=[proposal, propose, show, judge])
