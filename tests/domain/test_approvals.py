"""Whose booking waits for the centre, and until when."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from labshare.domain.approvals import Approval, read_note, require_setting, standing
from labshare.domain.bookings import BookingKind, BookingState, InstrumentRules
from labshare.errors import Malformed, Refused
from tests.domain.test_bookings import FESEM, NOW

HOUR = timedelta(hours=1)
LATER = NOW + 200 * HOUR


def rules_with(**changes: Any) -> InstrumentRules:
    return msgspec.structs.replace(FESEM, **changes)


@pytest.mark.parametrize(
    ("approval", "kind", "organisation", "state"),
    [
        (Approval.NONE, BookingKind.USE, "P-ALPHA", BookingState.CONFIRMED),
        (Approval.EVERYBODY, BookingKind.USE, "I-IMS", BookingState.PENDING),
        (Approval.OUTSIDERS, BookingKind.USE, "P-ALPHA", BookingState.PENDING),
        (Approval.OUTSIDERS, BookingKind.USE, "I-IMS", BookingState.CONFIRMED),
        # Blocks are the centre's own.
        (Approval.EVERYBODY, BookingKind.MAINTENANCE, None, BookingState.CONFIRMED),
    ],
)
def test_who_waits(approval: Approval, kind: BookingKind, organisation: str | None, state: BookingState) -> None:
    rules = rules_with(approval=approval.value, approval_hours=48, host_id="I-IMS")
    found, until = standing(rules, kind, organisation, LATER, NOW)
    assert found is state
    # 48 h from now comes before the start, 200 h from now.
    assert until == (NOW + 48 * HOUR if state is BookingState.PENDING else None)


def test_nobody_decides_after_the_start() -> None:
    rules = rules_with(approval=Approval.EVERYBODY.value, approval_hours=48)
    assert standing(rules, BookingKind.USE, "P-ALPHA", NOW + 5 * HOUR, NOW)[1] == NOW + 5 * HOUR


@pytest.mark.parametrize(
    ("approval", "hours", "codes"),
    [
        ("sometimes", 24, ["approval_unknown"]),
        ("none", 0, ["approval_hours"]),
        ("none", 721, ["approval_hours"]),
        ("", -1, ["approval_unknown", "approval_hours"]),
    ],
)
def test_what_cannot_be_chosen_is_told_at_once(approval: str, hours: int, codes: list[str]) -> None:
    with pytest.raises(Refused) as refused:
        require_setting(approval, hours)
    assert [each.code for each in refused.value.refusals] == codes


def test_who_is_declined_is_told_why() -> None:
    assert read_note("  Máy đang\nhiệu chuẩn ", is_needed=True) == "Máy đang hiệu chuẩn"
    assert read_note("", is_needed=False) == ""
    with pytest.raises(Malformed, match="decision_note_missing"):
        read_note(" \n", is_needed=True)
    with pytest.raises(Malformed, match="note_too_long"):
        read_note("x" * 501, is_needed=False)
