"""Coming in: asking for a letter at one's own address, spending its token, and inviting others."""

from __future__ import annotations

import asyncio
from datetime import datetime

import msgspec
from litestar import Response, Router, get, post
from litestar.concurrency import sync_to_thread
from litestar.params import FromPath

from labshare.domain.invitations import Invitation, check_newcomer
from labshare.domain.organisations import OrganisationSize
from labshare.domain.registry_terms import OrganisationKind
from labshare.errors import LabShareError, Refused, TooManyTries
from labshare.i18n import DEFAULT_LANGUAGE, known_language, language
from labshare.services import Database, affiliations, invitations, passwords, people
from labshare.settings import Settings, require_secret
from labshare.web import given
from labshare.web.affiliations import Invited, people_page
from labshare.web.organisations import Onboarding
from labshare.web.people import HASHING, address_of, signed_in
from labshare.web.rendering import Form, Request, redirect, render
from labshare.web.templating import named


class Registration(msgspec.Struct, frozen=True):
    email: str = ""


class Joining(Onboarding, frozen=True):
    """The fields of an organisation are for whose organisation is not in the list."""

    login: str = ""
    name: str = ""
    organisation_id: str = ""
    new: str = ""
    again: str = ""


@get("/register", sync_to_thread=True)
def registration(request: Request) -> Response[str]:
    return render(request, "people/register.html", email="", refusals=(), is_sent=False)


@post("/register", sync_to_thread=True)
def register(
    request: Request, database: given.Database, settings: given.Settings, now: given.Now, data: Form[Registration]
) -> Response[str]:
    """The answer is the same for every address, known or not."""
    try:
        with database.write() as db:
            invitations.register(
                db,
                email=data.email,
                address=address_of(request),
                language=language(),
                secret=require_secret(settings),
                now=now,
            )
    except (Refused, TooManyTries) as error:
        return render(
            request, "people/register.html", status=error.status, email=data.email, refusals=error.refusals,
            is_sent=False,
        )  # fmt: skip
    return render(
        request, "people/register.html", email=data.email.strip(), refusals=(), is_sent=True,
        has_mail=bool(settings.smtp_url),
    )  # fmt: skip


@get("/join/{token:str}", sync_to_thread=True)
def joining(request: Request, database: given.Database, now: given.Now, token: FromPath[str]) -> Response[str]:
    with database.read() as db:
        invitation = invitations.find(db, token, now)
    suggested = Joining(
        login=invitation.email.partition("@")[0],
        name=invitation.name,
        organisation_id=invitation.organisation_id or "",
    )
    return _join_page(request, database, token, invitation, suggested)


@post("/join/{token:str}")
async def join(
    request: Request,
    database: given.Database,
    settings: given.Settings,
    now: given.Now,
    token: FromPath[str],
    data: Form[Joining],
) -> Response[str]:
    """Asynchronous like a sign-in: the password is hashed on other threads, and before the transaction."""
    invitation = await sync_to_thread(_find, database, token, now)
    try:
        if invitation.person_id is None:
            check_newcomer(data.login, data.name)
        passwords.check_new(data.new, data.again)
        new_hash = await asyncio.get_running_loop().run_in_executor(HASHING, passwords.hash_password, data.new)
        return await sync_to_thread(_enter, request, database, settings, token, invitation, data, new_hash, now)
    except Refused as error:
        return await sync_to_thread(_join_page, request, database, token, invitation, data, error)


@post("/people/invite", sync_to_thread=True)
def invite(
    request: Request,
    database: given.Database,
    settings: given.Settings,
    me: given.Me,
    now: given.Now,
    data: Form[Invited],
) -> Response[str]:
    try:
        with database.write() as db:
            spoken = msgspec.structs.replace(data, language=known_language(data.language) or DEFAULT_LANGUAGE)
            invitations.invite(db, me, **msgspec.structs.asdict(spoken), secret=require_secret(settings), now=now)
    except Refused as error:
        return people_page(request, database, me, now, error=error, invited=data)
    return redirect(request, "/people", notice="invited")


def _find(database: Database, token: str, now: datetime) -> Invitation:
    with database.read() as db:
        return invitations.find(db, token, now)


def _enter(
    request: Request,
    database: Database,
    settings: Settings,
    token: str,
    invitation: Invitation,
    data: Joining,
    password_hash: str,
    now: datetime,
) -> Response[str]:
    """Spend the token and sign its holder in, in one transaction: there is no second click to lose."""
    with database.write() as db:
        if invitation.person_id is None:
            words = {"login": data.login, "name": data.name, "organisation_id": data.organisation_id}
            new = data.stated() if data.is_stated() else None
            person_id = invitations.join(db, token, **words, password_hash=password_hash, now=now, new=new)
        else:
            person_id = invitations.renew_password(db, token, password_hash=password_hash, now=now).person_id
        actor, cookie = people.sign_in(db, person_id, data.login, now, hours=settings.sign_in_hours)
    return signed_in(request, settings, actor, cookie, "/account")


def _join_page(
    request: Request,
    database: Database,
    token: str,
    invitation: Invitation,
    typed: Joining,
    error: LabShareError | None = None,
) -> Response[str]:
    with database.read() as db:
        places = affiliations.choices(db)
    asked = next((named(place) for place in places if place.id == invitation.organisation_id), "")
    return render(
        request,
        "people/join.html",
        status=error.status if error else 200,
        refusals=error.refusals if error else (),
        token=token,
        invitation=invitation,
        asked=asked,
        choices=[(place.id, named(place)) for place in places],
        typed=typed,
        kinds=list(OrganisationKind),
        sizes=list(OrganisationSize),
        least=passwords.MIN_LENGTH,
    )


router = Router("/", route_handlers=[registration, register, joining, join, invite])
