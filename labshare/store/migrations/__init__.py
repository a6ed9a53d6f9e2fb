"""Bringing a database up to this version's tables. The guard is put up again after every migration."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from labshare.errors import StartupError
from labshare.store import guard
from labshare.store.engine import Database


def alembic_config() -> Config:
    """Alembic's settings, made in memory: the package carries its migrations, so there is no ini file to find."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return config


def migrate(database: Database) -> bool:
    """Upgrade to the newest version and put the guard up, in one transaction. True when anything changed.

    Raises `StartupError` when a newer LabShare made these tables, or when bookings overlap, so that no guard can be
    put up.
    """
    config = alembic_config()
    with database.write() as db:
        before = _version(db)
        if before is not None and before not in _known(config):
            raise StartupError("database_newer", version=before)
        config.attributes["connection"] = db
        command.upgrade(config, "head")
        changed = before != _version(db) or not guard.stands(db)
        if changed:
            guard.apply(db)
    return changed


def require_current(db: sa.Connection) -> None:
    """Raise `StartupError` unless the tables are this version's and the guard stands."""
    newest = ScriptDirectory.from_config(alembic_config()).get_current_head()
    if _version(db) != newest:
        raise StartupError("database_not_migrated")
    guard.require(db)


def _known(config: Config) -> set[str]:
    return {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}


def _version(db: sa.Connection) -> str | None:
    return MigrationContext.configure(db).get_current_revision()
