"""Bookings that change hands, over HTTP: the form to give one away or swap it, and the offers that wait for an answer.

What must not live here: who may have whose booking (services/exchanges.py).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from litestar import Response, Router, get, post
from litestar.params import FromPath, FromQuery

from labshare import formats
from labshare.domain.approvals import Approval
from labshare.domain.bookings import InstrumentRules
from labshare.domain.people import Action, Actor, may, require
from labshare.domain.timespan import MINUTE, Span
from labshare.errors import LabShareError, Malformed, NotFound, Refusal, Refused, Stale, WrongState
from labshare.i18n import gettext
from labshare.services import Connection, Database, bookings, calendars, exchanges, projects
from labshare.services.bookings import BookingLine
from labshare.services.exchanges import PAGE, ExchangeLine, Offered
from labshare.web import given, waitlist
from labshare.web.booking_forms import Faults, notice_of, read_id, read_project, read_version, times_of
from labshare.web.clearances import write_or_hold_back
from labshare.web.errors import heading
from labshare.web.rendering import Form, Request, redirect, render
from labshare.web.sections import Line, Section
from labshare.web.templating import named
from labshare.web.typed import instant, typed_clock, typed_date

# So far before and after a booking the times that others have are offered for choice.
SLOTS_AROUND = timedelta(days=10)


class ProposalForm(msgspec.Struct, frozen=True, kw_only=True):
    """Which booking, as it was seen; and a colleague to give it to, or where and when somebody has what is wanted.

    `slot` is a time that was chosen rather than typed: its instrument, day and clock.
    """

    booking: str = ""
    version: str = ""
    receiver: str = ""
    instrument: str = ""
    date: str = ""
    from_: str = msgspec.field(default="", name="from")
    slot: str = ""


class AnswerForm(msgspec.Struct, frozen=True):
    version: str = ""
    project: str = ""


class Item(msgspec.Struct, frozen=True):
    """An exchange in words. `is_asked` is whether it waits for the reader's answer, `is_decided` whether the centre of
    what they would get may still decide about it then.
    """

    line: ExchangeLine
    is_asked: bool
    is_decided: bool
    gives: str
    wants: str


@get(PAGE, sync_to_thread=True)
def listing(request: Request, database: given.Database, me: given.Me, now: given.Now) -> Response[str]:
    with database.read() as db:
        return _page(request, db, me, now)


@get(f"{PAGE}/new", sync_to_thread=True)
def new(
    request: Request, database: given.Database, me: given.Me, now: given.Now, booking: FromQuery[str] = ""
) -> Response[str]:
    """The two forms, for one of the reader's own bookings."""
    require(me, Action.BOOK)
    with database.read() as db:
        return _forms(request, db, me, now, ProposalForm(booking=booking))


@get(f"{PAGE}/ask", sync_to_thread=True)
def ask(request: Request, database: given.Database, me: given.Me, now: given.Now) -> Response[str]:
    """The time that somebody has, from a calendar: which of the reader's bookings they would give for it."""
    require(me, Action.BOOK)
    form = msgspec.convert(dict(request.query_params), ProposalForm)
    moment, _ = _moment(form)
    with database.read() as db:
        rules = calendars.rules_of(db, form.instrument)
        found = exchanges.askable(db, me, rules, Span(moment, moment + MINUTE), now) if moment else []
        offers = exchanges.offerable(db, me, now) if found else []
    offers.sort(key=lambda line: line.instrument_id != rules.id)
    return render(
        request,
        "exchanges/ask.html",
        status=200 if found else Refused.status,
        rules=rules,
        wanted=found[0] if found else None,
        wanted_fields={"instrument": rules.id, "date": form.date, "from": form.from_},
        offers=[(line, _words(_as_offered(line))) for line in offers],
        is_decided=_is_decided(me, rules),
        refusals=() if found else (Refusal(code="exchange_no_holder"),),
        heading=heading(Refused.status),
        wait_address=waitlist.address_for(rules, found[0]) if found else "",
    )


@post(f"{PAGE}/hand-over", sync_to_thread=True)
def hand_over(
    request: Request, database: given.Database, me: given.Me, now: given.Now, data: Form[ProposalForm]
) -> Response[str]:
    try:
        receiver_id = read_id(data.receiver)
    except NotFound:
        return _faulty(request, database, me, now, data, {"receiver": Refusal(code="exchange_no_colleague")})
    try:
        with database.write() as db:
            seen = read_version(data.version)
            exchanges.hand_over(db, me, read_id(data.booking), receiver_id, seen_version=seen, now=now)
    except (Refused, Stale, WrongState) as error:
        return _faulty(request, database, me, now, data, {}, error)
    return redirect(request, PAGE, notice="exchange_proposed")


@post(f"{PAGE}/swap", sync_to_thread=True)
def swap(
    request: Request, database: given.Database, me: given.Me, now: given.Now, data: Form[ProposalForm]
) -> Response[str]:
    data = _as_chosen(data)
    moment, faults = _moment(data)
    if moment is None:
        return _faulty(request, database, me, now, data, faults)
    try:
        with database.write() as db:
            seen = read_version(data.version)
            exchanges.swap(db, me, read_id(data.booking), data.instrument, moment, seen_version=seen, now=now)
    except NotFound as error:
        if error.code != "instrument_not_found":
            raise
        return _faulty(request, database, me, now, data, {"instrument": error.refusals[0]})
    except (Refused, Stale, WrongState) as error:
        return _faulty(request, database, me, now, data, {}, error)
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
        with write_or_hold_back(database, me, now) as db:
            booking = exchanges.accept(db, me, exchange_id, project_id, seen_version=seen, now=now)
    except (Refused, Stale, WrongState) as error:
        with database.read() as db:
            return _page(request, db, me, now, error=error)
    return redirect(
        request, f"/bookings/{booking.id}", **notice_of(booking, "exchange_accepted", "exchange_accepted_asked")
    )


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
        items=[_item(db, line, me) for line in exchanges.mine(db, me, now)],
        projects=[(str(each.id), f"{each.code} · {each.title}") for each in choices],
        project=str(choices[0].id) if len(choices) == 1 else "",
        refusals=error.refusals if error else (),
        heading=heading(error.status) if error else "",
    )


def _faulty(
    request: Request,
    database: Database,
    me: Actor,
    now: datetime,
    form: ProposalForm,
    faults: Faults,
    error: LabShareError | None = None,
) -> Response[str]:
    with database.read() as db:
        return _forms(request, db, me, now, form, faults=faults, error=error)


def _forms(
    request: Request,
    db: Connection,
    me: Actor,
    now: datetime,
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
    is_typed = not form.slot and bool(form.instrument)
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
        slots=_slots(db, me, line, now),
        is_typed=is_typed,
        form=form,
        faults=faults or {},
        refusals=error.refusals if error else (),
        heading=heading(error.status) if error else "",
    )


def _slots(db: Connection, me: Actor, line: BookingLine, now: datetime) -> list[tuple[str, list[tuple[str, str]]]]:
    """The times that others have on the instrument of a booking in the days around it, by day: (value, words)."""
    rules = calendars.rules_of(db, line.instrument_id)
    start = line.booking.starts_at
    days: dict[str, list[tuple[str, str]]] = {}
    for each in exchanges.askable(db, me, rules, Span(start - SLOTS_AROUND, start + SLOTS_AROUND), now):
        times = times_of(each)
        value = f"{rules.id} {times['date']} {times['from_']}"
        days.setdefault(formats.day(each.start), []).append((value, formats.span(each.start, each.end)))
    return list(days.items())


def _as_chosen(form: ProposalForm) -> ProposalForm:
    """The form with the time that was chosen, where one was, in place of what is typed."""
    instrument, _, rest = form.slot.partition(" ")
    day, _, clock = rest.partition(" ")
    return msgspec.structs.replace(form, instrument=instrument, date=day, from_=clock) if form.slot else form


def _as_offered(line: BookingLine) -> Offered:
    """A booking of the reader as what they would give."""
    booking = line.booking
    return Offered(
        instrument_id=line.instrument_id,
        name_vi=line.instrument_vi,
        name_en=line.instrument_en,
        starts_at=booking.starts_at,
        ends_at=booking.ends_at,
        version=booking.version,
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


def _item(db: Connection, line: ExchangeLine, me: Actor) -> Item:
    is_asked = line.exchange.receiver_id == me.person_id
    gets = line.gives if is_asked else line.wants
    is_decided = gets is not None and _is_decided(me, calendars.rules_of(db, gets.instrument_id))
    return Item(line, is_asked, is_decided, _words(line.gives), _words(line.wants) if line.wants else "")


def _is_decided(me: Actor, rules: InstrumentRules) -> bool:
    """Whether what somebody takes over there may wait for its centre, as what they book does: of whom outsiders alone
    are decided about, by their employer, as the project that will pay is not chosen yet.
    """
    asked = rules.approval == Approval.EVERYBODY or (
        rules.approval == Approval.OUTSIDERS and me.organisation_id != rules.host_id
    )
    return asked and not may(me, Action.MANAGE_CALENDAR, centre=rules.centre_id)


def _asks(line: ExchangeLine) -> str:
    """Who asks the reader, and whether they give or swap."""
    if line.wants is None:
        return gettext("%(giver)s offers it to you") % {"giver": line.giver}
    return f"{gettext('%(giver)s asks to swap it for yours:') % {'giver': line.giver}} {_words(line.wants)}"


def _words(offered: Offered) -> str:
    """Where and when, in the reader's language."""
    return f"{named(offered)} · {formats.span(offered.starts_at, offered.ends_at)}"


router = Router("/", route_handlers=[listing, new, ask, hand_over, swap, accept, decline, withdraw])
