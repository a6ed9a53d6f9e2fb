"""What the rules say of an operator: named for the staff's modes, by right, somebody else, and free."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from labshare.domain.booking_rules import NeedsOperator, Posted, Scope, ScopeKind
from labshare.domain.bookings import BookingKind, Context, Neighbour, Wish
from labshare.domain.house_rules import HouseRules
from labshare.domain.modes import Mode
from labshare.domain.operators import Attended, attended_until, may_operate, operated
from labshare.domain.qualifications import Demand, Held
from tests.domain.test_bookings import FESEM, FINE, NOW, PERSON, WISH, span

OPERATOR = UUID(int=99)
STAFFED = msgspec.structs.replace(FESEM, modes=tuple(Mode))
ASKED = msgspec.structs.replace(WISH, mode=Mode.COMMISSIONED, operator_id=OPERATOR)
MAY = Held(level=1, granted_at=NOW, operates=True)
KNOWN = msgspec.structs.replace(FINE, rules=STAFFED, operator=MAY)


def codes(wish: Wish = ASKED, context: Context = KNOWN, **changes: Any) -> list[str]:
    return [each.code for each in operated(wish, msgspec.structs.replace(context, **changes))]


def wished(**changes: Any) -> Wish:
    return msgspec.structs.replace(ASKED, **changes)


def busy(when: Any, booking_id: UUID | None = None) -> tuple[Neighbour, ...]:
    return (Neighbour(id=booking_id or uuid4(), kind=BookingKind.USE, occupied=when),)


@pytest.mark.parametrize(
    ("mode", "refusals"),
    [
        (Mode.COMMISSIONED, []),
        (Mode.ASSISTED, []),
        (Mode.SELF, ["operator_not_wanted"]),
        # What names no mode is run by its user, where that is offered.
        (None, ["operator_not_wanted"]),
    ],
)
def test_an_operator_is_for_what_the_staff_run_or_help_with(mode: Mode | None, refusals: list[str]) -> None:
    assert codes(wished(mode=mode)) == refusals


def test_where_the_staff_run_everything_no_mode_need_be_named() -> None:
    rules = msgspec.structs.replace(FESEM, modes=(Mode.COMMISSIONED,))
    assert codes(wished(mode=None), rules=rules) == []


def test_a_use_ends_before_its_trainer_and_operator_may_not_be_there() -> None:
    early, late = NOW + timedelta(days=1), NOW + timedelta(days=9)
    trainer = Held(level=3, granted_at=NOW, expires_at=late)
    operator = msgspec.structs.replace(MAY, expires_at=early)

    def until(trainer: Held, operator: Held | None) -> datetime | None:
        use = Attended(person_id=PERSON, trainer_id=UUID(int=98), operator_id=OPERATOR if operator else None)
        held = {UUID(int=98): trainer} | ({OPERATOR: operator} if operator else {})
        return attended_until(use, held, Demand(), FESEM.timezone, NOW)

    assert until(trainer, operator) == early
    assert until(trainer, None) == until(trainer, MAY) == late
    assert until(msgspec.structs.replace(trainer, expires_at=None), MAY) is None
    # Who trains nobody, or operates nothing, may not be there at all.
    assert until(msgspec.structs.replace(trainer, level=2), None) == NOW
    assert until(trainer, msgspec.structs.replace(MAY, operates=False)) == NOW
    assert until(trainer, msgspec.structs.replace(MAY, expires_at=NOW - timedelta(days=1))) == NOW
    assert attended_until(Attended(person_id=PERSON), {}, Demand(), FESEM.timezone, NOW) is None


def test_an_operator_is_named_by_the_centre_qualified_and_not_the_user() -> None:
    assert codes(operator=msgspec.structs.replace(MAY, operates=False)) == ["operator_not_named"]
    assert codes(operator=Held()) == ["operator_not_named"]
    ends = msgspec.structs.replace(MAY, expires_at=ASKED.span.end)
    assert codes(operator=ends) == []
    assert codes(operator=msgspec.structs.replace(ends, expires_at=ASKED.span.end - timedelta(minutes=1))) == [
        "operator_not_named"
    ]
    assert codes(wished(operator_id=PERSON)) == ["operator_is_user"]


def test_the_course_of_the_centre_is_for_operators_too() -> None:
    demand = Demand(course_months=12)
    assert not may_operate(MAY, demand, FESEM.timezone, NOW)
    course = msgspec.structs.replace(MAY, course_on=NOW.date())
    assert may_operate(course, demand, FESEM.timezone, NOW)


@pytest.mark.parametrize(
    ("hours", "refusals"),
    [
        (((7, 0), (9, 0)), []),
        (((10, 30), (12, 0)), ["operator_elsewhere"]),
        (((11, 0), (12, 0)), []),
    ],
)
def test_an_operator_is_in_one_place(hours: tuple[Any, Any], refusals: list[str]) -> None:
    """The use is on Monday from 9 to 11."""
    assert codes(operator_busy=busy(span(23, *hours))) == refusals


def test_the_booking_that_moves_stands_in_nobodys_way() -> None:
    itself = uuid4()
    assert codes(wished(replaces_id=itself), operator_busy=busy(ASKED.span, itself)) == []


def test_a_centre_may_ask_for_one_and_a_manager_passes_that() -> None:
    posted = Posted(id=uuid4(), scope=Scope(ScopeKind.CENTRE, "C-IMSKL"), rule=NeedsOperator(), since=NOW)
    house = HouseRules(rules=(posted,))
    nobody = wished(operator_id=None)
    assert codes(nobody) == []
    assert codes(nobody, house=house) == ["rule_operator"]
    assert codes(msgspec.structs.replace(nobody, mode=Mode.ASSISTED), house=house) == ["rule_operator"]
    assert codes(msgspec.structs.replace(nobody, mode=Mode.SELF), house=house) == []
    assert codes(msgspec.structs.replace(nobody, override="for a reason"), house=house) == []
    assert codes(house=house) == []


def test_whoever_is_there_takes_part_in_the_booking_and_is_told_apart_from_its_user() -> None:
    wish = wished(trainer_id=UUID(int=98))
    assert wish.attendants == {UUID(int=98), OPERATOR}
    assert wish.people == {PERSON, UUID(int=98), OPERATOR}
    assert wished(operator_id=None).attendants == frozenset()
