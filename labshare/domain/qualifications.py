"""Qualifications: who may use an instrument by themselves, at which level and until when; what an instrument demands
of them; and what the rules of booking say of a wish, by oneself or with a trainer who is present.

A qualification ends when its date has come, when it was not used for too long, or when the safety course that the
instrument demands is no longer valid: a use must be over by the first of these. What must not live here: who may grant
(people.py and services/qualifications.py), or the level that a use outside opening hours asks for (house_rules.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from enum import IntEnum, StrEnum
from typing import NamedTuple, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from dateutil.relativedelta import relativedelta

from labshare.domain import modes
from labshare.domain.timespan import Span
from labshare.domain.windows import midnight
from labshare.errors import Malformed, Param, Refusal, WrongState

WARNED_AHEAD = timedelta(days=30)
MOST_MONTHS, MOST_DAYS, MOST_COURSE_DAYS = 120, 366, 366 * 10


class Level(IntEnum):
    """How far a qualification goes; each includes those before it. A rule for closed hours names one of them."""

    USER = 1
    OUTSIDE_HOURS = 2
    TRAINER = 3


class Demand(msgspec.Struct, frozen=True, kw_only=True):
    """What an instrument demands besides the qualification itself; 0 asks for nothing.

    It lapses unused for `lapse_months`, or when it is not used within `first_use_days` after it was granted; and the
    safety course of the centre must have been completed no more than `course_months` ago.
    """

    lapse_months: int = 0
    first_use_days: int = 0
    course_months: int = 0

    @property
    def counts_uses(self) -> bool:
        return bool(self.lapse_months or self.first_use_days)


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What a person holds for an instrument; level 0 is nothing. `last_used_at` is the end of the last use that was not
    missed or given back, `course_on` the local day on which the centre's safety course was completed. One who
    `operates` it runs it for others (operators.py).
    """

    level: int = 0
    granted_at: datetime | None = None
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    course_on: date | None = None
    operates: bool = False


class EndKind(StrEnum):
    """Why a qualification ends."""

    EXPIRES = "expires"
    NEVER_USED = "never_used"
    NOT_USED = "not_used"
    COURSE = "course"


class End(NamedTuple):
    """The first instant at which it counts no more, why, and from when that was known."""

    at: datetime
    kind: EndKind
    since: datetime

    @property
    def warned_from(self) -> datetime:
        """A month before, or half of the time where that is shorter."""
        return self.at - min(WARNED_AHEAD, (self.at - self.since) / 2)


def ends(held: Held, demand: Demand, timezone: str) -> list[End]:
    """When and why what is held ends, the first before the rest. A qualification never used is not also unused."""
    found: list[End] = []
    if held.level and held.granted_at is not None:
        granted, used = held.granted_at, held.last_used_at
        if held.expires_at is not None:
            found.append(End(held.expires_at, EndKind.EXPIRES, min(granted, held.expires_at)))
        is_used = used is not None and used > granted
        if demand.first_use_days and not is_used:
            last_day = _local(granted, timezone) + timedelta(days=demand.first_use_days)
            found.append(End(_day_after(last_day, timezone), EndKind.NEVER_USED, granted))
        elif demand.lapse_months:
            since = used if used is not None and is_used else granted
            last_day = _local(since, timezone) + relativedelta(months=demand.lapse_months)
            found.append(End(_day_after(last_day, timezone), EndKind.NOT_USED, since))
    if demand.course_months and held.course_on is not None:
        last_day = held.course_on + relativedelta(months=demand.course_months)
        found.append(End(_day_after(last_day, timezone), EndKind.COURSE, midnight(held.course_on, timezone)))
    return sorted(found)


def good_until(held: Held, demand: Demand, timezone: str) -> datetime | None:
    """The instant by which a use must be over; None for no end."""
    found = ends(held, demand, timezone)
    return found[0].at if found else None


def is_good(held: Held, demand: Demand, timezone: str, at: datetime, *, level: Level = Level.USER) -> bool:
    """Whether somebody may use the instrument at this level until then."""
    lacks_course = bool(demand.course_months) and held.course_on is None
    return held.level >= level and not lacks_course and all(end.at >= at for end in ends(held, demand, timezone))


def level_until(held: Held, demand: Demand, timezone: str, at: datetime) -> int:
    """The level at which somebody may use the instrument until then; 0 for not at all."""
    return held.level if is_good(held, demand, timezone, at) else 0


def is_last(end: End, span: Span) -> bool:
    """Whether a use is the last as long as it is that still fits before the end."""
    return span.end <= end.at < span.end + (span.end - span.start)


def _local(moment: datetime, timezone: str) -> date:
    return moment.astimezone(ZoneInfo(timezone)).date()


def _day_after(day: date, timezone: str) -> datetime:
    return midnight(day + timedelta(days=1), timezone)


# ---------------------------------------------------------------- what the rules of booking say


class Asked(modes.Asked, Protocol):
    """A wish."""

    @property
    def span(self) -> Span: ...
    @property
    def person_id(self) -> UUID | None: ...
    @property
    def trainer_id(self) -> UUID | None: ...
    @property
    def replaces_id(self) -> UUID | None: ...


class Demanding(modes.Offering, Protocol):
    """An instrument."""

    @property
    def timezone(self) -> str: ...
    @property
    def qualification(self) -> str: ...
    @property
    def demand(self) -> Demand: ...


class Busy(Protocol):
    """Where somebody is."""

    @property
    def id(self) -> UUID: ...
    @property
    def occupied(self) -> Span: ...


class Known(Protocol):
    """The context of a wish."""

    @property
    def now(self) -> datetime: ...
    @property
    def rules(self) -> Demanding: ...
    @property
    def held(self) -> Held: ...
    @property
    def trainer(self) -> Held: ...
    @property
    def trainer_busy(self) -> Sequence[Busy]: ...


def qualified(wish: Asked, context: Known) -> tuple[Refusal, ...]:
    """The person must hold what the instrument asks for until the use is over. With a trainer who is present they need
    no more than the safety course, as that is there for them too, and nothing where the staff run it for them.
    """
    rules = context.rules
    if modes.is_run_by_staff(wish, rules):
        return ()
    is_alone = bool(rules.qualification) and wish.trainer_id is None
    held = context.held if is_alone else Held(course_on=context.held.course_on)
    refusals: list[Refusal] = []
    if is_alone and not held.level:
        refusals.append(Refusal(code="not_qualified", params={"qualification": rules.qualification}))
    if rules.demand.course_months and held.course_on is None:
        refusals.append(Refusal(code="safety_course_missing"))
    return (*refusals, *_ended(held, rules, wish.span.end, context.now))


def trained(wish: Asked, context: Known) -> tuple[Refusal, ...]:
    """Whoever is named as the trainer must be one, somebody else than the user, and nowhere else meanwhile.

    Where else stays untold: that is the trainer's own business.
    """
    if wish.trainer_id is None:
        return ()
    rules, trainer = context.rules, context.trainer
    refusals: list[Refusal] = []
    if wish.trainer_id == wish.person_id:
        refusals.append(Refusal(code="trainer_is_user"))
    if not is_good(trainer, rules.demand, rules.timezone, wish.span.end, level=Level.TRAINER):
        refusals.append(Refusal(code="trainer_not_qualified"))
    if any(each.id != wish.replaces_id and each.occupied.overlaps(wish.span) for each in context.trainer_busy):
        refusals.append(Refusal(code="trainer_elsewhere"))
    return tuple(refusals)


def _ended(held: Held, rules: Demanding, until: datetime, now: datetime) -> Iterable[Refusal]:
    for end in ends(held, rules.demand, rules.timezone):
        if end.at < until:
            yield _refusal(end, rules.qualification, now)


def _refusal(end: End, qualification: str, now: datetime) -> Refusal:
    params: dict[str, Param] = {"until": end.at.isoformat()}
    if end.kind is EndKind.COURSE:
        return Refusal(code="safety_course_expired", params=params)
    params["qualification"] = qualification
    if end.kind is EndKind.EXPIRES:
        return Refusal(code="qualification_expires", params=params)
    return Refusal(
        code="qualification_lapsed" if end.at <= now else "qualification_lapses",
        params={**params, "idle": end.kind.value},
    )


# After which refusals the way to ask for the qualification is shown.
ASKABLE = frozenset(
    {"not_qualified", "qualification_expires", "qualification_lapsed", "qualification_lapses", "rule_overnight"}
)


# What a trainer who is present makes up for.
TRAINABLE = ASKABLE - {"rule_overnight"}


def told(end: End, span: Span) -> Refusal | None:
    """What somebody is told beside a use of theirs when the end of their qualification is near it."""
    params: dict[str, Param] = {"until": end.at.isoformat(), "end_kind": end.kind.value}
    if is_last(end, span):
        return Refusal(code="qualification_last_use", params=params)
    return Refusal(code="qualification_ends", params=params) if span.end >= end.warned_from else None


# ---------------------------------------------------------------- asking and granting


class AskState(StrEnum):
    """Where it stands that somebody asked for a qualification; `revoked` tells of one that was taken back."""

    WAITING = "waiting"
    GRANTED = "granted"
    DECLINED = "declined"
    REVOKED = "revoked"


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """That somebody asks for a qualification, with what they say; and what was answered, by whom and when."""

    id: UUID
    person_id: UUID
    instrument_number: int
    level: int
    note: str = ""
    state: AskState = AskState.WAITING
    answer: str = ""
    asked_at: datetime
    decided_by_id: UUID | None = None
    decided_at: datetime | None = None


def require_level(level: int) -> Level:
    """Raises `Malformed` for what is none."""
    if level not in set(Level):
        raise Malformed("qualification_level", field="level")
    return Level(level)


def require_other(granter_id: UUID, person_id: UUID) -> None:
    """Nobody grants to themselves, or revokes what they hold. Raises `WrongState`."""
    if granter_id == person_id:
        raise WrongState("qualification_of_own")


def require_demand(demand: Demand) -> None:
    """Raises `Malformed` with the `field` that is out of range."""
    limits = {"lapse_months": MOST_MONTHS, "first_use_days": MOST_DAYS, "course_months": MOST_MONTHS}
    for field, most in limits.items():
        if not 0 <= getattr(demand, field) <= most:
            raise Malformed("qualification_demand", field=field, most=most)


def require_course_day(completed_on: date, now: datetime, timezone: str) -> None:
    """Raises `Malformed` for a day to come, or one too long ago to be meant."""
    if not timedelta(0) <= _local(now, timezone) - completed_on <= timedelta(days=MOST_COURSE_DAYS):
        raise Malformed("safety_course_day", field="completed_on")


def require_until(until: datetime | None, now: datetime) -> None:
    """Raises `Malformed` for an end that is over already."""
    if until is not None and until <= now:
        raise Malformed("qualification_until", field="until")
