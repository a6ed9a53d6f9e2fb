"""The registry's values: what is illustrative, where a point may be shown, which list of technologies holds."""

from __future__ import annotations

from datetime import UTC, date, datetime

import msgspec

from labshare.domain.registry import (
    Crosswalk,
    ProductRef,
    Taxonomy,
    Zone,
    counterparts,
    in_force,
    key,
)
from labshare.domain.registry_terms import Coordinates, Relation, Verification

OLD = Taxonomy(
    id="OLD",
    name_vi="Cũ",
    name_en="Old",
    effective_from=date(2025, 6, 12),
    effective_until=date(2026, 7, 1),
    source="s",
    verification=Verification.VERIFIED,
)
NEW = Taxonomy(
    id="NEW",
    name_vi="Mới",
    name_en="New",
    effective_from=date(2026, 7, 1),
    source="s",
    verification=Verification.VERIFIED,
)
ZONE = Zone(
    id="Z",
    name_vi="Khu",
    name_en="Zone",
    city_vi="Hà Nội",
    city_en="Hanoi",
    latitude=21.0,
    longitude=105.5,
    coordinates=Coordinates.APPROXIMATE,
    source="s",
    verification=Verification.GENERAL_KNOWLEDGE,
)


def line(old: str | None, new: str | None, relation: Relation) -> Crosswalk:
    return Crosswalk(
        old_taxonomy_id="OLD" if old else None,
        old_code=old,
        new_taxonomy_id="NEW" if new else None,
        new_code=new,
        relation=relation,
        source="ours",
        verification=Verification.PARTLY_VERIFIED,
    )


# O1 and O2 became P1; O3 was split into P1 and P2; O4 was dropped; P3 is new.
CROSSWALK = (
    line("O1", "P1", Relation.MERGED),
    line("O2", "P1", Relation.MERGED),
    line("O3", "P1", Relation.SPLIT),
    line("O3", "P2", Relation.SPLIT),
    line("O4", None, Relation.DROPPED),
    line(None, "P3", Relation.NEW),
)


def test_the_list_in_force_changes_on_the_day_the_next_one_takes_effect() -> None:
    # Midnight in Viet Nam is 17:00 UTC of the day before.
    assert in_force((OLD, NEW), datetime(2026, 6, 30, 16, 59, tzinfo=UTC)) == OLD
    assert in_force((OLD, NEW), datetime(2026, 6, 30, 17, 0, tzinfo=UTC)) == NEW


def test_no_list_holds_before_the_first_one() -> None:
    assert in_force((OLD, NEW), datetime(2025, 6, 11, 12, tzinfo=UTC)) is None


def test_the_later_list_holds_when_two_overlap() -> None:
    unended = msgspec.structs.replace(OLD, effective_until=None)
    assert in_force((unended, NEW), datetime(2026, 8, 1, tzinfo=UTC)) == NEW


def test_an_old_product_finds_its_successors() -> None:
    assert counterparts(ProductRef("OLD", "O3"), CROSSWALK) == (
        ProductRef("NEW", "P1"),
        ProductRef("NEW", "P2"),
        ProductRef("OLD", "O3"),
    )


def test_a_new_product_finds_its_predecessors_but_not_their_other_successors() -> None:
    # P2 comes from O3 alone; that O3 also became P1 does not make P1 the same product.
    assert counterparts(ProductRef("NEW", "P2"), CROSSWALK) == (ProductRef("NEW", "P2"), ProductRef("OLD", "O3"))


def test_a_dropped_product_finds_only_itself() -> None:
    assert counterparts(ProductRef("OLD", "O4"), CROSSWALK) == (ProductRef("OLD", "O4"),)


def test_approximate_coordinates_are_never_a_point() -> None:
    assert ZONE.point is None
    assert msgspec.structs.replace(ZONE, coordinates=Coordinates.SURVEYED).point == (21.0, 105.5)


def test_only_illustrative_rows_are_illustrative() -> None:
    assert not ZONE.is_illustrative
    assert msgspec.structs.replace(ZONE, verification=Verification.ILLUSTRATIVE).is_illustrative


def test_a_crosswalk_line_is_named_by_its_two_sides() -> None:
    assert [key(row) for row in CROSSWALK[3:]] == ["OLD:O3>NEW:P2", "OLD:O4>", ">NEW:P3"]
