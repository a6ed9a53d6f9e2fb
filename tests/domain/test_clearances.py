"""What becomes of a project that a screening clause stops: it waits, is cleared for what was found, or is refused."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import msgspec
import pytest

from labshare.domain.clearances import Clearance, ClearanceState, decided, lacking, refusal
from labshare.domain.screening import Hold, Screening, Silence, WatchList
from labshare.errors import Refused, WrongState
from tests.furniture import NOW, OFFICE, PUBLIC_PROJECT

CLAUSE = Screening(lists=(WatchList(id="dual_use", terms=("UAV", "radar")),))
SILENT = msgspec.structs.replace(CLAUSE, default=Silence.CLEAR)
DUE = NOW + timedelta(days=7)


def met(*found: str, since: timedelta = timedelta(0)) -> Hold:
    return Hold(lists=("dual_use",), found=found, since=NOW + since, due_at=DUE + since)


def lacks(
    known: Clearance | None, hold: Hold | None, *, clause: Screening = CLAUSE, after: timedelta = timedelta(0)
) -> Clearance | None:
    return lacking(clause, known, hold, PUBLIC_PROJECT, "A", NOW + after)


def waiting(*found: str) -> Clearance:
    new = lacks(None, met(*found))
    assert new is not None
    return new


def judged(state: ClearanceState, *found: str) -> Clearance:
    return decided(waiting(*found), state, by_id=OFFICE, evidence="QĐ 12", now=NOW)


def test_a_project_of_which_nothing_is_found_lacks_nothing() -> None:
    assert lacks(None, None) is None


def test_a_project_that_waits_is_held_in_whatever_words_it_asks_next() -> None:
    known = waiting("UAV")
    assert lacks(known, None) == known
    assert lacks(known, met("UAV", since=timedelta(days=1))) == known


def test_what_is_found_while_it_waits_is_added_and_the_day_of_the_decision_stays() -> None:
    more = lacks(waiting("UAV"), met("radar", since=timedelta(days=1)))
    assert more is not None
    assert (more.found, more.due_at) == (("UAV", "radar"), DUE)


def test_a_clearance_holds_for_what_was_found_and_for_nothing_else() -> None:
    known = judged(ClearanceState.CLEARED, "UAV")
    assert lacks(known, None) is None
    assert lacks(known, met("UAV")) is None
    again = lacks(known, met("UAV", "radar", since=timedelta(days=30)))
    assert again is not None
    assert (again.state, again.found) == (ClearanceState.WAITING, ("UAV", "radar"))
    assert again.due_at == DUE + timedelta(days=30)


def test_a_refusal_binds_the_project_until_it_is_decided_otherwise() -> None:
    known = judged(ClearanceState.REFUSED, "UAV")
    assert lacks(known, None) == known
    cleared = decided(known, ClearanceState.CLEARED, by_id=OFFICE, evidence="QĐ 13", now=NOW)
    assert (lacks(cleared, None), cleared.version) == (None, 3)


def test_silence_clears_only_where_the_clause_says_so_and_only_what_was_found() -> None:
    known = waiting("UAV")
    late = timedelta(days=7)
    assert lacks(known, None, after=late) == known
    assert lacks(known, None, clause=SILENT) == known
    assert lacks(known, None, clause=SILENT, after=late) is None
    again = lacks(known, met("radar", since=late), clause=SILENT, after=late)
    assert again is not None
    assert again.due_at == DUE + late


@pytest.mark.parametrize(
    ("state", "after", "code"),
    [
        (None, 0, "clearance_waiting"),
        (None, 7, "clearance_overdue"),
        (ClearanceState.REFUSED, 7, "clearance_refused"),
    ],
)
def test_the_refusal_says_what_to_do_and_never_what_was_found(
    state: ClearanceState | None, after: int, code: str
) -> None:
    known = judged(state, "UAV") if state else waiting("UAV")
    told = refusal(known, "KC-01", NOW + timedelta(days=after))
    assert told.code == code
    assert "UAV" not in str(told.params)
    assert known.is_overdue(NOW + timedelta(days=after)) is (code == "clearance_overdue")


def test_a_decision_needs_evidence_and_is_made_once() -> None:
    for evidence in (" ", "x" * 2001):
        with pytest.raises(Refused):
            decided(waiting("UAV"), ClearanceState.CLEARED, by_id=OFFICE, evidence=evidence, now=NOW)
    with pytest.raises(WrongState):
        decided(judged(ClearanceState.CLEARED, "UAV"), ClearanceState.CLEARED, by_id=OFFICE, evidence="x", now=NOW)
    with pytest.raises(WrongState):
        decided(waiting("UAV"), ClearanceState.WAITING, by_id=UUID(int=1), evidence="x", now=NOW)
