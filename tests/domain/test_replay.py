"""Who gains and who loses between two plans, what may be noise, and what a partner may see of it. Worked by hand.

One hour is one slot of 60 minutes. Everybody's cheapest slot is worth 100 unless said otherwise.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from labshare.domain.agreements import Kind
from labshare.domain.replay import (
    Comparison,
    Count,
    Replayed,
    Row,
    RuleRow,
    Served,
    Side,
    Want,
    compared,
    compared_for,
    margin,
    period_span,
    rule_rows,
)
from labshare.domain.timespan import Span
from labshare.errors import Malformed

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
WEEK = Span(datetime(2026, 11, 15, 17, 0, tzinfo=UTC), datetime(2026, 11, 22, 17, 0, tzinfo=UTC))
# Whose hours: (organisation, access class, hours wanted, hours before, hours after).
Given = tuple[str, str, int, int, int]


def side(hours: int) -> Side:
    return Side(objective=100 * hours, bound=100 * hours, gap=0.0, status="optimal", sessions=hours, minutes=60 * hours)


def replayed(*given: Given, gaps: int = 0, worth: int = 100, rules: tuple[RuleRow, ...] = (), **plain: Any) -> Replayed:
    """October. Each wanted hour is a request of its own, of which the first so many are served, all at C-ONE."""
    wants: list[Want] = []
    served: tuple[list[Served], list[Served]] = ([], [])
    for organisation_id, access_class, wanted, *hours in given:
        mine = [_want(organisation_id, access_class, worth) for _ in range(wanted)]
        wants += mine
        for place, count in enumerate(hours):
            served[place].extend(Served(want=want, centre_id="C-ONE", minutes=60) for want in mine[:count])
    values: dict[str, Any] = {
        "sandbox_id": "SBX", "title_vi": "Thử nghiệm", "title_en": "Trial", "centres": ("C-ONE",),
        "first": date(2026, 10, 1), "last": date(2026, 10, 31), "freedom_days": 3, "slot_minutes": 60, "seed": 1,
        "budget": "100 steps", "uses": len(wants), "requests": 0, "without_place": 0, "before": side(len(served[0])),
        "after": side(len(served[1])), "organisations": (), "access_classes": (), "by_centre": (), "rules": rules,
    }  # fmt: skip
    return Replayed(
        plain=Comparison(**(values | plain)),
        gaps=gaps,
        wants=tuple(wants),
        before=tuple(served[0]),
        after=tuple(served[1]),
    )


def _want(organisation_id: str, access_class: str, worth: int) -> Want:
    return Want(
        id=uuid4(), organisation_id=organisation_id, access_class=access_class, centre_ids=frozenset({"C-ONE"}),
        minutes=60, worth=worth,
    )  # fmt: skip


def hours(rows: tuple[Row, ...]) -> dict[str, tuple[float, float, float, float]]:
    return {row.key: (row.wanted / 60, row.before / 60, row.after / 60, row.difference / 60) for row in rows}


# ---------------------------------------------------------------- the period


def test_a_period_is_whole_days_in_hanoi() -> None:
    assert period_span(date(2026, 11, 16), date(2026, 11, 22), NOW) == WEEK


@pytest.mark.parametrize(
    ("first", "last", "code"),
    [
        (date(2026, 11, 17), date(2026, 11, 16), "replay_dates_reversed"),
        (date(2026, 11, 22), date(2026, 11, 23), "replay_not_over"),
        (date(2026, 5, 1), date(2026, 11, 1), "replay_period_too_long"),
    ],
)
def test_a_period_that_cannot_be_replayed_is_refused(first: date, last: date, code: str) -> None:
    """From 1 May to 1 November are 185 days, one more than 184."""
    with pytest.raises(Malformed) as raised:
        period_span(first, last, NOW)
    assert raised.value.code == code


def test_the_last_minute_of_the_last_day_ends_it() -> None:
    midnight = datetime(2026, 11, 22, 17, 0, tzinfo=UTC)
    assert period_span(date(2026, 11, 16), date(2026, 11, 22), midnight).end == midnight
    with pytest.raises(Malformed):
        period_span(date(2026, 11, 16), date(2026, 11, 22), midnight - timedelta(minutes=1))


# ---------------------------------------------------------------- gains and losses


def test_each_hour_is_told_by_organisation_class_and_centre() -> None:
    """A company goes from 10 to 16 of its 20 hours, an institute from 30 of 30 to 28: 40 hours become 44.

    The company's share grows from 10/40 to 16/44, which is 4/11.
    """
    found = compared(replayed(("O-CO", "industry", 20, 10, 16), ("I-IMS", "public_research", 30, 30, 28)))
    assert hours(found.organisations) == {"I-IMS": (30, 30, 28, -2), "O-CO": (20, 10, 16, 6)}
    assert hours(found.access_classes) == {"industry": (20, 10, 16, 6), "public_research": (30, 30, 28, -2)}
    assert hours(found.by_centre) == {"C-ONE": (50, 40, 44, 4)}
    company = found.organisations[1]
    assert (company.share_before, company.share_after) == (Fraction(1, 4), Fraction(4, 11))


def test_a_difference_that_the_gaps_could_have_made_may_be_noise() -> None:
    """Both gaps leave 250 units open. A slot of 100 can be had for it twice: up to two hours are noise, three are not.

    Nothing is said of who neither gains nor loses.
    """
    given = (("A", "industry", 9, 4, 6), ("B", "industry", 9, 4, 7), ("C", "industry", 9, 4, 2), ("D", "x", 9, 4, 4))
    found = compared(replayed(*given, gaps=250))
    assert {row.key: (row.margin, row.may_be_noise) for row in found.organisations} == {
        "A": (120, True),
        "B": (120, False),
        "C": (120, True),
        "D": (120, False),
    }


def test_without_a_gap_every_difference_is_an_effect() -> None:
    found = compared(replayed(("A", "industry", 9, 4, 5), gaps=99))
    assert [(row.margin, row.may_be_noise) for row in found.organisations] == [(0, False)]


def test_the_cheapest_hours_are_the_first_that_a_gap_could_move() -> None:
    """Two hours are worth 50 each and three 1,000 each. 49 units move nothing, 50 one hour, 1,099 the two cheap ones,
    1,100 one more; and all five are the most there is.
    """
    wants = [*replayed(("A", "x", 3, 0, 0), worth=1000).wants, *replayed(("A", "x", 2, 0, 0), worth=50).wants]
    hours_moved = {gaps: margin(gaps, wants, 60) / 60 for gaps in (49, 50, 1099, 1100, 10**9)}
    assert hours_moved == {49: 0, 50: 1, 1099: 2, 1100: 3, 10**9: 5}


def test_a_slot_that_is_not_used_up_costs_the_whole_slot() -> None:
    """A use of 90 minutes takes two slots of 60, worth 100 each: 199 units move one slot of it, 200 all 90 minutes."""
    (want,) = replayed(("A", "x", 1, 0, 0)).wants
    longer = [msgspec.structs.replace(want, minutes=90)]
    assert [margin(gaps, longer, 60) for gaps in (99, 199, 200)] == [0, 60, 90]


# ---------------------------------------------------------------- rules side by side


def a_rule_row(rule_id: str, **changes: Any) -> RuleRow:
    values: dict[str, Any] = {
        "agreement_id": "A", "parties": frozenset({"I-IMS", "O-CO"}), "organisations": frozenset[str](),
        "rule_id": rule_id, "kind": Kind.CAP, "scope_key": "", "window": WEEK, "sentence_vi": "vi",
        "sentence_en": "en", "before": None, "after": None,
    }  # fmt: skip
    return RuleRow(**(values | changes))


def a_count(limit: int, counted: int | None) -> Count:
    return Count(limit=Fraction(limit), counted=counted)


def test_rules_of_both_sets_stand_side_by_side_and_the_new_sentence_is_told() -> None:
    before = {("A", "cap"): a_rule_row("cap", before=a_count(600, 600)), ("A", "gone"): a_rule_row("gone")}
    after = {
        ("A", "cap"): a_rule_row("cap", after=a_count(900, 700), sentence_en="lifted"),
        ("A", "new"): a_rule_row("new", after=a_count(60, 0)),
    }
    cap, gone, new = rule_rows(before, after)
    assert (cap.before, cap.after, cap.sentence_en) == (a_count(600, 600), a_count(900, 700), "lifted")
    assert (gone.rule_id, gone.after) == ("gone", None)
    assert (new.rule_id, new.before, new.after) == ("new", None, a_count(60, 0))


# ---------------------------------------------------------------- what a partner may see

FOUR = (
    ("OWN", "partner", 10, 5, 7),
    ("B", "industry", 10, 5, 4),
    ("C", "industry", 10, 5, 4),
    ("D", "industry", 10, 5, 5),
)


def test_a_partner_sees_its_own_row_and_three_others_as_one_sum() -> None:
    found = compared_for(replayed(*FOUR, gaps=100), {"OWN"})
    assert found.is_masked
    assert not found.withheld
    assert hours(found.organisations) == {"OWN": (10, 5, 7, 2), "": (30, 15, 13, -2)}
    assert found.organisations[-1].parties == 3
    assert hours(found.access_classes) == {"industry": (30, 15, 13, -2)}
    # What the margin says of others follows from what they have used of late.
    assert [row.margin for row in (*found.organisations, *found.access_classes)] == [60, None, None]
    assert found.by_centre == ()


def test_of_two_others_nothing_is_told_not_even_in_a_sum() -> None:
    """With the total, or with its share of it, the partner would have theirs by subtracting."""
    found = compared_for(replayed(*FOUR[:3]), {"OWN"})
    assert found.withheld
    assert hours(found.organisations) == {"OWN": (10, 5, 7, 2)}
    assert (found.organisations[0].share_before, found.organisations[0].share_after) == (None, None)
    assert found.access_classes == ()
    for each in (found.before, found.after):
        assert (each.objective, each.bound, each.sessions, each.minutes) == (None, None, None, None)
    assert (found.uses, found.requests, found.without_place) == (0, 0, 0)
    for other in ("B", "C"):
        assert f'"{other}"' not in msgspec.json.encode(found.organisations, enc_hook=str).decode()


def test_classes_of_fewer_than_three_are_told_as_one() -> None:
    """Two startups and one school are three parties together; three companies are a class of their own."""
    given = (*FOUR, ("E", "startup", 4, 2, 1), ("F", "startup", 4, 2, 1), ("G", "education", 4, 2, 4))
    found = compared_for(replayed(*given), {"OWN"})
    assert hours(found.access_classes) == {"industry": (30, 15, 13, -2), "": (12, 6, 6, 0)}
    assert [row.parties for row in found.access_classes] == [3, 3]


def test_a_partner_sees_figures_of_rules_that_count_it_alone_and_limits_of_its_agreements() -> None:
    counts = {"before": a_count(600, 500), "after": a_count(900, 700)}
    own = a_rule_row("own", organisations=frozenset({"OWN"}), parties=frozenset({"OWN"}), **counts)
    shared = a_rule_row("shared", parties=frozenset({"OWN", "B"}), **counts)
    foreign = a_rule_row("foreign", organisations=frozenset({"B"}), parties=frozenset({"B"}), **counts)
    found = compared_for(replayed(*FOUR, rules=(own, shared, foreign)), {"OWN"})
    assert [row.rule_id for row in found.rules] == ["own", "shared"]
    assert found.rules[0] == own
    assert (found.rules[1].before, found.rules[1].after) == (a_count(600, None), a_count(900, None))


def test_a_partner_reads_of_no_share_whose_limit_tells_what_others_took() -> None:
    counts = {"before": a_count(600, 500), "after": a_count(900, 700)}
    names = {"organisations": frozenset({"OWN"}), "parties": frozenset({"OWN"})}
    moving = a_rule_row("moving", is_moving=True, **names, **counts)
    assert compared_for(replayed(*FOUR, rules=(moving,)), {"OWN"}).rules == ()


def test_where_nobody_else_asked_there_is_nothing_to_hide() -> None:
    found = compared_for(replayed(("OWN", "partner", 10, 5, 7)), {"OWN"})
    assert not found.withheld
    assert found.organisations[0].share_after == 1


@pytest.mark.parametrize(
    "days",
    [
        {"first": date(2026, 10, 1), "last": date(2026, 10, 30)},
        {"first": date(2026, 10, 2), "last": date(2026, 10, 31)},
        {"first": date(2026, 9, 1), "last": date(2026, 10, 31)},
    ],
    ids=["a day less", "a day later", "two months"],
)
def test_others_are_told_of_one_whole_month_only(days: dict[str, Any]) -> None:
    """Two periods that differ by a day would tell of that day by subtracting one sum from the other."""
    found = compared_for(replayed(*FOUR, **days), {"OWN"})
    assert found.withheld
    assert hours(found.organisations) == {"OWN": (10, 5, 7, 2)}
    assert found.access_classes == ()


def test_a_centre_with_two_others_keeps_the_sum_of_both_centres_to_itself() -> None:
    """Else a sandbox of both centres less one of C-ONE alone would tell of the two at C-TWO. Three there may be told,
    but not by class.
    """
    here = replayed(*FOUR, centres=("C-ONE", "C-TWO"))
    there = [
        msgspec.structs.replace(want, centre_ids=frozenset({"C-TWO"}), organisation_id=organisation_id)
        for want, organisation_id in zip(here.wants, ("E", "F", "G"), strict=False)
    ]
    two = msgspec.structs.replace(here, wants=(*here.wants, *there[:2]))
    assert compared_for(two, {"OWN"}).withheld
    three = compared_for(msgspec.structs.replace(here, wants=(*here.wants, *there)), {"OWN"})
    assert (three.withheld, three.organisations[-1].parties, three.access_classes) == (False, 6, ())
