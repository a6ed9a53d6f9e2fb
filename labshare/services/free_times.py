"""Where time is free for a person: over many instruments by date, next on one, and nearest to a wish that was refused.

One way for all three: whatever is offered would be accepted by `bookings.book` for this person at this moment, and
nothing earlier is left out but closed hours that a rule opens to a few. Three things may still refuse it, because they
ask for more than a time: the hard shares of agreements, which are weighed with everything else that is booked; what a
centre lets somebody have ahead of them, but near a wish; and a project that may not be spent. They are told when the
time is booked.
Nothing here writes or locks. What must not live here: where a use fits (domain/availability.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import msgspec

from labshare.domain.availability import Leeway, firsts, nearest, starts_of_day
from labshare.domain.bookings import Booking, BookingState, InstrumentRules, Wish, check, setup_posted
from labshare.domain.bookings import Context as RuleContext
from labshare.domain.modes import mode_offered
from labshare.domain.opening import DAY_MINUTES
from labshare.domain.operators import operated
from labshare.domain.people import Action, Actor, require
from labshare.domain.projects import Project
from labshare.domain.qualifications import qualified, trained
from labshare.domain.registry_search import Search
from labshare.domain.timespan import Span, next_minute
from labshare.errors import Refusal
from labshare.services import calendars, prices, usage
from labshare.services.house_rules import limits_of
from labshare.services.leeways import Looking, Who
from labshare.services.prices import Estimate
from labshare.services.soonest import Ahead, soonest
from labshare.store import bookings as bookings_store
from labshare.store import free_times as store
from labshare.store import projects as projects_store
from labshare.store import rounds as rounds_store
from labshare.store.engine import Connection
from labshare.store.free_times import Asked, Candidate

# How far a suggestion looks to both sides of a wish.
AROUND = timedelta(days=14)
MOST_INSTRUMENTS, MOST_A_DAY = 20, 3
# So many instruments are looked at all at once; of more the first BATCH, then twice as many each time.
MANY, BATCH = 400, 100

# What stands against a wish at any time; what trainer and operator hold, and where they are, is looked at by time.
_NEVER = frozenset(
    {"mode_not_offered", "setup_not_posted", "trainer_is_user", "operator_is_user", "operator_not_wanted"}
)

# What `find` hands out; pages name this type, and never the store.
Place = store.Place


class Sought(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody looks for: so many minutes on one of these local dates, between two minutes of the day.

    Without `until` a use may go on beyond midnight. With `everyone`, instruments that the person is not qualified for
    are found too.
    """

    minutes: int
    dates: tuple[date, ...]
    search: Search = Search()
    number: int | None = None
    since: int = 0
    until: int | None = None
    everyone: bool = False


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """The first free uses of one instrument on one day, one for each gap, and what its person lacks for them.

    One that is down is found all the same: it may run again by then.
    """

    place: Place
    spans: tuple[Span, ...]
    lacking: tuple[Refusal, ...] = ()
    estimate: Estimate | None = None
    down_since: datetime | None = None


class Day(msgspec.Struct, frozen=True):
    date: date
    rows: tuple[Row, ...]


class FreeTimes(msgspec.Struct, frozen=True, kw_only=True):
    """What was found by day, of the instruments that are free first; `others` may be free later."""

    days: tuple[Day, ...]
    instruments: int
    others: int


def find(db: Connection, actor: Actor, sought: Sought, now: datetime, project: Project | None = None) -> FreeTimes:
    """The first free times of up to MOST_INSTRUMENTS instruments on each of the days. Eight queries at most for
    up to MANY instruments; of more those that are open first are looked at first, for as long as it takes.

    A length that an instrument does not know is offered as the next longer one. Raises `Forbidden`.
    """
    require(actor, Action.BOOK)
    who = Who(person_id=actor.person_id, needs_nothing=sought.everyone, project=project)
    windows = _Windows(sought)
    found, unseen = _found(db, sought, who, windows, now)
    shown = found[:MOST_INSTRUMENTS]
    down = usage.down_since(db, [each.candidate.rules.number for each in shown])
    by_day = ((day, tuple(_rows(windows, day, shown, project, down))) for day in sorted(set(sought.dates)))
    days = [Day(day, rows) for day, rows in by_day if rows]
    return FreeTimes(days=tuple(days), instruments=len(shown), others=len(found) - len(shown) + unseen)


def next_free(db: Connection, person_id: UUID, number: int, minutes: int, now: datetime) -> Span | None:
    """The first use of so many minutes, or the next length there is, that this person could book on one instrument."""
    first = next_minute(now)

    def all_ahead(rules: InstrumentRules, _: int) -> list[Span]:
        return [Span(first, first + timedelta(days=rules.advance_days + 1))]

    looking = Looking(db, Asked(among=(number,)), Who(person_id=person_id), all_ahead, now)
    found = (next(firsts(each.rules, looking.leeways(each, minutes)), None) for each in looking.candidates)
    return next(found, None)


def suggest(db: Connection, wish: Wish, now: datetime, *, count: int = 3, beside: Sequence[Span] = ()) -> list[Span]:
    """Up to `count` uses that would be accepted, nearest to the wish first, one for each gap, and none that overlaps
    what is asked for `beside` it.

    Lengths are mended to what the instrument allows. Looks 14 days around the wish. What a booking that moves has
    already is not suggested to it.
    """
    wanted = wish.span.start
    first, last = max(next_minute(now), wanted - AROUND), wanted + AROUND
    if last <= first:
        return []
    replaced = bookings_store.get(db, wish.replaces_id) if wish.replaces_id else None
    who = msgspec.structs.replace(_who(db, wish, replaced), beside=tuple(beside))
    looking = Looking(db, Asked(among=(wish.instrument_number,)), who, lambda _, __: [Span(first, last)], now)
    for each in looking.candidates:
        if _is_never(wish, each.rules, now):
            return []
        leeways = looking.leeways(each, wish.span.minutes)
        if replaced is not None and replaced.instrument_number == wish.instrument_number:
            leeways = [_elsewhere(replaced, leeway) for leeway in leeways]
        if lets := _limits(db, wish, who.project, replaced, each.rules, now):
            leeways = [_accepting(leeway, lets) for leeway in leeways]
        return nearest(each.rules, wanted, leeways, count=count)
    return []


def beside_setup(db: Connection, wish: Wish, spans: Sequence[Span]) -> frozenset[Span]:
    """Those of these uses that would stand right before or after one with the set-up of the wish, so that nothing is
    changed over between the two.
    """
    if not (wish.setup and spans):
        return frozenset()
    (rules,) = bookings_store.rules_of(db, [wish.instrument_number]).values()
    around = Span(min(each.start for each in spans), max(each.end for each in spans)).widened(DAY_MINUTES, DAY_MINUTES)
    found = calendars.calendar(db, None, [rules.number], around).entries[rules.number]
    same = [Span(each.occupied_from, each.occupied_until) for each in found if each.setup == wish.setup]
    edges = {edge for each in same for edge in (each.start, each.end)}
    return frozenset(span for span in spans if {rules.occupied(span).start, rules.occupied(span).end} & edges)


def capability_of(db: Connection, number: int) -> str:
    """What an instrument can do, by which others are found that can do the same."""
    return rounds_store.capabilities_of(db, [number])[number]


# ---------------------------------------------------------------- parts


def _is_never(wish: Wish, rules: InstrumentRules, now: datetime) -> bool:
    """Whether no other time would help: the mode or set-up is not to be had, or somebody is named who cannot be."""
    said = check(wish, RuleContext(now=now, rules=rules), (mode_offered, setup_posted, trained, operated))
    return any(each.code in _NEVER for each in said)


def _elsewhere(booking: Booking, leeway: Leeway) -> Leeway:
    """The same without where the booking stands already; what a form holds it may still take."""
    if booking.state not in (BookingState.CONFIRMED, BookingState.PENDING):
        return leeway

    return _accepting(leeway, lambda use: use != booking.span)


def _accepting(leeway: Leeway, also: Callable[[Span], bool]) -> Leeway:
    def accepts(use: Span) -> bool:
        return also(use) and (leeway.accepts is None or leeway.accepts(use))

    return msgspec.structs.replace(leeway, accepts=accepts)


def _limits(
    db: Connection, wish: Wish, project: Project | None, replaced: Booking | None, rules: InstrumentRules, now: datetime
) -> Callable[[Span], bool] | None:
    """Whether the limits let the wish be at some time; who is at one of them is told of that, and of no other time."""
    leaving: list[tuple[Booking, InstrumentRules]] = []
    if replaced is not None:
        number = replaced.instrument_number
        leaving = [(replaced, rules if number == rules.number else bookings_store.rules_of(db, [number])[number])]
    return limits_of(db, rules, wish, project, leaving, now)


def _who(db: Connection, wish: Wish, replaced: Booking | None) -> Who:
    project = None
    if wish.project_id is not None and wish.person_id is not None:
        project, _ = projects_store.with_membership(db, wish.project_id, wish.person_id)
    return Who(
        person_id=wish.person_id,
        trainer_id=wish.trainer_id,
        operator_id=wish.operator_id,
        replaces_id=wish.replaces_id,
        is_session=replaced is not None and replaced.plan_id is not None,
        project=project,
        mode=wish.mode,
    )


class _Free(NamedTuple):
    """An instrument that is free, and when its first use begins. They sort by time and code."""

    since: datetime
    id: str
    looking: Looking
    candidate: Candidate
    leeways: list[Leeway]


def _found(db: Connection, sought: Sought, who: Who, windows: _Windows, now: datetime) -> tuple[list[_Free], int]:
    """The instruments that are free, the first MOST_INSTRUMENTS of all among them, and how many were not looked at."""
    asked = Asked(search=sought.search, among=None if sought.number is None else (sought.number,))
    outlines = store.outlines(db, asked, who.person_id)
    if len(outlines) <= MANY:
        return _free(Looking(db, asked, who, windows.of, now), sought.minutes), 0
    ahead = soonest(db, outlines, who, windows.of, sought.minutes, now)
    found: list[_Free] = []
    place, size = 0, BATCH
    while place < len(ahead) and not _are_first(found, ahead[place]):
        some = Asked(among=tuple(each.number for each in ahead[place : place + size]))
        found = sorted([*found, *_free(Looking(db, some, who, windows.of, now), sought.minutes)], key=_in_order)
        place, size = place + size, 2 * size
    return found, max(0, len(ahead) - place)


def _free(looking: Looking, minutes: int) -> list[_Free]:
    found: list[_Free] = []
    for candidate in looking.candidates:
        leeways = [each for each in looking.leeways(candidate, minutes) if each.minutes >= minutes]
        first = next(firsts(candidate.rules, leeways), None)
        if first is not None:
            found.append(_Free(first.start, candidate.rules.id, looking, candidate, leeways))
    return sorted(found, key=_in_order)


def _in_order(found: _Free) -> tuple[datetime, str]:
    return found[:2]


def _are_first(found: Sequence[_Free], unseen: Ahead) -> bool:
    """Whether those that are shown come before whatever was not looked at."""
    return len(found) >= MOST_INSTRUMENTS and _in_order(found[MOST_INSTRUMENTS - 1]) < unseen[:2]


class _Windows:
    """The starts that are looked for, by zone and length, and by day."""

    def __init__(self, sought: Sought) -> None:
        self._sought = sought
        self._days: dict[tuple[str, int], dict[date, Span]] = {}

    def of(self, rules: InstrumentRules, minutes: int) -> list[Span]:
        return list(self.by_day(rules, minutes).values())

    def by_day(self, rules: InstrumentRules, minutes: int) -> dict[date, Span]:
        key = rules.timezone, minutes
        if key not in self._days:
            asked = self._sought
            days = (
                (day, starts_of_day(day, rules.timezone, minutes, asked.since, asked.until))
                for day in sorted(set(asked.dates))
            )
            self._days[key] = {day: window for day, window in days if window is not None}
        return self._days[key]


def _rows(
    windows: _Windows, day: date, shown: Sequence[_Free], project: Project | None, down: Mapping[int, datetime]
) -> Iterator[Row]:
    for _, _, looking, candidate, leeways in shown:
        spans = tuple(_of_day(candidate.rules, leeways, windows, day))[:MOST_A_DAY]
        if spans:
            found = prices.under(looking.book, candidate.rules, [project], spans[0]) if project else ()
            yield Row(
                place=candidate.place,
                spans=spans,
                lacking=_lacking(candidate, spans[0]),
                estimate=found[0] if found else None,
                down_since=down.get(candidate.rules.number),
            )


def _of_day(rules: InstrumentRules, leeways: Sequence[Leeway], windows: _Windows, day: date) -> Iterator[Span]:
    for leeway in leeways:
        window = windows.by_day(rules, leeway.minutes).get(day)
        if window is not None:
            yield from firsts(rules, [leeway], window)


def _lacking(candidate: Candidate, use: Span) -> tuple[Refusal, ...]:
    """What the rule of booking says of the person's qualification."""
    rules = candidate.rules
    context = RuleContext(now=use.start, rules=rules, held=candidate.held)
    return qualified(Wish(instrument_number=rules.number, span=use), context)
