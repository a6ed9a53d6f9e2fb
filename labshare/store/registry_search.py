"""Finding instruments: one query for the page of the list, one for what every further choice would leave.

What must not live here: what the counts mean (domain/registry_search.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import ColumnElement, Select
from sqlalchemy.engine import Connection

from labshare.domain.registry import ProductRef
from labshare.domain.registry_search import Found, Search, Tally
from labshare.domain.registry_terms import BookingMode
from labshare.domain.text import words
from labshare.store.tables import capabilities, centres, instrument_products, instruments, organisations, zones

_JOINED = (
    instruments.join(centres, centres.c.id == instruments.c.centre_id)
    .join(organisations, organisations.c.id == centres.c.host_id)
    .join(capabilities, capabilities.c.id == instruments.c.capability_id)
    .outerjoin(zones, zones.c.id == centres.c.zone_id)
)
# A word of the search may begin a word in any of these, so that "sem hoa lac" finds a microscope of that zone.
_LOOKED_THROUGH = (
    instruments.c.folded,
    capabilities.c.folded,
    centres.c.folded,
    organisations.c.folded,
    sa.func.coalesce(zones.c.folded, ""),
)
_FACETS: dict[str, ColumnElement[str]] = {
    "capability_id": instruments.c.capability_id,
    "city_vi": centres.c.city_vi,
    "zone_id": centres.c.zone_id,
    "centre_id": instruments.c.centre_id,
    "host_id": centres.c.host_id,
}
_FOUND = (
    *(instruments.c[name] for name in ("id", "number", "name_vi", "name_en", "manufacturer", "model")),
    *(instruments.c[name] for name in ("bookable_unit", "booking_mode", "operated_by", "verification")),
    sa.func.nullif(instruments.c.qualification, "").label("qualification"),
    instruments.c.capability_id,
    capabilities.c.name_vi.label("capability_vi"),
    capabilities.c.name_en.label("capability_en"),
    instruments.c.centre_id,
    centres.c.name_vi.label("centre_vi"),
    centres.c.name_en.label("centre_en"),
    centres.c.city_vi,
    centres.c.city_en,
    organisations.c.abbr.label("host_abbr"),
)


def find(
    db: Connection,
    search: Search,
    products: Sequence[ProductRef] = (),
    *,
    by_english: bool = False,
    limit: int | None = None,
    offset: int = 0,
) -> list[Found]:
    """The instruments that match, by name in the language that is read. `products` are the search's and counterparts.

    Retired instruments are never found.
    """
    sort = instruments.c.sort_en if by_english else instruments.c.sort_vi
    query = _found(search, products).order_by(sort, instruments.c.number).limit(limit).offset(offset)
    return [msgspec.convert(row, Found, from_attributes=True) for row in db.execute(query)]


def find_after(
    db: Connection, search: Search, products: Sequence[ProductRef] = (), *, after: str, limit: int
) -> list[Found]:
    """The next ones that match in the order of their ids: what a program reads page after page, none twice."""
    query = _found(search, products).where(instruments.c.id > after).order_by(instruments.c.id).limit(limit)
    return [msgspec.convert(row, Found, from_attributes=True) for row in db.execute(query)]


def numbers_matching(search: Search) -> Select[Any]:
    """The numbers of the instruments that match, as a query within another."""
    return sa.select(instruments.c.number).select_from(_JOINED).where(*_matching(search, ()), *_chosen(search))


def _chosen(search: Search) -> list[ColumnElement[bool]]:
    return [column == getattr(search, name) for name, column in _FACETS.items() if getattr(search, name)]


def _found(search: Search, products: Sequence[ProductRef]) -> Select[Any]:
    return sa.select(*_FOUND).select_from(_JOINED).where(*_matching(search, products), *_chosen(search))


def tallies(db: Connection, search: Search, products: Sequence[ProductRef] = ()) -> list[Tally]:
    """How many instruments that match text and product stand at each combination of facets, whatever is chosen."""
    columns = [column.label(name) for name, column in _FACETS.items()]
    query = (
        sa.select(*columns, sa.func.count().label("count"))
        .select_from(_JOINED)
        .where(*_matching(search, products))
        .group_by(*_FACETS.values())
    )
    return [msgspec.convert(row, Tally, from_attributes=True) for row in db.execute(query)]


def numbers_by_product(db: Connection) -> dict[ProductRef, set[int]]:
    """The instruments that name each product; products that none names are absent."""
    index = instrument_products
    query = (
        sa.select(index.c.taxonomy_id, index.c.product_code, index.c.instrument_number)
        .join(instruments, instruments.c.number == index.c.instrument_number)
        .where(instruments.c.retired_at.is_(None))
    )
    numbers: dict[ProductRef, set[int]] = {}
    for taxonomy_id, code, number in db.execute(query):
        numbers.setdefault(ProductRef(taxonomy_id, code), set()).add(number)
    return numbers


def _matching(search: Search, products: Sequence[ProductRef]) -> list[ColumnElement[bool]]:
    """The conditions of text, product and bookability; facets are added by whoever wants them."""
    conditions: list[ColumnElement[bool]] = [instruments.c.retired_at.is_(None)]
    conditions.extend(sa.or_(*(text.contains(f" {word}") for text in _LOOKED_THROUGH)) for word in words(search.text))
    if search.bookable_only:
        conditions.append(instruments.c.booking_mode == BookingMode.TIME.value)
    if search.product is not None:
        conditions.append(instruments.c.number.in_(_numbers_of(products or (search.product,))))
    return conditions


def _numbers_of(products: Sequence[ProductRef]) -> Select[int]:
    index = instrument_products.c
    one_of_them = (
        sa.and_(index.taxonomy_id == product.taxonomy_id, index.product_code == product.code) for product in products
    )
    return sa.select(index.instrument_number).where(sa.or_(*one_of_them))
