"""Calls that a program may send again: each does its work once, and a retry gets the answer of the first.

A key belongs to a person and is taken at the start of the transaction that does the work, so that a retry waits for a
first call that still runs. What must not live here: headers and bodies (web/api/idempotency.py), or the work itself.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from labshare.domain.people import Actor
from labshare.errors import WrongState
from labshare.store import idempotency as store
from labshare.store.engine import Connection
from labshare.store.idempotency import Answer

__all__ = ["KEPT", "Answer", "begin", "finish", "forget"]

KEPT = timedelta(hours=24)


def begin(db: Connection, actor: Actor, key: str, asked: str, now: datetime) -> Answer | None:
    """What was answered when the key was used before; None for a new key, whose work is to be done now.

    `asked` stands for the whole call. Raises `WrongState` when the key was used for another one, and `Busy` when the
    first call is not over in time.
    """
    if store.claim(db, actor.person_id, key, asked, now, before=now - KEPT):
        return None
    used = store.used(db, actor.person_id, key)
    if used.asked != asked:
        raise WrongState("idempotency_key_reused")
    return used.answer


def finish(db: Connection, actor: Actor, key: str, answer: Answer) -> None:
    """Keep what is answered, in the transaction that began the work and did it."""
    store.answered(db, actor.person_id, key, answer)


def forget(db: Connection, now: datetime) -> None:
    """Forget the keys that were used a day ago."""
    store.forget(db, now - KEPT)
