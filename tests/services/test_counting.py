"""A tally holds what several rules and windows need, and masks whoever it is told to."""

from __future__ import annotations

from uuid import uuid4

import sqlalchemy as sa

from labshare.domain.agreements import Counter, Level, Scope, Selector, Version, terms
from labshare.domain.bases import Base
from labshare.domain.equipment import EquipmentState, StateRecord
from labshare.domain.timespan import Span
from labshare.services.counting import Tally, hull
from labshare.store import bookings as booking_store
from labshare.store import tables as t
from labshare.store import usage as usage_store
from labshare.store.engine import Database
from tests.domain.test_agreements import a_rule, an_agreement
from tests.furniture import FESEM, NMR, NOW, XRD, a_booking, furnish, span

WEEK, DAY = span(23, 0, 24 * 7), span(26, 0, 24)


def test_a_hull_reaches_over_all_spans() -> None:
    assert hull([span(24, 8, 9), span(23, 8, 9), span(23, 10, 18)]) == Span(span(23, 8, 9).start, span(24, 8, 9).end)
    assert hull([]) is None


def test_each_denominator_has_its_own_rows_and_base(database: Database) -> None:
    by_instrument = a_rule(id="each", level=Level.INSTRUMENT, where=Scope(centres=("C-ONE",)))
    network = a_rule(id="all", who=Selector(organisation=("O-CO",)))
    each, everything = terms([Version(number=1, agreement=an_agreement(by_instrument, network))])
    counters = {
        "fesem": Counter(term=each, scope_key="N001", window=WEEK),
        "xrd": Counter(term=each, scope_key="N002", window=DAY),
        "all": Counter(term=everything, scope_key="", window=WEEK),
    }
    with database.write() as db:
        furnish(db)
        booking_store.add(
            db,
            [
                a_booking(FESEM, span(25, 8, 9)),
                a_booking(XRD, span(26, 8, 10)),
                a_booking(NMR, span(26, 8, 12), organisation_id="O-CO"),
            ],
        )
        tally = Tally(db, list(counters.values()), WEEK, NOW)
        found = {
            name: (tally.base_minutes(each), sorted(row.committed for row in tally.rows(each)))
            for name, each in counters.items()
        }
        # Four working days of 600 min in the week; Thursday alone; three instruments together.
        assert found == {"fesem": (2400, [60]), "xrd": (600, [120]), "all": (7200, [60, 120, 240])}
        masked = Tally(db, list(counters.values()), WEEK, NOW, named=())
        # The institute is nobody here; the partner is named by the rule itself.
        assert {row.organisation_id for row in masked.rows(counters["all"])} == {None, "O-CO"}


def test_nobody_was_offered_the_time_of_a_down_instrument_or_of_a_centre_that_is_not_built(database: Database) -> None:
    """Four working days of 600 minutes. The FE-SEM was down for two open hours; the NMR's centre is only planned."""
    rule = a_rule(id="each", level=Level.INSTRUMENT, base=Base.OFFERED)
    (term,) = terms([Version(number=1, agreement=an_agreement(rule))])
    counters = [Counter(term=term, scope_key=key, window=WEEK) for key in ("N001", "N002", "N003")]
    down = StateRecord(
        id=uuid4(),
        instrument_number=FESEM,
        state=EquipmentState.UNSCHEDULED_DOWN,
        starts_at=span(25, 7, 10).start,
        ends_at=span(25, 7, 10).end,
        source="sensor",
    )
    with database.write() as db:
        furnish(db)
        usage_store.add_records(db, [down])
        db.execute(sa.update(t.centres).where(t.centres.c.id == "C-TWO").values(stage="planned"))
        tally = Tally(db, counters, WEEK, span(27, 8, 9).start)
        assert [tally.base_minutes(each) for each in counters] == [2280, 2400, 0]
