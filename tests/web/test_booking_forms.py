"""Forms of booking: times as they are typed become spans, and every fault stands at its field."""

from __future__ import annotations

from uuid import UUID

import msgspec
import pytest

from labshare.domain.bookings import BookingKind
from labshare.domain.timespan import Span
from labshare.errors import Malformed
from labshare.web.booking_forms import (
    ChangeForm,
    Faults,
    TimesForm,
    read_kind,
    read_project,
    read_seen,
    read_slot,
    read_span,
    read_version,
    slot_value,
    times_of,
)
from tests.furniture import at, span


def form(**typed: str) -> TimesForm:
    return msgspec.convert({"date": "2026-11-26", "from": "9:00", "until": "11:00"} | typed, TimesForm)


def codes(faults: Faults) -> dict[str, str]:
    return {field: refusal.code for field, refusal in faults.items()}


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ({}, span(26, 9, 11)),
        ({"until": "", "length": "2h"}, span(26, 9, 11)),
        # Both may be typed when they agree.
        ({"length": "120"}, span(26, 9, 11)),
        # Midnight of the day itself can only be the one that ends it.
        ({"until": "00:00"}, Span(at(26, 9), at(27, 0))),
        ({"until": "24:00"}, Span(at(26, 9), at(27, 0))),
        ({"until": "2:00", "until_date": "2026-11-27"}, Span(at(26, 9), at(27, 2))),
        ({"until": "", "length": "36h"}, Span(at(26, 9), at(27, 21))),
    ],
)
def test_times_are_read_on_the_centres_clock(typed: dict[str, str], read: Span) -> None:
    assert read_span(form(**typed)) == (read, {})


@pytest.mark.parametrize(
    ("typed", "faults"),
    [
        ({"date": "x", "from": "y", "until": "z"},
         {"date": "malformed_date", "from": "malformed_clock", "until": "malformed_clock"}),
        ({"until": ""}, {"until": "end_missing"}),
        ({"until": "9:00"}, {"until": "reversed_time", "until_date": "end_on_later_day"}),
        ({"from": "22h", "until": "2h"}, {"until": "reversed_time", "until_date": "end_on_later_day"}),
        ({"until": "10:00", "until_date": "2026-11-25"}, {"until": "reversed_time"}),
        ({"length": "3h"}, {"length": "end_contradicts_length"}),
        ({"until_date": "x"}, {"until_date": "malformed_date"}),
    ],
)  # fmt: skip
def test_every_fault_is_told_at_once_at_its_field(typed: dict[str, str], faults: dict[str, str]) -> None:
    found, told = read_span(form(**typed))
    assert (found, codes(told)) == (None, faults)


@pytest.mark.parametrize("when", [span(26, 9, 11), Span(at(26, 20), at(27, 0)), Span(at(26, 20), at(28, 6, 30))])
def test_a_span_that_is_filled_in_reads_as_itself(when: Span) -> None:
    assert read_span(TimesForm(**times_of(when))) == (when, {})
    assert read_slot(slot_value(when)) == when


@pytest.mark.parametrize("text", ["", "x", "2026-11-26T02:00:00Z", "a/b", "0001-01-01T00:00:00Z/9999-12-31T23:59:00Z"])
def test_a_slot_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        read_slot(text)


def test_a_slot_without_a_zone_or_back_to_front_is_refused() -> None:
    with pytest.raises(Malformed, match="naive_time"):
        read_slot("2026-11-26T02:00:00/2026-11-26T03:00:00")
    with pytest.raises(Malformed, match="reversed_time"):
        read_slot("2026-11-26T03:00:00Z/2026-11-26T02:00:00Z")


def test_a_project_may_be_left_out_but_not_be_nonsense() -> None:
    faults: Faults = {}
    assert read_project("", faults) is None
    assert read_project(str(UUID(int=21)), faults) == UUID(int=21)
    assert faults == {}
    assert read_project("KC-01", faults) is None
    assert codes(faults) == {"project": "malformed_project"}


def test_time_is_blocked_for_three_reasons_and_use_is_none_of_them() -> None:
    faults: Faults = {}
    assert read_kind("closure", faults) is BookingKind.CLOSURE
    assert faults == {}
    read_kind("use", faults)
    assert codes(faults) == {"kind": "malformed_kind"}


@pytest.mark.parametrize("text", ["", "x", "-1", "1.5", "²", "9999999999"])
def test_a_version_is_a_plain_number(text: str) -> None:
    assert read_version("12") == 12
    with pytest.raises(Malformed, match="version"):
        read_version(text)


def test_what_a_page_showed_is_read_back_where_it_can_be() -> None:
    shown = ChangeForm(seen_starts_at="2026-11-26T02:00:00Z", seen_ends_at="2026-11-26T04:00:00Z")
    assert read_seen(shown) == span(26, 9, 11)
    assert read_seen(ChangeForm()) is None
    assert read_seen(ChangeForm(seen_starts_at="2026-11-26T02:00:00Z", seen_ends_at="x")) is None


@pytest.mark.parametrize("year", ["0001", "9999"])
def test_seen_times_outside_the_years_we_plan_for_are_not_read(year: str) -> None:
    seen = ChangeForm(seen_starts_at=f"{year}-12-31T22:00:00+00:00", seen_ends_at=f"{year}-12-31T23:00:00+00:00")
    assert read_seen(seen) is None
