"""What may be told of others without telling of any one of them (access rules, R23).

The figures of a table are told for cells of at least three parties. A smaller cell is folded with others until the fold
has three parties as well, else a reader would have it by subtracting the told cells from the total. So every cell told,
every sum of cells, and every difference of two sums is about at least three parties or about nobody.

What must not live here: who counts as another party, or what the cells hold.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Set
from typing import Generic, TypeVar

import msgspec

MIN_PARTIES = 3

Key = TypeVar("Key", bound=Hashable)


class Partition(msgspec.Struct, Generic[Key], frozen=True, kw_only=True):
    """Cells that are told one by one, and cells that are told only as one sum, or not at all when `is_withheld`."""

    told: frozenset[Key]
    folded: frozenset[Key]
    is_withheld: bool


def partition(cells: Mapping[Key, Set[int]]) -> Partition[Key]:
    """Which cells may be told, given the parties in each. Decided by the parties alone, never by what they did."""
    parties = frozenset[int]().union(*cells.values())
    if 0 < len(parties) < MIN_PARTIES:
        return Partition(told=frozenset(), folded=frozenset(cells), is_withheld=True)
    told = {key for key, inside in cells.items() if len(inside) >= MIN_PARTIES}
    folded = {key for key, inside in cells.items() if 0 < len(inside) < MIN_PARTIES}
    if folded and len(frozenset[int]().union(*(cells[key] for key in folded))) < MIN_PARTIES:
        # The smallest told cell joins the fold; it has three parties, so the fold has them now.
        joining = min(told, key=lambda key: (len(cells[key]), str(key)))
        told.remove(joining)
        folded.add(joining)
    return Partition(told=frozenset(told), folded=frozenset(folded), is_withheld=False)
