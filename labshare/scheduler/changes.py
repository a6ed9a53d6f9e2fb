"""What happened since a plan was made, and the problem that it leaves: outages, requests gone and new, time passed.

The new problem carries the plan as `current`. What a change asks of the sessions is for repair.py to find.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from labshare.scheduler.plan import Session
from labshare.scheduler.problem import CurrentSession, Group, Link, Problem, Request
from labshare.scheduler.reading import Fault, Malformed
from labshare.scheduler.validation import contradictions, the_total_fits_an_integer

# A problem that charges nothing for changes is repaired as if it charged this part of an average session's value.
PART_OF_A_SESSION = 10


@dataclass(frozen=True, kw_only=True)
class Changes:
    """Instruments that are down `(instrument, start, end)`, requests that are gone or new, and the present slot."""

    now: int
    down: tuple[tuple[str, int, int], ...] = ()
    cancel: tuple[str, ...] = ()
    add: tuple[Request, ...] = ()


def parse_down(text: str) -> tuple[str, int, int]:
    """The outage that `INSTRUMENT:START-END` names. Raises `Malformed` where the text is not of that form."""
    found = re.fullmatch(r"(.+):([0-9]{1,9})-([0-9]{1,9})", text, flags=re.DOTALL)
    if found is None:
        raise Malformed([Fault(f"--down {text}", "is not of the form INSTRUMENT:START-END")])
    return found[1], int(found[2]), int(found[3])


def changed(problem: Problem, sessions: Sequence[Session], changes: Changes) -> Problem:
    """The problem after the changes, with the sessions as the plan in force and frozen before `now`.

    A group from which requests are cancelled asks for as many fewer, so that what is left of it may stay. A campaign is
    cut where a step is cancelled: what comes before and after it are campaigns of their own.

    Raises:
        Malformed: an argument names what does not exist or makes no sense; each path is the argument.
    """
    faults = [*_faults_of_arguments(problem, changes), *_faults_of_new(problem, changes.add)]
    if faults:
        raise Malformed(faults)
    found = _changed(problem, sessions, changes)
    too_large = [Fault("--add $", message) for _, message in the_total_fits_an_integer(found)]
    if too_large:
        raise Malformed(too_large)
    return found


def _changed(problem: Problem, sessions: Sequence[Session], changes: Changes) -> Problem:
    gone = set(changes.cancel)
    stays = [session for session in sessions if session.request not in gone]
    return msgspec.structs.replace(
        problem,
        requests=(*(request for request in problem.requests if request.id not in gone), *changes.add),
        groups=tuple(smaller for group in problem.groups for smaller in _without(group, gone)),
        linked=tuple(part for link in problem.linked for part in cut(link, gone)),
        current=tuple(CurrentSession(request=row.request, instrument=row.instrument, start=row.start) for row in stays),
        change_penalty=problem.change_penalty or _usual_charge(problem, stays),
        frozen_until=changes.now,
        down=(*problem.down, *changes.down),
    )


def _without(group: Group, gone: Collection[str]) -> Iterator[Group]:
    left = tuple(request for request in group.requests if request not in gone)
    if left:
        yield Group(requests=left, min=max(1, group.min - (len(group.requests) - len(left))))


def cut(link: Link, gone: Collection[str]) -> Iterator[Link]:
    """The campaign without these steps: each part of at least two steps that follow each other."""
    part: list[str] = []
    for request in (*link.requests, None):
        if request is not None and request not in gone:
            part.append(request)
            continue
        if len(part) > 1:
            yield msgspec.structs.replace(link, requests=tuple(part))
        part = []


def _usual_charge(problem: Problem, sessions: Sequence[Session]) -> int:
    """A tenth of the average value of these sessions, at least 1: enough that nothing moves for a trifle."""
    best = {request.id: max((option.value for option in request.options), default=0) for request in problem.requests}
    values = [best[session.request] for session in sessions]
    return max(1, sum(values) // (PART_OF_A_SESSION * len(values))) if values else 1


def _faults_of_arguments(problem: Problem, changes: Changes) -> Iterator[Fault]:
    instruments = {instrument.id for instrument in problem.instruments}
    requests = {request.id for request in problem.requests}
    for name, start, end in changes.down:
        path = f"--down {name}:{start}-{end}"
        if name not in instruments:
            yield Fault(path, f"no instrument '{name}'")
        elif not 0 <= start < end:
            yield Fault(path, f"ends at {end}, not after its start {start}")
        elif end > problem.horizon:
            yield Fault(path, f"ends at {end}, outside the horizon of {problem.horizon} slots")
    for k, name in enumerate(changes.cancel):
        if name not in requests:
            yield Fault(f"--cancel {name}", f"no request '{name}'")
        elif name in changes.cancel[:k]:
            yield Fault(f"--cancel {name}", "is given twice")
    if not 0 <= changes.now <= problem.horizon:
        yield Fault(f"--now {changes.now}", f"is outside the horizon of {problem.horizon} slots")


def _faults_of_new(problem: Problem, requests: Sequence[Request]) -> Iterator[Fault]:
    """What is wrong with new requests, judged as the only ones of the problem."""
    alone = msgspec.structs.replace(
        problem, requests=tuple(requests), groups=(), linked=(), rules=(), fixed=(), current=(), down=()
    )
    yield from (Fault(f"--add {path}", message) for path, message in contradictions(alone))
    known = {request.id for request in problem.requests}
    for k, request in enumerate(requests):
        if request.id in known:
            yield Fault(f"--add $.requests[{k}].id", f"'{request.id}' is a request of the problem already")
