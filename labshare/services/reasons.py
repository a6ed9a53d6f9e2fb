"""Why a request was left out of a plan, as a refusal with parameters that its reader may see. Pure.

The solver speaks of ids and slots. Here they become instruments, times and labels; other people's requests are counted
unless the reader may see them, and an agreement is named only to those who may read it. What must not live here: the
sentences (locale/*/rounds.po).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Mapping
from math import ceil
from typing import Any
from uuid import UUID

import msgspec

from labshare.domain.agreements import ShareRule
from labshare.domain.rounds import Round
from labshare.domain.time_requests import TimeRequest
from labshare.errors import Param, Refusal
from labshare.scheduler.plan import Plan, Session
from labshare.services.planning import request_of
from labshare.services.planning_rules import read_name
from labshare.services.slots import grid_of

# How many other requests a sentence names before it only counts them.
NAMED = 3


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """Whose eyes: their own requests, those of the centres they answer for, or all."""

    person_id: UUID | None
    centre_ids: frozenset[str] = frozenset()
    sees_all: bool = False

    def sees(self, request: TimeRequest, centre_ids: set[str]) -> bool:
        """Whether this reader may see a request that could be served at these centres."""
        return self.sees_all or request.person_id == self.person_id or bool(self.centre_ids & centre_ids)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan makes of each request: its sessions in time, and why some of those asked for are missing."""

    sessions: dict[UUID, list[Session]]
    missing: dict[UUID, int]
    reasons: dict[UUID, Refusal]


def placed_and_left(
    r: Round,
    plan: Plan,
    labels: Mapping[UUID, str],
    rules: Mapping[tuple[str, str], ShareRule],
    *,
    instruments: Container[str] | None = None,
) -> Outcome:
    """The plan by request. `labels` are those of the requests, `rules` the share rules, that the reader may see.

    So are `instruments`; None where the reader may know of all, as everybody does once the plan is published.
    """
    sessions: dict[UUID, list[Session]] = defaultdict(list)
    for session in sorted(plan.sessions, key=lambda each: each.start):
        sessions[request_of(session.request)].append(session)
    missing: dict[UUID, int] = defaultdict(int)
    reasons: dict[UUID, Refusal] = {}
    for left in plan.unplaced:
        request_id = request_of(left.request)
        missing[request_id] += 1
        # One reason for a request: that of its first session left out; the others stand in the same way.
        reasons.setdefault(request_id, reason(r, request_id, left.reason, labels, rules, instruments))
    return Outcome(sessions=dict(sessions), missing=dict(missing), reasons=reasons)


def reason(
    r: Round,
    request_id: UUID,
    told: Mapping[str, Any],
    labels: Mapping[UUID, str],
    rules: Mapping[tuple[str, str], ShareRule],
    instruments: Container[str] | None = None,
) -> Refusal:
    """One reason of the solver in the reader's terms: the code `unplaced_<code>` with what its sentence names."""
    code = str(told.get("code", "taken"))
    place: Mapping[str, Any] = told.get("cheapest") or {}
    # "At most": rounded up, so that a plan that is not proven never claims no gap.
    params: dict[str, Param] = {"gap_permille": ceil(round(1000 * float(told.get("gap", 0)), 6))}
    if place and instruments is not None and place["instrument"] not in instruments and code != "rules":
        return Refusal(code="unplaced_elsewhere", params=params)
    if place:
        grid = grid_of(r)
        params |= {"instrument": place["instrument"], "at": grid.at(place["start"]).isoformat()}
    if code == "rules":
        return _by_rule(place, rules, params)
    if code in ("taken", "not_worth_it"):
        others = {request_of(each) for each in place.get("sessions", ())} - {request_id}
        if not others and place.get("sessions"):
            return Refusal(code="unplaced_own_sessions", params=params)
        known = sorted((labels[each] for each in others if each in labels), key=lambda label: (len(label), label))
        if not known:
            return Refusal(code=f"unplaced_{code}_private", params=params | {"count": len(others)})
        params["others"] = ", ".join(known[:NAMED]) + (" …" if len(others) > NAMED else "")
    return Refusal(code=f"unplaced_{code}", params=params)


def _by_rule(place: Mapping[str, Any], rules: Mapping[tuple[str, str], ShareRule], params: dict[str, Param]) -> Refusal:
    for text in place.get("rules", ()):
        name = read_name(text)
        rule = rules.get((name.agreement_id, name.rule_id))
        if rule is not None:
            words: dict[str, Param] = {"sentence_vi": rule.sentence_vi, "sentence_en": rule.sentence_en}
            agreement: dict[str, Param] = {"agreement": name.agreement_id, "rule": name.rule_id}
            return Refusal(code="unplaced_rules", params=params | words | agreement)
    return Refusal(code="unplaced_rules_private", params=params)
