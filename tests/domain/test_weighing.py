"""A hard cap and a hard floor refuse exactly what would break them, and say no more than the reader may know."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from fractions import Fraction
from typing import Any

from labshare.domain.agreements import Balance, Kind, Scope, Selector, ShareRule, Strictness, Use, Version, terms
from labshare.domain.bases import Base
from labshare.domain.projects import AccessClass, Activity
from labshare.domain.weighing import Insight, Shift, refusal, refuses, shifts, summed, told_once, warning, warns
from labshare.domain.windows import Window
from tests.domain.test_agreements import a_rule, a_use, an_agreement, local

NOW = local(11, 2, 8)
INDUSTRY = Selector(access_class=(AccessClass.INDUSTRY,))
PUBLIC = Selector(access_class=(AccessClass.PUBLIC_RESEARCH,))
# 100 hours of allocable time in the quarter.
BASE = 6000


def the_shifts(rule: ShareRule, added: Sequence[Use], removed: Sequence[Use] = ()) -> list[Shift]:
    return shifts(terms([Version(number=1, agreement=an_agreement(rule))]), added, removed, NOW)


def balance_of(shift: Shift, matched: int, total: int) -> Balance:
    return Balance(
        **shift.counter.key._asdict(),
        window_end=shift.counter.window.end,
        base_minutes=BASE,
        matched_minutes=matched,
        total_minutes=total,
    )


def is_refused(rule: ShareRule, added: Sequence[Use], removed: Sequence[Use] = (), *, matched: int, total: int) -> bool:
    return any(refuses(shift, balance_of(shift, matched, total)) for shift in the_shifts(rule, added, removed))


def public_use(start_day: int, hours: int, **changes: Any) -> Use:
    return a_use(
        local(11, start_day),
        hours,
        access_class=AccessClass.PUBLIC_RESEARCH,
        activity=Activity.NON_ECONOMIC,
        organisation_id="I-IMS",
        **changes,
    )


# ---------------------------------------------------------------- caps


def test_a_cap_holds_up_to_its_last_minute() -> None:
    # 20 % of 100 h = 20 h = 1,200 min; 960 are taken. Four hours fill it, and one hour more breaks it.
    rule = a_rule(who=INDUSTRY)
    assert not is_refused(rule, [a_use(local(11, 9), 4)], matched=960, total=960)
    assert is_refused(rule, [a_use(local(11, 9), 5)], matched=960, total=960)


def test_a_cap_lets_others_pass() -> None:
    assert the_shifts(a_rule(who=INDUSTRY), [public_use(9, 5)]) == []


def test_a_soft_cap_refuses_nobody() -> None:
    rule = a_rule(who=INDUSTRY, strict=Strictness.SOFT, penalty=5)
    assert not is_refused(rule, [a_use(local(11, 9), 5)], matched=1200, total=1200)


def test_a_move_is_judged_with_its_old_minutes_taken_out() -> None:
    # Full at 1,200 min, of which 240 are the old ones: 4 h may move, 5 h may not.
    old = a_use(local(11, 9), 4)
    assert not is_refused(a_rule(who=INDUSTRY), [a_use(local(11, 10), 4)], [old], matched=1200, total=1200)
    assert is_refused(a_rule(who=INDUSTRY), [a_use(local(11, 10), 5)], [old], matched=1200, total=1200)


def test_two_changes_do_together_what_both_do_at_once() -> None:
    # The institute books four hours that a floor of the company still keeps, of which it gave two back before.
    floor = a_rule(kind=Kind.FLOOR, who=INDUSTRY, release_hours=24)
    earlier, later = public_use(9, 4), public_use(14, 2)
    (first,) = the_shifts(floor, [], [later])
    (second,) = the_shifts(floor, [earlier])
    both = summed(first, second)
    assert both == summed(second, first)
    assert (both.matched, both.total, both.bound, both.freed) == (0, 120, 240, 120)
    assert [both] == the_shifts(floor, [earlier], [later])
    assert summed(None, first) == first
    # Two hours and three of one day on the same balance: five hours of that day.
    cap = a_rule(who=INDUSTRY)
    (two,), (three,) = (the_shifts(cap, [a_use(local(11, 9, hour), hours)]) for hour, hours in ((9, 2), (13, 3)))
    assert list(summed(two, three).days.values()) == [300]


def test_less_is_never_refused_even_over_the_limit() -> None:
    old = a_use(local(11, 9), 4)
    assert not is_refused(a_rule(who=INDUSTRY), [a_use(local(11, 9), 3)], [old], matched=3000, total=3000)


def test_a_use_across_a_border_is_refused_by_the_window_that_is_full() -> None:
    # Saturday 31 October 20:00 to Sunday 02:00: 4 h of October, which is full, and 2 h of November, which is empty.
    found = the_shifts(a_rule(who=INDUSTRY, window=Window.MONTH), [a_use(local(10, 31, 20), 6)])
    assert [(shift.counter.window.start, shift.matched) for shift in found] == [
        (local(10, 1), 240),
        (local(11, 1), 120),
    ]
    october, november = found
    assert refuses(october, balance_of(october, 1200, 1200))
    assert not refuses(november, balance_of(november, 0, 0))


# ---------------------------------------------------------------- floors


def floor(**changes: Any) -> ShareRule:
    # 60 % of 100 h = 3,600 min are kept for public research: others may have 2,400 min.
    return a_rule(kind=Kind.FLOOR, share=Fraction(3, 5), who=PUBLIC, **changes)


def test_others_stop_where_a_floor_would_become_unreachable() -> None:
    # Others have 2,160 min: four hours more leave exactly 3,600 reachable, five hours leave 3,540.
    assert not is_refused(floor(), [a_use(local(11, 9), 4)], matched=600, total=2760)
    assert is_refused(floor(), [a_use(local(11, 9), 5)], matched=600, total=2760)


def test_a_floor_never_refuses_those_it_is_for() -> None:
    assert not is_refused(floor(), [public_use(9, 8)], matched=3600, total=6000)


def test_unclaimed_time_of_a_floor_is_given_back_at_its_release() -> None:
    # Released 168 h ahead. Now is 2 November 08:00: what starts by 9 November 08:00 is free, a minute later is kept.
    rule = floor(release_hours=168)
    free = a_use(NOW + timedelta(hours=168), 5)
    kept = a_use(NOW + timedelta(hours=168, minutes=1), 5)
    assert not is_refused(rule, [free], matched=0, total=2400)
    assert is_refused(rule, [kept], matched=0, total=2400)


def test_released_time_cannot_be_moved_into_kept_time() -> None:
    rule = floor(release_hours=168)
    old, new = a_use(NOW + timedelta(hours=24), 4), a_use(NOW + timedelta(hours=400), 4)
    assert is_refused(rule, [new], [old], matched=0, total=2700)
    # The same move inside kept time takes nothing more from the floor.
    kept = a_use(NOW + timedelta(hours=300), 4)
    assert not is_refused(rule, [new], [kept], matched=0, total=2700)


def test_a_floor_elsewhere_does_not_concern_a_booking_here() -> None:
    assert the_shifts(floor(where=Scope(centres=("C-TWO",))), [a_use(local(11, 9), 5)]) == []


# ---------------------------------------------------------------- words


def test_who_may_know_reads_which_rule_refuses_and_what_is_left() -> None:
    rule = a_rule(who=INDUSTRY, sentence_vi="Tối đa 20 %.", sentence_en="At most 20 %.")
    (shift,) = the_shifts(rule, [a_use(local(11, 9), 5)])
    balance = balance_of(shift, 960, 960)
    told = refusal(shift, balance, Insight.FIGURES)
    assert told.code == "agreement_cap"
    # 1,200 - 960 = 240 min are left of the quarter, which ends with 31 December: 1 January, 00:00 = 17:00 UTC.
    assert told.params == {
        "agreement": "A",
        "rule": "R",
        "sentence_vi": "Tối đa 20 %.",
        "sentence_en": "At most 20 %.",
        "window": "quarter",
        "limit_minutes": 1200,
        "left_minutes": 240,
        "wish_minutes": 300,
        "until": "2026-12-31T17:00:00+00:00",
    }
    # What is left tells what everybody else has taken: a party that shares the cap with others is not told.
    told = refusal(shift, balance, Insight.CLAUSE)
    assert told.code == "agreement_cap_clause"
    assert {name for name in told.params if name.endswith("minutes")} == set()
    assert told.params["sentence_en"] == "At most 20 %."


def test_others_learn_when_and_never_for_whom() -> None:
    (shift,) = the_shifts(floor(release_hours=72), [a_use(local(11, 20, 9), 5)])
    told = refusal(shift, balance_of(shift, 600, 2760), Insight.NOTHING)
    assert told.code == "agreement_floor_private"
    # 72 h before 20 November, 09:00 is 17 November, 09:00 in Ho Chi Minh City.
    assert told.params == {"until": "2026-11-17T02:00:00+00:00"}


def test_of_the_runs_of_days_that_a_use_breaks_only_the_last_is_told() -> None:
    found = the_shifts(a_rule(who=INDUSTRY, window=Window.ROLLING, days=3), [a_use(local(11, 9, 8), 4)])
    assert [shift.counter.window.start for shift in found] == [local(11, day) for day in (7, 8, 9)]
    assert told_once(found) == [found[-1]]
    # Windows that do not overlap are told each.
    split = the_shifts(a_rule(who=INDUSTRY, window=Window.MONTH), [a_use(local(10, 31, 20), 6)])
    assert told_once(split) == split


def test_a_moving_share_warns_whoever_it_does_not_hold_for() -> None:
    cap, lower = a_rule(who=INDUSTRY, base=Base.BOOKED), floor(base=Base.BOOKED)
    (of_cap,), (of_floor,) = (the_shifts(rule, [a_use(local(11, 9), 4)]) for rule in (cap, lower))
    # 20 % of 6,000 is 1,200; the cap's count holds the use already.
    assert not warns(of_cap, balance_of(of_cap, 1200, 6000))
    assert warns(of_cap, balance_of(of_cap, 1201, 6000))
    # 60 % is 3,600, which whoever is not counted keeps from being reached.
    assert not warns(of_floor, balance_of(of_floor, 3600, 6000))
    assert warns(of_floor, balance_of(of_floor, 3599, 6000))
    told = warning(of_cap, balance_of(of_cap, 1201, 6000), Insight.FIGURES)
    assert (told.params["limit_minutes"], told.params["taken_minutes"]) == (1200, 1201)
    assert warning(of_cap, balance_of(of_cap, 1201, 6000), Insight.NOTHING).params == {}
