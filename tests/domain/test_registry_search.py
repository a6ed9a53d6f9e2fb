"""What every further choice would leave: counted from tallies, exactly."""

from __future__ import annotations

from labshare.domain.registry_search import Search, Tally, choices, total


def tally(capability_id: str, city: str, zone_id: str | None, centre_id: str, count: int) -> Tally:
    return Tally(
        capability_id=capability_id, city_vi=city, zone_id=zone_id, centre_id=centre_id, host_id="I", count=count
    )


# Centre A (Hanoi, zone Z) has 2 SEM and 1 XRD; centre B (Hanoi) 3 SEM; centre C (Hue) 1 XRD.
TALLIES = (
    tally("SEM", "Hà Nội", "Z", "A", 2),
    tally("XRD", "Hà Nội", "Z", "A", 1),
    tally("SEM", "Hà Nội", None, "B", 3),
    tally("XRD", "Huế", None, "C", 1),
)


def test_everything_is_counted_when_nothing_is_chosen() -> None:
    assert total(TALLIES, Search()) == 7
    assert choices(TALLIES, Search(), "capability_id") == {"SEM": 5, "XRD": 2}


def test_choices_respect_the_other_facets() -> None:
    assert choices(TALLIES, Search(city_vi="Huế"), "capability_id") == {"XRD": 1}
    assert total(TALLIES, Search(city_vi="Hà Nội", capability_id="XRD")) == 1


def test_a_facet_counts_as_if_it_were_not_chosen_itself() -> None:
    # With SEM chosen the reader still sees what XRD would leave in Hanoi.
    assert choices(TALLIES, Search(city_vi="Hà Nội", capability_id="SEM"), "capability_id") == {"SEM": 5, "XRD": 1}


def test_centres_outside_any_zone_are_no_choice_of_zone() -> None:
    assert choices(TALLIES, Search(), "zone_id") == {"Z": 3}


def test_an_untouched_search_is_empty() -> None:
    assert Search().is_empty
    assert not Search(bookable_only=True).is_empty
