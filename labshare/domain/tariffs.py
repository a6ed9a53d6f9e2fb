"""What a booking costs, and how it came about: class tariff (R15), waiver for startups (R16), discount for data (R17).

They combine in that order, rates of hours right after the class, each of what the one before has left: the class is a
share of the full cost, the waiver is taken off that, the discount off the rest. Exact fractions inside; lines are whole
VND that add up to the price.
What must not live here: charging and invoices, or what was delivered (ledger.py, R22).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from enum import StrEnum
from fractions import Fraction
from math import floor
from typing import NamedTuple

import msgspec

from labshare.domain.opening import open_spans, parse_opening
from labshare.domain.profiles import Group, Profile, is_among
from labshare.domain.projects import AccessClass
from labshare.domain.timespan import Span
from labshare.errors import Refusal, Refused


class TariffClass(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A row of R15: these groups pay this share of the full cost."""

    id: str
    share: Fraction
    who: tuple[Group, ...] = ()
    title_vi: str = ""
    title_en: str = ""


class HourRate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Hours at which these groups pay only this share of what they would (a night tariff, R25).

    `hours` are written as opening hours are, on the agreement's clock: `daily 22:00-24:00,00:00-06:00`.
    """

    id: str
    hours: str
    share: Fraction
    who: tuple[Group, ...] = ()
    title_vi: str = ""
    title_en: str = ""

    def minutes(self, span: Span, timezone: str) -> int:
        """How much of a use lies in these hours. Raises `Malformed` for hours that cannot be read."""
        return sum(each.minutes for each in open_spans(parse_opening(self.hours), span, timezone))


class Waiver(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """R16: what a recognised startup is let off, in the first years from its recognition and after them.

    The recognition is good for `valid_years`; then nothing is waived until it is renewed (Decree 260/2026, art. 11).
    """

    first_years: int = 3
    first: Fraction = Fraction(1)
    after: Fraction = Fraction(1, 2)
    valid_years: int = 5

    def share(self, recognised_on: date, day: date) -> Fraction:
        """The part that is waived on this day."""
        if not recognised_on <= day < _years_later(recognised_on, self.valid_years):
            return Fraction(0)
        return self.first if day < _years_later(recognised_on, self.first_years) else self.after


class DataDiscount(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """R17: what is let off for data and metadata handed in. `on_waived` is whether also where R16 waives a part."""

    share: Fraction
    on_waived: bool = True


class Tariff(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The prices of instruments in a span of days. No instruments are all that the agreement covers.

    `full_cost` is VND an hour: maintenance, repair, operation and depreciation. `effective_until` is the last day.
    """

    id: str
    full_cost: int
    effective_from: date
    effective_until: date | None = None
    instruments: tuple[str, ...] = ()
    classes: tuple[TariffClass, ...] = ()
    hours: tuple[HourRate, ...] = ()
    waiver: Waiver | None = None
    data_discount: DataDiscount | None = None
    legal: str = ""

    def is_effective(self, day: date) -> bool:
        return self.effective_from <= day and (self.effective_until is None or day <= self.effective_until)


class Payer(msgspec.Struct, frozen=True, kw_only=True):
    """Who pays for one booking. `recognised_on` is the day of a startup's recognition, `gives_data` a promise kept."""

    profile: Profile
    recognised_on: date | None = None
    gives_data: bool = False


class Part(StrEnum):
    """What a line of a price is."""

    FULL_COST = "full_cost"
    CLASS = "class"
    HOURS = "hours"
    WAIVER = "waiver"
    DATA = "data"


class PriceLine(msgspec.Struct, frozen=True, kw_only=True):
    """One step towards a price: whole VND that are added or, below 0, let off. `share` is the part that is let off, for
    a class the part that is paid. `class_id` says which class that was, and which rate of hours.
    """

    part: Part
    rule_id: str
    amount: int
    share: Fraction | None = None
    class_id: str = ""


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """A price with its lines, which add up to it."""

    tariff_id: str
    minutes: int
    lines: tuple[PriceLine, ...]

    @property
    def total(self) -> int:
        """Whole VND."""
        return sum(line.amount for line in self.lines)


def tariff_for(tariffs: Iterable[Tariff], instrument_id: str, day: date) -> Tariff | None:
    """The tariff in force for an instrument: one that names it goes before one for all."""
    found = [each for each in tariffs if each.is_effective(day)]
    named = [each for each in found if instrument_id in each.instruments]
    return next(iter(named or [each for each in found if not each.instruments]), None)


def class_of(tariff: Tariff, profile: Profile) -> TariffClass | None:
    """The one row that has somebody like this. At entry it is checked that there is exactly one for everybody."""
    return next((row for row in tariff.classes if is_among(row.who, profile)), None)


def at_rates(tariff: Tariff, span: Span, timezone: str) -> dict[str, int]:
    """The minutes of a use that lie in the hours of each rate, by the rate's id; rates without any are left out."""
    found = {rate.id: rate.minutes(span, timezone) for rate in tariff.hours}
    return {rate_id: minutes for rate_id, minutes in found.items() if minutes}


def price(tariff: Tariff, payer: Payer, minutes: int, day: date, reduced: Mapping[str, int] | None = None) -> Price:
    """R15, R16, R17: what so many minutes cost this payer on this day, and how it came about. Of the minutes, those in
    `reduced` lie in the hours of a rate (`at_rates`), which takes its part off right after the class.

    Every intermediate amount is rounded half up to whole VND. Raises `Refused` when the tariff is not in force on the
    day or has no class for the payer, and ValueError for a negative length.
    """
    if minutes < 0:
        raise ValueError("minutes must not be negative")
    row = class_of(tariff, payer.profile)
    if row is None or not tariff.is_effective(day):
        raise Refused([Refusal(code="tariff_not_for_you", params={"tariff": tariff.id, "day": day.isoformat()})])
    return Price(
        tariff_id=tariff.id, minutes=minutes, lines=tuple(_lines(tariff, row, payer, minutes, day, reduced or {}))
    )


def _lines(
    tariff: Tariff, row: TariffClass, payer: Payer, minutes: int, day: date, reduced: Mapping[str, int]
) -> Iterator[PriceLine]:
    exact = tariff.full_cost * Fraction(minutes, 60)
    yield PriceLine(part=Part.FULL_COST, rule_id="R15", amount=_whole(exact))
    for step in _steps(tariff, row, payer, minutes, day, reduced):
        before, exact = exact, exact * step.kept
        amount = _whole(exact) - _whole(before)
        yield PriceLine(part=step.part, rule_id=step.rule_id, amount=amount, share=step.share, class_id=step.row_id)


class _Step(NamedTuple):
    """What becomes of the amount before: the part of it that is kept, and the share that the line tells."""

    part: Part
    rule_id: str
    kept: Fraction
    share: Fraction
    row_id: str = ""


def _steps(
    tariff: Tariff, row: TariffClass, payer: Payer, minutes: int, day: date, reduced: Mapping[str, int]
) -> Iterator[_Step]:
    yield _Step(Part.CLASS, "R15", row.share, row.share, row.id)
    # No two rates of one payer share an hour, so each takes its part of the same amount.
    taken = Fraction(0)
    for rate in tariff.hours:
        inside = reduced.get(rate.id, 0)
        if inside and is_among(rate.who, payer.profile):
            off = (1 - rate.share) * Fraction(inside, minutes)
            kept = 1 - off / (1 - taken) if taken < 1 else Fraction(1)
            taken += off
            yield _Step(Part.HOURS, "R25", kept, 1 - rate.share, rate.id)
    waived = _waived(tariff, payer, day)
    if waived:
        yield _Step(Part.WAIVER, "R16", 1 - waived, waived)
    discount = tariff.data_discount
    if discount and payer.gives_data and (discount.on_waived or not waived):
        yield _Step(Part.DATA, "R17", 1 - discount.share, discount.share)


def _waived(tariff: Tariff, payer: Payer, day: date) -> Fraction:
    if tariff.waiver is None or payer.recognised_on is None or payer.profile.access_class is not AccessClass.STARTUP:
        return Fraction(0)
    return tariff.waiver.share(payer.recognised_on, day)


def _whole(amount: Fraction) -> int:
    return floor(amount + Fraction(1, 2))


def _years_later(day: date, years: int) -> date:
    """The same day so many years on; the 29th of February becomes the 1st of March where there is none."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1)
