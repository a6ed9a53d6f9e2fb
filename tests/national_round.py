"""A round of national size on a database: 200 instruments at 20 centres, some 3,000 requests, a plan of 2,000 sessions.

For measurements and for looking at pages; the plan is a counter's by priority, judged like any other. Rows are written
straight into the tables, because applying 3,000 times would take minutes.
"""

from __future__ import annotations

from datetime import timedelta
from random import Random
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from labshare.domain.projects import AccessClass, Activity
from labshare.domain.rounds import PlanRow, Round
from labshare.domain.time_requests import TimeRequest
from labshare.scheduler.explain import reasons
from labshare.scheduler.plan import Plan, Run, Session, Unplaced, encode_plan, gap_between
from labshare.scheduler.problem import Problem, sha256
from labshare.scheduler.reading import parse
from labshare.scheduler.score import outcomes_of, score
from labshare.services import plans
from labshare.store import plans as plans_store
from labshare.store import tables as t
from labshare.store import time_requests as requests_store
from tests.benchmarks.baselines import by_priority
from tests.furniture import NOW, add_instrument, add_project, furnish
from tests.round_of import LATER, close, open_round, queue, span

CENTRES, INSTRUMENTS, REQUESTS, ORGANISATIONS, PEOPLE = 20, 200, 3000, 60, 600
FIRST = 100
CLASSES = (
    [(AccessClass.PUBLIC_RESEARCH, Activity.NON_ECONOMIC)] * 6
    + [(AccessClass.INDUSTRY, Activity.ECONOMIC)] * 3
    + [(AccessClass.EDUCATION, Activity.NON_ECONOMIC)]
)


def proposed(db: Connection) -> tuple[Round, PlanRow]:
    """The furnished house with the round and its proposed plan; C-ONE, which has a manager, has ten instruments."""
    furnish(db)
    centres = _centres(db)
    numbers = range(FIRST, FIRST + INSTRUMENTS)
    for number in numbers:
        add_instrument(db, number, centres[number % CENTRES], f"CAP{number % 40:02}")
    offers = [(f"N{number:03}", span(day, 8, 18)) for number in numbers for day in range(5)]
    r = open_round(db, *offers)
    _requests(db, r, Random(1))
    r = close(db, r)
    plan = plans.take(db, LATER, plan_id=queue(db, r).id)
    assert plan is not None
    data = plans.build(db, plan, LATER)
    plans.keep_problem(db, plan, data)
    problem = parse(data)
    document = encode_plan(_plan(problem, sha256(data), by_priority(problem)))
    assert plans.judge(data, document) == ()
    assert plans.propose(db, plan, document, LATER)
    return r, plans_store.get(db, plan.id)


def _centres(db: Connection) -> list[str]:
    ids = [f"C-{n:02}" for n in range(1, CENTRES)]
    about = {"host_id": "I-IMS", "kind": "institute_laboratory", "stage": "operating", "verification": "illustrative"}
    db.execute(
        sa.insert(t.centres),
        [{"id": i, "name_vi": f"Trung tâm {i[2:]}", "name_en": f"Centre {i[2:]}", **about} for i in ids],
    )
    caps = [f"CAP{n:02}" for n in range(40)]
    db.execute(sa.insert(t.capabilities), [{"id": c, "name_vi": c, "name_en": c} for c in caps])
    return ["C-ONE", *ids]


def _requests(db: Connection, r: Round, random: Random) -> None:
    """Each person has a project and asks for some sessions of half an hour to eight hours on a capability."""
    about = {"kind": "institute", "verification": "illustrative"}
    organisations = [f"I-{n:02}" for n in range(ORGANISATIONS)]
    db.execute(
        sa.insert(t.organisations),
        [{"id": i, "name_vi": f"Viện {i[2:]}", "name_en": f"Institute {i[2:]}", **about} for i in organisations],
    )
    people = [UUID(int=1000 + n) for n in range(PEOPLE)]
    for n, person in enumerate(people):
        at, (access_class, activity) = organisations[n % ORGANISATIONS], CLASSES[n % len(CLASSES)]
        row = {"id": person, "login": f"p{n}", "name": f"Nguyễn Văn {n}", "organisation_id": at}
        db.execute(sa.insert(t.persons).values(**row))
        add_project(db, UUID(int=5000 + n), f"KC-{n:03}", at, person, access_class=access_class, activity=activity)
    for k in range(REQUESTS):
        n = random.randrange(PEOPLE)
        access_class, activity = CLASSES[n % len(CLASSES)]
        request = TimeRequest(
            id=UUID(int=10_000 + k), round_id=r.id, person_id=people[n], project_id=UUID(int=5000 + n),
            organisation_id=organisations[n % ORGANISATIONS], access_class=access_class, activity=activity,
            purpose=f"series {k}", sessions=1, session_minutes=30 * random.choice((2, 4, 6, 8, 10, 12)), min_sessions=1,
            capability_id=f"CAP{int(40 * random.random() ** 1.7):02}", review_score=random.randint(50, 150),
            created_at=NOW + timedelta(seconds=k),
        )  # fmt: skip
        requests_store.add(db, request)


def _plan(problem: Problem, digest: str, sessions: list[Session]) -> Plan:
    outcomes = outcomes_of(problem, sessions)
    terms = score(problem, sessions, outcomes)
    bound = terms.objective + terms.objective // 20
    gap = gap_between(terms.objective, bound)
    return Plan(
        problem_sha256=digest, status="feasible", sessions=tuple(sessions), score=terms, bound=bound, gap=gap,
        unplaced=tuple(Unplaced(request=r, reason=why) for r, why in reasons(problem, sessions, gap).items()),
        rules=tuple(outcomes), run=Run(seed=1, budget="60 seconds", seconds=60.0, versions={}),
    )  # fmt: skip
