"""Modes and set-ups: what is offered, what is usual, and what a commissioned use does not ask of its user."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
import pytest

from labshare.domain.bookings import BookingKind, Context, InstrumentRules, Neighbour, Wish, check
from labshare.domain.bookings import person_in_one_place as in_one_place
from labshare.domain.bookings import qualified as is_qualified
from labshare.domain.modes import (
    LONGEST_SETUP,
    MOST_SETUPS,
    Mode,
    mode_offered,
    read_modes,
    read_setups,
    setup_posted,
    still_offered,
    usual,
)
from labshare.errors import Refused
from tests.domain.test_bookings import FESEM, NOW, PERSON, span

USE = span(23, (9, 0), (11, 0))
ALL = msgspec.structs.replace(FESEM, modes=tuple(Mode), setups=("cryo stage", "5 kV low vacuum"))


def codes(rules: InstrumentRules = ALL, rule: Any = mode_offered, **wish: Any) -> list[str]:
    busy = (Neighbour(id=UUID(int=9), kind=BookingKind.USE, occupied=USE, instrument_id="N002"),)
    asked = Wish(instrument_number=1, span=USE, person_id=PERSON, **wish)
    return [each.code for each in check(asked, Context(now=NOW, rules=rules, person_busy=busy), (rule,))]


def test_a_mode_is_had_only_where_it_is_offered() -> None:
    assert codes(FESEM, mode=Mode.SELF) == []
    assert codes(FESEM, mode=Mode.ASSISTED) == ["mode_not_offered"]
    assert codes(mode=Mode.ASSISTED) == []


@pytest.mark.parametrize(
    ("offered", "mode"),
    [((Mode.SELF, Mode.ASSISTED), Mode.SELF), ((Mode.ASSISTED, Mode.COMMISSIONED), Mode.ASSISTED), ((), Mode.SELF)],
)
def test_a_wish_without_a_mode_takes_the_usual_one(offered: tuple[Mode, ...], mode: Mode) -> None:
    assert usual(offered) is mode
    if offered:
        assert codes(msgspec.structs.replace(FESEM, modes=offered)) == []


def test_a_commissioned_use_needs_neither_the_qualification_nor_the_presence_of_its_user() -> None:
    """The person of `codes` holds no qualification, and is at another instrument."""
    assert codes(rule=is_qualified, mode=Mode.ASSISTED) == ["not_qualified"]
    assert codes(rule=is_qualified, mode=Mode.COMMISSIONED) == []
    assert codes(rule=in_one_place, mode=Mode.ASSISTED) == ["person_elsewhere"]
    assert codes(rule=in_one_place, mode=Mode.COMMISSIONED) == []


def test_a_set_up_is_one_that_the_centre_has_posted() -> None:
    assert codes(rule=setup_posted, setup="cryo stage") == []
    assert codes(rule=setup_posted, setup="secret alloy 7") == ["setup_not_posted"]
    assert codes(FESEM, setup_posted, setup="cryo stage") == ["setup_not_posted"]
    assert codes(rule=setup_posted) == []


def test_a_booking_that_moves_keeps_what_is_still_offered() -> None:
    assert still_offered(Mode.ASSISTED, "cryo stage", ALL) == (Mode.ASSISTED, "cryo stage")
    assert still_offered(Mode.ASSISTED, "cryo stage", FESEM) == (None, "")


def test_what_a_manager_offers_is_read_in_order_and_once() -> None:
    assert read_modes(["commissioned", "self", "self"]) == (Mode.SELF, Mode.COMMISSIONED)
    assert read_setups("  cryo   stage \n\n5 kV\ncryo stage\n") == ("cryo stage", "5 kV")
    assert read_setups("") == ()


@pytest.mark.parametrize("chosen", [[], ["self", "remote"]])
def test_no_mode_and_an_unknown_mode_are_refused(chosen: list[str]) -> None:
    with pytest.raises(Refused, match="modes_unknown"):
        read_modes(chosen)


def test_set_ups_are_few_and_short() -> None:
    most = "\n".join(str(number) for number in range(MOST_SETUPS))
    assert len(read_setups(f"{most}\n0")) == MOST_SETUPS
    for text in (f"{most}\none more", "x" * (LONGEST_SETUP + 1)):
        with pytest.raises(Refused, match="setups_too_long"):
            read_setups(text)
