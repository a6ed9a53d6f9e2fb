"""What a project must be before its class counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from labshare.domain.projects import (
    LONGEST_EVIDENCE,
    LONGEST_VERIFICATION,
    AccessClass,
    Activity,
    Project,
    ProjectState,
    Standing,
    check_evidence,
    check_proposal,
    declined,
    handed_over,
    is_for_review,
    usable,
    verified,
)
from labshare.errors import Refused, WrongState

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
IN_A_YEAR = NOW + timedelta(days=365)
PI, MEMBER, STRANGER, OFFICE = (UUID(int=n) for n in range(1, 5))

PROPOSED = Project(
    id=UUID(int=9),
    code="KC-01",
    title="Thin films",
    organisation_id="I-IMS",
    pi_id=PI,
    access_class=AccessClass.PUBLIC_RESEARCH,
    activity=Activity.NON_ECONOMIC,
    funding_line="state",
)


def a_verified(expires_at: datetime = IN_A_YEAR) -> Project:
    return verified(PROPOSED, by_id=OFFICE, evidence="Decision 12/QD", expires_at=expires_at, now=NOW)


def codes(refused: Refused) -> list[str]:
    return [refusal.code for refusal in refused.refusals]


def test_verification_keeps_who_when_why_and_until_when() -> None:
    project = a_verified()
    assert (project.state, project.verified_by_id, project.verified_at, project.expires_at) == (
        ProjectState.VERIFIED, OFFICE, NOW, IN_A_YEAR,
    )  # fmt: skip
    assert (project.evidence, project.version) == ("Decision 12/QD", PROPOSED.version + 1)


def test_verification_wants_evidence_and_a_coming_expiry_and_says_both_at_once() -> None:
    with pytest.raises(Refused) as refused:
        verified(PROPOSED, by_id=OFFICE, evidence="  ", expires_at=NOW, now=NOW)
    assert codes(refused.value) == ["evidence_missing", "expiry_passed"]


def test_nothing_is_verified_for_more_than_five_years() -> None:
    latest = NOW + LONGEST_VERIFICATION
    assert verified(PROPOSED, by_id=OFFICE, evidence="x", expires_at=latest, now=NOW).expires_at == latest
    with pytest.raises(Refused) as refused:
        verified(PROPOSED, by_id=OFFICE, evidence="x", expires_at=latest + timedelta(minutes=1), now=NOW)
    assert codes(refused.value) == ["expiry_too_far"]


def test_a_verified_project_can_be_prolonged() -> None:
    later = IN_A_YEAR + timedelta(days=365)
    assert verified(a_verified(), by_id=OFFICE, evidence="renewed", expires_at=later, now=NOW).expires_at == later


def test_declining_wants_a_reason_and_takes_the_expiry_away() -> None:
    with pytest.raises(Refused) as refused:
        declined(PROPOSED, by_id=OFFICE, reason="", now=NOW)
    assert codes(refused.value) == ["reason_missing"]
    project = declined(a_verified(), by_id=OFFICE, reason="Funding ended", now=NOW)
    assert (project.state, project.evidence, project.expires_at) == (ProjectState.DECLINED, "Funding ended", None)


def test_a_declined_project_is_not_declined_again_but_may_be_verified() -> None:
    project = declined(PROPOSED, by_id=OFFICE, reason="No contract", now=NOW)
    with pytest.raises(WrongState):
        declined(project, by_id=OFFICE, reason="Still none", now=NOW)
    assert verified(project, by_id=OFFICE, evidence="Contract 7", expires_at=IN_A_YEAR, now=NOW).is_current(NOW)


def test_a_verification_ends_at_the_instant_of_its_expiry() -> None:
    project = a_verified()
    assert project.is_current(IN_A_YEAR - timedelta(minutes=1))
    assert not project.is_current(IN_A_YEAR)
    assert not PROPOSED.is_current(NOW)


@pytest.mark.parametrize(
    ("project", "person_id", "at", "expected"),
    [
        (a_verified(), PI, NOW, []),
        (a_verified(), MEMBER, NOW, []),
        (a_verified(), STRANGER, NOW, ["project_not_member"]),
        (PROPOSED, PI, NOW, ["project_not_verified"]),
        (a_verified(), PI, IN_A_YEAR, ["project_expired"]),
        (PROPOSED, STRANGER, NOW, ["project_not_member", "project_not_verified"]),
    ],
)
def test_a_projects_time_is_for_its_people_while_it_is_verified(
    project: Project, person_id: UUID, at: datetime, expected: list[str]
) -> None:
    assert [refusal.code for refusal in usable(project, person_id, frozenset({PI, MEMBER}), at)] == expected


def test_an_investigator_who_no_longer_belongs_to_the_project_spends_none_of_its_time() -> None:
    project = verified(PROPOSED, by_id=OFFICE, evidence="x", expires_at=IN_A_YEAR, now=NOW)
    assert [r.code for r in usable(project, PI, frozenset({MEMBER}), NOW)] == ["project_not_member"]


def test_a_proposal_is_trimmed() -> None:
    assert check_proposal(" KC-01 ", " Thin films ", " state ") == ("KC-01", "Thin films", "state")


def test_a_proposal_says_all_that_is_missing_or_too_long() -> None:
    with pytest.raises(Refused) as refused:
        check_proposal("x" * 41, " ", "")
    said = [(refusal.code, refusal.params["field"]) for refusal in refused.value.refusals]
    assert said == [("field_missing", "title"), ("field_missing", "funding_line"), ("field_too_long", "code")]


@pytest.mark.parametrize(
    ("changes", "standing", "expected"),
    [
        ({}, Standing(), []),
        ({}, Standing(pi_is_here=False, organisation_is_checked=False), ["pi_absent", "organisation_unchecked"]),
        ({"access_class": AccessClass.PARTNER}, Standing(), ["partner_needs_agreement"]),
        ({"agreement_id": "A-1"}, Standing(parties=frozenset({"O-CO"})), ["agreement_not_party"]),
        ({"agreement_id": "A-1"}, Standing(parties=frozenset({"O-CO", "I-IMS"})), []),
        (
            {"access_class": AccessClass.PARTNER, "agreement_id": "A-1"},
            Standing(parties=frozenset({"I-IMS"})),
            [],
        ),
    ],
)
def test_a_verification_rests_on_the_investigator_the_organisation_and_the_agreement(
    changes: dict[str, Any], standing: Standing, expected: list[str]
) -> None:
    project = msgspec.structs.replace(PROPOSED, **changes)
    if not expected:
        after = verified(project, by_id=OFFICE, evidence="x", expires_at=IN_A_YEAR, now=NOW, standing=standing)
        assert after.state is ProjectState.VERIFIED
        return
    with pytest.raises(Refused) as refused:
        verified(project, by_id=OFFICE, evidence=" ", expires_at=IN_A_YEAR, now=NOW, standing=standing)
    assert [refusal.code for refusal in refused.value.refusals] == [*expected, "evidence_missing"]


def test_a_verification_is_for_review_thirty_days_around_its_end() -> None:
    project = verified(PROPOSED, by_id=OFFICE, evidence="x", expires_at=IN_A_YEAR, now=NOW)
    month, second = timedelta(days=30), timedelta(seconds=1)
    assert not is_for_review(project, IN_A_YEAR - month - second)
    assert is_for_review(project, IN_A_YEAR - month)
    assert is_for_review(project, IN_A_YEAR + month)
    assert not is_for_review(project, IN_A_YEAR + month + second)
    assert not is_for_review(PROPOSED, NOW)
    assert not is_for_review(declined(project, by_id=OFFICE, reason="x", now=NOW), IN_A_YEAR)


def test_a_project_is_handed_over_to_another_one_and_stays_verified() -> None:
    project = verified(PROPOSED, by_id=OFFICE, evidence="x", expires_at=IN_A_YEAR, now=NOW)
    after = handed_over(project, MEMBER)
    assert (after.pi_id, after.state, after.version) == (MEMBER, ProjectState.VERIFIED, project.version + 1)
    with pytest.raises(WrongState):
        handed_over(after, MEMBER)


def test_evidence_has_an_end() -> None:
    check_evidence("x" * LONGEST_EVIDENCE)
    with pytest.raises(Refused, match="field_too_long"):
        check_evidence("x" * (LONGEST_EVIDENCE + 1))
