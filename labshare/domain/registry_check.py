"""What makes a whole registry sound: every reference stands, every rule of booking can be kept.

What must not live here: the form of a single cell (registry_csv.py). Reading `CHECKS` is reading the rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from labshare.domain.booking_rules import Posted
from labshare.domain.bookings import LONGEST_MINUTES
from labshare.domain.opening import format_opening
from labshare.domain.registry import (
    Centre,
    Crosswalk,
    Instrument,
    Located,
    Organisation,
    Row,
    Taxonomy,
    Zone,
)
from labshare.domain.registry_terms import TIME_UNITS, BookingMode, Relation
from labshare.domain.standing_rules import in_force, meets_hours
from labshare.domain.units import MOST_UNITS
from labshare.errors import Refusal

# The booking guard of PostgreSQL keeps the number in the bits above the fortieth of a signed 64-bit integer.
LARGEST_NUMBER = 2**23 - 1
# Nobody plans further ahead, and no time so far ahead leaves the calendar.
MOST_ADVANCE_DAYS = 3660
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_OPENED = re.compile(r"[0-9]{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?)?")


class RowFault(msgspec.Struct, frozen=True):
    """One thing wrong with one row. Line 1 is the header; line 0 stands for the whole file."""

    file: str
    line: int
    column: str
    reason: Refusal


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """What could be read of one file: sound rows with their lines, and the key of every row, sound or not.

    `keys` is None when the file could not be read to its end, so that its absent rows blame nobody else.
    """

    rows: list[tuple[int, Row]]
    keys: frozenset[str] | None


Found = tuple[str, str, dict[str, str | int]]
"""A fault of one row: column, code, parameters."""
Check = Callable[[Any, Mapping[str, Read]], Iterator[Found]]


def faults(reads: Mapping[str, Read], numbers: Mapping[int, str], posted: Sequence[Posted] = ()) -> Iterator[RowFault]:
    """Every fault of every row, by every check that concerns its kind. `numbers` belong to these ids already, and the
    rules `posted` stand.
    """
    for noun, read in reads.items():
        for line, row in read.rows:
            for kind, check in CHECKS:
                if isinstance(row, kind):
                    for column, code, params in check(row, reads):
                        yield RowFault(f"{noun}.csv", line, column, Refusal(code=code, params=params))
    yield from _numbers_are_kept(reads["instruments"], numbers)
    for line, row in reads["instruments"].rows if posted else ():
        if isinstance(row, Instrument) and not any(lengths_can_be_booked(row, reads)):
            for column, reason in unfit(row, in_force(row, posted)):
                yield RowFault("instruments.csv", line, column, reason)


def ids_fit_into_addresses(row: Row, _: Mapping[str, Read]) -> Iterator[Found]:
    for column in ("id", "taxonomy_id", "code"):
        value = getattr(row, column, None)
        if isinstance(value, str) and not _ID.fullmatch(value):
            yield column, "registry_bad_id", {"value": value}


# (column, the noun it names); several columns together make the key of a group or a product.
REFERENCES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("parent_id",), "organisations"),
    (("host_id",), "organisations"),
    (("zone_id",), "zones"),
    (("centre_id",), "centres"),
    (("capability_id",), "capabilities"),
    (("taxonomy_id",), "taxonomies"),
    (("taxonomy_id", "group_number"), "technology_groups"),
    (("old_taxonomy_id", "old_code"), "technology_products"),
    (("new_taxonomy_id", "new_code"), "technology_products"),
)


def references_stand(row: Row, reads: Mapping[str, Read]) -> Iterator[Found]:
    for columns, noun in REFERENCES:
        values = [getattr(row, column, None) for column in columns]
        if None not in values:
            yield from _unknown(columns[-1], ":".join(str(value) for value in values), reads[noun])
    for product in getattr(row, "products", ()):
        yield from _unknown("products", str(product), reads["technology_products"])


def _unknown(column: str, key: str, target: Read) -> Iterator[Found]:
    if target.keys is not None and key not in target.keys:
        yield column, "registry_unknown_id", {"value": key}


def parents_make_a_tree(row: Organisation, reads: Mapping[str, Read]) -> Iterator[Found]:
    parents = {str(o.id): o.parent_id for _, o in reads["organisations"].rows if isinstance(o, Organisation)}
    seen, above = {row.id}, row.parent_id
    while above is not None and above not in seen:
        seen.add(above)
        above = parents.get(above)
    # Only rows on the loop are to blame, not those that hang below it.
    if above == row.id:
        yield "parent_id", "registry_parent_cycle", {"value": row.id}


def one_kind_of_parent(row: Organisation, _: Mapping[str, Read]) -> Iterator[Found]:
    if row.parent_id is not None and (row.governing_body_vi or row.governing_body_en):
        yield "governing_body_vi", "registry_two_parents", {"value": row.parent_id}


def coordinates_are_on_earth(row: Located, _: Mapping[str, Read]) -> Iterator[Found]:
    given = [row.latitude is not None, row.longitude is not None, row.coordinates is not None]
    if any(given) and not all(given):
        yield "coordinates", "registry_coordinates_incomplete", {}
    for column, value, most in (("latitude", row.latitude, 90), ("longitude", row.longitude, 180)):
        if value is not None:
            yield from _within(column, value, -most, most)


def _within(column: str, value: float, least: int, most: int) -> Iterator[Found]:
    if not least <= value <= most:
        yield column, "registry_out_of_range", {"value": str(value), "least": least, "most": most}


def zones_have_sizes(row: Zone, _: Mapping[str, Read]) -> Iterator[Found]:
    if row.area_hectares is not None and row.area_hectares <= 0:
        yield "area_hectares", "registry_not_positive", {"value": row.area_hectares}


def centres_have_dates_and_clocks(row: Centre, _: Mapping[str, Read]) -> Iterator[Found]:
    if row.opened and not _OPENED.fullmatch(row.opened):
        yield "opened", "registry_not_a_date", {"value": row.opened}
    try:
        ZoneInfo(row.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield "timezone", "registry_unknown_timezone", {"value": row.timezone}


def lists_hold_for_a_while(row: Taxonomy, _: Mapping[str, Read]) -> Iterator[Found]:
    if row.effective_until is not None and row.effective_until <= row.effective_from:
        yield "effective_until", "registry_reversed_dates", {"value": row.effective_until.isoformat()}


def crosswalk_lines_say_one_thing(row: Crosswalk, _: Mapping[str, Read]) -> Iterator[Found]:
    for side in ("old", "new"):
        if (getattr(row, f"{side}_taxonomy_id") is None) != (getattr(row, f"{side}_code") is None):
            yield f"{side}_code", "registry_half_a_product", {}
    if (row.new is None) != (row.relation is Relation.DROPPED):
        yield "relation", "registry_relation_contradicts", {"value": row.relation.value}
    if (row.old is None) != (row.relation is Relation.NEW):
        yield "relation", "registry_relation_contradicts", {"value": row.relation.value}


def only_time_has_booking_rules(row: Instrument, _: Mapping[str, Read]) -> Iterator[Found]:
    if row.booking_mode is BookingMode.TIME:
        if row.bookable_unit not in TIME_UNITS:
            yield "booking_mode", "registry_unit_is_not_time", {"value": row.bookable_unit.value}
        return
    for column in _BOOKING_COLUMNS:
        if getattr(row, column):
            yield column, "registry_not_booked_by_time", {"value": row.booking_mode.value}
    if not row.opening.is_never:
        yield "opening", "registry_not_booked_by_time", {"value": row.booking_mode.value}


_BOOKING_COLUMNS = (
    *("spans_closed_hours", "min_minutes", "max_minutes", "granularity_minutes"),
    *("advance_days", "setup_minutes", "cleanup_minutes"),
)


def numbers_fit_the_guard(row: Instrument, _: Mapping[str, Read]) -> Iterator[Found]:
    yield from _within("number", row.number, 1, LARGEST_NUMBER)


def lengths_can_be_booked(row: Instrument, _: Mapping[str, Read]) -> Iterator[Found]:
    """Every length is whole steps, the shortest fits into the opening hours, and nothing is negative or endless."""
    for column in ("typical_minutes", "setup_minutes", "cleanup_minutes"):
        yield from _within(column, getattr(row, column), 0, LONGEST_MINUTES)
    yield from _within("capacity", row.capacity, 1, MOST_UNITS if row.booking_mode is BookingMode.TIME else 1)
    if row.booking_mode is not BookingMode.TIME:
        return
    for column in ("min_minutes", "granularity_minutes", "advance_days"):
        if getattr(row, column) <= 0:
            yield column, "registry_not_positive", {"value": getattr(row, column)}
    step = row.granularity_minutes
    if step > 0 and not meets_hours(step):
        yield "granularity_minutes", "registry_odd_step", {"value": step}
    for column in ("min_minutes", "max_minutes"):
        if step > 0 and getattr(row, column) % step:
            yield column, "registry_off_granularity", {"value": getattr(row, column), "step": step}
    # A calendar looks as far back as a booking may occupy, which its set-up and clean-up are part of.
    yield from _within("max_minutes", row.max_minutes, 0, LONGEST_MINUTES - row.setup_minutes - row.cleanup_minutes)
    most = MOST_ADVANCE_DAYS
    if row.advance_days > most:
        yield "advance_days", "registry_out_of_range", {"value": str(row.advance_days), "least": 1, "most": most}
    if row.max_minutes < row.min_minutes:
        yield "max_minutes", "registry_max_below_min", {"value": row.max_minutes, "least": row.min_minutes}
    yield from _opening_fits(row)


def _opening_fits(row: Instrument) -> Iterator[Found]:
    longest = row.opening.longest_minutes(max(1, min(row.granularity_minutes, 60)))
    if row.opening.is_never:
        yield "opening", "registry_never_open", {}
    elif row.min_minutes > longest and not row.spans_closed_hours and not row.opening.is_always:
        yield "min_minutes", "registry_min_beyond_opening", {"value": row.min_minutes, "most": longest}


def unfit(registered: Instrument, held: Instrument) -> Iterator[tuple[str, Refusal]]:
    """Why nobody could book an instrument as posted rules make it, by column, as if that were its row in a file."""
    if held == registered:
        return
    params: dict[str, str | int] = {
        "instrument": held.id,
        "least_minutes": held.min_minutes,
        "most_minutes": held.max_minutes,
        "step_minutes": held.granularity_minutes,
        "opening": format_opening(held.opening),
        "setup_minutes": held.setup_minutes,
        "cleanup_minutes": held.cleanup_minutes,
    }
    for column, code, _ in lengths_can_be_booked(held, {}):
        if code in _UNFIT:
            yield column, Refusal(code=_UNFIT[code], params=params)


_UNFIT = {
    "registry_max_below_min": "booking_rule_no_length",
    "registry_min_beyond_opening": "booking_rule_beyond_opening",
    "registry_out_of_range": "booking_rule_too_long",
}


def _numbers_are_kept(read: Read, numbers: Mapping[int, str]) -> Iterator[RowFault]:
    """A number belongs to one instrument for ever: bookings know the instrument by it."""
    owners, given = dict(numbers), {id: number for number, id in numbers.items()}
    for line, row in read.rows:
        if isinstance(row, Instrument):
            owner, number = owners.setdefault(row.number, row.id), given.get(row.id, row.number)
            if number != row.number:
                reason = Refusal(code="registry_number_changed", params={"value": row.number, "number": number})
                yield RowFault("instruments.csv", line, "number", reason)
            elif owner != row.id:
                reason = Refusal(code="registry_number_taken", params={"value": row.number, "other": owner})
                yield RowFault("instruments.csv", line, "number", reason)


CHECKS: tuple[tuple[type, Check], ...] = (
    (object, ids_fit_into_addresses),
    (object, references_stand),
    (Organisation, parents_make_a_tree),
    (Organisation, one_kind_of_parent),
    (Located, coordinates_are_on_earth),
    (Zone, zones_have_sizes),
    (Centre, centres_have_dates_and_clocks),
    (Taxonomy, lists_hold_for_a_while),
    (Crosswalk, crosswalk_lines_say_one_thing),
    (Instrument, numbers_fit_the_guard),
    (Instrument, only_time_has_booking_rules),
    (Instrument, lengths_can_be_booked),
)
