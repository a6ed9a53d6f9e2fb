"""The clauses of agreements, other than share rules, that hold for a booking or a round.

What must not live here: what they mean (domain/courtesy.py, domain/ordering.py) or the weighing of shares
(weighing.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

import msgspec

from labshare.domain.agreements import Agreement, covers
from labshare.domain.booking_rules import NoShows, Posted, PrimeLimit, courtesy_of
from labshare.domain.bookings import LONGEST_MINUTES, Booking, BookingKind, BookingState, InstrumentRules, Wish
from labshare.domain.clauses import Conduct, PersonUse, fair_share_at, tiers_at
from labshare.domain.courtesy import Courtesy, is_late_notice, is_no_show, weeks_around
from labshare.domain.modes import Mode
from labshare.domain.ordering import Tier
from labshare.domain.rulebook import Rulebook
from labshare.domain.timespan import Span
from labshare.errors import Refusal
from labshare.services.holidays import closed_around
from labshare.store.engine import Connection
from labshare.store.rulebooks import rulebook


class Place(msgspec.Struct, frozen=True):
    """An instrument, as the scope of an agreement reads it."""

    instrument_id: str
    centre_id: str


def in_force(db: Connection, moment: datetime) -> list[Agreement]:
    """The agreements in force at this instant, each in the version that holds then. One query."""
    return rulebook(db).agreements_at(moment)


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Who comes first on some instruments: the tiers (R13; none where none are stated), how use is forgotten (R12)."""

    tiers: tuple[Tier, ...]
    half_life: timedelta


def order_at(db: Connection, instruments: Sequence[InstrumentRules], moment: datetime) -> Order:
    """The order that the agreements in force at this instant state for these instruments. One query."""
    held = rulebook(db).agreements_at(moment)
    places = [Place(each.id, each.centre_id) for each in instruments]
    return Order(tiers=tiers_at(held, places), half_life=fair_share_at(held, places).half_life)


def covering(book: Rulebook, rules: InstrumentRules, wish: Wish) -> list[Agreement]:
    """The agreements whose clauses hold for a wish: in force as it begins, on its instrument.

    None for blocks, and none for what is refused for its length anyway.
    """
    if wish.kind is not BookingKind.USE or wish.person_id is None or wish.span.minutes > LONGEST_MINUTES:
        return []
    return covering_at(book, rules, wish.span.start)


def covering_at(book: Rulebook, rules: InstrumentRules, moment: datetime) -> list[Agreement]:
    """The agreements in force at this instant that cover an instrument."""
    here = Place(rules.id, rules.centre_id)
    return [each for each in book.agreements_at(moment) if covers(each.covered, here)]


class Wanted(NamedTuple):
    """What the clauses of courtesy ask of a person: their uses of these weeks, and since when what they missed."""

    weeks: Span | None = None
    since: datetime | None = None


def wanted(
    covering: Sequence[Agreement], rules: InstrumentRules, wish: Wish, now: datetime, posted: Sequence[Posted] = ()
) -> Wanted:
    """What must be read for `conducts`; nothing where no clause has prime time or strikes."""
    has_prime = any(isinstance(each.rule, PrimeLimit) for each in posted)
    has_prime = has_prime or any(each.courtesy and each.courtesy.prime for each in covering)
    return Wanted(
        weeks=weeks_around(wish.span, rules.timezone) if has_prime else None, since=missed_since(covering, posted, now)
    )


def missed_since(covering: Iterable[Agreement], posted: Iterable[Posted], now: datetime) -> datetime | None:
    """Since when strikes can still bar: the last of them within the block, the first so many days before that. None
    where nothing has strikes.
    """
    penalties = [
        *(each.courtesy.penalties for each in covering if each.courtesy and each.courtesy.penalties),
        *(each.rule for each in posted if isinstance(each.rule, NoShows)),
    ]
    days = max((each.within_days + each.block_days for each in penalties), default=None)
    return None if days is None else now - timedelta(days=days)


def conducts(
    covering: Sequence[Agreement],
    rules: InstrumentRules,
    wish: Wish,
    *,
    posted: Sequence[Posted] = (),
    uses: Sequence[PersonUse] = (),
    missed: Sequence[PersonUse] = (),
) -> tuple[Conduct, ...]:
    """The clauses of courtesy among those that hold for a wish (R20, R21), and what centres post by themselves that
    would be such a clause (`posted`), with what was read of its person as `wanted` says, under their lock.

    `uses` are those that they booked themselves, without what leaves and with what the same call will write.
    """
    held = [(each, each.courtesy) for each in covering if each.courtesy]
    if not (held or posted):
        return ()
    weeks = weeks_around(wish.span, rules.timezone)
    closed = closed_around(weeks.start.date(), weeks.end.date())
    of_agreements = (
        Conduct(
            clause=courtesy,
            uses=tuple(use.span for use in uses if covers(each.covered, use)),
            # What can bar nobody any more by this clause is left out by the clause itself.
            strikes=tuple(use.span.start for use in missed if covers(each.covered, use)),
            closed=closed,
        )
        for each, courtesy in held
    )
    return (*of_agreements, *(posted_conduct(each, uses, missed, closed) for each in posted))


def posted_conduct(
    posted: Posted, uses: Sequence[PersonUse], missed: Sequence[PersonUse], closed: frozenset[date]
) -> Conduct:
    """A rule of a centre as the clause of courtesy that it would be in an agreement. Nobody is barred for what they
    missed before it was posted, nor for what they gave back, which only an agreement asks in time.
    """
    scope = posted.scope
    strikes = (
        use.span.start
        for use in missed
        if not use.gave_back and use.span.start >= posted.since and scope.holds(use.site)
    )
    return Conduct(
        clause=courtesy_of(posted.rule) or Courtesy(),
        uses=tuple(use.span for use in uses if scope.holds(use.site)),
        strikes=tuple(strikes),
        closed=closed,
        reach=scope.kind.value,
    )


def not_missed(
    db: Connection,
    rules: InstrumentRules,
    booking: Booking,
    came_at: datetime | None,
    downs: Sequence[Span],
    now: datetime,
) -> Refusal | None:
    """Why a booking is none to which nobody came (R21); None when it is one. One query. Nobody has to come to what the
    staff run for them, nor to an instrument that was down as their time began.
    """
    if booking.mode is Mode.COMMISSIONED:
        return Refusal(code="no_show_by_staff")
    if any(down.start <= booking.starts_at < down.end for down in downs):
        return Refusal(code="no_show_down")
    posted = rulebook(db).posted_at(rules.site)
    held = [
        *(each.penalties for each in _courtesies(db, rules, booking) if each.penalties),
        *(each.rule.penalties for each in posted if isinstance(each.rule, NoShows)),
    ]
    if not held:
        return Refusal(code="no_show_without_clause")
    if any(is_no_show(each, booking.starts_at, came_at, now) for each in held):
        return None
    if came_at is not None:
        return Refusal(code="no_show_came", params={"at": came_at.isoformat()})
    return Refusal(code="no_show_too_early", params={"late_minutes": min(each.late_minutes for each in held)})


def is_late(db: Connection, rules: InstrumentRules, booking: Booking, now: datetime) -> bool:
    """Whether giving a booking back now is a strike: later than an agreement asks for that says so (R20, R21).

    A hold is none: nobody has said yet that they will come.
    """
    return booking.state is not BookingState.HELD and any(
        each.penalties is not None and each.penalties.late_cancel and is_late_notice(each, booking.starts_at, now)
        for each in _courtesies(db, rules, booking)
    )


def _courtesies(db: Connection, rules: InstrumentRules, booking: Booking) -> list[Courtesy]:
    if booking.kind is not BookingKind.USE:
        return []
    return [each.courtesy for each in covering_at(rulebook(db), rules, booking.starts_at) if each.courtesy]
