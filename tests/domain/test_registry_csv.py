"""The registry's files: read whole or not at all, every bad row named, written back byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from labshare.domain.opening import format_opening
from labshare.domain.registry import Instrument, Registry
from labshare.domain.registry_check import RowFault
from labshare.domain.registry_csv import FILES, read_registry, write_registry
from labshare.domain.registry_terms import BookingMode, Hazard, Verification

FIXTURES = Path(__file__).parents[2] / "fixtures" / "registry"

# The smallest sound registry: one row of every noun, in the canonical form.
SMALL = {
    "organisations.csv": (
        "id,kind,abbr,parent_id,governing_body_vi,governing_body_en,name_vi,name_en,description_vi,description_en,"
        "city_vi,city_en,latitude,longitude,coordinates,source,verification,verification_note\n"
        "I-A,institute,IA,,Chính phủ,Government,Viện A,Institute A,,,Hà Nội,Hanoi,21.05,105.8,approximate,s,verified,\n"
    ),
    "zones.csv": (
        "id,name_vi,name_en,description_vi,description_en,established,area_hectares,area_is_approximate,"
        "city_vi,city_en,latitude,longitude,coordinates,source,verification,verification_note\n"
        "Z-A,Khu A,Zone A,,,1998,1600,yes,Hà Nội,Hanoi,21,105.53,approximate,s,verified,\n"
    ),
    "centres.csv": (
        "id,kind,host_id,zone_id,name_vi,name_en,description_vi,description_en,opened,stage,products,timezone,"
        "city_vi,city_en,latitude,longitude,coordinates,source,verification,verification_note\n"
        "C-A,pilot_plant,I-A,Z-A,Trung tâm A,Centre A,,,2025-10,operating,NEW:P1,Asia/Ho_Chi_Minh,"
        "Hà Nội,Hanoi,,,,s,verified,\n"
    ),
    "capabilities.csv": "id,name_vi,name_en\nSEM,Hiển vi điện tử quét,Scanning electron microscopy\n",
    "instruments.csv": (
        "id,number,centre_id,capability_id,name_vi,name_en,description_vi,description_en,manufacturer,model,pid,"
        "bookable_unit,booking_mode,operated_by,attended,qualification,hazards,opening,spans_closed_hours,"
        "typical_minutes,min_minutes,max_minutes,granularity_minutes,advance_days,setup_minutes,cleanup_minutes,"
        "products,source,verification,verification_note\n"
        "N1,1,C-A,SEM,Máy A,Instrument A,,,Hitachi,S-4800,,hour,time,user,yes,licence,vacuum heat,"
        "Mon-Fri 08:00-18:00,,120,30,600,30,28,,15,NEW:P1 NEW:P2,s,illustrative,\n"
    ),
    "taxonomies.csv": (
        "id,name_vi,name_en,description_vi,description_en,effective_from,effective_until,"
        "source,verification,verification_note\n"
        "NEW,Mới,New,,,2026-07-01,,s,verified,\nOLD,Cũ,Old,,,2025-06-12,2026-07-01,s,verified,\n"
    ),
    "technology_groups.csv": (
        "taxonomy_id,number,name_vi,name_en,source,verification,verification_note\n"
        "NEW,1,Nhóm,Group,s,verified,\nOLD,1,Nhóm,Group,s,verified,\n"
    ),
    "technology_products.csv": (
        "taxonomy_id,code,group_number,group_basis,tier,is_first_product,name_vi,name_en,"
        "source,verification,verification_note\n"
        "NEW,P1,1,analyst,1,yes,Một,One,s,verified,\nNEW,P2,1,analyst,2,,Hai,Two,s,verified,\n"
        "OLD,O1,1,decision,,,Cũ,Old,s,verified,\n"
    ),
    "technology_crosswalk.csv": (
        "old_taxonomy_id,old_code,new_taxonomy_id,new_code,relation,note_vi,note_en,source,verification,"
        "verification_note\nOLD,O1,NEW,P1,kept,,,ours,partly_verified,\n,,NEW,P2,new,,,ours,partly_verified,\n"
    ),
}


def files(**changed: tuple[str, str]) -> dict[str, bytes]:
    """The small registry with one text replaced by another in the files that are named."""
    texts = dict(SMALL)
    for noun, (old, new) in changed.items():
        assert old in texts[f"{noun}.csv"]
        texts[f"{noun}.csv"] = texts[f"{noun}.csv"].replace(old, new)
    return {name: text.encode() for name, text in texts.items()}


def read(content: dict[str, bytes]) -> Registry:
    result = read_registry(content)
    assert isinstance(result, Registry), result
    return result


def faults(content: dict[str, bytes]) -> list[tuple[str, int, str, str]]:
    """The faults as (file, line, column, code)."""
    result = read_registry(content)
    assert isinstance(result, list)
    return [(fault.file, fault.line, fault.column, fault.reason.code) for fault in result]


def test_a_sound_registry_is_read_and_written_back_byte_for_byte() -> None:
    registry = read(files())
    assert write_registry(registry) == files()
    assert [len(getattr(registry, file.noun)) for file in FILES] == [1, 1, 1, 1, 1, 2, 2, 3, 2]


def test_cells_become_values() -> None:
    instrument = read(files()).instruments[0]
    assert format_opening(instrument.opening) == "Mon-Fri 08:00-18:00"
    assert instrument.hazards == (Hazard.VACUUM, Hazard.HEAT)
    assert [str(product) for product in instrument.products] == ["NEW:P1", "NEW:P2"]
    assert (instrument.setup_minutes, instrument.cleanup_minutes) == (0, 15)
    assert instrument.is_illustrative
    assert instrument.is_bookable


def test_the_real_registry_is_canonical_and_whole() -> None:
    content = {path.name: path.read_bytes() for path in FIXTURES.glob("*.csv")}
    registry = read(content)
    assert write_registry(registry) == content
    # The counts of the sources: 39 institutes, 10 zones, 34 centres, 22 sourced and 94 illustrative instruments.
    assert (len(registry.organisations), len(registry.zones), len(registry.centres)) == (39, 10, 34)
    illustrative = sum(row.verification is Verification.ILLUSTRATIVE for row in registry.instruments)
    assert (len(registry.instruments) - illustrative, illustrative) == (22, 94)


def test_decision_1131_has_35_products_in_11_groups() -> None:
    registry = read({path.name: path.read_bytes() for path in FIXTURES.glob("*.csv")})
    in_group = [
        sum(p.taxonomy_id == "QD1131-2025" and p.group_number == number for p in registry.technology_products)
        for number in range(1, 12)
    ]
    # As the decision lists them, by group: 6 3 3 3 4 1 3 3 4 2 3, together 35.
    assert in_group == [6, 3, 3, 3, 4, 1, 3, 3, 4, 2, 3]


def test_decision_21_has_22_products_of_the_first_tier_and_8_of_the_second() -> None:
    registry = read({path.name: path.read_bytes() for path in FIXTURES.glob("*.csv")})
    tiers = [p.tier for p in registry.technology_products if p.taxonomy_id == "QD21-2026"]
    assert (tiers.count(1), tiers.count(2)) == (22, 8)


def test_every_product_of_both_lists_stands_in_the_crosswalk() -> None:
    registry = read({path.name: path.read_bytes() for path in FIXTURES.glob("*.csv")})
    named = {side for row in registry.technology_crosswalk for side in (row.old, row.new) if side}
    assert named == {product.ref for product in registry.technology_products}


def test_rows_not_bought_by_time_are_listed_and_not_bookable() -> None:
    registry = read({path.name: path.read_bytes() for path in FIXTURES.glob("*.csv")})
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
        ("zones", "1600", "0", 2, "area_hectares", "registry_not_positive"),
        ("zones", "105.53", "1e2", 2, "longitude", "registry_not_a_number"),
        ("zones", "105.53", "205.53", 2, "longitude", "registry_out_of_range"),
        ("zones", "approximate", "", 2, "coordinates", "registry_coordinates_incomplete"),
        ("zones", ",yes,", ",Yes,", 2, "area_is_approximate", "registry_not_yes_or_no"),
        ("zones", "Khu A", "Khu\u0007A", 2, "name_vi", "registry_control_character"),
        ("zones", "Z-A", "Z/A", 2, "id", "registry_bad_id"),
        ("organisations", ",institute,", ",ministry,", 2, "kind", "registry_unknown_choice"),
        ("organisations", "IA,,", "IA,I-X,", 2, "parent_id", "registry_unknown_id"),
        ("organisations", "IA,,", "IA,I-A,", 2, "parent_id", "registry_parent_cycle"),
        ("centres", ",I-A,", ",I-X,", 2, "host_id", "registry_unknown_id"),
        ("centres", "2025-10", "2025-13", 2, "opened", "registry_not_a_date"),
        ("centres", "Asia/Ho_Chi_Minh", "Asia/Saigon2", 2, "timezone", "registry_unknown_timezone"),
        ("centres", "NEW:P1", "NEW:P9", 2, "products", "registry_unknown_id"),
        ("centres", "NEW:P1", "P1", 2, "products", "registry_not_a_product"),
        ("centres", "NEW:P1", "NEW:P1 NEW:P1", 2, "products", "registry_named_twice"),
        ("taxonomies", "2025-06-12", "20250612", 3, "effective_from", "registry_not_a_date"),
        ("taxonomies", "2025-06-12,2026-07-01", "2026-07-01,2026-07-01", 3, "effective_until", "registry_reversed_dates"),
        ("technology_products", "OLD,O1,1", "OLD,O1,7", 4, "group_number", "registry_unknown_id"),
        ("technology_crosswalk", "OLD,O1,NEW,P1,kept", "OLD,O1,,,kept", 2, "relation", "registry_relation_contradicts"),
        ("technology_crosswalk", ",,NEW,P2,new", ",O1,NEW,P2,new", 3, "old_code", "registry_half_a_product"),
        ("instruments", "N1,1,", "N1,0,", 2, "number", "registry_out_of_range"),
        ("instruments", ",C-A,", ",C-X,", 2, "centre_id", "registry_unknown_id"),
        ("instruments", ",SEM,", ",TEM,", 2, "capability_id", "registry_unknown_id"),
        ("instruments", "Mon-Fri 08:00-18:00", "Mon-Fri 18:00-08:00", 2, "opening", "opening_reversed"),
        ("instruments", "Mon-Fri 08:00-18:00", "", 2, "opening", "registry_never_open"),
        ("instruments", "Mon-Fri 08:00-18:00", "Mon 08:00-08:20", 2, "min_minutes", "registry_min_beyond_opening"),
        ("instruments", "30,600,30,28", "20,600,30,28", 2, "min_minutes", "registry_off_granularity"),
        ("instruments", "30,600,30,28", "60,30,30,28", 2, "max_minutes", "registry_max_below_min"),
        ("instruments", "30,600,30,28", "30,600,30,", 2, "advance_days", "registry_not_positive"),
        ("instruments", "30,600,30,28,,15", "30,600,30,28,,-15", 2, "cleanup_minutes", "registry_out_of_range"),
        # 93 days of 24 h are 133,920 minutes; no single booking may be longer than 92 days.
        ("instruments", "30,600,30,28", "30,133920,30,28", 2, "max_minutes", "registry_out_of_range"),
        ("instruments", "hour,time", "sample,time", 2, "booking_mode", "registry_unit_is_not_time"),
    ],
)  # fmt: skip
def test_a_bad_row_is_named_by_file_line_and_column(
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


def test_every_fault_is_reported_at_once_in_the_order_of_files_and_lines() -> None:
    content = files(zones=("Zone A", ""), centres=("2025-10", "soon"), technology_products=("OLD,O1,1", "OLD,O1,one"))
    assert faults(content) == [
        ("centres.csv", 2, "opened", "registry_not_a_date"),
        ("technology_products.csv", 4, "group_number", "registry_not_a_number"),
        ("zones.csv", 2, "name_en", "registry_required"),
    ]


def test_a_row_with_a_bad_cell_does_not_blame_the_rows_that_name_it() -> None:
    assert faults(files(organisations=("21.05", "north"))) == [
        ("organisations.csv", 2, "latitude", "registry_not_a_number")
    ]


def test_a_missing_file_is_one_fault_and_blames_nobody_else() -> None:
    content = files()
    del content["capabilities.csv"]
    assert faults(content) == [("capabilities.csv", 0, "", "registry_file_missing")]


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
    content["capabilities.csv"] = (
        content["capabilities.csv"] + "TEM,Hiển vi,TEM\n".encode("cp1258", "replace") + b"\xff"
    )
    # Header and one row are lines 1 and 2; the first byte that is not UTF-8 may stand in line 3 or 4.
    [(file, line, _, code)] = faults(content)
    assert (file, code) == ("capabilities.csv", "registry_not_utf8")
    assert line in (3, 4)


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
