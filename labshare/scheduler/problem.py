"""The scheduler's question: the frozen structs of `labshare-problem/1`, and nothing that decides.

Times are whole slots from the start of the horizon. Spans `(start, end)` are half-open; only `Option.starts` holds
inclusive ranges. A key that is absent takes the neutral value given here. `reading.py` turns bytes into these structs
and refuses malformed ones; how a rule counts is written twice, in the solver and in `check.py`, on purpose.
"""

from __future__ import annotations

import hashlib
from fractions import Fraction
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

# Far above any real value; together with the check of the total in validation.py it keeps every sum within 64 bits.
LARGEST_VALUE = 10**15
LONGEST_HORIZON = 1_000_000

# The descriptions stand in the JSON Schema too (schema.py), beside the docstrings of the structs.
Id = Annotated[str, Meta(min_length=1, max_length=200, description="an id, compared letter by letter")]
Slot = Annotated[int, Meta(ge=0, le=LONGEST_HORIZON, description="a slot, from 0 at the start of the horizon")]
Slots = Annotated[int, Meta(ge=0, le=LONGEST_HORIZON, description="a number of slots")]
Amount = Annotated[int, Meta(ge=0, le=LARGEST_VALUE, description="a number of slots, summed over sessions")]
Length = Annotated[int, Meta(ge=1, le=LONGEST_HORIZON, description="a number of slots, at least one")]
Value = Annotated[int, Meta(ge=-LARGEST_VALUE, le=LARGEST_VALUE, description="worth, in units of the objective")]
Charge = Annotated[int, Meta(ge=0, le=LARGEST_VALUE, description="units of the objective, per slot or per session")]
People = Annotated[int, Meta(ge=0, le=1_000_000, description="a number of people")]
Percent = Annotated[int, Meta(ge=0, le=1_000_000, description="percent of the target")]
Share = Annotated[
    str, Meta(pattern=r"^[0-9]{1,9}(/0*[1-9][0-9]{0,8})?$", description="an exact fraction as text, such as 1/5")
]
Span = Annotated[tuple[Slot, Slot], Meta(description="start and end in slots; the end is no longer part of it")]
Starts = Annotated[tuple[Slot, Slot], Meta(description="first and last allowed start, both included")]


class _Struct(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    pass


class Instrument(_Struct, frozen=True, kw_only=True):
    """Somewhere a session can be held. `open` absent means open throughout the horizon; `[]` means never."""

    id: Id
    centre: Id | None = None
    open: tuple[Span, ...] | None = None
    changeover: tuple[tuple[Id, Id, Slots], ...] = ()


class OperatorNeed(_Struct, frozen=True, kw_only=True):
    """One person of `pool` for the first `slots` slots of a session (all of it when the session is shorter)."""

    pool: Id
    slots: Length


class Option(_Struct, frozen=True, kw_only=True):
    """One instrument that could serve a request, and when. Given `slots` and `operator` override the request's."""

    instrument: Id
    value: Value = 0
    starts: tuple[Starts, ...] = ()
    tags: tuple[str, ...] = ()
    slots: Length | None = None
    operator: OperatorNeed | UnsetType | None = UNSET


class Request(_Struct, frozen=True, kw_only=True):
    """One session that somebody asks for. `late` is the value lost per slot after the earliest start of its options."""

    id: Id
    slots: Length
    options: tuple[Option, ...] = ()
    access_class: Id | None = None
    organisation: Id | None = None
    person: Id | None = None
    tags: tuple[str, ...] = ()
    family: Id | None = None
    attended: bool = False
    operator: OperatorNeed | None = None
    late: Charge = 0

    def slots_on(self, option: Option) -> int:
        return self.slots if option.slots is None else option.slots

    def operator_on(self, option: Option) -> OperatorNeed | None:
        return self.operator if option.operator is UNSET else option.operator

    @property
    def earliest(self) -> int:
        """The earliest start of all options, from which lateness counts; 0 where no start is offered at all."""
        return min((first for option in self.options for first, _ in option.starts), default=0)


class OperatorPool(_Struct, frozen=True, kw_only=True):
    """People on shift as `(start, end, people)`; shifts that overlap add up, and outside them nobody is there."""

    id: Id
    shifts: tuple[tuple[Slot, Slot, People], ...] = ()


class Group(_Struct, frozen=True, kw_only=True):
    """The requests of one application for several sessions: none of them is placed, or at least `min`."""

    requests: tuple[Id, ...]
    min: Annotated[int, Meta(ge=1, le=LONGEST_HORIZON, description="how many of the requests")] = 1


class Link(_Struct, frozen=True, kw_only=True):
    """A campaign: all or none, in this order, each gap from one end to the next start within `[min_gap, max_gap]`."""

    requests: tuple[Id, ...]
    min_gap: Slots = 0
    max_gap: Slots | None = None


class FixedRow(_Struct, frozen=True, kw_only=True):
    """Something that already occupies an instrument and cannot move."""

    instrument: Id
    start: Slot
    end: Slot
    access_class: Id | None = None
    organisation: Id | None = None
    person: Id | None = None
    tags: tuple[str, ...] = ()
    family: Id | None = None
    attended: bool = False
    operator: OperatorNeed | None = None


class Who(_Struct, frozen=True, kw_only=True):
    """Whom a rule counts: every given key must match, any of its values will do; but `tags` must all be present."""

    access_class: tuple[Id, ...] | None = None
    organisation: tuple[Id, ...] | None = None
    person: tuple[Id, ...] | None = None
    family: tuple[Id, ...] | None = None
    tags: tuple[str, ...] = ()


class Rule(_Struct, frozen=True, kw_only=True):
    """A cap or a floor on the slots of `who`, inside `centres` and `instruments` (both must hold) and `window`.

    The limit is `slots` plus `of_allocated` times the slots allocated in scope. Without a `penalty` the rule is hard.
    """

    id: Id
    kind: Literal["cap", "floor"]
    who: Who = Who()
    centres: tuple[Id, ...] | None = None
    instruments: tuple[Id, ...] | None = None
    window: Span | None = None
    slots: Amount = 0
    of_allocated: Share | None = None
    penalty: Charge | None = None
    count_fixed: bool = False

    @property
    def share(self) -> Fraction:
        return Fraction(self.of_allocated or 0)

    @property
    def is_hard(self) -> bool:
        return self.penalty is None


class Fairness(_Struct, frozen=True, kw_only=True):
    """Reward `rate` per slot served to an organisation between the previous and this percentage of its target."""

    targets: dict[Id, Amount] = {}
    steps: tuple[tuple[Percent, Charge], ...] = ()


class CurrentSession(_Struct, frozen=True, kw_only=True):
    """A session of the plan in force."""

    request: Id
    instrument: Id
    start: Slot


class Problem(_Struct, frozen=True, kw_only=True):
    """Everything the solver is told. Build it, or read it with `reading.parse`; `encode` gives its file."""

    format: Literal["labshare-problem/1"]
    horizon: Length
    slot_minutes: Annotated[int, Meta(ge=1, le=1440, description="minutes in a slot, for readers only")] = 30
    instruments: tuple[Instrument, ...] = ()
    requests: tuple[Request, ...] = ()
    operator_pools: tuple[OperatorPool, ...] = ()
    groups: tuple[Group, ...] = ()
    linked: tuple[Link, ...] = ()
    fixed: tuple[FixedRow, ...] = ()
    rules: tuple[Rule, ...] = ()
    fairness: Fairness = Fairness()
    current: tuple[CurrentSession, ...] = ()
    change_penalty: Charge = 0
    frozen_until: Slot = 0
    down: tuple[tuple[Id, Slot, Slot], ...] = ()


def encode(problem: Problem) -> bytes:
    """The problem's file. The same problem always gives the same bytes."""
    return msgspec.json.format(msgspec.json.encode(problem), indent=1) + b"\n"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
