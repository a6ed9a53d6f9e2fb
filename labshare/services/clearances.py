"""What is done about security clearances (R26): find which a wish lacks, keep them on record, and decide them.

A direct booking is refused while its project lacks one; a request for time is taken and held out of the plan. What must
not live here: what a screening clause looks for (domain/screening.py) or what becomes of a clearance
(domain/clearances.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

import msgspec

from labshare.domain import clearances as rules
from labshare.domain.agreements import Agreement, covers
from labshare.domain.bookings import Booking, InstrumentRules, Wish
from labshare.domain.clearances import Clearance, ClearanceLine, ClearanceState, lacking
from labshare.domain.people import Action, Actor, require
from labshare.domain.projects import Project
from labshare.domain.rounds import Round
from labshare.domain.screening import Hold, Screened, Screening, screen
from labshare.domain.time_requests import TimeRequest
from labshare.errors import NotFound, Refusal, Refused, Stale
from labshare.services import clauses, holidays
from labshare.store import audit, people
from labshare.store import bookings as bookings_store
from labshare.store import clearances as store
from labshare.store import projects as projects_store
from labshare.store import rounds as rounds_store
from labshare.store import time_requests as requests_store
from labshare.store.engine import Connection
from labshare.store.rulebooks import rulebook


class NotCleared(Refused):
    """Refused, and among the reasons is a clearance that is to be decided: these wishes are put before the user office
    in a transaction of their own, since that of the refusal is undone.
    """

    def __init__(self, refusals: Sequence[Refusal], wishes: Sequence[Wish]) -> None:
        super().__init__(tuple(refusals))
        # The dates of a series ask for one thing.
        self.wishes = tuple({(each.project_id, each.instrument_number, each.purpose): each for each in wishes}.values())

    def said_as(self, refusals: Iterable[Refusal]) -> Self:
        return type(self)(tuple(refusals), self.wishes)


class Place(msgspec.Struct, frozen=True):
    """An instrument of a round, as the scope of a clause reads it."""

    instrument_id: str
    centre_id: str


# ---------------------------------------------------------------- what is lacking


def of_wish(
    db: Connection,
    agreements: Iterable[Agreement],
    project: Project,
    wish: Wish,
    now: datetime,
    *,
    before: Booking | None = None,
) -> tuple[Clearance, ...]:
    """The clearances that a direct booking lacks under the agreements that cover its instrument. Two queries at most.

    One that stands there for the same project and the same words (`before`) is looked at for what is on record alone:
    they were looked at when it was made. A form's hold may have been made before its words were written.
    """
    words: str | None = wish.purpose
    if before and not before.form_hold and (before.project_id, before.purpose) == (project.id, wish.purpose):
        words = None
    return _Looking(db, agreements, {project.id: project}, now).lacking(project.id, words)


def require_words(db: Connection, booking: Booking, instrument: InstrumentRules, words: str, now: datetime) -> None:
    """Refuse to say that a booking that stands is for this, where it would lack something then. Raises `Refused`."""
    if booking.project_id is None:
        return
    project = projects_store.by_ids(db, [booking.project_id])[booking.project_id]
    wish = Wish(
        instrument_number=instrument.number,
        span=booking.span,
        person_id=booking.person_id,
        project_id=project.id,
        purpose=words,
        replaces_id=booking.id,
    )
    covering = clauses.covering(rulebook(db), instrument, wish)
    lacks = of_wish(db, covering, project, wish, now, before=booking)
    refusals = [rules.refusal(each, project.code, now) for each in lacks]
    if refusals:
        raise NotCleared(refusals, [wish])


def of_requests(
    db: Connection, r: Round, requests: Sequence[TimeRequest], now: datetime
) -> dict[UUID, tuple[Clearance, ...]]:
    """The requests of a round that are held, with what they lack: under an agreement that covers any instrument that
    may serve them. One query where no agreement in force screens; five more where one does.
    """
    screening = [each for each in clauses.in_force(db, r.starts_at) if each.screening]
    if not (screening and requests):
        return {}
    numbers = rounds_store.numbers_by_round(db, [r.id]).get(r.id, ())
    offered = bookings_store.rules_of(db, numbers)
    capabilities = rounds_store.capabilities_of(db, offered)
    projects = projects_store.by_ids(db, {each.project_id for each in requests})
    looking = _Looking(db, screening, projects, now)
    found: dict[UUID, tuple[Clearance, ...]] = {}
    for request in requests:
        places = _places(request, offered, capabilities)
        if lacks := looking.lacking(request.project_id, request.purpose, places):
            found[request.id] = lacks
    return found


def of_round(db: Connection, r: Round, now: datetime) -> dict[UUID, tuple[Clearance, ...]]:
    """The same of every request of the round; its requests are read only where an agreement in force screens."""
    if not any(each.screening for each in clauses.in_force(db, r.starts_at)):
        return {}
    return of_requests(db, r, requests_store.of_round(db, r.id), now)


def _places(
    request: TimeRequest, offered: Mapping[int, InstrumentRules], capabilities: Mapping[int, str]
) -> list[Place]:
    return [
        Place(each.id, each.centre_id)
        for number, each in sorted(offered.items())
        if number in request.instrument_numbers
        or (request.capability_id is not None and capabilities[number] == request.capability_id)
    ]


class _Looking:
    """Agreements that screen, and what is on record of some projects, read once."""

    def __init__(
        self, db: Connection, agreements: Iterable[Agreement], projects: Mapping[UUID, Project], now: datetime
    ) -> None:
        self._clauses = [(each, each.screening) for each in agreements if each.screening]
        self._projects, self._now = projects, now
        organisations = {each.organisation_id for each in projects.values()}
        self._known = store.of_projects(db, projects) if self._clauses else {}
        self._foreign = store.foreign(db, organisations) if self._clauses else frozenset[str]()

    def lacking(
        self, project_id: UUID, words: str | None, places: Sequence[Place] | None = None
    ) -> tuple[Clearance, ...]:
        """What the project lacks for these words; without words, by what is on record. No places: all are covered."""
        found = (
            lacking(
                clause,
                self._known.get((project_id, agreement.id)),
                None if words is None else self._met(agreement, clause, self._projects[project_id], words),
                project_id,
                agreement.id,
                self._now,
            )
            for agreement, clause in self._clauses
            if places is None or any(covers(agreement.covered, place) for place in places)
        )
        return tuple(each for each in found if each is not None)

    def _met(self, agreement: Agreement, clause: Screening, project: Project, words: str) -> Hold | None:
        asked = Screened(
            text=f"{project.title} {words}",
            organisation_id=project.organisation_id,
            is_foreign=project.organisation_id in self._foreign,
        )
        # Twice the working days and a month hold as many of them, whatever holidays there are.
        last = self._now + timedelta(days=2 * clause.working_days + 30)
        closed = holidays.closed_around(self._now.date(), last.date())
        return screen(clause, asked, self._now, agreement.timezone, closed)


# ---------------------------------------------------------------- on record


def hold_back(db: Connection, actor: Actor, wish: Wish, now: datetime) -> None:
    """Keep on record what a refused wish lacks, so that it can be decided.

    In a transaction of its own: that of the refusal is undone.
    """
    if wish.project_id is None or wish.person_id is None:
        return
    project, is_member = projects_store.with_membership(db, wish.project_id, wish.person_id)
    if project is None or not is_member:
        return
    rules_by_number = bookings_store.rules_of(db, [wish.instrument_number])
    covering = clauses.covering(rulebook(db), rules_by_number[wish.instrument_number], wish)
    keep(db, actor, of_wish(db, covering, project, wish, now), now)


def keep(db: Connection, actor: Actor, lacks: Iterable[Clearance], now: datetime) -> None:
    """Write those that are new, or of which more was found; what stands already is left alone."""
    wanted = {(each.project_id, each.agreement_id): each for each in lacks}
    known = store.of_projects(db, {project_id for project_id, _ in wanted}) if wanted else {}
    for key, each in wanted.items():
        before = known.get(key)
        if before is None and store.add(db, each):
            _record(db, actor, "hold", each, now)
        elif before is not None and before != each:
            changed = msgspec.structs.replace(each, version=before.version + 1)
            if store.save(db, changed, seen_version=before.version):
                _record(db, actor, "hold", changed, now)


def keep_of_round(db: Connection, actor: Actor, r: Round, now: datetime) -> None:
    """The same for every request of a round, as an agreement may have begun to screen since they were made."""
    keep(db, actor, [each for lacks in of_round(db, r, now).values() for each in lacks], now)


# ---------------------------------------------------------------- looking, and deciding


def everything(db: Connection, actor: Actor) -> list[ClearanceLine]:
    """All of them, those that were due first in front. Raises `Forbidden` for those who do not decide."""
    require(actor, Action.DECIDE_CLEARANCE)
    return store.lines(db)


def waiting(db: Connection, actor: Actor) -> list[ClearanceLine]:
    """Those of them that nobody has decided."""
    return [line for line in everything(db, actor) if line.clearance.state is ClearanceState.WAITING]


def of_project(db: Connection, project_id: UUID) -> list[Clearance]:
    """What stands on record of one project, by agreement. Whoever calls has checked that the project is the reader's
    to see, and tells them no more than state and day.
    """
    return [each for _, each in sorted(store.of_projects(db, [project_id]).items())]


def show(db: Connection, actor: Actor, project_id: UUID, agreement_id: str) -> tuple[ClearanceLine, str]:
    """One clearance, with the name of who decided it (empty when nobody has). Raises `Forbidden` and `NotFound`."""
    require(actor, Action.DECIDE_CLEARANCE)
    line = store.line(db, project_id, agreement_id)
    if line is None:
        raise NotFound()
    by_id = line.clearance.decided_by_id
    return line, people.names(db, [by_id]).get(by_id, "") if by_id else ""


def decide(
    db: Connection,
    actor: Actor,
    project_id: UUID,
    agreement_id: str,
    state: ClearanceState,
    *,
    version: int,
    evidence: str,
    now: datetime,
) -> Clearance:
    """Give a clearance or refuse it, with the evidence. Raises `Stale` and what `decided` raises."""
    before = show(db, actor, project_id, agreement_id)[0].clearance
    if before.version != version:
        raise Stale("clearance_changed")
    after = rules.decided(before, state, by_id=actor.person_id, evidence=evidence, now=now)
    if not store.save(db, after, seen_version=version):
        raise Stale("clearance_changed")
    _record(db, actor, state.value, after, now, evidence=audit.hashed(db, after.evidence))
    return after


def _record(db: Connection, actor: Actor, action: str, clearance: Clearance, now: datetime, **details: str) -> None:
    audit.record(
        db, actor_id=actor.person_id, action=action, noun="clearance", noun_id=clearance.project_id, now=now,
        details={"agreement": clearance.agreement_id, "version": clearance.version, **details},
    )  # fmt: skip
