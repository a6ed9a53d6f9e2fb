"""Affiliations as rows, and what ends with one. What must not live here: who may judge (domain/people.py)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from labshare.domain.affiliations import Affiliation, AffiliationLine, AffiliationState
from labshare.domain.bookings import OCCUPYING
from labshare.domain.organisations import CheckState
from labshare.domain.people import Grant, Place
from labshare.domain.projects import ProjectLine, ProjectState
from labshare.domain.rounds import RoundState
from labshare.domain.text import fold
from labshare.domain.time_requests import RequestState
from labshare.store import booking_pages
from labshare.store import projects as projects_store
from labshare.store.booking_pages import BookingLine
from labshare.store.bookings import ATTENDANTS, LONGEST
from labshare.store.people import IS_ENABLED
from labshare.store.tables import (
    bookings,
    grants,
    organisation_checks,
    organisations,
    persons,
    project_members,
    projects,
    rounds,
    sign_ins,
    time_requests,
    tokens,
)
from labshare.store.types import EPOCH, UTCDateTime

_COLUMNS = (
    persons.c.id.label("person_id"),
    persons.c.organisation_id,
    persons.c.affiliation.label("state"),
    persons.c.affiliation_reason.label("reason"),
    persons.c.affiliation_at.label("at"),
    persons.c.affiliation_version.label("version"),
)
# Who came with a file was there before anybody who asked; databases order nulls differently.
_LONG_AGO = sa.literal(EPOCH, UTCDateTime)
_ENDED = sa.select(persons.c.id).where(persons.c.affiliation == AffiliationState.ENDED)


def of_person(db: Connection, person_id: UUID, *, lock: bool = False) -> Affiliation | None:
    """A person's affiliation; with `lock` nobody books for them or judges it before this transaction ends."""
    query = sa.select(*_COLUMNS).where(persons.c.id == person_id, persons.c.erased_at.is_(None))
    row = db.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else _affiliation(row)


def save(db: Connection, affiliation: Affiliation, *, seen_version: int) -> bool:
    """Write it over the version that was seen; False when that version no longer stands."""
    standing = sa.and_(persons.c.id == affiliation.person_id, persons.c.affiliation_version == seen_version)
    values = {
        "organisation_id": affiliation.organisation_id,
        "affiliation": affiliation.state,
        "affiliation_reason": affiliation.reason,
        "affiliation_at": affiliation.at,
        "affiliation_version": affiliation.version,
    }
    return db.execute(persons.update().where(standing).values(values)).rowcount == 1


def lines(
    db: Connection,
    state: AffiliationState,
    organisation_ids: Collection[str] | None = None,
    *,
    text: str = "",
    limit: int = 100,
) -> list[AffiliationLine]:
    """Affiliations in this state, the oldest first, of these organisations (None: of all) and of people whose name,
    login or address has the text in it, with or without accents.
    """
    query = (
        sa.select(*_COLUMNS, persons.c.login, persons.c.name, persons.c.email)
        .add_columns(organisations.c.name_vi, organisations.c.name_en)
        .join(organisations, organisations.c.id == persons.c.organisation_id)
        .where(persons.c.affiliation == state, IS_ENABLED)
        .order_by(sa.func.coalesce(persons.c.affiliation_at, _LONG_AGO), persons.c.login)
    )
    if organisation_ids is not None:
        query = query.where(persons.c.organisation_id.in_(sorted(organisation_ids)))
    wanted = fold(text)
    # A person's name is kept in one place only, so there is no folded column that erasing would have to empty too.
    rows = (row for row in db.execute(query) if wanted in fold(f"{row.name} {row.login} {row.email}"))
    return [
        AffiliationLine(
            affiliation=_affiliation(row),
            login=row.login,
            name=row.name,
            email=row.email,
            name_vi=row.name_vi,
            name_en=row.name_en,
        )
        for row in islice(rows, limit)
    ]


def choices(db: Connection) -> list[Place]:
    """The organisations for which somebody may say that they work, by Vietnamese name: those that are checked."""
    query = (
        sa.select(organisations.c.id, organisations.c.name_vi, organisations.c.name_en)
        .outerjoin(organisation_checks, organisation_checks.c.organisation_id == organisations.c.id)
        .where(
            organisations.c.retired_at.is_(None),
            sa.func.coalesce(organisation_checks.c.state, CheckState.CHECKED) == CheckState.CHECKED,
        )
        .order_by(organisations.c.sort_vi, organisations.c.id)
    )
    return [Place(id=row.id, name_vi=row.name_vi, name_en=row.name_en) for row in db.execute(query)]


def give(db: Connection, person_id: UUID, grant: Grant) -> None:
    """Let the person hold this role; holding it already changes nothing."""
    values = {"role": grant.role, "centre_id": grant.centre_id, "organisation_id": grant.organisation_id}
    held = sa.select(grants.c.id).where(
        grants.c.person_id == person_id, *(grants.c[name].is_not_distinct_from(value) for name, value in values.items())
    )
    if db.execute(held).first() is None:
        db.execute(grants.insert().values(id=uuid4(), person_id=person_id, **values))


def has_ended(db: Connection, person_id: UUID) -> bool:
    """Whether the person has left the organisation that they named."""
    query = sa.select(persons.c.affiliation).where(persons.c.id == person_id)
    return db.execute(query).scalar_one_or_none() == AffiliationState.ENDED


def take_everything(db: Connection, person_id: UUID, now: datetime) -> None:
    """End the person's roles, memberships, sign-ins and tokens, and withdraw what they ask of rounds that still listen.

    What a closed round plans for them is left out when it is published; bookings and requests of the past stay.
    """
    for table in (grants, project_members, sign_ins):
        db.execute(table.delete().where(table.c.person_id == person_id))
    open_tokens = sa.and_(tokens.c.person_id == person_id, tokens.c.revoked_at.is_(None))
    db.execute(tokens.update().where(open_tokens).values(revoked_at=now))
    listening = sa.select(rounds.c.id).where(rounds.c.state == RoundState.OPEN)
    mine = sa.and_(time_requests.c.person_id == person_id, time_requests.c.state == RequestState.SUBMITTED)
    db.execute(
        time_requests.update()
        .where(mine, time_requests.c.round_id.in_(listening))
        .values(state=RequestState.WITHDRAWN, version=time_requests.c.version + 1)
    )


def bookings_left(db: Connection, now: datetime, *, limit: int = 200) -> list[BookingLine]:
    """What people who have left still have booked, or were to be there for somebody at, the earliest first."""
    since = now.replace(second=0, microsecond=0)
    states = bookings.c.state.in_(sorted(OCCUPYING))
    ahead = (bookings.c.starts_at > since - LONGEST, bookings.c.ends_at > since)
    theirs = sa.or_(*(role.in_(_ENDED) for role in (bookings.c.person_id, *ATTENDANTS)))
    return booking_pages.lines(db, theirs, states, *ahead, limit=limit)


def projects_left(db: Connection, now: datetime) -> list[ProjectLine]:
    """Projects that could still be used and whose investigator has left, by code."""
    lasting = sa.or_(projects.c.expires_at.is_(None), projects.c.expires_at > now)
    return projects_store.lines_where(
        db, projects.c.pi_id.in_(_ENDED), projects.c.state != ProjectState.DECLINED, lasting
    )


def _affiliation(row: Any) -> Affiliation:
    return Affiliation(
        person_id=row.person_id,
        organisation_id=row.organisation_id,
        state=AffiliationState(row.state),
        reason=row.reason,
        at=row.at,
        version=row.version,
    )
