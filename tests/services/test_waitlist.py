"""The waitlist from joining to an offer taken, declined or left to end: who is offered what, and that once. On both
databases.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from labshare.domain.agreements import Version
from labshare.domain.bookings import Booking, BookingState, Wish
from labshare.domain.courtesy import Courtesy, Penalties
from labshare.domain.notices import NoticeKind
from labshare.domain.timespan import Span
from labshare.domain.waitlist import WaitingEntry, WaitingState
from labshare.errors import Malformed, NotFound, Refused, WrongState
from labshare.services import (
    approvals,
    bookings,
    exchanges,
    freeing,
    moves,
    notices,
    rounds,
    strikes,
    ticking,
    waitlist,
)
from labshare.store import agreements, due
from labshare.store import bookings as bookings_store
from labshare.store import tables as t
from labshare.store.engine import Database
from tests import round_of
from tests.furniture import (
    COLLEAGUE,
    COMPETITOR,
    FESEM,
    INDUSTRY_PROJECT,
    MANAGER,
    NOW,
    OFFICE,
    PUBLIC_PROJECT,
    RESEARCHER,
    XRD,
    a_booking,
    actor,
    at,
    counted,
    furnish,
    span,
)
from tests.services.test_clauses import courteous

S = BookingState
# Five minutes later than each other, in this order.
LATER = timedelta(minutes=5)
SLOT = span(25, 9, 11)
# Two hours of the day from NOW, which is 8:00 in Hanoi.
UNTIL = at(23, 10)


@pytest.fixture
def house(database: Database) -> Database:
    """The furnished house; everybody has an address."""
    with database.write() as db:
        furnish(db)
        db.execute(t.persons.update().values(email=t.persons.c.login + "@x.vn"))
    return database


def taken(house: Database, when: Span = SLOT, number: int = XRD, **changes: Any) -> Booking:
    booking = a_booking(number, when, **({"person_id": MANAGER, "booked_by_id": MANAGER} | changes))
    with house.write() as db:
        bookings_store.lock(db, [number])
        bookings_store.add(db, [booking])
    return booking


def join(house: Database, person_id: UUID, now: datetime = NOW, **changes: Any) -> UUID:
    """Wait for two hours on the XRD on Wednesday."""
    values: dict[str, Any] = {
        "id": uuid4(),
        "person_id": person_id,
        "project_id": INDUSTRY_PROJECT if person_id == COMPETITOR else PUBLIC_PROJECT,
        "instrument_number": XRD,
        "minutes": 120,
        "from_date": date(2026, 11, 25),
        "until_date": date(2026, 11, 25),
        "created_at": now,
    }
    with house.write() as db:
        return waitlist.join(db, actor(person_id), WaitingEntry(**(values | changes)), now).id


def cancel(house: Database, booking: Booking, now: datetime = NOW) -> None:
    with house.write() as db:
        by = actor(booking.person_id or MANAGER)
        bookings.cancel(db, by, booking.id, seen_version=booking.version, now=now)


def tick(house: Database, now: datetime = NOW) -> None:
    """As the ticker does, until nothing is due."""
    for _ in range(9):
        with house.read() as db:
            rows = ticking.deadlines(db, now)
        for row in rows:
            with house.write() as db:
                ticking.deal_with(db, row, now)
        if not rows:
            return
    pytest.fail("the ticker finds no end")


def places(house: Database, person_id: UUID, now: datetime = NOW) -> list[waitlist.Place]:
    with house.read() as db:
        return waitlist.mine(db, actor(person_id), now)


def offered(house: Database, person_id: UUID) -> Span | None:
    """The slot that is offered to this person, who waits for one thing."""
    (place,) = places(house, person_id)
    if place.line.entry.state is not WaitingState.OFFERED:
        return None
    assert place.line.starts_at
    assert place.line.ends_at
    return Span(place.line.starts_at, place.line.ends_at)


def told(house: Database) -> list[str]:
    """Who is written to, once."""
    query = sa.select(t.persons.c.login).join(t.notices).where(t.notices.c.send_at.is_not(None))
    with house.write() as db:
        assert set(db.execute(sa.select(t.notices.c.kind)).scalars()) <= {NoticeKind.SLOT_OFFERED}
        found = sorted(db.execute(query).scalars())
        db.execute(t.notices.update().values(send_at=None))
    return found


def unread(house: Database, who: UUID) -> int:
    with house.read() as db:
        return notices.unread(db, actor(who))


def states(house: Database) -> list[str]:
    """What has become of every booking that begins with the slot, the oldest first."""
    query = sa.select(t.bookings.c.state).where(t.bookings.c.starts_at == SLOT.start)
    with house.read() as db:
        return sorted(db.execute(query).scalars())


# ---------------------------------------------------------------- from free to taken


def test_what_is_cancelled_is_offered_and_taken(house: Database) -> None:
    booking = taken(house)
    entry = join(house, RESEARCHER)
    cancel(house, booking)
    assert (offered(house, RESEARCHER), told(house)) == (None, [])
    tick(house)
    assert (offered(house, RESEARCHER), told(house)) == (SLOT, ["researcher"])
    (place,) = places(house, RESEARCHER)
    assert (place.line.expires_at, place.line.offer_id, place.place) == (UNTIL, "N002", None)
    assert unread(house, RESEARCHER) == 1
    with house.write() as db:
        found = waitlist.accept(db, actor(RESEARCHER), entry, NOW + LATER)
    assert (found.state, found.span, found.hold_expires_at) == (S.CONFIRMED, SLOT, None)
    assert places(house, RESEARCHER) == []
    # What is answered need not be read.
    assert unread(house, RESEARCHER) == 0
    tick(house, UNTIL)
    assert states(house) == ["cancelled", "confirmed"]


def test_an_offer_that_is_taken_waits_for_the_centre_like_any_booking(house: Database) -> None:
    with house.write() as db:
        approvals.choose(db, actor(MANAGER), "N002", "everybody", 24, NOW)
    booking = taken(house)
    entry_id = join(house, RESEARCHER)
    cancel(house, booking)
    tick(house)
    with house.write() as db:
        accepted = waitlist.accept(db, actor(RESEARCHER), entry_id, NOW)
    assert (accepted.state, accepted.hold_expires_at) == (BookingState.PENDING, NOW + timedelta(hours=24))
    assert states(house) == ["cancelled", "pending"]
    assert places(house, RESEARCHER) == []


def test_what_is_declined_goes_to_the_next_and_not_back(house: Database) -> None:
    booking = taken(house)
    entry = join(house, RESEARCHER)
    join(house, COLLEAGUE, NOW + LATER)
    cancel(house, booking)
    tick(house)
    assert told(house) == ["researcher"]
    with house.write() as db:
        waitlist.decline(db, actor(RESEARCHER), entry, NOW + LATER)
    tick(house, NOW + LATER)
    assert (offered(house, RESEARCHER), offered(house, COLLEAGUE), told(house)) == (None, SLOT, ["colleague"])
    (place,) = places(house, RESEARCHER)
    assert (place.line.entry.passed, place.place, place.of) == (1, 2, 2)
    tick(house, UNTIL + LATER)
    assert (offered(house, RESEARCHER), told(house)) == (None, [])


def test_who_gives_time_back_while_they_wait_is_not_offered_it(house: Database) -> None:
    booking = taken(house, person_id=RESEARCHER)
    join(house, RESEARCHER)
    join(house, COLLEAGUE, NOW + LATER)
    cancel(house, booking, NOW + LATER)
    tick(house, NOW + LATER)
    assert (offered(house, RESEARCHER), offered(house, COLLEAGUE)) == (None, SLOT)


def test_what_is_not_answered_goes_to_the_next(house: Database) -> None:
    booking = taken(house)
    entry = join(house, RESEARCHER)
    join(house, COLLEAGUE, NOW + LATER)
    cancel(house, booking)
    tick(house)
    tick(house, UNTIL - timedelta(seconds=1))
    assert told(house) == ["researcher"]
    tick(house, UNTIL)
    assert (offered(house, RESEARCHER), offered(house, COLLEAGUE), told(house)) == (None, SLOT, ["colleague"])
    with house.write() as db, pytest.raises(WrongState) as error:
        waitlist.accept(db, actor(RESEARCHER), entry, UNTIL)
    assert error.value.code == "offer_over"


def test_an_offer_is_not_taken_once_its_time_is_over_even_before_the_ticker_comes(house: Database) -> None:
    booking = taken(house)
    entry = join(house, RESEARCHER)
    cancel(house, booking)
    tick(house)
    with house.write() as db, pytest.raises(WrongState):
        waitlist.accept(db, actor(RESEARCHER), entry, UNTIL)


def test_whom_the_rules_refuse_is_passed_over(house: Database) -> None:
    """The researcher is on the FE-SEM at that time, and one person is in one place."""
    booking = taken(house)
    join(house, RESEARCHER)
    join(house, COLLEAGUE, NOW + LATER)
    taken(house, SLOT, FESEM, person_id=RESEARCHER)
    cancel(house, booking)
    tick(house)
    assert (offered(house, RESEARCHER), offered(house, COLLEAGUE), told(house)) == (None, SLOT, ["colleague"])
    assert places(house, RESEARCHER)[0].line.entry.passed == 0


def test_a_no_of_the_write_itself_goes_to_the_next(house: Database) -> None:
    """The project was withdrawn since: a search for time does not ask that, the rules do, and nothing is left of it."""
    booking = taken(house)
    join(house, COMPETITOR)
    join(house, COLLEAGUE, NOW + LATER)
    with house.write() as db:
        db.execute(t.projects.update().where(t.projects.c.id == INDUSTRY_PROJECT).values(state="proposed"))
    cancel(house, booking)
    tick(house)
    assert (offered(house, COMPETITOR), offered(house, COLLEAGUE), told(house)) == (None, SLOT, ["colleague"])


def test_who_may_book_no_more_is_passed_over(house: Database) -> None:
    booking = taken(house)
    join(house, RESEARCHER)
    join(house, COLLEAGUE, NOW + LATER)
    with house.write() as db:
        db.execute(t.persons.update().where(t.persons.c.id == RESEARCHER).values(disabled_at=NOW))
    cancel(house, booking)
    tick(house)
    assert told(house) == ["colleague"]


def test_nobody_is_told_of_a_slot_that_somebody_has_booked_meanwhile(house: Database) -> None:
    booking = taken(house)
    join(house, RESEARCHER)
    cancel(house, booking)
    with house.write() as db:
        wish = Wish(instrument_number=XRD, span=SLOT, project_id=PUBLIC_PROJECT)
        bookings.book(db, actor(COLLEAGUE), wish, NOW)
    tick(house)
    assert (offered(house, RESEARCHER), told(house)) == (None, [])


def test_each_offer_is_a_transaction_of_its_own(house: Database) -> None:
    """Two want an hour each of the two that come free: whoever offered both at once would lock the second person after
    the limits and balances of the first, and stop whoever books meanwhile.
    """
    booking = taken(house)
    join(house, RESEARCHER, minutes=60)
    join(house, COLLEAGUE, NOW + LATER, minutes=60)
    cancel(house, booking)
    seen: list[list[str]] = []
    for _ in range(3):
        with house.read() as db:
            (row,) = ticking.deadlines(db, NOW)
        with house.write() as db:
            ticking.deal_with(db, row, NOW)
        seen.append(told(house))
    assert seen == [["researcher"], ["colleague"], []]
    with house.read() as db:
        assert ticking.deadlines(db, NOW) == []


def test_two_tickers_at_once_make_one_offer(house: Database) -> None:
    booking = taken(house)
    join(house, RESEARCHER)
    join(house, COLLEAGUE, NOW + LATER)
    cancel(house, booking)
    with house.read() as db:
        (row,) = ticking.deadlines(db, NOW)
    start = threading.Barrier(2)

    def run(_: int) -> None:
        start.wait()
        with house.write() as db:
            ticking.deal_with(db, row, NOW)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run, range(2)))
    assert (told(house), offered(house, COLLEAGUE)) == (["researcher"], None)


def test_a_crash_leaves_the_freed_time_to_be_offered_later(house: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    booking = taken(house)
    join(house, RESEARCHER)
    cancel(house, booking)
    with house.read() as db:
        (row,) = ticking.deadlines(db, NOW)

    def fail(*_: object, **__: object) -> None:
        raise OSError

    with monkeypatch.context() as broken:
        broken.setattr(waitlist.notices, "tell", fail)
        with pytest.raises(OSError), house.write() as db:  # noqa: PT011  any will do
            ticking.deal_with(db, row, NOW)
    assert offered(house, RESEARCHER) is None
    tick(house)
    assert (offered(house, RESEARCHER), told(house)) == (SLOT, ["researcher"])


# ---------------------------------------------------------------- what comes free


def test_freed_time_is_shared_by_those_whom_it_fits(house: Database) -> None:
    """Four hours: the first two for one, the other two for the next."""
    booking = taken(house, span(25, 9, 13))
    join(house, RESEARCHER, since=9 * 60, until=13 * 60)
    join(house, COLLEAGUE, NOW + LATER, since=9 * 60, until=13 * 60)
    cancel(house, booking)
    tick(house)
    assert (offered(house, RESEARCHER), offered(house, COLLEAGUE)) == (SLOT, span(25, 11, 13))


def test_freed_time_counts_with_what_is_free_before_it(house: Database) -> None:
    """An hour comes free from 9 to 10, and the hour before it was free: two hours fit from 8 on."""
    booking = taken(house, span(25, 9, 10))
    taken(house, span(25, 10, 12))
    join(house, RESEARCHER)
    cancel(house, booking)
    tick(house)
    assert offered(house, RESEARCHER) == span(25, 8, 10)


def test_what_a_booking_leaves_when_it_moves_is_offered(house: Database) -> None:
    booking = taken(house)
    join(house, RESEARCHER, minutes=60, since=9 * 60, until=10 * 60)
    with house.write() as db:
        bookings.move(db, actor(MANAGER), booking.id, span(25, 10, 12), seen_version=1, now=NOW)
    tick(house)
    assert offered(house, RESEARCHER) == span(25, 9, 10)


def test_the_rest_that_somebody_gives_back_who_is_done_is_offered(house: Database) -> None:
    """Done at ten of nine to sixteen. An answer needs an hour, so that the first slot is from eleven on."""
    booking = taken(house, span(25, 9, 16))
    join(house, RESEARCHER)
    with house.write() as db:
        moves.finish(db, actor(MANAGER), booking.id, seen_version=1, now=at(25, 10))
    tick(house, at(25, 10))
    assert offered(house, RESEARCHER) == span(25, 11, 13)


def test_a_hold_that_ends_is_offered(house: Database) -> None:
    hold = taken(house, state=S.HELD, hold_expires_at=NOW + LATER)
    join(house, RESEARCHER)
    with house.write() as db:
        due.schedule(db, ticking.HOLD_EXPIRES, hold.id, NOW + LATER)
    tick(house, NOW + LATER)
    assert offered(house, RESEARCHER) == SLOT


MONDAY: dict[str, Any] = {
    "from_date": date(2026, 11, 30),
    "until_date": date(2026, 11, 30),
    "since": 8 * 60,
    "until": 12 * 60,
}


def test_what_a_withdrawn_round_gives_back_is_offered(house: Database) -> None:
    with house.write() as db:
        opened = round_of.open_round(db)
    join(house, COLLEAGUE, **MONDAY)
    tick(house)
    assert offered(house, COLLEAGUE) is None
    with house.write() as db:
        rounds.withdraw(db, actor(OFFICE), opened.id, seen_version=opened.version, now=NOW)
    tick(house)
    assert offered(house, COLLEAGUE) == round_of.span(0, 8, 10)


def test_what_a_published_round_leaves_is_offered(house: Database) -> None:
    """Of four hours the researcher's session takes the first two: the colleague is offered the others."""
    with house.write() as db:
        opened = round_of.open_round(db)
        round_of.ask(db, opened, RESEARCHER, windows=(round_of.span(0, 8, 10),))
    join(house, COLLEAGUE, **MONDAY)
    with house.write() as db:
        plan = round_of.propose(db, round_of.close(db, opened))
        round_of.approve(db, plan)
        rounds.publish(db, actor(OFFICE), opened.id, plan_sha256=plan.plan_sha256, now=round_of.LATER)
    tick(house, round_of.LATER)
    assert offered(house, COLLEAGUE) == round_of.span(0, 10, 12)


def test_an_offer_that_is_cancelled_as_a_booking_is_passed_on_without_a_strike(house: Database) -> None:
    booking = taken(house)
    join(house, RESEARCHER)
    cancel(house, booking)
    tick(house)
    (place,) = places(house, RESEARCHER)
    with house.write() as db:
        hold = bookings.cancel(db, actor(RESEARCHER), place.line.entry.booking_id or uuid4(), seen_version=1, now=NOW)
    assert (hold.late_notice, places(house, RESEARCHER)[0].line.entry.passed) == (False, 1)


def test_any_instrument_with_the_capability_will_do(house: Database) -> None:
    booking = taken(house)
    join(house, RESEARCHER, instrument_number=None, capability_id="XRD")
    other = taken(house, SLOT, FESEM)
    cancel(house, other)
    tick(house)
    assert offered(house, RESEARCHER) is None
    cancel(house, booking)
    tick(house)
    assert offered(house, RESEARCHER) == SLOT


def test_at_night_the_answer_has_time_until_the_morning(house: Database) -> None:
    booking = taken(house)
    join(house, RESEARCHER)
    night = at(24, 23)
    cancel(house, booking, night)
    tick(house, night)
    # 6:00 and two hours, and half an hour is left before the slot.
    assert places(house, RESEARCHER)[0].line.expires_at == at(25, 8)


def test_a_slot_that_is_nearly_there_is_offered_to_nobody(house: Database) -> None:
    booking = taken(house)
    join(house, RESEARCHER)
    soon = SLOT.start - timedelta(minutes=59)
    cancel(house, booking, soon)
    tick(house, soon)
    # Two hours from 9:30 on would end at 11:30 and meet nobody, so that is offered instead of 9:00.
    assert offered(house, RESEARCHER) == Span(at(25, 9, 30), at(25, 11, 30))


# ---------------------------------------------------------------- order and places


def test_who_has_had_less_of_the_instrument_comes_first(house: Database) -> None:
    """The researcher has waited longer, and has had an hour on it this month."""
    booking = taken(house)
    join(house, RESEARCHER)
    join(house, COLLEAGUE, NOW + LATER)
    taken(house, span(12, 9, 10), person_id=RESEARCHER, state=S.DONE)
    assert [(p.place, p.of) for who in (RESEARCHER, COLLEAGUE) for p in places(house, who)] == [(2, 2), (1, 2)]
    cancel(house, booking)
    tick(house)
    assert told(house) == ["colleague"]


def test_managers_see_how_many_wait_and_nobody_else(house: Database) -> None:
    join(house, RESEARCHER)
    join(house, COLLEAGUE, instrument_number=None, capability_id="XRD")
    join(house, COMPETITOR, instrument_number=FESEM)
    with house.read() as db:
        found = [waitlist.how_many(db, who, "C-ONE", XRD, NOW) for who in (actor(MANAGER), actor(RESEARCHER), None)]
    assert found == [2, None, None]


def test_an_entry_is_over_with_its_last_day(house: Database) -> None:
    booking = taken(house, span(26, 9, 11))
    join(house, RESEARCHER)
    cancel(house, booking, at(26, 0))
    tick(house, at(26, 0))
    assert (places(house, RESEARCHER, at(26, 0)), told(house)) == ([], [])


# ---------------------------------------------------------------- joining and leaving


def test_what_could_never_be_offered_is_not_waited_for(house: Database) -> None:
    with pytest.raises(Refused) as refused:
        join(house, MANAGER, instrument_number=FESEM, minutes=481, project_id=INDUSTRY_PROJECT)
    codes = [each.code for each in refused.value.refusals]
    assert codes == ["too_long", "not_qualified", "project_not_member"]
    with pytest.raises(NotFound):
        join(house, RESEARCHER, instrument_number=None, capability_id="none")
    with pytest.raises(Malformed):
        join(house, RESEARCHER, until_date=date(2026, 11, 20))


def test_one_person_waits_for_ten_things(house: Database) -> None:
    first, *_ = [join(house, RESEARCHER) for _ in range(10)]
    with pytest.raises(Refused):
        join(house, RESEARCHER)
    with house.write() as db:
        waitlist.leave(db, actor(RESEARCHER), first, NOW)
    join(house, RESEARCHER)


def test_who_leaves_passes_on_an_offer_that_stands(house: Database) -> None:
    booking = taken(house)
    entry = join(house, RESEARCHER)
    join(house, COLLEAGUE, NOW + LATER)
    cancel(house, booking)
    tick(house)
    with house.write() as db:
        waitlist.leave(db, actor(RESEARCHER), entry, NOW)
    tick(house)
    assert (places(house, RESEARCHER), offered(house, COLLEAGUE)) == ([], SLOT)
    with house.write() as db, pytest.raises(WrongState):
        waitlist.leave(db, actor(RESEARCHER), entry, NOW)


def test_nobody_answers_for_somebody_else(house: Database) -> None:
    booking = taken(house)
    entry = join(house, RESEARCHER)
    cancel(house, booking)
    tick(house)
    for act in (waitlist.accept, waitlist.decline, waitlist.leave):
        with house.write() as db, pytest.raises(NotFound):
            act(db, actor(COLLEAGUE), entry, NOW)


def test_without_an_offer_there_is_nothing_to_take(house: Database) -> None:
    entry = join(house, RESEARCHER)
    for act in (waitlist.accept, waitlist.decline):
        with house.write() as db, pytest.raises(WrongState):
            act(db, actor(RESEARCHER), entry, NOW)


def test_an_offer_that_was_taken_is_over_also_when_its_booking_went_to_somebody_else(house: Database) -> None:
    """Freed by a competitor, taken by the researcher, handed to a colleague; a second answer finds no offer."""
    entry_id, booking = join(house, RESEARCHER), taken(house)
    cancel(house, booking)
    tick(house)
    with house.write() as db:
        got = waitlist.accept(db, actor(RESEARCHER), entry_id, NOW)
        asked = exchanges.hand_over(db, actor(RESEARCHER), got.id, COLLEAGUE, seen_version=got.version, now=NOW)
        exchanges.accept(db, actor(COLLEAGUE), asked.id, PUBLIC_PROJECT, seen_version=got.version, now=NOW)
    for answer in (waitlist.accept, waitlist.decline):
        with pytest.raises(WrongState) as caught, house.write() as db:
            answer(db, actor(RESEARCHER), entry_id, NOW)
        assert caught.value.code == "offer_taken"


def test_a_booking_that_frees_nothing_costs_no_query_more(house: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """And one that frees time for which nobody waits costs one."""

    def costs() -> list[int]:
        found: list[int] = []
        wish = Wish(instrument_number=XRD, span=SLOT, project_id=PUBLIC_PROJECT)
        with counted(house.engine) as book, house.write() as db:
            booking = bookings.book(db, actor(COLLEAGUE), wish, NOW)
        with counted(house.engine) as words, house.write() as db:
            bookings.describe(db, actor(COLLEAGUE), booking.id, "x", seen_version=1, now=NOW)
        with counted(house.engine) as end, house.write() as db:
            bookings.cancel(db, actor(COLLEAGUE), booking.id, seen_version=2, now=NOW)
        found += [len(book), len(words), len(end)]
        return found

    costs()  # The first call also reads the rulebook.
    now = costs()

    def silent(*_: object) -> None:
        """Nothing is kept in mind."""

    monkeypatch.setattr(freeing, "note", silent)
    assert [a - b for a, b in zip(now, costs(), strict=True)] == [0, 0, 1]


def test_what_is_made_longer_may_begin_before_the_freed_time(house: Database) -> None:
    """Two hours are the shortest there; who waits for one before eleven has the freed hour from ten with the one before
    it, which nobody had.
    """
    with house.write() as db:
        db.execute(t.instruments.update().where(t.instruments.c.number == XRD).values(min_minutes=120))
    booking = taken(house, span(25, 10, 12))
    join(house, RESEARCHER, instrument_number=None, capability_id="XRD", minutes=60, until=11 * 60)
    cancel(house, booking)
    tick(house)
    assert offered(house, RESEARCHER) == span(25, 9, 11)


@pytest.mark.parametrize("begun", [False, True])
def test_nobody_is_offered_the_part_that_they_gave_back(house: Database, begun: bool) -> None:
    """Who waits behind them is, though they came first: of 9 to 17 what follows 11, or 10:07 on the raster."""
    booking = taken(house, span(25, 9, 17), person_id=RESEARCHER, booked_by_id=RESEARCHER)
    first, second = join(house, RESEARCHER), join(house, COLLEAGUE, NOW + LATER)
    now = at(25, 10, 7) if begun else NOW + 2 * LATER
    with house.write() as db:
        if begun:
            moves.finish(db, actor(RESEARCHER), booking.id, seen_version=1, now=now)
        else:
            bookings.move(db, actor(RESEARCHER), booking.id, SLOT, seen_version=1, now=now)
    tick(house, now)
    with house.read() as db:
        rows = db.execute(sa.select(t.waiting_entries.c.id, t.waiting_entries.c.state)).all()
    assert {row.id: row.state for row in rows} == {first: "waiting", second: "offered"}


def test_who_was_pardoned_is_offered_what_came_free_since_they_wait(house: Database) -> None:
    """They gave the time back too late, then waited for it, and another one who had taken it gives it back."""
    penalties = Penalties(strikes=3, late_cancel=True)
    late = Courtesy(notice_hours=96, penalties=penalties)
    agreement = courteous(courtesy=late)
    with house.write() as db:
        agreements.add_version(db, Version(number=1, agreement=agreement), actor_id=None, now=NOW)
        mine = a_booking(XRD, SLOT)
        bookings_store.add(db, [mine])
        gone = bookings.cancel(db, actor(RESEARCHER), mine.id, seen_version=1, now=NOW)
    assert gone.late_notice
    other = taken(house)
    join(house, RESEARCHER, NOW + LATER)
    with house.write() as db:
        strikes.pardon(db, actor(MANAGER), mine.id, "Bơm hỏng", seen_version=2, now=NOW + 2 * LATER)
    cancel(house, other, NOW + 3 * LATER)
    tick(house, NOW + 3 * LATER)
    (place,) = places(house, RESEARCHER, NOW + 3 * LATER)
    assert place.line.entry.state is WaitingState.OFFERED


def test_what_is_free_already_is_told_of_and_ones_own_entries_are_no_rivals(house: Database) -> None:
    """Nine to eleven is taken; of the day from eight to six two hours are free first at eleven."""
    taken(house)
    taken(house, span(25, 8, 9))
    first = join(house, RESEARCHER)
    join(house, RESEARCHER, NOW + LATER)
    join(house, COLLEAGUE, NOW + 2 * LATER, from_date=date(2026, 11, 26), until_date=date(2026, 11, 27))
    join(house, MANAGER, NOW + 3 * LATER, from_date=date(2026, 11, 23))
    mine = next(each for each in places(house, RESEARCHER) if each.line.entry.id == first)
    assert (mine.place, mine.of) == (1, 2)
    with house.read() as db:
        row = waitlist.free_now(db, actor(RESEARCHER), mine.line.entry, NOW)
        assert row is not None
        assert (row.place.id, row.spans[0]) == ("N002", span(25, 11, 13))
    taken(house, span(25, 11, 18))
    with house.read() as db:
        assert waitlist.free_now(db, actor(RESEARCHER), mine.line.entry, NOW) is None


def test_who_passes_on_an_offer_is_offered_the_time_by_another_entry(house: Database) -> None:
    """Nine to ten came free, and ten to eleven is: one entry wants an hour, and passes on it, the other one two."""
    taken(house, span(25, 8, 9))
    taken(house, span(25, 11, 18))
    booking = taken(house, span(25, 9, 10))
    hour = join(house, RESEARCHER, minutes=60)
    both = join(house, RESEARCHER, NOW + LATER)
    cancel(house, booking, NOW + LATER)
    tick(house, NOW + LATER)
    with house.write() as db:
        waitlist.decline(db, actor(RESEARCHER), hour, NOW + 2 * LATER)
    tick(house, NOW + 2 * LATER)
    (first, second) = places(house, RESEARCHER, NOW + 2 * LATER)
    assert (first.line.entry.id, first.line.starts_at, first.line.ends_at) == (both, at(25, 9), at(25, 11))
    assert (second.line.entry.id, second.line.entry.state) == (hour, WaitingState.WAITING)
