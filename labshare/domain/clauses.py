"""Which clauses of the agreements in force hold at an instrument.

What must not live here: what a clause means (a module each), or share rules, which keep windows (agreements.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from uuid import UUID

import msgspec

from labshare.domain.agreements import Agreement, Where, covers
from labshare.domain.courtesy import Courtesy
from labshare.domain.ordering import FairShare, Tier
from labshare.domain.timespan import Span


def tiers_at(agreements: Iterable[Agreement], places: Sequence[Where]) -> tuple[Tier, ...]:
    """The order of tiers for these instruments; empty where no agreement states one.

    Agreements in force at the same time have the same order, so the first one that is stated will do.
    """
    stated = (each.tiers for each in agreements if each.tiers and _covers_any(each, places))
    return next(stated, ())


def fair_share_at(agreements: Iterable[Agreement], places: Sequence[Where]) -> FairShare:
    """How use is forgotten at these instruments: the longest half-life that is stated, else the usual one."""
    stated = [each.fair_share for each in agreements if each.fair_share and _covers_any(each, places)]
    return max(stated, key=lambda clause: clause.half_life_days, default=FairShare())


def _covers_any(agreement: Agreement, places: Sequence[Where]) -> bool:
    return any(covers(agreement.covered, place) for place in places)


class Conduct(msgspec.Struct, frozen=True, kw_only=True):
    """A clause of courtesy that holds for a wish, with what its person has under it.

    `uses` are their other bookings in the weeks of the wish, `strikes` the starts of those to which nobody came;
    `closed` are the public holidays of these weeks.
    """

    clause: Courtesy
    uses: tuple[Span, ...] = ()
    strikes: tuple[datetime, ...] = ()
    closed: frozenset[date] = frozenset()


class PersonUse(msgspec.Struct, frozen=True):
    """A booking of a person, as the clauses of courtesy look at it: an instrument in a place, and when."""

    id: UUID
    instrument_id: str
    centre_id: str
    span: Span
