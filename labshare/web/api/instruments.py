"""/api/v1/instruments: the registry's instruments, found as on the page and read page after page."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Response, get, put
from litestar.params import PathParameter, QueryParameter, RawBody
from msgspec import Meta

from labshare.domain.approvals import Approval
from labshare.domain.bookings import InstrumentRules
from labshare.domain.modes import MOST_SETUPS, Mode
from labshare.domain.opening import format_opening
from labshare.domain.registry import ProductRef
from labshare.domain.registry_search import Found, Search
from labshare.domain.registry_terms import BookableUnit, BookingMode, Hazard, OperatedBy, Qualification, Verification
from labshare.services import Connection, calendars, modes, usage
from labshare.services import registry as service
from labshare.services.registry import InstrumentPage
from labshare.web import given
from labshare.web.api import paging, reading
from labshare.web.api.answers import answer
from labshare.web.api.idempotency import Key, once
from labshare.web.api.qualified_people import DemandView, demand_view
from labshare.web.api.reading import CODE, TEXT, Code, Text, asked
from labshare.web.api.schema import accepts, problems
from labshare.web.rendering import Request


class InstrumentLine(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument in a list. `verification` says how far its row is borne out; illustrative rows are examples."""

    id: str
    name_vi: str
    name_en: str
    capability: str
    centre: str
    city_vi: str
    city_en: str
    manufacturer: str
    model: str
    booking_mode: BookingMode
    bookable_unit: BookableUnit
    operated_by: OperatedBy
    qualification: Qualification | None
    verification: Verification


class InstrumentList(msgspec.Struct, frozen=True, kw_only=True):
    """One page. `next` is the path of the next one, None on the last."""

    items: tuple[InstrumentLine, ...]
    next: str | None


class InstrumentView(InstrumentLine, frozen=True, kw_only=True):
    """An instrument with what booking it asks for, as posted rules make it. Lengths are minutes, all 0 for what is not
    booked by time.
    """

    capability_vi: str
    capability_en: str
    centre_vi: str
    centre_en: str
    host: str
    zone: str | None
    description_vi: str
    description_en: str
    pid: str
    hazards: tuple[Hazard, ...]
    products: tuple[str, ...]
    timezone: str
    opening: str
    attended: bool
    min_minutes: int
    max_minutes: int
    granularity_minutes: int
    setup_minutes: int
    cleanup_minutes: int
    capacity: int
    advance_days: int
    # Who may run it as a booking chooses, and the set-ups that one may ask for.
    modes: tuple[Mode, ...]
    setups: tuple[str, ...]
    # Whose bookings wait for the centre, and so many hours at most; what qualifications must keep to.
    approval: Approval
    approval_hours: int
    demand: DemandView
    source: str
    retired_at: datetime | None
    # Since when it is down, None while it runs.
    down_since: datetime | None


class Offer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What bookings of an instrument may choose: its modes, at least one, and set-ups that everybody may read."""

    modes: Annotated[tuple[Mode, ...], Meta(max_length=3)]
    setups: Annotated[tuple[Text, ...], Meta(max_length=MOST_SETUPS)] = ()


@get("/instruments", sync_to_thread=True, operation_id="findInstruments", summary="Find instruments",
     tags=["instruments"], responses=problems())  # fmt: skip
def find(
    request: Request,
    database: given.Database,
    me: given.Me,
    q: Annotated[str, asked("q", "Words, with or without accents, in any name.", TEXT)] = "",
    capability: Annotated[str, asked("capability", "Code of a capability, such as FESEM.")] = "",
    centre: Annotated[str, asked("centre", "Code of a centre.")] = "",
    zone: Annotated[str, asked("zone", "Code of a zone.")] = "",
    host: Annotated[str, asked("host", "Code of the organisation that hosts the centre.")] = "",
    city: Annotated[str, asked("city", "Vietnamese name of a city.")] = "",
    product: Annotated[str, asked("product", "Strategic product within its list, as in QD21-2026:P17.")] = "",
    bookable: Annotated[bool, QueryParameter(name="bookable", description="Only what is booked by time.")] = False,
    cursor: paging.Cursor = "",
    limit: paging.Limit = paging.USUAL_PAGE,
) -> Response[InstrumentList]:
    """The instruments that match, in the order of their ids, without the retired ones."""
    search = Search(
        text=q,
        capability_id=capability,
        centre_id=centre,
        zone_id=zone,
        host_id=host,
        city_vi=city,
        product=ProductRef.parse(product) if product else None,
        bookable_only=bookable,
    )
    place = paging.behind(cursor, tuple[Code])
    with database.read() as db:
        found = service.instruments_after(db, search, after=place[0] if place else "", limit=limit + 1)
    lines, following = paging.page(request, found, limit, lambda line: (line.id,))
    items = tuple(_line(each) for each in lines)
    return answer(request, InstrumentList(items=items, next=following), following=following)


@get("/instruments/{instrument_id:str}", sync_to_thread=True, operation_id="showInstrument", summary="One instrument",
     tags=["instruments"], responses=problems(404))  # fmt: skip
def show(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    instrument_id: Annotated[str, PathParameter(pattern=CODE)],
) -> Response[InstrumentView]:
    """One instrument. A retired one is still shown."""
    with database.read() as db:
        page, rules = service.instrument(db, instrument_id, now), calendars.rules_of(db, instrument_id)
        down = usage.down(db, page.instrument.number)
    return answer(request, _view(page, rules, down.starts_at if down else None))


@put("/instruments/{instrument_id:str}/modes", sync_to_thread=True, operation_id="offerModes",
     summary="Choose what bookings may choose", tags=["instruments"], responses=problems(403, 404, 422, 503),
     operation_class=accepts(Offer))  # fmt: skip
def offer(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    instrument_id: Annotated[str, PathParameter(pattern=CODE)],
    body: RawBody,
    key: Key = None,
) -> Response[Offer]:
    """Offer these modes and set-ups of an instrument from now on, as a manager of its centre. What stands, stands."""
    wanted = reading.decode(body, Offer)

    def work(db: Connection) -> Response[Offer]:
        modes.choose(db, me, instrument_id, wanted.modes, "\n".join(wanted.setups), now)
        chosen = modes.offered(db, me, instrument_id)
        return answer(request, Offer(modes=chosen.modes, setups=chosen.setups))

    return once(request, database, me, now, work, key=key, body=body)


HANDLERS = [find, show, offer]


def _line(found: Found) -> InstrumentLine:
    return InstrumentLine(
        id=found.id,
        name_vi=found.name_vi,
        name_en=found.name_en,
        capability=found.capability_id,
        centre=found.centre_id,
        city_vi=found.city_vi,
        city_en=found.city_en,
        manufacturer=found.manufacturer,
        model=found.model,
        booking_mode=found.booking_mode,
        bookable_unit=found.bookable_unit,
        operated_by=found.operated_by,
        qualification=found.qualification,
        verification=found.verification,
    )


# What a view takes from the instrument under the same name.
_SAME = (
    *("id", "name_vi", "name_en", "manufacturer", "model", "booking_mode", "bookable_unit", "operated_by"),
    *("qualification", "verification", "description_vi", "description_en", "pid", "hazards", "attended"),
    *("min_minutes", "max_minutes", "granularity_minutes", "setup_minutes", "cleanup_minutes", "advance_days"),
    *("capacity", "source", "retired_at"),
)


def _view(page: InstrumentPage, rules: InstrumentRules, down_since: datetime | None) -> InstrumentView:
    row, centre, capability = page.instrument, page.centre, page.capability
    same = {name: getattr(row, name) for name in _SAME}
    return InstrumentView(
        **same,
        capability=capability.id,
        capability_vi=capability.name_vi,
        capability_en=capability.name_en,
        centre=centre.id,
        centre_vi=centre.name_vi,
        centre_en=centre.name_en,
        city_vi=centre.city_vi,
        city_en=centre.city_en,
        host=page.host.id,
        zone=page.zone.id if page.zone else None,
        products=tuple(str(product) for product in row.products),
        timezone=centre.timezone,
        opening=format_opening(row.opening),
        modes=rules.modes,
        setups=rules.setups,
        approval=Approval(rules.approval),
        approval_hours=rules.approval_hours,
        demand=demand_view(rules.demand),
        down_since=down_since,
    )
