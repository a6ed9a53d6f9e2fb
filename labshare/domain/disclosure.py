"""What may be told of others without telling of any one of them (access rules, R23).

The figures of a table are told for cells of at least three parties. A smaller cell is folded with others until the fold
has three parties as well, else a reader would have it by subtracting the told cells from the total. So every cell told,
every sum of cells, and every difference of two sums is about at least three parties or about nobody.

What must not live here: who counts as another party, or what the cells hold.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Set
from datetime import date
from enum import StrEnum
from typing import Generic, TypeVar

import msgspec

MIN_PARTIES = 3

Key = TypeVar("Key", bound=Hashable)


class Partition(msgspec.Struct, Generic[Key], frozen=True, kw_only=True):
    """Cells that are told one by one, and cells that are told only as one sum, or not at all when `is_withheld`."""

    told: frozenset[Key]
    folded: frozenset[Key]
    is_withheld: bool


def partition(cells: Mapping[Key, Set[int]], least: int = MIN_PARTIES) -> Partition[Key]:
    """Which cells may be told, given the parties in each. Decided by the parties alone, never by what they did.

    An agreement may ask for more parties than three (`least`).
    """
    parties = frozenset[int]().union(*cells.values())
    if 0 < len(parties) < least:
        return Partition(told=frozenset(), folded=frozenset(cells), is_withheld=True)
    told = {key for key, inside in cells.items() if len(inside) >= least}
    folded = {key for key, inside in cells.items() if 0 < len(inside) < least}
    if folded and len(frozenset[int]().union(*(cells[key] for key in folded))) < least:
        # The smallest told cell joins the fold; it has enough parties, so the fold has them now.
        joining = min(told, key=lambda key: (len(cells[key]), str(key)))
        told.remove(joining)
        folded.add(joining)
    return Partition(told=frozenset(told), folded=frozenset(folded), is_withheld=False)


# ---------------------------------------------------------------- what is told of one piece of work


class Told(StrEnum):
    """What may be told of somebody's work on an instrument."""

    MINUTES = "minutes"
    ORGANISATION = "organisation"
    TITLE = "title"
    SAMPLE = "sample"


class Confidentiality(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """R23 as a clause: proprietary work is told to others as counts only, of at least `min_cell` parties.

    Titles and samples of other work are told `embargo_months` after it has ended.
    """

    min_cell: int = MIN_PARTIES
    embargo_months: int = 24

    def told(self, *, is_own: bool, is_proprietary: bool, ended_on: date, day: date) -> frozenset[Told]:
        """What a party may read on this day of work that ended then. Of its own it reads all."""
        if is_own:
            return frozenset(Told)
        if is_proprietary:
            return frozenset({Told.MINUTES})
        if day < _months_later(ended_on, self.embargo_months):
            return frozenset({Told.MINUTES, Told.ORGANISATION})
        return frozenset(Told)


def _months_later(day: date, months: int) -> date:
    """The same day so many months on, or the first of the month after where that month is shorter."""
    years, month = divmod(day.month - 1 + months, 12)
    try:
        return day.replace(year=day.year + years, month=month + 1)
    except ValueError:
        # No month that is too short is December.
        return date(day.year + years, month + 2, 1)
