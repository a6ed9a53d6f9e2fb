"""Telling people by letter what they wait for: written with the change, sent after it (labshare/mail.py).

What must not live here: when there is something to tell (the services of each noun).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID, uuid4

from labshare.domain.notices import Addressed, Notice, NoticeKind
from labshare.store import notices as store
from labshare.store import outbox
from labshare.store.engine import Connection

# What tells the sender of letters that one waits.
LETTERS = "letters"
KEPT = timedelta(days=30)


def tell(
    db: Connection,
    person_id: UUID,
    kind: NoticeKind,
    names: tuple[str, str],
    page: str,
    now: datetime,
    *,
    until: datetime | None = None,
) -> None:
    """Have the person written to, in the language they read when it is sent. `names` are Vietnamese and English."""
    name_vi, name_en = names
    notice = Notice(
        id=uuid4(),
        person_id=person_id,
        kind=kind,
        name_vi=name_vi,
        name_en=name_en,
        page=page,
        until=until,
        send_at=now,
    )
    if store.add(db, notice):
        outbox.post(db, LETTERS, {"notice": str(notice.id)})
    store.forget(db, now - KEPT)


def letters(db: Connection, now: datetime) -> list[Addressed]:
    """What is to be sent now."""
    return store.due(db, now)


def sent(db: Connection, addressed: Addressed) -> None:
    """The letter is on its way."""
    store.sent(db, addressed.notice.id)


def put_off(db: Connection, addressed: Addressed, now: datetime) -> None:
    """It could not be sent: try again later."""
    store.put_off(db, addressed.notice, now)
