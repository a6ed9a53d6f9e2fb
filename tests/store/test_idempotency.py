"""A key is taken once, on both databases, and gives its answer until it is forgotten."""

from __future__ import annotations

from datetime import timedelta

from labshare.store import idempotency as store
from labshare.store.engine import Database
from labshare.store.idempotency import Answer, Used
from tests.furniture import COLLEAGUE, NOW, RESEARCHER

LONG_AGO = NOW - timedelta(days=1)
ANSWER = Answer(status=201, etag='"1"', location="/api/v1/bookings/1", body='{"purpose":"ống nano"}')


def test_a_key_is_taken_once_by_each_person(database: Database) -> None:
    with database.write() as db:
        assert store.claim(db, RESEARCHER, "k", "asked", NOW, before=LONG_AGO)
        store.answered(db, RESEARCHER, "k", ANSWER)
        assert not store.claim(db, RESEARCHER, "k", "other", NOW, before=LONG_AGO)
        assert store.used(db, RESEARCHER, "k") == Used(asked="asked", answer=ANSWER)
        assert store.claim(db, COLLEAGUE, "k", "asked", NOW, before=LONG_AGO)
        assert store.claim(db, RESEARCHER, "K", "asked", NOW, before=LONG_AGO)


def test_an_old_key_is_taken_anew_with_nothing_left_of_its_answer(database: Database) -> None:
    with database.write() as db:
        store.claim(db, RESEARCHER, "k", "asked", NOW, before=LONG_AGO)
        store.answered(db, RESEARCHER, "k", ANSWER)
        later = NOW + timedelta(microseconds=1)
        assert not store.claim(db, RESEARCHER, "k", "other", later, before=NOW - timedelta(microseconds=1))
        assert store.claim(db, RESEARCHER, "k", "other", later, before=NOW)
        assert store.used(db, RESEARCHER, "k") == Used(asked="other", answer=Answer(status=0, body=""))


def test_what_is_forgotten_is_what_was_used_by_then(database: Database) -> None:
    with database.write() as db:
        for minutes in range(3):
            store.claim(db, RESEARCHER, str(minutes), "asked", NOW + timedelta(minutes=minutes), before=LONG_AGO)
        assert store.forget(db, NOW + timedelta(minutes=1)) == 2
        assert not store.claim(db, RESEARCHER, "2", "asked", NOW, before=LONG_AGO)
