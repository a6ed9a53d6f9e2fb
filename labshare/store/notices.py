"""The queue of notices: a row until its letter is sent. What must not live here: what a notice says (mail.py)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from labshare.domain.notices import Addressed, Notice, NoticeKind
from labshare.store.invitations import wait_after
from labshare.store.tables import notices, persons

# Whoever is disabled or erased, or has no address, is written to no more.
_IS_READER = sa.and_(persons.c.email != "", persons.c.disabled_at.is_(None), persons.c.erased_at.is_(None))


def add(db: Connection, notice: Notice) -> bool:
    """Have it sent; False for somebody who has no address."""
    reads = sa.select(persons.c.id).where(persons.c.id == notice.person_id, _IS_READER)
    if db.execute(reads).first() is None:
        return False
    db.execute(notices.insert().values(msgspec.structs.asdict(notice)))
    return True


def due(db: Connection, now: datetime, *, limit: int = 50) -> list[Addressed]:
    """Notices to be sent now, the one that has waited longest first."""
    query = (
        sa.select(notices, persons.c.email, persons.c.language)
        .join(persons, persons.c.id == notices.c.person_id)
        .where(notices.c.send_at <= now, _IS_READER)
        .order_by(notices.c.send_at, notices.c.id)
        .limit(limit)
    )
    return [
        Addressed(
            notice=Notice(
                id=row.id,
                person_id=row.person_id,
                kind=NoticeKind(row.kind),
                name_vi=row.name_vi,
                name_en=row.name_en,
                page=row.page,
                until=row.until,
                send_at=row.send_at,
                attempts=row.attempts,
            ),
            email=row.email,
            language=row.language,
        )
        for row in db.execute(query)
    ]


def sent(db: Connection, notice_id: UUID) -> None:
    db.execute(notices.delete().where(notices.c.id == notice_id))


def put_off(db: Connection, notice: Notice, now: datetime) -> None:
    """The letter could not be sent: later again."""
    later = {"send_at": now + wait_after(notice.attempts), "attempts": notice.attempts + 1}
    db.execute(notices.update().where(notices.c.id == notice.id).values(later))


def forget(db: Connection, before: datetime) -> None:
    """Delete what has waited since before this instant for somebody who is written to no more."""
    readers = sa.select(persons.c.id).where(_IS_READER)
    db.execute(notices.delete().where(notices.c.send_at < before, notices.c.person_id.not_in(readers)))
