"""Whatever writes bookings, all at once: nothing is given twice, nobody meets in a deadlock, and what counts holds."""

from __future__ import annotations

import pytest

from labshare.store.engine import Database
from tests.storms import TEAM, storm


@pytest.mark.slow
def test_all_that_writes_bookings_at_once(database: Database) -> None:
    found = storm(database, threads=6, tries=120, seed=20261130)
    assert (found.faults, found.deadlocks) == ([], 0)
    assert (found.overlaps, found.mended_balances, found.without_deadline) == (0, 0, 0)
    assert found.most_of_team <= TEAM.most
    done = {what.removesuffix(": done") for what in found.done if what.endswith(": done")}
    assert done >= {"book", "move", "cancel", "decide", "answer", "apply", "qualify"}
