"""A report's periods, its table, and what a masked reader is told of others."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from labshare.domain.projects import AccessClass
from labshare.domain.reports import (
    Atom,
    Line,
    PeriodKind,
    Reader,
    UseRow,
    lines,
    period,
    told,
    whole_months,
)
from labshare.domain.timespan import Span
from labshare.errors import Malformed

INDUSTRY, PUBLIC, STARTUP = AccessClass.INDUSTRY, AccessClass.PUBLIC_RESEARCH, AccessClass.STARTUP
ATOM = Atom("C-ONE", 0)


def local(month: int, day: int) -> datetime:
    """Midnight of 2026 in Ho Chi Minh City, UTC+7."""
    return datetime(2026, month, day, tzinfo=UTC) - timedelta(hours=7)


# ---------------------------------------------------------------- periods


def test_a_quarter_is_whole_local_days() -> None:
    quarter = period(PeriodKind.QUARTER, date(2026, 11, 23))
    assert (quarter.first, quarter.last) == (date(2026, 10, 1), date(2026, 12, 31))
    assert quarter.span == Span(local(10, 1), local(12, 31) + timedelta(days=1))


def test_a_period_is_cut_at_the_borders_of_months() -> None:
    custom = period(PeriodKind.CUSTOM, date(2026, 9, 20), date(2026, 11, 5))
    assert custom.months == [
        Span(local(9, 20), local(10, 1)),
        Span(local(10, 1), local(11, 1)),
        Span(local(11, 1), local(11, 6)),
    ]
    # Only October is whole; once November has begun it has ended too.
    assert whole_months(custom.months, local(11, 1)) == [1]
    assert whole_months(custom.months, local(10, 31)) == []


@pytest.mark.parametrize(
    ("last", "code"),
    [
        (None, "report_dates_reversed"),
        (date(2026, 8, 31), "report_dates_reversed"),
        (date(2027, 9, 2), "report_period_too_long"),
    ],
)
def test_a_custom_period_has_an_end_within_a_year(last: date | None, code: str) -> None:
    with pytest.raises(Malformed, match=code):
        period(PeriodKind.CUSTOM, date(2026, 9, 1), last)


def test_a_leap_year_fits() -> None:
    assert period(PeriodKind.CUSTOM, date(2028, 1, 1), date(2028, 12, 31)).span.minutes == 366 * 1440


def test_a_reader_answers_for_their_centres_only() -> None:
    reader = Reader(centre_ids=frozenset({"C-ONE"}))
    assert reader.answers_for("C-ONE")
    assert not reader.answers_for("C-TWO")
    assert Reader(sees_all=True).answers_for("C-TWO")


# ---------------------------------------------------------------- the table


def a_row(access_class: AccessClass, minutes: int, **changes: Any) -> UseRow:
    values: dict[str, Any] = {
        "month": 0,
        "instrument_number": 1,
        "centre_id": "C-ONE",
        "access_class": access_class,
        "organisation_id": None,
        "rival": None,
        "booked": minutes,
        "ahead": 7,
        "delivered": minutes // 2,
    }
    return UseRow(**(values | changes))


def rivals(access_class: AccessClass, *minutes: int, first: int = 1, **changes: Any) -> list[UseRow]:
    return [a_row(access_class, each, rival=first + place, **changes) for place, each in enumerate(minutes)]


def test_own_rows_are_exact_and_others_are_sums_by_class() -> None:
    own = [a_row(INDUSTRY, 60, organisation_id="O-CO"), a_row(INDUSTRY, 30, organisation_id="O-CO", month=1)]
    rows = [*own, *rivals(PUBLIC, 100, 200, 300)]
    assert lines(rows, told(rows, [ATOM]), is_one_instrument=False) == (
        Line(access_class=INDUSTRY, organisation_id="O-CO", parties=1, booked=90, ahead=14, delivered=45),
        # 100 + 200 + 300, and half of each delivered; what others have booked ahead is not told.
        Line(access_class=PUBLIC, organisation_id=None, parties=3, booked=600, ahead=0, delivered=300),
    )


def test_a_class_of_fewer_than_three_is_folded() -> None:
    rows = [*rivals(PUBLIC, 100, 100, 100, 100), *rivals(INDUSTRY, 10, 20, first=5), *rivals(STARTUP, 5, first=7)]
    found = lines(rows, told(rows, [ATOM]), is_one_instrument=False)
    assert [(line.access_class, line.parties, line.booked) for line in found] == [(PUBLIC, 4, 400), (None, 3, 35)]


def test_a_lone_rival_is_not_what_is_left_of_the_total() -> None:
    # Only organisation 5 is a startup. Were public research told as 600, total - 600 would be its 50 minutes.
    rows = [*rivals(PUBLIC, 200, 200, 200), *rivals(STARTUP, 50, first=5)]
    found = lines(rows, told(rows, [ATOM]), is_one_instrument=False)
    assert [(line.access_class, line.parties, line.booked) for line in found] == [(None, 4, 650)]


def test_an_atom_of_two_rivals_is_left_out_of_every_sum() -> None:
    rows = [*rivals(PUBLIC, 100, 100, 100), *rivals(PUBLIC, 40, 40, month=1)]
    others = told(rows, [ATOM, Atom("C-ONE", 1)])
    assert others.withheld == {Atom("C-ONE", 1)}
    assert [line.booked for line in lines(rows, others, is_one_instrument=False)] == [300]


def test_an_agreement_may_ask_for_more_parties_in_its_atom() -> None:
    rows = [*rivals(PUBLIC, 100, 100, 100), *rivals(INDUSTRY, 20, 20, 20, 20, 20, first=4)]
    others = told(rows, [ATOM], {ATOM: 5})
    # Public research has three parties, fewer than five, so it is folded, and industry with it.
    found = lines(rows, others, is_one_instrument=False)
    assert [(line.access_class, line.parties, line.booked) for line in found] == [(None, 8, 400)]
    assert others.instruments[ATOM] == {1}
    assert told(rivals(PUBLIC, 1, 1, 1, 1), [ATOM], {ATOM: 5}).withheld == {ATOM}


def test_a_month_that_is_not_an_atom_is_not_told() -> None:
    rows = rivals(PUBLIC, 100, 100, 100, month=1)
    assert lines(rows, told(rows, [ATOM]), is_one_instrument=False) == ()


def test_one_instrument_is_told_only_where_the_rest_of_its_centre_hides_nobody() -> None:
    # Instrument 1 has four rivals, instrument 2 one of them and one more. Centre - instrument 1 would be about two.
    rows = [*rivals(PUBLIC, 10, 20, 30, 40), *rivals(PUBLIC, 5, 6, first=4, instrument_number=2)]
    others = told(rows, [ATOM])
    assert others.instruments[ATOM] == frozenset()
    # With a third rival on instrument 2 both are told.
    rows += rivals(PUBLIC, 7, first=6, instrument_number=2)
    others = told(rows, [ATOM])
    assert others.instruments[ATOM] == {1, 2}
    first = [row for row in rows if row.instrument_number == 1]
    (line,) = lines(first, others, is_one_instrument=True)
    # One sum, never by class.
    assert (line.access_class, line.parties, line.booked) == (None, 4, 100)
