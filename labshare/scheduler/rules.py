"""The rules of the contract as CP-SAT constraints: one function per rule, and `RULES`, which is the table of contents.

Notation as in model.py: x_k, s_k and I_k belong to run k; `slots_k` is its length. A soft rule adds its charge to
`model.gains`; a hard one holds exactly.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import pairwise

from ortools.sat.python import cp_model

from labshare.scheduler.changeover import changeovers
from labshare.scheduler.counting import RuleCount
from labshare.scheduler.model import Linear, Model, add_up
from labshare.scheduler.places import merged
from labshare.scheduler.problem import Link, OperatorPool, Span
from labshare.scheduler.resources import attended_by, free_operators


def once(model: Model) -> None:
    """A request has at most one session: sum over its runs of x_k <= 1."""
    for runs in model.runs_by_request.values():
        model.cp.add_at_most_one(model.x[k] for k in runs)


def no_overlap(model: Model) -> None:
    """Sessions on one instrument do not overlap: NoOverlap(I_k). Fixed rows and closed time are outside every run.

    Redundant but strong, one energy cut per stretch: sum of slots_k x_k <= length of the stretch.
    """
    for runs in model.runs_by_instrument.values():
        model.cp.add_no_overlap([model.intervals[k] for k in runs])
        in_stretch: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
        for k in runs:
            stretch = model.runs[k].stretch
            in_stretch[stretch.start, stretch.end].append(k)
        for (start, end), inside in in_stretch.items():
            model.at_most(add_up(model.x[k] * model.runs[k].slots for k in inside), end - start)


def one_place_per_person(model: Model) -> None:
    """A person attends one session at a time: NoOverlap over attended sessions and attended fixed rows of a person."""
    busy: defaultdict[str, list[Span]] = defaultdict(list)
    for row in (*model.problem.fixed, *model.around.kept):
        if row.attended and row.person:
            busy[row.person].append((row.start, row.end))
    attended: defaultdict[str, list[int]] = defaultdict(list)
    for k, run in enumerate(model.runs):
        if person := attended_by(run.request):
            attended[person].append(k)
    for person, runs in attended.items():
        taken = [model.cp.new_fixed_size_interval_var(a, b - a, "") for a, b in merged(busy[person])]
        model.cp.add_no_overlap([model.intervals[k] for k in runs] + taken)


def operators(model: Model) -> None:
    """At each slot the sessions that need an operator of a pool are at most the people on shift, fixed rows first."""
    needs: defaultdict[str, list[cp_model.IntervalVar]] = defaultdict(list)
    for k, run in enumerate(model.runs):
        if need := run.request.operator_on(run.option):
            needs[need.pool].append(model.optional_interval(k, min(need.slots, run.slots)))
    for pool in model.problem.operator_pools:
        if needs[pool.id]:
            _limit_operators(model, pool, needs[pool.id])


def _limit_operators(model: Model, pool: OperatorPool, needs: Sequence[cp_model.IntervalVar]) -> None:
    """Cumulative with the largest number on shift; where fewer are free, a constant interval takes the difference."""
    free = free_operators(model.problem, pool, model.around.kept)
    most = max(people for _, _, people in free)
    taken = [(a, b, most - people) for a, b, people in free if people < most]
    fillers = [model.cp.new_fixed_size_interval_var(a, b - a, "") for a, b, _ in taken]
    model.cp.add_cumulative([*needs, *fillers], [1] * len(needs) + [people for _, _, people in taken], most)


def caps(model: Model) -> None:
    """Cap: used <= slots + share * allocated + miss; hard: miss = 0. Multiplied out, so that fractions stay exact."""
    for count in model.counts:
        if count.rule.kind == "cap":
            most = sum(run.slots for run in model.runs) + count.fixed_used
            share, slots = count.rule.share, min(count.rule.slots, most)
            limit = model.allocated(count) * share.numerator + share.denominator * slots
            kept = model.used(count) - _miss(model, count, most)
            model.at_most(kept * share.denominator, limit, when=_switch(model, count))


def floors(model: Model) -> None:
    """Floor: used + miss >= min(slots + share * allocated, demand); hard: miss = 0.

    The smaller of the two bounds, where it varies, is had by a literal that says which of the two is met.
    """
    for count in model.counts:
        if count.rule.kind == "floor":
            share, slots = count.rule.share, min(count.rule.slots, count.demand)
            served = model.used(count) + _miss(model, count, count.demand)
            if share == 0 or slots == count.demand:
                model.at_least(served, slots, when=_switch(model, count))
                continue
            limit = model.allocated(count) * share.numerator + share.denominator * slots
            all_served, not_all = model.either()
            model.at_least(served, count.demand, when=[all_served, *_switch(model, count)])
            model.at_least(served * share.denominator, limit, when=[not_all, *_switch(model, count)])


def _miss(model: Model, count: RuleCount, most: int) -> Linear:
    """Whole slots by which a soft rule may be missed, each charged its penalty; 0 for a hard rule."""
    if count.rule.penalty is None:
        return model.cp.new_constant(0)
    miss = model.cp.new_int_var(0, most, "")
    model.misses[count.rule.id] = miss
    model.gains.append(miss * -count.rule.penalty)
    return miss


def _switch(model: Model, count: RuleCount) -> list[cp_model.IntVar]:
    return model.switch(count.rule.id) if count.rule.is_hard else []


def groups(model: Model) -> None:
    """None of a group's requests is placed, or at least `min`: min * g <= sum of placed <= n * g."""
    for group in model.problem.groups:
        served = model.cp.new_bool_var("")
        placed = add_up(model.placed(request) for request in group.requests)
        model.at_least(placed, served * group.min)
        model.at_most(placed, served * len(group.requests))


def campaigns(model: Model) -> None:
    """Linked requests: all or none, in order, min_gap <= start of the next - end of this one <= max_gap."""
    ends = {request for link in model.problem.linked for request in link.requests}
    places = {request: _start_and_end(model, request) for request in sorted(ends)}
    for link in model.problem.linked:
        served = model.cp.new_bool_var("")
        for request in link.requests:
            model.equal(model.placed(request), served)
        for before, after in pairwise(link.requests):
            _keep_gap(model, link, places[after][0] - places[before][1], served)


def _keep_gap(model: Model, link: Link, gap: Linear, served: cp_model.IntVar) -> None:
    model.at_least(gap, link.min_gap, when=[served])
    if link.max_gap is not None:
        model.at_most(gap, link.max_gap, when=[served])


def _start_and_end(model: Model, request_id: str) -> tuple[Linear, Linear]:
    """Variables that equal start and end of the request's session when it has one."""
    start = model.cp.new_int_var(0, model.problem.horizon, "")
    end = model.cp.new_int_var(0, model.problem.horizon, "")
    for k in model.runs_by_request[request_id]:
        model.equal(start, model.s[k], when=[model.x[k]])
        model.equal(end, model.s[k] + model.runs[k].slots, when=[model.x[k]])
    return start, end


def fairness(model: Model) -> None:
    """Per organisation, rate_j for each slot served between thresholds T_(j-1) and T_j = percent_j % of target.

    Sum over j of f_j <= served, 0 <= f_j <= T_j - T_(j-1), gain sum of rate_j f_j: rates fall, so f fills in order.
    """
    served = _served(model)
    for organisation, target in model.problem.fairness.targets.items():
        rewarded: list[Linear] = []
        reached = 0
        for percent, rate in model.problem.fairness.steps:
            step = model.cp.new_int_var(0, percent * target // 100 - reached, "")
            reached = percent * target // 100
            rewarded.append(step)
            model.gains.append(step * rate)
        model.at_most(add_up(rewarded), served[organisation])


def _served(model: Model) -> dict[str, Linear]:
    """The slots served to each organisation that has a target."""
    return {
        organisation: model.total(lambda run, who=organisation: run.slots if run.request.organisation == who else 0)
        + model.around.served.get(organisation, 0)
        for organisation in model.problem.fairness.targets
    }


def stability(model: Model) -> None:
    """A charge for each current session that is not kept where it is; a frozen one must be kept.

    Frozen: it starts before `frozen_until` and no down time of its instrument meets it.
    """
    for session in model.problem.current:
        here = [(k, model.runs[k]) for k in model.runs_by_request[session.request]]
        kept = [model.x[k] for k, run in here if run.instrument == session.instrument and run.is_at(session.start)]
        model.gains.append((add_up(kept) - 1) * model.problem.change_penalty)
        if kept and session.start < model.problem.frozen_until:
            model.at_least(add_up(kept), 1, when=model.switch(f"frozen:{session.request}"))


def value(model: Model) -> None:
    """The worth of what is placed: sum of value_k x_k - late * (s_k - first_k). Unused runs rest at the first start."""
    for k, run in enumerate(model.runs):
        model.gains.append(model.x[k] * run.value_at(run.first))
        if run.request.late and run.first < run.last:
            model.gains.append((model.s[k] - run.first) * -run.request.late)


RULES: tuple[Callable[[Model], None], ...] = (
    once,
    no_overlap,
    changeovers,
    one_place_per_person,
    operators,
    caps,
    floors,
    groups,
    campaigns,
    fairness,
    stability,
    value,
)


def build(model: Model) -> Model:
    """Add every rule, and the objective."""
    for rule in RULES:
        rule(model)
    model.maximise()
    return model
