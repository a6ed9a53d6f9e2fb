"""A centre with every sort of rule on: a qualification, share rules, clauses of courtesy, and its own booking rules."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction

import sqlalchemy as sa

from labshare.domain.agreements import Kind, Level, Scope, Selector, Version
from labshare.domain.booking_rules import (
    BookingRule,
    CutOff,
    DatedHours,
    Holder,
    LockWindow,
    MostBookings,
    MostMinutes,
    NeedsOperator,
    Overnight,
    PrimeLimit,
    ScopeKind,
    ShortNotice,
)
from labshare.domain.booking_rules import Scope as Reach
from labshare.domain.courtesy import Courtesy, Penalties, PrimeTime
from labshare.domain.projects import AccessClass
from labshare.domain.windows import Window
from labshare.services import booking_rules
from labshare.store import agreements as agreements_store
from labshare.store import tables as t
from labshare.store.engine import Connection
from tests.domain.test_agreements import a_rule, an_agreement
from tests.furniture import ADMINISTRATOR, FESEM, NOW, actor, furnish

CENTRE = Reach(ScopeKind.CENTRE, "C-ONE")
# Wide enough for a measurement to book on and on.
POSTED: tuple[BookingRule, ...] = (
    MostBookings(holder=Holder.PERSON, most=9_999),
    MostMinutes(holder=Holder.TEAM, most_minutes=999_999, within_days=60),
    MostBookings(holder=Holder.ORGANISATION, most=9_999),
    CutOff(hours=2),
    LockWindow(hours=4),
    PrimeLimit(hours="Mon-Fri 09:00-16:00", week_minutes=2_400),
    ShortNotice(hours=1),
    DatedHours(name="Bảo trì", first=date(2026, 12, 24), last=date(2026, 12, 24), hours=""),
    Overnight(level=2),
    NeedsOperator(),
)


def furnish_strictly(db: Connection) -> None:
    """The furniture of the tests with every sort of rule at Centre One, whose FE-SEM asks for a licence."""
    furnish(db)
    db.execute(sa.update(t.instruments).where(t.instruments.c.number == FESEM).values(cleanup_minutes=15))
    institutes = Selector(organisation=("I-IMS",))
    here = Scope(centres=("C-ONE",))
    agreement = an_agreement(
        a_rule(id="r01", share=Fraction(1), where=here, level=Level.SCOPE, who=institutes),
        a_rule(id="r02", share=Fraction(1), where=here, level=Level.SCOPE, window=Window.MONTH),
        a_rule(
            id="r03", kind=Kind.FLOOR, share=Fraction(0), where=here, level=Level.SCOPE,
            who=Selector(access_class=(AccessClass.STARTUP,)),
        ),
        parties=("I-IMS",),
        covered=here,
        courtesy=Courtesy(
            prime=PrimeTime(hours="Mon-Fri 10:00-15:00", week_minutes=2_400),
            penalties=Penalties(strikes=3, within_days=30, block_days=14, late_minutes=30),
        ),
    )  # fmt: skip
    agreements_store.add_version(db, Version(number=1, agreement=agreement), actor_id=None, now=NOW - timedelta(days=9))
    for rule in POSTED:
        booking_rules.post(db, actor(ADMINISTRATOR), CENTRE, rule, NOW)
