"""A whole registry is sound or is not loaded: references stand, numbers are single, booking rules can be kept."""

from __future__ import annotations

import pytest

from labshare.domain.booking_rules import (
    BookingRule,
    Changeover,
    Granularity,
    Length,
    Scope,
    ScopeKind,
    WeekHours,
)
from labshare.domain.registry_check import RowFault
from labshare.domain.registry_csv import read_registry
from tests.domain.test_booking_rules import posted
from tests.registry_files import SMALL, faults, files, read


@pytest.mark.parametrize(
    ("noun", "old", "new", "line", "column", "code"),
    [
        ("zones", "1600", "0", 2, "area_hectares", "registry_not_positive"),
        ("zones", "105.53", "205.53", 2, "longitude", "registry_out_of_range"),
        ("zones", ",approximate,", ",,", 2, "coordinates", "registry_coordinates_incomplete"),
        ("zones", "Z-A", "Z/A", 2, "id", "registry_bad_id"),
        ("organisations", "IA,,", "IA,I-X,", 2, "parent_id", "registry_unknown_id"),
        ("organisations", "IA,,", "IA,I-A,", 2, "parent_id", "registry_parent_cycle"),
        ("centres", ",I-A,", ",I-X,", 2, "host_id", "registry_unknown_id"),
        ("centres", "2025-10", "2025-13", 2, "opened", "registry_not_a_date"),
        ("centres", "Asia/Ho_Chi_Minh", "Asia/Saigon2", 2, "timezone", "registry_unknown_timezone"),
        ("centres", "NEW:P1", "NEW:P9", 2, "products", "registry_unknown_id"),
        ("taxonomies", "2025-06-12,2026-", "2026-07-01,2026-", 3, "effective_until", "registry_reversed_dates"),
        ("technology_products", "OLD,O1,1", "OLD,O1,7", 4, "group_number", "registry_unknown_id"),
        ("technology_crosswalk", "OLD,O1,NEW,P1,kept", "OLD,O1,,,kept", 2, "relation", "registry_relation_contradicts"),
        ("technology_crosswalk", ",,NEW,P2,new", ",O1,NEW,P2,new", 3, "old_code", "registry_half_a_product"),
        ("instruments", "N1,1,", "N1,0,", 2, "number", "registry_out_of_range"),
        ("instruments", ",C-A,", ",C-X,", 2, "centre_id", "registry_unknown_id"),
        ("instruments", ",SEM,", ",TEM,", 2, "capability_id", "registry_unknown_id"),
        ("instruments", "Mon-Fri 08:00-18:00", "", 2, "opening", "registry_never_open"),
        ("instruments", "Mon-Fri 08:00-18:00", "Mon 08:00-08:20", 2, "min_minutes", "registry_min_beyond_opening"),
        ("instruments", "Mon-Fri 08:00-18:00", "Mon 08:10-08:50", 2, "min_minutes", "registry_min_beyond_opening"),
        ("instruments", "30,600,30,28", "20,600,30,28", 2, "min_minutes", "registry_off_granularity"),
        ("instruments", "30,600,30,28", "45,585,45,28", 2, "granularity_minutes", "registry_odd_step"),
        ("instruments", "30,600,30,28", "60,30,30,28", 2, "max_minutes", "registry_max_below_min"),
        ("instruments", "30,600,30,28", "30,600,30,", 2, "advance_days", "registry_not_positive"),
        ("instruments", "30,600,30,28,,15", "30,600,30,28,,-15", 2, "cleanup_minutes", "registry_out_of_range"),
        ("instruments", "28,,15,,NEW", "28,,15,0,NEW", 2, "capacity", "registry_out_of_range"),
        ("instruments", "28,,15,,NEW", "28,,15,257,NEW", 2, "capacity", "registry_out_of_range"),
        # 93 days of 24 h are 133,920 minutes; no single booking may be longer than 92 days.
        ("instruments", "30,600,30,28", "30,133920,30,28", 2, "max_minutes", "registry_out_of_range"),
        # 92 days are 132,480 minutes, of which 15 are the clean-up: 132,450 fit, and the next whole step does not.
        ("instruments", "30,600,30,28", "30,132480,30,28", 2, "max_minutes", "registry_out_of_range"),
        ("instruments", "30,600,30,28", "30,600,30,3661", 2, "advance_days", "registry_out_of_range"),
        ("instruments", "hour,time", "sample,time", 2, "booking_mode", "registry_unit_is_not_time"),
    ],
)
def test_what_does_not_fit_together_is_named_by_file_line_and_column(
    noun: str, old: str, new: str, line: int, column: str, code: str
) -> None:
    assert (f"{noun}.csv", line, column, code) in faults(files(**{noun: (old, new)}))


def test_a_service_carries_no_booking_rules() -> None:
    found = faults(files(instruments=("hour,time", "sample,service")))
    columns = [column for _, _, column, code in found if code == "registry_not_booked_by_time"]
    assert columns == [
        "min_minutes",
        "max_minutes",
        "granularity_minutes",
        "advance_days",
        "cleanup_minutes",
        "opening",
    ]


def test_a_long_run_that_spans_closed_hours_may_outlast_the_opening() -> None:
    # Open one hour a week; a run of at least a day can be booked only because it may span closed hours.
    rules = ("Mon-Fri 08:00-18:00,,120,30,600,30", "Mon 08:00-09:00,yes,120,1440,2880,30")
    assert read(files(instruments=rules)).instruments[0].spans_closed_hours


def test_two_instruments_cannot_share_a_number() -> None:
    content = files()
    row = SMALL["instruments.csv"].splitlines()[1].replace("N1,", "N2,", 1)
    content["instruments.csv"] += f"{row}\n".encode()
    result = read_registry(content)
    assert isinstance(result, list)
    assert result == [RowFault("instruments.csv", 3, "number", result[0].reason)]
    assert (result[0].reason.code, result[0].reason.params) == ("registry_number_taken", {"value": 1, "other": "N1"})


def test_a_ring_of_parents_blames_each_of_its_rows_and_no_other() -> None:
    content = files(organisations=("IA,,Chính phủ,Government", "IA,I-B,,"))
    row = SMALL["organisations.csv"].splitlines()[1]
    for id, parent in (("I-B", "I-A"), ("I-C", "I-A")):
        content["organisations.csv"] += (
            row.replace("I-A,", f"{id},").replace("IA,,Chính phủ,Government", f"IA,{parent},,").encode() + b"\n"
        )
    # I-A and I-B are each other's parent; I-C only hangs below them.
    assert faults(content) == [
        ("organisations.csv", 2, "parent_id", "registry_parent_cycle"),
        ("organisations.csv", 3, "parent_id", "registry_parent_cycle"),
    ]


def test_a_parent_is_a_row_or_a_governing_body_not_both() -> None:
    content = files(organisations=("IA,,", "IA,I-B,"))
    row = SMALL["organisations.csv"].splitlines()[1].replace("I-A,", "I-B,")
    content["organisations.csv"] += f"{row}\n".encode()
    assert faults(content) == [("organisations.csv", 2, "governing_body_vi", "registry_two_parents")]


def test_a_row_with_a_bad_cell_does_not_blame_the_rows_that_name_it() -> None:
    assert faults(files(organisations=("21.05", "north"))) == [
        ("organisations.csv", 2, "latitude", "registry_not_a_number")
    ]


def test_a_missing_file_is_one_fault_and_blames_nobody_else() -> None:
    content = files()
    del content["capabilities.csv"]
    assert faults(content) == [("capabilities.csv", 0, "", "registry_file_missing")]


# ---------------------------------------------------------------- under the rules that centres posted


@pytest.mark.parametrize(
    ("rules", "column", "code"),
    [
        # No whole number of 45 lies between 50 and 80.
        ((Granularity(minutes=45), Length(least_minutes=50, most_minutes=80)), "max_minutes", "booking_rule_no_length"),
        # The shortest of the file is 30.
        ((Length(most_minutes=20),), "max_minutes", "booking_rule_no_length"),
        ((WeekHours(hours="Mon 08:00-08:20"),), "min_minutes", "booking_rule_beyond_opening"),
        # Forty minutes, of which those from 08:30 on are on the raster.
        ((WeekHours(hours="Mon 08:10-08:50"),), "min_minutes", "booking_rule_beyond_opening"),
        # 92 days are 132,480 minutes, of which 15 are the clean-up.
        ((Length(most_minutes=132_480),), "max_minutes", "booking_rule_too_long"),
        ((Length(most_minutes=132_450), Changeover(setup_minutes=30)), "max_minutes", "booking_rule_too_long"),
    ],
)
def test_an_instrument_that_nobody_could_book_under_posted_rules_is_named(
    rules: tuple[BookingRule, ...], column: str, code: str
) -> None:
    found = read_registry(files(), {}, [posted(rule, Scope(ScopeKind.CENTRE, "C-A")) for rule in rules])
    assert isinstance(found, list)
    [fault] = found
    assert (fault.file, fault.line, fault.column, fault.reason.code) == ("instruments.csv", 2, column, code)
    assert fault.reason.params["instrument"] == "N1"


def test_a_row_that_is_unsound_by_itself_is_not_blamed_on_posted_rules() -> None:
    rule = posted(Length(least_minutes=630), Scope(ScopeKind.GROUP, "SEM"))
    found = read_registry(files(instruments=("30,600,30,28", "20,600,30,28")), {}, [rule])
    assert isinstance(found, list)
    assert [fault.reason.code for fault in found] == ["registry_off_granularity"]


def test_what_can_be_booked_under_posted_rules_is_read_as_it_stands_in_the_files() -> None:
    rules = [
        posted(each, Scope(ScopeKind.CENTRE, "C-A")) for each in (Granularity(minutes=45), Length(least_minutes=60))
    ]
    assert read_registry(files(), {}, rules) == read(files())
