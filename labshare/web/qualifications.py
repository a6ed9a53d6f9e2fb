"""Qualifications over HTTP: mine, the form to ask for one, and what waits for an instrument scientist to grant.

The people of one instrument are in qualified_people.py. What must not live here: who may grant, or when a qualification
ends (services/qualifications.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from litestar import Response, Router, get, post
from litestar.params import FromPath, FromQuery

from labshare import formats
from labshare.domain.bookings import InstrumentRules
from labshare.domain.people import Action, Actor, may, require
from labshare.domain.qualifications import ASKABLE, TRAINABLE, Level
from labshare.domain.windows import CENTRE_ZONE_NAME, midnight
from labshare.errors import Forbidden, LabShareError, Malformed, Refusal, WrongState
from labshare.i18n import gettext, word
from labshare.services import Connection, Database, calendars, qualifications, training
from labshare.services.qualifications import PAGE, AskLine, Standing
from labshare.web import given
from labshare.web.errors import heading
from labshare.web.rendering import Form, Request, redirect, render
from labshare.web.sections import Line, Section
from labshare.web.templating import named
from labshare.web.typed import typed_date

REQUESTS = f"{PAGE}/requests"
# How long a grant usually lasts; whoever grants may say otherwise.
USUAL_DAYS = 365
# An ending that is longer past than this is no news on the home page.
NEWS = timedelta(days=30)


class AskForm(msgspec.Struct, frozen=True, kw_only=True):
    instrument: str = ""
    level: str = ""
    note: str = ""


class GrantForm(msgspec.Struct, frozen=True, kw_only=True):
    """A grant as it is typed; without `until` it has no end."""

    level: str = ""
    until: str = ""
    note: str = ""


class Item(msgspec.Struct, frozen=True):
    """Something held, in words: until when it holds and why it ends then."""

    standing: Standing
    title: str
    until: str

    @property
    def line(self) -> qualifications.QualificationLine:
        return self.standing.line


# ---------------------------------------------------------------- mine


@get(PAGE, sync_to_thread=True)
def listing(request: Request, database: given.Database, me: given.Me, now: given.Now) -> Response[str]:
    with database.read() as db:
        held = [item_of(each) for each in qualifications.mine(db, me, now)]
        asks = qualifications.my_asks(db, me)
        grants = qualifications.may_grant(db, me, now)
    return render(request, "qualifications/page.html", held=held, asks=asks, grants=grants)


@get(f"{PAGE}/new", sync_to_thread=True)
def new(
    request: Request, database: given.Database, me: given.Me, now: given.Now, instrument: FromQuery[str] = ""
) -> Response[str]:
    require(me, Action.BOOK)
    return _form(request, database, me, AskForm(instrument=instrument), now)


@post(PAGE, sync_to_thread=True)
def ask(request: Request, database: given.Database, me: given.Me, now: given.Now, data: Form[AskForm]) -> Response[str]:
    try:
        with database.write() as db:
            qualifications.ask(db, me, data.instrument, read_level(data.level), data.note, now)
    except (Malformed, WrongState) as error:
        return _form(request, database, me, data, now, error)
    return redirect(request, PAGE, notice="qualification_asked")


# ---------------------------------------------------------------- for instrument scientists


@get(REQUESTS, sync_to_thread=True)
def requests(request: Request, database: given.Database, me: given.Me, now: given.Now) -> Response[str]:
    with database.read() as db:
        if not qualifications.may_grant(db, me, now):
            raise Forbidden("forbidden", action=Action.GRANT_QUALIFICATION.value)
    return _requests(request, database, me, now)


@post(f"{REQUESTS}/{{ask_id:uuid}}/grant", sync_to_thread=True)
def grant(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    ask_id: FromPath[UUID],
    data: Form[GrantForm],
) -> Response[str]:
    def decide(db: Connection) -> None:
        level, until = read_level(data.level), read_until(data.until)
        qualifications.grant(db, me, ask_id, level=level, until=until, now=now, note=data.note)

    return _decided(request, database, me, now, decide, "qualification_granted")


@post(f"{REQUESTS}/{{ask_id:uuid}}/decline", sync_to_thread=True)
def decline(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    ask_id: FromPath[UUID],
    data: Form[GrantForm],
) -> Response[str]:
    def decide(db: Connection) -> None:
        qualifications.decline(db, me, ask_id, note=data.note, now=now)

    return _decided(request, database, me, now, decide, "qualification_declined")


# ---------------------------------------------------------------- from other pages


def my_section(db: Connection, actor: Actor, now: datetime) -> Section | None:
    """For the home page: what the reader holds that ends soon or has ended lately, with the way to have it renewed."""
    if not may(actor, Action.BOOK):
        return None
    near = [each for each in qualifications.mine(db, actor, now) if each.state != "valid"]
    news = [each for each in near if each.end is None or each.end.at > now - NEWS]
    return Section(
        title=gettext("Qualifications that end"),
        icon="shield-check",
        lines=tuple(_home_line(each) for each in news),
        more=PAGE,
        urgent=True,
    )


def waiting_section(db: Connection, actor: Actor, now: datetime) -> Section | None:
    """For the home page of an instrument scientist: who asks for a qualification."""
    return Section(
        title=gettext("Qualifications to grant"),
        icon="shield-check",
        lines=tuple(_ask_line(each) for each in qualifications.waiting(db, actor, now)),
        more=REQUESTS,
        urgent=True,
    )


def address_after(refusals: Iterable[Refusal], rules: InstrumentRules) -> str:
    """The form to ask for the qualification that a wish was refused for."""
    return address_to_ask(rules.id) if any(each.code in ASKABLE for each in refusals) else ""


def ways_to_train(
    db: Connection, me: Actor, rules: InstrumentRules, chosen: str, refusals: Iterable[Refusal], now: datetime
) -> dict[str, Any]:
    """The trainers whom a form offers, and whether what it was refused for would do with one of them."""
    trainers = trainer_choices(db, me, rules, chosen, now)
    return {"trainers": trainers, "may_train": bool(trainers) and any(each.code in TRAINABLE for each in refusals)}


def address_to_ask(instrument_id: str) -> str:
    return f"{PAGE}/new?{urlencode({'instrument': instrument_id})}"


def trainer_choices(
    db: Connection, me: Actor, rules: InstrumentRules, chosen: str, now: datetime
) -> list[tuple[str, str]]:
    """The trainers who may be named, for somebody who may not use the instrument by themselves, or has named one."""
    standing = qualifications.at(db, me, rules.number, now) if rules.qualification else None
    is_alone = not rules.qualification or (standing is not None and not standing.is_over)
    if is_alone and not chosen:
        return []
    return [(str(each.id), each.name) for each in training.trainers(db, me, rules, now)]


# ---------------------------------------------------------------- reading and words


def read_level(text: str) -> int:
    """Raises `Malformed`: nobody types it."""
    if not (text.isascii() and text.isdecimal() and len(text) == 1):
        raise Malformed("qualification_level", field="level")
    return int(text)


def read_until(text: str) -> datetime | None:
    """The end of the last day that was typed, where the centres stand. Raises `Malformed`."""
    return midnight(typed_date(text, "until") + timedelta(days=1), CENTRE_ZONE_NAME) if text.strip() else None


def usual_until(now: datetime) -> date:
    return formats.local(now).date() + timedelta(days=USUAL_DAYS)


def item_of(standing: Standing) -> Item:
    until = ""
    if standing.end is not None:
        said = word("qualification_end", "over" if standing.is_over else standing.end.kind)
        until = f"{said} {formats.end(standing.end.at)}"
    return Item(standing, named(standing.line), until)


def level_choices(levels: list[Level]) -> list[tuple[str, str]]:
    return [(str(each.value), word("level", each.value)) for each in levels]


# ---------------------------------------------------------------- parts


def _form(
    request: Request, database: Database, me: Actor, form: AskForm, now: datetime, error: LabShareError | None = None
) -> Response[str]:
    """The form to ask; it offers no level that the reader holds without an end, as that need not be renewed."""
    with database.read() as db:
        rules = calendars.rules_of(db, form.instrument)
        standing = qualifications.at(db, me, rules.number, now)
    lasting = standing.lasting_level if standing else 0
    held = standing.line.held.level if standing else 0
    return render(
        request,
        "qualifications/new.html",
        status=error.status if error else 200,
        rules=rules,
        form=form,
        levels=level_choices([each for each in Level if each > lasting]),
        level=form.level or str(Level.USER.value if not held else "" if lasting else held),
        held=item_of(standing) if standing else None,
        refusals=error.refusals if error else (),
        heading=heading(error.status) if error else "",
    )


def _decided(
    request: Request,
    database: Database,
    me: Actor,
    now: datetime,
    decide: Callable[[Connection], None],
    notice: str,
) -> Response[str]:
    try:
        with database.write() as db:
            decide(db)
    except (Malformed, WrongState) as error:
        return _requests(request, database, me, now, error)
    return redirect(request, REQUESTS, notice=notice)


def _requests(
    request: Request, database: Database, me: Actor, now: datetime, error: LabShareError | None = None
) -> Response[str]:
    with database.read() as db:
        lines = qualifications.waiting(db, me, now)
    return render(
        request,
        "qualifications/requests.html",
        status=error.status if error else 200,
        lines=[(each, level_choices(qualifications.levels(me, each.centre_id))) for each in lines],
        until=usual_until(now).isoformat(),
        refusals=error.refusals if error else (),
        heading=heading(error.status) if error else "",
    )


def _home_line(standing: Standing) -> Line:
    item = item_of(standing)
    return Line(
        href=address_to_ask(standing.line.instrument_id),
        title=item.title,
        detail=item.until,
        state=("qualification_state", standing.state),
    )


def _ask_line(line: AskLine) -> Line:
    said = (line.person or line.login, word("level", line.ask.level), line.ask.note)
    return Line(href=REQUESTS, title=named(line), detail=" · ".join(filter(None, said)))


router = Router("/", route_handlers=[listing, new, ask, requests, grant, decline])
