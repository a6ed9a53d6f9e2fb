"""R26: what a list names waits for a decision, with a day on which it is due."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest

from labshare.domain.screening import Hold, Screened, Screening, Silence, screen, working_days_later
from tests.domain.clauses import whole

ZONE = "Asia/Ho_Chi_Minh"
# Thursday 26 November 2026, 09:00 in Ho Chi Minh City.
NOW = datetime(2026, 11, 26, 2, tzinfo=UTC)


def screening() -> Screening:
    found = whole().screening
    assert found is not None
    return found


def asked(text: str, **changes: object) -> Screened:
    return msgspec.convert({"text": text, "organisation_id": "O-FIRM"} | changes, Screened)


def held(request: Screened, holidays: set[date] | None = None) -> Hold | None:
    return screen(screening(), request, NOW, ZONE, holidays or set())


def test_a_foreign_firm_that_asks_for_a_counter_uav_test_is_held_five_working_days() -> None:
    """R26. After Thursday come Friday 27, Monday 30, and 1, 2, 3 December: due as the 3rd ends, 17:00 UTC."""
    found = held(asked("Thử nghiệm chống UAV (counter-UAV)", is_foreign=True))
    assert found is not None
    assert (found.lists, found.found) == (("dual_use",), ("UAV",))
    assert found.due_at == datetime(2026, 12, 3, 17, tzinfo=UTC)


def test_holidays_are_no_working_days() -> None:
    found = held(asked("UAV", is_foreign=True), {date(2026, 11, 27)})
    assert found is not None
    assert found.due_at == datetime(2026, 12, 4, 17, tzinfo=UTC)


@pytest.mark.parametrize(
    ("request_", "lists"),
    [
        (asked("Máy bay KHÔNG người lái", is_foreign=True), ("dual_use",)),
        (asked("may bay khong nguoi lai", is_foreign=True), ("dual_use",)),
        (asked("đo mẫu", is_foreign=True, topics={"P22"}), ("dual_use",)),
        (asked("đo mẫu", organisation_id="O-WATCHED"), ("defence",)),
        (asked("Tác chiến điện tử và UAV", is_foreign=True), ("dual_use", "defence")),
        # A list for foreign users leaves others alone; parts of words are no match; neither are words apart.
        (asked("UAV"), ()),
        (asked("chuẩn SUAVE", is_foreign=True), ()),
        (asked("máy bay có người lái", is_foreign=True), ()),
        (asked("đo mẫu thép", is_foreign=True, topics={"P17"}), ()),
    ],
)
def test_words_topics_and_organisations_are_looked_at(request_: Screened, lists: tuple[str, ...]) -> None:
    found = held(request_)
    assert (found.lists if found else ()) == lists


def test_a_term_without_a_word_names_nothing() -> None:
    clause = screening()
    empty = msgspec.structs.replace(clause, lists=(msgspec.structs.replace(clause.lists[1], terms=("–",)),))
    assert screen(empty, asked("đo – mẫu"), NOW, ZONE) is None


def test_silence_keeps_the_hold_unless_the_clause_says_otherwise() -> None:
    found = held(asked("UAV", is_foreign=True))
    assert found is not None
    before, after = found.due_at - timedelta(seconds=1), found.due_at
    assert [found.is_overdue(at) for at in (before, after)] == [False, True]
    assert [found.stands(screening(), at) for at in (before, after)] == [True, True]
    lenient = msgspec.structs.replace(screening(), default=Silence.CLEAR)
    assert [found.stands(lenient, at) for at in (before, after)] == [True, False]


def test_no_working_day_later_is_the_day_itself() -> None:
    saturday = date(2026, 11, 28)
    assert working_days_later(saturday, 0) == saturday
    assert working_days_later(saturday, 1) == date(2026, 11, 30)
    with pytest.raises(ValueError, match="negative"):
        working_days_later(saturday, -1)
