"""A registry small enough to read: one row of most nouns in canonical form, to be changed by one text at a time."""

from __future__ import annotations

from pathlib import Path

from labshare.domain.registry import Registry
from labshare.domain.registry_csv import read_registry

FIXTURES = Path(__file__).parents[1] / "fixtures" / "registry"

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
        "capacity,products,source,verification,verification_note\n"
        "N1,1,C-A,SEM,Máy A,Instrument A,,,Hitachi,S-4800,,hour,time,user,yes,licence,vacuum heat,"
        "Mon-Fri 08:00-18:00,,120,30,600,30,28,,15,,NEW:P1 NEW:P2,s,illustrative,\n"
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


def real() -> dict[str, bytes]:
    """The files of the registry that LabShare ships."""
    return {path.name: path.read_bytes() for path in FIXTURES.glob("*.csv")}


def read(content: dict[str, bytes]) -> Registry:
    result = read_registry(content)
    assert isinstance(result, Registry), result
    return result


def faults(content: dict[str, bytes]) -> list[tuple[str, int, str, str]]:
    """The faults as (file, line, column, code)."""
    result = read_registry(content)
    assert isinstance(result, list)
    return [(fault.file, fault.line, fault.column, fault.reason.code) for fault in result]
