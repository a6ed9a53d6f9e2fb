"""What a booking would cost by the tariff in force (R15 to R17): an estimate, for those who ask and for their centre.

Whoever calls has checked that the reader asks for themselves or may see the booking. What must not live here: the sums
(domain/tariffs.py), charging, or what was delivered (R22).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from labshare.domain.agreements import Agreement
from labshare.domain.bookings import Booking, InstrumentRules
from labshare.domain.clauses import local_day, tariff_at
from labshare.domain.profiles import Profile
from labshare.domain.projects import AccessClass, Project
from labshare.domain.rulebook import Rulebook
from labshare.domain.tariffs import Payer, Price, Tariff, at_rates, price
from labshare.domain.timespan import Span
from labshare.errors import Refused
from labshare.services import clauses
from labshare.store.engine import Connection
from labshare.store.rulebooks import rulebook

HOUR_MINUTES = 60


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What so long a use would cost, with the tariff and the agreement that say so.

    Nothing on record says when a startup was recognised or who hands in data: `may_be_waived` is whether the first
    could lower it, `with_data` in VND what the second would make of it. `hour` is VND an hour.
    """

    project: str
    agreement_id: str
    tariff: Tariff
    price: Price
    hour: int
    with_data: int | None
    may_be_waived: bool


def of_projects(
    db: Connection, rules: InstrumentRules, projects: Sequence[Project], span: Span
) -> tuple[Estimate, ...]:
    """What a use of the instrument would cost each of these projects, where an agreement states a price. One query."""
    return under(rulebook(db), rules, projects, span)


def under(book: Rulebook, rules: InstrumentRules, projects: Sequence[Project], span: Span) -> tuple[Estimate, ...]:
    """The same by agreements that were read already."""
    held = book.priced_at(clauses.covering_at(book, rules, span.start), span.start)
    found = (
        _estimate(held, rules, span, each.code, each.access_class, _profile(each), each.agreement_id)
        for each in projects
    )
    return tuple(each for each in found if each is not None)


def of_booking(db: Connection, rules: InstrumentRules, booking: Booking, project: str) -> Estimate | None:
    """The same of a booking, as its project stood when it was written. One query."""
    if booking.access_class is None or booking.activity is None:
        return None
    profile = Profile(access_class=booking.access_class, activity=booking.activity)
    book = rulebook(db)
    held = book.priced_at(clauses.covering_at(book, rules, booking.starts_at), booking.starts_at)
    return _estimate(held, rules, booking.span, project, booking.access_class, profile, booking.agreement_id)


def _profile(project: Project) -> Profile:
    return Profile(access_class=project.access_class, activity=project.activity)


def _estimate(
    agreements: Sequence[Agreement],
    rules: InstrumentRules,
    span: Span,
    project: str,
    access_class: AccessClass,
    profile: Profile,
    own_id: str | None,
) -> Estimate | None:
    found = tariff_at(agreements, rules.id, span.start, own_id)
    if found is None:
        return None
    agreement, tariff = found
    day = local_day(agreement, span.start)
    payer, giver = Payer(profile=profile), Payer(profile=profile, gives_data=True)
    reduced = at_rates(tariff, span, agreement.timezone)
    try:
        return Estimate(
            project=project,
            agreement_id=agreement.id,
            tariff=tariff,
            price=price(tariff, payer, span.minutes, day, reduced),
            hour=price(tariff, payer, HOUR_MINUTES, day).total,
            with_data=price(tariff, giver, span.minutes, day, reduced).total if tariff.data_discount else None,
            may_be_waived=tariff.waiver is not None and access_class is AccessClass.STARTUP,
        )
    except Refused:
        # An older agreement may have been entered before everybody had a class.
        return None
