"""A problem taken apart into problems that share nothing: no instrument, person, pool, rule, group or campaign.

The parts can be solved one by one; their objectives, bounds and sessions add up to the whole's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

import msgspec

from labshare.scheduler.counting import matches
from labshare.scheduler.places import in_scope
from labshare.scheduler.problem import Fairness, Option, Problem, Request, Rule
from labshare.scheduler.resources import attended_by

# A thing that can be shared: its kind and its id (rules, groups and campaigns by position).
Node = tuple[str, str | int]


def components(problem: Problem) -> list[Problem]:
    """The parts of the problem, smallest first, so that time which one leaves over goes to the larger ones."""
    joined = _Joined()
    for nodes in _shared(problem):
        joined.join(nodes)
    parts: defaultdict[Node, set[Node]] = defaultdict(set)
    for node in joined.nodes():
        parts[joined.root(node)].add(node)
    found = [_part(problem, nodes) for nodes in parts.values()] or [problem]
    return sorted(found, key=lambda part: len(part.requests))


def _shared(problem: Problem) -> Iterator[list[Node]]:
    """Sets of things that must stay together."""
    for request in problem.requests:
        yield [("request", request.id), *_needs_of(problem, request)]
    for instrument in problem.instruments:
        yield [("instrument", instrument.id)]
    for row in problem.fixed:
        yield [("instrument", row.instrument), *_person(row.person if row.attended else None)]
        if row.operator:
            yield [("instrument", row.instrument), ("pool", row.operator.pool)]
    for name, families in (("group", problem.groups), ("link", problem.linked)):
        for k, family in enumerate(families):
            yield [(name, k), *(("request", request) for request in family.requests)]
    for k, rule in enumerate(problem.rules):
        yield [("rule", k), *_counted(problem, rule)]


def _needs_of(problem: Problem, request: Request) -> Iterator[Node]:
    yield from _person(attended_by(request))
    if request.organisation in problem.fairness.targets:
        yield "organisation", request.organisation
    for option in request.options:
        yield "instrument", option.instrument
        if need := request.operator_on(option):
            yield "pool", need.pool


def _person(person: str | None) -> Iterator[Node]:
    if person:
        yield "person", person


def _counted(problem: Problem, rule: Rule) -> Iterator[Node]:
    """What a rule reads: all instruments in scope when it is a share of their time, else what it counts there."""
    scope = {instrument.id for instrument in problem.instruments if in_scope(rule, instrument)}
    if rule.of_allocated:
        yield from (("instrument", instrument) for instrument in sorted(scope))
    for request in problem.requests:
        if any(_counts(rule, scope, request, option) for option in request.options):
            yield "request", request.id
    for row in problem.fixed if rule.count_fixed else ():
        if row.instrument in scope:
            yield "instrument", row.instrument


def _counts(rule: Rule, scope: set[str], request: Request, option: Option) -> bool:
    return option.instrument in scope and matches(rule.who, request, option.tags)


class _Joined:
    """Sets that grow together (union-find)."""

    def __init__(self) -> None:
        self._parent: dict[Node, Node] = {}

    def nodes(self) -> Iterable[Node]:
        return self._parent

    def root(self, node: Node) -> Node:
        self._parent.setdefault(node, node)
        while self._parent[node] != node:
            self._parent[node] = self._parent[self._parent[node]]
            node = self._parent[node]
        return node

    def join(self, nodes: list[Node]) -> None:
        for node in nodes:
            self._parent[self.root(node)] = self.root(nodes[0])


def _part(problem: Problem, nodes: set[Node]) -> Problem:
    targets = {who: slots for who, slots in problem.fairness.targets.items() if ("organisation", who) in nodes}
    instruments = {name for kind, name in nodes if kind == "instrument"}
    return msgspec.structs.replace(
        problem,
        instruments=tuple(row for row in problem.instruments if row.id in instruments),
        requests=tuple(row for row in problem.requests if ("request", row.id) in nodes),
        operator_pools=tuple(row for row in problem.operator_pools if ("pool", row.id) in nodes),
        groups=tuple(row for k, row in enumerate(problem.groups) if ("group", k) in nodes),
        linked=tuple(row for k, row in enumerate(problem.linked) if ("link", k) in nodes),
        rules=tuple(row for k, row in enumerate(problem.rules) if ("rule", k) in nodes),
        fixed=tuple(row for row in problem.fixed if row.instrument in instruments),
        current=tuple(row for row in problem.current if ("request", row.request) in nodes),
        down=tuple(row for row in problem.down if row[0] in instruments),
        fairness=Fairness(targets=targets, steps=problem.fairness.steps),
    )
