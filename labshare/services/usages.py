"""Where rules stand, read from their balances: what it costs grows with the rules that are asked for and with what is
booked for the rest of today, never with the bookings of their windows.

What must not live here: what a reader may see of it (entitlements.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from labshare.domain.agreements import BalanceKey, Counter, Usage
from labshare.domain.balance_days import matched_by_day, tomorrow
from labshare.domain.timespan import Span
from labshare.store import balance_days as days_store
from labshare.store.balance_days import Held
from labshare.store.engine import Connection
from labshare.store.rulebooks import rulebook


def usages(
    db: Connection, counters: Sequence[Counter], at: datetime, now: datetime
) -> dict[BalanceKey, tuple[Usage, int]]:
    """The usage of each counter whose window holds the whole minute `at`, and what others have taken of its base.

    Those of which no balance has been opened are left out. Four queries.
    """
    held: dict[BalanceKey, Held] = {}
    for row in days_store.holding(db, at, now) if counters else ():
        held[row.balance.key] = row
    found = [each for each in counters if (row := held.get(each.key)) and row.balance.window == each.window]
    if not found:
        return {}
    book = rulebook(db)
    moment, midnight = now.replace(second=0, microsecond=0), tomorrow(now)
    today = matched_by_day(book, found, days_store.ahead(db, Span(moment, midnight)))
    last = max(counter.window.end for counter in found)
    loose = days_store.not_firm(db, Span(moment, last)) if moment < last else []
    not_firm = matched_by_day(book, found, loose)
    usage: dict[BalanceKey, tuple[Usage, int]] = {}
    for counter in found:
        key, balance = counter.key, held[counter.key].balance
        committed = held[key].later_minutes + sum(today.get(key, {}).values())
        usage[key] = (
            Usage(
                base_minutes=balance.base_minutes,
                used=balance.matched_minutes - committed,
                committed=committed,
                firm=committed - sum(not_firm.get(key, {}).values()),
            ),
            balance.total_minutes - balance.matched_minutes,
        )
    return usage
