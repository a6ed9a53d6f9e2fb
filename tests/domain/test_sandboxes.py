"""Where a trial stands, what may follow what, and which value stops it. April and May 2026, worked by hand."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest

from labshare.domain.sandbox import Change
from labshare.domain.sandboxes import (
    FROM,
    Reading,
    Sandbox,
    SandboxState,
    Step,
    adjustment_faults,
    holds_from,
    measured,
    overlaps,
    read_value,
    reading_faults,
    require_reason,
    require_step,
    state_at,
    stopped_by,
)
from labshare.domain.timespan import Span
from labshare.errors import Malformed, Refused, WrongState
from tests.domain.test_agreements import local
from tests.domain.test_sandbox import FLOOR, LIFT, an_overlay

MINUTE = timedelta(minutes=1)
FIRST, AFTER = local(4, 1), local(6, 1)


def a_sandbox(left: SandboxState = SandboxState.APPROVED, **values: Any) -> Sandbox:
    approved = None if left is SandboxState.DRAFTED else 1
    given: dict[str, Any] = {
        "id": "SBX", "left": left, "overlays": (an_overlay(),), "approved_number": approved, "version": 1,
    }  # fmt: skip
    return Sandbox(**(given | values))


def a_reading(value: Fraction, day: date = date(2026, 4, 20), metric: str = "incidents", **values: Any) -> Reading:
    given: dict[str, Any] = {"evidence": "book 7", "person_id": None, "at": local(4, 20)}
    return Reading(metric=metric, day=day, value=value, **(given | values))


# ---------------------------------------------------------------- where it stands


@pytest.mark.parametrize(
    ("left", "at", "state"),
    [
        (SandboxState.APPROVED, FIRST - MINUTE, SandboxState.APPROVED),
        (SandboxState.APPROVED, FIRST, SandboxState.RUNNING),
        (SandboxState.APPROVED, AFTER - MINUTE, SandboxState.RUNNING),
        (SandboxState.APPROVED, AFTER, SandboxState.ENDED),
        (SandboxState.SUSPENDED, FIRST, SandboxState.SUSPENDED),
        (SandboxState.SUSPENDED, AFTER, SandboxState.ENDED),
        (SandboxState.DRAFTED, AFTER, SandboxState.DRAFTED),
        (SandboxState.ENDED, FIRST, SandboxState.ENDED),
    ],
)
def test_its_days_begin_and_end_it(left: SandboxState, at: datetime, state: SandboxState) -> None:
    assert state_at(a_sandbox(left), at) is state


def test_it_holds_from_its_first_day_or_from_the_minute_it_is_switched_on() -> None:
    overlay, seconds = an_overlay(), timedelta(seconds=40)
    assert holds_from(overlay, local(3, 1)) == Span(FIRST, AFTER)
    assert holds_from(overlay, local(4, 20) + seconds) == Span(local(4, 20), AFTER)
    assert holds_from(overlay, AFTER - MINUTE) == Span(AFTER - MINUTE, AFTER)
    assert holds_from(overlay, AFTER) is None


def test_a_step_is_taken_from_where_the_table_says() -> None:
    """Nothing but a value follows the end, and only what is suspended is resumed."""
    taken = {state: {step for step, states in FROM.items() if state in states} for state in SandboxState}
    assert taken[SandboxState.ENDED] == {Step.MEASURED}
    assert taken[SandboxState.DRAFTED] == {Step.ADJUSTED, Step.REPLAYED, Step.APPROVED, Step.ENDED}
    assert {state for state in SandboxState if Step.RESUMED in taken[state]} == {SandboxState.SUSPENDED}
    require_step(a_sandbox(), Step.SUSPENDED, FIRST)
    with pytest.raises(WrongState) as caught:
        require_step(a_sandbox(), Step.SUSPENDED, AFTER)
    assert caught.value.params == {"sandbox_state": "ended", "sandbox_step": "suspended"}


def test_the_approved_version_counts_while_a_newer_one_waits() -> None:
    longer = an_overlay(end=date(2026, 6, 30))
    waiting = a_sandbox(overlays=(an_overlay(), longer))
    assert (waiting.number, waiting.waits, waiting.overlay, waiting.newest) == (2, True, an_overlay(), longer)
    assert state_at(waiting, AFTER) is SandboxState.ENDED
    assert not a_sandbox().waits
    assert a_sandbox(SandboxState.DRAFTED).waits


@pytest.mark.parametrize("text", ["", "  \n", "x" * 2001])
def test_a_reason_is_said_and_can_be_read(text: str) -> None:
    with pytest.raises(Refused) as caught:
        require_reason(text)
    assert caught.value.refusals[0].code == "sandbox_reason"
    assert require_reason(" why ") == "why"


@pytest.mark.parametrize(
    ("values", "at", "codes"),
    [
        ({"end": date(2026, 5, 15)}, FIRST, []),
        ({"id": "OTHER"}, FIRST, ["sandbox_other_id"]),
        ({}, FIRST, ["sandbox_same"]),
        ({"start": date(2026, 4, 2)}, FIRST, ["sandbox_start_moved"]),
        ({"start": date(2026, 4, 2)}, FIRST - MINUTE, []),
    ],
)
def test_what_is_no_next_version(values: dict[str, Any], at: datetime, codes: list[str]) -> None:
    assert [each.code for each in adjustment_faults(a_sandbox(), an_overlay(**values), at)] == codes


def test_two_trials_never_change_one_rule_at_a_time() -> None:
    april, may = Span(FIRST, local(5, 1)), Span(local(5, 1), AFTER)
    other, another = an_overlay(LIFT, id="OTHER"), an_overlay(Change(agreement="A", add=FLOOR), id="OTHER")
    (found,) = overlaps(an_overlay(LIFT), [(other, april)], april)
    assert found.params == {"agreement": "A", "rule": "cap", "sandbox": "OTHER"}
    for others in ([(other, may)], [(another, april)], [(an_overlay(LIFT), april)]):
        assert list(overlaps(an_overlay(LIFT), others, april)) == []


# ---------------------------------------------------------------- what is measured


@pytest.mark.parametrize(
    ("text", "value"), [("12 %", Fraction(3, 25)), (" 12,5 % ", Fraction(1, 8)), ("1/400", Fraction(1, 400)), ("3", 3)]
)
def test_a_value_is_exact(text: str, value: Fraction) -> None:
    assert read_value(text) == value


@pytest.mark.parametrize("text", ["", "0.3", "many", "1/0", "-1", "9" * 12])
def test_what_is_no_exact_value_cannot_be_read(text: str) -> None:
    with pytest.raises(Malformed, match="sandbox_value"):
        read_value(text)


@pytest.mark.parametrize(
    ("reading", "codes"),
    [
        (a_reading(Fraction(0)), []),
        (a_reading(Fraction(0), date(2026, 4, 1)), []),
        (a_reading(Fraction(0), date(2026, 3, 31)), ["sandbox_day_outside"]),
        (a_reading(Fraction(0), date(2026, 5, 11)), ["sandbox_day_outside"]),
        (a_reading(Fraction(0), metric="cost"), ["sandbox_no_metric"]),
        (a_reading(Fraction(0), evidence=" "), ["sandbox_evidence"]),
    ],
)
def test_a_value_is_of_a_day_that_has_been_and_has_evidence(reading: Reading, codes: list[str]) -> None:
    """Today is 10 May."""
    assert [each.code for each in reading_faults(an_overlay(), reading, date(2026, 5, 10))] == codes


def test_a_day_after_the_last_is_outside_even_when_it_has_been() -> None:
    june = a_reading(Fraction(0), date(2026, 6, 1))
    assert [each.code for each in reading_faults(an_overlay(), june, date(2026, 7, 1))] == ["sandbox_day_outside"]


def test_a_value_beyond_the_threshold_stops_and_one_on_it_does_not() -> None:
    """One incident in 500 hours is allowed; one in 400 is more. The share of night has no stop condition."""
    assert stopped_by(an_overlay(), a_reading(Fraction(1, 400))) == an_overlay().stop_if[0]
    assert stopped_by(an_overlay(), a_reading(Fraction(1, 500))) is None
    assert stopped_by(an_overlay(), a_reading(Fraction(1), metric="night")) is None


def test_a_criterion_is_judged_by_the_value_of_the_latest_day() -> None:
    """From 12 % to 25 %: 26 % in April is met, 24 % in May no longer; a late value of April changes nothing."""
    april = a_reading(Fraction(26, 100), date(2026, 4, 30), "night", at=local(5, 1))
    may = a_reading(Fraction(24, 100), date(2026, 5, 20), "night", at=local(5, 21))
    late = a_reading(Fraction(30, 100), date(2026, 4, 30), "night", at=local(5, 22))

    def met(*readings: Reading) -> list[bool | None]:
        return [is_met for each in measured(an_overlay(), readings) for _, is_met in each.criteria]

    assert met() == [None]
    assert met(april) == [True]
    assert met(april, may, late) == [False]
    night, incidents = measured(an_overlay(), [april])
    assert (night.stops, incidents.stops, incidents.reading) == ((), an_overlay().stop_if, None)
