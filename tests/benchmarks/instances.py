"""Seeded problems of one week that look like a national round: what the benchmarks and long tests are run on.

Clusters of instruments that can do the same work, a third of them wanted 1.5 to 3 times over; people with several
requests; windows of a day, some days or the week. `instance_rules.py` adds what agreements and centres ask for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from labshare.scheduler.problem import Instrument, Option, Problem, Request, Span
from tests.benchmarks.instance_rules import with_rules

# Instruments and requests by name.
SIZES = {"XS": (6, 40), "S": (30, 300), "60": (60, 600), "M": (200, 3000)}
DAY, HORIZON, WEEKDAYS = 48, 336, 5

# Share of the organisations in each access class; their requests are in it too.
CLASSES = {"public_research": 45, "education": 15, "industry": 20, "partner": 15, "state_order": 5}
# State orders are a tier of their own, and so is a little urgent research: ten times the weight of the rest.
HIGH_TIER, URGENT = 10, 0.01
LOWEST_SCORE, HIGHEST_SCORE, HIGHEST_EDUCATION_SCORE = 40, 100, 70

SHORTEST, LONGEST, LONGEST_OVERNIGHT = 2, 16, 40
OVERNIGHT = 0.05
ATTENDED = 0.6
# How much of all that is asked for goes to hot clusters, and how many times over each of those is wanted.
HOT_SHARE, HOT_DEMAND = 0.7, (1.5, 3.0)
MEAN_SLOTS = 10


@dataclass(frozen=True)
class Person:
    """Somebody who asks for time, mostly in the cluster that they work with."""

    id: str
    organisation: str
    access_class: str


def instance(
    size: str, *, rules: bool, seed: int, instruments: int | None = None, requests: int | None = None
) -> Problem:
    """The problem of this size (a name in `SIZES`) and seed; the numbers override the size's.

    The same arguments always give the same problem. With `rules` the same instruments and requests come with all that
    the contract knows: operators, campaigns, groups, changeover, caps, floors, fairness, fixed rows, lateness, tags.
    """
    machines, wanted = SIZES[size]
    machines, wanted = instruments or machines, requests or wanted
    random = Random(f"{machines} {wanted} {seed}")
    clusters = _clusters(random, machines)
    people = _people(random, len(clusters), wanted)
    rows = [
        _request(random, f"r{n:04}", clusters[cluster], _who(random, people, cluster))
        for n, cluster in enumerate(_wanted_clusters(random, clusters, wanted))
    ]
    problem = Problem(
        format="labshare-problem/1",
        horizon=HORIZON,
        instruments=tuple(machine for cluster in clusters for machine in cluster),
        requests=tuple(rows),
    )
    return with_rules(problem, Random(f"rules {machines} {wanted} {seed}")) if rules else problem


def _clusters(random: Random, instruments: int) -> list[list[Instrument]]:
    """Three to six instruments each, spread over the centres: what one cannot take, another centre may."""
    centres = max(2, instruments // 10)
    clusters: list[list[Instrument]] = []
    made = 0
    while made < instruments:
        left = instruments - made
        count = left if left < 6 else min(random.randint(3, 6), left - 3)
        numbers = range(made, made + count)
        clusters.append([_instrument(random, f"i{n:03}", f"c{random.randrange(centres):02}") for n in numbers])
        made += count
    return clusters


def _instrument(random: Random, name: str, centre: str) -> Instrument:
    kind = random.choices(("office", "long", "always"), (55, 30, 15))[0]
    if kind == "always":
        return Instrument(id=name, centre=centre)
    opens, closes = (16, 34) if kind == "office" else (14, 42)
    spans = [(day * DAY + opens, day * DAY + closes) for day in range(WEEKDAYS)]
    saturday = [(WEEKDAYS * DAY + 16, WEEKDAYS * DAY + 24)] if kind == "long" else []
    return Instrument(id=name, centre=centre, open=tuple(spans + saturday))


def segments(instrument: Instrument) -> Sequence[Span]:
    return ((0, HORIZON),) if instrument.open is None else instrument.open


def capacity(instruments: Sequence[Instrument]) -> int:
    """Open slots of the week."""
    return sum(end - start for machine in instruments for start, end in segments(machine))


def _people(random: Random, clusters: int, requests: int) -> list[list[Person]]:
    """For each cluster those who work with it: about four requests a person, a few people an organisation."""
    organisations = [
        (f"o{n:02}", random.choices(list(CLASSES), list(CLASSES.values()))[0]) for n in range(max(6, requests // 20))
    ]
    # Every class is there, also among few organisations.
    organisations[: len(CLASSES)] = [(f"o{n:02}", name) for n, name in enumerate(CLASSES)]
    people: list[list[Person]] = [[] for _ in range(clusters)]
    for n in range(max(clusters, requests // 4)):
        organisation, access_class = random.choice(organisations)
        people[n % clusters].append(Person(f"u{n:04}", organisation, access_class))
    return people


def _who(random: Random, people: Sequence[Sequence[Person]], cluster: int) -> Person:
    return random.choice(people[cluster] if random.random() < 0.8 else random.choice(people))


def _wanted_clusters(random: Random, clusters: Sequence[Sequence[Instrument]], requests: int) -> list[int]:
    """The cluster of each request, in the order in which the requests arrive."""
    order = random.sample(range(len(clusters)), len(clusters))
    counts: defaultdict[int, int] = defaultdict(int)
    left = round(requests * HOT_SHARE)
    for k in order[:-1]:
        hot = round(random.uniform(*HOT_DEMAND) * capacity(clusters[k]) / MEAN_SLOTS)
        counts[k] = min(hot, left)
        left -= counts[k]
    calm = [k for k in order if not counts[k]] or order
    weights = [capacity(clusters[k]) for k in calm]
    for k in random.choices(calm, weights, k=requests - sum(counts.values())):
        counts[k] += 1
    arrivals = [k for k in order for _ in range(counts[k])]
    random.shuffle(arrivals)
    return arrivals


def _request(random: Random, name: str, cluster: Sequence[Instrument], who: Person) -> Request:
    roomiest = max(end - start for machine in cluster for start, end in segments(machine))
    overnight = random.random() < OVERNIGHT and roomiest > LONGEST
    slots = random.randint(LONGEST + 1, LONGEST_OVERNIGHT) if overnight else random.randint(SHORTEST, LONGEST)
    slots = min(slots, roomiest)
    attended = not overnight and random.random() < ATTENDED
    able = [machine for machine in cluster if any(end - start >= slots for start, end in segments(machine))]
    chosen = _popular_first(random, able)[: random.choices((1, 2, 3, 4), (30, 35, 20, 15))[0]]
    starts = _starts(random, slots, daytime=attended)
    worth = slots * _weight(random, who) * _score(random, who)
    return Request(
        id=name,
        slots=slots,
        access_class=who.access_class,
        organisation=who.organisation,
        person=who.id,
        attended=attended,
        options=tuple(
            Option(instrument=machine.id, value=worth * random.randint(90, 100) // 100, starts=starts)
            for machine in chosen
        ),
    )


def _popular_first(random: Random, instruments: Sequence[Instrument]) -> list[Instrument]:
    """The instruments in random order, the first of a cluster being the one most often preferred."""
    keys = [(random.random() ** (1 / (1 + n / 3)), n) for n in range(len(instruments))]
    return [instruments[n] for _, n in sorted(keys)]


def _weight(random: Random, who: Person) -> int:
    return HIGH_TIER if who.access_class == "state_order" or random.random() < URGENT else 1


def _score(random: Random, who: Person) -> int:
    highest = HIGHEST_EDUCATION_SCORE if who.access_class == "education" else HIGHEST_SCORE
    return random.randint(LOWEST_SCORE, highest)


def _starts(random: Random, slots: int, *, daytime: bool) -> tuple[Span, ...]:
    """A day, two or three, or the week; who attends starts between eight and five."""
    days = random.choices((1, 2, 3, 7), (35, 25, 25, 15))[0]
    first = 0 if days == 7 else random.randint(0, WEEKDAYS - 1)
    last = min(first + days, HORIZON // DAY)
    if daytime:
        return tuple((day * DAY + 16, day * DAY + 34) for day in range(first, min(last, WEEKDAYS)))
    return ((first * DAY, min(last * DAY - 1, HORIZON - slots)),)
