"""Several instruments in one go, for one experiment: a page of rows, each an instrument with its times, all or none.

What must not live here: one booking (bookings.py), or dates of a rule (series.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from litestar import Response, Router, get, post

from labshare.domain.bookings import Wish
from labshare.domain.people import Action, Actor, require
from labshare.domain.registry_search import Search
from labshare.errors import Malformed, NotFound, Refusal, Refused
from labshare.i18n import language
from labshare.services import Connection, bookings, projects, registry
from labshare.services import calendars as looking
from labshare.web import given
from labshare.web.booking_forms import Faults, TimesForm, read_project, read_span
from labshare.web.booking_wishes import read_staff, staff_choices
from labshare.web.clearances import write_or_hold_back
from labshare.web.errors import heading
from labshare.web.rendering import Form, Request, redirect, render
from labshare.web.templating import named

PAGE = "/bookings/together"
ROWS, MOST_CHOICES = 4, 300
# Those of a row, whose place stands behind their names.
FIELDS = ("instrument", "date", "from", "until", "staff")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument with its times as they were typed, what could not be read of them, and why it was refused."""

    place: int
    instrument: str = ""
    times: TimesForm = TimesForm()
    # A mode, or one with who of the staff is named: one of `staff_choices`.
    staff: str = ""
    faults: Faults = {}
    refusals: tuple[Refusal, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.instrument or self.times.from_.strip() or self.times.until.strip())


@get(PAGE, sync_to_thread=True)
def new(request: Request, database: given.Database, me: given.Me, now: given.Now) -> Response[str]:
    """The rows, the first one with what the address says."""
    require(me, Action.BOOK)
    typed = dict(request.query_params)
    first = {f"{name}_0": typed.get(name, "") for name in FIELDS}
    with database.read() as db:
        return _page(request, db, me, now, {**first, "project": typed.get("project", "")}, _rows(first))


@get(f"{PAGE}/staff", sync_to_thread=True)
def staff(request: Request, database: given.Database, me: given.Me, now: given.Now) -> Response[str]:
    """Who may run the instrument that was chosen in a row, over htmx; the row is the one whose fields are sent."""
    require(me, Action.BOOK)
    rows = _rows(dict(request.query_params))
    row = next((each for each in rows if each.instrument), rows[0])
    with database.read() as db:
        return render(request, "bookings/_together_staff.html", row=row, choices=_staff(db, me, row, now))


@post(PAGE, sync_to_thread=True)
def book(
    request: Request, database: given.Database, me: given.Me, now: given.Now, data: Form[dict[str, str]]
) -> Response[str]:
    require(me, Action.BOOK)
    rows, faults = _rows(data), Faults()
    project_id = read_project(data.get("project", ""), faults)
    with database.read() as db:
        read = [(row, *_read(db, me, row, project_id, data.get("purpose", ""))) for row in rows if not row.is_empty]
        wishes = [wish for _, wish, _ in read if wish is not None]
        if faults or not read or len(wishes) < len(read):
            wrong = {row.place: found for row, _, found in read} if read else {0: _NOTHING}
            told = [msgspec.structs.replace(row, faults=wrong.get(row.place, {})) for row in rows]
            return _page(request, db, me, now, data, told, faults=faults, status=Malformed.status)
    try:
        with write_or_hold_back(database, me, now) as db:
            bookings.book_all(db, me, wishes, now)
    except Refused as error:
        with database.read() as db:
            return _page(request, db, me, now, data, _refused(rows, [row.place for row, _, _ in read], error), error)
    return redirect(request, "/bookings", notice="booked_together")


# ---------------------------------------------------------------- parts

_NOTHING: Faults = {"instrument": Refusal(code="together_empty")}


def _rows(data: dict[str, str]) -> list[Row]:
    """The rows as they were typed; a day that is left out is that of the row before."""
    rows: list[Row] = []
    for place in range(ROWS):
        typed = {name: data.get(f"{name}_{place}", "") for name in FIELDS}
        day = typed["date"].strip() or (rows[-1].times.date if rows else "")
        times = TimesForm(date=day, from_=typed["from"], until=typed["until"])
        rows.append(Row(place=place, instrument=typed["instrument"].strip(), times=times, staff=typed["staff"]))
    return rows


def _read(db: Connection, me: Actor, row: Row, project_id: UUID | None, purpose: str) -> tuple[Wish | None, Faults]:
    """The wish of a row, or every fault of it."""
    span, faults = read_span(row.times)
    mode, operator_id = read_staff(row.staff, faults)
    try:
        number = looking.rules_of(db, row.instrument).number
    except NotFound:
        return None, {**faults, **_NOTHING}
    if span is None or faults:
        return None, faults
    wish = Wish(
        instrument_number=number,
        span=span,
        person_id=me.person_id,
        project_id=project_id,
        purpose=purpose,
        mode=mode,
        operator_id=operator_id,
    )
    return wish, {}


def _refused(rows: Sequence[Row], places: Sequence[int], error: Refused) -> list[Row]:
    """The rows, each with what is wrong with it; `places` says in which row each wish stood."""
    found: dict[int, tuple[Refusal, ...]] = {}
    for refusal in error.refusals:
        if isinstance(item := refusal.params.get("item"), int):
            found[places[item]] = (*found.get(places[item], ()), refusal)
    return [msgspec.structs.replace(row, refusals=found.get(row.place, ())) for row in rows]


def _page(
    request: Request,
    db: Connection,
    me: Actor,
    now: datetime,
    typed: dict[str, str],
    rows: Sequence[Row],
    error: Refused | None = None,
    *,
    faults: Faults | None = None,
    status: int = 200,
) -> Response[str]:
    usable = projects.usable(db, me, now)
    count = sum(bool(row.refusals) for row in rows)
    whole = tuple(each for each in error.refusals if "item" not in each.params) if error else ()
    said = (*whole, Refusal(code="together_refused", params={"count": count})) if count else whole
    return render(
        request,
        "bookings/together.html",
        status=error.status if error else status,
        rows=rows,
        instruments=_choices(db, rows[0].instrument),
        staff=[_staff(db, me, row, now) for row in rows],
        projects=[(str(each.id), f"{each.code} · {each.title}") for each in usable],
        project=typed.get("project") or (str(usable[0].id) if len(usable) == 1 else ""),
        purpose=typed.get("purpose", ""),
        faults=faults or {},
        refusals=said,
        heading=heading(error.status) if error else "",
    )


def _staff(db: Connection, me: Actor, row: Row, now: datetime) -> list[tuple[str, str]]:
    """Who may run the instrument of a row; nothing while it names none."""
    try:
        return staff_choices(db, me, looking.rules_of(db, row.instrument), now)
    except NotFound:
        return []


def _choices(db: Connection, first: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """What may be chosen, by centre: that of the first row before the others."""
    found = registry.instruments_after(db, Search(bookable_only=True), after="", limit=MOST_CHOICES)
    own = next((each.centre_id for each in found if each.id == first), "")
    groups: dict[str, list[tuple[str, str]]] = {}
    for each in sorted(found, key=lambda each: each.centre_id != own):
        centre = each.centre_vi if language() == "vi" else each.centre_en
        groups.setdefault(centre, []).append((each.id, f"{each.id} · {named(each)}"))
    return list(groups.items())


router = Router("/", route_handlers=[new, staff, book])
