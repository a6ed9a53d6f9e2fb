"""What the rules look at is read in few queries, whatever rules there are, and under the locks of the wish."""

from __future__ import annotations

from uuid import uuid4

import pytest

from labshare.domain.bookings import Wish
from labshare.services import bookings as service
from labshare.services.contexts import Payer, payer_of
from labshare.store.engine import Database
from labshare.store.facts import stamp
from tests.furniture import COMPETITOR, FESEM, NOW, PUBLIC_PROJECT, RESEARCHER, actor, counted, span
from tests.round_of import open_round
from tests.strict_house import furnish_strictly


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish_strictly(db)
    return database


def _wish(number: int, day: int, **more: object) -> Wish:
    values = {"instrument_number": number, "span": span(day, 9, 10), "project_id": PUBLIC_PROJECT, **more}
    return Wish(**values)  # pyright: ignore[reportArgumentType]  each is what its field takes


def test_a_booking_with_every_rule_on_takes_ten_queries(house: Database) -> None:
    with house.write() as db:
        service.book(db, actor(RESEARCHER), _wish(FESEM, 25), NOW)  # the balances are opened
    with counted(house.engine) as seen, house.write() as db:
        service.book(db, actor(RESEARCHER), _wish(FESEM, 26), NOW)
    # Locks of instrument and person; project, qualification and stamp; limits locked (on PostgreSQL); what
    # stands around, and of limits what is taken; balances locked; booking, two for balances, audit and outbox.
    assert len(seen) == 10


def test_what_rounds_keep_is_asked_where_one_was_announced(house: Database) -> None:
    with house.write() as db:
        r = open_round(db)
        service.book(db, actor(RESEARCHER), _wish(FESEM, 26), NOW)
    for day, asks in ((27, False), (30, True)):
        wish = _wish(FESEM, day)
        assert r.horizon.overlaps(wish.span) is asks
        with counted(house.engine) as seen, house.write() as db:
            service.book(db, actor(RESEARCHER), wish, NOW)
        assert any("FROM offers" in statement for statement in seen) is asks


def test_a_payer_is_known_in_one_query(house: Database) -> None:
    with counted(house.engine) as seen, house.read() as db:
        found = payer_of(db, _wish(FESEM, 25, person_id=RESEARCHER))
    assert len(seen) == 1
    with house.read() as db:
        assert found.stamp == stamp(db)
        assert found.project is not None
        assert (found.project.id, found.is_member) == (PUBLIC_PROJECT, True)
        # A stranger is no member, and of a project that is not there nobody is; the stamp is read all the same.
        assert not payer_of(db, _wish(FESEM, 25, person_id=COMPETITOR)).is_member
        gone = payer_of(db, _wish(FESEM, 25, person_id=RESEARCHER, project_id=uuid4()))
        assert (gone.project, gone.is_member, gone.stamp) == (None, False, found.stamp)
        assert payer_of(db, _wish(FESEM, 25)) == Payer()
