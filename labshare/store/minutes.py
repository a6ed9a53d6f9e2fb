"""Minutes in SQL: clip stretches of time to a window and measure them, the same on both databases.

What must not live here: queries.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement

from labshare.domain.timespan import MINUTE
from labshare.store.types import EPOCH

Minutes = ColumnElement[int]


def raw(column: ColumnElement[Any]) -> Minutes:
    """A `UTCMinute` column as the integer that it is."""
    return sa.type_coerce(column, sa.BigInteger)


def minute(moment: datetime) -> Minutes:
    """The whole minutes of an instant, rounded down, as a value that compares with `raw` columns."""
    return sa.literal((moment - EPOCH) // MINUTE, sa.BigInteger)


def later(first: Minutes, second: Minutes) -> Minutes:
    return sa.case((first > second, first), else_=second)


def sooner(first: Minutes, second: Minutes) -> Minutes:
    return sa.case((first < second, first), else_=second)


def length(start: Minutes, end: Minutes) -> Minutes:
    """Minutes from start to end, none when the end does not come later."""
    return sa.case((end > start, end - start), else_=0)


def total(minutes: Minutes) -> Minutes:
    """The sum as an integer: PostgreSQL would make it a decimal number."""
    return sa.cast(sa.func.coalesce(sa.func.sum(minutes), 0), sa.BigInteger)
