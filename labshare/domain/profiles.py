"""Whom a row of a table means: a tier of priority (R13) or a class of tariff (R15), by what is known of who asks.

What must not live here: the selector of share rules, which also names organisations (agreements.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import product

import msgspec

from labshare.domain.projects import AccessClass, Activity


class Size(StrEnum):
    """The size of an organisation. One that nobody has proved counts as large: small ones have privileges."""

    SME = "sme"
    LARGE = "large"


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of who asks, as a project and the register of organisations say it."""

    access_class: AccessClass
    activity: Activity
    size: Size = Size.LARGE


class Group(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Users alike: every key that is given must match one of its values. Without a key it is everybody."""

    access_class: tuple[AccessClass, ...] = ()
    activity: tuple[Activity, ...] = ()
    size: tuple[Size, ...] = ()

    def has(self, profile: Profile) -> bool:
        return (
            (not self.access_class or profile.access_class in self.access_class)
            and (not self.activity or profile.activity in self.activity)
            and (not self.size or profile.size in self.size)
        )


def is_among(groups: Iterable[Group], profile: Profile) -> bool:
    """Whether one of the groups has somebody like this; no groups at all have nobody."""
    return any(group.has(profile) for group in groups)


def everybody() -> Iterator[Profile]:
    """One profile of each kind: a table that serves all of these leaves nobody out."""
    for access_class, activity, size in product(AccessClass, Activity, Size):
        yield Profile(access_class=access_class, activity=activity, size=size)
