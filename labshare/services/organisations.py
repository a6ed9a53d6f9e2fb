"""Organisations that onboard themselves: proposed by one of their people, checked or declined by the user office."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from labshare.domain import affiliations as affiliation_rules
from labshare.domain import organisations as rules
from labshare.domain.affiliations import AffiliationState
from labshare.domain.notices import NoticeKind
from labshare.domain.organisations import CheckState, NewOrganisation, OrganisationCheck, OrganisationLine
from labshare.domain.people import Action, Actor, Grant, Role, may, require
from labshare.errors import NotFound, Refusal, Refused, Stale
from labshare.services import affiliations, notices
from labshare.store import affiliations as affiliations_store
from labshare.store import audit, people
from labshare.store import organisations as store
from labshare.store.engine import Connection


def propose(db: Connection, actor: Actor, new: NewOrganisation, now: datetime) -> str:
    """Onboard the organisation that the actor works for and name it as theirs; returns its id.

    Raises `Refused` with what is missing or when the number is known, and `WrongState` while the actor is confirmed.
    """
    before = affiliations.mine(db, actor)
    organisation_id = write(db, new)
    after = affiliation_rules.named(before, organisation_id, now)
    if not affiliations_store.save(db, after, seen_version=before.version):
        raise Stale("affiliation_changed")
    ask(db, organisation_id, new, actor.person_id, now)
    return organisation_id


def write(db: Connection, new: NewOrganisation) -> str:
    """The first half of onboarding: the organisation's row, which its person can then name. Raises `Refused`."""
    new = rules.check_new(new)
    if store.is_number_taken(db, new.country, new.registration_number):
        raise Refused([Refusal(code="organisation_known", params={"number": new.registration_number})])
    organisation_id = f"O-{uuid4().hex[:12].upper()}"
    store.add(db, organisation_id, new)
    return organisation_id


def ask(db: Connection, organisation_id: str, new: NewOrganisation, person_id: UUID, now: datetime) -> None:
    """The second half: the user office is asked to check it."""
    new = rules.check_new(new)
    check = OrganisationCheck(
        organisation_id=organisation_id,
        registration_number=new.registration_number,
        country=new.country,
        contact=new.contact,
        evidence=new.evidence,
        proposed_by_id=person_id,
        proposed_at=now,
    )
    store.ask(db, check)
    _audit(db, person_id, "propose", check, now)


def waiting(db: Connection, actor: Actor) -> list[OrganisationLine]:
    """What the user office has to check. Raises `Forbidden` for others."""
    require(actor, Action.CHECK_ORGANISATION)
    return store.proposed(db)


def show(db: Connection, actor: Actor, organisation_id: str) -> OrganisationLine:
    """For the user office and the one who proposed it; `NotFound` for everybody else."""
    line = store.line(db, organisation_id)
    if line is None or not (line.check.proposed_by_id == actor.person_id or may(actor, Action.CHECK_ORGANISATION)):
        raise NotFound("organisation_not_found", id=organisation_id)
    return line


def of_actor(db: Connection, actor: Actor) -> OrganisationCheck | None:
    """The check of the organisation that the actor proposed and names; None where there is none to tell of."""
    line = store.line(db, actor.organisation_id)
    return line.check if line and line.check.proposed_by_id == actor.person_id else None


def check(db: Connection, actor: Actor, organisation_id: str, *, version: int, now: datetime) -> None:
    """Confirm what it states. Whoever proposed it, and still names it, is confirmed there and speaks for it from then.

    Raises `Stale`, `WrongState` when it is checked already, and `Refused` when another one with its number is.
    """
    require(actor, Action.CHECK_ORGANISATION)
    before = _seen(db, actor, organisation_id, version)
    for other in store.hold_number(db, before.country, before.registration_number):
        if other.organisation_id != organisation_id and other.state is CheckState.CHECKED:
            raise Refused([Refusal(code="organisation_known", params={"number": before.registration_number})])
    _save(db, actor, before, rules.checked(before, by_id=actor.person_id, now=now), "check", now)
    proposer = affiliations_store.of_person(db, before.proposed_by_id, lock=True)
    if proposer and (proposer.organisation_id, proposer.state) == (organisation_id, AffiliationState.WAITING):
        affiliations.stand_behind(db, actor, proposer.person_id, version=proposer.version, now=now)
        speaks = Grant(role=Role.REPRESENTATIVE, organisation_id=organisation_id)
        affiliations_store.give(db, proposer.person_id, speaks)
    _tell(db, before, NoticeKind.ORGANISATION_CHECKED, now)


def decline(db: Connection, actor: Actor, organisation_id: str, *, version: int, reason: str, now: datetime) -> None:
    """Refuse it; who proposed it reads the reason. Raises as `check` does, and `Refused` without a reason."""
    require(actor, Action.CHECK_ORGANISATION)
    before = _seen(db, actor, organisation_id, version)
    after = rules.declined(before, by_id=actor.person_id, reason=reason, now=now)
    _save(db, actor, before, after, "decline", now)
    _tell(db, before, NoticeKind.ORGANISATION_DECLINED, now)


def _seen(db: Connection, actor: Actor, organisation_id: str, version: int) -> OrganisationCheck:
    found = show(db, actor, organisation_id).check
    if found.version != version:
        raise Stale()
    return found


def _save(
    db: Connection, actor: Actor, before: OrganisationCheck, after: OrganisationCheck, action: str, now: datetime
) -> None:
    if not store.save(db, after, seen_version=before.version):
        raise Stale()
    _audit(db, actor.person_id, action, after, now)


def _tell(db: Connection, check: OrganisationCheck, kind: NoticeKind, now: datetime) -> None:
    place = people.places(db, [check.organisation_id])[check.organisation_id]
    page = f"/organisations/{check.organisation_id}"
    notices.tell(db, check.proposed_by_id, kind, (place.name_vi, place.name_en), page, now)


def _audit(db: Connection, actor_id: UUID, action: str, check: OrganisationCheck, now: datetime) -> None:
    audit.record(
        db, actor_id=actor_id, action=action, noun="organisation", noun_id=check.organisation_id, now=now,
        details={"version": check.version, "evidence": audit.hashed(db, check.evidence)},
    )  # fmt: skip
