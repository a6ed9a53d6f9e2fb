"""`labshare replay`: what a sandbox would have done to a past period, as a table for people and as JSON for machines.

What must not live here: how it is found out (services/replay.py).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from labshare.cli.common import MALFORMED, fail, open_database, settings, utc_now, with_example
from labshare.cli.solving import LARGEST_SEED, finite

if TYPE_CHECKING:
    from labshare.domain.replay import Comparison, Count, Row, RuleRow, Side
    from labshare.domain.sandbox import Overlay

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)
DAY = click.DateTime(["%Y-%m-%d"])
# About a minute for two weeks of a busy centre; with a tenth of it the gaps hide most effects.
DEFAULT_STEPS = 20_000
# Those of domain/replay.py, which is not loaded to show the help.
FREEDOM_DAYS, MOST_FREEDOM_DAYS = 3, 31
NOISE = "~"


@with_example("labshare replay --from 2026-09-01 --to 2026-09-30 --overlay fixtures/sandboxes/SBX-SHSEM-STARTUP.toml")
@click.command()
@click.option("--from", "first", type=DAY, required=True, metavar="DATE", help="The first day of the past period.")
@click.option("--to", "last", type=DAY, required=True, metavar="DATE", help="Its last day.")
@click.option("--overlay", "file", type=FILE, required=True, metavar="FILE", help="The sandbox, a TOML file.")
@click.option(
    "--freedom", default=FREEDOM_DAYS, show_default=True, type=click.IntRange(0, MOST_FREEDOM_DAYS), metavar="DAYS",
    help="How far the start of a use may move to either side.",
)  # fmt: skip
@click.option(
    "--seconds", type=click.FloatRange(min=0, min_open=True), callback=finite,
    help="Stop each of the two or three searches after so many seconds.",
)  # fmt: skip
@click.option(
    "--steps", type=click.IntRange(min=1),
    help=f"Stop each after so much work, the same on every machine; {DEFAULT_STEPS} unless --seconds is given.",
)  # fmt: skip
@click.option(
    "--seed", default=1, show_default=True, type=click.IntRange(0, LARGEST_SEED), help="Which of equal plans is found."
)
@click.option("--json", "json_file", type=NEW_FILE, metavar="FILE", help="Write the comparison there as JSON too.")
@click.option(
    "--for", "readers", multiple=True, metavar="ORGANISATION",
    help="Tell only what a partner who speaks for this organisation may see. Repeatable.",
)  # fmt: skip
def replay(
    first: datetime,
    last: datetime,
    file: Path,
    freedom: int,
    seconds: float | None,
    steps: int | None,
    seed: int,
    json_file: Path | None,
    readers: tuple[str, ...],
) -> None:
    """Plan a past period's real demand twice, under the agreements as they were and with a sandbox in force.

    Says who would have gained and who would have lost. Reads only: nothing in the database changes.

    Exit codes: 0 done, 1 refused, 2 input that cannot be read or makes no sense.
    """
    from labshare.domain.replay import compared, compared_for
    from labshare.scheduler.output import must_be_writable, write_atomically
    from labshare.services import replay as service
    from labshare.services.replay import Asked

    if seconds is not None and steps is not None:
        raise click.UsageError("--seconds and --steps exclude each other.")
    if json_file:
        must_be_writable(json_file)
    overlay = _read(file)
    asked = Asked(overlay=overlay, first=first.date(), last=last.date(), freedom_days=freedom)
    with open_database(settings()) as database, database.read() as db:
        with _faults_of(file):
            service.require_sound(db, overlay)
        service.require_organisations(db, readers)
        case = service.load(db, asked, utc_now())
    done = service.replayed(case, service.solver(seconds=seconds, steps=steps or _steps(seconds), seed=seed))
    comparison = compared_for(done, readers) if readers else compared(done)
    if json_file:
        write_atomically(json_file, service.to_json(comparison))
    for line in table(comparison):
        click.echo(line)


def _steps(seconds: float | None) -> int | None:
    return DEFAULT_STEPS if seconds is None else None


def _read(file: Path) -> Overlay:
    from labshare.domain.sandbox_documents import from_toml
    from labshare.errors import Malformed

    with _faults_of(file):
        try:
            return from_toml(file.read_text(encoding="utf-8"))
        except UnicodeDecodeError as error:
            raise Malformed("file_not_utf8") from error


@contextmanager
def _faults_of(file: Path) -> Generator[None]:
    """Whatever is wrong with the file is malformed input, each fault a line with its name."""
    from labshare.errors import Malformed, Refused
    from labshare.sentences import sentence

    try:
        yield
    except (Malformed, Refused) as error:
        fail([f"{file}: {sentence(refusal)}" for refusal in error.refusals], MALFORMED)


# ---------------------------------------------------------------- as text


def table(found: Comparison) -> Iterator[str]:
    """The comparison as aligned lines, in the terminal's language."""
    from labshare.i18n import gettext, language, word

    yield from _heading(found)
    titles = (
        (gettext("Organisation"), found.organisations),
        (gettext("Access class"), found.access_classes),
        (gettext("Centre"), found.by_centre),
    )
    for title, rows in titles:
        if rows:
            header = [
                title, gettext("wanted"), gettext("as signed"), gettext("in the sandbox"), gettext("change"),
                gettext("share of all time given"), gettext("left open by the gaps"),
            ]  # fmt: skip
            cells = [_cells(row, word("access_class", row.key) if row.key else _others(row)) for row in rows]
            yield from ("", *_aligned([header, *cells]))
    if found.rules:
        header = [gettext("Share rule"), gettext("window"), gettext("as signed"), gettext("in the sandbox")]
        rules = [_rule_cells(row) for row in found.rules]
        yield from ("", *_aligned([header, *rules]))
        sentences = {(row.agreement_id, row.rule_id): row for row in found.rules}
        for row in sentences.values():
            text = row.sentence_vi if language() == "vi" else row.sentence_en
            yield f"  {row.agreement_id} {row.rule_id}: {text}"
    yield ""
    if found.withheld:
        yield gettext("Others are told only of one whole month, and where three of them asked at each centre.")
    if any(row.may_be_noise for row in (*found.organisations, *found.access_classes, *found.by_centre)):
        yield gettext("~ lies within what the solver's gaps leave open: it may be noise, and more steps may tell.")


def _heading(found: Comparison) -> Iterator[str]:
    from labshare import formats
    from labshare.i18n import gettext, language

    yield f"{found.sandbox_id}: {found.title_vi if language() == 'vi' else found.title_en}"
    days = f"{formats.date(found.first)} – {formats.date(found.last)}"
    yield gettext("%(days)s, %(centres)s; starts may move by %(freedom)s; slots of %(minutes)s minutes") % {
        "days": days,
        "centres": ", ".join(found.centres),
        "freedom": formats.counted(found.freedom_days, "days"),
        "minutes": found.slot_minutes,
    }
    if not found.withheld:
        yield gettext(
            "%(uses)s uses and %(requests)s requests of rounds; %(nowhere)s of them fit nowhere by today's rules"
        ) % {"uses": found.uses, "requests": found.requests, "nowhere": found.without_place}
    yield gettext("seed %(seed)s, %(budget)s for each search") % {"seed": found.seed, "budget": found.budget}
    yield from _aligned([_side(gettext("as signed"), found.before), _side(gettext("in the sandbox"), found.after)])


def _side(name: str, side: Side) -> list[str]:
    from labshare import formats
    from labshare.i18n import gettext

    gap = gettext("gap %(gap)s") % {"gap": formats.percent(side.gap, 2)}
    if side.minutes is None or side.objective is None or side.bound is None:
        return [name, "–", "–", gap]
    numbers = {"value": formats.number(side.objective), "bound": formats.number(side.bound)}
    return [name, formats.hours(side.minutes), gettext("worth %(value)s of at most %(bound)s") % numbers, gap]


def _others(row: Row) -> str:
    from labshare.i18n import gettext

    return gettext("%(count)s others") % {"count": row.parties}


def _cells(row: Row, name: str) -> list[str]:
    from labshare import formats

    return [
        name,
        formats.hours(row.wanted),
        formats.hours(row.before),
        formats.hours(row.after),
        ("+" if row.difference > 0 else "") + formats.hours(row.difference) + (NOISE if row.may_be_noise else " "),
        " → ".join("–" if s is None else formats.percent(s) for s in (row.share_before, row.share_after)),
        "–" if row.margin is None else f"± {formats.hours(row.margin)}",
    ]


def _rule_cells(row: RuleRow) -> list[str]:
    from labshare import formats

    place = f" {row.scope_key}" if row.scope_key else ""
    return [
        f"{row.agreement_id} {row.rule_id}{place}",
        f"{formats.date(row.window.start)} – {formats.last_date(row.window.end)}",
        _count(row, row.before),
        _count(row, row.after),
    ]


def _count(row: RuleRow, count: Count | None) -> str:
    from labshare import formats

    if count is None:
        return "–"
    sign = "≤" if row.kind == "cap" else "≥"
    counted = "–" if count.counted is None else formats.hours(count.counted)
    return f"{counted} {sign} {formats.hours(count.limit)}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """The first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
