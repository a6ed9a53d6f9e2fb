"""What a program sends is read strictly; what cannot be read is named."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest

from labshare.errors import Malformed, NotFound, Stale
from labshare.web.api import reading


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    count: int


class Sample(msgspec.Struct, forbid_unknown_fields=True):
    at: datetime
    inner: Inner | None = None


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        (b'{"at": "15"}', "malformed_field", "at"),
        (b'{"at": 0}', "malformed_field", "at"),
        (b'{"inner": {"count": 1}}', "field_missing", "at"),
        (b'{"at": "2026-11-25T00:00:00Z", "inner": {"count": "15"}}', "malformed_field", "inner.count"),
        (b'{"at": "2026-11-25T00:00:00Z", "inner": {}}', "field_missing", "inner.count"),
        (b'{"at": "2026-11-25T00:00:00Z", "inner": {"count": 1, "more": 2}}', "field_unknown", "inner.more"),
        (b"[]", "malformed_field", "$"),
    ],
)
def test_the_field_that_is_wrong_missing_or_unknown_is_named_with_its_place(body: bytes, code: str, field: str) -> None:
    with pytest.raises(Malformed) as caught:
        reading.decode(body, Sample)
    assert (caught.value.code, caught.value.params) == (code, {"field": field})


def test_items_are_read_one_by_one_and_the_wrong_one_is_named() -> None:
    assert reading.decode_items(b'{"items": [{"count": 1}, {"count": 2}]}', Inner, 2) == [Inner(1), Inner(2)]
    for body, params in (
        (b'{"items": [{"count": 1}, {"count": "2"}]}', {"field": "count", "item": 1}),
        (b'{"items": []}', {"field": "items"}),
        (b'{"items": [{"count": 1}, {"count": 2}, {"count": 3}]}', {"field": "items"}),
        (b'{"items": [{"count": 1}], "more": 1}', {"field": "more"}),
    ):
        with pytest.raises(Malformed) as caught:
            reading.decode_items(body, Inner, 2)
        assert caught.value.params == params


def test_what_is_wrong_with_an_item_keeps_its_kind_and_code() -> None:
    def fail() -> None:
        raise NotFound("instrument_not_found", instrument="N999")

    with pytest.raises(NotFound, match="instrument_not_found") as caught:
        reading.at_place(3, fail)
    assert caught.value.params == {"instrument": "N999", "item": 3}


def test_a_time_is_read_in_any_offset_and_kept_in_utc() -> None:
    hanoi = timezone(timedelta(hours=7))
    assert reading.moment(datetime(2026, 11, 25, 9, tzinfo=hanoi), "at") == datetime(2026, 11, 25, 2, tzinfo=UTC)


@pytest.mark.parametrize("year", [1, 1969, 1999, 2200, 9999])
def test_a_time_outside_the_years_we_plan_for_is_malformed(year: int) -> None:
    # Year 1 in an eastern zone and 9999 in a western one have no UTC time at all.
    for hours in (-14, 0, 14):
        with pytest.raises(Malformed, match="malformed_field"):
            reading.moment(datetime(year, 1, 1, tzinfo=timezone(timedelta(hours=hours))), "at")


@pytest.mark.parametrize(
    ("if_match", "given", "version"), [('"3"', None, 3), (None, 3, 3), ('"3"', 3, 3), (' "3" ', None, 3)]
)
def test_a_version_is_named_by_its_etag_or_by_itself(if_match: str | None, given: int | None, version: int) -> None:
    assert reading.seen_version(if_match, given) == version


@pytest.mark.parametrize(("if_match", "given"), [(None, None), ("*", None), ("3", None), ('"3"', 4), ("", 3)])
def test_no_version_or_two_are_malformed(if_match: str | None, given: int | None) -> None:
    with pytest.raises(Malformed):
        reading.seen_version(if_match, given)


@pytest.mark.parametrize("if_match", ['W/"3"', '"abc"', '"3", "4"', '"-3"', '""'])
def test_the_etag_of_something_else_is_stale(if_match: str) -> None:
    with pytest.raises(Stale):
        reading.seen_version(if_match, None)
