"""The best plan by trying them all, written from the contract alone: plain dictionaries and sets of slots.

Neither the solver nor the checker is used, so that all three must agree.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise, product
from typing import Any

Raw = dict[str, Any]
Choice = dict[str, tuple[Raw, int]]  # request id -> chosen option and start


def best(problem: Raw) -> int | None:
    """The largest objective of any plan; None when no plan keeps the hard rules."""
    objectives = [objective(problem, choice) for choice in choices(problem) if is_allowed(problem, choice)]
    return max((value for value in objectives if value is not None), default=None)


def choices(problem: Raw) -> Iterator[Choice]:
    """Every way to place or leave out each request on the starts that its options offer."""
    places: list[list[tuple[Raw, int] | None]] = [
        [None] + [(o, t) for o in r.get("options", []) for a, b in o.get("starts", []) for t in range(a, b + 1)]
        for r in problem.get("requests", [])
    ]
    for chosen in product(*places):
        yield {r["id"]: c for r, c in zip(problem.get("requests", []), chosen, strict=True) if c is not None}


def length(request: Raw, option: Raw) -> int:
    return option.get("slots") or request["slots"]


def operator(request: Raw, option: Raw) -> Raw | None:
    return option["operator"] if "operator" in option else request.get("operator")


def rows(problem: Raw, choice: Choice) -> list[Raw]:
    """Everything that occupies an instrument, fixed rows and sessions alike."""
    found = [{**row, "fixed": True} for row in problem.get("fixed", [])]
    for request in problem.get("requests", []):
        if request["id"] in choice:
            option, start = choice[request["id"]]
            found.append(
                {
                    **request,
                    "instrument": option["instrument"],
                    "start": start,
                    "end": start + length(request, option),
                    "tags": request.get("tags", []) + option.get("tags", []),
                    "operator": operator(request, option),
                    "fixed": False,
                }
            )
    return found


def is_allowed(problem: Raw, choice: Choice) -> bool:
    there = rows(problem, choice)
    return all(
        rule(problem, there, choice)
        for rule in (in_open_time, apart, person_once, enough_operators, groups, campaigns, frozen)
    )


def in_open_time(problem: Raw, there: list[Raw], _: Choice) -> bool:
    for row in there:
        segments = next(i for i in problem["instruments"] if i["id"] == row["instrument"]).get("open")
        segments = [[0, problem["horizon"]]] if segments is None else segments
        if not row["fixed"] and not any(a <= row["start"] and row["end"] <= b for a, b in segments):
            return False
        for name, a, b in problem.get("down", []):
            if not row["fixed"] and name == row["instrument"] and slots(row) & set(range(a, b)):
                return False
    return True


def slots(row: Raw) -> set[int]:
    return set(range(row["start"], row["end"]))


def apart(problem: Raw, there: list[Raw], _: Choice) -> bool:
    for instrument in problem["instruments"]:
        idle = {(a, b): n for a, b, n in instrument.get("changeover", [])}
        line = sorted((r for r in there if r["instrument"] == instrument["id"]), key=lambda r: r["start"])
        for left, right in pairwise(line):
            due = idle.get((left.get("family"), right.get("family")), 0)
            if left["fixed"] and right["fixed"]:
                continue
            if right["start"] - left["end"] < due:
                return False
    return True


def person_once(problem: Raw, there: list[Raw], _: Choice) -> bool:
    attended = [r for r in there if r.get("attended") and r.get("person")]
    return not any(
        a is not b and a["person"] == b["person"] and slots(a) & slots(b) and not (a["fixed"] and b["fixed"])
        for a in attended
        for b in attended
    )


def enough_operators(problem: Raw, there: list[Raw], _: Choice) -> bool:
    for pool in problem.get("operator_pools", []):
        for t in range(problem["horizon"]):
            people = sum(n for a, b, n in pool.get("shifts", []) if a <= t < b)
            busy = [
                r
                for r in there
                if r.get("operator")
                and r["operator"]["pool"] == pool["id"]
                and r["start"] <= t < min(r["end"], r["start"] + r["operator"]["slots"])
            ]
            if len(busy) > people and not all(r["fixed"] for r in busy):
                return False
    return True


def groups(problem: Raw, _: list[Raw], choice: Choice) -> bool:
    counts = [(sum(r in choice for r in g["requests"]), g.get("min", 1)) for g in problem.get("groups", [])]
    return all(placed == 0 or placed >= least for placed, least in counts)


def campaigns(problem: Raw, there: list[Raw], choice: Choice) -> bool:
    at = {row["id"]: row for row in there if not row["fixed"]}
    for link in problem.get("linked", []):
        placed = [at[r] for r in link["requests"] if r in choice]
        if placed and len(placed) < len(link["requests"]):
            return False
        for before, after in pairwise(placed):
            gap = after["start"] - before["end"]
            if gap < link.get("min_gap", 0) or gap > link.get("max_gap", 10**9):
                return False
    return True


def frozen(problem: Raw, there: list[Raw], _: Choice) -> bool:
    at = {row["id"]: row for row in there if not row["fixed"]}
    for row in problem.get("current", []):
        request = next(r for r in problem["requests"] if r["id"] == row["request"])
        option = next(o for o in request["options"] if o["instrument"] == row["instrument"])
        taken = set(range(row["start"], row["start"] + length(request, option)))
        hit = any(i == row["instrument"] and taken & set(range(a, b)) for i, a, b in problem.get("down", []))
        if row["start"] < problem.get("frozen_until", 0) and not hit and not stays(row, at):
            return False
    return True


def stays(row: Raw, at: dict[str, Raw]) -> bool:
    now = at.get(row["request"])
    return now is not None and (now["instrument"], now["start"]) == (row["instrument"], row["start"])


def objective(problem: Raw, choice: Choice) -> int | None:
    """Value less penalties and changes plus fairness; None when a hard rule is broken."""
    there = rows(problem, choice)
    total = 0
    for request in problem.get("requests", []):
        if request["id"] in choice:
            option, start = choice[request["id"]]
            earliest = min(a for o in request["options"] for a, _ in o["starts"])
            total += option.get("value", 0) - request.get("late", 0) * (start - earliest)
    for rule in problem.get("rules", []):
        missed = miss(problem, rule, there)
        if missed and rule.get("penalty") is None:
            return None
        total -= missed * (rule.get("penalty") or 0)
    at = {row["id"]: row for row in there if not row["fixed"]}
    total -= problem.get("change_penalty", 0) * sum(not stays(row, at) for row in problem.get("current", []))
    return total + fairness(problem, there)


def miss(problem: Raw, rule: Raw, there: list[Raw]) -> int:
    inside = set(range(*rule["window"])) if rule.get("window") else set(range(problem["horizon"] + 100))
    scope = [
        i["id"]
        for i in problem["instruments"]
        if (rule.get("centres") is None or i.get("centre") in rule["centres"])
        and (rule.get("instruments") is None or i["id"] in rule["instruments"])
    ]
    counted = [r for r in there if r["instrument"] in scope and (rule.get("count_fixed") or not r["fixed"])]
    allocated = sum(len(slots(r) & inside) for r in counted)
    used = sum(len(slots(r) & inside) for r in counted if means(rule.get("who", {}), r))
    limit = rule.get("slots", 0) + Fraction(rule.get("of_allocated") or 0) * allocated
    if rule["kind"] == "cap":
        return max(0, math.ceil(used - limit))
    demand = sum(len(slots(r) & inside) for r in counted if r["fixed"] and means(rule.get("who", {}), r))
    for request in problem.get("requests", []):
        offered = [0]
        for option in request.get("options", []):
            as_row = {**request, "tags": request.get("tags", []) + option.get("tags", [])}
            if option["instrument"] in scope and means(rule.get("who", {}), as_row):
                for a, b in option.get("starts", []):
                    offered += [len(set(range(t, t + length(request, option))) & inside) for t in range(a, b + 1)]
        demand += max(offered)
    return max(0, math.ceil(min(limit, demand) - used))


def means(who: Raw, row: Raw) -> bool:
    values = all(row.get(key) in wanted for key, wanted in who.items() if key != "tags")
    return values and all(tag in row.get("tags", []) for tag in who.get("tags", []))


def fairness(problem: Raw, there: list[Raw]) -> int:
    total = 0
    for organisation, target in problem.get("fairness", {}).get("targets", {}).items():
        served = sum(len(slots(r)) for r in there if not r["fixed"] and r.get("organisation") == organisation)
        before = 0
        for percent, rate in problem["fairness"]["steps"]:
            threshold = target * percent // 100
            total += rate * sum(1 for n in range(before, threshold) if n < served)
            before = threshold
    return total
