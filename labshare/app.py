"""Where the web parts meet: one Litestar application from the settings. Nothing is decided here.

What must not live here: routes, and the work that runs beside requests (jobs.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime

from litestar import Litestar, Router
from litestar.config.csrf import CSRFConfig
from litestar.datastructures import CacheControlHeader, State
from litestar.di import Provide
from litestar.plugins.htmx import HTMXPlugin
from litestar.static_files import create_static_files_router  # pyright: ignore[reportUnknownVariableType]  Litestar leaves its return type open

from labshare.domain.people import Actor
from labshare.errors import NotFound, NotSignedIn
from labshare.jobs import Jobs
from labshare.live import Hub
from labshare.mail import Postman
from labshare.services import Database, open_database
from labshare.services.feeds import Texts
from labshare.services.replay_pages import Shelf
from labshare.settings import Settings, require_secret
from labshare.web import (
    affiliations,
    agreements,
    api,
    approvals,
    blocking,
    booking_rules,
    booking_sheets,
    bookings,
    calendars,
    clearances,
    desks,
    docs,
    drafts,
    errors,
    exchanges,
    feeds,
    free_times,
    given,
    headers,
    holds,
    invitations,
    ledger,
    live,
    modes,
    moves,
    notices,
    operators,
    organisations,
    pages,
    people,
    projects,
    qualifications,
    qualified_people,
    registry,
    reports,
    rounds,
    sandbox,
    sandboxes,
    series,
    strikes,
    time_requests,
    together,
    usage,
    waitlist,
)
from labshare.web.api import schema
from labshare.web.auth import KnowTheReader, reader_of
from labshare.web.rendering import Request
from labshare.web.templating import STATIC_DIRECTORY, templates

POOL_SIZE = 10
# The ticker, the runner of plans and the sender of letters have a connection each, however busy the requests are.
JOB_CONNECTIONS = 3
A_YEAR_SECONDS = 365 * 24 * 3600
Clock = Callable[[], datetime]

ROUTERS: tuple[Router, ...] = (
    pages.router,
    people.router,
    affiliations.router,
    invitations.router,
    organisations.router,
    projects.router,
    clearances.router,
    approvals.router,
    registry.router,
    booking_rules.router,
    bookings.router,
    blocking.router,
    holds.router,
    modes.router,
    moves.router,
    operators.router,
    strikes.router,
    series.router,
    together.router,
    booking_sheets.router,
    calendars.router,
    feeds.router,
    free_times.router,
    rounds.router,
    desks.router,
    time_requests.router,
    agreements.router,
    drafts.router,
    ledger.router,
    sandbox.router,
    sandboxes.router,
    reports.router,
    usage.router,
    waitlist.router,
    notices.router,
    qualifications.router,
    qualified_people.router,
    exchanges.router,
    live.router,
    docs.router,
    api.router,
)


def utc_now() -> datetime:
    return datetime.now(UTC)


def create_app(settings: Settings, *, database: Database | None = None, clock: Clock = utc_now) -> Litestar:
    """The application. A database that is passed in stays open when the application stops.

    Raises `StartupError` when the settings cannot serve (no secret, an unknown kind of database).
    """
    secret = require_secret(settings)
    opened = database or open_database(
        settings.database_url, pool_size=POOL_SIZE + JOB_CONNECTIONS, lock_timeout_seconds=settings.lock_timeout_seconds
    )
    hub = Hub()
    postman = Postman(opened, settings, clock)
    return Litestar(
        route_handlers=[*ROUTERS, _static_files()],
        plugins=[HTMXPlugin()],
        middleware=[KnowTheReader(opened, clock)],
        csrf_config=CSRFConfig(
            secret=secret,
            cookie_name="csrf",
            header_name="x-csrftoken",
            cookie_httponly=True,
            cookie_secure=settings.secure_cookies,
            # The API and feeds carry no cookie that acts for anybody, so there is nothing to forge.
            exclude=["^/api/", r"^/feeds/[^/]+\.ics$"],
        ),
        before_send=[headers.secure],
        exception_handlers=errors.HANDLERS,  # pyright: ignore[reportUnknownMemberType]  Litestar types handlers loosely
        dependencies=_dependencies(settings, opened, hub, clock),
        state=State({"settings": settings, "database": opened, "hub": hub}),
        lifespan=[_threads(opened, close=database is None), _streams(hub), _jobs(opened, hub, clock, postman)],
        # Pages stay out of the API's description; its router takes itself in.
        include_in_schema=False,
        openapi_config=schema.CONFIG,
    )


def _dependencies(settings: Settings, database: Database, hub: Hub, clock: Clock) -> dict[str, Provide]:
    # Given one after the other: what could be given at once is, in tasks of its own, which cost as much as a query.
    def given_now(database: given.Database) -> datetime:
        return clock()

    def given_actor(request: Request, now: given.Now) -> Actor | None:
        return reader_of(request)

    def given_me(request: Request, now: given.Now) -> Actor:
        actor = reader_of(request)
        if actor is None:
            raise NotSignedIn()
        return actor

    def given_settings(now: given.Now) -> Settings:
        return settings

    shelf, texts = Shelf(), Texts()

    def given_texts(settings: given.Settings) -> Texts:
        return texts

    return {
        "shelf": Provide(lambda: shelf, sync_to_thread=False),
        "feed_texts": Provide(given_texts, sync_to_thread=False),
        "database": Provide(lambda: database, sync_to_thread=False),
        "settings": Provide(given_settings, sync_to_thread=False),
        "hub": Provide(lambda: hub, sync_to_thread=False),
        "now": Provide(given_now, sync_to_thread=False, use_cache=False),
        "actor": Provide(given_actor, sync_to_thread=False),
        "me": Provide(given_me, sync_to_thread=False),
    }


def _threads(database: Database, *, close: bool) -> Callable[[Litestar], AbstractAsyncContextManager[None]]:
    """As many request threads as connections: with fewer, a few requests that wait for one lock would stall all."""

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncGenerator[None]:
        executor = ThreadPoolExecutor(max_workers=POOL_SIZE, thread_name_prefix="request")
        asyncio.get_running_loop().set_default_executor(executor)
        yield
        executor.shutdown(wait=True)
        if close:
            database.dispose()

    return lifespan


def _streams(hub: Hub) -> Callable[[Litestar], AbstractAsyncContextManager[None]]:
    """When the application stops, its live updates end with it."""

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncGenerator[None]:
        hub.open()
        yield
        hub.close()

    return lifespan


def _jobs(
    database: Database, hub: Hub, clock: Clock, postman: Postman
) -> Callable[[Litestar], AbstractAsyncContextManager[None]]:
    """Plans are run and deadlines kept for as long as the application answers."""

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncGenerator[None]:
        jobs = Jobs(database, hub, clock=clock, send=postman.deliver)
        jobs.start()
        yield
        await asyncio.to_thread(jobs.stop)

    return lifespan


def _static_files() -> Router:
    return create_static_files_router(
        path=templates().static_path,
        directories=[STATIC_DIRECTORY],
        cache_control=CacheControlHeader(public=True, max_age=A_YEAR_SECONDS, immutable=True),
        before_request=_require_file_name,  # pyright: ignore[reportArgumentType]  Litestar knows no user of ours
    )


def _require_file_name(request: Request) -> None:
    """Raises `NotFound` for a name that no file can have and no file system would look for."""
    if "\0" in request.path_params.get("file_path", ""):
        raise NotFound()
