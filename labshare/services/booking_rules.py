"""The booking rules of centres: looked at by everybody, posted and ended by those who manage the calendar there.

What must not live here: what a rule says of a booking (domain/house_rules.py, services/house_rules.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

import msgspec

from labshare.domain.booking_rules import (
    BookingRule,
    DatedHours,
    Posted,
    RowRule,
    Scope,
    ScopeKind,
    Site,
    kind_of,
    require_sound,
)
from labshare.domain.bookings import InstrumentRules
from labshare.domain.people import Action, Actor, may, require
from labshare.domain.registry_check import unfit
from labshare.domain.registry_terms import BookingMode
from labshare.domain.standing_rules import in_force, require_new
from labshare.domain.waitlist import today
from labshare.errors import NotFound, Refusal, Refused, WrongState
from labshare.services.writing import tell
from labshare.store import agreements as agreements_store
from labshare.store import audit
from labshare.store import booking_rules as store
from labshare.store import bookings as bookings_store
from labshare.store import registry as registry_store
from labshare.store.engine import Connection
from labshare.store.rulebooks import with_posted


class Place(msgspec.Struct, frozen=True):
    """What a rule is posted for, by name."""

    scope: Scope
    name_vi: str
    name_en: str


def at_site(db: Connection, site: Site) -> tuple[Posted, ...]:
    """The rules that stand for one instrument: its own, its centre's and its group's. One query."""
    return with_posted(db).posted_at(site)


def at_instrument(db: Connection, instrument_id: str) -> tuple[Posted, ...]:
    """The same by its code. Raises `NotFound`."""
    return at_site(db, _instrument(db, instrument_id).site)


def of_places(db: Connection, some: Sequence[Place]) -> list[tuple[Place, tuple[Posted, ...]]]:
    """The rules that stand for these places, with those that have any, in their order."""
    posted = with_posted(db).posted
    found = ((place, tuple(each for each in posted if each.scope == place.scope)) for place in some)
    return [(place, rules) for place, rules in found if rules]


def of_scope(db: Connection, scope: Scope, *, ended: bool = False) -> tuple[Posted, ...]:
    """The rules of exactly this scope that stand or, when asked for, have ended. Raises `NotFound`."""
    _centre_of(db, scope)
    return store.of_scopes(db, [scope], ended=ended)


def post(db: Connection, actor: Actor, scope: Scope, rule: BookingRule, now: datetime) -> Posted:
    """Post a rule: it holds for what is booked or moved from now on. Bookings that stand are left alone.

    Rules of a group reach over many centres, so they are for administrators. Raises `Forbidden`, `NotFound` for a scope
    that there is not, `Malformed` for what makes no rule, and `Refused` for one that holds already, naming each
    instrument that nobody could book, and where no rule would be asked: of days that are over, as with last year's
    number typed, and of an instrument that is not booked by time.
    """
    require(actor, Action.MANAGE_CALENDAR, centre=_centre_of(db, scope))
    require_sound(rule)
    if scope.kind is ScopeKind.INSTRUMENT and _instrument(db, scope.id).booking_mode != BookingMode.TIME:
        raise Refused((Refusal(code="booking_rule_untimed", params={"instrument": scope.id}),))
    if isinstance(rule, DatedHours) and rule.last < today(now):
        raise Refused((Refusal(code="booking_rule_days_over"),))
    posted = Posted(id=uuid4(), scope=scope, rule=rule, since=now, posted_by_id=actor.person_id)
    agreements_store.hold_still(db)
    require_new(rule, scope, store.of_scopes(db, [scope]))
    store.add(db, posted)
    _put_in_force(db, posted)
    _audit(db, actor, "post", posted, now)
    return posted


def end(db: Connection, actor: Actor, rule_id: UUID, now: datetime) -> Posted:
    """End a rule; it stays readable. Raises `Forbidden`, `NotFound`, `WrongState` where it has ended already, and
    `Refused` naming each instrument that nobody could book without it.
    """
    require(actor, Action.MANAGE_CALENDAR, centre=_centre_of(db, store.get(db, rule_id).scope))
    agreements_store.hold_still(db)
    posted = store.get(db, rule_id, lock=True)
    if posted.until is not None:
        raise WrongState("booking_rule_ended")
    store.end(db, rule_id, ended_by_id=actor.person_id, now=now)
    _put_in_force(db, posted)
    _audit(db, actor, "end", posted, now)
    return store.get(db, rule_id)


def _put_in_force(db: Connection, changed: Posted) -> None:
    """What a rule says of hours, lengths and changeover goes into the rows of the instruments that it reaches."""
    if isinstance(changed.rule, RowRule):
        refit(db, changed.scope)


def refit(db: Connection, scope: Scope | None = None) -> None:
    """Give all instruments, or those in a scope, what the rules that stand make of them, and tell who looks at them. To
    be called when no booking is being written. Raises `Refused` with each of them that nobody could book.
    """
    posted = [each for each in store.standing(db) if isinstance(each.rule, RowRule)]
    if not posted and scope is None:
        return
    some = registry_store.timed(db, scope)
    held = [(registered, stands, in_force(registered, posted)) for registered, stands in some]
    refusals = [reason for registered, _, made in held for _, reason in unfit(registered, made)]
    if refusals:
        raise Refused(refusals)
    changed = [(registered, made) for registered, stands, made in held if made != stands]
    registry_store.put_in_force(db, changed)
    tell(db, bookings_store.rules_of(db, [made.number for _, made in changed]))


def places(db: Connection, centre_id: str) -> list[Place]:
    """What a rule may be posted for from the page of a centre: itself, its instruments, and their groups."""
    centre = registry_store.centre(db, centre_id)
    instruments = bookings_store.rules_of_centre(db, centre_id)
    groups = [registry_store.capability(db, each) for each in sorted({each.capability_id for each in instruments})]
    return [
        Place(Scope(ScopeKind.CENTRE, centre.id), centre.name_vi, centre.name_en),
        *(Place(Scope(ScopeKind.INSTRUMENT, each.id), each.name_vi, each.name_en) for each in instruments),
        *(Place(Scope(ScopeKind.GROUP, each.id), each.name_vi, each.name_en) for each in groups),
    ]


def may_post(actor: Actor | None, scope: Scope, centre_id: str) -> bool:
    """Whether the actor posts and ends rules of a scope that the page of a centre shows."""
    return may(actor, Action.MANAGE_CALENDAR, centre=None if scope.kind is ScopeKind.GROUP else centre_id)


def _centre_of(db: Connection, scope: Scope) -> str | None:
    """The centre whose managers post rules of this scope; None for a group, which has none. Raises `NotFound`."""
    if not store.exists(db, scope):
        raise NotFound("booking_rule_scope", scope=scope.id)
    if scope.kind is ScopeKind.GROUP:
        return None
    if scope.kind is ScopeKind.CENTRE:
        return scope.id
    return _instrument(db, scope.id).centre_id


def _instrument(db: Connection, instrument_id: str) -> InstrumentRules:
    number = bookings_store.instrument_number(db, instrument_id)
    return bookings_store.rules_of(db, [number])[number]


def _audit(db: Connection, actor: Actor, action: str, posted: Posted, now: datetime) -> None:
    details = {"scope": posted.scope.kind.value, "of": posted.scope.id, "kind": kind_of(posted.rule)}
    audit.record(
        db, actor_id=actor.person_id, action=action, noun="booking_rule", noun_id=posted.id, now=now, details=details
    )
