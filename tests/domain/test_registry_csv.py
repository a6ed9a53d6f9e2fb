"""The registry's files: read whole or not at all, every bad row named, written back byte for byte."""

from __future__ import annotations

import pytest

from labshare.domain.opening import format_opening
from labshare.domain.registry import Instrument
from labshare.domain.registry_csv import FILES, read_registry, write_registry
from labshare.domain.registry_terms import BookingMode, Hazard, Verification
from tests.registry_files import SMALL, faults, files, read, real


def test_a_sound_registry_is_read_and_written_back_byte_for_byte() -> None:
    registry = read(files())
    assert write_registry(registry) == files()
    assert [len(getattr(registry, file.noun)) for file in FILES] == [1, 1, 1, 1, 1, 2, 2, 3, 2]


def test_cells_become_values() -> None:
    instrument = read(files()).instruments[0]
    assert format_opening(instrument.opening) == "Mon-Fri 08:00-18:00"
    assert instrument.hazards == (Hazard.VACUUM, Hazard.HEAT)
    assert [str(product) for product in instrument.products] == ["NEW:P1", "NEW:P2"]
    assert (instrument.setup_minutes, instrument.cleanup_minutes, instrument.capacity) == (0, 15, 1)
    assert instrument.is_illustrative
    assert instrument.is_bookable


def test_the_real_registry_is_canonical_and_whole() -> None:
    content = real()
    registry = read(content)
    assert write_registry(registry) == content
    # The counts of the sources: 39 institutes, 10 zones, 34 centres, 22 sourced and 94 illustrative instruments.
    assert (len(registry.organisations), len(registry.zones), len(registry.centres)) == (39, 10, 34)
    illustrative = sum(row.verification is Verification.ILLUSTRATIVE for row in registry.instruments)
    assert (len(registry.instruments) - illustrative, illustrative) == (22, 94)


def test_decision_1131_has_35_products_in_11_groups() -> None:
    registry = read(real())
    in_group = [
        sum(p.taxonomy_id == "QD1131-2025" and p.group_number == number for p in registry.technology_products)
        for number in range(1, 12)
    ]
    # As the decision lists them, by group: 6 3 3 3 4 1 3 3 4 2 3, together 35.
    assert in_group == [6, 3, 3, 3, 4, 1, 3, 3, 4, 2, 3]


def test_decision_21_has_22_products_of_the_first_tier_and_8_of_the_second() -> None:
    registry = read(real())
    tiers = [p.tier for p in registry.technology_products if p.taxonomy_id == "QD21-2026"]
    assert (tiers.count(1), tiers.count(2)) == (22, 8)


def test_every_product_of_both_lists_stands_in_the_crosswalk() -> None:
    registry = read(real())
    named = {side for row in registry.technology_crosswalk for side in (row.old, row.new) if side}
    assert named == {product.ref for product in registry.technology_products}


def test_rows_not_bought_by_time_are_listed_and_not_bookable() -> None:
    registry = read(real())
    by_id: dict[str, Instrument] = {row.id: row for row in registry.instruments}
    # The X-ray diffractometer is bought by the sample, the GPUs by the GPU-hour, the FE-SEM by the hour.
    modes = [by_id[id].booking_mode for id in ("N005", "N020", "N001")]
    assert modes == [BookingMode.SERVICE, BookingMode.POOLED, BookingMode.TIME]
    assert [by_id[id].is_bookable for id in ("N005", "N020", "N001")] == [False, False, True]


def test_another_order_of_rows_and_columns_is_accepted_and_written_canonically() -> None:
    content = files()
    header, new, old = SMALL["taxonomies.csv"].splitlines()
    content["taxonomies.csv"] = "\n".join([header, old, new, ""]).encode()
    content["capabilities.csv"] = b"name_en,id,name_vi\nScanning electron microscopy,SEM, Hi\xe1\xbb\x83n vi \n"
    expected = files(capabilities=("Hiển vi điện tử quét", "Hiển vi"))
    assert write_registry(read(content)) == expected


def test_files_from_before_there_was_a_capacity_are_read() -> None:
    content = files()
    before = content["instruments.csv"].replace(b"capacity,", b"").replace(b",15,,NEW", b",15,NEW")
    assert read(content | {"instruments.csv": before}) == read(content)


def test_how_many_use_it_at_a_time_is_read_and_written() -> None:
    content = files(instruments=("28,,15,,NEW", "28,,15,3,NEW"))
    registry = read(content)
    assert registry.instruments[0].capacity == 3
    assert write_registry(registry) == content


def test_a_byte_order_mark_and_windows_line_ends_are_accepted() -> None:
    content = files()
    content["zones.csv"] = b"\xef\xbb\xbf" + content["zones.csv"].replace(b"\n", b"\r\n")
    assert write_registry(read(content)) == files()


def test_decomposed_accents_are_stored_composed() -> None:
    # e, circumflex, dot below as three characters are the one letter that everybody types.
    content = files(capabilities=("điện", "đie\u0323\u0302n"))
    assert read(content).capabilities[0].name_vi == "Hiển vi điện tử quét"


@pytest.mark.parametrize(
    ("noun", "old", "new", "line", "column", "code"),
    [
        ("zones", "Zone A", "", 2, "name_en", "registry_required"),
        ("zones", "1600", "1,600", 2, "", "registry_wrong_width"),
        ("zones", "1600", "about 1600", 2, "area_hectares", "registry_not_a_number"),
        ("zones", "105.53", "1e2", 2, "longitude", "registry_not_a_number"),
        ("zones", ",yes,", ",Yes,", 2, "area_is_approximate", "registry_not_yes_or_no"),
        ("zones", "Khu A", "Khu\u0007A", 2, "name_vi", "registry_control_character"),
        ("organisations", ",institute,", ",ministry,", 2, "kind", "registry_unknown_choice"),
        ("centres", "NEW:P1", "P1", 2, "products", "registry_not_a_product"),
        ("centres", "NEW:P1", "NEW:P1 NEW:P1", 2, "products", "registry_named_twice"),
        ("taxonomies", "2025-06-12", "20250612", 3, "effective_from", "registry_not_a_date"),
        ("instruments", "Mon-Fri 08:00-18:00", "Mon-Fri 18:00-08:00", 2, "opening", "opening_reversed"),
    ],
)  # fmt: skip
def test_a_bad_row_is_named_by_file_line_and_column(
    noun: str, old: str, new: str, line: int, column: str, code: str
) -> None:
    assert (f"{noun}.csv", line, column, code) in faults(files(**{noun: (old, new)}))


def test_every_fault_is_reported_at_once_in_the_order_of_files_and_lines() -> None:
    content = files(zones=("Zone A", ""), centres=("2025-10", "soon"), technology_products=("OLD,O1,1", "OLD,O1,one"))
    assert faults(content) == [
        ("centres.csv", 2, "opened", "registry_not_a_date"),
        ("technology_products.csv", 4, "group_number", "registry_not_a_number"),
        ("zones.csv", 2, "name_en", "registry_required"),
    ]


def test_a_misspelled_file_is_named_beside_the_one_that_is_missing() -> None:
    content = files()
    content["zone.csv"] = content.pop("zones.csv")
    assert faults(content) == [
        ("zone.csv", 0, "", "registry_file_unknown"),
        ("zones.csv", 0, "", "registry_file_missing"),
    ]


def test_columns_are_named_when_unknown_missing_or_twice() -> None:
    content = files()
    content["capabilities.csv"] = b"id,name_vi,name_vi,colour\nSEM,a,b,c\n"
    assert faults(content) == [
        ("capabilities.csv", 1, "name_vi", "registry_column_twice"),
        ("capabilities.csv", 1, "colour", "registry_column_unknown"),
        ("capabilities.csv", 1, "name_en", "registry_column_missing"),
    ]


def test_an_empty_file_misses_every_column() -> None:
    content = files()
    content["capabilities.csv"] = b""
    assert [code for *_, code in faults(content)] == ["registry_column_missing"] * 3


def test_a_file_that_is_not_utf_8_is_named_with_its_line() -> None:
    content = files()
    content["capabilities.csv"] += b"TEM,Hi\xff,TEM\n"
    assert faults(content) == [("capabilities.csv", 3, "", "registry_not_utf8")]


def test_a_quote_that_is_never_closed_is_one_fault() -> None:
    content = files()
    content["capabilities.csv"] += b'TEM,"Hi\n'
    assert faults(content) == [("capabilities.csv", 3, "", "registry_bad_csv")]


def test_a_second_row_with_the_same_id_is_refused() -> None:
    content = files()
    content["capabilities.csv"] += b"SEM,a,b\n"
    result = read_registry(content)
    assert isinstance(result, list)
    assert [(fault.line, fault.reason.code, fault.reason.params) for fault in result] == [
        (3, "registry_duplicate", {"value": "SEM"})
    ]
