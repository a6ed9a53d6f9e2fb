"""What an organisation states of itself, and the steps of its check."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from labshare.domain.organisations import (
    LONGEST_NAME,
    CheckState,
    NewOrganisation,
    OrganisationCheck,
    OrganisationSize,
    check_new,
    checked,
    declined,
)
from labshare.domain.profiles import Size
from labshare.errors import Refused, WrongState
from tests.furniture import NOW

OFFICE = UUID(int=6)
STATED: dict[str, Any] = {
    "name_vi": "Công ty mẫu", "registration_number": "0100000000", "contact": "office@x.vn", "evidence": "Giấy phép 1",
}  # fmt: skip


def a_check(state: CheckState) -> OrganisationCheck:
    return OrganisationCheck(
        organisation_id="O-1", state=state, registration_number="1", country="VN", contact="x", evidence="x",
        proposed_by_id=UUID(int=1), proposed_at=NOW, reason="old", version=2,
    )  # fmt: skip


def test_micro_small_and_medium_enterprises_are_small_ones_and_nothing_else_is() -> None:
    small = {size for size in OrganisationSize if size.counts_as is Size.SME}
    assert small == {OrganisationSize.MICRO, OrganisationSize.SMALL, OrganisationSize.MEDIUM}


def test_what_is_stated_is_trimmed() -> None:
    typed: dict[str, Any] = STATED | {"name_vi": "  Công   ty mẫu ", "country": " vn "}
    new = check_new(NewOrganisation(**typed))
    assert new == NewOrganisation(**STATED)


def test_a_foreign_organisation_needs_no_vietnamese_name() -> None:
    typed: dict[str, Any] = STATED | {"name_vi": "", "name_en": "Sample", "country": "JP"}
    assert check_new(NewOrganisation(**typed)).country == "JP"


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({"name_vi": " "}, [("field_missing", "name_vi")]),
        ({"contact": "", "evidence": ""}, [("field_missing", "contact"), ("field_missing", "evidence")]),
        ({"registration_number": ""}, [("field_missing", "registration_number")]),
        ({"name_en": "x" * (LONGEST_NAME + 1)}, [("field_too_long", "name_en")]),
        ({"registration_number": "1" * 41}, [("field_too_long", "registration_number")]),
        ({"country": "Vietnam"}, [("country_unreadable", None)]),
        ({"country": "V1"}, [("country_unreadable", None)]),
    ],
)  # fmt: skip
def test_all_that_is_missing_too_long_or_no_country_is_told_at_once(changes: dict[str, Any], codes: list[Any]) -> None:
    with pytest.raises(Refused) as refused:
        check_new(NewOrganisation(**(STATED | changes)))
    assert [(refusal.code, refusal.params.get("field")) for refusal in refused.value.refusals] == codes


@pytest.mark.parametrize("state", [CheckState.PROPOSED, CheckState.DECLINED])
def test_what_is_not_checked_may_be_checked_or_declined(state: CheckState) -> None:
    yes = checked(a_check(state), by_id=OFFICE, now=NOW)
    assert (yes.state, yes.judged_by_id, yes.judged_at, yes.reason, yes.version) == (
        CheckState.CHECKED, OFFICE, NOW, "", 3,
    )  # fmt: skip
    no = declined(a_check(state), by_id=OFFICE, reason=" unknown ", now=NOW)
    assert (no.state, no.reason) == (CheckState.DECLINED, "unknown")
    for reason in (" ", "x" * 501):
        with pytest.raises(Refused):
            declined(a_check(state), by_id=OFFICE, reason=reason, now=NOW)


def test_what_is_checked_stays_checked() -> None:
    """People and projects rest on it: who is to lose access is ended one by one."""
    with pytest.raises(WrongState):
        checked(a_check(CheckState.CHECKED), by_id=OFFICE, now=NOW)
    with pytest.raises(WrongState):
        declined(a_check(CheckState.CHECKED), by_id=OFFICE, reason="x", now=NOW)
