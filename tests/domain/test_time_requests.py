"""The rules of a request for time: every reason for which one is refused, each alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest

from labshare.domain.availability import StartRange
from labshare.domain.opening import open_spans, parse_opening
from labshare.domain.projects import AccessClass, Activity, Project, ProjectState
from labshare.domain.rounds import RoundState
from labshare.domain.time_requests import TIER_WEIGHTS, Application, Eligible, TimeRequest, check_request, starts
from labshare.domain.timespan import Span
from tests.domain.test_rounds import a_round, instrument
from tests.furniture import NOW
from tests.round_of import at, span

PERSON, PROJECT = UUID(int=1), UUID(int=21)
ROUND = a_round(state=RoundState.OPEN)


def project(**changes: Any) -> Project:
    values: dict[str, Any] = {
        "id": PROJECT,
        "code": "KC-01",
        "title": "KC-01",
        "organisation_id": "I-IMS",
        "pi_id": PERSON,
        "access_class": AccessClass.PUBLIC_RESEARCH,
        "activity": Activity.NON_ECONOMIC,
        "funding_line": "state",
        "state": ProjectState.VERIFIED,
    }
    return Project(**(values | changes))


def request(**changes: Any) -> TimeRequest:
    values: dict[str, Any] = {
        "id": UUID(int=3),
        "round_id": ROUND.id,
        "person_id": PERSON,
        "project_id": PROJECT,
        "organisation_id": "I-IMS",
        "access_class": AccessClass.PUBLIC_RESEARCH,
        "activity": Activity.NON_ECONOMIC,
        "purpose": "thin films",
        "sessions": 1,
        "session_minutes": 120,
        "min_sessions": 1,
        "instrument_numbers": (2,),
        "created_at": NOW,
    }
    return TimeRequest(**(values | changes))


def offered(number: int = 2, *spans: Span, capability: str = "XRD", qualified: bool = False, **rules: Any) -> Eligible:
    made = instrument(number, **rules)
    around = ROUND.horizon.widened(1440, 1440)
    return Eligible(
        rules=made,
        capability_id=capability,
        offered=spans or (ROUND.horizon,),
        opened=tuple(open_spans(made.opening, around, made.timezone)),
        qualified=qualified,
    )


def codes(wish: TimeRequest, *items: Eligible, now: datetime = NOW, **changes: Any) -> list[str]:
    values: dict[str, Any] = {
        "request": wish,
        "round": ROUND,
        "now": now,
        "offered": {item.rules.number: item for item in items or (offered(),)},
        "project": project(),
        "is_member": True,
    }
    return [refusal.code for refusal in check_request(Application(**(values | changes)))]


def test_a_sound_request_is_refused_nothing() -> None:
    assert codes(request()) == []


def test_tiers_are_ten_times_apart() -> None:
    weights = sorted(set(TIER_WEIGHTS.values()))
    assert TIER_WEIGHTS.keys() == set(AccessClass)
    assert all(higher >= 10 * lower for lower, higher in pairwise(weights))


def test_a_round_takes_requests_only_while_it_is_open() -> None:
    assert codes(request(), now=ROUND.closes_at) == ["round_not_accepting"]
    assert codes(request(), round=a_round(state=RoundState.CLOSED)) == ["round_not_accepting"]


def test_the_project_is_verified_valid_when_time_begins_and_has_the_person() -> None:
    assert codes(request(), project=None) == ["project_unknown"]
    assert codes(request(), project=project(state=ProjectState.PROPOSED)) == ["project_not_verified"]
    assert codes(request(), project=project(expires_at=ROUND.starts_at)) == ["project_expired"]
    assert codes(request(), project=project(expires_at=ROUND.starts_at + timedelta(minutes=1))) == []
    assert codes(request(), project=project(pi_id=UUID(int=8)), is_member=False) == ["project_not_member"]


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"sessions": 0}, ["request_sessions"]),
        ({"sessions": 51}, ["request_sessions"]),
        ({"sessions": 2, "min_sessions": 3}, ["request_min_sessions"]),
        ({"sessions": 2, "min_sessions": 0}, ["request_min_sessions"]),
        ({"purpose": "  "}, ["request_purpose"]),
        ({"purpose": "x" * 501}, ["request_purpose"]),
    ],
)
def test_amounts_and_purpose(changes: dict[str, Any], refused: list[str]) -> None:
    assert codes(request(**changes)) == refused


def test_either_instruments_or_a_capability_is_named() -> None:
    assert codes(request(instrument_numbers=())) == ["request_names_nothing"]
    assert codes(request(capability_id="XRD")) == ["request_names_nothing"]
    assert codes(request(instrument_numbers=(), capability_id="XRD")) == []
    assert codes(request(instrument_numbers=(), capability_id="NMR")) == ["request_capability_not_offered"]
    assert codes(request(instrument_numbers=(2, 7))) == ["request_instrument_not_offered"]


def test_every_named_instrument_allows_the_length_and_of_a_capability_one_is_enough() -> None:
    short, long = offered(2, max_minutes=60), offered(3, max_minutes=480)
    assert codes(request(instrument_numbers=(2, 3)), short, long) == ["request_length_on"]
    assert codes(request(instrument_numbers=(), capability_id="XRD"), short, long) == []
    assert codes(request(instrument_numbers=(), capability_id="XRD"), short) == ["request_length_on"]


def test_every_named_instrument_asks_for_its_qualification_and_of_a_capability_one_is_enough() -> None:
    guarded, free = offered(2, qualification="licence"), offered(3)
    assert codes(request(instrument_numbers=(2, 3)), guarded, free) == ["request_not_qualified"]
    assert codes(request(instrument_numbers=(), capability_id="XRD"), guarded, free) == []
    assert codes(request(), offered(2, qualification="licence", qualified=True)) == []
    assert codes(request(instrument_numbers=(), capability_id="XRD"), guarded) == ["request_not_qualified"]


def test_windows_lie_inside_the_round_and_hold_a_session() -> None:
    outside = Span(at(4, 16), at(5, 10))
    assert codes(request(windows=(outside,))) == ["request_window_outside"]
    assert codes(request(windows=(span(0, 8, 9),))) == ["request_windows_too_short", "request_no_room"]
    # Two windows that touch are one of two hours.
    assert codes(request(windows=(span(0, 8, 9), span(0, 9, 10)))) == []
    assert "request_windows" in codes(request(windows=tuple(span(0, 8, 10) for _ in range(21))))


def test_somewhere_a_session_fits_into_offered_open_hours() -> None:
    # 16 to 20 is offered, but the instrument closes at 18: two hours fit, three do not.
    evening = offered(2, span(0, 16, 20))
    assert codes(request(session_minutes=120), evening) == []
    assert codes(request(session_minutes=180), evening) == ["request_no_room"]
    # Clean-up of 30 minutes must lie in what is offered, too.
    assert codes(request(session_minutes=120), offered(2, span(0, 16, 18), cleanup_minutes=30)) == ["request_no_room"]


def test_everything_wrong_is_told_at_once() -> None:
    wrong = request(sessions=0, purpose="", windows=(Span(at(-9, 8), at(-9, 12)),))
    assert codes(wrong, now=ROUND.closes_at) == [
        "round_not_accepting",
        "request_purpose",
        "request_sessions",
        "request_window_outside",
        "request_no_room",
    ]


# ---------------------------------------------------------------- starts


def test_starts_lie_in_window_open_hours_and_offer_clear_of_what_is_busy() -> None:
    """Offered 8 to 14, busy 10 to 11: two hours fit from 8 to 10 and from 11 to 14, that is at 8:00 and 11:00-12:00."""
    item = offered(2, span(0, 8, 14))
    found = list(starts(item, 120, [ROUND.horizon], [span(0, 10, 11)]))
    assert found == [StartRange(at(0, 8), at(0, 8)), StartRange(at(0, 11), at(0, 12))]


def test_set_up_may_lie_outside_the_window_but_not_outside_the_offer() -> None:
    """A window of exactly the use is enough where the offer has room for 30 minutes before it."""
    wide, narrow = offered(2, span(0, 9, 12), setup_minutes=30), offered(2, span(0, 10, 12), setup_minutes=30)
    assert list(starts(wide, 120, [span(0, 10, 12)])) == [StartRange(at(0, 10), at(0, 10))]
    assert list(starts(narrow, 120, [span(0, 10, 12)])) == []


def test_a_long_run_may_span_closed_hours_and_starts_and_ends_in_open_ones() -> None:
    """26 hours from Monday at 8 to 16:00 end on Tuesday 10 to 18; a start after 16:00 would end past closing."""
    item = Eligible(
        rules=instrument(2, spans_closed_hours=True, max_minutes=2880),
        capability_id="XRD",
        offered=(Span(at(0, 0), at(2, 0)),),
        opened=tuple(
            open_spans(parse_opening("Mon-Fri 08:00-18:00"), ROUND.horizon.widened(1440, 1440), "Asia/Ho_Chi_Minh")
        ),
    )
    assert list(starts(item, 26 * 60, [ROUND.horizon])) == [StartRange(at(0, 8), at(0, 16))]
