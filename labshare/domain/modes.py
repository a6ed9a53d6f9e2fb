"""The forms of a booking: who runs the instrument for its user, and which of the posted set-ups they want.

What an instrument offers of both is chosen by the managers of its centre. Rights and prices differ by mode, so that it
stands on every booking. What must not live here: writing (services/modes.py), or prices (tariffs.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Protocol

from labshare.errors import Refusal, Refused

LONGEST_SETUP, MOST_SETUPS = 40, 20


class Mode(StrEnum):
    """Who runs the instrument: the user, the user with the staff's help, or the staff for the user."""

    SELF = "self"
    ASSISTED = "assisted"
    COMMISSIONED = "commissioned"


class Asked(Protocol):
    """A wish."""

    @property
    def mode(self) -> Mode | None: ...
    @property
    def setup(self) -> str: ...


class Offering(Protocol):
    """An instrument with what it offers."""

    @property
    def modes(self) -> tuple[Mode, ...]: ...
    @property
    def setups(self) -> tuple[str, ...]: ...


class Known(Protocol):
    """The context of a wish."""

    @property
    def rules(self) -> Offering: ...


def usual(modes: Sequence[Mode]) -> Mode:
    """What a booking is that names no mode: run by its user, unless the instrument does not offer that."""
    return Mode.SELF if Mode.SELF in modes or not modes else modes[0]


def mode_of(wish: Asked, rules: Offering) -> Mode:
    return wish.mode or usual(rules.modes)


def is_run_by_staff(wish: Asked, rules: Offering) -> bool:
    """Whether the staff run it: the person who asked for it need not be able to, nor be there."""
    return mode_of(wish, rules) is Mode.COMMISSIONED


def mode_offered(wish: Asked, context: Known) -> tuple[Refusal, ...]:
    """Staff are asked for only where they offer it."""
    modes = context.rules.modes
    if mode_of(wish, context.rules) in modes:
        return ()
    return (Refusal(code="mode_not_offered", params={"mode": mode_of(wish, context.rules).value}),)


def setup_posted(wish: Asked, context: Known) -> tuple[Refusal, ...]:
    """Everybody who sees the calendar reads it, so it is one that the centre has posted, never a user's own words."""
    if not wish.setup or wish.setup in context.rules.setups:
        return ()
    return (Refusal(code="setup_not_posted", params={"setup": wish.setup}),)


def still_offered(mode: Mode, setup: str, rules: Offering) -> tuple[Mode | None, str]:
    """What a booking that moves keeps of its mode and set-up: what the instrument offers no more is left out."""
    return (mode if mode in rules.modes else None), (setup if setup in rules.setups else "")


def read_modes(chosen: Iterable[str]) -> tuple[Mode, ...]:
    """The modes that a manager offers, in the order of `Mode`. Raises `Refused` for none, or one that is no mode."""
    found = set(chosen)
    if not found or found - set(Mode):
        raise Refused([Refusal(code="modes_unknown")])
    return tuple(mode for mode in Mode if mode in found)


def read_setups(text: str) -> tuple[str, ...]:
    """The set-ups that a manager posts, one a line, each once. Raises `Refused` for too many, or too long a one."""
    lines = (" ".join("".join(filter(str.isprintable, line)).split()) for line in text.splitlines())
    found = tuple(dict.fromkeys(line for line in lines if line))
    if len(found) > MOST_SETUPS or any(len(line) > LONGEST_SETUP for line in found):
        raise Refused([Refusal(code="setups_too_long", params={"most": MOST_SETUPS, "longest": LONGEST_SETUP})])
    return found
