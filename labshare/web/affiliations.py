"""The page about people: who waits to be confirmed, who works where, what leavers left behind; and the account's line
on the home page of somebody who is not confirmed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import msgspec
from litestar import Response, Router, get, post
from litestar.params import FromPath, FromQuery

from labshare.domain.affiliations import AffiliationState
from labshare.domain.invitations import Outgoing
from labshare.domain.people import Action, Actor, may, may_somewhere
from labshare.errors import LabShareError, Refused, WrongState
from labshare.i18n import LANGUAGES, gettext, word
from labshare.mail import link
from labshare.services import Connection, affiliations, invitations, organisations, people
from labshare.settings import Settings
from labshare.web import given
from labshare.web.rendering import Form, Request, redirect, render
from labshare.web.sections import Line, Section
from labshare.web.templating import named


class Invited(msgspec.Struct, frozen=True):
    email: str = ""
    name: str = ""
    organisation_id: str = ""
    language: str = "vi"


class Judgement(msgspec.Struct, frozen=True):
    version: int
    reason: str = ""


@get("/people", sync_to_thread=True)
def page(
    request: Request, database: given.Database, me: given.Me, now: given.Now, q: FromQuery[str] = ""
) -> Response[str]:
    return people_page(request, database, me, now, q=q)


@post("/people/{person_id:uuid}/confirm", sync_to_thread=True)
def confirm(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    person_id: FromPath[UUID],
    data: Form[Judgement],
) -> Response[str]:
    def judge(db: Connection) -> object:
        return affiliations.confirm(db, me, person_id, version=data.version, now=now)

    return _judged(request, database, me, now, judge, "affiliation_confirmed")


@post("/people/{person_id:uuid}/decline", sync_to_thread=True)
def decline(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    person_id: FromPath[UUID],
    data: Form[Judgement],
) -> Response[str]:
    def judge(db: Connection) -> object:
        return affiliations.decline(db, me, person_id, version=data.version, reason=data.reason, now=now)

    return _judged(request, database, me, now, judge, "affiliation_declined")


@post("/people/{person_id:uuid}/end", sync_to_thread=True)
def end(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    person_id: FromPath[UUID],
    data: Form[Judgement],
) -> Response[str]:
    def judge(db: Connection) -> object:
        return affiliations.end(db, me, person_id, version=data.version, reason=data.reason, now=now)

    return _judged(request, database, me, now, judge, "affiliation_ended")


def my_section(db: Connection, actor: Actor, now: datetime) -> Section | None:
    """On the home page of somebody for whom nobody stands yet, or no longer: what happens next."""
    mine = affiliations.mine(db, actor)
    if mine.state is AffiliationState.CONFIRMED:
        return None
    line = Line(
        href="/account#organisation",
        title=named(people.employer(db, actor)),
        detail=word("affiliation_next", mine.state),
        state=("affiliation_state", mine.state),
    )
    return Section(title=gettext("Where I work"), icon="building-2", lines=(line,), urgent=True)


def waiting_section(db: Connection, actor: Actor, now: datetime) -> Section | None:
    """On the home page of those who speak for an organisation, and of the user office."""
    if not may_somewhere(actor, Action.MANAGE_PEOPLE):
        return None
    lines = tuple(
        Line(href="/people", title=line.name, detail=named(line), state=("affiliation_state", line.affiliation.state))
        for line in affiliations.waiting(db, actor)
    )
    return Section(title=gettext("People to confirm"), icon="users", lines=lines, more="/people", urgent=True)


def _judged(
    request: Request,
    database: given.Database,
    me: Actor,
    now: datetime,
    judge: Callable[[Connection], object],
    notice: str,
) -> Response[str]:
    try:
        with database.write() as db:
            judge(db)
    except (Refused, WrongState) as error:
        return people_page(request, database, me, now, error=error)
    return redirect(request, "/people", notice=notice)


def people_page(
    request: Request,
    database: given.Database,
    me: Actor,
    now: datetime,
    *,
    q: str = "",
    error: LabShareError | None = None,
    invited: Invited | None = None,
) -> Response[str]:
    """The whole page; after a refusal with the reasons and what was typed. Raises `Forbidden`."""
    settings: Settings = request.app.state.settings
    is_office = may(me, Action.MANAGE_PEOPLE)
    with database.read() as db:
        waiting = affiliations.waiting(db, me)
        found = affiliations.people_of(db, me, q)
        left = affiliations.left_behind(db, me, now) if may(me, Action.SEE_PROJECT) else None
        unchecked = organisations.waiting(db, me) if may(me, Action.CHECK_ORGANISATION) else []
        asked = invitations.open_invitations(db, me, now)
        places = [place for place in affiliations.choices(db) if may(me, Action.MANAGE_PEOPLE, organisation=place.id)]
    return render(
        request,
        "people/page.html",
        status=error.status if error else 200,
        refusals=error.refusals if error else (),
        me=me,
        waiting=waiting,
        found=found,
        left=left,
        unchecked=unchecked,
        # Without a mail server somebody has to hand the link over. It is the user office, which knows who is here: an
        # inviter would learn it from a link that leads nowhere, and from a letter that waits or not.
        asked=[(outgoing, _link_for(settings, outgoing) if is_office else "") for outgoing in asked],
        is_office=is_office,
        has_mail=bool(settings.smtp_url),
        places=[(place.id, named(place)) for place in places],
        invited=invited or Invited(),
        languages=LANGUAGES,
        q=q,
    )


def _link_for(settings: Settings, outgoing: Outgoing) -> str:
    return link(settings, outgoing) if outgoing.lets_in and not settings.smtp_url else ""


router = Router("/", route_handlers=[page, confirm, decline, end])
