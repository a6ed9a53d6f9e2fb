"""What a reader may ask about, and whose rows leave the database with a name."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from labshare.cores import OURS, allowed_cores
from labshare.domain.reports import Reader, ReportScope
from labshare.errors import NotFound
from labshare.store import agreements
from labshare.store import bookings as booking_store
from labshare.store import reports as store
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.furniture import FESEM, NMR, NOW, XRD, a_booking, furnish, span

EVERYBODY = Reader(sees_all=True)
MANAGER = Reader(centre_ids=frozenset({"C-ONE"}))
PARTNER = Reader(organisation_ids=frozenset({"O-CO"}))
NOVEMBER = span(1, 0, 24 * 30)


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
        db.execute(sa.insert(t.organisations).values(id="A-FIRST", name_vi="A", name_en="A"))
        uses = [(FESEM, "O-CO"), (XRD, "I-IMS"), (NMR, "O-CO"), (NMR, "A-FIRST"), (NMR, "I-IMS")]
        booking_store.add(
            db, [a_booking(n, span(2 + place, 8, 10), organisation_id=o) for place, (n, o) in enumerate(uses)]
        )
    return database


def named(house: Database, reader: Reader) -> list[tuple[int, str | None, bool]]:
    """Instrument, organisation and whether the row is masked."""
    with house.read() as db:
        chosen = store.in_scope(db, reader, ReportScope(), NOVEMBER)
        rows = store.use_rows(db, reader, [NOVEMBER], chosen, NOW)
    assert all(row.booked == 120 for row in rows)
    return sorted(((row.instrument_number, row.organisation_id, row.rival is not None) for row in rows), key=str)


def test_the_user_office_gets_every_name(house: Database) -> None:
    found = named(house, EVERYBODY)
    assert len(found) == 5
    assert not any(masked for _, _, masked in found)


def test_a_partner_gets_its_own_name_and_numbers_for_the_rest(house: Database) -> None:
    assert named(house, PARTNER) == [
        (FESEM, "O-CO", False),
        (XRD, None, True),
        (NMR, "O-CO", False),
        (NMR, None, True),
        (NMR, None, True),
    ]


def test_a_manager_gets_the_names_of_their_centre_and_no_row_of_another(house: Database) -> None:
    assert named(house, MANAGER) == [(FESEM, "O-CO", False), (XRD, "I-IMS", False)]


def test_somebody_who_is_both_gets_both(house: Database) -> None:
    both = Reader(centre_ids=frozenset({"C-ONE"}), organisation_ids=frozenset({"O-CO"}))
    assert sum(masked for _, _, masked in named(house, both)) == 2


def test_the_same_rival_has_the_same_number_in_one_answer(house: Database) -> None:
    with house.read() as db:
        chosen = store.in_scope(db, PARTNER, ReportScope(), NOVEMBER)
        rows = store.use_rows(db, PARTNER, [NOVEMBER], chosen, NOW)
    by_instrument = {number: {r.rival for r in rows if r.rival and r.instrument_number == number} for number in (2, 3)}
    assert len(by_instrument[3]) == 2
    assert by_instrument[2] < by_instrument[3]


def test_a_scope_is_an_instrument_a_centre_or_all_that_the_reader_may_see(house: Database) -> None:
    with house.read() as db:

        def found(reader: Reader, **scope: str) -> list[int]:
            return [each.number for each in store.in_scope(db, reader, ReportScope(**scope), NOVEMBER)]

        assert found(PARTNER) == [1, 2, 3]
        assert found(PARTNER, centre_id="C-TWO") == [3]
        assert found(MANAGER) == [1, 2]
        assert found(MANAGER, instrument_id="N002") == [2]
        for reader, scope in ((MANAGER, {"centre_id": "C-TWO"}), (MANAGER, {"instrument_id": "N003"}),
                              (EVERYBODY, {"centre_id": "C-NONE"})):  # fmt: skip
            with pytest.raises(NotFound):
                found(reader, **scope)
        chosen = store.in_scope(db, PARTNER, ReportScope(instrument_id="N001"), NOVEMBER)
        assert [each.number for each in store.beside(db, PARTNER, chosen, NOVEMBER)] == [1, 2]


def test_months_are_added_up_on_whatever_core_is_free(house: Database, request: pytest.FixtureRequest) -> None:
    """So that a report on SQLite, which may take seconds, does not hold up what else the server does."""
    seen: list[frozenset[int]] = []
    allowed = allowed_cores()

    def note(*_: object) -> None:
        seen.append(allowed_cores())

    request.addfinalizer(OURS.release)
    OURS.keep()
    event.listen(house.engine, "before_cursor_execute", note)
    request.addfinalizer(lambda: event.remove(house.engine, "before_cursor_execute", note))
    with house.read() as db:
        chosen = store.in_scope(db, EVERYBODY, ReportScope(), NOVEMBER)
        seen.clear()
        assert store.use_rows(db, EVERYBODY, [NOVEMBER], chosen, NOW)
        assert agreements.count(db, [NOVEMBER], NOW, None)
    assert seen == [allowed] * 2
    assert len(allowed_cores()) == 1


def test_without_instruments_or_months_there_are_no_rows(house: Database) -> None:
    with house.read() as db:
        assert store.use_rows(db, EVERYBODY, [], store.in_scope(db, EVERYBODY, ReportScope(), NOVEMBER), NOW) == []
        assert store.use_rows(db, EVERYBODY, [NOVEMBER], [], NOW) == []


def test_places_to_choose_from_have_their_instruments(house: Database) -> None:
    with house.read() as db:
        first, second = store.places(db, EVERYBODY)
    assert (first.centre.name_en, [each.id for each in first.instruments]) == ("Centre One", ["N001", "N002"])
    assert (second.centre.id, [each.id for each in second.instruments]) == ("C-TWO", ["N003"])
