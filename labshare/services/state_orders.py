"""State orders (R14): what they may take under an agreement, and the credit of whoever is displaced.

What must not live here: any other posting (ledger.py), or when a credit lapses (ledger_deadlines.py).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from fractions import Fraction
from math import floor
from uuid import uuid4
from zoneinfo import ZoneInfo

import msgspec

from labshare.domain import ledger as rules
from labshare.domain.agreements import covers
from labshare.domain.ledger import Cause, LedgerAccount, LedgerEntry
from labshare.domain.ledger_clauses import StateOrder
from labshare.domain.people import Action, Actor, require
from labshare.domain.timespan import Span
from labshare.domain.windows import midnight
from labshare.errors import Refusal, Refused
from labshare.services import capacity
from labshare.services.ledger import Terms, entry_of, keep, locked, posted_already, refuse
from labshare.store import audit
from labshare.store import capacity as capacity_store
from labshare.store import ledger as store
from labshare.store.engine import Connection
from labshare.store.ledger import StateOrder as RecordedOrder


class OrderWish(msgspec.Struct, frozen=True, kw_only=True):
    """A state order: `minutes` it takes in all, of which `taken` comes from parties, by organisation."""

    agreement_id: str
    period: Span
    reference: str
    minutes: int
    taken: dict[str, int] = {}


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """R14: what state orders may take of the allocable minutes of a period, what they took, and what is left to one."""

    allocable: int
    ceiling: int
    taken: int

    @property
    def left(self) -> int:
        return max(0, self.ceiling - self.taken)


def allowance(db: Connection, terms: Terms, period: Span) -> Allowance:
    """Counted on every instrument that some rule of the agreement concerns, from what is planned now."""
    instruments = [
        each
        for each in capacity_store.timed_instruments(db, period)
        if any(covers(rule.where, each) for rule in terms.agreement.rules)
    ]
    allocable = sum(each.allocable for each in capacity.capacities(db, instruments, period).values())
    ceiling = terms.agreement.state_order.ceiling if terms.agreement.state_order else Fraction(0)
    return Allowance(
        allocable=allocable,
        ceiling=floor(ceiling * allocable),
        taken=store.ordered_minutes(db, terms.agreement.id, period),
    )


def state_order(db: Connection, actor: Actor | None, wish: OrderWish, now: datetime) -> list[LedgerEntry]:
    """Record a state order, displace the parties whose time it takes and credit them 1:1 with a day to use it by.

    All in one transaction; each party is told. Raises `Refused` with every reason: above the ceiling of the agreement
    (with the minutes that can be had), more from a party than it has, or an order that has been posted before.
    """
    by = require(actor, Action.POST_LEDGER)
    terms = locked(db, wish.agreement_id, now)
    refuse(_order_problems(db, terms, wish))
    order = RecordedOrder(
        id=uuid4(),
        agreement_id=wish.agreement_id,
        reference=wish.reference,
        period=wish.period,
        minutes=wish.minutes,
        ordered_at=now,
        authorised_by=by.person_id,
    )
    if not store.add_order(db, order):
        raise Refused([posted_already(wish.reference)])
    entries = _displacing(terms, wish, by, now)
    if entries:
        keep(db, terms, entries, now)
    audit.record(
        db,
        actor_id=by.person_id,
        action="state_order",
        noun="agreement",
        noun_id=wish.agreement_id,
        now=now,
        details={"order": str(order.id), "minutes": wish.minutes, "from_parties": sum(wish.taken.values())},
    )
    return entries


def _displacing(terms: Terms, wish: OrderWish, by: Actor, now: datetime) -> list[LedgerEntry]:
    """What is taken from each party and, until the end of the last day of its credit, given back."""
    clause = terms.agreement.state_order or StateOrder()
    day = now.astimezone(ZoneInfo(terms.agreement.timezone)).date()
    until = midnight(day + timedelta(days=clause.credit_days + 1), terms.agreement.timezone)
    entries: list[LedgerEntry] = []
    for organisation_id, minutes in sorted(wish.taken.items()):
        account = LedgerAccount(agreement_id=wish.agreement_id, organisation_id=organisation_id, period=wish.period)
        back = floor(clause.credit * minutes)
        for cause, moved, last in ((Cause.DISPLACED, -minutes, None), (Cause.CREDITED, back, until)):
            if not moved:
                continue
            entry = entry_of(terms, account, cause, moved, "R14", now, wish.reference, by=by.person_id, until=last)
            entries.append(entry)
    return entries


def _order_problems(db: Connection, terms: Terms, wish: OrderWish) -> list[Refusal]:
    problems = [*rules.check_reference(wish.reference), *rules.check_amount(wish.minutes, "order_hours")]
    if not wish.period.overlaps(terms.force):
        problems.append(Refusal(code="ledger_not_in_force", params={"field": "period"}))
    for organisation_id, minutes in wish.taken.items():
        account = LedgerAccount(agreement_id=wish.agreement_id, organisation_id=organisation_id, period=wish.period)
        if organisation_id not in terms.agreement.parties:
            problems.append(rules.not_a_party(organisation_id, "organisation"))
        problems += rules.check_amount(minutes, "hours")
        problems += rules.check_cover(account, store.balance(db, account), minutes)
    taken = sum(wish.taken.values())
    if taken > wish.minutes:
        params = {"field": "order_hours", "order_minutes": wish.minutes, "taken_minutes": taken}
        problems.append(Refusal(code="ledger_order_smaller_than_parts", params=params))
    if terms.agreement.state_order is None:
        problems.append(Refusal(code="ledger_no_state_orders", params={"field": "cause"}))
        return problems
    found = allowance(db, terms, wish.period)
    may = rules.displaced(wish.minutes, found.taken, found.allocable, terms.agreement.state_order.ceiling)
    if may < wish.minutes:
        params = {
            "field": "order_hours", "order_minutes": wish.minutes, "left_minutes": may,
            "ceiling_minutes": found.ceiling, "taken_minutes": found.taken,
        }  # fmt: skip
        problems.append(Refusal(code="ledger_order_ceiling", params=params))
    return problems
