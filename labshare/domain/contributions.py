"""What the parties put into an agreement, on which form of contract, and what access that gives them (R03).

What must not live here: share rules (agreements.py) or the ledger of entitlements (ledger.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from fractions import Fraction

import msgspec


class ContractForm(StrEnum):
    """The forms of Decree 180/2025: partnership contracts, joint venture with public assets, other."""

    BOT = "bot"
    BTO = "bto"
    BOO = "boo"
    BTL = "btl"
    BLT = "blt"
    BT = "bt"
    OM = "om"
    JOINT_VENTURE = "joint_venture"
    OTHER = "other"


class Contribution(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What one party puts in, in whole VND: money, equipment and other things, land, the work of its staff."""

    party: str
    cash: int = 0
    in_kind: int = 0
    land: int = 0
    staff: int = 0
    note: str = ""

    @property
    def total(self) -> int:
        return self.cash + self.in_kind + self.land + self.staff


class Preference(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """R03: who bears at least `threshold` of the investment has access in proportion (GBER, art. 26).

    `investment` is the whole cost in VND; without it, the sum of what all parties put in.
    """

    threshold: Fraction = Fraction(1, 10)
    investment: int | None = None


def investment_of(preference: Preference, contributions: Iterable[Contribution]) -> int:
    """The whole cost in VND of which shares are told."""
    stated = preference.investment
    return sum(each.total for each in contributions) if stated is None else stated


def preferential_shares(preference: Preference, contributions: Sequence[Contribution]) -> dict[str, Fraction]:
    """R03: the share of the time for each party that bears enough of the investment; others are left out."""
    whole = investment_of(preference, contributions)
    borne = {each.party: Fraction(each.total, whole) for each in contributions} if whole > 0 else {}
    return {party: share for party, share in borne.items() if share >= preference.threshold}
