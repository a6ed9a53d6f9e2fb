"""Times as both databases keep them: aware, in UTC, and on a whole minute where an instrument is occupied."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from labshare.errors import Malformed
from labshare.store.engine import Database
from labshare.store.tables import audit, offers, outbox
from labshare.store.types import EPOCH, UTCDateTime, UTCMinute

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")


def test_minutes_count_from_the_epoch_on_both_databases(database: Database) -> None:
    # 2026-11-23T08:00+07:00 is 20,780 days and one hour after the epoch: 20,780 x 1,440 + 60 = 29,923,260 minutes.
    # 56 years of 365 days and 14 leap days to 1 January 2026 are 20,454 days; 23 November is 326 days on.
    moment = datetime(2026, 11, 23, 8, 0, tzinfo=HANOI)
    assert UTCMinute().process_bind_param(moment, database.engine.dialect) == 29_923_260
    with database.read() as db:
        back = sa.select(sa.type_coerce(sa.text("29923260"), UTCMinute()))
        assert db.execute(back).scalar_one() == moment


@pytest.mark.parametrize(
    ("moment", "code"),
    [
        (datetime(2026, 11, 23, 8, 0), "naive_time"),  # noqa: DTZ001 - a naive time is the point
        (datetime(2026, 11, 23, 8, 0, 1, tzinfo=UTC), "not_whole_minute"),
    ],
)
def test_what_is_not_an_aware_whole_minute_does_not_reach_the_table(
    database: Database, moment: datetime, code: str
) -> None:
    with pytest.raises(Malformed, match=code), database.read() as db:
        db.execute(sa.select(offers.c.id).where(offers.c.starts_at == moment))


def test_an_instant_keeps_its_microseconds_and_comes_back_in_utc(database: Database) -> None:
    moment = datetime(2026, 11, 23, 8, 0, 0, 123456, tzinfo=HANOI)
    with database.write() as db:
        db.execute(sa.insert(outbox).values(topic="t", payload="{}", created_at=moment))
        found = db.execute(sa.select(outbox.c.created_at)).scalar_one()
    assert found == moment
    assert found.utcoffset() == timedelta(0)


def test_nothing_stays_nothing() -> None:
    for kind in (UTCMinute(), UTCDateTime()):
        dialect = sa.create_engine("sqlite://").dialect
        assert kind.process_bind_param(None, dialect) is None
        assert kind.process_result_value(None, dialect) is None


def test_instants_sort_as_times_do(database: Database) -> None:
    moments = [EPOCH, datetime(1969, 12, 31, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)]
    with database.write() as db:
        rows = [{"at": each, "action": "a", "noun": "n", "noun_id": "1"} for each in moments]
        db.execute(sa.insert(audit), rows)
        assert list(db.execute(sa.select(audit.c.at).order_by(audit.c.at)).scalars()) == sorted(moments)
