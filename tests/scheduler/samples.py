"""Random problems in which every rule of the contract can occur, small enough to solve in milliseconds."""

from __future__ import annotations

from random import Random
from typing import Any

Raw = dict[str, Any]

CLASSES = ["public_research", "industry", "education"]
FAMILIES = ["wet", "dry", None]


def problem(random: Random, *, requests: int = 6, horizon: int = 16, instruments: int = 2, starts: int = 6) -> Raw:
    """A problem with up to this many requests; `starts` bounds the width of a range of starts."""
    made: Raw = {
        "format": "labshare-problem/1",
        "horizon": horizon,
        "instruments": [_instrument(random, n, horizon) for n in range(instruments)],
        "operator_pools": [{"id": "p0", "shifts": [[0, horizon // 2, 1], [horizon // 3, horizon, 1]]}],
    }
    made["fixed"] = _fixed(random, made) if random.random() < 0.5 else []
    made["requests"] = [_request(random, n, made, starts) for n in range(random.randint(1, requests))]
    ids = [request["id"] for request in made["requests"]]
    if random.random() < 0.4 and len(ids) >= 2:
        some = random.sample(ids, random.randint(2, min(3, len(ids))))
        made["groups"] = [{"requests": some, "min": random.randint(1, len(some))}]
    if random.random() < 0.4 and len(ids) >= 2:
        made["linked"] = [_link(random, ids)]
    made["rules"] = [_rule(random, n, made) for n in range(random.randint(0, 3))]
    if random.random() < 0.4:
        steps = [[25, 9], [50, 5], [100, 2]]
        made["fairness"] = {"targets": {f"o{n}": random.randint(1, 9) for n in range(2)}, "steps": steps}
    if random.random() < 0.3:
        made["down"] = [["i0", 2, random.randint(3, horizon)]]
    if random.random() < 0.5:
        _add_current(random, made)
    return made


def _instrument(random: Random, n: int, horizon: int) -> Raw:
    instrument: Raw = {"id": f"i{n}", "centre": f"c{n % 2}"}
    if random.random() < 0.7:
        cut = random.randint(3, horizon - 3)
        instrument["open"] = [[random.randint(0, 2), cut], [cut + random.randint(0, 2), horizon]]
    if random.random() < 0.5:
        pairs = [("wet", "dry"), ("dry", "wet"), ("wet", "wet")]
        instrument["changeover"] = [[*pair, random.randint(0, 4)] for pair in pairs if random.random() < 0.7]
    return instrument


def _row(random: Random) -> Raw:
    return {
        "access_class": random.choice(CLASSES),
        "organisation": f"o{random.randint(0, 2)}",
        "person": random.choice(["u0", "u1", None]),
        "family": random.choice(FAMILIES),
        "tags": random.sample(["economic", "programme"], random.randint(0, 2)),
        "attended": random.random() < 0.5,
        "operator": {"pool": "p0", "slots": random.randint(1, 3)} if random.random() < 0.4 else None,
    }


def _fixed(random: Random, made: Raw) -> list[Raw]:
    fixed: list[Raw] = []
    for instrument in made["instruments"]:
        at = random.randint(0, 4)
        while at < made["horizon"] - 2 and random.random() < 0.6:
            end = at + random.randint(1, 2)
            fixed.append({**_row(random), "instrument": instrument["id"], "start": at, "end": end})
            at = end + random.randint(0, 5)
    return fixed


def _request(random: Random, n: int, made: Raw, starts: int) -> Raw:
    chosen = random.sample(made["instruments"], random.randint(1, len(made["instruments"])))
    request: Raw = {"id": f"r{n}", "slots": random.randint(1, 4), **_row(random), "late": random.choice([0, 0, 1, 3])}
    request["options"] = [_option(random, instrument["id"], made["horizon"], starts) for instrument in chosen]
    return request


def _option(random: Random, instrument: str, horizon: int, starts: int) -> Raw:
    first = random.randint(0, horizon - 1)
    option: Raw = {
        "instrument": instrument,
        "value": random.randint(0, 40),
        "starts": [[first, min(horizon - 1, first + random.randint(0, starts))]],
    }
    if random.random() < 0.2:
        option["slots"] = random.randint(1, 4)
    if random.random() < 0.2:
        option["operator"] = None
    if random.random() < 0.3:
        option["tags"] = ["outside_host"]
    return option


def _link(random: Random, ids: list[str]) -> Raw:
    link: Raw = {"requests": random.sample(ids, 2), "min_gap": random.randint(0, 2)}
    if random.random() < 0.5:
        link["max_gap"] = link["min_gap"] + random.randint(0, 6)
    return link


def _rule(random: Random, n: int, made: Raw) -> Raw:
    who: Raw = {}
    if random.random() < 0.7:
        who["access_class"] = random.sample(CLASSES, random.randint(1, 2))
    if random.random() < 0.3:
        who["tags"] = [random.choice(["economic", "outside_host"])]
    if random.random() < 0.3:
        who["organisation"] = ["o0", "o1"]
    rule: Raw = {
        "id": f"R{n}",
        "kind": random.choice(["cap", "floor"]),
        "who": who,
        "count_fixed": random.random() < 0.5,
    }
    rule["slots"] = random.choice([0, 0, 2, 4, 8])
    rule["penalty"] = None if random.random() < 0.25 else random.randint(0, 20)
    if random.random() < 0.5:
        rule["of_allocated"] = random.choice(["1/5", "1/3", "2/3", "1"])
    if random.random() < 0.3:
        rule["centres"] = ["c0"]
    if random.random() < 0.3:
        rule["instruments"] = ["i0"]
    if random.random() < 0.5:
        start = random.randint(0, made["horizon"] - 1)
        rule["window"] = [start, random.randint(start + 1, made["horizon"])]
    return rule


def _add_current(random: Random, made: Raw) -> None:
    """Put some requests where they may be, clear of each other and of fixed rows; a few of them frozen."""
    taken = {(row["instrument"], t) for row in made["fixed"] for t in range(row["start"], row["end"])}
    made["current"] = []
    for request in made["requests"]:
        option = random.choice(request["options"])
        start = option["starts"][0][0]
        slots = {(option["instrument"], t) for t in range(start, start + option.get("slots", request["slots"]))}
        segments = next(i for i in made["instruments"] if i["id"] == option["instrument"]).get(
            "open", [[0, made["horizon"]]]
        )
        end = start + len(slots)
        if random.random() < 0.5 and not slots & taken and any(a <= start and end <= b for a, b in segments):
            taken |= slots
            made["current"].append({"request": request["id"], "instrument": option["instrument"], "start": start})
    made["change_penalty"] = random.randint(0, 10)
    made["frozen_until"] = random.choice([0, 0, made["horizon"] // 2])
