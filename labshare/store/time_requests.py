"""Requests for time in the database. What must not live here: rules (domain/time_requests.py), rounds and plans."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.engine import Connection, Row

from labshare.domain.bookings import LONGEST_MINUTES, OCCUPYING
from labshare.domain.projects import ProjectState
from labshare.domain.time_requests import RequestState, TimeRequest
from labshare.domain.timespan import MINUTE, Span
from labshare.errors import NotFound, Stale
from labshare.store.bookings import ATTENDANTS, is_lasting
from labshare.store.tables import bookings, instruments, projects, time_request_instruments, time_requests
from labshare.store.usage import uses

_OCCUPYING = tuple(sorted(OCCUPYING))
_WINDOWS = msgspec.json.Decoder(list[tuple[datetime, datetime]])
# A national round has thousands of requests: their columns are picked out of a row in one go.
_COLUMNS = tuple(name for name in TimeRequest.__struct_fields__ if name != "instrument_numbers")
_values = attrgetter(*_COLUMNS)


def add(db: Connection, new: TimeRequest) -> None:
    db.execute(sa.insert(time_requests).values(_columns(new)))
    _put_instruments(db, new)


def change(db: Connection, changed: TimeRequest, *, seen_version: int) -> TimeRequest:
    """Write a request; returns it with its new version. Raises `Stale` when `seen_version` no longer stands."""
    result = msgspec.structs.replace(changed, version=seen_version + 1)
    values = _columns(result)
    del values["id"], values["round_id"], values["person_id"], values["created_at"]
    mine = sa.and_(time_requests.c.id == changed.id, time_requests.c.version == seen_version)
    if db.execute(sa.update(time_requests).where(mine).values(**values)).rowcount != 1:
        raise Stale("request_changed")
    db.execute(sa.delete(time_request_instruments).where(time_request_instruments.c.request_id == changed.id))
    _put_instruments(db, result)
    return result


def decide(db: Connection, states: Mapping[UUID, RequestState]) -> None:
    """Write what publication made of each request."""
    for state in set(states.values()):
        ids = [request_id for request_id, each in states.items() if each is state]
        db.execute(
            sa.update(time_requests)
            .where(time_requests.c.id.in_(ids))
            .values(state=state, version=time_requests.c.version + 1)
        )


def get(db: Connection, request_id: UUID) -> TimeRequest:
    """One request, whole. Raises `NotFound`. Whoever calls decides who may see it."""
    found = _select(db, time_requests.c.id == request_id)
    if not found:
        raise NotFound("request_not_found")
    return found[0]


def of_round(db: Connection, round_id: UUID) -> list[TimeRequest]:
    """Every request of a round that was not withdrawn, in the order in which they came."""
    return _select(db, time_requests.c.round_id == round_id, time_requests.c.state != RequestState.WITHDRAWN)


def ids_of_round(db: Connection, round_id: UUID) -> list[UUID]:
    """The ids of a round's requests in the order of `of_round`, which is what their labels count."""
    query = (
        sa.select(time_requests.c.id)
        .where(time_requests.c.round_id == round_id, time_requests.c.state != RequestState.WITHDRAWN)
        .order_by(time_requests.c.created_at, time_requests.c.id)
    )
    return list(db.execute(query).scalars())


def of_person(db: Connection, person_id: UUID, *, round_id: UUID | None = None) -> list[TimeRequest]:
    """A person's own requests, withdrawn ones too, in the order in which they came."""
    within = [] if round_id is None else [time_requests.c.round_id == round_id]
    return _select(db, time_requests.c.person_id == person_id, *within)


def count_by_round(db: Connection, round_ids: Iterable[UUID]) -> dict[UUID, int]:
    """How many requests each round has, those withdrawn not counted."""
    query = (
        sa.select(time_requests.c.round_id, sa.func.count())
        .where(time_requests.c.round_id.in_(set(round_ids)), time_requests.c.state != RequestState.WITHDRAWN)
        .group_by(time_requests.c.round_id)
    )
    return {row[0]: row[1] for row in db.execute(query)}


def published_sessions(db: Connection, request_ids: Iterable[UUID]) -> dict[UUID, list[tuple[UUID, str, Span]]]:
    """The bookings that publication made of these requests: (booking, instrument, use), by request and time."""
    query = (
        sa.select(bookings.c.request_id, bookings.c.id, instruments.c.id, bookings.c.starts_at, bookings.c.ends_at)
        .join(instruments, instruments.c.number == bookings.c.instrument_number)
        .where(bookings.c.request_id.in_(set(request_ids)))
        .order_by(bookings.c.starts_at)
    )
    found: dict[UUID, list[tuple[UUID, str, Span]]] = defaultdict(list)
    for request_id, booking_id, instrument_id, start, end in db.execute(query):
        found[request_id].append((booking_id, instrument_id, Span(start, end)))
    return found


# ---------------------------------------------------------------- what planning asks about the people behind requests


def persons_busy(db: Connection, person_ids: Iterable[UUID], span: Span, now: datetime) -> dict[UUID, list[Span]]:
    """Where these people already are during the span: the uses that they attend, for themselves or for somebody, but
    for what is due to end.
    """
    wanted = set(person_ids)
    query = sa.select(
        bookings.c.person_id, *ATTENDANTS, bookings.c.attended, bookings.c.starts_at, bookings.c.ends_at
    ).where(
        sa.or_(
            sa.and_(bookings.c.person_id.in_(wanted), bookings.c.attended),
            *(role.in_(wanted) for role in ATTENDANTS),
        ),
        bookings.c.state.in_(_OCCUPYING),
        is_lasting(now),
        bookings.c.starts_at < span.end,
        # No block is longer, so the range that is read stays near the span.
        bookings.c.starts_at > span.start - LONGEST_MINUTES * MINUTE,
        bookings.c.ends_at > span.start,
    )
    found: dict[UUID, list[Span]] = defaultdict(list)
    for row in db.execute(query):
        there = (row.trainer_id, row.operator_id, row.person_id if row.attended else None)
        for person_id in wanted.intersection(each for each in there if each):
            found[person_id].append(Span(row.starts_at, row.ends_at))
    return found


def usable_projects(db: Connection, project_ids: Iterable[UUID]) -> dict[UUID, datetime | None]:
    """Those of these projects that are verified, with when they end (None: not known to end)."""
    query = sa.select(projects.c.id, projects.c.expires_at).where(
        projects.c.id.in_(set(project_ids)), projects.c.state == ProjectState.VERIFIED
    )
    return {row.id: row.expires_at for row in db.execute(query)}


def recent_use(db: Connection, numbers: Iterable[int], span: Span) -> list[tuple[tuple[str, UUID], datetime, int]]:
    """Uses of these instruments in the span: (organisation and project, when they began, minutes).

    Minutes are delivered ones where that is on record, else occupied ones.
    """
    each = uses(span, span.end, sorted(set(numbers))).subquery()
    is_delivered = sa.and_(each.c.records > 0, each.c.is_done)
    minutes = sa.case((is_delivered, each.c.delivered), else_=each.c.past)
    query = sa.select(each.c.organisation_id, each.c.project_id, each.c.began, minutes)
    return [((row[0], row[1]), row[2], row[3]) for row in db.execute(query)]


def project_codes(db: Connection, project_ids: Iterable[UUID]) -> dict[UUID, str]:
    query = sa.select(projects.c.id, projects.c.code).where(projects.c.id.in_(set(project_ids)))
    return {row.id: row.code for row in db.execute(query)}


def _select(db: Connection, *conditions: ColumnElement[bool]) -> list[TimeRequest]:
    query = sa.select(time_requests).where(*conditions).order_by(time_requests.c.created_at, time_requests.c.id)
    rows = db.execute(query).all()
    named = _instruments(db, *conditions)
    return [_request(row, named[row.id]) for row in rows]


def _instruments(db: Connection, *conditions: ColumnElement[bool]) -> dict[UUID, list[int]]:
    query = (
        sa.select(time_request_instruments)
        .join(time_requests, time_requests.c.id == time_request_instruments.c.request_id)
        .where(*conditions)
        .order_by(time_request_instruments.c.instrument_number)
    )
    found: dict[UUID, list[int]] = defaultdict(list)
    for request_id, number in db.execute(query):
        found[request_id].append(number)
    return found


def _request(row: Row[Any], numbers: list[int]) -> TimeRequest:
    values: dict[str, Any] = dict(zip(_COLUMNS, _values(row), strict=True))
    values["windows"] = tuple(Span(start, end) for start, end in _WINDOWS.decode(values["windows"]))
    values["instrument_numbers"] = tuple(numbers)
    return msgspec.convert(values, TimeRequest)


def _columns(request: TimeRequest) -> dict[str, Any]:
    values = msgspec.structs.asdict(request)
    del values["instrument_numbers"]
    pairs = [(window.start, window.end) for window in request.windows]
    values["windows"] = msgspec.json.encode(pairs).decode()
    return values


def _put_instruments(db: Connection, request: TimeRequest) -> None:
    rows = [{"request_id": request.id, "instrument_number": number} for number in set(request.instrument_numbers)]
    if rows:
        db.execute(sa.insert(time_request_instruments), rows)
