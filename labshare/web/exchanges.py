"""Bookings that change hands, over HTTP: the form to give one away or swap it, and the offers that wait for an answer.

What must not live here: who may have whose booking (services/exchanges.py).
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec
from litestar import Response, Router, get, post
from litestar.params import FromPath, FromQuery

from labshare import formats
from labshare.domain.people import Action, Actor, may, require
from labshare.errors import LabShareError, Malformed, NotFound, Refusal, Refused, Stale, WrongState
from labshare.i18n import gettext
from labshare.services import Connection, Database, bookings, exchanges, projects
from labshare.services.exchanges import PAGE, ExchangeLine, Offered
from labshare.web import given
from labshare.web.booking_forms import Faults, read_id, read_project, read_version, times_of
from labshare.web.clearances import hold_back
from labshare.web.errors import heading
from labshare.web.rendering import Form, Request, redirect, render
from labshare.web.sections import Line, Section
from labshare.web.templating import named
from labshare.web.typed import instant, typed_clock, typed_date


class ProposalForm(msgspec.Struct, frozen=True, kw_only=True):
    """Which booking, as it was seen; and a colleague to give it to, or where and when somebody has what is wanted."""

    booking: str = ""
    version: str = ""
    receiver: str = ""
    instrument: str = ""
    date: str = ""
    from_: str = msgspec.field(default="", name="from")


class AnswerForm(msgspec.Struct, frozen=True):
    version: str = ""
    project: str = ""


class Item(msgspec.Struct, frozen=True):
    """An exchange in words. `is_asked` is whether it waits for the reader's answer."""

    line: ExchangeLine
    is_asked: bool
    gives: str
    wants: str


@get(PAGE, sync_to_thread=True)
def listing(request: Request, database: given.Database, me: given.Me, now: given.Now) -> Response[str]:
    with database.read() as db:
        return _page(request, db, me, now)


@get(f"{PAGE}/new", sync_to_thread=True)
def new(request: Request, database: given.Database, me: given.Me, booking: FromQuery[str] = "") -> Response[str]:
    """The two forms, for one of the reader's own bookings."""
    require(me, Action.BOOK)
    with database.read() as db:
        return _forms(request, db, me, ProposalForm(booking=booking))


@post(f"{PAGE}/hand-over", sync_to_thread=True)
def hand_over(
    request: Request, database: given.Database, me: given.Me, now: given.Now, data: Form[ProposalForm]
) -> Response[str]:
    try:
        receiver_id = read_id(data.receiver)
    except NotFound:
        return _faulty(request, database, me, data, {"receiver": Refusal(code="exchange_no_colleague")})
    try:
        with database.write() as db:
            seen = read_version(data.version)
            exchanges.hand_over(db, me, read_id(data.booking), receiver_id, seen_version=seen, now=now)
    except (Refused, Stale, WrongState) as error:
        return _faulty(request, database, me, data, {}, error)
    return redirect(request, PAGE, notice="exchange_proposed")


@post(f"{PAGE}/swap", sync_to_thread=True)
def swap(
    request: Request, database: given.Database, me: given.Me, now: given.Now, data: Form[ProposalForm]
) -> Response[str]:
    moment, faults = _moment(data)
    if moment is None:
        return _faulty(request, database, me, data, faults)
    try:
        with database.write() as db:
            seen = read_version(data.version)
            exchanges.swap(db, me, read_id(data.booking), data.instrument, moment, seen_version=seen, now=now)
    except NotFound as error:
        if error.code != "instrument_not_found":
            raise
        return _faulty(request, database, me, data, {"instrument": error.refusals[0]})
    except (Refused, Stale, WrongState) as error:
        return _faulty(request, database, me, data, {}, error)
    return redirect(request, PAGE, notice="exchange_proposed")


@post(f"{PAGE}/{{exchange_id:uuid}}/accept", sync_to_thread=True)
def accept(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    exchange_id: FromPath[UUID],
    data: Form[AnswerForm],
) -> Response[str]:
    project_id, seen = read_project(data.project, {}), read_version(data.version)
    try:
        with database.write() as db:
            booking = exchanges.accept(db, me, exchange_id, project_id, seen_version=seen, now=now)
    except (Refused, Stale, WrongState) as error:
        if isinstance(error, Refused):
            with database.read() as db:
                wish = exchanges.wished(db, me, exchange_id, project_id)
            hold_back(database, me, wish, error, now)
        with database.read() as db:
            return _page(request, db, me, now, error=error)
    return redirect(request, f"/bookings/{booking.id}", notice="exchange_accepted")


@post(f"{PAGE}/{{exchange_id:uuid}}/decline", sync_to_thread=True)
def decline(
    request: Request, database: given.Database, me: given.Me, now: given.Now, exchange_id: FromPath[UUID]
) -> Response[str]:
    try:
        with database.write() as db:
            exchanges.decline(db, me, exchange_id, now)
    except WrongState as error:
        with database.read() as db:
            return _page(request, db, me, now, error=error)
    return redirect(request, PAGE, notice="exchange_declined")


@post(f"{PAGE}/{{exchange_id:uuid}}/withdraw", sync_to_thread=True)
def withdraw(
    request: Request, database: given.Database, me: given.Me, now: given.Now, exchange_id: FromPath[UUID]
) -> Response[str]:
    try:
        with database.write() as db:
            exchanges.withdraw(db, me, exchange_id, now)
    except WrongState as error:
        with database.read() as db:
            return _page(request, db, me, now, error=error)
    return redirect(request, PAGE, notice="exchange_withdrawn")


def asked_section(db: Connection, actor: Actor, now: datetime) -> Section | None:
    """For the home page: bookings that somebody offers the reader."""
    if not may(actor, Action.BOOK):
        return None
    return Section(
        title=gettext("Offered to you"),
        icon="handshake",
        lines=tuple(
            Line(
                href=PAGE,
                title=_words(line.gives),
                detail=_asks(line),
                due=gettext("answer by"),
                due_at=line.exchange.answer_by,
            )
            for line in exchanges.asked_of(db, actor, now)
        ),
        more=PAGE,
        urgent=True,
    )


# ---------------------------------------------------------------- parts


def _page(
    request: Request, db: Connection, me: Actor, now: datetime, *, error: LabShareError | None = None
) -> Response[str]:
    choices = projects.usable(db, me, now)
    return render(
        request,
        "exchanges/page.html",
        status=error.status if error else 200,
        items=[_item(line, me) for line in exchanges.mine(db, me, now)],
        projects=[(str(each.id), f"{each.code} · {each.title}") for each in choices],
        project=str(choices[0].id) if len(choices) == 1 else "",
        refusals=error.refusals if error else (),
        heading=heading(error.status) if error else "",
    )


def _faulty(
    request: Request,
    database: Database,
    me: Actor,
    form: ProposalForm,
    faults: Faults,
    error: LabShareError | None = None,
) -> Response[str]:
    with database.read() as db:
        return _forms(request, db, me, form, faults=faults, error=error)


def _forms(
    request: Request,
    db: Connection,
    me: Actor,
    form: ProposalForm,
    *,
    faults: Faults | None = None,
    error: LabShareError | None = None,
) -> Response[str]:
    """Both forms for a booking of the reader. Raises `NotFound` for what is not theirs."""
    line = bookings.show(db, me, read_id(form.booking))
    if line.booking.person_id != me.person_id:
        raise NotFound("booking_not_found")
    times = times_of(line.booking.span)
    form = msgspec.structs.replace(
        form, instrument=form.instrument or line.instrument_id, date=form.date or times["date"]
    )
    return render(
        request,
        "exchanges/new.html",
        status=error.status if error else Malformed.status if faults else 200,
        line=line,
        booking=line.booking,
        colleagues=[(each.id, each.name_vi) for each in exchanges.colleagues(db, me)],
        form=form,
        faults=faults or {},
        refusals=error.refusals if error else (),
        heading=heading(error.status) if error else "",
    )


def _moment(form: ProposalForm) -> tuple[datetime | None, Faults]:
    """The minute in which the other booking lies, or every fault of its fields."""
    faults: Faults = {}
    day, minute = None, None
    try:
        day = typed_date(form.date, "date")
    except Malformed as error:
        faults["date"] = error.refusals[0]
    try:
        minute = typed_clock(form.from_, "from")
    except Malformed as error:
        faults["from"] = error.refusals[0]
    return (instant(day, minute) if day is not None and minute is not None else None), faults


def _item(line: ExchangeLine, me: Actor) -> Item:
    is_asked = line.exchange.receiver_id == me.person_id
    return Item(line, is_asked, _words(line.gives), _words(line.wants) if line.wants else "")


def _asks(line: ExchangeLine) -> str:
    """Who asks the reader, and whether they give or swap."""
    if line.wants is None:
        return gettext("%(giver)s offers it to you") % {"giver": line.giver}
    return f"{gettext('%(giver)s asks to swap it for yours:') % {'giver': line.giver}} {_words(line.wants)}"


def _words(offered: Offered) -> str:
    """Where and when, in the reader's language."""
    return f"{named(offered)} · {formats.span(offered.starts_at, offered.ends_at)}"


router = Router("/", route_handlers=[listing, new, hand_over, swap, accept, decline, withdraw])
