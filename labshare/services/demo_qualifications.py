"""The demo's qualifications: one that ends soon, one that lapsed because it was never used, somebody who asks for one
and trains meanwhile with a trainer who is present.

They go the way that people go. What must not live here: what any of it means (qualifications.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from labshare.domain.bookings import InstrumentRules, Wish
from labshare.domain.people import Actor
from labshare.domain.projects import Project
from labshare.domain.qualifications import Demand, Level
from labshare.domain.timespan import MINUTE, Span
from labshare.domain.windows import midnight
from labshare.errors import Refused
from labshare.services import bookings, free_times, qualifications
from labshare.store.engine import Connection

DAY = timedelta(days=1)
USER, TRAINER, NEWCOMER = "researcher.ims", "user.ims.2", "user.iop.1"
# The station ends soon for the user; the spectrometer was granted and never used; the newcomer wants the bay.
STATION, SPECTROMETER, BAY = "N004", "N006", "N002"
DAYS_LEFT, DAYS_SINCE_GRANT, DAYS_TO_USE_IT = 18, 110, 90
# The training is wanted a few days from now, at ten in Hanoi.
DAYS_TO_TRAINING, HOUR_OF_TRAINING = 4, timedelta(hours=3)


class Cast(msgspec.Struct, frozen=True, kw_only=True):
    """Everybody by login, the managers by centre, the instruments by code, and the project of the newcomer."""

    people: Mapping[str, Actor]
    managers: Mapping[str, Actor]
    rules: Mapping[str, InstrumentRules]
    project: Project

    def manager_of(self, instrument_id: str) -> Actor:
        return self.managers[self.rules[instrument_id].centre_id]


def tell(db: Connection, cast: Cast, now: datetime) -> None:
    """Grant, let lapse, ask and train."""
    before = now - DAYS_SINCE_GRANT * DAY
    zone = cast.rules[STATION].timezone
    soon = midnight(now.astimezone(ZoneInfo(zone)).date() + (DAYS_LEFT + 1) * DAY, zone)
    _give(db, cast, STATION, USER, Level.USER, before, until=soon)
    _give(db, cast, SPECTROMETER, USER, Level.USER, before)
    demand = Demand(first_use_days=DAYS_TO_USE_IT)
    qualifications.choose(db, cast.manager_of(SPECTROMETER), SPECTROMETER, demand, before)
    _give(db, cast, BAY, TRAINER, Level.TRAINER, before)
    note = "Đã học quang khắc cơ bản ở IOP; muốn tự vận hành."
    qualifications.ask(db, cast.people[NEWCOMER], BAY, Level.USER, note, now)
    _train(db, cast, now)


def _give(
    db: Connection,
    cast: Cast,
    instrument_id: str,
    login: str,
    level: Level,
    at: datetime,
    until: datetime | None = None,
) -> None:
    qualifications.give(db, cast.manager_of(instrument_id), instrument_id, login, level=level, until=until, now=at)


def _train(db: Connection, cast: Cast, now: datetime) -> None:
    """The nearest time at which bay, newcomer and trainer are free, if any rule lets it be."""
    rules, newcomer = cast.rules[BAY], cast.people[NEWCOMER]
    start = now.replace(hour=0, minute=0) + DAYS_TO_TRAINING * DAY + HOUR_OF_TRAINING
    wish = Wish(
        instrument_number=rules.number,
        span=Span(start, start + rules.min_minutes * MINUTE),
        person_id=newcomer.person_id,
        project_id=cast.project.id,
        purpose="Thực hành quang khắc",
        trainer_id=cast.people[TRAINER].person_id,
    )
    for span in free_times.suggest(db, wish, now):
        try:
            bookings.book(db, newcomer, msgspec.structs.replace(wish, span=span), now)
        except Refused:
            # A clause or a share may say no where the calendar does not.
            continue
        return
