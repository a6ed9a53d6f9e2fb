"""What the time-indexed program of a problem proves and finds, step by step, each within a share of what is left.

The relaxation; dives from it; the best plan of the starts that relaxation, pieces and plans known would have; places
decided anew; the pieces of the program in whole numbers; all that is left open. What must not live here: other ways to
a plan, and in which order these are gone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from labshare.scheduler import timed
from labshare.scheduler.allowance import Allowance
from labshare.scheduler.dive import BOLD, Boldness, dive
from labshare.scheduler.pieces import Pieces
from labshare.scheduler.plan import Session
from labshare.scheduler.polish import polish
from labshare.scheduler.search import Limits, ShouldStop
from labshare.scheduler.timed import Timed
from labshare.scheduler.timed_model import EXACT, Bools, Floats, Relaxed

# Shares of what is left: for the pieces, and for the starts that they and the relaxation would have.
CUTTING, AMONG, REFINING = 0.2, 0.2, 0.2
# The same where there is no budget: steps of each.
CUTTING_STEPS, AMONG_STEPS, REFINING_STEPS, PROBING_STEPS = 3000, 3000, 1000, 3000
# So many turns of the last without a better plan are enough; seeds of one turn and the next.
IDLE, SEEDS_APART = 8, 1_000_003
# Of programs of so few columns all that is left open can often be decided: the pieces get less, and that a share.
FEW, CUTTING_FEW, PROBING = 25_000, 0.15, 0.15
# Pieces of so few variables need no good plan to begin with.
SMALL = 4000
# Work of the relaxation and of a dive, in steps for each column; with less than so many times that nothing is begun.
RELAXING, DIVING, LEAST = 0.03, 0.03, 1.5

Sessions = Sequence[Session]


def pays(columns: int, limits: Limits) -> bool:
    """Is there more work in the budget than the relaxation and the dives take?"""
    return limits.steps is None or limits.steps > LEAST * columns * (RELAXING + 2 * DIVING)


class Exact:
    """`bound` is proven (None: nothing yet); `known()` is the best plan known.

    Two threads may dive at once, and work on the pieces.
    """

    def __init__(
        self, program: Timed, allowance: Allowance, known: Callable[[], Sessions | None], is_done: ShouldStop
    ) -> None:
        self.program = program
        self.bound: int | None = None
        self.relaxed: Relaxed | None = None
        self.has_dived = False
        self._allowance = allowance
        self._known = known
        self._is_done = is_done
        self._pieces: Pieces | None = None
        self._cutting = Limits()
        self._found: Sessions | None = None
        self._is_small = program.model.size <= FEW
        self._refined = 0
        self._lock = threading.Lock()
        # The starts of all plans known so far.
        self._plans: Bools = np.zeros(program.model.size, dtype=bool)

    @property
    def has_found(self) -> bool:
        """Is there a plan to be taken?"""
        return self._found is not None

    def take(self) -> Sessions | None:
        """A plan found since the last time, if there is one; it may be worse than what is known by now."""
        with self._lock:
            found, self._found = self._found, None
        return found

    def relax(self, liked: Floats) -> None:
        """The relaxation of the program, and its pieces; `liked` as in `timed.closer`."""
        found = timed.closer(self.program, self._allowance.left(), self._is_done, liked)
        self._allowance.charge(self.program.model.size * RELAXING)
        if found is not None:
            self.program, relaxed = found
            self._prove(relaxed.bound)
            self._pieces = Pieces(self.program, relaxed)
            share = CUTTING_FEW if self._is_small else CUTTING
            self._cutting = self._allowance.part(share, CUTTING_STEPS).left()
            self.relaxed = relaxed

    def dive(self, boldness: Boldness = BOLD) -> None:
        """The plan that a dive from the relaxation comes to. Two threads may dive at once, one bolder."""
        if self.relaxed is not None and not self._is_done():
            found = dive(self.program, self.relaxed, self._allowance.left(), self._is_done, boldness)
            self._allowance.charge(self.program.model.size * DIVING)
            if found is not None:
                self._keep(found)
                self.has_dived = True

    def cut(
        self, on_proven: Callable[[], None] = lambda: None, *, most: int | None = None, large_first: bool = False
    ) -> None:
        """The pieces (of at most so many variables) in whole numbers: a closer bound, told with each of them."""
        best = self._best()
        if self._pieces is None or self._is_done():
            return
        pieces = self._pieces

        def note() -> None:
            self._prove(pieces.bound)
            on_proven()

        spent = pieces.solve(
            self._cutting,
            None if best is None else timed.values_of(self.program, best),
            self._is_done,
            note,
            most=self.program.model.size if most is None else most,
            large_first=large_first,
        )
        self._allowance.charge(spent)

    def decide_among(self) -> None:
        """The best plan of the starts that the relaxation, the pieces and the plans known would have."""
        if self._pieces is not None and self.relaxed is not None:
            size = self.program.model.size
            self._plans |= self._pieces.chosen[:size] > EXACT
            limits = self._allowance.part(AMONG, AMONG_STEPS).left()
            self._allowance.charge(self._decide(self._plans | (self.relaxed.values[:size] > EXACT), limits))

    def refine(self, share: float | None = None) -> None:
        """Places of the best plan known decided anew, then the best of all plans so far; while that leads further.

        For at most this share of what is left, if one is given.
        """
        idle, part = 0, self._allowance if share is None else self._allowance.part(share, REFINING_STEPS)
        while idle < IDLE and self.relaxed is not None and not self._is_done() and not part.is_over():
            if (best := self._best()) is None:
                return
            self._refined += 1
            limits = part.part(REFINING, REFINING_STEPS).left()
            own = replace(limits, seed=limits.seed + SEEDS_APART * self._refined)
            refined = polish(self.program, self.relaxed, best, own, _tell_nobody, self._is_done)
            self._keep(refined)
            steps = (limits.steps or 0) + self._decide(self._plans, limits)
            self._allowance.charge(steps)
            if part is not self._allowance:
                part.charge(steps)
            idle = 0 if self._worth(self._best() or best) > self._worth(best) else idle + 1

    def _decide(self, columns: Bools, limits: Limits) -> int:
        """The best plan of these starts and of the best plan known; returns the steps it took."""
        best = self._best()
        if best is None or self._is_done() or limits.steps == 0:
            return 0
        self._plans[self.program.model.chosen(best)] = True
        found = timed.among(self.program, columns, best, limits, self._is_done)
        if found is not None:
            self._keep(found)
        return limits.steps or 0

    def _keep(self, sessions: Sessions) -> None:
        """Remember the starts of a plan, and the plan to be taken if it is better than what is known."""
        with self._lock:
            self._plans[self.program.model.chosen(sessions)] = True
            best = self._best()
            if best is None or self._worth(sessions) > self._worth(best):
                self._found = sessions

    def probe(self) -> None:
        """See whether what is left open can be decided soon, where the program is small."""
        if self._is_small:
            self._finish(self._allowance.part(PROBING, PROBING_STEPS).left())

    def finish(self) -> None:
        """What the bound and the best plan known leave open, in whole numbers."""
        self._finish(self._allowance.left())

    def _finish(self, limits: Limits) -> None:
        if self._is_done():
            return
        bounds = self._pieces and self._pieces.bounds
        found = timed.solve(self.program, limits, self._best(), self._is_done, _tell_nobody, self.relaxed, bounds)
        self._allowance.charge(found.steps)
        if found.bound is not None:
            self._prove(found.bound)
        self._found = found.sessions

    def _best(self) -> Sessions | None:
        """The better of what is known and what is found but not taken yet."""
        plans = [plan for plan in (self._known(), self._found) if plan is not None]
        return max(plans, key=self._worth, default=None)

    def _prove(self, bound: float) -> None:
        proven = timed.whole(bound)
        with self._lock:
            self.bound = proven if self.bound is None else min(self.bound, proven)

    def _worth(self, sessions: Sessions) -> int:
        return timed.worth(self.program.problem, sessions)


def _tell_nobody(_sessions: Sessions, _bound: int) -> None:
    pass
