"""The clauses of agreements, other than share rules, that hold for a booking or a round.

What must not live here: what they mean (domain/courtesy.py, domain/ordering.py) or the weighing of shares
(agreements.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from labshare.domain.agreements import Agreement, covers
from labshare.domain.bookings import LONGEST_MINUTES, BookingKind, InstrumentRules, Wish
from labshare.domain.clauses import Conduct, PersonUse, fair_share_at, tiers_at
from labshare.domain.courtesy import weeks_around
from labshare.domain.ordering import Tier
from labshare.domain.rulebook import Rulebook
from labshare.domain.timespan import Span
from labshare.services.calendars import closed_dates_over
from labshare.store import agreements as store
from labshare.store import bookings as bookings_store
from labshare.store.engine import Connection


class _Place(msgspec.Struct, frozen=True):
    instrument_id: str
    centre_id: str


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Who comes first on some instruments: the tiers (R13; none where none are stated), how use is forgotten (R12)."""

    tiers: tuple[Tier, ...]
    half_life: timedelta


def order_at(db: Connection, instruments: Sequence[InstrumentRules], moment: datetime) -> Order:
    """The order that the agreements in force at this instant state for these instruments. One query."""
    held = store.rulebook(db).agreements_at(moment)
    places = [_Place(each.id, each.centre_id) for each in instruments]
    return Order(tiers=tiers_at(held, places), half_life=fair_share_at(held, places).half_life)


def conducts(db: Connection, book: Rulebook, rules: InstrumentRules, wish: Wish, now: datetime) -> tuple[Conduct, ...]:
    """The clauses of courtesy that hold for a wish (R20, R21). To be called under the lock of its person.

    None for blocks, and none where a session of a plan moves: its length is what the round gave. No query where no
    clause holds; one where it has prime time, one where it has strikes.
    """
    if wish.kind is not BookingKind.USE or wish.person_id is None or wish.span.minutes > LONGEST_MINUTES:
        return ()
    here = _Place(rules.id, rules.centre_id)
    held = [each for each in book.agreements_at(wish.span.start) if each.courtesy and covers(each.covered, here)]
    if not held or (wish.replaces_id and bookings_store.get(db, wish.replaces_id).plan_id):
        return ()
    weeks = weeks_around(wish.span, rules.timezone)
    closed = closed_dates_over(weeks)
    uses = _uses(db, wish.person_id, wish.replaces_id, weeks) if any(_has_prime(each) for each in held) else ()
    return tuple(
        Conduct(
            clause=each.courtesy,
            uses=tuple(use.span for use in _inside(each, uses)),
            strikes=_strikes(db, each, wish.person_id, now),
            closed=closed,
        )
        for each in held
        if each.courtesy
    )


def _has_prime(agreement: Agreement) -> bool:
    return agreement.courtesy is not None and agreement.courtesy.prime is not None


def _uses(db: Connection, person_id: UUID, without: UUID | None, weeks: Span) -> tuple[PersonUse, ...]:
    return tuple(use for use in bookings_store.own_uses(db, person_id, weeks) if use.id != without)


def _strikes(db: Connection, agreement: Agreement, person_id: UUID, now: datetime) -> tuple[datetime, ...]:
    """The strikes that can still bar: the last of them within the block, the first so many days before that."""
    penalties = agreement.courtesy.penalties if agreement.courtesy else None
    if penalties is None:
        return ()
    since = now - timedelta(days=penalties.within_days + penalties.block_days)
    return tuple(use.span.start for use in _inside(agreement, bookings_store.missed(db, person_id, since)))


def _inside(agreement: Agreement, uses: Sequence[PersonUse]) -> list[PersonUse]:
    return [use for use in uses if covers(agreement.covered, use)]
