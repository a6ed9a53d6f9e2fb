"""The waitlist over HTTP: my places and offers on it, the form to join, and the answers to an offer.

What must not live here: whom time is offered to (services/waitlist.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from urllib.parse import urlencode
from uuid import UUID, uuid4

import msgspec
from litestar import Response, Router, get, post
from litestar.params import FromPath

from labshare import formats
from labshare.domain.bookings import Booking, BookingState, InstrumentRules
from labshare.domain.opening import DAY_MINUTES, clock
from labshare.domain.people import Action, Actor, may, require
from labshare.domain.timespan import Span
from labshare.domain.waitlist import WaitingEntry, WaitingState
from labshare.errors import LabShareError, Malformed, Refusal, Refused, WrongState
from labshare.i18n import gettext
from labshare.services import Connection, projects, usage, waitlist
from labshare.services.waitlist import PAGE, WaitingLine
from labshare.web import free_times, given
from labshare.web.booking_forms import Faults, booking_address, notice_of, read_project
from labshare.web.errors import heading
from labshare.web.rendering import Form, Request, redirect, render
from labshare.web.sections import Line, Section
from labshare.web.templating import named

USUAL_DAYS = 7


class JoinForm(msgspec.Struct, frozen=True, kw_only=True):
    """What is waited for, as it is typed; the days and hours as the search for free time asks for them."""

    instrument: str = ""
    capability: str = ""
    project: str = ""
    length: str = ""
    from_: str = msgspec.field(default="", name="from")
    to: str = ""
    part: str = ""


class Item(msgspec.Struct, frozen=True):
    """One place on the list in words; what is offered comes first, and since when that is down, if it is."""

    place: waitlist.Place
    title: str
    when: str
    # What could be booked at once: when, and on which instrument.
    free: Line | None
    # Since when that which is offered is down.
    down_since: datetime | None

    @property
    def offered(self) -> str:
        return offer_name(self.place.line)

    @property
    def line(self) -> WaitingLine:
        return self.place.line


@get(PAGE, sync_to_thread=True)
def listing(request: Request, database: given.Database, me: given.Me, now: given.Now) -> Response[str]:
    with database.read() as db:
        return _page(request, db, me, now)


@get(f"{PAGE}/new", sync_to_thread=True)
def new(request: Request, database: given.Database, me: given.Me, now: given.Now) -> Response[str]:
    """The form, with whatever the address says already typed in."""
    require(me, Action.BOOK)
    asked = {name: "".join(filter(str.isprintable, value)) for name, value in request.query_params.items()}
    with database.read() as db:
        return _form(request, db, me, msgspec.convert(asked, JoinForm), now)


@post(PAGE, sync_to_thread=True)
def join(
    request: Request, database: given.Database, me: given.Me, now: given.Now, data: Form[JoinForm]
) -> Response[str]:
    with database.read() as db:
        entry, faults = _read(db, me, data, now)
        if entry is None:
            return _form(request, db, me, data, now, faults=faults)
    try:
        with database.write() as db:
            waitlist.join(db, me, entry, now)
    except (Malformed, Refused) as error:
        with database.read() as db:
            return _form(request, db, me, data, now, error=error)
    return redirect(request, PAGE, notice="waitlist_joined")


@post(f"{PAGE}/{{entry_id:uuid}}/accept", sync_to_thread=True)
def accept(
    request: Request, database: given.Database, me: given.Me, now: given.Now, entry_id: FromPath[UUID]
) -> Response[str]:
    try:
        with database.write() as db:
            booking = waitlist.accept(db, me, entry_id, now)
    except (Refused, WrongState) as error:
        with database.read() as db:
            return _page(request, db, me, now, error=error)
    return redirect(request, f"/bookings/{booking.id}", **notice_of(booking, "offer_accepted"))


@post(f"{PAGE}/{{entry_id:uuid}}/decline", sync_to_thread=True)
def decline(
    request: Request, database: given.Database, me: given.Me, now: given.Now, entry_id: FromPath[UUID]
) -> Response[str]:
    try:
        with database.write() as db:
            waitlist.decline(db, me, entry_id, now)
    except WrongState as error:
        with database.read() as db:
            return _page(request, db, me, now, error=error)
    return redirect(request, PAGE, notice="offer_declined")


@post(f"{PAGE}/{{entry_id:uuid}}/leave", sync_to_thread=True)
def leave(
    request: Request, database: given.Database, me: given.Me, now: given.Now, entry_id: FromPath[UUID]
) -> Response[str]:
    try:
        with database.write() as db:
            waitlist.leave(db, me, entry_id, now)
    except WrongState as error:
        with database.read() as db:
            return _page(request, db, me, now, error=error)
    return redirect(request, PAGE, notice="waitlist_left")


# ---------------------------------------------------------------- from other pages


def offers_section(db: Connection, actor: Actor, now: datetime) -> Section | None:
    """For the home page: time that is kept for this person until they answer."""
    if not may(actor, Action.BOOK):
        return None
    offers = waitlist.offers(db, actor, now)
    down = _down_since(db, offers)
    return Section(
        title=gettext("Time is kept for you"),
        icon="hourglass",
        lines=tuple(_offer(line, down) for line in offers),
        more=PAGE,
        urgent=True,
    )


def offer_of(db: Connection, actor: Actor, booking: Booking, now: datetime) -> WaitingLine | None:
    """The offer whose time a booking keeps, for the one who may take it."""
    if booking.state is not BookingState.HELD or booking.form_hold or booking.person_id != actor.person_id:
        return None
    return next((line for line in waitlist.offers(db, actor, now) if line.entry.booking_id == booking.id), None)


def address_after(refusals: Iterable[Refusal], rules: InstrumentRules, wanted: Span | None) -> str:
    """The form to wait for as long a use in the week after a wish, where that was refused for its time; of what is over
    nothing comes free.
    """
    codes = [each.code for each in refusals]
    if wanted is None or "in_the_past" in codes or not any(code.startswith("time_taken") for code in codes):
        return ""
    return address_for(rules, wanted)


def address_for(rules: InstrumentRules, wanted: Span) -> str:
    """The form to wait for as long a use of an instrument in the week from a time on."""
    day = formats.local(wanted.start).date()
    asked = {
        "instrument": rules.id,
        "length": f"{wanted.minutes}m",
        "from": day,
        "to": day + timedelta(days=USUAL_DAYS - 1),
    }
    return f"{PAGE}/new?{urlencode(asked)}"


# ---------------------------------------------------------------- parts


def _page(
    request: Request, db: Connection, me: Actor, now: datetime, *, error: LabShareError | None = None
) -> Response[str]:
    mine = waitlist.mine(db, me, now)
    down = _down_since(db, [each.line for each in mine])
    return render(
        request,
        "waitlist/page.html",
        status=error.status if error else 200,
        items=[
            Item(
                each,
                named(each.line),
                _when(each.line.entry),
                _free_now(db, me, each.line.entry, now),
                down.get(each.line.entry.id),
            )
            for each in mine
        ],
        refusals=error.refusals if error else (),
        heading=heading(error.status) if error else "",
    )


def _form(
    request: Request,
    db: Connection,
    me: Actor,
    form: JoinForm,
    now: datetime,
    *,
    faults: Faults | None = None,
    error: LabShareError | None = None,
) -> Response[str]:
    choices = projects.usable(db, me, now)
    wanted = waitlist.wanted(db, form.instrument, form.capability)
    first = formats.local(waitlist.next_open(db, wanted, now)).date()
    return render(
        request,
        "waitlist/new.html",
        status=error.status if error else Malformed.status if faults else 200,
        wanted=wanted,
        form=_usual(form, first, str(choices[0].id) if len(choices) == 1 else ""),
        projects=[(str(each.id), f"{each.code} · {each.title}") for each in choices],
        faults=faults or {},
        refusals=error.refusals if error else (),
        heading=heading(error.status) if error else "",
    )


def _read(db: Connection, me: Actor, form: JoinForm, now: datetime) -> tuple[WaitingEntry | None, Faults]:
    """The entry that was typed, or every fault of its fields."""
    asked = free_times.Asked(length=form.length, from_=form.from_, to=form.to, part=form.part)
    sought, faults = free_times.read(db, asked, formats.local(now).date())
    project_id = read_project(form.project, faults)
    if project_id is None:
        faults.setdefault("project", Refusal(code="project_unknown"))
    if faults or sought is None or project_id is None:
        return None, faults
    wanted = waitlist.wanted(db, form.instrument, form.capability)
    return WaitingEntry(
        id=uuid4(),
        person_id=me.person_id,
        project_id=project_id,
        instrument_number=wanted.instrument_number,
        capability_id=wanted.capability_id,
        minutes=sought.minutes,
        from_date=sought.dates[0],
        until_date=sought.dates[-1],
        since=sought.since,
        until=sought.until,
        created_at=now,
    ), {}


def _usual(form: JoinForm, first: date, project: str) -> JoinForm:
    """The form with what need not be typed: two hours within a week from the first open day, and the only project."""
    return msgspec.structs.replace(
        form,
        length=form.length or free_times.USUAL_LENGTH,
        from_=form.from_ or first.isoformat(),
        to=form.to or (first + timedelta(days=USUAL_DAYS - 1)).isoformat(),
        project=form.project or project,
    )


def _when(entry: WaitingEntry) -> str:
    """How long, on which days and between which hours."""
    days = formats.day(entry.from_date)
    if entry.until_date != entry.from_date:
        days = f"{days} – {formats.day(entry.until_date)}"
    hours = f"{clock(entry.since)}–{clock(entry.until or DAY_MINUTES)}" if entry.since or entry.until else ""
    return " · ".join(part for part in (formats.duration(entry.minutes), days, hours) if part)


def _free_now(db: Connection, me: Actor, entry: WaitingEntry, now: datetime) -> Line | None:
    """The form with the first time that is free at once, where the entry waits still."""
    row = waitlist.free_now(db, me, entry, now) if entry.state is WaitingState.WAITING else None
    if row is None:
        return None
    span = row.spans[0]
    address = booking_address(row.place.id, span, project=str(entry.project_id))
    return Line(href=address, title=formats.span(span.start, span.end), detail=row.place.id)


def _down_since(db: Connection, lines: Iterable[WaitingLine]) -> dict[UUID, datetime]:
    """Since when the instruments are down that are offered, by entry, of those that are."""
    offered = {line.entry.id: line.offer_number for line in lines if line.offer_number is not None}
    down = usage.down_since(db, set(offered.values()))
    return {entry_id: down[number] for entry_id, number in offered.items() if number in down}


def _offer(line: WaitingLine, down: Mapping[UUID, datetime]) -> Line:
    is_timed = line.starts_at is not None and line.ends_at is not None
    return Line(
        href=PAGE,
        title=offer_name(line),
        detail=formats.span(line.starts_at, line.ends_at) if is_timed else "",  # pyright: ignore[reportArgumentType]  both are there
        due=gettext("kept until"),
        due_at=line.expires_at,
        down_since=down.get(line.entry.id),
    )


def offer_name(line: WaitingLine) -> str:
    """The instrument that is offered, in the reader's language."""
    return named(waitlist.Wanted(id=line.offer_id or "", name_vi=line.offer_vi or "", name_en=line.offer_en or ""))


router = Router("/", route_handlers=[listing, new, join, accept, decline, leave])
