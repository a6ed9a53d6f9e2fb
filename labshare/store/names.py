"""Names in both languages behind the ids that a page shows.

What must not live here: anything else of the registry (store/registry.py).
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from labshare.store.tables import centres, instruments, organisations


class Name(msgspec.Struct, frozen=True, kw_only=True):
    """Something with an id and a name in each language."""

    id: str
    name_vi: str
    name_en: str


def names(
    db: Connection,
    organisation_ids: Collection[str],
    centre_ids: Collection[str] = (),
    instrument_ids: Collection[str] = (),
) -> dict[str, Name]:
    """The names behind these ids; ids of the three kinds never meet. One query."""
    asked = ((organisations, organisation_ids), (centres, centre_ids), (instruments, instrument_ids))
    parts = [
        sa.select(table.c.id, table.c.name_vi, table.c.name_en).where(table.c.id.in_(sorted(ids)))
        for table, ids in asked
        if ids
    ]
    if not parts:
        return {}
    return {row.id: msgspec.convert(row, Name, from_attributes=True) for row in db.execute(sa.union_all(*parts))}
