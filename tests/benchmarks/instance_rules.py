"""What agreements and centres add to an instance: every part of the contract that a national round uses.

Each part is one function over the problem so far, in the tuple `PARTS`; instances.py makes the problem to start from.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import ceil
from random import Random

from msgspec.structs import replace

from labshare.scheduler.problem import (
    Fairness,
    FixedRow,
    Group,
    Link,
    OperatorNeed,
    OperatorPool,
    Option,
    Problem,
    Request,
    Rule,
    Who,
)

DAY, WEEKDAYS = 48, 5
# A floor that an agreement makes hard costs this many times the worth of the dearest slot, as planning has it.
HARD_FLOOR = 10
# What a soft rule charges for a slot: about what a slot of ordinary research is worth, and three times that.
ORDINARY, FIRM = 70, 200


def with_rules(problem: Problem, random: Random) -> Problem:
    for part in PARTS:
        problem = part(problem, random)
    return problem


def _families(problem: Problem, random: Random) -> Problem:
    """Wet and dry work on some instruments, with idle slots in between; three requests in ten do not say."""
    washed = {machine.id for machine in problem.instruments if random.random() < 0.25}
    idle = (("wet", "dry", 2), ("dry", "wet", 1))
    return replace(
        problem,
        instruments=tuple(
            replace(machine, changeover=idle) if machine.id in washed else machine for machine in problem.instruments
        ),
        requests=tuple(
            replace(request, family=random.choices(("wet", "dry", None), (35, 35, 30))[0])
            if any(option.instrument in washed for option in request.options)
            else request
            for request in problem.requests
        ),
    )


def _operators(problem: Problem, random: Random) -> Problem:
    """Each centre has operators on weekdays and one in the evening; four sessions in ten need one to begin with."""
    centre = _centres(problem)
    pools: list[OperatorPool] = []
    for name in sorted(set(centre.values())):
        people = max(1, ceil(0.25 * list(centre.values()).count(name)))
        days = [(day * DAY + 16, day * DAY + 34, people) for day in range(WEEKDAYS)]
        evenings = [(day * DAY + 34, day * DAY + 44, 1) for day in range(WEEKDAYS)]
        pools.append(OperatorPool(id=name, shifts=tuple(days + evenings)))
    requests = tuple(
        _operated(request, centre, random.choices((1, 2, request.slots), (45, 45, 10))[0])
        if random.random() < 0.4
        else request
        for request in problem.requests
    )
    return replace(problem, operator_pools=tuple(pools), requests=requests)


def _operated(request: Request, centre: dict[str, str], slots: int) -> Request:
    needs = [OperatorNeed(pool=centre[option.instrument], slots=min(slots, 8)) for option in request.options]
    options = [
        option if need == needs[0] else replace(option, operator=need)
        for option, need in zip(request.options, needs, strict=True)
    ]
    return replace(request, operator=needs[0], options=tuple(options))


def _cleaning(problem: Problem, random: Random) -> Problem:
    """On some instruments cleaning takes a slot more; some results are worth less by the day."""

    def option_of(request: Request, option: Option) -> Option:
        longer = request.slots <= 14 and random.random() < 0.05
        return replace(option, slots=request.slots + 1) if longer else option

    return replace(
        problem,
        requests=tuple(
            replace(
                request,
                late=random.randint(1, 3) if random.random() < 0.15 else 0,
                options=tuple(option_of(request, option) for option in request.options),
            )
            for request in problem.requests
        ),
    )


def _tags(problem: Problem, random: Random) -> Problem:
    """Economic activity, a programme, and whether an option is outside the centre that hosts the organisation."""
    centre = _centres(problem)
    names = sorted(set(centre.values()))
    host = {name: random.choice(names) for name in sorted({request.organisation or "" for request in problem.requests})}

    def tagged(request: Request) -> Request:
        economic = request.access_class == "industry" or (request.access_class == "partner" and random.random() < 0.5)
        programme = request.access_class == "public_research" and random.random() < 0.15
        tags = [name for name, holds in (("economic", economic), ("programme", programme)) if holds]
        options = [
            replace(option, tags=("outside_host",))
            if centre[option.instrument] != host[request.organisation or ""]
            else option
            for option in request.options
        ]
        return replace(request, tags=tuple(tags), options=tuple(options))

    return replace(problem, requests=tuple(tagged(request) for request in problem.requests))


def _families_of_requests(problem: Problem, random: Random) -> Problem:
    """Applications for several sessions, and campaigns in which one session follows another."""
    by_person: defaultdict[str, list[Request]] = defaultdict(list)
    for request in problem.requests:
        by_person[request.person or ""].append(request)
    groups: list[Group] = []
    links: list[Link] = []
    for person in sorted(by_person):
        several, chance = by_person[person], random.random()
        if len(several) >= 3 and chance < 0.2:
            groups.append(Group(requests=tuple(request.id for request in several[:3]), min=2))
        elif len(several) >= 2 and chance > 0.85:
            links += _campaign(random, several)
    return replace(problem, groups=tuple(groups), linked=tuple(links))


def _campaign(random: Random, several: Sequence[Request]) -> Iterator[Link]:
    """Two or three requests in the order of their windows, where the windows leave room for it."""
    steps = sorted(several[: random.choice((2, 2, 3))], key=lambda request: (_last_start(request), request.id))
    end = 0
    for request in steps:
        end = max(end, request.earliest) + max(request.slots_on(option) for option in request.options)
        if end > _last_start(request):
            return
    yield Link(requests=tuple(request.id for request in steps), min_gap=random.choice((0, 0, 4)), max_gap=192)


def _last_start(request: Request) -> int:
    return max(last for option in request.options for _, last in option.starts)


def _fixed(problem: Problem, random: Random) -> Problem:
    """Service, and sessions that an earlier round published, at the beginning of an open segment."""
    rows: list[FixedRow] = []
    for machine in random.sample(problem.instruments, ceil(len(problem.instruments) / 8)):
        start, end = random.choice(machine.open or ((0, problem.horizon),))
        other = random.choice(problem.requests)
        row = FixedRow(instrument=machine.id, start=start, end=min(end, start + random.randint(2, 8)))
        published = replace(
            row,
            access_class=other.access_class,
            organisation=other.organisation,
            person=other.person,
            attended=other.attended,
            tags=other.tags,
            family=other.family if machine.changeover else None,
            operator=OperatorNeed(pool=machine.centre or "", slots=1) if other.operator else None,
        )
        rows.append(published if random.random() < 0.7 else row)
    down = [(machine.id, DAY, 2 * DAY) for machine in random.sample(problem.instruments, 1 + len(rows) // 8)]
    return replace(problem, fixed=tuple(rows), down=tuple(down))


def _fairness(problem: Problem, random: Random) -> Problem:
    """Every organisation is on its way to half of what it asks for."""
    asked: defaultdict[str, int] = defaultdict(int)
    for request in problem.requests:
        asked[request.organisation or ""] += request.slots
    targets = {name: asked[name] // 2 for name in sorted(asked)}
    return replace(problem, fairness=Fairness(targets=targets, steps=((25, 20), (50, 10), (100, 5))))


def _agreements(problem: Problem, random: Random) -> Problem:
    """Caps and floors of every form: of classes, organisations, centres, instruments, with shares and windows."""
    dearest = max(option.value // request.slots for request in problem.requests for option in request.options)
    rules = [
        *_for_classes(problem, HARD_FLOOR * dearest),
        *_for_centres(problem, random),
        *_for_organisations(problem, random, HARD_FLOOR * dearest),
        *_for_instruments(problem, random),
    ]
    return replace(problem, rules=tuple(rules))


def _for_classes(problem: Problem, hard: int) -> Iterator[Rule]:
    """Nobody is promised all: a class's share is less than its part of what is asked for, a cap on it little less."""
    asked = _asked(problem.requests, "access_class")
    everything = sum(asked.values())
    tagged = {tag: sum(row.slots for row in problem.requests if tag in row.tags) for tag in ("programme", "economic")}
    floor, cap, early = "floor", "cap", (0, 3 * DAY)
    yield Rule(id="F-research", kind=floor, who=_class("public_research"), penalty=hard,
               of_allocated=_percent(0.8 * asked["public_research"] / everything))  # fmt: skip
    yield Rule(id="F-education", kind=floor, who=_class("education"), slots=asked["education"] * 45 // 100,
               penalty=hard)  # fmt: skip
    yield Rule(id="F-state", kind=floor, who=_class("state_order"), slots=asked["state_order"] // 2, penalty=hard)
    yield Rule(id="F-programme", kind=floor, who=Who(tags=("programme",)), penalty=FIRM,
               of_allocated=_percent(0.9 * tagged["programme"] / everything))  # fmt: skip
    yield Rule(id="F-education-early", kind=floor, who=_class("education"), window=early, penalty=FIRM,
               slots=asked["education"] // 5)  # fmt: skip
    yield Rule(id="C-economic", kind=cap, who=Who(tags=("economic",)), penalty=ORDINARY,
               of_allocated=_percent(0.95 * tagged["economic"] / everything))  # fmt: skip
    yield Rule(id="C-partner-early", kind=cap, who=_class("partner"), window=early, slots=asked["partner"] // 4,
               penalty=ORDINARY, count_fixed=True)  # fmt: skip


def _for_centres(problem: Problem, random: Random) -> Iterator[Rule]:
    asked = _asked(problem.requests, "access_class")
    industry = _percent(asked["industry"] / sum(asked.values()))
    for centre in sorted(set(_centres(problem).values())):
        yield Rule(id=f"C-industry-{centre}", kind="cap", who=_class("industry"), centres=(centre,),
                   of_allocated=industry, penalty=ORDINARY)  # fmt: skip
        if random.random() < 0.6:
            yield Rule(id=f"F-outside-{centre}", kind="floor", who=Who(tags=("outside_host",)), centres=(centre,),
                       of_allocated="1/2", penalty=FIRM)  # fmt: skip


def _percent(share: float) -> str:
    return f"{round(100 * share)}/100"


def _for_organisations(problem: Problem, random: Random, hard: int) -> Iterator[Rule]:
    """A partner is owed part of what it asks for; the largest others are entitled to no more than part of theirs."""
    asked = _asked(problem.requests, "organisation")
    partners = {request.organisation or "" for request in problem.requests if request.access_class == "partner"}
    for name in sorted(partners):
        penalty = hard if random.random() < 0.5 else FIRM
        yield Rule(id=f"F-{name}", kind="floor", who=Who(organisation=(name,)), slots=asked[name] * 2 // 5,
                   penalty=penalty, count_fixed=True)  # fmt: skip
    for name in sorted(set(asked) - partners, key=lambda name: (-asked[name], name))[: len(asked) // 5]:
        yield Rule(id=f"C-{name}", kind="cap", who=Who(organisation=(name,)), slots=asked[name] // 2)


def _for_instruments(problem: Problem, random: Random) -> Iterator[Rule]:
    """On some instruments industry has at most a day's worth of the working week, whatever it is worth."""
    for machine in random.sample(problem.instruments, ceil(len(problem.instruments) / 10)):
        yield Rule(id=f"C-{machine.id}", kind="cap", who=_class("industry", "partner"), instruments=(machine.id,),
                   window=(0, WEEKDAYS * DAY), slots=24)  # fmt: skip


def _class(*names: str) -> Who:
    return Who(access_class=names)


def _asked(requests: Iterable[Request], field: str) -> dict[str, int]:
    """Slots asked for, by access class or organisation."""
    asked: defaultdict[str, int] = defaultdict(int)
    for request in requests:
        asked[getattr(request, field) or ""] += request.slots
    return asked


def _centres(problem: Problem) -> dict[str, str]:
    return {machine.id: machine.centre or "" for machine in problem.instruments}


PARTS: tuple[Callable[[Problem, Random], Problem], ...] = (
    _families,
    _operators,
    _cleaning,
    _tags,
    _families_of_requests,
    _fixed,
    _fairness,
    _agreements,
)
