"""Signing in and out, and what each reader chooses for themselves: language, theme, password."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import Any

import msgspec
from litestar import Response, Router, get, post
from litestar.concurrency import sync_to_thread
from litestar.params import FromQuery

from labshare.domain.affiliations import AffiliationState
from labshare.domain.people import Actor
from labshare.errors import LabShareError, NotFound, NotSignedIn, Refusal, Refused, TooManyTries
from labshare.i18n import known_language
from labshare.services import Database, affiliations, organisations, passwords, people
from labshare.settings import Settings
from labshare.web import given
from labshare.web.auth import LANGUAGE_COOKIE, SIGN_IN_COOKIE
from labshare.web.rendering import THEMES, Form, Request, cookie, local_path, redirect, render
from labshare.web.templating import named

A_YEAR_SECONDS = 365 * 24 * 3600

# Hashing is slow on purpose; two threads of its own keep a wave of sign-ins from stalling every other page.
HASHING = ThreadPoolExecutor(max_workers=2, thread_name_prefix="hashing")


class Credentials(msgspec.Struct, frozen=True):
    login: str = ""
    password: str = ""
    next: str = "/"


class DemoChoice(msgspec.Struct, frozen=True):
    login: str
    next: str = "/"


class NewPassword(msgspec.Struct, frozen=True):
    present: str = ""
    new: str = ""
    again: str = ""


class Employer(msgspec.Struct, frozen=True):
    organisation_id: str = ""


class Choice(msgspec.Struct, frozen=True):
    value: str
    next: str = "/"


@get("/sign-in", sync_to_thread=True)
def sign_in_page(
    request: Request, database: given.Database, settings: given.Settings, next: FromQuery[str] = "/"
) -> Response[str]:
    return _sign_in_page(request, database, settings, next)


@post("/sign-in")
async def sign_in(
    request: Request, database: given.Database, settings: given.Settings, now: given.Now, data: Form[Credentials]
) -> Response[str]:
    """Asynchronous, unlike other handlers, because the password is judged on other threads than requests are."""
    login = data.login.strip()
    try:
        candidate = await sync_to_thread(_begin, database, login, address_of(request), now)
        is_right = await asyncio.get_running_loop().run_in_executor(
            HASHING, passwords.matches, data.password[: passwords.MAX_LENGTH], candidate[1] if candidate else None
        )
        if candidate is None or not is_right:
            raise NotSignedIn("sign_in_failed")
        return await sync_to_thread(_finish, request, database, settings, candidate, login, now, data.next)
    except (NotSignedIn, TooManyTries) as error:
        page = partial(_sign_in_page, request, database, settings, data.next, login=login, error=error)
        return await sync_to_thread(page)


@post("/sign-in/demo", sync_to_thread=True)
def sign_in_to_demo(
    request: Request, database: given.Database, settings: given.Settings, now: given.Now, data: Form[DemoChoice]
) -> Response[str]:
    """One click for each role, in the demo only."""
    if not settings.demo:
        raise NotFound()
    with database.write() as db:
        actor, token = people.sign_in_as(db, data.login, now, hours=settings.sign_in_hours)
    return signed_in(request, settings, actor, token, data.next)


@post("/sign-out", sync_to_thread=True)
def sign_out(request: Request, database: given.Database) -> Response[str]:
    token = request.cookies.get(SIGN_IN_COOKIE)
    if token:
        with database.write() as db:
            people.sign_out(db, token)
    response = redirect(request, "/", notice="signed_out")
    response.delete_cookie(SIGN_IN_COOKIE)
    return response


@post("/language", sync_to_thread=True)
def choose_language(
    request: Request, database: given.Database, actor: given.Reader, data: Form[Choice]
) -> Response[str]:
    """Remembered by the browser, and for a signed-in person also for their mail."""
    response = redirect(request, local_path(data.next))
    if language := known_language(data.value):
        response.set_cookie(cookie(request, LANGUAGE_COOKIE, language, max_age=A_YEAR_SECONDS))
        if actor:
            with database.write() as db:
                people.choose_language(db, actor, language)
    return response


@post("/theme", sync_to_thread=True)
def choose_theme(request: Request, data: Form[Choice]) -> Response[str]:
    """Light, dark, or (anything else) as the device says."""
    response = redirect(request, local_path(data.next))
    if data.value in THEMES:
        response.set_cookie(cookie(request, "theme", data.value, max_age=A_YEAR_SECONDS))
    else:
        response.delete_cookie("theme")
    return response


@get("/account", sync_to_thread=True)
def account(request: Request, database: given.Database, me: given.Me) -> Response[str]:
    return _account_page(request, database, me)


@post("/account/organisation", sync_to_thread=True)
def name_organisation(
    request: Request, database: given.Database, me: given.Me, now: given.Now, data: Form[Employer]
) -> Response[str]:
    try:
        with database.write() as db:
            affiliations.name_organisation(db, me, data.organisation_id, now)
    except Refused as error:
        return _account_page(request, database, me, error)
    return redirect(request, "/account", notice="organisation_named")


@post("/account/password")
async def change_password(
    request: Request, database: given.Database, me: given.Me, now: given.Now, data: Form[NewPassword]
) -> Response[str]:
    """Asynchronous like `sign_in`, for the same reason."""
    run = asyncio.get_running_loop().run_in_executor
    try:
        passwords.check_new(data.new, data.again)
        present = await sync_to_thread(_begin_change, database, me, now)
        if not await run(HASHING, passwords.matches, data.present[: passwords.MAX_LENGTH], present):
            raise Refused([Refusal(code="password_wrong")])
        new_hash = await run(HASHING, passwords.hash_password, data.new)
    except (Refused, TooManyTries) as error:
        return await sync_to_thread(_account_page, request, database, me, error)
    await sync_to_thread(_finish_change, database, me, new_hash, now, request.cookies[SIGN_IN_COOKIE])
    return redirect(request, "/account", notice="password_changed")


def _begin(database: Database, login: str, address: str, now: datetime) -> people.Candidate | None:
    with database.write() as db:
        return people.begin_sign_in(db, login, address, now)


def _finish(
    request: Request,
    database: Database,
    settings: Settings,
    candidate: people.Candidate,
    login: str,
    now: datetime,
    next_url: str,
) -> Response[str]:
    with database.write() as db:
        actor, token = people.sign_in(db, candidate[0], login, now, hours=settings.sign_in_hours)
    return signed_in(request, settings, actor, token, next_url)


def signed_in(request: Request, settings: Settings, actor: Actor, token: str, next_url: str) -> Response[str]:
    """The answer that carries the sign-in's cookie and leads to a page of ours."""
    response = redirect(request, local_path(next_url))
    response.set_cookie(cookie(request, SIGN_IN_COOKIE, token, max_age=settings.sign_in_hours * 3600))
    if LANGUAGE_COOKIE not in request.cookies:
        response.set_cookie(cookie(request, LANGUAGE_COOKIE, actor.language, max_age=A_YEAR_SECONDS))
    return response


def _sign_in_page(
    request: Request,
    database: Database,
    settings: Settings,
    next_url: str,
    *,
    login: str = "",
    error: LabShareError | None = None,
) -> Response[str]:
    holders: list[people.Holder] = []
    if settings.demo:
        with database.read() as db:
            holders = people.holders(db)
    roles = {role: list(held) for role, held in groupby(holders, key=lambda holder: holder.role)}
    context: dict[str, Any] = {"next": local_path(next_url), "login": login, "roles": roles}
    return render(
        request,
        "people/sign_in.html",
        status=error.status if error else 200,
        refusals=error.refusals if error else (),
        **context,
    )


def _account_page(request: Request, database: Database, me: Actor, error: LabShareError | None = None) -> Response[str]:
    with database.read() as db:
        held = people.held_places(db, me)
        employer = people.employer(db, me)
        affiliation = affiliations.mine(db, me)
        is_confirmed = affiliation.state is AffiliationState.CONFIRMED
        check = organisations.of_actor(db, me)
        places = [] if is_confirmed else affiliations.choices(db)
    return render(
        request,
        "people/account.html",
        status=error.status if error else 200,
        refusals=error.refusals if error else (),
        me=me,
        held=held,
        employer=employer,
        affiliation=affiliation,
        check=check,
        choices=[(place.id, named(place)) for place in places],
        least=passwords.MIN_LENGTH,
    )


def _begin_change(database: Database, me: Actor, now: datetime) -> str:
    with database.write() as db:
        return people.begin_password_change(db, me, now)


def _finish_change(database: Database, me: Actor, password_hash: str, now: datetime, token: str) -> None:
    with database.write() as db:
        people.change_password(db, me, password_hash, now, but=token)


def address_of(request: Request) -> str:
    """The network address that the request came from: what tries are counted by besides the login."""
    return request.client.host if request.client else ""


router = Router(
    "/",
    route_handlers=[
        sign_in_page, sign_in, sign_in_to_demo, sign_out, choose_language, choose_theme, account, change_password,
        name_organisation,
    ],
)  # fmt: skip
