"""The registry: loading and exporting its files, finding instruments, and what the pages of its nouns show.

What must not live here: what makes the files sound (domain/registry_check.py), or anything about bookings.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import msgspec

from labshare.domain.people import Action, Actor, require
from labshare.domain.registry import (
    LAW_ZONE,
    Capability,
    Centre,
    Crosswalk,
    Instrument,
    Organisation,
    ProductRef,
    Taxonomy,
    TechnologyGroup,
    TechnologyProduct,
    Zone,
    counterparts,
    in_force,
    key,
)
from labshare.domain.registry_changes import TECHNOLOGY_NOUNS, NounChanges, changes, has_moved, in_use
from labshare.domain.registry_check import RowFault
from labshare.domain.registry_csv import read_registry, write_registry
from labshare.domain.registry_search import FACETS, Found, Search, Tally, choices, total
from labshare.domain.registry_terms import Stage
from labshare.domain.text import sort_key
from labshare.errors import Malformed, Refusal
from labshare.services import balances, booking_rules
from labshare.store import agreements as agreements_store
from labshare.store import audit, registry_search
from labshare.store import booking_rules as booking_rules_store
from labshare.store import registry as store
from labshare.store.engine import Connection

PAGE_SIZE = 24


class UnsoundRegistry(Malformed):
    """The files cannot be loaded, and nothing was changed. Carries every fault, in the order of files and lines."""

    code = "registry_unsound"

    def __init__(self, faults: list[RowFault]) -> None:
        self.faults = tuple(faults)
        super().__init__(self.code, count=len(faults))

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        return tuple(fault.reason for fault in self.faults)


# ---------------------------------------------------------------- files


def read_directory(directory: Path) -> dict[str, bytes]:
    """The CSV files of a folder, by name."""
    return {path.name: path.read_bytes() for path in sorted(directory.glob("*.csv"))}


def write_directory(directory: Path, files: Mapping[str, bytes]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (directory / name).write_bytes(content)


def load(db: Connection, actor: Actor | None, files: Mapping[str, bytes], now: datetime) -> tuple[NounChanges, ...]:
    """Make the registry what these files say, and tell what changed; the same files again change nothing.

    `actor` is None for the operator at the command line. Rows that the files no longer name are retired. Posted rules
    stay in force. Raises `Forbidden`, or `UnsoundRegistry` with every fault of every row before anything is changed.
    """
    if actor is not None:
        require(actor, Action.LOAD_REGISTRY)
    wanted = read_registry(files, store.numbers(db), booking_rules_store.standing(db))
    if isinstance(wanted, list):
        raise UnsoundRegistry(wanted)
    # What is booked, and each rule that a centre posts, comes before all that follows or after it.
    agreements_store.hold_still(db)
    standing = store.load(db)
    found = changes(standing, wanted)
    by_noun = {of_noun.noun: of_noun for of_noun in found}
    if any(by_noun[noun].count for noun in TECHNOLOGY_NOUNS):
        store.replace_technologies(db, wanted)
    for noun in store.TABLES:
        if noun not in TECHNOLOGY_NOUNS:
            _save(db, by_noun[noun], now)
    booking_rules.refit(db)
    # Shares are of places, and of those from outside a host: what stands is counted again.
    if has_moved(standing, wanted):
        balances.rebuild(db, now)
    for of_noun in found:
        _record(db, actor, of_noun, now)
    return found


def _save(db: Connection, of_noun: NounChanges, now: datetime) -> None:
    store.add(db, of_noun.noun, of_noun.added)
    store.change(db, of_noun.noun, of_noun.changed)
    store.retire(db, of_noun.noun, of_noun.gone, now)


def _record(db: Connection, actor: Actor | None, of_noun: NounChanges, now: datetime) -> None:
    actor_id = actor.person_id if actor else None
    lines = [
        *(("add", key(row)) for row in of_noun.added),
        *(("change", key(row)) for row in of_noun.changed),
        *(("retire", name) for name in of_noun.gone),
    ]
    for action, noun_id in lines:
        audit.record(db, actor_id=actor_id, action=action, noun=of_noun.noun, noun_id=noun_id, now=now)


def export(db: Connection) -> dict[str, bytes]:
    """The canonical files of the registry as it stands, without what is retired. They load without a change."""
    return write_registry(in_use(store.load(db)))


# ---------------------------------------------------------------- finding


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """One value of a facet, its names, and how many instruments it would leave."""

    value: str
    name_vi: str
    name_en: str
    count: int


class FoundPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of what was found, counted from 1, and the choices that would narrow it, by facet."""

    search: Search
    items: tuple[Found, ...]
    total: int
    page: int
    pages: int
    facets: dict[str, tuple[Choice, ...]]
    taxonomies: tuple[Taxonomy, ...]
    products: tuple[TechnologyProduct, ...]
    in_force: Taxonomy | None


def find_instruments(
    db: Connection, search: Search, now: datetime, *, page: int = 1, by_english: bool = False
) -> FoundPage:
    """The instruments that match. A product of either list finds what the crosswalk makes of it in the other too."""
    wanted = counterparts(search.product, store.technology_crosswalk(db)) if search.product else ()
    tallies = registry_search.tallies(db, search, wanted)
    count = total(tallies, search)
    pages = max(1, -(-count // PAGE_SIZE))
    page = max(1, min(page, pages))
    items = registry_search.find(
        db, search, wanted, by_english=by_english, limit=PAGE_SIZE, offset=(page - 1) * PAGE_SIZE
    )
    taxonomies = store.taxonomies(db)
    return FoundPage(
        search=search,
        items=tuple(items),
        total=count,
        page=page,
        pages=pages,
        facets=_facets(db, tallies, search, by_english=by_english),
        taxonomies=taxonomies,
        products=store.technology_products(db),
        in_force=in_force(taxonomies, now),
    )


def bookable_facets(db: Connection, *, by_english: bool = False) -> dict[str, tuple[Choice, ...]]:
    """The choices among all instruments that are booked by time, by facet."""
    search = Search(bookable_only=True)
    return _facets(db, registry_search.tallies(db, search), search, by_english=by_english)


def instruments_after(db: Connection, search: Search, *, after: str = "", limit: int) -> list[Found]:
    """The instruments that match, in the order of their ids, from behind the id `after`: for programs."""
    wanted = counterparts(search.product, store.technology_crosswalk(db)) if search.product else ()
    return registry_search.find_after(db, search, wanted, after=after, limit=limit)


def _facets(db: Connection, tallies: list[Tally], search: Search, *, by_english: bool) -> dict[str, tuple[Choice, ...]]:
    """The choices of each facet by name; what was chosen is always among them."""
    centres = store.centres(db)
    names: dict[str, set[tuple[str, str, str]]] = {
        "capability_id": {(row.id, row.name_vi, row.name_en) for row in store.capabilities(db)},
        "city_vi": {(row.city_vi, row.city_vi, row.city_en) for row in centres},
        "zone_id": {(row.id, row.name_vi, row.name_en) for row in store.zones(db)},
        "centre_id": {(row.id, row.name_vi, row.name_en) for row in centres},
        "host_id": {(row.id, row.name_vi, row.name_en) for row in store.organisations(db)},
    }
    facets: dict[str, tuple[Choice, ...]] = {}
    for facet in FACETS:
        counts = choices(tallies, search, facet)
        facets[facet] = tuple(
            Choice(value=value, name_vi=vi, name_en=en, count=counts.get(value, 0))
            for value, vi, en in sorted(names[facet], key=lambda name: sort_key(name[2 if by_english else 1]))
            if value in counts or value == getattr(search, facet)
        )
    return facets


# ---------------------------------------------------------------- pages


class ProductLine(msgspec.Struct, frozen=True, kw_only=True):
    """A strategic product with its list and group, as a page names it."""

    product: TechnologyProduct
    group: TechnologyGroup
    taxonomy: Taxonomy
    is_in_force: bool


class InstrumentPage(msgspec.Struct, frozen=True, kw_only=True):
    instrument: Instrument
    centre: Centre
    host: Organisation
    zone: Zone | None
    capability: Capability
    products: tuple[ProductLine, ...]

    @property
    def is_bookable(self) -> bool:
        """What stands only in plans is listed, and takes no bookings yet."""
        return self.instrument.is_bookable and self.centre.stage is not Stage.PLANNED


class CentrePage(msgspec.Struct, frozen=True, kw_only=True):
    """A centre with its host, the host's parents from the nearest up, and its instruments."""

    centre: Centre
    host: Organisation
    parents: tuple[Organisation, ...]
    zone: Zone | None
    instruments: tuple[Found, ...]
    products: tuple[ProductLine, ...]


class CentreLine(msgspec.Struct, frozen=True, kw_only=True):
    centre: Centre
    host: Organisation
    zone: Zone | None
    instruments: int
    bookable: int


class TechnologyList(msgspec.Struct, frozen=True, kw_only=True):
    """One version of the list: its groups in order, each with its products and how many instruments serve each.

    An instrument serves a product of the one list when it names what the crosswalk makes of it in the other.
    """

    taxonomy: Taxonomy
    is_in_force: bool
    is_coming: bool
    groups: tuple[tuple[TechnologyGroup, tuple[tuple[TechnologyProduct, int], ...]], ...]


class TechnologiesPage(msgspec.Struct, frozen=True, kw_only=True):
    lists: tuple[TechnologyList, ...]
    crosswalk: tuple[Crosswalk, ...]
    products: dict[ProductRef, TechnologyProduct]


def instrument(db: Connection, instrument_id: str, now: datetime) -> InstrumentPage:
    """One instrument with everything that identifies it. Raises `NotFound`; a retired one is still shown."""
    row = store.instrument(db, instrument_id)
    centre = store.centre(db, row.centre_id)
    return InstrumentPage(
        instrument=row,
        centre=centre,
        host=store.organisation(db, centre.host_id),
        zone=store.zone(db, centre.zone_id) if centre.zone_id else None,
        capability=store.capability(db, row.capability_id),
        products=_product_lines(db, row.products, now),
    )


def centre(db: Connection, centre_id: str, now: datetime, *, by_english: bool = False) -> CentrePage:
    """One centre with its instruments. Raises `NotFound`."""
    row = store.centre(db, centre_id)
    host = store.organisation(db, row.host_id)
    return CentrePage(
        centre=row,
        host=host,
        parents=_parents(db, host),
        zone=store.zone(db, row.zone_id) if row.zone_id else None,
        instruments=tuple(registry_search.find(db, Search(centre_id=centre_id), by_english=by_english)),
        products=_product_lines(db, row.products, now),
    )


def named_centre(db: Connection, centre_id: str) -> Centre:
    """The centre alone, for a page of another noun that only names it. Raises `NotFound`."""
    return store.centre(db, centre_id)


def centres(db: Connection, *, by_english: bool = False) -> tuple[CentreLine, ...]:
    """Every centre by city and name, with how many instruments it lists and how many of them are booked by time."""
    hosts = {row.id: row for row in store.organisations(db)}
    zones = {row.id: row for row in store.zones(db)}
    listed = choices(registry_search.tallies(db, Search()), Search(), "centre_id")
    bookable = choices(registry_search.tallies(db, Search(bookable_only=True)), Search(), "centre_id")

    def place(centre: Centre) -> tuple[str, str]:
        city, name = (centre.city_en, centre.name_en) if by_english else (centre.city_vi, centre.name_vi)
        return sort_key(city), sort_key(name)

    return tuple(
        CentreLine(
            centre=row,
            host=hosts[row.host_id],
            zone=zones[row.zone_id] if row.zone_id else None,
            instruments=listed.get(row.id, 0),
            bookable=bookable.get(row.id, 0),
        )
        for row in sorted(store.centres(db), key=place)
    )


def technologies(db: Connection, now: datetime) -> TechnologiesPage:
    """Both lists, the newest first, each with whether it holds at `now`, and the crosswalk between them."""
    taxonomies, products = store.taxonomies(db), store.technology_products(db)
    groups, crosswalk = store.technology_groups(db), store.technology_crosswalk(db)
    numbers = registry_search.numbers_by_product(db)
    current, today = in_force(taxonomies, now), now.astimezone(LAW_ZONE).date()

    def serving(product: TechnologyProduct) -> int:
        return len(set[int]().union(*(numbers.get(ref, ()) for ref in counterparts(product.ref, crosswalk))))

    def shown(taxonomy: Taxonomy) -> TechnologyList:
        return TechnologyList(
            taxonomy=taxonomy,
            is_in_force=taxonomy == current,
            is_coming=taxonomy.effective_from > today,
            groups=tuple(
                (group, tuple((product, serving(product)) for product in products if product.is_in(group)))
                for group in groups
                if group.taxonomy_id == taxonomy.id
            ),
        )

    newest_first = sorted(taxonomies, key=lambda taxonomy: taxonomy.effective_from, reverse=True)
    return TechnologiesPage(
        lists=tuple(shown(taxonomy) for taxonomy in newest_first),
        crosswalk=crosswalk,
        products={product.ref: product for product in products},
    )


def _product_lines(db: Connection, refs: tuple[ProductRef, ...], now: datetime) -> tuple[ProductLine, ...]:
    taxonomies = store.taxonomies(db)
    current = in_force(taxonomies, now)
    by_id = {taxonomy.id: taxonomy for taxonomy in taxonomies}
    groups = {(group.taxonomy_id, group.number): group for group in store.technology_groups(db)}
    products = {product.ref: product for product in store.technology_products(db)}
    return tuple(
        ProductLine(
            product=products[ref],
            group=groups[ref.taxonomy_id, products[ref].group_number],
            taxonomy=by_id[ref.taxonomy_id],
            is_in_force=by_id[ref.taxonomy_id] == current,
        )
        for ref in refs
        if ref in products
    )


def _parents(db: Connection, organisation: Organisation) -> tuple[Organisation, ...]:
    by_id = {row.id: row for row in store.organisations(db)}
    parents: list[Organisation] = []
    # The files were refused if their parents ran in a circle.
    while organisation.parent_id in by_id:
        organisation = by_id[organisation.parent_id]
        parents.append(organisation)
    return tuple(parents)
