"""What must hold of a plan's sessions: one function per rule of the contract, in the tuple `OF_SESSIONS`.

Part of the checker, so it reads problem.py and plan.py and nothing else of the scheduler.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from msgspec import UNSET

from labshare.scheduler.check_case import Case, Row, Violation
from labshare.scheduler.problem import CurrentSession, Instrument


def _once(case: Case) -> Iterator[Violation]:
    for request, times in Counter(placed.request.id for placed in case.placed).items():
        if times > 1:
            yield Violation("placed_twice", request, f"has {times} sessions")


def _length(case: Case) -> Iterator[Violation]:
    for placed in case.placed:
        due = placed.request.slots if placed.option.slots is None else placed.option.slots
        if placed.slots != due:
            yield Violation("wrong_length", placed.where, f"lasts {placed.slots} slots, not {due}")


def _open(case: Case) -> Iterator[Violation]:
    for session, _, _, where in case.placed:
        segments = case.instruments[session.instrument].open
        inside = segments is None or any(a <= session.start and session.end <= b for a, b in segments)
        if not inside or session.end > case.problem.horizon:
            yield Violation(
                "closed", where, f"'{session.instrument}' is not open from {session.start} to {session.end}"
            )
        for instrument, start, end in case.problem.down:
            if instrument == session.instrument and start < session.end and session.start < end:
                yield Violation("down", where, f"'{instrument}' is down from {start} to {end}")


def _no_overlap(case: Case) -> Iterator[Violation]:
    for instrument in case.problem.instruments:
        rows = _rows_on(case, instrument)
        latest: tuple[int, int, str, bool] | None = None
        for start, end, name, movable, _ in rows:
            if latest and start < latest[1] and (movable or latest[3]):
                yield Violation("overlap", instrument.id, f"{latest[2]} and {name} overlap at {start}")
            if latest is None or end > latest[1]:
                latest = (start, end, name, movable)


def _changeover(case: Case) -> Iterator[Violation]:
    for instrument in case.problem.instruments:
        idle = {(before, after): slots for before, after, slots in instrument.changeover}
        for left, right in pairwise(_rows_on(case, instrument)):
            due = idle.get((left[4] or "", right[4] or ""), 0)
            between = right[0] - left[1]
            if 0 <= between < due and (left[3] or right[3]):
                detail = f"{between} idle slots between {left[2]} and {right[2]}, not {due}"
                yield Violation("changeover", instrument.id, detail)


def _rows_on(case: Case, instrument: Instrument) -> list[Row]:
    """Everything on the instrument, in order of time."""
    return sorted(case.rows[instrument.id], key=lambda row: row[:3])


def _one_place_per_person(case: Case) -> Iterator[Violation]:
    rows: defaultdict[str, list[tuple[int, int, bool]]] = defaultdict(list)
    for placed in case.placed:
        if placed.request.attended and placed.request.person:
            rows[placed.request.person].append((placed.session.start, placed.session.end, True))
    for row in case.problem.fixed:
        if row.attended and row.person:
            rows[row.person].append((row.start, row.end, False))
    for person, spans in rows.items():
        ever = min(start for start, _, _ in spans), max(end for _, end, _ in spans), 1
        for start, end in _beyond(spans, [ever]):
            yield Violation("person_in_two_places", person, _when(start, end))


def _operators(case: Case) -> Iterator[Violation]:
    rows: defaultdict[str, list[tuple[int, int, bool]]] = defaultdict(list)
    for session, request, option, _ in case.placed:
        need = request.operator if option.operator is UNSET else option.operator
        if need:
            rows[need.pool].append((session.start, min(session.end, session.start + need.slots), True))
    for row in case.problem.fixed:
        if row.operator:
            rows[row.operator.pool].append((row.start, min(row.end, row.start + row.operator.slots), False))
    for pool in case.problem.operator_pools:
        for start, end in _beyond(rows[pool.id], pool.shifts):
            yield Violation("too_few_operators", pool.id, _when(start, end))


def _beyond(spans: list[tuple[int, int, bool]], there: Sequence[tuple[int, int, int]]) -> list[tuple[int, int]]:
    """When more spans are under way than are there for them, one of them being a session's.

    The comings and goings of both are gone through in order of time; between two of them nothing changes.
    """
    changes: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0])
    for start, end, movable in spans:
        for slot, step in ((start, 1), (end, -1)) if start < end else ():
            changes[slot][0] += step
            changes[slot][1] += step * movable
    for start, end, people in there:
        changes[start][0] -= people
        changes[end][0] += people
    found: list[tuple[int, int]] = []
    wanting = sessions = 0
    for slot, after in pairwise(sorted(changes)):
        wanting += changes[slot][0]
        sessions += changes[slot][1]
        if wanting > 0 and sessions > 0:
            joins = found and found[-1][1] == slot
            found[-1:] = [(found[-1][0], after)] if joins else [*found[-1:], (slot, after)]
    return found


def _when(start: int, end: int) -> str:
    return f"at slot {start}" if end == start + 1 else f"from slot {start} to {end}"


def _groups(case: Case) -> Iterator[Violation]:
    for k, group in enumerate(case.problem.groups):
        placed = sum(request in case.by_request for request in group.requests)
        if 0 < placed < group.min:
            yield Violation("group_too_small", f"groups[{k}]", f"{placed} placed, at least {group.min} or none")


def _campaigns(case: Case) -> Iterator[Violation]:
    for k, link in enumerate(case.problem.linked):
        placed = [case.by_request[request].session for request in link.requests if request in case.by_request]
        if placed and len(placed) < len(link.requests):
            yield Violation("campaign_broken", f"linked[{k}]", f"{len(placed)} of {len(link.requests)} placed")
            continue
        for before, after in pairwise(placed):
            gap = after.start - before.end
            if gap < link.min_gap or (link.max_gap is not None and gap > link.max_gap):
                detail = f"{gap} slots between '{before.request}' and '{after.request}'"
                yield Violation("campaign_gap", f"linked[{k}]", detail)


def _frozen(case: Case) -> Iterator[Violation]:
    for row in case.problem.current:
        placed = case.by_request.get(row.request)
        kept = placed and placed.session.start == row.start and placed.session.instrument == row.instrument
        if row.start < case.problem.frozen_until and not kept and not _is_hit(case, row):
            yield Violation("frozen_moved", row.request, f"was to stay at {row.start} on '{row.instrument}'")


def _is_hit(case: Case, row: CurrentSession) -> bool:
    """Does a down time of its instrument meet this current session?"""
    request = case.requests[row.request]
    here = [option for option in request.options if option.instrument == row.instrument]
    offering = [option for option in here if any(first <= row.start <= last for first, last in option.starts)]
    end = row.start + (next((option.slots for option in offering or here), None) or request.slots)
    return any(i == row.instrument and a < end and row.start < b for i, a, b in case.problem.down)


def _hard_rules(case: Case) -> Iterator[Violation]:
    for rule in case.problem.rules:
        reading = case.readings[rule.id]
        if rule.penalty is None and reading.miss:
            yield Violation("hard_rule_broken", rule.id, f"uses {reading.used}, {rule.kind} {reading.exact}")


OF_SESSIONS: tuple[Callable[[Case], Iterator[Violation]], ...] = (
    _once,
    _length,
    _open,
    _no_overlap,
    _changeover,
    _one_place_per_person,
    _operators,
    _groups,
    _campaigns,
    _frozen,
    _hard_rules,
)
