"""What a share is a share of, and which minutes of a use count for it. The words are those of the access rules.

open, allocable and offered stand still: capacity.py counts them from the calendar, and a window freezes them when its
balance is opened. booked, delivered and charged move while people book and use:

- booked: occupied minutes of uses, set-up included, past and to come;
- delivered: productive minutes that usage records prove, a run that goes on up to now;
- charged: what R22 charges, which is what was delivered. No use is marked here as a classical night or as free, and the
  rest of a use that failed is refunded whole; an agreement that refunds less cannot have this base.

A share of a moving base counts the same minutes on either side of it: of what was delivered, so much was delivered to
these parties. It keeps no running balance: it is counted when somebody asks, and it never refuses a booking.

What must not live here: limits (agreements.py), or how the minutes are counted (store/agreements.py).
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple, Protocol


class Base(StrEnum):
    """What a share is a share of. The first three stand still once frozen; the others move while people book."""

    OPEN = "open"
    ALLOCABLE = "allocable"
    OFFERED = "offered"
    BOOKED = "booked"
    DELIVERED = "delivered"
    CHARGED = "charged"


# Only of these can a rule be kept at booking; of offered time nobody knows before the instruments have run.
PLANNED = frozenset({Base.OPEN, Base.ALLOCABLE})
MOVING = frozenset({Base.BOOKED, Base.DELIVERED, Base.CHARGED})


class Minutes(Protocol):
    """Counted minutes. `used` is delivered where a usage record exists, else booked; `booked` is past and to come."""

    @property
    def used(self) -> int: ...
    @property
    def committed(self) -> int: ...
    @property
    def firm(self) -> int: ...
    @property
    def booked(self) -> int: ...
    @property
    def delivered(self) -> int: ...


class Taken(NamedTuple):
    """What of some minutes counts for a rule: past, to come, and of the latter the firm part."""

    used: int
    committed: int
    firm: int


def taken(base: Base, minutes: Minutes) -> Taken:
    """The minutes that count for a share of this base."""
    match base:
        case Base.BOOKED:
            return Taken(minutes.booked - minutes.committed, minutes.committed, minutes.firm)
        case Base.DELIVERED | Base.CHARGED:
            return Taken(minutes.delivered, 0, 0)
        case _:
            return Taken(minutes.used, minutes.committed, minutes.firm)
