"""Organisations that onboarded themselves, and the checks of them. The registry's own are in registry.py."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from labshare.domain.organisations import (
    CheckState,
    NewOrganisation,
    OrganisationCheck,
    OrganisationLine,
    OrganisationSize,
)
from labshare.domain.profiles import Size
from labshare.domain.registry_terms import OrganisationKind
from labshare.domain.text import searchable, sort_key
from labshare.store.tables import organisation_checks, organisations, persons


def add(db: Connection, organisation_id: str, new: NewOrganisation) -> None:
    """Add an organisation beyond the registry. It is nobody's choice before its check."""
    db.execute(
        organisations.insert().values(
            id=organisation_id,
            kind=new.kind,
            size=new.size,
            name_vi=new.name_vi,
            name_en=new.name_en,
            folded=searchable(f"{organisation_id} {new.name_vi} {new.name_en}"),
            sort_vi=sort_key(new.name_vi or new.name_en),
            sort_en=sort_key(new.name_en or new.name_vi),
            beyond_registry=True,
        )
    )


def ask(db: Connection, check: OrganisationCheck) -> None:
    """Have it checked."""
    db.execute(organisation_checks.insert().values(msgspec.structs.asdict(check)))


def save(db: Connection, check: OrganisationCheck, *, seen_version: int) -> bool:
    """Write it over the version that was seen; False when that version no longer stands."""
    standing = sa.and_(
        organisation_checks.c.organisation_id == check.organisation_id, organisation_checks.c.version == seen_version
    )
    return db.execute(organisation_checks.update().where(standing).values(msgspec.structs.asdict(check))).rowcount == 1


def line(db: Connection, organisation_id: str) -> OrganisationLine | None:
    found = _lines(db, organisation_checks.c.organisation_id == organisation_id)
    return found[0] if found else None


def proposed(db: Connection) -> list[OrganisationLine]:
    """What waits to be checked, the oldest first."""
    return _lines(db, organisation_checks.c.state == CheckState.PROPOSED)


def is_number_taken(db: Connection, country: str, number: str) -> bool:
    """Whether an organisation of this country that was not declined has the number already."""
    same = (organisation_checks.c.country == country, organisation_checks.c.registration_number == number)
    query = sa.select(organisation_checks.c.organisation_id)
    return db.execute(query.where(*same, organisation_checks.c.state != CheckState.DECLINED)).first() is not None


def hold_number(db: Connection, country: str, number: str) -> list[OrganisationCheck]:
    """Every check of an organisation with this number, held as it is until the transaction ends."""
    same = (organisation_checks.c.country == country, organisation_checks.c.registration_number == number)
    query = sa.select(organisation_checks).where(*same).order_by(organisation_checks.c.organisation_id)
    rows: Any = db.execute(query.with_for_update())
    return [msgspec.convert(row, OrganisationCheck, from_attributes=True) for row in rows]


def is_checked(db: Connection, organisation_id: str) -> bool:
    """Whether its people may be confirmed and its projects verified: it came checked, or was checked since."""
    query = sa.select(organisation_checks.c.state).where(organisation_checks.c.organisation_id == organisation_id)
    return db.execute(query).scalar_one_or_none() in (None, CheckState.CHECKED)


def sizes(db: Connection, organisation_ids: Collection[str]) -> dict[str, Size]:
    """How these organisations count by their size. One that nobody has checked counts as large."""
    query = (
        sa.select(organisations.c.id, organisations.c.size, organisation_checks.c.state)
        .outerjoin(organisation_checks, organisation_checks.c.organisation_id == organisations.c.id)
        .where(organisations.c.id.in_(organisation_ids))
    )
    return {
        row.id: OrganisationSize(row.size).counts_as if row.state in (None, CheckState.CHECKED) else Size.LARGE
        for row in db.execute(query)
    }


def _lines(db: Connection, where: sa.ColumnElement[bool]) -> list[OrganisationLine]:
    query = (
        sa.select(organisation_checks, organisations.c.kind, organisations.c.size)
        .add_columns(organisations.c.name_vi, organisations.c.name_en, persons.c.name.label("proposer"))
        .join(organisations, organisations.c.id == organisation_checks.c.organisation_id)
        .join(persons, persons.c.id == organisation_checks.c.proposed_by_id)
        .where(where)
        .order_by(organisation_checks.c.proposed_at, organisation_checks.c.organisation_id)
    )
    rows: Any = db.execute(query)
    return [
        OrganisationLine(
            check=msgspec.convert(row, OrganisationCheck, from_attributes=True),
            kind=OrganisationKind(row.kind),
            size=OrganisationSize(row.size),
            name_vi=row.name_vi,
            name_en=row.name_en,
            proposer=row.proposer,
        )
        for row in rows
    ]
