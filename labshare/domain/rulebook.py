"""All that agreements say, read once: which rules are in force over a span, and which of them count a use.

What a booking costs must grow with the rules that count it, not with all that were ever signed. So what has been asked
of a rulebook once is remembered: it never changes, as a new signing makes a new one (store/agreements.py).
What must not live here: the meaning of rules (agreements.py, weighing.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import reduce
from itertools import chain
from typing import NamedTuple

from labshare.domain.agreements import (
    Agreement,
    Kind,
    Term,
    Use,
    Version,
    Where,
    covers,
    effective_span,
    matches,
    scope_key,
    terms,
)
from labshare.domain.booking_rules import Posted, Site
from labshare.domain.projects import AccessClass, Activity
from labshare.domain.round_terms import in_rounds
from labshare.domain.sandbox import Holding, priced, under
from labshare.domain.standing_rules import at
from labshare.domain.timespan import Span

# More sorts of uses than this are forgotten together: a house of 1,000 instruments and 50 parties on each has as many.
REMEMBERED = 50_000


class Seat(NamedTuple):
    """One term, for one of its denominators: where a use counts in whatever window it lies. What a sandbox makes of a
    rule differs from the rule itself in when it begins.
    """

    agreement_id: str
    rule_id: str
    version: int
    begins_at: datetime
    scope_key: str


def seat_of(term: Term, scope_key: str) -> Seat:
    return Seat(*term.key, term.version, term.spans[0].start, scope_key)


class Party(NamedTuple):
    """All that a rule can tell of a use, but when it is. `Who` and `Where` in one."""

    instrument_id: str
    centre_id: str
    organisation_id: str
    access_class: AccessClass
    activity: Activity
    project_code: str
    programme: str
    is_outside: bool

    @classmethod
    def of(cls, use: Use) -> Party:
        return cls(
            use.instrument_id,
            use.centre_id,
            use.organisation_id,
            use.access_class,
            use.activity,
            use.project_code,
            use.programme,
            use.is_outside,
        )


class Rulebook:
    """Every version of every agreement: the agreements in the order of their ids, the oldest version first.

    `terms` are their rules, as the sandboxes that hold change them, and once for each round that was announced (horizon
    by code) where the window is the round. `posted` are the centres' own rules of booking that stand.
    """

    def __init__(
        self,
        versions: Mapping[str, tuple[Version, ...]],
        holdings: Sequence[Holding] = (),
        rounds: Mapping[str, Span] | None = None,
        posted: Sequence[Posted] = (),
    ) -> None:
        self.versions, self.holdings, self.rounds, self.posted = versions, holdings, rounds or {}, posted
        # What the booking check, planning and reports read: here sandboxes come in, and nowhere else.
        self.terms = {
            key: tuple(in_rounds(under(terms(each), holdings), self.rounds)) for key, each in versions.items()
        }
        # The newest version first: it replaces those before it on the days that it covers.
        self._forces = [
            [(effective_span(each.agreement), each.agreement) for each in reversed(some)] for some in versions.values()
        ]
        self._covering: dict[tuple[str, str], tuple[Term, ...]] = {}
        self._posted: dict[Site, tuple[Posted, ...]] = {}
        self._sorts: dict[Party, tuple[tuple[Term, ...], tuple[Seat, ...]]] = {}

    def over(self, span: Span) -> tuple[Term, ...]:
        """The rules that are in force at some moment of the span."""
        return tuple(
            term
            for term in chain.from_iterable(self.terms.values())
            if any(force.overlaps(span) for force in term.spans)
        )

    def agreements_at(self, moment: datetime) -> list[Agreement]:
        """The agreements in force at this instant, each in the version that holds then."""
        found = (
            next((agreement for force, agreement in some if force.start <= moment < force.end), None)
            for some in self._forces
        )
        return [each for each in found if each is not None]

    def priced_at(self, agreements: Iterable[Agreement], moment: datetime) -> list[Agreement]:
        """These agreements with the tariffs that trials which hold at this instant ask instead."""
        holding = [each.overlay for each in self.holdings if any(s.start <= moment < s.end for s in each.spans)]
        return [reduce(priced, holding, agreement) for agreement in agreements]

    def courtesy_edges(self, span: Span) -> list[datetime]:
        """When inside the span clauses of courtesy begin or end to be in force, with both ends of the span."""
        forces = (force for some in self._forces if any(each.courtesy for _, each in some) for force, _ in some)
        inside = {edge for force in forces for edge in (force.start, force.end) if span.start < edge < span.end}
        return [span.start, *sorted(inside), span.end]

    def covering(self, at: Where) -> tuple[Term, ...]:
        """The rules of all times whose scope holds this instrument."""
        # An instrument may move to another centre while the agreements stay.
        key = at.instrument_id, at.centre_id
        found = self._covering.get(key)
        if found is None:
            found = tuple(term for term in chain.from_iterable(self.terms.values()) if covers(term.rule.where, at))
            self._covering[key] = found
        return found

    def posted_at(self, site: Site) -> tuple[Posted, ...]:
        """The centre's own rules of booking that hold at this instrument."""
        found = self._posted.get(site)
        if found is None:
            self._posted[site] = found = at(self.posted, site)
        return found

    def needs_project(self, at: Where) -> bool:
        """Whether a rule of this instrument tells projects of one organisation, class and activity apart."""
        return any(term.rule.who.needs_project for term in self.covering(at))

    def counting(self, use: Use) -> tuple[Term, ...]:
        """The rules of all times with a balance that such a use moves: caps that match it, floors that cover it."""
        return self._sort(Party.of(use))[0]

    def seats(self, party: Party) -> tuple[Seat, ...]:
        """The rules of all times that match this party, with the denominator in which it counts."""
        return self._sort(party)[1]

    def _sort(self, party: Party) -> tuple[tuple[Term, ...], tuple[Seat, ...]]:
        found = self._sorts.get(party)
        if found is None:
            party = Party(*party)
            # A share of what people book or use keeps no balance and refuses nobody.
            covering = [term for term in self.covering(party) if not term.rule.is_moving]
            matched = [term for term in covering if matches(term.rule.who, party)]
            seats = tuple(seat_of(term, scope_key(term.rule, party)) for term in matched)
            ids = {id(term) for term in matched}
            counting = tuple(term for term in covering if term.rule.kind is Kind.FLOOR or id(term) in ids)
            if len(self._sorts) >= REMEMBERED:
                self._sorts.clear()
            self._sorts[party] = found = counting, seats
        return found

    def counting_any(self, uses: Iterable[Use]) -> tuple[Term, ...]:
        """The rules that count one of these uses, each once."""
        return tuple({id(term): term for use in uses for term in self.counting(use)}.values())
