"""The people of one instrument, for the managers of its centre: who is qualified and until when, granting and revoking,
who operates it for others, what it demands, and safety courses.

What must not live here: what people ask for (qualifications.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from urllib.parse import urlencode

import msgspec
from litestar import Response, Router, get, post
from litestar.params import FromPath, FromQuery

from labshare.domain.people import Actor
from labshare.domain.qualifications import Demand, Level
from labshare.domain.text import fold
from labshare.errors import LabShareError, Malformed, WrongState
from labshare.services import Connection, Database, operators, qualifications
from labshare.web import given
from labshare.web.errors import heading
from labshare.web.qualifications import Item, item_of, level_choices, read_level, read_until, usual_until
from labshare.web.rendering import Form, Request, redirect, render
from labshare.web.typed import typed_date

PEOPLE_ON_A_PAGE = 20


class PersonForm(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody by login, with what is granted, written down or said of them."""

    login: str = ""
    level: str = str(Level.USER.value)
    until: str = ""
    completed_on: str = ""
    note: str = ""
    operates: str = ""


class DemandForm(msgspec.Struct, frozen=True, kw_only=True):
    lapse_months: str = ""
    first_use_days: str = ""
    course_months: str = ""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The people of an instrument whom a search names: one page of those who may use it, and all whose right is over.

    `total` counts everybody there is without a search, `matching` those who may use it with it.
    """

    q: str
    total: int
    matching: int
    shown: list[Item]
    over: list[Item]
    page: int
    pages: int

    def at(self, page: int) -> str:
        """The address of another page of the same search, '' where there is none."""
        return f"?{urlencode({'q': self.q, 'page': page})}" if 1 <= page <= self.pages else ""


@get("/instruments/{instrument_id:str}/people", sync_to_thread=True)
def people(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    instrument_id: FromPath[str],
    q: FromQuery[str] = "",
    page: FromQuery[str] = "",
) -> Response[str]:
    """`q` is part of a name or a login; a list shows its first page rather than refuse to be looked at."""
    number = int(page) if page.isascii() and page.isdigit() and len(page) < 7 else 1
    return _page(request, database, me, now, instrument_id, q=q, page=number)


@post("/instruments/{instrument_id:str}/people", sync_to_thread=True)
def give(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    instrument_id: FromPath[str],
    data: Form[PersonForm],
) -> Response[str]:
    def work(db: Connection) -> None:
        level, until = read_level(data.level), read_until(data.until)
        qualifications.give(db, me, instrument_id, data.login, level=level, until=until, now=now)

    return _done(request, database, me, now, instrument_id, work, "qualification_granted", data)


@post("/instruments/{instrument_id:str}/people/revoke", sync_to_thread=True)
def revoke(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    instrument_id: FromPath[str],
    data: Form[PersonForm],
) -> Response[str]:
    def work(db: Connection) -> None:
        qualifications.revoke(db, me, instrument_id, data.login, note=data.note, now=now)

    return _done(request, database, me, now, instrument_id, work, "qualification_revoked")


@post("/instruments/{instrument_id:str}/people/operator", sync_to_thread=True)
def operator(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    instrument_id: FromPath[str],
    data: Form[PersonForm],
) -> Response[str]:
    operates = bool(data.operates)

    def work(db: Connection) -> None:
        operators.name(db, me, instrument_id, data.login, operates=operates, now=now)

    notice = "operator_named" if operates else "operator_relieved"
    return _done(request, database, me, now, instrument_id, work, notice)


@post("/instruments/{instrument_id:str}/people/course", sync_to_thread=True)
def course(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    instrument_id: FromPath[str],
    data: Form[PersonForm],
) -> Response[str]:
    def work(db: Connection) -> None:
        completed_on = typed_date(data.completed_on, "completed_on")
        qualifications.record_course(db, me, instrument_id, data.login, completed_on, now)

    return _done(request, database, me, now, instrument_id, work, "safety_course_recorded", data)


@post("/instruments/{instrument_id:str}/people/demand", sync_to_thread=True)
def demand(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    instrument_id: FromPath[str],
    data: Form[DemandForm],
) -> Response[str]:
    def work(db: Connection) -> None:
        values = {name: _number(getattr(data, name), name) for name in Demand.__struct_fields__}
        qualifications.choose(db, me, instrument_id, Demand(**values), now)

    return _done(request, database, me, now, instrument_id, work, "qualification_demand_chosen")


def _number(text: str, field: str) -> int:
    """A whole number; nothing typed asks for nothing. Raises `Malformed`."""
    text = text.strip() or "0"
    if not (text.isascii() and text.isdecimal() and len(text) < 6):
        raise Malformed("malformed_number", field=field)
    return int(text)


def _done(
    request: Request,
    database: Database,
    me: Actor,
    now: datetime,
    instrument_id: str,
    work: Callable[[Connection], None],
    notice: str,
    form: PersonForm | None = None,
) -> Response[str]:
    try:
        with database.write() as db:
            work(db)
    except (Malformed, WrongState) as error:
        return _page(request, database, me, now, instrument_id, error, form)
    return redirect(request, f"/instruments/{instrument_id}/people", notice=notice)


def _page(
    request: Request,
    database: Database,
    me: Actor,
    now: datetime,
    instrument_id: str,
    error: LabShareError | None = None,
    form: PersonForm | None = None,
    *,
    q: str = "",
    page: int = 1,
) -> Response[str]:
    with database.read() as db:
        rules, standings = qualifications.people_of(db, me, instrument_id, now)
    by_name = sorted(standings, key=lambda each: (-each.line.held.level, each.line.person))
    return render(
        request,
        "qualifications/people.html",
        status=error.status if error else 200,
        rules=rules,
        people=found_among([item_of(each) for each in by_name], q, page),
        levels=level_choices(list(Level)),
        form=form or PersonForm(until=usual_until(now).isoformat()),
        refusals=error.refusals if error else (),
        heading=heading(error.status) if error else "",
    )


def found_among(people: Sequence[Item], q: str, page: int) -> Found:
    """Those whose name or login has every word of `q` in it, with or without accents; in the order they came in."""
    words = fold(q).split()
    matching = [each for each in people if all(word in fold(f"{each.line.person} {each.line.login}") for word in words)]
    usable = [each for each in matching if not each.standing.is_over]
    pages = max(1, -(-len(usable) // PEOPLE_ON_A_PAGE))
    page = min(max(page, 1), pages)
    return Found(
        q=q,
        total=len(people),
        matching=len(usable),
        shown=usable[(page - 1) * PEOPLE_ON_A_PAGE : page * PEOPLE_ON_A_PAGE],
        over=[each for each in matching if each.standing.is_over],
        page=page,
        pages=pages,
    )


router = Router("/", route_handlers=[people, give, revoke, operator, course, demand])
