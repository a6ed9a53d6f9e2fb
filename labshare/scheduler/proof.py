"""The bound of a problem: prices, and where floors bend, prices on either side of the bend.

Whatever side the best plan lies on, one of the open cases covers it, so the largest of their bounds is a bound for all;
a case that can hold nothing better than the plan known is closed.
"""

from __future__ import annotations

from collections.abc import Callable

from labshare.scheduler.layout import Layout
from labshare.scheduler.prices import Prices

EVALUATIONS = 120
MOST_CASES = 40


class Proof:
    """`bound` is proven; `prices` are those of the case that holds the most, to guide a search."""

    def __init__(self, layout: Layout) -> None:
        self.prices: Prices = Prices(layout)
        self._open: list[Prices] = [self.prices]
        self.cases: int = 1
        self.evaluations: int = 0

    def bound(self, known: int) -> int:
        """No plan is worth more than this, when a plan worth `known` is at hand."""
        return max([known, *(case.proven for case in self._open)])

    def improve(self, evaluations: int, known: int, should_stop: Callable[[], bool]) -> bool:
        """Work on the case with the largest bound; split it when it will not come down. False: nothing more to do."""
        spent = 0
        while spent < evaluations and not should_stop():
            self._open = [case for case in self._open if case.proven > known]
            if not self._open:
                return False
            case = max(self._open, key=lambda case: case.bound)
            self.prices = case
            made = case.improve(min(EVALUATIONS, evaluations - spent), known, should_stop)
            spent += made
            self.evaluations += made
            if case.is_done and not self._split(case):
                return False
        return True

    def _split(self, case: Prices) -> bool:
        if self.cases >= MOST_CASES or not (cases := case.split()):
            return False
        # In one step: the bound may be asked for from another thread.
        self._open = [*(other for other in self._open if other is not case), *cases]
        self.cases += 1
        return True
