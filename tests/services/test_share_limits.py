"""Bookings are weighed against agreements in force: limits hold on every path and in every race, on both databases."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import msgspec
import pytest

from labshare.domain.agreement_documents import to_toml
from labshare.domain.agreements import Level, Scope, Selector
from labshare.domain.bookings import Booking, BookingKind, BookingState, Wish
from labshare.domain.courtesy import Courtesy
from labshare.domain.projects import AccessClass
from labshare.domain.timespan import Span
from labshare.domain.windows import CALENDAR, Window
from labshare.errors import LabShareError, Refused
from labshare.services import balances as balances_service
from labshare.services import bookings as booking_service
from labshare.services import weighing
from labshare.store import agreements as store
from labshare.store import bookings as booking_store
from labshare.store import facts
from labshare.store.engine import Database
from labshare.store.rulebooks import rulebook
from tests.furniture import (
    COMPETITOR,
    FESEM,
    INDUSTRY_PROJECT,
    MANAGER,
    NMR,
    NOW,
    XRD,
    a_booking,
    actor,
    at,
    furnish,
    span,
)
from tests.round_of import open_round
from tests.round_of import span as week_after
from tests.shares import (
    NEXT_WEEK_MINUTES,
    WEEK_MINUTES,
    a_floor,
    a_rule,
    a_run,
    an_agreement,
    balances,
    by_industry,
    five_days,
    load,
    put,
    statements,
    the_use,
)


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
    return database


# ---------------------------------------------------------------- limits


def test_a_cap_is_kept_to_the_minute(house: Database, tmp_path: Path) -> None:
    # An eighth of 4,800 min is 600: ten hours fill it, on both instruments together; half an hour more is refused.
    with house.write() as db:
        load(db, tmp_path, an_agreement(a_rule()))
        put(db, by_industry(FESEM, span(24, 8, 13)))
        put(db, by_industry(XRD, span(24, 8, 13)))
    with house.write() as db, pytest.raises(Refused) as caught:
        put(db, by_industry(XRD, span(25, 8, 9)))
    assert [refusal.code for refusal in caught.value.refusals] == ["agreement_cap_private"]
    with house.read() as db:
        assert balances(db) == {"industry-cap 23/11": (WEEK_MINUTES, 600, 600)}


def test_time_elsewhere_or_by_others_is_not_counted(house: Database, tmp_path: Path) -> None:
    with house.write() as db:
        load(db, tmp_path, an_agreement(a_rule()))
        put(db, by_industry(NMR, span(24, 8, 18)), a_booking(FESEM, span(24, 8, 18)))
        assert balances(db) == {}


def test_planned_maintenance_shrinks_the_base_and_a_later_outage_does_not(house: Database, tmp_path: Path) -> None:
    planned = a_booking(XRD, span(27, 8, 18), kind=BookingKind.MAINTENANCE, person_id=None, project_id=None)
    later = a_booking(XRD, span(26, 8, 18), kind=BookingKind.MAINTENANCE, person_id=None, project_id=None)
    with house.write() as db:
        load(db, tmp_path, an_agreement(a_rule()))
        booking_store.add(db, [planned])
        # One day of one instrument is planned away: 4,800 - 600 = 4,200.
        put(db, by_industry(FESEM, span(24, 8, 9)))
        booking_store.add(db, [later])
        put(db, by_industry(FESEM, span(25, 8, 9)))
        assert balances(db) == {"industry-cap 23/11": (4200, 120, 120)}


def test_a_holiday_is_not_allocable(house: Database, tmp_path: Path) -> None:
    # 1 January 2027 is a Friday: the week has four open days, 2 x 4 x 600 = 4,800 min.
    with house.write() as db:
        load(db, tmp_path, an_agreement(a_rule()))
        put(db, by_industry(FESEM, Span(at(23, 8) + timedelta(days=35), at(23, 9) + timedelta(days=35))))
        assert balances(db) == {"industry-cap 28/12": (4800, 60, 60)}


def test_each_instrument_has_its_own_limit_where_the_level_says_so(house: Database, tmp_path: Path) -> None:
    # An eighth of one instrument's 2,400 min: 300 on each.
    with house.write() as db:
        load(db, tmp_path, an_agreement(a_rule(level=Level.INSTRUMENT)))
        put(db, by_industry(FESEM, span(24, 8, 13)), by_industry(XRD, span(25, 8, 10)))
        assert balances(db) == {
            "industry-cap N001 23/11": (2400, 300, 300),
            "industry-cap N002 23/11": (2400, 120, 120),
        }
        with pytest.raises(Refused):
            put(db, by_industry(FESEM, span(26, 8, 9)))


def test_a_booking_across_a_border_moves_both_windows(house: Database, tmp_path: Path) -> None:
    night = Span(at(29, 22), at(30, 3))
    with house.write() as db:
        load(db, tmp_path, an_agreement(a_rule()))
        put(db, by_industry(FESEM, night))
        # Sunday 22-24 in one week, Monday 0-3 in the next.
        assert balances(db) == {
            "industry-cap 23/11": (WEEK_MINUTES, 120, 120),
            "industry-cap 30/11": (NEXT_WEEK_MINUTES, 180, 180),
        }


def test_a_use_of_decades_is_refused_for_its_length_and_never_counted(house: Database, tmp_path: Path) -> None:
    """Window by window it would take more queries in one than a database reads, and hold the locks meanwhile."""
    with house.write() as db:
        load(db, tmp_path, an_agreement(a_rule()))
    when = Span(at(25, 9), at(25, 9) + timedelta(days=40 * 365))
    asked = Wish(instrument_number=XRD, span=when, project_id=INDUSTRY_PROJECT)
    with pytest.raises(Refused) as caught, house.write() as db:
        booking_service.book(db, actor(COMPETITOR), asked, NOW)
    assert [refusal.code for refusal in caught.value.refusals] == ["too_long", "too_far_ahead"]


def test_the_first_hours_of_a_year_have_the_window_that_the_rest_of_it_has(house: Database, tmp_path: Path) -> None:
    """In Hanoi 1 January begins at 17:00 of 31 December in UTC. A version from 15 February cuts the quarter there."""
    rule = a_rule(window=Window.QUARTER)
    with house.write() as db:
        load(db, tmp_path, an_agreement(rule))
        later = a_rule(window=Window.QUARTER, share=Fraction(1, 4))
        load(db, tmp_path, an_agreement(later, effective_from=date(2027, 2, 15)))
        new_year = datetime(2026, 12, 31, 18, 0, tzinfo=UTC)
        put(db, by_industry(XRD, Span(new_year, new_year + timedelta(hours=1))))
    with house.read() as db:
        (balance,) = store.balances_of(db).values()
    assert balance.window == Span(datetime(2026, 12, 31, 17, 0, tzinfo=UTC), datetime(2027, 2, 14, 17, 0, tzinfo=UTC))


def test_a_floor_keeps_its_time_from_others_until_release(house: Database, tmp_path: Path) -> None:
    # Seven eighths of 4,800 = 4,200 are kept: others may have 600. Released 48 h ahead; now is Monday 08:00.
    with house.write() as db:
        load(db, tmp_path, an_agreement(a_floor(release_hours=48)))
        put(db, by_industry(FESEM, span(26, 8, 18)))
        with pytest.raises(Refused) as caught:
            put(db, by_industry(XRD, span(27, 8, 9)))
        put(db, by_industry(XRD, span(25, 7, 8)))
        # A public booking is never refused by its own floor.
        put(db, a_booking(XRD, span(27, 8, 18)))
        assert balances(db) == {"public-floor 23/11": (WEEK_MINUTES, 600, 1260)}
    (refusal,) = caught.value.refusals
    assert refusal.code == "agreement_floor_private"
    # 48 h before Friday 27 November, 08:00 is Wednesday 25 November, 08:00 = 01:00 UTC.
    assert refusal.params == {"until": "2026-11-25T01:00:00+00:00"}


def test_only_those_who_may_know_read_whose_rule_it_is(house: Database, tmp_path: Path) -> None:
    with house.write() as db:
        load(db, tmp_path, an_agreement(a_rule(share=Fraction(0))))
        uses = [the_use(by_industry(FESEM, span(24, 8, 9)))]
        told = weighing.weigh(db, added=uses, now=NOW, reader=actor(COMPETITOR))
        assert [refusal.code for refusal in told.refusals] == ["agreement_cap_private"]
        told = weighing.weigh(db, added=uses, now=NOW, reader=actor(MANAGER))
        assert [refusal.code for refusal in told.refusals] == ["agreement_cap"]
        assert told.refusals[0].params["rule"] == "industry-cap"


def test_a_party_reads_a_common_clause_without_figures_and_its_own_with_them(house: Database, tmp_path: Path) -> None:
    own = a_rule(id="own", who=Selector(organisation=("O-CO",)), share=Fraction(0))
    with house.write() as db:
        load(db, tmp_path, an_agreement(a_rule(share=Fraction(0)), own, parties=("I-IMS", "O-CO")))
        told = weighing.weigh(db, added=[the_use(by_industry(FESEM, span(24, 8, 9)))], now=NOW)
        assert [refusal.code for refusal in told.refusals] == ["agreement_cap_clause", "agreement_cap"]


def test_a_floor_tells_no_figures_to_the_party_that_it_is_for(house: Database, tmp_path: Path) -> None:
    """It keeps the company's public time from the company's own industry; what is left is what rivals have taken."""
    who = Selector(organisation=("O-CO",), access_class=(AccessClass.PUBLIC_RESEARCH,))
    with house.write() as db:
        load(db, tmp_path, an_agreement(a_floor(who=who, share=Fraction(1)), parties=("I-IMS", "O-CO")))
        told = weighing.weigh(db, added=[the_use(by_industry(FESEM, span(24, 8, 9)))], now=NOW)
        assert [refusal.code for refusal in told.refusals] == ["agreement_floor_clause"]


def test_the_version_that_judged_is_told(house: Database, tmp_path: Path) -> None:
    with house.write() as db:
        load(db, tmp_path, an_agreement(a_rule()))
        load(db, tmp_path, an_agreement(a_rule(share=Fraction(1, 5))))
        load(db, tmp_path, an_agreement(a_rule(), id="OTHER"))
        booking = by_industry(FESEM, span(24, 8, 9), agreement_id="PPP-1")
        use = msgspec.structs.replace(the_use(booking), agreement_id="PPP-1")
        weighed = weighing.weigh(db, added=[use], now=NOW)
        assert weighed.versions == {("PPP-1", booking.occupied_from): 2}
        assert weighed.signed(booking).agreement_version == 2
        assert weighed.signed(by_industry(FESEM, span(24, 8, 9))).agreement_version is None


# ---------------------------------------------------------------- rounds as windows


def test_a_hard_cap_of_rounds_is_kept_by_what_is_booked_directly_in_their_horizon(
    house: Database, tmp_path: Path
) -> None:
    # An eighth of the horizon's 2 x 5 x 600 minutes is 750: 12 h 30 min.
    with house.write() as db:
        load(db, tmp_path, an_agreement(a_rule(window=Window.ROUND)))
        put(db, by_industry(FESEM, week_after(0, 8, 18)))
        assert balances(db) == {}
        open_round(db)
        put(db, by_industry(FESEM, week_after(1, 8, 9)))
        # What stood before the round was opened is counted: 600 + 60.
        assert balances(db) == {"industry-cap@2026-W49 30/11": (NEXT_WEEK_MINUTES, 660, 660)}
    with house.write() as db, pytest.raises(Refused) as caught:
        put(db, by_industry(XRD, week_after(2, 8, 10)))
    assert [refusal.code for refusal in caught.value.refusals] == ["agreement_cap_private"]
    with house.write() as db:
        # The week before is in no round.
        put(db, by_industry(XRD, span(25, 8, 18)))


def test_a_new_scope_opens_the_balances_of_rounds_anew(house: Database, tmp_path: Path) -> None:
    with house.write() as db:
        load(db, tmp_path, an_agreement(a_rule(window=Window.ROUND)))
        open_round(db)
        put(db, by_industry(FESEM, week_after(0, 8, 9)))
        load(db, tmp_path, an_agreement(a_rule(window=Window.ROUND, share=Fraction(1, 5))))
        assert balances(db) == {"industry-cap@2026-W49 30/11": (NEXT_WEEK_MINUTES, 60, 60)}
        load(db, tmp_path, an_agreement(a_rule(window=Window.ROUND, where=Scope())))
        assert balances(db) == {}


@pytest.mark.parametrize("is_open", [False, True], ids=["balance opened in the race", "balance open before"])
def test_two_bookings_that_fit_a_round_alone_and_not_together_leave_one_refused(
    house: Database, tmp_path: Path, is_open: bool
) -> None:
    with house.write() as db:
        load(db, tmp_path, an_agreement(a_rule(window=Window.ROUND)))
        open_round(db)
        if is_open:
            put(db, by_industry(FESEM, week_after(4, 8, 9)))
    # 7 h and 7 h against a cap of 12 h 30 min, of which one hour may be gone.
    outcomes = _race(house, [by_industry(number, week_after(1, 8, 15)) for number in (FESEM, XRD)])
    assert sorted(outcomes) == ["agreement_cap_private", "written"]


# ---------------------------------------------------------------- any days on end


def test_a_rolling_cap_is_kept_by_every_run_of_days(house: Database, tmp_path: Path) -> None:
    # Thursday and Friday have five hours each. One run holds both and Monday, 26 to 30 November; none has Tuesday too.
    with house.write() as db:
        load(db, tmp_path, an_agreement(five_days()))
        put(db, by_industry(FESEM, span(26, 8, 13)))
        put(db, by_industry(FESEM, span(27, 8, 13)))
    with house.write() as db, pytest.raises(Refused) as caught:
        put(db, by_industry(XRD, week_after(0, 8, 9)))
    assert [refusal.params for refusal in caught.value.refusals] == [{"until": "2026-11-30T17:00:00+00:00"}]
    with house.write() as db:
        # Friday and Tuesday: ten hours from the 27th to the 1st.
        put(db, by_industry(XRD, week_after(1, 8, 13)))
        assert balances_service.rebuild(db, NOW) == 0
    with house.write() as db, pytest.raises(Refused):
        put(db, by_industry(XRD, week_after(1, 14, 15)))


def test_a_rolling_share_is_of_the_same_days(house: Database, tmp_path: Path) -> None:
    # Monday is the one working day from Saturday 21 to Tuesday 24, a holiday: an eighth of 2 x 600 is 150 minutes.
    with house.write() as db:
        load(db, tmp_path, an_agreement(five_days(days=3, share=Fraction(1, 8), minutes=None)))
        put(db, by_industry(FESEM, Span(at(23, 12), at(23, 14, 30))))
        with pytest.raises(Refused):
            put(db, by_industry(XRD, Span(at(23, 12), at(23, 12, 30))))


@pytest.mark.parametrize("is_open", [False, True], ids=["balances opened in the race", "balances open before"])
def test_two_bookings_that_fit_a_run_of_days_alone_and_not_together_leave_one_refused(
    house: Database, tmp_path: Path, is_open: bool
) -> None:
    """On other days and instruments, so that only the runs that hold both sort them."""
    with house.write() as db:
        load(db, tmp_path, an_agreement(five_days()))
        if is_open:
            put(db, by_industry(FESEM, span(26, 8, 9)))
    wishes = [by_industry(FESEM, span(25, 8, 14)), by_industry(XRD, span(27, 8, 14))]
    assert sorted(_race(house, wishes)) == ["agreement_cap_private", "written"]


# ---------------------------------------------------------------- through the booking path


def test_the_booking_path_books_moves_and_cancels_within_the_limit(house: Database, tmp_path: Path) -> None:
    """Ten hours of industry fill the week; a move keeps them, a cancellation gives them back."""

    def wish(day: int, first: int, last: int) -> Wish:
        return Wish(instrument_number=XRD, span=span(day, first, last), project_id=INDUSTRY_PROJECT)

    asker = actor(COMPETITOR)
    with house.write() as db:
        load(db, tmp_path, an_agreement(a_rule()))
        put(db, by_industry(FESEM, span(26, 8, 10)))
        first = booking_service.book(db, asker, wish(25, 8, 16), NOW)
    with house.write() as db, pytest.raises(Refused):
        booking_service.book(db, asker, wish(26, 8, 9), NOW)
    with house.write() as db:
        moved = booking_service.move(db, asker, first.id, span(26, 10, 18), seen_version=first.version, now=NOW)
        assert balances(db) == {"industry-cap 23/11": (WEEK_MINUTES, 600, 600)}
    with house.write() as db:
        booking_service.cancel(db, asker, moved.id, seen_version=moved.version, now=NOW)
        assert balances(db) == {"industry-cap 23/11": (WEEK_MINUTES, 120, 120)}
        booking_service.book(db, asker, wish(27, 8, 16), NOW)


# ---------------------------------------------------------------- races and recounts


@pytest.mark.parametrize("is_open", [False, True], ids=["balance opened in the race", "balance open before"])
def test_two_bookings_that_fit_alone_and_not_together_leave_one_refused(
    house: Database, tmp_path: Path, is_open: bool
) -> None:
    """On different instruments, so that no instrument's lock sorts them: the balance row does."""
    with house.write() as db:
        load(db, tmp_path, an_agreement(a_rule()))
    for week in range(5):
        later = timedelta(days=7 * week)
        if is_open:
            with house.write() as db:
                put(db, by_industry(FESEM, Span(span(26, 8, 9).start + later, span(26, 8, 9).end + later)))
        wishes = [
            by_industry(number, Span(span(25, 8, 15).start + later, span(25, 8, 15).end + later))
            for number in (FESEM, XRD)
        ]
        outcomes = _race(house, wishes)
        # 7 h and 7 h against a cap of 10 h, or 12 h 30 min in a week without a holiday; one hour of it may be gone.
        assert sorted(outcomes) == ["agreement_cap_private", "written"]


def _race(house: Database, wishes: list[Booking]) -> list[str]:
    ready = threading.Barrier(len(wishes))
    outcomes: list[str] = []

    def run(booking: Booking) -> None:
        ready.wait()
        try:
            with house.write() as db:
                put(db, booking)
            outcomes.append("written")
        except LabShareError as error:
            outcomes.append(error.refusals[0].code)

    threads = [threading.Thread(target=run, args=(booking,)) for booking in wishes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def test_a_use_that_is_done_counts_as_it_was_delivered(house: Database, tmp_path: Path) -> None:
    """Booked five hours, ran three and a half; another with no record counts as booked."""
    done = by_industry(FESEM, span(23, 8, 13), state=BookingState.DONE)
    unrecorded = by_industry(XRD, span(23, 8, 10), state=BookingState.DONE)
    with house.write() as db:
        load(db, tmp_path, an_agreement(a_rule()))
        booking_store.add(db, [done, unrecorded])
        a_run(db, done.id, FESEM, Span(at(23, 9), at(23, 12, 30)))
        put(db, by_industry(XRD, span(26, 8, 9)))
        # 210 delivered + 120 booked + 60 to come.
        assert balances(db) == {"industry-cap 23/11": (WEEK_MINUTES, 390, 390)}


# ---------------------------------------------------------------- what it costs


def test_weighing_costs_two_queries_and_posting_two_whatever_the_rules(house: Database, tmp_path: Path) -> None:
    rules = [a_rule(id=f"cap-{place}", window=window) for place, window in enumerate(list(CALENDAR) * 6)]
    with house.write() as db:
        load(db, tmp_path, an_agreement(*rules, a_floor(share=Fraction(1, 10))))
        put(db, by_industry(FESEM, span(24, 8, 9)))
        with statements(house) as seen:
            weighed = weighing.weigh(db, added=[the_use(by_industry(XRD, span(25, 8, 9)))], now=NOW)
            weighing.post(db, weighed)
        assert len(weighed.shifts) == 31
        assert len(seen) == 4


def test_a_rule_of_rounds_costs_no_query_more(house: Database, tmp_path: Path) -> None:
    with house.write() as db:
        load(db, tmp_path, an_agreement(a_rule(window=Window.ROUND)))
        open_round(db)
        put(db, by_industry(FESEM, week_after(0, 8, 9)))
        with statements(house) as seen:
            weighed = weighing.weigh(db, added=[the_use(by_industry(XRD, week_after(1, 8, 9)))], now=NOW)
            weighing.post(db, weighed)
        assert len(weighed.shifts) == 1
        assert len(seen) == 4


def test_whoever_is_touched_by_no_rule_asks_only_whether_the_agreements_are_the_same(
    house: Database, tmp_path: Path
) -> None:
    with house.write() as db:
        load(db, tmp_path, an_agreement(a_rule()))
        rulebook(db)
        with statements(house) as seen:
            weighed = weighing.weigh(db, added=[the_use(by_industry(NMR, span(24, 8, 9)))], now=NOW)
            weighing.post(db, weighed)
            weighing.weigh(db, added=(), removed=(), now=NOW)
    assert len(seen) == 1


def test_a_booking_asks_two_questions_more_for_all_agreements_and_their_courtesy(
    house: Database, tmp_path: Path
) -> None:
    """Beside what it asks in a house without agreements: the lock of the balances; the stamp comes with the project."""

    def asked(day: int) -> list[str]:
        wish = Wish(instrument_number=XRD, span=span(day, 8, 9), project_id=INDUSTRY_PROJECT)
        with house.read() as db:
            rulebook(db)
        with house.write() as db, statements(house) as seen:
            booking_service.book(db, actor(COMPETITOR), wish, NOW)
        return [each for each in seen if each.startswith("SELECT")]

    with house.write() as db:
        # As a migrated database has one; what tests have emptied on PostgreSQL has none, and is read each time.
        facts.renew_stamp(db)
    without = [each for each in asked(25) if "facts" not in each]
    with house.write() as db:
        courtesy = Courtesy(advance_days=60)
        load(db, tmp_path, an_agreement(a_rule(), courtesy=courtesy, covered=Scope(centres=("C-TWO",))))
        put(db, by_industry(FESEM, span(24, 8, 9)))
    more = asked(26)
    stamp, lock = (each for each in more if each not in without)
    assert len(more) == len(without) + 2
    assert stamp.startswith("SELECT projects.id")
    assert "FROM balances" in lock


def test_a_signing_by_another_process_judges_the_next_booking(house: Database, tmp_path: Path) -> None:
    """The first process has read the agreements before, and waits for its instrument while another one signs."""
    wish = Wish(instrument_number=XRD, span=span(25, 8, 10), project_id=INDUSTRY_PROJECT)
    path = tmp_path / "PPP-1.toml"
    path.write_text(to_toml(an_agreement(a_rule(share=Fraction(0)))), encoding="utf-8")
    with house.write() as db:
        load(db, tmp_path, an_agreement(a_rule(), id="OTHER"))
    with house.write() as db:
        booking_service.book(db, actor(COMPETITOR), wish, NOW)
    signer = subprocess.Popen(
        [sys.executable, "-c", SIGNING, house.engine.url.render_as_string(hide_password=False), str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert signer.stdin
    assert signer.stdout
    assert signer.stdout.readline() == "signed, not committed\n"
    let_go = threading.Timer(0.3, lambda: print("go", file=signer.stdin, flush=True))
    let_go.start()
    later = msgspec.structs.replace(wish, span=span(26, 8, 10))
    with pytest.raises(Refused) as caught, house.write() as db:
        booking_service.book(db, actor(COMPETITOR), later, NOW)
    let_go.join()
    signer.communicate()
    assert signer.returncode == 0
    assert [refusal.code for refusal in caught.value.refusals] == ["agreement_cap_private"]


SIGNING = """
import sys
from pathlib import Path
from labshare.services import agreements
from labshare.store.engine import open_database
from tests.furniture import NOW

with open_database(sys.argv[1]).write() as db:
    agreements.load_agreements(db, None, [Path(sys.argv[2])], NOW)
    print("signed, not committed", flush=True)
    sys.stdin.readline()
"""
