"""Tokens as rows, on both databases: one secret, one token; revoked once."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy.exc import IntegrityError

from labshare.domain.tokens import Token, new_token
from labshare.store import tokens as store
from labshare.store.engine import Connection, Database
from tests.furniture import COLLEAGUE, RESEARCHER, furnish


def add(db: Connection, number: int, person_id: UUID, token_hash: str, now: datetime) -> Token:
    token = new_token(UUID(int=number), person_id, days=1, label="", now=now)
    store.add(db, token, token_hash)
    return token


def test_a_token_comes_back_as_it_was_written(database: Database, now: datetime) -> None:
    with database.write() as db:
        furnish(db)
        colleagues, researchers = add(db, 1, COLLEAGUE, "a", now), add(db, 2, RESEARCHER, "b", now)
        lines = [(line.login, line.token) for line in store.lines(db)]
    assert lines == [("colleague", colleagues), ("researcher", researchers)]


def test_two_tokens_cannot_share_a_hash(database: Database, now: datetime) -> None:
    with database.write() as db:
        furnish(db)
        add(db, 1, COLLEAGUE, "same", now)
    with pytest.raises(IntegrityError), database.write() as db:
        add(db, 2, RESEARCHER, "same", now)


def test_the_instant_of_a_revocation_stands(database: Database, now: datetime) -> None:
    with database.write() as db:
        furnish(db)
        token = add(db, 1, COLLEAGUE, "a", now)
        later = now + timedelta(hours=1)
        assert store.revoke(db, token.id, later)
        assert not store.revoke(db, token.id, now + timedelta(hours=2))
        assert [line.token.revoked_at for line in store.lines(db)] == [later]
