"""Letting people in: invited by whoever speaks for their organisation, or asked for by themselves at an address that
the token proves. The same token lets somebody who is here already choose a new password.

A token is made from the installation's secret and the invitation's id, so that neither the database nor its backups
hold one: the letter's sender makes it again. What must not live here: hashing passwords, or the letters.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import msgspec

from labshare.domain.affiliations import AffiliationState
from labshare.domain.invitations import (
    ASKED_HOLDS,
    INVITED_HOLDS,
    Invitation,
    Outgoing,
    check_newcomer,
    name_faults,
    require_email,
)
from labshare.domain.organisations import NewOrganisation
from labshare.domain.people import TRY_WINDOW, Action, Actor, Grant, Role, may, reach, require, require_try
from labshare.errors import NotFound, Refusal, Refused
from labshare.services import organisations
from labshare.services.notices import LETTERS
from labshare.store import affiliations as affiliations_store
from labshare.store import audit, outbox, people
from labshare.store import invitations as store
from labshare.store.engine import Connection

KEPT = timedelta(days=30)


def token_of(secret: str, invitation_id: UUID) -> str:
    """The token of an invitation, which whoever has the secret can make and nobody else."""
    mac = hmac.new(secret.encode(), b"invitation:" + invitation_id.bytes, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(mac).decode().rstrip("=")


def invite(
    db: Connection,
    actor: Actor,
    *,
    email: str,
    name: str,
    organisation_id: str,
    language: str,
    secret: str,
    now: datetime,
) -> None:
    """Send a token to somebody of an organisation for which the actor may speak: who uses it is confirmed there.

    Whoever has an account at the address gets a letter that says so instead, and the inviter is told nothing of it:
    they see the same line until the same day.
    Raises `Forbidden`, and `Refused` for an unreadable address or an unknown organisation.
    """
    require(actor, Action.MANAGE_PEOPLE, organisation=organisation_id)
    email, name = require_email(email), " ".join(name.split())
    faults = name_faults(name) if name else []
    if organisation_id not in {choice.id for choice in affiliations_store.choices(db)}:
        faults.append(Refusal(code="organisation_unknown"))
    if faults:
        raise Refused(faults)
    asked = Invitation(
        id=uuid4(),
        email=email,
        name=name,
        language=language,
        organisation_id=organisation_id,
        invited_by_id=actor.person_id,
        created_at=now,
        expires_at=now + INVITED_HOLDS,
        send_at=now,
    )
    _write_to(db, asked, secret)
    audit.record(
        db, actor_id=actor.person_id, action="invite", noun="invitation", noun_id=asked.id, now=now,
        details={"organisation": organisation_id, "email": audit.hashed(db, email)},
    )  # fmt: skip


def register(db: Connection, *, email: str, address: str, language: str, secret: str, now: datetime) -> None:
    """Send a token to the address that somebody typed, who sits at this network address.

    It does and says the same whether the address is known or not: only the letter differs, and it goes to the address
    alone. Raises `Refused` for an unreadable address and `TooManyTries` as a sign-in does, but counts apart from those.
    """
    email = require_email(email)
    require_try(*people.tries_since(db, _try_of(email), _try_from(address), now - TRY_WINDOW))
    people.add_try(db, _try_of(email), _try_from(address), now)
    asked = Invitation(
        id=uuid4(), email=email, language=language, created_at=now, expires_at=now + ASKED_HOLDS, send_at=now
    )
    _write_to(db, asked, secret)


def find(db: Connection, token: str, now: datetime) -> Invitation:
    """The open invitation of a token. Raises `NotFound` for one that is unknown, expired or spent, all alike."""
    found = store.by_token(db, _hashed(token))
    if found is None or not found.is_open(now):
        raise NotFound("invitation_not_found")
    return found


def join(
    db: Connection,
    token: str,
    *,
    login: str,
    name: str,
    organisation_id: str,
    password_hash: str,
    now: datetime,
    new: NewOrganisation | None = None,
) -> UUID:
    """Spend the token and become a person, who waits to be confirmed unless the inviter still speaks for the
    organisation. Whose organisation is not here yet onboards the `new` one. Raises `NotFound` as `find` does, and
    `Refused`; once the transaction has been rolled back for that, the token is still good.
    """
    invitation = _spend(db, token, now, newcomer=True)
    login, name = check_newcomer(login, name)
    organisation_id = invitation.organisation_id or organisation_id
    onboards = new if new and not organisation_id else None
    if onboards:
        organisation_id = organisations.write(db, onboards)
    elif organisation_id not in {choice.id for choice in affiliations_store.choices(db)}:
        raise Refused([Refusal(code="organisation_unknown")])
    inviter = people.actor(db, invitation.invited_by_id) if invitation.invited_by_id else None
    is_confirmed = may(inviter, Action.MANAGE_PEOPLE, organisation=organisation_id)
    person_id = _add_person(db, invitation, login, name, organisation_id, password_hash, is_confirmed, now)
    if onboards:
        organisations.ask(db, organisation_id, onboards, person_id, now)
    store.close_others(db, invitation.email, organisation_id, now)
    audit.record(
        db, actor_id=person_id, action="join", noun="person", noun_id=person_id, now=now,
        details={"invitation": str(invitation.id), "organisation": organisation_id, "confirmed": int(is_confirmed)},
    )  # fmt: skip
    return person_id


def renew_password(db: Connection, token: str, *, password_hash: str, now: datetime) -> Actor:
    """Spend the token of somebody who has an account: the new password counts, and every sign-in of theirs ends.

    Raises `NotFound` as `find` does, and for a person who has been disabled.
    """
    invitation = _spend(db, token, now, newcomer=False)
    actor = people.actor(db, invitation.person_id) if invitation.person_id else None
    if actor is None:
        raise NotFound("invitation_not_found")
    people.set_password_hash(db, actor.person_id, password_hash)
    people.end_sign_ins_of(db, actor.person_id)
    store.close_of(db, actor.person_id, now)
    people.forget_tries(db, actor.login)
    audit.record(db, actor_id=actor.person_id, action="renew_password", noun="person", noun_id=actor.person_id, now=now)
    return actor


def open_invitations(db: Connection, actor: Actor, now: datetime) -> list[Outgoing]:
    """Who was invited, or asked, and has not come yet. A representative sees those to their own organisations."""
    return store.open_lines(db, now, reach(actor, Action.MANAGE_PEOPLE))


def letters(db: Connection, now: datetime) -> list[Outgoing]:
    """What is to be sent now."""
    return store.due(db, now)


def sent(db: Connection, outgoing: Outgoing) -> None:
    """The letter is on its way."""
    store.sent(db, outgoing.invitation.id)


def put_off(db: Connection, outgoing: Outgoing, now: datetime) -> None:
    """It could not be sent: try again later."""
    store.put_off(db, outgoing.invitation, now)


def _write_to(db: Connection, asked: Invitation, secret: str) -> None:
    """A letter to a newcomer, or one to each person who is known at the address. The disabled get none."""
    known = store.persons_at(db, asked.email)
    writing = [
        _for_person(asked, person.id, person.language)
        for person in known
        if not (person.disabled_at or person.erased_at)
    ]
    made = [(each, _hashed(token_of(secret, each.id))) for each in (writing if known else [asked])]
    if known and asked.invited_by_id:
        made.append((msgspec.structs.replace(asked, send_at=None), store.hash_of_none(asked.id)))
    if made:
        store.add(db, made)
    store.forget(db, asked.created_at - KEPT)
    # Posted in every case, as all the rest is done in every case: what takes longer tells something.
    outbox.post(db, LETTERS, {"invitation": str(asked.id)})


def _for_person(asked: Invitation, person_id: UUID, language: str) -> Invitation:
    return Invitation(
        id=uuid4(),
        email=asked.email,
        language=language,
        organisation_id=asked.organisation_id,
        person_id=person_id,
        invited_by_id=asked.invited_by_id,
        created_at=asked.created_at,
        expires_at=asked.created_at + ASKED_HOLDS,
        send_at=asked.send_at,
    )


def _add_person(
    db: Connection,
    invitation: Invitation,
    login: str,
    name: str,
    organisation_id: str,
    password_hash: str,
    is_confirmed: bool,
    now: datetime,
) -> UUID:
    person_id = uuid4()
    values = {
        "id": person_id,
        "login": login,
        "name": name,
        "email": invitation.email,
        "organisation_id": organisation_id,
        "language": invitation.language,
        "password_hash": password_hash,
        "affiliation": AffiliationState.CONFIRMED if is_confirmed else AffiliationState.WAITING,
        "affiliation_at": now,
    }
    if not store.add_person(db, values):
        raise Refused([Refusal(code="login_taken", params={"login": login})])
    if is_confirmed:
        affiliations_store.give(db, person_id, Grant(role=Role.RESEARCHER))
    return person_id


def _spend(db: Connection, token: str, now: datetime, *, newcomer: bool) -> Invitation:
    """The token is spent before anything is decided, so that of two at the same moment one finds it spent."""
    if not store.use(db, _hashed(token), now):
        raise NotFound("invitation_not_found")
    found = store.by_token(db, _hashed(token))
    if found is None or (found.person_id is None) is not newcomer:
        raise NotFound("invitation_not_found")
    return found


def _try_of(email: str) -> str:
    """Tries at an address are counted apart from those at a login: no login has this sign in it."""
    return f"@{email}"


def _try_from(address: str) -> str:
    """Registering from a network address closes no sign-in from there."""
    return f"register:{address}"


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
