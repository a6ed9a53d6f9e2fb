"""Contradictions of a well-formed problem: one function per thing that must hold, all in the tuple `CHECKS`.

Only what no reader could make sense of is refused here. Hard rules that cannot be kept together are no fault of form:
the solver answers those with a conflict.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

from labshare.scheduler.problem import CurrentSession, Option, Problem, Request

# A path and what is wrong there.
Finding = tuple[str, str]

LARGEST_TOTAL = 2**61


def contradictions(problem: Problem) -> list[Finding]:
    """Every contradiction, in the order of `CHECKS`; empty when the problem makes sense."""
    return [finding for check in CHECKS for finding in check(problem)]


def ids_are_unique(problem: Problem) -> Iterator[Finding]:
    for name in ("instruments", "requests", "operator_pools", "rules"):
        seen: set[str] = set()
        for index, row in enumerate(getattr(problem, name)):
            if row.id in seen:
                yield f"$.{name}[{index}].id", f"'{row.id}' is used twice"
            seen.add(row.id)


def ids_are_known(problem: Problem) -> Iterator[Finding]:
    known = {
        "instrument": {row.id for row in problem.instruments},
        "centre": {row.centre for row in problem.instruments},
        "request": {row.id for row in problem.requests},
        "operator pool": {row.id for row in problem.operator_pools},
    }
    for path, noun, name in _references(problem):
        if name not in known[noun]:
            yield path, f"no {noun} '{name}'"


def _references(problem: Problem) -> Iterator[tuple[str, str, str]]:
    """Path, noun and id of everything that is named elsewhere."""
    for references in (_named_by_requests, _named_by_families, _named_by_rows, _named_by_rules):
        yield from references(problem)


def _named_by_requests(problem: Problem) -> Iterator[tuple[str, str, str]]:
    for r, request in enumerate(problem.requests):
        if request.operator:
            yield f"$.requests[{r}].operator.pool", "operator pool", request.operator.pool
        for o, option in enumerate(request.options):
            yield f"$.requests[{r}].options[{o}].instrument", "instrument", option.instrument
            if option.operator:
                yield f"$.requests[{r}].options[{o}].operator.pool", "operator pool", option.operator.pool


def _named_by_families(problem: Problem) -> Iterator[tuple[str, str, str]]:
    for name, families in (("groups", problem.groups), ("linked", problem.linked)):
        for f, family in enumerate(families):
            for k, request_id in enumerate(family.requests):
                yield f"$.{name}[{f}].requests[{k}]", "request", request_id


def _named_by_rows(problem: Problem) -> Iterator[tuple[str, str, str]]:
    for f, row in enumerate(problem.fixed):
        yield f"$.fixed[{f}].instrument", "instrument", row.instrument
        if row.operator:
            yield f"$.fixed[{f}].operator.pool", "operator pool", row.operator.pool
    for k, session in enumerate(problem.current):
        yield f"$.current[{k}].request", "request", session.request
        yield f"$.current[{k}].instrument", "instrument", session.instrument
    for k, (instrument, _, _) in enumerate(problem.down):
        yield f"$.down[{k}][0]", "instrument", instrument


def _named_by_rules(problem: Problem) -> Iterator[tuple[str, str, str]]:
    for k, rule in enumerate(problem.rules):
        for i, instrument in enumerate(rule.instruments or ()):
            yield f"$.rules[{k}].instruments[{i}]", "instrument", instrument
        for c, centre in enumerate(rule.centres or ()):
            yield f"$.rules[{k}].centres[{c}]", "centre", centre


def spans_run_forwards_inside_the_horizon(problem: Problem) -> Iterator[Finding]:
    for path, start, end in _spans(problem):
        if start >= end:
            yield path, f"ends at {end}, not after its start {start}"
        if end > problem.horizon:
            yield path, f"ends at {end}, outside the horizon of {problem.horizon} slots"


def _spans(problem: Problem) -> Iterator[tuple[str, int, int]]:
    for i, instrument in enumerate(problem.instruments):
        for k, span in enumerate(instrument.open or ()):
            yield f"$.instruments[{i}].open[{k}]", *span
    for p, pool in enumerate(problem.operator_pools):
        for k, (start, end, _) in enumerate(pool.shifts):
            yield f"$.operator_pools[{p}].shifts[{k}]", start, end
    for f, row in enumerate(problem.fixed):
        yield f"$.fixed[{f}]", row.start, row.end
    for r, rule in enumerate(problem.rules):
        if rule.window:
            yield f"$.rules[{r}].window", *rule.window
    for k, (_, start, end) in enumerate(problem.down):
        yield f"$.down[{k}]", start, end


def starts_run_forwards_inside_the_horizon(problem: Problem) -> Iterator[Finding]:
    for r, request in enumerate(problem.requests):
        for o, option in enumerate(request.options):
            for k, (first, last) in enumerate(option.starts):
                path = f"$.requests[{r}].options[{o}].starts[{k}]"
                if first > last:
                    yield path, f"the last start {last} is before the first {first}"
                if max(first, last) >= problem.horizon:
                    yield path, f"start {max(first, last)} is outside the horizon of {problem.horizon} slots"


def options_of_a_request_do_not_share_a_start(problem: Problem) -> Iterator[Finding]:
    """A session names request, instrument and start: two options that offer the same place could not be told apart."""
    for r, request in enumerate(problem.requests):
        ranges = sorted(
            (option.instrument, first, last, o)
            for o, option in enumerate(request.options)
            for first, last in option.starts
        )
        for o, other in _overlapping(ranges):
            if o != other:
                path = f"$.requests[{r}].options[{max(o, other)}].starts"
                yield path, f"offers a start that option {min(o, other)} also offers on this instrument"


def _overlapping(ranges: Sequence[tuple[str, int, int, int]]) -> Iterator[tuple[int, int]]:
    """Pairs of owners whose inclusive ranges `(place, first, last, owner)` meet; the ranges come sorted."""
    reach: dict[str, tuple[int, int]] = {}
    for place, first, last, owner in ranges:
        if place in reach and first <= reach[place][0]:
            yield reach[place][1], owner
        reach[place] = max(reach.get(place, (-1, owner)), (last, owner))


def spans_of_an_instrument_do_not_overlap(problem: Problem) -> Iterator[Finding]:
    for i, instrument in enumerate(problem.instruments):
        segments = sorted((instrument.id, start, end - 1, k) for k, (start, end) in enumerate(instrument.open or ()))
        for k, other in _overlapping(segments):
            yield f"$.instruments[{i}].open[{max(k, other)}]", f"overlaps open segment {min(k, other)}"
    rows = sorted((row.instrument, row.start, row.end - 1, f) for f, row in enumerate(problem.fixed))
    for f, other in _overlapping(rows):
        yield f"$.fixed[{max(f, other)}]", f"overlaps fixed row {min(f, other)} on '{problem.fixed[f].instrument}'"


def changeovers_are_stated_once(problem: Problem) -> Iterator[Finding]:
    for i, instrument in enumerate(problem.instruments):
        pairs = Counter((before, after) for before, after, _ in instrument.changeover)
        for (before, after), times in pairs.items():
            if times > 1:
                yield f"$.instruments[{i}].changeover", f"'{before}' to '{after}' is stated {times} times"


def groups_and_links_can_be_met(problem: Problem) -> Iterator[Finding]:
    for name, families in (("groups", problem.groups), ("linked", problem.linked)):
        for f, family in enumerate(families):
            if not family.requests:
                yield f"$.{name}[{f}].requests", "names no request"
            for request, times in Counter(family.requests).items():
                if times > 1:
                    yield f"$.{name}[{f}].requests", f"'{request}' is named {times} times"
    for g, group in enumerate(problem.groups):
        if group.requests and group.min > len(group.requests):
            yield f"$.groups[{g}].min", f"asks for {group.min} of {len(group.requests)} requests"
    for k, link in enumerate(problem.linked):
        if link.max_gap is not None and link.max_gap < link.min_gap:
            yield f"$.linked[{k}].max_gap", f"{link.max_gap} is less than min_gap {link.min_gap}"


def fairness_steps_are_concave(problem: Problem) -> Iterator[Finding]:
    steps = problem.fairness.steps
    for k, ((percent, rate), (next_percent, next_rate)) in enumerate(pairwise(steps), start=1):
        if next_percent <= percent:
            yield f"$.fairness.steps[{k}][0]", f"{next_percent} does not come after {percent}"
        if next_rate > rate:
            yield f"$.fairness.steps[{k}][1]", f"the reward grows from {rate} to {next_rate}; it must not"


def current_sessions_stand_apart(problem: Problem) -> Iterator[Finding]:
    """The plan in force places a request once, where it has an option, and no two sessions on top of each other."""
    requests = {request.id: request for request in problem.requests}
    named: set[str] = set()
    rows: list[tuple[str, int, int, int]] = []
    for k, session in enumerate(problem.current):
        if session.request in named:
            yield f"$.current[{k}].request", f"'{session.request}' is placed twice"
        named.add(session.request)
        option = option_of(requests.get(session.request), session)
        if option is None:
            if session.request in requests:
                yield f"$.current[{k}].instrument", f"'{session.request}' has no option on '{session.instrument}'"
            continue
        end = session.start + requests[session.request].slots_on(option)
        rows.append((session.instrument, session.start, end - 1, k))
        if end > problem.horizon:
            yield f"$.current[{k}].start", f"ends at {end}, outside the horizon of {problem.horizon} slots"
    for k, other in _overlapping(sorted(rows)):
        yield f"$.current[{max(k, other)}]", f"overlaps current session {min(k, other)}"


def option_of(request: Request | None, session: CurrentSession) -> Option | None:
    """The option a current session uses: the one that offers its start, else the first on its instrument."""
    options = [option for option in request.options if option.instrument == session.instrument] if request else []
    offering = [o for o in options if any(first <= session.start <= last for first, last in o.starts)]
    return next(iter(offering or options), None)


def frozen_sessions_can_stay(problem: Problem) -> Iterator[Finding]:
    """A frozen session must be where its request may be: on an allowed start, in open time, clear of fixed rows."""
    requests = {request.id: request for request in problem.requests}
    for k, session in enumerate(problem.current):
        option = option_of(requests.get(session.request), session)
        if option is None or session.start >= problem.frozen_until:
            continue
        end = session.start + requests[session.request].slots_on(option)
        if _meets(session, end, ((place, start, stop) for place, start, stop in problem.down)):
            continue
        if not any(first <= session.start <= last for first, last in option.starts):
            yield f"$.current[{k}].start", f"is frozen, but {session.start} is no allowed start of '{session.request}'"
        if not _is_open(problem, session, end):
            yield f"$.current[{k}]", f"is frozen, but '{session.instrument}' is not open from {session.start} to {end}"
        if _meets(session, end, ((row.instrument, row.start, row.end) for row in problem.fixed)):
            yield f"$.current[{k}]", "is frozen, but overlaps a fixed row"


def _is_open(problem: Problem, session: CurrentSession, end: int) -> bool:
    segments = next((i.open for i in problem.instruments if i.id == session.instrument), None)
    return segments is None or any(first <= session.start and end <= last for first, last in segments)


def _meets(session: CurrentSession, end: int, spans: Iterable[tuple[str, int, int]]) -> bool:
    return any(i == session.instrument and start < end and session.start < stop for i, start, stop in spans)


def the_total_fits_an_integer(problem: Problem) -> Iterator[Finding]:
    """Every sum the solver forms must stay within 64 bits."""
    values = sum(max((abs(o.value) for o in r.options), default=0) + r.late * problem.horizon for r in problem.requests)
    slots = sum(max((r.slots_on(o) for o in r.options), default=0) for r in problem.requests)
    slots += sum(row.end - row.start for row in problem.fixed)
    penalties = sum((rule.penalty or 0) for rule in problem.rules) * slots
    rewards = sum(rate for _, rate in problem.fairness.steps) * slots
    changes = problem.change_penalty * len(problem.current)
    shares = max((rule.share.numerator + rule.share.denominator for rule in problem.rules), default=0) * slots
    if max(values + penalties + rewards + changes, shares) >= LARGEST_TOTAL:
        yield "$", "the values, penalties and rewards add up to more than 64 bits hold"


CHECKS: tuple[Callable[[Problem], Iterable[Finding]], ...] = (
    ids_are_unique,
    ids_are_known,
    spans_run_forwards_inside_the_horizon,
    starts_run_forwards_inside_the_horizon,
    options_of_a_request_do_not_share_a_start,
    spans_of_an_instrument_do_not_overlap,
    changeovers_are_stated_once,
    groups_and_links_can_be_met,
    fairness_steps_are_concave,
    current_sessions_stand_apart,
    frozen_sessions_can_stay,
    the_total_fits_an_integer,
)
