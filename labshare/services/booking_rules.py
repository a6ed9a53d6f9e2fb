"""The booking rules of centres: looked at by everybody, posted and ended by those who manage the calendar there.

What must not live here: what a rule says of a booking (domain/house_rules.py, services/house_rules.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

from labshare.domain.booking_rules import BookingRule, Posted, Scope, ScopeKind, kind_of, require_sound
from labshare.domain.people import Action, Actor, may, require
from labshare.errors import NotFound, WrongState
from labshare.store import agreements as agreements_store
from labshare.store import audit
from labshare.store import booking_rules as store
from labshare.store import bookings as bookings_store
from labshare.store.engine import Connection
from labshare.store.rulebooks import with_posted


def at_instrument(db: Connection, instrument_id: str) -> tuple[Posted, ...]:
    """The rules that stand for one instrument: its own, its centre's and its group's. Raises `NotFound`."""
    number = bookings_store.instrument_number(db, instrument_id)
    return with_posted(db).posted_at(bookings_store.rules_of(db, [number])[number].site)


def of_centre(db: Connection, centre_id: str) -> tuple[Posted, ...]:
    """The rules that stand for a centre as a whole, for its instruments, and for their groups."""
    instruments = bookings_store.rules_of_centre(db, centre_id)
    scopes = {Scope(ScopeKind.CENTRE, centre_id)}
    scopes |= {Scope(ScopeKind.INSTRUMENT, each.id) for each in instruments}
    scopes |= {Scope(ScopeKind.GROUP, each.capability_id) for each in instruments}
    return tuple(each for each in with_posted(db).posted if each.scope in scopes)


def of_scope(db: Connection, scope: Scope, *, ended: bool = False) -> tuple[Posted, ...]:
    """The rules of exactly this scope that stand or, when asked for, have ended. Raises `NotFound`."""
    _centre_of(db, scope)
    return store.of_scopes(db, [scope], ended=ended)


def post(db: Connection, actor: Actor, scope: Scope, rule: BookingRule, now: datetime) -> Posted:
    """Post a rule: it holds for what is booked or moved from now on. Bookings that stand are left alone.

    Rules of a group reach over many centres, so they are for administrators. Raises `Forbidden`, `NotFound` for a scope
    that there is not, and `Malformed` for what makes no rule.
    """
    require(actor, Action.MANAGE_CALENDAR, centre=_centre_of(db, scope))
    require_sound(rule)
    posted = Posted(id=uuid4(), scope=scope, rule=rule, since=now, posted_by_id=actor.person_id)
    agreements_store.hold_still(db)
    store.add(db, posted)
    _audit(db, actor, "post", posted, now)
    return posted


def end(db: Connection, actor: Actor, rule_id: UUID, now: datetime) -> Posted:
    """End a rule; it stays readable. Raises `Forbidden`, `NotFound`, and `WrongState` where it has ended already."""
    require(actor, Action.MANAGE_CALENDAR, centre=_centre_of(db, store.get(db, rule_id).scope))
    agreements_store.hold_still(db)
    posted = store.get(db, rule_id, lock=True)
    if posted.until is not None:
        raise WrongState("booking_rule_ended")
    store.end(db, rule_id, ended_by_id=actor.person_id, now=now)
    _audit(db, actor, "end", posted, now)
    return store.get(db, rule_id)


def managed(db: Connection, actor: Actor, centre_id: str) -> Sequence[Scope]:
    """The scopes for which the actor may post rules from the page of a centre, the centre itself first.

    Raises `Forbidden` where they may post none.
    """
    require(actor, Action.MANAGE_CALENDAR, centre=centre_id)
    instruments = bookings_store.rules_of_centre(db, centre_id)
    scopes = [Scope(ScopeKind.CENTRE, centre_id), *(Scope(ScopeKind.INSTRUMENT, each.id) for each in instruments)]
    if may_post_groups(actor):
        scopes += [Scope(ScopeKind.GROUP, each) for each in sorted({each.capability_id for each in instruments})]
    return scopes


def may_post_groups(actor: Actor) -> bool:
    """Whether the actor manages calendars wherever they are."""
    return may(actor, Action.MANAGE_CALENDAR)


def _centre_of(db: Connection, scope: Scope) -> str | None:
    """The centre whose managers post rules of this scope; None for a group, which has none. Raises `NotFound`."""
    if not store.exists(db, scope):
        raise NotFound("booking_rule_scope", scope=scope.id)
    if scope.kind is ScopeKind.GROUP:
        return None
    if scope.kind is ScopeKind.CENTRE:
        return scope.id
    number = bookings_store.instrument_number(db, scope.id)
    return bookings_store.rules_of(db, [number])[number].centre_id


def _audit(db: Connection, actor: Actor, action: str, posted: Posted, now: datetime) -> None:
    details = {"scope": posted.scope.kind.value, "of": posted.scope.id, "kind": kind_of(posted.rule)}
    audit.record(
        db, actor_id=actor.person_id, action=action, noun="booking_rule", noun_id=posted.id, now=now, details=details
    )
