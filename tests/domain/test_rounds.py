"""What a round is and may become, and the rules for making one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from labshare.domain.bookings import InstrumentRules
from labshare.domain.opening import parse_opening
from labshare.domain.rounds import (
    KEEPING,
    NEXT,
    Draft,
    KeptOffer,
    Offer,
    PlanRow,
    PlanState,
    Round,
    RoundState,
    check_round,
    require_next,
    state_with,
)
from labshare.domain.timespan import Span
from labshare.errors import WrongState
from tests.furniture import NOW
from tests.round_of import at, span

S = RoundState


def a_round(**changes: Any) -> Round:
    values: dict[str, Any] = {
        "id": UUID(int=1),
        "code": "W49",
        "title_vi": "Đợt",
        "title_en": "Round",
        "opens_at": NOW,
        "closes_at": NOW + timedelta(days=2),
        "publishes_at": NOW + timedelta(days=5),
        "starts_at": at(0, 0),
        "ends_at": at(5, 0),
        "slot_minutes": 30,
        "created_at": NOW,
    }
    return Round(**(values | changes))


def instrument(number: int = 2, **changes: Any) -> InstrumentRules:
    values: dict[str, Any] = {
        "number": number,
        "id": f"N{number:03}",
        "centre_id": "C-ONE",
        "timezone": "Asia/Ho_Chi_Minh",
        "booking_mode": "time",
        "opening": parse_opening("Mon-Fri 08:00-18:00"),
        "spans_closed_hours": False,
        "min_minutes": 30,
        "max_minutes": 480,
        "granularity_minutes": 30,
        "advance_days": 60,
        "setup_minutes": 0,
        "cleanup_minutes": 0,
        "attended": True,
        "qualification": "",
    }
    return InstrumentRules(**(values | changes))


def offer(when: Span, number: int = 2) -> Offer:
    return Offer(id=UUID(int=9), round_id=UUID(int=1), instrument_number=number, starts_at=when.start, ends_at=when.end)


def codes(r: Round, *offers: Offer, kept: tuple[KeptOffer, ...] = (), **changes: Any) -> list[str]:
    draft = Draft(round=r, offers=offers or (offer(span(0, 8, 12)),), instruments={2: instrument(**changes)}, kept=kept)
    return [refusal.code for refusal in check_round(draft)]


def a_plan(state: PlanState) -> PlanRow:
    return PlanRow(
        id=UUID(int=5), round_id=UUID(int=1), state=state, attempt=1, lease_until=None, queued_at=NOW, started_at=NOW,
        finished_at=NOW, cancel_requested_at=None, seed=1, budget_seconds=5, progress="", problem_sha256="",
        plan_sha256="abc", failure="", created_by_id=None, version=1,
    )  # fmt: skip


# ---------------------------------------------------------------- states


def test_a_round_keeps_its_time_from_opening_until_publication_or_withdrawal() -> None:
    assert set(S) - {S.DRAFT, S.PUBLISHED, S.WITHDRAWN} == KEEPING


def test_every_state_has_its_next_ones_and_only_the_last_two_have_none() -> None:
    assert NEXT.keys() == set(S)
    assert {state for state, following in NEXT.items() if not following} == {S.PUBLISHED, S.WITHDRAWN}


@pytest.mark.parametrize(
    ("now", "wanted"),
    [(S.DRAFT, S.CLOSED), (S.OPEN, S.PLANNING), (S.PROPOSED, S.PUBLISHED), (S.PUBLISHED, S.WITHDRAWN)],
)
def test_no_step_is_left_out(now: RoundState, wanted: RoundState) -> None:
    with pytest.raises(WrongState) as error:
        require_next(a_round(state=now), wanted)
    assert error.value.params["round_state"] == now


def test_requests_are_taken_from_opening_until_the_deadline_and_not_at_it() -> None:
    r = a_round(state=S.OPEN)
    assert r.is_accepting(r.opens_at)
    assert not r.is_accepting(r.opens_at - timedelta(minutes=1))
    assert not r.is_accepting(r.closes_at)
    assert not a_round(state=S.CLOSED).is_accepting(NOW)


def test_a_round_is_approved_once_every_centre_has_approved_its_proposal() -> None:
    proposal = a_plan(PlanState.PROPOSED)
    assert state_with(proposal, ["A"], ["A", "B"]) is S.PROPOSED
    assert state_with(proposal, ["B", "A"], ["A", "B"]) is S.APPROVED
    assert state_with(None, [], ["A"]) is S.CLOSED
    assert state_with(a_plan(PlanState.FAILED), ["A"], ["A"]) is S.CLOSED


# ---------------------------------------------------------------- rules


def test_a_sound_draft_is_refused_nothing() -> None:
    assert codes(a_round()) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"closes_at": NOW},
        {"publishes_at": NOW + timedelta(days=1)},
        {"publishes_at": at(0, 1)},
        {"ends_at": at(0, 0), "starts_at": at(0, 0)},
    ],
)
def test_dates_follow_each_other(changes: dict[str, Any]) -> None:
    assert "round_times_out_of_order" in codes(a_round(**changes))


def test_a_plan_may_be_published_at_the_moment_the_time_begins() -> None:
    assert codes(a_round(publishes_at=at(0, 0))) == []


def test_a_round_divides_at_most_half_a_year() -> None:
    assert codes(a_round(ends_at=at(184, 0))) == []
    assert codes(a_round(ends_at=at(185, 0))) == ["round_too_long"]


def test_slots_are_one_of_a_few_lengths() -> None:
    assert codes(a_round(slot_minutes=25)) == ["round_slot"]


def test_only_instruments_in_service_that_are_booked_by_time_are_offered() -> None:
    assert codes(a_round(), booking_mode="service") == ["offer_not_by_time"]
    assert codes(a_round(), retired=True) == ["offer_not_by_time"]


def test_what_several_use_at_a_time_is_not_offered() -> None:
    assert codes(a_round(), capacity=2) == ["offer_for_several"]


def test_offers_lie_inside_the_round_and_never_overlap() -> None:
    assert codes(a_round(), offer(Span(at(4, 8), at(5, 1)))) == ["offer_outside_round"]
    assert codes(a_round(), offer(span(0, 8, 12)), offer(span(0, 11, 13))) == ["offer_twice"]
    assert codes(a_round(), offer(span(0, 8, 12)), offer(span(0, 12, 13))) == []


def test_time_that_another_round_keeps_is_not_offered() -> None:
    kept = KeptOffer(instrument_number=2, span=span(0, 11, 14), round_code="other", freed_at=NOW)
    assert codes(a_round(), kept=(kept,)) == ["offer_kept_elsewhere"]
    assert codes(a_round(), offer(span(0, 8, 11)), kept=(kept,)) == []
