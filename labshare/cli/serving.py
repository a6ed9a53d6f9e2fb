"""`labshare demo`, `serve` and `migrate`: from settings to a process that answers."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from labshare.cli.common import open_database, say, settings, utc_now, with_example

if TYPE_CHECKING:
    from labshare.serve import Listener
    from labshare.settings import Settings
    from labshare.store.engine import Database
    from labshare.store.process import Claim

DEMO_DIRECTORY = Path("var/demo")
# Its contested week and its open round stand around the day on which it was made.
FRESH_FOR = timedelta(days=7)
FIXTURES = Path(__file__).parents[2] / "fixtures"


@with_example("LABSHARE_SECRET=... LABSHARE_PORT=8080 labshare serve")
@click.command()
@click.option("--workers", default=1, show_default=True, help="Processes; this version serves with one.")
def serve(workers: int) -> None:
    """Serve with the settings in the environment (deploy/README.md), on a database that `labshare migrate` prepared."""
    from labshare.errors import StartupError
    from labshare.serve import listen, log_to_stderr
    from labshare.settings import require_secret
    from labshare.store.process import claim

    if workers != 1:
        raise StartupError("one_process_only", workers=workers)
    chosen = settings()
    require_secret(chosen)
    log_to_stderr(chosen.log_level)
    with open_database(chosen) as database, claim(database) as held:
        _answer(chosen, database, held, listen(chosen.host, chosen.port))


@with_example("labshare demo", "labshare demo --fresh")
@click.command()
@click.option(
    "--directory", default=DEMO_DIRECTORY, show_default=True, type=click.Path(file_okay=False, path_type=Path),
    help="Where the demo keeps its data.",
)  # fmt: skip
@click.option(
    "--fixtures", default=FIXTURES, type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Where the registry, the agreements and the demo's story stand; those of this checkout unless given.",
)  # fmt: skip
@click.option("--fresh", is_flag=True, help="Throw the demo's data away and make them anew, around today.")
def demo(directory: Path, fixtures: Path, fresh: bool) -> None:
    """Serve LabShare with demo data on this machine. No settings are needed; the first start makes the data."""
    import msgspec

    from labshare.serve import listen, log_to_stderr
    from labshare.store.process import claim

    chosen = _demo_settings(directory, settings())
    # On the demo's terminal only what went wrong is worth a line; the address stands last.
    log_to_stderr("warning")
    with open_database(chosen, current=False) as database, claim(database) as held:
        if fresh:
            _throw_away(database, directory)
        _make_demo(database, fixtures, utc_now())
        listener = listen(chosen.host, chosen.port, or_next=True)
        if listener.port != chosen.port:
            say("Port %(taken)s is taken; using %(port)s.", taken=chosen.port, port=listener.port)
        # What is handed over leads to this demo, not to whatever answers on the port that was taken.
        _answer(msgspec.structs.replace(chosen, base_url=listener.url), database, held, listener)


@with_example("LABSHARE_DATABASE_URL=postgresql:///labshare labshare migrate")
@click.command()
def migrate() -> None:
    """Bring the database up to this version's tables, and put the guard against double booking up again."""
    from labshare.store.migrations import migrate as upgrade
    from labshare.store.process import claim

    # Nobody may be serving: a page of the old version could meet tables of the new one.
    with open_database(settings(), current=False) as database, claim(database):
        changed = upgrade(database)
        if changed:
            # Tables that are new hold nothing yet of what stands.
            _recounted(database)
    say("The database was brought up to date." if changed else "The database is up to date.")


@with_example("LABSHARE_DATABASE_URL=postgresql:///labshare labshare recount")
@click.command()
def recount() -> None:
    """Count the running balances of share rules again from the bookings, and put right those that differ."""
    with open_database(settings()) as database:
        wrong = _recounted(database)
    say("%(wrong)s balances were put right." if wrong else "Every balance is right.", wrong=wrong)


def _recounted(database: Database) -> int:
    from labshare.services import balances

    with database.write() as db:
        return balances.recount(db, utc_now())


def _answer(chosen: Settings, database: Database, held: Claim, listener: Listener) -> None:
    from labshare.app import create_app
    from labshare.serve import serve as run

    def ready() -> None:
        # The address stands last: nothing is printed after it until the end.
        say("LabShare answers until Ctrl-C: %(url)s", url=listener.url)

    run(create_app(chosen, database=database), listener, held, ready, one_core=chosen.one_core)


# ---------------------------------------------------------------- the demo


def _demo_settings(directory: Path, chosen: Settings) -> Settings:
    """The demo's own database and secret; only host, port and limits are taken from the environment."""
    import msgspec

    directory.mkdir(parents=True, exist_ok=True)
    return msgspec.structs.replace(
        chosen,
        database_url=f"sqlite:///{directory / 'labshare.sqlite3'}",
        secret=_demo_secret(directory / "secret"),
        secure_cookies=False,
        demo=True,
    )


def _demo_secret(path: Path) -> str:
    """Kept in a file, so that pages which stand open go on working when the demo starts again."""
    import secrets

    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(48), encoding="utf-8")
    return path.read_text(encoding="utf-8")


def _throw_away(database: Database, directory: Path) -> None:
    # Connections to the old file would go on reading it although it has no name any more.
    database.dispose()
    for name in ("labshare.sqlite3", "labshare.sqlite3-wal", "labshare.sqlite3-shm"):
        (directory / name).unlink(missing_ok=True)


def _make_demo(database: Database, fixtures: Path, now: datetime) -> None:
    """Tables and data, unless they are there; what is being made is shown while it lasts."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from labshare.i18n import gettext, word
    from labshare.services.demo import LOADED, load_demo
    from labshare.store import facts
    from labshare.store.migrations import migrate as upgrade

    upgrade(database)
    with database.read() as db:
        made = facts.get(db, LOADED)
    if made is not None:
        if now - datetime.fromisoformat(made) > FRESH_FOR:
            say("The demo's story is older than a week; `labshare demo --fresh` makes it anew, around today.")
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(gettext("Preparing the demo"), total=None)

        def on_step(code: str, done: int, steps: int) -> None:
            bar.update(task, description=word("demo_step", code), completed=done, total=steps)

        load_demo(database, fixtures, now, on_step)
