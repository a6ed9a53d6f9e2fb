"""Whether the share rules of agreements can all be kept: a small linear program over atoms.

An atom is one sort of party on one sort of instrument: parties whom the same rules count, instruments that the same
denominators hold. All atoms of an instrument share its open time; a floor wants some of it, a cap allows some. Rules of
different windows are compared by the week: what holds in every quarter holds over the year. Minutes of each round are
left out, as rounds have no length in common, and so are shares of what is booked, delivered or charged: they are soft,
and whoever books nothing keeps them all. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import product

import msgspec

from labshare.domain.agreement_documents import format_share
from labshare.domain.agreements import Agreement, Kind, Selector, ShareRule, covers, effective_span, matches, scope_key
from labshare.domain.projects import AccessClass, Activity
from labshare.domain.windows import Window
from labshare.errors import Refusal
from labshare.scheduler.linear import LinearRow, least_missed

DAYS = {Window.WEEK: 7.0, Window.MONTH: 365.25 / 12, Window.QUARTER: 365.25 / 4, Window.SEMESTER: 365.25 / 2}
DAYS[Window.YEAR] = 365.25
# Lacking less than this part of the time is rounding.
NOTHING = 1e-7
OTHER = "-"


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument as share rules see it: its centre, the centre's host, and its open minutes in a week."""

    instrument_id: str
    centre_id: str
    host_id: str
    minutes: int


class Clause(msgspec.Struct, frozen=True, kw_only=True):
    """A rule of an agreement."""

    agreement_id: str
    rule: ShareRule

    def __str__(self) -> str:
        sign = "≥" if self.rule.kind is Kind.FLOOR else "≤"
        rule = self.rule
        much = format_share(rule.share) if rule.share is not None else f"{Fraction(rule.minutes or 0, 60)} h"
        return f"{self.agreement_id}/{rule.id} {sign} {much}"


class _Party(msgspec.Struct, frozen=True, kw_only=True):
    """One sort of party on one sort of instrument, as the matcher reads it."""

    organisation_id: str
    access_class: AccessClass
    activity: Activity
    project_code: str
    programme: str
    is_outside: bool


class _Row(msgspec.Struct, frozen=True):
    """A rule for one of its denominators: the sites of that, and the minutes a week that it asks or allows."""

    clause: int
    sites: frozenset[int]
    minutes: float


def clashes(agreement: Agreement, others: Iterable[Agreement], sites: Sequence[Site]) -> tuple[Refusal, ...]:
    """The rules of an agreement that cannot hold with each other or with those of others in force at the same time.

    The first set that is found, which is irreducible: without any of its rules the others could be kept.
    """
    days = effective_span(agreement)
    beside = [(effective_span(other), other) for other in others]
    moments = sorted({days.start, *(span.start for span, _ in beside if days.start < span.start < days.end)})
    for moment in moments:
        standing = [agreement, *(other for span, other in beside if span.start <= moment < span.end)]
        clauses = [Clause(agreement_id=each.id, rule=rule) for each in standing for rule in each.rules]
        found, lacking = _irreducible(clauses, sites)
        if any(clause.agreement_id == agreement.id for clause in found):
            words = ", ".join(str(clause) for clause in found)
            return (Refusal(code="agreement_cannot_hold", params={"rules": words, "lacking": lacking}),)
    return ()


def _irreducible(clauses: Sequence[Clause], sites: Sequence[Site]) -> tuple[list[Clause], str]:
    """Rules that cannot all be kept though any of them could be left out, and the percent of the time they lack."""
    left = [clause for clause in clauses if _is_compared(clause.rule)]
    if _lacking(left, sites) <= NOTHING:
        return [], ""
    # Rules of other agreements, which come last, are left out first: so the fault names the file's own if it can.
    for clause in reversed(list(left)):
        without = [other for other in left if other is not clause]
        if _lacking(without, sites) > NOTHING:
            left = without
    return left, f"{100 * _lacking(left, sites):.3g}"


def _is_compared(rule: ShareRule) -> bool:
    if rule.share is not None:
        return not rule.is_moving
    return rule.minutes is not None and rule.window is not Window.ROUND


def _lacking(clauses: Sequence[Clause], sites: Sequence[Site]) -> float:
    """The least time by which the rules are missed, as a part of the time of all instruments that they concern."""
    rows = [row for number, clause in enumerate(clauses) for row in _rows(number, clause.rule, sites)]
    concerned = sorted({site for row in rows for site in row.sites if sites[site].minutes})
    whole = sum(sites[site].minutes for site in concerned)
    if not whole:
        return 0.0
    parties = _parties([clause.rule.who for clause in clauses], {sites[site].host_id for site in concerned})
    alike: dict[tuple[frozenset[int], str], list[int]] = {}
    for site in concerned:
        holding = frozenset(k for k, row in enumerate(rows) if site in row.sites)
        alike.setdefault((holding, sites[site].host_id), []).append(site)
    most: list[float] = []
    kept: list[LinearRow] = []
    members: list[list[int]] = [[] for _ in rows]
    for (holding, host_id), same in alike.items():
        time = sum(sites[site].minutes for site in same) / whole
        counted = {
            frozenset(k for k in holding if matches(clauses[rows[k].clause].rule.who, party))
            for party in (_at(each, host_id) for each in parties)
        }
        first = len(most)
        for atom in sorted(counted, key=sorted):
            for k in atom:
                members[k].append(len(most))
            most.append(time)
        kept.append(LinearRow(range(first, len(most)), high=time))
    asked = [
        LinearRow(members[k], low=row.minutes / whole)
        if clauses[row.clause].rule.kind is Kind.FLOOR
        else LinearRow(members[k], high=row.minutes / whole)
        for k, row in enumerate(rows)
    ]
    return least_missed(most, kept, asked)


def _rows(number: int, rule: ShareRule, sites: Sequence[Site]) -> list[_Row]:
    """The rule once for each denominator."""
    inside: dict[str, set[int]] = {}
    for k, site in enumerate(sites):
        if covers(rule.where, site):
            inside.setdefault(scope_key(rule, site), set()).add(k)
    found: list[_Row] = []
    for held in inside.values():
        time = sum(sites[k].minutes for k in held)
        days = rule.days or DAYS.get(rule.window, 0)
        minutes = float(rule.share * time) if rule.share is not None else (rule.minutes or 0) * 7 / days
        found.append(_Row(number, frozenset(held), minutes))
    return found


def _parties(selectors: Sequence[Selector], hosts: set[str]) -> list[_Party]:
    """Every sort of party that these selectors tell apart, on no particular instrument."""
    organisations = {OTHER, *(each for selector in selectors for each in selector.organisation)}
    if any(selector.outside for selector in selectors):
        organisations |= hosts
    classes = {each for selector in selectors for each in selector.access_class}
    classes |= set(sorted(set(AccessClass) - classes)[:1])
    return [
        _Party(
            organisation_id=organisation,
            access_class=access_class,
            activity=activity,
            project_code=project,
            programme=programme,
            is_outside=True,
        )
        for organisation, access_class, activity, project, programme in product(
            sorted(organisations),
            sorted(classes),
            Activity,
            sorted({OTHER, *(each for selector in selectors for each in selector.project)}),
            sorted({OTHER, *(each for selector in selectors for each in selector.programme)}),
        )
    ]


def _at(party: _Party, host_id: str) -> _Party:
    return msgspec.structs.replace(party, is_outside=party.organisation_id != host_id)
