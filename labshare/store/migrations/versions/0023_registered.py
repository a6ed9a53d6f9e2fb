"""What the registry says of an instrument, where rules that its centre posted say otherwise."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.add_column("instruments", sa.Column("registered", sa.Text(), nullable=True))
