"""Controlled trials of share rules (R25): a dated overlay on agreements for named centres, which ends by itself.

What an overlay must say is what Law 93/2025, chapter II section 2, asks of a controlled trial: goal, participants,
scope in place and time, criteria, authority, and how it is adjusted, suspended and ended. `applied` is the whole of its
effect: inside its days and centres some rules are others, and nothing else changes. No agreement is ever rewritten, so
that ending a trial is doing nothing.

What must not live here: how an overlay is read from a file and checked (sandbox_documents.py), how it is switched on
and off (sandboxes.py), or what would have come of it in the past (replay.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from enum import StrEnum
from fractions import Fraction
from typing import Literal

import msgspec

from labshare.domain.agreements import Agreement, ShareRule, Term
from labshare.domain.tariffs import Tariff
from labshare.domain.timespan import Span, clipped, subtracted
from labshare.domain.windows import CENTRE_ZONE_NAME, days_span

# No trial lasts longer (R25).
MOST_DAYS = 180


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A misspelt word in the file must not pass for an absent one."""


class Words(_Part, frozen=True, kw_only=True):
    """What people read, in both languages."""

    vi: str
    en: str


class Metric(_Part, frozen=True, kw_only=True):
    """Something that is measured while the trial lasts; `says` tells what, over what, and from which records."""

    id: str
    says: Words


class Criterion(_Part, frozen=True, kw_only=True):
    """The trial succeeds when the metric goes from its baseline to the target: up, or down where that lies lower."""

    metric: str
    baseline: Fraction
    target: Fraction

    def is_met(self, value: Fraction) -> bool:
        """Whether a measured value reaches the target."""
        return value >= self.target if self.target > self.baseline else value <= self.target


class Compared(StrEnum):
    """On which side of its threshold a metric stops the trial; on the threshold itself it goes on."""

    ABOVE = "above"
    BELOW = "below"


class StopCondition(_Part, frozen=True, kw_only=True):
    """A measured value beyond the threshold stops the trial at once, without anybody's decision."""

    metric: str
    when: Compared
    threshold: Fraction

    def stops_at(self, value: Fraction) -> bool:
        return value > self.threshold if self.when is Compared.ABOVE else value < self.threshold


class Authority(_Part, frozen=True, kw_only=True):
    """Which organisation approved the trial, by which act or clause."""

    approved_by: str
    legal: str


class Change(_Part, frozen=True, kw_only=True):
    """One difference to an agreement: exactly one of a rule to `add`, a rule to `replace` the one of the same id, the
    id of a rule to `remove`, or a `tariff` to ask instead of the one of its id or beside those that stand.
    """

    agreement: str
    add: ShareRule | None = None
    replace: ShareRule | None = None
    remove: str | None = None
    tariff: Tariff | None = None

    @property
    def rule(self) -> ShareRule | None:
        """The rule that the trial brings, if it brings one."""
        return self.add or self.replace

    @property
    def rule_id(self) -> str:
        """What it is about: the rule's id, or the tariff's, which no rule can have."""
        if self.tariff:
            return f"tariff {self.tariff.id}"
        return self.rule.id if self.rule else self.remove or ""

    @property
    def is_of_rule(self) -> bool:
        """Whether a rule that stands becomes another one or none."""
        return not (self.add or self.tariff)


class Overlay(_Part, frozen=True, kw_only=True):
    """A controlled trial. `end` is its last day; days are those of the centres' zone.

    `rollback` has one value: from the moment at which it stops or ends, the agreements hold as they were signed.
    """

    format: Literal["labshare-sandbox/1"]
    id: str
    title_vi: str
    title_en: str
    goal: Words
    participants: tuple[str, ...]
    centres: tuple[str, ...]
    start: date
    end: date
    max_days: int = MOST_DAYS
    rollback: Literal["auto"]
    evaluator: str
    authority: Authority
    adjust: Words
    suspend: Words
    ending: Words
    metrics: tuple[Metric, ...]
    criteria: tuple[Criterion, ...]
    stop_if: tuple[StopCondition, ...]
    changes: tuple[Change, ...]

    @property
    def days(self) -> int:
        return (self.end - self.start).days + 1

    @property
    def span(self) -> Span:
        """From the first minute of the first day to the last minute of the last. Raises `Malformed` when reversed."""
        return days_span(self.start, self.end + timedelta(days=1), CENTRE_ZONE_NAME)


# ---------------------------------------------------------------- what it changes


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """An overlay with the stretches of time in which it holds."""

    overlay: Overlay
    spans: tuple[Span, ...]


def applied(terms: Sequence[Term], overlay: Overlay, during: Span | None = None) -> tuple[Term, ...]:
    """The rules of agreements as they would be with this overlay in force, in its days unless told otherwise."""
    return under(terms, [Holding(overlay=overlay, spans=(during or overlay.span,))])


def under(terms: Sequence[Term], holdings: Sequence[Holding]) -> tuple[Term, ...]:
    """The rules of agreements as they are while these overlays hold: in their time the changed rules are others, and
    before and after it they are what they were.

    Rules that no overlay names come back untouched. That a changed rule reaches no other centre, and that no two
    overlays change one rule at a time, is checked before one may hold. A share whose time is cut has its windows cut
    with it, as when an agreement gets a new version; plain minutes stay those of the whole window.
    """
    found = list(terms)
    for holding in holdings:
        named = {(change.agreement, change.rule_id): change for change in holding.overlay.changes if change.is_of_rule}
        found = [
            part
            for term in found
            for part in (
                _exchanged(term, named[term.clause].replace, holding.spans) if term.clause in named else (term,)
            )
        ]
    # New rules stand in the time of the signed versions, which no other overlay has cut.
    added = (
        new
        for holding in holdings
        for change in holding.overlay.changes
        if change.add
        for new in _added(terms, change, holding.spans)
    )
    return (*found, *added)


def _exchanged(term: Term, rule: ShareRule | None, during: Sequence[Span]) -> list[Term]:
    """The term without this time, and in it the other rule if there is one."""
    outside, inside = tuple(subtracted(term.spans, during)), _inside(term, during)
    found = [msgspec.structs.replace(term, spans=outside)] if outside else []
    if rule and inside:
        found.append(msgspec.structs.replace(term, rule=rule, spans=inside))
    return found


def _added(terms: Sequence[Term], change: Change, during: Sequence[Span]) -> list[Term]:
    """The new rule in each version of its agreement that is in force in this time."""
    assert change.add is not None
    versions = {term.version: term for term in terms if term.agreement.id == change.agreement}
    return [
        msgspec.structs.replace(term, rule=change.add, spans=inside)
        for _, term in sorted(versions.items())
        if (inside := _inside(term, during))
    ]


def _inside(term: Term, during: Sequence[Span]) -> tuple[Span, ...]:
    return tuple(part for span in during for part in clipped(term.spans, span))


def changed(agreement: Agreement, overlay: Overlay) -> Agreement:
    """The agreement with the rules and tariffs that the trial would have it carry, each where it stood and new ones at
    the end.
    """
    mine = [change for change in overlay.changes if change.agreement == agreement.id]
    others = {change.rule_id: change.replace for change in mine if change.is_of_rule}
    kept = (others.get(rule.id, rule) for rule in agreement.rules)
    new = (change.add for change in mine)
    rules = tuple(rule for rule in (*kept, *new) if rule is not None)
    return priced(msgspec.structs.replace(agreement, rules=rules), overlay)


def priced(agreement: Agreement, overlay: Overlay) -> Agreement:
    """The agreement with the tariffs of the trial alone."""
    new = {
        change.tariff.id: change.tariff
        for change in overlay.changes
        if change.tariff and change.agreement == agreement.id
    }
    if not new:
        return agreement
    kept = tuple(new.pop(each.id, each) for each in agreement.tariffs)
    return msgspec.structs.replace(agreement, tariffs=(*kept, *new.values()))
