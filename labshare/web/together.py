"""Several instruments in one go, for one experiment: a page of rows, each an instrument with its times, all or none.

What must not live here: one booking (bookings.py), or dates of a rule (series.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Response, Router, get, post
from litestar.params import QueryParameter

from labshare.domain.bookings import BookingState, InstrumentRules, Wish
from labshare.domain.modes import Mode
from labshare.domain.people import Action, Actor, may, require
from labshare.domain.registry_search import Search
from labshare.domain.timespan import Span
from labshare.errors import Malformed, NotFound, Refusal, Refused
from labshare.i18n import language
from labshare.services import Connection, bookings, projects, registry, usage
from labshare.services import calendars as looking
from labshare.web import given
from labshare.web.booking_forms import BookingForm, Faults, read_slot, read_span, with_times
from labshare.web.booking_wishes import choices, read_wish, staff_choices, ways_after
from labshare.web.clearances import write_or_hold_back
from labshare.web.errors import heading
from labshare.web.free_times import Offer, offers_near
from labshare.web.rendering import Form, Request, redirect, render
from labshare.web.templating import named

PAGE = "/bookings/together"
ROWS, MOST_ROWS, MOST_FOUND = 2, 12, 40
# Those of a row, whose place stands behind their names, and those that all rows share. `staff` is a mode, or one with
# who of the staff is named: one of `staff_choices`.
FIELDS = (
    *("instrument", "q", "sought", "date", "from", "until", "length", "until_date"),
    *("staff", "setup", "trainer", "override_reason"),
)
SHARED = ("project", "purpose", "person", "their_project")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument with its times as they were typed, what could not be read of them, and why it was refused."""

    place: int
    form: BookingForm = BookingForm()
    # What its instrument is searched for by, and what the list that it was chosen from was searched for by.
    q: str = ""
    sought: str = ""
    faults: Faults = {}
    refusals: tuple[Refusal, ...] = ()
    # The times nearest to it that would be accepted, clear of the other rows.
    offers: tuple[Offer, ...] = ()
    # Since when its instrument is down, where times are offered.
    down_since: datetime | None = None

    @property
    def is_sought_anew(self) -> bool:
        """Whether its instrument was not chosen from what its search finds."""
        return bool(self.q) and self.q != self.sought

    @property
    def is_empty(self) -> bool:
        typed = (self.form.instrument, self.form.from_, self.form.until, self.form.length)
        return not any(typed) and not self.is_sought_anew

    @property
    def staff(self) -> str:
        return ":".join(filter(None, (self.form.mode, self.form.operator)))


class Offered(msgspec.Struct, frozen=True, kw_only=True):
    """What a row may choose: instruments by centre, and of the one that is chosen (or searched for alone) who runs it,
    with what would help where it is refused. `found` counts instruments, one more than `MOST_FOUND` for many.
    """

    found: int
    groups: list[tuple[str, list[tuple[str, str]]]]
    instrument: str = ""
    manages: bool = False
    staff: list[tuple[str, str]] = []
    setups: list[tuple[str, str]] = []
    ways: dict[str, Any] = {}


@get(PAGE, sync_to_thread=True)
def new(request: Request, database: given.Database, me: given.Me, now: given.Now) -> Response[str]:
    """The rows, the first one with what the address says."""
    require(me, Action.BOOK)
    with database.read() as db:
        return _page(request, db, me, now, _rows(_as_first(dict(request.query_params))))


@get(f"{PAGE}/row", sync_to_thread=True)
def choose(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    place: Annotated[int, QueryParameter(ge=0, lt=MOST_ROWS)],
) -> Response[str]:
    """What one row may choose, as its search and its instrument say, over htmx."""
    require(me, Action.BOOK)
    rows = _rows(dict(request.query_params))
    with database.read() as db:
        offered = _offered(db, me, rows[place], rows[0].form.instrument, now)
    return render(request, "bookings/_together_row.html", row=rows[place], offered=offered, most_found=MOST_FOUND)


@post(PAGE, sync_to_thread=True)
def book(
    request: Request, database: given.Database, me: given.Me, now: given.Now, data: Form[dict[str, str]]
) -> Response[str]:
    require(me, Action.BOOK)
    # The form of one booking sends what stands in it, with a token and a purpose, which are nothing for an address.
    if "further" in data:
        with database.read() as db:
            return _page(request, db, me, now, _rows(_as_first(data)))
    rows = _rows(data)
    with database.read() as db:
        # Buttons add a row, search without JavaScript, and after a refusal fill in other times; what else was typed
        # stays.
        if "more" in data or "search" in data or any(f"slot_{row.place}" in data for row in rows):
            return _page(request, db, me, now, rows)
        read = [(row, *_read(db, me, row)) for row in rows if not row.is_empty]
        wishes = [wish for _, wish, _ in read if wish is not None]
        if not read or len(wishes) < len(read):
            wrong = {row.place: found for row, _, found in read} if read else {0: _NOTHING}
            told = [msgspec.structs.replace(row, faults=wrong.get(row.place, {})) for row in rows]
            return _page(request, db, me, now, told, status=Malformed.status)
    try:
        with write_or_hold_back(database, me, now) as db:
            made = bookings.book_all(db, me, wishes, now)
    except Refused as error:
        with database.read() as db:
            told = _refused(db, rows, {row.place: wish for row, wish, _ in read if wish}, error, now)
            return _page(request, db, me, now, told, error)
    waits = any(each.state is BookingState.PENDING for each in made)
    return redirect(request, "/bookings", notice="asked_together" if waits else "booked_together")


# ---------------------------------------------------------------- parts

_NOTHING: Faults = {"instrument": Refusal(code="together_empty")}


def _as_first(typed: Mapping[str, str]) -> dict[str, str]:
    """The fields of one booking (`BookingForm`) as those of the first row; who runs it comes in two there."""
    parts = ("mode",) if typed.get("mode") == Mode.SELF else ("mode", "operator")
    staff = ":".join(filter(None, (typed.get(name) for name in parts)))
    first = {f"{name}_0": typed.get(name, "") for name in FIELDS}
    return {**first, "staff_0": staff, **{name: typed.get(name, "") for name in SHARED}}


def _rows(data: dict[str, str]) -> list[Row]:
    """The rows as they were typed; a day that is left out is that of the row before."""
    # A control character, which no name has and one database refuses, is left out.
    data = {name: "".join(filter(str.isprintable, value)) for name, value in data.items()}
    shared = {name: data.get(name, "") for name in SHARED}
    rows: list[Row] = []
    for place in range(_count(data)):
        typed = {name: data.get(f"{name}_{place}", "").strip() for name in FIELDS}
        typed["date"] = typed["date"] or (rows[-1].form.date if rows else "")
        typed["mode"], _, typed["operator"] = typed["staff"].partition(":")
        form = msgspec.convert({**typed, **shared}, BookingForm)
        if slot := data.get(f"slot_{place}"):
            form = with_times(form, read_slot(slot))
        rows.append(Row(place=place, form=form, q=typed["q"], sought=typed["sought"]))
    return rows


def _count(data: Mapping[str, str]) -> int:
    """How many rows there are: those that were sent, and one more for who asked for it."""
    sent = [place + 1 for place in range(MOST_ROWS) if f"instrument_{place}" in data]
    return min(max([ROWS, *sent]) + ("more" in data), MOST_ROWS)


def _read(db: Connection, me: Actor, row: Row) -> tuple[Wish | None, Faults]:
    """The wish of a row, or every fault of it."""
    _, faults = read_span(row.form)
    if row.is_sought_anew:
        return None, {**faults, "instrument": Refusal(code="together_choose")}
    rules = _rules(db, row.form.instrument)
    if rules is None:
        return None, {**faults, **_NOTHING}
    # Without JavaScript a reason may still be there that was typed for another instrument.
    override = row.form.override_reason if may(me, Action.MANAGE_CALENDAR, centre=rules.centre_id) else ""
    return read_wish(db, me, msgspec.structs.replace(row.form, override_reason=override))


def _rules(db: Connection, instrument_id: str) -> InstrumentRules | None:
    try:
        return looking.rules_of(db, instrument_id) if instrument_id else None
    except NotFound:
        return None


def _refused(
    db: Connection, rows: Sequence[Row], wishes: Mapping[int, Wish], error: Refused, now: datetime
) -> list[Row]:
    """The rows, each with what is wrong with its wish, and the times nearest to it."""
    places = list(wishes)
    found: dict[int, tuple[Refusal, ...]] = {}
    for refusal in error.refusals:
        if isinstance(item := refusal.params.get("item", 0 if len(places) == 1 else None), int):
            found[places[item]] = (*found.get(places[item], ()), refusal)
    offers = {place: offers_near(db, wishes[place], now, _beside(place, wishes)) for place in found}
    numbers = {place: wishes[place].instrument_number for place, near in offers.items() if near}
    down = usage.down_since(db, set(numbers.values()))
    return [
        msgspec.structs.replace(
            row,
            refusals=found.get(row.place, ()),
            offers=offers.get(row.place, ()),
            down_since=down.get(numbers.get(row.place, 0)),
        )
        for row in rows
    ]


def _beside(place: int, wishes: Mapping[int, Wish]) -> list[Span]:
    """When the other rows are: what is offered to one would else be refused for another."""
    return [wish.span for other, wish in wishes.items() if other != place]


def _page(
    request: Request,
    db: Connection,
    me: Actor,
    now: datetime,
    rows: Sequence[Row],
    error: Refused | None = None,
    *,
    status: int = 200,
) -> Response[str]:
    usable, form = projects.usable(db, me, now), rows[0].form
    placed = [refusal for row in rows for refusal in row.refusals]
    whole = tuple(each for each in error.refusals if each not in placed) if error else ()
    count = sum(bool(row.refusals) for row in rows)
    said = (*whole, Refusal(code="together_refused", params={"count": count})) if count else whole
    if not form.project and len(usable) == 1:
        form = msgspec.structs.replace(form, project=str(usable[0].id))
    return render(
        request,
        "bookings/together.html",
        status=error.status if error else status,
        most_found=MOST_FOUND,
        most_rows=MOST_ROWS,
        rows=[(row, _offered(db, me, row, form.instrument, now)) for row in rows],
        form=form,
        projects=[(str(each.id), f"{each.code} · {each.title}") for each in usable],
        faults=_of_all(rows),
        refusals=said,
        heading=heading(error.status) if error else "",
        **choices(db, me),
    )


def _of_all(rows: Sequence[Row]) -> Faults:
    """What could not be read of the fields that all rows share; of some rows alone it stands there."""
    first, *others = [row.faults for row in rows if not row.is_empty] or [rows[0].faults]
    return {name: first[name] for name in SHARED if name in first and all(name in each for each in others)}


def _offered(db: Connection, me: Actor, row: Row, first: str, now: datetime) -> Offered:
    """What is offered to a row: what its search finds, or without one what stands where the first row's stands."""
    near = _rules(db, first)
    search = Search(text=row.q, centre_id=near.centre_id if near and not row.q else "", bookable_only=True)
    found = registry.instruments_after(db, search, after="", limit=MOST_FOUND + 1)
    groups: dict[str, list[tuple[str, str]]] = {}
    for each in found[:MOST_FOUND]:
        centre = each.centre_vi if language() == "vi" else each.centre_en
        groups.setdefault(centre, []).append((each.id, f"{each.id} · {named(each)}"))
    offered = Offered(found=len(found), groups=list(groups.items()))
    chosen = row.form.instrument
    if row.is_sought_anew and chosen not in {each.id for each in found}:
        chosen = found[0].id if len(found) == 1 else ""
    rules = _rules(db, chosen)
    if rules is None:
        return offered
    if rules.id not in {each.id for each in found[:MOST_FOUND]}:
        offered.groups.insert(0, ("", [(rules.id, f"{rules.id} · {named(rules)}")]))
    return msgspec.structs.replace(
        offered,
        instrument=rules.id,
        manages=may(me, Action.MANAGE_CALENDAR, centre=rules.centre_id),
        staff=staff_choices(db, me, rules, now),
        setups=[(each, each) for each in rules.setups],
        ways=ways_after(db, me, rules, row.form.trainer, row.refusals, read_span(row.form)[0], now),
    )


router = Router("/", route_handlers=[new, choose, book])
