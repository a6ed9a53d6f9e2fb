"""What every command shares: settings, the database, one clear line for each thing that went wrong."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

import rich_click as click
from click.exceptions import Exit

if TYPE_CHECKING:
    from labshare.errors import LabShareError
    from labshare.i18n import Language
    from labshare.settings import Settings
    from labshare.store.engine import Database

REFUSED, MALFORMED, INFEASIBLE = 1, 2, 3


class Commands(click.RichGroup):
    """A group whose commands may raise any error of the house: each reason becomes a line on stderr, never a trace."""

    def invoke(self, ctx: click.Context) -> Any:
        from labshare.errors import LabShareError, Malformed
        from labshare.i18n import speaking
        from labshare.settings import SettingsError

        with speaking(terminal_language()):
            try:
                return super().invoke(ctx)
            except LabShareError as error:
                fail(reasons(error), MALFORMED if isinstance(error, (Malformed, SettingsError)) else REFUSED)
            except OSError as error:
                # A file that cannot be read or written; anything else of the system is worth a trace.
                if error.filename is None:
                    raise
                fail([f"{error.filename}: {error.strerror}"], REFUSED)


def reasons(error: LabShareError) -> list[str]:
    """Every reason of an error as a sentence."""
    from labshare.sentences import sentences

    return sentences(error)


def fail(lines: list[str], code: int) -> NoReturn:
    """Say on stderr why, and end with this exit code."""
    for line in lines:
        click.echo(f"labshare: {line}", err=True)
    raise Exit(code)


def terminal_language() -> Language:
    """Vietnamese where the terminal's locale is, else English, which every terminal can show."""
    # The first that is set decides, as POSIX has it.
    locale = next((text for name in ("LC_ALL", "LC_MESSAGES", "LANG") if (text := os.environ.get(name))), "")
    return "vi" if locale.lower().startswith("vi") else "en"


def settings() -> Settings:
    """The settings of this process. Raises `SettingsError`."""
    from labshare.settings import load_settings

    return load_settings(os.environ)


@contextmanager
def open_database(chosen: Settings, *, current: bool = True) -> Generator[Database]:
    """The database of the settings, for one command. Raises `StartupError` when it cannot be reached.

    With `current`, also when its tables are not this version's or the booking guard is missing.
    """
    from labshare.errors import StartupError
    from labshare.store.engine import DatabaseFault
    from labshare.store.engine import open_database as open_url
    from labshare.store.migrations import require_current
    from labshare.store.process import require_reachable

    database = open_url(chosen.database_url, lock_timeout_seconds=chosen.lock_timeout_seconds)
    try:
        require_reachable(database)
        if current:
            with database.read() as db:
                require_current(db)
        yield database
    except DatabaseFault as error:
        # Not a fault of ours: a full disk, a file that may not be written, a server that went away.
        raise StartupError("database_failed", reason=str(error.orig).partition("\n")[0]) from error
    finally:
        database.dispose()


def say(message: str, *, err: bool = False, **values: object) -> None:
    """A sentence of the interface in the terminal's language, with its values."""
    from labshare.i18n import gettext

    click.echo(gettext(message) % values, err=err)


def utc_now() -> datetime:
    return datetime.now(UTC)


def with_example(*lines: str) -> Callable[[click.Command], click.Command]:
    """Put an example under a command's help, as typed."""

    def add(command: click.Command) -> click.Command:
        # The sign \\b keeps the lines as they stand.
        command.epilog = "\n\n".join(f"\b\n{line}" for line in ("Example:", *(f"  {text}" for text in lines)))
        return command

    return add
