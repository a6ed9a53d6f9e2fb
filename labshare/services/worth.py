"""What a request is worth to a plan: slots x tier x review x fair share, whole numbers, as its applicant is shown them.

The problem has the product as the value of each option. The tier, the fair share and the stage stand beside it as tags
that no rule asks for: the solver passes by them, and whoever reads the problem later learns why a value is what it is.
What must not live here: when and where a request can be served (planning.py), or rules of agreements
(planning_rules.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from fractions import Fraction
from uuid import UUID

import msgspec

from labshare.domain.ordering import Account, Tier, fair_tree, tier_stages, tier_weights
from labshare.domain.profiles import Profile, Size
from labshare.domain.time_requests import TIER_WEIGHTS, TimeRequest
from labshare.scheduler.problem import Fairness
from labshare.services.slots import Grid

FULL = 100
# R12: whoever is first by fair share counts in full, and nobody for less than this, in percent. Twice as much at most
# within a tier is well below the ten times between tiers.
LEAST_FACTOR = 50
# Reward in percent of a slot's worth: the first quarter of the target counts most, so whoever has least gains most.
FAIRNESS_STEPS = ((25, 20), (50, 10), (100, 5))
TIER, FAIR_SHARE, STAGE = "tier", "fair_share", "stage"

# Who has used time: an organisation by one of its projects.
Claim = tuple[str, UUID]
Stages = dict[UUID, int]
# By organisation, where it is known.
Sizes = Mapping[str, Size]


class Worth(msgspec.Struct, frozen=True, kw_only=True):
    """What one session counts for. `tier` and `fair_share` (percent) are its parts; None in plans that did not say."""

    value: int
    tier: int | None = None
    fair_share: int | None = None

    def slots(self, review_score: int) -> int | None:
        """The slots that the value was made of, for a request with this review; None where its parts are not known."""
        if not (self.tier and self.fair_share and review_score):
            return None
        return self.value // max(1, product(self.tier, review_score, self.fair_share))


def product(weight: int, review_score: int, factor: int) -> int:
    """What one slot is worth: tier weight x review score x fair share, each of the latter 100 when full."""
    return weight * review_score * factor // FULL


# ---------------------------------------------------------------- its parts


def weights_of(requests: Sequence[TimeRequest], tiers: Sequence[Tier], sizes: Sizes) -> dict[UUID, int]:
    """What the tier of each request weighs (R13), by the table in force; tiers are ten times apart."""
    if not tiers:
        return {each.id: TIER_WEIGHTS[each.access_class] for each in requests}
    profiles = _profiles(requests, sizes)
    weights = tier_weights(tiers, profiles.values())
    return {request_id: weights[profile] for request_id, profile in profiles.items()}


def stages_of(requests: Sequence[TimeRequest], tiers: Sequence[Tier], sizes: Sizes) -> Stages:
    """When each request is planned, 0 for the first: below a strict tier one waits until it has its sessions (R13)."""
    profiles = _profiles(requests, sizes)
    stages = tier_stages(tiers, profiles.values())
    return {request_id: stages[profile] for request_id, profile in profiles.items()}


def _profiles(requests: Iterable[TimeRequest], sizes: Sizes) -> dict[UUID, Profile]:
    """Whoever asks, as the table of tiers looks at them; an organisation of which no size is known counts as large."""
    return {
        each.id: Profile(
            access_class=each.access_class,
            activity=each.activity,
            size=sizes.get(each.organisation_id, Size.LARGE),
        )
        for each in requests
    }


def fair_shares(
    requests: Sequence[TimeRequest], weights: Mapping[UUID, int], recent: Mapping[Claim, Fraction]
) -> dict[UUID, int]:
    """The fair share of each request in percent: its project's place by Fair Tree among those of its tier (R12).

    With n projects in a tier the first has 100 and the last 50 + 50/n; equals share a place, rounded down. So where
    nobody has used anything of late, or one project asks alone, the share is full.
    """
    found: dict[UUID, int] = {}
    for weight in set(weights.values()):
        mine = [each for each in requests if weights[each.id] == weight]
        factors = _factors({_claim(each) for each in mine}, recent)
        found |= {each.id: factors[_claim(each)] for each in mine}
    return found


def _claim(request: TimeRequest) -> Claim:
    return request.organisation_id, request.project_id


def _factors(asking: AbstractSet[Claim], recent: Mapping[Claim, Fraction]) -> dict[Claim, int]:
    """Organisations are due the same, and so are the projects within one; an organisation has used what all its
    projects have, whether they ask or not.
    """
    leaves = {claim: " ".join(map(str, claim)) for claim in asking}
    accounts = [Account(id=name) for name in {organisation for organisation, _ in asking}]
    accounts += [Account(id=leaf, parent=organisation) for (organisation, _), leaf in leaves.items()]
    usage: defaultdict[str, Fraction] = defaultdict(Fraction)
    for claim, minutes in recent.items():
        usage[leaves.get(claim, claim[0])] += minutes
    places = {each.id: each.factor for each in fair_tree(accounts, usage)}
    return {claim: int(LEAST_FACTOR + (FULL - LEAST_FACTOR) * places[leaf]) for claim, leaf in leaves.items()}


# ---------------------------------------------------------------- told by tags


def tags_of_worth(weight: int, factor: int) -> tuple[str, ...]:
    return (f"{FAIR_SHARE} {factor}", f"{TIER} {weight}")


def tag_of_stage(stage: int) -> str:
    return f"{STAGE} {stage}"


def read_worth(value: int, tags: Iterable[str]) -> Worth:
    """The worth of a request with this value, and its parts where its tags tell them."""
    return Worth(value=value, tier=_told(TIER, tags), fair_share=_told(FAIR_SHARE, tags))


def stage_in(tags: Iterable[str]) -> int:
    """The stage in which a request with these tags is planned; the first where they say nothing."""
    return _told(STAGE, tags) or 0


def _told(name: str, tags: Iterable[str]) -> int | None:
    return next((int(tag.removeprefix(f"{name} ")) for tag in tags if tag.startswith(f"{name} ")), None)


# ---------------------------------------------------------------- so that one cannot take it all


def fairness(requests: Iterable[TimeRequest], weights: Mapping[UUID, int], grid: Grid, offered: int) -> Fairness:
    """A concave reward for the organisations of the tier that asks for most, so that one cannot take it all.

    Only one tier has targets, and only organisations that ask in no other: the reward is scaled to that tier's worth,
    and would lift a lower tier's slots above their precedence. The target is an equal part of the `offered` slots, or
    what the organisation asks for where that is less.
    """
    asked: dict[int, dict[str, int]] = {}
    for request in requests:
        of_tier = asked.setdefault(weights[request.id], {})
        slots = request.sessions * grid.slots(request.session_minutes)
        of_tier[request.organisation_id] = of_tier.get(request.organisation_id, 0) + slots
    if not asked:
        return Fairness()
    weight = max(asked, key=lambda tier: (sum(asked[tier].values()), tier))
    elsewhere = {name for tier, names in asked.items() if tier != weight for name in names}
    mine = {name: slots for name, slots in sorted(asked[weight].items()) if name not in elsewhere}
    if len(mine) < 2:
        return Fairness()
    targets = {name: min(slots, offered // len(mine)) for name, slots in mine.items()}
    steps = tuple((upto, weight * FULL * percent // FULL) for upto, percent in FAIRNESS_STEPS)
    return Fairness(targets=targets, steps=steps)
