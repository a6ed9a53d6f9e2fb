"""What a booking costs, and how it came about: class tariff (R15), waiver for startups (R16), discount for data (R17).

They combine in that order, each of what the one before has left: the class is a share of the full cost, the waiver is
taken off that, the discount off the rest. Exact fractions inside; lines are whole VND that add up to the price.
What must not live here: charging and invoices, or what was delivered (ledger.py, R22).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from enum import StrEnum
from fractions import Fraction
from math import floor

import msgspec

from labshare.domain.profiles import Group, Profile, is_among
from labshare.domain.projects import AccessClass
from labshare.errors import Refusal, Refused


class TariffClass(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A row of R15: these groups pay this share of the full cost."""

    id: str
    share: Fraction
    who: tuple[Group, ...] = ()
    title_vi: str = ""
    title_en: str = ""


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
    WAIVER = "waiver"
    DATA = "data"


class PriceLine(msgspec.Struct, frozen=True, kw_only=True):
    """One step towards a price: whole VND that are added or, below 0, let off. `share` is the part that is let off, for
    a class the part that is paid. `class_id` says which class that was.
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


def price(tariff: Tariff, payer: Payer, minutes: int, day: date) -> Price:
    """R15, R16, R17: what so many minutes cost this payer on this day, and how it came about.

    Every intermediate amount is rounded half up to whole VND. Raises `Refused` when the tariff is not in force on the
    day or has no class for the payer, and ValueError for a negative length.
    """
    if minutes < 0:
        raise ValueError("minutes must not be negative")
    row = class_of(tariff, payer.profile)
    if row is None or not tariff.is_effective(day):
        raise Refused([Refusal(code="tariff_not_for_you", params={"tariff": tariff.id, "day": day.isoformat()})])
    return Price(
        tariff_id=tariff.id, minutes=minutes, lines=tuple(_lines(tariff, row, payer, Fraction(minutes, 60), day))
    )


def _lines(tariff: Tariff, row: TariffClass, payer: Payer, hours: Fraction, day: date) -> Iterator[PriceLine]:
    exact = tariff.full_cost * hours
    yield PriceLine(part=Part.FULL_COST, rule_id="R15", amount=_whole(exact))
    for part, rule_id, kept, share in _steps(tariff, row, payer, day):
        before, exact = exact, exact * kept
        amount = _whole(exact) - _whole(before)
        yield PriceLine(
            part=part, rule_id=rule_id, amount=amount, share=share, class_id=row.id if part is Part.CLASS else ""
        )


def _steps(tariff: Tariff, row: TariffClass, payer: Payer, day: date) -> Iterator[tuple[Part, str, Fraction, Fraction]]:
    """What becomes of the full cost, in order: the part of it that is kept, and the share that the line tells."""
    yield Part.CLASS, "R15", row.share, row.share
    waived = _waived(tariff, payer, day)
    if waived:
        yield Part.WAIVER, "R16", 1 - waived, waived
    discount = tariff.data_discount
    if discount and payer.gives_data and (discount.on_waived or not waived):
        yield Part.DATA, "R17", 1 - discount.share, discount.share


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
