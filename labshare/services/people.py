"""Signing in and out, and what people choose for themselves. Loading people from a file is in people_file.py.

A sign-in takes two transactions with the password check between them: `begin_sign_in` counts the try and hands out the
hash, passwords.matches judges it, `sign_in` keeps the result.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from uuid import UUID

from labshare.domain.people import TRY_WINDOW, Actor, SignIn, require_try
from labshare.errors import NotFound, NotSignedIn
from labshare.store import people as store
from labshare.store.engine import Connection

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


def demo_actors(db: Connection) -> list[Actor]:
    """Everybody who can be chosen on the demo's sign-in page: all who hold a role."""
    return [actor for actor in store.actors(db) if actor.grants]


def choose_language(db: Connection, actor: Actor, language: str) -> None:
    """The language of mail and reminders for this person."""
    store.set_language(db, actor.person_id, language)


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
