"""Posting by hand: each cause with its worked number, who may, what is refused, and no two who overdraw together."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from labshare.domain.ledger import Cause, LedgerEntry, Posting
from labshare.domain.timespan import Span
from labshare.errors import Forbidden, LabShareError, NotFound, NotSignedIn, Refused
from labshare.services import ledger as service
from labshare.store import audit, due
from labshare.store import ledger as store
from labshare.store.engine import Connection, Database
from tests.furniture import ADMINISTRATOR, MANAGER, NOW, OFFICE, PARTNER, RESEARCHER, actor, counted
from tests.ledger_house import HOUR, QUARTER, a_posting, account, furnish_ledger, later, the_agreement
from tests.shares import load

ME = actor(OFFICE)


@pytest.fixture
def house(database: Database, tmp_path: Path) -> Database:
    with database.write() as db:
        furnish_ledger(db, tmp_path)
    return database


def post(db: Connection, cause: Cause, hours: int, **changes: object) -> LedgerEntry:
    return service.post(db, ME, a_posting(cause, hours, **changes), NOW)


def balance(database: Database, organisation_id: str = "O-CO") -> float:
    with database.read() as db:
        return store.balance(db, account(organisation_id)) / HOUR


def codes(error: pytest.ExceptionInfo[Refused]) -> list[str]:
    return [refusal.code for refusal in error.value.refusals]


# ---------------------------------------------------------------- each cause


def test_a_grant_names_its_clause_version_and_authority(house: Database) -> None:
    with house.write() as db:
        entry = post(db, Cause.GRANTED, 120)
        assert store.entries(db, "PPP-1") == [entry]
    assert (entry.minutes, entry.rule_id, entry.version) == (7200, "industry-cap", 1)
    assert (entry.authorised_by, entry.posted_at, entry.corrects) == (OFFICE, NOW, None)


def test_an_entry_names_the_version_in_force_as_it_is_posted(house: Database, tmp_path: Path) -> None:
    with house.write() as db:
        first = post(db, Cause.GRANTED, 1)
        load(db, tmp_path, the_agreement(title_en="Agreement one, renewed"))
        second = post(db, Cause.GRANTED, 1)
    assert (first.version, second.version) == (1, 2)


@pytest.mark.parametrize("cause", [Cause.GRANTED, Cause.CONVERTED])
def test_nothing_comes_into_a_period_that_is_over(house: Database, cause: Cause) -> None:
    """Nobody could use it, and its end has been dealt with. With a day ahead, or a charge, it is another matter."""
    with pytest.raises(Refused) as refused, house.write() as db:
        service.post(db, ME, a_posting(cause, 24), QUARTER.end)
    assert codes(refused) == ["ledger_period_over"]
    with pytest.raises(Refused) as refused, house.write() as db:
        service.transfer(db, ME, a_posting(Cause.TRANSFERRED, 3), "I-IMS", QUARTER.end)
    assert codes(refused) == ["ledger_period_over"]
    with house.write() as db:
        service.post(db, ME, a_posting(cause, 24, until=later(60)), QUARTER.end)
        service.post(db, ME, a_posting(Cause.DELIVERED, 4), QUARTER.end)
    assert balance(house) == 20


def test_a_transfer_moves_time_and_keeps_the_sum(house: Database) -> None:
    with house.write() as db:
        post(db, Cause.GRANTED, 40, account=account("I-IMS"))
        pair = service.transfer(db, ME, a_posting(Cause.TRANSFERRED, 16, account=account("I-IMS")), "O-CO", NOW)
    assert [(each.account.organisation_id, each.minutes) for each in pair] == [("I-IMS", -960), ("O-CO", 960)]
    assert (balance(house, "I-IMS"), balance(house)) == (24, 16)


def test_a_correction_says_what_was_right_and_names_the_entry(house: Database) -> None:
    """120 h should have been 100, then 110: -20 and +10."""
    with house.write() as db:
        wrong = post(db, Cause.GRANTED, 120)
        first = service.correct(db, ME, wrong.id, minutes=100 * HOUR, reference="BB-1", now=later(1))
        second = service.correct(db, ME, wrong.id, minutes=110 * HOUR, reference="BB-2", now=later(2))
        assert store.get(db, wrong.id) == wrong
    assert [(each.minutes, each.corrects) for each in (first, second)] == [(-1200, wrong.id), (600, wrong.id)]
    assert balance(house) == 110


def test_an_entry_that_should_not_be_there_is_corrected_to_nothing(house: Database) -> None:
    with house.write() as db:
        post(db, Cause.GRANTED, 120)
        charged = post(db, Cause.DELIVERED, 8)
        service.correct(db, ME, charged.id, minutes=0, reference="BB-1", now=NOW)
    assert balance(house) == 120


@pytest.mark.parametrize(
    ("hours", "code"), [(120, "ledger_nothing_to_correct"), (-10, "ledger_other_sign"), (10**9, "ledger_amount")]
)
def test_a_correction_that_corrects_nothing_is_refused(house: Database, hours: int, code: str) -> None:
    with house.write() as db:
        wrong = post(db, Cause.GRANTED, 120)
    with pytest.raises(Refused) as refused, house.write() as db:
        service.correct(db, ME, wrong.id, minutes=hours * HOUR, reference="BB-1", now=NOW)
    assert codes(refused) == [code]
    assert balance(house) == 120


def test_a_correction_or_a_transfer_is_put_right_in_another_way(house: Database) -> None:
    with house.write() as db:
        wrong = post(db, Cause.GRANTED, 120)
        moved, _ = service.transfer(db, ME, a_posting(Cause.TRANSFERRED, 1), "I-IMS", NOW)
        corrected = service.correct(db, ME, wrong.id, minutes=100 * HOUR, reference="BB-1", now=NOW)
    for each in (moved, corrected):
        with pytest.raises(Refused, match="ledger_not_correctable"), house.write() as db:
            service.correct(db, ME, each.id, minutes=0, reference="BB-1", now=NOW)
    with pytest.raises(NotFound), house.write() as db:
        service.correct(db, ME, uuid4(), minutes=0, reference="BB-1", now=NOW)


# ---------------------------------------------------------------- refusals


def test_every_reason_is_told_at_once_each_with_its_field(house: Database) -> None:
    nothing = Posting(
        account=account("O-ELSE", Span(later(-900), later(-800))),
        cause=Cause.DELIVERED,
        minutes=0,
        rule_id="no-such-clause",
        reference="a name with spaces",
        until=NOW,
    )
    with pytest.raises(Refused) as refused, house.write() as db:
        service.post(db, ME, nothing, NOW)
    assert [(each.code, each.params["field"]) for each in refused.value.refusals] == [
        ("ledger_not_a_party", "organisation"),
        ("ledger_not_in_force", "period"),
        ("ledger_clause_unknown", "clause"),
        ("ledger_amount", "hours"),
        ("ledger_reference", "reference"),
        ("ledger_until_passed", "until"),
        ("ledger_until_of_no_use", "until"),
    ]
    with house.read() as db:
        assert store.entries(db, "PPP-1") == []


@pytest.mark.parametrize("cause", [Cause.LAPSED, Cause.CARRIED_OVER, Cause.PULLED_BACK, Cause.CORRECTED])
def test_what_rules_post_is_not_posted_by_hand(house: Database, cause: Cause) -> None:
    with pytest.raises(Refused) as refused, house.write() as db:
        post(db, cause, 1)
    assert codes(refused) == ["ledger_cause_not_by_hand"]


def test_a_credit_needs_its_day_and_all_but_a_grant_a_reference(house: Database) -> None:
    with house.write() as db:
        post(db, Cause.GRANTED, 1, reference="")
    with pytest.raises(Refused) as refused, house.write() as db:
        post(db, Cause.CREDITED, 1, reference="")
    assert [each.params["field"] for each in refused.value.refusals] == ["reference", "until"]


def test_more_than_is_left_is_refused_with_the_figures(house: Database) -> None:
    with house.write() as db:
        post(db, Cause.GRANTED, 20)
        wrong = post(db, Cause.CREDITED, 4, until=later(60))
        post(db, Cause.DELIVERED, 22)
    with pytest.raises(Refused) as by_hand, house.write() as db:
        post(db, Cause.DELIVERED, 3, reference="B-2")
    with pytest.raises(Refused) as moved, house.write() as db:
        service.transfer(db, ME, a_posting(Cause.TRANSFERRED, 3), "I-IMS", NOW)
    with pytest.raises(Refused) as corrected, house.write() as db:
        service.correct(db, ME, wrong.id, minutes=60, reference="BB-1", now=NOW)
    # 20 + 4 - 22 = 2 h are left, and each of the three would take 3.
    figures = {"left_minutes": 120, "wanted_minutes": 180, "missing_minutes": 60, "organisation": "O-CO"}
    for refused in (by_hand, moved, corrected):
        assert codes(refused) == ["ledger_overdrawn"]
        assert refused.value.refusals[0].params == {"field": "hours", **figures}
    assert balance(house) == 2


def test_nothing_is_transferred_to_oneself_or_to_a_stranger(house: Database) -> None:
    with house.write() as db:
        post(db, Cause.GRANTED, 20)
    for to, code in (("O-CO", "ledger_transfer_to_itself"), ("O-ELSE", "ledger_not_a_party")):
        with pytest.raises(Refused) as refused, house.write() as db:
            service.transfer(db, ME, a_posting(Cause.TRANSFERRED, 3), to, NOW)
        assert codes(refused) == [code]


def test_one_delivery_is_charged_once(house: Database) -> None:
    with house.write() as db:
        post(db, Cause.GRANTED, 20)
        post(db, Cause.DELIVERED, 8, reference="B-1")
    with pytest.raises(Refused) as refused, house.write() as db:
        post(db, Cause.DELIVERED, 8, reference="B-1")
    assert codes(refused) == ["ledger_posted_already"]
    assert balance(house) == 12


@pytest.mark.parametrize("who", [RESEARCHER, MANAGER, PARTNER])
def test_only_the_user_office_and_administrators_post(house: Database, who: UUID) -> None:
    for other, error in ((actor(who), Forbidden), (None, NotSignedIn)):
        with pytest.raises(error), house.write() as db:
            service.post(db, other, a_posting(Cause.GRANTED, 1), NOW)
        with pytest.raises(error), house.write() as db:
            service.transfer(db, other, a_posting(Cause.TRANSFERRED, 1), "I-IMS", NOW)
        with pytest.raises(error), house.write() as db:
            service.correct(db, other, uuid4(), minutes=1, reference="A", now=NOW)
    with house.write() as db:
        service.post(db, actor(ADMINISTRATOR), a_posting(Cause.GRANTED, 1), NOW)


def test_an_agreement_that_is_not_there_has_no_ledger(house: Database) -> None:
    with pytest.raises(NotFound), house.write() as db:
        post(db, Cause.GRANTED, 1, account=account(agreement_id="PPP-9"))


# ---------------------------------------------------------------- what goes with a posting


def test_a_posting_is_one_insert_and_leaves_an_audit_line(house: Database) -> None:
    with house.write() as db, counted(house.engine) as seen:
        entry = post(db, Cause.GRANTED, 120)
    assert len([each for each in seen if "INTO ledger_entries" in each]) == 1
    with house.read() as db:
        line = audit.lines(db, "agreement", "PPP-1")[-1]
    assert (line.action, line.actor_id) == ("post", OFFICE)
    assert line.details == {"entry": str(entry.id), "organisation": "O-CO", "cause": "granted", "minutes": 7200}


def test_the_next_deadline_of_an_account_is_kept(house: Database) -> None:
    """The end of the quarter, then the day of a credit that comes before it; the first entry stands for the account."""
    with house.write() as db:
        first = post(db, Cause.GRANTED, 120)
        assert due.when(db, service.DUE, first.id) == QUARTER.end
        post(db, Cause.CREDITED, 4, until=later(10))
        assert due.when(db, service.DUE, first.id) == later(10)
        assert len(due.over(db, QUARTER.end)) == 1
        # What has come and waits to be dealt with is not put off by another posting.
        service.post(db, ME, a_posting(Cause.GRANTED, 1), later(11))
        assert due.when(db, service.DUE, first.id) == later(10)


def test_without_rules_of_its_own_an_agreement_has_no_deadlines(house: Database, tmp_path: Path) -> None:
    with house.write() as db:
        load(db, tmp_path, the_agreement(ledger=None))
        post(db, Cause.GRANTED, 120)
        assert due.over(db, QUARTER.end + timedelta(days=999)) == []


# ---------------------------------------------------------------- races


def test_two_transfers_cannot_overdraw_together(house: Database) -> None:
    """Of 25 h eight threads want 10 h each: two get them, six are told that 5 h are left, and no minute is lost."""
    with house.write() as db:
        post(db, Cause.GRANTED, 25)
    ready = threading.Barrier(8)
    seen: list[str] = []

    def work(number: int) -> None:
        ready.wait()
        try:
            with house.write() as db:
                posting = a_posting(Cause.TRANSFERRED, 10, reference=f"TT-{number}")
                service.transfer(db, ME, posting, "I-IMS", NOW)
            seen.append("moved")
        except LabShareError as error:
            seen.append(f"{error.refusals[0].code} {error.refusals[0].params.get('left_minutes')}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == ["ledger_overdrawn 300"] * 6 + ["moved"] * 2
    assert (balance(house), balance(house, "I-IMS")) == (5, 20)


def test_one_form_sent_many_times_at_once_is_posted_once(house: Database) -> None:
    with house.write() as db:
        post(db, Cause.GRANTED, 100)
    seen: list[str] = []

    def work() -> None:
        try:
            with house.write() as db:
                post(db, Cause.DELIVERED, 8, reference="B-1")
            seen.append("posted")
        except Refused as error:
            seen.append(error.refusals[0].code)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == ["ledger_posted_already"] * 5 + ["posted"]
    assert balance(house) == 92
