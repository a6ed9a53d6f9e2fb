"""A share rule counts the right minutes, and measures them exactly. Worked numbers: 780 h open, 680 h allocable."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any

import msgspec
import pytest

from labshare.domain.agreements import (
    Agreement,
    Kind,
    Level,
    Scope,
    Selector,
    ShareRule,
    Term,
    Usage,
    Use,
    Version,
    covers,
    effective_span,
    limit,
    matches,
    measure,
    rule_windows,
    scope_key,
    terms,
)
from labshare.domain.projects import AccessClass, Activity
from labshare.domain.timespan import Span
from labshare.domain.windows import Window

ALLOCABLE = 680 * 60


def a_rule(**changes: Any) -> ShareRule:
    values: dict[str, Any] = {"id": "R", "kind": Kind.CAP, "window": Window.QUARTER, "share": Fraction(1, 5)}
    return ShareRule(**(values | changes))


def an_agreement(*rules: ShareRule, **changes: Any) -> Agreement:
    values: dict[str, Any] = {
        "format": "labshare-agreement/1",
        "id": "A",
        "title_vi": "Thỏa thuận",
        "title_en": "Agreement",
        "parties": ("I-IMS", "O-CO"),
        "effective_from": date(2026, 1, 1),
        "rules": rules,
    }
    return Agreement(**(values | changes))


def local(month: int, day: int, hour: int = 0) -> datetime:
    """2026 in Ho Chi Minh City, UTC+7."""
    return datetime(2026, month, day, hour, tzinfo=UTC) - timedelta(hours=7)


def a_use(start: datetime, hours: int, **changes: Any) -> Use:
    values: dict[str, Any] = {
        "organisation_id": "O-CO",
        "access_class": AccessClass.INDUSTRY,
        "activity": Activity.ECONOMIC,
        "instrument_number": 1,
        "instrument_id": "N001",
        "centre_id": "C-ONE",
        "span": Span(start, start + timedelta(hours=hours)),
    }
    return Use(**(values | changes))


# ---------------------------------------------------------------- who and where


@pytest.mark.parametrize(
    ("selector", "is_counted"),
    [
        (Selector(), True),
        (Selector(access_class=(AccessClass.STARTUP, AccessClass.INDUSTRY)), True),
        (Selector(access_class=(AccessClass.PARTNER,)), False),
        (Selector(activity=(Activity.ECONOMIC,), organisation=("O-CO",)), True),
        # Every key that is given must match: the activity does, the organisation does not.
        (Selector(activity=(Activity.ECONOMIC,), organisation=("I-IMS",)), False),
        (Selector(project=("P-1", "P-2")), True),
        (Selector(project=("P-2",)), False),
        (Selector(programme=("state",)), True),
        (Selector(programme=("P-1",)), False),
        (Selector(outside=True), True),
    ],
)
def test_a_selector_counts_who_matches_every_key(selector: Selector, is_counted: bool) -> None:
    use = a_use(local(11, 2), 1, project_code="P-1", programme="state")
    assert matches(selector, use) is is_counted
    # R19: whoever comes from the host of the centre is no outsider there.
    assert matches(selector, msgspec.structs.replace(use, is_outside=False)) is (is_counted and not selector.outside)


def test_a_scope_is_instruments_or_centres_or_the_network() -> None:
    use = a_use(local(11, 2), 1)
    assert covers(Scope(), use)
    assert covers(Scope(centres=("C-TWO", "C-ONE")), use)
    assert not covers(Scope(centres=("C-TWO",)), use)
    assert covers(Scope(instruments=("N001",)), use)
    assert not covers(Scope(instruments=("N002",)), use)


def test_the_level_names_the_denominator() -> None:
    use = a_use(local(11, 2), 1)
    keys = [scope_key(a_rule(level=level), use) for level in (Level.INSTRUMENT, Level.CENTRE, Level.SCOPE)]
    assert keys == ["N001", "C-ONE", ""]


# ---------------------------------------------------------------- measuring


def test_a_share_of_allocable_time_is_exact() -> None:
    # R01: 60 % of 680 h = 408 h.  R02: 20 % of 4 x 680 = 2,720 h is 544 h.  R03: 16 % of 680 h = 108.8 h = 6,528 min.
    assert limit(a_rule(share=Fraction(3, 5)), ALLOCABLE) == 408 * 60
    assert limit(a_rule(share=Fraction(1, 5)), 4 * ALLOCABLE) == 544 * 60
    assert limit(a_rule(share=Fraction(16, 100)), ALLOCABLE) == 6528
    # R18: 8 % of 680 h = 54.4 h = 3,264 min.  R19: 30 % = 204 h.  R07: a third of 600 shifts of 8 h is 1,600 h.
    assert limit(a_rule(share=Fraction(8, 100)), ALLOCABLE) == 3264
    assert limit(a_rule(share=Fraction(3, 10)), ALLOCABLE) == 204 * 60
    assert limit(a_rule(share=Fraction(1, 3)), 600 * 8 * 60) == 1600 * 60
    # Nothing is rounded: a third of 100 minutes.
    assert limit(a_rule(share=Fraction(1, 3)), 100) == Fraction(100, 3)


def test_plain_minutes_need_no_base() -> None:
    assert limit(a_rule(share=None, minutes=7200), ALLOCABLE) == 7200


def test_a_cap_counts_everything_that_is_booked() -> None:
    # 20 % of 680 h = 136 h; 60 h used and 50 h to come, of which 10 h are only held: 136 - 60 - 50 = 26 h are left.
    usage = Usage(base_minutes=ALLOCABLE, used=3600, committed=3000, firm=2400)
    found = measure(a_rule(), usage)
    assert (found.limit, found.used, found.committed, found.slack) == (8160, 3600, 3000, 1560)
    assert not found.is_broken


def test_a_hold_never_satisfies_a_floor() -> None:
    # 60 % of 680 h = 408 h. Used 300 h, confirmed 100 h, held 20 h: the hold does not count, so 8 h are missing.
    usage = Usage(base_minutes=ALLOCABLE, used=300 * 60, committed=120 * 60, firm=100 * 60)
    found = measure(a_rule(kind=Kind.FLOOR, share=Fraction(3, 5)), usage)
    assert found.slack == -8 * 60
    assert found.is_broken


# ---------------------------------------------------------------- versions and windows


def test_a_use_across_a_border_is_split_by_the_minute() -> None:
    # From 30 September 20:00 to 1 October 02:00: four hours in the third quarter, two in the fourth.
    (term,) = terms([Version(number=1, agreement=an_agreement(a_rule()))])
    use = a_use(local(9, 30, 20), 6)
    parts = list(rule_windows(term, use.span))
    assert [(window.start, part.minutes) for window, part in parts] == [(local(7, 1), 240), (local(10, 1), 120)]


def test_a_window_is_cut_to_the_days_in_force() -> None:
    agreement = an_agreement(a_rule(), effective_from=date(2026, 2, 15), effective_until=date(2026, 3, 10))
    (term,) = terms([Version(number=1, agreement=agreement)])
    year = Span(local(1, 1), local(12, 31))
    # The last day is in force to its end.
    assert [window for window, _ in rule_windows(term, year)] == [Span(local(2, 15), local(3, 11))]


def test_a_newer_version_replaces_an_older_one_from_its_first_day() -> None:
    old = Version(number=1, agreement=an_agreement(a_rule()))
    new = Version(number=2, agreement=an_agreement(a_rule(share=Fraction(1, 4)), effective_from=date(2026, 10, 1)))
    found = {term.version: term for term in terms([old, new])}
    assert found[1].spans == (Span(local(1, 1), local(10, 1)),)
    assert found[2].spans == (effective_span(new.agreement),)
    assert found[2].rule.share == Fraction(1, 4)


def test_a_version_that_is_wholly_replaced_has_no_terms() -> None:
    old = Version(number=1, agreement=an_agreement(a_rule()))
    new = Version(number=2, agreement=an_agreement(a_rule(share=Fraction(1, 4))))
    found: list[Term] = terms([old, new])
    assert [term.version for term in found] == [2]
