"""Operators: who of the staff runs an instrument for its user, or helps them, and what the rules of booking say of it.

An operator is bound as a trainer is: a person in one place at a time. Who operates what is named by the managers of the
centre, among those who are qualified there. What must not live here: naming and assigning (services/operators.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

import msgspec

from labshare.domain import modes
from labshare.domain.booking_rules import Posted
from labshare.domain.qualifications import Busy, Demand, Held, Level, good_until, is_good
from labshare.domain.standing_rules import needs_operator
from labshare.domain.timespan import Span
from labshare.errors import Refusal


class Attended(msgspec.Struct, frozen=True, kw_only=True):
    """What takes the time of people, who are in one place each: who uses an instrument, a trainer and an operator."""

    person_id: UUID | None = None
    trainer_id: UUID | None = None
    operator_id: UUID | None = None

    @property
    def attendants(self) -> frozenset[UUID]:
        """Who is there besides the user."""
        return frozenset(each for each in (self.trainer_id, self.operator_id) if each)

    @property
    def people(self) -> frozenset[UUID]:
        """Everybody whose time it takes, who are locked with its instrument."""
        return frozenset(each for each in (self.person_id, self.trainer_id, self.operator_id) if each)


class Asked(modes.Asked, Protocol):
    """A wish."""

    @property
    def span(self) -> Span: ...
    @property
    def person_id(self) -> UUID | None: ...
    @property
    def operator_id(self) -> UUID | None: ...
    @property
    def replaces_id(self) -> UUID | None: ...
    @property
    def override(self) -> str: ...


class Staffed(modes.Offering, Protocol):
    """An instrument."""

    @property
    def timezone(self) -> str: ...
    @property
    def demand(self) -> Demand: ...


class House(Protocol):
    """The rules that the centre posted."""

    @property
    def rules(self) -> tuple[Posted, ...]: ...


class Known(Protocol):
    """The context of a wish."""

    @property
    def rules(self) -> Staffed: ...
    @property
    def house(self) -> House: ...
    @property
    def operator(self) -> Held: ...
    @property
    def operator_busy(self) -> Sequence[Busy]: ...


def operated(wish: Asked, context: Known) -> tuple[Refusal, ...]:
    """Whoever is named must operate the instrument, be somebody else than the user, and nowhere else meanwhile; and
    somebody must be named where the centre asks for it. Where else they are stays untold: it is their own business.
    """
    rules = context.rules
    is_staffed = modes.mode_of(wish, rules) is not modes.Mode.SELF
    if wish.operator_id is None:
        is_missing = is_staffed and not wish.override and needs_operator(context.house.rules)
        return (Refusal(code="rule_operator"),) if is_missing else ()
    refusals: list[Refusal] = []
    if not is_staffed:
        refusals.append(Refusal(code="operator_not_wanted"))
    if wish.operator_id == wish.person_id:
        refusals.append(Refusal(code="operator_is_user"))
    if not may_operate(context.operator, rules.demand, rules.timezone, wish.span.end):
        refusals.append(Refusal(code="operator_not_named"))
    if any(each.id != wish.replaces_id and each.occupied.overlaps(wish.span) for each in context.operator_busy):
        refusals.append(Refusal(code="operator_elsewhere"))
    return tuple(refusals)


def attended_until(
    use: Attended, held: Mapping[UUID, Held], demand: Demand, timezone: str, now: datetime
) -> datetime | None:
    """The instant by which a use must be over so that its trainer and operator may be there, by what they hold: None
    for no end, and `now` where one of them may not be there at all.
    """
    trainer, operator = (held.get(each, Held()) if each else None for each in (use.trainer_id, use.operator_id))
    if trainer and not is_good(trainer, demand, timezone, now, level=Level.TRAINER):
        return now
    if operator and not may_operate(operator, demand, timezone, now):
        return now
    until = (good_until(each, demand, timezone) for each in (trainer, operator) if each)
    return min((each for each in until if each), default=None)


def may_operate(held: Held, demand: Demand, timezone: str, at: datetime) -> bool:
    """Whether the centre has somebody operate the instrument, who is qualified there until then."""
    return held.operates and is_good(held, demand, timezone, at)
