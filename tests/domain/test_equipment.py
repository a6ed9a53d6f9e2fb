"""Six states that fill the period, and quotients that name their denominators (SEMI E10)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from labshare.domain.equipment import (
    EquipmentState,
    StateMinutes,
    mean_time_between_failures,
    mean_time_to_repair,
    state_minutes,
)
from labshare.domain.timespan import Span

START = datetime(2026, 11, 23, tzinfo=UTC)
DAY = Span(START, START + timedelta(hours=24))


def hours(first: float, last: float) -> Span:
    return Span(START + timedelta(hours=first), START + timedelta(hours=last))


def test_a_quarter_of_one_instrument_gives_the_published_figures() -> None:
    # Total 2,184 h; non-scheduled 1,404; operations 780 = 520 + 130 + 60 + 40 + 30; uptime 520 + 130 + 60 = 710.
    quarter = StateMinutes(
        productive=520 * 60,
        standby=130 * 60,
        engineering=60 * 60,
        scheduled_down=40 * 60,
        unscheduled_down=30 * 60,
        non_scheduled=1404 * 60,
    )
    assert quarter.total == 2184 * 60
    assert quarter.operations == 780 * 60
    assert quarter.uptime == 710 * 60
    assert quarter.operational_uptime == Fraction(710, 780)
    assert quarter.operational_utilisation == Fraction(520, 780)
    assert quarter.total_utilisation == Fraction(520, 2184)
    # As a person reads them, to one decimal: 91.0 %, 66.7 %, 23.8 %.
    shares = (quarter.operational_uptime, quarter.operational_utilisation, quarter.total_utilisation)
    assert [round(float(share) * 100, 1) for share in shares if share is not None] == [91.0, 66.7, 23.8]
    # Four failures with 28 h of repair in all: 520 / 4 = 130 h between failures, 28 / 4 = 7 h to repair one.
    assert mean_time_between_failures(quarter.productive, 4) == 130 * 60
    assert mean_time_to_repair(28 * 60, 4) == 7 * 60


def test_nothing_is_divided_by_nothing() -> None:
    closed = StateMinutes(non_scheduled=1440)
    assert closed.operational_uptime is None
    assert closed.operational_utilisation is None
    assert closed.total_utilisation == 0
    assert StateMinutes().total_utilisation is None
    assert mean_time_between_failures(600, 0) is None
    assert mean_time_to_repair(0, 0) is None


def test_what_is_not_recorded_follows_from_the_calendar() -> None:
    # Open 8-18. A run 9-11, a failure 13-14; maintenance planned 7-8:30 (half an hour of it open), engineering 16-17.
    found = state_minutes(
        DAY,
        [(EquipmentState.PRODUCTIVE, hours(9, 11)), (EquipmentState.UNSCHEDULED_DOWN, hours(13, 14))],
        [hours(8, 18)],
        maintenance=[hours(7, 8.5)],
        engineering=[hours(16, 17)],
    )
    # Standby is what is left of the 600 open minutes: 600 - 120 - 60 - 30 - 60 = 330. Of the 840 closed minutes the
    # maintenance took 60 before the door opened: 780 are non-scheduled.
    assert found == StateMinutes(
        productive=120, standby=330, engineering=60, scheduled_down=90, unscheduled_down=60, non_scheduled=780
    )


def test_a_run_at_night_is_operations_time() -> None:
    found = state_minutes(DAY, [(EquipmentState.PRODUCTIVE, hours(18, 24))], [hours(8, 18)])
    assert found == StateMinutes(productive=360, standby=600, non_scheduled=480)


def test_a_failure_ends_the_run_that_it_happens_in() -> None:
    records = [(EquipmentState.PRODUCTIVE, hours(9, 12)), (EquipmentState.UNSCHEDULED_DOWN, hours(11, 13))]
    found = state_minutes(DAY, records, [hours(8, 18)])
    assert (found.productive, found.unscheduled_down) == (120, 120)


def test_a_closure_is_not_operations_time() -> None:
    found = state_minutes(DAY, [], [hours(8, 18)], closures=[hours(12, 24)])
    assert found == StateMinutes(standby=240, non_scheduled=1200)


spans = st.tuples(st.integers(-300, 1700), st.integers(1, 600)).map(
    lambda pair: Span(START + timedelta(minutes=pair[0]), START + timedelta(minutes=pair[0] + pair[1]))
)
some = st.lists(spans, max_size=4)


@given(st.lists(st.tuples(st.sampled_from(EquipmentState), spans), max_size=8), some, some, some, some)
def test_states_always_sum_to_the_period(
    recorded: list[tuple[EquipmentState, Span]],
    opened: list[Span],
    maintenance: list[Span],
    engineering: list[Span],
    closures: list[Span],
) -> None:
    found = state_minutes(DAY, recorded, opened, maintenance=maintenance, engineering=engineering, closures=closures)
    assert found.total == 1440
    assert min(getattr(found, name) for name in StateMinutes.__struct_fields__) >= 0
