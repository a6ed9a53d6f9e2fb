"""Loading, exporting and finding: all or nothing, the same again changes nothing, nothing is lost."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection

from labshare.domain.agreements import Scope, Selector
from labshare.domain.booking_rules import BookingRule, Changeover, Length, ScopeKind
from labshare.domain.booking_rules import Scope as Reach
from labshare.domain.people import Actor, Grant, Role
from labshare.domain.registry import ProductRef, Registry
from labshare.domain.registry_search import Search
from labshare.errors import Forbidden, NotFound
from labshare.services import Database, balances, booking_rules, registry
from labshare.store import agreements
from labshare.store import registry as registry_store
from labshare.store import tables as t
from tests.furniture import FESEM, a_booking, furnish, span
from tests.registry_files import SMALL, files, real
from tests.shares import a_rule, an_agreement, by_industry, put
from tests.shares import load as load_agreements


def person(role: Role) -> Actor:
    return Actor(
        person_id=UUID(int=1), login="somebody", name="Somebody", organisation_id="I-A", grants=(Grant(role=role),)
    )


@pytest.fixture
def db(database: Database) -> Iterator[Connection]:
    with database.write() as db:
        yield db


def counts(db: Connection, content: dict[str, bytes], now: datetime) -> dict[str, tuple[int, int, int]]:
    """Load, and tell added, changed and gone of each noun where anything happened."""
    found = registry.load(db, None, content, now)
    return {one.noun: (len(one.added), len(one.changed), len(one.gone)) for one in found if one.count}


def without_instruments() -> dict[str, bytes]:
    content = files()
    content["instruments.csv"] = content["instruments.csv"].splitlines(keepends=True)[0]
    return content


def test_loading_the_same_files_again_changes_nothing(db: Connection, now: datetime) -> None:
    first = registry.load(db, None, real(), now)
    assert sum(len(noun.added) for noun in first) == 39 + 10 + 34 + 96 + 116 + 2 + 21 + 65 + 45
    assert counts(db, real(), now) == {}


def test_an_export_is_what_was_loaded_byte_for_byte(db: Connection, now: datetime) -> None:
    registry.load(db, None, real(), now)
    assert registry.export(db) == real()


def test_files_go_through_a_folder_unchanged(tmp_path: Path) -> None:
    registry.write_directory(tmp_path / "new", files())
    (tmp_path / "new" / "README.md").write_text("not a noun", encoding="utf-8")
    assert registry.read_directory(tmp_path / "new") == files()


def test_unsound_files_change_nothing_and_every_fault_is_told(db: Connection, now: datetime) -> None:
    registry.load(db, None, files(), now)
    bad = files(zones=("Zone A", ""), instruments=(",C-A,", ",C-X,"), capabilities=("electron microscopy", "changed"))
    with pytest.raises(registry.UnsoundRegistry) as caught:
        registry.load(db, None, bad, now)
    assert [(fault.file, fault.line, fault.column) for fault in caught.value.faults] == [
        ("instruments.csv", 2, "centre_id"),
        ("zones.csv", 2, "name_en"),
    ]
    assert [refusal.code for refusal in caught.value.refusals] == ["registry_unknown_id", "registry_required"]
    assert registry.export(db) == files()


def test_only_what_differs_is_written(db: Connection, now: datetime) -> None:
    registry.load(db, None, files(), now)
    changed = files(zones=("1600", "1700"), technology_products=("Hai,Two", "Hai,Second"))
    assert counts(db, changed, now) == {"zones": (0, 1, 0), "technology_products": (0, 1, 0)}
    assert registry.export(db) == changed


def test_an_instrument_that_is_no_longer_named_is_retired_with_its_bookings_kept(db: Connection, now: datetime) -> None:
    registry.load(db, None, files(), now)
    maintenance = {"id": UUID(int=7), "instrument_number": 1, "kind": "maintenance", "state": "confirmed"}
    times = {
        "starts_at": now,
        "ends_at": now.replace(hour=3),
        "occupied_from": now,
        "occupied_until": now.replace(hour=3),
    }
    db.execute(sa.insert(t.bookings).values(**maintenance, **times, created_at=now, updated_at=now))
    assert counts(db, without_instruments(), now) == {"instruments": (0, 0, 1)}
    assert db.execute(sa.select(sa.func.count()).select_from(t.bookings)).scalar_one() == 1
    assert registry.instrument(db, "N1", now).instrument.retired_at == now
    assert registry.find_instruments(db, Search(), now).total == 0
    assert registry.export(db) == without_instruments()


def test_an_instrument_that_is_named_again_is_in_use_again(db: Connection, now: datetime) -> None:
    registry.load(db, None, files(), now)
    registry.load(db, None, without_instruments(), now)
    assert counts(db, files(), now) == {"instruments": (0, 1, 0)}
    assert registry.instrument(db, "N1", now).instrument.is_bookable


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [("N1,1,", "N1,2,", "registry_number_changed"), ("N1,1,", "N2,1,", "registry_number_taken")],
)
def test_a_number_belongs_to_one_instrument_for_ever(
    db: Connection, now: datetime, old: str, new: str, code: str
) -> None:
    registry.load(db, None, files(), now)
    registry.load(db, None, without_instruments(), now)
    with pytest.raises(registry.UnsoundRegistry) as caught:
        registry.load(db, None, files(instruments=(old, new)), now)
    [fault] = caught.value.faults
    assert (fault.file, fault.line, fault.column, fault.reason.code) == ("instruments.csv", 2, "number", code)


# ---------------------------------------------------------------- under the rules that centres posted

OFFICE = person(Role.ADMINISTRATOR)
OF_CENTRE, OF_N1 = Reach(ScopeKind.CENTRE, "C-A"), Reach(ScopeKind.INSTRUMENT, "N1")


def hire(db: Connection, now: datetime) -> None:
    """The small registry, and the administrator who posts rules there."""
    registry.load(db, None, files(), now)
    values = {"id": OFFICE.person_id, "login": OFFICE.login, "name": OFFICE.name, "organisation_id": "I-A"}
    db.execute(sa.insert(t.persons).values(values))


def post(db: Connection, rule: BookingRule, now: datetime, scope: Reach = OF_CENTRE) -> UUID:
    return booking_rules.post(db, OFFICE, scope, rule, now).id


def held(db: Connection, instrument_id: str) -> tuple[int, int, int]:
    row = registry_store.instrument(db, instrument_id)
    return row.min_minutes, row.max_minutes, row.cleanup_minutes


def test_a_load_keeps_posted_rules_and_an_export_does_not_know_them(db: Connection, now: datetime) -> None:
    """The files say 30 to 600 minutes and 15 after a use, later 60 to 600; a rule says 300 at most and none after."""
    hire(db, now)
    rules = [post(db, Length(most_minutes=300), now), post(db, Changeover(cleanup_minutes=0), now, OF_N1)]
    assert held(db, "N1") == (30, 300, 0)
    assert registry.export(db) == files()
    assert counts(db, files(), now) == {}
    assert held(db, "N1") == (30, 300, 0)
    changed = files(instruments=("30,600,30,28", "60,600,30,28"))
    assert counts(db, changed, now) == {"instruments": (0, 1, 0)}
    assert held(db, "N1") == (60, 300, 0)
    assert registry.export(db) == changed
    for rule_id in rules:
        booking_rules.end(db, OFFICE, rule_id, now)
    assert held(db, "N1") == (60, 600, 15)
    assert counts(db, changed, now) == {}


def test_a_new_instrument_and_one_that_comes_back_have_the_rules_of_their_centre(db: Connection, now: datetime) -> None:
    hire(db, now)
    first = post(db, Length(most_minutes=300), now)
    registry.load(db, None, without_instruments(), now)
    booking_rules.end(db, OFFICE, first, now)
    post(db, Length(most_minutes=240), now)
    content = files()
    row = SMALL["instruments.csv"].splitlines()[1].replace("N1,1,", "N2,2,")
    content["instruments.csv"] += f"{row}\n".encode()
    assert counts(db, content, now) == {"instruments": (1, 1, 0)}
    assert (held(db, "N1"), held(db, "N2")) == ((30, 240, 15),) * 2
    assert registry.export(db) == content


def test_files_under_which_a_posted_rule_could_not_be_kept_change_nothing(db: Connection, now: datetime) -> None:
    hire(db, now)
    post(db, Length(most_minutes=300), now)
    with pytest.raises(registry.UnsoundRegistry) as caught:
        registry.load(db, None, files(instruments=("30,600,30,28", "330,600,30,28")), now)
    [fault] = caught.value.faults
    assert (fault.line, fault.column, fault.reason.code) == (2, "max_minutes", "booking_rule_no_length")
    assert (held(db, "N1"), registry.export(db)) == ((30, 300, 15), files())


def test_a_load_waits_for_a_rule_that_is_being_posted(database: Database, now: datetime) -> None:
    """It has read the rules that stand by then; what it writes knows those that stand when it may."""
    with database.write() as db:
        hire(db, now)
    done: list[str] = []

    def load() -> None:
        with database.write() as db:
            registry.load(db, None, files(instruments=("30,600,30,28", "60,600,30,28")), now)
        done.append("loaded")

    other = threading.Thread(target=load)
    with database.write() as db:
        post(db, Length(most_minutes=300), now)
        other.start()
        other.join(0.3)
        assert done == []
    other.join()
    with database.read() as db:
        assert (done, held(db, "N1")) == (["loaded"], (60, 300, 15))


def test_an_instrument_that_goes_to_another_centre_leaves_the_rules_of_the_first(db: Connection, now: datetime) -> None:
    hire(db, now)
    content = files()
    row = SMALL["centres.csv"].splitlines()[1].replace("C-A,", "C-B,")
    content["centres.csv"] += f"{row}\n".encode()
    registry.load(db, None, content, now)
    post(db, Length(most_minutes=300), now)
    moved = {**content, "instruments.csv": content["instruments.csv"].replace(b",C-A,", b",C-B,")}
    assert counts(db, moved, now) == {"instruments": (0, 1, 0)}
    assert held(db, "N1") == (30, 600, 15)


def test_a_centre_may_move_under_a_host_that_the_same_files_bring(db: Connection, now: datetime) -> None:
    registry.load(db, None, files(), now)
    content = files(centres=(",I-A,", ",I-B,"))
    row = SMALL["organisations.csv"].splitlines()[1].replace("I-A,", "I-B,")
    content["organisations.csv"] += f"{row}\n".encode()
    assert counts(db, content, now) == {"organisations": (1, 0, 0), "centres": (0, 1, 0)}


def test_what_stands_is_counted_anew_under_another_host(
    database: Database, tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour of the host is none from outside; when its centre goes to another host, it is."""
    rule = a_rule(who=Selector(outside=True), where=Scope(), share=None, minutes=600)
    with database.write() as db:
        furnish(db)
        load_agreements(db, tmp_path, an_agreement(rule))
        put(db, by_industry(FESEM, span(25, 8, 9)), a_booking(FESEM, span(25, 9, 11)))
        standing = registry_store.load(db)
        centres = tuple(msgspec.structs.replace(each, host_id="O-CO") for each in standing.centres)

        def wanted(*_: object) -> Registry:
            return msgspec.structs.replace(standing, centres=centres)

        monkeypatch.setattr(registry, "read_registry", wanted)
        registry.load(db, None, {}, now)
        assert balances.recount(db, now) == 0
        (balance,) = agreements.balances_of(db).values()
    # The company's hour is the host's now, and the institute's two are from outside.
    assert balance.matched_minutes == 120


def test_only_an_administrator_or_the_operator_may_load(db: Connection, now: datetime) -> None:
    registry.load(db, person(Role.ADMINISTRATOR), files(), now)
    for role in set(Role) - {Role.ADMINISTRATOR}:
        with pytest.raises(Forbidden):
            registry.load(db, person(role), files(zones=("1600", "1700")), now)
    assert registry.export(db) == files()


def test_each_change_is_one_line_of_the_audit(db: Connection, now: datetime) -> None:
    registry.load(db, None, files(), now)
    before = db.execute(sa.select(sa.func.count()).select_from(t.audit)).scalar_one()
    # One row of each of five nouns, two lists, two groups, three products, two lines of the crosswalk.
    assert before == 5 + 2 + 2 + 3 + 2
    registry.load(db, person(Role.ADMINISTRATOR), without_instruments(), now)
    last = db.execute(sa.select(t.audit).order_by(t.audit.c.id.desc()).limit(1)).one()
    assert (last.actor_id, last.action, last.noun, last.noun_id) == (UUID(int=1), "retire", "instruments", "N1")


def test_a_product_of_the_old_list_finds_what_serves_its_successor(db: Connection, now: datetime) -> None:
    registry.load(db, None, real(), now)

    def found(taxonomy_id: str, code: str) -> set[str]:
        page = registry.find_instruments(db, Search(product=ProductRef(taxonomy_id, code)), now)
        return {item.id for item in page.items}

    # Remote-sensing satellites (O33) became Earth-observation satellites (P28); ground stations (O34) were dropped.
    assert found("QD1131-2025", "O33") == found("QD21-2026", "P28") == {"N022", "N057", "N058", "N059", "N060"}
    assert found("QD1131-2025", "O34") == set()


def test_facets_tell_what_each_choice_would_leave(db: Connection, now: datetime) -> None:
    registry.load(db, None, real(), now)
    page = registry.find_instruments(db, Search(capability_id="TEM"), now)
    # N009 in Hanoi, N038 and N089 in Ho Chi Minh City.
    assert {choice.value: choice.count for choice in page.facets["city_vi"]} == {"Hà Nội": 1, "TP. Hồ Chí Minh": 2}
    assert [choice.name_en for choice in page.facets["zone_id"]] == ["Saigon Hi-Tech Park"]


def test_a_choice_that_leaves_nothing_stays_among_the_choices(db: Connection, now: datetime) -> None:
    registry.load(db, None, real(), now)
    page = registry.find_instruments(db, Search(capability_id="TEM", city_vi="Huế"), now)
    assert (page.total, page.items) == (0, ())
    page = registry.find_instruments(db, Search(capability_id="TEM", city_vi="Đà Lạt"), now)
    assert ("Đà Lạt", 0) in {(choice.value, choice.count) for choice in page.facets["city_vi"]}


def test_pages_hold_what_the_total_says(db: Connection, now: datetime) -> None:
    registry.load(db, None, real(), now)
    pages = [registry.find_instruments(db, Search(), now, page=number) for number in range(1, 6)]
    # 116 = 4 x 24 + 20.
    assert [len(page.items) for page in pages] == [24, 24, 24, 24, 20]
    assert (pages[0].total, pages[0].pages) == (116, 5)
    # A page beyond the last is the last.
    assert registry.find_instruments(db, Search(), now, page=99).page == 5


@contextmanager
def statements(db: Connection) -> Generator[list[str]]:
    seen: list[str] = []

    def note(_db: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    event.listen(db, "before_cursor_execute", note)
    yield seen
    event.remove(db, "before_cursor_execute", note)


@pytest.mark.parametrize(
    ("content", "instrument", "centre"), [(files(), "N1", "C-A"), (real(), "N028", "C-SHSEM")], ids=["small", "real"]
)
def test_pages_ask_the_same_few_questions_however_much_there_is(
    db: Connection, now: datetime, content: dict[str, bytes], instrument: str, centre: str
) -> None:
    registry.load(db, None, content, now)
    # Finding: the page, the tallies, names of four kinds (cities come with the centres), lists, products.
    with statements(db) as seen:
        registry.find_instruments(db, Search(text="a"), now)
    assert len(seen) == 8
    # The instrument, its centre, host, zone and capability; lists, groups and products.
    with statements(db) as seen:
        registry.instrument(db, instrument, now)
    assert len(seen) == 8
    # The centre, its host, all organisations, its zone and instruments; lists, groups and products.
    with statements(db) as seen:
        registry.centre(db, centre, now)
    assert len(seen) == 8


def test_a_centre_shows_its_host_and_whom_that_belongs_to(db: Connection, now: datetime) -> None:
    registry.load(db, None, real(), now)
    page = registry.centre(db, "C-IMSKL", now)
    assert (page.host.id, [parent.id for parent in page.parents]) == ("I-IMS", ["I-VAST"])
    # N001-N005 and N023-N027 stand in this centre.
    assert len(page.instruments) == 10


def test_centres_count_their_instruments_and_those_booked_by_time(db: Connection, now: datetime) -> None:
    registry.load(db, None, real(), now)
    lines = {line.centre.id: (line.instruments, line.bookable) for line in registry.centres(db)}
    # C-REE: an extraction cascade by the run, three instruments by the sample. C-VHPC: only pools.
    assert (lines["C-REE"], lines["C-VHPC"]) == ((4, 1), (3, 0))
    assert len(lines) == 34


def test_the_newest_list_stands_first_and_each_says_whether_it_holds(db: Connection, now: datetime) -> None:
    registry.load(db, None, real(), now)
    page = registry.technologies(db, now)
    assert [(one.taxonomy.id, one.is_in_force) for one in page.lists] == [("QD21-2026", True), ("QD1131-2025", False)]
    before = registry.technologies(db, datetime.fromisoformat("2026-06-01T00:00:00Z"))
    assert [(one.taxonomy.id, one.is_in_force) for one in before.lists] == [("QD21-2026", False), ("QD1131-2025", True)]


def test_an_instrument_that_serves_two_successors_serves_the_older_product_once(db: Connection, now: datetime) -> None:
    # O1 was split into P1 and P2, and the one instrument, N1, names both.
    crosswalk = ("kept,,,ours,partly_verified,\n,,NEW,P2,new", "split,,,ours,partly_verified,\nOLD,O1,NEW,P2,split")
    registry.load(db, None, files(technology_crosswalk=crosswalk), now)
    counts = {
        str(product.ref): count
        for one in registry.technologies(db, now).lists
        for _, products in one.groups
        for product, count in products
    }
    assert counts == {"NEW:P1": 1, "NEW:P2": 1, "OLD:O1": 1}


def test_what_is_not_there_is_not_found(db: Connection, now: datetime) -> None:
    with pytest.raises(NotFound):
        registry.instrument(db, "N999", now)
    with pytest.raises(NotFound):
        registry.centre(db, "C-X", now)
