"""Changeover between neighbours on an instrument, exactly: idle slots between two families, in that order.

Only neighbours count. Where no third session can stand between two others more cheaply than their own changeover (the
usual case), asking it of every pair is the same and stays compact. Elsewhere the order on the instrument is a circuit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise, product

from ortools.sat.python import cp_model

from labshare.scheduler.model import Linear, Model
from labshare.scheduler.problem import FixedRow
from labshare.scheduler.resources import Idle, idle_slots


@dataclass(frozen=True)
class _Row:
    """On one instrument: a session that may be (`present`), one that is kept, or a fixed row (`is_fixed`)."""

    request: str | None
    family: str | None
    slots: int
    first: int
    last: int
    start: Linear
    present: cp_model.IntVar | None
    is_fixed: bool = False


def changeovers(model: Model) -> None:
    """For neighbours u before v on an instrument: s_v >= end_u + idle(family_u, family_v)."""
    fixed, kept = _by_instrument(model.problem.fixed), _by_instrument(model.around.kept)
    for instrument in model.problem.instruments:
        idle = idle_slots(instrument)
        if not idle:
            continue
        rows = _rows(model, instrument.id, fixed[instrument.id], kept[instrument.id])
        families = {row.family for row in rows}
        if not any(pair in idle for pair in product(families, families)):
            continue
        if _every_pair_is_as_good_as_neighbours(rows, idle):
            _keep_every_pair_apart(model, rows, idle)
        else:
            _keep_neighbours_apart(model, rows, idle)


def _by_instrument(rows: Iterable[FixedRow]) -> defaultdict[str, list[FixedRow]]:
    found: defaultdict[str, list[FixedRow]] = defaultdict(list)
    for row in rows:
        found[row.instrument].append(row)
    return found


def _rows(model: Model, instrument_id: str, fixed: Iterable[FixedRow], kept: Iterable[FixedRow]) -> list[_Row]:
    rows = [
        _Row(
            None,
            row.family,
            row.end - row.start,
            row.start,
            row.start,
            model.cp.new_constant(row.start),
            None,
            is_fixed=is_fixed,
        )
        for standing, is_fixed in ((fixed, True), (kept, False))
        for row in standing
    ]
    for k in model.runs_by_instrument[instrument_id]:
        run = model.runs[k]
        rows.append(_Row(run.request.id, run.request.family, run.slots, run.first, run.last, model.s[k], model.x[k]))
    return rows


def _every_pair_is_as_good_as_neighbours(rows: list[_Row], idle: Idle) -> bool:
    standing = [(row.first, row.first + row.slots, row.family) for row in rows if row.present is None]
    return pairs_suffice(idle, [(row.family, row.slots) for row in rows if row.present is not None], standing)


def pairs_suffice(
    idle: Idle, lengths: Iterable[tuple[str | None, int]], standing: Iterable[tuple[int, int, str | None]]
) -> bool:
    """idle(a, c) <= idle(a, b) + shortest b + idle(b, c) for all families, and fixed neighbours keep their own.

    `lengths` are the families and slots of what may be placed, `standing` the start, end and family of what stays.
    """
    fixed = sorted(standing, key=lambda row: row[:2])
    shortest: dict[str | None, int] = {}
    for family, slots in (*lengths, *((family, end - start) for start, end, family in fixed)):
        shortest[family] = min(slots, shortest.get(family, slots))
    return all(
        slots <= idle.get((a, b), 0) + shortest[b] + idle.get((b, c), 0)
        for (a, c), slots in idle.items()
        for b in shortest
    ) and all(after[0] >= before[1] + idle.get((before[2], after[2]), 0) for before, after in pairwise(fixed))


def _keep_every_pair_apart(model: Model, rows: list[_Row], idle: Idle) -> None:
    """Sessions of one family, each prolonged by its idle slots, never meet a session of the other family.

    Prolonged ones may meet each other (demand 1, at most idle + 1 at once); one of the other family fills the capacity.
    """
    for (before, after), slots in idle.items():
        firsts = [_interval(model, row, slots) for row in rows if row.family == before]
        seconds = [_interval(model, row, 0) for row in rows if row.family == after]
        if before == after:
            model.cp.add_no_overlap(firsts)
        elif firsts and seconds:
            capacity = slots + 1
            model.cp.add_cumulative([*firsts, *seconds], [1] * len(firsts) + [capacity] * len(seconds), capacity)


def _interval(model: Model, row: _Row, longer: int) -> cp_model.IntervalVar:
    if row.present is None:
        return model.cp.new_fixed_size_interval_var(row.start, row.slots + longer, "")
    return model.cp.new_optional_fixed_size_interval_var(row.start, row.slots + longer, row.present, "")


def _keep_neighbours_apart(model: Model, rows: list[_Row], idle: Idle) -> None:
    """One circuit through what is present, in order of time; the arc from u to v asks for their idle slots."""
    empty = model.cp.new_bool_var("")
    arcs: list[cp_model.ArcT] = [(0, 0, empty)]
    for n, row in enumerate(rows, start=1):
        arcs += [(0, n, model.cp.new_bool_var("")), (n, 0, model.cp.new_bool_var(""))]
        if row.present is not None:
            arcs.append((n, n, ~row.present))
            model.cp.add_implication(row.present, ~empty)
    for (m, u), (n, v) in product(enumerate(rows, start=1), repeat=2):
        slots = 0 if u.is_fixed and v.is_fixed else idle.get((u.family, v.family), 0)
        of_one_request = u.request is not None and u.request == v.request
        if m != n and not of_one_request and u.first + u.slots + slots <= v.last:
            follows = model.cp.new_bool_var("")
            arcs.append((m, n, follows))
            model.at_least(v.start, u.start + u.slots + slots, when=[follows])
    model.cp.add_circuit(arcs)
