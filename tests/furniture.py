"""A small furnished house for tests of store, services and web: two centres, three instruments, a few people by role.

Rows are written straight into the tables, so that a test of the booking path does not rest on the loaders.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection

from labshare.domain.bookings import Booking, BookingKind, BookingState
from labshare.domain.people import Actor, Grant, Role
from labshare.domain.projects import AccessClass, Activity
from labshare.domain.timespan import Span
from labshare.store import tables as t

# Monday 23 November 2026, 08:00 in Hanoi.
NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)

RESEARCHER, COLLEAGUE, COMPETITOR = UUID(int=1), UUID(int=2), UUID(int=3)
MANAGER, PARTNER, OFFICE, ADMINISTRATOR = UUID(int=4), UUID(int=5), UUID(int=6), UUID(int=7)
PUBLIC_PROJECT, INDUSTRY_PROJECT = UUID(int=21), UUID(int=22)
FESEM, XRD, NMR = 1, 2, 3
# The names of the threads of jobs.py.
BESIDE = ("ticker", "plans", "letters")

_PEOPLE: dict[UUID, tuple[str, str, tuple[Grant, ...]]] = {
    RESEARCHER: ("researcher", "I-IMS", (Grant(role=Role.RESEARCHER),)),
    COLLEAGUE: ("colleague", "I-IMS", (Grant(role=Role.RESEARCHER),)),
    COMPETITOR: ("competitor", "O-CO", (Grant(role=Role.RESEARCHER),)),
    MANAGER: ("manager", "I-IMS", (Grant(role=Role.LAB_MANAGER, centre_id="C-ONE"),)),
    PARTNER: ("partner", "O-CO", (Grant(role=Role.PARTNER, organisation_id="O-CO"),)),
    OFFICE: ("office", "I-IMS", (Grant(role=Role.USER_OFFICE),)),
    ADMINISTRATOR: ("administrator", "I-IMS", (Grant(role=Role.ADMINISTRATOR),)),
}


def actor(person_id: UUID) -> Actor:
    login, organisation_id, grants = _PEOPLE[person_id]
    return Actor(person_id=person_id, login=login, name=login.title(), organisation_id=organisation_id, grants=grants)


def furnish(db: Connection) -> None:
    """Two organisations, two centres, FE-SEM and XRD at one, NMR at the other; open Mon-Fri 08:00-18:00."""
    db.execute(
        sa.insert(t.organisations),
        [
            {"id": "I-IMS", "name_vi": "Viện Khoa học vật liệu", "name_en": "Institute of Materials Science",
             "kind": "institute", "verification": "illustrative"},
            {"id": "O-CO", "name_vi": "Công ty đối tác", "name_en": "Partner company", "kind": "company",
             "verification": "illustrative"},
        ],
    )  # fmt: skip
    db.execute(sa.insert(t.capabilities), [{"id": c, "name_vi": c, "name_en": c} for c in ("FESEM", "XRD", "NMR")])
    db.execute(
        sa.insert(t.centres),
        [
            {"id": "C-ONE", "name_vi": "Trung tâm Một", "name_en": "Centre One", "host_id": "I-IMS",
             "kind": "institute_laboratory", "stage": "operating", "verification": "illustrative"},
            {"id": "C-TWO", "name_vi": "Trung tâm Hai", "name_en": "Centre Two", "host_id": "I-IMS",
             "kind": "institute_laboratory", "stage": "operating", "verification": "illustrative"},
        ],
    )  # fmt: skip
    add_instrument(db, FESEM, "C-ONE", "FESEM", qualification="licence")
    add_instrument(db, XRD, "C-ONE", "XRD")
    add_instrument(db, NMR, "C-TWO", "NMR", cleanup_minutes=30)
    db.execute(
        sa.insert(t.persons),
        [
            {"id": person_id, "login": login, "name": login.title(), "organisation_id": organisation_id}
            for person_id, (login, organisation_id, _) in _PEOPLE.items()
        ],
    )
    db.execute(
        sa.insert(t.grants),
        [
            {"id": uuid4(), "person_id": person_id, "role": grant.role, "centre_id": grant.centre_id,
             "organisation_id": grant.organisation_id}
            for person_id, (_, _, grants) in _PEOPLE.items()
            for grant in grants
        ],
    )  # fmt: skip
    add_project(db, PUBLIC_PROJECT, "KC-01", "I-IMS", RESEARCHER, members=(COLLEAGUE, MANAGER))
    add_project(
        db, INDUSTRY_PROJECT, "DN-01", "O-CO", COMPETITOR, access_class=AccessClass.INDUSTRY, activity=Activity.ECONOMIC
    )
    for person_id in (RESEARCHER, COLLEAGUE, COMPETITOR):
        db.execute(
            sa.insert(t.qualifications).values(
                person_id=person_id, instrument_number=FESEM, granted_at=NOW - timedelta(days=30)
            )
        )


def add_instrument(db: Connection, number: int, centre_id: str, capability: str, **values: Any) -> None:
    row: dict[str, Any] = {
        "number": number,
        "id": f"N{number:03}",
        "centre_id": centre_id,
        "name_vi": f"Máy {capability}",
        "name_en": f"{capability} instrument",
        "capability_id": capability,
        "booking_mode": "time",
        "bookable_unit": "hour",
        "operated_by": "user",
        "verification": "illustrative",
        "opening": "Mon-Fri 08:00-18:00",
        "min_minutes": 30,
        "max_minutes": 480,
        "granularity_minutes": 30,
        "advance_days": 60,
    }
    db.execute(sa.insert(t.instruments).values(row | values))


def add_project(
    db: Connection,
    project_id: UUID,
    code: str,
    organisation_id: str,
    pi_id: UUID,
    *,
    members: tuple[UUID, ...] = (),
    access_class: AccessClass = AccessClass.PUBLIC_RESEARCH,
    activity: Activity = Activity.NON_ECONOMIC,
    state: str = "verified",
) -> None:
    db.execute(
        sa.insert(t.projects).values(
            id=project_id, code=code, title=code, organisation_id=organisation_id, pi_id=pi_id,
            access_class=access_class, activity=activity, funding_line="state", state=state,
        )
    )  # fmt: skip
    if members:
        rows = [{"project_id": project_id, "person_id": person_id} for person_id in members]
        db.execute(sa.insert(t.project_members), rows)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """November 2026 in Hanoi (UTC+7), where 23 is a Monday and 24 a public holiday (Vietnam Culture Day)."""
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC) - timedelta(hours=7)


def span(day: int, start: int, end: int) -> Span:
    """Whole hours of one day in Hanoi; hours from 24 on lie in the days after it."""
    return Span(at(day, 0) + timedelta(hours=start), at(day, 0) + timedelta(hours=end))


def a_booking(number: int, when: Span, **changes: Any) -> Booking:
    """A confirmed use by the researcher, without set-up or clean-up."""
    values: dict[str, Any] = {
        "id": uuid4(),
        "instrument_number": number,
        "kind": BookingKind.USE,
        "state": BookingState.CONFIRMED,
        "starts_at": when.start,
        "ends_at": when.end,
        "occupied_from": when.start,
        "occupied_until": when.end,
        "person_id": RESEARCHER,
        "booked_by_id": RESEARCHER,
        "project_id": PUBLIC_PROJECT,
        "organisation_id": "I-IMS",
        "access_class": AccessClass.PUBLIC_RESEARCH,
        "activity": Activity.NON_ECONOMIC,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Booking(**(values | changes))


@contextmanager
def counted(engine: sa.Engine) -> Generator[list[str]]:
    """The statements that this engine runs meanwhile, without SQLite's BEGIN and the jobs that run beside requests."""
    statements: list[str] = []

    def note(*arguments: Any) -> None:
        if threading.current_thread().name not in BESIDE and not arguments[2].startswith("BEGIN"):
            statements.append(arguments[2])

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)
