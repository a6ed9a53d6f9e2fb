"""The clauses of an agreement that change entitlements: R05 R06 R08 R09 R10 R11 R14 R22 as data, and what each says of
given minutes.

The arithmetic is that of ledger.py and ledger_deadlines.py; here stand the numbers that were agreed. Whoever calls
posts the entries. What must not live here: share rules (agreements.py).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from math import floor

import msgspec

from labshare.domain import ledger
from labshare.domain.contributions import Contribution
from labshare.domain.ledger_deadlines import CarryOver, LedgerRules, PullBack
from labshare.domain.ordering import Tier, tier_of
from labshare.domain.profiles import Profile
from labshare.domain.screening import working_days_later
from labshare.domain.timespan import Span
from labshare.domain.windows import Window

# ---------------------------------------------------------------- one party's entitlement


class Turn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """R05: the party picks its time in turns of so many minutes, more where it got less than was due, up to `clamp`."""

    minutes: int
    clamp: Fraction = Fraction(1, 2)

    def next(self, due: int, delivered: int) -> Fraction:
        """Minutes of the next turn."""
        return ledger.next_chunk(self.minutes, due, delivered, self.clamp)


class Conversion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """R06: a part of what was contributed in kind is repaid in time, at a full-cost rate in VND an hour."""

    rate: int
    repaid: Fraction = Fraction(1, 2)

    def minutes(self, contribution: Contribution) -> int:
        """Whole minutes for what the party put in in kind."""
        return ledger.converted(contribution.in_kind, self.repaid, self.rate)


class Entitlement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is due to one party in each window, in minutes, and how it comes and goes."""

    party: str
    window: Window
    minutes: int
    turn: Turn | None = None
    conversion: Conversion | None = None
    pull_back: PullBack | None = None
    carry_over: CarryOver | None = None

    @property
    def ledger_rules(self) -> LedgerRules:
        """What the ledger does by itself."""
        return LedgerRules(carry_over=self.carry_over, pull_back=self.pull_back)


# ---------------------------------------------------------------- clauses about everybody's time


class BlockState(StrEnum):
    """A reserved block is kept or confirmed by its party; unconfirmed it is open to all, and at last to standby."""

    KEPT = "kept"
    CONFIRMED = "confirmed"
    OPEN = "open"
    STANDBY = "standby"


class Reserved(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """R10: a block that its party has not confirmed so many hours ahead goes to the pool, and later to standby."""

    release_hours: int = 72
    standby_hours: int = 24

    def state(self, starts_at: datetime, now: datetime, *, is_confirmed: bool) -> BlockState:
        """Whose the block is now."""
        if is_confirmed:
            return BlockState.CONFIRMED
        ahead = starts_at - now
        if ahead > timedelta(hours=self.release_hours):
            return BlockState.KEPT
        return BlockState.OPEN if ahead > timedelta(hours=self.standby_hours) else BlockState.STANDBY

    def shared(self, block: Span, now: datetime, *, is_confirmed: bool) -> tuple[int, int]:
        """(minutes for the pool, minutes charged to the party's entitlement): a released block costs nothing."""
        state = self.state(block.start, now, is_confirmed=is_confirmed)
        is_released = state in (BlockState.OPEN, BlockState.STANDBY)
        return (block.minutes, 0) if is_released else (0, block.minutes)


class StateOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """R14: an order of the state may take time that is due to others, all orders together at most `ceiling` of it.

    It is told so many working days ahead, spares these tiers, and credits what it takes from a party, as a part of it,
    to be used within `credit_days`.
    """

    ceiling: Fraction = Fraction(3, 10)
    notice_working_days: int = 10
    spared: tuple[str, ...] = ()
    credit: Fraction = Fraction(1)
    credit_days: int = 60

    def earliest(self, told_on: date, holidays: Collection[date] = ()) -> date:
        """The first day from which an order that is told on this day may take time."""
        return working_days_later(told_on, self.notice_working_days, holidays)

    def spares(self, tiers: Sequence[Tier], profile: Profile) -> bool:
        """Whether the time of somebody like this is in a tier that orders leave alone."""
        place = tier_of(tiers, profile)
        return place < len(tiers) and tiers[place].id in self.spared


class Charging(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """R22: what was delivered is charged; a classical night at `classical_rate`. Of what a fault spoils this part is
    given back. Where there is little demand, use may be free.
    """

    classical_rate: Fraction = Fraction(3, 4)
    fault_refund: Fraction = Fraction(1)
    low_demand_free: bool = False

    def minutes(
        self,
        booked: int,
        delivered: int,
        *,
        is_classical: bool = False,
        fault_at: int | None = None,
        is_low_demand: bool = False,
    ) -> tuple[Fraction, int]:
        """(minutes charged, whole minutes refunded). `fault_at` is how many minutes in the instrument failed."""
        if self.low_demand_free and is_low_demand:
            return Fraction(0), 0
        rate = self.classical_rate if is_classical else Fraction(1)
        charged, refunded = ledger.charged(booked, delivered, rate=rate, fault_at=fault_at)
        kept = refunded - floor(self.fault_refund * refunded)
        return charged + kept * rate, refunded - kept
