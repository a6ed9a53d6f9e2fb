"""Bringing people, and what stands in one file with them, into the database: each function says whether it changed it.

What must not live here: whether the file is sound (domain/people_document.py), or the order of loading (services).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from labshare.domain.people import Grant, Role
from labshare.domain.people_document import Known
from labshare.store.bookings import lock_persons
from labshare.store.tables import agreements, centres, grants, instruments, organisations, persons, qualifications


def known(db: Connection) -> Known:
    """What the file may name because the database holds it."""
    office = sa.select(persons.c.login).join(grants, grants.c.person_id == persons.c.id)
    return Known(
        organisation_ids=_ids(db, sa.select(organisations.c.id)),
        centre_ids=_ids(db, sa.select(centres.c.id)),
        instrument_ids=_ids(db, sa.select(instruments.c.id)),
        agreement_ids=_ids(db, sa.select(agreements.c.id)),
        logins=_ids(db, sa.select(persons.c.login)),
        office_logins=_ids(db, office.where(grants.c.role == Role.USER_OFFICE)),
    )


def put_organisation(db: Connection, values: dict[str, Any]) -> bool:
    """Add or change an organisation that the registry does not list. One that it lists stays as the registry says."""
    standing = db.execute(sa.select(organisations).where(organisations.c.id == values["id"])).mappings().one_or_none()
    if standing is not None and not standing["beyond_registry"]:
        return False
    return _put(db, organisations, "id", {**values, "beyond_registry": True}, standing)


def put_person(db: Connection, values: dict[str, Any]) -> tuple[UUID, bool]:
    """Add or change a person by login; returns the id, and whether anything changed."""
    standing = db.execute(sa.select(persons).where(persons.c.login == values["login"])).mappings().one_or_none()
    person_id: UUID = standing["id"] if standing else uuid4()
    return person_id, _put(db, persons, "id", {**values, "id": person_id}, standing)


def put_grants(db: Connection, person_id: UUID, wanted: Iterable[Grant]) -> bool:
    """Let the person hold these roles and no others."""
    rows = db.execute(sa.select(grants).where(grants.c.person_id == person_id)).all()
    held = {(row.role, row.centre_id, row.organisation_id): row.id for row in rows}
    given = {(grant.role.value, grant.centre_id, grant.organisation_id) for grant in wanted}
    for place, grant_id in held.items():
        if place not in given:
            db.execute(grants.delete().where(grants.c.id == grant_id))
    for role, centre_id, organisation_id in given - held.keys():
        values = {"role": role, "centre_id": centre_id, "organisation_id": organisation_id}
        db.execute(grants.insert().values(id=uuid4(), person_id=person_id, **values))
    return given != held.keys()


def put_qualifications(
    db: Connection, person_id: UUID, wanted: Mapping[str, tuple[int, datetime | None]], now: datetime
) -> bool:
    """Let the person be qualified for these instruments (id -> level, expiry) and no others, but for what an instrument
    scientist has granted since: no file takes that away, or changes it.
    """
    numbers = {row.id: row.number for row in db.execute(sa.select(instruments.c.id, instruments.c.number))}
    given = {numbers[instrument_id]: held for instrument_id, held in wanted.items()}
    rows = db.execute(sa.select(qualifications).where(qualifications.c.person_id == person_id)).all()
    granted = {row.instrument_number for row in rows if row.granted_by_id is not None}
    given = {number: held for number, held in given.items() if number not in granted}
    standing = {row.instrument_number: (row.level, row.expires_at) for row in rows if row.granted_by_id is None}
    if given == standing:
        return False
    lock_persons(db, [person_id])
    for number, held in standing.items():
        if given.get(number) != held:
            place = (qualifications.c.person_id == person_id, qualifications.c.instrument_number == number)
            db.execute(qualifications.delete().where(*place))
    for number, (level, expires_at) in given.items():
        if standing.get(number) != (level, expires_at):
            values = {"instrument_number": number, "level": level, "expires_at": expires_at, "granted_at": now}
            db.execute(qualifications.insert().values(person_id=person_id, **values))
    return True


def _put(db: Connection, table: sa.Table, key: str, values: dict[str, Any], standing: Any) -> bool:
    if standing is None:
        db.execute(table.insert().values(values))
        return True
    if all(standing[name] == value for name, value in values.items()):
        return False
    db.execute(table.update().where(table.c[key] == values[key]).values(values))
    return True


def _ids(db: Connection, query: sa.Select[Any]) -> frozenset[str]:
    return frozenset(db.execute(query).scalars())
