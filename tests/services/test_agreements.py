"""Agreements are loaded from files: all of them or none, each change of them a version."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from labshare.domain.agreements import Scope, Selector
from labshare.errors import Forbidden, Refused
from labshare.services import agreements as service
from labshare.store import agreements as store
from labshare.store.engine import Database
from tests.furniture import FESEM, NMR, NOW, RESEARCHER, XRD, a_booking, actor, furnish, span
from tests.shares import WEEK_MINUTES, a_rule, an_agreement, balances, by_industry, load, put


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
    return database


def test_loading_twice_changes_nothing(house: Database, tmp_path: Path) -> None:
    with house.write() as db:
        first = load(db, tmp_path, an_agreement(a_rule()))
        again = load(db, tmp_path, an_agreement(a_rule()))
    assert [(each.outcome, each.version) for each in (*first, *again)] == [("new", 1), ("same", 1)]


def test_a_changed_text_becomes_a_new_version_and_the_old_one_stays(house: Database, tmp_path: Path) -> None:
    with house.write() as db:
        load(db, tmp_path, an_agreement(a_rule()))
        (loaded,) = load(db, tmp_path, an_agreement(a_rule(share=Fraction(1, 5))))
        assert (loaded.outcome, loaded.version) == ("changed", 2)
        kept = store.versions_of(db, "PPP-1")
        assert [version.agreement.rules[0].share for version in kept] == [Fraction(1, 8), Fraction(1, 5)]


def test_a_new_amount_keeps_the_balance_and_a_new_scope_opens_another(house: Database, tmp_path: Path) -> None:
    with house.write() as db:
        load(db, tmp_path, an_agreement(a_rule()))
        put(db, by_industry(FESEM, span(24, 8, 9)), by_industry(NMR, span(24, 8, 10)))
        before = balances(db)
        load(db, tmp_path, an_agreement(a_rule(share=Fraction(1, 5))))
        assert balances(db) == before == {"industry-cap 23/11": (WEEK_MINUTES, 60, 60)}
        load(db, tmp_path, an_agreement(a_rule(where=Scope())))
        assert balances(db) == {}
        put(db, by_industry(FESEM, span(25, 8, 9)))
        # Three instruments now: 7,200 min; the bookings that stood are counted: 60 + 120, and 60 more.
        assert balances(db) == {"industry-cap 23/11": (7200, 240, 240)}


def test_a_new_selector_counts_the_same_balance_again(house: Database, tmp_path: Path) -> None:
    with house.write() as db:
        load(db, tmp_path, an_agreement(a_rule()))
        put(db, by_industry(FESEM, span(24, 8, 9)), a_booking(XRD, span(24, 8, 11)))
        load(db, tmp_path, an_agreement(a_rule(who=Selector(), share=Fraction(1))))
        # One hour of industry and three of public research.
        assert balances(db) == {"industry-cap 23/11": (WEEK_MINUTES, 240, 240)}


def test_every_fault_of_every_file_is_told_and_nothing_is_loaded(house: Database, tmp_path: Path) -> None:
    good = an_agreement(a_rule(), id="GOOD")
    bad = an_agreement(a_rule(share=Fraction(3, 2), where=Scope(centres=("C-NONE",))), id="BAD")
    with house.write() as db, pytest.raises(Refused) as caught:
        load(db, tmp_path, good, bad)
    assert [(fault.code, Path(str(fault.params["file"])).name) for fault in caught.value.refusals] == [
        ("agreement_unknown_centre", "BAD.toml"),
        ("agreement_share_over_one", "BAD.toml"),
    ]
    with house.read() as db:
        assert store.versions_of(db, "GOOD") == []


def test_unreadable_files_are_told_together(house: Database, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("format = ", encoding="utf-8")
    (tmp_path / "b.toml").write_bytes(b"\xff\xfe")
    paths = [tmp_path / "a.toml", tmp_path / "b.toml", tmp_path / "absent.toml"]
    with house.write() as db, pytest.raises(Refused) as caught:
        service.load_agreements(db, None, paths, NOW)
    assert [fault.code for fault in caught.value.refusals] == ["agreement_unreadable"] * 3


def test_only_an_administrator_loads_agreements(house: Database) -> None:
    with house.write() as db, pytest.raises(Forbidden):
        service.load_agreements(db, actor(RESEARCHER), [], NOW)
