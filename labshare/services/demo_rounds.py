"""The demo's rounds, brought as far as the story says by the same services that people use, each step at its own time.

What must not live here: what a round is or may become (rounds.py and the files it names), or everyday use.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from labshare.domain.bookings import Booking, BookingState
from labshare.domain.people import Actor
from labshare.domain.projects import Project
from labshare.domain.rounds import Round
from labshare.domain.timespan import Span
from labshare.domain.windows import CENTRE_ZONE_NAME
from labshare.scheduler.plan import encode_plan
from labshare.scheduler.problem import sha256
from labshare.scheduler.reading import parse
from labshare.services import plans, rounds, time_requests
from labshare.services.demo_story import AskStory, RoundStory
from labshare.services.holidays import closed_dates
from labshare.services.rounds import NewRound
from labshare.services.time_requests import RequestWish
from labshare.store import bookings as bookings_store
from labshare.store import rounds as rounds_store
from labshare.store import time_requests as requests_store
from labshare.store.engine import Connection

OPENS, CLOSES, PUBLISHES = time(8), time(17), time(12)
# Enough for the small round of the past; counted work gives the same plan on every machine.
STEPS = 400
LONGEST_SEARCH_WEEKS = 8
MOST_HOLIDAYS = 1


class Cast(msgspec.Struct, frozen=True, kw_only=True):
    """Who acts: people by id, projects by code with their members, the user office, and who signs for each centre."""

    people: dict[UUID, Actor]
    projects: dict[str, Project]
    members: dict[str, tuple[UUID, ...]]
    office: Actor
    managers: dict[str, Actor]


def bring(db: Connection, told: RoundStory, new: NewRound, cast: Cast, seconds: int, now: datetime) -> list[Booking]:
    """Make one round and bring it to the state that the story tells; returns the bookings that it has become."""
    made = rounds.create(db, cast.office, new, min(new.opens_at - timedelta(days=1), now))
    if told.state == "draft":
        return []
    opened = rounds.open_round(db, cast.office, made.id, seen_version=made.version, now=new.opens_at)
    _apply(db, told, opened, cast, now)
    if told.state == "open":
        return []
    rounds.close(db, cast.office, opened.id, seen_version=opened.version, now=new.closes_at)
    if told.state == "published":
        return _publish(db, opened, cast)
    rounds.queue_plan(db, cast.office, opened.id, seconds=seconds, now=now)
    return []


def new_rounds(told: Iterable[RoundStory], now: datetime) -> list[NewRound]:
    """The rounds as their forms would state them, in the order of the story, each after the one before it."""
    today = now.astimezone(ZoneInfo(CENTRE_ZONE_NAME)).date()
    found: list[NewRound] = []
    earliest = date.min
    for each in told:
        first = ordinary_monday(max(today + timedelta(days=each.starts_in_days), earliest))
        earliest = first + timedelta(weeks=each.weeks)
        found.append(_new_round(each, first, today))
    return found


def _new_round(told: RoundStory, first: date, today: date) -> NewRound:
    """Whole weeks from this Monday, with everything that the instruments are open."""
    starts_at, ends_at = _at(first, time()), _at(first + timedelta(weeks=told.weeks), time())
    return NewRound(
        code=f"{told.code}-{first:%G-W%V}",
        title_vi=told.title_vi,
        title_en=told.title_en,
        opens_at=_at(today + timedelta(days=told.opens_in_days), OPENS),
        closes_at=_at(today + timedelta(days=told.closes_in_days), CLOSES),
        publishes_at=_at(today + timedelta(days=told.publishes_in_days), PUBLISHES),
        starts_at=starts_at,
        ends_at=ends_at,
        slot_minutes=told.slot_minutes,
        offers=tuple((instrument, Span(starts_at, ends_at)) for instrument in told.instruments),
    )


def ordinary_monday(day: date) -> date:
    """The first Monday from this day on whose week has hardly any public holiday: nobody divides the week of Tet."""
    monday = day + timedelta(days=-day.weekday() % 7)
    weeks = (monday + timedelta(weeks=k) for k in range(LONGEST_SEARCH_WEEKS))
    return next(each for each in weeks if len(closed_dates(each, each + timedelta(days=4))) <= MOST_HOLIDAYS)


# ---------------------------------------------------------------- requests


def _apply(db: Connection, told: RoundStory, opened: Round, cast: Cast, now: datetime) -> None:
    """Everybody applies, spread evenly over the time in which the round takes requests."""
    # The turn goes on from one ask to the next, so that a project's people share its requests.
    asks = [(ask, place + turn) for place, ask in enumerate(told.asks) for turn in range(ask.count)]
    until = min(opened.closes_at, now)
    for place, (ask, turn) in enumerate(asks):
        members = cast.members[ask.project]
        person = cast.people[members[turn % len(members)]]
        at = opened.opens_at + (until - opened.opens_at) * (place + 1) / (len(asks) + 2)
        time_requests.apply(db, person, opened.id, _wish(ask, opened, cast), at)


def _wish(ask: AskStory, opened: Round, cast: Cast) -> RequestWish:
    return RequestWish(
        project_id=cast.projects[ask.project].id,
        purpose=ask.purpose,
        sessions=ask.sessions,
        session_minutes=ask.hours * 60,
        min_sessions=ask.least,
        instrument_ids=ask.instruments,
        capability_id=ask.capability,
        windows=tuple(
            Span(_hour(opened, day, from_hour), _hour(opened, day, until_hour))
            for first, last, from_hour, until_hour in ask.windows
            for day in range(first, last + 1)
        ),
    )


def _hour(opened: Round, day: int, hour: int) -> datetime:
    return opened.starts_at + timedelta(days=day, hours=hour)


# ---------------------------------------------------------------- the round of the past


def _publish(db: Connection, closed: Round, cast: Cast) -> list[Booking]:
    """Plan, approve and publish, as happened at the time; what was published has been used since then."""
    # Here and not at the top, because OR-Tools would slow every other command.
    from labshare.scheduler.solve import solve

    at = closed.closes_at + timedelta(hours=16)
    queued = rounds.queue_plan(db, cast.office, closed.id, seconds=60, now=at)
    plan = plans.take(db, at, plan_id=queued.id)
    assert plan is not None
    problem = plans.build(db, plan, at)
    plans.keep_problem(db, plan, problem)
    document = encode_plan(solve(parse(problem), steps=STEPS, problem_sha256=sha256(problem)))
    assert not plans.judge(problem, document)
    plans.propose(db, plan, document, at + timedelta(minutes=1))
    for centre_id, manager in _signing(db, closed, cast):
        at += timedelta(hours=3)
        rounds.approve(db, manager, plan.id, centre_id, plan_sha256=sha256(document), now=at)
    rounds.publish(db, cast.office, closed.id, plan_sha256=sha256(document), now=closed.publishes_at)
    return _used(db, closed)


def _signing(db: Connection, closed: Round, cast: Cast) -> list[tuple[str, Actor]]:
    numbers = [offer.instrument_number for offer in rounds_store.offers_of(db, closed.id)]
    centres = sorted({each.centre_id for each in bookings_store.rules_of(db, numbers).values()})
    return [(centre_id, cast.managers[centre_id]) for centre_id in centres]


def _used(db: Connection, published: Round) -> list[Booking]:
    """The sessions of the round, each of which has been done."""
    requests = [each.id for each in requests_store.of_round(db, published.id)]
    sessions = requests_store.published_sessions(db, requests)
    found: list[Booking] = []
    for booking_id, _, _ in sorted(row for rows in sessions.values() for row in rows):
        booking = bookings_store.get(db, booking_id)
        done = msgspec.structs.replace(booking, state=BookingState.DONE, updated_at=booking.ends_at)
        found.append(bookings_store.change(db, done, seen_version=booking.version))
    return found


def _at(day: date, hour: time) -> datetime:
    return datetime.combine(day, hour, tzinfo=ZoneInfo(CENTRE_ZONE_NAME)).astimezone(UTC)
