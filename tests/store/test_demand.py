"""Past uses in whatever state, on every instrument, that touch a span; blocks are not among them."""

from __future__ import annotations

from labshare.domain.bookings import BookingKind, BookingState
from labshare.store import bookings as bookings_store
from labshare.store import demand as store
from labshare.store.engine import Database
from tests.furniture import NMR, XRD, a_booking, furnish, span

ASKED = frozenset({BookingState.CONFIRMED, BookingState.DECLINED})


def test_uses_that_touch_the_span_come_in_the_order_of_their_time(database: Database) -> None:
    """The span is Monday 8 to 12. A use that ends at 8 or begins at 12 does not touch it."""
    inside = a_booking(XRD, span(23, 9, 10))
    across = a_booking(NMR, span(23, 7, 9))
    declined = a_booking(XRD, span(23, 9, 11), state=BookingState.DECLINED)
    with database.write() as db:
        furnish(db)
        bookings_store.add(db, [inside, across, declined])
        bookings_store.add(db, [a_booking(XRD, span(23, 7, 8)), a_booking(XRD, span(23, 12, 13))])
        found = store.uses(db, span(23, 8, 12), ASKED)
    assert [each.id for each in found] == [across.id, *sorted((inside.id, declined.id))]
    assert across in found


def test_other_states_and_blocks_are_left_out(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        bookings_store.add(
            db,
            [
                a_booking(XRD, span(23, 8, 9), state=BookingState.CANCELLED),
                a_booking(XRD, span(23, 9, 10), kind=BookingKind.MAINTENANCE, person_id=None, project_id=None),
            ],
        )
        assert store.uses(db, span(23, 8, 12), ASKED) == []
