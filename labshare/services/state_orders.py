"""State orders (R14): what they may take under an agreement, and the credit of whoever is displaced.

What must not live here: any other posting (ledger.py), or when a credit lapses (ledger_deadlines.py).
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from fractions import Fraction
from math import floor
from uuid import uuid4
from zoneinfo import ZoneInfo

import msgspec

from labshare.domain import ledger as rules
from labshare.domain.agreements import Agreement, covers
from labshare.domain.bookings import OCCUPYING
from labshare.domain.ledger import Cause, LedgerAccount, LedgerEntry
from labshare.domain.ledger_clauses import StateOrder
from labshare.domain.people import Action, Actor, require
from labshare.domain.profiles import Profile
from labshare.domain.timespan import Span
from labshare.domain.windows import midnight
from labshare.errors import Refusal, Refused
from labshare.services import capacity
from labshare.services.holidays import closed_dates
from labshare.services.ledger import Terms, entry_of, keep, locked, posted_already, refuse
from labshare.store import audit, demand
from labshare.store import capacity as capacity_store
from labshare.store import ledger as store
from labshare.store.engine import Connection
from labshare.store.ledger import StateOrder as RecordedOrder


class OrderWish(msgspec.Struct, frozen=True, kw_only=True):
    """A state order: `minutes` it takes in all from its first day on, of which `taken` comes from parties, by
    organisation.
    """

    agreement_id: str
    period: Span
    reference: str
    starts_on: date
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


def first_day(agreement: Agreement, now: datetime) -> date | None:
    """The first day from which an order that is told now may take time; None where the agreement takes no orders."""
    clause = agreement.state_order
    if clause is None:
        return None
    today = now.astimezone(ZoneInfo(agreement.timezone)).date()
    # Working days are five of seven, and the longest row of holidays is shorter than a month.
    enough = timedelta(days=2 * clause.notice_working_days + 30)
    return clause.earliest(today, closed_dates(today, today + enough))


def state_order(db: Connection, actor: Actor | None, wish: OrderWish, now: datetime) -> list[LedgerEntry]:
    """Record a state order, displace the parties whose time it takes and credit them 1:1 with a day to use it by.

    All in one transaction; each party is told. Raises `Refused` with every reason: too soon (with the first day that
    would do), above the ceiling of the agreement (with the minutes that can be had), more from a party than it has or
    than the tiers that are spared leave, or an order that has been posted before.
    """
    by = require(actor, Action.POST_LEDGER)
    terms = locked(db, wish.agreement_id, now)
    refuse(_order_problems(db, terms, wish, now))
    order = RecordedOrder(
        id=uuid4(),
        agreement_id=wish.agreement_id,
        reference=wish.reference,
        period=wish.period,
        starts_on=wish.starts_on,
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


def _order_problems(db: Connection, terms: Terms, wish: OrderWish, now: datetime) -> list[Refusal]:
    problems = [*rules.check_reference(wish.reference), *rules.check_amount(wish.minutes, "order_hours")]
    if not wish.period.overlaps(terms.force):
        problems.append(Refusal(code="ledger_not_in_force", params={"field": "period"}))
    for organisation_id, minutes in wish.taken.items():
        account = LedgerAccount(agreement_id=wish.agreement_id, organisation_id=organisation_id, period=wish.period)
        if organisation_id not in terms.agreement.parties:
            problems.append(rules.not_a_party(organisation_id, "organisation"))
        problems += rules.check_amount(minutes, "hours")
        problems += _cover_problems(db, terms, wish, account, minutes)
    taken = sum(wish.taken.values())
    if taken > wish.minutes:
        params = {"field": "order_hours", "order_minutes": wish.minutes, "taken_minutes": taken}
        problems.append(Refusal(code="ledger_order_smaller_than_parts", params=params))
    if terms.agreement.state_order is None:
        problems.append(Refusal(code="ledger_no_state_orders", params={"field": "cause"}))
        return problems
    problems += _day_problems(terms.agreement, wish, now)
    found = allowance(db, terms, wish.period)
    may = rules.displaced(wish.minutes, found.taken, found.allocable, terms.agreement.state_order.ceiling)
    if may < wish.minutes:
        params = {
            "field": "order_hours", "order_minutes": wish.minutes, "left_minutes": may,
            "ceiling_minutes": found.ceiling, "taken_minutes": found.taken,
        }  # fmt: skip
        problems.append(Refusal(code="ledger_order_ceiling", params=params))
    return problems


def _day_problems(agreement: Agreement, wish: OrderWish, now: datetime) -> list[Refusal]:
    """The order takes time in its period, and no sooner than so many working days after it is told."""
    problems: list[Refusal] = []
    if not wish.period.start <= midnight(wish.starts_on, agreement.timezone) < wish.period.end:
        problems.append(Refusal(code="ledger_order_outside", params={"field": "starts"}))
    earliest = first_day(agreement, now)
    if earliest and wish.starts_on < earliest:
        params = {
            "field": "starts", "earliest": earliest.isoformat(),
            "days": agreement.state_order.notice_working_days if agreement.state_order else 0,
        }  # fmt: skip
        problems.append(Refusal(code="ledger_order_notice", params=params))
    return problems


def _cover_problems(
    db: Connection, terms: Terms, wish: OrderWish, account: LedgerAccount, minutes: int
) -> tuple[Refusal, ...]:
    """More than the party has, or than it has beside what its uses of spared tiers will take from the first day on."""
    left = store.balance(db, account)
    spared = _spared_minutes(db, terms.agreement, wish, account.organisation_id)
    if minutes > left or minutes <= left - spared:
        return rules.check_cover(account, left, minutes)
    params = {
        "field": "hours", "organisation": account.organisation_id, "wanted_minutes": minutes, "left_minutes": left,
        "spared_minutes": spared, "may_minutes": max(0, left - spared),
    }  # fmt: skip
    return (Refusal(code="ledger_order_spared", params=params),)


def _spared_minutes(db: Connection, agreement: Agreement, wish: OrderWish, organisation_id: str) -> int:
    clause, start = agreement.state_order, midnight(wish.starts_on, agreement.timezone)
    if clause is None or not clause.spared or start >= wish.period.end:
        return 0
    ahead = Span(max(start, wish.period.start), wish.period.end)
    return sum(
        use.span.minutes
        for use in demand.uses(db, ahead, OCCUPYING)
        if use.agreement_id == agreement.id and use.organisation_id == organisation_id
        if use.access_class and use.activity
        if clause.spares(agreement.tiers, Profile(access_class=use.access_class, activity=use.activity))
    )
