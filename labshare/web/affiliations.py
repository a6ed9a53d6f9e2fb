"""The page about people: who waits to be confirmed, who works where, what leavers left behind; and the account's line
on the home page of somebody who is not confirmed.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from enum import StrEnum
from itertools import groupby
from uuid import UUID

import msgspec
from litestar import Response, Router, get, post
from litestar.params import FromPath, FromQuery

from labshare.domain.affiliations import AffiliationState
from labshare.domain.invitations import Outgoing
from labshare.domain.people import Action, Actor, may, may_somewhere
from labshare.domain.text import sort_key
from labshare.errors import LabShareError, Refused, Stale, WrongState
from labshare.i18n import LANGUAGES, gettext, word
from labshare.mail import link
from labshare.services import Connection, affiliations, bookings, invitations, organisations, people
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


class Verdict(StrEnum):
    """The last part of the address of each form."""

    CONFIRM = "confirm"
    DECLINE = "decline"
    END = "end"


NOTICES = {
    Verdict.CONFIRM: "affiliation_confirmed",
    Verdict.DECLINE: "affiliation_declined",
    Verdict.END: "affiliation_ended",
}


class LeftBookings(msgspec.Struct, frozen=True):
    """The ids of those that the reader saw when they decided, with spaces between them."""

    seen: str = ""


class Judgement(msgspec.Struct, frozen=True):
    version: int
    reason: str = ""


@get("/people", sync_to_thread=True)
def page(
    request: Request, database: given.Database, me: given.Me, now: given.Now, q: FromQuery[str] = ""
) -> Response[str]:
    return people_page(request, database, me, now, q=q)


@post("/people/{person_id:uuid}/{verdict:str}", sync_to_thread=True)
def judge(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    person_id: FromPath[UUID],
    verdict: FromPath[Verdict],
    data: Form[Judgement],
) -> Response[str]:
    try:
        with database.write() as db:
            if verdict is Verdict.CONFIRM:
                affiliations.confirm(db, me, person_id, version=data.version, now=now)
            else:
                deny = affiliations.decline if verdict is Verdict.DECLINE else affiliations.end
                deny(db, me, person_id, version=data.version, reason=data.reason, now=now)
    except (Refused, WrongState) as error:
        return people_page(request, database, me, now, error=error)
    return redirect(request, "/people", notice=NOTICES[verdict])


@post("/people/give-back", sync_to_thread=True)
def give_back(
    request: Request, database: given.Database, me: given.Me, now: given.Now, data: Form[LeftBookings]
) -> Response[str]:
    """Each booking in a transaction of its own: their locks have no order among each other, and each is done by itself.

    What has begun or changed while the page was read stays in the list.
    """
    with database.read() as db:
        left = affiliations.left_behind(db, me, now).bookings
    for line in left:
        if str(line.booking.id) in data.seen.split():
            with suppress(Stale, WrongState), database.write() as db:
                bookings.give_back(db, me, line.booking.id, seen_version=line.booking.version, now=now)
    return redirect(request, "/people", notice="time_given_back")


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
    with database.read() as db:
        waiting = affiliations.waiting(db, me)
        found = affiliations.people_of(db, me, q)
        found.sort(key=lambda line: (sort_key(named(line)), named(line)))
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
        found=[(name, list(lines)) for name, lines in groupby(found, named)],
        is_cut=len(found) == affiliations.MOST_SHOWN,
        left=left,
        to_give_back=[line.booking.id for line in left.bookings if line.booking.starts_at > now] if left else [],
        unchecked=unchecked,
        asked=[(outgoing, _link_for(settings, me, outgoing)) for outgoing in asked],
        has_mail=bool(settings.smtp_url),
        places=[(place.id, named(place)) for place in places],
        invited=invited or Invited(),
        languages=LANGUAGES,
        q=q,
    )


def _link_for(settings: Settings, me: Actor, outgoing: Outgoing) -> str:
    """Without a mail server somebody has to hand the link over. It is the user office, which knows who is here: an
    inviter would learn it from a link that leads nowhere.
    """
    is_shown = may(me, Action.MANAGE_PEOPLE) and outgoing.lets_in and not settings.smtp_url
    return link(settings, outgoing) if is_shown else ""


router = Router("/", route_handlers=[page, judge, give_back])
