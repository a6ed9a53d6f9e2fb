"""Who asks for qualifications, as rows."""

from __future__ import annotations

from functools import partial
from uuid import uuid4

import pytest
from sqlalchemy.exc import IntegrityError

from labshare.domain.qualifications import Ask, AskState
from labshare.store import qualification_asks as store
from labshare.store.engine import Database
from tests.furniture import COLLEAGUE, FESEM, MANAGER, NOW, RESEARCHER, XRD, furnish


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
    return database


def test_one_ask_waits_at_a_time_and_is_answered_once(house: Database) -> None:
    def ask() -> Ask:
        return Ask(id=uuid4(), person_id=RESEARCHER, instrument_number=XRD, level=1, asked_at=NOW)

    first = ask()
    with house.write() as db:
        store.add(db, first)
        assert store.is_asked(db, RESEARCHER, XRD)
    with pytest.raises(IntegrityError), house.write() as db:
        store.add(db, ask())
    with house.read() as db:
        waiting = partial(store.waiting, db, of_others_than=COLLEAGUE, limit=10)
        assert [line.ask for line in waiting({"C-ONE"}, [])] == [first]
        assert [line.ask for line in waiting((), [XRD])] == [first]
        assert waiting({"C-TWO"}, [FESEM]) == []
        assert len(waiting(None, [])) == 1
        assert waiting(None, [], of_others_than=RESEARCHER) == []
    answered = Ask(
        id=first.id, person_id=RESEARCHER, instrument_number=XRD, level=1, asked_at=NOW, state=AskState.DECLINED,
        answer="Không", decided_by_id=MANAGER, decided_at=NOW,
    )  # fmt: skip
    with house.write() as db:
        assert store.decide(db, answered)
        assert not store.decide(db, answered)
        store.add(db, ask())
        found = store.one(db, first.id)
    assert found is not None
    assert found.ask == answered
    with house.read() as db:
        assert len(store.of_person(db, RESEARCHER)) == 2
        assert store.one(db, uuid4()) is None
