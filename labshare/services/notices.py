"""Telling people what they wait for: written with the change, read in the app, and sent as a letter after it as each
person chose (labshare/mail.py).

What must not live here: when there is something to tell (the services of each noun).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from uuid import UUID, uuid4

import msgspec

from labshare.domain.notices import (
    GROUPS,
    KEPT,
    WITH_CALENDAR,
    Addressed,
    Mail,
    Notice,
    NoticeKind,
    choices,
    in_force,
    send_at,
)
from labshare.domain.people import Action, Actor, may_somewhere
from labshare.errors import Refusal, Refused
from labshare.store import booking_pages, outbox
from labshare.store import notices as store
from labshare.store.booking_pages import BookingLine
from labshare.store.engine import Connection

# What tells the sender of letters that one waits.
LETTERS = "letters"


class Preference(msgspec.Struct, frozen=True, kw_only=True):
    """When a person has letters of a kind, and what they may choose; only one where it is not theirs to choose."""

    kind: NoticeKind
    mail: Mail
    choices: tuple[Mail, ...]


# ---------------------------------------------------------------- telling


def tell(
    db: Connection,
    person_id: UUID,
    kind: NoticeKind,
    names: tuple[str, str],
    page: str,
    now: datetime,
    *,
    until: datetime | None = None,
    booking_id: UUID | None = None,
    series_id: UUID | None = None,
) -> None:
    """Have the person told, in the language they read by then. `names` are Vietnamese and English."""
    tell_all(db, [person_id], kind, names, page, now, until=until, booking_id=booking_id, series_id=series_id)


def tell_all(
    db: Connection,
    person_ids: Iterable[UUID],
    kind: NoticeKind,
    names: tuple[str, str],
    page: str,
    now: datetime,
    *,
    until: datetime | None = None,
    booking_id: UUID | None = None,
    series_id: UUID | None = None,
) -> None:
    """Have each of these persons told the same. Three statements however many they are, none for nobody."""
    told = set(person_ids)
    new = [
        Notice(
            id=uuid4(),
            person_id=person_id,
            kind=kind,
            name_vi=names[0],
            name_en=names[1],
            page=page,
            until=until,
            booking_id=booking_id,
            series_id=series_id,
            created_at=now,
            send_at=send_at(mail, now) if has_address else None,
            in_digest=mail is Mail.DAILY,
        )
        for person_id, (has_address, chosen) in (store.readers(db, told, kind) if told else {}).items()
        for mail in [in_force(kind, chosen)]
    ]
    if new:
        store.add(db, new)
    if any(notice.send_at == now for notice in new):
        outbox.post(db, LETTERS, {"notice": str(new[0].id)})


def settle(db: Connection, booking_ids: Collection[UUID], series_ids: Collection[UUID], now: datetime) -> None:
    """Nobody need answer for these bookings any more, nor for these series where none of their bookings waits."""
    store.settle(db, booking_ids, series_ids, now)


# ---------------------------------------------------------------- reading


def mine(
    db: Connection,
    actor: Actor,
    *,
    unread: bool = False,
    after: tuple[datetime, UUID] | None = None,
    limit: int = 50,
) -> list[Notice]:
    """What the actor was told, the newest first; `after` is the time and the id of the one behind which to go on."""
    return store.of_person(db, actor.person_id, unread=unread, after=after, limit=limit)


def unread(db: Connection, actor: Actor) -> int:
    """How much of it they have not read. One query."""
    return store.unread(db, actor.person_id)


def read(db: Connection, actor: Actor, notice_id: UUID, now: datetime) -> Notice:
    """The actor has read this one. Raises `NotFound` for one that is not theirs."""
    return store.read(db, actor.person_id, notice_id, now)


def read_all(db: Connection, actor: Actor, now: datetime, *, until: datetime | None = None) -> None:
    """The actor has read all that they were told until then: what came since the page was shown stays unread."""
    store.read_all(db, actor.person_id, until or now, now)


def forget(db: Connection, now: datetime) -> None:
    """Delete what is too old to be of use to anybody."""
    store.forget(db, now - KEPT)


# ---------------------------------------------------------------- preferences


def preferences(db: Connection, actor: Actor) -> dict[str, tuple[Preference, ...]]:
    """When the actor has letters, by the groups of kinds that concern them."""
    chosen = store.preferences(db, actor.person_id)
    return {
        group: tuple(
            Preference(kind=kind, mail=in_force(kind, chosen.get(kind)), choices=choices(kind)) for kind in kinds
        )
        for group, kinds in GROUPS.items()
        if _concerns(group, actor)
    }


def choose(db: Connection, actor: Actor, chosen: Mapping[NoticeKind, Mail]) -> None:
    """Have letters of these kinds so from now on. Raises `Refused` naming each kind that may not be chosen so."""
    refusals = [
        Refusal(code="notice_mail_fixed", params={"kind": kind.value, "mail": mail.value})
        for kind, mail in chosen.items()
        if mail not in choices(kind)
    ]
    if refusals:
        raise Refused(refusals)
    if chosen:
        store.choose(db, actor.person_id, chosen)


def _concerns(group: str, actor: Actor) -> bool:
    if group == "centre":
        return may_somewhere(actor, Action.MANAGE_CALENDAR)
    return bool(actor.partner_ids) if group == "agreements" else True


# ---------------------------------------------------------------- letters


def letters(db: Connection, now: datetime) -> list[Addressed]:
    """What is to be sent now: letters of one notice each, then the digests of those who want one a day."""
    return [*store.due(db, now), *store.digests(db, now)]


def left(db: Connection, addressed: Addressed) -> Addressed | None:
    """What of a letter is to be sent still: nothing of what was settled, or read in the app before a digest."""
    unsent = store.unsent(db, [notice.id for notice in addressed.notices])
    found = tuple(notice for notice in addressed.notices if notice.id in unsent)
    return msgspec.structs.replace(addressed, notices=found) if found else None


def calendar_of(db: Connection, notice: Notice) -> list[BookingLine]:
    """The bookings that a letter carries as a calendar file: of its reader alone, as they stand when it is sent."""
    if notice.kind not in WITH_CALENDAR or notice.booking_id is None:
        return []
    lines = booking_pages.lines_with(db, notice.booking_id, notice.series_id)
    return [line for line in lines if line.booking.person_id == notice.person_id]


def sent(db: Connection, addressed: Addressed) -> None:
    """The letter is on its way."""
    store.sent(db, [notice.id for notice in addressed.notices])


def put_off(db: Connection, addressed: Addressed, now: datetime) -> None:
    """It could not be sent: try again later."""
    store.put_off(db, addressed.notices, now)
