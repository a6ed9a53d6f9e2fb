"""Where rules stand, read from their balances: what it costs grows with the rules that are asked for and with what is
booked for the rest of today, never with the bookings of their windows.

What must not live here: what a reader may see of it (entitlements.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from labshare.domain.agreements import BalanceKey, Counter, Usage
from labshare.domain.balance_days import matched_by_day, minutes_of, seated, tomorrow
from labshare.domain.timespan import Span
from labshare.store import balance_days as days_store
from labshare.store.engine import Connection
from labshare.store.rulebooks import rulebook


def usages(
    db: Connection, counters: Sequence[Counter], at: datetime, now: datetime
) -> dict[BalanceKey, tuple[Usage, int]]:
    """The usage of each counter whose window holds the whole minute `at`, and what others have taken of its base.

    Those of which no balance has been opened are left out. Four queries.
    """
    keyed = {(*each.key[:3], *minutes_of(each.window)): each for each in counters}
    rows = days_store.holding(db, at, now) if counters else ()
    held = {name: row for row in rows if (name := row[:5]) in keyed}
    if not held:
        return {}
    found = [keyed[key] for key in held]
    book = rulebook(db)
    moment, midnight = now.replace(second=0, microsecond=0), tomorrow(now)
    windows = seated(found)
    by_project = any(counter.term.rule.who.needs_project for counter in found)
    ahead = days_store.ahead(db, Span(moment, midnight), by_project=by_project)
    today = matched_by_day(book, windows, ahead)
    last = max(counter.window.end for counter in found)
    loose = days_store.not_firm(db, Span(moment, last), by_project=by_project) if moment < last else []
    not_firm = matched_by_day(book, windows, loose)
    usage: dict[BalanceKey, tuple[Usage, int]] = {}
    for counter, row in zip(found, held.values(), strict=True):
        key = counter.key
        committed = row.later_minutes + sum(today.get(key, {}).values())
        usage[key] = (
            Usage(
                base_minutes=row.base_minutes,
                used=row.matched_minutes - committed,
                committed=committed,
                firm=committed - sum(not_firm.get(key, {}).values()),
            ),
            row.total_minutes - row.matched_minutes,
        )
    return usage
