"""Equipment states after SEMI E10: six states that exclude each other and together fill every minute of a period.

What must not live here: bookings or agreements; productive minutes are called delivered there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from fractions import Fraction
from uuid import UUID

import msgspec

from labshare.domain.timespan import Span, subtracted, total_minutes


class EquipmentState(StrEnum):
    """What an instrument is doing."""

    PRODUCTIVE = "productive"
    STANDBY = "standby"
    ENGINEERING = "engineering"
    SCHEDULED_DOWN = "scheduled_down"
    UNSCHEDULED_DOWN = "unscheduled_down"
    NON_SCHEDULED = "non_scheduled"


# Where two records overlap the earlier of this list is believed: a failure ends the run that it happens in.
PRECEDENCE = (
    EquipmentState.UNSCHEDULED_DOWN,
    EquipmentState.SCHEDULED_DOWN,
    EquipmentState.ENGINEERING,
    EquipmentState.PRODUCTIVE,
    EquipmentState.STANDBY,
    EquipmentState.NON_SCHEDULED,
)


class StateRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded state of one instrument. `ends_at` is None while it lasts; `booking_id` is the use that it served."""

    id: UUID
    instrument_number: int
    state: EquipmentState
    starts_at: datetime
    ends_at: datetime | None = None
    booking_id: UUID | None = None
    source: str
    note: str = ""
    recorded_by_id: UUID | None = None


class StateMinutes(msgspec.Struct, frozen=True, kw_only=True):
    """Minutes in each state. They sum to the period, so every quotient below names its denominator truly."""

    productive: int = 0
    standby: int = 0
    engineering: int = 0
    scheduled_down: int = 0
    unscheduled_down: int = 0
    non_scheduled: int = 0

    def __add__(self, other: StateMinutes) -> StateMinutes:
        return StateMinutes(**{name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__})

    @property
    def total(self) -> int:
        return self.operations + self.non_scheduled

    @property
    def operations(self) -> int:
        """Operations time: total without non-scheduled."""
        return self.uptime + self.scheduled_down + self.unscheduled_down

    @property
    def uptime(self) -> int:
        """Productive, standby and engineering: the instrument could work."""
        return self.productive + self.standby + self.engineering

    @property
    def operational_uptime(self) -> Fraction | None:
        """Uptime / operations time. None where there was no operations time."""
        return _share(self.uptime, self.operations)

    @property
    def operational_utilisation(self) -> Fraction | None:
        """Productive / operations time."""
        return _share(self.productive, self.operations)

    @property
    def total_utilisation(self) -> Fraction | None:
        """Productive / total time, closed hours included."""
        return _share(self.productive, self.total)


def _share(part: int, whole: int) -> Fraction | None:
    return Fraction(part, whole) if whole else None


def mean_time_between_failures(productive_minutes: int, failures: int) -> Fraction | None:
    """MTBFp: productive minutes per failure. None without a failure."""
    return _share(productive_minutes, failures)


def mean_time_to_repair(repair_minutes: int, failures: int) -> Fraction | None:
    """MTTR: minutes of repair per failure. None without a failure."""
    return _share(repair_minutes, failures)


def state_minutes(
    period: Span,
    recorded: Iterable[tuple[EquipmentState, Span]],
    opened: Sequence[Span],
    *,
    maintenance: Sequence[Span] = (),
    engineering: Sequence[Span] = (),
    closures: Sequence[Span] = (),
) -> StateMinutes:
    """The minutes of each state of one instrument; they sum to the period.

    Records are believed first. Where nothing is recorded, planned maintenance is scheduled down time, planned
    engineering is engineering, a closure or a closed hour is non-scheduled, and an open hour is standby.
    """
    by_state: dict[EquipmentState, list[Span]] = {state: [] for state in PRECEDENCE}
    for state, span in recorded:
        by_state[state].append(span)
    layers: list[tuple[EquipmentState, Sequence[Span]]] = [(state, by_state[state]) for state in PRECEDENCE]
    layers += [
        (EquipmentState.SCHEDULED_DOWN, maintenance),
        (EquipmentState.ENGINEERING, engineering),
        (EquipmentState.NON_SCHEDULED, closures),
        (EquipmentState.STANDBY, opened),
    ]
    minutes = dict.fromkeys(PRECEDENCE, 0)
    left, left_minutes = [period], period.minutes
    for state, spans in layers:
        if spans:
            left = subtracted(left, spans)
            minutes[state] += left_minutes - total_minutes(left)
            left_minutes = total_minutes(left)
    minutes[EquipmentState.NON_SCHEDULED] += left_minutes
    return StateMinutes(**{state.value: minutes[state] for state in PRECEDENCE})
