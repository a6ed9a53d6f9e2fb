"""Finding instruments: what was asked, what was found, and how many each further choice would leave.

What must not live here: the query (store/registry.py) or how choices look.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from labshare.domain.registry import ProductRef
from labshare.domain.registry_terms import BookableUnit, BookingMode, OperatedBy, Qualification, Verification

# Facets whose choices carry a count; each is a field of `Search` and of `Tally`.
FACETS = ("capability_id", "city_vi", "zone_id", "centre_id", "host_id")


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody looks for. Empty fields ask for nothing; a product of either list finds its counterparts too."""

    text: str = ""
    product: ProductRef | None = None
    capability_id: str = ""
    city_vi: str = ""
    zone_id: str = ""
    centre_id: str = ""
    host_id: str = ""
    bookable_only: bool = False

    @property
    def is_empty(self) -> bool:
        return self == Search()


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """How many instruments that match text and product share these values of all facets."""

    capability_id: str
    city_vi: str
    zone_id: str | None
    centre_id: str
    host_id: str
    count: int


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One instrument in a list, with the names that stand beside it."""

    id: str
    number: int
    name_vi: str
    name_en: str
    manufacturer: str
    model: str
    bookable_unit: BookableUnit
    booking_mode: BookingMode
    operated_by: OperatedBy
    qualification: Qualification | None
    verification: Verification
    capability_id: str
    capability_vi: str
    capability_en: str
    centre_id: str
    centre_vi: str
    centre_en: str
    city_vi: str
    city_en: str
    host_abbr: str

    @property
    def is_illustrative(self) -> bool:
        return self.verification is Verification.ILLUSTRATIVE


def total(tallies: Iterable[Tally], search: Search) -> int:
    """How many instruments match everything that was asked."""
    return sum(tally.count for tally in tallies if _matches(tally, search, but=""))


def choices(tallies: Iterable[Tally], search: Search, facet: str) -> dict[str, int]:
    """The values of a facet with how many instruments each would leave, all other facets as they are chosen."""
    counts: Counter[str] = Counter()
    for tally in tallies:
        value = getattr(tally, facet)
        if value and _matches(tally, search, but=facet):
            counts[value] += tally.count
    return dict(counts)


def _matches(tally: Tally, search: Search, *, but: str) -> bool:
    wanted = ((facet, getattr(search, facet)) for facet in FACETS if facet != but)
    return all(not value or getattr(tally, facet) == value for facet, value in wanted)
