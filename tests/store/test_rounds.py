"""Rounds and offers in the database: what is kept, versions, and what the tables themselves refuse."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import msgspec
import pytest
from sqlalchemy.exc import IntegrityError

from labshare.domain.rounds import KeptOffer, Offer, Round, RoundState
from labshare.domain.timespan import Span
from labshare.errors import NotFound, Refused, Stale
from labshare.store import rounds as store
from labshare.store.engine import Connection, Database
from tests.domain.test_rounds import a_round
from tests.furniture import FESEM, NMR, NOW, XRD, furnish
from tests.round_of import at, span


def put(db: Connection, r: Round, *spans: Span, number: int = XRD) -> Round:
    store.add(db, r)
    store.put_offers(
        db,
        r.id,
        [
            Offer(id=uuid4(), round_id=r.id, instrument_number=number, starts_at=each.start, ends_at=each.end)
            for each in spans
        ],
    )
    return r


@pytest.mark.parametrize("state", RoundState)
def test_only_a_round_that_is_under_way_keeps_its_offer(database: Database, state: RoundState) -> None:
    with database.write() as db:
        furnish(db)
        r = put(db, a_round(state=state), span(0, 8, 12))
        kept = KeptOffer(
            instrument_number=XRD, span=span(0, 8, 12), round_code=r.code, freed_at=NOW + timedelta(days=5)
        )
        assert store.offers_over(db, [XRD], r.horizon) == ([kept] if r.keeps_time else [])


def test_kept_time_is_found_where_it_overlaps_and_nowhere_else(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        r = put(db, a_round(state=RoundState.OPEN), span(0, 8, 12), span(1, 8, 12))
        assert store.offers_over(db, [FESEM, NMR], r.horizon) == []
        assert [each.span for each in store.offers_over(db, [XRD], span(0, 11, 13))] == [span(0, 8, 12)]
        assert store.offers_over(db, [XRD], span(0, 12, 18)) == []
        assert store.offers_over(db, [XRD], r.horizon, but=r.id) == []


@pytest.mark.parametrize("state", RoundState)
def test_a_horizon_is_told_of_rounds_announced_and_not_withdrawn(database: Database, state: RoundState) -> None:
    with database.write() as db:
        r = a_round(state=state)
        store.add(db, r)
        is_told = state not in (RoundState.DRAFT, RoundState.WITHDRAWN)
        assert store.horizons(db, r.horizon) == ({r.code: r.horizon} if is_told else {})
        assert store.horizons(db, Span(r.ends_at, r.ends_at + timedelta(days=1))) == {}


def test_released_time_is_kept_no_more(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        r = put(db, a_round(state=RoundState.OPEN), span(0, 8, 12))
        store.release(db, r.id, NOW)
        assert store.offers_over(db, [XRD], r.horizon) == []
        assert [offer.released_at for offer in store.offers_of(db, r.id)] == [NOW]


def test_a_round_comes_back_as_it_was_written(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        r = put(db, a_round())
        assert store.get(db, r.id) == r == store.by_code(db, r.code)
        assert store.by_code(db, "nothing") is None
        assert store.by_ids(db, [r.id, UUID(int=99)]) == {r.id: r}
        with pytest.raises(NotFound):
            store.get(db, UUID(int=99))


def test_a_change_names_the_version_that_was_seen(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        r = put(db, a_round())
        changed = store.change(db, msgspec.structs.replace(r, title_en="New"), seen_version=1)
        assert (changed.version, store.get(db, r.id)) == (2, changed)
        with pytest.raises(Stale):
            store.change(db, r, seen_version=1)


def test_two_rounds_never_share_a_code(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        put(db, a_round())
        with pytest.raises(Refused):
            store.add(db, a_round(id=UUID(int=2)))


def test_the_table_refuses_dates_out_of_order(database: Database) -> None:
    def write() -> None:
        with database.write() as db:
            store.add(db, a_round(ends_at=at(0, 0), starts_at=at(0, 0)))

    with pytest.raises(IntegrityError):
        write()


def test_instruments_are_named_by_centre_and_code(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        r = put(db, a_round(), span(0, 8, 12), number=NMR)
        names = store.instrument_names(db, [NMR, FESEM])
        assert [(name.id, name.centre.id, name.capability.id) for name in names.values()] == [
            ("N001", "C-ONE", "FESEM"),
            ("N003", "C-TWO", "NMR"),
        ]
        assert [name.id for name in store.offerable(db, ["C-ONE"])] == ["N001", "N002"]
        assert [name.id for name in store.offerable(db, None)] == ["N001", "N002", "N003"]
        assert store.capabilities_of(db, [NMR]) == {NMR: "NMR"}
        assert store.numbers_by_round(db, [r.id]) == {r.id: {NMR}}
        assert store.organisation_names(db, ["O-CO"])["O-CO"].name_en == "Partner company"
