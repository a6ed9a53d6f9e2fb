"""The tables of a report for a spreadsheet: CSV that no spreadsheet takes for a formula, and that keeps its accents.

Times are whole minutes, since 1.5 or 1,5 hours would be read as a date in one locale and as text in the other.
What must not live here: figures that the report does not have.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction

import msgspec

from labshare import i18n
from labshare.domain.agreement_documents import format_share
from labshare.domain.reports import Line
from labshare.services.reports import Report

Cell = str | int
BOM = "\ufeff"
# A spreadsheet takes a text that opens with one of these for a formula, whoever typed it into a name or a title.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """One table: its name, its heads (for machines, the same in every language) and its rows from a report."""

    name: str
    heads: tuple[str, ...]
    rows: Callable[[Report], Iterator[Sequence[Cell]]]


def csv_bytes(table: Table, report: Report) -> bytes:
    """The table of a report as CSV."""
    return encoded(table.heads, table.rows(report))


def encoded(heads: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """CSV as UTF-8 with a byte-order mark, without which Excel garbles Vietnamese."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(heads)
    for row in rows:
        writer.writerow([harmless(cell) for cell in row])
    return (BOM + text.getvalue()).encode()


def harmless(cell: Cell) -> Cell:
    """A text that a spreadsheet would calculate gets an apostrophe in front; numbers stay numbers."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _use(report: Report) -> Iterator[Sequence[Cell]]:
    for line in report.lines:
        name = report.names.get(line.organisation_id) if line.organisation_id else None
        yield (
            *_period(report),
            line.access_class or "others",
            _class_name(line),
            line.organisation_id or "",
            (name.name_vi if i18n.language() == "vi" else name.name_en) if name else "",
            line.parties,
            line.booked,
            line.ahead,
            line.delivered,
        )


def _class_name(line: Line) -> str:
    return i18n.word("access_class", line.access_class) if line.access_class else i18n.gettext("Other classes together")


def _ladder(report: Report) -> Iterator[Sequence[Cell]]:
    if report.ladder is None or report.running is None:
        return
    for step in report.ladder.__struct_fields__:
        yield (*_period(report), "ladder", step, getattr(report.ladder, step))
    for state in report.running.states.__struct_fields__:
        yield (*_period(report), "state", state, getattr(report.running.states, state))
    yield (*_period(report), "denominator", "operations", report.running.states.operations)
    yield (*_period(report), "denominator", "total", report.running.states.total)


def _shares(report: Report) -> Iterator[Sequence[Cell]]:
    for each in report.entitlements:
        found = each.measure
        yield (
            each.agreement_id,
            each.version,
            each.rule.id,
            each.scope_key,
            each.window.start.isoformat(),
            each.window.end.isoformat(),
            each.rule.kind.value,
            format_share(each.rule.share) if each.rule.share is not None else "",
            each.base_minutes if each.base_minutes is not None else "",
            _whole(each.limit) if each.limit is not None else "",
            found.used if found else "",
            found.committed if found else "",
            _whole(found.slack) if found else "",
            each.delivered if each.delivered is not None else "",
            format_share(each.about) if each.about is not None else "",
            format_share(each.before) if each.before is not None else "",
            each.own.used,
            each.own.committed,
            each.own_delivered,
            each.state.value,
        )


def _period(report: Report) -> tuple[str, str]:
    return report.period.first.isoformat(), report.period.last.isoformat()


def _whole(minutes: Fraction) -> int:
    """Rounded down, so that what is shown as left can really be had."""
    return minutes.__floor__()


_PERIOD = ("period_first", "period_last")
TABLES = {
    table.name: table
    for table in (
        Table(
            name="use",
            heads=(
                *_PERIOD, "access_class", "access_class_name", "organisation", "organisation_name", "parties",
                "booked_minutes", "ahead_minutes", "delivered_minutes",
            ),
            rows=_use,
        ),
        Table(name="ladder", heads=(*_PERIOD, "kind", "name", "minutes"), rows=_ladder),
        Table(
            name="shares",
            heads=(
                "agreement", "version", "rule", "denominator", "window_start", "window_end", "kind", "share",
                "base_minutes", "limit_minutes", "used_minutes", "committed_minutes", "slack_minutes",
                "delivered_minutes", "about", "window_before", "own_used_minutes", "own_committed_minutes",
                "own_delivered_minutes", "state",
            ),
            rows=_shares,
        ),
    )
}  # fmt: skip
