"""The pages of the registry: finding instruments, one instrument, the centres, the strategic technologies.

The week on an instrument's page is the bookings' (calendars.py); this file only asks for it.
"""

from __future__ import annotations

from datetime import datetime
from itertools import groupby
from urllib.parse import urlencode

import msgspec
from litestar import Response, Router, get
from litestar.params import FromPath, FromQuery

from labshare import formats, i18n
from labshare.domain.booking_rules import Site
from labshare.domain.opening import format_opening
from labshare.domain.people import Actor
from labshare.domain.registry import ProductRef
from labshare.domain.registry_search import Search
from labshare.domain.standing_rules import said_of_row
from labshare.services import Connection, booking_rules, qualifications, registry, usage, waitlist
from labshare.services import calendars as looking
from labshare.services.registry import FoundPage
from labshare.web import calendars, given
from labshare.web.booking_rules import asked_at
from labshare.web.qualifications import item_of
from labshare.web.rendering import Request, render
from labshare.web.weeks import Week

ADDRESS = "/instruments"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The search as its address spells it. Unknown parameters ask for nothing."""

    q: str = ""
    product: str = ""
    capability: str = ""
    city: str = ""
    zone: str = ""
    centre: str = ""
    host: str = ""
    bookable: str = ""
    page: str = ""

    @property
    def search(self) -> Search:
        """Raises `Malformed` for a product that is not `LIST:CODE`."""
        return Search(
            text=self.q,
            product=ProductRef.parse(self.product) if self.product else None,
            capability_id=self.capability,
            city_vi=self.city,
            zone_id=self.zone,
            centre_id=self.centre,
            host_id=self.host,
            bookable_only=bool(self.bookable),
        )

    @property
    def narrowed(self) -> int:
        """How many choices are made below the first line of the form, where a reader may not see them."""
        return sum(map(bool, (self.product, self.city, self.zone, self.centre, self.host, self.bookable)))

    @property
    def page_number(self) -> int:
        """A list shows its first page rather than refuse to be looked at."""
        return int(self.page) if self.page.isascii() and self.page.isdigit() and len(self.page) < 7 else 1

    def at(self, page: int) -> str:
        """The address of another page of the same search."""
        given = {name: value for name, value in msgspec.structs.asdict(self).items() if value}
        return f"{ADDRESS}?{urlencode(given | {'page': page})}"


def asked_of(request: Request) -> Asked:
    """What the address asks for. Control characters, which no name has and one database refuses, are left out."""
    given = {name: "".join(filter(str.isprintable, value)).strip() for name, value in request.query_params.items()}
    return msgspec.convert(given, Asked)


# ---------------------------------------------------------------- instruments


@get("/instruments", sync_to_thread=True)
def find(request: Request, database: given.Database, now: given.Now) -> Response[str]:
    asked = asked_of(request)
    with database.read() as db:
        found = registry.find_instruments(
            db, asked.search, now, page=asked.page_number, by_english=i18n.language() == "en"
        )
    return render(
        request,
        "registry/instruments.html",
        fragment="registry/_found.html",
        asked=asked,
        found=found,
        lists=_lists(found),
        earlier=asked.at(found.page - 1) if found.page > 1 else "",
        later=asked.at(found.page + 1) if found.page < found.pages else "",
    )


@get("/instruments/{instrument_id:str}", sync_to_thread=True)
def instrument(
    request: Request,
    database: given.Database,
    actor: given.Reader,
    now: given.Now,
    instrument_id: FromPath[str],
    date: FromQuery[str] = "",
) -> Response[str]:
    """One instrument; `date` chooses the week that its calendar shows."""
    with database.read() as db:
        page = registry.instrument(db, instrument_id, now)
        week = _week(db, actor, instrument_id, date, now) if page.is_bookable else None
        held = qualifications.at(db, actor, page.instrument.number, now) if actor else None
        rules = looking.rules_of(db, instrument_id) if page.is_bookable else None
        down = usage.down(db, page.instrument.number)
        waiting = waitlist.how_many(db, actor, page.centre.id, page.instrument.number, now)
        posted = booking_rules.at_site(db, Site(instrument_id, page.centre.id, page.capability.id))
    return render(
        request,
        "registry/instrument.html",
        page=page,
        week=week,
        standing=item_of(held) if held else None,
        rules=rules,
        down=down,
        waiting=waiting,
        **asked_at(posted, page.instrument.advance_days, now),
        by_rule=frozenset(said_of_row(posted)),
        opening=formats.opening(format_opening(page.instrument.opening)),
        now=now,
    )


def _week(db: Connection, actor: Actor | None, instrument_id: str, date: str, now: datetime) -> Week:
    rules = looking.rules_of(db, instrument_id)
    day = calendars.day_in(date, calendars.day_ahead(rules, now))
    return calendars.week_of(db, actor, rules, day, now)


# ---------------------------------------------------------------- centres and technologies


@get("/centres", sync_to_thread=True)
def centres(request: Request, database: given.Database) -> Response[str]:
    with database.read() as db:
        lines = registry.centres(db, by_english=i18n.language() == "en")
    cities = [list(group) for _, group in groupby(lines, key=lambda line: line.centre.city_vi)]
    return render(request, "registry/centres.html", cities=cities)


@get("/centres/{centre_id:str}", sync_to_thread=True)
def centre(request: Request, database: given.Database, now: given.Now, centre_id: FromPath[str]) -> Response[str]:
    with database.read() as db:
        page = registry.centre(db, centre_id, now, by_english=i18n.language() == "en")
    return render(request, "registry/centre.html", page=page, opened=_opened(page.centre.opened))


@get("/technologies", sync_to_thread=True)
def technologies(request: Request, database: given.Database, now: given.Now) -> Response[str]:
    with database.read() as db:
        page = registry.technologies(db, now)
    return render(request, "registry/technologies.html", page=page, now=now)


# ---------------------------------------------------------------- words


def _lists(found: FoundPage) -> list[tuple[str, list[tuple[str, str]]]]:
    """The products to choose from, by list, the one in force first: (list, [(value, words)])."""
    is_vi = i18n.language() == "vi"
    ordered = sorted(found.taxonomies, key=lambda taxonomy: (taxonomy != found.in_force, taxonomy.id))
    return [
        (
            taxonomy.name_vi if is_vi else taxonomy.name_en,
            [
                (str(product.ref), f"{product.code} {product.name_vi if is_vi else product.name_en}")
                for product in found.products
                if product.taxonomy_id == taxonomy.id
            ],
        )
        for taxonomy in ordered
    ]


def _opened(text: str) -> str:
    """2025-10-22 as a date, 2025-10 as 10/2025, a year as it is: a source may say no more."""
    if len(text) == len("2025-10-22"):
        return formats.date(datetime.fromisoformat(text).date())
    return "/".join(reversed(text.split("-")))


router = Router("/", route_handlers=[find, instrument, centres, centre, technologies])
