"""The demo's forms of booking: one instrument is offered in every mode and with set-ups, has operators, and people book
it so.

They go the way that people go. What must not live here: what the modes mean (domain/modes.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import msgspec

from labshare.domain.bookings import InstrumentRules, Wish
from labshare.domain.modes import Mode
from labshare.domain.people import Actor
from labshare.domain.projects import Project
from labshare.domain.qualifications import Level
from labshare.domain.timespan import MINUTE, Span
from labshare.errors import Refused
from labshare.services import bookings, free_times, modes, operators, qualifications
from labshare.store.engine import Connection

# Who operates it, by login.
OPERATORS = ("user.ims.2", "user.ims.5")
SETUPS = ("5 kV", "15 kV + EDS", "20 kV + EBSD")
AHEAD = timedelta(days=3)


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """A use that somebody books, for themselves or for a member of their project."""

    by: Actor
    user: Actor
    project: Project
    mode: Mode
    setup: str
    purpose: str
    operator: Actor | None = None


def asks_of(
    people: Mapping[str, Actor], manager: Actor, projects: Mapping[str, Project], operator: Actor
) -> tuple[Ask, ...]:
    """One use in each mode, of these people by login on account of these projects by code."""
    host, company = projects["IMS-01"], projects["MAT-01"]
    return (
        Ask(by=people["researcher.ims"], user=people["user.ims.3"], project=host, mode=Mode.SELF,
            setup=SETUPS[0], purpose="Chụp hình thái bề mặt"),
        Ask(by=people["user.ims.8"], user=people["user.ims.8"], project=host, mode=Mode.ASSISTED,
            setup=SETUPS[1], purpose="Kiểm tra kích thước hạt", operator=operator),
        Ask(by=manager, user=people["user.mat.5"], project=company, mode=Mode.COMMISSIONED,
            setup=SETUPS[1], purpose="Đánh giá vật liệu cực dương"),
    )  # fmt: skip


def offer(
    db: Connection,
    manager: Actor,
    rules: InstrumentRules,
    staff: Iterable[Actor],
    asks: Iterable[Ask],
    now: datetime,
) -> None:
    """Offer everything, with these to operate it, and book each of these at the nearest time a few days ahead that is
    free, if any is.
    """
    modes.choose(db, manager, rules.id, [each.value for each in Mode], "\n".join(SETUPS), now)
    for each in staff:
        qualifications.give(db, manager, rules.id, each.login, level=Level.OUTSIDE_HOURS, until=None, now=now)
        operators.name(db, manager, rules.id, each.login, operates=True, now=now)
    begin = now.replace(minute=0, second=0, microsecond=0) + AHEAD
    for ask in asks:
        wish = Wish(
            instrument_number=rules.number,
            span=Span(begin, begin + max(60, rules.min_minutes) * MINUTE),
            person_id=ask.user.person_id,
            project_id=ask.project.id,
            purpose=ask.purpose,
            mode=ask.mode,
            setup=ask.setup,
            operator_id=ask.operator.person_id if ask.operator else None,
        )
        for span in free_times.suggest(db, wish, now):
            try:
                # What is refused leaves no lock behind.
                with db.begin_nested():
                    bookings.book(db, ask.by, msgspec.structs.replace(wish, span=span), now)
                break
            except Refused:
                # A clause or a share may say no where the calendar does not.
                continue
