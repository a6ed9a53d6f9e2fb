"""Column types that behave alike on SQLite and PostgreSQL.

Booking-like times are whole minutes since 1970-01-01T00:00Z, kept as integers on both databases: they sort, compare in
a trigger and in a range, can never be naive and can never carry a second that makes two back-to-back bookings clash.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import TypeDecorator, TypeEngine

from labshare.domain.timespan import require_minute, require_utc

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
MICROSECOND = timedelta(microseconds=1)


class UTCMinute(TypeDecorator[datetime]):
    """An aware datetime on a whole minute, stored as minutes since the epoch. Raises `Malformed` on anything else."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else (require_minute(value) - EPOCH) // MINUTE

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        return None if value is None else EPOCH + value * MINUTE


class UTCDateTime(TypeDecorator[datetime]):
    """An aware instant: timestamptz on PostgreSQL, integer microseconds on SQLite. Raises `Malformed` when naive."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        is_sqlite = dialect.name == "sqlite"
        return dialect.type_descriptor(sa.BigInteger() if is_sqlite else sa.DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        utc = require_utc(value)
        return (utc - EPOCH) // MICROSECOND if dialect.name == "sqlite" else utc

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if dialect.name == "sqlite":
            return EPOCH + value * MICROSECOND
        moment: datetime = value
        return moment.astimezone(UTC)


class WholeSecond(GenericFunction[int]):
    """An instant as whole seconds since the epoch, worked out by the database, for rows that come by the hundred."""

    type = sa.BigInteger()
    inherit_cache = True
    name = "whole_second"


@compiles(WholeSecond, "sqlite")
def _of_microseconds(element: WholeSecond, compiler: Any, **options: Any) -> str:
    return f"({compiler.process(element.clauses, **options)} / 1000000)"


@compiles(WholeSecond, "postgresql")
def _of_timestamp(element: WholeSecond, compiler: Any, **options: Any) -> str:
    return f"CAST(FLOOR(EXTRACT(EPOCH FROM {compiler.process(element.clauses, **options)})) AS BIGINT)"


class IdDigits(GenericFunction[str]):
    """An id as its 32 digits, worked out by the database: making a UUID of each costs more than reading it."""

    type = sa.Text()
    inherit_cache = True
    name = "id_digits"


@compiles(IdDigits, "sqlite")
def _as_stored(element: IdDigits, compiler: Any, **options: Any) -> str:
    return str(compiler.process(element.clauses, **options))


@compiles(IdDigits, "postgresql")
def _of_uuid(element: IdDigits, compiler: Any, **options: Any) -> str:
    return f"replace(CAST({compiler.process(element.clauses, **options)} AS TEXT), '-', '')"
