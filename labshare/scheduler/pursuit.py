"""The pursuit of a good plan and a good bound for one large part of a problem.

Prices prove a bound and guide a first plan; ruin and recreate makes it better; then OR-Tools finishes: the whole part
as a time-indexed program where that is small enough, else neighbourhood by neighbourhood.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from random import Random

from labshare.scheduler import timed
from labshare.scheduler.allowance import Allowance
from labshare.scheduler.counting import RuleCount
from labshare.scheduler.dive import CAREFUL
from labshare.scheduler.exact import SMALL, Exact, pays
from labshare.scheduler.improve import Improver
from labshare.scheduler.layout import Layout, contributions
from labshare.scheduler.neighbourhood import Neighbourhoods
from labshare.scheduler.plan import Session
from labshare.scheduler.polish import polish
from labshare.scheduler.problem import Problem, Request
from labshare.scheduler.proof import Proof
from labshare.scheduler.score import outcomes_of
from labshare.scheduler.search import Limits, OnBetter, ShouldStop
from labshare.scheduler.timed_model import Floats, Relaxed

# Shares of what is left, for prices and construction where there is a time-indexed program; where there is none, for
# the same and for ruin and recreate before neighbourhoods.
OPENING = 0.04
OPENING_WITHOUT, WITHOUT_EXACT = 0.08, 0.8
# The same where there is no budget: steps of each.
OPENING_STEPS, IMPROVING_STEPS = 500, 3000
# Work in steps (hundredths of a second on the machine that this was measured on): one evaluation of prices for each
# column, one step of ruin and recreate.
STEPS_A_COLUMN = 4e-6
STEPS_A_RUIN = 0.06
# One turn of the two together.
RUINS, EVALUATIONS = 200, 24
# Beside the exact method: shares of what is left for places decided anew, and for ruin and recreate between them.
POLISHING, BETWEEN = 0.4, 0.05
# Before the pieces, whose bounds are the sooner found the better the plan that they have to beat: a share of what is
# left for making it better.
BEFORE_PIECES = 0.25
# Where annealing begins from a plan that a dive has found.
AFTER_DIVE = 0.5
# Seeds of one such turn and the next.
SEEDS_BESIDE = 10_000
WEIGHTS = (0.5, 0.25, 0.8)
# A time-indexed program beyond this many columns does not pay.
MOST_COLUMNS = 60_000
# A neighbourhood: requests freed, and what one may cost.
FREED, STEPS_A_NEIGHBOURHOOD = 40, 40
# How often a neighbourhood is chosen for a rule that is missed, where there is one.
MENDING = 0.5
# How long a thread may hold the interpreter while another waits for it, in seconds.
TURN_SECONDS = 0.0005


class Pursuit:
    """`bound` is proven; every better plan and bound is told to `on_better` at once."""

    def __init__(
        self,
        problem: Problem,
        limits: Limits,
        known: Sequence[Session] | None,
        on_better: OnBetter,
        should_stop: ShouldStop,
    ) -> None:
        self._problem = problem
        self._allowance = Allowance(limits, should_stop)
        self._should_stop = should_stop
        self._on_better = on_better
        self._random = Random(limits.seed)  # noqa: S311  a search, not a secret
        self.layout = Layout(problem)
        self._improver = Improver(self.layout, limits.seed)
        self._proof = Proof(self.layout)
        self._told: tuple[int, int] | None = None
        # A second worker searches beside the exact method; what that leaves depends on the clock.
        self._is_beside = limits.workers > 1 and limits.steps is None
        self._exact: Exact | None = None
        self._refined = 0
        self._counted_by: dict[str, list[Request]] = {}
        if known is not None:
            self._improver.offer(known)

    @property
    def steps(self) -> int:
        """The work done so far."""
        return int(self._allowance.steps) + 1

    @property
    def bound(self) -> int:
        known = self._improver.best_objective if self._improver.best is not None else -(10**18)
        by_prices = self._proof.bound(known)
        exactly = self._exact and self._exact.bound
        return by_prices if exactly is None else max(known, min(by_prices, exactly))

    def run(self) -> None:
        """Until the budget is spent or the plan is proven best."""
        self._improver.construct(None, 0.0)
        self._tell()
        has_program = self._has_program()
        self._open(self._allowance.part(OPENING if has_program else OPENING_WITHOUT, OPENING_STEPS))
        if self._is_done() or not has_program:
            self._improve(self._allowance.part(WITHOUT_EXACT, IMPROVING_STEPS))
        elif self._is_beside:
            self._search_beside()
        else:
            self._search_by_turns()
        while not self._is_done():
            self._polish(self._allowance.part(0.5, IMPROVING_STEPS))
            self._improve(self._allowance.part(1.0, IMPROVING_STEPS))

    def _has_program(self) -> bool:
        """Is there a time-indexed program of this problem, and does it pay?"""
        size = self.layout.size
        if size > MOST_COLUMNS or not pays(size, self._allowance.left()):
            return False
        program = timed.build(self._problem, self.layout)
        if program is not None:
            self._exact = Exact(program, self._allowance, self._improver.sessions, self._is_done)
        return program is not None

    def _is_done(self) -> bool:
        return self._allowance.is_over() or (
            self._improver.best is not None and self.bound <= self._improver.best_objective
        )

    def _tell(self) -> None:
        """Tell what is known, when it is more than was told."""
        if self._improver.best is None:
            return
        known = self._improver.best_objective, self.bound
        if known != self._told:
            self._told = known
            self._on_better(self._improver.sessions() or [], self.bound)

    def _charge(self, part: Allowance, steps: float) -> None:
        for allowance in (part, self._allowance):
            allowance.charge(steps)

    def _prove(self, part: Allowance, evaluations: int) -> bool:
        before = self._proof.evaluations
        more = self._proof.improve(evaluations, self._improver.best_objective, part.is_over)
        self._charge(part, (self._proof.evaluations - before) * (0.02 + self.layout.size * STEPS_A_COLUMN))
        return more

    def _open(self, part: Allowance) -> None:
        """Prices until they stand, and plans built by them on the way."""
        turn = 0
        more = True
        while more and not part.is_over():
            more = self._prove(part, EVALUATIONS * 3)
            self._improver.heed(self._proof.prices)
            self._improver.construct(self._proof.prices, WEIGHTS[turn % len(WEIGHTS)])
            self._charge(part, len(self._problem.requests) * STEPS_A_RUIN / 10)
            turn += 1
            self._tell()
        self._improver.restart()

    def _improve(self, part: Allowance, until: ShouldStop = lambda: False) -> None:
        """Ruin and recreate, and prices beside it, until the part is over."""
        more = True
        while not part.is_over() and not self._is_done() and not until():
            self._improver.improve(RUINS, lambda: self._cooled(part.spent), part.is_over)
            self._charge(part, RUINS * STEPS_A_RUIN)
            if more:
                more = self._prove(part, EVALUATIONS)
                self._improver.heed(self._proof.prices)
            self._tell()
        self._improver.restart()

    def _cooled(self, spent: float) -> float:
        """A plan that a dive has come to is too good to roam far from."""
        return AFTER_DIVE + (1 - AFTER_DIVE) * spent if self._exact and self._exact.has_dived else spent

    def _search_by_turns(self) -> None:
        """The exact method and the search for better plans one after the other."""
        exact = self._exact
        assert exact is not None
        for work in (
            lambda: exact.relax(self._liked()),
            exact.dive,
            lambda: exact.dive(CAREFUL),
            exact.decide_among,
            exact.cut,
            exact.decide_among,
            exact.probe,
            exact.refine,
            exact.finish,
        ):
            work()
            self._take_up()

    def _search_beside(self) -> None:
        """The exact method on a thread of its own while plans get better here."""
        exact = self._exact
        assert exact is not None
        liked = self._liked()

        def begin() -> None:
            exact.relax(liked)
            exact.dive()

        def draw_near() -> None:
            exact.decide_among()
            exact.refine(BEFORE_PIECES)

        def conclude() -> None:
            exact.decide_among()
            exact.probe()
            exact.refine()
            exact.finish()

        with _taking_turns_often(), ThreadPoolExecutor(1) as pool:
            beginning = pool.submit(begin)
            part = self._allowance.part(1.0, IMPROVING_STEPS)
            self._improve(part, until=lambda: beginning.done() or exact.relaxed is not None)
            exact.cut(self._take_up, most=SMALL)
            exact.dive(CAREFUL)
            self._go_on(beginning)
            self._go_on(pool.submit(draw_near))
            cutting = pool.submit(lambda: exact.cut(large_first=True))
            exact.cut(self._take_up)
            self._go_on(cutting)
            self._go_on(pool.submit(conclude))

    def _go_on(self, work: Future[None]) -> None:
        """Make plans better here until the work is done there, and take up what it finds."""
        exact = self._exact
        assert exact is not None
        while not work.done() and not self._is_done():
            self._take_up()
            if exact.relaxed is not None:
                self._refine(exact.relaxed, self._allowance.part(POLISHING, IMPROVING_STEPS), work.done)
            part = self._allowance.part(BETWEEN, IMPROVING_STEPS)
            self._improve(part, until=lambda: work.done() or exact.has_found)
        work.result()
        self._take_up()

    def _liked(self) -> Floats:
        """What each column would give at the prices known."""
        prices = self._proof.prices
        return prices.evaluate(prices.slots, prices.row_prices).reduced

    def _refine(self, relaxed: Relaxed, part: Allowance, until: ShouldStop = lambda: False) -> None:
        """Places of the best plan decided anew, where the relaxation would rather have somebody who waits."""
        exact = self._exact
        assert exact is not None

        def take(sessions: Sequence[Session], _bound: int) -> None:
            self._improver.offer(sessions)
            self._tell()

        def is_over() -> bool:
            return part.is_over() or self._is_done() or exact.has_found or until()

        self._refined += 1
        limits = replace(part.left(), seed=part.left().seed + SEEDS_BESIDE * self._refined)
        polish(exact.program, relaxed, self._improver.sessions() or [], limits, take, is_over)
        self._charge(part, limits.steps or 0)

    def _take_up(self) -> None:
        """Go on from the plan that the exact method has found, if it is better than what is known."""
        found = self._exact and self._exact.take()
        if found is not None:
            self._improver.offer(found)
        self._tell()

    def _polish(self, part: Allowance) -> None:
        """Neighbourhoods of the best plan, each planned anew exactly."""
        sessions = {session.request: session for session in self._improver.sessions() or ()}
        neighbourhoods = Neighbourhoods(self._problem)
        seed = 0
        while sessions and not part.is_over():
            seed += 1
            limits = Limits(steps=STEPS_A_NEIGHBOURHOOD, seed=seed)
            better = neighbourhoods.solve(sessions, self._freed(sessions), limits, part.is_over)
            self._charge(part, STEPS_A_NEIGHBOURHOOD)
            if better is not None:
                sessions = {session.request: session for session in better}
                self._improver.offer(better)
                self._tell()

    def _freed(self, sessions: Mapping[str, Session]) -> list[str]:
        """One request, every other time one that a missed rule counts, and some that want the same few instruments."""
        random, requests = self._random, self._problem.requests
        missed = self._missed(sessions) if random.random() < MENDING else []
        start = random.choice(missed or requests)
        near = {option.instrument for option in start.options}
        asking = [r for r in requests if any(option.instrument in near for option in r.options)]
        return [start.id, *(r.id for r in random.sample(asking, min(FREED, len(asking))) if r is not start)]

    def _missed(self, sessions: Mapping[str, Session]) -> list[Request]:
        """Whoever could mend a rule that these sessions miss: for a floor those who wait, for a cap those served."""
        outcomes = outcomes_of(self._problem, list(sessions.values()))
        found: dict[str, Request] = {}
        for counted, outcome in zip(self.layout.counts, outcomes, strict=True):
            if outcome.slack < 0 and counted.rule.penalty != 0:
                is_cap = counted.rule.kind == "cap"
                found |= {r.id: r for r in self._counted(counted) if (r.id in sessions) == is_cap}
        return list(found.values())

    def _counted(self, counted: RuleCount) -> list[Request]:
        """Whoever the rule could count, in the order of the problem."""
        if counted.rule.id not in self._counted_by:
            parts = contributions(counted, self.layout.runs)
            members = sorted({int(self.layout.run_request[k]) for k, used, _ in parts if used})
            self._counted_by[counted.rule.id] = [self._problem.requests[r] for r in members]
        return self._counted_by[counted.rule.id]


@contextmanager
def _taking_turns_often() -> Generator[None]:
    """A solver that comes back for a moment does not wait long for the search in Python beside it.

    With the interpreter's own 5 ms the relaxation beside ruin and recreate takes three times as long.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(before, TURN_SECONDS))
    try:
        yield
    finally:
        sys.setswitchinterval(before)
