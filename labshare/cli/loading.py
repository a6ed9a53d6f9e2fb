"""`labshare load`, `export`, `agreement` and `create-admin`: what an operator brings into the database and out of it.

Files are checked whole before anything changes, and every fault is a line that says where it stands. What must not
live here: what makes a file sound (domain/).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from labshare.cli.common import MALFORMED, fail, open_database, say, settings, utc_now, with_example

if TYPE_CHECKING:
    from labshare.domain.registry_check import RowFault
    from labshare.services import Connection, Database

DIRECTORY = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
NEW_DIRECTORY = click.Path(file_okay=False, path_type=Path)


# ---------------------------------------------------------------- registry


@click.group(cls=click.RichGroup)
def load() -> None:
    """Load the registry, people or agreements from files. All is checked before anything is changed."""


@with_example("labshare load registry fixtures/registry")
@load.command("registry")
@click.argument("directory", type=DIRECTORY)
def load_registry(directory: Path) -> None:
    """Load the registry from a folder of CSV files. The same files again change nothing."""
    from labshare.sentences import sentence
    from labshare.services import registry

    with open_database(settings()) as database, database.write() as db:
        try:
            done = registry.load(db, None, registry.read_directory(directory), utc_now())
        except registry.UnsoundRegistry as error:
            faults = sorted(error.faults, key=lambda fault: (fault.file, fault.line))
            fail([f"{_place(directory, f)}: {sentence(f.reason)}" for f in faults], MALFORMED)
    for noun in done:
        numbers = {"added": noun.added, "changed": noun.changed, "retired": noun.gone}
        counted = ", ".join(f"{len(rows)} {what}" for what, rows in numbers.items())
        click.echo(f"{noun.noun}: {counted}, {noun.unchanged} unchanged")


def _place(directory: Path, fault: RowFault) -> str:
    """Where a fault stands, as editors read it: a whole file has no line, and a whole row no column."""
    line = f":{fault.line}" if fault.line else ""
    column = f": {fault.column}" if fault.column else ""
    return f"{directory / fault.file}{line}{column}"


@click.group(cls=click.RichGroup)
def export() -> None:
    """Write what the database holds to files."""


@with_example("labshare export registry registry-today")
@export.command("registry")
@click.argument("directory", type=NEW_DIRECTORY)
def export_registry(directory: Path) -> None:
    """Write the registry as the CSV files that `labshare load registry` reads without finding a change."""
    from labshare.services import registry

    with open_database(settings()) as database, database.read() as db:
        files = registry.export(db)
    registry.write_directory(directory, files)
    say("%(count)s files were written to %(directory)s.", count=len(files), directory=directory)


# ---------------------------------------------------------------- people


@with_example("labshare load people people.toml")
@load.command("people")
@click.argument("file", type=FILE)
def load_people(file: Path) -> None:
    """Load organisations, persons with roles, and projects from a TOML file. Who is not named stays as they are."""
    from labshare.services import people_document

    with open_database(settings()) as database, _faults_of(file), database.write() as db:
        done = people_document.load(db, _text_of(file), utc_now())
    click.echo(f"organisations {done.organisations}, persons {done.persons}, projects {done.projects}")


@with_example("labshare create-admin --login admin.vast --name 'Quản trị VAST' --organisation I-VAST")
@click.command("create-admin")
@click.option("--login", required=True, help="What they type to sign in.")
@click.option("--name", required=True, help="How pages call them.")
@click.option("--organisation", required=True, metavar="ID", help="Who employs them: an organisation of the registry.")
@click.password_option(help="Asked for unless given; at least 12 characters.")
def create_admin(login: str, name: str, organisation: str, password: str) -> None:
    """Make an administrator, or give the role and a new password to a person who exists.

    Organisations come with `labshare load registry`.
    """
    from labshare.services import passwords, people

    passwords.check_new(password, password)
    # Hashing is slow on purpose, so it is done before the transaction.
    password_hash = passwords.hash_password(password)
    with open_database(settings()) as database, database.write() as db:
        people.create_admin(
            db, login=login, name=name, organisation_id=organisation, password_hash=password_hash, now=utc_now()
        )
    say("%(login)s is an administrator and can sign in.", login=login)


# ---------------------------------------------------------------- agreements


@with_example("labshare load agreements fixtures/agreements/*.toml")
@load.command("agreements")
@click.argument("files", nargs=-1, required=True, type=FILE)
def load_agreements(files: tuple[Path, ...]) -> None:
    """Bring agreements into force. A changed file becomes a new version; the same one again changes nothing."""
    _agreements(files, keep=True)


@click.group(cls=click.RichGroup)
def agreement() -> None:
    """Work with agreement files."""


@with_example("labshare agreement check fixtures/agreements/*.toml")
@agreement.command("check")
@click.argument("files", nargs=-1, required=True, type=FILE)
def check_agreements(files: tuple[Path, ...]) -> None:
    """Say what loading these files would do, or everything that keeps it from being done; nothing is changed."""
    _agreements(files, keep=False)


def _agreements(files: tuple[Path, ...], *, keep: bool) -> None:
    from labshare.services import agreements

    with open_database(settings()) as database, _faults_of(*files), _transaction(database, keep=keep) as db:
        done = agreements.load_agreements(db, None, files, utc_now())
    for one in done:
        click.echo(f"{one.file}: {one.agreement_id} version {one.version}, {one.outcome}")
    counted = Counter(one.outcome for one in done)
    click.echo(", ".join(f"{number} {outcome}" for outcome, number in sorted(counted.items())), err=True)


@contextmanager
def _transaction(database: Database, *, keep: bool) -> Generator[Connection]:
    """A transaction that is kept, or undone however it went."""
    with suppress(_Undone), database.write() as db:
        yield db
        if not keep:
            raise _Undone


class _Undone(Exception):
    """Leaves a transaction whose changes nobody wanted."""


# ---------------------------------------------------------------- faults


@contextmanager
def _faults_of(*files: Path) -> Generator[None]:
    """Whatever keeps the files from being loaded is malformed input, each fault a line with its file."""
    from labshare.errors import Malformed, Refused
    from labshare.sentences import sentence

    try:
        yield
    except (Malformed, Refused) as error:
        fail([f"{r.params.get('file', files[0])}: {sentence(r)}" for r in error.refusals], MALFORMED)


def _text_of(file: Path) -> str:
    from labshare.errors import Malformed

    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("file_not_utf8") from error
