"""The first day on which a state order takes time, which has to be told so many working days before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("state_orders", sa.Column("starts_on", sa.Date(), nullable=True))
