"""Agreements with share rules for tests, bookings that they count, and the balances that these leave."""

from __future__ import annotations

from collections.abc import Collection, Generator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from labshare.domain.agreement_documents import to_toml
from labshare.domain.agreements import Agreement, Balance, BalanceKey, Kind, Scope, Selector, ShareRule, Strictness, Use
from labshare.domain.bookings import Booking
from labshare.domain.equipment import EquipmentState
from labshare.domain.projects import AccessClass, Activity
from labshare.domain.timespan import Span
from labshare.domain.windows import Window
from labshare.errors import Refused
from labshare.services import agreements as service
from labshare.services import weighing
from labshare.store import agreements as store
from labshare.store import bookings as booking_store
from labshare.store import tables as t
from labshare.store.engine import Connection, Database
from tests.furniture import ADMINISTRATOR, COMPETITOR, FESEM, INDUSTRY_PROJECT, NMR, NOW, XRD, a_booking, actor

INDUSTRY = Selector(access_class=(AccessClass.INDUSTRY,))
PUBLIC = Selector(access_class=(AccessClass.PUBLIC_RESEARCH,))
ONE = Scope(centres=("C-ONE",))
# Week 23-29 November 2026: Tuesday is a holiday, so four days of 10 open hours. Centre One has two instruments: 4,800
# open minutes, and the week after 6,000.
WEEK_MINUTES, NEXT_WEEK_MINUTES = 2 * 4 * 600, 2 * 5 * 600


def a_rule(**changes: Any) -> ShareRule:
    values: dict[str, Any] = {
        "id": "industry-cap",
        "kind": Kind.CAP,
        "window": Window.WEEK,
        "who": INDUSTRY,
        "where": ONE,
        "share": Fraction(1, 8),
        "sentence_vi": "Công nghiệp tối đa 12,5 %.",
        "sentence_en": "Industry has at most 12.5 %.",
    }
    return ShareRule(**(values | changes))


def a_floor(**changes: Any) -> ShareRule:
    return a_rule(**({"id": "public-floor", "kind": Kind.FLOOR, "who": PUBLIC, "share": Fraction(7, 8)} | changes))


def soft_rule(**changes: Any) -> ShareRule:
    return a_rule(**({"strict": Strictness.SOFT, "penalty": 1} | changes))


def five_days(**changes: Any) -> ShareRule:
    """At most ten hours in any five days on end."""
    return a_rule(**({"window": Window.ROLLING, "days": 5, "share": None, "minutes": 600} | changes))


def an_agreement(*rules: ShareRule, **changes: Any) -> Agreement:
    values: dict[str, Any] = {
        "format": "labshare-agreement/1",
        "id": "PPP-1",
        "title_vi": "Thỏa thuận một",
        "title_en": "Agreement one",
        "parties": ("I-IMS",),
        "effective_from": date(2026, 1, 1),
        "rules": rules,
    }
    return Agreement(**(values | changes))


def load(db: Connection, folder: Path, *some: Agreement, now: datetime = NOW) -> list[service.Loaded]:
    paths: list[Path] = []
    for agreement in some:
        path = folder / f"{agreement.id}.toml"
        path.write_text(to_toml(agreement), encoding="utf-8")
        paths.append(path)
    return service.load_agreements(db, actor(ADMINISTRATOR), paths, now)


def the_use(booking: Booking) -> Use:
    assert booking.organisation_id
    assert booking.access_class
    assert booking.activity
    numbers = {FESEM: ("N001", "C-ONE"), XRD: ("N002", "C-ONE"), NMR: ("N003", "C-TWO")}
    instrument_id, centre_id = numbers[booking.instrument_number]
    return Use(
        organisation_id=booking.organisation_id,
        access_class=booking.access_class,
        activity=booking.activity,
        # The host of all three is I-IMS.
        is_outside=booking.organisation_id != "I-IMS",
        project_id=booking.project_id,
        instrument_number=booking.instrument_number,
        instrument_id=instrument_id,
        centre_id=centre_id,
        span=booking.occupied,
    )


def by_industry(number: int, when: Span, **changes: Any) -> Booking:
    values: dict[str, Any] = {
        "person_id": COMPETITOR,
        "project_id": INDUSTRY_PROJECT,
        "organisation_id": "O-CO",
        "access_class": AccessClass.INDUSTRY,
        "activity": Activity.ECONOMIC,
    }
    return a_booking(number, when, **(values | changes))


def put(db: Connection, *some: Booking) -> None:
    """Weigh, refuse, write and post, as the booking path does."""
    numbers = {booking.instrument_number for booking in some}
    booking_store.lock(db, numbers)
    weighed = weighing.weigh(db, added=[the_use(booking) for booking in some], removed=(), now=NOW)
    if weighed.refusals:
        raise Refused(weighed.refusals)
    booking_store.add(db, some)
    weighing.post(db, weighed)


def balances(db: Connection) -> dict[str, tuple[int, int, int]]:
    return {
        f"{key.rule_id}{key.scope_key and ' ' + key.scope_key} {key.window_start + timedelta(hours=7):%d/%m}": (
            balance.base_minutes,
            balance.matched_minutes,
            balance.total_minutes,
        )
        for key, balance in store.balances_of(db).items()
    }


def a_run(db: Connection, booking_id: UUID, number: int, when: Span) -> None:
    db.execute(
        sa.insert(t.equipment_states).values(
            id=UUID(int=booking_id.int ^ when.start.toordinal()),
            instrument_number=number,
            state=EquipmentState.PRODUCTIVE,
            starts_at=when.start,
            ends_at=when.end,
            booking_id=booking_id,
            source="sensor",
        )
    )


@contextmanager
def rolled_back(database: Database) -> Generator[Connection]:
    """A write transaction that leaves nothing behind."""

    class _Undo(Exception):
        pass

    try:
        with database.write() as db:
            yield db
            raise _Undo
    except _Undo:
        pass


@contextmanager
def statements(database: Database) -> Generator[list[str]]:
    seen: list[str] = []

    def note(_db: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


@contextmanager
def locks(monkeypatch: pytest.MonkeyPatch) -> Generator[list[set[BalanceKey]]]:
    """The balances that each call locks: one that the first did not lock, a later one would lock out of turn."""
    seen: list[set[BalanceKey]] = []
    lock_if_open = store.lock_if_open

    def note(db: Connection, keys: Collection[BalanceKey]) -> dict[BalanceKey, Balance]:
        seen.append(set(keys))
        return lock_if_open(db, keys)

    with monkeypatch.context() as noting:
        noting.setattr(store, "lock_if_open", note)
        yield seen
