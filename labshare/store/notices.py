"""Notices: what each person was told, the letters that wait among them, and when each person wants letters.

What must not live here: what a notice says (labshare/notice_words.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from labshare.domain.bookings import BookingState
from labshare.domain.notices import ASKING, Addressed, Mail, Notice, NoticeKind
from labshare.errors import NotFound
from labshare.store.invitations import wait_after
from labshare.store.people import IS_ENABLED
from labshare.store.tables import bookings, notice_preferences, notices, persons

_IS_READER = sa.and_(persons.c.email != "", IS_ENABLED)
_UNREAD = sa.select(sa.func.count()).where(
    notices.c.person_id == sa.bindparam("person_id", type_=sa.Uuid()), notices.c.read_at.is_(None)
)


# ---------------------------------------------------------------- telling


def readers(db: Connection, person_ids: Iterable[UUID], kind: NoticeKind) -> dict[UUID, tuple[bool, str | None]]:
    """Who of these is told: whether they have an address, and what they chose for this kind. One query."""
    chosen = sa.and_(notice_preferences.c.person_id == persons.c.id, notice_preferences.c.kind == kind)
    query = (
        sa.select(persons.c.id, persons.c.email, notice_preferences.c.mail)
        .select_from(persons.outerjoin(notice_preferences, chosen))
        .where(persons.c.id.in_(sorted(set(person_ids))), IS_ENABLED)
        .order_by(persons.c.id)
    )
    return {row.id: (row.email != "", row.mail) for row in db.execute(query)}


def add(db: Connection, new: Sequence[Notice]) -> None:
    db.execute(sa.insert(notices), [msgspec.structs.asdict(notice) for notice in new])


def settle(db: Connection, booking_ids: Collection[UUID], series_ids: Collection[UUID], now: datetime) -> None:
    """What asked for an answer that is not wanted any more is read, and its letter not sent: of these bookings, and of
    these series where none of their bookings waits. One that was read in the app has a letter on its way all the same.
    """
    waits = sa.exists().where(bookings.c.series_id == notices.c.series_id, bookings.c.state == BookingState.PENDING)
    over = sa.or_(
        sa.and_(notices.c.booking_id.in_(booking_ids), notices.c.series_id.is_(None)),
        sa.and_(notices.c.series_id.in_(series_ids), sa.not_(waits)),
    )
    is_told = sa.or_(notices.c.read_at.is_(None), notices.c.send_at.is_not(None))
    asked = sa.and_(notices.c.kind.in_(sorted(ASKING)), is_told)
    read_at = sa.func.coalesce(notices.c.read_at, sa.literal(now, notices.c.read_at.type))
    _change(db, sa.and_(asked, over), read_at=read_at, send_at=None)


# ---------------------------------------------------------------- reading


def of_person(
    db: Connection, person_id: UUID, *, unread: bool, after: tuple[datetime, UUID] | None, limit: int
) -> list[Notice]:
    """A person's notices, the newest first; `after` is when the one was made behind which to go on, and its id."""
    query = sa.select(notices).where(notices.c.person_id == person_id)
    if unread:
        query = query.where(notices.c.read_at.is_(None))
    if after is not None:
        at, last = after
        before = sa.and_(notices.c.created_at == at, notices.c.id < last)
        query = query.where(sa.or_(notices.c.created_at < at, before))
    rows = db.execute(query.order_by(notices.c.created_at.desc(), notices.c.id.desc()).limit(limit))
    return [_notice(row) for row in rows]


def unread(db: Connection, person_id: UUID) -> int:
    """How many notices this person has not read."""
    return db.execute(_UNREAD, {"person_id": person_id}).scalar_one()


def read(db: Connection, person_id: UUID, notice_id: UUID, now: datetime) -> Notice:
    """Mark one of a person's notices as read; one that was, stays as it is. Raises `NotFound` for somebody else's."""
    mine = sa.and_(notices.c.id == notice_id, notices.c.person_id == person_id)
    row = db.execute(sa.select(notices).where(mine)).one_or_none()
    if row is None:
        raise NotFound("notice_not_found")
    if row.read_at is None:
        _read(db, mine, now)
    return msgspec.structs.replace(_notice(row), read_at=row.read_at or now)


def read_all(db: Connection, person_id: UUID, until: datetime, now: datetime) -> None:
    """Mark what a person was told until then as read."""
    _read(db, sa.and_(notices.c.person_id == person_id, notices.c.created_at <= until), now)


def _read(db: Connection, which: sa.ColumnElement[bool], now: datetime) -> None:
    """What was read need not stand in a digest; a letter of its own is on its way already."""
    late = sa.case((notices.c.in_digest, sa.null()), else_=notices.c.send_at)
    _change(db, sa.and_(which, notices.c.read_at.is_(None)), read_at=now, send_at=late)


def forget(db: Connection, before: datetime) -> None:
    """Delete what was told before this instant, whether its letter could be sent or not."""
    db.execute(notices.delete().where(notices.c.created_at < before))


# ---------------------------------------------------------------- letters


def due(db: Connection, now: datetime, *, limit: int = 50) -> list[Addressed]:
    """Letters of one notice each to be sent now, the one that has waited longest first."""
    # After an hour without a mail server nobody is written to of a slot that is gone.
    is_of_use = sa.or_(notices.c.kind.not_in(sorted(ASKING)), notices.c.until.is_(None), notices.c.until > now)
    query = _waiting(now).where(notices.c.in_digest.is_(False), is_of_use).order_by(notices.c.send_at, notices.c.id)
    return [_addressed([row]) for row in db.execute(query.limit(limit))]


def digests(db: Connection, now: datetime, *, limit: int = 50) -> list[Addressed]:
    """Digests to be sent now, one for each person with all that was put off for them, in the order of telling."""
    some = sa.select(notices.c.person_id).where(notices.c.send_at <= now, notices.c.in_digest).distinct()
    some = some.join(persons, persons.c.id == notices.c.person_id).where(_IS_READER)
    query = _waiting(now).where(notices.c.in_digest, notices.c.person_id.in_(some.limit(limit)))
    by_person: dict[UUID, list[sa.Row[Any]]] = {}
    for row in db.execute(query.order_by(notices.c.created_at, notices.c.id)):
        by_person.setdefault(row.person_id, []).append(row)
    return [_addressed(rows) for rows in by_person.values()]


def unsent(db: Connection, ids: Collection[UUID]) -> frozenset[UUID]:
    """Those of these notices whose letter is to be sent still."""
    query = sa.select(notices.c.id).where(notices.c.id.in_(ids), notices.c.send_at.is_not(None))
    return frozenset(db.execute(query).scalars())


def sent(db: Connection, ids: Collection[UUID]) -> None:
    """Their letter is on its way; what it said is still to be read in the app."""
    _change(db, notices.c.id.in_(ids), send_at=None, in_digest=False)


def put_off(db: Connection, late: Sequence[Notice], now: datetime) -> None:
    """Their letter could not be sent: later again, together; what was settled meanwhile is not sent at all."""
    attempts = max(notice.attempts for notice in late)
    which = sa.and_(notices.c.id.in_([notice.id for notice in late]), notices.c.send_at.is_not(None))
    _change(db, which, send_at=now + wait_after(attempts), attempts=attempts + 1)


def _waiting(now: datetime) -> sa.Select[Any]:
    query = sa.select(notices, persons.c.email, persons.c.language)
    return query.join(persons, persons.c.id == notices.c.person_id).where(notices.c.send_at <= now, _IS_READER)


def _addressed(rows: Sequence[sa.Row[Any]]) -> Addressed:
    return Addressed(notices=tuple(map(_notice, rows)), email=rows[0].email, language=rows[0].language)


# ---------------------------------------------------------------- preferences


def preferences(db: Connection, person_id: UUID) -> dict[str, str]:
    """What a person chose, by kind; what is not there was not chosen."""
    query = sa.select(notice_preferences.c.kind, notice_preferences.c.mail)
    return {row.kind: row.mail for row in db.execute(query.where(notice_preferences.c.person_id == person_id))}


def choose(db: Connection, person_id: UUID, chosen: Mapping[NoticeKind, Mail]) -> None:
    """Keep what a person chose. The person's row is locked, so that two choices at once do not meet."""
    db.execute(sa.select(persons.c.id).where(persons.c.id == person_id).with_for_update(key_share=True))
    kinds = list(chosen)
    mine = notice_preferences.c.person_id == person_id
    db.execute(notice_preferences.delete().where(mine, notice_preferences.c.kind.in_(kinds)))
    rows = [{"person_id": person_id, "kind": kind, "mail": mail} for kind, mail in chosen.items()]
    db.execute(sa.insert(notice_preferences), rows)
    unwanted = [kind for kind, mail in chosen.items() if mail is Mail.NEVER]
    waits = sa.and_(notices.c.person_id == person_id, notices.c.kind.in_(unwanted), notices.c.in_digest)
    _change(db, waits, send_at=None)


def _change(db: Connection, which: sa.ColumnElement[bool], **values: Any) -> None:
    """Change some notices. They are locked in the order of their ids, so that two who change the same never wait for
    each other.
    """
    query = sa.select(notices.c.id).where(which).order_by(notices.c.id).with_for_update()
    ids = db.execute(query).scalars().all()
    if ids:
        db.execute(notices.update().where(notices.c.id.in_(ids)).values(values))


def _notice(row: sa.Row[Any]) -> Notice:
    return msgspec.convert(row, Notice, from_attributes=True)
