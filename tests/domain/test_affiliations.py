"""For whom a person works: named, confirmed, declined, ended, in no other order."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from labshare.domain.affiliations import (
    LONGEST_REASON,
    Affiliation,
    AffiliationState,
    confirmed,
    declined,
    ended,
    named,
)
from labshare.errors import Refused, WrongState
from tests.furniture import NOW

S = AffiliationState
Step = Callable[[Affiliation], Affiliation]

STEPS: dict[str, Step] = {
    "name": lambda a: named(a, "O-NEW", NOW),
    "confirm": lambda a: confirmed(a, NOW),
    "decline": lambda a: declined(a, "unknown here", NOW),
    "end": lambda a: ended(a, "moved away", NOW),
}
# What each step needs to find; from any other state it is refused.
FROM = {
    "name": {S.WAITING, S.DECLINED, S.ENDED},
    "confirm": {S.WAITING},
    "decline": {S.WAITING},
    "end": {S.CONFIRMED},
}
TO = {"name": S.WAITING, "confirm": S.CONFIRMED, "decline": S.DECLINED, "end": S.ENDED}


def an_affiliation(state: AffiliationState) -> Affiliation:
    return Affiliation(person_id=UUID(int=1), organisation_id="O-CO", state=state, reason="old", version=3)


@pytest.mark.parametrize("state", list(S))
@pytest.mark.parametrize("step", sorted(STEPS))
def test_each_step_is_taken_from_its_states_alone(step: str, state: AffiliationState) -> None:
    before = an_affiliation(state)
    if state not in FROM[step]:
        with pytest.raises(WrongState, match=f"affiliation_wrong_state.*{state.value}"):
            STEPS[step](before)
        return
    after = STEPS[step](before)
    assert (after.state, after.version, after.at) == (TO[step], 4, NOW)
    assert after.organisation_id == ("O-NEW" if step == "name" else "O-CO")


def test_who_names_an_organisation_again_sheds_the_reason_of_the_last_no() -> None:
    assert named(an_affiliation(S.DECLINED), "O-CO", NOW).reason == ""


@pytest.mark.parametrize("step", [declined, ended])
@pytest.mark.parametrize(
    ("reason", "code"), [(" ", "affiliation_reason_missing"), ("x" * (LONGEST_REASON + 1), "field_too_long")]
)
def test_who_says_no_says_why_and_not_at_any_length(step: Callable[..., Affiliation], reason: str, code: str) -> None:
    state = S.WAITING if step is declined else S.CONFIRMED
    with pytest.raises(Refused, match=code):
        step(an_affiliation(state), reason, NOW)
    assert step(an_affiliation(state), f" {'x' * LONGEST_REASON} ", NOW).reason == "x" * LONGEST_REASON
