"""Which clauses of the agreements in force hold at an instrument.

What must not live here: what a clause means (a module each), or share rules, which keep windows (agreements.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from labshare.domain.agreements import Agreement, Version, Where, covers, effective_span
from labshare.domain.booking_rules import Site
from labshare.domain.courtesy import Courtesy
from labshare.domain.disclosure import MIN_PARTIES
from labshare.domain.ordering import FairShare, Tier
from labshare.domain.tariffs import Tariff, tariff_for
from labshare.domain.timespan import Span


def in_force_at(versions: Iterable[Version], moment: datetime) -> Agreement | None:
    """Of one agreement's versions the one with the highest number among those whose days hold this instant."""
    standing = [each for each in versions if _holds(each.agreement, moment)]
    return max(standing, key=lambda version: version.number).agreement if standing else None


def _holds(agreement: Agreement, moment: datetime) -> bool:
    span = effective_span(agreement)
    return span.start <= moment < span.end


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


def tariff_at(
    agreements: Iterable[Agreement], instrument_id: str, moment: datetime, own_id: str | None
) -> tuple[Agreement, Tariff] | None:
    """The tariff (R15) in force at this instant, among agreements that cover the instrument, with its agreement.

    The agreement that the payer's project belongs to goes before others; of those, the first that states one.
    """
    found = (
        (each, tariff)
        for each in sorted(agreements, key=lambda each: each.id != own_id)
        if (tariff := tariff_for(each.tariffs, instrument_id, local_day(each, moment)))
    )
    return next(found, None)


def local_day(agreement: Agreement, moment: datetime) -> date:
    """The day on the agreement's own calendar."""
    return moment.astimezone(ZoneInfo(agreement.timezone)).date()


def min_cell_over(agreements: Iterable[Sequence[Version]], places: Sequence[Where], span: Span) -> int:
    """R23: of how many parties a sum about these instruments in this time must be: the house's least, or the most that
    an agreement asks for which covers one of them and is in force at some moment of it.
    """
    asked = (
        found.confidentiality.min_cell
        for versions in agreements
        for moment in _moments(versions, span)
        if (found := in_force_at(versions, moment)) and found.confidentiality and _covers_any(found, places)
    )
    return max(asked, default=MIN_PARTIES)


def _moments(versions: Iterable[Version], span: Span) -> set[datetime]:
    """One moment of each stretch of the span in which the same version is in force."""
    edges = {edge for each in versions for edge in _ends(effective_span(each.agreement))}
    return {span.start, *(edge for edge in edges if span.start < edge < span.end)}


def _ends(span: Span) -> tuple[datetime, datetime]:
    return span.start, span.end


def _covers_any(agreement: Agreement, places: Sequence[Where]) -> bool:
    return any(covers(agreement.covered, place) for place in places)


class Conduct(msgspec.Struct, frozen=True, kw_only=True):
    """A clause of courtesy that holds for a wish, with what its person has under it.

    `uses` are their other bookings in the weeks of the wish, `strikes` the starts of those to which nobody came;
    `closed` are the public holidays of these weeks. `reach` is how far the rule of a centre holds that stands here as
    such a clause; '' for one of an agreement. What they have is not told where who asks is somebody else.
    """

    clause: Courtesy
    uses: tuple[Span, ...] = ()
    strikes: tuple[datetime, ...] = ()
    closed: frozenset[date] = frozenset()
    reach: str = ""
    is_told: bool = True


class PersonUse(msgspec.Struct, frozen=True):
    """A booking of a person, as the clauses of courtesy look at it: an instrument in a place, and when.

    Of those that they missed, `gave_back` are the ones that they cancelled too late.
    """

    id: UUID
    instrument_id: str
    centre_id: str
    span: Span
    capability_id: str = ""
    gave_back: bool = False

    @property
    def site(self) -> Site:
        return Site(self.instrument_id, self.centre_id, self.capability_id)
