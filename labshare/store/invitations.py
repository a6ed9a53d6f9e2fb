"""Invitations as rows, with hashes of their tokens, and the queue of their letters.

What must not live here: tokens themselves, which stand nowhere but in a letter.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from labshare.domain.invitations import Invitation, Outgoing
from labshare.domain.people import Person
from labshare.store.tables import invitations, organisations, persons

# A letter that could not be sent is tried again, each time twice as late, and never later than this.
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(hours=1)
_OF_NONE = "none:"
_COLUMNS = [column for column in invitations.c if column.name != "token_hash"]
_inviters = persons.alias("inviters")


def add(db: Connection, made: Iterable[tuple[Invitation, str]]) -> None:
    """Write invitations with the hashes of their tokens, in one statement however many there are."""
    rows = [{"token_hash": token_hash, **msgspec.structs.asdict(invitation)} for invitation, token_hash in made]
    db.execute(invitations.insert().values(rows))


def hash_of_none(invitation_id: UUID) -> str:
    """Stands where a token's hash would: no token has this one."""
    return f"{_OF_NONE}{invitation_id.hex}"


def by_token(db: Connection, token_hash: str) -> Invitation | None:
    row: Any = db.execute(sa.select(*_COLUMNS).where(invitations.c.token_hash == token_hash)).one_or_none()
    return None if row is None else msgspec.convert(row, Invitation, from_attributes=True)


def use(db: Connection, token_hash: str, now: datetime) -> bool:
    """Spend the token. False when it is unknown, expired or spent; of two at the same moment one gets True."""
    good = sa.and_(invitations.c.token_hash == token_hash, invitations.c.used_at.is_(None))
    query = invitations.update().where(good, invitations.c.expires_at > now).values(used_at=now, send_at=None)
    return db.execute(query).rowcount == 1


def close_others(db: Connection, email: str, organisation_id: str, now: datetime) -> None:
    """End every other invitation that would let somebody new in at this address: one address, one account.

    Those of other organisations than the one that was joined stay to be seen, or they would learn of the account.
    """
    theirs = sa.and_(invitations.c.email == email, invitations.c.person_id.is_(None), invitations.c.used_at.is_(None))
    elsewhere = sa.and_(theirs, invitations.c.organisation_id != organisation_id)
    rows = db.execute(sa.select(invitations.c.id).where(elsewhere)).scalars().all()
    for invitation_id in rows:
        seen_only = {"token_hash": hash_of_none(invitation_id), "send_at": None}
        db.execute(invitations.update().where(invitations.c.id == invitation_id).values(seen_only))
    others = sa.or_(invitations.c.organisation_id.is_(None), invitations.c.organisation_id == organisation_id)
    db.execute(invitations.update().where(theirs, others).values(used_at=now, send_at=None))


def close_of(db: Connection, person_id: UUID, now: datetime) -> None:
    """End every letter that would give this person a new password."""
    theirs = sa.and_(invitations.c.person_id == person_id, invitations.c.used_at.is_(None))
    db.execute(invitations.update().where(theirs).values(used_at=now, send_at=None))


def persons_at(db: Connection, email: str) -> list[Person]:
    """Everybody at this address, the disabled too; compared without regard to capitals. Erased ones have none."""
    names = [persons.c[name] for name in Person.__struct_fields__]
    rows: Any = db.execute(sa.select(*names).where(sa.func.lower(persons.c.email) == email).order_by(persons.c.login))
    return [msgspec.convert(row, Person, from_attributes=True) for row in rows]


def add_person(db: Connection, values: dict[str, Any]) -> bool:
    """Add a person; False when the login is taken, even by somebody who writes it at this moment."""
    insert = postgresql.insert if db.dialect.name == "postgresql" else sqlite.insert
    query = insert(persons).values(values).on_conflict_do_nothing(index_elements=["login"])
    return db.execute(query.returning(persons.c.id)).one_or_none() is not None


def due(db: Connection, now: datetime, *, limit: int = 50) -> list[Outgoing]:
    """Open invitations whose letters are due, the oldest first."""
    return _lines(db, invitations.c.send_at <= now, _is_open(now), limit=limit)


def open_lines(
    db: Connection, now: datetime, organisation_ids: Collection[str] | None, *, limit: int = 100
) -> list[Outgoing]:
    """Invitations of newcomers that nobody has used yet, to these organisations; None: all, those who asked too.

    An address that has an account has such a line as well, so that nobody learns of the account.
    """
    where = [_is_open(now), invitations.c.person_id.is_(None)]
    if organisation_ids is not None:
        where.append(invitations.c.organisation_id.in_(sorted(organisation_ids)))
    return _lines(db, *where, limit=limit)


def sent(db: Connection, invitation_id: UUID) -> None:
    db.execute(invitations.update().where(invitations.c.id == invitation_id).values(send_at=None))


def put_off(db: Connection, invitation: Invitation, now: datetime) -> None:
    """The letter could not be sent: later again, until the invitation expires."""
    query = invitations.update().where(invitations.c.id == invitation.id, invitations.c.send_at.is_not(None))
    db.execute(query.values(send_at=now + wait_after(invitation.attempts), attempts=invitation.attempts + 1))


def wait_after(attempts: int) -> timedelta:
    """How long a letter waits that could not be sent after as many tries before."""
    return min(FIRST_WAIT * 2 ** min(attempts, 20), LONGEST_WAIT)


def forget(db: Connection, before: datetime) -> None:
    """Delete what expired before this instant: an address is not kept for longer than it is of use."""
    db.execute(invitations.delete().where(invitations.c.expires_at < before))


def _is_open(now: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(invitations.c.used_at.is_(None), invitations.c.expires_at > now)


def _lines(db: Connection, *where: sa.ColumnElement[bool], limit: int) -> list[Outgoing]:
    query = (
        sa.select(*_COLUMNS, persons.c.login, _inviters.c.name.label("inviter"))
        .add_columns(invitations.c.token_hash.not_like(f"{_OF_NONE}%").label("lets_in"))
        .add_columns(organisations.c.name_vi, organisations.c.name_en)
        .outerjoin(persons, persons.c.id == invitations.c.person_id)
        .outerjoin(_inviters, _inviters.c.id == invitations.c.invited_by_id)
        .outerjoin(organisations, organisations.c.id == invitations.c.organisation_id)
        .where(*where)
        .order_by(invitations.c.created_at, invitations.c.id)
        .limit(limit)
    )
    return [
        Outgoing(
            invitation=Invitation(**{name: row[invitations.c[name]] for name in Invitation.__struct_fields__}),
            lets_in=row["lets_in"],
            login=row["login"] or "",
            inviter=row["inviter"] or "",
            name_vi=row["name_vi"] or "",
            name_en=row["name_en"] or "",
        )
        for row in db.execute(query).mappings()
    ]
