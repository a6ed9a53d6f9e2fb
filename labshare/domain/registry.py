"""The registry: zones, centres, instruments, their organisations and capabilities, and the strategic technologies.

What must not live here: how the files are read (registry_csv.py), what makes a whole registry sound
(registry_check.py), or anything about bookings.

A field without a default must be filled in the files. Text that is not known is '', a value that does not apply is
None. `retired_at` is set when the newest files no longer name the row.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from labshare.domain.opening import OpeningHours
from labshare.domain.registry_terms import (
    BookableUnit,
    BookingMode,
    CentreKind,
    Coordinates,
    GroupBasis,
    Hazard,
    OperatedBy,
    OrganisationKind,
    Qualification,
    Relation,
    Stage,
    Verification,
)
from labshare.errors import Malformed

# The lists of technologies take effect at midnight in Viet Nam.
LAW_ZONE = ZoneInfo("Asia/Ho_Chi_Minh")


class ProductRef(msgspec.Struct, frozen=True, order=True):
    """A strategic product, always named within its list: a bare code would mean something else after the next list."""

    taxonomy_id: str
    code: str

    def __str__(self) -> str:
        return f"{self.taxonomy_id}:{self.code}"

    @classmethod
    def parse(cls, text: str) -> ProductRef:
        """`QD21-2026:P17`. Raises `Malformed` for anything else."""
        taxonomy_id, colon, code = text.partition(":")
        if not (taxonomy_id and colon and code):
            raise Malformed("registry_not_a_product", value=text)
        return cls(taxonomy_id, code)


class Sourced(msgspec.Struct, frozen=True, kw_only=True):
    """Where a row comes from and how far that bears it out."""

    source: str
    verification: Verification
    verification_note: str = ""

    @property
    def is_illustrative(self) -> bool:
        return self.verification is Verification.ILLUSTRATIVE


class Located(Sourced, frozen=True, kw_only=True):
    """A place. Latitude and longitude are degrees, WGS 84."""

    city_vi: str
    city_en: str
    latitude: float | None = None
    longitude: float | None = None
    coordinates: Coordinates | None = None

    @property
    def point(self) -> tuple[float, float] | None:
        """Where it may be shown on a map: approximate coordinates are kept, and never shown as a point."""
        if self.latitude is None or self.longitude is None or self.coordinates is not Coordinates.SURVEYED:
            return None
        return self.latitude, self.longitude


class Organisation(Located, frozen=True, kw_only=True):
    """A legal party of the registry. `parent_id` makes the tree; a parent without a row is a governing body's name."""

    id: str
    kind: OrganisationKind
    name_vi: str
    name_en: str
    abbr: str = ""
    parent_id: str | None = None
    governing_body_vi: str = ""
    governing_body_en: str = ""
    description_vi: str = ""
    description_en: str = ""
    retired_at: datetime | None = None


class Zone(Located, frozen=True, kw_only=True):
    """A high-tech zone. `established` is a year."""

    id: str
    name_vi: str
    name_en: str
    established: int | None = None
    area_hectares: int | None = None
    area_is_approximate: bool = False
    description_vi: str = ""
    description_en: str = ""
    retired_at: datetime | None = None


class Centre(Located, frozen=True, kw_only=True):
    """A shared key research centre. `opened` is a year, a month or a day (ISO 8601); a plan when `stage` says so."""

    id: str
    kind: CentreKind
    name_vi: str
    name_en: str
    host_id: str
    zone_id: str | None = None
    opened: str = ""
    stage: Stage
    products: tuple[ProductRef, ...] = ()
    timezone: str
    description_vi: str = ""
    description_en: str = ""
    retired_at: datetime | None = None


class Capability(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of measurement or process: the registry's type code with its names."""

    id: str
    name_vi: str
    name_en: str
    retired_at: datetime | None = None


class Instrument(Sourced, frozen=True, kw_only=True):
    """Bookable equipment, with the PIDINST fields that are known of it.

    `number` orders locks and never changes. Lengths are minutes, `advance_days` calendar days; all are 0 for what is
    not booked by time. `capacity` is how many may use it at a time.
    """

    id: str
    number: int
    centre_id: str
    capability_id: str
    name_vi: str
    name_en: str
    description_vi: str = ""
    description_en: str = ""
    manufacturer: str = ""
    model: str = ""
    pid: str = ""
    bookable_unit: BookableUnit
    booking_mode: BookingMode
    operated_by: OperatedBy
    attended: bool
    qualification: Qualification | None = None
    hazards: tuple[Hazard, ...] = ()
    opening: OpeningHours = OpeningHours()
    spans_closed_hours: bool = False
    typical_minutes: int = 0
    min_minutes: int = 0
    max_minutes: int = 0
    granularity_minutes: int = 0
    advance_days: int = 0
    setup_minutes: int = 0
    cleanup_minutes: int = 0
    capacity: int = 1
    products: tuple[ProductRef, ...] = ()
    retired_at: datetime | None = None

    @property
    def is_bookable(self) -> bool:
        return self.booking_mode is BookingMode.TIME and self.retired_at is None


class Taxonomy(Sourced, frozen=True, kw_only=True):
    """One version of the list of strategic technologies. `effective_until` is the first day it no longer holds."""

    id: str
    name_vi: str
    name_en: str
    description_vi: str = ""
    description_en: str = ""
    effective_from: date
    effective_until: date | None = None

    @property
    def last_day(self) -> date | None:
        return None if self.effective_until is None else self.effective_until - timedelta(days=1)

    def is_in_force(self, day: date) -> bool:
        return self.effective_from <= day and (self.effective_until is None or day < self.effective_until)


class TechnologyGroup(Sourced, frozen=True, kw_only=True):
    taxonomy_id: str
    number: int
    name_vi: str
    name_en: str


class TechnologyProduct(Sourced, frozen=True, kw_only=True):
    """A product of one list. `tier` is 1 (ready for market) or 2 (growth, sovereignty) where the list has tiers."""

    taxonomy_id: str
    code: str
    group_number: int
    group_basis: GroupBasis
    tier: int | None = None
    name_vi: str
    name_en: str
    is_first_product: bool = False

    @property
    def ref(self) -> ProductRef:
        return ProductRef(self.taxonomy_id, self.code)

    def is_in(self, group: TechnologyGroup) -> bool:
        return (self.taxonomy_id, self.group_number) == (group.taxonomy_id, group.number)


class Crosswalk(Sourced, frozen=True, kw_only=True):
    """One line between two lists. A product that was dropped has no new side, one that is new has no old side."""

    old_taxonomy_id: str | None = None
    old_code: str | None = None
    new_taxonomy_id: str | None = None
    new_code: str | None = None
    relation: Relation
    note_vi: str = ""
    note_en: str = ""

    @property
    def old(self) -> ProductRef | None:
        return ProductRef(self.old_taxonomy_id, self.old_code) if self.old_taxonomy_id and self.old_code else None

    @property
    def new(self) -> ProductRef | None:
        return ProductRef(self.new_taxonomy_id, self.new_code) if self.new_taxonomy_id and self.new_code else None


Row = (
    Organisation | Zone | Centre | Capability | Instrument | Taxonomy | TechnologyGroup | TechnologyProduct | Crosswalk
)


def key(row: Row) -> str:
    """What names the row within its noun, in files, differences and the audit trail."""
    match row:
        case TechnologyGroup():
            return f"{row.taxonomy_id}:{row.number}"
        case TechnologyProduct():
            return str(row.ref)
        case Crosswalk():
            return f"{row.old or ''}>{row.new or ''}"
        case _:
            return row.id


def order(row: Row) -> tuple[int, str, int, str]:
    """The canonical place of a row among its noun: by id, instruments and groups by number, what is new last."""
    match row:
        case Instrument():
            return 0, "", row.number, row.id
        case TechnologyGroup():
            return 0, row.taxonomy_id, row.number, ""
        case Crosswalk():
            return (0 if row.old else 1), f"{row.old or ''}", 0, f"{row.new or ''}"
        case _:
            return 0, key(row), 0, ""


class Registry(msgspec.Struct, frozen=True, kw_only=True):
    """The whole registry, each noun in its canonical order."""

    organisations: tuple[Organisation, ...] = ()
    zones: tuple[Zone, ...] = ()
    centres: tuple[Centre, ...] = ()
    capabilities: tuple[Capability, ...] = ()
    instruments: tuple[Instrument, ...] = ()
    taxonomies: tuple[Taxonomy, ...] = ()
    technology_groups: tuple[TechnologyGroup, ...] = ()
    technology_products: tuple[TechnologyProduct, ...] = ()
    technology_crosswalk: tuple[Crosswalk, ...] = ()


def in_force(taxonomies: tuple[Taxonomy, ...], now: datetime) -> Taxonomy | None:
    """The list that holds at this instant; the later one should two hold."""
    day = now.astimezone(LAW_ZONE).date()
    return max((t for t in taxonomies if t.is_in_force(day)), key=lambda t: t.effective_from, default=None)


def counterparts(product: ProductRef, crosswalk: tuple[Crosswalk, ...]) -> tuple[ProductRef, ...]:
    """The product itself and what the crosswalk makes of it in the other lists, so that either list finds it."""
    found = {product}
    for line in crosswalk:
        if line.old is not None and line.new is not None and product in (line.old, line.new):
            found |= {line.old, line.new}
    return tuple(sorted(found))
