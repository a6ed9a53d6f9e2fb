"""An agreement with a ledger in the furnished house, for tests of store, services and web."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Connection

from labshare.domain import ledger_clauses as clause
from labshare.domain.agreements import Agreement
from labshare.domain.ledger import Cause, LedgerAccount, Posting, Step
from labshare.domain.ledger_deadlines import CarryOver, Checkpoint, LedgerRules, PullBack
from labshare.domain.timespan import Span
from labshare.domain.windows import CENTRE_ZONE_NAME, Window, window_at
from tests.furniture import NOW, furnish
from tests.shares import ONE, a_floor, a_rule, an_agreement, load

HOUR = 60
# October to December 2026, and the year 2027, on the clock of Hanoi.
QUARTER = window_at(Window.QUARTER, NOW, CENTRE_ZONE_NAME)
NEXT_QUARTER = window_at(Window.QUARTER, QUARTER.end, CENTRE_ZONE_NAME)
YEAR = window_at(Window.YEAR, QUARTER.end, CENTRE_ZONE_NAME)

# The steps of the access rules R08 and R09 (access_rules.csv).
R08 = PullBack(checkpoints=(
    Checkpoint(at=Fraction(1, 3), steps=(
        Step(used_less_than=Fraction("0.10"), forfeit=Fraction("0.30")),
        Step(used_less_than=Fraction("0.15"), forfeit=Fraction("0.15")),
    )),
    Checkpoint(at=Fraction(2, 3), steps=(
        Step(used_less_than=Fraction("0.10"), forfeit=Fraction("0.75")),
        Step(used_less_than=Fraction("0.33"), forfeit=Fraction("0.50")),
        Step(used_less_than=Fraction("0.50"), forfeit=Fraction("0.33")),
    )),
))  # fmt: skip
R09 = PullBack(notice_days=14, appeal_days=7, checkpoints=(
    Checkpoint(at=Fraction(1, 3), steps=(
        Step(used_less_than=Fraction("0.10"), forfeit=Fraction("0.25")),
        Step(used_less_than=Fraction("0.25"), forfeit=Fraction("0.15")),
    )),
))  # fmt: skip
RULES = LedgerRules(carry_over=CarryOver())


def the_agreement(**changes: Any) -> Agreement:
    """PPP-1 between the institute and the partner company, on the two instruments of Centre One."""
    values: dict[str, Any] = {
        "parties": ("I-IMS", "O-CO"),
        "partner_id": "O-CO",
        "covered": ONE,
        "state_order": clause.StateOrder(ceiling=Fraction(3, 10)),
    }
    parties = changes.get("parties", values["parties"])
    values |= clauses(changes.pop("ledger", RULES), parties)
    return an_agreement(a_rule(where=ONE, legal="Khoản 4.1"), a_floor(where=ONE), **(values | changes))


def clauses(rules: LedgerRules | None, parties: Sequence[str]) -> dict[str, Any]:
    """The clauses of an agreement by which the ledger of its parties does this by itself."""
    if rules is None:
        return {}
    entitlements = tuple(
        clause.Entitlement(
            party=party,
            window=Window.QUARTER,
            minutes=120 * HOUR,
            carry_over=rules.carry_over,
            pull_back=rules.pull_back,
        )
        for party in parties
    )
    return {"entitlements": entitlements}


def furnish_ledger(db: Connection, folder: Path, **changes: Any) -> None:
    furnish(db)
    load(db, folder, the_agreement(**changes))


def account(organisation_id: str = "O-CO", period: Span = QUARTER, agreement_id: str = "PPP-1") -> LedgerAccount:
    return LedgerAccount(agreement_id=agreement_id, organisation_id=organisation_id, period=period)


def a_posting(cause: Cause, hours: int, **changes: Any) -> Posting:
    values: dict[str, Any] = {
        "account": account(),
        "cause": cause,
        "minutes": hours * HOUR,
        "rule_id": "industry-cap",
        "reference": "15/2026/QĐ",
    }
    return Posting(**(values | changes))


def later(days: int, start: datetime = NOW) -> datetime:
    """So many days later, at the same hour."""
    return start + timedelta(days=days)
