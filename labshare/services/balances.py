"""Running balances of share rules as the bookings say: counted to open them, and counted again to prove and mend them.

What must not live here: weighing a booking against them (weighing.py), or the meaning of rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from labshare.domain.agreements import Balance, BalanceKey, Counter, Term, matches, rule_windows
from labshare.domain.balance_days import Days, day_of, matched_by_day, seated, tomorrow
from labshare.domain.bases import taken
from labshare.domain.rulebook import Rulebook
from labshare.domain.timespan import Span
from labshare.services.counting import Tally, hull
from labshare.store import agreements as store
from labshare.store import balance_days as days_store
from labshare.store.engine import Connection
from labshare.store.rulebooks import rulebook


def counted(db: Connection, counters: Sequence[Counter], now: datetime) -> list[Balance]:
    """These balances as the bookings say, with their base frozen at what is planned now. Three queries."""
    whole = hull([counter.window for counter in counters])
    if whole is None:
        return []
    tally = Tally(db, counters, whole, now)
    return [_balance(tally, counter) for counter in counters]


def seen(db: Connection, counters: Sequence[Counter], now: datetime) -> dict[BalanceKey, Balance]:
    """These balances as they stand, those that have not been opened as they would be. One query, three more for these;
    takes no lock.
    """
    found = store.see_balances(db, {counter.key for counter in counters})
    missing = [counter for counter in counters if counter.key not in found]
    return found | {balance.key: balance for balance in counted(db, missing, now)}


def _balance(tally: Tally, counter: Counter) -> Balance:
    rule = counter.term.rule
    matched = total = 0
    for row in tally.rows(counter):
        is_matched, counts = matches(rule.who, row), taken(rule.base, row)
        matched += (counts.used + counts.committed) if is_matched else 0
        total += (counts.used + counts.committed) if is_matched or rule.counts_all else 0
    return Balance(
        **counter.key._asdict(),
        window_end=counter.window.end,
        base_minutes=tally.base_minutes(counter),
        matched_minutes=matched,
        total_minutes=total,
    )


def days_ahead(db: Connection, book: Rulebook, counters: Sequence[Counter], now: datetime) -> dict[BalanceKey, Days]:
    """What of these windows lies on the days after today, counted from the bookings. One query."""
    begins = tomorrow(now)
    ends = max((counter.window.end for counter in counters), default=begins)
    return matched_by_day(book, seated(counters), days_store.ahead(db, Span(begins, ends))) if begins < ends else {}


def rebuild(db: Connection, now: datetime, agreement_id: str | None = None) -> int:
    """Count every open balance and its days to come again from the bookings; returns how many had to be corrected.
    Bases stay frozen.

    Balances of which no rule in force speaks any more are dropped.
    """
    held = store.balances_of(db, agreement_id)
    whole = hull([balance.window for balance in held.values()])
    if whole is None:
        return 0
    book = rulebook(db)
    standing = book.over(whole)
    counters = [
        Counter(term=term, scope_key=balance.scope_key, window=balance.window)
        for balance in held.values()
        if (term := term_of(balance, standing)) is not None
    ]
    right = {balance.key: balance for balance in counted(db, counters, now)}
    wrong = {key for key, balance in right.items() if _counts(balance) != _counts(held[key])}
    store.correct_balances(db, [right[key] for key in sorted(wrong)])
    store.drop_balances(db, held.keys() - right.keys())
    days, before = days_ahead(db, book, counters, now), days_store.days_of(db, agreement_id, day_of(now))
    wrong_days = {key for key in right if days.get(key, {}) != before.get(key, {})}
    days_store.replace(db, {key: days.get(key, {}) for key in wrong_days})
    return len(wrong | wrong_days)


def _counts(balance: Balance) -> tuple[int, int]:
    return balance.matched_minutes, balance.total_minutes


def term_of(balance: Balance, standing: Sequence[Term]) -> Term | None:
    """The term that keeps this balance, if its rule still has this very window."""
    for term in standing:
        if term.key == (balance.agreement_id, balance.rule_id) and any(
            window == balance.window for window, _ in rule_windows(term, balance.window)
        ):
            return term
    return None


def recount(db: Connection, now: datetime) -> int:
    """The same for all balances, while no booking is being written."""
    store.hold_still(db)
    return rebuild(db, now)
