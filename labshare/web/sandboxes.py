"""The page of a trial: what it is for, where its values stand, what was done with it, and the steps that may follow.

What must not live here: who sees it and who may take which step (services/sandbox_pages.py, sandboxes.py).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import msgspec
from litestar import Response, Router, get, post
from litestar.params import FromPath

from labshare.domain.people import Actor
from labshare.domain.replay import MOST_FREEDOM_DAYS
from labshare.errors import LabShareError, Malformed, NotFound, Refused, WrongState
from labshare.services import Connection, replay_pages, sandbox_pages, sandboxes
from labshare.web import given
from labshare.web.rendering import Form, Request, Upload, redirect, render
from labshare.web.sandbox import ADDRESS, OverlayForm, PeriodForm, compared, first_page, replayed, told
from labshare.web.typed import typed_date

TRIALS = f"{ADDRESS}/trials"


class StepForm(msgspec.Struct, frozen=True, kw_only=True):
    """The version that was seen, and why it is changed; for an approval, by which authority."""

    version: int = 0
    reason: str = ""


class AdjustForm(OverlayForm, frozen=True, kw_only=True):
    version: int = 0
    reason: str = ""


class ValueForm(msgspec.Struct, frozen=True, kw_only=True):
    metric: str = ""
    day: str = ""
    value: str = ""
    evidence: str = ""


class Typed(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in the forms of the page; after a refusal, what was typed."""

    value: ValueForm = ValueForm()
    period: PeriodForm = PeriodForm()
    adjusted: AdjustForm = AdjustForm()


UNTYPED = Typed()


@post(TRIALS, sync_to_thread=True)
def propose(
    request: Request,
    database: given.Database,
    shelf: given.Shelf,
    me: given.Me,
    now: given.Now,
    data: Upload[OverlayForm],
) -> Response[str]:
    text = ""
    try:
        text = data.text()
        with database.write() as db:
            sandbox = sandboxes.propose(db, me, text, now)
    except (Malformed, Refused) as error:
        return first_page(request, database, shelf, me, now, data, text, error)
    return redirect(request, f"{TRIALS}/{sandbox.id}", notice="sandbox_proposed")


@get(f"{TRIALS}/{{sandbox_id:str}}", sync_to_thread=True)
def trial(
    request: Request, database: given.Database, me: given.Me, now: given.Now, sandbox_id: FromPath[str]
) -> Response[str]:
    return _page(request, database, me, sandbox_id, now)


@get(f"{TRIALS}/{{sandbox_id:str}}/replays/{{replay_id:uuid}}", sync_to_thread=True)
def kept_replay(
    request: Request, database: given.Database, me: given.Me, sandbox_id: FromPath[str], replay_id: FromPath[UUID]
) -> Response[str]:
    with database.read() as db:
        found = sandbox_pages.comparison(db, me, sandbox_id, replay_id)
        names = replay_pages.names_of(db, found)
    return compared(request, found, names)


@post(f"{TRIALS}/{{sandbox_id:str}}/replay", sync_to_thread=True)
def replay(
    request: Request,
    database: given.Database,
    shelf: given.Shelf,
    me: given.Me,
    now: given.Now,
    sandbox_id: FromPath[str],
    data: Form[PeriodForm],
) -> Response[str]:
    """Replay the newest version and keep what comes of it with the trial."""
    with database.read() as db:
        sandbox = sandbox_pages.newest(db, me, sandbox_id)
    try:
        done = replayed(database, shelf, me, data.asked(sandbox.newest), now)
        with database.write() as db:
            sandboxes.keep_replay(db, me, sandbox_id, sandbox.number, done, now)
    except (Malformed, Refused) as error:
        return _page(request, database, me, sandbox_id, now, error, Typed(period=data))
    return redirect(request, f"{TRIALS}/{sandbox_id}", notice="sandbox_replayed")


@post(f"{TRIALS}/{{sandbox_id:str}}/adjust", sync_to_thread=True)
def adjust(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    sandbox_id: FromPath[str],
    data: Upload[AdjustForm],
) -> Response[str]:
    def done(db: Connection) -> None:
        text = data.text()
        sandboxes.adjust(db, me, sandbox_id, seen_version=data.version, text=text, reason=data.reason, now=now)

    return _changed(request, database, me, sandbox_id, now, done, "sandbox_adjusted", Typed(adjusted=data))


@post(f"{TRIALS}/{{sandbox_id:str}}/measure", sync_to_thread=True)
def measure(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    sandbox_id: FromPath[str],
    data: Form[ValueForm],
) -> Response[str]:
    def done(db: Connection) -> None:
        day = typed_date(data.day, "day")
        sandboxes.measure(
            db, me, sandbox_id, metric=data.metric, day=day, value=data.value, evidence=data.evidence, now=now
        )

    return _changed(request, database, me, sandbox_id, now, done, "sandbox_measured", Typed(value=data))


@post(f"{TRIALS}/{{sandbox_id:str}}/{{step:str}}", sync_to_thread=True)
def take(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    sandbox_id: FromPath[str],
    step: FromPath[str],
    data: Form[StepForm],
) -> Response[str]:
    """Approve, suspend, resume or end it."""
    if step not in STEPS:
        raise NotFound()

    def done(db: Connection) -> None:
        STEPS[step](db, me, sandbox_id, data, now)

    return _changed(request, database, me, sandbox_id, now, done, f"sandbox_{step}")


def _approve(db: Connection, me: Actor, sandbox_id: str, data: StepForm, now: datetime) -> None:
    sandboxes.approve(db, me, sandbox_id, seen_version=data.version, authority=data.reason, now=now)


def _suspend(db: Connection, me: Actor, sandbox_id: str, data: StepForm, now: datetime) -> None:
    sandboxes.suspend(db, me, sandbox_id, seen_version=data.version, reason=data.reason, now=now)


def _resume(db: Connection, me: Actor, sandbox_id: str, data: StepForm, now: datetime) -> None:
    sandboxes.resume(db, me, sandbox_id, seen_version=data.version, reason=data.reason, now=now)


def _end(db: Connection, me: Actor, sandbox_id: str, data: StepForm, now: datetime) -> None:
    sandboxes.end(db, me, sandbox_id, seen_version=data.version, reason=data.reason, now=now)


STEPS = {"approve": _approve, "suspend": _suspend, "resume": _resume, "end": _end}


def _changed(
    request: Request,
    database: given.Database,
    me: Actor,
    sandbox_id: str,
    now: datetime,
    done: Callable[[Connection], None],
    notice: str,
    typed: Typed = UNTYPED,
) -> Response[str]:
    try:
        with database.write() as db:
            sandbox_pages.require_seen(db, me, sandbox_id)
            done(db)
    except (Malformed, Refused, WrongState) as error:
        return _page(request, database, me, sandbox_id, now, error, typed)
    return redirect(request, f"{TRIALS}/{sandbox_id}", notice=notice)


def _page(
    request: Request,
    database: given.Database,
    me: Actor,
    sandbox_id: str,
    now: datetime,
    error: LabShareError | None = None,
    typed: Typed = UNTYPED,
) -> Response[str]:
    with database.read() as db:
        page = sandbox_pages.trial(db, me, sandbox_id, now)
    return render(
        request,
        "agreements/trial.html",
        status=error.status if error else 200,
        refusals=error.refusals if error else (),
        page=page,
        typed=typed,
        told=told,
        most=MOST_FREEDOM_DAYS,
        seconds=replay_pages.SECONDS,
    )


router = Router("/", route_handlers=[propose, trial, kept_replay, replay, adjust, measure, take])
