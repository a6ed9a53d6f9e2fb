"""Signing in and out, and what people choose for themselves. Loading people from a file is in people_document.py.

A sign-in takes two transactions with the password check between them: `begin_sign_in` counts the try and hands out the
hash, passwords.matches judges it, `sign_in` keeps the result.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from labshare.domain.affiliations import AffiliationState
from labshare.domain.people import TRY_WINDOW, Actor, Grant, Place, Role, SignIn, require_login, require_try
from labshare.errors import NotFound, NotSignedIn
from labshare.store import audit
from labshare.store import invitations as invitations_store
from labshare.store import people as store
from labshare.store.engine import Connection
from labshare.store.people_document import put_grants, put_person

Candidate = tuple[UUID, str]


def actor_of_sign_in(db: Connection, token: str, now: datetime) -> Actor | None:
    """Who holds this token, if it still counts."""
    return store.actor_of_sign_in(db, _hashed(token), now)


def begin_sign_in(db: Connection, login: str, address: str, now: datetime) -> Candidate | None:
    """Count a try, and return the person's id and password hash when there is such a person.

    The try is counted before the password is judged, so that tries made at the same moment cannot slip through.
    Raises `TooManyTries`.
    """
    candidate = store.password_hash(db, login)
    require_try(*store.tries_since(db, login, address, now - TRY_WINDOW))
    store.add_try(db, login, address, now)
    return candidate


def sign_in(db: Connection, person_id: UUID, login: str, now: datetime, *, hours: int) -> tuple[Actor, str]:
    """Keep a sign-in for this many hours; returns the actor and the token for the cookie, which is kept nowhere.

    Raises `NotSignedIn` when the person has been disabled in the meantime.
    """
    actor = store.actor(db, person_id)
    if actor is None:
        raise NotSignedIn("sign_in_failed")
    token = secrets.token_urlsafe(32)
    expires_at = now + timedelta(hours=hours)
    store.add_sign_in(db, SignIn(token_hash=_hashed(token), person_id=person_id, created_at=now, expires_at=expires_at))
    store.forget_tries(db, login)
    store.sweep(db, sign_ins_until=now, tries_until=now - TRY_WINDOW)
    return actor, token


def sign_in_as(db: Connection, login: str, now: datetime, *, hours: int) -> tuple[Actor, str]:
    """A sign-in without a password: only the demo may call it. Raises `NotFound` for an unknown login."""
    person = store.by_login(db, login)
    if person is None:
        raise NotFound()
    return sign_in(db, person.id, login, now, hours=hours)


def sign_out(db: Connection, token: str) -> None:
    """End this sign-in. Ending one that is not there is no error."""
    store.end_sign_in(db, _hashed(token))


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who holds a role at a place."""

    role: Role
    actor: Actor
    place: Place


def holders(db: Connection) -> list[Holder]:
    """Everybody who holds a role, under the first they hold, in the order of Role: what the demo offers."""
    actors = [actor for actor in store.actors(db) if actor.grants]
    places = store.places(db, {actor.place_id(actor.grants[0]) for actor in actors})
    found = [
        Holder(role=actor.grants[0].role, actor=actor, place=places[actor.place_id(actor.grants[0])])
        for actor in actors
    ]
    ranks = list(Role)
    return sorted(found, key=lambda holder: (ranks.index(holder.role), holder.actor.login))


def held_places(db: Connection, actor: Actor) -> list[tuple[Grant, Place]]:
    """Every role of the actor with the place where it holds."""
    places = store.places(db, {actor.place_id(grant) for grant in actor.grants})
    return [(grant, places[actor.place_id(grant)]) for grant in actor.grants]


def employer(db: Connection, actor: Actor) -> Place:
    return store.places(db, [actor.organisation_id])[actor.organisation_id]


def begin_password_change(db: Connection, actor: Actor, now: datetime) -> str:
    """The present hash, after counting a try, so that an unattended browser is no way to guess it.

    Raises `TooManyTries`. A person without a password has an empty hash, which nothing matches.
    """
    candidate = begin_sign_in(db, actor.login, "", now)
    return candidate[1] if candidate else ""


def change_password(db: Connection, actor: Actor, password_hash: str, now: datetime, *, but: str) -> None:
    """Keep the new hash, and end every sign-in of the person except the one with the token `but`."""
    store.set_password_hash(db, actor.person_id, password_hash)
    store.forget_tries(db, actor.login)
    store.end_sign_ins_of(db, actor.person_id, but=_hashed(but))
    invitations_store.close_of(db, actor.person_id, now)
    _audit(db, actor.person_id, "change_password", actor.person_id, now)


def create_admin(
    db: Connection, *, login: str, name: str, organisation_id: str, password_hash: str, now: datetime
) -> UUID:
    """A new administrator, or the role and a new password for a person who exists; other roles stay.

    Raises `Malformed` for a login that cannot be typed and `NotFound` for an unknown organisation.
    """
    require_login(login)
    if organisation_id not in store.places(db, [organisation_id]):
        raise NotFound("organisation_not_found", id=organisation_id)
    values = {"name": name, "organisation_id": organisation_id, "password_hash": password_hash}
    # Whoever runs the command line stands behind this person.
    values["affiliation"] = AffiliationState.CONFIRMED
    person_id, _ = put_person(db, {"login": login, **values})
    # The login may have been somebody else's choice: what they hold ends here.
    store.end_sign_ins_of(db, person_id)
    actor = store.actor(db, person_id)
    if actor is None or not actor.has(Role.ADMINISTRATOR):
        put_grants(db, person_id, {*(actor.grants if actor else ()), Grant(role=Role.ADMINISTRATOR)})
    _audit(db, None, "create_admin", person_id, now)
    return person_id


def _audit(db: Connection, actor_id: UUID | None, action: str, person_id: UUID, now: datetime) -> None:
    audit.record(db, actor_id=actor_id, action=action, noun="person", noun_id=person_id, now=now)


def choose_language(db: Connection, actor: Actor, language: str) -> None:
    """The language of mail and reminders for this person."""
    store.set_language(db, actor.person_id, language)


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
