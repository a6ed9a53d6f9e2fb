"""What lies ahead of a balance is cut at the days of UTC and at the borders of its window."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime

import msgspec

from labshare.domain.agreements import Counter, Scope, Selector, Version
from labshare.domain.balance_days import Piece, day_of, matched_by_day, minutes_of, seated, spread, tomorrow
from labshare.domain.projects import AccessClass
from labshare.domain.rulebook import Party, Rulebook
from labshare.domain.sandbox import Change, Holding
from labshare.domain.timespan import Span
from tests.domain.test_agreements import a_rule, a_use, an_agreement, local
from tests.domain.test_sandbox import an_overlay

# 25 November 2026, in days since 1 January 1970.
DAY = 20782


def test_a_day_is_one_of_utc() -> None:
    # 365 * 56 + 14 leap days to 1 January 2026, and 328 days to 25 November.
    assert DAY == 365 * 56 + 14 + 328
    assert day_of(datetime(2026, 11, 25, 23, 59, tzinfo=UTC)) == DAY
    assert tomorrow(datetime(2026, 11, 25, 0, 0, tzinfo=UTC)) == datetime(2026, 11, 26, tzinfo=UTC)


def test_minutes_are_spread_over_the_days_on_which_they_lie() -> None:
    days: defaultdict[int, int] = defaultdict(int)
    # The last hour of a day, a whole day, and ten minutes.
    spread(days, DAY * 1440 + 1380, (DAY + 2) * 1440 + 10)
    assert days == {DAY: 60, DAY + 1: 1440, DAY + 2: 10}
    spread(days, DAY * 1440 + 1380, DAY * 1440 + 1440, -1)
    assert days[DAY] == 0
    spread(days, 5, 5)
    assert days == {DAY: 0, DAY + 1: 1440, DAY + 2: 10}


def test_a_use_counts_in_the_windows_of_the_version_that_matches_it() -> None:
    rules = (
        a_rule(id="all"),
        a_rule(id="startups", who=Selector(access_class=(AccessClass.STARTUP,))),
        a_rule(id="elsewhere", where=Scope(centres=("C-TWO",))),
    )
    book = Rulebook({"A": (Version(number=1, agreement=an_agreement(*rules)),)})
    # Midnight in Hanoi is 17:00 of UTC: one window ends there, and another begins.
    before, after = Span(local(11, 1), local(11, 26)), Span(local(11, 26), local(12, 1))
    counters = [
        Counter(term=term, scope_key="", window=window) for term in book.terms["A"] for window in (before, after)
    ]
    # 25 November, 22:00 to 27 November, 08:00 in Hanoi: 15:00 of the 25th to 01:00 of the 27th in UTC.
    use = a_use(local(11, 25, 22), 34)
    piece = Piece(Party.of(use), *minutes_of(use.span))
    found = {
        (key.rule_id, key.window_start): days
        for key, days in matched_by_day(book, seated(counters), [piece, piece]).items()
    }
    assert found == {
        ("all", before.start): {DAY: 2 * 120},
        ("all", after.start): {DAY: 2 * 420, DAY + 1: 2 * 1440, DAY + 2: 2 * 60},
    }


def test_what_a_trial_makes_of_a_rule_counts_in_its_own_time_alone() -> None:
    """From the 26th on the trial's rule counts startups as well; the signed one never does."""
    signed = a_rule(id="R", who=Selector(access_class=(AccessClass.INDUSTRY,)))
    wider = a_rule(id="R", who=Selector(access_class=(AccessClass.INDUSTRY, AccessClass.STARTUP)))
    overlay = an_overlay(Change(agreement="A", replace=wider))
    border, end = local(11, 26), local(12, 1)
    holding = Holding(overlay=overlay, spans=(Span(border, end),))
    book = Rulebook({"A": (Version(number=1, agreement=an_agreement(signed)),)}, [holding])
    windows = [Span(local(11, 1), border), Span(border, end)]
    counters = [
        Counter(term=term, scope_key="", window=window)
        for term in book.terms["A"]
        for window in windows
        if any(force.start <= window.start < force.end for force in term.spans)
    ]
    assert len(counters) == 2
    use = msgspec.structs.replace(a_use(local(11, 25, 23), 2), access_class=AccessClass.STARTUP)
    piece = Piece(Party.of(use), *minutes_of(use.span))
    # An hour before midnight of Hanoi and an hour after it.
    days = matched_by_day(book, seated(counters), [piece])
    assert {key.window_start: sum(minutes.values()) for key, minutes in days.items()} == {border: 60}
