"""A plan that changes have broken made whole again: what fits is moved, what cannot be moved is dropped, little else.

The sessions hit and the new requests are freed together with the cheapest sessions around them, and the neighbourhood
grows while one of them has no place. Dropping sessions until the rest is allowed is there to fall back on. Work is
counted in steps, so that the same plan and changes give the same sessions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from typing import Literal

import msgspec

from labshare.scheduler.changes import cut
from labshare.scheduler.nearby import Nearby, Space, spaces_of
from labshare.scheduler.neighbourhood import Neighbourhoods
from labshare.scheduler.plan import Session
from labshare.scheduler.problem import Problem, Rule
from labshare.scheduler.search import Limits

Sessions = Mapping[str, Session]

# How many of its cheapest places are looked at for a request without one, in the first round and in those after it.
PLACES = (2, 6, 15)
# Requests freed beside those that must be; and those waiting for room or able to mend a broken rule.
MOST_BESIDE = 40
MOST_WAITING = 12


def is_hit(problem: Problem, session: Session) -> bool:
    """Does a down time of its instrument meet the session?"""
    return any(
        name == session.instrument and start < session.end and session.start < end for name, start, end in problem.down
    )


class Mending:
    """One plan being mended. `problem` is the one after the changes; `sessions` are those that were not cancelled."""

    def __init__(self, problem: Problem, sessions: Sessions, now: int, limits: Limits) -> None:
        self.problem = problem
        self.around = Neighbourhoods(problem, not_before=now)
        self.standing = self.around.standing
        self.hit = [name for name, session in sessions.items() if is_hit(problem, session)]
        self.plan: Sessions | None = None
        self._base = {name: session for name, session in sessions.items() if name not in set(self.hit)}
        self._nearby = Nearby(self.around)
        self._limits = limits
        self._steps_left = limits.steps or 0
        self._worth = 0

    def run(self, new: Iterable[str], spaces: Sequence[Space]) -> Sessions | None:
        """The mended plan, with `new` requests where they are worth a place and those waiting for the `spaces` left.

        None when no plan was found that keeps the hard rules.
        """
        self.standing.become(self._base)
        self._offer(self._allowed_part())
        known, wanted = self._base, [*self.hit, *new]
        for places in PLACES:
            freed = self._freed(known, wanted, spaces, places)
            if not freed or self._steps_left <= 0:
                break
            found = self.around.best(known, freed, replace(self._limits, steps=self._steps_left))
            self._steps_left -= found.steps
            if found.sessions is not None:
                self._offer({session.request: session for session in found.sessions})
            known = self._base if self.plan is None else dict(self.plan)
            wanted = [name for name in wanted if name not in known]
            if self.plan is not None and not wanted:
                break
        return self.plan

    def broken_floors(self) -> list[Rule]:
        """The hard floors without a share that the sessions an outage left do not meet."""
        self.standing.become(self._base)
        rules = enumerate(self.problem.rules)
        return [
            rule
            for k, rule in rules
            if rule.kind == "floor" and rule.is_hard and not rule.share and self.standing.missed(k)
        ]

    def everything(self, steps: int) -> Literal["optimal", "feasible", "infeasible", "unknown"]:
        """Plan all of it anew, for want of anything smaller; what is found is offered."""
        names = [request.id for request in self.problem.requests]
        found = self.around.best(self._base, names, replace(self._limits, steps=steps))
        if found.sessions is not None:
            self._offer({session.request: session for session in found.sessions})
        return found.status

    def _offer(self, sessions: Sessions | None) -> None:
        """Keep these sessions, which are allowed, if they are worth more than those kept."""
        if sessions is None:
            return
        self.standing.become(sessions)
        if self.plan is None or self.standing.objective > self._worth:
            self.plan, self._worth = dict(sessions), self.standing.objective

    def _freed(self, known: Sessions, wanted: Sequence[str], spaces: Sequence[Space], places: int) -> list[str]:
        """The requests to plan anew so that the wanted ones find a place."""
        self.standing.become(known)
        around, nearby, requests = self.around, self._nearby, self.standing.requests
        found = dict.fromkeys(self._with_groups(around.with_campaigns([*wanted, *nearby.too_close()])))
        most = len(found) + MOST_BESIDE
        for name in list(found):
            displaced = [
                *nearby.cheapest(requests[name], places),
                *nearby.under_the_same_caps(requests[name], places),
            ]
            found |= dict.fromkeys(self._with_groups(displaced))
        holes = [*spaces, *spaces_of([self.standing.seats[name] for name in found if name in self.standing.seats])]
        waiting = self._with_groups(nearby.waiting(holes, MOST_WAITING))
        found |= dict.fromkeys([*nearby.of_broken_rules(MOST_WAITING), *waiting, *nearby.beside(spaces)])
        return around.with_campaigns(list(found)[:most])

    def _with_groups(self, names: Iterable[str]) -> list[str]:
        """These requests and the others of their groups that may move."""
        found = dict.fromkeys(names)
        for name in list(found):
            for group in self.around.groups[name]:
                found |= dict.fromkeys(other for other in group.requests if not self.around.is_frozen(other))
        return list(found)

    def _allowed_part(self) -> Sessions | None:
        """What stands, less what must go so that the rest is allowed; None when that is not enough."""
        while True:
            drop = [name for name in self._misfits() if not self.around.is_frozen(name)]
            if not drop:
                break
            for name in drop:
                self.standing.take(name)
        is_allowed = not any(True for _ in self._misfits()) and self.standing.keeps_hard_rules()
        return {session.request: session for session in self.standing.sessions} if is_allowed else None

    def _misfits(self) -> list[str]:
        """Sessions that may not stand while the others stand as they do; all that can be said at a glance."""
        seats = self.standing.seats
        found: list[str] = []
        for link in self.problem.linked:
            if any(name not in seats for name in link.requests):
                found += [name for name in link.requests if name in seats]
        for group in self.problem.groups:
            placed = [name for name in group.requests if name in seats]
            found += placed if len(placed) < group.min else []
        close = [name for name in self._nearby.too_close() if not self.around.is_frozen(name)]
        found += sorted(close, key=lambda name: seats[name].value)[:1]
        return found or self._nearby.of_broken_caps()


def loosened(problem: Problem, sessions: Sessions, hit: Set[str]) -> Problem:
    """The problem with families that an outage hit cut off from what of them has begun.

    What has begun stays. Where the rest of a campaign cannot follow as it should, it is a campaign of its own; a group
    is content with the sessions that have begun.
    """
    begun = {name for name, row in sessions.items() if row.start < problem.frozen_until and name not in hit}
    return msgspec.structs.replace(
        problem,
        linked=tuple(
            part
            for link in problem.linked
            for part in (cut(link, begun) if begun & set(link.requests) and hit & set(link.requests) else [link])
        ),
        groups=tuple(
            msgspec.structs.replace(group, min=min(group.min, len(begun & set(group.requests))))
            if begun & set(group.requests) and hit & set(group.requests)
            else group
            for group in problem.groups
        ),
    )
