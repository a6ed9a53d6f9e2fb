"""Reports of use: who may be shown what, the table of booked and delivered time, and the ladder of minutes.

How a partner's report keeps its rivals to themselves. What others did reaches a masked reader only as sums over atoms:
one centre in one whole calendar month that has ended. Inside an atom `disclosure.partition` decides, by the parties
alone, which access classes are told, which are folded into "others", and whether the atom is told at all; an atom that
is withheld is left out of every sum, the ladder and the utilisations included. So

- a total minus its rows, or one access class against another, is never about fewer than three other parties, or as
  many as an agreement that covers the centre asks for;
- two periods or two scopes can only differ by whole atoms, each of which is told by itself anyway: a report of one day
  more, or of all centres but one, shows nothing new;
- a month that still runs is not told, so reading it before and after a booking shows nothing;
- one instrument is told only where `partition` would tell it beside the other instruments of its centre; then it is
  one sum, never by class, so that the two ways of cutting an atom cannot be laid over each other.

The reader's own rows are exact to the minute everywhere. What must not live here: counting (store/reports.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum

import msgspec

from labshare.domain.disclosure import MIN_PARTIES, partition
from labshare.domain.equipment import StateMinutes
from labshare.domain.projects import AccessClass
from labshare.domain.timespan import Span, intersection
from labshare.domain.windows import CENTRE_ZONE_NAME, Window, days_span, window_at, window_dates
from labshare.errors import Malformed

LONGEST_DAYS = 366

# ---------------------------------------------------------------- what is asked, and by whom


class PeriodKind(StrEnum):
    MONTH = "month"
    QUARTER = "quarter"
    CUSTOM = "custom"


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """Whole local days from `first` to `last`, both included."""

    kind: PeriodKind
    first: date
    last: date

    @property
    def span(self) -> Span:
        return days_span(self.first, date.fromordinal(self.last.toordinal() + 1), CENTRE_ZONE_NAME)

    @property
    def months(self) -> list[Span]:
        """The period cut at the borders of calendar months."""
        found: list[Span] = []
        span, at = self.span, self.span.start
        while at < span.end:
            month = window_at(Window.MONTH, at, CENTRE_ZONE_NAME)
            found.append(Span(at, min(month.end, span.end)))
            at = month.end
        return found


def period(kind: PeriodKind, day: date, last: date | None = None) -> Period:
    """The month or quarter that holds `day`, or the days from `day` to `last`.

    Raises `Malformed` when the last day comes first, is missing, or lies more than a year after the first.
    """
    if kind is PeriodKind.CUSTOM:
        if last is None or last < day:
            raise Malformed("report_dates_reversed")
        if (last - day).days >= LONGEST_DAYS:
            raise Malformed("report_period_too_long", days=LONGEST_DAYS)
        return Period(kind=kind, first=day, last=last)
    first, after = window_dates(Window(kind.value), day)
    return Period(kind=kind, first=first, last=date.fromordinal(after.toordinal() - 1))


class ReportScope(msgspec.Struct, frozen=True, kw_only=True):
    """One instrument, or one centre, or (neither) the network as far as the reader may look."""

    centre_id: str | None = None
    instrument_id: str | None = None


class Reader(msgspec.Struct, frozen=True, kw_only=True):
    """Whose report it is: everybody's figures, those of some centres, or those of their own organisations."""

    sees_all: bool = False
    centre_ids: frozenset[str] = frozenset()
    organisation_ids: frozenset[str] = frozenset()

    def answers_for(self, centre_id: str) -> bool:
        """Whether this reader may see every organisation's figures there."""
        return self.sees_all or centre_id in self.centre_ids


# ---------------------------------------------------------------- what was counted, and what of it is told


class UseRow(msgspec.Struct, frozen=True, kw_only=True):
    """Minutes in one month, on one instrument, of one organisation under one access class.

    A row that the reader may not see has no `organisation_id`; `rival` then tells parties apart, within one report,
    without saying who they are. `booked` is past, `ahead` is to come.
    """

    month: int
    instrument_number: int
    centre_id: str
    access_class: AccessClass
    organisation_id: str | None
    rival: int | None
    booked: int
    ahead: int
    delivered: int


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table. Without an organisation it is the sum of `parties` others; without a class, a fold."""

    access_class: AccessClass | None
    organisation_id: str | None
    parties: int
    booked: int
    ahead: int
    delivered: int


class Atom(msgspec.Struct, frozen=True):
    """One centre in one month, by its place among the months of the period."""

    centre_id: str
    month: int


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What of others a masked reader is told: classes by atom (None is the fold), or nothing (`withheld`).

    `instruments` are those of which the atom may be told singly.
    """

    classes: dict[Atom, dict[AccessClass, AccessClass | None]]
    instruments: dict[Atom, frozenset[int]]
    withheld: frozenset[Atom]


def told(rows: Iterable[UseRow], atoms: Collection[Atom], least: Mapping[Atom, int] | None = None) -> Told:
    """Judge each atom of others' rows. `rows` are all rows of the atoms' centres, whatever scope is shown.

    `least` is how many parties a sum must have, for atoms of which an agreement asks for more than the house does.
    """
    asked = least or {}
    by_class: dict[Atom, dict[AccessClass, set[int]]] = {atom: {} for atom in atoms}
    by_instrument: dict[Atom, dict[int, set[int]]] = {atom: {} for atom in atoms}
    for row in rows:
        atom = Atom(row.centre_id, row.month)
        if row.rival is not None and atom in by_class:
            by_class[atom].setdefault(row.access_class, set()).add(row.rival)
            by_instrument[atom].setdefault(row.instrument_number, set()).add(row.rival)
    classes: dict[Atom, dict[AccessClass, AccessClass | None]] = {}
    instruments: dict[Atom, frozenset[int]] = {}
    withheld: set[Atom] = set()
    for atom, cells in by_class.items():
        cut = partition(cells, asked.get(atom, MIN_PARTIES))
        if cut.is_withheld:
            withheld.add(atom)
            continue
        classes[atom] = {key: key if key in cut.told else None for key in cells}
        instruments[atom] = partition(by_instrument[atom], asked.get(atom, MIN_PARTIES)).told
    return Told(classes=classes, instruments=instruments, withheld=frozenset(withheld))


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """The instruments and months that ladder and utilisation speak of, and what a mask left out of them: months of a
    centre with too few parties (`withheld`), and months of the period that are not whole or still run (`running`).
    """

    pieces: dict[int, tuple[Span, ...]]
    withheld: int = 0
    running: int = 0

    @property
    def span(self) -> Span | None:
        """From the first to the last minute that is covered."""
        pieces = [piece for each in self.pieces.values() for piece in each]
        return Span(min(p.start for p in pieces), max(p.end for p in pieces)) if pieces else None

    @property
    def is_whole(self) -> bool:
        return not self.withheld and not self.running


def whole_months(months: Sequence[Span], now: datetime) -> list[int]:
    """The places of those parts of a period that are whole calendar months and have ended."""
    return [
        place
        for place, month in enumerate(months)
        if month == window_at(Window.MONTH, month.start, CENTRE_ZONE_NAME) and month.end <= now
    ]


def lines(rows: Iterable[UseRow], others: Told, *, is_one_instrument: bool) -> tuple[Line, ...]:
    """The table: visible organisations by class, then what is told of others. Sorted by class, then organisation."""
    sums: dict[tuple[AccessClass | None, str | None], _Sum] = {}
    for row in rows:
        key: tuple[AccessClass | None, str | None]
        if row.rival is None:
            key = (row.access_class, row.organisation_id)
        else:
            atom = Atom(row.centre_id, row.month)
            if is_one_instrument:
                if row.instrument_number not in others.instruments.get(atom, frozenset()):
                    continue
                key = (None, None)
            elif atom in others.classes:
                key = (others.classes[atom][row.access_class], None)
            else:
                continue
        sums.setdefault(key, _Sum()).add(row)
    return tuple(sums[key].line(*key) for key in sorted(sums, key=_order))


def _order(key: tuple[AccessClass | None, str | None]) -> tuple[bool, str, bool, str]:
    access_class, organisation_id = key
    return access_class is None, access_class or "", organisation_id is None, organisation_id or ""


class _Sum:
    def __init__(self) -> None:
        self.booked = self.ahead = self.delivered = 0
        self.rivals: set[int] = set()

    def add(self, row: UseRow) -> None:
        self.booked += row.booked
        self.delivered += row.delivered
        # What others have booked ahead is theirs: only months that have ended are told.
        if row.rival is None:
            self.ahead += row.ahead
        else:
            self.rivals.add(row.rival)

    def line(self, access_class: AccessClass | None, organisation_id: str | None) -> Line:
        return Line(
            access_class=access_class,
            organisation_id=organisation_id,
            parties=len(self.rivals) or 1,
            booked=self.booked,
            ahead=self.ahead,
            delivered=self.delivered,
        )


# ---------------------------------------------------------------- the ladder and the states


class Ladder(msgspec.Struct, frozen=True, kw_only=True):
    """calendar > open > allocable > offered > booked > delivered, in minutes (access rules, "What the minutes mean").

    offered is allocable without what nobody could be given (capacity.py): the time in which the instrument was down
    unplanned, and that of instruments which are not built yet.
    Runs outside opening hours are booked and delivered but not open, so the lower steps may pass the upper ones.
    """

    calendar: int = 0
    open: int = 0
    allocable: int = 0
    offered: int = 0
    booked: int = 0
    delivered: int = 0

    def __add__(self, other: Ladder) -> Ladder:
        return Ladder(**{name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__})


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """How the instruments ran: minutes in each state, failures that began, and the minutes they took."""

    states: StateMinutes = StateMinutes()
    failures: int = 0
    repair_minutes: int = 0

    def __add__(self, other: Running) -> Running:
        return Running(
            states=self.states + other.states,
            failures=self.failures + other.failures,
            repair_minutes=self.repair_minutes + other.repair_minutes,
        )


def covered_rows(rows: Iterable[UseRow], coverage: Coverage, months: Sequence[Span]) -> list[UseRow]:
    """The rows, whoever's, that lie in the instruments and months that the coverage speaks of."""
    inside = {
        (number, place)
        for number, pieces in coverage.pieces.items()
        for place, month in enumerate(months)
        for piece in pieces
        if intersection(piece, month)
    }
    return [row for row in rows if (row.instrument_number, row.month) in inside]
