"""What the booking rules of a centre say of one wish, by hand and for any numbers."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labshare.domain.booking_rules import (
    CutOff,
    DatedHours,
    Holder,
    LockWindow,
    MostMinutes,
    Overnight,
    Posted,
    ShortNotice,
)
from labshare.domain.bookings import Context, Wish
from labshare.domain.house_rules import (
    HouseRules,
    not_locked,
    not_too_late,
    reason_of,
    within_hours,
    within_limits,
)
from labshare.domain.opening import parse_opening
from labshare.domain.timespan import MINUTE, Span
from labshare.errors import Malformed
from tests.domain.test_booking_rules import posted
from tests.domain.test_bookings import FESEM
from tests.furniture import NOW, at, span

MOST = posted(MostMinutes(holder=Holder.PERSON, most_minutes=600))
OPEN = msgspec.structs.replace(FESEM, opening=parse_opening("Mon-Fri 08:00-18:00"), spans_closed_hours=False)


def known(*rules: Posted, **house: Any) -> Context:
    return Context(now=NOW, rules=OPEN, house=HouseRules(rules=rules, **house))


def wish(when: Span, **more: Any) -> Wish:
    return Wish(instrument_number=1, span=when, **more)


@given(taken=st.integers(0, 900), wished=st.integers(1, 900), freed=st.integers(0, 900))
def test_a_limit_refuses_exactly_what_goes_over_it_and_adds_to_it(taken: int, wished: int, freed: int) -> None:
    start = at(25, 8)
    context = known(MOST, taken={MOST.id: taken}, freed={MOST.id: freed})
    refused = within_limits(wish(Span(start, start + wished * MINUTE)), context)
    assert bool(refused) is (taken + wished > 600 and wished > freed)


@given(hours=st.integers(1, 48), ahead=st.integers(0, 60 * 48))
def test_limits_do_not_count_exactly_within_the_hours_of_short_notice(hours: int, ahead: int) -> None:
    context = known(MOST, posted(ShortNotice(hours=hours)), taken={MOST.id: 600})
    start = NOW + ahead * MINUTE
    refused = within_limits(wish(Span(start, start + MINUTE)), context)
    assert bool(refused) is (ahead > 60 * hours)


@pytest.mark.parametrize(("ahead", "codes"), [(239, ["rule_cut_off"]), (240, []), (-1, [])])
def test_the_longest_cut_off_counts_to_the_minute(ahead: int, codes: list[str]) -> None:
    """Four hours are 240 minutes; what is over already is refused as that."""
    context = known(posted(CutOff(hours=4)), posted(CutOff(hours=1)))
    start = NOW + ahead * MINUTE
    assert [each.code for each in not_too_late(wish(Span(start, start + MINUTE)), context)] == codes


def test_a_lock_ends_as_many_hours_before_the_start() -> None:
    rules = (posted(LockWindow(hours=4)), posted(LockWindow(hours=1)))
    assert not_locked(rules, NOW + timedelta(hours=4), NOW) == ()
    assert [each.params for each in not_locked(rules, NOW + timedelta(minutes=239), NOW)] == [{"hours": 4}]
    assert not_locked((), NOW, NOW) == ()


@pytest.mark.parametrize(
    ("when", "level", "override", "codes"),
    [
        (span(25, 16, 18), 0, "", []),
        (span(25, 16, 19), 1, "", ["rule_overnight"]),
        (span(25, 16, 19), 2, "", []),
        (span(25, 16, 19), 1, "for a reason", ["rule_overnight"]),
        (span(26, 8, 10), 2, "", ["closed_on_date"]),
        (span(26, 8, 10), 0, "for a reason", []),
        # From Wednesday's evening into the closed Thursday.
        (span(25, 17, 30), 2, "", ["closed_on_date"]),
        (span(25, 17, 30), 2, "for a reason", []),
        # Over Thursday, and not into it.
        (span(25, 17, 50), 2, "", []),
    ],
)
def test_hours_are_opened_by_a_level_and_closed_by_a_date(
    when: Span, level: int, override: str, codes: list[str]
) -> None:
    """Thursday 26 is closed by a rule; another opens the closed hours to level 2."""
    thursday = posted(DatedHours(name="Power cut", first=date(2026, 11, 26), last=date(2026, 11, 26)))
    context = known(thursday, posted(Overnight(level=2)), level=level)
    assert [each.code for each in within_hours(wish(when, override=override), context)] == codes


def test_who_passes_the_rules_of_a_date_has_its_hours_and_the_usual_ones() -> None:
    """Saturday is open by a rule from eight to twelve; Thursday only from eighteen to twenty."""
    saturday = posted(DatedHours(name="Swap", first=date(2026, 11, 28), last=date(2026, 11, 28), hours="08:00-12:00"))
    thursday = posted(DatedHours(name="Late", first=date(2026, 11, 26), last=date(2026, 11, 26), hours="18:00-20:00"))
    context = known(saturday, thursday)
    assert within_hours(wish(span(28, 8, 12)), context) == within_hours(wish(span(26, 18, 20)), context) == ()
    (refusal,) = within_hours(wish(span(26, 17, 19)), context)
    assert (refusal.code, refusal.params["hours"]) == ("closed_on_date_hours", "18:00-20:00")
    assert within_hours(wish(span(26, 17, 19), override="for a reason"), context) == ()
    assert [each.code for each in within_hours(wish(span(28, 13, 14)), context)] == ["closed_on_date_hours"]


def test_a_reason_opens_what_is_closed_unless_a_level_is_asked_for() -> None:
    """Saturday 28 is closed by the week. Where evenings ask for a level, no reason stands in for it."""
    saturday = span(28, 13, 14)
    assert [each.code for each in within_hours(wish(saturday), known())] == ["closed"]
    assert within_hours(wish(saturday, override="for a reason"), known()) == ()
    guarded = known(posted(Overnight(level=2)), level=1)
    assert [each.code for each in within_hours(wish(saturday, override="for a reason"), guarded)] == ["rule_overnight"]


def test_a_reason_is_three_words_in_one_line() -> None:
    assert reason_of(" The sample\n decays ") == "The sample decays"
    for text in ("", "too short", "a b " + "c" * 300):
        with pytest.raises(Malformed):
            reason_of(text)
