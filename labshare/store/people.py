"""Persons, their grants, and who is signed in.

What must not live here: who may do what (domain/people.py), hashing, or anything that knows a cookie.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from labshare.domain.affiliations import AffiliationState
from labshare.domain.people import Actor, Grant, Person, Place, Role, SignIn
from labshare.store.prepared import Prepared
from labshare.store.tables import centres, grants, organisations, persons, sign_in_tries, sign_ins

_PERSON = [
    persons.c[name]
    for name in ("id", "login", "name", "email", "organisation_id", "language", "disabled_at", "erased_at")
]
# Somebody stands behind the person: whoever left, or is not confirmed yet, holds no grant.
IS_CONFIRMED = persons.c.affiliation == AffiliationState.CONFIRMED
# Whoever is disabled or erased signs in no more, and is told nothing.
IS_ENABLED = sa.and_(persons.c.disabled_at.is_(None), persons.c.erased_at.is_(None))
# May use time: what somebody else holds counts for nothing.
IS_HERE = sa.and_(IS_CONFIRMED, IS_ENABLED)
_GRANT = [grants.c.role, grants.c.centre_id, grants.c.organisation_id.label("granted_organisation_id")]


def get(db: Connection, person_id: UUID) -> Person | None:
    return _person(db.execute(sa.select(*_PERSON).where(persons.c.id == person_id)).mappings().one_or_none())


def by_login(db: Connection, login: str) -> Person | None:
    return _person(db.execute(sa.select(*_PERSON).where(persons.c.login == login)).mappings().one_or_none())


def names(db: Connection, ids: Iterable[UUID]) -> dict[UUID, str]:
    """Names by id, of those who are still named."""
    wanted = set(ids)
    rows = db.execute(sa.select(persons.c.id, persons.c.name).where(persons.c.id.in_(wanted))) if wanted else ()
    return {row.id: row.name for row in rows}


def actors_where(*where: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """The statement whose rows `actors_from` reads."""
    return (
        sa.select(*_PERSON, *_GRANT)
        .select_from(persons.outerjoin(grants, sa.and_(grants.c.person_id == persons.c.id, IS_CONFIRMED)))
        .where(IS_ENABLED, *where)
        .order_by(persons.c.login, grants.c.role, grants.c.centre_id, grants.c.organisation_id)
    )


def actors_from(rows: sa.Result[Any]) -> list[Actor]:
    """Persons with all their grants, in the order of their logins. The disabled are not among them."""
    by_person: dict[UUID, list[RowMapping]] = {}
    for row in rows.mappings():
        by_person.setdefault(row["id"], []).append(row)
    return [_actor(rows) for rows in by_person.values()]


# Every request asks one of these before all else.
_SIGNED_IN = Prepared(
    actors_where(
        persons.c.id
        == sa.select(sign_ins.c.person_id)
        .where(
            sign_ins.c.token_hash == sa.bindparam("token_hash"),
            sign_ins.c.expires_at > sa.bindparam("now", type_=sign_ins.c.expires_at.type),
        )
        .scalar_subquery()
    )
)

_BY_ID = Prepared(actors_where(persons.c.id == sa.bindparam("person_id")))
_CONFIRMED = Prepared(actors_where(persons.c.id == sa.bindparam("person_id"), IS_CONFIRMED))


def actors(db: Connection, *where: sa.ColumnElement[bool]) -> list[Actor]:
    """The persons of whom this holds, as `actors_from` gives them."""
    return actors_from(db.execute(actors_where(*where)))


def actor(db: Connection, person_id: UUID) -> Actor | None:
    found = actors_from(_BY_ID.rows(db, {"person_id": person_id}))
    return found[0] if found else None


def confirmed(db: Connection, person_id: UUID) -> Actor | None:
    """The person while somebody stands behind them; None for who has left, is disabled or not confirmed."""
    found = actors_from(_CONFIRMED.rows(db, {"person_id": person_id}))
    return found[0] if found else None


def partners_of(db: Connection, organisation_id: str) -> list[Actor]:
    """Everybody who speaks for this organisation as a partner."""
    theirs = sa.select(grants.c.person_id).where(
        grants.c.role == Role.PARTNER, grants.c.organisation_id == organisation_id
    )
    found = actors(db, persons.c.id.in_(theirs))
    # A grant of somebody who is not confirmed gives them nothing.
    return [each for each in found if organisation_id in each.partner_ids]


def managers_of(db: Connection, centre_id: str) -> list[Actor]:
    """Everybody who manages this centre."""
    theirs = sa.select(grants.c.person_id).where(grants.c.role == Role.LAB_MANAGER, grants.c.centre_id == centre_id)
    # A grant of somebody who is not confirmed gives them nothing.
    return [each for each in actors(db, persons.c.id.in_(theirs)) if centre_id in each.centre_ids]


def absent(db: Connection, person_ids: Iterable[UUID]) -> frozenset[UUID]:
    """Who of these has left, is disabled or not confirmed; all of them are held as they are until the transaction ends.

    Their rows are locked in the order in which bookings lock them; not as keys, so that who tells them something, under
    locks of others, does not wait.
    """
    wanted = sorted(set(person_ids))
    query = sa.select(persons.c.id, IS_HERE.label("is_here")).where(persons.c.id.in_(wanted)).order_by(persons.c.id)
    rows = db.execute(query.with_for_update(key_share=True)) if wanted else ()
    return frozenset(row.id for row in rows if not row.is_here)


def places(db: Connection, ids: Iterable[str]) -> dict[str, Place]:
    """Centres and organisations by id; their ids never meet."""
    wanted = set(ids)
    found: dict[str, Place] = {}
    for table in (centres, organisations):
        query = sa.select(table.c.id, table.c.name_vi, table.c.name_en).where(table.c.id.in_(wanted))
        for row in db.execute(query):
            found[row.id] = Place(id=row.id, name_vi=row.name_vi, name_en=row.name_en)
    return found


def actor_of_sign_in(db: Connection, token_hash: str, now: datetime) -> Actor | None:
    """Who signed in with this token, unless the sign-in has expired or the person has been disabled since."""
    found = actors_from(_SIGNED_IN.rows(db, {"token_hash": token_hash, "now": now}))
    return found[0] if found else None


def password_hash(db: Connection, login: str) -> tuple[UUID, str] | None:
    """Id and password hash of a person who may sign in, locked so that tries at one login are counted one by one."""
    query = (
        sa.select(persons.c.id, persons.c.password_hash).where(persons.c.login == login, IS_ENABLED).with_for_update()
    )
    row = db.execute(query).one_or_none()
    return (row.id, row.password_hash) if row else None


def set_password_hash(db: Connection, person_id: UUID, value: str) -> None:
    db.execute(persons.update().where(persons.c.id == person_id).values(password_hash=value))


def set_language(db: Connection, person_id: UUID, language: str) -> None:
    db.execute(persons.update().where(persons.c.id == person_id).values(language=language))


def add_sign_in(db: Connection, sign_in: SignIn) -> None:
    db.execute(sign_ins.insert().values(msgspec.structs.asdict(sign_in)))


def end_sign_in(db: Connection, token_hash: str) -> None:
    db.execute(sign_ins.delete().where(sign_ins.c.token_hash == token_hash))


def end_sign_ins_of(db: Connection, person_id: UUID, *, but: str = "") -> None:
    """End every sign-in of a person, except the one with this token hash."""
    db.execute(sign_ins.delete().where(sign_ins.c.person_id == person_id, sign_ins.c.token_hash != but))


def tries_since(db: Connection, login: str, address: str, since: datetime) -> tuple[int, int]:
    """How many tries failed since then: at this login, and from this address."""
    recent = sign_in_tries.c.tried_at > since

    def count(where: sa.ColumnElement[bool]) -> int:
        return db.execute(sa.select(sa.func.count()).select_from(sign_in_tries).where(where, recent)).scalar_one()

    return count(sign_in_tries.c.login == login), count(sign_in_tries.c.address == address)


def add_try(db: Connection, login: str, address: str, now: datetime) -> None:
    db.execute(sign_in_tries.insert().values(login=login, address=address, tried_at=now))


def forget_tries(db: Connection, login: str) -> None:
    """A right password clears what failed before it at this login."""
    db.execute(sign_in_tries.delete().where(sign_in_tries.c.login == login))


def sweep(db: Connection, *, sign_ins_until: datetime, tries_until: datetime) -> None:
    """Remove sign-ins and tries that no longer count."""
    db.execute(sign_ins.delete().where(sign_ins.c.expires_at <= sign_ins_until))
    db.execute(sign_in_tries.delete().where(sign_in_tries.c.tried_at <= tries_until))


def _person(row: RowMapping | None) -> Person | None:
    return None if row is None else Person(**row)


def _actor(rows: Sequence[RowMapping]) -> Actor:
    first = rows[0]
    held: list[dict[str, Any]] = [
        {"role": row["role"], "centre_id": row["centre_id"], "organisation_id": row["granted_organisation_id"]}
        for row in rows
        if row["role"] is not None
    ]
    return Actor(
        person_id=first["id"],
        login=first["login"],
        name=first["name"],
        organisation_id=first["organisation_id"],
        language=first["language"],
        grants=tuple(msgspec.convert(held, list[Grant])),
    )
