"""The report of use: who used what, how full the instruments were, and where the shares stand. For one reader.

At most fourteen queries, whatever the period and the scope; the work grows with the period asked.
What must not live here: what is told of others (domain/reports.py), or which rows a reader gets (store/reports.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from labshare.domain.bookings import BookingKind
from labshare.domain.capacity import capacity
from labshare.domain.clauses import min_cell_over
from labshare.domain.entitlements import Shown
from labshare.domain.equipment import EquipmentState, state_minutes
from labshare.domain.people import Action, Actor, may
from labshare.domain.reports import (
    Atom,
    Coverage,
    Ladder,
    Line,
    Period,
    Reader,
    ReportScope,
    Running,
    Told,
    UseRow,
    covered_rows,
    lines,
    told,
    whole_months,
)
from labshare.domain.timespan import MINUTE, Span, intersection
from labshare.errors import Forbidden, NotSignedIn
from labshare.services.capacity import opened
from labshare.services.entitlements import standings
from labshare.store import capacity as capacity_store
from labshare.store import names
from labshare.store import reports as store
from labshare.store import usage as usage_store
from labshare.store.capacity import TimedInstrument
from labshare.store.engine import Connection
from labshare.store.names import Name
from labshare.store.reports import Place
from labshare.store.rulebooks import rulebook


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One report as its reader may see it; page, chart and CSV are made of nothing else.

    `past` is the part of the period that is over; `ladder` and `running` speak of the part of it that `coverage` names
    and are None where there is none. `entitlements` stand at the end of `past`.
    """

    period: Period
    past: Span | None
    scope: ReportScope
    is_masked: bool
    instruments: int
    lines: tuple[Line, ...]
    names: dict[str, Name]
    coverage: Coverage
    ladder: Ladder | None
    running: Running | None
    entitlements: tuple[Shown, ...]


def reader_of(actor: Actor | None) -> Reader:
    """What this person may see in reports. Raises `NotSignedIn` or `Forbidden` when it is nothing."""
    if actor is None:
        raise NotSignedIn()
    if may(actor, Action.READ_REPORT):
        return Reader(sees_all=True)
    reader = Reader(centre_ids=actor.centre_ids, organisation_ids=actor.partner_ids)
    if not (reader.centre_ids or reader.organisation_ids):
        raise Forbidden("forbidden", action=Action.READ_REPORT.value)
    return reader


def places(db: Connection, actor: Actor) -> list[Place]:
    """The centres and instruments that this person may ask about."""
    return store.places(db, reader_of(actor))


def utilisation(db: Connection, actor: Actor | None, period: Period, scope: ReportScope, now: datetime) -> Report:
    """The report of a period and a scope. Raises `Forbidden`, and `NotFound` for a place not theirs to see."""
    reader = reader_of(actor)
    assert actor is not None
    whole, months = period.span, period.months
    chosen = store.in_scope(db, reader, scope, whole)
    around = store.beside(db, reader, chosen, whole) if scope.instrument_id else chosen
    rows = store.use_rows(db, reader, months, around, now)
    masked = [each for each in around if not reader.answers_for(each.centre_id)]
    atoms = [Atom(c, m) for c in {each.centre_id for each in masked} for m in whole_months(months, now)]
    others = told(rows, atoms, _least(db, around, months, atoms))
    numbers = {each.number for each in chosen}
    rows = [row for row in rows if row.instrument_number in numbers]
    shown = lines(rows, others, is_one_instrument=scope.instrument_id is not None)
    past = _past(whole, now)
    coverage = _coverage(reader, chosen, months, others, rows, past, is_one=scope.instrument_id is not None)
    measured = _measured(db, chosen, coverage, whole, now)
    ladder, running = measured if measured else (None, None)
    return Report(
        period=period,
        past=past,
        scope=scope,
        is_masked=bool(masked),
        instruments=len(chosen),
        lines=shown,
        names=names.names(db, {line.organisation_id for line in shown if line.organisation_id}),
        coverage=coverage,
        ladder=_used(ladder, covered_rows(rows, coverage, months)) if ladder else None,
        running=running,
        entitlements=tuple(standings(db, actor, _reference(whole, now), now, within=numbers, delivered=True)),
    )


def _least(
    db: Connection, instruments: Sequence[TimedInstrument], months: Sequence[Span], atoms: Sequence[Atom]
) -> dict[Atom, int]:
    """How many parties the agreements ask for that cover a centre in a month (R23). One query; none without atoms."""
    if not atoms:
        return {}
    held = list(rulebook(db).versions.values())
    inside: defaultdict[str, list[TimedInstrument]] = defaultdict(list)
    for each in instruments:
        inside[each.centre_id].append(each)
    return {atom: min_cell_over(held, inside[atom.centre_id], months[atom.month]) for atom in atoms}


def _past(whole: Span, now: datetime) -> Span | None:
    end = min(whole.end, now.replace(second=0, microsecond=0))
    return Span(whole.start, end) if end > whole.start else None


def _reference(whole: Span, now: datetime) -> datetime:
    """The instant at which shares are told: now, or the last minute of a period that is over."""
    return max(whole.start, min(now, whole.end - MINUTE))


# ---------------------------------------------------------------- what the figures speak of


def _coverage(
    reader: Reader,
    chosen: Sequence[TimedInstrument],
    months: Sequence[Span],
    others: Told,
    rows: Sequence[UseRow],
    past: Span | None,
    *,
    is_one: bool,
) -> Coverage:
    """Where the reader answers for the centre, all of the past; elsewhere, the months that are told."""
    pieces: dict[int, tuple[Span, ...]] = {}
    left_out: set[Atom] = set()
    used_by_others = {(row.instrument_number, row.month) for row in rows if row.rival is not None}
    for each in chosen:
        found: list[Span] = []
        for place, month in enumerate(months):
            part = intersection(month, past) if past else None
            if part is None:
                continue
            atom = Atom(each.centre_id, place)
            is_told = atom in others.classes and (
                not is_one or (each.number, place) not in used_by_others or each.number in others.instruments[atom]
            )
            if reader.answers_for(each.centre_id) or is_told:
                found.append(part)
            else:
                left_out.add(atom)
        pieces[each.number] = tuple(found)
    ended = {atom for atom in left_out if atom in others.withheld or atom in others.classes}
    running = {atom.month for atom in left_out - ended}
    return Coverage(pieces=pieces, withheld=len(ended), running=len(running))


def _measured(
    db: Connection, chosen: Sequence[TimedInstrument], coverage: Coverage, whole: Span, now: datetime
) -> tuple[Ladder, Running] | None:
    """Capacity and states of what is covered; None where nothing is. Two queries."""
    if not any(coverage.pieces.values()):
        return None
    numbers = [each.number for each in chosen]
    blocks: defaultdict[int, list[capacity_store.Block]] = defaultdict(list)
    for block in capacity_store.blocks(db, numbers, whole):
        blocks[block.instrument_number].append(block)
    records: defaultdict[int, list[tuple[EquipmentState, Span]]] = defaultdict(list)
    for record in usage_store.records(db, numbers, whole, now):
        ends_at = record.ends_at or max(now, record.starts_at + MINUTE)
        records[record.instrument_number].append((record.state, Span(record.starts_at, ends_at)))
    ladder, running = Ladder(), Running()
    for each in chosen:
        for piece in coverage.pieces[each.number]:
            rungs, ran = _piece(each, piece, blocks[each.number], records[each.number])
            ladder, running = ladder + rungs, running + ran
    return ladder, running


def _piece(
    each: TimedInstrument,
    piece: Span,
    blocks: Iterable[capacity_store.Block],
    records: Iterable[tuple[EquipmentState, Span]],
) -> tuple[Ladder, Running]:
    """One instrument over one stretch of time: the upper rungs of the ladder, and its states."""
    by_kind: dict[BookingKind, list[Span]] = {kind: [] for kind in BookingKind}
    for block in blocks:
        if block.span.overlaps(piece):
            by_kind[block.kind].append(block.span)
    inside = [(state, span) for state, span in records if span.overlaps(piece)]
    downs = [span for state, span in inside if state is EquipmentState.UNSCHEDULED_DOWN]
    hours = opened(each, piece)
    closures = by_kind[BookingKind.CLOSURE]
    planned = by_kind[BookingKind.MAINTENANCE] + by_kind[BookingKind.ENGINEERING]
    found = capacity(piece, hours, closures, planned, downs, units=each.capacity, is_built=each.is_built)
    states = state_minutes(
        piece,
        inside,
        hours,
        maintenance=by_kind[BookingKind.MAINTENANCE],
        engineering=by_kind[BookingKind.ENGINEERING],
        closures=closures,
    )
    return (
        Ladder(calendar=found.calendar, open=found.open, allocable=found.allocable, offered=found.offered),
        Running(
            states=states,
            # A failure belongs to the stretch in which it began.
            failures=sum(piece.start <= span.start < piece.end for span in downs),
            repair_minutes=states.unscheduled_down,
        ),
    )


def _used(ladder: Ladder, rows: Iterable[UseRow]) -> Ladder:
    rows = list(rows)
    return msgspec.structs.replace(
        ladder, booked=sum(row.booked for row in rows), delivered=sum(row.delivered for row in rows)
    )
