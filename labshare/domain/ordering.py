"""Who comes first: fair shares with a half-life (R12), and tiers of priority (R13).

Fair shares follow Slurm's Fair Tree: siblings are compared by level share = due share / used share, the tree is walked
from the best sibling down, and the order in which its leaves are met is the ranking. So no account gains by what goes
on in another branch. What must not live here: what a request is worth to a plan (services/worth.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from itertools import groupby, islice
from typing import NamedTuple, TypeVar

import msgspec

from labshare.domain.profiles import Group, Profile, is_among
from labshare.domain.timespan import Span

# A decay is rounded to this fineness, so that a sum does not depend on the order of its parts.
_FINENESS = 2**30
Name = TypeVar("Name", bound=Hashable)

# ---------------------------------------------------------------- fair shares


class FairShare(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """R12 as a clause: use counts half after each so many days."""

    half_life_days: int = 14

    @property
    def half_life(self) -> timedelta:
        return timedelta(days=self.half_life_days)


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A node of the tree: an institute, a project, a person. Without a parent it hangs from the root."""

    id: str
    parent: str | None = None
    shares: int = 1


class Ranked(msgspec.Struct, frozen=True, kw_only=True):
    """A leaf in the order of its claim. `level` is its due share / used share among its siblings, None when it used
    nothing; `factor` is its place from the end over the number of leaves: 1 is the first, equals share a place.
    """

    id: str
    level: Fraction | None
    factor: Fraction


def decayed(uses: Iterable[tuple[Name, datetime, int]], now: datetime, half_life: timedelta) -> dict[Name, Fraction]:
    """Minutes of each account, each use weighted by 2^(-age / half-life) (R12). Uses: who, when, minutes.

    What lies ahead counts whole. Raises ValueError for a half-life that is not above 0.
    """
    if half_life <= timedelta(0):
        raise ValueError("half_life must be above 0")
    found: defaultdict[Name, Fraction] = defaultdict(Fraction)
    for who, at, minutes in uses:
        found[who] += minutes * _weight(max(timedelta(0), now - at) / half_life)
    return dict(found)


def _weight(half_lives: float) -> Fraction:
    return Fraction(round(2.0**-half_lives * _FINENESS), _FINENESS)


def level_share(due: Fraction, used: Fraction) -> Fraction | None:
    """Due share / used share among siblings; None, above every number, for whoever is due something and used nothing.

    Whoever is due nothing has 0, used or not.
    """
    if due == 0:
        return Fraction(0)
    return due / used if used else None


def fair_tree(accounts: Iterable[Account], usage: Mapping[str, Fraction]) -> tuple[Ranked, ...]:
    """The leaves of the tree in the order of their claim, whoever comes first first; equals by their ids.

    An inner account has used what its leaves have, and what `usage` says of itself. Siblings that are level are merged:
    leaves among them come first and share a place, then all their children are ranked as one family.
    Raises ValueError when an account stands twice, has no such parent, negative shares, or is its own ancestor.
    """
    tree = _Tree(accounts, usage)
    order = tree.walk([tree.root])
    count = sum(len(equals) for equals in order)
    ranked: list[Ranked] = []
    for equals in order:
        factor = Fraction(count - len(ranked), count)
        ranked += [Ranked(id=each.id, level=each.level, factor=factor) for each in sorted(equals)]
    return tuple(ranked)


class _Place(NamedTuple):
    id: str
    level: Fraction | None


class _Tree:
    """The accounts by parent, with the usage of every node."""

    root = ""

    def __init__(self, accounts: Iterable[Account], usage: Mapping[str, Fraction]) -> None:
        self._children: defaultdict[str, list[Account]] = defaultdict(list)
        known: set[str] = set()
        for account in accounts:
            if account.id in known or not account.id or account.shares < 0:
                raise ValueError(f"account `{account.id}` stands twice, has no id, or has negative shares")
            known.add(account.id)
            self._children[account.parent or self.root].append(account)
        self._used: dict[str, Fraction] = {}
        self._add_up(self.root, usage)
        if lost := known - self._used.keys():
            raise ValueError(f"accounts without a way to the root: {', '.join(sorted(lost))}")

    def _add_up(self, node: str, usage: Mapping[str, Fraction]) -> Fraction:
        below = (self._add_up(child.id, usage) for child in self._children.get(node, []))
        self._used[node] = sum(below, usage.get(node, Fraction(0)))
        return self._used[node]

    def walk(self, parents: Sequence[str]) -> list[list[_Place]]:
        """Leaves below these parents, who are level, best first; each inner list shares a place."""
        places = sorted((place for parent in parents for place in self._levels(parent)), key=_best_first)
        order: list[list[_Place]] = []
        for _, group in groupby(places, key=_best_first):
            level = list(group)
            leaves = [place for place in level if place.id not in self._children]
            inner = [place.id for place in level if place.id in self._children]
            order += [leaves] if leaves else []
            order += self.walk(inner) if inner else []
        return order

    def _levels(self, parent: str) -> Iterable[_Place]:
        siblings = self._children.get(parent, [])
        due, used = sum(each.shares for each in siblings), self._used[parent]
        for each in siblings:
            mine = self._used[each.id]
            yield _Place(
                each.id,
                level_share(Fraction(each.shares, due) if due else Fraction(0), mine / used if used else Fraction(0)),
            )


def _best_first(place: _Place) -> tuple[bool, Fraction]:
    return place.level is not None, -(place.level or 0) + Fraction(0)


# ---------------------------------------------------------------- tiers of priority


class Mark(StrEnum):
    """What sets a request apart from its class: safety goes before all, standby takes what is left."""

    ORDINARY = "ordinary"
    SAFETY = "safety"
    STANDBY = "standby"


class Tier(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A row of the table of R13; the rows stand in their order, the highest first.

    An ordinary tier has everybody in its groups; one with a mark has the requests with that mark, whoever asks. Where a
    tier is strict, whatever stands below it is planned only once this tier has its sessions, and moves none of them.
    """

    id: str
    who: tuple[Group, ...] = ()
    mark: Mark = Mark.ORDINARY
    strict: bool = False
    title_vi: str = ""
    title_en: str = ""

    def has(self, profile: Profile, mark: Mark) -> bool:
        return self.mark is mark and (mark is not Mark.ORDINARY or is_among(self.who, profile))


def tier_of(tiers: Sequence[Tier], profile: Profile, mark: Mark = Mark.ORDINARY) -> int:
    """The place of somebody's tier, 0 for the highest: the first row that has them counts, the end where none has."""
    return next((place for place, tier in enumerate(tiers) if tier.has(profile, mark)), len(tiers))


def tier_weights(tiers: Sequence[Tier], profiles: Iterable[Profile]) -> dict[Profile, int]:
    """What a slot is worth to each: ten times as much in each tier that is higher, among the tiers that ask.

    Only tiers with somebody in them count, so that the numbers stay small.
    """
    places = {profile: tier_of(tiers, profile) for profile in profiles}
    present = sorted(set(places.values()), reverse=True)
    return {profile: 10 ** present.index(place) for profile, place in places.items()}


def tier_stages(tiers: Sequence[Tier], profiles: Iterable[Profile]) -> dict[Profile, int]:
    """When each is planned, 0 for the first: a strict tier ends a stage. Only stages with somebody in them count."""
    above = {profile: sum(tier.strict for tier in tiers[: tier_of(tiers, profile)]) for profile in profiles}
    present = sorted(set(above.values()))
    return {profile: present.index(stage) for profile, stage in above.items()}


class Contender(msgspec.Struct, frozen=True, kw_only=True):
    """A request for a slot that others want too. `rank` is its place by fair share (R12), 0 for the first."""

    id: str
    profile: Profile
    mark: Mark = Mark.ORDINARY
    rank: int = 0
    asked_at: datetime


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """Who has the slot, and which free slots each of the others is offered instead."""

    winner: str
    offered: dict[str, tuple[Span, ...]]


def settle(tiers: Sequence[Tier], contenders: Iterable[Contender], free: Iterable[Span], offers: int = 3) -> Settled:
    """R13: a tie at one slot goes to the higher tier; the others are offered the next free slots, `offers` each.

    Within a tier the fair share decides, then who asked first, then the id. Nobody is offered what another is.
    Raises ValueError when nobody contends.
    """
    order = sorted(
        contenders, key=lambda each: (tier_of(tiers, each.profile, each.mark), each.rank, each.asked_at, each.id)
    )
    if not order:
        raise ValueError("nobody contends")
    slots = iter(sorted(free))
    offered = {each.id: tuple(islice(slots, offers)) for each in order[1:]}
    return Settled(winner=order[0].id, offered=offered)
