"""What alembic runs: always on a connection that `migrate` lends, so that a migration is one transaction."""

from __future__ import annotations

from alembic import context

from labshare.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True, compare_type=True)
context.run_migrations()
