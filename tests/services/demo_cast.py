"""A tiny cast for the demo's pure parts: one instrument, one project, two people, a story without chance of mishap."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from labshare.domain.bookings import InstrumentRules
from labshare.domain.opening import parse_opening
from labshare.domain.people import Actor, Grant, Role
from labshare.domain.projects import AccessClass, Activity, Project, ProjectState
from labshare.services.demo_diary import Opened, minute
from labshare.services.demo_story import Story
from labshare.services.demo_use import Site, Team

# Monday 23 November 2026, 08:00 in Hanoi (UTC+7).
NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
HOUR, DAY = 60, 24 * 60
FIRST, SECOND = UUID(int=1), UUID(int=2)
MANAGER = Actor(
    person_id=UUID(int=3),
    login="manager",
    name="Manager",
    organisation_id="I-IMS",
    grants=(Grant(role=Role.LAB_MANAGER, centre_id="C-ONE"),),
)
PROJECT = Project(
    id=UUID(int=9),
    code="IMS-01",
    title="One",
    organisation_id="I-IMS",
    pi_id=FIRST,
    access_class=AccessClass.PUBLIC_RESEARCH,
    activity=Activity.NON_ECONOMIC,
    funding_line="state",
    state=ProjectState.VERIFIED,
)
TEAM = Team(project=PROJECT, members=(FIRST, SECOND), centres={"C-ONE": 1})


def rules(number: int = 1, **changes: Any) -> InstrumentRules:
    """Open Mon-Fri 08:00-18:00, uses of one to eight hours in steps of half an hour, four weeks ahead."""
    values: dict[str, Any] = {
        "number": number,
        "id": f"N{number:03}",
        "centre_id": "C-ONE",
        "timezone": "Asia/Ho_Chi_Minh",
        "booking_mode": "time",
        "opening": parse_opening("Mon-Fri 08:00-18:00"),
        "spans_closed_hours": False,
        "min_minutes": 60,
        "max_minutes": 480,
        "granularity_minutes": 30,
        "advance_days": 28,
        "setup_minutes": 0,
        "cleanup_minutes": 0,
        "attended": True,
        "qualification": "",
    }
    return InstrumentRules(**(values | changes))


def days(first: int, last: int) -> Opened:
    """Ten open hours from 08:00 on each of these days, weekends too, counted from the day of NOW."""
    start = minute(NOW)
    return Opened(tuple((start + day * DAY, start + day * DAY + 10 * HOUR) for day in range(first, last + 1)))


def site(number: int = 1, **changes: Any) -> Site:
    values: dict[str, Any] = {
        "rules": rules(number),
        "opened": days(-20, 20),
        "load": 60,
        "contested": False,
        "purposes": ("look",),
        "typical_minutes": 120,
    }
    return Site(**(values | changes))


def story(**changes: Any) -> Story:
    values: dict[str, Any] = {
        "agreements": (),
        "project_days": 400,
        "expiring": {},
        "newcomers": (),
        "past_days": 20,
        "ahead_days": 20,
        "contested_load": 95,
        "contested_days": 5,
        "no_show_percent": 0,
        "cancelled_percent": 0,
        "plan_seconds": 1,
        "instruments": (),
        "users": (),
        "shares": (),
        "outages": (),
        "blocks": (),
        "regular": {"login": "user", "project": "P", "centre": "C", "purpose": ""},
        "rounds": (),
    }
    return msgspec.convert(values | changes, Story)
