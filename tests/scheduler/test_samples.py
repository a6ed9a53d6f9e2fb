"""The random problems are worth solving: every kind of rule is among them, and plans exist."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from random import Random

from tests.scheduler import brute, samples
from tests.scheduler.making import Raw

TINY = [samples.problem(Random(seed), requests=4, horizon=10, starts=4) for seed in range(300)]


def kinds(problem: Raw) -> Iterator[str]:
    """What of the contract this problem uses."""
    yield from (part for part in ("groups", "linked", "fairness", "down", "fixed") if problem.get(part))
    for rule in problem["rules"]:
        form = "share" if "of_allocated" in rule else "slots"
        yield f"{'hard' if rule['penalty'] is None else 'soft'} {rule['kind']} of a {form}"
        yield from (f"a rule on {part}" for part in ("window", "centres", "instruments", "who") if rule.get(part))
    if problem.get("current"):
        yield "frozen" if problem["frozen_until"] else "current"
    yield from (part for instrument in problem["instruments"] for part in ("changeover", "open") if part in instrument)
    for request in problem["requests"]:
        yield from (part for part in ("attended", "operator", "late", "tags") if request[part])
        yield from (
            f"an option's {part}" for option in request["options"] for part in ("slots", "tags") if part in option
        )


def test_every_kind_of_rule_is_in_the_mix() -> None:
    met = Counter(kind for problem in TINY for kind in set(kinds(problem)))
    assert set(met) == {
        "groups", "linked", "fairness", "down", "fixed", "current", "frozen", "changeover", "open",
        "hard cap of a slots", "soft cap of a slots", "hard cap of a share", "soft cap of a share",
        "hard floor of a slots", "soft floor of a slots", "hard floor of a share", "soft floor of a share",
        "a rule on window", "a rule on centres", "a rule on instruments", "a rule on who",
        "attended", "operator", "late", "tags", "an option's slots", "an option's tags",
    }  # fmt: skip
    assert min(met.values()) >= 10


def test_most_of_them_have_a_plan_and_some_do_not() -> None:
    best = [brute.best(problem) for problem in TINY[:100]]
    assert 5 <= best.count(None) <= 50
    assert sum(objective is not None and objective > 0 for objective in best) >= 50
