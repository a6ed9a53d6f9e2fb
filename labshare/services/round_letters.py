"""Telling those who applied in a round what became of it: who was given time, who was not, and that it was withdrawn.

A person hears once, however many requests they made; their page of the round says which of them was given time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from uuid import UUID

from labshare.domain.notices import NoticeKind
from labshare.domain.rounds import Round
from labshare.domain.time_requests import TimeRequest
from labshare.services import notices
from labshare.store.engine import Connection


def published(
    db: Connection, of: Round, requests: Iterable[TimeRequest], placed: Collection[UUID | None], now: datetime
) -> None:
    """The plan stands in the calendars; `placed` are the ids of the requests that were given time."""
    by_fate: dict[bool, set[UUID]] = {True: set(), False: set()}
    for request in requests:
        by_fate[request.id in placed].add(request.person_id)
    _tell(db, of, by_fate[True], NoticeKind.ROUND_PLACED, now)
    _tell(db, of, by_fate[False] - by_fate[True], NoticeKind.ROUND_UNPLACED, now)


def withdrawn(db: Connection, of: Round, requests: Iterable[TimeRequest], now: datetime) -> None:
    """The round ended without a plan."""
    _tell(db, of, {request.person_id for request in requests}, NoticeKind.ROUND_WITHDRAWN, now)


def _tell(db: Connection, of: Round, person_ids: Collection[UUID], kind: NoticeKind, now: datetime) -> None:
    notices.tell_all(db, person_ids, kind, (of.title_vi, of.title_en), f"/rounds/{of.id}", now)
