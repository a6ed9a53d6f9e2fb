"""The report of use: figures worked by hand on three instruments, through the eyes of different readers."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from labshare.domain.agreement_documents import to_toml
from labshare.domain.agreements import Agreement, Kind, Scope, Selector, ShareRule, Version
from labshare.domain.bookings import Booking, BookingKind, BookingState
from labshare.domain.disclosure import Confidentiality
from labshare.domain.entitlements import ShareState
from labshare.domain.equipment import EquipmentState, StateRecord
from labshare.domain.people import Actor
from labshare.domain.projects import AccessClass, Activity
from labshare.domain.reports import PeriodKind, ReportScope, period
from labshare.domain.timespan import Span
from labshare.domain.windows import Window
from labshare.errors import Forbidden, NotFound, NotSignedIn
from labshare.services import agreements as agreement_service
from labshare.services import reports as service
from labshare.services.reports import Report
from labshare.store import agreements as agreements_store
from labshare.store import bookings as booking_store
from labshare.store import tables as t
from labshare.store import usage as usage_store
from labshare.store.engine import Connection, Database
from labshare.store.rulebooks import rulebook
from tests.domain.test_agreements import an_agreement as a_text
from tests.furniture import (
    COMPETITOR,
    FESEM,
    INDUSTRY_PROJECT,
    MANAGER,
    NMR,
    NOW,
    OFFICE,
    PARTNER,
    RESEARCHER,
    XRD,
    a_booking,
    actor,
    at,
    furnish,
    span,
)

# October 2026 has ended; NOW is 23 November. The month has 22 working days of 10 hours and no holiday.
OCTOBER = period(PeriodKind.MONTH, date(2026, 10, 15))
NOVEMBER = period(PeriodKind.MONTH, date(2026, 11, 15))
CENTRE_ONE = ReportScope(centre_id="C-ONE")
NETWORK = ReportScope()
ECONOMIC = {"access_class": AccessClass.INDUSTRY, "activity": Activity.ECONOMIC, "project_id": INDUSTRY_PROJECT}


def october(day: int, first: int, last: int) -> Span:
    """Hours of a day of October in Hanoi."""
    start = at(1, 0) - timedelta(days=31) + timedelta(days=day - 1)
    return Span(start + timedelta(hours=first), start + timedelta(hours=last))


def used(db: Connection, number: int, when: Span, organisation_id: str, ran: Span | None, **changes: Any) -> Booking:
    """A use that is done, with its run where there was one."""
    booking = a_booking(number, when, organisation_id=organisation_id, state=BookingState.DONE, **changes)
    booking_store.add(db, [booking])
    if ran:
        usage_store.add_records(db, [a_record(number, EquipmentState.PRODUCTIVE, ran, booking.id)])
    return booking


def a_record(number: int, state: EquipmentState, when: Span, booking_id: UUID | None = None) -> StateRecord:
    return StateRecord(
        id=uuid4(),
        instrument_number=number,
        state=state,
        starts_at=when.start,
        ends_at=when.end,
        booking_id=booking_id,
        source="sensor",
    )


@pytest.fixture
def house(database: Database) -> Database:
    """October at centre one: the institute 10 h, organisations A to C 4 h each, the partner 6 h, all on FE-SEM; one
    failure and one day of maintenance on XRD. Two parties only at centre two. The partner has more in November.
    """
    with database.write() as db:
        furnish(db)
        some = [{"id": f"O-{name}", "name_vi": name, "name_en": name, "kind": "company"} for name in "ABC"]
        db.execute(sa.insert(t.organisations), some)
        used(db, FESEM, october(1, 8, 18), "I-IMS", october(1, 8, 16))
        for place, name in enumerate("ABC"):
            when = october(5 + place, 8, 12)
            used(db, FESEM, when, f"O-{name}", october(5 + place, 9, 12), **ECONOMIC)
        used(db, FESEM, october(12, 8, 14), "O-CO", None, person_id=COMPETITOR, **ECONOMIC)
        used(db, NMR, october(13, 8, 10), "O-A", october(13, 8, 10), **ECONOMIC)
        used(db, NMR, october(14, 8, 11), "O-CO", october(14, 8, 10), person_id=COMPETITOR, **ECONOMIC)
        usage_store.add_records(db, [a_record(XRD, EquipmentState.UNSCHEDULED_DOWN, october(20, 16, 20))])
        maintenance = a_booking(XRD, october(21, 8, 18), kind=BookingKind.MAINTENANCE, person_id=None, project_id=None)
        ahead = a_booking(FESEM, span(26, 8, 10), organisation_id="O-CO", person_id=COMPETITOR, **ECONOMIC)
        before = a_booking(FESEM, span(20, 8, 11), organisation_id="O-CO", person_id=COMPETITOR, **ECONOMIC)
        rivals = a_booking(XRD, span(27, 8, 10), organisation_id="O-A", **ECONOMIC)
        booking_store.add(db, [maintenance, ahead, before, rivals])
    return database


def report(house: Database, who: Actor, when: Any = OCTOBER, scope: ReportScope = CENTRE_ONE) -> Report:
    with house.read() as db:
        return service.utilisation(db, who, when, scope, NOW)


def table(found: Report) -> list[tuple[str | None, str | None, int, int, int]]:
    """Class, organisation, hours booked, ahead and delivered."""
    return [
        (line.access_class, line.organisation_id, line.booked // 60, line.ahead // 60, line.delivered // 60)
        for line in found.lines
    ]


# ---------------------------------------------------------------- who used what


def test_a_centres_manager_sees_every_organisation(house: Database) -> None:
    found = report(house, actor(MANAGER))
    assert not found.is_masked
    assert table(found) == [
        ("industry", "O-A", 4, 0, 3),
        ("industry", "O-B", 4, 0, 3),
        ("industry", "O-C", 4, 0, 3),
        ("industry", "O-CO", 6, 0, 0),
        ("public_research", "I-IMS", 10, 0, 8),
    ]
    assert found.names["I-IMS"].name_en == "Institute of Materials Science"


def test_a_partner_sees_its_own_row_and_others_as_one_sum(house: Database) -> None:
    found = report(house, actor(PARTNER))
    assert found.is_masked
    # Industry has three others and could be told; public research has one, which total - industry would show: folded.
    assert table(found) == [("industry", "O-CO", 6, 0, 0), (None, None, 22, 0, 17)]
    assert set(found.names) == {"O-CO"}
    assert found.lines[1].parties == 4


def test_a_centre_is_told_of_as_many_others_as_its_agreements_ask_for(house: Database) -> None:
    """Four others used Centre One in October; an agreement that covered it then asks for five."""
    clause: dict[str, Any] = {"confidentiality": Confidentiality(min_cell=5), "covered": Scope(centres=("C-ONE",))}
    later = a_text(id="LATER", effective_from=date(2026, 11, 1), **clause)
    with house.write() as db:
        agreements_store.add_version(db, Version(number=1, agreement=later), actor_id=None, now=NOW)
    assert report(house, actor(PARTNER)).lines[1].parties == 4
    with house.write() as db:
        stated = a_text(id="STATED", **clause)
        agreements_store.add_version(db, Version(number=1, agreement=stated), actor_id=None, now=NOW)
    found = report(house, actor(PARTNER))
    assert table(found) == [("industry", "O-CO", 6, 0, 0)]
    assert (found.ladder, found.coverage.withheld) == (None, 1)
    assert len(report(house, actor(MANAGER)).lines) > 1


def test_two_rivals_of_a_centre_are_never_told(house: Database) -> None:
    found = report(house, actor(PARTNER), scope=ReportScope(centre_id="C-TWO"))
    assert table(found) == [("industry", "O-CO", 3, 0, 2)]
    assert (found.ladder, found.running) == (None, None)
    assert (found.coverage.withheld, found.coverage.running) == (1, 0)


def test_the_network_shows_no_more_of_a_centre_than_the_centre_itself(house: Database) -> None:
    network, one = report(house, actor(PARTNER), scope=NETWORK), report(house, actor(PARTNER))
    # The partner's own 6 + 3 hours; of others only what centre one tells.
    assert table(network) == [("industry", "O-CO", 9, 0, 2), (None, None, 22, 0, 17)]
    assert network.ladder == one.ladder
    assert network.running == one.running


def test_a_month_that_runs_is_told_to_those_who_answer_for_it_only(house: Database) -> None:
    partners = report(house, actor(PARTNER), NOVEMBER)
    assert table(partners) == [("industry", "O-CO", 3, 2, 0)]
    assert partners.ladder is None
    assert partners.coverage.running == 1
    managers = report(house, actor(MANAGER), NOVEMBER)
    assert table(managers) == [("industry", "O-A", 0, 2, 0), ("industry", "O-CO", 3, 2, 0)]
    assert managers.ladder is not None


def test_a_few_days_of_a_month_are_not_told_to_a_masked_reader(house: Database) -> None:
    days = period(PeriodKind.CUSTOM, date(2026, 10, 1), date(2026, 10, 30))
    assert table(report(house, actor(PARTNER), days)) == [("industry", "O-CO", 6, 0, 0)]
    assert len(table(report(house, actor(MANAGER), days))) == 5


def test_one_instrument_is_told_where_its_neighbours_hide_nobody(house: Database) -> None:
    # All of October's others at centre one were on FE-SEM, so FE-SEM is the centre and is told as one sum.
    found = report(house, actor(PARTNER), scope=ReportScope(instrument_id="N001"))
    assert table(found) == [("industry", "O-CO", 6, 0, 0), (None, None, 22, 0, 17)]
    with house.write() as db:
        used(db, XRD, october(28, 8, 10), "O-B", None, **ECONOMIC)
    # Now centre - FE-SEM would be O-B's two hours.
    found = report(house, actor(PARTNER), scope=ReportScope(instrument_id="N001"))
    assert table(found) == [("industry", "O-CO", 6, 0, 0)]
    assert found.ladder is None


def test_rivals_leave_the_database_without_their_names(house: Database, tmp_path: Path) -> None:
    with house.write() as db:
        an_agreement(tmp_path, db)
    with house.read() as db, statements(house) as asked:
        service.utilisation(db, actor(PARTNER), OCTOBER, NETWORK, NOW)
    with house.read() as db:
        seen = {value for query, params in asked for row in db.exec_driver_sql(query, params) for value in row}
    assert not {"I-IMS", "O-A", "O-B", "O-C"} & seen
    assert "O-CO" in seen


# ---------------------------------------------------------------- how full the instruments were


def test_the_ladder_counts_each_step_down(house: Database) -> None:
    # Two instruments: 2 x 31 x 24 h; open 2 x 22 x 10 h; a day of maintenance off; the failure of 20 October took
    # 16-18 of the open hours.
    ladder = report(house, actor(MANAGER)).ladder
    assert ladder is not None
    hours = {name: getattr(ladder, name) / 60 for name in ladder.__struct_fields__}
    assert hours == {
        "calendar": 1488,
        "open": 440,
        "allocable": 430,
        "offered": 428,
        "booked": 28,
        "delivered": 17,
    }


def test_both_utilisations_name_their_denominators(house: Database) -> None:
    # Productive 17 h. Down 4 h unplanned, of them 2 h after closing; 10 h of maintenance. Operations time is open time
    # and those 2 h: 440 + 2 = 442. Standby is what is left: 442 - 17 - 4 - 10 = 411.
    running = report(house, actor(MANAGER)).running
    assert running is not None
    states = running.states
    assert (states.productive, states.standby, states.engineering) == (17 * 60, 411 * 60, 0)
    assert (states.scheduled_down, states.unscheduled_down) == (10 * 60, 4 * 60)
    assert states.operational_utilisation == Fraction(17, 442)
    assert states.total_utilisation == Fraction(17, 1488)
    assert (running.failures, running.repair_minutes) == (1, 240)


def test_the_masked_ladder_is_the_same_where_all_is_told(house: Database) -> None:
    assert report(house, actor(PARTNER)).ladder == report(house, actor(OFFICE)).ladder


def test_a_running_month_is_reported_up_to_now(house: Database) -> None:
    found = report(house, actor(MANAGER), NOVEMBER)
    assert found.past == Span(at(1, 0), NOW)
    assert found.ladder is not None
    # 22 days and 8 hours of two instruments.
    assert found.ladder.calendar == 2 * (22 * 24 + 8) * 60


def test_a_period_to_come_has_no_ladder(house: Database) -> None:
    found = report(house, actor(MANAGER), period(PeriodKind.MONTH, date(2027, 1, 1)))
    assert (found.past, found.ladder, found.lines) == (None, None, ())


# ---------------------------------------------------------------- shares


def an_agreement(folder: Path, db: Connection) -> None:
    sentences: dict[str, Any] = {"sentence_vi": "Tối đa.", "sentence_en": "At most."}
    where = Scope(centres=("C-ONE",))
    rules = (
        ShareRule(id="own", kind=Kind.CAP, window=Window.MONTH, share=Fraction(1, 43), where=where,
                  who=Selector(organisation=("O-CO",)), **sentences),
        ShareRule(id="economic", kind=Kind.CAP, window=Window.MONTH, share=Fraction(1, 10), where=where,
                  who=Selector(activity=(Activity.ECONOMIC,)), **sentences),
        ShareRule(id="public", kind=Kind.FLOOR, window=Window.MONTH, share=Fraction(1, 2), where=where,
                  who=Selector(access_class=(AccessClass.PUBLIC_RESEARCH,)), **sentences),
    )  # fmt: skip
    agreement = Agreement(
        format="labshare-agreement/1", id="PPP-1", title_vi="Một", title_en="One", parties=("I-IMS", "O-CO"),
        partner_id="O-CO", effective_from=date(2026, 1, 1), rules=rules,
    )  # fmt: skip
    path = folder / "a.toml"
    path.write_text(to_toml(agreement), encoding="utf-8")
    agreement_service.load_agreements(db, None, [path], NOW)


def test_shares_are_measured_exactly_for_those_who_answer(house: Database, tmp_path: Path) -> None:
    with house.write() as db:
        an_agreement(tmp_path, db)
    own, economic, public = report(house, actor(MANAGER)).entitlements
    # October: 430 h allocable. 1/43 is 10 h; the partner's 6 h have no record and count as booked: 4 h are left.
    assert own.measure
    assert (own.limit, own.measure.used, own.measure.slack, own.delivered) == (600, 360, 240, 0)
    # A tenth is 43 h. A, B and C were delivered 3 h each, the partner counts 6: 15 used, 28 left; 9 delivered.
    assert economic.measure
    assert (economic.measure.used, economic.measure.slack, economic.delivered) == (15 * 60, 28 * 60, 9 * 60)
    # Half is 215 h, 8 h were delivered: 207 are missing. Others took 15 of the base, so it could still be met.
    assert public.measure
    assert (public.measure.slack, public.state) == (-207 * 60, ShareState.BEHIND)


def test_a_partner_reads_its_own_share_whole_and_a_common_one_in_steps(house: Database, tmp_path: Path) -> None:
    with house.write() as db:
        an_agreement(tmp_path, db)
    own, economic, public = report(house, actor(PARTNER)).entitlements
    assert own.measure
    assert own.measure.slack == 240
    # 15 of 43 h is 34.9 %: told as 35 %, with the partner's own 6 h exact.
    assert (economic.measure, economic.delivered, economic.about) == (None, None, Fraction(35, 100))
    assert economic.own.used == 360
    # Only the institute counts for the floor: nothing but whether it holds.
    assert (public.measure, public.about, public.own.used) == (None, None, 0)
    assert public.state is ShareState.BEHIND


def test_a_share_elsewhere_is_not_in_the_report(house: Database, tmp_path: Path) -> None:
    with house.write() as db:
        an_agreement(tmp_path, db)
    assert report(house, actor(OFFICE), scope=ReportScope(centre_id="C-TWO")).entitlements == ()


# ---------------------------------------------------------------- who may read, and what it costs


def test_a_researcher_reads_no_report(house: Database) -> None:
    with pytest.raises(Forbidden):
        report(house, actor(RESEARCHER))
    with house.read() as db, pytest.raises(NotSignedIn):
        service.utilisation(db, None, OCTOBER, NETWORK, NOW)


def test_a_manager_reads_their_own_centre_only(house: Database) -> None:
    with pytest.raises(NotFound):
        report(house, actor(MANAGER), scope=ReportScope(centre_id="C-TWO"))
    with pytest.raises(NotFound):
        report(house, actor(MANAGER), scope=ReportScope(instrument_id="N003"))
    assert report(house, actor(MANAGER), scope=NETWORK).instruments == 2
    with house.read() as db:
        assert [place.centre.id for place in service.places(db, actor(MANAGER))] == ["C-ONE"]
        assert [place.centre.id for place in service.places(db, actor(PARTNER))] == ["C-ONE", "C-TWO"]


def test_an_unknown_place_is_not_found(house: Database) -> None:
    with pytest.raises(NotFound):
        report(house, actor(OFFICE), scope=ReportScope(centre_id="C-NONE"))


def test_a_report_costs_fourteen_queries_at_most(house: Database, tmp_path: Path) -> None:
    with house.write() as db:
        an_agreement(tmp_path, db)
    year = period(PeriodKind.CUSTOM, date(2026, 1, 1), date(2026, 12, 31))
    for scope in (NETWORK, ReportScope(instrument_id="N001")):
        with house.read() as db:
            rulebook(db)
            with statements(house) as seen:
                service.utilisation(db, actor(PARTNER), year, scope, NOW)
        assert len(seen) <= 14


@contextmanager
def statements(database: Database) -> Generator[list[tuple[str, Any]]]:
    """Every question that is asked of the database, with its parameters."""
    seen: list[tuple[str, Any]] = []

    def note(_db: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT"):
            seen.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
