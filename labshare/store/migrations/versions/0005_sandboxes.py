"""Sandboxes that are kept: versions, the time in which each holds, what was done with them, replays and values."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from labshare.store.types import UTCDateTime, UTCMinute

revision = "0005"
down_revision = "0004"

# BIGINT autoincrement does not exist on SQLite; its INTEGER primary key is 64 bits wide anyway.
BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _trials()
    _beside("sandbox_steps", BigId, sa.Column("step", sa.Text(), nullable=False), _text("reason"), numbered=True)
    _beside("sandbox_replays", sa.Uuid(), sa.Column("document", sa.Text(), nullable=False), numbered=True)
    _beside(
        "sandbox_readings",
        BigId,
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        _text("evidence"),
    )


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default="", nullable=False)


def _trials() -> None:
    op.create_table(
        "sandboxes",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("approved_number", sa.Integer(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint("state IN ('drafted', 'approved', 'suspended', 'ended')", name=op.f("ck_sandboxes_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sandboxes")),
    )
    op.create_table(
        "sandbox_versions",
        sa.Column("sandbox_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["sandbox_id"], ["sandboxes.id"], name=op.f("fk_sandbox_versions_sandbox_id_sandboxes")
        ),
        sa.PrimaryKeyConstraint("sandbox_id", "number", name=op.f("pk_sandbox_versions")),
    )
    op.create_table(
        "sandbox_spans",
        sa.Column("sandbox_id", sa.Text(), nullable=False),
        sa.Column("starts_at", UTCMinute(), nullable=False),
        sa.Column("ends_at", UTCMinute(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_sandbox_spans_times")),
        sa.ForeignKeyConstraint(
            ["sandbox_id", "number"],
            ["sandbox_versions.sandbox_id", "sandbox_versions.number"],
            name=op.f("fk_sandbox_spans_version"),
        ),
        sa.PrimaryKeyConstraint("sandbox_id", "starts_at", name=op.f("pk_sandbox_spans")),
    )


def _beside(name: str, kind: sa.types.TypeEngine[Any], *columns: sa.Column[Any], numbered: bool = False) -> None:
    """A table of what belongs to a trial, with who did it and when."""
    op.create_table(
        name,
        sa.Column("id", kind, nullable=False, autoincrement=kind is BigId),
        sa.Column("sandbox_id", sa.Text(), nullable=False),
        *([sa.Column("number", sa.Integer(), nullable=False)] if numbered else []),
        *columns,
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f(f"fk_{name}_person_id_persons")),
        sa.ForeignKeyConstraint(["sandbox_id"], ["sandboxes.id"], name=op.f(f"fk_{name}_sandbox_id_sandboxes")),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
    )
    op.create_index(op.f(f"ix_{name}_sandbox_id"), name, ["sandbox_id"], unique=False)
