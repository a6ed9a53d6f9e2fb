"""The page /find: free time by date on many instruments. Its address is the whole search, so that it can be kept.

What must not live here: where time is free (services/free_times.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import TypeVar
from urllib.parse import urlencode

import msgspec
from litestar import Response, Router, get

from labshare import formats, i18n
from labshare.domain.bookings import InstrumentRules, Wish
from labshare.domain.opening import DAY_MINUTES, DAYS
from labshare.domain.people import Action, require
from labshare.domain.projects import Project
from labshare.domain.registry_search import Search
from labshare.domain.timespan import MINUTE, Span
from labshare.errors import Malformed, Refusal
from labshare.i18n import gettext
from labshare.services import Connection, calendars, free_times, projects, registry
from labshare.services.free_times import FreeTimes, Place, Row, Sought
from labshare.services.waitlist import PAGE
from labshare.web import given
from labshare.web.booking_forms import Faults, booking_address, slot_value
from labshare.web.rendering import Request, render
from labshare.web.typed import typed_clock, typed_date, typed_length

T = TypeVar("T")
ADDRESS = "/find"
USUAL_LENGTH, USUAL_DAYS, MOST_DAYS = "2h", 14, 62
NOON = 12 * 60
# The parts of a day, as (since, until) in minutes after midnight.
PARTS: dict[str, tuple[int, int | None]] = {"": (0, None), "morning": (0, NOON), "afternoon": (NOON, DAY_MINUTES)}


class Offer(msgspec.Struct, frozen=True):
    """A slot that would be accepted, as a button: its value and its words."""

    value: str
    words: str


def offers_near(db: Connection, wish: Wish, now: datetime, beside: Sequence[Span] = ()) -> tuple[Offer, ...]:
    """The times nearest to a wish that would be accepted, the earliest first; none overlaps what goes `beside` it."""
    spans = sorted(free_times.suggest(db, wish, now, beside=beside))
    same_setup = free_times.beside_setup(db, wish, spans)
    same = gettext(", beside the same set-up")
    return tuple(
        Offer(slot_value(span), formats.span(span.start, span.end) + (same if span in same_setup else ""))
        for span in spans
    )


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The search as its address spells it. Unknown parameters ask for nothing."""

    capability: str = ""
    instrument: str = ""
    centre: str = ""
    zone: str = ""
    city: str = ""
    length: str = ""
    from_: str = msgspec.field(default="", name="from")
    to: str = ""
    days: tuple[str, ...] = msgspec.field(default=(), name="day")
    part: str = ""
    earliest: str = ""
    latest: str = ""
    everyone: str = ""
    project: str = ""

    @property
    def narrowed(self) -> bool:
        """Whether a choice is made below the first lines of the form, where a reader may not see it."""
        return any((self.zone, self.centre, self.earliest, self.latest, self.everyone))


class Slot(msgspec.Struct, frozen=True):
    """A free time as a link: its words, and the address of the form that it fills."""

    words: str
    href: str


class Line(msgspec.Struct, frozen=True):
    """One instrument on one day."""

    place: Place
    slots: tuple[Slot, ...]
    lacking: tuple[Refusal, ...]
    price: int | None
    down_since: datetime | None


@get(ADDRESS, sync_to_thread=True)
def find(request: Request, database: given.Database, me: given.Me, now: given.Now) -> Response[str]:
    require(me, Action.BOOK)
    asked, today = asked_of(request), formats.local(now).date()
    with database.read() as db:
        choices = projects.usable(db, me, now)
        project = chosen(choices, asked.project)
        sought, faults = read(db, asked, today) if asked.length else (None, {})
        found = free_times.find(db, me, sought, now, project) if sought else None
        facets = registry.bookable_facets(db, by_english=i18n.language() == "en")
    return render(
        request,
        "free_times/page.html",
        status=Malformed.status if faults else 200,
        asked=asked if asked.length else _usual(asked, today),
        faults=faults,
        found={"facets": facets},
        weekdays=[(name, formats.weekday(date(2024, 1, 1) + timedelta(days=place))) for place, name in enumerate(DAYS)],
        projects=[(each.code, f"{each.code} · {each.title}") for each in choices],
        project=project.code if project else "",
        times=found,
        days=_days(found, project),
        wait_address=wait_address(asked),
    )


def asked_of(request: Request) -> Asked:
    """What the address asks for. Control characters, which no code has and one database refuses, are left out."""
    query = request.query_params
    given = {name: "".join(filter(str.isprintable, value)).strip() for name, value in query.items() if name != "day"}
    return msgspec.convert({**given, "day": query.getall("day", [])}, Asked)


def read(db: Connection, asked: Asked, today: date) -> tuple[Sought | None, Faults]:
    """What is sought, or every fault of the fields. Raises `NotFound` for an instrument that is not there."""
    faults: Faults = {}
    minutes = _read(faults, typed_length, asked.length or USUAL_LENGTH, "length") or 0
    dates = _dates(faults, asked, today)
    since, until = PARTS.get(asked.part, PARTS[""])
    for field, is_known in (("part", asked.part in PARTS), ("day", set(DAYS).issuperset(asked.days))):
        if not is_known:
            faults[field] = Refusal(code="malformed_field", params={"field": field})
    earliest = _read(faults, typed_clock, asked.earliest, "earliest") if asked.earliest else None
    latest = _read(faults, typed_clock, asked.latest, "latest") if asked.latest else None
    if earliest is not None:
        since = max(since, earliest)
    if latest is not None:
        until = latest if until is None else min(until, latest)
    if earliest is not None and latest is not None and latest <= earliest:
        faults["latest"] = Refusal(code="reversed_hours")
    if faults:
        return None, faults
    search = Search(capability_id=asked.capability, centre_id=asked.centre, zone_id=asked.zone, city_vi=asked.city)
    return Sought(
        minutes=minutes,
        dates=dates,
        search=search,
        number=calendars.rules_of(db, asked.instrument).number if asked.instrument else None,
        since=since,
        until=until,
        everyone=bool(asked.everyone),
    ), {}


def _dates(faults: Faults, asked: Asked, today: date) -> tuple[date, ...]:
    """The days from the first to the last, of those the weekdays that were chosen, or all."""
    first = _read(faults, typed_date, asked.from_, "from") if asked.from_ else today
    last = _read(faults, typed_date, asked.to, "to") if asked.to else None
    if first is None or faults.get("to"):
        return ()
    last = last or first + timedelta(days=USUAL_DAYS - 1)
    count = (last - first).days + 1
    if count < 1:
        faults["to"] = Refusal(code="reversed_days")
    elif count > MOST_DAYS:
        faults["to"] = Refusal(code="free_times_too_long", params={"days": MOST_DAYS})
    if faults:
        return ()
    days = (first + timedelta(days=each) for each in range(count))
    return tuple(day for day in days if not asked.days or DAYS[day.weekday()] in asked.days)


def _read(faults: Faults, reader: Callable[[str, str], T], text: str, field: str) -> T | None:
    try:
        return reader(text, field)
    except Malformed as fault:
        faults[field] = fault.refusals[0]
        return None


def chosen(choices: list[Project], code: str) -> Project | None:
    """The project that was named, or the only one that there is."""
    return next((each for each in choices if each.code == code), choices[0] if len(choices) == 1 else None)


def address_like(rules: InstrumentRules, capability_id: str, wanted: Span) -> str:
    """The search for as long a use, on the same day or in the week after it, on whatever instrument can do the same."""
    day = formats.local(wanted.start).date()
    until = day + timedelta(days=6)
    asked = {
        "capability": capability_id,
        "length": f"{max(wanted.minutes, rules.min_minutes)}m",
        "from": day,
        "to": until,
    }
    return f"{ADDRESS}?{urlencode(asked)}"


def wait_address(asked: Asked) -> str:
    """The form to wait for what was not found; nothing where neither an instrument nor a capability was asked for."""
    place = {"instrument": asked.instrument} if asked.instrument else {"capability": asked.capability}
    more = {"from": asked.from_, "to": asked.to, "part": asked.part, "length": asked.length}
    given = {name: value for name, value in (place | more).items() if value}
    return f"{PAGE}/new?{urlencode(given)}" if given.keys() & place.keys() else ""


# ---------------------------------------------------------------- words


def _usual(asked: Asked, today: date) -> Asked:
    """The form as it opens: two hours within the next two weeks."""
    return msgspec.structs.replace(
        asked,
        length=USUAL_LENGTH,
        from_=asked.from_ or today.isoformat(),
        to=asked.to or (today + timedelta(days=USUAL_DAYS - 1)).isoformat(),
    )


def _days(found: FreeTimes | None, project: Project | None) -> list[tuple[date, list[Line]]]:
    return [(day.date, [_line(row, project) for row in day.rows]) for day in found.days] if found else []


def _line(row: Row, project: Project | None) -> Line:
    more = {"project": str(project.id)} if project else {}
    return Line(
        place=row.place,
        slots=tuple(Slot(_words(span), booking_address(row.place.id, span, **more)) for span in row.spans),
        lacking=row.lacking,
        price=row.estimate.price.total if row.estimate else None,
        down_since=row.down_since,
    )


def _words(span: Span) -> str:
    last = formats.local(span.end - MINUTE)
    if last.date() != formats.local(span.start).date():
        return formats.span(span.start, span.end)
    closing = "24:00" if formats.clock(span.end) == "00:00" else formats.clock(span.end)
    return f"{formats.clock(span.start)}–{closing}"


router = Router("/", route_handlers=[find])
