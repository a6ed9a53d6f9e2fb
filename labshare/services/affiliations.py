"""What people do about who works where: name an organisation, confirm, decline, end, see what leavers leave behind.

What must not live here: the states (domain/affiliations.py), or the changes that follow from them as rows (store).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import msgspec

from labshare.domain import affiliations as rules
from labshare.domain.affiliations import Affiliation, AffiliationLine, AffiliationState
from labshare.domain.notices import NoticeKind
from labshare.domain.people import Action, Actor, Grant, Place, Role, may_somewhere, reach, require
from labshare.domain.projects import ProjectLine
from labshare.errors import Forbidden, NotFound, Refusal, Refused, Stale
from labshare.services import notices
from labshare.store import affiliations as store
from labshare.store import audit
from labshare.store import organisations as organisations_store
from labshare.store import people as people_store
from labshare.store.booking_pages import BookingLine
from labshare.store.engine import Connection

MOST_SHOWN = 100
# Roles that reach beyond one organisation.
OFFICES = frozenset({Role.ADMINISTRATOR, Role.USER_OFFICE, Role.LAB_MANAGER})


def mine(db: Connection, actor: Actor) -> Affiliation:
    """The actor's own affiliation, whatever its state."""
    return _found(db, actor.person_id, lock=False)


def waiting(db: Connection, actor: Actor) -> list[AffiliationLine]:
    """Who waits for the actor to say whether they work there. Raises `Forbidden` for those who may judge nobody."""
    return store.lines(db, AffiliationState.WAITING, _reach(actor))


def people_of(db: Connection, actor: Actor, text: str = "") -> list[AffiliationLine]:
    """People of the organisations for which the actor may speak, with the text in name, login or address; no more than
    `MOST_SHOWN`.

    Raises `Forbidden` as `waiting` does.
    """
    return store.lines(db, AffiliationState.CONFIRMED, _reach(actor), text=text, limit=MOST_SHOWN)


def choices(db: Connection) -> list[Place]:
    """The organisations that somebody may name, by name."""
    return store.choices(db)


def name_organisation(db: Connection, actor: Actor, organisation_id: str, now: datetime) -> Affiliation:
    """Say for whom one works, for them to confirm. Raises `Refused` for an unknown one and `WrongState` while one is
    confirmed: it has to be ended first, by them or the user office.
    """
    before = _found(db, actor.person_id)
    after = rules.named(before, organisation_id, now)
    if organisation_id not in {choice.id for choice in store.choices(db)}:
        raise Refused([Refusal(code="organisation_unknown")])
    return _save(db, actor, before, after, "name_organisation", now)


def confirm(db: Connection, actor: Actor, person_id: UUID, *, version: int, now: datetime) -> Affiliation:
    """Stand behind it; from now on the person may do what a researcher may.

    Raises `Stale`, `Forbidden`, `NotFound`, and `Refused` while the organisation itself is not checked.
    """
    after = stand_behind(db, actor, person_id, version=version, now=now)
    _tell(db, after, NoticeKind.AFFILIATION_CONFIRMED, now)
    return after


def stand_behind(db: Connection, actor: Actor, person_id: UUID, *, version: int, now: datetime) -> Affiliation:
    """The same without a letter, for whoever is written to about more than this."""

    def decide(before: Affiliation) -> Affiliation:
        if not organisations_store.is_checked(db, before.organisation_id):
            raise Refused([Refusal(code="organisation_unchecked")])
        return rules.confirmed(before, now)

    after = _judge(db, actor, person_id, version, "confirm", now, decide)
    store.give(db, person_id, Grant(role=Role.RESEARCHER))
    return after


def decline(db: Connection, actor: Actor, person_id: UUID, *, version: int, reason: str, now: datetime) -> Affiliation:
    """Say that they do not work there. The person reads the reason and may name another organisation."""
    after = _judge(db, actor, person_id, version, "decline", now, lambda before: rules.declined(before, reason, now))
    _tell(db, after, NoticeKind.AFFILIATION_DECLINED, now)
    return after


def end(db: Connection, actor: Actor, person_id: UUID, *, version: int, reason: str, now: datetime) -> Affiliation:
    """The person has left: roles, memberships, sign-ins and tokens end in this transaction; what they did stays.

    What is still booked for them is listed for the user office, for people to decide about. Raises `Refused` where a
    representative would end somebody with an office in the network or a centre: that is for the user office.
    """

    def decide(before: Affiliation) -> Affiliation:
        target = people_store.actor(db, person_id)
        if _reach(actor) is not None and target and any(grant.role in OFFICES for grant in target.grants):
            raise Refused([Refusal(code="affiliation_of_office")])
        return rules.ended(before, reason, now)

    after = _judge(db, actor, person_id, version, "end", now, decide)
    store.take_everything(db, person_id, now)
    return after


class LeftBehind(msgspec.Struct, frozen=True, kw_only=True):
    """What people who have left still have booked, and the projects that they were to answer for."""

    bookings: list[BookingLine]
    projects: list[ProjectLine]


def left_behind(db: Connection, actor: Actor, now: datetime) -> LeftBehind:
    """For the user office, which sees every booking. Raises `Forbidden` for others."""
    require(actor, Action.SEE_PROJECT)
    return LeftBehind(bookings=store.bookings_left(db, now), projects=store.projects_left(db, now))


def _tell(db: Connection, affiliation: Affiliation, kind: NoticeKind, now: datetime) -> None:
    place = people_store.places(db, [affiliation.organisation_id])[affiliation.organisation_id]
    notices.tell(db, affiliation.person_id, kind, (place.name_vi, place.name_en), "/account", now)


def _reach(actor: Actor) -> frozenset[str] | None:
    if not may_somewhere(actor, Action.MANAGE_PEOPLE):
        raise Forbidden("forbidden", action=Action.MANAGE_PEOPLE.value)
    return reach(actor, Action.MANAGE_PEOPLE)


def _found(db: Connection, person_id: UUID, *, lock: bool = True) -> Affiliation:
    found = store.of_person(db, person_id, lock=lock)
    if found is None:
        raise NotFound()
    return found


def _judge(
    db: Connection,
    actor: Actor,
    person_id: UUID,
    version: int,
    action: str,
    now: datetime,
    decide: Callable[[Affiliation], Affiliation],
) -> Affiliation:
    """Nobody learns of people whom they may not judge: those are not found."""
    within = _reach(actor)
    before = _found(db, person_id)
    if within is not None and before.organisation_id not in within:
        raise NotFound()
    if before.version != version:
        raise Stale("affiliation_changed")
    return _save(db, actor, before, decide(before), action, now)


def _save(
    db: Connection, actor: Actor, before: Affiliation, after: Affiliation, action: str, now: datetime
) -> Affiliation:
    if not store.save(db, after, seen_version=before.version):
        raise Stale("affiliation_changed")
    audit.record(
        db, actor_id=actor.person_id, action=action, noun="affiliation", noun_id=after.person_id, now=now,
        details={
            "organisation": after.organisation_id,
            "version": after.version,
            "reason": audit.hashed(db, after.reason) if after.reason else None,
        },
    )  # fmt: skip
    return after
