"""Tokens for programs: made and revoked by whoever runs the command line, read with every call of the API.

What must not live here: the header of a request (web/api/) or how a secret is shown (cli.py).
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime
from uuid import UUID, uuid4

import msgspec

from labshare.domain.people import Actor
from labshare.domain.tokens import SECRET_PREFIX, Token, new_token
from labshare.errors import NotFound, NotSignedIn
from labshare.store import audit, people
from labshare.store import tokens as store
from labshare.store.engine import Connection
from labshare.store.tokens import TokenLine

__all__ = ["Issued", "TokenLine", "actor_of", "create", "listing", "revoke"]


class Issued(msgspec.Struct, frozen=True, kw_only=True):
    """A new token with its secret, which nobody can be shown again."""

    token: Token
    secret: str


def create(db: Connection, *, login: str, days: int, label: str, now: datetime) -> Issued:
    """A new token for a person. Raises `NotFound` for an unknown login and `Malformed` for days out of range."""
    person = people.by_login(db, login)
    if person is None:
        raise NotFound("person_not_found", login=login)
    token = new_token(uuid4(), person.id, days=days, label=label, now=now)
    # 32 random bytes cannot be guessed, so a plain hash is as good here as a slow one.
    secret = SECRET_PREFIX + secrets.token_urlsafe(32)
    store.add(db, token, _hashed(secret))
    _audit(db, "create", token.id, now, {"person": str(person.id), "days": days})
    return Issued(token=token, secret=secret)


def listing(db: Connection, login: str | None = None) -> list[TokenLine]:
    """All tokens, or those of one person. Raises `NotFound` for an unknown login."""
    if login is not None and people.by_login(db, login) is None:
        raise NotFound("person_not_found", login=login)
    return store.lines(db, login)


def revoke(db: Connection, token_id: UUID, now: datetime) -> None:
    """End a token at once. Raises `NotFound` when there is none, or it was revoked before."""
    if not store.revoke(db, token_id, now):
        raise NotFound("token_not_found", token=str(token_id))
    _audit(db, "revoke", token_id, now, {})


def actor_of(db: Connection, secret: str, now: datetime) -> Actor:
    """The person for whom this secret speaks. Raises `NotSignedIn` when it speaks for nobody."""
    actor = store.holder(db, _hashed(secret), now)
    if actor is None:
        raise NotSignedIn("token_invalid")
    return actor


def _audit(db: Connection, action: str, token_id: UUID, now: datetime, details: audit.Details) -> None:
    # Nobody is signed in at the command line, so the line names no actor.
    audit.record(db, actor_id=None, action=action, noun="token", noun_id=token_id, now=now, details=details)


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
