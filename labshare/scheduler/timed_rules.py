"""The rules of the contract over single starts: one function per rule, and `RULES`, which is the table of contents.

x_j is 1 when column j's session is held, `start_j`, `end_j` and `slots_j` as in timed_model.py. The relaxation of these
rows is tight where rules.py is weak: at a slot at most one session, whatever their lengths.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np

from labshare.scheduler.counting import RuleCount
from labshare.scheduler.layout import NOBODY, Ints, contributions
from labshare.scheduler.problem import Instrument
from labshare.scheduler.resources import Idle, idle_slots
from labshare.scheduler.timed_model import Floats, TimedModel


def once(model: TimedModel) -> None:
    """A request has at most one session: sum over its columns of x_j <= 1. Groups and campaigns say more of theirs."""
    problem, number = model.layout.problem, model.layout.request_index
    told = {number[r] for family in (*problem.groups, *problem.linked) for r in family.requests}
    free = ~np.isin(model.columns.request, sorted(told))
    columns = np.flatnonzero(free)
    requests, row = np.unique(model.columns.request[columns], return_inverse=True)
    model.add_rows(row, columns, np.ones(len(columns)), high=np.ones(len(requests)))


def lines(model: TimedModel) -> None:
    """At each slot of an instrument, a person or a pool of operators, at most the sessions that it can take."""
    uses = [model.layout.uses(run) for run in model.layout.runs]
    for kind in range(3):
        line = np.array([use[kind].line for use in uses], dtype=np.int64)[model.columns.run]
        slots = np.array([use[kind].slots for use in uses], dtype=np.int64)[model.columns.run]
        for one in np.unique(line[line != NOBODY]).tolist():
            columns = np.flatnonzero(line == one)
            start = model.columns.start[columns]
            for first, last, most in _pieces(model.layout.capacity[one]):
                _cover(model, columns, np.maximum(start, first), np.minimum(start + slots[columns], last), most)


def _pieces(capacity: Ints) -> Iterator[tuple[int, int, int]]:
    """The stretches `(first, end, most)` of equal capacity above 0."""
    edges = [0, *(np.flatnonzero(np.diff(capacity)) + 1).tolist(), len(capacity)]
    yield from ((a, b, int(capacity[a])) for a, b in pairwise(edges) if a < b and capacity[a])


def _cover(model: TimedModel, columns: Ints, begin: Ints, end: Ints, most: int) -> None:
    """At most `most` of the intervals [begin_j, end_j) are used at any slot.

    Only slots at which no others could be under way in addition: where the next thing to happen is an end. A slot that
    is wanted by at most `most` requests needs no row.
    """
    some = begin < end
    columns, begin, end = columns[some], begin[some], end[some]
    if not len(columns):
        return
    ends, begins = np.unique(end), np.sort(begin)
    reached = np.searchsorted(begins, ends, side="left")
    wanted = ends[np.diff(reached, prepend=0) > 0] - 1
    low, high = np.searchsorted(wanted, begin, side="left"), np.searchsorted(wanted, end, side="left")
    entry = np.repeat(np.arange(len(columns)), high - low)
    row = np.arange(len(entry)) - np.repeat(np.cumsum(high - low) - (high - low), high - low) + low[entry]
    pairs = np.unique(row * (model.size + 1) + model.columns.request[columns[entry]])
    contested = np.bincount(pairs // (model.size + 1), minlength=len(wanted)) > most
    kept = contested[row]
    number = np.cumsum(contested) - 1
    count = int(contested.sum())
    model.add_rows(number[row[kept]], columns[entry[kept]], np.ones(int(kept.sum())), high=np.full(count, float(most)))


def changeovers(model: TimedModel) -> None:
    """Any two sessions of families f and g on an instrument keep idle(f, g) slots apart (see `_thresholds`).

    Only where asking it of every pair is the same as of neighbours; `timed.build` sees to that.
    """
    for i, instrument in enumerate(model.layout.problem.instruments):
        idle = idle_slots(instrument)
        if not idle:
            continue
        here = np.flatnonzero(model.instrument == i)
        _keep_from_fixed(model, instrument, idle, here)
        families = _by_family(model, here)
        shortest = {family: int(model.slots[columns].min()) for family, columns in families.items()}
        for spread in _thresholds(idle, shortest):
            columns = np.concatenate([families[family] for family in spread])
            before = np.concatenate([np.full(len(families[family]), b) for family, (_, b) in spread.items()])
            after = np.concatenate([np.full(len(families[family]), a) for family, (a, _) in spread.items()])
            _cover(model, columns, model.columns.start[columns] - before, model.end[columns] - after, 1)


def _by_family(model: TimedModel, here: Ints) -> dict[str | None, Ints]:
    found: defaultdict[str | None, list[int]] = defaultdict(list)
    for column in here.tolist():
        found[_family(model, column)].append(column)
    return {family: np.array(columns, dtype=np.int64) for family, columns in found.items()}


def _family(model: TimedModel, column: int) -> str | None:
    return model.run_of(column).request.family


def _keep_from_fixed(model: TimedModel, instrument: Instrument, idle: Idle, here: Ints) -> None:
    for row in model.layout.problem.fixed:
        if row.instrument != instrument.id:
            continue
        for column in here.tolist():
            family = _family(model, column)
            first, last = row.start - idle.get((family, row.family), 0), row.end + idle.get((row.family, family), 0)
            if first < model.end[column] and model.columns.start[column] < last:
                model.upper[column] = 0


Spread = dict[str | None, tuple[int, int]]


def _thresholds(idle: Idle, shortest: dict[str | None, int]) -> Iterator[Spread]:
    """Sets of sessions no two of which can be held: for each family f bounds (a_f, b_f), meant from any slot t.

    In the set is a session of family f with start <= t + b_f and end > t + a_f. With b_g - a_f <= idle(f, g) for all f
    and g, the one that comes first would end less than idle(f, g) slots before the other starts. Each pair of families
    opens sets as far apart as its idle slots allow; all others come in as far as those before leave them room.
    """
    for (f, g), slots in sorted(idle.items(), key=str):
        if f not in shortest or g not in shortest:
            continue
        reach = shortest[f] + shortest[g] - 1
        for apart in range(slots, 0, -max(1, reach)):
            spread: Spread = {f: (0, idle.get((f, f), 0) if f != g else apart)}
            if f != g:
                spread[g] = _room(spread, idle, g, apart)
            for other in sorted(shortest.keys() - spread.keys(), key=str):
                spread[other] = _room(spread, idle, other, None)
            yield spread


def _room(spread: Spread, idle: Idle, family: str | None, most: int | None) -> tuple[int, int]:
    """The widest bounds (a, b) of a family beside those that are there, b at most `most`."""
    b = min(a + idle.get((other, family), 0) for other, (a, _) in spread.items())
    b = b if most is None else min(b, most)
    a = max(last - idle.get((family, other), 0) for other, (_, last) in spread.items())
    return max(a, b - idle.get((family, family), 0)), b


def caps(model: TimedModel) -> None:
    """Cap: used <= slots + share * allocated + miss; hard: miss = 0. Multiplied out, so that fractions stay exact."""
    for count in model.layout.counts:
        if count.rule.kind == "cap" and count.rule.penalty != 0:
            used, allocated = _amounts(model, count)
            share = count.rule.share
            net = used * share.denominator - allocated * share.numerator
            limit = share.denominator * (count.rule.slots - count.fixed_used) + share.numerator * count.fixed_allocated
            columns = np.flatnonzero(net)
            most = _at_most(model, np.maximum(net, 0)) - limit
            if most > 0:
                miss = _miss(model, count, -(-most // share.denominator))
                model.add_row([(columns, net[columns]), (miss, -float(share.denominator))], high=limit)


def floors(model: TimedModel) -> None:
    """Floor: used + miss >= min(slots + share * allocated, demand); hard: miss = 0.

    Where either of the two can be the smaller, a 0-1 variable says which is met.
    """
    for count in model.layout.counts:
        if count.rule.kind == "floor" and count.rule.penalty != 0:
            _floor(model, count)


def _floor(model: TimedModel, count: RuleCount) -> None:
    used, allocated = _amounts(model, count)
    served = np.flatnonzero(used)
    share = count.rule.share
    n, d = share.numerator, share.denominator
    least = count.rule.slots * d + n * count.fixed_allocated
    most = least + n * _most_allocated(model, count, allocated)
    miss = _miss(model, count, max(0, count.demand - count.fixed_used))
    demanded, fixed = count.demand * d, count.fixed_used * d
    if least >= demanded or n == 0:
        low = min(least, demanded) / d - count.fixed_used
        model.add_row([(served, used[served]), (miss, 1.0)], low=low)
        return
    net = used * d - allocated * n
    columns = np.flatnonzero(net)
    if most <= demanded:
        model.add_row([(columns, net[columns]), (miss, float(d))], low=least - fixed)
        return
    all_served = np.array([model.add_variable(1.0)])
    model.add_row([(columns, net[columns]), (miss, float(d)), (all_served, float(most - demanded))], low=least - fixed)
    model.add_row(
        [(served, used[served] * d), (miss, float(d)), (all_served, float(min(least, demanded) - demanded))],
        low=min(least, demanded) - fixed,
    )


def _amounts(model: TimedModel, count: RuleCount) -> tuple[Floats, Floats]:
    """By column the slots used and allocated that a session adds to the rule."""
    used, allocated = np.zeros(len(model.layout.runs)), np.zeros(len(model.layout.runs))
    for k, own, all_of_them in contributions(count, model.layout.runs):
        used[k], allocated[k] = own, all_of_them
    return used[model.columns.run], allocated[model.columns.run]


def _at_most(model: TimedModel, amount: Floats) -> int:
    """The most that the requests can add up to, each at the best of its columns."""
    return int(np.maximum.reduceat(amount, model.columns.begins).sum()) if len(amount) else 0


def _most_allocated(model: TimedModel, count: RuleCount, allocated: Floats) -> int:
    """The most slots that can be allocated in scope: what is asked for, and what the instruments have."""
    columns = np.flatnonzero(allocated)
    line = model.instrument[columns]
    first, end = count.rule.window or (0, model.layout.problem.horizon)
    reached = np.zeros((model.layout.lines, model.layout.problem.horizon + 1), dtype=np.int64)
    np.add.at(reached, (line, np.maximum(model.columns.start[columns], first)), 1)
    np.add.at(reached, (line, np.minimum(model.end[columns], end)), -1)
    return min(_at_most(model, allocated), int((np.cumsum(reached, axis=1) > 0).sum()))


def _miss(model: TimedModel, count: RuleCount, most: int) -> Ints:
    """Whole slots by which a soft rule may be missed, each charged its penalty; nothing for a hard rule."""
    if count.rule.penalty is None:
        return np.zeros(0, dtype=np.int64)
    return np.array([model.add_variable(float(most), -float(count.rule.penalty))])


def groups(model: TimedModel) -> None:
    """None of a group's requests is placed, or at least `min`: each placed <= g, min * g <= sum of placed."""
    number = model.layout.request_index
    for group in model.layout.problem.groups:
        served = np.array([model.add_variable(1.0)])
        placed = [model.columns_of(number[request]) for request in group.requests]
        for columns in placed:
            model.add_row([(columns, 1.0), (served, -1.0)], high=0)
        model.add_row([*((columns, 1.0) for columns in placed), (served, -float(group.min))], low=0)


def campaigns(model: TimedModel) -> None:
    """Linked requests: all or none, in order, min_gap <= start of the next - end of this one <= max_gap.

    With S_r(t) the sessions of request r started by t, E_r(t) those ended, for each next request n:
    S_n(t) <= E_r(t - min_gap) and E_r(t) <= S_n(t + max_gap).
    """
    number = model.layout.request_index
    for link in model.layout.problem.linked:
        served = np.array([model.add_variable(1.0)])
        members = [model.columns_of(number[request]) for request in link.requests]
        for columns in members:
            model.add_row([(columns, 1.0), (served, -1.0)], low=0, high=0)
        for before, after in pairwise(members):
            ended = _Done(model, before, model.end[before])
            started = _Done(model, after, model.columns.start[after])
            _follows(model, started, ended, -link.min_gap)
            if link.max_gap is not None:
                _follows(model, ended, started, link.max_gap)


class _Done:
    """The sessions of a request that have come as far by each time: 0-1 variables, one for each time that counts."""

    def __init__(self, model: TimedModel, columns: Ints, times: Ints) -> None:
        self.times, at = np.unique(times, return_inverse=True)
        count = len(self.times)
        self.variables = model.add_variables(np.ones(count), np.zeros(count))
        later = np.arange(1, count)
        row = np.concatenate((np.arange(count), later, at))
        variable = np.concatenate((self.variables, self.variables[:-1], columns))
        amount = np.concatenate((np.ones(count), np.full(max(0, count - 1), -1.0), np.full(len(columns), -1.0)))
        model.add_rows(row, variable, amount, low=np.zeros(count), high=np.zeros(count))


def _follows(model: TimedModel, later: _Done, earlier: _Done, shift: int) -> None:
    """What is done by t of `later` is done by t + shift of `earlier`: of equal rows the last, which says most."""
    place = np.searchsorted(earlier.times, later.times + shift, side="right") - 1
    says = np.flatnonzero(np.diff(place, append=len(earlier.times)) > 0)
    says = says[place[says] < len(earlier.times) - 1]
    has = says[place[says] >= 0]
    row = np.concatenate((np.arange(len(says)), np.flatnonzero(place[says] >= 0)))
    variable = np.concatenate((later.variables[says], earlier.variables[place[has]]))
    amount = np.concatenate((np.ones(len(says)), np.full(len(has), -1.0)))
    model.add_rows(row, variable, amount, high=np.zeros(len(says)))


def fairness(model: TimedModel) -> None:
    """Per organisation, rate_j for each slot served between thresholds T_(j-1) and T_j = percent_j % of target.

    Sum over j of f_j <= served, 0 <= f_j <= T_j - T_(j-1), gain sum of rate_j f_j: rates fall, so f fills in order.
    """
    problem = model.layout.problem
    organisations = np.array([request.organisation or "" for request in problem.requests] or [""])
    for organisation, target in problem.fairness.targets.items():
        mine = np.flatnonzero((organisations == organisation)[model.columns.request])
        reached = [0, *(percent * target // 100 for percent, _ in problem.fairness.steps)]
        widths = np.diff(np.array(reached, dtype=np.float64))
        steps = model.add_variables(widths, np.array([float(rate) for _, rate in problem.fairness.steps]))
        model.add_row([(steps, 1.0), (mine, -model.slots[mine].astype(np.float64))], high=0)


def stability(model: TimedModel) -> None:
    """A charge for each current session that is not kept where it is; a frozen one must be kept."""
    problem = model.layout.problem
    for session in problem.current:
        model.offset -= problem.change_penalty
        for column in model.columns_of(model.layout.request_index[session.request]).tolist():
            run = model.run_of(column)
            if (run.instrument, int(model.columns.start[column])) == (session.instrument, session.start):
                model.gain[column] += problem.change_penalty
                if session.start < problem.frozen_until:
                    model.lower[column] = 1


RULES: tuple[Callable[[TimedModel], None], ...] = (
    once,
    lines,
    changeovers,
    caps,
    floors,
    groups,
    campaigns,
    fairness,
    stability,
)
