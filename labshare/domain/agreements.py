"""PPP agreements: what a share rule says, whom and where it counts, what is left of it, and when it refuses.

One rule is one value with three readers: the booking check (weighing.py), the planner and the report. They share the
matcher, the windows and the measure here, so that they cannot disagree. The words and their definitions (base, used,
committed, release) are those of the access rules, R01 R02 R03 R18 R19.

What must not live here: how an agreement is read from a file and checked (agreement_documents.py), when a booking is
refused (weighing.py), or sentences other than the two that each rule carries.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from typing import Literal, NamedTuple, Protocol
from uuid import UUID

import msgspec

from labshare.domain.bases import MOVING, Base
from labshare.domain.contributions import ContractForm, Contribution, Preference
from labshare.domain.courtesy import Courtesy
from labshare.domain.disclosure import Confidentiality
from labshare.domain.ledger_clauses import Charging, Entitlement, Reserved, StateOrder
from labshare.domain.ordering import FairShare, Tier
from labshare.domain.projects import AccessClass, Activity
from labshare.domain.screening import Screening
from labshare.domain.tariffs import Tariff
from labshare.domain.timespan import Span, intersection, subtracted
from labshare.domain.windows import CENTRE_ZONE_NAME, Window, days_span, whole_windows

# A report warns when this much of a limit is taken (R02).
WARN_AT = Fraction(4, 5)
# Where an agreement has no end. Midnight of the very last date Python knows cannot be told in every zone.
LAST_DATE = date(9999, 1, 1)


class Kind(StrEnum):
    """A floor promises at least so much, a cap allows at most so much."""

    FLOOR = "floor"
    CAP = "cap"


class Level(StrEnum):
    """Whether the denominator is taken for each instrument, for each centre, or once for the whole scope."""

    INSTRUMENT = "instrument"
    CENTRE = "centre"
    SCOPE = "scope"


class Strictness(StrEnum):
    """A hard rule refuses a booking; a soft one costs the plan a penalty and shows in reports."""

    HARD = "hard"
    SOFT = "soft"


class Who(Protocol):
    """Whoever asks, as a project says it: a `Use` will do.

    `programme` is the project's funding line. `is_outside` tells that the organisation is not the host of the
    instrument's centre.
    """

    @property
    def organisation_id(self) -> str | None: ...
    @property
    def access_class(self) -> AccessClass | None: ...
    @property
    def activity(self) -> Activity | None: ...
    @property
    def project_code(self) -> str: ...
    @property
    def programme(self) -> str: ...
    @property
    def is_outside(self) -> bool: ...


class Where(Protocol):
    """An instrument and its centre: a `Use` will do."""

    @property
    def instrument_id(self) -> str: ...
    @property
    def centre_id(self) -> str: ...


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody's time on an instrument. `span` is the occupied range: set-up counts to its user."""

    organisation_id: str
    access_class: AccessClass
    activity: Activity
    project_code: str = ""
    programme: str = ""
    is_outside: bool = True
    agreement_id: str | None = None
    project_id: UUID | None = None
    instrument_number: int
    instrument_id: str
    centre_id: str
    span: Span


class Selector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Whom a rule counts: every key that is given must match one of its values. Without a key it is everybody.

    `project` holds codes, `programme` funding lines; `outside` counts only those who do not come from the host of the
    instrument's centre (R19).
    """

    access_class: tuple[AccessClass, ...] = ()
    activity: tuple[Activity, ...] = ()
    organisation: tuple[str, ...] = ()
    project: tuple[str, ...] = ()
    programme: tuple[str, ...] = ()
    outside: bool = False

    @property
    def needs_project(self) -> bool:
        """Whether it tells projects of one organisation, class and activity apart."""
        return bool(self.project or self.programme)


class Scope(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where a rule counts: these centres, or these instruments, or (both empty) the whole network."""

    centres: tuple[str, ...] = ()
    instruments: tuple[str, ...] = ()


class ShareRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One executable clause.

    The amount is a `share` of the base or a number of `minutes` per window, never both. A rolling window has `days`.
    `penalty` is the cost of each missing or excess minute of a soft rule. `release_hours` is how long before its start
    unclaimed time of a floor is given back to everybody; without it the floor is kept to the end.
    """

    id: str
    kind: Kind
    window: Window
    days: int | None = None
    who: Selector = Selector()
    where: Scope = Scope()
    base: Base = Base.ALLOCABLE
    level: Level = Level.SCOPE
    share: Fraction | None = None
    minutes: int | None = None
    strict: Strictness = Strictness.HARD
    penalty: int | None = None
    release_hours: int | None = None
    legal: str = ""
    sentence_vi: str = ""
    sentence_en: str = ""

    @property
    def is_hard(self) -> bool:
        return self.strict is Strictness.HARD

    @property
    def counts_all(self) -> bool:
        """Whether it needs to know what everybody took, and not only those it counts."""
        return self.kind is Kind.FLOOR or self.is_moving

    @property
    def is_moving(self) -> bool:
        """Whether it is a share of what people book and use, which no balance can be kept of."""
        return self.base in MOVING


class Agreement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A signed agreement, one version of it. `effective_until` is the last day on which it is in force.

    `partner_id` is the partner whose agreement this is, when it has one; `parties` are all organisations that it
    names. Its windows run on the calendar of `timezone`.

    What follows the rules are clauses of other kinds, each of which may be missing. They hold on the instruments that
    the agreement has `covered`.
    """

    format: Literal["labshare-agreement/1"]
    id: str
    title_vi: str
    title_en: str
    parties: tuple[str, ...]
    effective_from: date
    effective_until: date | None = None
    partner_id: str | None = None
    timezone: str = CENTRE_ZONE_NAME
    legal: str = ""
    rules: tuple[ShareRule, ...] = ()
    contract: ContractForm | None = None
    covered: Scope = Scope()
    contributions: tuple[Contribution, ...] = ()
    preference: Preference | None = None
    entitlements: tuple[Entitlement, ...] = ()
    reserved: Reserved | None = None
    fair_share: FairShare | None = None
    tiers: tuple[Tier, ...] = ()
    state_order: StateOrder | None = None
    tariffs: tuple[Tariff, ...] = ()
    courtesy: Courtesy | None = None
    charging: Charging | None = None
    confidentiality: Confidentiality | None = None
    screening: Screening | None = None


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """An agreement as it was signed at some time; a higher number replaces a lower one on the days it covers."""

    number: int
    agreement: Agreement


class Term(msgspec.Struct, frozen=True, kw_only=True):
    """One rule of one version, with the stretches of time in which it is in force.

    A rule whose window is the round has one term for each round, in force over its horizon; `round_code` names it.
    """

    agreement: Agreement
    version: int
    rule: ShareRule
    spans: tuple[Span, ...]
    round_code: str = ""

    @property
    def clause(self) -> tuple[str, str]:
        """Names the clause in its agreement."""
        return self.agreement.id, self.rule.id

    @property
    def key(self) -> tuple[str, str]:
        """Names what keeps the balances: the clause, or the clause in one round, as rounds may begin together."""
        rule_id = f"{self.rule.id}@{self.round_code}" if self.round_code else self.rule.id
        return self.agreement.id, rule_id


class BalanceKey(NamedTuple):
    """The running balance that a rule keeps for one denominator and one window. Sorting gives the lock order."""

    agreement_id: str
    rule_id: str
    scope_key: str
    window_start: datetime


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """Minutes of one rule, denominator and window. `base_minutes` was frozen when the balance was opened.

    `matched_minutes` are those of the parties the rule counts. `total_minutes` are everybody's for a floor, which must
    know what others took; for a cap they equal the matched ones, so that others need not wait for its row.
    """

    agreement_id: str
    rule_id: str
    scope_key: str
    window_start: datetime
    window_end: datetime
    base_minutes: int
    matched_minutes: int
    total_minutes: int

    @property
    def key(self) -> BalanceKey:
        return BalanceKey(self.agreement_id, self.rule_id, self.scope_key, self.window_start)

    @property
    def window(self) -> Span:
        return Span(self.window_start, self.window_end)


class Counter(msgspec.Struct, frozen=True, kw_only=True):
    """The window and denominator of a term in which some minutes count."""

    term: Term
    scope_key: str
    window: Span

    @property
    def key(self) -> BalanceKey:
        return BalanceKey(*self.term.key, self.scope_key, self.window.start)


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted for a rule in one window: minutes past, minutes to come, and of these the firm ones.

    `used` is delivered where a usage record exists, else booked. `committed` is not yet past and held, pending,
    confirmed or in use; `firm` is its confirmed and running part, the only one that satisfies a floor.
    """

    base_minutes: int
    used: int = 0
    committed: int = 0
    firm: int = 0


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """A rule measured exactly. `slack` is how far it is from being broken, negative when it is: what is left under a
    cap, or what stands above a floor.
    """

    base_minutes: int
    limit: Fraction
    used: int
    committed: int
    slack: Fraction

    @property
    def is_broken(self) -> bool:
        return self.slack < 0


# ---------------------------------------------------------------- the matcher that all readers share


def matches(selector: Selector, who: Who) -> bool:
    """Whether the selector counts this party."""
    return (
        (not selector.access_class or who.access_class in selector.access_class)
        and (not selector.activity or who.activity in selector.activity)
        and (not selector.organisation or who.organisation_id in selector.organisation)
        and (not selector.project or who.project_code in selector.project)
        and (not selector.programme or who.programme in selector.programme)
        and (not selector.outside or who.is_outside)
    )


def covers(scope: Scope, at: Where) -> bool:
    """Whether the scope holds this instrument."""
    if scope.instruments:
        return at.instrument_id in scope.instruments
    return not scope.centres or at.centre_id in scope.centres


def scope_key(rule: ShareRule, at: Where) -> str:
    """Names the denominator that this instrument belongs to; '' when the whole scope is one."""
    return {Level.INSTRUMENT: at.instrument_id, Level.CENTRE: at.centre_id, Level.SCOPE: ""}[rule.level]


def limit(rule: ShareRule, base_minutes: int) -> Fraction:
    """The exact limit in minutes: the share of the base, or the plain minutes of the rule."""
    return rule.share * base_minutes if rule.share is not None else Fraction(rule.minutes or 0)


def measure(rule: ShareRule, usage: Usage) -> Measure:
    """What is left of the rule, exactly. A hold or a pending request counts against a cap, never towards a floor."""
    bound = limit(rule, usage.base_minutes)
    slack = bound - (usage.used + usage.committed) if rule.kind is Kind.CAP else usage.used + usage.firm - bound
    return Measure(
        base_minutes=usage.base_minutes, limit=bound, used=usage.used, committed=usage.committed, slack=slack
    )


# ---------------------------------------------------------------- versions and windows in force


def terms(versions: Sequence[Version]) -> list[Term]:
    """The rules of all versions of one agreement, each with the time in which it is in force."""
    found: list[Term] = []
    covered: list[Span] = []
    for version in sorted(versions, key=lambda version: version.number, reverse=True):
        whole = effective_span(version.agreement)
        spans = tuple(subtracted([whole], covered)) if covered else (whole,)
        covered.append(whole)
        if spans:
            found += [
                Term(agreement=version.agreement, version=version.number, rule=rule, spans=spans)
                for rule in version.agreement.rules
            ]
    return found


def effective_span(agreement: Agreement) -> Span:
    """From the first minute of the first day to the last minute of the last day, in the agreement's zone."""
    after = agreement.effective_until + timedelta(days=1) if agreement.effective_until else LAST_DATE
    return days_span(agreement.effective_from, after, agreement.timezone)


def rule_windows(term: Term, span: Span) -> Iterator[tuple[Span, Span]]:
    """Each window of the rule that the span touches, cut to the time in force, with the part of the span inside it.

    Each minute of the span that is in force is in exactly one of these parts, so a booking across a border is split.
    A term of one round is in force over its horizon, which is the window; rolling windows overlap. Plain minutes are of
    the whole window, also where a trial interrupts it: they must not begin anew whenever it is switched.
    """
    for force in term.spans:
        inside = intersection(span, force)
        if inside is None:
            continue
        within = force if term.rule.share is not None else Span(term.spans[0].start, term.spans[-1].end)
        for whole in whole_windows(term.rule.window, inside, within, term.agreement.timezone, term.rule.days):
            window, part = intersection(whole, within), intersection(whole, inside)
            if window and part:
                yield window, part
