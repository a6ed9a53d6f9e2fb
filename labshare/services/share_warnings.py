"""Notices on a booking that stands: shares of what is booked, delivered or charged that do not hold with it.

Such a share refuses nobody; it binds inside plans and shows in reports, and whoever books reads what it means for it.
Nothing is stored: what the notice says is counted when it is asked for, by the same readers as the report.

What must not live here: when a share warns and in which words (domain/weighing.py), or refusals (weighing.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from labshare.domain.agreements import Balance, Use
from labshare.domain.bases import Base
from labshare.domain.bookings import OCCUPYING, Booking
from labshare.domain.people import Actor
from labshare.domain.weighing import Insight, Shift, shifts, told_once, warning, warns
from labshare.errors import Refusal
from labshare.services import agreements, weighing
from labshare.services import balances as balances_service
from labshare.services.counting import hull, uses
from labshare.services.terms import in_force
from labshare.store import bookings as bookings_store
from labshare.store.engine import Connection
from labshare.store.rulebooks import rulebook


def notices(
    db: Connection, reader: Actor, some: Sequence[Booking], now: datetime, stamp: str | None = None
) -> tuple[Refusal, ...]:
    """What bookings of one instrument that lie ahead mean for moving shares, each rule told once: one of them, or those
    of a series together. Empty once they have begun or are given back.

    One query, none with a `stamp` that was read in the same transaction, and where a rule of this kind is in force two
    more, and those of a count.
    """
    ahead = [each for each in some if each.state in OCCUPYING and each.starts_at > now]
    around = hull([each.occupied for each in ahead])
    if around is None or not any(term.rule.is_moving for term in rulebook(db, stamp).over(around)):
        return ()
    number = ahead[0].instrument_number
    rules = bookings_store.rules_of(db, [number])[number]
    added = [use for each in ahead for use in uses(rules, each)]
    span = hull([use.span for use in added])
    if span is None:
        return ()
    moving = [term for term in in_force(db, span) if term.rule.is_moving]
    if any(term.rule.who.needs_project for term in moving):
        added = weighing.with_projects(db, added)
    changes = shifts(moving, added, (), now)
    counted = {each.key: each for each in balances_service.counted(db, [shift.counter for shift in changes], now)}
    balances = {shift.counter.key: _with(counted[shift.counter.key], shift) for shift in changes}
    broken = told_once(shift for shift in changes if warns(shift, balances[shift.counter.key]))
    said: dict[tuple[object, ...], Refusal] = {}
    for shift in broken:
        each = warning(shift, balances[shift.counter.key], _insight(shift, added, reader))
        # The dates of a series lie in many windows of one rule: the first of them is told.
        said.setdefault((each.code, each.params.get("agreement"), each.params.get("rule")), each)
    return tuple(said.values())


def _with(balance: Balance, shift: Shift) -> Balance:
    """The count with the booking in it, which what was delivered or charged so far does not hold yet."""
    if shift.counter.term.rule.base is Base.BOOKED:
        return balance
    return msgspec.structs.replace(
        balance,
        base_minutes=balance.base_minutes + shift.total,
        matched_minutes=balance.matched_minutes + shift.matched,
        total_minutes=balance.total_minutes + shift.total,
    )


def _insight(shift: Shift, added: Sequence[Use], reader: Actor) -> Insight:
    """As with a refusal, but figures only to those who see everybody's: a moving base is what everybody took."""
    insight = agreements.insight_of(shift.counter.term, added, reader)
    if insight is Insight.FIGURES and not agreements.sees_all(reader, {use.centre_id for use in added}):
        return Insight.CLAUSE
    return insight
