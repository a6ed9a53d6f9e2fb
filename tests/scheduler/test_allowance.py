"""A budget of steps is counted, never timed."""

from __future__ import annotations

from labshare.scheduler.allowance import Allowance
from labshare.scheduler.search import Limits


def test_steps_are_spent_by_being_charged_alone() -> None:
    allowance = Allowance(Limits(steps=200), lambda: False)
    assert (allowance.spent, allowance.is_over()) == (0.0, False)
    allowance.charge(50)
    assert (allowance.spent, allowance.left().steps) == (0.25, 150)
    allowance.charge(150)
    assert allowance.is_over()


def test_a_part_is_a_share_of_what_is_left() -> None:
    allowance = Allowance(Limits(steps=200), lambda: False)
    allowance.charge(100)
    assert allowance.part(0.5, 7).left().steps == 50
    assert Allowance(Limits(), lambda: False).part(0.5, 7).left().steps == 7


def test_seconds_pass_by_themselves() -> None:
    assert Allowance(Limits(seconds=0.0), lambda: False).is_over()
    left = Allowance(Limits(seconds=1000.0), lambda: False).part(0.5, 7).left().seconds
    assert left is not None
    assert 400 < left <= 500


def test_a_wish_to_stop_ends_it_whatever_is_left() -> None:
    assert Allowance(Limits(), lambda: True).is_over()
