"""Notices that are kept and read in the app, and when each person wants letters of each kind."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from labshare.store.types import UTCDateTime

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    with op.batch_alter_table("notices") as batch:
        batch.add_column(sa.Column("booking_id", sa.Uuid(), nullable=True))
        batch.add_column(sa.Column("series_id", sa.Uuid(), nullable=True))
        batch.add_column(sa.Column("created_at", UTCDateTime(), nullable=True))
        batch.add_column(sa.Column("read_at", UTCDateTime(), nullable=True))
        batch.add_column(sa.Column("in_digest", sa.Boolean(), server_default=sa.false(), nullable=False))
    # Until now a row was a letter that waits, and its reader has seen none of it.
    op.execute("UPDATE notices SET created_at = send_at")
    with op.batch_alter_table("notices") as batch:
        batch.alter_column("created_at", existing_type=UTCDateTime(), nullable=False)
        batch.alter_column("send_at", existing_type=UTCDateTime(), nullable=True)
        batch.create_foreign_key(op.f("fk_notices_booking_id_bookings"), "bookings", ["booking_id"], ["id"])
        batch.create_foreign_key(op.f("fk_notices_series_id_series"), "series", ["series_id"], ["id"])
        batch.drop_index(op.f("ix_notices_person_id"))
    op.create_index("ix_notices_person_created", "notices", ["person_id", "created_at"])
    unread = sa.text("read_at IS NULL")
    op.create_index("ix_notices_unread", "notices", ["person_id"], postgresql_where=unread, sqlite_where=unread)
    op.create_index(op.f("ix_notices_booking_id"), "notices", ["booking_id"])
    op.create_index(op.f("ix_notices_series_id"), "notices", ["series_id"])
    op.create_table(
        "notice_preferences",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("mail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_notice_preferences_person_id_persons")),
        sa.PrimaryKeyConstraint("person_id", "kind", name=op.f("pk_notice_preferences")),
    )
