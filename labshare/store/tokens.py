"""Tokens in the database: hashes of secrets, never the secrets."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from labshare.domain.people import Actor
from labshare.domain.tokens import Token
from labshare.store import people
from labshare.store.prepared import Prepared
from labshare.store.tables import persons, tokens

_COLUMNS = [column for column in tokens.c if column.name != "token_hash"]
_HOLDER = Prepared(
    people.actors_where(
        persons.c.id
        == sa.select(tokens.c.person_id)
        .where(
            tokens.c.token_hash == sa.bindparam("token_hash"),
            tokens.c.revoked_at.is_(None),
            tokens.c.expires_at > sa.bindparam("now", type_=tokens.c.expires_at.type),
        )
        .scalar_subquery()
    )
)


class TokenLine(msgspec.Struct, frozen=True, kw_only=True):
    """A token with the login of the person for whom it speaks."""

    token: Token
    login: str


def add(db: Connection, token: Token, token_hash: str) -> None:
    db.execute(tokens.insert().values(token_hash=token_hash, **msgspec.structs.asdict(token)))


def lines(db: Connection, login: str | None = None) -> list[TokenLine]:
    """The tokens of one person, or of everybody: by login, the newest first."""
    query = (
        sa.select(*_COLUMNS, persons.c.login)
        .join(persons, persons.c.id == tokens.c.person_id)
        .order_by(persons.c.login, tokens.c.created_at.desc(), tokens.c.id)
    )
    if login is not None:
        query = query.where(persons.c.login == login)
    return [
        TokenLine(token=msgspec.convert(row, Token, from_attributes=True), login=row.login) for row in db.execute(query)
    ]


def revoke(db: Connection, token_id: UUID, now: datetime) -> bool:
    """End a token now. False when there is none that was still to be revoked."""
    query = tokens.update().where(tokens.c.id == token_id, tokens.c.revoked_at.is_(None)).values(revoked_at=now)
    return db.execute(query).rowcount == 1


def holder(db: Connection, token_hash: str, now: datetime) -> Actor | None:
    """For whom this secret speaks, unless it has expired, was revoked, or the person has been disabled since."""
    found = people.actors_from(_HOLDER.rows(db, {"token_hash": token_hash, "now": now}))
    return found[0] if found else None
