"""When a qualification ends, who is warned when, and what is refused with a trainer and without."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from labshare.domain.bookings import BookingKind, Neighbour
from labshare.domain.qualifications import (
    Demand,
    End,
    EndKind,
    Held,
    Level,
    ends,
    good_until,
    is_good,
    is_last,
    level_until,
    qualified,
    require_course_day,
    require_demand,
    require_level,
    require_other,
    require_until,
    told,
    trained,
)
from labshare.domain.timespan import Span
from labshare.errors import Malformed, WrongState
from tests.domain.test_bookings import FINE, NOW, WISH, local, span

ZONE = "Asia/Ho_Chi_Minh"
TRAINER = UUID(int=99)


def day(year: int, month: int, number: int) -> datetime:
    """Midnight in Hanoi, which is 17:00 of the day before in UTC."""
    return datetime(year, month, number, tzinfo=UTC) - timedelta(hours=7)


# Noon of 31 August 2026 in Hanoi.
GRANTED = day(2026, 8, 31) + timedelta(hours=12)


def held(**changes: Any) -> Held:
    values: dict[str, Any] = {"level": 1, "granted_at": GRANTED} | changes
    return Held(**values)


def kinds(found: list[End]) -> list[tuple[str, datetime]]:
    return [(each.kind.value, each.at) for each in found]


# ---------------------------------------------------------------- when it ends


def test_without_a_date_and_a_demand_it_has_no_end() -> None:
    assert ends(held(), Demand(), ZONE) == []
    assert good_until(held(), Demand(), ZONE) is None


def test_it_lapses_after_the_last_day_of_the_months_without_use() -> None:
    """Six months after 31 August is 28 February, which still counts; after a use of 10 October it is 10 April."""
    demand = Demand(lapse_months=6)
    assert kinds(ends(held(), demand, ZONE)) == [("not_used", day(2027, 3, 1))]
    used = held(last_used_at=day(2026, 10, 10) + timedelta(hours=9))
    assert kinds(ends(used, demand, ZONE)) == [("not_used", day(2027, 4, 11))]
    # A use from before it was granted anew renews nothing.
    assert kinds(ends(held(last_used_at=day(2026, 8, 1)), demand, ZONE)) == [("not_used", day(2027, 3, 1))]


def test_never_used_ends_sooner_and_one_use_is_enough() -> None:
    """30 days after 31 August is 30 September, which still counts."""
    demand = Demand(first_use_days=30, lapse_months=6)
    assert kinds(ends(held(), demand, ZONE)) == [("never_used", day(2026, 10, 1))]
    used = held(last_used_at=day(2026, 9, 2))
    assert kinds(ends(used, demand, ZONE)) == [("not_used", day(2027, 3, 3))]
    assert ends(used, Demand(first_use_days=30), ZONE) == []


def test_a_course_is_valid_for_its_months_and_the_first_end_counts() -> None:
    mine = held(expires_at=day(2027, 1, 1), course_on=date(2025, 11, 30))
    demand = Demand(course_months=12)
    assert kinds(ends(mine, demand, ZONE)) == [("course", day(2026, 12, 1)), ("expires", day(2027, 1, 1))]
    assert good_until(mine, demand, ZONE) == day(2026, 12, 1)
    assert good_until(mine, Demand(), ZONE) == day(2027, 1, 1)


def test_a_level_counts_until_the_end_and_not_without_the_course() -> None:
    mine = held(level=2, expires_at=day(2027, 1, 1))
    assert is_good(mine, Demand(), ZONE, day(2027, 1, 1), level=Level.OUTSIDE_HOURS)
    assert not is_good(mine, Demand(), ZONE, day(2027, 1, 1), level=Level.TRAINER)
    assert not is_good(mine, Demand(), ZONE, day(2027, 1, 1) + timedelta(minutes=1))
    assert level_until(mine, Demand(), ZONE, day(2026, 12, 1)) == 2
    assert level_until(mine, Demand(course_months=1), ZONE, day(2026, 12, 1)) == 0


def test_people_are_warned_a_month_before_or_half_way_through_a_short_time() -> None:
    long = End(day(2027, 1, 1), EndKind.EXPIRES, GRANTED)
    assert long.warned_from == day(2026, 12, 2)
    # 20 days are granted, so after 10.
    short = End(GRANTED + timedelta(days=20), EndKind.EXPIRES, GRANTED)
    assert short.warned_from == GRANTED + timedelta(days=10)


@pytest.mark.parametrize(
    ("ends_after", "code"),
    [(0, "qualification_last_use"), (119, "qualification_last_use"), (120, "qualification_ends"), (-1, "none")],
)
def test_the_last_use_that_fits_is_told_as_such(ends_after: int, code: str) -> None:
    """A use of 120 minutes: another one fits when the end is 120 minutes after it."""
    use = span(23, (9, 0), (11, 0))
    end = End(use.end + timedelta(minutes=ends_after), EndKind.EXPIRES, GRANTED)
    assert is_last(end, use) is (code == "qualification_last_use")
    said = told(end, use)
    assert (said.code if said and ends_after >= 0 else "none") == code


def test_nothing_is_told_while_the_end_is_far() -> None:
    assert told(End(day(2027, 3, 1), EndKind.EXPIRES, GRANTED), span(23, (9, 0), (11, 0))) is None


# ---------------------------------------------------------------- what is refused


def refused(demand: Demand | None = None, mine: Held | None = None, **wish: Any) -> list[tuple[str, dict[str, Any]]]:
    rules = msgspec.structs.replace(FINE.rules, demand=demand or Demand())
    context = msgspec.structs.replace(FINE, rules=rules, held=mine or held())
    asked = msgspec.structs.replace(WISH, **wish)
    return [(each.code, each.params) for each in qualified(asked, context)]


def test_what_has_lapsed_is_told_since_when_and_what_will_lapse_until_when() -> None:
    """30 days after 31 August ended with 30 September; of 85 days 24 November is the last."""
    never = {"qualification": "licence", "idle": "never_used"}
    assert refused(Demand(first_use_days=30)) == [
        ("qualification_lapsed", {**never, "until": day(2026, 10, 1).isoformat()})
    ]
    later = Span(local(25, 9), local(25, 11))
    assert refused(Demand(first_use_days=85), span=later) == [
        ("qualification_lapses", {**never, "until": day(2026, 11, 25).isoformat()})
    ]
    assert refused(Demand(first_use_days=85)) == []


def test_a_course_is_asked_of_everybody_even_where_no_level_is() -> None:
    demand = Demand(course_months=6)
    assert refused(demand) == [("safety_course_missing", {})]
    old = held(course_on=date(2026, 4, 30))
    assert refused(demand, old) == [("safety_course_expired", {"until": day(2026, 10, 31).isoformat()})]
    assert refused(demand, held(course_on=date(2026, 6, 1))) == []
    open_to_all = msgspec.structs.replace(FINE.rules, qualification="", demand=demand)
    context = msgspec.structs.replace(FINE, rules=open_to_all, held=Held())
    assert [each.code for each in qualified(WISH, context)] == ["safety_course_missing"]


def test_every_reason_is_told() -> None:
    mine = held(expires_at=day(2026, 11, 1))
    demand = Demand(first_use_days=10, course_months=6)
    assert [code for code, _ in refused(demand, mine)] == [
        "safety_course_missing", "qualification_lapsed", "qualification_expires",
    ]  # fmt: skip


def test_with_a_trainer_no_more_than_the_course_is_asked() -> None:
    assert refused(mine=Held(), trainer_id=TRAINER) == []
    assert refused(Demand(course_months=6), Held(), trainer_id=TRAINER) == [("safety_course_missing", {})]


@pytest.mark.parametrize(
    ("trainer", "codes"),
    [
        (held(level=3), []),
        (held(level=2), ["trainer_not_qualified"]),
        (Held(), ["trainer_not_qualified"]),
        # The use ends at 11:00.
        (held(level=3, expires_at=local(23, 11)), []),
        (held(level=3, expires_at=local(23, 10)), ["trainer_not_qualified"]),
    ],
)
def test_a_trainer_is_one_until_the_use_is_over(trainer: Held, codes: list[str]) -> None:
    wish = msgspec.structs.replace(WISH, trainer_id=TRAINER)
    assert [each.code for each in trained(wish, msgspec.structs.replace(FINE, trainer=trainer))] == codes


def test_a_trainer_is_somebody_else_who_is_nowhere_else() -> None:
    busy = Neighbour(id=UUID(int=5), kind=BookingKind.USE, occupied=span(23, (10, 0), (12, 0)), instrument_id="N002")
    context = msgspec.structs.replace(FINE, trainer=held(level=3), trainer_busy=(busy,))
    wish = msgspec.structs.replace(WISH, trainer_id=TRAINER)
    # Where else is the trainer's own business.
    assert [(each.code, each.params) for each in trained(wish, context)] == [("trainer_elsewhere", {})]
    assert trained(msgspec.structs.replace(wish, replaces_id=busy.id), context) == ()
    assert trained(WISH, context) == ()
    own = msgspec.structs.replace(WISH, trainer_id=WISH.person_id)
    assert [each.code for each in trained(own, context)] == ["trainer_is_user", "trainer_elsewhere"]


# ---------------------------------------------------------------- what cannot be


def test_what_cannot_be_granted_or_demanded_is_malformed() -> None:
    assert require_level(3) is Level.TRAINER
    for level in (0, 4):
        with pytest.raises(Malformed, match="qualification_level"):
            require_level(level)
    require_demand(Demand(lapse_months=120, first_use_days=366, course_months=0))
    for field, value in (("lapse_months", 121), ("first_use_days", 367), ("course_months", -1)):
        with pytest.raises(Malformed, match=f"field={field}"):
            require_demand(Demand(**{field: value}))
    require_until(None, NOW)
    with pytest.raises(Malformed, match="qualification_until"):
        require_until(NOW, NOW)
    with pytest.raises(WrongState, match="qualification_of_own"):
        require_other(TRAINER, TRAINER)


def test_a_course_was_completed_today_or_before() -> None:
    today = date(2026, 11, 20)
    require_course_day(today, NOW, ZONE)
    for wrong in (today + timedelta(days=1), today - timedelta(days=4000)):
        with pytest.raises(Malformed, match="safety_course_day"):
            require_course_day(wrong, NOW, ZONE)
