"""Where every share rule that a round touches stands before its plan: balances, bases and what is left of each window.

Reads only: a balance that nobody has opened yet is counted and not written. What must not live here: how a standing
becomes a linear rule (planning_rules.py, pure).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from labshare.domain.agreements import Balance, BalanceKey, Counter, Kind, Term, Where, covers, rule_windows, scope_key
from labshare.domain.timespan import Span, intersection
from labshare.services import agreements, capacity
from labshare.services.balances import counted
from labshare.services.planning import Facts
from labshare.services.planning_rules import Standing
from labshare.store import agreements as agreements_store
from labshare.store import capacity as capacity_store
from labshare.store.engine import Connection


def standings(db: Connection, facts: Facts) -> list[Standing]:
    """One for each rule in force, denominator with an offered instrument, and window that the horizon touches."""
    found = touched(db, facts.round.horizon, facts.places)
    held = balances(db, [counter for counter, _ in found], facts.now)
    return [standing(db, held[counter.key], counter, part, facts.now) for counter, part in found]


def touched(db: Connection, horizon: Span, places: Sequence[Where]) -> list[tuple[Counter, Span]]:
    """Every window of a rule in force that the horizon touches, for each denominator of these instruments."""
    return touched_by(agreements.in_force(db, horizon), horizon, places)


def touched_by(terms: Iterable[Term], horizon: Span, places: Sequence[Where]) -> list[tuple[Counter, Span]]:
    """The same for these rules, whether anybody has signed them or not.

    A window that a trial interrupts is touched once, from its first part to its last.
    """
    found: dict[BalanceKey, tuple[Counter, Span]] = {}
    for term in terms:
        for key in sorted({scope_key(term.rule, at) for at in places if covers(term.rule.where, at)}):
            for window, part in rule_windows(term, horizon):
                counter = Counter(term=term, scope_key=key, window=window)
                before = found.get(counter.key, (counter, part))[1]
                found[counter.key] = counter, Span(before.start, part.end)
    return list(found.values())


def balances(db: Connection, counters: Iterable[Counter], now: datetime) -> dict[BalanceKey, Balance]:
    """The balance of each counter, as it stands or, where nobody has opened it, as it would be opened now."""
    wanted = {counter.key: counter for counter in counters}
    found = {key: balance for key, balance in agreements_store.balances_of(db).items() if key in wanted}
    missing = [counter for key, counter in sorted(wanted.items()) if key not in found]
    return found | {balance.key: balance for balance in counted(db, missing, now)}


def standing(db: Connection, balance: Balance, counter: Counter, part: Span, now: datetime) -> Standing:
    """A balance as planning reads it: with what is left to plan of its window, where the rule is a floor."""
    is_floor = counter.term.rule.kind is Kind.FLOOR
    ahead = Span(max(now, counter.window.start), counter.window.end) if now < counter.window.end else None
    inside = intersection(part, ahead) if ahead else None
    return Standing(
        term=counter.term,
        scope_key=counter.scope_key,
        window=counter.window,
        part=part,
        base_minutes=balance.base_minutes,
        matched_minutes=balance.matched_minutes,
        total_minutes=balance.total_minutes,
        left_minutes=_allocable(db, counter, ahead) if is_floor and ahead else 0,
        inside_minutes=_allocable(db, counter, inside) if is_floor and inside else 0,
    )


def _allocable(db: Connection, counter: Counter, span: Span) -> int:
    """Allocable minutes of the rule's scope and denominator in the span, whether the round offers them or not."""
    rule = counter.term.rule
    inside = [
        each
        for each in capacity_store.timed_instruments(db, span)
        if covers(rule.where, each) and scope_key(rule, each) == counter.scope_key
    ]
    return sum(each.allocable for each in capacity.capacities(db, inside, span).values())
