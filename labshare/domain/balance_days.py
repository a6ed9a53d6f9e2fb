"""What of a balance lies ahead, by the day of UTC: added up from uses, to open balances, to prove them, to tell them.

Days are those of UTC for every agreement, whatever its zone: a row belongs to one window, and is cut at its borders.
What must not live here: which rules count a use (rulebook.py, agreements.py), or rows (store/balance_days.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from labshare.domain.agreements import BalanceKey, Counter
from labshare.domain.rulebook import Party, Rulebook, Seat, seat_of
from labshare.domain.timespan import MINUTE, Span, clipped

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = 24 * 60

Days = Mapping[int, int]


def day_of(moment: datetime) -> int:
    """The day of an instant: days since 1970 in UTC."""
    return (moment - EPOCH).days


def tomorrow(moment: datetime) -> datetime:
    """The first instant of the day after that of this instant."""
    return EPOCH + timedelta(days=day_of(moment) + 1)


def spread(days: defaultdict[int, int], start: int, end: int, sign: int = 1) -> None:
    """Add the minutes from start to end (since 1970) to the days on which they lie."""
    while start < end:
        day = start // DAY
        stop = min(end, (day + 1) * DAY)
        days[day] += sign * (stop - start)
        start = stop


def minutes_of(span: Span) -> tuple[int, int]:
    """Start and end as minutes since 1970."""
    return (span.start - EPOCH) // MINUTE, (span.end - EPOCH) // MINUTE


def parts_of(counter: Counter) -> list[Span]:
    """The parts of the counter's window in which its rule is in force: one, where no trial interrupts it."""
    spans = counter.term.spans
    return [counter.window] if len(spans) == 1 else clipped(spans, counter.window)


class Piece(NamedTuple):
    """A part of somebody's use, from start to end in minutes since 1970."""

    party: Party
    start: int
    end: int


# By seat its windows, each in one or more parts: start and end in minutes since 1970, and the balance.
Seated = Mapping[Seat, list[tuple[int, int, BalanceKey]]]


def seated(counters: Iterable[Counter]) -> Seated:
    """The windows of these counters by the seats of their rules."""
    windows: defaultdict[Seat, list[tuple[int, int, BalanceKey]]] = defaultdict(list)
    for counter in counters:
        seat = seat_of(counter.term, counter.scope_key)
        key = counter.key
        windows[seat] += [(*minutes_of(part), key) for part in parts_of(counter)]
    return windows


def matched_by_day(book: Rulebook, windows: Seated, pieces: Iterable[Piece]) -> dict[BalanceKey, Days]:
    """The minutes of these pieces that each balance's rule matches in its window; balances without any are left out."""
    found: defaultdict[BalanceKey, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
    # Thousands of pieces meet a dozen rules each: nothing is done for one but what differs.
    for party, start, end in pieces:
        day = start // DAY
        is_of_one_day = end <= (day + 1) * DAY
        for seat in book.seats(party):
            for first, last, key in windows.get(seat, ()):
                if start < first or last < end:
                    spread(found[key], max(start, first), min(end, last))
                elif is_of_one_day:
                    found[key][day] += end - start
                else:
                    spread(found[key], start, end)
    return {key: dict(days) for key, days in found.items() if days}
